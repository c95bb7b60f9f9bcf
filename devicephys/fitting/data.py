"""A measured loop or train: what is simulated for it, its misfit, and the derivatives of that."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ddkbase import records
from ddkbase.errors import InputError
from ddkbase.tables.reading import file_content, table_of
from ddkbase.tables.table import FileOptions, numbers
from ddkbase.tables.units import quantity_of
from devicephys.device import Device
from devicephys.fitting.description import FitDescription, LoopSource, TrainSource
from devicephys.measured.loops import read_loop
from devicephys.measured.ramps import waveform_of
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.simulation.settings import Settings
from devicephys.simulation.simulate import simulate

__all__ = ["Data", "LoopData", "TrainData", "read_data"]

#: share of the largest voltage below which the current of a loop does not count
LEAST_VOLTAGE = 0.05


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

    def misfit(
        self, device: Device, settings: Settings, paths: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residuals [1], their derivatives by the logarithm of each path, what was simulated.

        Raises
        ------
        SolverError
            The device cannot be simulated.
        """
        simulated, shares = self.simulate(device, settings, paths)
        scale = np.sqrt(self.weight) / self.error
        residual = scale * (np.log(np.abs(simulated)) - np.log(np.abs(self.measured)))
        return residual, scale[:, None] * shares, simulated

    @abc.abstractmethod
    def simulate(
        self, device: Device, settings: Settings, paths: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """What would be measured, and d ln of it / d ln of each path, (samples, paths)."""


class LoopData(Data):
    """Currents along one measured loop."""

    axis_label, unit = "Voltage (V)", "A"

    def __init__(self, source: LoopSource, folder: Path | None) -> None:
        path = Path(source.loop) if folder is None else folder / source.loop
        columns: dict[str, Any] = dict(source.columns)
        loops = read_loop(
            path, units=source.units, rate=source.rate, compliance=source.compliance, **columns
        )
        self.name = f"{Path(source.loop).name}, loop {source.number}"
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
        # the slope of the whole record: thinned out a snap would look gentle
        slope = np.abs(np.gradient(np.log(np.abs(i[good])), np.arange(len(good))))
        step = np.median(np.abs(np.diff(v[good])))
        kept = np.unique(np.linspace(0, len(good) - 1, source.samples).round().astype(int))
        chosen = good[kept]
        self.axis, self.times, self.measured = v[chosen], times[chosen], i[chosen]
        jitter = source.voltage_error * slope[kept] / step
        # an ohmic current scatters with its voltage, too, but that is no switching
        jitter = np.maximum(jitter - source.voltage_error / np.abs(self.axis), 0.0)
        self.error = np.hypot(source.error, jitter)
        self.weight = source.weight

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
    """Conductances after each pulse of a train."""

    axis_label, unit = "Pulse", "S"

    def __init__(self, source: TrainSource, folder: Path | None) -> None:
        path = Path(source.train) if folder is None else folder / source.train
        self.name = path.name
        if "count" in source.protocol:
            raise InputError("the count follows from the file", "protocol.count", "Leave it out")
        options: dict[str, Any] = dict(source.protocol)
        if path.suffix.lower() == ".nc":
            values = records.read(path, "PulseTrace")["conductance"].values.astype(float)
        else:
            values = _conductances(path, source, PulseTrain(count=1, **options).read_voltage)
        if not np.all(values > 0):
            raise InputError("a conductance is not positive", str(path), "Leave those rows out")
        self.train = PulseTrain(count=len(values), **options)
        self.measured, self.axis = values, np.arange(1, len(values) + 1.0)
        self.error = np.full(len(values), source.error)
        self.weight = source.weight

    def simulate(
        self, device: Device, settings: Settings, paths: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        ds = simulate(device, self.train, settings, sensitivities=paths)
        return ds["conductance"].values, ds["conductance_sensitivity"].values


def _conductances(path: Path, source: TrainSource, read_voltage: float) -> np.ndarray:
    """The column of conductances of a table, from resistances or currents where it holds those."""
    table = table_of(file_content(path), str(path), FileOptions())
    kinds = ("S", "ohm", "A")
    if source.column is not None:
        fits = [c for c in table.columns if source.column in (c.name, c.number)]
    else:
        fits = [c for c in table.columns if quantity_of(c.unit) in kinds]
    if len(fits) != 1:
        titles = ", ".join(c.title for c in table.columns[:8])
        raise InputError(
            f"{len(fits)} columns hold conductances, resistances or currents among {titles}",
            str(path),
            "Name one with column: ..., and its unit with unit: ...",
        )
    unit = source.unit or fits[0].unit
    kind = quantity_of(unit)
    if kind not in kinds:
        raise InputError("has no unit of conductance", table.where(fits[0]), "Write unit: uS")
    values = numbers(table, fits[0], kind, unit)
    values = values[np.isfinite(values)]
    with np.errstate(divide="ignore"):
        return {"S": values, "ohm": 1.0 / values, "A": values / read_voltage}[kind]


def read_data(description: FitDescription, folder: Path | None) -> list[Data]:
    """All that was measured, in the order of the description."""
    return [
        LoopData(source, folder) if isinstance(source, LoopSource) else TrainData(source, folder)
        for source in description.data
    ]


def as_dataset(data: Data, simulated: np.ndarray) -> xr.Dataset:
    """Measured and simulated values of one data set on ``sample``."""
    units = {"units": data.unit}
    return xr.Dataset(
        {
            "measured": ("sample", data.measured, units),
            "simulated": ("sample", simulated, units),
            "error": ("sample", data.error, {"units": "1"}),
            "axis": ("sample", data.axis, {"units": "V" if data.unit == "A" else "1"}),
        },
        attrs={"name": data.name},
    )
