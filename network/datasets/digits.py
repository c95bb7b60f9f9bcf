"""Handwritten digits of 8 x 8 pixels that come with scikit-learn: no file is needed."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ddkbase.errors import InstallationError
from network.datasets.dataset import DataSet

__all__ = ["load_digits"]


def load_digits() -> DataSet:
    """1,797 digits, x (1797, 8, 8) from 0 to 1, rows of 8 pixels as time.

    Raises
    ------
    InstallationError
        scikit-learn is not installed.
    """
    try:
        bundled: Any = importlib.import_module("sklearn.datasets")
    except ImportError:
        raise InstallationError(
            "the digits come with scikit-learn, which is not installed",
            "data set 'digits'",
            "Run pip install 'ddk-toolkit[sklearn]'",
        ) from None
    data = bundled.load_digits()
    return DataSet(
        name="digits",
        x=(data.images / 16.0).astype(np.float32),
        y=data.target,
        classes=tuple(str(n) for n in range(10)),
        dims=("row", "column"),
        source="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine "
        "Learning Repository, 1998 (its test part), as bundled with scikit-learn",
        license="CC BY 4.0",
        notes=("who wrote a digit is not known, so writers are in all parts of a split",),
    )
