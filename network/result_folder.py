"""The folder of one run: model, metrics, history and report, written whole or not at all."""

from __future__ import annotations

import dataclasses
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicephys.errors import InputError, StorageError
from network.result_store import read_json, write_json

if TYPE_CHECKING:
    from network.model import Network
    from network.result import Result
    from network.task import Task

__all__ = ["HISTORY", "METRICS", "MODEL", "REPORT", "Trained", "check_free", "read", "write"]

MODEL, METRICS, HISTORY, REPORT = "model.npz", "metrics.json", "history.nc", "report.html"
TABLE = "table.nc"
_FILES = {MODEL, METRICS, HISTORY, REPORT, TABLE}
_SCHEMA = "NetworkResult"
_ABANDONED = 600.0  # s after which a folder that a killed process left is swept away


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a folder holds.

    Attributes
    ----------
    network : the trained network.
    task : that it was trained on.
    result : its figures.
    """

    network: Network
    task: Task
    result: Result


def check_free(path: Path, overwrite: bool) -> None:
    """Tell before the work is done whether a result can be written there.

    Raises
    ------
    StorageError : something is there that is not to be replaced, or the folder above is missing or
        may not be written.
    """
    above = path.absolute().parent
    if not above.is_dir():
        raise StorageError("there is no such folder", str(above))
    if path.exists() and not path.is_dir():
        raise StorageError("there is a file of that name, not a folder", str(path))
    if path.is_dir() and any(path.iterdir()):
        if not _is_result(path):
            raise StorageError(
                "the folder holds something else", str(path), "Choose another name after --out"
            )
        if not overwrite:
            raise StorageError(
                "the folder holds a result already", str(path), "Use --overwrite or another name"
            )
    if not os.access(above, os.W_OK | os.X_OK):
        raise StorageError(
            "the folder cannot be written", str(above), "Choose a folder you may write to"
        )


def write(
    task: Task,
    result: Result,
    path: Path,
    *,
    overwrite: bool = False,
    more: Mapping[str, str] | None = None,
    table: Any = None,
) -> Path:
    """Write the folder of a run.

    Parameters
    ----------
    task, result : of `network.experiment.run`.
    path : the folder to make.
    overwrite : replace the folder of an earlier run.
    more : further lines of the report.
    table : the `AlphaBetaTable` it was trained with, kept beside the model.

    Raises
    ------
    StorageError : see `check_free`; the disk is full. Nothing is left behind.
    """
    from devicephys.records import write_bytes
    from network.persistence import save_network
    from network.report import run_text

    check_free(path, overwrite)
    _sweep(path)
    scratch = path.absolute().with_name(f".{path.absolute().name}.{secrets.token_hex(6)}.part")
    try:
        scratch.mkdir()
        if result.network is not None:
            notes = {"task": task.name, "seed": result.seed, "classes": list(result.classes)}
            save_network(result.network, scratch / MODEL, notes=notes)
        told = {"schema": _SCHEMA, "schema_version": 1, **result.to_json()}
        write_json({**told, "versions": versions()}, scratch / METRICS)
        if result.history is not None:
            result.history.save(scratch / HISTORY)
        if table is not None:
            table.write(scratch / TABLE)
        write_bytes(scratch / REPORT, run_text(task, result, more).encode("utf-8"))
        _put(scratch, path)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"the folder cannot be written: {error.strerror or error}",
            str(path),
            "Choose a folder you may write to, on a disk with room",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return path


def read(path: Path) -> Trained:
    """Read the folder of a run that `write` made.

    Raises
    ------
    StorageError : no such folder, something is missing or damaged, or the run left no network.
    """
    from network.persistence import load_network
    from network.result import Result
    from network.task import Task

    if path.is_file() and path.name == MODEL:
        path = path.parent
    if not path.is_dir():
        raise StorageError("there is no such folder", str(path), "Give the --out of 'train'")
    found = read_json(path / METRICS, "Train it again")
    if found.get("schema") != _SCHEMA:
        raise StorageError("it holds no result of a training", str(path / METRICS))
    if found.get("schema_version") != 1:
        raise StorageError("it is of a newer version of the toolkit", str(path / METRICS))
    result = Result.from_json(found, str(path / METRICS))
    try:
        task = Task.from_settings(result.settings["task"])
    except (InputError, KeyError, TypeError) as error:
        raise StorageError(f"the file is damaged [{error}]", str(path / METRICS)) from error
    if not (path / MODEL).exists():
        raise StorageError(f"model '{result.model}' leaves no network", str(path))
    return Trained(load_network(path / MODEL), task, result)


def versions() -> dict[str, str]:
    """Versions of what computed a result, by name."""
    out = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("ddk-toolkit", "numpy", "scipy", "numba", "scikit-learn", "torch"):
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return out


def _is_result(path: Path) -> bool:
    names = {p.name for p in path.iterdir()}
    return METRICS in names and names <= _FILES


def _put(scratch: Path, path: Path) -> None:
    """Move the finished folder to its name; an earlier one is taken away after that."""
    path = path.absolute()
    if not path.exists() or not any(path.iterdir()):
        scratch.rename(path)  # replaces an empty folder
        return
    old = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    path.rename(old)
    try:
        scratch.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sweep(path: Path) -> None:
    """Remove what a killed process left under this name some time ago."""
    path = path.absolute()
    left = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{12}}\.part")
    for folder in path.parent.iterdir():
        if left.fullmatch(folder.name) and time.time() - folder.stat().st_mtime > _ABANDONED:
            shutil.rmtree(folder, ignore_errors=True)
