"""What the C compiler makes: forms, and the kernel's libraries in the folder of the forms."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cffi
from dolfinx import fem, jit

from devicephys.fem.kernel.source import DECLARATIONS
from devicephys.installation import compiling

# -ffast-math is not among them: a NaN has to stay one, so that the stepper sees it.
JIT_OPTIONS = {"cffi_extra_compile_args": ["-O3", "-fno-math-errno"]}
#: of the kernel likewise; sums may use fused operations where the machine has them
COMPILE_ARGUMENTS = ["-std=gnu17", "-O3", "-fno-math-errno", "-ffp-contract=fast", "-g0", "-w"]

_LOADED: dict[str, Any] = {}


def compiled_form(form: Any) -> fem.Form:
    """A form in UFL made ready to assemble; InstallationError where the compiler fails."""
    with compiling():
        return fem.form(form, jit_options=JIT_OPTIONS)


def library(signature: str, source: Callable[[], str]) -> Any:
    """The compiled library of a source; it is made where the folder does not have it.

    Parameters
    ----------
    signature : str
        What the source follows from, hexadecimal.
    source : callable
        Gives the C source; called where it has to be compiled.

    Returns
    -------
    module
        With ``lib`` and ``ffi`` of cffi.

    Raises
    ------
    InstallationError
        The compiler failed or is absent.
    """
    if signature not in _LOADED:
        name = f"libddk_kernel_{signature}"
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        path = Path(jit.get_options()["cache_dir"]).expanduser() / (name + suffix)
        if not path.exists():
            text = source()
            with compiling():
                _compile(name, text, path)
        _LOADED[signature] = _load(name, path)
    return _LOADED[signature]


def _compile(name: str, source: str, path: Path) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    builder = cffi.FFI()
    builder.cdef(DECLARATIONS)
    builder.set_source(name, source, extra_compile_args=COMPILE_ARGUMENTS, libraries=["m"])
    # Each process compiles in a folder of its own and puts a whole file into its place; where two
    # do so at once the later one replaces the other's, which is the same.
    with tempfile.TemporaryDirectory(prefix="libddk_kernel_", dir=path.parent) as folder:
        library_file = builder.compile(tmpdir=folder, target=path.name, verbose=False)
        os.replace(library_file, path)


def _load(name: str, path: Path) -> Any:
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
