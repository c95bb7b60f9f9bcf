"""The numbers of a cell that a circuit simulator needs, from fits or from a table.

Time and pulses: the state moves only while a pulse is on, and one pulse of the width at which
alpha and beta were fitted is one unit of their time,

::

    dy/dt = (alpha/y - beta x)/width    while v < -threshold (RESET),
    dy/dt = (alpha/y + beta x)/width    while v > threshold (SET),    else 0.

A pulse of half the width counts half. With a table, alpha and beta are looked up by the amplitude
and x = 1; with the fit of one amplitude, x = `|v|/amplitude`, at most 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from compact.circuit.source import SPREAD, Branch, part_of
from ddkbase.errors import InputError, shorten
from ddkbase.units import format_si, to_si

__all__ = ["Branch", "Cell", "cell_of"]

_NAME = re.compile(r"[a-zA-Z]\w{0,30}")
_KEYWORDS = {"module", "endmodule", "analog", "begin", "end", "real", "if", "else", "parameter"}


@dataclass(frozen=True)
class Cell:
    """A fitted cell: its two polarities, conductances [S] at y = 0 and 1, width [s] of a pulse."""

    name: str
    reset: Branch
    set: Branch
    conductance_min: float
    conductance_max: float
    width: float
    initial_state: float
    notes: tuple[str, ...]


def cell_of(
    source: Any,
    opposite: Any = None,
    *,
    width: str | None = None,
    amplitude: str | None = None,
    opposite_amplitude: str | None = None,
    initial_resistance: str | None = None,
    conductance_min: str | None = None,
    conductance_max: str | None = None,
    threshold: str | None = None,
    initial_state: float | None = None,
    name: str = "ddk_cell",
) -> Cell:
    """The cell of a fit or table.

    Parameters
    ----------
    source : AlphaBetaFit or xarray.Dataset
        An AlphaBetaFit, or a table: a Dataset with alpha, beta, conductance_min and conductance_max
        on amplitude, width, initial_resistance (each may be missing), and on cycle and device, over
        whose valid entries the mean is taken. Negative amplitudes are RESET, positive ones SET;
        where all are positive, ``direction`` says which, else RESET.
    opposite : AlphaBetaFit or xarray.Dataset, optional
        The same for the other polarity; None: the numbers of ``source`` serve both.
    width : str or None, optional
        Width of the pulses, text with a unit; of a table, which of its widths.
    amplitude, opposite_amplitude : str or None, optional
        For fits, the amplitude of their pulses, x = 1.
    initial_resistance : str or None, optional
        For a table, which of its initial resistances.
    conductance_min, conductance_max : str or None, optional
        The window, instead of that of the source.
    threshold : str or None, optional
        Voltage from which a pulse is on; default: half the lowest amplitude.
    initial_state : float or None, optional
        y at the start; default 1, or 0 where ``source`` is a SET fit or table.
    name : str, default "ddk_cell"
        Name of the module or subcircuit.

    Raises
    ------
    InputError
        A fit that is not valid, a setting that is missing or not in the table, numbers that make no
        cell.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in _KEYWORDS:
        raise InputError(f"{shorten(name)} is no name of a module", "name", "Write e.g. 'ddk_cell'")
    first = part_of(source, "source", width, amplitude, initial_resistance)
    second = None
    if opposite is not None:
        second = part_of(
            opposite, "opposite", width, opposite_amplitude or amplitude, initial_resistance
        )
        if set(first.branches) & set(second.branches):
            raise InputError(
                "both sources are of one polarity",
                "opposite",
                "One needs negative amplitudes (or direction 'down'), the other positive ones",
            )
    notes = [*first.notes, *(second.notes if second else ())]
    branches = {**first.branches, **(second.branches if second else {})}
    for sign, word, other in ((-1, "RESET", "SET"), (1, "SET", "RESET")):
        if sign not in branches:
            branches[sign] = branches[-sign]
            notes.append(f"{word} was not fitted: alpha and beta of {other} are used for it")
    low, high = first.low, first.high
    if second and not np.allclose([low, high], [second.low, second.high], rtol=SPREAD):
        notes.append("the conductance windows of the two polarities differ; the first is used")
    if conductance_min is not None:
        low = to_si(conductance_min, "S", "conductance_min")
    if conductance_max is not None:
        high = to_si(conductance_max, "S", "conductance_max")
    if np.isnan([low, high]).any():
        raise InputError(
            "there is no conductance window, the fitted numbers being relative",
            "conductance_min, conductance_max",
            "Pass conductance_min='6.1 uS' and conductance_max='202.1 uS', the cell's own",
        )
    if not (np.isfinite([low, high]).all() and 0 <= low < high):
        raise InputError(
            f"no conductance window: {format_si(low, 'S')} to {format_si(high, 'S')}",
            "conductance_min, conductance_max",
            "Pass conductance_min='6.1 uS' and conductance_max='202.1 uS', the cell's own",
        )
    if threshold is not None:
        limit = to_si(threshold, "V", "threshold")
        if limit <= 0:
            raise InputError("is not positive", "threshold")
        branches = {
            sign: Branch(b.amplitudes, b.alpha, b.beta, b.by_ratio, limit)
            for sign, b in branches.items()
        }
    seconds = to_si(width, "s", "width") if width is not None else first.width
    if seconds is None or not seconds > 0:
        raise InputError("the width of the pulses is not known", "width", "Pass width='100 ns'")
    start = (0.0 if set(first.branches) == {1} else 1.0) if initial_state is None else initial_state
    if not (np.isfinite(start) and 0 <= start <= 1):
        raise InputError(f"{shorten(start)} is not between 0 and 1", "initial_state")
    return Cell(
        name,
        branches[-1],
        branches[1],
        low,
        high,
        seconds,
        float(start),
        tuple(dict.fromkeys(notes)),
    )
