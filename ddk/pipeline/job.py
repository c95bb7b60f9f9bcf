"""What a step is to the run of a pipeline: what it depends on, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ddkbase.records import fingerprint

SCHEMA = 1  # of the folder and of what the steps leave in theirs


@dataclass(frozen=True)
class StepContext:
    """Where a step works.

    Attributes
    ----------
    folder : Path
        Folder of the step, made already; holds what an earlier run of the same step left
        unfinished.
    inputs : mapping of str to Path
        Folders of the steps that it uses, by name.
    say : callable
        Prints a line.
    workers : int or None, optional
        Processes that it may start; None leaves that to it.
    quiet : bool, default False
        Whether simulations keep their progress and tables to themselves.
    """

    folder: Path
    inputs: Mapping[str, Path]
    say: Callable[[str], None]
    workers: int | None = None
    quiet: bool = False


@dataclass(frozen=True)
class Picture:
    """A PNG or GIF file in the step's folder: what it shows, and whether it has several panels."""

    file: str
    text: str
    wide: bool = False


@dataclass(frozen=True)
class ResultTable:
    """A table: title, headings, rows of texts."""

    title: str
    heads: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class StepResult:
    """What came out of a step.

    Attributes
    ----------
    figures : dict of str to str, optional
        Names and texts, the ones that matter first.
    pictures : list of Picture, optional
        Pictures for the report.
    tables : list of ResultTable, optional
        Tables for the report.
    links : dict of str to str, optional
        Files in the step's folder with what they are.
    warnings : list of str, optional
        What the reader must not overlook.
    key : str, default ""
        The one or two figures of the overview.
    """

    figures: dict[str, str] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[ResultTable] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    key: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> StepResult:
        """What `to_json` gave. Raises TypeError or KeyError if it is damaged."""
        pictures = [Picture(**picture) for picture in stored["pictures"]]
        tables = [ResultTable(**table) for table in stored["tables"]]
        return cls(**{**stored, "pictures": pictures, "tables": tables})


@dataclass(frozen=True)
class Job:
    """A step that is asked for.

    Attributes
    ----------
    name, title : str
        Name and title of the step.
    settings : mapping
        All that its result depends on besides the steps it uses, as JSON can hold it; of input
        files their checksums.
    uses : tuple of str
        Names of the steps whose results it reads.
    work : callable
        Does the work of the step.
    grows : tuple of str, default ()
        Settings that only say how many runs there are to be, of which the step keeps each by
        itself; where nothing else changed it goes on with those it has.
    """

    name: str
    title: str
    settings: Mapping[str, Any]
    uses: tuple[str, ...]
    work: Callable[[StepContext], StepResult]
    grows: tuple[str, ...] = ()


@dataclass(frozen=True)
class PipelineRequest:
    """What a pipeline was asked for, for its report: the text of its file, the command that was
    typed.
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
    state : {"computed", "kept", "missing"}
        "computed", "kept" from an earlier run, or "missing".
    seconds : float, s, default 0.0
        Time that it took, over all runs that worked on it.
    result : StepResult or None, optional
        Its result; None if it is missing.
    error : str, default ""
        Why it is missing; empty where it was not its turn yet.
    """

    job: Job
    state: str
    seconds: float = 0.0
    result: StepResult | None = None
    error: str = ""

    def entries(self) -> dict[str, Any]:
        """What scripts want to know of it: names and texts, ``seconds``."""
        entries: dict[str, Any] = {
            "step": self.job.name,
            "state": self.state,
            "seconds": self.seconds,
        }
        if self.result is not None:
            entries |= {"figures": self.result.figures, "warnings": self.result.warnings}
            entries["tables"] = [{"heads": t.heads, "rows": t.rows} for t in self.result.tables]
        return entries


def minutes(seconds: float) -> str:
    """A time as one reads it."""
    return f"{seconds:.1f}\u00a0s" if seconds < 90 else f"{seconds / 60:.1f}\u00a0min"


def fingerprints(jobs: list[Job], version: str) -> dict[str, str]:
    """Fingerprint of each step: of its settings, of the version, and those of the steps it uses.

    The jobs come in an order in which each is after those it uses; KeyError if one is not.
    """
    marks: dict[str, str] = {}
    for job in jobs:
        marks[job.name] = _mark(job, dict(job.settings), version, marks)
    return marks


def cores(jobs: list[Job], version: str, marks: Mapping[str, str]) -> dict[str, str]:
    """Fingerprint of each step without the settings by which it only grows.

    Arguments as of `fingerprints`, and ``marks``, which that gave.
    """
    fixed = {j.name: {k: v for k, v in j.settings.items() if k not in j.grows} for j in jobs}
    return {job.name: _mark(job, fixed[job.name], version, marks) for job in jobs}


def _mark(job: Job, settings: dict[str, Any], version: str, marks: Mapping[str, str]) -> str:
    return fingerprint(SCHEMA, version, job.name, settings, {n: marks[n] for n in job.uses})
