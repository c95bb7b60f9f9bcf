"""Runs: the same seed gives the same, the test part decides nothing, results survive JSON."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from ddk.studies import experiment, runs
from ddk.studies.comparison import (
    comparison_rows,
    markdown,
    sample_differences,
    write_comparison,
)
from ddk.studies.experiment import Result, run
from ddk.studies.folds import Material, Part
from ddk.studies.model_search import arrangements, search
from ddk.studies.models import LAYERS, Model, get_model
from ddk.studies.runs import run_all
from ddk.studies.tasks import Task, get_task
from ddkbase.errors import InputError, SolverError, StorageError
from ddkbase.installation import ONE_THREAD
from network.model import metrics
from tests.network.data_files import mnist_like


@pytest.fixture(scope="module")
def task() -> Task:
    small = dataclasses.replace(
        get_task("digits"), limits={"train": 300, "validation": 60, "test": 120}, hidden=(8,)
    )
    return small.with_epochs(3)


@pytest.fixture(scope="module")
def material(task: Task) -> Material:
    return Material(task)


def test_a_seed_gives_the_same_numbers(task: Task, material: Material) -> None:
    one, other = (run(task, "ddk", 4, material=material) for _ in range(2))
    first, second = one.to_json(), other.to_json()
    assert first.pop("seconds") > 0
    second.pop("seconds")
    assert first == second
    assert run(task, "ddk", 5, material=material).confusion != one.confusion


def test_a_result_survives_json(task: Task, material: Material) -> None:
    result = run(task, "ddk", 0, material=material)
    again = Result.from_json(json.loads(json.dumps(result.to_json(), allow_nan=False)))
    assert json.dumps(again.to_json()) == json.dumps(result.to_json())
    assert np.sum(result.confusion) == 120
    assert np.trace(result.confusion) / 120 == pytest.approx(result.accuracy)
    assert result.r == pytest.approx(result.alpha[0] / result.beta[0] ** 2, rel=1e-6)
    assert result.r_words.startswith("r = ")
    broken = result.to_json()
    del broken["confusion"]
    with pytest.raises(StorageError, match="'confusion' is missing"):
        Result.from_json(broken)


def test_the_test_part_does_not_decide(
    task: Task, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run(task, "ddk", 1, material=material)
    folds = Material.folds

    def swapped(self: Material, *args: object) -> object:
        for fold in folds(self, *args):  # type: ignore[arg-type]
            test = Part(fold.test.x[::-1] * 0, fold.test.y, fold.test.item)
            yield dataclasses.replace(fold, test=test)

    monkeypatch.setattr(Material, "folds", swapped)
    after = run(task, "ddk", 1, material=material)
    assert after.test != before.test
    assert (after.validation, after.train_accuracy) == (before.validation, before.train_accuracy)
    assert before.network is not None and after.network is not None
    for name, value in before.network.parameters.items():
        np.testing.assert_array_equal(after.network.parameters[name], value)


def test_votes_are_over_items() -> None:
    options = {"speakers": 4, "recordings": 5, "recording": 0.8, "utterance": "0.2 s"}
    task = dataclasses.replace(get_task("voices"), options=options, headline="vote")
    result = run(task.with_epochs(2), "raw", 0)
    assert np.sum(result.confusion) == 4  # one recording of each speaker
    assert result.test_vote["accuracy"] == result.accuracy
    assert result.first("validation") == result.validation_vote
    single = run(dataclasses.replace(task, headline="decision").with_epochs(2), "raw", 0)
    assert single.accuracy == result.test["accuracy"]
    assert np.sum(single.confusion) == 16
    assert result.test["cross_entropy"] != result.test_vote["cross_entropy"]


def test_an_error_inside_a_layer_is_not_taken_for_a_wrong_option(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise TypeError("unsupported operand")

    monkeypatch.setattr("network.layers.baselines.Raw.__init__", broken)
    with pytest.raises(TypeError, match="unsupported operand"):
        run(task, "raw")


def test_options_that_do_not_fit(task: Task, material: Material) -> None:
    with pytest.raises(InputError, match="seed"):
        run(task, "ddk", -1, material=material)
    with pytest.raises(InputError, match="does not take these options"):
        run(task, "raw", 0, material=material, options={"integrator": "exact"})
    with pytest.raises(InputError, match="0 epochs"):
        task.with_epochs(0)


def test_a_given_test_part_is_compared_sample_by_sample(tmp_path: Path) -> None:
    mnist_like(tmp_path, train=40, test=12)
    mnist = dataclasses.replace(get_task("mnist"), hidden=(4,), limits={}).with_epochs(2)
    ds = runs.compare(mnist, ["ddk", "raw", "sum"], [0, 1], root=str(tmp_path))
    np.testing.assert_allclose(ds["right"].mean("test_sample"), ds["accuracy"])
    found = sample_differences(ds)
    assert set(found) == {"raw", "sum"}
    told = ds["right"].values
    alone = metrics.over_samples(told[0], told[1])
    assert found["raw"].mean == pytest.approx(alone.mean)
    assert alone.p <= found["raw"].p <= min(1.0, 2 * alone.p) + 1e-12
    heads, rows = comparison_rows(ds)
    assert rows[1][heads.index("p over test samples")] == f"{found['raw'].p:.2g}"
    assert "by Holm" in markdown(ds)
    limited = dataclasses.replace(mnist, limits={"test": 8})  # each seed draws its eight
    assert "right" not in runs.compare(limited, ["ddk", "raw"], [0], root=str(tmp_path))


def test_votes_and_single_decisions_are_told_apart() -> None:
    options = {"speakers": 4, "recordings": 5, "recording": 0.8, "utterance": "0.2 s"}
    task = dataclasses.replace(get_task("voices"), options=options, headline="vote")
    result = run(task.with_epochs(2), "raw", 0)
    voted, single = (100 * s["accuracy"] for s in (result.validation_vote, result.validation))
    expected = f"{voted:.1f} %, utterances; {single:.1f} %, single decisions"
    assert result.texts()["validation accuracy"] == expected
    assert result.history is not None
    assert result.history.at("validation_accuracy", 2) == result.validation["accuracy"]


def test_a_result_of_an_older_version_lacks_the_samples(task: Task, material: Material) -> None:
    stored = run(task, "raw", 0, material=material).to_json()
    assert stored["right"].count("1") / 120 == pytest.approx(stored["test"]["accuracy"])
    del stored["right"]
    assert Result.from_json(stored).right == ""


def test_the_table_by_hand(task: Task, material: Material) -> None:
    ds = runs.compare(task, ["ddk", "raw"], [0, 1])
    heads, rows = comparison_rows(ds)
    assert [row[0] for row in rows] == ["ddk", "raw"]
    accuracy = 100 * ds["accuracy"].values
    mean, deviation = accuracy[1].mean(), accuracy[1].std(ddof=1)
    assert rows[1][1] == f"{mean:.1f} ± {deviation:.1f}"
    d = accuracy[0] - accuracy[1]
    error = d.std(ddof=1) * np.sqrt(1 / 2 + 2 / 7)  # a fifth of one set against seven tenths
    expected = f"{d.mean():+.1f} ± {error:.1f}"
    assert rows[1][heads.index("DDK minus it")].removesuffix(" =") == expected
    assert "| ddk |" in markdown(ds) and "Nadeau" in markdown(ds)
    given = json.loads(ds.attrs["task_json"])
    given["split"]["by"] = "fold"
    ds = ds.assign_attrs(task_json=json.dumps(given))
    assert "Nadeau" not in markdown(ds) and "The test part is given" in markdown(ds)
    expected = f"{d.mean():+.1f} ± {d.std(ddof=1) / np.sqrt(2):.1f}"
    assert comparison_rows(ds)[1][1][heads.index("DDK minus it")].removesuffix(" =") == expected
    assert "DDK minus it" not in markdown(ds.sel(model=["raw"])).splitlines()[-2]
    assert ds["r"].sel(model="raw").isnull().all()
    for variable in ds.variables.values():
        assert variable.attrs["units"] and variable.attrs["long_name"]


def test_a_kept_layer_stays_at_its_start(task: Task, material: Material) -> None:
    kept, trained = (run(task, name, 0, material=material) for name in ("ddk-fixed", "ddk"))
    assert kept.alpha == pytest.approx((0.7, 0.7), rel=1e-6)
    assert kept.beta == pytest.approx((1.0, 1.0), rel=1e-6)
    assert abs(trained.alpha[0] - 0.7) > 1e-4
    assert kept.parameters == trained.parameters


def test_a_folder_goes_on_where_it_was(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs"
    models = [get_model("raw"), get_model("sum")]
    told = {"folder": folder, "kind": "comparison"}
    whole = run_all(task, models, [0, 1], folder=None, kind="comparison")
    run_all(task, models[:1], [0, 1], **told)
    times = {p.name: p.stat().st_mtime_ns for p in (folder / "runs").iterdir()}
    ran: list[tuple[str, int]] = []
    original = experiment.run

    def watched(task: Task, model: Model, seed: int, **more: object) -> Result:
        ran.append((model.name, seed))
        return original(task, model, seed, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "run", watched)
    found = run_all(task, models, [0, 1], **told)
    assert ran == [("sum", 0), ("sum", 1)]
    for name, time in times.items():
        assert (folder / "runs" / name).stat().st_mtime_ns == time
    for key, outcome in whole.items():
        assert found[key]["test"] == outcome["test"]
    other = dataclasses.replace(models[0], standardise=False)
    with pytest.raises(StorageError, match="other settings of 'raw'"):
        run_all(task, [other], [0], **told)
    with pytest.raises(StorageError, match=r"training\.epochs was 3, is 4"):
        run_all(task.with_epochs(4), models, [0], **told)


def test_two_processes_give_what_one_gives(task: Task) -> None:
    models = [get_model("raw")]
    one = run_all(task, models, [0, 1], folder=None, kind="comparison")
    two = run_all(task, models, [0, 1], folder=None, kind="comparison", processes=2)
    assert {k: v["test"] for k, v in one.items()} == {k: v["test"] for k, v in two.items()}


def test_workers_are_told_of_one_thread_before_they_load_numpy(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")  # somebody's own choice stays
    seen = {}

    class Pool:
        def __init__(self, *_: object, **__: object) -> None:
            seen.update({name: os.environ.get(name) for name in ONE_THREAD})
            raise InputError("enough")

    monkeypatch.setattr(runs, "ProcessPoolExecutor", Pool)
    with pytest.raises(InputError, match="enough"):
        next(runs.spread_out(task, [(get_model("raw"), 0)], None, 2))
    assert seen == {
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "3"
    }  # fmt: skip


def test_one_drawn_device_has_no_deviation() -> None:
    from ddk.studies.evaluation import _spread

    assert _spread([0.5]) == "50.0 %"
    assert _spread([0.5, 0.6]) == "55.0 ± 7.1 %, worst 50.0 %"


def test_a_run_that_fails_is_a_result(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = experiment.run

    def failing(task: Task, model: Model, seed: int, **more: object) -> Result:
        if seed == 1:
            raise SolverError("the loss became nan", "epoch 2")
        return original(task, model, seed, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "run", failing)
    ds = runs.compare(task, ["ddk", "raw"], [0, 1], folder=tmp_path / "f")
    assert np.isnan(ds["accuracy"].sel(seed=1)).all()
    assert "the loss became nan" in str(ds["failed"].sel(model="raw", seed=1).item())
    assert comparison_rows(ds)[1][0][1].endswith(", 1 failed")
    files = write_comparison(ds, tmp_path / "f")
    assert "the loss became nan" in (tmp_path / "f" / "report.html").read_text()
    assert all(path.stat().st_size > 500 for path in files)


@pytest.mark.parametrize(
    ("models", "seeds", "words"),
    [
        (["ddk", "ddk"], [0], "model 'ddk' is given twice"),
        (["ddk"], [1, 1], "seed '1' is given twice"),
        (["ddk"], [], "nothing to compare"),
        (["ddk"], [-2], "a seed of -2"),
    ],
)
def test_what_cannot_be_compared(task: Task, models: list, seeds: list, words: str) -> None:
    with pytest.raises(InputError, match=words):
        runs.compare(task, models, seeds)


def test_arrangements_have_the_features_of_the_raw_samples(task: Task) -> None:
    from ddk.studies.models import feature_layer

    models = arrangements(task, (8, 8))
    assert len({m.name for m in models}) == len(models)
    for model in models:
        layer = feature_layer(task, model, (8, 8), np.random.default_rng(0))
        assert np.prod(layer.output_shape((8, 8))) == 64, model.name
    ours = {m.name.removeprefix("ddk"): m for m in models if m.layer == "ddk"}
    assert {"", "-b2r2", "-both"} <= set(ours)


def test_a_search_ranks_by_validation_and_confirms_on_fresh_seeds(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ddk.studies import model_search as searching

    kept = [LAYERS["ddk"], LAYERS["raw"], LAYERS["pooling"]]
    monkeypatch.setattr(searching, "arrangements", lambda task, shape: kept)
    found = search(task, seeds=[0], confirm=2, folder=tmp_path / "s")
    means = found.selection["validation_accuracy"].mean("seed")
    assert found.best == "ddk"
    assert float(means.sel(model=found.control)) == float(means.sel(model=["raw", "pooling"]).max())
    assert found.confirmation["seed"].values.tolist() == [1000, 1001]
    reached = found.confirmation["accuracy"]
    expected = float((reached.sel(model="ddk") - reached.sel(model=found.control)).mean())
    assert found.difference.mean == pytest.approx(expected)
    searching.write_search(found, tmp_path / "s")
    text = (tmp_path / "s" / "search.md").read_text()
    assert "fresh seeds" in text and "Nadeau" in text and "Every seed draws" in text
    error = np.std(d := (reached.sel(model="ddk") - reached.sel(model=found.control)), ddof=1)
    assert found.difference.error == pytest.approx(float(error) * np.sqrt(1 / d.size + 2 / 7))
    with pytest.raises(InputError, match="one fresh seed"):
        search(task, seeds=[0], confirm=1)
    with pytest.raises(InputError, match="each once"):
        search(task, seeds=[1000])
