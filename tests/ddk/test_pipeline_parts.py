"""Parts of the pipeline's steps by themselves: what a result depends on, and its figures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from compact.table.table import AlphaBetaTable
from ddk.pipeline.execution import jobs_of
from ddk.pipeline.file import parse_chain
from ddk.pipeline.steps_network import data_checksum
from ddk.pipeline.steps_table import _result, explained
from ddk.studies.folds import Material
from ddk.studies.tasks import get_task
from network import datasets
from tests.compact.table_data import campaign


def settings(told: dict[str, Any], folder: Path, step: str) -> dict[str, Any]:
    chain = parse_chain(yaml.safe_dump(told), "mine.yaml", folder, "mine")
    return next(job.settings for job in jobs_of(chain, "mine.yaml") if job.name == step)


def test_what_a_fit_explains_is_measured_from_the_mean_of_each_train() -> None:
    measured = np.array([[1.0, 2.0, 3.0, np.nan], [10.0, 10.0, 12.0, 12.0]])
    fitted = np.array([[1.0, 2.5, 3.0, 9.0], [11.0, 11.0, 11.0, np.nan]])
    # squares about the mean: 2 of three reads; of the three of the second 8/3
    np.testing.assert_allclose(explained(measured, fitted), [1 - 0.25 / 2, 1 - 3 / (8 / 3)])


@pytest.mark.parametrize("field", ["x", "y", "groups", "fold"])
def test_a_checksum_of_data_knows_all_that_decides(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = get_task("speakers")
    data = datasets.load("voices", speakers=2, recordings=3, size=task.shape[-1])
    data = dataclasses.replace(data, fold=np.array(["train", "test"] * (len(data) // 2)))
    given = [data]
    monkeypatch.setattr(Material, "dataset", lambda self: given[0])
    before = data_checksum(task, None)
    assert len(before) == 64 and before == data_checksum(task, None)
    values = getattr(data, field).copy()
    values[-1] = {"x": 0.123, "y": 1 - data.y[-1], "groups": "other", "fold": "train"}[field]
    given[0] = dataclasses.replace(data, **{field: values})
    assert data_checksum(task, None) != before


def test_a_network_depends_on_its_seed_and_states_and_a_fit_on_its_trains(tmp_path: Path) -> None:
    def network(**more: Any) -> dict[str, Any]:
        return settings({"network": {"task": "digits", "quick": True, **more}}, tmp_path, "network")

    plain = network()
    assert network(seed=3) == {**plain, "seed": 3} and plain["seed"] != 3
    assert network(hidden=[7])["task"]["hidden"] == [7]
    after, before = (network(states=s)["task"]["ddk"] for s in ("after", "before"))
    assert after["states"] == "after" and "states" not in before  # as versions of old had it
    rows = ["conductance (uS)", *(f"{200 * 0.9**k:.4f}" for k in range(30))]
    trains = tmp_path / "lab.csv"
    trains.write_text("\n".join(rows) + "\n")
    one = settings({"trains": "lab.csv", "fit": {}}, tmp_path, "fit")
    trains.write_text("\n".join([*rows, "8.5"]) + "\n")
    two = settings({"trains": "lab.csv", "fit": {}}, tmp_path, "fit")
    assert one["trains"] != two["trains"] and {**one, "trains": ""} == {**two, "trains": ""}


def test_a_step_says_more_than_the_top_of_the_file(tmp_path: Path) -> None:
    told: dict[str, Any] = {
        "preset": "quick",
        "set": {"filament.radius": "8 nm", "outer_radius": "28 nm"},
        "loop": {"preset": "fine", "set": {"filament.radius": "7 nm"}, "rate": "5 V/s"},
        "pulses": {"amplitude": "-2 V", "count": 3},
    }
    loop, pulses = (settings(told, tmp_path, step) for step in ("loop", "pulses"))
    assert (loop["preset"], pulses["preset"]) == ("fine", "quick")
    radius = [step["device"]["filament"]["radius"] for step in (loop, pulses)]
    assert [r["value"] for r in radius] == ["7 nm", "8 nm"]
    assert {step["device"]["outer_radius"]["value"] for step in (loop, pulses)} == {"28 nm"}
    assert loop["device"]["sweep"]["rate"]["value"] == "5 V/s"


def test_a_table_given_is_part_of_what_depends_on_it(tmp_path: Path) -> None:
    marks = []
    for cycles in (2, 3):
        AlphaBetaTable.fit(campaign(cycles=cycles)).write(tmp_path / "t.nc", overwrite=True)
        told = {"table": "t.nc", "network": {"task": "digits", "quick": True}}
        marks.append(settings(told, tmp_path, "network")["table"])
    assert marks[0] != marks[1]


def test_figures_of_a_fit_are_of_valid_trains(tmp_path: Path) -> None:
    ds = AlphaBetaTable.fit(campaign(cycles=2)).dataset.copy(deep=True)
    for cycle, number in ((0, 9.0), (1, 1e-9)):  # beyond all others, on either side
        ds["valid"].values[0, 0, 0, cycle, 0] = False
        for name in ("alpha", "beta"):
            ds[name].values[0, 0, 0, cycle, 0] = number
    ds["fitted"].values[0, 0, 0, 0, 0] = 0.0
    found = _result(AlphaBetaTable(ds), tmp_path)
    valid = ds["valid"].values
    for name in ("alpha", "beta"):
        low, high = (float(text) for text in found.figures[name].split(" to "))
        values = ds[name].values[valid]
        assert (low, high) == pytest.approx((values.min(), values.max()), rel=5e-3)
    smallest = float(found.figures["R²"].rpartition(" ")[2])
    assert smallest > 0.9  # of the train that is left out it would be below 0
