"""Other published laws of how a pulse changes a conductance, fitted to the same trains.

Each law gives the share phi of the window that is left after k pulses, phi(0) = 1, and the
conductance is linear in it: G = A + (B - A) phi. All are fitted by the same back-end with A and B
eliminated, from the best of a grid of starts. A new law is a function of the pulses and its
parameters that returns phi and its derivatives, and an entry of `LAWS`.

==============  ==============================  ==================================================
law             phi(k)                          from
==============  ==============================  ==================================================
linear          1 - k/n                         an ideal synapse: equal steps
soft bound      exp(-r k)                       NeuroSim: G = G_min + B (1 - exp(-P/A)) after P
                                                pulses up, G = G_max - B (1 - exp((P - P_max)/A))
                                                down (Chen, Peng, Yu, IEEE TCAD 37, 3067 (2018)),
                                                r = 1/A; the step is in proportion to what is left
power law       (1 + r k)^(-q)                  dphi/dk = -q r phi^(1 + 1/q): a soft bound with an
                                                exponent above 1 (Fusi and Abbott, Nat. Neurosci.
                                                10, 485 (2007))
sinh rate       (2/s) artanh(tanh(s/2)          dphi/dk = -(r/s) sinh(s phi), a hopping rate under
                exp(-r k))                      a drive that falls with the state; see below
alpha/beta      Eq. (4), implicit Euler         the article's equation, `compact.fit`
==============  ==============================  ==================================================

Sources are cited from memory and from open re-implementations, not from the papers. NeuroSim also
allows an A below zero, steps that grow; here r > 0, like all laws here phi bends one way. The sinh
rate is not JART VCM v1b (Bengel et al., IEEE TCAS-I 67, 4618 (2020)) but its shape: there ions hop
at a rate of exp(-W_min/kT) - exp(-W_max/kT), for moderate fields a sinh of the field, which falls
as the disc's resistance does; temperature, series resistance and limits of the disc are left out.

Up trains are mirrored (phi counts from the top), for alpha/beta too, so that all laws saturate.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from compact.fitting.least_squares import solve
from compact.fitting.model import TrainModel, eliminate, shared_sums, windows
from compact.fitting.trains import Trains, prepare, read_trains
from compact.kinetics.equations import march
from ddkbase.errors import InputError, closest
from ddkbase.records import label

__all__ = ["LAWS", "Law", "compare_laws", "laws_table"]

_GRID = 12  # starts along each parameter
_ERRORS = ("rmse", "cross_validated_rmse", "forecast_rmse")
#: pulses (n, 1), parameters (N, q) -> phi (n, N), derivatives (q, n, N)
Curve = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Law:
    """A law: its curve and, for n pulses, the lower and upper bounds of its parameters."""

    name: str
    curve: Curve
    bounds: Callable[[int], tuple[tuple[float, ...], tuple[float, ...]]]


def _linear(k: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    phi = np.broadcast_to(1 - k / k[-1], (len(k), len(theta)))
    return phi.copy(), np.zeros((0, *phi.shape))


def _soft_bound(k: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    exponent = np.exp(theta[:, 0]) * k
    phi = np.exp(-exponent)
    return phi, (-exponent * phi)[None]


def _power(k: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grown, q = np.exp(theta[:, 0]) * k, np.exp(theta[:, 1])
    phi = np.exp(-q * np.log1p(grown))
    return phi, np.stack([-q * grown / (1 + grown) * phi, -q * np.log1p(grown) * phi])


def _sinh(k: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    s = np.exp(theta[:, 1])
    exponent = np.exp(theta[:, 0]) * k
    # z = tanh(s/2) exp(-r k); 1 - z without the cancellation near k = 0
    decay, one_less = np.exp(-exponent), -np.expm1(-exponent)
    t, rest = np.tanh(s / 2), 2 / (np.exp(s) + 1)
    z, short = t * decay, rest * decay + one_less
    phi = (np.log1p(z) - np.log(short)) / s
    by_z = 2 / (s * short * (1 + z))
    by_s = by_z * 0.5 * rest * (1 + t) * decay - phi / s
    return phi, np.stack([-by_z * z * exponent, s * by_s])


def _alpha_beta(k: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    beta, share = np.exp(theta[:, 0]), theta[:, 1]
    x = np.ones((len(k) - 1, 1))
    y, (by_alpha, by_beta) = march("implicit", beta * share, beta, x, 1.0, derivatives="ab")
    return y, np.stack([beta * (by_alpha * share + by_beta), by_alpha * beta])


def _rates(n: int) -> tuple[float, float]:
    return float(np.log(0.01 / n)), float(np.log(10.0))


LAWS: dict[str, Law] = {
    "linear": Law("linear", _linear, lambda n: ((), ())),
    "soft bound": Law("soft bound", _soft_bound, lambda n: ((_rates(n)[0],), (_rates(n)[1],))),
    "power law": Law(
        "power law", _power, lambda n: ((_rates(n)[0], np.log(0.05)), (_rates(n)[1], np.log(20.0)))
    ),
    "sinh rate": Law(
        "sinh rate", _sinh, lambda n: ((_rates(n)[0], np.log(0.05)), (_rates(n)[1], np.log(60.0)))
    ),
    "alpha/beta": Law(
        "alpha/beta", _alpha_beta, lambda n: ((_rates(n)[0], 0.0), (_rates(n)[1], 1.0))
    ),
}


@dataclass(frozen=True)
class _LawModel:
    """Residuals of a law with A and B eliminated, for `compact.fitting.least_squares.solve`."""

    law: Law
    trains: Trains
    lower: np.ndarray
    upper: np.ndarray

    def __call__(self, theta: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = np.arange(len(self.trains.values), dtype=float)[:, None]
        with np.errstate(all="ignore"):
            phi, slopes = self.law.curve(k, theta)
        slopes = slopes.copy()
        _, _, residual = eliminate(
            phi, slopes, self.trains, index, self.lower[index], self.upper[index]
        )
        return residual, slopes


def compare_laws(
    conductance: Any,
    *,
    laws: Sequence[str] | None = None,
    direction: str | Sequence[str] | None = None,
    blocks: int = 10,
    normalised: bool | None = None,
) -> xr.Dataset:
    """Fit every law to every train, and predict what was held out.

    Cross-validation leaves out one of ``blocks`` stretches of neighbouring pulses at a time and
    predicts them; the state before the first pulse always stays. Noise that lasts fewer pulses than
    a stretch does not leak from the fit into the test. Noise that lasts longer does, and so does
    what comes later: all stretches but the last are interpolated. Neither happens to the forecast:
    each stretch of the second half is predicted from the pulses before it alone.

    Parameters
    ----------
    conductance : array_like, shape (trains, n) or (n,), S, or xarray.Dataset
        As in `compact.fit_many`.
    direction : str, sequence of str or None, optional
        As in `compact.fit_many`.
    normalised : bool or None, optional
        As in `compact.fit_many`.
    laws : sequence of str or None, optional
        Names in `LAWS`; all by default.
    blocks : int, default 10
        Number of blocks of the cross-validation, 2 or more, at most the number of pulses over 2.

    Returns
    -------
    xarray.Dataset
        Dataset on (train, law): rmse, cross_validated_rmse, forecast_rmse [span of the train], aic,
        bic (less their smallest of the train), parameters; and ``valid``, ``reason`` on train.

    Raises
    ------
    InputError
        An unknown law, too many blocks, data as in `compact.fit_many`.

    Notes
    -----
    AIC = n ln(R/n) + 2 K and BIC = n ln(R/n) + K ln n, with n reads, the sum of squares R, and K
    the ``parameters`` of the law, A and B among them, and one for the variance of the noise; the
    correction for few reads, 2 K (K + 1)/(n - K - 1), is 0.6 at a hundred and left out. Both take
    the residuals for independent and normal, which those of a law with the wrong shape are not:
    differences are then too large. The errors of cross-validation do not.
    """
    names = list(LAWS) if laws is None else list(laws)
    for name in names:
        if name not in LAWS:
            raise InputError(f"unknown law '{name}'", "laws", closest(name, LAWS))
    values, is_normalised, directions = read_trains(conductance, normalised)
    trains = prepare(
        values, is_normalised, None, direction if direction is not None else directions, True
    )
    usable = trains.usable
    shortest = int(trains.lengths[usable].min()) if usable.size else 0
    if usable.size and not 2 <= blocks <= shortest // 2:
        raise InputError(
            f"{blocks} blocks of {shortest} pulses", "blocks", f"Use 2 to {shortest // 2}"
        )
    number = trains.low.size
    shape = (number, len(names))
    columns = {key: np.full(shape, np.nan) for key in (*_ERRORS, "aic", "bic")}
    counts = np.array([len(LAWS[name].bounds(10)[0]) + 2 for name in names])
    if usable.size:
        falling = _falling(trains.part(usable))
        samples = falling.weights.sum(0)
        for k, name in enumerate(names):
            squares, _ = _fit_law(LAWS[name], falling)
            held = _held_out(LAWS[name], falling, range(blocks), blocks, False)
            late = _held_out(LAWS[name], falling, range(blocks // 2, blocks), blocks, True)
            likelihood = samples * np.log(np.maximum(squares, 1e-300) / samples)
            columns["rmse"][usable, k] = np.sqrt(squares / samples)
            columns["cross_validated_rmse"][usable, k] = held
            columns["forecast_rmse"][usable, k] = late
            columns["aic"][usable, k] = likelihood + 2 * (counts[k] + 1)
            columns["bic"][usable, k] = likelihood + np.log(samples) * (counts[k] + 1)
        for key in ("aic", "bic"):
            columns[key] -= columns[key].min(axis=1, keepdims=True)
    texts = {
        "rmse": "root mean square of the residuals, in spans of the train",
        "cross_validated_rmse": "root mean square error of blocks held out, in spans of the train",
        "forecast_rmse": "root mean square error of blocks foretold, in spans of the train",
        "aic": "Akaike's criterion less the smallest",
        "bic": "Bayesian criterion less the smallest",
    }
    data = {key: label(columns[key], ("train", "law"), "1", text) for key, text in texts.items()}
    data["parameters"] = label(counts, "law", "1", "number of parameters")
    data["valid"] = label(trains.reasons == "", "train", "1", "whether the train was fitted")
    data["reason"] = label(trains.reasons.astype(str), "train", "1", "why it was not")
    data["direction"] = label(
        np.where(trains.up, "up", "down"), "train", "1", "which way the conductance goes"
    )
    coords = {"law": label(np.array(names), "law", "1", "update law")}
    return xr.Dataset(data, coords, {"blocks": blocks})


def laws_table(ds: xr.Dataset) -> str:
    """Markdown table of ``ds`` of `compare_laws`: medians over the trains, the best law first."""
    valid = ds.isel(train=np.flatnonzero(ds["valid"].values))
    order = np.argsort(valid["cross_validated_rmse"].median("train").values)
    best = valid["cross_validated_rmse"].values.argmin(axis=1)
    rows = [
        "| law | parameters | RMSE, % of span | held-out RMSE, % | forecast RMSE, % | AIC | BIC | "
        "best on |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for k in order:
        law = valid.isel(law=int(k))
        medians = [float(law[key].median()) for key in (*_ERRORS, "aic", "bic")]
        rows.append(
            f"| {law['law'].item()} | {int(law['parameters'])} | {100 * medians[0]:.2f} | "
            f"{100 * medians[1]:.2f} | {100 * medians[2]:.2f} | {medians[3]:.0f} | "
            f"{medians[4]:.0f} | "
            f"{np.count_nonzero(best == k)} of {len(best)} |"
        )
    return "\n".join(rows)


def _falling(trains: Trains) -> Trains:
    """The trains with those that rise turned upside down."""
    values = np.where(trains.up, trains.weights * (1 - trains.values), trains.values)
    return replace(trains, values=values)


def _held_out(law: Law, trains: Trains, held: range, blocks: int, forecast: bool) -> np.ndarray:
    """Root mean square error, (N,), of blocks that the fit has not seen; with ``forecast`` it has
    not seen what comes after them either."""
    squares, count = np.zeros((2, trains.low.size))
    position = np.arange(len(trains.values))[:, None]
    for block in held:
        ends = 1 + (trains.lengths[None, :] * np.array([[block], [block + 1]])) // blocks
        tested = trains.weights * ((position >= ends[0]) & (position < ends[1]))
        hidden = trains.weights * (position >= ends[0]) if forecast else tested
        weights = trains.weights - hidden
        _, curve = _fit_law(law, replace(trains, values=trains.values * weights, weights=weights))
        squares += (tested * (curve - trains.values) ** 2).sum(0)
        count += tested.sum(0)
    return np.asarray(np.sqrt(squares / count))


def _fit_law(law: Law, trains: Trains) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squares (N,) and fitted curves (n, N) on the trains' scale."""
    number = trains.low.size
    full = TrainModel(trains, "implicit", -1)
    lower, upper = full.bounds("free", 10.0)
    # a zero of the conductance bounds A where the train falls; where it rises A is its top
    lower[trains.up, 2] = -10.0
    k = np.arange(len(trains.values), dtype=float)[:, None]
    low, high = (np.array(b, float) for b in law.bounds(len(k) - 1))
    axes = [np.linspace(a, b, _GRID + 2)[1:-1] for a, b in zip(low, high, strict=True)]
    grid = np.array(list(itertools.product(*axes)))
    with np.errstate(all="ignore"):
        y = law.curve(k, grid)[0]
    cost = windows(shared_sums(y, trains), lower, upper)[2]
    theta = grid[cost.argmin(axis=1)]
    index = np.arange(number)
    if low.size:
        model = _LawModel(law, trains, lower, upper)
        theta = solve(model, theta, low, high, steps=200).x
    with np.errstate(all="ignore"):
        phi, slopes = law.curve(k, theta)
    a, b, residual = eliminate(phi, slopes.copy(), trains, index, lower, upper)
    return (residual**2).sum(0), a + (b - a) * phi
