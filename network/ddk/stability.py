"""r = alpha dt/(beta x_max dt)^2: what becomes of state and gradients of the RESET form.

For the explicit step y+ = y + a/y - b x, 0 <= x <= x_max, a = alpha dt, b = beta dt,
r = a/(b x_max)^2, from any start y0 > 0:

* r > 1/4 if and only if y stays positive under every input, because y + a/y never falls below 2
  sqrt(a); * r >= 0.598 = 1/(2 - 1/sqrt(2))^2 and y0 >= sqrt(a/2) (a start of 1 does for a <= 2): y
  never falls below sqrt(a/2), where `|dy+/dy|` = `|1 - a/y^2|` is one, so gradients never grow.
  Where the pairs of a sequence differ from step to step, a small a may leave y where the next,
  larger one is steep: the lowest of 2 sqrt(a) - b x_max has to reach the root of half the largest
  a; * at constant x_max, y settles at a/(b x_max) without overshoot for r > 1, with damped
  oscillation for r > 1/2, and not at all below: cycles, then chaos.

The implicit and the exact step keep y positive and gradients from growing whatever r is, as long as
alpha > 0, in either form. There r only says how soon the input is forgotten: at the fixed point of
x_max the distance of two states shrinks by r/(1 + r) in an implicit step, by exp(-1/r) in an exact
one. The explicit SET form stays positive; its gradients do not grow from y0 >= sqrt(a/2) either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["CONTRACTIVE", "POSITIVE", "Stability", "report"]

#: r above which the explicit state stays positive
POSITIVE = 0.25
#: r from which explicit gradients never grow
CONTRACTIVE = float((2 - np.sqrt(0.5)) ** -2)


@dataclass(frozen=True)
class Stability:
    """A report on r.

    Attributes
    ----------
    r : ndarray
        alpha dt/(beta x_max dt)^2 of every pair, infinite where beta is zero.
    integrator, form : str
        Integrator and form of the layer.
    x_max : float
        Largest input, without a unit.
    positive : ndarray
        Whether every state stays positive, of every pair.
    contractive : ndarray
        Whether gradients never grow, of every pair (with the others of its sequence).
    words : str
        What it means, one line.
    """

    r: np.ndarray
    integrator: str
    form: str
    x_max: float
    positive: np.ndarray
    contractive: np.ndarray
    words: str

    def __str__(self) -> str:
        return self.words


def report(
    alpha: Any,
    beta: Any,
    *,
    x_max: float = 1.0,
    dt: float = 1.0,
    integrator: str = "implicit",
    form: str = "reset",
    initial: float = 1.0,
    axis: int | None = None,
) -> Stability:
    """What alpha and beta mean for stability.

    Parameters
    ----------
    alpha, beta : array_like
        Arrays of alpha and beta, which broadcast.
    x_max : float, default 1.0
        Largest input.
    dt : float, default 1.0
        Time of one sample.
    integrator : str, default "implicit"
        As for `network.ddk.forward`.
    form : str, default "reset"
        As for `network.ddk.forward`.
    initial : float, default 1.0
        State before the first sample.
    axis : int or None, optional
        Axis along which the pairs are those of successive steps of one sequence; None: each pair is
        that of all steps.
    """
    alpha, beta = np.broadcast_arrays(np.asarray(alpha, float), np.asarray(beta, float))
    with np.errstate(divide="ignore", invalid="ignore"):
        drift = (beta * x_max) ** 2 * dt
        r = np.where(drift == 0, np.where(alpha > 0, np.inf, np.sign(alpha)), alpha / drift)
    positive = r > POSITIVE if integrator == "explicit" and form == "reset" else alpha > 0
    contractive = positive
    if integrator == "explicit":
        drive = beta * x_max * dt if form == "reset" else 0.0
        contractive = positive & _never_steep(alpha * dt, drive, initial, axis)
    low, high = float(np.min(r, initial=np.inf)), float(np.max(r, initial=-np.inf))
    span = f"r = {low:.3g}" if r.size == 1 else f"r from {low:.3g} to {high:.3g}"
    text = f"{span} (alpha/(beta x_max)^2, x_max = {x_max:.3g}), {integrator} {form.upper()}: "
    text += _words(r, positive, contractive, integrator, form == "reset")
    return Stability(r, integrator, form, float(x_max), positive, contractive, text)


def _never_steep(
    a: np.ndarray, drive: np.ndarray | float, initial: float, axis: int | None
) -> np.ndarray:
    """Whether no explicit step starts below the root of a/2: `|1 - a/y^2|` <= 1 from there."""
    lowest = 2 * np.sqrt(np.maximum(a, 0)) - drive
    steepest, first = a, a
    if axis is not None and a.size:
        lowest = lowest.min(axis, keepdims=True)
        steepest, first = a.max(axis, keepdims=True), np.take(a, [0], axis)
    slack = 1 + 1e-12  # r may be the bound itself
    low = (lowest * slack >= np.sqrt(np.maximum(steepest, 0) / 2)) & (2 * initial**2 >= first)
    return np.broadcast_to(low, a.shape)


def _words(
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
    with np.errstate(divide="ignore"):
        kept = low / (1 + low) if integrator == "implicit" else np.exp(-np.divide(1, low))
    memory = f"at the largest input a step keeps {kept:.2g} of a difference of states"
    if not np.isfinite(low):
        memory = "the input does not act"
    return f"the state stays positive, gradients never grow; {memory}"


def _share(marked: np.ndarray) -> str:
    return f" ({int(marked.sum())} of {marked.size} pairs)" if marked.size > 1 else ""
