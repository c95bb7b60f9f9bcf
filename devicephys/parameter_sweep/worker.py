"""What carries out one point of a sweep, in this process or in a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dask

from ddkbase import __version__
from ddkbase.cli.progress import State
from ddkbase.errors import (
    DDKError,
    InputError,
    InstallationError,
    Interrupted,
    SolverError,
    StorageError,
)
from devicephys.run import execution
from devicephys.run.folder import REQUEST
from devicephys.run.request import Request

__all__ = ["Solve", "compute", "point_run", "solve", "task"]

#: carries out a request in a folder, or goes on there
Solve = Callable[..., None]


def solve(folder: Path, request: Request, progress: Callable[[State], None] | None = None) -> None:
    """Carry out a run in a folder of its own, or go on with the one that is there.

    Raises
    ------
    DDKError
        As `devicephys.run.start` and `devicephys.run.resume`.
    """
    if (folder / REQUEST).exists():
        execution.resume(folder, progress=progress, pictures="none")
    else:
        execution.start(folder, request, progress=progress, pictures="none")


def point_run(run: Callable[[], None]) -> str:
    """Carry out a point.

    Returns
    -------
    str
        Empty, or why this point has failed, which does not end the others.

    Raises
    ------
    InstallationError
        No point can be computed.
    StorageError
        The folder cannot be written.
    Interrupted
        The user stopped.
    """
    try:
        run()
    except (InstallationError, StorageError, Interrupted):
        raise
    except (SolverError, InputError) as error:
        return str(DDKError(error.what, error.where))
    except DDKError as error:  # something unexpected; its traceback is in the log of the run
        return str(error)
    return ""


def task(folder: Path, request: Request) -> dict[str, Any]:
    """Everything that a worker needs to compute a point, as texts."""
    return {
        "version": __version__,
        "folder": str(folder.absolute()),
        "request": request.to_json(),
    }


def compute(described: Mapping[str, Any], carry_out: Solve = solve) -> dict[str, str]:
    """Carry out the run of one point in a worker.

    Returns
    -------
    dict
        ``failed``: empty, or the reason; or ``refused``: why nothing can be computed.
    """
    if described["version"] != __version__:
        return {"refused": f"a worker runs version {__version__}, not {described['version']}"}
    request = Request.from_json(described["request"], "request")
    try:
        # in a worker of Dask xarray would ask the scheduler for a lock on the file it writes
        with dask.config.set(scheduler="synchronous"):
            return {"failed": point_run(lambda: carry_out(Path(described["folder"]), request))}
    except (InstallationError, StorageError) as error:
        return {"refused": str(error)}
