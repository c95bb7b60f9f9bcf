"""The folder of one run: model, metrics, history and report, written whole or not at all."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddkbase.documents import read_json, write_json
from ddkbase.errors import InputError, StorageError
from ddkbase.folders import check_new_folder, new_folder

if TYPE_CHECKING:
    from ddk.studies.result import Result
    from ddk.studies.task import Task
    from network.model.ddk_network import Network

__all__ = ["HISTORY", "METRICS", "MODEL", "REPORT", "Trained", "check_free", "read", "write"]

MODEL, METRICS, HISTORY, REPORT = "model.npz", "metrics.json", "history.nc", "report.html"
TABLE = "table.nc"
_FILES = {MODEL, METRICS, HISTORY, REPORT, TABLE}
_SCHEMA = "NetworkResult"


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a folder holds.

    Attributes
    ----------
    network : Network
        The trained network.
    task : Task
        Task that it was trained on.
    result : Result
        Its figures.
    """

    network: Network
    task: Task
    result: Result


def check_free(path: Path, overwrite: bool) -> None:
    """Tell before the work is done whether a result can be written there.

    Raises
    ------
    StorageError
        Something is there that is not to be replaced, or the folder above is missing or may not be
        written.
    """
    check_new_folder(path)
    if path.is_dir() and any(path.iterdir()):
        if not _is_result(path):
            raise StorageError(
                "the folder holds something else", str(path), "Choose another name after --out"
            )
        if not overwrite:
            raise StorageError(
                "the folder holds a result already", str(path), "Use --overwrite or another name"
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
    task : Task
        Task of `ddk.studies.experiment.run`.
    result : Result
        Result of `ddk.studies.experiment.run`.
    path : Path
        The folder to make.
    overwrite : bool, default False
        Replace the folder of an earlier run.
    more : mapping of str to str or None, optional
        Further lines of the report.
    table : AlphaBetaTable, optional
        The table it was trained with, kept beside the model.

    Raises
    ------
    StorageError
        See `check_free`; the disk is full. Nothing is left behind.
    """
    from ddk.studies.report import run_text
    from ddkbase.files import write_bytes
    from network.model.files import save_network

    check_free(path, overwrite)
    with new_folder(path, overwrite) as scratch:
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
    return path


def read(path: Path) -> Trained:
    """Read the folder of a run that `write` made.

    Raises
    ------
    StorageError
        No such folder, something is missing or damaged, or the run left no network.
    """
    from ddk.studies.result import Result
    from ddk.studies.task import Task
    from network.model.files import load_network

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
        raise StorageError(
            f"the file is damaged [{getattr(error, 'what', error)}]", str(path / METRICS)
        ) from error
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
