"""One step of Eqs. (3) and (4) by each integrator, with its derivatives: the one place of each.

`compact.kinetics.equations` marches by these steps; `compact.kinetics.kernels_numpy` sweeps blocks
of sequences by them, and has a faster form of the implicit step where nothing cancels;
`compact.kinetics.kernels_numba` writes them out as scalar loops, which tests hold against these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from compact.kinetics.exact import exact_derivatives, exact_step

__all__ = ["INTEGRATORS", "Integrator"]

#: state, alpha dt, beta x dt (positive for RESET) -> next state; may write into `out`
Step = Callable[[np.ndarray, Any, Any, np.ndarray], None]
#: where the derivatives by state and alpha dt may be written, or None
Out = tuple[np.ndarray | None, np.ndarray | None]
#: state, next state, alpha dt, beta x dt, out -> derivatives of the next state by state,
#: by alpha dt, and by -beta x dt
Slopes = Callable[[np.ndarray, np.ndarray, Any, Any, Out], tuple[Any, Any, Any]]


@dataclass(frozen=True)
class Integrator:
    """One step of the equation and its derivatives; see `compact.kinetics`.

    Attributes
    ----------
    name : str
        What it is called.
    step : callable
        State, alpha dt, beta x dt (positive for RESET) and an array for the next state.
    slopes : callable
        State, next state, alpha dt, beta x dt and two arrays to write into, or None each: the
        derivatives of the next state by state, alpha dt and -beta x dt.
    slopes_at_zero : callable or None
        The same where some alpha dt is 0, if `slopes` does not hold there.
    """

    name: str
    step: Step
    slopes: Slopes
    slopes_at_zero: Slopes | None = None

    def slopes_for(self, a: Any) -> Slopes:
        """`slopes`, or `slopes_at_zero` where these alpha dt need it."""
        if self.slopes_at_zero is None or (np.real(a) > 0).all():
            return self.slopes
        return self.slopes_at_zero


def _explicit(y: np.ndarray, a: Any, b: Any, out: np.ndarray) -> None:
    np.divide(a, y, out=out)
    np.add(y, out, out=out)  # (y + a/y) - b: the order of the authors, to the last bit
    np.subtract(out, b, out=out)


def _explicit_slopes(
    y0: np.ndarray, y: np.ndarray, a: Any, b: Any, out: Out = (None, None)
) -> tuple[Any, Any, Any]:
    by_a = np.divide(1, y0, out=out[1])
    by_state = np.multiply(by_a, a, out=out[0])
    np.multiply(by_state, by_a, out=by_state)
    np.subtract(1, by_state, out=by_state)
    return by_state, by_a, 1.0


def _implicit(y: np.ndarray, a: Any, b: Any, out: np.ndarray) -> None:
    c = y - b
    np.multiply(c, c, out=out)
    out += 4 * a
    np.sqrt(out, out=out)
    out += c
    out *= 0.5
    if not c.size or c.real.min() >= 0:
        return
    # c < 0: the sum above cancels; the other root of y (y - c) = a does not
    negative = c.real < 0
    c, a = c[negative], np.broadcast_to(a, out.shape)[negative]
    denominator = np.sqrt(c * c + 4 * a) - c
    out[negative] = 2 * a / denominator


def _implicit_slopes(
    y0: np.ndarray, y: np.ndarray, a: Any, b: Any, out: Out = (None, None)
) -> tuple[Any, Any, Any]:
    # y (y - c) = a gives the root of c^2 + 4a as y + a/y, without a second square root; what c
    # gains from the state and loses to beta x dt acts alike, so two of the three are one array
    by_state = np.multiply(y, y, out=out[0])
    np.add(by_state, a, out=by_state)
    by_a = np.divide(y, by_state, out=out[1])
    np.multiply(by_a, y, out=by_state)
    return by_state, by_a, by_state


def _implicit_slopes_at_zero(
    y0: np.ndarray, y: np.ndarray, a: Any, b: Any, out: Out = (None, None)
) -> tuple[Any, Any, Any]:
    # without diffusion y may be 0, and y/(y^2 + a) says nothing: 2 y - c = sqrt(c^2 + 4 a) takes
    # its place. Where that is 0 too, at the kink of max(c, 0), the slopes are those of 0.
    root = 2 * y - (y0 - b)
    by_a = np.zeros_like(root) if out[1] is None else out[1]
    by_a[...] = np.divide(1, root, out=np.zeros_like(root), where=root.real > 0)
    by_state = np.multiply(by_a, y, out=out[0])
    return by_state, by_a, by_state


def _exact(y: np.ndarray, a: Any, b: Any, out: np.ndarray) -> None:
    out[...] = exact_step(y, np.asarray(a), np.asarray(b))


def _exact_slopes(
    y0: np.ndarray, y: np.ndarray, a: Any, b: Any, out: Out = (None, None)
) -> tuple[Any, Any, Any]:
    # in double precision at least: the root for the integral of dt/y has no other
    wide = (np.asarray(v, np.result_type(v, np.float64)) for v in (y0, y, a, b))
    by_state, by_a, by_b = exact_derivatives(*wide)
    for array, given in ((by_state, out[0]), (by_a, out[1])):
        if given is not None:
            given[...] = array
    return by_state, by_a, -by_b


INTEGRATORS: dict[str, Integrator] = {
    "explicit": Integrator("explicit", _explicit, _explicit_slopes),
    "implicit": Integrator(
        "implicit", _implicit, _implicit_slopes, slopes_at_zero=_implicit_slopes_at_zero
    ),
    "exact": Integrator("exact", _exact, _exact_slopes),
}
