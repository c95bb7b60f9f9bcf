"""Whatever stops a training, a comparison or a compilation while it writes: no result is lost."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddk.studies import result as results
from ddk.studies.experiment import run
from ddk.studies.result import Result, read_run, write_run
from ddk.studies.result_store import ResultStore
from ddk.studies.tasks import Task, get_task
from ddkbase.errors import StorageError
from ddkbase.folders import claimed
from network import load_network
from network.hardware import compile_network, load_chip, read_placement
from network.hardware.chip import folder as chips
from tests.faults import at_every_operation

ROOT = Path(__file__).resolve().parents[2]
BOTH = pytest.mark.parametrize("kill", [True, False], ids=["killed", "error of the disk"])


@pytest.fixture(scope="module")
def trained() -> tuple[Task, Result, Result]:
    """A task and two results of it that can be told apart."""
    task = get_task("digits", quick=True).with_epochs(1)
    result = run(task, "ddk")
    result = dataclasses.replace(result, history=None)  # a file less
    return task, result, dataclasses.replace(result, seed=7)


@pytest.fixture
def spares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    spares = tmp_path / "spares"
    spares.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spares))
    return spares


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "report_text", lambda *_: "report")
    monkeypatch.setattr(chips, "placement_figure", lambda _: None)
    monkeypatch.setattr(chips, "save_figure", lambda _, path: path.write_bytes(b"picture"))


def seeds(folder: Path) -> list[int]:
    """Seeds of the whole runs below a folder."""
    found = []
    for path in folder.glob("*"):
        if path.name.startswith("."):
            continue
        stored = read_run(path)
        assert np.isfinite(next(iter(stored.network.parameters.values()))).all()
        found.append(stored.result.seed)
    return found


@BOTH
@pytest.mark.parametrize("before", [False, True], ids=["new", "overwritten"])
@pytest.mark.usefixtures("quick_pictures")
def test_a_trained_network_is_there_or_its_predecessor(
    trained: tuple[Task, Result, Result], tmp_path: Path, spares: Path, kill: bool, before: bool
) -> None:
    task, old, new = trained
    place = tmp_path / "runs"
    net = place / "net"

    def fresh() -> None:
        for folder in (place, spares):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        began.unlink(missing_ok=True)
        if before:
            write_run(task, old, net)

    began = tmp_path / "began"

    def work() -> None:
        with claimed(net):
            began.touch()
            write_run(task, new, net, overwrite=before)

    def nothing_is_lost(where: str) -> None:
        with claimed(net):  # the next start
            pass
        assert set(seeds(place)) <= {0, 7}, where
        if before:
            assert net.is_dir(), where
        if began.exists() and not kill:  # the process lives on
            assert 7 in [*seeds(place), *seeds(spares)], where
        left = {p.name for p in place.iterdir()} - {"net"}
        assert all(name.endswith(".part") for name in left), where  # swept away after ten minutes

    tried = at_every_operation(place, work, nothing_is_lost, kill=kill, prepare=fresh)
    assert tried > 10


@BOTH
@pytest.mark.usefixtures("quick_pictures")
def test_a_compiled_network_is_there_or_its_predecessor(
    trained: tuple[Task, Result, Result], tmp_path: Path, spares: Path, kill: bool
) -> None:
    network = trained[1].network
    assert network is not None
    one, two = (compile_network(network, load_chip(name)) for name in ("180nm", "130nm"))
    place = tmp_path / "chips"

    def fresh() -> None:
        for folder in (place, spares):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        chips.write_folder(one, place / "a")

    def nothing_is_lost(where: str) -> None:
        with claimed(place / "a"):
            pass
        names = [read_placement(place / "a" / chips.PLACEMENT).chip.name]
        assert (place / "a" / chips.PULSES).read_text(), where
        for spare in spares.iterdir():
            names.append(read_placement(spare / chips.PLACEMENT).chip.name)
        if not kill:
            assert two.chip.name in names, where

    tried = at_every_operation(
        place,
        lambda: chips.write_folder(two, place / "a", overwrite=True),
        nothing_is_lost,
        kill=kill,
        prepare=fresh,
    )
    assert tried > 8


@BOTH
def test_a_comparison_keeps_every_run_it_has(tmp_path: Path, kill: bool) -> None:
    place = tmp_path / "compare"
    finished = tmp_path / "finished"
    finished.mkdir()

    def fresh() -> None:
        shutil.rmtree(place, ignore_errors=True)
        for path in finished.iterdir():
            path.unlink()

    def work() -> None:
        with ResultStore.open(place, {"task": "digits"}) as store:
            for number in range(3):
                if store.get(f"s{number}") is None:
                    store.keep(f"s{number}", {"value": number})
                    (finished / f"s{number}").touch()

    def nothing_is_lost(where: str) -> None:
        had = [path.name for path in finished.iterdir()]
        for _ in range(2):
            with ResultStore.open(place, {"task": "digits"}) as store:
                for key in had:
                    stored = store.get(key)
                    assert stored is not None and stored["value"] == int(key[1:]), where
        work()
        with ResultStore.open(place, {"task": "digits"}) as store:
            assert store.keys() == ["s0", "s1", "s2"], where

    assert at_every_operation(place, work, nothing_is_lost, kill=kill, prepare=fresh) > 15


# -- what goes wrong after the work -------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("Image size of 9e9x3 pixels is too large"), "ValueError: Image size of"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_no_report_takes_the_network_away(
    trained: tuple[Task, Result, Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    words: str,
) -> None:
    def fails(*_: Any) -> str:
        raise error

    monkeypatch.setattr(results, "report_text", fails)
    with pytest.raises(StorageError, match="All else of the result is in this folder") as caught:
        write_run(trained[0], trained[1], tmp_path / "net")
    assert words in str(caught.value) and "report.html was not written" in str(caught.value)
    assert sorted(p.name for p in (tmp_path / "net").iterdir()) == [
        "metrics.json",
        "model.npz",
    ]
    assert read_run(tmp_path / "net").result == dataclasses.replace(
        trained[1], network=None, history=None, fold=None
    )


def test_a_folder_that_was_taken_meanwhile_leaves_the_network_elsewhere(
    trained: tuple[Task, Result, Result], tmp_path: Path, spares: Path
) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="holds something else") as caught:
        write_run(trained[0], trained[1], tmp_path / "net")
    (spare,) = spares.iterdir()
    assert f"The result was kept in {spare} instead" in str(caught.value)
    assert load_network(spare / "model.npz").notes["task"] == "digits"
    assert os.listdir(tmp_path / "net") == ["mine.txt"]


def test_a_link_that_leads_to_itself_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(StorageError, match="leads nowhere"), claimed(tmp_path / "a"):
        raise AssertionError("the work began")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("what", ["train", "compile"])
def test_of_two_at_once_the_second_is_told_before_the_work(tmp_path: Path, what: str) -> None:
    held = (
        "import sys; from pathlib import Path; from ddkbase.folders import claimed\n"
        "with claimed(Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", held, str(tmp_path / "net")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        arguments = {
            "train": ["train", "--data", "digits", "--quick", "--epochs", "1"],
            "compile": ["compile", str(tmp_path / "model.npz")],
        }[what]
        second = subprocess.run(
            [sys.executable, "-m", "ddk.cli", *arguments, "--out", str(tmp_path / "net")],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        other.communicate("")
    assert second.returncode == 4 and not second.stdout
    assert "another process is at work for this folder" in second.stderr
    assert os.listdir(tmp_path) == []
    with contextlib.ExitStack() as stack:
        stack.enter_context(claimed(tmp_path / "net"))  # free again
