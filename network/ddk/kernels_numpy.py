"""The recurrence of the DDK layer and its reverse sweep, in NumPy.

Arrays are seen as (time, rows, columns) = (T, N, P), whatever lies in memory. They are worked on in
time-major blocks that fit in cache, copied in and out once; within a block the loop over time does
only what must be done in sequence (implicit step: five operations forward, two backward), and all
else is done on the whole block at once.

Coefficients come as ``a`` = alpha dt and ``b`` = beta dt, b > 0 for RESET and < 0 for SET, each of
shape (T or 1, 1, P or 1). ``y[k]`` is the state after input k, ``start`` the state before the
first.
"""

from __future__ import annotations

import numpy as np

from compact.kinetics.equations import INTEGRATORS
from network.ddk.kernels_blocks import (
    DOUBLINGS,
    add_products,
    block_steps,
    blocks,
    part_of,
    rows_of,
)

__all__ = ["backward", "forward"]

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
        for rows, columns in blocks(x):
            state = np.ascontiguousarray(start[rows, columns])
            shape = state.shape
            length = block_steps(state.size, steps)
            run = _Forward(length, shape, x.dtype, integrator)
            state = state.ravel()
            for t in range(0, steps, length):
                time = slice(t, min(t + length, steps))
                part = (time, rows, columns)
                state = run(x[part], part_of(a, part), part_of(b, part), state, y[part])


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
        power = np.exp2(np.arange(length) % DOUBLINGS).astype(dtype)
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
        diffusion = rows_of(a, n, self.drift.shape[1:])
        if self.integrator == "explicit":
            self._explicit(diffusion, n, state)
        else:
            step = INTEGRATORS[self.integrator].step
            for k in range(n):
                step(state, diffusion[k], self.drift_rows[k], self.state_rows[k])
                state = self.state_rows[k]
        y[...] = self.states[:n]
        return self.state_rows[n - 1].copy()

    def _plain(self, x: np.ndarray, a: np.ndarray, b: np.ndarray) -> bool:
        """Whether (c + sqrt(c^2 + 4a))/2 loses nothing to cancellation, as c >= -beta x says."""
        if (b <= 0).all() and x.min() >= 0:
            return True
        largest = max(abs(float(x.max())), abs(float(x.min()))) * float(np.abs(b).max())
        return largest**2 <= _PLAIN * float(a.min())

    def _implicit(self, a: np.ndarray, n: int, state: np.ndarray) -> None:
        period = n if a.shape[0] > 1 else min(n, DOUBLINGS)
        scaled = rows_of(4 * a * np.square(self.power[:period]), n, self.drift.shape[1:])
        c, root = self.c, self.root
        add, multiply, sqrt, subtract = np.add, np.multiply, np.sqrt, np.subtract
        back = np.array(0.5**DOUBLINGS, root.dtype)
        for first in range(0, n, DOUBLINGS):
            part = slice(first, min(first + DOUBLINGS, n))
            if first:
                state = multiply(state, back)
            for drift, four_a, after in zip(
                self.drift_rows[part], scaled[part], self.state_rows[part], strict=True
            ):
                subtract(state, drift, c)
                multiply(c, c, root)
                add(root, four_a, root)
                sqrt(root, root)
                add(root, c, after)
                state = after

    def _explicit(self, diffusion: list[np.ndarray], n: int, state: np.ndarray) -> None:
        root = self.root
        add, divide, subtract = np.add, np.divide, np.subtract
        for drift, a, after in zip(
            self.drift_rows[:n], diffusion, self.state_rows[:n], strict=True
        ):
            divide(a, state, root)
            add(state, root, root)  # (y + a/y) - b: the order of the authors, to the last bit
            subtract(root, drift, after)
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
        for rows, columns in blocks(x):
            shape = by_start[rows, columns].shape
            length = block_steps(shape[0] * shape[1], steps)
            run = _Backward(length, shape, x.dtype, integrator)
            for t in range((steps - 1) // length * length, -1, -length):
                part = (slice(t, min(t + length, steps)), rows, columns)
                first = y[t - 1, rows, columns] if t else start[rows, columns]
                run(
                    gradient[part],
                    x[part],
                    first,
                    y[part],
                    part_of(a, part),
                    part_of(b, part),
                    None if by_x is None else by_x[part],
                    part_of(by_a, part),
                    part_of(by_b, part),
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
        by_b = self._slopes(inputs, first, y, a, b)
        self._sweep(rows[:n])
        after, before = self.by_after[:n], self.by_before[:n]
        # what multiplies -b x: the derivative by the drift of the step
        if self.integrator == "implicit":
            by_drift = before
        elif by_b is None:
            by_drift = after
        else:
            by_drift = np.multiply(by_b, after, out=by_b)
        add_products(sum_a, self.by_a[:n], after, 1)
        add_products(sum_b, by_drift, inputs, -1)
        if by_x is not None:
            np.multiply(by_drift, -b, out=by_x)

    def _slopes(
        self, x: np.ndarray, first: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
    ) -> np.ndarray | None:
        """Derivatives of a step by state and a, into scratch; minus that by b x where needed."""
        n = x.shape[0]
        states, slope, by_a = self.y[:n], self.slope[:n], self.by_a[:n]
        if self.integrator == "implicit":  # y (y - c) = a gives y/(y^2 + a), no square root
            if not (a > 0).all():
                self._slopes_of_none(x, first, y, a, b)
                return None
            states = y if y.flags.c_contiguous else states
            if states is not y:
                np.copyto(states, y)
            np.multiply(states, states, out=slope)
            np.add(slope, a, out=slope)
            np.divide(states, slope, out=by_a)
            np.multiply(by_a, states, out=slope)
            return None
        states[0], states[1:] = first, y[:-1]
        if self.integrator == "explicit":
            np.divide(1, states, out=by_a)
            np.multiply(by_a, by_a, out=slope)
            np.multiply(slope, a, out=slope)
            np.subtract(1, slope, out=slope)
            return None
        full = np.broadcast_to(a, x.shape).astype(np.float64)
        slopes = INTEGRATORS["exact"].slopes(
            states.astype(np.float64), y.astype(np.float64), full, np.multiply(b, x, dtype=float)
        )
        slope[...], by_a[...] = slopes[:2]
        return np.asarray(-slopes[2], x.dtype)

    def _slopes_of_none(
        self, x: np.ndarray, first: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
    ) -> None:
        """As `_slopes`, implicit, where some a is 0: then y may be 0 and y/(y^2 + a) says nothing.

        2 y - c = sqrt(c^2 + 4 a) takes its place; where that is 0 too, at the kink, so are both.
        """
        n = x.shape[0]
        states, slope, by_a = self.y[:n], self.slope[:n], self.by_a[:n]
        states[0], states[1:] = first, y[:-1]
        root = 2 * y - (states - b * x)
        by_a[...] = np.divide(1, root, out=np.zeros_like(root), where=root > 0)
        np.multiply(by_a, y, out=slope)

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
