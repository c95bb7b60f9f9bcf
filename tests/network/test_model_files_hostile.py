"""Folders of runs that were edited or damaged, and places that cannot be written."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddk.studies.evaluation import evaluate
from ddk.studies.experiment import check_mode, run, run_in_mode
from ddk.studies.result import read_run, write_run
from ddk.studies.result_store import ResultStore
from ddk.studies.tasks import get_task
from ddkbase.errors import InputError, SolverError, StorageError
from ddkbase.folders import check_new_folder, new_folder
from network.ddk.constraints import Reachable
from network.model.files import load_network


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task = get_task("digits", quick=True).with_epochs(2)
    path = tmp_path_factory.mktemp("run") / "net"
    return write_run(task, run(task, "ddk"), path)


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "net"))


def edit_arrays(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    told = json.loads(bytes(arrays.pop("network.json")))
    arrays["told"] = told
    change(arrays)
    text = json.dumps(arrays.pop("told")).encode()
    members: dict[str, Any] = {"network.json": np.frombuffer(text, np.uint8), **arrays}
    np.savez(path, **members)


def banks(arrays: dict[str, Any]) -> None:
    arrays["told"]["layers"][0]["config"]["banks"] = 10**8


def shape(arrays: dict[str, Any]) -> None:
    arrays["told"]["input_shape"] = [10**6, 10**6]


def variance(arrays: dict[str, Any]) -> None:
    arrays["buffer/standardise/variance"] = -1 - arrays["buffer/standardise/variance"]


@pytest.mark.parametrize(
    ("change", "words"),
    [(banks, "banks is 100000000"), (shape, "samples of shape"), (variance, "is negative")],
)
def test_networks_that_nobody_made(folder: Path, change: Any, words: str) -> None:
    edit_arrays(folder / "model.npz", change)
    with pytest.raises(StorageError, match=words):
        load_network(folder / "model.npz")


def test_many_large_arrays_are_not_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDK_READ_LIMIT", "20000")
    edit_arrays(folder / "model.npz", lambda a: a.update({f"x{k}": np.zeros(1000) for k in "abc"}))
    with pytest.raises(StorageError, match="larger than 20,000 bytes"):
        load_network(folder / "model.npz")


def test_answers_that_are_not_finite_are_told(folder: Path) -> None:
    def huge(arrays: dict[str, Any]) -> None:
        for name in arrays:
            if name.endswith("weight"):
                arrays[name] = np.where(arrays[name] > 0, 3e38, -3e38).astype(np.float32)

    edit_arrays(folder / "model.npz", huge)
    with pytest.raises(SolverError, match=r"not finite.*digits"):
        evaluate(read_run(folder))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"seed": "x"},
        {"seed": 1.5},
        {"task": {"dataset": 7}},
        {"task": {"split": {"by": "random", "test": "a"}}},
        {"task": {"options": [1]}},
        {"task": {"limits": {"test": -3}}},
        {"task": {"limits": {"test": "a"}}},
        {"task": {"limits": 3}},
        {"task": {"vote": 7}},
        {"task": {"headline": "x"}},
        {"task": {"name": None}},
        {"task": {"extra": 1}},
    ],
)
def test_edited_metrics_are_one_line(folder: Path, change: dict[str, Any]) -> None:
    path = folder / "metrics.json"
    told = json.loads(path.read_text())
    told["settings"]["task"] |= change.pop("task", {})
    path.write_text(json.dumps(told | change))
    with pytest.raises(StorageError, match="damaged") as caught:
        read_run(folder)
    assert str(path) in str(caught.value) and caught.value.exit_code == 4


def test_a_table_of_no_change_is_no_region() -> None:
    with pytest.raises(InputError, match="beta is 0 everywhere"):
        Reachable.from_triangles([[[0.1, 0.0], [0.2, 0.0], [0.1, 0.0]]])


# -- places ---------------------------------------------------------------------------------


def test_places_are_tried_before_the_work(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "no" / "x", "no such folder"),
        (tmp_path / ("n" * 240), "cannot be written"),  # room for the name, not for the scratch's
        (Path("/proc/x"), "cannot be written"),
    ):
        with pytest.raises(StorageError, match=words):
            check_new_folder(path)
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(StorageError, match="a file of that name"):
        check_new_folder(file)
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there")
    check_new_folder(link)
    with new_folder(link) as scratch:
        (scratch / "a").write_text("1")
    assert link.is_symlink() and (tmp_path / "there" / "a").read_text() == "1"
    nowhere = tmp_path / "nowhere"
    nowhere.symlink_to(tmp_path / "not" / "there")
    with pytest.raises(StorageError, match="no such folder"):
        check_new_folder(nowhere)
    with pytest.raises(StorageError, match="link to nothing"):
        ResultStore.open(nowhere, {})


def test_of_two_that_fill_a_folder_one_is_told(tmp_path: Path) -> None:
    place = tmp_path / "out"
    began, go = threading.Event(), threading.Event()

    def other() -> None:
        with new_folder(place) as scratch:
            (scratch / "a").write_text("other")
            began.set()
            go.wait(5)

    thread = threading.Thread(target=other)
    thread.start()
    began.wait(5)
    with (
        pytest.raises(StorageError, match="filled the folder meanwhile"),
        new_folder(place) as scratch,
    ):
        (scratch / "a").write_text("mine")
        go.set()
        thread.join()
    assert (place / "a").read_text() == "other"
    assert os.listdir(tmp_path) == ["out"]
    with new_folder(place, overwrite=True) as scratch:
        (scratch / "a").write_text("mine")
    assert (place / "a").read_text() == "mine" and os.listdir(tmp_path) == ["out"]


def test_a_store_without_a_run_is_taken_away_and_others_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "runs"
    with ResultStore.open(path, {"a": 1}):
        pass
    assert not path.exists()
    path.mkdir()
    with ResultStore.open(path, {"a": 1}):  # it was there before
        pass
    assert path.is_dir()
    shutil.rmtree(path)
    with ResultStore.open(path, {"a": 1}):
        (path / "campaign.zarr").mkdir()
    assert (path / "request.json").is_file()
    shutil.rmtree(path)
    with ResultStore.open(path, {"a": 1}) as store:
        store.keep("ddk-s0", {"x": 1})
    assert (path / "runs" / "ddk-s0.json").is_file()


# -- networks trained for hardware ----------------------------------------------------------


def test_a_network_trained_in_a_mode_is_kept_and_found_again(tmp_path: Path) -> None:
    task = get_task("digits", quick=True).with_epochs(5)
    result, words = run_in_mode(task, "ddk", 1, "hybrid")
    told = result.settings["trained_for"]
    assert told["mode"] == "hybrid" and 0 < told["accuracy_on_chip"] <= 1
    assert words["on chip 1, single decisions"] == f"{100 * told['accuracy_on_chip']:.2f} %"
    path = write_run(task, result, tmp_path / "net", more=words)
    again = evaluate(read_run(path))
    assert again.same
    assert result.network is not None
    plain = run(task, "ddk", 1).network
    assert plain is not None
    name = "dense1.weight"
    assert not np.array_equal(
        plain.parameters[name], load_network(path / "model.npz").parameters[name]
    )


def test_mode_software_is_plain_training() -> None:
    task = get_task("digits", quick=True).with_epochs(3)
    result, words = run_in_mode(task, "raw", 0, "software")
    assert words == {"trained for hardware": "software"}
    assert result.network is not None and "chip" not in result.settings["trained_for"]


def test_modes_that_are_none() -> None:
    with pytest.raises(InputError, match=r"unknown mode 'hybird'.*Did you mean 'hybrid'"):
        check_mode("hybird", "ddk")
    with pytest.raises(InputError, match="model 'minirocket' is not trained here"):
        check_mode("hybrid", "minirocket")
