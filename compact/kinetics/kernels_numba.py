"""The twins of `compact.kinetics.kernels_numpy`, compiled by Numba; same arguments, same results.

One pass over memory forward and one backward, a row of sequences at a time, one thread. Arrays that
are time-major in memory are worked on where they lie, all others in tiles that are copied into
cache, transposed in registers on the way where time lies contiguous. Compiled code is kept in
Numba's cache folder where one can be written.

All that is compiled stands in this one file, because Numba keeps compiled code until the file of
the function changes, and does not look at the files of the functions that it calls. The steps and
their derivatives are those of `compact.kinetics.steps`, written out as scalar loops.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from compact.kinetics import kernels_numpy
from ddkbase.files import deferred

__all__ = ["backward", "forward"]

_WIDE = 4096  # sequences at once where arrays lie time-major
_STEPS, _TILE = 128, 32768  # steps and elements of a tile elsewhere
_FLUSH = 64  # steps after which sums in the dtype of x are added to those in float64
_LINE = 64  # bytes that memory hands over at once
_VECTOR = 32  # bytes of a side of the squares that are transposed in registers


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


@compiled
def _fill(row, values, t, first):  # type: ignore[no-untyped-def]
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
def _add(total, row, t, first):  # type: ignore[no-untyped-def]
    """Add a row of contributions to the sums of step t, and set it to zero."""
    period = total.shape[1]
    p = first % period
    for j in range(row.size):
        total[t, p] += row[j]
        row[j] = 0
        p += 1
        if p == period:
            p = 0


# The steps of a row take whole arrays, the row in them and where in the row they begin: to cut rows
# out of them costs more than the arithmetic of a short row.


@compiled
def _implicit(before, old, x, k, a, b, after, new, first):  # type: ignore[no-untyped-def]
    """One step of a row; a of the row is alpha dt."""
    half, four = after.dtype.type(0.5), after.dtype.type(4)
    cancelling = False
    for j in range(a.size):
        drift = b[j] * x[k, first + j]
        # the plain root loses at most two bits while drift^2 <= 4 a, or where the state rises
        cancelling |= (drift * drift > four * a[j]) & (drift > 0)
        c = before[old, first + j] - drift
        after[new, first + j] = half * (c + np.sqrt(c * c + four * a[j]))
    if cancelling:
        for j in range(a.size):
            c = before[old, first + j] - b[j] * x[k, first + j]
            if c < 0:
                root = np.sqrt(c * c + four * a[j])
                after[new, first + j] = (a[j] + a[j]) / (root - c)


@compiled
def _explicit(before, old, x, k, a, b, after, new, first):  # type: ignore[no-untyped-def]
    for j in range(a.size):
        y = before[old, first + j]
        after[new, first + j] = (y + a[j] / y) - b[j] * x[k, first + j]


@compiled
def _implicit_back(g, x, k, y, of, a, b, carry, by_x, to, first, sum_a, sum_b):  # type: ignore[no-untyped-def]
    """One step of a row backwards, in short loops: few arrays that LLVM must ask for overlaps."""
    for j in range(a.size):
        state = y[of, first + j]
        by_a = (g[k, first + j] + carry[j]) / (state * state + a[j]) * state
        carry[j] = by_a * state
        sum_a[j] += by_a
    for j in range(a.size):
        sum_b[j] -= carry[j] * x[k, first + j]
        by_x[to, first + j] = -b[j] * carry[j]


@compiled
def _explicit_back(g, x, k, y, of, a, b, carry, by_x, to, first, sum_a, sum_b):  # type: ignore[no-untyped-def]
    """As the implicit one; y is the state before the step here."""
    unit = y.dtype.type(1)
    for j in range(a.size):
        inverse = unit / y[of, first + j]
        total = g[k, first + j] + carry[j]
        carry[j] = (unit - a[j] * inverse * inverse) * total
        sum_a[j] += inverse * total
        sum_b[j] -= total * x[k, first + j]
        by_x[to, first + j] = -b[j] * total


def _forward_flat(x, y, a, b, start, is_implicit):  # type: ignore[no-untyped-def]
    steps, size = x.shape
    for first in range(0, size, _WIDE):
        last = min(first + _WIDE, size)
        row_a, row_b = np.empty(last - first, y.dtype), np.empty(last - first, y.dtype)
        _fill(row_a, a, 0, first)
        _fill(row_b, b, 0, first)
        before = start[first:last].copy().reshape(1, -1)
        for t in range(steps):
            if t and a.shape[0] > 1:
                _fill(row_a, a, t, first)
            if t and b.shape[0] > 1:
                _fill(row_b, b, t, first)
            source = x[t, first:last].reshape(1, -1)
            after = y[t, first:last].reshape(1, -1)
            if is_implicit:
                _implicit(before, 0, source, 0, row_a, row_b, after, 0, 0)
            else:
                _explicit(before, 0, source, 0, row_a, row_b, after, 0, 0)
            before = after


def _backward_flat(  # type: ignore[no-untyped-def]
    g, x, y, by_x, a, b, start, by_a, by_b, is_implicit, needs_x
):
    steps, size = x.shape
    carries = np.zeros(size, y.dtype)
    for first in range(0, size, _WIDE):
        last = min(first + _WIDE, size)
        row_a, row_b = np.empty(last - first, y.dtype), np.empty(last - first, y.dtype)
        sum_a, sum_b = np.zeros(last - first, y.dtype), np.zeros(last - first, y.dtype)
        _fill(row_a, a, 0, first)
        _fill(row_b, b, 0, first)
        carry = carries[first:last]
        for t in range(steps - 1, -1, -1):
            if a.shape[0] > 1:
                _fill(row_a, a, t, first)
            if b.shape[0] > 1:
                _fill(row_b, b, t, first)
            to = by_x[t if needs_x else 0, first:last].reshape(1, -1)
            source, grad = x[t, first:last].reshape(1, -1), g[t, first:last].reshape(1, -1)
            if is_implicit:
                at = y[t, first:last].reshape(1, -1)
                _implicit_back(grad, source, 0, at, 0, row_a, row_b, carry, to, 0, 0, sum_a, sum_b)
            else:
                at = (y[t - 1, first:last] if t else start[first:last]).reshape(1, -1)
                _explicit_back(grad, source, 0, at, 0, row_a, row_b, carry, to, 0, 0, sum_a, sum_b)
            if a.shape[0] > 1 or t % _FLUSH == 0:
                _add(by_a, sum_a, t if a.shape[0] > 1 else 0, first)
            if b.shape[0] > 1 or t % _FLUSH == 0:
                _add(by_b, sum_b, t if b.shape[0] > 1 else 0, first)
    return carries


@intrinsic
def _ahead(context, array, index):  # type: ignore[no-untyped-def]
    """Ask memory for an element that will be read or written soon."""
    signature = types.void(array, index)

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        kind, indices = signature.args
        view = context.make_array(kind)(context, builder, values[0])
        where = cgutils.unpack_tuple(builder, values[1], count=len(indices))
        pointer = cgutils.get_item_pointer(context, builder, kind, view, where, wraparound=False)
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
    columns, stride = source.shape[2], max(1, _LINE // source.itemsize)
    for j in range(size):
        n, p = (first + j) // columns, (first + j) % columns
        for k in range(0, steps, stride):
            _ahead(source, (t + k, n, p))  # type: ignore[call-arg]


@intrinsic
def _turn(context, sample, source, apart, target, turned_apart):  # type: ignore[no-untyped-def]
    """Transpose a square of `_VECTOR` bytes a side in registers.

    Rows begin at the address ``source`` and ``apart`` bytes from each other, and become columns at
    ``target``; ``sample`` is any number of the dtype.
    """
    signature = types.void(sample, source, apart, target, turned_apart)

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        size = _VECTOR // (signature.args[0].bitwidth // 8)
        vector = ir.VectorType(context.get_value_type(signature.args[0]), size)
        aligned = _VECTOR // size  # to single elements only

        def row(first, stride, k):  # type: ignore[no-untyped-def]
            offset = builder.mul(stride, ir.Constant(stride.type, k))
            return builder.inttoptr(builder.add(first, offset), vector.as_pointer())

        rows = [builder.load(row(values[1], values[2], k), align=aligned) for k in range(size)]
        far = size // 2
        while far:
            # blocks of far x far elements beside the diagonal change places
            upper = [k + size - far if k & far else k for k in range(size)]
            lower = [k + size if k & far else k + far for k in range(size)]
            many = ir.VectorType(ir.IntType(32), size)
            orders = ir.Constant(many, upper), ir.Constant(many, lower)
            for k in (k for k in range(size) if not k & far):
                pair = rows[k], rows[k + far]
                rows[k], rows[k + far] = (builder.shuffle_vector(*pair, o) for o in orders)
            far //= 2
        for k, values_of in enumerate(rows):
            builder.store(values_of, row(values[3], values[4], k), align=aligned)
        return context.get_dummy_value()

    return signature, generate


@compiled
def _apart(array, first, side):  # type: ignore[no-untyped-def]
    """Bytes between neighbours of ``side`` sequences (N, P) from ``first`` on; 0 if they differ."""
    columns = array.shape[2]
    row, column = array.strides[1], array.strides[2]
    if columns == 1:
        return row
    if first % columns + side <= columns or row == columns * column:
        return column
    return 0


@compiled
def _load(source, t, steps, first, size, tile):  # type: ignore[no-untyped-def]
    """Copy (T, N, P) from step t and sequence ``first`` on into a tile (steps, sequences)."""
    columns, side = source.shape[2], _VECTOR // source.itemsize
    lies = source.strides[0] == source.itemsize
    base, into = source.ctypes.data, tile.ctypes.data
    for j in range(0, size, side):
        apart, done = 0, 0
        if lies and j + side <= size:
            apart = _apart(source, first + j, side)
        if apart:
            n, p = (first + j) // columns, (first + j) % columns
            start = base + t * source.itemsize + n * source.strides[1] + p * source.strides[2]
            done = steps if steps >= side else 0
            for edge in range(0, done, side):
                k = min(edge, steps - side)  # the last square may overlap the one before
                to = into + k * tile.strides[0] + j * tile.itemsize
                _turn(tile[0, 0], start + k * source.itemsize, apart, to, tile.strides[0])  # type: ignore[call-arg]
        n, p = (first + j) // columns, (first + j) % columns
        for i in range(j, min(j + side, size) if done < steps else j):
            for k in range(done, steps):
                tile[k, i] = source[t + k, n, p]
            n, p = (n, p + 1) if p + 1 < columns else (n + 1, 0)


@compiled
def _store(tile, t, steps, first, size, target):  # type: ignore[no-untyped-def]
    """Copy a tile (steps, sequences) back into (T, N, P)."""
    columns, side = target.shape[2], _VECTOR // target.itemsize
    lies = target.strides[0] == target.itemsize
    base, whence = target.ctypes.data, tile.ctypes.data
    for j in range(0, size, side):
        apart, done = 0, 0
        if lies and j + side <= size:
            apart = _apart(target, first + j, side)
        if apart:
            n, p = (first + j) // columns, (first + j) % columns
            start = base + t * target.itemsize + n * target.strides[1] + p * target.strides[2]
            done = steps if steps >= side else 0
            for edge in range(0, done, side):
                k = min(edge, steps - side)
                at = whence + k * tile.strides[0] + j * tile.itemsize
                _turn(tile[0, 0], at, tile.strides[0], start + k * target.itemsize, apart)  # type: ignore[call-arg]
        n, p = (first + j) // columns, (first + j) % columns
        for i in range(j, min(j + side, size) if done < steps else j):
            for k in range(done, steps):
                target[t + k, n, p] = tile[k, i]
            n, p = (n, p + 1) if p + 1 < columns else (n + 1, 0)


def _forward_tiled(x, y, a, b, start, is_implicit):  # type: ignore[no-untyped-def]
    steps, rows, columns = x.shape
    wide = max(_TILE // min(_STEPS, steps) // _LINE, 1) * _LINE
    # rows that are a power of two long would share few lines of the first-level cache
    inputs = np.empty((min(_STEPS, steps), wide + _LINE // 4), y.dtype)
    states = np.empty((min(_STEPS, steps) + 1, wide + _LINE // 4), y.dtype)
    for first in range(0, rows * columns, wide):
        size = min(wide, rows * columns - first)
        row_a, row_b = np.empty(size, y.dtype), np.empty(size, y.dtype)
        _fill(row_a, a, 0, first)
        _fill(row_b, b, 0, first)
        _load(start, 0, 1, first, size, states)
        for t in range(0, steps, _STEPS):
            count = min(_STEPS, steps - t)
            _load(x, t, count, first, size, inputs)
            following = min(_STEPS, steps - t - count)
            _announce(x, t + count, following, first, size)
            _announce(y, t + count, following, first, size)
            for k in range(count):
                if a.shape[0] > 1:
                    _fill(row_a, a, t + k, first)
                if b.shape[0] > 1:
                    _fill(row_b, b, t + k, first)
                if is_implicit:
                    _implicit(states, k, inputs, k, row_a, row_b, states, k + 1, 0)
                else:
                    _explicit(states, k, inputs, k, row_a, row_b, states, k + 1, 0)
            _store(states[1:], t, count, first, size, y)
            states[0] = states[count]


def _backward_tiled(  # type: ignore[no-untyped-def]
    g, x, y, by_x, a, b, start, by_a, by_b, by_start, is_implicit, needs_x
):
    steps, rows, columns = x.shape
    wide = max(_TILE // min(_STEPS, steps) // _LINE, 1) * _LINE
    shape = (min(_STEPS, steps), wide + _LINE // 4)
    gradients, inputs = np.empty(shape, y.dtype), np.empty(shape, y.dtype)
    states = np.empty(shape, y.dtype)
    out = gradients if is_implicit else np.empty(shape, y.dtype)
    for first in range(0, rows * columns, wide):
        size = min(wide, rows * columns - first)
        row_a, row_b = np.empty(size, y.dtype), np.empty(size, y.dtype)
        sum_a, sum_b = np.zeros(size, y.dtype), np.zeros(size, y.dtype)
        carry = np.zeros(size, y.dtype)
        _fill(row_a, a, 0, first)
        _fill(row_b, b, 0, first)
        for t in range((steps - 1) // _STEPS * _STEPS, -1, -_STEPS):
            count = min(_STEPS, steps - t)
            _load(g, t, count, first, size, gradients)
            _load(x, t, count, first, size, inputs)
            if is_implicit:
                _load(y, t, count, first, size, states)
            elif t:
                _load(y, t - 1, count, first, size, states)
            else:
                _load(start, 0, 1, first, size, states)
                _load(y, 0, count - 1, first, size, states[1:])
            if t:
                _announce(g, t - _STEPS, _STEPS, first, size)
                _announce(x, t - _STEPS, _STEPS, first, size)
                _announce(y, t - _STEPS, _STEPS, first, size)
                if needs_x:
                    _announce(by_x, t - _STEPS, _STEPS, first, size)
            for k in range(count - 1, -1, -1):
                if a.shape[0] > 1:
                    _fill(row_a, a, t + k, first)
                if b.shape[0] > 1:
                    _fill(row_b, b, t + k, first)
                if is_implicit:
                    _implicit_back(gradients, inputs, k, states, k, row_a, row_b, carry, out, k, 0,
                                   sum_a, sum_b)  # fmt: skip
                else:
                    _explicit_back(gradients, inputs, k, states, k, row_a, row_b, carry, out, k, 0,
                                   sum_a, sum_b)  # fmt: skip
                if a.shape[0] > 1:
                    _add(by_a, sum_a, t + k, first)
                if b.shape[0] > 1:
                    _add(by_b, sum_b, t + k, first)
            if a.shape[0] == 1:
                _add(by_a, sum_a, 0, first)
            if b.shape[0] == 1:
                _add(by_b, sum_b, 0, first)
            if needs_x:
                _store(out, t, count, first, size, by_x)
        _store(carry.reshape(1, -1), 0, 1, first, size, by_start)


class _Kernels(NamedTuple):
    """The loops for one dtype."""

    forward_flat: Callable[..., None]
    forward_tiled: Callable[..., None]
    backward_flat: Callable[..., np.ndarray]
    backward_tiled: Callable[..., None]


@functools.cache
def _kernels(kind: str) -> _Kernels:
    """Compile, or read from Numba's cache, what computes in "float32" or "float64".

    One signature each, whatever the strides and whether arrays may be written to: without it every
    new combination would be compiled anew, for seconds.
    """
    real = getattr(types, kind)

    def array(ndim: int, layout: str = "A", changed: bool = False, of: Any = real) -> Any:
        array_type: Any = types.Array
        return array_type(of, ndim, layout, readonly=not changed)

    row, pair = array(1, "C"), (array(2), array(2))
    sums = (array(2, "A", True, types.float64),) * 2
    flat, flat_out = array(2, "C"), array(2, "C", True)
    deep, deep_out = array(3), array(3, "A", True)
    yes = types.boolean
    return _Kernels(
        compiled(_forward_flat, types.void(flat, flat_out, *pair, row, yes)),
        compiled(_forward_tiled, types.void(deep, deep_out, *pair, deep, yes)),
        compiled(
            _backward_flat,
            array(1, "C", True)(flat, flat, flat, flat_out, *pair, row, *sums, yes, yes),
        ),
        compiled(
            _backward_tiled,
            types.void(*(deep,) * 3, deep_out, *pair, deep, *sums, deep_out, yes, yes),
        ),
    )


def forward(
    x: np.ndarray,
    y: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    start: np.ndarray,
    integrator: str,
) -> None:
    """See `compact.kinetics.kernels_numpy.forward`; "implicit" and "explicit" only."""
    is_implicit = integrator == "implicit"
    coefficients = a[:, 0], b[:, 0]
    loops = _kernels("float32" if x.itemsize == 4 else "float64")
    flat = [_time_major(v) for v in (x, y)]
    if flat[0] is not None and flat[1] is not None:
        loops.forward_flat(flat[0], flat[1], *coefficients, start.reshape(-1), is_implicit)
    else:
        loops.forward_tiled(x, y, *coefficients, start[None], is_implicit)


def backward(
    gradient: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    start: np.ndarray,
    integrator: str,
    by_x: np.ndarray | None,
    by_a: np.ndarray,
    by_b: np.ndarray,
    by_start: np.ndarray,
) -> None:
    """See `compact.kinetics.kernels_numpy.backward`; "implicit" and "explicit" only."""
    if integrator == "implicit" and not (a > 0).all():  # rare, and needs the states before as well
        kernels_numpy.backward(gradient, x, y, a, b, start, integrator, by_x, by_a, by_b, by_start)
        return
    to = by_x if by_x is not None else np.empty((1, *x.shape[1:]), x.dtype)
    choice = (integrator == "implicit", by_x is not None)
    sums = by_a[:, 0], by_b[:, 0]
    loops = _kernels("float32" if x.itemsize == 4 else "float64")
    flat = [_time_major(v) for v in (gradient, x, y, to)]
    if all(v is not None for v in flat):
        by_start[...] = loops.backward_flat(
            *flat, a[:, 0], b[:, 0], start.reshape(-1), *sums, *choice
        ).reshape(by_start.shape)
    else:
        first = start[None], *sums, by_start[None]
        loops.backward_tiled(gradient, x, y, to, a[:, 0], b[:, 0], *first, *choice)


def _time_major(array: np.ndarray) -> np.ndarray | None:
    """(T, N, P) as (T, N P) where that is how it lies in memory."""
    return array.reshape(array.shape[0], -1) if array.flags.c_contiguous else None
