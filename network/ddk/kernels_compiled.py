"""The compiled loops of `network.ddk.kernels_numba`; importing this module needs Numba.

They stand in one file because Numba keeps compiled code until the file of the function changes, and
does not look at the files of the functions that it calls.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from network.ddk.compiled import compiled

__all__ = ["backward_flat", "backward_tiled", "forward_flat", "forward_tiled"]

_WIDE = 4096  # sequences at once where arrays lie time-major
_STEPS, _TILE = 128, 8192  # steps and elements of a tile elsewhere
_FLUSH = 64  # steps after which sums in the dtype of x are added to those in float64
_LINE = 64  # bytes that memory hands over at once


@compiled
def fill(row, values, t, first):  # type: ignore[no-untyped-def]
    """Coefficients of step t for the sequences from ``first`` on."""
    period = values.shape[1]
    if period == 1:
        row[:] = values[t, 0]
        return
    p = first % period
    for j in range(row.size):
        row[j] = values[t, p]
        p += 1
        if p == period:
            p = 0


@compiled
def add(total, row, t, first):  # type: ignore[no-untyped-def]
    """Add a row of contributions to the sums of step t, and set it to zero."""
    period = total.shape[1]
    p = first % period
    for j in range(row.size):
        total[t, p] += row[j]
        row[j] = 0
        p += 1
        if p == period:
            p = 0


@compiled
def implicit(before, x, a, b, after):  # type: ignore[no-untyped-def]
    """One step of a row; a of the row is alpha dt."""
    half, four = after.dtype.type(0.5), after.dtype.type(4)
    cancelling = False
    for j in range(after.size):
        drift = b[j] * x[j]
        # the plain root loses at most two bits while drift^2 <= 4 a, or where the state rises
        cancelling |= (drift * drift > four * a[j]) & (drift > 0)
        c = before[j] - drift
        after[j] = half * (c + np.sqrt(c * c + four * a[j]))
    if cancelling:
        for j in range(after.size):
            c = before[j] - b[j] * x[j]
            if c < 0:
                root = np.sqrt(c * c + four * a[j])
                after[j] = (a[j] + a[j]) / (root - c)


@compiled
def explicit(before, x, a, b, after):  # type: ignore[no-untyped-def]
    for j in range(after.size):
        after[j] = (before[j] + a[j] / before[j]) - b[j] * x[j]


@compiled
def implicit_back(g, x, y, a, b, carry, by_x, sum_a, sum_b):  # type: ignore[no-untyped-def]
    for j in range(g.size):
        by_a = (g[j] + carry[j]) / (y[j] * y[j] + a[j]) * y[j]
        by_c = by_a * y[j]
        carry[j] = by_c
        sum_a[j] += by_a
        sum_b[j] -= by_c * x[j]
        by_x[j] = -b[j] * by_c


@compiled
def explicit_back(g, x, y, a, b, carry, by_x, sum_a, sum_b):  # type: ignore[no-untyped-def]
    """As the implicit one; y is the state before the step here."""
    one = y.dtype.type(1)
    for j in range(g.size):
        inverse = one / y[j]
        total = g[j] + carry[j]
        carry[j] = (one - a[j] * inverse * inverse) * total
        sum_a[j] += inverse * total
        sum_b[j] -= total * x[j]
        by_x[j] = -b[j] * total


def forward_flat(x, y, a, b, start, is_implicit):  # type: ignore[no-untyped-def]
    steps, size = x.shape
    for first in range(0, size, _WIDE):
        last = min(first + _WIDE, size)
        row_a, row_b = np.empty(last - first, y.dtype), np.empty(last - first, y.dtype)
        fill(row_a, a, 0, first)
        fill(row_b, b, 0, first)
        before = start[first:last]
        for t in range(steps):
            if t and a.shape[0] > 1:
                fill(row_a, a, t, first)
            if t and b.shape[0] > 1:
                fill(row_b, b, t, first)
            after = y[t, first:last]
            if is_implicit:
                implicit(before, x[t, first:last], row_a, row_b, after)
            else:
                explicit(before, x[t, first:last], row_a, row_b, after)
            before = after


def backward_flat(  # type: ignore[no-untyped-def]
    g, x, y, by_x, a, b, start, by_a, by_b, is_implicit, wanted
):
    steps, size = x.shape
    carries = np.zeros(size, y.dtype)
    for first in range(0, size, _WIDE):
        last = min(first + _WIDE, size)
        row_a, row_b = np.empty(last - first, y.dtype), np.empty(last - first, y.dtype)
        sum_a, sum_b = np.zeros(last - first, y.dtype), np.zeros(last - first, y.dtype)
        fill(row_a, a, 0, first)
        fill(row_b, b, 0, first)
        carry = carries[first:last]
        for t in range(steps - 1, -1, -1):
            if a.shape[0] > 1:
                fill(row_a, a, t, first)
            if b.shape[0] > 1:
                fill(row_b, b, t, first)
            to = by_x[t if wanted else 0, first:last]
            source, gradient = x[t, first:last], g[t, first:last]
            if is_implicit:
                state = y[t, first:last]
                implicit_back(gradient, source, state, row_a, row_b, carry, to, sum_a, sum_b)
            else:
                state = y[t - 1, first:last] if t else start[first:last]
                explicit_back(gradient, source, state, row_a, row_b, carry, to, sum_a, sum_b)
            if a.shape[0] > 1 or t % _FLUSH == 0:
                add(by_a, sum_a, t if a.shape[0] > 1 else 0, first)
            if b.shape[0] > 1 or t % _FLUSH == 0:
                add(by_b, sum_b, t if b.shape[0] > 1 else 0, first)
    return carries


@intrinsic
def _ahead(context, array, index):  # type: ignore[no-untyped-def]
    """Ask memory for an element that will be read or written soon."""
    signature = types.void(array, index)

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        kind, indices = signature.args
        made = context.make_array(kind)(context, builder, values[0])
        where = cgutils.unpack_tuple(builder, values[1], count=len(indices))
        pointer = cgutils.get_item_pointer(context, builder, kind, made, where, wraparound=False)
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        call = builder.module.declare_intrinsic("llvm.prefetch", [byte], shape)
        # to read, into the second-level cache and below, data and not code
        builder.call(call, [builder.bitcast(pointer, byte), word(0), word(2), word(1)])
        return context.get_dummy_value()

    return signature, generate


@compiled
def _announce(source, t, steps, first, size):  # type: ignore[no-untyped-def]
    """Ask for what `_load` or `_store` will touch next: no processor guesses so many streams."""
    columns = source.shape[2]
    stride = max(1, _LINE // source.itemsize)
    for j in range(size):
        n, p = (first + j) // columns, (first + j) % columns
        for k in range(0, steps, stride):
            _ahead(source, (t + k, n, p))  # type: ignore[call-arg]


@compiled
def _load(source, t, steps, first, size, tile):  # type: ignore[no-untyped-def]
    """Copy (T, N, P) from step t and sequence ``first`` on into a tile (steps, sequences)."""
    columns = source.shape[2]
    for j in range(size):
        n, p = (first + j) // columns, (first + j) % columns
        for k in range(steps):
            tile[k, j] = source[t + k, n, p]


@compiled
def _store(tile, t, steps, first, size, target):  # type: ignore[no-untyped-def]
    columns = target.shape[2]
    for j in range(size):
        n, p = (first + j) // columns, (first + j) % columns
        for k in range(steps):
            target[t + k, n, p] = tile[k, j]


def forward_tiled(x, y, a, b, start, is_implicit):  # type: ignore[no-untyped-def]
    steps, rows, columns = x.shape
    wide = _TILE // min(_STEPS, steps)
    inputs = np.empty((min(_STEPS, steps), wide), y.dtype)
    states = np.empty((min(_STEPS, steps) + 1, wide), y.dtype)
    for first in range(0, rows * columns, wide):
        size = min(wide, rows * columns - first)
        row_a, row_b = np.empty(size, y.dtype), np.empty(size, y.dtype)
        fill(row_a, a, 0, first)
        fill(row_b, b, 0, first)
        for j in range(size):
            states[0, j] = start[(first + j) // columns, (first + j) % columns]
        for t in range(0, steps, _STEPS):
            count = min(_STEPS, steps - t)
            _load(x, t, count, first, size, inputs)
            following = min(_STEPS, steps - t - count)
            _announce(x, t + count, following, first, size)
            _announce(y, t + count, following, first, size)
            for k in range(count):
                if a.shape[0] > 1:
                    fill(row_a, a, t + k, first)
                if b.shape[0] > 1:
                    fill(row_b, b, t + k, first)
                before, after = states[k, :size], states[k + 1, :size]
                if is_implicit:
                    implicit(before, inputs[k, :size], row_a, row_b, after)
                else:
                    explicit(before, inputs[k, :size], row_a, row_b, after)
            _store(states[1:], t, count, first, size, y)
            states[0] = states[count]


def backward_tiled(  # type: ignore[no-untyped-def]
    g, x, y, by_x, a, b, start, by_a, by_b, by_start, is_implicit, wanted
):
    steps, rows, columns = x.shape
    wide = _TILE // min(_STEPS, steps)
    shape = (min(_STEPS, steps), wide)
    gradients, inputs = np.empty(shape, y.dtype), np.empty(shape, y.dtype)
    states, out = np.empty(shape, y.dtype), np.empty(shape, y.dtype)
    for first in range(0, rows * columns, wide):
        size = min(wide, rows * columns - first)
        row_a, row_b = np.empty(size, y.dtype), np.empty(size, y.dtype)
        sum_a, sum_b = np.zeros(size, y.dtype), np.zeros(size, y.dtype)
        carry = np.zeros(size, y.dtype)
        fill(row_a, a, 0, first)
        fill(row_b, b, 0, first)
        for t in range((steps - 1) // _STEPS * _STEPS, -1, -_STEPS):
            count = min(_STEPS, steps - t)
            _load(g, t, count, first, size, gradients)
            _load(x, t, count, first, size, inputs)
            if is_implicit:
                _load(y, t, count, first, size, states)
            elif t:
                _load(y, t - 1, count, first, size, states)
            else:
                for j in range(size):
                    states[0, j] = start[(first + j) // columns, (first + j) % columns]
                _load(y, 0, count - 1, first, size, states[1:])
            if t:
                _announce(g, t - _STEPS, _STEPS, first, size)
                _announce(x, t - _STEPS, _STEPS, first, size)
                _announce(y, t - _STEPS, _STEPS, first, size)
                if wanted:
                    _announce(by_x, t - _STEPS, _STEPS, first, size)
            for k in range(count - 1, -1, -1):
                if a.shape[0] > 1:
                    fill(row_a, a, t + k, first)
                if b.shape[0] > 1:
                    fill(row_b, b, t + k, first)
                gradient, source, state = gradients[k, :size], inputs[k, :size], states[k, :size]
                to = out[k, :size]
                if is_implicit:
                    implicit_back(gradient, source, state, row_a, row_b, carry, to, sum_a, sum_b)
                else:
                    explicit_back(gradient, source, state, row_a, row_b, carry, to, sum_a, sum_b)
                if a.shape[0] > 1:
                    add(by_a, sum_a, t + k, first)
                if b.shape[0] > 1:
                    add(by_b, sum_b, t + k, first)
            if a.shape[0] == 1:
                add(by_a, sum_a, 0, first)
            if b.shape[0] == 1:
                add(by_b, sum_b, 0, first)
            if wanted:
                _store(out, t, count, first, size, by_x)
        for j in range(size):
            by_start[(first + j) // columns, (first + j) % columns] = carry[j]
