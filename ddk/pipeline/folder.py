"""The folder of a pipeline: which result is there, of which fingerprint, whole or begun.

A step has a folder of its name. What is known of it stands in ``.pipeline/NAME.json``, written
before the step begins and again when it is done, then with the checksum of every file it left.
A result of another fingerprint is moved to ``.pipeline/earlier/NAME.NUMBER`` before anything new is
made, so that one that is asked for again is taken back, and none is beside results that it does not
fit. The last `GENERATIONS` of a step are kept; the oldest goes when a new result stands.

A result is two entries, folder and state, which are moved one after the other, the folder first.
Where that was stopped in between, `PipelineFolder.open` finds the one without the other and joins
them again.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from ddk.pipeline.job import Job, StepResult, minutes
from ddkbase.documents import read_json, write_json
from ddkbase.errors import StorageError
from ddkbase.files import checksum, files_below, storage_errors
from ddkbase.folders import ClaimedFolder, lock

STATE, EARLIER = ".pipeline", "earlier"
BEGUN, DONE = "begun", "done"
#: results of a step that are kept beside the one that was asked for last
GENERATIONS = 4
_GENERATION = re.compile(r"(.+)\.(\d{4,})")


class Mark(NamedTuple):
    """Fingerprint of a step, and the same without the settings by which it only grows."""

    fingerprint: str
    core: str


class PipelineFolder(ClaimedFolder):
    """The folder of a pipeline, locked for this process if it is from `open`.

    Attributes
    ----------
    path : Path
        The folder.
    """

    @classmethod
    def open(cls, path: Path) -> Self:
        """Make the folder or go on in it, and keep other pipelines away.

        Raises StorageError: it holds something else, another pipeline is at work in it, or it
        cannot be written.
        """
        path = path.absolute()
        cls(path).check()
        message = "the folder cannot be made or written"
        busy = StorageError(
            "another pipeline is at work in this folder", str(path), "Wait for its end, or stop it"
        )
        with storage_errors(message, path, "Choose a folder you may write to after --out"):
            (path / STATE / EARLIER).mkdir(parents=True, exist_ok=True)
            folder = cls(path, lock(path / STATE, busy))
            try:
                folder._join()
            except BaseException:
                folder.close()
                raise
            return folder

    def check(self) -> None:
        """Look whether the folder may be used, without making it.

        Raises StorageError: it is a file, it holds something else, or it cannot be read.
        """
        path, hint = self.path, "Choose another name after --out"
        try:
            if path.exists() and not path.is_dir():
                raise StorageError("there is a file of that name, not a folder", str(path), hint)
            if path.is_dir() and any(path.iterdir()) and not (path / STATE).is_dir():
                raise StorageError("the folder holds something else", str(path), hint)
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(error.strerror or "cannot be read", str(path), hint) from error

    def folder(self, name: str) -> Path:
        """The folder of a step."""
        return self.path / name

    def log(self, name: str) -> Path:
        """The file for the traceback of a step that failed in a way nobody expected."""
        return self.path / STATE / f"{name}.log"

    def state(self, name: str) -> dict[str, Any] | None:
        """What is known of a step; None if nothing, or nothing of use."""
        return _state(self.path / STATE / f"{name}.json")

    def names(self) -> set[str]:
        """Steps of which something is known."""
        return {p.stem for p in (self.path / STATE).glob("*.json")}

    def result(self, name: str, fingerprint: str) -> StepResult | None:
        """The result of a step if it is that of the fingerprint and whole, else None."""
        return _result(self.state(name), self.folder(name), fingerprint)

    def prepare(self, name: str, fingerprint: str | None, core: str | None = None) -> None:
        """Leave of a step only what has the fingerprint; an earlier result of it is taken back.

        What is whole, or begun, with this fingerprint stays, and what has only to grow goes on:
        that with ``core``, the fingerprint without the settings by which the step only grows.
        Anything else is moved aside; all of it, where the step is not asked for any more (None).
        Raises StorageError: the folder cannot be written.
        """
        live = self.path / STATE
        noted = self.state(name)
        if _of_use(noted, self.folder(name), fingerprint):
            return
        if noted is not None and noted["fingerprint"] == fingerprint:
            # changed since: it is no result of this fingerprint any more
            (live / f"{name}.json").unlink(missing_ok=True)
        elif noted is not None and core is not None and noted.get("core") == core:
            entry = {**noted, "fingerprint": fingerprint, "state": BEGUN}
            write_json(entry, live / f"{name}.json", overwrite=True)
            return
        try:
            if self.folder(name).exists() or (live / f"{name}.json").exists():
                _move(name, self.path, live, *[self._new_generation(name)] * 2)
            for spare in self._generations(name):
                if _of_use(_state(spare / f"{name}.json"), spare / name, fingerprint):
                    _move(name, spare, spare, self.path, live)
                    spare.rmdir()
                    break
        except OSError as error:
            raise StorageError(
                f"an earlier result cannot be moved: {error.strerror or error}", str(error.filename)
            ) from error

    def set_aside(self, name: str, fingerprint: str | None, core: str | None = None) -> str:
        """What `prepare` would move aside of a step, in words; empty: nothing."""
        noted, folder = self.state(name), self.folder(name)
        if noted is None or not folder.is_dir() or noted["fingerprint"] == fingerprint:
            return ""
        if core is not None and noted.get("core") == core:
            return ""
        files = sum(1 for _ in files_below(folder))
        if noted["state"] == DONE:
            found = noted.get("found")
            key = str(found.get("key", "")) if isinstance(found, dict) else ""
            what = ", ".join(t for t in (key, f"{files} files") if t)
        else:
            what = f"unfinished, {files} files"
        seconds = noted.get("seconds")
        long = isinstance(seconds, int | float) and seconds >= 1
        spent = minutes(float(seconds or 0)) if long else ""
        return ", ".join(t for t in (what, spent and f"{spent} of work") if t)

    def prune(self, name: str, say: Callable[[str], None]) -> None:
        """Remove all but the last `GENERATIONS` results of a step that were moved aside; say so.

        Raises StorageError: one of them cannot be removed.
        """
        for spare in self._generations(name)[GENERATIONS:]:
            when = (_state(spare / f"{name}.json") or {}).get("at", "an unknown time")
            say(f"removes the result of '{name}' of {when}: {GENERATIONS} later ones are kept")
            with storage_errors("an earlier result cannot be removed", spare):
                shutil.rmtree(spare)

    def _generations(self, name: str) -> list[Path]:
        """Folders of the results of a step that were moved aside, the latest first."""
        found = [
            (int(match[2]), path)
            for path in (self.path / STATE / EARLIER).iterdir()
            if (match := _GENERATION.fullmatch(path.name)) and match[1] == name
        ]
        return [path for _, path in sorted(found, reverse=True)]

    def _new_generation(self, name: str) -> Path:
        latest = self._generations(name)[:1]
        number = int(latest[0].suffix[1:]) + 1 if latest else 1
        path = self.path / STATE / EARLIER / f"{name}.{number:04d}"
        path.mkdir()
        return path

    def _join(self) -> None:
        """Join folder and state of each result whose move was stopped between the two.

        Versions up to 0.1 kept one generation, and moved by way of a folder ``swap``.
        """
        live, earlier = self.path / STATE, self.path / STATE / EARLIER
        swap = live / "swap"
        for name, entries in _pairs(swap):
            free = not any(p.exists() for p in self._places(name) if p.name in entries)
            to = (self.path, live) if free else (self._new_generation(name),) * 2
            _move(name, swap, swap, *to)
        if swap.is_dir():
            swap.rmdir()
        for name, _ in _pairs(earlier):
            torn = [g for g in self._generations(name) if not (g / f"{name}.json").exists()]
            _move(name, earlier, earlier, *[torn[0] if torn else self._new_generation(name)] * 2)
        for spare in sorted(earlier.iterdir()):
            match = _GENERATION.fullmatch(spare.name)
            if match is None or not spare.is_dir():
                continue
            name = match[1]
            folder, state = self._places(name)
            here, noted = (spare / name).exists(), (spare / f"{name}.json").exists()
            if here and not noted and state.exists() and not folder.exists():
                (spare / name).rename(folder)  # moved aside: the folder only
            elif noted and not here and folder.exists() and not state.exists():
                (spare / f"{name}.json").rename(state)  # taken back: the folder only
            if not any(spare.iterdir()):
                spare.rmdir()

    def _places(self, name: str) -> tuple[Path, Path]:
        return self.path / name, self.path / STATE / f"{name}.json"

    def begin(self, job: Job, mark: Mark) -> float:
        """Note that a step is at work, make its folder; the seconds it had in earlier runs."""
        spent = float((self.state(job.name) or {}).get("seconds", 0.0))
        self._note(job, mark, BEGUN, spent)
        self.folder(job.name).mkdir(exist_ok=True)
        return spent

    def stop(self, job: Job, mark: Mark, seconds: float, error: str) -> None:
        """Note for how long a step worked that did not come to its end, and why."""
        self._note(job, mark, BEGUN, seconds, error=error)

    def finish(self, job: Job, mark: Mark, seconds: float, result: StepResult) -> None:
        """Note that a step is done, with the checksum of every file it left."""
        folder = self.folder(job.name)
        sums = {p.relative_to(folder).as_posix(): checksum(p) for p in files_below(folder)}
        self.log(job.name).unlink(missing_ok=True)
        self._note(job, mark, DONE, seconds, files=sums, found=result.to_json())

    def _note(self, job: Job, mark: Mark, state: str, seconds: float, **more: Any) -> None:
        entry = {
            "step": job.name,
            "fingerprint": mark.fingerprint,
            "core": mark.core,
            "state": state,
            "settings": dict(job.settings),
            "uses": list(job.uses),
            "seconds": round(seconds, 3),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            **more,
        }
        write_json(entry, self.path / STATE / f"{job.name}.json", overwrite=True)


def _result(noted: dict[str, Any] | None, folder: Path, fingerprint: str) -> StepResult | None:
    if noted is None or noted["state"] != DONE or noted["fingerprint"] != fingerprint:
        return None
    try:
        if any(checksum(folder / file) != was for file, was in noted["files"].items()):
            return None
        return StepResult.from_json(noted["found"])
    except (StorageError, KeyError, TypeError, AttributeError):
        return None


def _of_use(noted: dict[str, Any] | None, folder: Path, fingerprint: str | None) -> bool:
    """Whether what is in a folder is whole, or begun, with the fingerprint."""
    if noted is None or fingerprint is None or noted["fingerprint"] != fingerprint:
        return False
    return noted["state"] == BEGUN or _result(noted, folder, fingerprint) is not None


def _state(path: Path) -> dict[str, Any] | None:
    try:
        entry = read_json(path)
    except StorageError:
        return None
    good = isinstance(entry.get("fingerprint"), str) and entry.get("state") in (BEGUN, DONE)
    return entry if good and isinstance(entry.get("settings"), dict) else None


def _pairs(folder: Path) -> Iterator[tuple[str, set[str]]]:
    """Steps of which folder or state lie in a folder as they are, and the names of what does."""
    if not folder.is_dir():
        return
    names = {p.name for p in folder.iterdir() if not _GENERATION.fullmatch(p.name)}
    for name in sorted({n.removesuffix(".json") for n in names}):
        yield name, names & {name, f"{name}.json"}


def _move(name: str, source: Path, state: Path, to: Path, to_state: Path) -> None:
    """Move folder and state of a step, the folder first."""
    if (source / name).exists():
        (source / name).rename(to / name)
    if (state / f"{name}.json").exists():
        (state / f"{name}.json").rename(to_state / f"{name}.json")
