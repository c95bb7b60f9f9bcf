"""The run of a pipeline: what is there already stays, what is missing or outdated is made."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddk.pipeline.home import Home, Mark
from ddk.pipeline.job import Found, Job, Place, cores, fingerprints
from ddkbase.documents import differences
from ddkbase.errors import DDKError, Interrupted

__all__ = ["Asked", "Outcome", "carry_out", "plan", "planned", "run"]

COMPUTED, KEPT, MISSING = "computed", "kept", "missing"


@dataclass(frozen=True)
class Asked:
    """What a pipeline was asked for, for its report.

    Attributes
    ----------
    name : str
        Name of the pipeline.
    description : str, default ""
        Description of the pipeline.
    text : str, default ""
        Text of its file.
    command : str, default ""
        The command that was typed.
    """

    name: str
    description: str = ""
    text: str = ""
    command: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one step.

    Attributes
    ----------
    job : Job
        The step.
    how : {"computed", "kept", "missing"}
        "computed", "kept" from an earlier run, or "missing".
    seconds : float, s, default 0.0
        Time that it took, over all runs that worked on it.
    found : Found or None, optional
        Its result; None if it is missing.
    error : str, default ""
        Why it is missing; empty where it was not its turn yet.
    """

    job: Job
    how: str
    seconds: float = 0.0
    found: Found | None = None
    error: str = ""

    def entries(self) -> dict[str, Any]:
        """What scripts want to know of it: names and texts, ``seconds``."""
        told: dict[str, Any] = {"step": self.job.name, "state": self.how, "seconds": self.seconds}
        if self.found is not None:
            told |= {"figures": self.found.figures, "warnings": self.found.warnings}
            told["tables"] = [{"heads": t.heads, "rows": t.rows} for t in self.found.tables]
        return told


def planned(jobs: Sequence[Job], path: Path) -> list[tuple[str, str]]:
    """What a run in a folder would do, without doing it: name of each step, and words.

    Parameters
    ----------
    jobs : sequence of Job
        The steps in order.
    path : Path
        The folder, which need not be there.

    Raises
    ------
    StorageError
        It holds something else.
    """
    home = Home(path.absolute())
    home.check()
    marks = _marks(jobs)
    return [(job.name, _words(home, job, marks[job.name])) for job in jobs]


def carry_out(
    jobs: Sequence[Job],
    path: Path,
    asked: Asked,
    *,
    workers: int | None = None,
    say: Callable[[str], None] | None = None,
    quiet: bool = False,
) -> list[Outcome]:
    """Do what is missing of a pipeline in its folder and write the report there.

    Parameters
    ----------
    jobs : sequence of Job
        The steps, each after those that it uses.
    path : Path
        The folder.
    asked : Asked
        What was asked for, for the report.
    workers : int or None, optional
        Processes that a step may start.
    say : callable or None, optional
        Prints a line.
    quiet : bool, default False
        Whether simulations keep their progress and tables to themselves.

    Returns
    -------
    list of Outcome
        One outcome for each step.

    Raises
    ------
    DDKError
        The error of the step that failed, its name in front; the results of the others stay, and
        the same call goes on from there.
    Interrupted
        By Ctrl-C or SIGTERM; what is finished stays.
    StorageError
        Another pipeline is at work in the folder, or it holds something else.
    """
    from ddk.pipeline.report import write_report

    tell = say or (lambda _: None)
    marks = _marks(jobs)
    with Home.open(path) as home:
        words = {job.name: _words(home, job, marks[job.name]) for job in jobs}
        for name in sorted(home.names() | set(marks)):
            home.prepare(name, *marks.get(name, (None, None)))
        outcomes = [Outcome(job, MISSING) for job in jobs]
        try:
            for k, job in enumerate(jobs):
                head = f"[{k + 1}/{len(jobs)}] {job.name}: "
                found = home.found(job.name, marks[job.name].fingerprint)
                if found is not None:
                    seconds = float((home.state(job.name) or {}).get("seconds", 0.0))
                    outcomes[k] = Outcome(job, KEPT, seconds, found)
                    tell(f"{head}kept")
                    continue
                tell(f"{head}{words[job.name]}")
                found, seconds = _one(home, job, marks[job.name], workers, tell, quiet)
                outcomes[k] = Outcome(job, COMPUTED, seconds, found)
                tell(f"{head}done in {minutes(seconds)}{f', {found.key}' if found.key else ''}")
        except DDKError as error:
            outcomes[k] = Outcome(job, MISSING, error=str(error))
            with contextlib.suppress(DDKError):  # what went wrong first counts
                write_report(home.path, asked, outcomes)
            raise
        write_report(home.path, asked, outcomes)
        return outcomes


def _one(
    home: Home,
    job: Job,
    mark: Mark,
    workers: int | None,
    tell: Callable[[str], None],
    quiet: bool,
) -> tuple[Found, float]:
    """Do one step; whatever goes wrong is an error of the toolkit with the step's name."""
    spent = home.begin(job, mark)
    start = time.monotonic()
    above = {name: home.folder(name) for name in job.uses}
    folder = home.folder(job.name)
    place = Place(folder, above, lambda text: tell(f"  {text}"), workers, quiet)
    try:
        found = job.work(place)
        seconds = spent + time.monotonic() - start
        home.finish(job, mark, seconds, found)
        return found, seconds
    except (Exception, KeyboardInterrupt) as error:
        told = _told(home, job, error)
        home.stop(job, mark, spent + time.monotonic() - start, str(told))
        raise told from error


def _told(home: Home, job: Job, error: BaseException) -> DDKError:
    """The error as the step's."""
    step = f"step '{job.name}'"
    if isinstance(error, KeyboardInterrupt | Interrupted):
        what = f"{step}: {error.what}" if isinstance(error, Interrupted) else f"{step}: stopped"
        return Interrupted(what, str(home.path), "The same command goes on from here")
    if isinstance(error, DDKError):
        return type(error)(f"{step}: {error.what}", error.where, error.hint)
    log = home.log(job.name)
    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    text = " ".join(f"unexpected {type(error).__name__}: {error}".split()).rstrip(": ")
    return DDKError(f"{step}: {text}", hint=f"The traceback is in {log}")


def _marks(jobs: Sequence[Job]) -> dict[str, Mark]:
    version = toolkit_version()
    marks = fingerprints(list(jobs), version)
    found = cores(list(jobs), version, marks)
    return {name: Mark(mark, found[name]) for name, mark in marks.items()}


def _words(home: Home, job: Job, mark: Mark) -> str:
    known = home.state(job.name)
    if known is None:
        return "to do"
    if known["fingerprint"] == mark.fingerprint:
        if home.found(job.name, mark.fingerprint) is not None:
            return "kept"
        return "goes on" if known["state"] == "begun" else "to do again, its files were changed"
    head = "goes on" if known.get("core") == mark.core else "to do again"
    changed = [key for key, *_ in differences(known["settings"], dict(job.settings))]
    if not changed:
        return f"{head}, for what it uses or the version of the toolkit changed"
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f"{head}, changed: {', '.join(changed[:3])}{more}"


def minutes(seconds: float) -> str:
    """A time as one reads it."""
    return f"{seconds:.1f}\u00a0s" if seconds < 90 else f"{seconds / 60:.1f}\u00a0min"


def toolkit_version() -> str:
    """Version of the toolkit; empty where it was not installed but is only on the path."""
    from ddk.studies.result import versions

    return versions().get("ddk-toolkit", "")


def run(
    name_or_path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    workers: int | None = None,
    command: str = "",
    progress: Callable[[str], None] | None = None,
    quiet: bool = False,
) -> list[Outcome]:
    """Do what is missing of a pipeline in a folder, and write report.html there.

    A script that calls it needs ``if __name__ == "__main__":``, because the worker processes of a
    campaign read the script again.

    Parameters
    ----------
    name_or_path : str or Path
        A pipeline of `list_pipelines`, or a YAML file.
    folder : str or Path
        Folder for results; made if there is none, gone on in otherwise.
    workers : int or None, optional
        Processes for the campaign and the controls; None leaves it to them.
    command : str, default ""
        The command that was typed, for the report.
    progress : callable or None, optional
        Called with a line now and then.
    quiet : bool, default False
        Keep the progress and the tables of simulations from being printed.

    Returns
    -------
    list of Outcome
        One outcome for each step.

    Raises
    ------
    InputError
        The file makes no sense; nothing was computed.
    DDKError
        A step failed, which is named; the results of the others stay.
    """
    from ddk.pipeline.file import read_chain
    from ddk.pipeline.steps import jobs_of

    source = os.fspath(name_or_path)
    chain = read_chain(source)
    jobs = jobs_of(chain, source)
    asked = Asked(chain.name, chain.description, chain.text, command)
    return carry_out(jobs, Path(folder), asked, workers=workers, say=progress, quiet=quiet)


def plan(
    name_or_path: str | os.PathLike[str], folder: str | os.PathLike[str]
) -> list[tuple[str, str]]:
    """What `run` would do: the name of each step, and whether it is kept or why it is done.

    Parameters
    ----------
    name_or_path, folder : str or Path
        As `run`.

    Raises
    ------
    InputError
        The file makes no sense.
    """
    from ddk.pipeline.file import read_chain
    from ddk.pipeline.steps import jobs_of

    source = os.fspath(name_or_path)
    return planned(jobs_of(read_chain(source), source), Path(folder))
