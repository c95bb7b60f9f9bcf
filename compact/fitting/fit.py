"""Alpha and beta of pulse trains: the article's fit and a better one.

======================  ====================================  =====================================
what                    ``method="article"``                  ``method="better"``
======================  ====================================  =====================================
conductance             normalised to [0, 1]                  G_min and G_max are parameters
                                                              (or the train's, ``window="data"``)
integrator              explicit                              any, implicit by default
bounds of alpha, beta   0 and 1                               0 and ``limit``
start                   random, ``starts`` times (20)         best pair in each of ``starts`` (8)
                                                              groups of 256 drawn by ``seed``
method                  SciPy's trust-region-reflective,      `fitting.least_squares`, analytic
                        finite differences, one by one        Jacobian, all trains at once
loss                    squared                               squared, soft_l1, huber
======================  ====================================  =====================================

What the article's method cannot do: once normalised, a train that has settled ends at 0, but where
explicit Euler is stable its fixed point alpha/beta is not below beta/2. The optimum then lies
where explicit Euler begins to cycle, with chaos beyond (`compact.kinetics.stability`); R stays
large and depends on the start.

The window. Single fits, tables, the estimator and ``ddk-compact fit`` all fit it by default. Of
trains made with a known alpha and beta this gives both back, with errors that hold the truth as
often as they should, or it says that the train does not determine them. Stretched to 0 ... 1
(``window="data"``) the same trains give an alpha three to twenty times too small, and another
share of it at each beta: a flat alpha seems to rise fivefold while beta goes from 0.01 to 0.3. The
errors are small all the same, for they take two reads for the ends of the window. That window is
for comparisons with the article.

An up train is fitted by Eq. (3), y(0) = 0 at its start and y = 1 at its largest conductance, or
with ``mirror=True`` as the mirror image of a down train by Eq. (4): Eq. (3) has no saturation, and
explicit Euler cannot start at 0.

With ``method="article"`` the fit is as the article states it (Shi et al., "Curve fitting"). The
conductance is normalised to [0, 1]; Eq. (4) by explicit Euler with dt = 1 starts at y(0) = 1; alpha
and beta stay in [0, 1] and start at random there; the trust-region-reflective method minimises R,
the sum of squared residuals. The derivatives are finite differences, as is usual with that method
where none are given. SciPy's implementation is called once a train and start.

Beyond its edge of stability explicit Euler cycles, first between two states, then between more,
then chaos follows (`compact.kinetics.stability`), and R is as rough: on a train that falls fast,
most starts end in some local minimum there. So several starts are followed and the best that
converged is kept; with one start the result is a matter of luck.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import least_squares

from compact.fitting.batch import (
    ONE_PULSE,
    PLATEAU,
    STARTS,
    Fitted,
    Options,
    first_does_all,
    fit_batch,
    fit_pooled,
    on_plateau,
)
from compact.fitting.diagnostics import LINE, NOISE, SATURATES, diagnose, judged
from compact.fitting.least_squares import LOSSES
from compact.fitting.model import TrainModel
from compact.fitting.result import AlphaBetaFit, Columns, dataset
from compact.fitting.trains import Trains, prepare, read_trains
from compact.kinetics.equations import INTEGRATORS
from ddkbase.errors import InputError, closest, shorten

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "AlphaBetaFit",
    "authors_curve",
    "check_options",
    "fit",
    "fit_many",
    "refuse_explicit_set",
]


METHODS = ("article", "better")
WINDOWS = ("free", "data")
_ARTICLE_STARTS = 20
_LONGEST, _THINNED = 20_000, 1_000  # pulses of a train; reads that are left of a longer one


def fit(
    train: Any,
    *,
    method: str = "better",
    integrator: str | None = None,
    direction: str | None = None,
    x: Any = None,
    seed: int = 0,
    loss: str = "linear",
    starts: int | None = None,
    window: str = "free",
    limit: float = 10.0,
    mirror: bool = False,
    normalised: bool | None = None,
    skip_missing: bool = False,
) -> AlphaBetaFit:
    """Fit one train; the arguments are those of `fit_many`.

    Raises
    ------
    InputError
        As `fit_many`, and for a train that it would mark as not valid.
    """
    ds = fit_many(
        train,
        method=method,
        integrator=integrator,
        direction=direction,
        x=x,
        seed=seed,
        loss=loss,
        starts=starts,
        window=window,
        limit=limit,
        mirror=mirror,
        normalised=normalised,
        skip_missing=skip_missing,
    )
    if ds.sizes["train"] != 1:
        raise InputError(f"{ds.sizes['train']} trains given", "train", "Use fit_many")
    result = AlphaBetaFit.from_dataset(ds, 0)
    if not result.valid:
        raise InputError(f"the train cannot be fitted: {result.reason}", "train")
    return result


def fit_many(
    conductance: Any,
    *,
    method: str = "better",
    integrator: str | None = None,
    direction: str | Sequence[str] | None = None,
    x: Any = None,
    seed: int = 0,
    loss: str = "linear",
    starts: int | None = None,
    window: str = "free",
    limit: float = 10.0,
    mirror: bool = False,
    pooled: bool = False,
    normalised: bool | None = None,
    skip_missing: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> xr.Dataset:
    """Fit many trains at once.

    Parameters
    ----------
    conductance : array_like, shape (trains, n) or (n,), S, or xarray.Dataset
        First the conductance before the first pulse (or after it, if nothing was read before: it
        then takes its place), then after each pulse; NaN at the end of a row is padding. May be a
        DataArray, or a Dataset: a ``PulseTrace``, or (train, pulse) as `compact.read_pulses` gives
        it.
    method : {"better", "article"}, default "better"
        How the fit is done, see the module's table.
    integrator : {"explicit", "implicit", "exact"} or None, optional
        How the equation is integrated. None: explicit for the article's method, exact for trains of
        more than 20,000 pulses, else implicit. Of such long trains every m-th read enters the fit,
        attribute ``thinned``; alpha and beta are those of one pulse all the same, for the exact
        equation does not know how long its steps are.
    direction : {"down", "up"}, sequence of str or None, optional
        "down", "up", or one of them per train; None: what each train does.
    x : array_like or None, shape (n - 1,) or (trains, n - 1), optional
        Inputs of the pulses, 0 to 1; 1 by default.
    seed : int, default 0
        Seed of the starts.
    loss : {"linear", "soft_l1", "huber"}, default "linear"
        What a residual costs; the latter two forgive outliers.
    starts : int or None, optional
        How many starts are followed to their optimum; None: 8, of the article's method 20.
    window : {"free", "data"}, default "free"
        Whether G_min and G_max are fitted, too, or are the smallest and largest read ("data", as
        the article has it, and the only one of its method). Why "free": see the module's text.
    limit : float, default 10.0
        Upper bound of alpha and beta.
    mirror : bool, default False
        Fit up trains as mirror images of down trains.
    pooled : bool, default False
        One alpha and beta for all trains, which go the same way, G_min and G_max for each.
    normalised : bool or None, optional
        The conductance is a pure number that may be negative; by default if the data say so by
        ``units = "1"``.
    skip_missing : bool, default False
        NaN within a train is a read not made, not an error.
    progress : callable or None, optional
        Called with how many trains are fitted and how many there are, now and then: of the better
        method after each batch.

    Returns
    -------
    xarray.Dataset
        Dataset on ``train`` (and ``parameter``): see `compact.fitting.result.dataset`. A train that
        cannot be fitted has ``valid`` False and a ``reason``, and NaN elsewhere. One whose first
        pulse does over 99 % of the change is not valid either, nor is one whose fitted curve is
        that of any larger beta: it has a window and a curve, but no alpha and beta.

    Raises
    ------
    InputError
        An argument out of its range, data of the wrong shape or unit, or a pooled fit with a train
        that cannot be fitted.
    """
    starts = starts if starts is not None else (_ARTICLE_STARTS if method == "article" else STARTS)
    values, is_normalised, directions = read_trains(conductance, normalised)
    thinned = 1
    if integrator is None:
        integrator = "explicit" if method == "article" else "implicit"
        if method == "better" and x is None and values.shape[1] > _LONGEST:
            integrator, thinned = "exact", -(-values.shape[1] // _THINNED)
            values = values[:, ::thinned]
    options = Options(integrator, loss, window, starts, seed, limit)
    check_options(method, options)
    if method == "article" and (integrator != "explicit" or loss != "linear" or pooled):
        raise InputError(
            "the article's method knows explicit Euler, squared residuals and single trains only",
            "method",
            'Use method="better"',
        )
    trains = prepare(
        values, is_normalised, x, direction if direction is not None else directions, skip_missing
    )
    columns = Columns(trains, integrator)
    if pooled:
        _fit_pooled(trains, options, mirror, columns)
    else:
        _fit_each(trains, method, options, mirror, columns, progress)
    attrs = {
        "method": method,
        "integrator": integrator,
        "loss": loss,
        "window": "data" if method == "article" else window,
        "starts": starts,
        "seed": int(seed),
        "limit": 1.0 if method == "article" else float(limit),
        "pooled": int(pooled),
        "mirror": int(mirror),
        "normalised": int(is_normalised),
        "thinned": thinned,
    }
    columns.per_pulse(thinned)
    return dataset(columns, attrs)


def _fit_each(
    trains: Trains,
    method: str,
    options: Options,
    mirror: bool,
    columns: Columns,
    progress: Callable[[int, int], object] | None,
) -> None:
    usable, before = trains.usable, 0

    def passed_on(done: int, _: int) -> None:
        if progress is not None:
            progress(before + done, usable.size)

    for up in (False, True):
        index = usable[trains.up[usable] == up]
        if not index.size:
            continue
        group, sign = trains.part(index).oriented(up, mirror)
        refuse_explicit_set(options.integrator, sign)
        if method == "article":
            fits = fit_article(group, options.seed, options.starts)
        else:
            fits = fit_batch(group, sign, options, passed_on)
        before += index.size
        columns.put(index, group, fits, up and mirror)
        if method == "better" and options.loss == "linear":
            free = 2 if options.window == "data" else 4
            _judge(columns, index, judged(group.values, group.weights, fits.squares, free))
        if sign > 0:
            flat = fits.diagnosis.at_bound[:, 1] & (fits.theta[:, 1] < 1e-9)
            flat &= columns.reasons[index] == ""
            columns.notes[index[flat]] = SATURATES
        level = on_plateau(TrainModel(group, options.integrator, sign), fits.theta[:, :2])
        columns.strike_out(index[level], PLATEAU)
        at_once = first_does_all(group.values, group.weights)
        columns.strike_out(index[at_once], ONE_PULSE)


def _judge(columns: Columns, index: np.ndarray, verdicts: np.ndarray) -> None:
    """Strike out what is noise, and note what is no better than a straight line."""
    columns.strike_out(index[verdicts == NOISE], NOISE)
    columns.notes[index[verdicts == LINE]] = LINE


def _fit_pooled(trains: Trains, options: Options, mirror: bool, columns: Columns) -> None:
    bad = np.flatnonzero(trains.reasons != "")
    if bad.size:
        raise InputError(
            f"a train cannot be fitted: {trains.reasons[bad[0]]}", f"train {bad[0]}", "Leave it out"
        )
    if trains.up.any() and not trains.up.all():
        raise InputError("up and down trains cannot be pooled", "direction")
    if options.loss != "linear":
        raise InputError("a pooled fit uses squared residuals", "loss", "Use loss='linear'")
    up = bool(trains.up[0])
    group, sign = trains.oriented(up, mirror)
    refuse_explicit_set(options.integrator, sign)
    fits = fit_pooled(group, sign, options)
    everyone = np.arange(trains.low.size)
    columns.put(everyone, group, fits, up and mirror)
    level = on_plateau(TrainModel(group, options.integrator, sign), fits.theta[:, :2])
    if level.all():  # the trains share the pair
        columns.strike_out(everyone, PLATEAU)


def refuse_explicit_set(integrator: str, sign: int) -> None:
    """Raise InputError for Eq. (3) by explicit Euler."""
    if integrator == "explicit" and sign > 0:
        raise InputError(
            "explicit Euler cannot start Eq. (3) at y = 0, where alpha/y is infinite",
            "integrator",
            "Use implicit or exact, or mirror=True",
        )


def check_options(method: str, options: Options) -> None:
    """Raise InputError for an unknown method or an option out of its range."""
    for name, value, choices in (
        ("method", method, METHODS),
        ("integrator", options.integrator, tuple(INTEGRATORS)),
        ("loss", options.loss, LOSSES),
        ("window", options.window, WINDOWS),
    ):
        if value not in choices:
            raise InputError(f"unknown {name} {shorten(value)}", name, closest(str(value), choices))
    starts, limit, seed = options.starts, options.limit, options.seed
    if not (isinstance(starts, int | np.integer) and 1 <= starts <= 1000):
        raise InputError(f"{shorten(starts)} is no number of starts", "starts", "Use 1 to 1000")
    if not (np.isfinite(limit) and limit > 0):
        raise InputError(f"{shorten(limit)} is no upper bound", "limit", "Use a number above 0")
    if not (isinstance(seed, int | np.integer) and seed >= 0):
        raise InputError(f"{shorten(seed)} is no seed", "seed", "Use a whole number >= 0")


_CLIP = 1e3  # stands for states that explicit Euler sends to infinity


def authors_curve(alpha: float, beta: float, x: list[float]) -> list[float]:
    """The authors' recurrence, y[0] = 1 and then one state per input; ends early, filled with NaN,
    where a state is zero."""
    y = 1.0
    curve = [y]
    for value in x:
        if y == 0:
            return curve + [float("nan")] * (len(x) + 1 - len(curve))
        y = y + alpha / y - beta * value
        curve.append(y)
    return curve


def fit_article(trains: Trains, seed: int, starts: int) -> Fitted:
    """Fit falling (or mirrored) trains one by one; the best of ``starts`` random starts each."""
    number = trains.low.size
    theta = np.zeros((number, 4))
    theta[:, 3] = 1.0
    converged, steps = np.zeros(number, bool), np.zeros(number, int)
    for k in range(number):
        there = trains.weights[:, k] > 0
        data = trains.values[there, k]
        x = trains.x[:, k if trains.x.shape[1] > 1 else 0].tolist()

        def residual(
            pair: np.ndarray,
            data: np.ndarray = data,
            there: np.ndarray = there,
            x: list[float] = x,
        ) -> np.ndarray:
            curve = np.array(authors_curve(float(pair[0]), float(pair[1]), x))
            return np.clip(np.nan_to_num(curve, nan=_CLIP), -_CLIP, _CLIP)[there] - data

        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
        best = (False, -np.inf)
        for _ in range(starts):
            start = rng.uniform(size=2)
            end = least_squares(residual, start, bounds=([0, 0], [1, 1]), max_nfev=400)
            steps[k] += end.nfev
            done = end.status > 0  # the others got stuck where the curve is chaotic
            if (done, -end.cost) > best:
                best, theta[k, :2], converged[k] = (done, -end.cost), end.x, done
    model = TrainModel(trains, "explicit", -1)
    lower, upper = model.bounds("data", 1.0)
    with np.errstate(all="ignore"):
        residual_sum, jacobian = model(theta, np.arange(number))
        residual_sum = np.clip(np.nan_to_num(residual_sum, nan=_CLIP), -_CLIP, _CLIP)
        hessian = np.einsum("pmn,qmn->npq", jacobian, jacobian)
    hessian = np.where(np.isfinite(hessian), hessian, 0.0)
    squares = (residual_sum**2).sum(0)
    near = 1e-6  # the method stays strictly inside: this close is at the bound
    snapped = theta.copy()
    snapped[:, :2] = np.where(theta[:, :2] < near, 0, theta[:, :2])
    snapped[:, :2] = np.where(theta[:, :2] > 1 - near, 1, snapped[:, :2])
    diagnosis = diagnose(snapped, hessian, squares, trains.weights.sum(0), lower, upper)
    curve = residual_sum + trains.values
    return Fitted(theta, diagnosis, curve, residual_sum, squares, converged, steps)
