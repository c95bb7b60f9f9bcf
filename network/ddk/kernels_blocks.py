"""How the NumPy kernels cut arrays (T, N, P) into blocks that fit in cache, and sum over them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["DOUBLINGS", "add_products", "block_steps", "blocks", "part_of", "rows_of"]

_COLUMNS = 4096  # of a block: long rows make NumPy's cost of a call small
_ELEMENTS = 1 << 16  # of a block: five arrays of it stay in a second-level cache
_STEPS = 512  # of a block at most
DOUBLINGS = 16  # 4^16 leaves a float32 ample range


def add_products(total: np.ndarray, one: np.ndarray, two: np.ndarray, sign: int) -> None:
    """Add sign * one * two, summed to the shape of ``total``; ``one`` may be overwritten."""
    n = one.shape[0]
    if total.size == 1:
        total += sign * float(np.dot(one.reshape(-1), two.reshape(-1)))
    elif total.shape[2] == 1:
        sums = np.einsum("tm,tm->t", one.reshape(n, -1), two.reshape(n, -1))
        total[:, 0, 0] += sign * sums
    elif total.shape[0] == 1:
        total[0, 0] += sign * np.einsum("tnp,tnp->p", one, two)
    else:
        total[:, 0] += sign * np.einsum("tnp,tnp->tp", one, two)


def blocks(x: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Slices of rows and columns whose product is about `_COLUMNS`."""
    _, rows, columns = x.shape
    wide = min(columns, _COLUMNS)
    high = max(1, _COLUMNS // max(wide, 1))
    for row in range(0, rows, high):
        for column in range(0, columns, wide):
            yield slice(row, min(row + high, rows)), slice(column, min(column + wide, columns))


def block_steps(size: int, steps: int) -> int:
    """Steps of a block whose rows have ``size`` elements, a multiple of the doublings."""
    fitting = max(_ELEMENTS // max(size, 1), DOUBLINGS)
    return max(min(fitting // DOUBLINGS * DOUBLINGS, _STEPS, steps), 1)


def part_of(coefficient: np.ndarray, part: tuple[slice, slice, slice]) -> np.ndarray:
    """The block's part of an array (T or 1, 1, P or 1), a view."""
    time = part[0] if coefficient.shape[0] > 1 else slice(None)
    columns = part[2] if coefficient.shape[2] > 1 else slice(None)
    return coefficient[time, :, columns]


def rows_of(coefficient: np.ndarray, steps: int, shape: tuple[int, ...]) -> list[np.ndarray]:
    """One flat row a step, repeated in order where there are fewer; scalars for rows alike."""
    if coefficient.shape[2] == 1:
        rows = [np.array(v) for v in coefficient.ravel()]
    else:
        full = np.broadcast_to(coefficient, (coefficient.shape[0], *shape))
        rows = list(np.ascontiguousarray(full).reshape(coefficient.shape[0], -1))
    return (rows * -(-steps // len(rows)))[:steps]
