"""A measured loop, train or bake: what is simulated for it, its misfit, the derivatives of that."""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ddkbase import records
from ddkbase.errors import InputError, SolverError
from ddkbase.tables.reading import file_content, table_of
from ddkbase.tables.table import Column, FileOptions, Table, numbers
from ddkbase.tables.units import LOGARITHM, quantity_of
from ddkbase.units import exact_text, format_si
from devicephys.device import Device
from devicephys.device.entries import parameter_value
from devicephys.fitting.description import BakeSource, LoopSource, Source, TrainSource
from devicephys.measured.figures import limit_remark
from devicephys.measured.loops import read_loop
from devicephys.measured.ramps import waveform_of
from devicephys.protocol.bake import Bake
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.simulation.settings import Settings
from devicephys.simulation.simulate import simulate

__all__ = ["BakeData", "Data", "LoopData", "TrainData", "read_data"]

#: share of the largest voltage below which the current of a loop does not count
LEAST_VOLTAGE = 0.05
#: change of the logarithm of a parameter in differences, where there are no tangents: the steps are
#: chosen anew in each run, which moves logarithms of conductances by some 1e-4 at a fit's settings
STEP = 0.05
#: where a search over what is differentiated so ends
SCATTERED = 3e-3
#: reads that a train must have to be called flat, and the largest current of a read [A] that is
#: believed without a stated unit
FLAT_READS, LARGEST_READ = 8, 20e-3
#: how near a cell is brought to the resistance that its train began with: what the next cell
#: misses otherwise would look like an effect of its parameters
PREPARED = 1e-3


class Data(abc.ABC):
    """Something measured. ``name`` says what, ``measured`` [A or S] is what is fitted, ``error``
    the standard deviation of its logarithm, both of shape (samples,)."""

    name: str
    axis: np.ndarray
    axis_label: str
    measured: np.ndarray
    error: np.ndarray
    weight: float
    unit: str
    #: what the file was taken for, a line each
    remarks: Sequence[str] = ()
    #: relative changes of cost and parameters below which a search ends: less cannot be told where
    #: what is simulated scatters
    enough: float = 1e-4

    @property
    def scale(self) -> np.ndarray:
        """What a difference of logarithms is multiplied with to become a residual."""
        return np.sqrt(self.weight) / self.error

    def misfit(
        self, device: Device, settings: Settings, paths: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residuals [1], their derivatives by the logarithm of each path, what was simulated.

        Raises
        ------
        SolverError
            The device cannot be simulated, or not to a current that can be compared.
        """
        simulated, shares = self.simulate(device, settings, paths)
        if not np.all(np.isfinite(simulated) & (simulated != 0.0)):
            raise SolverError(f"a simulated value is zero or not finite: {self.name}")
        residual = self.scale * (np.log(np.abs(simulated)) - np.log(np.abs(self.measured)))
        return residual, self.scale[:, None] * shares, simulated

    @abc.abstractmethod
    def simulate(
        self, device: Device, settings: Settings, paths: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """What would be measured, and d ln of it / d ln of each path, (samples, paths)."""

    def require_change(self) -> None:  # noqa: B027
        """InputError for a train without a change: every cell that does not move would fit it."""

    def contradictions(self, device: Device) -> list[str]:
        """What of a device speaks against these data, a line each; mostly nothing."""
        return []


class LoopData(Data):
    """Currents along one measured loop."""

    axis_label, unit = "Voltage (V)", "A"

    def __init__(self, source: LoopSource, folder: Path | None) -> None:
        path = Path(source.loop) if folder is None else folder / source.loop
        columns: dict[str, Any] = dict(source.columns)
        loops = read_loop(
            path,
            units=source.units,
            rate=source.rate,
            compliance=source.compliance,
            partial=source.partial,
            forming=source.forming,
            **columns,
        )
        self.name = f"{Path(source.loop).name}, loop {source.number}"
        self.loops = loops
        self.remarks = [f"{path.name}: {line}" for line in loops.attrs["remarks"].splitlines()]
        self.waveform, samples, times = waveform_of(loops, source.number)
        v, i = loops["voltage"].values[samples], loops["current"].values[samples]
        good = np.flatnonzero(
            (np.abs(v) > LEAST_VOLTAGE * np.abs(v).max())
            & (np.abs(i) > source.floor)
            & (np.sign(i) == np.sign(v))
        )
        if len(good) < 10:
            raise InputError(
                f"{len(good)} samples are above {source.floor:g} A", str(path), "Lower the floor"
            )
        kept = np.unique(np.linspace(0, len(good) - 1, source.samples).round().astype(int))
        chosen = good[kept]
        self.axis, self.times, self.measured = v[chosen], times[chosen], i[chosen]
        # what the voltages of the whole record, so much earlier and later, do to the current:
        # by time, as samples may lie closer together where the cell switches, or at a held voltage
        at, logs = times[good], np.log(np.abs(i[good]))
        speeds = np.abs(np.diff(v[good]) / np.diff(at))
        shift = source.voltage_error / np.median(speeds[speeds > 0])
        later, earlier = (np.interp(self.times + way, at, logs) for way in (shift, -shift))
        # an ohmic current scatters with its voltage, too, but that is no switching
        jitter = np.abs(later - earlier) / 2.0 - source.voltage_error / np.abs(self.axis)
        jitter = np.maximum(jitter, 0.0)
        self.error = np.hypot(source.error, jitter)
        self.weight = source.weight

    def contradictions(self, device: Device) -> list[str]:
        return list(filter(None, [limit_remark(self.loops, device)]))

    def simulate(
        self, device: Device, settings: Settings, paths: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        ds = simulate(device, self.waveform, settings, sensitivities=paths)
        time, i = (ds[name].values for name in ("time", "current"))
        # what was programmed: an instrument that limits the current reports what it applied
        v = np.array([self.waveform.voltage(t) for t in time])
        flows = (np.abs(v) > 1e-3) & (i != 0.0)
        at = time[flows]
        # the conductance varies less between steps than the current
        conductance = np.interp(self.times, at, np.log(np.abs(i[flows] / v[flows])))
        applied = np.array([self.waveform.voltage(t) for t in self.times])
        shares = ds["current_sensitivity"].values[flows]
        between = np.column_stack([np.interp(self.times, at, share) for share in shares.T])
        return applied * np.exp(conductance), between


class TrainData(Data):
    """Conductances after the pulses of a train, as far as they were read."""

    axis_label, unit = "Pulse", "S"
    #: what the cell was brought to before the train, ohm
    prepared: float | None = None
    #: indices of the pulses after which there is a value
    read: np.ndarray | slice = slice(None)

    def __init__(self, source: TrainSource, folder: Path | None) -> None:
        path = Path(source.train) if folder is None else folder / source.train
        self.name = path.name
        if "count" in source.protocol:
            raise InputError("the count follows from the file", "protocol.count", "Leave it out")
        options: dict[str, Any] = dict(source.protocol)
        if path.suffix.lower() == ".nc":
            values = records.read(path, "PulseTrace")["conductance"].values.astype(float)
            pulses = np.arange(1, len(values) + 1)
        else:
            volts = PulseTrain(count=1, **options).read_voltage
            pulses, values, self.remarks = _conductances(path, source, volts)
        _check_positive(values, path)
        self.path = path
        self.read = pulses - 1
        self.train = PulseTrain(count=int(pulses[-1]), **options)
        self.measured, self.axis = values, pulses.astype(float)
        self.error = np.full(len(values), source.error)
        self.weight = source.weight
        self.prepared = source.initial_resistance
        if self.prepared is not None:
            self.enough = SCATTERED

    def require_change(self) -> None:
        if len(self.measured) < FLAT_READS:
            return
        early, late = _ends(self.measured)
        error = float(self.error[0])
        # of a difference of two means
        if abs(np.log(late / early)) < error * np.sqrt(2.0 / (len(self.measured) // 4)):
            raise InputError(
                f"does not change: the last reads lie {100.0 * (late / early - 1.0):+.2g} % off "
                f"the first ones, with an error of {100.0 * error:.2g} % each",
                str(self.path),
                "Leave it out, or state a smaller error",
            )

    def contradictions(self, device: Device) -> list[str]:
        early, late = _ends(self.measured)
        rises, volts = late > early, float(self.train.amplitudes[0])
        if len(self.measured) < FLAT_READS or rises == (volts > 0):
            return []
        return [
            f"the conductance of {self.name} {'rises' if rises else 'falls'} under pulses of "
            f"{volts:g} V, which {'SET' if volts > 0 else 'RESET'} a cell here: is the sign of the "
            "amplitude right, or is it a column of resistances?"
        ]

    def simulate(
        self, device: Device, settings: Settings, paths: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        prepared = self.prepared
        if prepared is None:
            ds = simulate(device, self.train, settings, sensitivities=paths)
            shares = ds["conductance_sensitivity"].values
            return ds["conductance"].values[self.read], shares[self.read]

        def logs(at: Device) -> np.ndarray:
            ds = simulate(
                at,
                self.train,
                settings,
                initial_resistance=exact_text(prepared, "ohm"),
                initial_tolerance=PREPARED,
            )
            return np.log(ds["conductance"].values[self.read])

        return np.exp(logs(device)), differences(logs, device, paths)


class BakeData(Data):
    """Conductances over the time of a bake."""

    axis_label, unit = "Time (s)", "S"
    enough = SCATTERED

    def __init__(self, source: BakeSource, folder: Path | None) -> None:
        path = Path(source.bake) if folder is None else folder / source.bake
        self.name, self.source = path.name, source
        table = table_of(file_content(path), str(path), FileOptions())
        column = _column(table, source.column, _CONDUCTANCES, source.unit, "column")
        values = _values(table, column, source.unit, source.read_voltage)
        self.remarks = _taken(table, column)
        time = _column(table, source.time, ("s",), source.time_unit, "time")
        times = numbers(table, time, "s", source.time_unit or time.unit)
        good = np.isfinite(values) & np.isfinite(times)
        self.times, self.measured = times[good], values[good]
        if len(self.times) < 2 or np.any(np.diff(self.times) <= 0) or self.times[0] < 0:
            raise InputError("the times of a bake must increase from 0 on", table.where(time))
        _check_positive(self.measured, path)
        later = self.times[self.times > 0]
        self.bake = Bake(
            temperatures=exact_text(source.temperature, "K"),
            duration=exact_text(later[-1], "s"),
            first_read=exact_text(min(later[0], later[-1] / 10.0), "s"),
            state=source.state,
            read_voltage=exact_text(source.read_voltage, "V"),
        )
        self.axis = self.times
        self.error = np.full(len(self.times), source.error)
        self.weight = source.weight

    def simulate(
        self, device: Device, settings: Settings, paths: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        def logs(at: Device) -> np.ndarray:
            ds = simulate(at, self.bake, settings)
            after = ds["time"].values[1:]
            read = np.log(ds["conductance"].values[0])
            between = np.interp(np.log(np.maximum(self.times, after[0])), np.log(after), read[1:])
            values = np.where(self.times < after[0], read[0], between)
            if self.source.relative:
                values += np.log(self.measured[0]) - values[0]
            return values

        return np.exp(logs(device)), differences(logs, device, paths)


def differences(
    logs: Callable[[Device], np.ndarray], device: Device, paths: Sequence[str]
) -> np.ndarray:
    """Central differences of logarithms of conductances by those of parameters, (samples, paths).

    For what has no tangents: states that are made anew for each device.
    """
    shares = []
    for path in paths:
        unit, value = device.provenance[path].unit, parameter_value(device, path)
        above, below = (
            logs(device.with_({path: exact_text(value * np.exp(change), unit)}))
            for change in (STEP, -STEP)
        )
        shares.append((above - below) / (2.0 * STEP))
    return np.array(shares).T


_CONDUCTANCES = ("S", "ohm", "A")


#: headings of a column that numbers the pulses
_PULSES = re.compile(
    r"(?i)(?:(?:number of |applied )?puls(?:e|es|nummer)?"
    r"(?:[ _]?(?:#|no\.?|nr\.?|number|index|count))?|"
    r"#(?: of)?(?: pulses)?|n|no\.?|nr\.?|n[ _]?pulses?)"
)


def _conductances(
    path: Path, source: TrainSource, read_voltage: float
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Numbers of pulses from 1, the conductance [S] after each that was read, what was taken.

    InputError where numbers or times do not go up: another train, which another fit holds.
    """
    table = table_of(file_content(path), str(path), FileOptions())
    column = _column(table, source.column, _CONDUCTANCES, source.unit, "column")
    values = _values(table, column, source.unit, read_voltage)
    counters = [c for c in table.columns if c is not column and _PULSES.fullmatch(c.name)]
    if len(counters) == 1:
        pulses = numbers(table, counters[0], "1", "1")
        good = np.isfinite(pulses) & np.isfinite(values)
        steps = np.diff(pulses[good])
        if np.any(steps <= 0) or np.any(pulses[good] != np.rint(pulses[good])):
            raise InputError(
                "the numbers of the pulses are not whole, or do not go up",
                table.where(counters[0]),
                "Give each train a file of its own",
            )
    else:
        pulses = np.arange(1.0, len(values) + 1.0)
        good = np.isfinite(values)
    good &= pulses > 0  # pulse 0 is the read before the first one
    if not good.any():
        raise InputError("holds no read after a pulse", table.where(column))
    for clock in (c for c in table.columns if c is not column and quantity_of(c.unit) == "s"):
        if np.any(np.diff(numbers(table, clock, "s", clock.unit)[good]) < 0):
            raise InputError(
                "the times go back", table.where(clock), "Give each train a file of its own"
            )
    return pulses[good].astype(int), values[good], _taken(table, column)


def _taken(table: Table, column: Column) -> list[str]:
    """What a file was taken for."""
    name = Path(table.path).name
    return [f"{name}: {line}" for line in (f"values from {column.title}", *table.assumptions)]


def _column(
    table: Table, name: str | int | None, kinds: Sequence[str], unit: str | None, key: str
) -> Column:
    """The column that a user names, or the only one with a unit of these kinds."""
    if name is not None:
        fits = [c for c in table.columns if name in (c.name, c.number)]
    else:
        fits = [c for c in table.columns if quantity_of(c.unit) in kinds]
    said = "times" if kinds == ("s",) else "conductances, resistances or currents"
    if len(fits) != 1:
        titles = ", ".join(c.title for c in table.columns[:8])
        raise InputError(
            f"{len(fits)} columns hold {said} among {titles}",
            table.path,
            f"Name one with {key}: ..., and its unit with {'time_' * (kinds == ('s',))}unit: ...",
        )
    if quantity_of(unit or fits[0].unit) not in kinds:
        raise InputError(f"has no unit of {said}", table.where(fits[0]), "Write unit: uS")
    return fits[0]


def _values(table: Table, column: Column, unit: str | None, read_voltage: float) -> np.ndarray:
    """Conductances [S] of a column of conductances, resistances or currents."""
    if LOGARITHM.search(column.heading or column.name):
        hint = "Write the values themselves into a column"
        raise InputError("holds logarithms", table.where(column), hint)
    known = unit or column.unit
    kind = quantity_of(known) or ""  # one of three: ``_column`` has seen to it
    values = numbers(table, column, kind, known)
    with np.errstate(divide="ignore"):
        found = {"S": values, "ohm": 1.0 / values, "A": values / read_voltage}[kind]
    size = float(np.nanmedian(np.abs(found))) * read_voltage if np.isfinite(found).any() else 0.0
    if size > LARGEST_READ and unit is None:
        raise InputError(
            f"reads of {format_si(size, 'A', 3)} at {read_voltage:g} V are more than a filament "
            "carries: the unit seems another one",
            table.where(column),
            f"Write unit: with the right one, or unit: {known} if it is",
        )
    return found


def _check_positive(values: np.ndarray, path: Path) -> None:
    if not np.all(values > 0):
        raise InputError("a conductance is not positive", str(path), "Leave those rows out")


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Medians of the first and of the last quarter."""
    quarter = max(len(values) // 4, 1)
    return float(np.median(values[:quarter])), float(np.median(values[-quarter:]))


_READERS: dict[type[Source], type[LoopData | TrainData | BakeData]] = {
    LoopSource: LoopData,
    TrainSource: TrainData,
    BakeSource: BakeData,
}


def read_data(sources: Sequence[Source], folder: Path | None) -> list[Data]:
    """What was measured, in order."""
    return [_READERS[type(source)](source, folder) for source in sources]  # type: ignore[arg-type]


def as_dataset(
    data: Data, simulated: np.ndarray, jacobian: np.ndarray, covariance: np.ndarray
) -> xr.Dataset:
    """Measured and simulated values of one data set on ``sample``, with what their errors are.

    ``spread`` is the standard deviation of the logarithm of the simulated values that follows from
    the ``covariance`` of the logarithms of the parameters; ``jacobian`` is that of the residuals.
    """
    shares = jacobian / data.scale[:, None]
    spread = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", shares, covariance, shares), 0.0))
    units = {"units": data.unit}
    axis = {"units": data.axis_label.partition("(")[2].rstrip(")") or "1"}
    return xr.Dataset(
        {
            "measured": ("sample", data.measured, units),
            "simulated": ("sample", simulated, units),
            "error": ("sample", data.error, {"units": "1"}),
            "spread": ("sample", spread, {"units": "1"}),
            "axis": ("sample", data.axis, axis),
        },
        attrs={"name": data.name, "axis_label": data.axis_label},
    )
