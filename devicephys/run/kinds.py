"""The kinds of run: a loop, a waveform, a train of pulses, a scan of switching times."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import xarray as xr

from ddkbase import records
from ddkbase.errors import StorageError, similar_file
from devicephys.population.variability import Variability
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.protocol.waveform import IVSweep
from devicephys.run import folder as names
from devicephys.run.progress import (
    Description,
    cycle_state,
    pulse_state,
    read_state,
    step_state,
    voltage_state,
)
from devicephys.run.request import Request
from devicephys.simulation.checkpoint import Checkpoint
from devicephys.simulation.simulate import simulate, simulate_pulses
from devicephys.simulation.switching_time import simulate_switching_times


class Run(abc.ABC):
    """What `devicephys.run.execution` has to know of a kind of run."""

    record: ClassVar[str]  # name of the file with the record
    schema: ClassVar[str]
    files: ClassVar[tuple[str, ...]]  # what a finished run leaves
    noun: ClassVar[str]
    verb: ClassVar[str] = "computed"
    first: ClassVar[str]  # what comes first, for a run that was stopped before it
    stamped: ClassVar[bool] = False  # whether the log has the time of each event

    def __init__(self, request: Request) -> None:
        self.request = request

    def simulate(self, progress: Any, checkpoint: Checkpoint | None) -> xr.Dataset:
        """Compute the record; ``progress`` and ``checkpoint`` may be None."""
        request = self.request
        return simulate(
            request.device,
            request.protocol,
            request.settings,
            progress=progress,
            checkpoint=checkpoint,
            **self.start(),
        )

    def start(self) -> dict[str, Any]:
        """The keyword ``start`` of a simulation that begins with the end of another run.

        Raises StorageError: that run is gone, damaged or not complete.
        """
        folder = self.request.start
        return {} if folder is None else {"start": end_of(Path(folder))}

    def origin(self) -> dict[str, str]:
        """The attribute of the record that says with the end of which run this one began."""
        return {} if self.request.start is None else {"started_from": self.request.start}

    @staticmethod
    @abc.abstractmethod
    def describe(event: Any) -> Description:
        """What an event of its solver says."""

    @abc.abstractmethod
    def reach(self, ds: xr.Dataset) -> tuple[float, str]:
        """How far an incomplete record goes: a number that grows with it, and that in words."""

    def kept(self, ds: xr.Dataset, where: str) -> str:
        """Say that an incomplete record is in a file."""
        return f"Kept {self.reach(ds)[1]} in {where}"

    def details(self, ds: xr.Dataset) -> Iterator[str]:
        """Lines for the log that are not printed."""
        yield from ()

    def is_empty(self, ds: xr.Dataset) -> bool:
        """Whether nothing was computed of an incomplete record."""
        return not all(ds.sizes.get(dim, 1) for dim in ("time", "pulse"))


class LoopRun(Run):
    """One or several current-voltage loops: ``iv.nc``, pictures, report."""

    record, schema = names.RECORD, "IVTrace"
    files = names.LOOP_FILES
    noun, first = "loop", "time step"

    @staticmethod
    def describe(event: Any) -> Description:
        return step_state(event)

    def reach(self, ds: xr.Dataset) -> tuple[float, str]:
        time, voltage = float(ds["time"].values[-1]), float(ds["voltage"].values[-1])
        return time, f"up to {1e3 * time:.4g} ms, {voltage:+.3f} V"

    def details(self, ds: xr.Dataset) -> Iterator[str]:
        columns = ("rejected_time", "rejected_step_size", "rejected_reason")
        for time, size, reason in zip(*(ds[name].values for name in columns), strict=True):
            yield f"rejected  t = {time:.9g} s  dt = {size:.4g} s  {reason}"


class WaveformRun(LoopRun):
    """A waveform that is no sweep: as a loop, with pictures over time besides."""

    files = names.WAVEFORM_FILES
    noun = "waveform"


class PulseRun(Run):
    """One train of pulses with a read after each: ``pulses.nc``, picture, report."""

    record, schema = names.PULSE_RECORD, "PulseTrace"
    files = names.PULSE_FILES
    noun, first = "train", "time step"

    def simulate(self, progress: Any, checkpoint: Checkpoint | None) -> xr.Dataset:
        request = self.request
        assert isinstance(request.protocol, PulseTrain)
        spreads = request.variability
        return simulate_pulses(
            request.device,
            request.protocol,
            request.settings,
            initial_resistance=request.initial_resistance,
            variability=None if spreads is None else Variability.from_mapping(dict(spreads)),
            seed=request.seed,
            cycle=request.cycle,
            device_number=request.device_number,
            progress=progress,
            checkpoint=checkpoint,
            **self.start(),
        )

    @staticmethod
    def describe(event: Any) -> Description:
        return pulse_state(event)

    def reach(self, ds: xr.Dataset) -> tuple[float, str]:
        count = int(ds.sizes["pulse"])
        return count, f"{count} pulse{'s' if count > 1 else ''}"


class ScanRun(Run):
    """Switching times at several voltages: ``kinetics.nc``, picture, report; no checkpoints."""

    record, schema = names.SCAN_RECORD, "SwitchingTime"
    files = names.SCAN_FILES
    noun, first, verb = "scan", "voltage", "measured"
    stamped = True

    def simulate(self, progress: Any, checkpoint: Checkpoint | None) -> xr.Dataset:
        request = self.request
        assert isinstance(request.protocol, SwitchingScan)
        return simulate_switching_times(
            request.device, request.protocol, request.settings, progress=progress
        )

    @staticmethod
    def describe(event: Any) -> Description:
        return voltage_state(event)

    def reach(self, ds: xr.Dataset) -> tuple[float, str]:
        count = int((ds["steps"].values > 0).sum())
        return count, f"{count} voltage{'s' if count > 1 else ''}"

    def kept(self, ds: xr.Dataset, where: str) -> str:
        return f"What was measured is in {where}"

    def is_empty(self, ds: xr.Dataset) -> bool:
        return not (ds["steps"].values > 0).any()


class BakeRun(Run):
    """Bakes of a programmed cell: ``retention.nc``, picture, report."""

    record, schema = names.BAKE_RECORD, "Retention"
    files = names.BAKE_FILES
    noun, first = "bake", "read"

    @staticmethod
    def describe(event: Any) -> Description:
        return read_state(event)

    def reach(self, ds: xr.Dataset) -> tuple[float, str]:
        count = int(ds["conductance"].notnull().sum())
        return count, f"{count} read{'s' if count > 1 else ''}"

    def is_empty(self, ds: xr.Dataset) -> bool:
        return not ds["conductance"].notnull().any()


class EnduranceRun(Run):
    """Program-and-verify cycles: ``endurance.nc``, picture, report."""

    record, schema = names.CYCLE_RECORD, "Endurance"
    files = names.CYCLE_FILES
    noun, first = "series of cycles", "cycle"

    @staticmethod
    def describe(event: Any) -> Description:
        return cycle_state(event)

    def reach(self, ds: xr.Dataset) -> tuple[float, str]:
        count = int(ds.sizes["cycle"])
        return count, f"{count} cycle{'s' if count > 1 else ''}"

    def is_empty(self, ds: xr.Dataset) -> bool:
        return not ds.sizes["cycle"]


#: kinds of run by that of their request
_OF_REQUEST: dict[str, type[Run]] = {
    "iv": LoopRun,
    "pulses": PulseRun,
    "switching-time": ScanRun,
    "retention": BakeRun,
    "endurance": EnduranceRun,
}
#: and by the file with their record
KINDS = {kind.record: kind for kind in _OF_REQUEST.values()}


def end_of(folder: Path) -> xr.Dataset:
    """The record of the run in ``folder``, to start another run from.

    Raises
    ------
    StorageError
        No such folder, no record in it, a damaged one, or a run that is not complete.
    """
    hint = "Name the folder that followed --out"
    if not folder.is_dir():
        raise StorageError("there is no such folder", str(folder), similar_file(folder, hint))
    present = [kind for name, kind in KINDS.items() if (folder / name).exists()]
    if not present:
        raise StorageError("there is no record of a run in it", str(folder), hint)
    ds = records.read(folder / present[0].record, present[0].schema)
    if not ds.attrs.get("complete"):
        raise StorageError(
            "the run to start from is not complete",
            str(folder),
            f"'ddk-device resume {folder}' completes it.",
        )
    return ds


def run_of(request: Request) -> Run:
    """The run that a request asks for."""
    if request.kind == "iv" and not isinstance(request.protocol, IVSweep):
        return WaveformRun(request)
    return _OF_REQUEST[request.kind](request)
