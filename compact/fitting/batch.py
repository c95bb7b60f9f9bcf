"""The better fit: batches of trains by `compact.fitting.least_squares`, one by one or pooled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact.fitting.diagnostics import Diagnosis, diagnose
from compact.fitting.least_squares import rho, solve
from compact.fitting.model import TrainModel, candidates, costs, screen
from compact.fitting.plateau import leave_plateau
from compact.fitting.reduced import ReducedModel
from compact.fitting.trains import Trains
from compact.fitting.windows import projected
from compact.kinetics.equations import march

__all__ = ["Fitted", "Options", "fit_batch", "fit_pooled", "noise_of"]

_CHUNK = 400_000  # samples in a batch: large arrays leave the cache, small ones are all overhead
_CANDIDATES = 256
_CANDIDATES_OWN_INPUTS = 48  # when each train has inputs of its own and the curves are not shared
_STEPS, _POLISH = 40, 300


@dataclass(frozen=True)
class Options:
    """How a batch is fitted; see `compact.fit.fit_many`."""

    integrator: str = "implicit"
    loss: str = "linear"
    window: str = "free"
    starts: int = 2
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
    """Noise of each train on its scale, from the median step between neighbours, (N,)."""
    pairs = (trains.weights[1:] * trains.weights[:-1]) > 0
    steps = np.where(pairs, np.abs(np.diff(trains.values, axis=0)), np.nan)
    return np.maximum(1.4826 / np.sqrt(2) * np.nanmedian(steps, axis=0), 1e-4)


def fit_batch(trains: Trains, sign: int, options: Options) -> Fitted:
    """Fit each train by itself."""
    number = trains.low.size
    size = max(1, _CHUNK // len(trains.values))
    parts = [
        _fit_chunk(trains.part(np.arange(k, min(k + size, number))), sign, options)
        for k in range(0, number, size)
    ]
    return parts[0] if len(parts) == 1 else _joined(parts)


def _fit_chunk(trains: Trains, sign: int, options: Options) -> Fitted:
    model = TrainModel(trains, options.integrator, sign)
    lower, upper = model.bounds(options.window, options.limit)
    count = _CANDIDATES if trains.x.shape[1] == 1 else _CANDIDATES_OWN_INPUTS
    rng = np.random.default_rng(options.seed)
    pairs = candidates(sign, trains.x.shape[0], max(count, options.starts), rng)
    first = screen(model, pairs, lower, upper, options.starts)
    reduced = ReducedModel(model, lower, upper)
    limits = reduced.bounds()
    number = trains.low.size
    rows = np.arange(number)
    # all starts of all trains advance in one batch
    found = solve(
        lambda pair, index: reduced(pair, index % number),
        np.concatenate([reduced.reduce(start) for start in first]),
        *(np.tile(bound, (options.starts, 1)) for bound in limits),
        steps=_STEPS,
    )
    best = found.cost.reshape(-1, number).argmin(0) * number + rows
    pair, converged = found.x[best], found.converged[best]
    steps = found.steps.reshape(-1, number).sum(0)
    late = np.flatnonzero(~converged)
    if late.size:
        rest = ReducedModel(
            TrainModel(trains.part(late), options.integrator, sign), lower[late], upper[late]
        )
        last = solve(rest, pair[late], *(b[late] for b in limits), steps=_POLISH)
        pair[late], converged[late] = last.x, last.converged
        steps[late] += last.steps
    free, better = leave_plateau(model, lower, upper, pair)
    pair[free], converged[free] = better, True
    x = reduced.expand(pair, rows)
    scale: float | np.ndarray = 1.0
    if options.loss != "linear":
        scale = 1.345 * noise_of(trains)
        robust = solve(model, x, lower, upper, loss=options.loss, scale=scale, steps=_POLISH)
        x, converged, steps = robust.x, robust.converged, steps + robust.steps
    return _described(model, x, lower, upper, converged, steps, options.loss, scale)


def _described(
    model: TrainModel,
    x: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    converged: np.ndarray,
    steps: np.ndarray,
    loss: str,
    scale: float | np.ndarray,
) -> Fitted:
    residual, jacobian = model(x, np.arange(len(x)))
    squares = (residual**2).sum(0)
    hessian = np.einsum("pmn,qmn->npq", jacobian, jacobian)
    samples = model.trains.weights.sum(0)
    effective = squares
    if loss != "linear":
        # variance of an M-estimate (Huber 1981): mean psi^2 over the square of the mean psi'
        z = (residual / scale) ** 2
        _, first, second = rho(z, loss)
        slope = ((first + 2 * second * z) * model.trains.weights).sum(0) / samples
        effective = ((residual * first) ** 2).sum(0) / np.maximum(slope, 1e-6) ** 2
    diagnosis = diagnose(x, hessian, effective, samples, lower, upper)
    curve = residual + model.trains.values
    return Fitted(x, diagnosis, curve, residual, squares, converged, steps)


def _joined(parts: list[Fitted]) -> Fitted:
    diagnoses = [part.diagnosis for part in parts]
    diagnosis = Diagnosis(
        *(
            np.concatenate([getattr(d, name) for d in diagnoses])
            for name in Diagnosis.__dataclass_fields__
        )
    )
    rows = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=axis)
        for name, axis in (
            ("theta", 0),
            ("curve", 1),
            ("residual", 1),
            ("squares", 0),
            ("converged", 0),
            ("steps", 0),
        )
    }
    return Fitted(diagnosis=diagnosis, **rows)


def fit_pooled(trains: Trains, sign: int, options: Options) -> Fitted:
    """One alpha and beta for all trains, G_min and G_max for each.

    The windows are linear parameters: they are eliminated (variable projection with Kaufman's
    Jacobian), so two parameters are left however many trains there are. Errors of the windows are
    not given.
    """
    model = TrainModel(trains, options.integrator, sign)
    lower, upper = model.bounds(options.window, options.limit)
    number = trains.low.size
    weights, values = trains.weights, trains.values

    def windows(pair: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, np.ndarray]:
        y, slopes = march(
            options.integrator,
            np.full(number, pair[0]),
            np.full(number, pair[1]),
            trains.x,
            model.y0,
            sign=sign,
            derivatives="ab",
        )
        low, high, _ = projected(y, trains, lower, upper)
        return y, slopes, low[:, 0], high[:, 0]

    def pooled(theta: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y, slopes, low, high = windows(theta[0])
        residual = (low + (high - low) * y - values) * weights
        free_low = (low > lower[:, 2]) & (low < upper[:, 2])
        free_high = (high > lower[:, 3]) & (high < upper[:, 3])
        basis = np.stack([(1 - y) * weights * free_low, y * weights * free_high], axis=-1)
        basis = np.nan_to_num(basis.transpose(1, 0, 2))
        gram = np.einsum("nmi,nmj->nij", basis, basis)
        inverse = np.linalg.pinv(gram, rcond=1e-12, hermitian=True)
        columns = []
        for slope in slopes:
            column = ((high - low) * slope * weights).T
            share = np.einsum("nij,nmj,nm->ni", inverse, basis, column)
            columns.append((column - np.einsum("nmi,ni->nm", basis, share)).T.ravel())
        return residual.reshape(-1, 1), np.stack(columns)[:, :, None]

    rng = np.random.default_rng(options.seed)
    pairs = candidates(sign, trains.x.shape[0], max(_CANDIDATES // 4, options.starts), rng)
    total = costs(model, pairs, lower, upper)[2].sum(0)
    limits = np.zeros(2), np.full(2, options.limit)
    found = [
        solve(pooled, pairs[k][None], *limits, steps=_POLISH)
        for k in np.argsort(total)[: options.starts]
    ]
    best = min(found, key=lambda solution: solution.cost[0])
    y, _, low, high = windows(best.x[0])
    residual = (low + (high - low) * y - values) * weights
    squares = (residual**2).sum(0)
    theta = np.column_stack([np.tile(best.x, (number, 1)), low, high])
    inner = (low > lower[:, 2]) & (low < upper[:, 2])
    inner_high = (high > lower[:, 3]) & (high < upper[:, 3])
    samples = weights.sum() - inner.sum() - inner_high.sum()
    pair = diagnose(best.x, best.hessian, squares.sum()[None], samples[None], *limits)
    return Fitted(
        theta,
        _of_pair(pair, number),
        residual + values,
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
