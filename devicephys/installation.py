"""Is everything here that a simulation needs: versions, health, the ranks of a parallel run.

The finite-element stack compiles its forms when it first meets them, so besides the Python
packages it needs a C compiler, Python's headers and a folder for what it compiled.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import platform
import shlex
import shutil
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ddkbase.installation
from ddkbase.errors import DDKError, InstallationError, Interrupted, StorageError
from ddkbase.files import keep_traceback
from ddkbase.folders import lock
from ddkbase.installation import has_launcher, parallel_rank

_STACK_HINT = (
    "On Linux x86-64 run 'pip install dolfinx-solver-real'; elsewhere make the conda-forge"
    " environment of environment.yml (conda env create -f environment.yml)."
)
_COMPILER_HINT = "Install one (Debian: apt install gcc; conda: c-compiler), or name it in CC."
_CACHE_HINT = "Make this folder writable, or set XDG_CACHE_HOME to one that is."
_ABSENT = "not installed"
_FORSAKEN = 10.0  # s without a change after which ffcx, too, thinks that a compilation is dead
_ABANDONED = 3600.0  # s after which nobody compiles in a folder of the kernel's any more
_PACKAGES = (
    "numpy",
    "scipy",
    "xarray",
    "h5py",
    "h5netcdf",
    "matplotlib",
    "pillow",
    "pint",
    "pydantic",
    "PyYAML",
    "typer",
    "rich",
    "zarr",
    "dask",
    "distributed",
    "mpi4py",
    "fenics-ufl",
    "fenics-ffcx",
    "fenics-basix",
)


@dataclass(frozen=True)
class Check:
    """One line of `health`: what was looked at, whether it is well, what was found.

    ``remedy`` says what to install or change; it is empty where all is well.
    """

    name: str
    passed: bool
    detail: str
    remedy: str = ""


def find_compiler() -> str:
    """Return the path of the C compiler that will be used.

    ``CC`` comes first, then the compiler that built this Python, then cc, gcc and clang.

    Raises InstallationError: there is none, or ``CC`` names one that does not exist.
    """
    requested = shlex.split(os.environ.get("CC", ""))
    if requested:
        compiler = shutil.which(requested[0])
        if compiler is None:
            raise InstallationError(
                f"the C compiler '{requested[0]}', which the variable CC names, was not found",
                hint="Correct CC, or unset it.",
            )
        return compiler
    for name in (*_compiler_of_python(), "cc", "gcc", "clang"):
        compiler = shutil.which(name)
        if compiler is not None:
            return compiler
    raise InstallationError("no C compiler was found (cc, gcc, clang)", hint=_COMPILER_HINT)


def _compiler_of_python() -> list[str]:
    return shlex.split(sysconfig.get_config_var("CC") or "")[:1]


def require_solver() -> None:
    """Make sure a simulation can start, before anything is written.

    If this Python was built by a compiler that is not on this machine, ``CC`` is set to the one
    that is, because the form compiler would otherwise look for the absent one.

    Raises InstallationError: the finite-element stack, the C compiler or Python's headers are
    missing, or the folder for compiled forms cannot be written.
    """
    if not _is_installed("dolfinx"):
        raise InstallationError(
            "the finite-element stack (dolfinx) is not installed", hint=_STACK_HINT
        )
    compiler = find_compiler()
    if not os.environ.get("CC") and not any(shutil.which(c) for c in _compiler_of_python()):
        os.environ["CC"] = compiler
    _python_headers()
    _prepare_cache()


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:  # an import hook may refuse instead of finding nothing
        return False


def _python_headers() -> Path:
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.is_file():
        raise InstallationError(
            f"Python's C headers are missing ({header})",
            hint="Install them (Debian: apt install python3-dev).",
        )
    return header


def versions() -> dict[str, str]:
    """Return the versions of all that computes, by name; what is absent is "not installed".

    The finite-element stack is imported for it, if it is there.
    """
    import h5py  # start-up: commands import this module

    result = ddkbase.installation.versions(_PACKAGES)
    result["platform"] = platform.platform()
    result |= {package: _ABSENT for package in _PACKAGES if package not in result}
    result["HDF5 (h5py)"] = h5py.version.hdf5_version
    for name, read in (
        ("dolfinx", lambda: _module("dolfinx").__version__),
        ("PETSc", lambda: ".".join(map(str, _module("petsc4py.PETSc").Sys.getVersion()))),
        ("MPI", lambda: _module("mpi4py.MPI").Get_library_version().split("\n")[0].strip()),
    ):
        try:
            result[name] = read()
        except ImportError:
            result[name] = _ABSENT
    return result


def _module(name: str) -> Any:
    # By name and only here: this module must import where no finite-element stack is.  The folder
    # fem initialises MPI and PETSc. If one rank did so in another order, they would end in another
    # order, too, and wait for each other for ever.
    if name.startswith(("dolfinx", "petsc4py")):
        from devicephys import fem  # noqa: F401  (optional: the finite-element stack)
    return importlib.import_module(name)


def health() -> Iterator[Check]:
    """Look at one thing after the other and report each; nothing is raised.

    The NetCDF test writes to a temporary folder after PETSc was loaded, because two HDF5
    libraries in one process are what breaks it.
    """
    yield _check(
        "finite elements",
        lambda: f"dolfinx {_module('dolfinx.fem.petsc') and _module('dolfinx').__version__}",
        _STACK_HINT,
    )
    yield _check("C compiler", find_compiler, _COMPILER_HINT)
    yield _check("Python headers", lambda: str(_python_headers()), "")
    yield _check("compiled forms", _cache_folder, _CACHE_HINT)
    yield _check(
        "NetCDF after PETSc",
        _write_netcdf,
        "Reinstall h5py and h5netcdf; import devicephys before petsc4py in your own scripts.",
    )
    yield _check(
        "MPI", lambda: f"{_module('mpi4py.MPI').COMM_WORLD.size} rank(s)", "Install mpi4py."
    )


def _check(name: str, look: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(name, True, look())
    except DDKError as exc:
        return Check(name, False, exc.what, exc.hint or remedy)
    except Exception as exc:  # a broken installation can fail in any way; it is reported as such
        first = str(exc).splitlines()[0] if str(exc) else ""
        return Check(name, False, f"{type(exc).__name__}: {first}", remedy)


def _cache_path() -> Path:
    return Path(_module("dolfinx.jit").get_options()["cache_dir"]).expanduser()


def _cache_folder() -> str:
    folder = _cache_path()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return str(folder)


def _prepare_cache() -> None:
    """Make sure that compiled forms can be stored; remove what killed compilations left there."""
    try:
        folder = Path(_cache_folder())
        if parallel_rank() == 0:
            remove_forsaken(folder)
    except OSError as exc:
        raise InstallationError(
            f"compiled forms cannot be stored: {exc.strerror or exc}",
            where=str(_cache_path()),
            hint=_CACHE_HINT,
        ) from exc


def remove_forsaken(folder: Path) -> None:
    """Delete the forms in ``folder`` whose compilation was killed: ffcx would wait for them.

    One that changed less than ten seconds ago may be in the making, so it is waited for.  Folders
    in which the kernel was compiled, which nobody waits for, go after an hour.  If another process
    is doing this already, nothing is done.
    """
    busy = StorageError("another process removes forsaken forms", str(folder))
    try:
        held = lock(folder / "ddk-device.lock", busy, create=True)
    except OSError:
        return
    with held:
        if not held.real:  # two processes could be at it
            return
        for making in folder.glob("libddk_kernel_*/"):
            with contextlib.suppress(FileNotFoundError):
                if abs(time.time() - making.stat().st_mtime) > _ABANDONED:
                    shutil.rmtree(making, ignore_errors=True)
        for source in folder.glob("libffcx_*.c"):
            while not source.with_suffix(".c.cached").exists():
                files = list(folder.glob(f"{source.stem}.*"))
                changes = [0.0]
                for file in files:
                    with contextlib.suppress(FileNotFoundError):
                        changes.append(file.stat().st_mtime)
                if not files or abs(time.time() - max(changes)) > _FORSAKEN:
                    for file in files:
                        file.unlink(missing_ok=True)
                    break
                time.sleep(0.1)


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """Turn what the form compiler raises within the block into an `InstallationError`.

    Raises InstallationError: the C compiler failed, or another process that compiles the same form
    does not end.
    """
    try:
        yield
    except Exception as exc:
        text = " ".join(str(exc).split())
        # of CFFI, which has no base class for them, and of dolfinx, which wraps some in others
        if type(exc).__name__ not in ("CompileError", "LinkError", "VerificationError") and not (
            isinstance(exc, RuntimeError | TimeoutError) and "JIT c" in text
        ):
            raise
        if "timed out" in text:
            raise InstallationError(
                "the compilation of a form, begun by another process, does not end",
                where=str(_cache_path()),
                hint="If no other simulation is running, delete this folder.",
            ) from exc
        text = text.removeprefix("Failed JIT compilation of form: ")
        text = text if len(text) <= 160 else text[:157] + "..."
        raise InstallationError(
            f"the C compiler failed: {text}", hint="Correct CC, or unset it; see 'ddk-device info'."
        ) from exc


def _write_netcdf() -> str:
    import xarray as xr  # start-up: commands import this module

    if _is_installed("petsc4py"):
        _module("petsc4py.PETSc")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.nc"
        xr.Dataset({"a": ("x", [1.0, 2.0])}).to_netcdf(path, engine="h5netcdf")
        with xr.open_dataset(path, engine="h5netcdf") as ds:
            if ds["a"].values.tolist() != [1.0, 2.0]:
                raise OSError("what was read back differs from what was written")
    return "written and read back"


def world() -> Any:
    """Return the communicator of all ranks, or None if there is only this one.

    MPI is loaded only where a launcher started this process.
    """
    if not has_launcher():
        return None
    try:
        _module("petsc4py.PETSc")  # on all ranks at once, see `_module`
        comm = _module("mpi4py.MPI").COMM_WORLD
    except ImportError:  # `require_solver` says so
        return None
    return comm if comm.size > 1 else None


class RankError(DDKError):
    """An error of another rank, which ends this one as well."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def agree(world: Any, text: str, error: BaseException | None) -> str:
    """Exchange a text of rank 0 and the errors of all ranks. Collective.

    Who computes without the others would wait for them for ever, so if one rank has an error all
    raise it, that of the lowest rank. Raises DDKError: an error of this or of another rank.
    """
    message, code = ("", 0) if error is None else _message_and_code(error)
    answers = world.allgather((message, code, text))
    failed = [answer for answer in answers if answer[1]]
    if not failed:
        return str(answers[0][2])
    if isinstance(error, DDKError) and failed[0][0] == message:
        raise error
    raise RankError(*failed[0][:2]) from error


def _message_and_code(error: BaseException) -> tuple[str, int]:
    if isinstance(error, DDKError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "stopped", Interrupted.exit_code
    where = keep_traceback(error, "ddk-device")
    reason = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
    return f"{reason}. The traceback is in {where}", DDKError.exit_code
