"""What alpha and beta mean for the states: whether they stay positive, settle, and forget.

All follows from one number, r = alpha dt/(beta x dt)^2, or its inverse c (see `compact.kinetics`
for what explicit Euler does at constant input as c grows).

For the explicit RESET step y+ = y + a/y - b x, 0 <= x <= x_max, a = alpha dt, b = beta dt, from any
start y0 > 0:

* r > 1/4 if and only if y stays positive under every input, because y + a/y never falls below
  2 sqrt(a);
* r >= 0.598 = 1/(2 - 1/sqrt(2))^2 and y0 >= sqrt(a/2) (a start of 1 does for a <= 2): y never falls
  below sqrt(a/2), where `|dy+/dy|` = `|1 - a/y^2|` is one, so gradients never grow. Where the pairs
  of a sequence differ from step to step, a small a may leave y where the next, larger one is steep:
  the lowest of 2 sqrt(a) - b x_max has to reach the root of half the largest a;
* at constant x_max, y settles at a/(b x_max) without overshoot for r > 1, with damped oscillation
  for r > 1/2, and not at all below: cycles, then chaos.

The implicit and the exact step keep y positive and gradients from growing whatever r is, as long as
alpha > 0, in either form. There r only says how soon the input is forgotten: at the fixed point of
x_max the distance of two states shrinks by r/(1 + r) in an implicit step, by exp(-1/r) in an exact
one. The explicit SET form stays positive; its gradients do not grow from y0 >= sqrt(a/2) either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["CONTRACTIVE", "POSITIVE", "Stability", "fixed_point", "stability"]

#: r above which the explicit state stays positive
POSITIVE = 0.25
#: r from which explicit gradients never grow
CONTRACTIVE = float((2 - np.sqrt(0.5)) ** -2)


@dataclass(frozen=True)
class Stability:
    """What steps of the equation do, pair by pair; arrays have the shape of alpha, beta and x.

    Attributes
    ----------
    r : ndarray
        alpha dt/(beta x dt)^2, infinite where beta x is zero.
    ratio : ndarray
        Its inverse c = (beta x)^2 dt/alpha.
    multiplier : ndarray
        Factor by which a small distance from the fixed point changes in a step at constant x: 1 - c
        explicit, 1/(1 + c) implicit, exp(-c) exact; NaN in SET, which has no fixed point.
    kind : ndarray of str
        "monotone", "oscillating" (c from 1 to 2) or "unstable" (cycles, then chaos; see the text of
        `compact.kinetics`). Only the explicit RESET step is ever not monotone.
    positive : ndarray of bool
        Whether every state stays positive, whatever the inputs from 0 to x.
    contractive : ndarray of bool
        Whether gradients never grow (with the other pairs of its sequence).
    integrator, form : str
        What was asked about.
    x_max : float
        Largest input, without a unit.
    description : str
        What it means, one line.
    """

    r: np.ndarray
    ratio: np.ndarray
    multiplier: np.ndarray
    kind: np.ndarray
    positive: np.ndarray
    contractive: np.ndarray
    integrator: str
    form: str
    x_max: float
    description: str

    def __str__(self) -> str:
        return self.description


def fixed_point(alpha: ArrayLike, beta: ArrayLike, x: ArrayLike = 1.0) -> np.ndarray:
    """The state alpha/(beta x) at which RESET ends, shape (...); infinite for beta x = 0."""
    drift = np.multiply(beta, x)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(drift == 0, np.inf, np.asarray(alpha) / drift))


def stability(
    alpha: ArrayLike,
    beta: ArrayLike,
    x: ArrayLike = 1.0,
    dt: float = 1.0,
    *,
    integrator: str = "explicit",
    form: str = "reset",
    initial: float = 1.0,
    axis: int | None = None,
) -> Stability:
    """What alpha and beta mean for the states under inputs up to ``x``.

    Parameters
    ----------
    alpha, beta : array_like
        Coefficients, which broadcast.
    x : array_like, default 1.0
        Largest input, or the constant one; broadcasts against them.
    dt : float, default 1.0
        Time of one sample.
    integrator : {"explicit", "implicit", "exact"}, default "explicit"
        How the equation is integrated.
    form : {"reset", "set"}, default "reset"
        Whether the drift lowers the state or raises it.
    initial : float, default 1.0
        State before the first sample.
    axis : int or None, optional
        Axis along which the pairs are those of successive steps of one sequence; None: each pair is
        that of all steps.
    """
    alpha, beta, x = np.broadcast_arrays(*(np.asarray(v, float) for v in (alpha, beta, x)))
    explicit_reset = integrator == "explicit" and form == "reset"
    drift = beta * x
    with np.errstate(divide="ignore", invalid="ignore"):
        square = drift**2 * dt
        r = np.where(square == 0, np.where(alpha > 0, np.inf, np.sign(alpha)), alpha / square)
        ratio = np.where(square == 0, 0.0, square / alpha)
    positive = r > POSITIVE if explicit_reset else alpha > 0
    contractive = positive
    if integrator == "explicit":
        drive = drift * dt if form == "reset" else np.zeros_like(drift)
        contractive = positive & _never_steep(alpha * dt, drive, initial, axis)
    kind = np.full(r.shape, "monotone", dtype="U11")
    if explicit_reset:
        kind = np.select([ratio < 1, ratio < 2], ["monotone", "oscillating"], "unstable")
    low, high = float(np.min(r, initial=np.inf)), float(np.max(r, initial=-np.inf))
    x_max = float(np.max(x, initial=-np.inf))
    span = f"r = {low:.3g}" if r.size == 1 else f"r from {low:.3g} to {high:.3g}"
    meaning = _meaning(r, positive, contractive, integrator, form == "reset")
    return Stability(
        r=r,
        ratio=ratio,
        multiplier=_multiplier(ratio, integrator) if form == "reset" else np.full(r.shape, np.nan),
        kind=kind,
        positive=positive,
        contractive=contractive,
        integrator=integrator,
        form=form,
        x_max=x_max,
        description=f"{span} (alpha/(beta x_max)^2, x_max = {x_max:.3g}), "
        f"{integrator} {form.upper()}: {meaning}",
    )


def _multiplier(ratio: Any, integrator: str) -> Any:
    """Slope of the step at the fixed point of RESET."""
    if integrator == "explicit":
        return 1 - ratio
    return 1 / (1 + ratio) if integrator == "implicit" else np.exp(-ratio)


def _never_steep(a: np.ndarray, drive: np.ndarray, initial: float, axis: int | None) -> np.ndarray:
    """Whether no explicit step starts below the root of a/2: `|1 - a/y^2|` <= 1 from there."""
    lowest = 2 * np.sqrt(np.maximum(a, 0)) - drive
    steepest, first = a, a
    if axis is not None and a.size:
        lowest = lowest.min(axis, keepdims=True)
        steepest, first = a.max(axis, keepdims=True), np.take(a, [0], axis)
    slack = 1 + 1e-12  # r may be the bound itself
    low = (lowest * slack >= np.sqrt(np.maximum(steepest, 0) / 2)) & (2 * initial**2 >= first)
    return np.broadcast_to(low, a.shape)


def _meaning(
    r: np.ndarray, positive: np.ndarray, contractive: np.ndarray, integrator: str, reset: bool
) -> str:
    if not positive.all():
        share = _share(~positive)
        if integrator == "explicit" and reset:
            return f"the state can turn negative and chaotic, gradients explode{share}"
        return f"alpha is not positive, the state can vanish{share}"
    if not contractive.all():
        return f"the state stays positive, gradients can grow{_share(~contractive)}"
    if not reset or integrator == "explicit":
        return "the state stays positive, gradients never grow"
    low = float(np.min(r, initial=np.inf))
    memory = "the input does not act"
    if np.isfinite(low):
        share = _multiplier(1 / low, integrator)
        memory = f"at the largest input a step keeps {share:.2g} of a difference of states"
    return f"the state stays positive, gradients never grow; {memory}"


def _share(marked: np.ndarray) -> str:
    return f" ({int(marked.sum())} of {marked.size} pairs)" if marked.size > 1 else ""
