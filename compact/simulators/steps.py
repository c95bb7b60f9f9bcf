"""What one pulse of a fitted cell does to its conductance, from the bottom of its range to the top.

The range is that which a train of RESET pulses goes through from y = 1: to 1 % of the way from the
state that RESET tends to, alpha/beta. Below it SET pulses of the fit are not tested by any data.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from compact.circuit.cell import Branch, Cell, cell_of
from compact.kinetics.equations import exact_step
from ddkbase.errors import InputError
from ddkbase.units import format_si, to_si

__all__ = ["PulseSteps", "largest_difference", "pulse_steps", "said"]

LEFT = 0.01  # of the way of RESET that is left at the bottom of the range
MOST = 5_000  # pulses of a train
_AT_ONCE = 50  # pulses that are integrated before it is looked whether the end is reached
_NONE = 1e-6  # of the upper end of a window: a lower end below that is zero
_TESTED = 4001  # conductances at which another tool's step is compared


@dataclass(frozen=True)
class PulseSteps:
    """One pulse of each polarity, at every conductance of the range.

    Attributes
    ----------
    cell : Cell
        The fitted cell, one amplitude for each polarity.
    low, high : float, S
        Ends of the range of conductances.
    rise, fall : ndarray, shape (n,), S
        Conductance before the first pulse and after each of a train: of SET from the bottom to the
        top, of RESET from the top to the bottom.
    rise_spread, fall_spread : float, S
        Standard deviation of one step from cycle to cycle, mean over the range; NaN where there are
        fewer than two cycles.
    notes : tuple of str
        What was assumed.
    """

    cell: Cell
    low: float
    high: float
    rise: np.ndarray
    fall: np.ndarray
    rise_spread: float
    fall_spread: float
    notes: tuple[str, ...]

    def step(self, conductance: np.ndarray, sign: int) -> np.ndarray:
        """By how much one pulse changes a conductance, were there no ends of the range.

        Parameters
        ----------
        conductance : ndarray, shape (...), S
            Before it.
        sign : {-1, 1}
            RESET or SET.

        Returns
        -------
        ndarray, shape (...), S
            The change.
        """
        return _after(self.cell, conductance, sign) - conductance

    def after(self, conductance: np.ndarray, sign: int) -> np.ndarray:
        """Conductance after one pulse, within the range.

        Parameters
        ----------
        conductance : ndarray, shape (...), S
            Before it.
        sign : {-1, 1}
            RESET or SET.

        Returns
        -------
        ndarray, shape (...), S
            After it.
        """
        return np.clip(_after(self.cell, conductance, sign), self.low, self.high)

    def mean_step(self, sign: int) -> float:
        """Mean size of a step over the range of conductances, were there no ends of it.

        Parameters
        ----------
        sign : {-1, 1}
            RESET or SET.

        Returns
        -------
        float, S
            The mean.
        """
        return float(np.abs(self.step(np.linspace(self.low, self.high, _TESTED), sign)).mean())


def pulse_steps(
    source: Any,
    opposite: Any = None,
    *,
    amplitude: str | None = None,
    opposite_amplitude: str | None = None,
    **options: Any,
) -> PulseSteps:
    """The steps of the cell of a fit or table.

    Parameters
    ----------
    source : AlphaBetaFit, AlphaBetaTable or xarray.Dataset
        As of `compact.circuit.cell_of`.
    opposite : AlphaBetaFit, AlphaBetaTable, xarray.Dataset or None, optional
        The other polarity.
    amplitude, opposite_amplitude : str or None, optional
        Of the pulses of each source; of a table of several amplitudes one within them, between
        which alpha and beta are linear.
    **options : dict, optional
        Further arguments of `compact.circuit.cell_of`: width, conductance_min, ...

    Raises
    ------
    InputError
        As of `compact.circuit.cell_of`; a table of several amplitudes without ``amplitude``, or one
        beyond them; RESET pulses that do not lower the conductance.
    """
    given: dict[str, Any] = {"amplitude": amplitude, "opposite_amplitude": opposite_amplitude}
    volts = {
        where: None if text is None else abs(to_si(text, "V", where))
        for where, text in given.items()
    }
    cell = cell_of(source, opposite, **given, **options)
    first = -1 if cell.initial_state == 1 else 1  # of the source itself
    branches = {}
    for sign, branch in ((-1, cell.reset), (1, cell.set)):
        where = "amplitude" if sign == first or opposite is None else "opposite_amplitude"
        branches[sign] = _at(branch, volts[where], where)
    cell = replace(cell, reset=branches[-1], set=branches[1])
    fall = _train(cell, -1, 1.0)
    bottom = _state(cell, fall[-1])
    rise = _train(cell, 1, bottom)
    spreads = _spreads(cell, source, opposite, given, options, (fall[-1], fall[0]))
    notes = list(cell.notes)
    if bottom > 0.05:
        low = cell.conductance_min if cell.conductance_min > _NONE * cell.conductance_max else 0.0
        notes.append(
            f"the range is {format_si(fall[-1], 'S')} to {format_si(fall[0], 'S')}, through which "
            "RESET pulses bring the cell, not all of the window from "
            f"{format_si(low, 'S')}"
        )
    return PulseSteps(cell, float(fall[-1]), float(fall[0]), rise, fall, *spreads, tuple(notes))


def largest_difference(
    steps: PulseSteps, after: Callable[[np.ndarray, int], np.ndarray]
) -> dict[int, float]:
    """How far another tool's step is from the cell's, by sign, over the mean step.

    Parameters
    ----------
    steps : PulseSteps
        Of the cell.
    after : callable
        Conductances [S] and -1 or 1 to the conductances after one pulse, by the tool's formula.
    """
    grid = np.linspace(steps.low, steps.high, _TESTED)
    return {
        sign: float(np.abs(after(grid, sign) - steps.after(grid, sign)).max())
        / steps.mean_step(sign)
        for sign in (-1, 1)
    }


def said(
    steps: PulseSteps, title: str, differences: dict[int, float], lost: Sequence[str], comment: str
) -> list[str]:
    """The heading of a file: what the numbers are, how exact they are, what is lost.

    Parameters
    ----------
    steps : PulseSteps
        Of the cell.
    title : str
        First line.
    differences : dict of int to float
        Of `largest_difference`.
    lost : sequence of str
        What the form of the tool does not hold.
    comment : str
        Sign before each line.
    """
    cell = steps.cell
    lines = [
        title,
        "",
        f"RESET: {cell.reset.amplitudes[0]:g} V, alpha {cell.reset.alpha[0]:.6g}, "
        f"beta {cell.reset.beta[0]:.6g}; SET: {cell.set.amplitudes[0]:g} V, "
        f"alpha {cell.set.alpha[0]:.6g}, beta {cell.set.beta[0]:.6g}; width "
        f"{format_si(cell.width, 's')}.",
        f"{steps.fall.size - 1} RESET pulses go from {format_si(steps.high, 'S')} down to "
        f"{format_si(steps.low, 'S')}, {steps.rise.size - 1} SET pulses back up.",
        "Largest difference of one step by the tool's formula from one of the fit, over the mean "
        f"step: RESET {100 * differences[-1]:.3g} %, SET {100 * differences[1]:.3g} %.",
    ]
    lines += [f"Note: {note}." for note in steps.notes]
    lines += [f"Does not carry over: {text}." for text in lost]
    wrapped = []
    for line in lines:
        wrapped += textwrap.wrap(line, 94, subsequent_indent="    ") or [""]
    return [f"{comment} {line}".rstrip() for line in wrapped]


def _at(branch: Branch, volts: float | None, where: str) -> Branch:
    """The branch at one amplitude."""
    at = branch.amplitudes
    if not branch.is_table:
        if volts is not None and not np.isclose(volts, at[0], rtol=1e-6):
            raise InputError(f"{volts:g} V was not fitted", where, f"There is {at[0]:g} V alone")
        return branch
    if volts is None:
        entries = ", ".join(f"{v:g} V" for v in at[:8])
        raise InputError("the table has several amplitudes", where, f"Choose one: {entries}")
    if not at[0] * (1 - 1e-9) <= volts <= at[-1] * (1 + 1e-9):
        raise InputError(f"{volts:g} V is not within {at[0]:g} to {at[-1]:g} V", where)
    alpha, beta = (float(np.interp(volts, at, values)) for values in (branch.alpha, branch.beta))
    return replace(branch, amplitudes=(volts,), alpha=(alpha,), beta=(beta,))


def _state(cell: Cell, conductance: Any) -> Any:
    return (conductance - cell.conductance_min) / (cell.conductance_max - cell.conductance_min)


def _after(cell: Cell, conductance: Any, sign: int) -> np.ndarray:
    branch = cell.set if sign > 0 else cell.reset
    y = np.clip(_state(cell, np.asarray(conductance, float)), 0.0, 1.0)
    new = exact_step(branch.alpha[0], branch.beta[0], np.ones(1), y, sign=sign)[..., 0]
    window = cell.conductance_max - cell.conductance_min
    return np.asarray(cell.conductance_min + window * new, float)


def _train(cell: Cell, sign: int, start: float) -> np.ndarray:
    """Conductances [S] from a state to the end of the range, the start first."""
    branch = cell.set if sign > 0 else cell.reset
    alpha, beta = branch.alpha[0], branch.beta[0]
    if sign < 0 and alpha >= beta:
        raise InputError(
            f"RESET pulses of alpha {alpha:g}, beta {beta:g} do not lower the conductance",
            "source",
            "alpha has to be below beta",
        )
    if alpha == beta == 0:
        raise InputError("SET pulses of alpha 0, beta 0 do not move the conductance", "source")
    end = 1.0 if sign > 0 else alpha / beta + LEFT * (1 - alpha / beta)
    states = [max(start, 0.0)]
    while not (states[-1] >= end if sign > 0 else states[-1] <= end):
        if len(states) > MOST:
            raise InputError(
                f"{'SET' if sign > 0 else 'RESET'} needs more than {MOST} pulses from end to end",
                "source",
            )
        y = exact_step(alpha, beta, np.ones(_AT_ONCE), states[-1], sign=sign)
        over = np.flatnonzero(y >= end if sign > 0 else y <= end)
        states += y[: over[0] + 1 if over.size else None].tolist()
    y = np.clip(states, 0.0, 1.0)
    return np.asarray(
        cell.conductance_min + (cell.conductance_max - cell.conductance_min) * y, float
    )


def _spreads(
    cell: Cell,
    source: Any,
    opposite: Any,
    given: dict[str, Any],
    options: dict[str, Any],
    ends: tuple[float, float],
) -> tuple[float, float]:
    """Standard deviation of a step of SET and of RESET over the cycles, mean over the range."""
    grid = np.linspace(*ends, 101)
    signs = {-1: source, 1: source}
    first = -1 if cell.initial_state == 1 else 1
    if opposite is not None:
        signs[-first] = opposite
    out = {}
    for sign, one in signs.items():
        where = "amplitude" if one is source else "opposite_amplitude"
        volts = (cell.set if sign > 0 else cell.reset).amplitudes[0]
        after = []
        for cycle in _cycles(one):
            try:
                single = cell_of(cycle, **{**options, "amplitude": given[where]})
                at = _at(single.set if sign > 0 else single.reset, volts, where)
            except InputError:  # no valid entry of this cycle at this amplitude
                continue
            same = replace(cell, reset=at, set=at)
            after.append(_after(same, grid, sign))
        out[sign] = float(np.std(after, axis=0, ddof=1).mean()) if len(after) > 1 else np.nan
    return out[1], out[-1]


def _cycles(source: Any) -> list[xr.Dataset]:
    table = source if isinstance(source, xr.Dataset) else getattr(source, "dataset", None)
    if not isinstance(table, xr.Dataset) or "cycle" not in table["alpha"].dims:
        return []
    return [table.isel(cycle=[k]) for k in range(table.sizes["cycle"])]
