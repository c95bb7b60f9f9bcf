"""What data determine of parameters: Fisher information, its directions, intervals, profiles.

Near the best fit the logarithm of the likelihood is a parabola whose curvature is J^T J, with J the
derivatives of the residuals by the logarithms of the parameters (Laplace's approximation). Its
eigenvectors are products of powers of the parameters: that of the largest eigenvalue is what the
data know best, that of the smallest what they hardly know. All errors are multiplied with what the
residuals say of the errors that were stated: the root of the reduced sum of squares, and for a
robust loss that of the variance of its estimator, mean psi^2 / (mean psi')^2 with psi half the
derivative of the loss by the residual (Huber, Robust Statistics, 1981, chapter 7). Residuals that
go together, where the model or its mesh is off in the same sense over many samples, tell less than
as many independent ones: the errors are multiplied with the root of their integrated
autocorrelation, too (Sokal, in Functional Integration, 1997, p. 131), as far as it is significant.

A valley may be bent, or there may be two, so ends of several searches are compared. They count as
one where Laplace's intervals of the best hold the other; of the rest those are told whose
likelihood is not much lower.

Laplace's interval is a parabola's; a profile follows what the model does. One parameter at a time
is moved away from its best value and held while the others are fitted anew, until the logarithm of
the likelihood has fallen by half the quantile of chi-squared of one degree of freedom. An end that
is not reached within the bounds is open (Raue et al., Bioinformatics 25, 1923, 2009).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import least_squares

from ddkbase.units import format_si

__all__ = [
    "LEVELS",
    "OPEN",
    "Information",
    "Profile",
    "Residuals",
    "alternative_texts",
    "alternatives",
    "direction_text",
    "information",
    "losses",
    "profile",
    "starts",
]


#: a product of powers of parameters that is known to no better than this share is open
OPEN = 0.25
#: autocorrelations of white noise scatter by one over the root of the samples: what counts as more
SIGNIFICANT = 2.0
#: exponents below this are left out of a direction
SMALL = 0.02


@dataclass(frozen=True)
class Information:
    """What data say of the logarithms of parameters.

    Attributes
    ----------
    covariance : ndarray
        Of the logarithms, prior included, shape (parameters, parameters).
    spread : ndarray
        Standard deviation of each direction by the data alone, falling, shape (parameters,);
        infinite where they say nothing.
    directions : ndarray
        Exponents of each direction, one a row, of unit length.
    inflation : float
        What the stated errors were multiplied with.
    dispersion : float
        What the cost is divided by to become a logarithm of likelihood that has this covariance.
    together : float, default 1
        How many neighbouring samples count as one, from the autocorrelation of the residuals; its
        root is in ``inflation``.
    """

    covariance: np.ndarray
    spread: np.ndarray
    directions: np.ndarray
    inflation: float
    dispersion: float
    together: float = 1.0

    @property
    def open_directions(self) -> np.ndarray:
        """Indices of the directions that the data leave open."""
        return np.flatnonzero(self.spread > OPEN)


def information(
    residual: np.ndarray,
    jacobian: np.ndarray,
    priors: Sequence[float | None],
    loss: str = "linear",
    sizes: Sequence[int] | None = None,
) -> Information:
    """What residuals at the best fit say of the parameters.

    Parameters
    ----------
    residual : ndarray
        In standard deviations, shape (samples,).
    jacobian : ndarray
        Derivatives by the logarithms of the parameters, shape (samples, parameters).
    priors : sequence of float or None
        Relative standard deviations known before.
    loss : {"linear", "soft_l1"}, default "linear"
        What was made small, as of `scipy.optimize.least_squares`.
    sizes : sequence of int or None, optional
        Samples of each data set, in order; by default there is one.
    """
    count = jacobian.shape[1]
    share = len(residual) / max(len(residual) - count, 1)
    root = np.sqrt(1.0 + residual**2) if loss == "soft_l1" else np.ones(len(residual))
    # samples far off, at a snap, bend a robust loss no more and are not to widen everything
    bend = float(np.mean(root**-3))  # mean psi'
    together = _together(np.split(residual / root, np.cumsum(sizes or [len(residual)])[:-1]))
    scatter = max(1.0, math.sqrt(share * np.mean((residual / root) ** 2)) / bend)
    inflation = scatter * math.sqrt(together)
    fisher = jacobian.T @ jacobian / inflation**2
    values, vectors = np.linalg.eigh(fisher)
    least = np.finfo(float).eps * max(float(values[-1]), 1e-300) * count
    with np.errstate(divide="ignore"):
        spread = np.where(values > least, 1.0 / np.sqrt(np.maximum(values, 1e-300)), np.inf)
    known = np.array([0.0 if p is None else 1.0 / np.log1p(p) ** 2 for p in priors])
    covariance = np.linalg.pinv(fisher + np.diag(known), rcond=1e-14, hermitian=True)
    # a direction of which nothing is known has no variance in a pseudo-inverse: it is infinite
    blind = vectors[:, ~(values > least)]
    covariance = covariance + (1e6 * blind @ blind.T if not known.any() else 0.0)
    return Information(covariance, spread, vectors.T, inflation, inflation**2 * bend, together)


def _together(parts: Sequence[np.ndarray]) -> float:
    """How many neighbouring residuals count as one: the mean over data sets, by their samples."""
    times = []
    for part in parts:
        size, time = len(part), 1.0
        whole = float(part @ part)
        for lag in range(1, size // 3 if whole > 0 else 0):
            share = float(part[lag:] @ part[:-lag]) / whole
            if share < SIGNIFICANT / math.sqrt(size):
                break
            time += 2.0 * share
        times.append(time)
    return float(np.average(times, weights=[len(part) for part in parts]))


def losses(residual: np.ndarray, loss: str) -> np.ndarray:
    """What each residual counts, twice its share of the cost of `scipy.optimize.least_squares`.

    Parameters
    ----------
    residual : ndarray
        In standard deviations, of any shape.
    loss : {"soft_l1", "linear"}
        As of `scipy.optimize.least_squares`.
    """
    squares = residual**2
    return 2 * (np.sqrt(1 + squares) - 1) if loss == "soft_l1" else squares


def direction_text(names: Sequence[str], exponents: np.ndarray) -> str:
    """A product of powers, the largest exponent first and positive, e.g. "D0 * Ea^0.05"."""
    exponents = exponents / exponents[np.argmax(np.abs(exponents))]
    order = np.argsort(-np.abs(exponents))
    parts = [
        names[k] if exponents[k] == 1.0 else f"{names[k]}^{exponents[k]:.2f}"
        for k in order
        if abs(exponents[k]) >= SMALL
    ]
    return " * ".join(parts)


def correlation(found: Information, names: Sequence[str]) -> xr.DataArray:
    """Correlation of the logarithms of the parameters [1]."""
    spread = np.sqrt(np.diag(found.covariance))
    return xr.DataArray(
        found.covariance / np.outer(spread, spread),
        dims=("parameter", "other"),
        coords={"parameter": list(names), "other": list(names)},
        attrs={"units": "1"},
    )


#: standard deviation of the logarithm of each parameter where a further search begins, and the
#: share of the way to a bound that it keeps
SCATTER, INSIDE = 0.2, 0.9
#: standard deviations of Laplace within which two ends are one, and by how much the logarithm of
#: the likelihood of another may be lower: 3 standard deviations
SAME, LOWER = 3.0, 4.5


def starts(bounds: tuple[np.ndarray, np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Where searches begin: the given cell, then cells drawn around it, always the same ones.

    Parameters
    ----------
    bounds : tuple of ndarray
        Least and largest logarithms over the values at the start, shape (parameters,).
    count : int
        How many.
    """
    low, high = bounds
    yield np.zeros(len(low))
    rng = np.random.default_rng(0)
    for _ in range(count - 1):
        yield np.clip(rng.normal(scale=SCATTER, size=len(low)), INSIDE * low, INSIDE * high)


def alternatives(
    best: np.ndarray,
    known: Information,
    ends: Sequence[tuple[float, np.ndarray]],
    start: np.ndarray,
    names: Sequence[str],
) -> xr.Dataset | None:
    """Other ends that fit about as well as the best.

    Parameters
    ----------
    best : ndarray
        Logarithms of the parameters over their values at the start, shape (parameters,).
    known : Information
        What the data say there.
    ends : sequence of tuple
        How much more each costs than the best, and its logarithms.
    start : ndarray
        Values of the parameters at the start.
    names : sequence of str
        Their names.

    Returns
    -------
    xarray.Dataset or None
        On ``optimum``, the likeliest first: ``loss``, by how much its log likelihood is lower [1],
        and ``value`` on (optimum, parameter); None if there is no other.
    """
    metric = np.linalg.pinv(known.covariance, hermitian=True)
    kept: list[tuple[float, np.ndarray]] = []
    for more, logs in sorted(ends, key=lambda end: end[0]):
        loss = more / known.dispersion
        apart = [logs - other for other in (best, *(one for _, one in kept))]
        near = min(float(way @ metric @ way) for way in apart) < SAME**2
        if loss < LOWER and not near:
            kept.append((loss, logs))
    if not kept:
        return None
    return xr.Dataset(
        {
            "loss": ("optimum", [loss for loss, _ in kept], {"units": "1"}),
            "value": (("optimum", "parameter"), [start * np.exp(logs) for _, logs in kept]),
        },
        coords={"parameter": list(names)},
    )


def alternative_texts(parameters: xr.Dataset, others: xr.Dataset | None) -> list[str]:
    """Each other cell in a line.

    Parameters
    ----------
    parameters : xarray.Dataset
        ``FitResult.parameters``.
    others : xarray.Dataset or None
        ``FitResult.alternatives``.
    """
    lines = []
    for k in range(0 if others is None else others.sizes["optimum"]):
        one = others.isel(optimum=k)  # type: ignore[union-attr]
        values = ", ".join(
            f"{name} {format_si(float(one['value'].sel(parameter=name)), str(unit), 4)}"
            for name, unit in zip(
                parameters["parameter"].values, parameters["unit"].values, strict=True
            )
        )
        lines.append(
            "another cell fits as well (log likelihood lower by "
            f"{float(one['loss']):.2g}): {values}"
        )
    return lines


#: signed roots of twice the loss of log likelihood at which the 68 and 95 % intervals end
LEVELS = {"68": 1.0, "95": 1.96}
#: first move, in standard deviations of Laplace, and the largest growth from move to move
FIRST, GROWTH = 1.0, 2.5
#: moves on one side, and solves with which the others are fitted anew at each
MOVES, ADAPTED = 8, 4
#: the last point may lie this much beyond the 95 % level
BEYOND = 1.15


@dataclass(frozen=True)
class Residuals:
    """What is made small, as functions of the logarithms of the parameters.

    Attributes
    ----------
    residual, jacobian : callable
        As `scipy.optimize.least_squares` asks for them.
    cost : callable
        What it makes small, robust loss included; NaN where the solver gives up.
    bounds : tuple of ndarray
        Least and largest logarithms.
    loss : str
        As of `scipy.optimize.least_squares`.
    """

    residual: Callable[[np.ndarray], np.ndarray]
    jacobian: Callable[[np.ndarray], np.ndarray]
    cost: Callable[[np.ndarray], float]
    bounds: tuple[np.ndarray, np.ndarray]
    loss: str


@dataclass(frozen=True)
class Profile:
    """The profile of one parameter.

    Attributes
    ----------
    logs : ndarray
        Logarithms of the parameter over its value at the start, rising, shape (points,).
    root : ndarray
        Signed root of twice the loss of the logarithm of the likelihood, shape (points,).
    """

    logs: np.ndarray
    root: np.ndarray

    def end(self, level: float) -> float:
        """Where the root passes a level (signed); NaN if it does not within the bounds."""
        order = np.argsort(self.root)
        if not self.root[order[0]] <= level <= self.root[order[-1]]:
            return float("nan")
        return float(np.interp(level, self.root[order], self.logs[order]))


def profile(
    problem: Residuals,
    best: np.ndarray,
    covariance: np.ndarray,
    dispersion: float,
    number: int,
) -> Profile:
    """Walk away from the best fit on both sides along one parameter.

    Parameters
    ----------
    problem : Residuals
        What is made small.
    best : ndarray
        Logarithms at the best fit, shape (parameters,).
    covariance : ndarray
        Laplace's, of the logarithms: it says how far to go and how the others follow.
    dispersion : float
        What the cost is divided by to become a logarithm of likelihood.
    number : int
        Which parameter.
    """
    least = problem.cost(best)
    low, high = problem.bounds
    deviation = float(np.sqrt(covariance[number, number]))
    deviation = min(deviation, 0.25 * float(high[number] - low[number]))
    ridge = covariance[number] / covariance[number, number]
    logs, roots = [float(best[number])], [0.0]
    for sign, edge in ((-1.0, low[number]), (1.0, high[number])):
        point, reached, move = best.copy(), 0.0, FIRST * deviation
        for _ in range(MOVES):
            target = point[number] + sign * move
            ended = sign * (target - edge) >= 0.0
            step = (edge if ended else target) - point[number]
            if step == 0.0:
                break
            point = _adapted(problem, np.clip(point + ridge * step, low, high), number)
            gained = 2.0 * (problem.cost(point) - least) / dispersion
            if not np.isfinite(gained):
                break
            before, reached = reached, float(np.sqrt(max(gained, 0.0)))
            logs.append(float(point[number]))
            roots.append(sign * reached)
            if reached >= LEVELS["95"] or ended:
                break
            # the next point is to lie just beyond the level
            slope = max((reached - before) / abs(step), 1e-12)
            wanted = (BEYOND * LEVELS["95"] - reached) / slope
            move = float(np.clip(wanted, 0.3 * abs(step), GROWTH * abs(step)))
    order = np.argsort(logs)
    return Profile(np.array(logs)[order], np.array(roots)[order])


def _adapted(problem: Residuals, point: np.ndarray, number: int) -> np.ndarray:
    """The point with the other parameters fitted anew."""
    others = np.arange(len(point)) != number
    if not others.any():
        return point

    def whole(free: np.ndarray) -> np.ndarray:
        full = point.copy()
        full[others] = free
        return full

    low, high = (bound[others] for bound in problem.bounds)
    found = least_squares(
        lambda free: problem.residual(whole(free)),
        np.clip(point[others], low, high),
        lambda free: problem.jacobian(whole(free))[:, others],
        bounds=(low, high),
        loss=problem.loss,
        x_scale="jac",
        ftol=1e-3,
        xtol=1e-3,
        max_nfev=ADAPTED,
    )
    return whole(found.x)
