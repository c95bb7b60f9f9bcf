"""Bounded non-linear least squares for many problems at once.

Levenberg and Marquardt's method with a trust region scaled by the columns of the Jacobian (More
1978), bounds held by an active set and by projection, steps damped after Nielsen (1999). All
problems have the same number of parameters and samples and advance together, one call of the model
a step; those that have converged leave the batch. Each problem has its own damping and its own end,
so the result does not depend on which others are in the batch.

Steps come from the normal equations (``algebra="normal"``; fast, four parameters are four numbers)
or from a QR factorisation of the Jacobian (``"qr"``), which does not square its condition number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ddkbase.errors import InputError, closest, shorten

__all__ = ["LOSSES", "Solution", "rho", "solve"]

#: parameters (n, p) and which problems these are (n,) -> residuals (m, n), Jacobian (p, m, n)
Model = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

LOSSES = ("linear", "soft_l1", "huber")

_ACCEPT = 1e-4  # share of the predicted reduction from which a step is taken
_FLOOR, _CEILING = 1e-15, 1e20  # of the damping
_BARRIER = 1e150  # what a sum of squares that overflows counts as


@dataclass(frozen=True)
class Solution:
    """What `solve` found, n problems of p parameters.

    Attributes
    ----------
    x : ndarray, shape (n, p)
        Parameters.
    cost : ndarray, shape (n,)
        Half the sum of squares, or of the robust loss.
    gradient : ndarray, shape (n, p)
        Gradient of the cost.
    hessian : ndarray, shape (n, p, p)
        J^T J at the end, with the robust weights in it.
    converged : ndarray, shape (n,)
        Whether a tolerance was met before ``steps`` ran out.
    steps : ndarray, shape (n,)
        Model evaluations per problem.
    """

    x: np.ndarray
    cost: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    converged: np.ndarray
    steps: np.ndarray


def solve(
    model: Model,
    start: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    loss: str = "linear",
    scale: float | np.ndarray = 1.0,
    steps: int = 100,
    tolerance: float = 1e-9,
    algebra: str = "normal",
) -> Solution:
    """Minimise the sum of squares (or of a robust loss) of each problem within its bounds.

    Parameters
    ----------
    model : callable
        Residuals and Jacobian; see `Model`. Numbers that are not finite count as a bad step.
    start : ndarray, shape (n, p)
        First parameters; clipped to the bounds.
    lower, upper : ndarray, shape (n, p)
        Bounds that broadcast to; equal ones fix a parameter.
    loss : {"linear", "soft_l1", "huber"}, default "linear"
        Cost of the squared residual in units of the square of ``scale``.
    scale : float or ndarray, default 1.0
        Residual beyond which a robust loss counts less than squared; a number, or one for each of
        the n problems.
    steps : int, default 100
        Largest number of model evaluations.
    tolerance : float, default 1e-9
        Relative size of step, of reduction, and of the gradient's cosine to stop at.
    algebra : {"normal", "qr"}, default "normal"
        How the linear least squares are solved.

    Raises
    ------
    InputError
        An unknown loss or algebra, bounds that cross, a start with NaN.
    """
    start = np.atleast_2d(np.asarray(start, float))
    n, p = start.shape
    lower = np.broadcast_to(np.asarray(lower, float), (n, p))
    upper = np.broadcast_to(np.asarray(upper, float), (n, p))
    if algebra not in ("normal", "qr"):
        raise InputError(f"unknown algebra {shorten(algebra)}", "algebra", "Known: normal, qr")
    if not (lower <= upper).all():
        raise InputError("a lower bound exceeds its upper bound", "bounds")
    if not np.isfinite(start).all():
        raise InputError("the start holds NaN or infinity", "start")
    rho(np.zeros(1), loss)
    scales = np.broadcast_to(np.asarray(scale, float), (n,))

    x = np.clip(start, lower, upper)
    system = _system(model, x, np.arange(n), loss, scales, algebra)
    size = np.sqrt(np.maximum(_diagonal(system.hessian), 1e-300))
    damping, growth = np.full(n, 1e-3), np.full(n, 2.0)
    counts = np.ones(n, int)
    converged = _stationary(x, system, lower, upper, size, tolerance)
    active = np.flatnonzero(~converged)
    for _ in range(steps - 1):
        if not active.size:
            break
        here = system.part(active)
        low, high = lower[active], upper[active]
        step = _step(x[active], here, damping[active], size[active], low, high)
        trial = np.clip(x[active] + step, low, high)
        step = trial - x[active]
        predicted = -(here.gradient * step).sum(1) - 0.5 * _quadratic(here, step)
        there = _system(model, trial, active, loss, scales[active], algebra)
        counts[active] += 1
        gained = here.cost - there.cost
        ratio = np.where(predicted > 0, gained / np.where(predicted > 0, predicted, 1), -1.0)
        taken = (ratio > _ACCEPT) & (gained >= 0)

        lam, grow = damping[active], growth[active]
        factor = np.maximum(1 / 3, 1 - (2 * np.clip(ratio, 0, 1) - 1) ** 3)
        damping[active] = np.clip(np.where(taken, lam * factor, lam * grow), _FLOOR, _CEILING)
        growth[active] = np.where(taken, 2.0, 2 * grow)

        width = size[active]
        small_step = np.sqrt(((step * width) ** 2).sum(1)) <= tolerance * np.sqrt(
            ((x[active] * width) ** 2).sum(1)
        )
        flat = (np.abs(gained) <= tolerance * here.cost) & (predicted <= tolerance * here.cost)
        moved = active[taken]
        x[moved] = trial[taken]
        system.replace(moved, there, taken)
        size[moved] = np.maximum(size[moved], np.sqrt(_diagonal(system.hessian[moved])))
        still = _stationary(x[active], system.part(active), low, high, size[active], tolerance)
        # A rejected step says that the end is reached only if rounding alone made it fail. One that
        # the bounds have bent uphill (``predicted`` well below zero) is to be tried shorter.
        lost = np.abs(predicted) <= 1e-15 * here.cost
        done = still | small_step | (taken & flat) | (~taken & lost)
        converged[active] = done
        stuck = ~done & (damping[active] >= _CEILING)
        active = active[~(done | stuck)]
    return Solution(x, system.cost, system.gradient, system.hessian, converged, counts)


def rho(square: np.ndarray, loss: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A loss and its first two derivatives by ``square``, the squared scaled residual."""
    if loss == "linear":
        return square, np.ones_like(square), np.zeros_like(square)
    if loss == "soft_l1":
        root = np.sqrt(1 + square)
        return 2 * (root - 1), 1 / root, -0.5 / root**3
    if loss == "huber":
        inside = square <= 1
        root = np.sqrt(np.where(inside, 1, square))
        value = np.where(inside, square, 2 * root - 1)
        return value, 1 / root, np.where(inside, 0.0, -0.5 / root**3)
    raise InputError(f"unknown loss {shorten(loss)}", "loss", closest(str(loss), LOSSES))


@dataclass
class _Systems:
    """Cost, gradient and J^T J of problems; with QR the factor R and Q^T r beside it."""

    cost: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    factor: np.ndarray | None = None
    reduced: np.ndarray | None = None

    def part(self, index: np.ndarray) -> _Systems:
        fields = (self.cost, self.gradient, self.hessian, self.factor, self.reduced)
        return _Systems(*(None if f is None else f[index] for f in fields))  # type: ignore[arg-type]

    def replace(self, index: np.ndarray, other: _Systems, chosen: np.ndarray) -> None:
        for name in ("cost", "gradient", "hessian", "factor", "reduced"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is not None:
                mine[index] = theirs[chosen]


def _system(
    model: Model,
    x: np.ndarray,
    index: np.ndarray,
    loss: str,
    scale: np.ndarray,
    algebra: str,
) -> _Systems:
    with np.errstate(all="ignore"):
        residual, jacobian = model(x, index)
        if loss == "linear":
            cost = 0.5 * np.einsum("mn,mn->n", residual, residual)
        else:
            value, first, _ = rho((residual / scale) ** 2, loss)
            cost = 0.5 * scale**2 * value.sum(0)
            # Weights of iterated least squares. The curvature of the loss, negative for outliers,
            # is left out: with it J^T J is far too small far from the optimum, and steps too long.
            weight = np.sqrt(first)
            residual = residual * weight
            jacobian = jacobian * weight
        p, _, n = jacobian.shape
        gradient = np.empty((n, p))
        hessian = np.empty((n, p, p))
        for i in range(p):
            gradient[:, i] = np.einsum("mn,mn->n", jacobian[i], residual)
            for j in range(i + 1):
                hessian[:, i, j] = np.einsum("mn,mn->n", jacobian[i], jacobian[j])
                hessian[:, j, i] = hessian[:, i, j]
        bad = ~(np.isfinite(cost) & np.isfinite(hessian).all((1, 2)))
        bad |= ~np.isfinite(gradient).all(1)
    cost = np.where(bad, _BARRIER, cost)
    gradient[bad], hessian[bad] = 0, np.eye(p)
    if algebra == "normal":
        return _Systems(cost, gradient, hessian)
    columns = np.where(bad[:, None, None], 0, jacobian.transpose(2, 1, 0))
    q, r = np.linalg.qr(columns)
    reduced = np.einsum("nmp,mn->np", q, np.where(bad, 0, residual))
    return _Systems(cost, gradient, hessian, r, reduced)


def _step(
    x: np.ndarray,
    system: _Systems,
    damping: np.ndarray,
    size: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> np.ndarray:
    """Damped step within the bounds; parameters that reach a bound stay there, the others are
    solved for once more."""
    free = ~_held(x, system.gradient, lower, upper)
    step = np.zeros_like(x)
    for _ in range(x.shape[1]):
        step = np.where(free, _solve_free(system, damping, size, free, step), step)
        trial = x + step
        over = free & ((trial < lower) | (trial > upper))
        if not over.any():
            break
        step = np.where(over, np.clip(trial, lower, upper) - x, step)
        free = free & ~over
    return step


def _solve_free(
    system: _Systems,
    damping: np.ndarray,
    size: np.ndarray,
    free: np.ndarray,
    step: np.ndarray,
) -> np.ndarray:
    """Step in the free parameters, columns of unit length; the others move by ``step``."""
    fixed = np.where(free, 0, step)
    root = np.sqrt(damping)[:, None]
    identity = np.eye(free.shape[1])
    if system.factor is not None and system.reduced is not None:
        r = system.factor / size[:, None, :]
        right = system.reduced + np.einsum("nij,nj->ni", system.factor, fixed)
        r = np.where(free[:, None, :], r, 0)
        weights = np.where(free, root, 1.0)
        stacked = np.concatenate([r, identity * weights[:, None, :]], axis=1)
        q, upper = np.linalg.qr(stacked)
        target = np.einsum("nij,ni->nj", q[:, : free.shape[1]], -right)
        return np.where(free, np.linalg.solve(upper, target[..., None])[..., 0] / size, 0)
    gradient = system.gradient + np.einsum("nij,nj->ni", system.hessian, fixed)
    matrix = system.hessian / (size[:, :, None] * size[:, None, :])
    both = free[:, :, None] & free[:, None, :]
    matrix = np.where(both, matrix, 0) + identity * np.where(free, damping[:, None], 1.0)[:, None]
    target = np.where(free, -gradient / size, 0)
    try:
        solved = np.linalg.solve(matrix, target[..., None])[..., 0]
    except np.linalg.LinAlgError:  # one singular matrix fails the batch: a little more damping
        solved = np.linalg.solve(matrix + 1e-10 * identity, target[..., None])[..., 0]
    return np.where(free, solved / size, 0)


def _held(x: np.ndarray, gradient: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Parameters at a bound that the gradient pushes against it, and fixed ones."""
    outward = ((x <= lower) & (gradient > 0)) | ((x >= upper) & (gradient < 0))
    return outward | (lower == upper)


def _stationary(
    x: np.ndarray,
    system: _Systems,
    lower: np.ndarray,
    upper: np.ndarray,
    size: np.ndarray,
    tolerance: float,
) -> np.ndarray:
    """Whether the residual is orthogonal to all free columns of the Jacobian, within
    ``tolerance``, or nothing is left of it."""
    free = ~_held(x, system.gradient, lower, upper)
    cosine = np.where(free, np.abs(system.gradient) / size, 0).max(1)
    sound = system.cost < _BARRIER
    return sound & (cosine <= 0.1 * tolerance * np.sqrt(2 * system.cost))


def _quadratic(system: _Systems, step: np.ndarray) -> np.ndarray:
    if system.factor is not None:
        return (np.einsum("nij,nj->ni", system.factor, step) ** 2).sum(1)
    return np.einsum("ni,nij,nj->n", step, system.hessian, step)


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    return np.einsum("nii->ni", matrix)
