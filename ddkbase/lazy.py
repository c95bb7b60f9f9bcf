"""What is loaded when: public names on first use, and h5py before PETSc.

A package's public names stand once, in the stub ``__init__.pyi`` beside its ``__init__.py``, where
type checkers and editors read them; `attach` reads the same file when the package is imported.

h5py brings an HDF5 library of its own, and PETSc another; of two in one process the first that is
loaded serves both. If PETSc's comes first, every later write of a NetCDF file fails with "Not a
datatype". So ``import ddkbase`` leaves a finder behind (`watch`) that loads h5py as soon as
anything reaches for PETSc, and not before: h5py and NumPy take a tenth of a second, which
``ddk-device --help`` does not need.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ddkbase.errors import InstallationError


def attach(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Functions ``__getattr__``, ``__dir__`` and the list ``__all__`` of a package with a stub.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    file : str
        Its ``__file__``; every ``from m import a as b`` of the stub beside it makes ``b``
        a public name, ``from . import m as m`` a module.

    Returns
    -------
    tuple of (callable, callable, list of str)
        What the package assigns to ``__getattr__``, ``__dir__`` and ``__all__``.
    """
    tree = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    origins: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            origins |= {alias.asname or alias.name: (base, alias.name) for alias in node.names}
    public = sorted(origins)

    def get(name: str) -> Any:
        if name not in origins:
            close = difflib.get_close_matches(name, public, 1)
            hint = f". Did you mean '{close[0]}'?" if close else ""
            raise AttributeError(f"module {package!r} has no attribute {name!r}{hint}")
        base, attribute = origins[name]
        try:
            value = vars(importlib.import_module(base))[attribute]
        except KeyError:  # lazy there, too, or a module that nobody has imported yet
            value = _of_package(base, attribute, package)
        # a module of the same name that was imported meanwhile must not stand in for the name
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return public

    return get, names, public


def _of_package(base: str, attribute: str, package: str) -> Any:
    if base != package and attribute in getattr(sys.modules[base], "__all__", ()):
        return getattr(sys.modules[base], attribute)
    return importlib.import_module(f"{base}.{attribute}")


def check_not_shadowed(*packages: str) -> None:
    """Look whether packages of the toolkit are found, and not files of the same name.

    Python looks into the folder of a script or notebook first, so a file ``network.py`` there takes
    the place of the package. Nothing is imported.

    Raises InstallationError: something else is found under the name; it is named.
    """
    root = Path(__file__).resolve().parent.parent
    for package in packages:
        module = sys.modules.get(package)
        spec = importlib.util.find_spec(package) if module is None else module.__spec__
        origin = getattr(module, "__file__", None) or (spec.origin if spec is not None else None)
        if origin is not None and Path(origin).resolve().parent != root / package:
            raise InstallationError(
                f"'{package}' is this file and not the toolkit's package",
                origin,
                "Rename it, or work in another folder",
            )


_WITH_HDF5 = {"dolfinx", "petsc4py", "slepc4py"}


class _H5pyFirst:
    """Finds nothing itself."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        if name in _WITH_HDF5 and "h5py" not in sys.modules:
            importlib.import_module("h5py")


def watch() -> None:
    """Load h5py before the first import of a package that brings another HDF5 library."""
    if "h5py" not in sys.modules and not any(isinstance(f, _H5pyFirst) for f in sys.meta_path):
        sys.meta_path.insert(0, _H5pyFirst())
