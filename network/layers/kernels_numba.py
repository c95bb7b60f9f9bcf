"""What is done to every feature or weight in every step of a training, compiled by Numba.

NumPy passes over the arrays once for each operation, these loops once for all that can be done
together. Same results as the NumPy code beside each call, to rounding. As in
`compact.kinetics.kernels_numba`, nothing here calls compiled code of another file.
"""

from __future__ import annotations

import numpy as np

from compact.kinetics.kernels_numba import compiled

__all__ = ["adam_step", "standardise", "standardise_back"]

_FLUSH = 512  # rows after which sums in the dtype of x are added to those in float64


@compiled
def _flush(total, part):  # type: ignore[no-untyped-def]
    for j in range(part.size):
        total[j] += part[j]
        part[j] = 0


@compiled
def standardise(x, eps, y, mean, variance, scale):  # type: ignore[no-untyped-def]
    """Rows (rows, features) standardised into ``y``; their statistics into the other three."""
    rows, columns = x.shape
    part, total = np.zeros(columns, x.dtype), np.zeros(columns, np.float64)
    for i in range(rows):
        for j in range(columns):
            part[j] += x[i, j]
        if (i + 1) % _FLUSH == 0:
            _flush(total, part)
    _flush(total, part)
    for j in range(columns):
        mean[j] = total[j] / rows
        total[j] = 0
    for i in range(rows):
        for j in range(columns):
            off = x[i, j] - mean[j]
            part[j] += off * off
        if (i + 1) % _FLUSH == 0:
            _flush(total, part)
    _flush(total, part)
    for j in range(columns):
        variance[j] = total[j] / rows
        scale[j] = 1 / np.sqrt(variance[j] + eps)
    for i in range(rows):
        for j in range(columns):
            y[i, j] = (x[i, j] - mean[j]) * scale[j]


@compiled
def standardise_back(gradient, y, scale, result):  # type: ignore[no-untyped-def]
    """Derivatives by the rows, through their statistics as well, into ``result``."""
    rows, columns = y.shape
    part, part_y = np.zeros(columns, y.dtype), np.zeros(columns, y.dtype)
    total, total_y = np.zeros(columns, np.float64), np.zeros(columns, np.float64)
    for i in range(rows):
        for j in range(columns):
            part[j] += gradient[i, j]
            part_y[j] += gradient[i, j] * y[i, j]
        if (i + 1) % _FLUSH == 0:
            _flush(total, part)
            _flush(total_y, part_y)
    _flush(total, part)
    _flush(total_y, part_y)
    across, along = part, part_y
    for j in range(columns):
        across[j] = total[j] / rows
        along[j] = total_y[j] / rows
    for i in range(rows):
        for j in range(columns):
            result[i, j] = (gradient[i, j] - across[j] - y[i, j] * along[j]) * scale[j]


@compiled
def adam_step(  # type: ignore[no-untyped-def]
    value, gradient, mean, square, decay, keep, add, keep_square, add_square, unbias, eps, rate
):
    """One step of Adam for all elements of flat arrays; numbers of the dtype of ``value``.

    ``keep`` and ``add`` are the decay of the first moment and what is left of 1, ``unbias`` is one
    over the root of the second moment's correction, ``rate`` is divided by that of the first.
    """
    # three loops of three or four arrays: of more LLVM does not ask whether they overlap
    for i in range(value.size):
        slope = decay * value[i] + gradient[i]
        mean[i] = keep * mean[i] + slope * add
    for i in range(value.size):
        slope = decay * value[i] + gradient[i]
        square[i] = keep_square * square[i] + (slope * slope) * add_square
    for i in range(value.size):
        value[i] -= mean[i] / (np.sqrt(square[i]) * unbias + eps) * rate
