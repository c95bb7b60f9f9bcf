"""What up and down trains say of a cell as a synapse: window, nonlinearity, steps, asymmetry.

Trains of one direction are averaged pulse by pulse, and two laws are fitted to each branch: the
exponential one, of which NeuroSim's nonlinearity is the label, and alpha and beta. What the data
do not determine is NaN here, and stands in ``notes``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compact.fitting.fit import fit_many
from compact.fitting.trains import read_trains
from compact.laws.pulse_steps import (
    LARGEST_LABEL,
    ExponentialSteps,
    KineticSteps,
    StepLaw,
    nonlinearity_label,
    saturation,
)
from ddkbase.errors import InputError
from ddkbase.units import format_si

__all__ = ["Branch", "Synapse", "fit_synapse"]

EXPONENTIAL, KINETIC = "exponential", "alpha/beta"
_LARGEST = 60.0  # curvature at which the first twentieth of the pulses does 95 % of the change
_FEWEST, _STEPS = 4, 12  # reads of a branch; those from which the scatter of steps is said
_LAGS = 10  # share of a train over which scatter that stays is told from noise that passes
_GRID = np.sinh(np.linspace(-np.arcsinh(_LARGEST), np.arcsinh(_LARGEST), 161))
_APART = 0.1  # of the window, by which ends of the branches may differ without a word
_BALANCED = 0.1  # mean asymmetry below which the branches are called balanced


@dataclass(frozen=True)
class Branch:
    """One direction of a cell, from trains of equal pulses.

    Attributes
    ----------
    direction : {"up", "down"}
        Which way the conductance goes.
    trains : int
        Number of trains that were averaged.
    pulses : int
        Number of pulses of the branch.
    start, end : float, S or 1
        Conductances before the first and after the last pulse, of the exponential law.
    curvature : float
        Pulses over NeuroSim's A.
    nonlinearity, nonlinearity_error : float
        NeuroSim's label, above 0 of up and below 0 of down trains that saturate, and its standard
        error; NaN where the train does not determine it.
    read, fitted : ndarray, shape (pulses + 1,), S or 1
        Mean conductance before the first and after each pulse, and the exponential law.
    rmse : dict of str to float
        Root mean square misfit of each law to ``read``, as a share of the branch.
    scatter, step_noise, read_noise : float, S or 1
        Deviation of single reads from the law; of one step from pulse to pulse, which stays; of one
        read, which passes within a tenth of the train. The last two are NaN of too few reads.
    kinetics : tuple of float
        Alpha, beta, G_min and G_max of the mean train, up trains mirrored; empty if not valid.
    notes : tuple of str
        What is not determined, and why.
    """

    direction: str
    trains: int
    pulses: int
    start: float
    end: float
    curvature: float
    nonlinearity: float
    nonlinearity_error: float
    read: np.ndarray
    fitted: np.ndarray
    rmse: dict[str, float]
    scatter: float
    step_noise: float
    read_noise: float
    kinetics: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Synapse:
    """Both branches of a cell.

    Attributes
    ----------
    up, down : Branch
        The branches.
    low, high : float, S or 1
        Ends of the window: the means of where one branch ends and the other begins.
    unit : {"S", "1"}
        Unit of the conductances; 1 if the file gives none.
    up_amplitude, down_amplitude, width : float, V and s
        Of the pulses; NaN if not known.
    notes : tuple of str
        What is not determined, and why.
    """

    up: Branch
    down: Branch
    low: float
    high: float
    unit: str
    up_amplitude: float = float("nan")
    down_amplitude: float = float("nan")
    width: float = float("nan")
    notes: tuple[str, ...] = field(default=())

    @property
    def span(self) -> float:
        """Width of the window [S, or 1]."""
        return self.high - self.low

    @property
    def on_off(self) -> float:
        """Ratio of the ends of the window; NaN without a unit, where zero is not known."""
        return self.high / self.low if self.unit == "S" and self.low > 0 else float("nan")

    @property
    def levels(self) -> tuple[int, int]:
        """Numbers of pulses from end to end, up and down, which NeuroSim counts as states."""
        return self.up.pulses, self.down.pulses

    @property
    def states(self) -> int:
        """States two deviations of a read about its law apart, at most one more than pulses."""
        scatter = max(self.up.scatter, self.down.scatter)
        most = min(self.levels) + 1
        if scatter == 0:
            return most
        # ten deviations are ten, whatever the last digit of the window
        return int(min(most, 1 + self.span / (2 * scatter) * (1 + 1e-9)))

    @property
    def cycle(self) -> tuple[float, float]:
        """Deviations of a step from pulse to pulse, up and down, as shares of the window."""
        return self.up.step_noise / self.span, self.down.step_noise / self.span

    def best_law(self) -> str:
        """The law with the smaller squared misfit over both branches."""
        total = {
            name: sum(b.rmse[name] ** 2 for b in (self.up, self.down))
            for name in (EXPONENTIAL, KINETIC)
            if all(name in b.rmse for b in (self.up, self.down))
        }
        return min(total, key=lambda name: total[name])

    def steps(self, law: str | None = None) -> tuple[StepLaw, StepLaw]:
        """How pulses move the cell up and down, within the window.

        Parameters
        ----------
        law : {"exponential", "alpha/beta"} or None, optional
            The law; None takes `best_law`.

        Raises
        ------
        InputError
            No such law, or one that does not fit both branches.
        """
        name = self.best_law() if law is None else law
        if name not in (EXPONENTIAL, KINETIC):
            raise InputError(f"there is no law '{name}'", "law", f"{EXPONENTIAL} or {KINETIC}")
        up, down = (_steps(b, self.low, self.high, name) for b in (self.up, self.down))
        return up, down

    def asymmetry(self, law: str | None = None) -> tuple[float, float]:
        """How far steps up and down differ, and where they are alike.

        Parameters
        ----------
        law : str or None, optional
            As for `steps`.

        Returns
        -------
        mean : float
            Size of the difference of both over their sum, averaged over the window: 0 (alike) to 1.
        balance : float
            Place in the window, from 0 to 1, at which both are alike; NaN if there is none.
        """
        up, down = self.steps(law)
        place = np.linspace(0.005, 0.995, 199)
        one = np.ones_like(place)
        rise = np.maximum(up.climb(place, one) - place, 0.0)
        fall = np.maximum(down.climb(1 - place, one) - (1 - place), 0.0)
        whole = rise + fall
        share = np.divide(rise - fall, whole, out=np.zeros_like(whole), where=whole > 0)
        turns = np.flatnonzero((share[:-1] > 0) & (share[1:] <= 0))
        balance = float(place[turns[0]]) if turns.size else float("nan")
        return float(np.abs(share).mean()), balance

    def asymmetry_text(self, law: str | None = None) -> str:
        """What the asymmetry is, in words; ``law`` as for `steps`."""
        mean, balance = self.asymmetry(law)
        text = f"{100 * mean:.0f} % on average"
        if mean < _BALANCED:
            return f"{text}: steps up and down are balanced"
        if np.isfinite(balance):
            where = f"{100 * balance:.0f} % of the window"
            return f"{text}: steps up are larger below {where}, steps down above it"
        return f"{text}: one direction has the larger steps all over the window"


def fit_synapse(trains: Any) -> Synapse:
    """Fit both branches of a cell.

    Parameters
    ----------
    trains : xarray.Dataset
        Dataset of `compact.read_pulses`. Trains that go neither way are left out and named.

    Returns
    -------
    Synapse
        Window, laws and spreads of both branches.

    Raises
    ------
    InputError
        There are no up or no down trains, too few pulses, trains that do not go where they are said
        to, or branches without a common window.
    """
    where = str(trains.attrs.get("source_file", "trains"))
    values, plain, ways = read_trains(trains, None)
    directions = np.array(ways if ways is not None else [])
    unit = "1" if plain else "S"
    found = [d for d in ("up", "down") if (directions == d).any()]
    if len(found) < 2:
        missing = "up" if "up" not in found else "down"
        there = f"only {found[0]} trains" if found else "no train that goes up or down"
        raise InputError(
            f"holds {there}: the {missing} branch is missing",
            where,
            "Training needs both: give a file with up and down trains, or both files",
        )
    up, down = (_branch(values[directions == d], d, unit, where) for d in ("up", "down"))
    low, high = (up.start + down.end) / 2, (up.end + down.start) / 2
    if not high > low or up.end <= low or down.start <= low:
        raise InputError(
            f"up goes from {_text(up.start, unit)} to {_text(up.end, unit)}, down from "
            f"{_text(down.start, unit)} to {_text(down.end, unit)}: no common window",
            where,
            "Give branches of the same cell over the same range",
        )
    notes = _window_notes(up, down, low, high, unit)
    neither = int((~np.isin(directions, ("up", "down"))).sum())
    if neither:
        notes.append(f"{neither} trains go neither up nor down: left out")
    settings = _settings(trains, directions)
    return Synapse(up, down, low, high, unit, *settings, tuple(notes))


def _text(value: float, unit: str) -> str:
    return format_si(value, unit, 3)


def _window_notes(up: Branch, down: Branch, low: float, high: float, unit: str) -> list[str]:
    notes = []
    for b, ends in ((up, (up.start, up.end)), (down, (down.end, down.start))):
        shares = [(g - low) / (high - low) for g in ends]
        if max(abs(shares[0]), abs(shares[1] - 1)) > _APART:
            notes.append(
                f"the {b.direction} branch covers {100 * shares[0]:.0f} to "
                f"{100 * shares[1]:.0f} % of the window: the branches have not the same ends"
            )
    if unit == "1":
        notes.append("on/off ratio: not determined, the values have no unit and no known zero")
    elif low <= 0:
        notes.append("on/off ratio: not determined, the low end is not above zero")
    return notes


def _settings(trains: Any, directions: np.ndarray) -> tuple[float, float, float]:
    """Amplitudes of up and down pulses and the width, NaN where unknown or not the same."""

    def single(name: str, use: np.ndarray) -> float:
        if name not in trains:
            return float("nan")
        values = np.asarray(trains[name].values, float)[use]
        values = values[np.isfinite(values)]
        alike = values.size and np.ptp(values) <= 1e-9 * np.abs(values).max()
        return float(values[0]) if alike else float("nan")

    return (
        single("amplitude", directions == "up"),
        single("amplitude", directions == "down"),
        single("width", np.isin(directions, ("up", "down"))),
    )


def _branch(values: np.ndarray, direction: str, unit: str, where: str) -> Branch:
    """A branch from trains (N, n), NaN behind their ends, the first read before the first pulse."""
    lengths = np.array([np.flatnonzero(np.isfinite(v)).max(initial=0) for v in values])
    pulses = int(np.median(lengths))
    values = values[:, : pulses + 1]
    number = np.isfinite(values).sum(axis=0)
    if np.count_nonzero(number) <= _FEWEST:
        raise InputError(
            f"{direction} trains of {pulses} pulses with {np.count_nonzero(number)} reads",
            where,
            f"Give more than {_FEWEST} reads a train",
        )
    read = np.where(number > 0, np.nansum(values, axis=0) / np.maximum(number, 1), np.nan)
    curvature, start, end, error, settled = _exponential(read, number)
    x = np.arange(pulses + 1) / pulses
    fitted = start + (end - start) * saturation(x, curvature)
    residual = values - fitted
    scatter = float(np.sqrt(np.nanmean(residual**2)))
    size = (end - start) * (1 if direction == "up" else -1)
    if not size > 2 * scatter / np.sqrt(pulses) or size <= 0:
        raise InputError(
            f"the {direction} trains go from {_text(start, unit)} to {_text(end, unit)}",
            where,
            f"They are said to go {direction}; name the directions, or the column that does",
        )
    sign = 1.0 if direction == "up" else -1.0
    label = sign * nonlinearity_label(curvature) if settled else float("nan")
    notes = [] if settled else [f"nonlinearity, {direction}: not determined, the first or last "
                                "pulse does nearly all"]  # fmt: skip
    if settled and abs(label) > LARGEST_LABEL:
        notes.append(f"nonlinearity, {direction}: beyond NeuroSim's largest label, 9")
    rmse = {EXPONENTIAL: float(np.sqrt(np.nanmean((read - fitted) ** 2)) / size)}
    step_noise, read_noise, said = _noises(values, fitted, direction)
    kinetics, misfit, reason = _kinetics(read, direction, unit)
    if misfit is not None:
        rmse[KINETIC] = misfit / size
    notes += [*said, *([f"alpha/beta, {direction}: {reason}"] if reason else [])]
    return Branch(
        direction, len(values), pulses, start, end, curvature, label, error, read, fitted, rmse,
        scatter, step_noise, read_noise, kinetics, tuple(notes),
    )  # fmt: skip


def _exponential(read: np.ndarray, number: np.ndarray) -> tuple[float, float, float, float, bool]:
    """Curvature, start, end, standard error of the label, and whether it is determined."""
    there = np.flatnonzero(number > 0)
    x, g, weight = there / (len(read) - 1), read[there], number[there].astype(float)

    def solved(k: float) -> tuple[float, np.ndarray, np.ndarray]:
        basis = np.stack([1 - saturation(x, k), saturation(x, k)], axis=1)
        root = np.sqrt(weight)[:, None]
        ends = np.linalg.lstsq(basis * root, g * root[:, 0], rcond=None)[0]
        residual = g - basis @ ends
        return float((weight * residual**2).sum()), ends, residual

    costs = [solved(float(k))[0] for k in _GRID]
    best = int(np.argmin(costs))
    low, high = float(_GRID[max(best - 1, 0)]), float(_GRID[min(best + 1, len(_GRID) - 1)])
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(60):  # golden section within the best stretch of the grid
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if solved(a)[0] <= solved(b)[0] else (a, high)
    k = (low + high) / 2
    cost, ends, residual = solved(k)
    settled = 0 < best < len(_GRID) - 1
    error = _label_error(x, weight, k, ends, cost, residual) if settled else float("nan")
    return k, float(ends[0]), float(ends[1]), error, settled


def _label_error(
    x: np.ndarray, weight: np.ndarray, k: float, ends: np.ndarray, cost: float, residual: np.ndarray
) -> float:
    """Standard error of the label: linearised, for residuals that follow each other as AR(1)."""
    small = 1e-4 * max(abs(k), 1.0)
    slope = (saturation(x, k + small) - saturation(x, k - small)) / (2 * small)
    jacobian = np.stack(
        [1 - saturation(x, k), saturation(x, k), (ends[1] - ends[0]) * slope], axis=1
    )
    inverse = np.linalg.pinv((jacobian * weight[:, None]).T @ jacobian)
    free = max(len(x) - 3, 1)
    r = float((residual[1:] * residual[:-1]).sum() / max((residual**2).sum(), 1e-300))
    inflation = (1 + np.clip(r, 0.0, 0.98)) / (1 - np.clip(r, 0.0, 0.98))
    by_curvature = np.sqrt(max(inverse[2, 2], 0.0) * cost / free * inflation)
    step = nonlinearity_label(k + small) - nonlinearity_label(k - small)
    return float(by_curvature * step / (2 * small))


def _noises(
    values: np.ndarray, fitted: np.ndarray, direction: str
) -> tuple[float, float, list[str]]:
    """Deviations of a step and of a read in trains (N, n), and what is not determined.

    What pulses scatter stays and adds up: the mean squared difference of two residuals grows by the
    variance of a step with every pulse between them. What reads scatter, and what a trap does for
    a while, is there between any two.
    """
    residual = values - fitted
    reads = int(np.isfinite(residual).sum(axis=1).max(initial=0))
    if reads <= _STEPS:
        text = f"spread of a step, {direction}: not determined, {reads} reads are too few"
        return float("nan"), float("nan"), [text]
    lags = np.arange(1, max(3, residual.shape[1] // _LAGS) + 1)
    squares, number = np.zeros((2, lags.size))
    for k, lag in enumerate(lags):
        difference = (residual[:, lag:] - residual[:, :-lag]) ** 2
        number[k] = np.isfinite(difference).sum()
        squares[k] = np.nansum(difference) / max(number[k], 1)
    root = np.sqrt(number)
    basis = np.stack([lags, np.ones(lags.size)], axis=1)
    rise, base = np.linalg.lstsq(basis * root[:, None], squares * root, rcond=None)[0]
    if base < 0:  # nothing passes: all of it stays
        rise, base = float((number * squares * lags).sum() / (number * lags**2).sum()), 0.0
    if rise < 0:
        rise, base = 0.0, float((number * squares).sum() / number.sum())
    notes = [] if rise > 0 else [f"spread of a step, {direction}: none beside the noise of reads"]
    return float(np.sqrt(rise)), float(np.sqrt(base / 2)), notes


def _kinetics(
    read: np.ndarray, direction: str, unit: str
) -> tuple[tuple[float, ...], float | None, str]:
    """Alpha, beta and window of a mean train, the misfit [S or 1], or the reason why not."""
    fits = fit_many(
        read, direction=direction, mirror=True, normalised=unit == "1", skip_missing=True
    )
    one = fits.isel(train=0)
    if not bool(one["valid"]):
        return (), None, f"not determined, {one['reason'].item()}"
    names = ("alpha", "beta", "conductance_min", "conductance_max")
    misfit = one["conductance"].values - one["fitted"].values
    note = str(one["note"].item())
    reason = f"alpha and beta are not both determined: {note}" if note else ""
    return (
        tuple(float(one[name]) for name in names),
        float(np.sqrt(np.nanmean(misfit**2))),
        reason,
    )


def _steps(branch: Branch, low: float, high: float, law: str) -> StepLaw:
    """The law of a branch on the scale of ways z."""
    span = high - low

    def way(conductance: float) -> float:
        up = branch.direction == "up"
        return (conductance - low) / span if up else (high - conductance) / span

    ends = (way(branch.start), way(branch.end))
    if law == EXPONENTIAL:
        return ExponentialSteps(branch.pulses, branch.curvature, *ends)
    if not branch.kinetics:
        raise InputError(f"no alpha and beta for the {branch.direction} branch", "law")
    alpha, beta, small, large = branch.kinetics
    bottom, top = sorted((way(small), way(large)))
    return KineticSteps(alpha, beta, branch.pulses, bottom, top, *ends)
