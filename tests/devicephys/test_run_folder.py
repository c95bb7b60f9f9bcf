"""The folder of a run: one process has it at a time."""

from __future__ import annotations

import errno
import fcntl
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ddkbase import records
from ddkbase.errors import StorageError
from devicephys.run import folder as runfolder
from devicephys.run.folder import RunFolder
from tests.cli_tools import ROOT
from tests.synthetic import iv_trace


def test_of_many_claims_on_one_folder_one_succeeds(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from ddkbase.errors import StorageError\n"
        "from devicephys.run.folder import RunFolder\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for k in range(40):\n"
        "    try:\n"
        "        RunFolder.claim(pathlib.Path(sys.argv[1]) / str(k)); print(k)\n"
        "    except StorageError: pass\n"
    )
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for job in jobs:
        assert job.stdout is not None
        assert job.stdout.readline() == "ready\n"
    won: list[str] = []
    for job in jobs:
        assert job.stdin is not None
        job.stdin.write("go\n")
        job.stdin.flush()
    for job in jobs:
        won += job.communicate(timeout=300)[0].split()
        assert job.returncode == 0
    assert sorted(won, key=int) == [str(k) for k in range(40)]


def test_a_folder_that_vanished_does_not_cost_the_result(tmp_path: Path) -> None:
    with RunFolder.claim(tmp_path / "run") as folder:
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(StorageError, match="The result was kept in") as info:
            folder.save(iv_trace(fine=4, frames=3))
    spare = Path(str(info.value).split("kept in ")[1].removesuffix(" instead."))
    assert records.read(spare).sizes["frame"] == 3
    shutil.rmtree(spare.parent)


_HOLD = """
import pathlib, sys, time
from devicephys.run.folder import RunFolder

folder = getattr(RunFolder, sys.argv[2])(pathlib.Path(sys.argv[1]))
(folder.path / "request.json").write_text("{}")
folder.log("held")
print("held", flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("way", ["claim", "reopen"])
def test_a_folder_is_held_for_the_life_of_a_process(way: str, tmp_path: Path) -> None:
    if way == "reopen":
        (tmp_path / runfolder.REQUEST).write_text("{}")
    job = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path), way],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None
    assert job.stdout.readline() == "held\n"
    with pytest.raises(StorageError, match="another process is still at work"):
        RunFolder.reopen(tmp_path)
    job.send_signal(signal.SIGKILL)
    job.communicate(timeout=300)
    with RunFolder.reopen(tmp_path) as folder:
        assert folder.reopened
        folder.log("taken over")
    assert (tmp_path / runfolder.LOG).read_text() == "held\ntaken over\n"
    RunFolder.reopen(tmp_path).release()  # a folder that was closed is free


def test_what_is_no_run_is_not_reopened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(StorageError, match="there is no such folder"):
            RunFolder.reopen(path)
    with pytest.raises(StorageError, match=r"request\.json is missing"):
        RunFolder.reopen(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_half_written_files_are_removed_and_no_others(tmp_path: Path) -> None:
    left = (".iv.nc.0123456789ab.part", ".checkpoint.npz.ffffffffffff.part")
    mine = ("notes.part", ".notes.part", "iv.nc.0123456789ab.part", ".x.0123456789AB.part")
    for name in (*left, *mine, runfolder.REQUEST):
        (tmp_path / name).write_text("x")
    RunFolder.reopen(tmp_path).release()
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {*mine, runfolder.REQUEST, runfolder.LOG}


def test_a_folder_is_given_back_unless_there_is_something_in_it(tmp_path: Path) -> None:
    own = (runfolder.REQUEST, runfolder.DEVICE)
    folder = RunFolder.claim(tmp_path / "a" / "run")
    for name in own:
        (folder.path / name).write_text("x")
    folder.release()
    assert list(tmp_path.iterdir()) == []
    folder = RunFolder.claim(tmp_path / "a" / "run")
    for name in (*own, runfolder.CHECKPOINT):
        (folder.path / name).write_text("x")
    folder.release()
    kept = {*own, runfolder.CHECKPOINT, runfolder.LOG}
    assert {path.name for path in folder.path.iterdir()} == kept
    RunFolder.reopen(folder.path).release()
    assert {path.name for path in folder.path.iterdir()} == kept


def test_where_there_are_no_locks_a_folder_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", fail)
    with RunFolder.claim(tmp_path / "run") as folder:
        (folder.path / runfolder.REQUEST).write_text("{}")
    RunFolder.reopen(tmp_path / "run").release()
