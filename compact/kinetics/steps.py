"""One step of Eqs. (3) and (4) by each integrator, with its derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from compact.kinetics.exact_step import exact_derivatives, exact_step

__all__ = ["INTEGRATORS", "Integrator"]

#: state, alpha dt, beta x dt (positive for RESET) -> next state; may write into `out`
Step = Callable[[np.ndarray, Any, Any, np.ndarray], None]
#: as above -> derivatives of the next state by state, alpha dt and beta x dt
Slopes = Callable[[np.ndarray, np.ndarray, Any, Any], tuple[Any, Any, Any]]


@dataclass(frozen=True)
class Integrator:
    """One step of the equation and its derivatives; see `compact.kinetics`."""

    name: str
    step: Step
    slopes: Slopes


def _explicit(y: np.ndarray, a: Any, b: Any, out: np.ndarray) -> None:
    np.divide(a, y, out=out)
    np.add(y, out, out=out)  # (y + a/y) - b: the order of the authors, to the last bit
    np.subtract(out, b, out=out)


def _explicit_slopes(y0: np.ndarray, y: np.ndarray, a: Any, b: Any) -> tuple[Any, Any, Any]:
    inverse = 1 / y0
    return 1 - a * inverse * inverse, inverse, -1.0


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


def _implicit_slopes(y0: np.ndarray, y: np.ndarray, a: Any, b: Any) -> tuple[Any, Any, Any]:
    # y (y - c) = a gives the root of c^2 + 4a as y + a/y, without a second square root
    by_a = y / (y * y + a)
    by_c = by_a * y
    return by_c, by_a, -by_c


def _exact(y: np.ndarray, a: Any, b: Any, out: np.ndarray) -> None:
    out[...] = exact_step(y, np.asarray(a), np.asarray(b))


def _exact_slopes(y0: np.ndarray, y: np.ndarray, a: Any, b: Any) -> tuple[Any, Any, Any]:
    return exact_derivatives(y0, y, np.asarray(a), np.asarray(b))


INTEGRATORS: dict[str, Integrator] = {
    "explicit": Integrator("explicit", _explicit, _explicit_slopes),
    "implicit": Integrator("implicit", _implicit, _implicit_slopes),
    "exact": Integrator("exact", _exact, _exact_slopes),
}
