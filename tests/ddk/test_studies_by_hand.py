"""What studies of hardware, devices and costs count, with all that takes long drawn by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from ddk.article.costs import article_figures, ratio_rows
from ddk.studies import device, evaluation, hardware, model_search
from ddk.studies.comparison import comparison_rows, overlap
from ddk.studies.evaluation import DrawnDevices, share_of_good_cells
from ddk.studies.folds import Fold, Part
from ddk.studies.hardware import STUCK, Bench
from ddk.studies.result import Result
from ddkbase.errors import InputError
from network.hardware import Hardware, Tuning, article, load_chip
from network.model.network import ddk_network


def part(seed: int, samples: int = 12) -> Part:
    rng = np.random.default_rng(seed)
    x = rng.random((samples, 8)).astype(np.float32)
    return Part(x, np.arange(samples) % 2, np.arange(samples))


FOLD = Fold(part(1), part(2), part(3), ("a", "b"), "")


class Scatter:
    """Kinetics whose devices are numbers of the generator, and whose cycles do not scatter."""

    def nominal(self, alpha: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 2 * alpha, 3 * beta

    def deviations(
        self, alpha: Any, beta: Any, kind: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        if kind == "cycle":
            return np.zeros(shape), np.zeros(shape)
        return 0.1 * rng.random(shape), 0.1 * rng.random(shape)


def test_each_layer_has_devices_of_its_own_and_keeps_them() -> None:
    pair = np.full((1, 1, 1), 0.5)
    shape = (7, 1, 30, 20)

    def drawn(devices: DrawnDevices, name: str) -> np.ndarray:
        return np.stack(devices.kinetics(name, pair, pair, shape, np.random.default_rng(9)))

    devices = DrawnDevices(Scatter(), 4)  # type: ignore[arg-type]
    first, second = drawn(devices, "first"), drawn(devices, "second")
    assert first.shape[1:] == (7, 1, 30, 1)
    assert (first[:, 0] == first[:, 6]).all()  # the same devices for each sequence
    assert (np.diff(first[0, 0, 0, :, 0]) != 0).all() and first[0].min() >= 1.0
    assert (drawn(devices, "first") == first).all()
    others = [second, drawn(DrawnDevices(Scatter(), 5), "first")]  # type: ignore[arg-type]
    assert not any((other == first).any() for other in others)
    again = DrawnDevices(Scatter(), 4)  # type: ignore[arg-type]
    assert (drawn(again, "first") == first).all() and (drawn(again, "second") == second).all()


def test_each_chip_has_devices_and_cycles_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    network = ddk_network((8,), [4], 2, seed=0)
    kinetics = SimpleNamespace(settings=lambda: [SimpleNamespace(distance=d) for d in (0.1, 0.3)])
    seen: list[Any] = []

    def accuracy(
        tested: Any, fold: Fold, task: Any, devices: Any, rng: np.random.Generator
    ) -> float:
        seen.append((devices, rng.random(), tested is network))
        return 0.01 * len(seen)

    copied = SimpleNamespace(reestimate=lambda x, *, realise, rng: None)
    replaced = {
        "TableKinetics": lambda table: kinetics,
        "DrawnDevices": lambda kinetics, seed: seed,
        "copy_network": lambda network: copied,
        "_accuracy": accuracy,
    }
    for name, value in replaced.items():
        monkeypatch.setattr(evaluation, name, value)
    trained: Any = SimpleNamespace(network=network, task=SimpleNamespace(vote=None))
    found = evaluation.evaluate_on_devices(trained, FOLD, None, 3, 5)  # type: ignore[arg-type]
    assert [devices for devices, _, _ in seen] == [5, 5, 6, 6, 7, 7]
    assert [plain for _, _, plain in seen] == [True, False] * 3
    assert len({number for _, number, _ in seen}) == 6
    np.testing.assert_allclose([found.plain, found.anew], [[0.01, 0.03, 0.05], [0.02, 0.04, 0.06]])
    assert found.missed == 0.3
    texts = found.texts()  # the deviation of three is 2 points, of one there is none
    assert texts["on devices"] == "3.0 ± 2.0 %, worst 1.0 %"
    before = [number for _, number, _ in seen]
    seen.clear()
    again = evaluation.evaluate_on_devices(trained, FOLD, None, 1, 6)  # type: ignore[arg-type]
    assert [number for _, number, _ in seen] == before[2:4]  # the seed decides
    assert again.texts()["on devices"] == "1.0 %"


def test_models_are_ranked_by_their_runs_that_did_not_fail() -> None:
    accuracy = [[0.9, 0.7], [np.nan, 0.95], [0.8, 0.8], [np.nan, np.nan]]
    loss = [[0.5, 0.5], [0.9, 0.9], [0.4, 0.4], [np.nan, np.nan]]
    axes = ("model", "seed")
    ds = xr.Dataset(
        {"validation_accuracy": (axes, accuracy), "validation_cross_entropy": (axes, loss)}
    )
    np.testing.assert_allclose(model_search._means(ds), [0.8, 0.95, 0.8, np.nan])
    assert model_search._ranks(ds).tolist() == [2, 0, 1, 3]  # of equal ones the smaller loss first


def bench(**changes: Any) -> Bench:
    task = SimpleNamespace(training=SimpleNamespace(epochs=1, rate=0.01))
    given = {"task": task, "model": None, "fold": FOLD, "seed": 3, "hardware": article()}
    return Bench(**{**given, "tuning": Tuning(epochs=1), **changes})


def test_a_mode_is_trained_on_one_part_and_scored_on_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Any] = []

    @dataclass
    class Trained:
        def accuracy(self, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
            calls.append((x, y))
            return 0.5

    def harden(network: Any, x: np.ndarray, y: np.ndarray, **options: Any) -> Trained:
        calls.append((x, y))
        calls.append(options)
        return Trained()

    network = ddk_network((8,), [4], 2, seed=0)
    monkeypatch.setattr(hardware, "harden", harden)
    monkeypatch.setattr(Bench, "new", lambda self: network)
    monkeypatch.setattr(hardware, "training_options", lambda task, seed: {"epochs": 1})
    assert bench().score("hybrid", True, article()) == 0.5
    (off, off_options, on, on_options, scored) = calls
    for seen in (off, on):
        assert seen[0] is FOLD.train.x and seen[1] is FOLD.train.y
    assert scored[0] is FOLD.test.x and scored[1] is FOLD.test.y
    # off the chip the network learns to bear imprecision; on it, nothing but the tuning is left
    assert off_options["mode"] == "imprecision-based" and not off_options.get("trained")
    assert on_options["mode"] == "hybrid" and on_options["trained"] and on_options["reestimate"]
    assert on_options["chip"] == on_options["seed"] == 3


def test_half_of_the_failed_cells_stand_at_either_end() -> None:
    seen: dict[float, Hardware] = {}

    def score(mode: str, reestimate: bool, described: Hardware, key: float) -> float:
        seen[key] = described
        return 0.0

    drawn = SimpleNamespace(hardware=article(), score=score)
    for _, run in hardware._stuck(drawn):  # type: ignore[arg-type]
        run()
    assert sorted(seen) == sorted(STUCK)
    for share, described in seen.items():
        faults = described.faults
        assert faults is not None and faults.total == pytest.approx(share)
        assert faults.stuck_low == faults.stuck_high


def test_what_a_cell_is_worth_to_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    network = ddk_network((8,), [4], 2, seed=0)
    given: dict[str, Any] = {}

    def yielded(net: Any, fold: Fold, table: Any, at: Any, least: float, rng: Any) -> float:
        given.update(least=least, fold=fold)
        return 0.25

    def harden(net: Any, x: Any, y: Any, mode: str, **options: Any) -> Any:
        assert x is FOLD.train.x and y is FOLD.train.y
        reached = {"software": 0.9, "hybrid": 0.8}[mode]
        return SimpleNamespace(accuracy=lambda x, y, rng: reached if x is FOLD.test.x else 1.0)

    at = SimpleNamespace(amplitude=-2.4, width=9e-8)
    kinetics = SimpleNamespace(setting=lambda alpha, beta: (SimpleNamespace(at=at), None))
    energies = xr.DataArray(
        [[1e-12, 2e-12], [3e-12, 5e-12]],
        coords={"amplitude": [-3.0, -2.0], "width": [2e-8, 1e-7]},
        dims=("amplitude", "width"),
    )
    replaced = {
        "build": lambda *arguments: network,
        "get_model": lambda name: name,
        "training_options": lambda task, seed: {},
        "harden": harden,
        "TableKinetics": lambda table: kinetics,
        "share_of_good_cells": yielded,
    }
    for name, value in replaced.items():
        monkeypatch.setattr(device, name, value)
    figures = device._figures(None, FOLD, None, energies, article(), 0.05, 1)  # type: ignore[arg-type]
    assert (figures["software"], figures["chip"], figures["yielded"]) == (0.9, 0.8, 0.25)
    assert figures["energy"] == pytest.approx(8 * 5e-12)  # eight steps at the nearest setting
    assert given["least"] == pytest.approx(0.85) and given["fold"] is FOLD
    alpha, beta = next(iter(network.kinetics().values()))
    assert (figures["alpha"], figures["beta"]) == pytest.approx((alpha.item(), beta.item()))


def test_cells_that_keep_the_accuracy_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    network = ddk_network((8,), [4], 2, seed=0)
    fold = Fold(FOLD.train, FOLD.validation, part(3, 20), ("a", "b"), "")
    right = iter([0.9, 0.85, 0.84, None, 0.95])

    class One:
        def __init__(self, reached: float | None) -> None:
            self.reached = reached

        def lookup(self, **setting: str) -> Any:
            assert setting == {"amplitude": "-2.0 V", "width": "1e-07 s"}
            if self.reached is None:
                raise InputError("no train is valid")
            return SimpleNamespace(alpha=self.reached, beta=1.0)

    class Copied:
        def reestimate(self, x: np.ndarray, *, realise: Any, rng: Any) -> None:
            assert np.shares_memory(x, fold.train.x)

        def predict(self, x: np.ndarray, *, realise: Any, rng: Any) -> np.ndarray:
            assert x is fold.test.x
            number = round(realise.pair[0] * 20)
            return np.where(np.arange(20) < number, fold.test.y, 1 - fold.test.y)

    monkeypatch.setattr(
        "ddk.studies.evaluation.single_cells", lambda table: [[One(r)] for r in right]
    )
    monkeypatch.setattr("ddk.studies.evaluation.copy_network", lambda net: Copied())
    at = SimpleNamespace(amplitude=-2.0, width=1e-7, initial_resistance=np.nan)
    rng = np.random.default_rng(0)
    # 18, 17, 17 and 19 of 20 are right; one cell of five has no train
    found = share_of_good_cells(network, fold, None, at, 0.9, rng)  # type: ignore[arg-type]
    assert found == pytest.approx(2 / 5)


def test_the_article_s_ratios_are_those_of_the_table() -> None:
    chip = load_chip("180nm")
    heads, rows = ratio_rows(chip)
    column, area = heads.index("energy, times"), heads.index("area, times")
    times = [float(row[column]) for row in rows if row[column]]
    areas = [float(row[area]) for row in rows if row[area]]
    assert len(times) == len(rows) / 2 and min(times) > 1  # all take more than the DDK layer
    figures = {figure.what: figure for figure in article_figures(chip)}
    said = figures["energy against memristor DNN"].here
    assert said.startswith(f"{min(times):.3g} (") and f"to {max(times):.3g} times" in said
    said = figures["area against memristor DNN"].here
    assert said.startswith(f"{min(areas):.3g} to {max(areas):.3g} times")


def comparison(overlap: str = "fold") -> xr.Dataset:
    """Two models of three seeds, of which one run failed."""
    run, nan = ("model", "seed"), np.nan
    data: dict[str, Any] = {
        "accuracy": (run, [[0.9, 0.8, 0.85], [0.7, 0.61, nan]]),
        "vote_accuracy": (run, [[0.95, 0.9, 0.85], [0.75, 0.8, nan]]),
        "decision_accuracy": (run, [[0.9, 0.8, 0.85], [0.7, 0.61, nan]]),
        "validation_accuracy": (run, [[0.5, 0.6, 0.7], [0.4, 0.5, nan]]),
        "seconds": (run, [[1.0, 2.0, 3.0], [20.0, 30.0, nan]]),
        "failed": (run, [["", "", ""], ["", "", "it diverged"]]),
    }
    data |= {name: ("model", [1200, 34]) for name in ("parameters", "macs", "features")}
    attrs = {
        "vote": "speaker", "headline": "decision", "title": "t", "protocol": "p", "article": "",
        "task_json": json.dumps({"split": {"by": overlap, "test": 0.2}}),
    }  # fmt: skip
    return xr.Dataset(data, {"model": ["ddk", "raw"], "seed": [0, 1, 2]}, attrs)


def test_a_comparison_says_means_worst_runs_and_differences_within_seeds() -> None:
    heads, rows = comparison_rows(comparison())
    ddk, raw = (dict(zip(heads, row, strict=True)) for row in rows)
    assert ddk["accuracy (%)"] == "85.0 ± 5.0" and ddk["worst"] == "80.0"
    assert raw["accuracy (%)"] == "65.5 ± 6.4, 1 failed" and raw["worst"] == "61.0"
    assert (ddk["validation"], raw["validation"]) == ("60.0", "45.0")
    assert ddk["with vote over speakers"] == "90.0 ± 5.0"
    assert (ddk["DDK minus it"], raw["DDK minus it"]) == ("", "+19.5 ± 0.5")
    # 20 and 10: their mean, and the root of half their squared distance over two
    assert raw["DDK minus it, with vote over speakers"] == "+15.0 ± 5.0 ="
    assert (ddk["parameters"], raw["MACs"]) == ("1,200", "34")
    assert (ddk["s/run"], raw["s/run"]) == ("2", "25")
    # of parts that overlap the error is larger
    shared = dict(zip(heads, comparison_rows(comparison("group"))[1][1], strict=True))
    error = 5.0 * np.sqrt(2) * np.sqrt(1 / 2 + overlap(comparison("group")))
    assert overlap(comparison("group")) > 0 == overlap(comparison())
    assert shared["DDK minus it, with vote over speakers"] == f"+15.0 ± {error:.1f} ="


@pytest.mark.parametrize(
    ("vote", "headline", "first"),
    [({}, "vote", 0.6), ({"accuracy": 0.7}, "vote", 0.7), ({"accuracy": 0.7}, "decision", 0.6)],
)
def test_the_first_figure_is_that_of_the_headline(
    vote: dict[str, float], headline: str, first: float
) -> None:
    single = {"accuracy": 0.6}
    result: Any = SimpleNamespace(test=single, test_vote=vote, headline=headline)
    assert Result.first(result, "test")["accuracy"] == first
