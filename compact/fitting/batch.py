"""The better fit: batches of trains by `compact.fitting.least_squares`, one by one or pooled.

The search for alpha and beta of a train goes in steps:

1. 256 pairs that spread over all curves a train can have are compared by their sums of squares, the
   window eliminated; the best of each of ``starts`` groups is followed (`model.screen`).
2. All starts of all trains advance in one batch of `least_squares.solve`, in two parameters
   (`model.ReducedModel`). The best end of each train counts; what has not converged goes on.
3. A search that has ended where beta does not matter any more looks below (`leave_plateau`).
4. A robust loss is minimised from there, in all four parameters: the window is eliminated for
   squared residuals only.
5. Errors and all else come from the Jacobian in all four parameters.

The plateau of step 3: two kinds of trains are faster than a fit can say.

* The first pulse does over 99 % of the change: any beta above 1 gives this curve.
* A falling state comes to its fixed point alpha/(beta x) within every pulse. With exact
  integration that is so from a beta of about 1.2 on, if the inputs are 1: the sum of squares is
  level there, and a search that has stepped onto this plateau stays, even where a smaller beta
  describes the train better. Eq. (3) has no fixed point, and explicit Euler does not stay at its
  own for large beta: neither has a plateau.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from compact.fitting.diagnostics import Diagnosis, diagnose
from compact.fitting.least_squares import Solution, rho, solve
from compact.fitting.model import ReducedModel, TrainModel, candidates, costs, eliminate, screen
from compact.fitting.trains import Trains

__all__ = [
    "ONE_PULSE",
    "PLATEAU",
    "STARTS",
    "Fitted",
    "Options",
    "first_does_all",
    "fit_batch",
    "fit_model",
    "fit_pooled",
    "leave_plateau",
    "noise_of",
    "on_plateau",
    "same_curve",
]


ONE_PULSE = "the first pulse does over 99 % of the change: beta is known from below only"
PLATEAU = "the fitted curve is that of any larger beta: beta is known from below only"
_FIRST = 0.99  # share of the whole change; what is left is no more than the noise of a read
_SLOWEST = 0.5  # beta x below which a train takes several pulses, for sure
_STARTS = (0.6, 0.75, 0.9)  # of the beta that falls from 1 to 0 in one pulse
_PLATEAU_STEPS = 60
_BETTER = 1e-9  # relative gain of the sum of squares that counts


def first_does_all(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Which trains end with their first pulse, so that any beta above 1 gives the same curve.

    Parameters
    ----------
    values, weights : ndarray
        As in `compact.fitting.trains.Trains`; the first row is the state before the first pulse.
        Where the read after the first pulse is missing, the next one counts.

    Returns
    -------
    ndarray, shape (N,)
        True where the first read is more than 99 % of the train's span away from the start.
    """
    there = weights[1:] > 0
    row = there.argmax(0)
    first = np.take_along_axis(values[1:], row[None], axis=0)[0]
    return np.asarray(there.any(0) & (np.abs(first - values[0]) > _FIRST))


def same_curve(curve: np.ndarray, faster: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Which fitted curves do not change if alpha and beta are doubled.

    Parameters
    ----------
    curve, faster : ndarray, shape (n, N)
        States with alpha and beta as fitted, and with both doubled.
    weights : ndarray, shape (n, N)
        Weights, 1 where there is a read; other rows do not count.

    Returns
    -------
    ndarray, shape (N,)
        True where the two differ by less than 1 % of the curve's own range.
    """
    there = weights > 0
    extent = np.where(there, curve, -np.inf).max(0) - np.where(there, curve, np.inf).min(0)
    apart = np.where(there, np.abs(faster - curve), 0.0).max(0)
    return np.asarray(apart < (1 - _FIRST) * extent)


def on_plateau(model: TrainModel, pairs: np.ndarray) -> np.ndarray:
    """Which trains (N,) of a model, with alpha and beta (N, 2), are on the plateau."""
    same = np.zeros(len(pairs), bool)
    if model.sign > 0 or model.integrator == "explicit":
        return same
    fast = np.flatnonzero(pairs[:, 1] > _SLOWEST * model.fastest.min(initial=np.inf))
    part, pairs = model.part(fast), pairs[fast]
    curve, faster = (part.states(*(k * pairs.T))[0] for k in (1, 2))
    same[fast] = same_curve(curve, faster, part.trains.weights)
    return same


def leave_plateau(reduced: ReducedModel, pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Look below the plateau for something better, where a search has ended on it.

    Parameters
    ----------
    reduced : ReducedModel
        The model that was searched, of falling trains if there is to be a plateau.
    pair : ndarray, shape (N, 2)
        Where the search ended: beta and alpha/beta.

    Returns
    -------
    index : ndarray, shape (N',)
        The trains with a better optimum.
    pair : ndarray, shape (N', 2)
        That optimum.
    """
    stuck = np.flatnonzero(
        on_plateau(reduced.full, np.stack([pair[:, 0] * pair[:, 1], pair[:, 0]], axis=1))
    )
    if not stuck.size:
        return stuck, pair[stuck]
    part = reduced.part(stuck)
    low, high = part.bounds()
    top = high.copy()
    # First with beta held where a pulse cannot take the state from 1 to 0, off the plateau, ...
    top[:, 0] = np.minimum(top[:, 0], part.full.fastest)
    number, starts = stuck.size, len(_STARTS)
    first = np.concatenate([np.stack([s * top[:, 0], pair[stuck, 1]], axis=1) for s in _STARTS])
    below = solve(
        lambda p, k: part(p, k % number),
        first,
        np.tile(low, (starts, 1)),
        np.tile(top, (starts, 1)),
        steps=_PLATEAU_STEPS,
    )
    best = below.cost.reshape(starts, number).argmin(0) * number + np.arange(number)
    # ... then free from there: an optimum counts only if it is one without that fence, too.
    last = solve(part, below.x[best], low, high, steps=_PLATEAU_STEPS)
    before = (part(pair[stuck], np.arange(number))[0] ** 2).sum(0)
    better = last.converged & (2 * last.cost < (1 - _BETTER) * before)
    return stuck[better], last.x[better]


STARTS = 8  # of two, up to nine of forty exact fits of steep trains miss the best optimum
_CHUNK = 400_000  # samples in a batch: large arrays leave the cache, small ones are all overhead
_CANDIDATES = 256
_CANDIDATES_OWN_INPUTS = 48  # when each train has inputs of its own and the curves are not shared
_STEPS, _POLISH = 40, 300
_HUBER = 1.345  # noises from which a residual is an outlier: 95 % efficiency if there are none


@dataclass(frozen=True)
class Options:
    """How a batch is fitted; see `compact.fit_many`."""

    integrator: str = "implicit"
    loss: str = "linear"
    window: str = "free"
    starts: int = STARTS
    seed: int = 0
    limit: float = 10.0


@dataclass(frozen=True)
class Fitted:
    """Parameters (N, 4) as in `compact.fitting.model`, their diagnosis, states (n, N), residuals
    (n, N), sum of squares, whether converged, steps."""

    theta: np.ndarray
    diagnosis: Diagnosis
    curve: np.ndarray
    residual: np.ndarray
    squares: np.ndarray
    converged: np.ndarray
    steps: np.ndarray


def noise_of(trains: Trains) -> np.ndarray:
    """Noise of each train on its scale, from the median step from read to read, (N,)."""
    read = trains.weights > 0
    row = np.arange(len(read))[:, None]
    last = np.maximum.accumulate(np.where(read, row, 0))[:-1]  # the read before, across any gap
    before = np.take_along_axis(trains.values, last, axis=0)
    steps = np.where(read[1:], np.abs(trains.values[1:] - before), np.nan)
    # 1.4826: from a median deviation to a standard one; sqrt(2): from a difference to one read
    return np.maximum(1.4826 / np.sqrt(2) * np.nanmedian(steps, axis=0), 1e-4)


def fit_batch(
    trains: Trains,
    sign: int,
    options: Options,
    progress: Callable[[int, int], object] | None = None,
) -> Fitted:
    """Fit each train by itself; ``progress`` is called with the fitted and with all trains."""
    number = trains.low.size
    size = max(1, _CHUNK // len(trains.values))
    model = TrainModel(trains, options.integrator, sign)
    chunks = []
    for k in range(0, number, size):
        last = min(k + size, number)
        chunks.append(fit_model(model.part(np.arange(k, last)), options))
        if progress is not None:
            progress(last, number)
    return chunks[0] if len(chunks) == 1 else _joined(chunks)


def fit_model(model: TrainModel, options: Options) -> Fitted:
    """Fit each train of a model, all in one batch."""
    lower, upper = model.bounds(options.window, options.limit)
    reduced = ReducedModel(model, lower, upper)
    search = _search(reduced, _starts(reduced, options))
    pair, converged, steps = search.x, search.converged, search.steps
    late = np.flatnonzero(~converged)
    if late.size:
        last = _solve_part(reduced, late, pair[late])
        pair[late], converged[late] = last.x, last.converged
        steps[late] += last.steps
    escaped, better = leave_plateau(reduced, pair)
    pair[escaped], converged[escaped] = better, True
    theta = reduced.expand(pair, np.arange(len(pair)))
    scale: float | np.ndarray = 1.0
    if options.loss != "linear":
        scale = _HUBER * noise_of(model.trains)
        robust = solve(model, theta, lower, upper, loss=options.loss, scale=scale, steps=_POLISH)
        theta, converged, steps = robust.x, robust.converged, steps + robust.steps
    residual, jacobian = model(theta, np.arange(len(theta)))
    samples = model.trains.weights.sum(0)
    squares = (residual**2).sum(0)
    effective = squares
    if options.loss != "linear":
        effective = _robust_squares(residual, model.trains.weights, options.loss, scale)
    hessian = np.einsum("pmn,qmn->npq", jacobian, jacobian)
    diagnosis = diagnose(theta, hessian, effective, samples, lower, upper)
    curve = residual + model.trains.values
    return Fitted(theta, diagnosis, curve, residual, squares, converged, steps)


def _starts(reduced: ReducedModel, options: Options) -> np.ndarray:
    """Where the search begins, (starts, N, 2)."""
    model = reduced.full
    shared = model.trains.x.shape[1] == 1
    count = max(_CANDIDATES if shared else _CANDIDATES_OWN_INPUTS, options.starts)
    rng = np.random.default_rng(options.seed)
    pairs = candidates(model.sign, model.pulses, count, rng)
    first = screen(model, pairs, reduced.lower, reduced.upper, options.starts)
    return np.stack([reduced.reduce(theta) for theta in first])


def _search(reduced: ReducedModel, first: np.ndarray) -> Solution:
    """The best end of each train, of all starts (starts, N, 2); the steps of all are counted."""
    starts, number = first.shape[:2]
    ends = solve(
        lambda pair, index: reduced(pair, index % number),
        np.concatenate(first),
        *(np.tile(bound, (starts, 1)) for bound in reduced.bounds()),
        steps=_STEPS,
    )
    best = ends.cost.reshape(starts, number).argmin(0) * number + np.arange(number)
    steps = ends.steps.reshape(starts, number).sum(0)
    return Solution(
        ends.x[best],
        ends.cost[best],
        ends.gradient[best],
        ends.hessian[best],
        ends.converged[best],
        steps,
    )


def _solve_part(reduced: ReducedModel, index: np.ndarray, pair: np.ndarray) -> Solution:
    """Go on from ``pair`` with the trains ``index`` alone."""
    part = reduced.part(index)
    return solve(part, pair, *part.bounds(), steps=_POLISH)


def _robust_squares(
    residual: np.ndarray, weights: np.ndarray, loss: str, scale: float | np.ndarray
) -> np.ndarray:
    """What stands for the sum of squares in the errors of a robust fit, (N,).

    The variance of an M-estimate (Huber 1981) is that of least squares with the noise replaced by
    mean psi^2 over the square of the mean psi', psi being the derivative of the loss.
    """
    square = (residual / scale) ** 2
    _, first, second = rho(square, loss)
    slope = ((first + 2 * second * square) * weights).sum(0) / weights.sum(0)
    return np.asarray(((residual * first) ** 2).sum(0) / np.maximum(slope, 1e-6) ** 2)


def _joined(chunks: list[Fitted]) -> Fitted:
    diagnosis = Diagnosis(
        *(
            np.concatenate([getattr(chunk.diagnosis, field.name) for chunk in chunks])
            for field in fields(Diagnosis)
        )
    )
    arrays = {
        field.name: np.concatenate(
            [getattr(chunk, field.name) for chunk in chunks],
            axis=-1 if field.name in ("curve", "residual") else 0,  # time-major: trains come last
        )
        for field in fields(Fitted)
        if field.name != "diagnosis"
    }
    return Fitted(diagnosis=diagnosis, **arrays)


@dataclass(frozen=True)
class _PooledModel:
    """One problem of alpha and beta for all trains of a model, their windows eliminated."""

    full: TrainModel
    lower: np.ndarray
    upper: np.ndarray

    def windows(self, pair: np.ndarray) -> tuple[np.ndarray, ...]:
        """A and B (N,), residuals (n, N) and the projected Jacobian (2, n, N) at a pair (2,)."""
        number = self.full.trains.low.size
        alpha, beta = np.full((2, number), pair[:, None])
        y, slopes = self.full.states(alpha, beta, derivatives="ab")
        jacobian = np.stack(slopes)
        everyone = np.arange(number)
        low, high, residual = eliminate(
            y, jacobian, self.full.trains, everyone, self.lower, self.upper
        )
        return low, high, residual, jacobian

    def __call__(self, pairs: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        _low, _high, residual, jacobian = self.windows(pairs[0])
        return residual.reshape(-1, 1), jacobian.reshape(2, -1, 1)


def fit_pooled(trains: Trains, sign: int, options: Options) -> Fitted:
    """One alpha and beta for all trains, G_min and G_max for each.

    The windows are linear parameters: they are eliminated (variable projection with Kaufman's
    Jacobian), so two parameters are left however many trains there are. Errors of the windows are
    not given.
    """
    model = TrainModel(trains, options.integrator, sign)
    lower, upper = model.bounds(options.window, options.limit)
    pooled = _PooledModel(model, lower, upper)
    rng = np.random.default_rng(options.seed)
    pairs = candidates(sign, model.pulses, max(_CANDIDATES // 4, options.starts), rng)
    total = costs(model, pairs, lower, upper)[2].sum(0)
    limits = np.zeros(2), np.full(2, options.limit)
    ends = [
        solve(pooled, pairs[k][None], *limits, steps=_POLISH)
        for k in np.argsort(total)[: options.starts]
    ]
    best = min(ends, key=lambda end: float(end.cost[0]))
    low, high, residual, _ = pooled.windows(best.x[0])
    squares = (residual**2).sum(0)
    number = trains.low.size
    theta = np.column_stack([np.tile(best.x, (number, 1)), low, high])
    inner = (low > lower[:, 2]) & (low < upper[:, 2])
    inner_high = (high > lower[:, 3]) & (high < upper[:, 3])
    samples = trains.weights.sum() - inner.sum() - inner_high.sum()
    pair = diagnose(best.x, best.hessian, squares.sum()[None], samples[None], *limits)
    return Fitted(
        theta,
        _of_pair(pair, number),
        residual + trains.values,
        residual,
        squares,
        np.repeat(best.converged, number),
        np.repeat(best.steps, number),
    )


def _of_pair(pair: Diagnosis, number: int) -> Diagnosis:
    """Diagnosis of alpha and beta as one of four parameters, the same for all trains."""

    def grown(array: np.ndarray, fill: float | bool) -> np.ndarray:
        out = np.full((number, *[4] * (array.ndim - 1)), fill)
        out[(slice(None), *[slice(0, 2)] * (array.ndim - 1))] = array
        return out

    return Diagnosis(
        grown(pair.covariance, np.nan),
        grown(pair.errors, np.nan),
        grown(pair.correlation, np.nan),
        np.repeat(pair.condition, number),
        grown(pair.at_bound, False),
        grown(pair.free, False),
        np.repeat(pair.notes, number),
    )
