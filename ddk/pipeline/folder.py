"""The folder of a pipeline: which result is there, of which fingerprint, whole or begun.

A step has a folder of its name. What is known of it stands in ``.pipeline/NAME.json``, written
before the step begins and again when it is done, then with the checksum of every file it left.
A result of another fingerprint is moved to ``.pipeline/earlier`` before anything new is made, so
that one that is asked for again is taken back, and none is beside results that it does not fit.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from ddk.pipeline.job import Job, StepResult
from ddkbase.documents import read_json, write_json
from ddkbase.errors import StorageError
from ddkbase.files import checksum, files_below, storage_errors
from ddkbase.folders import ClaimedFolder, lock

__all__ = ["Mark", "PipelineFolder"]

STATE, EARLIER = ".pipeline", "earlier"
BEGUN, DONE = "begun", "done"


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

        Raises
        ------
        StorageError
            It holds something else, another pipeline is at work in it, or it cannot be written.
        """
        path = path.absolute()
        cls(path).check()
        message = "the folder cannot be made or written"
        busy = StorageError(
            "another pipeline is at work in this folder", str(path), "Wait for its end, or stop it"
        )
        with storage_errors(message, path, "Choose a folder you may write to after --out"):
            (path / STATE / EARLIER).mkdir(parents=True, exist_ok=True)
            return cls(path, lock(path / STATE, busy))

    def check(self) -> None:
        """Look whether the folder may be used, without making it.

        Raises
        ------
        StorageError
            It is a file, it holds something else, or it cannot be read.
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

        What is whole, or begun, with this fingerprint stays, and what has only to grow goes on.
        Anything else is moved aside, where it replaces what was moved there before.

        Parameters
        ----------
        fingerprint : str or None
            Fingerprint that is asked for; None: the step is not asked for any more.
        core : str or None, optional
            The fingerprint without the settings by which the step only grows.

        Raises
        ------
        StorageError
            The folder cannot be written.
        """
        live, spare = self.path / STATE, self.path / STATE / EARLIER
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
        swap = live / "swap"
        try:
            shutil.rmtree(swap, ignore_errors=True)
            swap.mkdir()
            _move(name, self.path, live, swap, swap)
            before = _state(spare / f"{name}.json")
            if _of_use(before, spare / name, fingerprint):
                _move(name, spare, spare, self.path, live)
            if any(swap.iterdir()):
                _remove(spare / name)
                (spare / f"{name}.json").unlink(missing_ok=True)
                _move(name, swap, swap, spare, spare)
            shutil.rmtree(swap, ignore_errors=True)
        except OSError as error:
            raise StorageError(
                f"an earlier result cannot be moved: {error.strerror or error}", str(error.filename)
            ) from error

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


def _move(name: str, source: Path, state: Path, to: Path, to_state: Path) -> None:
    """Move folder and state of a step. Killed in between, the state has no folder: not whole."""
    if (source / name).exists():
        (source / name).rename(to / name)
    if (state / f"{name}.json").exists():
        (state / f"{name}.json").rename(to_state / f"{name}.json")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
