"""This process and what it runs on: versions, its command line, its rank among many."""

from __future__ import annotations

import functools
import os
import platform
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from ddkbase import __version__

#: variables of the environment by which numerical libraries choose their number of threads
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_RANKS = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of the toolkit, of Python and of those ``packages`` that are installed.

    The packages are not imported for it.
    """
    found = {package: _version(package) for package in packages}
    result = {"ddk-toolkit": __version__, "python": platform.python_version()}
    return result | {package: version for package, version in found.items() if version is not None}


@functools.cache
def _version(package: str) -> str | None:
    """A millisecond a package: felt where a process writes thousands of records."""
    from importlib import metadata  # start-up: a fiftieth of a second of each command

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def keep_petsc_from_signals() -> None:
    """Let a PETSc that is loaded later catch no signals; a user's own options stay.

    It would abort on SIGTERM, which is to end like Ctrl-C, and on SIGPIPE, which a socket of Dask
    raises when it closes. `devicephys.fem` says the same, but dolfinx may be imported before it.
    """
    options = os.environ.get("PETSC_OPTIONS", "")
    if "-no_signal_handler" not in options:
        os.environ["PETSC_OPTIONS"] = f"{options} -no_signal_handler".strip()


def command_line() -> str:
    """Return the command that is running, as one could type it again."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def single_threaded() -> None:
    """Let numerical libraries use one thread: here, if NumPy is not loaded yet, and in children.

    What the environment says already counts.
    """
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")


def has_launcher() -> bool:
    """Whether an MPI launcher started this process, maybe as one of many."""
    return _rank() is not None


def parallel_rank() -> int:
    """Return the rank that the MPI launcher gave this process, 0 without a launcher.

    It is read from the launcher's environment variables, so that no MPI library is loaded.
    """
    return _rank() or 0


def _rank() -> int | None:
    values = (os.environ.get(name, "") for name in _RANKS)
    return next((int(value) for value in values if value.isascii() and value.isdigit()), None)
