"""Which compiled loops there are."""

from __future__ import annotations

import functools
from types import ModuleType

__all__ = ["compiled_kernels"]


@functools.cache
def compiled_kernels() -> ModuleType | None:
    """`network.layers.kernels_numba` where Numba is installed, else None: NumPy then does it."""
    try:
        from network.layers import kernels_numba  # optional: needs numba
    except ImportError:
        return None
    return kernels_numba
