"""h5py before PETSc: of two HDF5 libraries in one process the first that is loaded serves both.

h5py brings an HDF5 library of its own, and PETSc another. If PETSc's comes first, every later write
of a NetCDF file fails with "Not a datatype". So ``import devicephys`` leaves a finder behind that
loads h5py as soon as anything reaches for PETSc, and not before: h5py and NumPy take a tenth of a
second, which ``ddk-device --help`` does not need.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

__all__ = ["watch"]

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
