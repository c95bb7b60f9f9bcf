"""What a pipeline keeps, what it makes again, and how it goes on after it was stopped."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddk.pipeline.execution import _marks, carry_out, planned
from ddk.pipeline.folder import GENERATIONS, PipelineFolder
from ddk.pipeline.job import Job, StepContext, StepResult, fingerprints
from ddkbase.errors import DDKError, InputError, Interrupted, SolverError, StorageError
from tests.ddk.fake_chain import ASKED, chain, run
from tests.faults import at_every_operation, with_fault

ROOT = Path(__file__).resolve().parents[2]


def hows(outcomes: list) -> list[str]:
    return [outcome.state for outcome in outcomes]


def state(folder: Path, name: str) -> dict:
    return dict(json.loads((folder / ".pipeline" / f"{name}.json").read_text()))


def failing(error: BaseException) -> Job:
    def work(context: StepContext) -> StepResult:
        (context.folder / "half.txt").write_text("half")
        raise error

    return Job("two", "Two", {"value": 0}, ("one",), work)


def test_a_second_run_computes_nothing(tmp_path: Path) -> None:
    done: list[str] = []
    assert hows(run(tmp_path / "p", chain(done))) == ["computed"] * 4
    assert done == ["one", "two", "three", "four"]
    assert hows(run(tmp_path / "p", chain(done))) == ["kept"] * 4
    assert len(done) == 4
    assert (tmp_path / "p" / "three" / "out.txt").read_text().count("of") == 3


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("one", ["one", "two", "three"]),
        ("two", ["two", "three"]),
        ("three", ["three"]),
        ("four", ["four"]),
    ],
)
def test_a_change_makes_again_what_it_touches_and_nothing_else(
    tmp_path: Path, changed: str, again: list[str]
) -> None:
    run(tmp_path / "p", chain([]))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "p").glob("*/out.txt")}
    done: list[str] = []
    outcomes = run(tmp_path / "p", chain(done, **{changed: 1}))
    assert done == again
    assert [o.job.name for o in outcomes if o.state == "computed"] == again
    for path, time in before.items():
        assert (path.stat().st_mtime_ns == time) == (path.parent.name not in again)


def test_a_change_that_is_taken_back_brings_the_earlier_results_back(tmp_path: Path) -> None:
    run(tmp_path / "p", chain([]))
    run(tmp_path / "p", chain([], two=1))
    done: list[str] = []
    assert hows(run(tmp_path / "p", chain(done))) == ["kept"] * 4
    assert hows(run(tmp_path / "p", chain(done, two=1))) == ["kept"] * 4
    assert done == []


def growing(done: list[str], seeds: int, value: int = 0) -> Job:
    """A step that keeps each of its runs by itself, as a comparison."""

    def work(context: StepContext) -> StepResult:
        for seed in range(seeds):
            path = context.folder / f"{seed}.txt"
            if not path.exists():
                done.append(str(seed))
                path.write_text("run")
        return StepResult()

    return Job("grow", "Grow", {"seeds": seeds, "value": value}, (), work, ("seeds",))


def test_a_step_that_only_grows_keeps_its_runs(tmp_path: Path) -> None:
    done: list[str] = []
    run(tmp_path / "p", [growing(done, 2)])
    told = dict(planned([growing(done, 4)], tmp_path / "p"))
    assert told["grow"] == "goes on, changed: seeds"
    assert hows(run(tmp_path / "p", [growing(done, 4)])) == ["computed"]
    assert done == ["0", "1", "2", "3"]
    run(tmp_path / "p", [growing(done, 1)])
    assert hows(run(tmp_path / "p", [growing(done, 1)])) == ["kept"]
    assert done == ["0", "1", "2", "3"]
    run(tmp_path / "p", [growing(done, 1, value=1)])
    assert done == ["0", "1", "2", "3", "0"]
    assert not (tmp_path / "p" / "grow" / "1.txt").exists()


def test_the_version_of_the_toolkit_is_part_of_every_fingerprint() -> None:
    jobs = chain([])
    old, new = fingerprints(jobs, "1"), fingerprints(jobs, "2")
    assert all(old[name] != new[name] for name in old)
    assert fingerprints(chain([]), "1") == old


def test_no_outdated_result_is_beside_new_ones(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    run(folder, chain([]))
    jobs = chain([], one=1)
    jobs[1] = failing(SolverError("gave up", "t = 3 ns"))
    with pytest.raises(SolverError):
        run(folder, jobs)
    assert not (folder / "three").exists()
    assert state(folder, "two")["state"] == "begun"
    (earlier,) = (folder / ".pipeline" / "earlier").glob("two.*/two/out.txt")
    assert "of ['one 0" in earlier.read_text()
    done: list[str] = []
    run(folder, chain(done, one=1))
    assert done == ["two", "three"]


def test_a_step_that_is_left_out_leaves_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    run(folder, chain([]))
    done: list[str] = []
    run(folder, [chain(done)[0], chain(done)[3]])
    assert done == [] and not (folder / "two").exists()
    assert hows(run(folder, chain(done))) == ["kept"] * 4


@pytest.mark.parametrize("how", ["changed", "missing", "no folder", "no state"])
def test_a_damaged_result_is_made_again(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "p"
    run(folder, chain([]))
    file = folder / "two" / "out.txt"
    if how == "changed":
        file.write_text("something else")
    elif how == "missing":
        file.unlink()
    elif how == "no folder":
        (folder / "two").rename(tmp_path / "elsewhere")
    else:
        (folder / ".pipeline" / "two.json").write_text("{ torn")
    done: list[str] = []
    run(folder, chain(done))
    assert done == ["two"]
    assert file.read_text() == "two 0 of ['one 0 of []']"
    assert hows(run(folder, chain(done))) == ["kept"] * 4


def test_files_of_the_user_in_a_step_do_no_harm(tmp_path: Path) -> None:
    run(tmp_path / "p", chain([]))
    (tmp_path / "p" / "two" / "notes.txt").write_text("mine")
    assert hows(run(tmp_path / "p", chain([]))) == ["kept"] * 4


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (InputError("no sense", "key"), InputError, "step 'two': no sense (key)"),
        (SolverError("gave up"), SolverError, "step 'two': gave up"),
        (KeyboardInterrupt(), Interrupted, "step 'two': stopped"),
        (Interrupted("stopped, 3 of 12", "x", "resume"), Interrupted, "stopped, 3 of 12"),
        (ZeroDivisionError("no such\nthing"), DDKError, "unexpected ZeroDivisionError: no such"),
    ],
)
def test_a_failing_step_is_one_line_with_its_name(
    tmp_path: Path, error: BaseException, kind: type[DDKError], words: str
) -> None:
    folder = tmp_path / "p"
    jobs = chain([])
    jobs[1] = failing(error)
    with pytest.raises(DDKError) as caught:
        run(folder, jobs)
    assert type(caught.value) is kind
    text = str(caught.value)
    assert text.startswith("step 'two'") and words in text and "\n" not in text
    assert (folder / "one" / "out.txt").exists()
    assert "step &#x27;two&#x27;" in (folder / "report.html").read_text()
    if kind is DDKError:
        assert "ZeroDivisionError" in (folder / ".pipeline" / "two.log").read_text()
    done: list[str] = []
    run(folder, chain(done))
    assert done == ["two", "three", "four"]


def test_seconds_of_a_stopped_step_are_counted(tmp_path: Path) -> None:
    jobs = chain([])
    jobs[1] = failing(KeyboardInterrupt())
    with pytest.raises(Interrupted):
        run(tmp_path / "p", jobs)
    known = state(tmp_path / "p", "two")
    (tmp_path / "p" / ".pipeline" / "two.json").write_text(json.dumps({**known, "seconds": 100.0}))
    outcomes = run(tmp_path / "p", chain([]))
    assert outcomes[1].seconds >= 100


def test_two_pipelines_do_not_share_a_folder(tmp_path: Path) -> None:
    busy = pytest.raises(StorageError, match="another pipeline is at work")
    with PipelineFolder.open(tmp_path / "p"), busy:
        run(tmp_path / "p", chain([]))
    assert hows(run(tmp_path / "p", chain([]))) == ["computed"] * 4


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="holds something else"):
        run(tmp_path, chain([]))
    with pytest.raises(StorageError, match="holds something else"):
        planned(chain([]), tmp_path)
    with pytest.raises(StorageError, match="a file of that name"):
        run(tmp_path / "mine.txt", chain([]))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_what_would_be_done_is_told_without_doing_it(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    assert planned(chain([]), folder) == [(n, "to do") for n in ("one", "two", "three", "four")]
    assert not folder.exists()
    run(folder, chain([]))
    assert {words for _, words in planned(chain([]), folder)} == {"kept"}
    told = dict(planned(chain([], two=1), folder))
    assert told["one"] == told["four"] == "kept"
    assert told["two"] == "to do again, changed: value; sets aside: got two, 2 files"
    assert told["three"].startswith("to do again, for what it uses")


def test_the_report_links_to_what_the_steps_left(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    run(folder, chain([]))
    text = (folder / "report.html").read_text()
    assert text.count("data:image/png;base64,") == 4
    for name in ("one", "two", "three", "four"):
        assert f'href="{name}/out.txt"' in text and f'href="#{name}"' in text
        assert f"got {name}" in text
    assert "http:" not in text and "https:" not in text
    assert (folder / "pipeline.yaml").read_text() == ASKED.text


def test_texts_of_somebody_else_are_no_markup(tmp_path: Path) -> None:
    told = "<script>alert(1)</script>"

    def work(context: StepContext) -> StepResult:
        return StepResult({told: told}, warnings=[told], key=told)

    asked = dataclasses.replace(ASKED, name=told, description=told, text=told, command=told)
    carry_out([Job("one", told, {}, (), work)], tmp_path / "p", asked)
    assert "<script>alert" not in (tmp_path / "p" / "report.html").read_text()


class Crash(BaseException):
    """The process ends here."""


def crashing(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Let the process end before the operation ``at`` of those that change the folder."""
    count = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **told: Any) -> Any:
            nonlocal count
            count += 1
            if count == at:
                raise Crash
            return function(*args, **told)

        return call

    for owner, name in (
        (Path, "rename"),
        (Path, "mkdir"),
        (Path, "unlink"),
        (Path, "write_text"),
        (Path, "write_bytes"),
        (shutil, "rmtree"),
        (Path, "replace"),
    ):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))


def texts(folder: Path) -> dict[str, str]:
    return {p.parent.name: p.read_text() for p in folder.glob("*/out.txt")}


def test_wherever_it_ends_no_result_is_mixed_with_others(tmp_path: Path) -> None:
    """One result changed, one taken back: the process ends before each single operation."""
    run(tmp_path / "old", chain([], four=7))
    run(tmp_path / "old", chain([]))
    (tmp_path / "old" / "three" / "out.txt").write_text("torn")
    changes = {"two": 1, "four": 7}
    for name, told in (("new", changes), ("back", {})):
        run(tmp_path / name, chain([], **told))
    crashes = 0
    for at in range(1, 200):
        folder = tmp_path / f"crash-{at}"
        shutil.copytree(tmp_path / "old", folder)
        with pytest.MonkeyPatch.context() as patch:
            crashing(patch, at)
            try:
                run(folder, chain([], **changes))
            except Crash:
                crashes += 1
            else:
                break
        run(folder, chain([], **changes))
        assert texts(folder) == texts(tmp_path / "new"), at
        assert hows(run(folder, chain([], **changes))) == ["kept"] * 4
        run(folder, chain([]))
        assert texts(folder) == texts(tmp_path / "back"), at
    assert crashes > 20


def kept(folder: Path, told: dict[str, int]) -> set[str]:
    """Steps that a run with these settings would not compute; no report is written."""
    marks = _marks(chain([], **told))
    with PipelineFolder.open(folder) as opened:
        for name, mark in marks.items():
            opened.prepare(name, *mark)
        return {n for n, mark in marks.items() if opened.result(n, mark.fingerprint) is not None}


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "error of the disk"])
def test_wherever_it_ends_no_finished_result_is_lost(tmp_path: Path, kill: bool) -> None:
    """Two results of earlier settings and that of the last: all are there afterwards."""
    old = tmp_path / "old"
    run(old, chain([], two=2))
    run(old, chain([]))
    folder = tmp_path / "p"

    def fresh() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(old, folder)

    def nothing_is_lost(where: str) -> None:
        done: list[str] = []
        run(folder, chain(done, two=1))
        assert set(done) <= {"two", "three"}, where
        for told in ({}, {"two": 2}, {"two": 1}):
            assert kept(folder, told) == {"one", "two", "three", "four"}, (where, told)

    tried = at_every_operation(
        folder,
        lambda: run(folder, chain([], two=1)),
        nothing_is_lost,
        kill=kill,
        prepare=fresh,
    )
    assert tried > 25


@pytest.mark.parametrize("at", range(1, 9))
def test_taking_back_may_be_stopped_as_well(tmp_path: Path, at: int) -> None:
    folder = tmp_path / "p"
    run(folder, chain([], two=1))
    run(folder, chain([]))
    assert with_fault(folder, at, lambda: run(folder, chain([], two=1)), kill=True)
    for told in ({"two": 1}, {}):
        done: list[str] = []
        assert hows(run(folder, chain(done, **told))) == ["kept"] * 4, told


def test_what_a_kill_of_an_earlier_version_left_is_put_back(tmp_path: Path) -> None:
    """It moved by way of a folder ``swap``, and kept one result without a number."""
    folder = tmp_path / "p"
    run(folder, chain([], two=1))
    run(folder, chain([]))
    hidden = folder / ".pipeline"
    for name in ("two", "three"):
        (hidden / "earlier" / f"{name}.0001" / name).rename(hidden / "earlier" / name)
        (hidden / "earlier" / f"{name}.0001" / f"{name}.json").rename(
            hidden / "earlier" / f"{name}.json"
        )
        (hidden / "earlier" / f"{name}.0001").rmdir()
    (hidden / "swap").mkdir()
    (folder / "two").rename(hidden / "swap" / "two")
    (hidden / "two.json").rename(hidden / "swap" / "two.json")
    (folder / "three").rename(hidden / "swap" / "three")
    for told in ({}, {"two": 1}, {}):
        done: list[str] = []
        assert hows(run(folder, chain(done, **told))) == ["kept"] * 4, told


def test_it_says_what_it_sets_aside_and_what_it_removes(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    run(folder, chain([]))
    known = state(folder, "two")
    (folder / ".pipeline" / "two.json").write_text(json.dumps({**known, "seconds": 5400.0}))
    aside = "got two, 2 files, 90.0\u00a0min of work"
    told = dict(planned(chain([], two=1), folder))
    assert told["two"] == f"to do again, changed: value; sets aside: {aside}"
    assert "sets aside: got three, 2 files" in told["three"]
    said: list[str] = []
    carry_out(chain([], two=1), folder, ASKED, progress=said.append)
    assert f"sets aside 'two': {aside}; the settings of before bring it back" in said
    assert not any("'one'" in line for line in said)
    for value in range(2, GENERATIONS + 1):
        carry_out(chain([], two=value), folder, ASKED, progress=said.append)
    assert not any(line.startswith("removes") for line in said)
    carry_out(chain([], two=GENERATIONS + 1), folder, ASKED, progress=said.append)
    assert sum(line.startswith("removes the result of 'two' of 20") for line in said) == 1
    done: list[str] = []
    run(folder, chain(done))
    assert done == ["two", "three"]


def test_killed_it_goes_on_within_the_step(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    command = [sys.executable, "-m", "tests.ddk.fake_chain", str(folder)]
    job = subprocess.Popen([*command, "60"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    assert job.stdout.readline() == "at 0\n"
    second = subprocess.run([*command, "0"], cwd=ROOT, capture_output=True, text=True)
    assert "another pipeline is at work" in second.stderr
    job.send_signal(signal.SIGKILL)
    job.communicate()
    begun = (folder / "two" / "0.txt").read_bytes()
    assert state(folder, "two")["state"] == "begun" and not (folder / "report.html").exists()
    again = subprocess.run(
        [*command, "0"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert again.stdout.splitlines() == [
        *(f"at {n}" for n in range(1, 10)),
        "one kept",
        "two computed",
        "three computed",
    ]
    assert (folder / "two" / "0.txt").read_bytes() == begun
