"""A bench on which the conductance of a cell relaxes, in place of the solver."""

from __future__ import annotations

import math
from collections.abc import Iterator

import xarray as xr

from ddkbase.errors import SolverError
from devicephys.device import load_device
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.simulation.settings import Settings
from devicephys.simulation.switching_bench import Moment
from devicephys.simulation.switching_time import Point, Results, dataset, measure

LOW, HIGH = 200e-6, 10e-6  # conductances of the two states, S
BASE, SLOPE = 1e-3, 7.0  # time constant at 1 V [s] and decades won per volt


class Relaxation:
    """A bench on which the conductance goes over exponentially from one state to the other.

    The time constant falls by ``SLOPE`` decades per volt; steps grow by a twentieth each. At
    ``failing`` volts the solver gives up, at ``stopping`` volts the user interrupts.
    """

    def __init__(self, scan: SwitchingScan, failing: float = 0.0, stopping: float = 0.0) -> None:
        self.scan, self.failing, self.stopping = scan, failing, stopping
        self.steps = 0

    def start(self, polarity: str) -> float:
        return LOW if polarity == "reset" else HIGH

    def read(self, state: float) -> float:
        return state

    def counts(self) -> tuple[int, int]:
        return self.steps, 3 * self.steps

    def hold(self, state: float, voltage: float) -> Iterator[Moment]:
        if abs(voltage) == self.stopping:
            raise KeyboardInterrupt
        tau = time_constant(abs(voltage))
        end = HIGH if voltage < 0 else LOW
        time = self.scan.rise
        while time < self.scan.limit:
            if abs(voltage) == self.failing and time > 0.1 * tau:
                raise SolverError("no time step succeeds", "t = 1 s")
            self.steps += 1
            now = end * (state / end) ** math.exp(-(time - 0.5 * self.scan.rise) / tau)
            yield Moment(time, voltage, now * voltage, 300.0 + 100.0 * abs(voltage), now)
            time *= 1.05


def time_constant(voltage: float) -> float:
    return BASE * 10 ** (-SLOPE * (voltage - 1.0))


def expected(voltage: float, polarity: str) -> float:
    """Time at which log conductance has gone the wanted share of its way, s."""
    whole = math.log(LOW / HIGH)
    share = math.log(2.0) / whole if polarity == "reset" else 0.5
    return -time_constant(voltage) * math.log(1.0 - share)


def scanned(scan: SwitchingScan, **bench: float) -> Results:
    results = Results(len(scan.voltages) * len(scan.polarities))
    measure(Relaxation(scan, **bench), scan, results)
    return results


def record(scan: SwitchingScan, points: list[Point], complete: bool = True) -> xr.Dataset:
    device = load_device("tin-taox-hfox-tin")
    return dataset(device, scan, Settings.preset("quick"), points, 1, complete)
