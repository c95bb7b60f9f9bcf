"""The recurrence over many sequences and its reverse sweep, in NumPy.

Arrays are seen as (time, rows, columns) = (T, N, P), whatever lies in memory. They are worked on in
time-major blocks that fit in cache, copied in and out once; within a block the loop over time does
only what must be done in sequence (implicit step: five operations forward, two backward), and all
else is done on the whole block at once.

Coefficients come as ``a`` = alpha dt and ``b`` = beta dt, b > 0 for RESET and < 0 for SET, each of
shape (T or 1, 1, P or 1). ``y[k]`` is the state after input k, ``start`` the state before the
first.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compact.kinetics.steps import INTEGRATORS

__all__ = ["backward", "forward"]

_COLUMNS = 4096  # of a block: long rows make NumPy's cost of a call small
_ELEMENTS = 1 << 16  # of a block: five arrays of it stay in a second-level cache
_STEPS = 512  # of a block at most
_DOUBLINGS = 16  # 4^16 leaves a float32 ample range
#: (beta x)^2 up to this times alpha: the plain root loses at most two bits
_PLAIN = 4.0


def forward(
    x: np.ndarray,
    y: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    start: np.ndarray,
    integrator: str,
) -> None:
    """Write the states after each input into ``y``.

    Parameters
    ----------
    x, y : ndarray, shape (T, N, P)
        Inputs and states, of any strides.
    a, b : ndarray, shape (T or 1, 1, P or 1)
        Coefficients, of the dtype of x.
    start : ndarray, shape (N, P)
        States before the first input.
    """
    steps = x.shape[0]
    with np.errstate(all="ignore"):
        for rows, columns in _blocks(x):
            state = np.ascontiguousarray(start[rows, columns])
            shape = state.shape
            length = _block_steps(state.size, steps)
            run = _Forward(length, shape, x.dtype, integrator)
            state = state.ravel()
            for t in range(0, steps, length):
                block = (slice(t, min(t + length, steps)), rows, columns)
                state = run(x[block], _block_of(a, block), _block_of(b, block), state, y[block])


class _Forward:
    """Blocks of one shape, forward; holds the scratch arrays and views of their rows."""

    def __init__(
        self, length: int, shape: tuple[int, ...], dtype: np.dtype, integrator: str
    ) -> None:
        self.integrator = integrator
        self.drift = np.empty((length, *shape), dtype)
        self.states = np.empty((length, *shape), dtype)
        flat = (length, -1)
        self.drift_rows = list(self.drift.reshape(flat))
        self.state_rows = list(self.states.reshape(flat))
        self.c, self.root = (np.empty(self.drift_rows[0].size, dtype) for _ in range(2))
        # Each implicit step halves; counting the state in units that double each step saves that
        # multiplication, and powers of two round nothing.
        power = np.exp2(np.arange(length) % _DOUBLINGS).astype(dtype)
        self.power = power[:, None, None]
        self.unit = 0.5 / self.power

    def __call__(
        self, x: np.ndarray, a: np.ndarray, b: np.ndarray, state: np.ndarray, y: np.ndarray
    ) -> np.ndarray:
        n = x.shape[0]
        if self.integrator == "implicit" and self._plain(x, a, b):
            np.multiply(x, b * self.power[:n], out=self.drift[:n])
            self._implicit(a, n, state)
            last = self.state_rows[n - 1] * self.unit[n - 1, 0, 0]
            np.multiply(self.states[:n], self.unit[:n], out=y)
            return last
        np.multiply(x, b, out=self.drift[:n])
        diffusion = _rows_of(a, n, self.drift.shape[1:])
        step = INTEGRATORS[self.integrator].step
        for a_row, drift, after in zip(
            diffusion, self.drift_rows[:n], self.state_rows[:n], strict=True
        ):
            step(state, a_row, drift, after)
            state = after
        y[...] = self.states[:n]
        return self.state_rows[n - 1].copy()

    def _plain(self, x: np.ndarray, a: np.ndarray, b: np.ndarray) -> bool:
        """Whether (c + sqrt(c^2 + 4a))/2 loses nothing to cancellation, as c >= -beta x says."""
        if (b <= 0).all() and x.min() >= 0:
            return True
        largest = max(abs(float(x.max())), abs(float(x.min()))) * float(np.abs(b).max())
        return largest**2 <= _PLAIN * float(a.min())

    def _implicit(self, a: np.ndarray, n: int, state: np.ndarray) -> None:
        period = n if a.shape[0] > 1 else min(n, _DOUBLINGS)
        scaled = _rows_of(4 * a * np.square(self.power[:period]), n, self.drift.shape[1:])
        c, root = self.c, self.root
        add, multiply, sqrt, subtract = np.add, np.multiply, np.sqrt, np.subtract
        back = np.array(0.5**_DOUBLINGS, root.dtype)
        for first in range(0, n, _DOUBLINGS):
            rows = slice(first, min(first + _DOUBLINGS, n))
            if first:
                state = multiply(state, back)
            for drift, four_a, after in zip(
                self.drift_rows[rows], scaled[rows], self.state_rows[rows], strict=True
            ):
                subtract(state, drift, c)
                multiply(c, c, root)
                add(root, four_a, root)
                sqrt(root, root)
                add(root, c, after)
                state = after


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
    """The reverse sweep: derivatives of sum(gradient * y) by x, a, b and start.

    Parameters
    ----------
    gradient : ndarray, shape (T, N, P)
        Gradient of the loss by ``y``.
    x, y : ndarray, shape (T, N, P)
        Inputs and states as `forward` wrote them.
    a, b, start : ndarray
        As for `forward`.
    integrator : str
        As for `forward`.
    by_x : ndarray or None, shape (T, N, P)
        Derivative by ``x``, written into; None where it is not wanted.
    by_a, by_b : ndarray
        Derivatives by ``a`` and ``b``, which are added to; float64, of their shapes.
    by_start : ndarray, shape (N, P)
        Derivative by ``start``, written into.
    """
    steps = x.shape[0]
    with np.errstate(all="ignore"):
        for rows, columns in _blocks(x):
            shape = by_start[rows, columns].shape
            length = _block_steps(shape[0] * shape[1], steps)
            run = _Backward(length, shape, x.dtype, integrator)
            for t in range((steps - 1) // length * length, -1, -length):
                block = (slice(t, min(t + length, steps)), rows, columns)
                first = y[t - 1, rows, columns] if t else start[rows, columns]
                run(
                    gradient[block],
                    x[block],
                    first,
                    y[block],
                    _block_of(a, block),
                    _block_of(b, block),
                    None if by_x is None else by_x[block],
                    _block_of(by_a, block),
                    _block_of(by_b, block),
                )
            by_start[rows, columns] = run.carry.reshape(shape)


class _Backward:
    """Blocks of one shape, backward; ``carry`` is the derivative by the state before the block."""

    def __init__(
        self, length: int, shape: tuple[int, ...], dtype: np.dtype, integrator: str
    ) -> None:
        self.integrator = integrator
        self.y, self.by_after, self.by_before, self.slope, self.by_a, self.x = (
            np.empty((length, *shape), dtype) for _ in range(6)
        )
        flat = (length, -1)
        self.after_rows = list(self.by_after.reshape(flat))
        self.before_rows = list(self.by_before.reshape(flat))
        self.slope_rows = list(self.slope.reshape(flat))
        self.carry = np.zeros_like(self.after_rows[0])

    def __call__(
        self,
        gradient: np.ndarray,
        x: np.ndarray,
        first: np.ndarray,
        y: np.ndarray,
        a: np.ndarray,
        b: np.ndarray,
        by_x: np.ndarray | None,
        sum_a: np.ndarray,
        sum_b: np.ndarray,
    ) -> None:
        n = x.shape[0]
        inputs = x
        if not x.flags.c_contiguous:
            inputs = self.x[:n]
            inputs[...] = x
        rows = self.after_rows
        if gradient.flags.c_contiguous:
            rows = list(gradient.reshape(n, -1))
        else:
            np.copyto(self.by_after[:n], gradient)
        by_state, by_c = self._slopes(inputs, first, y, a, b)
        self._sweep(rows[:n])
        after, before = self.by_after[:n], self.by_before[:n]
        # What multiplies -b x is the derivative by the drift of the step. The sweep has the product
        # with the slope by the state already; in the explicit step drift acts with a slope of 1.
        if by_c is by_state:
            by_drift = before
        elif self.integrator == "explicit":
            by_drift = after
        else:
            by_drift = np.multiply(by_c, after, out=by_c)
        _add_products(sum_a, self.by_a[:n], after, 1)
        _add_products(sum_b, by_drift, inputs, -1)
        if by_x is not None:
            np.multiply(by_drift, -b, out=by_x)

    def _slopes(
        self, x: np.ndarray, first: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of each step: by a into scratch, by the state and by -b x returned."""
        n = x.shape[0]
        states, out = self.y[:n], (self.slope[:n], self.by_a[:n])
        integrator = INTEGRATORS[self.integrator]
        slopes = integrator.slopes_for(a)
        if self.integrator == "implicit" and slopes is integrator.slopes:
            # needs the states after the steps only, which spares moving them by one
            if not y.flags.c_contiguous:
                np.copyto(states, y)
                y = states
            by_state, _, by_c = slopes(y, y, a, 0.0, out)
            return by_state, by_c
        states[0], states[1:] = first, y[:-1]
        drift = 0.0 if self.integrator == "explicit" else b * x
        _, _, by_c = slopes(states, y, a, drift, out)
        return out[0], by_c if by_c is out[0] else np.asarray(by_c, x.dtype)

    def _sweep(self, gradients: list[np.ndarray]) -> None:
        n = len(gradients)
        add, multiply, carry = np.add, np.multiply, self.carry
        for gradient, after, slope, before in zip(
            reversed(gradients),
            reversed(self.after_rows[:n]),
            reversed(self.slope_rows[:n]),
            reversed(self.before_rows[:n]),
            strict=True,
        ):
            add(gradient, carry, after)
            multiply(slope, after, before)
            carry = before
        self.carry = carry.copy()


def _add_products(total: np.ndarray, left: np.ndarray, right: np.ndarray, sign: int) -> None:
    """Add sign * left * right, summed to the shape of ``total``."""
    n = left.shape[0]
    if total.size == 1:
        total += sign * float(np.dot(left.reshape(-1), right.reshape(-1)))
    elif total.shape[2] == 1:
        sums = np.einsum("tm,tm->t", left.reshape(n, -1), right.reshape(n, -1))
        total[:, 0, 0] += sign * sums
    elif total.shape[0] == 1:
        total[0, 0] += sign * np.einsum("tnp,tnp->p", left, right)
    else:
        total[:, 0] += sign * np.einsum("tnp,tnp->tp", left, right)


def _blocks(x: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Slices of rows and columns whose product is about `_COLUMNS`."""
    _, rows, columns = x.shape
    wide = min(columns, _COLUMNS)
    high = max(1, _COLUMNS // max(wide, 1))
    for row in range(0, rows, high):
        for column in range(0, columns, wide):
            yield slice(row, min(row + high, rows)), slice(column, min(column + wide, columns))


def _block_steps(size: int, steps: int) -> int:
    """Steps of a block whose rows have ``size`` elements, a multiple of the doublings."""
    fitting = max(_ELEMENTS // max(size, 1), _DOUBLINGS)
    return max(min(fitting // _DOUBLINGS * _DOUBLINGS, _STEPS, steps), 1)


def _block_of(coefficient: np.ndarray, block: tuple[slice, slice, slice]) -> np.ndarray:
    """What of an array (T or 1, 1, P or 1) belongs to a block, a view."""
    time = block[0] if coefficient.shape[0] > 1 else slice(None)
    columns = block[2] if coefficient.shape[2] > 1 else slice(None)
    return coefficient[time, :, columns]


def _rows_of(coefficient: np.ndarray, steps: int, shape: tuple[int, ...]) -> list[np.ndarray]:
    """One flat row a step, repeated in order where there are fewer; scalars for rows alike."""
    if coefficient.shape[2] == 1:
        rows = [np.array(v) for v in coefficient.ravel()]
    else:
        full = np.broadcast_to(coefficient, (coefficient.shape[0], *shape))
        rows = list(np.ascontiguousarray(full).reshape(coefficient.shape[0], -1))
    return (rows * -(-steps // len(rows)))[:steps]
