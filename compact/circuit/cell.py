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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, shorten
from ddkbase.units import format_si, to_si

_NAME = re.compile(r"[a-zA-Z]\w{0,30}")
#: reserved in Verilog-AMS, or names of the module itself
_RESERVED = re.compile(
    r"""
    above| abs| absdelay| absdelta| abstol| access| acos| acosh| ac_stim| aliasparam| always|
    analog| analysis| and| asin| asinh| assert| assign| atan| atan2| atanh| begin| branch| buf|
    case| ceil| connect| cos| cosh| cross| ddt| ddt_nature| ddx| deassign| default| define|
    defparam| disable| discipline| driver_update| edge| else| enable_integration| end| endcase|
    endfunction| endmodule| endnature| event| exclude| exp| final_step| flow| floor| for| force|
    forever| fork| from| function| generate| genvar| ground| hypot| idle| idt| idtmod| if|
    ifnone| inf| initial| initial_step| inout| input| integer| join| laplace_nd| laplace_np|
    laplace_zd| laplace_zp| last_crossing| limexp| ln| log| macromodule| max| min| module| nand|
    nature| negedge| nmos| noise_table| nor| not| or| output| parameter| pmos| posedge|
    potential| pow| primitive| pullup| real| realtime| reg| release| repeat| resistor| rtran|
    scalared| sin| sinh| slew| smooth| specify| sqrt| string| strong0| strong1| supply0|
    supply1| table| tan| tanh| task| time| timer| tran| transition| tri| units| vectored| wait|
    wand| while| white_noise| wire| wor| xnor| xor| zi_nd| zi_np| zi_zd| zi_zp| te| be| y| u| v|
    s| wall| width
    """,
    re.VERBOSE,
)

SPREAD = 0.1  # of the conductance window over a table, from which the header says so
_TABLE = ("alpha", "beta", "conductance_min", "conductance_max")


@dataclass(frozen=True)
class Branch:
    """One polarity: alpha and beta at the amplitudes [V] (absolute, rising); one: no table."""

    amplitudes: tuple[float, ...]
    alpha: tuple[float, ...]
    beta: tuple[float, ...]
    by_ratio: bool  # x = |v|/amplitude instead of x = 1
    threshold: float  # [V], absolute

    @property
    def is_table(self) -> bool:
        return len(self.amplitudes) > 1


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
    if not isinstance(name, str) or not _NAME.fullmatch(name) or _RESERVED.fullmatch(name.lower()):
        raise InputError(f"{shorten(name)} is no name of a module", "name", "Write e.g. 'ddk_cell'")
    first = _read_source(source, "source", width, amplitude, initial_resistance)
    second = None
    if opposite is not None:
        second = _read_source(
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
            notes.append(
                f"{word} was not fitted: alpha and beta of {other} are used for it; "
                "--opposite takes a table of its own"
            )
    low, high = first.low, first.high
    if second and not np.allclose([low, high], [second.low, second.high], rtol=SPREAD):
        notes.append(
            "the conductance windows of the two polarities differ "
            f"({_window(first)} and {_window(second)}); the first is used: what the second "
            "polarity does is stretched to it"
        )
    if conductance_min is not None:
        low = to_si(conductance_min, "S", "conductance_min")
    if conductance_max is not None:
        high = to_si(conductance_max, "S", "conductance_max")
    if not (np.isfinite([low, high]).all() and 0 <= low < high):
        raise InputError(
            "there is no conductance window, the fitted numbers being relative"
            if np.isnan([low, high]).any()
            else f"no conductance window: {format_si(low, 'S')} to {format_si(high, 'S')}",
            "conductance_min, conductance_max",
            "Pass conductance_min='6.1 uS' and conductance_max='202.1 uS', the cell's own",
        )
    if threshold is not None:
        limit = to_si(threshold, "V", "threshold")
        if limit <= 0:
            raise InputError("is not positive", "threshold")
        branches = {sign: replace(branch, threshold=limit) for sign, branch in branches.items()}
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


@dataclass(frozen=True)
class _Source:
    """What one source says: branches by sign of the voltage, the window, width."""

    branches: dict[int, Branch]
    low: float
    high: float
    width: float | None
    notes: tuple[str, ...]


def _window(source: _Source) -> str:
    if np.isnan([source.low, source.high]).any():
        return "not known"
    return f"{format_si(source.low, 'S')} to {format_si(source.high, 'S')}"


def _read_source(
    source: Any, where: str, width: str | None, amplitude: str | None, resistance: str | None
) -> _Source:
    table = source if isinstance(source, xr.Dataset) else getattr(source, "dataset", None)
    if isinstance(table, xr.Dataset):
        return _of_table(table, where, width, resistance)
    if all(hasattr(source, name) for name in _TABLE):
        return _of_fit(source, where, amplitude)
    raise InputError(
        f"{shorten(source)} is neither a fit nor a table", where, f"It needs {', '.join(_TABLE)}"
    )


def _of_fit(fit: Any, where: str, amplitude: str | None) -> _Source:
    if not getattr(fit, "valid", True):
        raise InputError(f"the fit is not valid: {getattr(fit, 'reason', '')}", where)
    _refuse_mirror(getattr(fit, "mirror", False), where)
    if amplitude is None:
        raise InputError(
            "the amplitude of the fitted pulses is not known", where, "Pass amplitude='2 V'"
        )
    volts = abs(to_si(amplitude, "V", "amplitude"))
    if volts == 0:
        raise InputError("is zero", "amplitude")
    numbers = [float(getattr(fit, name)) for name in _TABLE]
    _check_coefficients(numbers[:1], numbers[1:2], where)
    up = getattr(fit, "direction", "down") == "up"
    notes = []
    if getattr(fit, "units", "S") != "S":
        notes.append("the fit is of relative conductances")
        numbers[2:] = [np.nan, np.nan]
    notes += _integrator_note(getattr(fit, "integrator", "exact"), where)
    branch = Branch((volts,), (numbers[0],), (numbers[1],), True, 0.5 * volts)
    return _Source({1 if up else -1: branch}, numbers[2], numbers[3], None, tuple(notes))


def _of_table(table: xr.Dataset, where: str, width: str | None, resistance: str | None) -> _Source:
    missing = [name for name in _TABLE if name not in table]
    if missing:
        raise InputError(f"the table has no {', '.join(missing)}", where)
    _refuse_mirror(table.attrs.get("mirror", 0), where)
    notes: list[str] = []
    ds = table[[*_TABLE, *(name for name in ("valid", "determined") if name in table)]]
    ds = _choose(ds, "width", width, "s", where)
    ds = _choose(ds, "initial_resistance", resistance, "ohm", where)
    extra = [str(d) for d in ds["alpha"].dims if d not in ("amplitude", "cycle", "device")]
    if extra:
        raise InputError(f"the table has the dimension {extra[0]}", where, "Select one entry of it")
    if "amplitude" not in ds.coords:
        raise InputError("the table has no amplitudes", where, "Add the coordinate amplitude [V]")
    if "valid" in ds:
        valid = ds["valid"].values.astype(bool)
        if "determined" in ds:
            both = int((ds["determined"].values.astype(bool) & valid).sum())
            if both < valid.sum():
                notes.append(
                    f"of {valid.sum()} fits {both} determine both alpha and beta: why not is in "
                    "what 'ddk-compact show' prints"
                )
        ds = ds.where(ds["valid"].astype(bool))
    over = [d for d in ("cycle", "device") if d in ds["alpha"].dims]
    if over:
        count = " x ".join(f"{ds.sizes[d]} {d}s" for d in over)
        notes.append(f"alpha and beta: means over the valid ones of {count}")
    mean = {name: np.atleast_1d(_mean(ds[name], over)) for name in _TABLE}
    volts = np.atleast_1d(np.asarray(ds["amplitude"].values, float))
    if np.isnan(volts).all():
        raise InputError(
            "the amplitude of the pulses is not known",
            where,
            "Say it when fitting: amplitude='-2 V' (--amplitude)",
        )
    # NaN: nothing valid at this amplitude, or pulses of several amplitudes
    valid = np.isfinite(volts) & np.isfinite(mean["alpha"]) & np.isfinite(mean["beta"])
    valid &= volts != 0
    if not valid.any():
        raise InputError("the table has no valid entry", where)
    if (~valid).any():
        notes.append(f"{(~valid).sum()} of {volts.size} amplitudes have no valid entry: left out")
    volts, mean = volts[valid], {name: array[valid] for name, array in mean.items()}
    up = str(table.attrs.get("direction", "")) == "up"
    signs = np.where(volts < 0, -1, 1 if up or (volts < 0).any() else -1)
    branches = {}
    for sign in (-1, 1):
        of_sign = signs == sign
        if of_sign.any():
            order = np.argsort(np.abs(volts[of_sign]))
            at = np.abs(volts[of_sign])[order]
            a, b = (mean[name][of_sign][order] for name in ("alpha", "beta"))
            _check_coefficients(a, b, where)
            if (np.diff(at) == 0).any():
                raise InputError("an amplitude stands twice in the table", where)
            branches[sign] = Branch(_floats(at), _floats(a), _floats(b), False, float(0.5 * at[0]))
    window = [float(np.nanmean(mean[name])) for name in _TABLE[2:]]
    if table["conductance_min"].attrs.get("units", "S") != "S":
        notes.append("the table is of relative conductances")
        window = [np.nan, np.nan]
    elif max(np.ptp(mean[name]) for name in _TABLE[2:]) > SPREAD * (window[1] - window[0]):
        notes.append("the conductance window varies over the table; its mean is used")
    notes += _integrator_note(str(table.attrs.get("integrator", "exact")), where)
    seconds = float(ds["width"]) if "width" in ds.coords else None
    return _Source(branches, window[0], window[1], seconds, tuple(notes))


def _choose(ds: xr.Dataset, axis: str, choice: str | None, unit: str, where: str) -> xr.Dataset:
    """The slice of the table at one width or initial resistance."""
    if axis not in ds.coords:
        return ds
    values = np.atleast_1d(np.asarray(ds[axis].values, float))
    entries = ", ".join(format_si(v, unit) for v in values[:8])
    if np.isnan(values).all():  # not known: the caller's choice counts
        return (ds.isel({axis: 0}) if axis in ds.dims else ds).drop_vars(axis)
    if choice is None:
        if values.size > 1:
            raise InputError(
                f"the table has several values of {axis}", where, f"Pass {axis}=...: {entries}"
            )
        index = 0
    else:
        value = to_si(choice, unit, axis)
        hits = np.flatnonzero(np.isclose(values, value, rtol=1e-6, atol=0))
        if not hits.size:
            raise InputError(
                f"the table has no {axis} {format_si(value, unit)}", where, f"It has {entries}"
            )
        index = int(hits[0])
    return ds.isel({axis: index}) if axis in ds.dims else ds


def _mean(array: xr.DataArray, over: Sequence[str]) -> np.ndarray:
    dims = [d for d in over if d in array.dims]
    return np.asarray((array.mean(dims) if dims else array).values, float)


def _check_coefficients(alpha: Any, beta: Any, where: str) -> None:
    for name, values in (("alpha", alpha), ("beta", beta)):
        if not (np.isfinite(values).all() and (np.asarray(values) >= 0).all()):
            raise InputError(f"{name} is negative or not finite", where)


def _refuse_mirror(mirror: Any, where: str) -> None:
    if mirror:
        raise InputError(
            "up trains fitted by --mirror follow Eq. (4) upside down, which what is exported lacks",
            where,
            "Fit them without --mirror (mirror=False), and look at the misfit",
        )


def _integrator_note(integrator: str, where: str) -> list[str]:
    if integrator == "exact":
        return []
    return [
        f"{where}: fitted with the {integrator} integrator; simulators solve the equation itself: "
        "fit with integrator='exact' for the same curve"
    ]


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
