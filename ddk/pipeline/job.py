"""What a step is to the run of a pipeline: what it depends on, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Found", "Job", "Picture", "Place", "Rows", "cores", "fingerprints"]

SCHEMA = 1  # of the folder and of what the steps leave in theirs


@dataclass(frozen=True)
class Place:
    """Where a step works.

    Attributes
    ----------
    folder : Path
        Folder of the step, made already; holds what an earlier run of the same step left
        unfinished.
    above : mapping of str to Path
        Folders of the steps that it uses, by name.
    say : callable
        Prints a line.
    workers : int or None, optional
        Processes that it may start; None leaves that to it.
    quiet : bool, default False
        Whether simulations keep their progress and tables to themselves.
    """

    folder: Path
    above: Mapping[str, Path]
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
class Rows:
    """A table: title, headings, rows of texts."""

    title: str
    heads: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Found:
    """What a step has to tell.

    Attributes
    ----------
    figures : dict of str to str, optional
        Names and texts, the ones that matter first.
    pictures : list of Picture, optional
        Pictures for the report.
    tables : list of Rows, optional
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
    tables: list[Rows] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    key: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Found:
        """What `to_json` gave. Raises TypeError or KeyError if it is damaged."""
        parts: dict[str, Any] = dict(told)
        parts["pictures"] = [Picture(**one) for one in told["pictures"]]
        parts["tables"] = [Rows(**one) for one in told["tables"]]
        return cls(**parts)


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
    work: Callable[[Place], Found]
    grows: tuple[str, ...] = ()


def fingerprints(jobs: list[Job], version: str) -> dict[str, str]:
    """Fingerprint of each step: of its settings, of the version, and those of the steps it uses.

    Parameters
    ----------
    jobs : list of Job
        The steps in an order in which each comes after those it uses.
    version : str
        Version of the toolkit.

    Raises
    ------
    KeyError
        A step uses one that is not before it.
    """
    found: dict[str, str] = {}
    for job in jobs:
        found[job.name] = _mark(job, dict(job.settings), version, found)
    return found


def cores(jobs: list[Job], version: str, marks: Mapping[str, str]) -> dict[str, str]:
    """Fingerprint of each step without the settings by which it only grows.

    Parameters
    ----------
    jobs : list of Job
        As for `fingerprints`.
    version : str
        As for `fingerprints`.
    marks : mapping of str to str
        What `fingerprints` gave.
    """
    fixed = {j.name: {k: v for k, v in j.settings.items() if k not in j.grows} for j in jobs}
    return {job.name: _mark(job, fixed[job.name], version, marks) for job in jobs}


def _mark(job: Job, settings: dict[str, Any], version: str, marks: Mapping[str, str]) -> str:
    from ddkbase.records import fingerprint

    above = {name: marks[name] for name in job.uses}
    return fingerprint(SCHEMA, version, job.name, settings, above)
