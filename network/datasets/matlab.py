"""Arrays of a MATLAB file of silhouettes or of anything else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ddkbase.mat_file import mat_arrays
from network.datasets.files import LARGEST, reading

__all__ = ["read_mat"]


def read_mat(path: str | os.PathLike[str], whence: str = "") -> dict[str, np.ndarray]:
    """Numeric arrays by name, ``b`` or ``b.c`` for the fields of a structure.

    Texts, cells, objects and sparse matrices are passed over.

    Parameters
    ----------
    path : str or Path
        Path of the file, of MATLAB's version 4 to 7.2.
    whence : str, default ""
        Where to get it, said if it is missing or damaged.

    Raises
    ------
    StorageError
        Not there, no MATLAB file of this version, damaged or too large.
    """
    path = Path(path)

    def work() -> dict[str, np.ndarray]:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        return mat_arrays(path.read_bytes(), LARGEST)

    return reading(path, "a MATLAB file of version 4 to 7.2", whence, work)
