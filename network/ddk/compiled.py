"""How functions are compiled by Numba here; importing this module needs Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from ddkbase.signals import deferred

__all__ = ["compiled"]


def compiled(function: Callable[..., Any], *signature: Any) -> Any:
    """`numba.njit`, with the result kept on disk where there is a folder for it."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    jit: Any = numba.njit
    # LLVM calls back into Python, where a KeyboardInterrupt would be printed and lost.
    with deferred():
        try:
            return jit(*signature, cache=True, **options)(function)
        except RuntimeError:  # no folder that a cache could be written to
            return jit(*signature, **options)(function)
