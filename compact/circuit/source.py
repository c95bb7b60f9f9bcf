"""What a fit or a table says of a cell of a circuit, for `compact.circuit.cell`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.units import format_si, to_si

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SPREAD", "Branch", "Part", "part_of"]

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
class Part:
    """What one source says: branches by sign of the voltage, the window, width."""

    branches: dict[int, Branch]
    low: float
    high: float
    width: float | None
    notes: tuple[str, ...]


def part_of(
    source: Any, where: str, width: str | None, amplitude: str | None, resistance: str | None
) -> Part:
    import xarray as xr

    table = source if isinstance(source, xr.Dataset) else getattr(source, "dataset", None)
    if isinstance(table, xr.Dataset):
        return _of_table(table, where, width, resistance)
    if all(hasattr(source, name) for name in _TABLE):
        return _of_fit(source, where, amplitude)
    raise InputError(
        f"{shorten(source)} is neither a fit nor a table", where, f"It needs {', '.join(_TABLE)}"
    )


def _of_fit(fit: Any, where: str, amplitude: str | None) -> Part:
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
    notes += _integrator_note(getattr(fit, "integrator", "exact"))
    branch = Branch((volts,), (numbers[0],), (numbers[1],), True, 0.5 * volts)
    return Part({1 if up else -1: branch}, numbers[2], numbers[3], None, tuple(notes))


def _of_table(table: xr.Dataset, where: str, width: str | None, resistance: str | None) -> Part:
    missing = [name for name in _TABLE if name not in table]
    if missing:
        raise InputError(f"the table has no {', '.join(missing)}", where)
    _refuse_mirror(table.attrs.get("mirror", 0), where)
    notes: list[str] = []
    ds = table[[*_TABLE, *(["valid"] if "valid" in table else [])]]
    ds = _choose(ds, "width", width, "s", where)
    ds = _choose(ds, "initial_resistance", resistance, "ohm", where)
    extra = [str(d) for d in ds["alpha"].dims if d not in ("amplitude", "cycle", "device")]
    if extra:
        raise InputError(f"the table has the dimension {extra[0]}", where, "Select one entry of it")
    if "amplitude" not in ds.coords:
        raise InputError("the table has no amplitudes", where, "Add the coordinate amplitude [V]")
    if "valid" in ds:
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
    known = np.isfinite(volts) & np.isfinite(mean["alpha"]) & np.isfinite(mean["beta"])
    known &= volts != 0
    if not known.any():
        raise InputError("the table has no valid entry", where)
    if (~known).any():
        notes.append(f"{(~known).sum()} of {volts.size} amplitudes have no valid entry: left out")
    volts, mean = volts[known], {name: array[known] for name, array in mean.items()}
    up = str(table.attrs.get("direction", "")) == "up"
    signs = np.where(volts < 0, -1, 1 if up or (volts < 0).any() else -1)
    branches = {}
    for sign in (-1, 1):
        part = signs == sign
        if part.any():
            order = np.argsort(np.abs(volts[part]))
            at = np.abs(volts[part])[order]
            a, b = (mean[name][part][order] for name in ("alpha", "beta"))
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
    notes += _integrator_note(str(table.attrs.get("integrator", "exact")))
    seconds = float(ds["width"]) if "width" in ds.coords else None
    return Part(branches, window[0], window[1], seconds, tuple(notes))


def _choose(ds: xr.Dataset, axis: str, told: str | None, unit: str, where: str) -> xr.Dataset:
    """The slice of the table at one width or initial resistance."""
    if axis not in ds.coords:
        return ds
    values = np.atleast_1d(np.asarray(ds[axis].values, float))
    known = ", ".join(format_si(v, unit) for v in values[:8])
    if np.isnan(values).all():  # not known: what was told counts
        return (ds.isel({axis: 0}) if axis in ds.dims else ds).drop_vars(axis)
    if told is None:
        if values.size > 1:
            raise InputError(
                f"the table has several values of {axis}", where, f"Pass {axis}=...: {known}"
            )
        index = 0
    else:
        wanted = to_si(told, unit, axis)
        hits = np.flatnonzero(np.isclose(values, wanted, rtol=1e-6, atol=0))
        if not hits.size:
            raise InputError(
                f"the table has no {axis} {format_si(wanted, unit)}", where, f"It has {known}"
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
            "up trains fitted as mirror images of down trains do not follow Eq. (3)",
            where,
            "Fit them with mirror=False",
        )


def _integrator_note(integrator: str) -> list[str]:
    if integrator == "exact":
        return []
    return [
        f"fitted with the {integrator} integrator; simulators solve the equation itself: fit with "
        "integrator='exact' for the same curve"
    ]


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
