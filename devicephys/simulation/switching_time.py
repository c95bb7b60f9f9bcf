"""Switching time against voltage: how long a constant voltage takes to switch the cell.

RESET starts from the low-resistance state, the cell as formed or as its own loops leave it; SET
from the high-resistance state that the RESET half of the device's own sweep then makes, simulated
once and used for every voltage. The voltage rises within ``rise`` and is held until the cell has
switched, at most for ``limit``. Time counts from the middle of the rise, as pulse lengths do. The
cell has switched when

* criterion "read" (the state): a read of the cold cell, at that instant, would find half of the
  conductance it started with (RESET), or the geometric mean of the high- and the low-resistance
  state's, half way on a logarithmic scale (SET);
* criterion "applied" (the transient): the conductance I/V at the applied voltage is half of what
  it is when the rise ends (RESET), or ten times what a read of the start state finds (SET).

The instant lies between two accepted time steps and is interpolated there, log conductance against
log time. Self-heating alone raises the conductance at high voltage within a nanosecond, several
times in the high-resistance state; "read" does not see that, "applied" does.

What a scan measured is the dataset ``SwitchingTime``, with slopes of time over voltage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, Interrupted, SolverError
from ddkbase.schemas import TEXT, labelled
from devicephys.device import Device
from devicephys.installation import require_solver
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.simulation.provenance import provenance
from devicephys.simulation.schemas import (
    FAILED,
    GRID,
    NOT_COMPUTED,
    NOT_SWITCHED,
    SWITCHED,
    SWITCHING_TIME,
    TOO_FAST,
)
from devicephys.simulation.settings import Settings
from devicephys.simulation.switching_bench import Bench, SolverBench

#: share of the conductance that is left when RESET counts as done, both criteria
RESET_SHARE = 0.5
#: rise of the conductance that counts as SET, criterion "applied"
SET_RISE = 10.0
#: low- and high-resistance state must differ by this factor, or there is no SET to time
SMALLEST_WINDOW = 2.0


def simulate_switching_times(
    device: Device,
    scan: SwitchingScan | None = None,
    settings: Settings | None = None,
    progress: Callable[[Results], None] | None = None,
    comm: Any = None,
) -> xr.Dataset:
    """Measure the switching time of a device at several voltages with the solver.

    Parameters
    ----------
    device : Device
        The cell, from ``load_device``.
    scan : SwitchingScan or None, optional
        Voltages, criterion and limits; by default both polarities from 0.8 to 2 V.
    settings : Settings or None, optional
        How it is solved; by default the preset "default".
    progress : callable or None, optional
        Called after each voltage with the ``Results`` so far.
    comm : mpi4py.MPI.Comm or None, optional
        mpi4py communicator, by default all ranks; every rank receives the dataset.

    Returns
    -------
    xarray.Dataset
        Dataset of schema ``SwitchingTime`` version 1, on (polarity, voltage). A voltage that does
        not switch the cell within the limit, or at which the solver fails, is in it with its
        reason.

    Raises
    ------
    SolverError
        A start state cannot be made, or no voltage at all could be computed; ``partial`` holds the
        dataset so far.
    InputError
        The cell has no two states to switch between.
    Interrupted
        Ctrl-C; ``partial`` as above.
    InstallationError
        No finite-element stack or no C compiler.
    """
    scan = scan if scan is not None else SwitchingScan()
    settings = settings if settings is not None else Settings.preset()
    settings.needs_motion("a scan of switching times")
    require_solver()
    bench = SolverBench(device, settings, scan, comm)
    results = Results(len(scan.voltages) * len(scan.polarities))

    def partial(complete: bool) -> xr.Dataset:
        return dataset(device, scan, settings, results.points, bench.ranks, complete)

    try:
        measure(bench, scan, results, progress)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted",
            f"after {len(results.points)} of {results.total} voltages",
            partial=partial(False),
        ) from None
    except SolverError as error:
        error.partial = partial(False)
        raise
    if all(point.status == FAILED for point in results.points):
        raise SolverError(
            f"no voltage could be computed: {results.points[-1].reason}",
            hint="Try a finer preset, or other voltages",
            partial=partial(True),
        )
    return partial(True)


def measure(
    bench: Bench,
    scan: SwitchingScan,
    results: Results,
    progress: Callable[[Results], None] | None = None,
) -> None:
    """Carry out a scan, voltages from high to low, adding to ``results`` point by point.

    Raises SolverError if a start state cannot be made and InputError if the two states are the
    same.
    """
    for polarity in scan.polarities:
        state = bench.start(polarity)
        conductance = bench.read(state)
        target = RESET_SHARE * conductance
        if polarity == "set":
            low = bench.read(bench.start("reset"))
            if not low >= SMALLEST_WINDOW * conductance:
                raise InputError(
                    f"the RESET half of the device's sweep takes the conductance from {low:.3g} "
                    f"to {conductance:.3g} S only: there is no SET to time",
                    "switching time",
                    "Choose a larger sweep.reset_voltage, or --polarity reset",
                )
            target = math.sqrt(low * conductance)
        for voltage in reversed(scan.voltages):
            point = Point(polarity, voltage, NOT_SWITCHED, "", start_conductance=conductance)
            point.target_conductance = target
            before = bench.counts()
            try:
                _hold(bench, scan, state, point)
            except SolverError as error:
                point.status, point.reason = FAILED, str(error)
            steps, iterations = bench.counts()
            point.steps, point.newton_iterations = steps - before[0], iterations - before[1]
            results.points.append(point)
            if progress is not None:
                progress(results)


def _hold(bench: Bench, scan: SwitchingScan, state: Any, point: Point) -> None:
    """One voltage: hold it until the cell has switched; fills in ``point``."""
    rising = point.polarity == "set"
    times: list[float] = []
    values: list[float] = []
    temperatures: list[float] = []
    if scan.criterion == "applied" and rising:
        point.target_conductance = SET_RISE * point.start_conductance
    signed = point.voltage if rising else -point.voltage
    for moment in bench.hold(state, signed):
        if scan.criterion == "read":
            value = bench.read(moment.state)
        else:
            value = moment.current / moment.voltage
            if not times and not rising:
                point.start_conductance = value
                point.target_conductance = RESET_SHARE * value
        times.append(moment.time - 0.5 * scan.rise)
        values.append(value)
        temperatures.append(moment.temperature)
        point.end_conductance = value
        if value >= point.target_conductance if rising else value <= point.target_conductance:
            break
    else:
        share = point.end_conductance / point.start_conductance
        point.reason = f"after {scan.limit:g} s at {share:.3g} of the conductance at the start"
        return
    if len(times) == 1:
        point.status = TOO_FAST
        point.reason = f"faster than the rise of {scan.rise:g} s"
        return
    point.status = SWITCHED
    point.switching_time = crossing(np.array(times), np.array(values), point.target_conductance)
    half = np.log(0.5 * point.switching_time)
    point.temperature_half = float(np.interp(half, np.log(times), temperatures))


def crossing(time: np.ndarray, value: np.ndarray, target: float) -> float:
    """First time [s] at which ``value`` passes ``target``, both positive; NaN if it never does.

    Between two samples log ``value`` is linear in log ``time``: exact for a power law, and for
    an exponential law in the logarithm of time.
    """
    beyond = (value >= target) if value[0] < target else (value <= target)
    hits = np.flatnonzero(beyond)
    if not len(hits) or hits[0] == 0:
        return math.nan
    k = int(hits[0])
    x, y = np.log(time[k - 1 : k + 1]), np.log(value[k - 1 : k + 1])
    return float(np.exp(x[0] + (x[1] - x[0]) * (math.log(target) - y[0]) / (y[1] - y[0])))


#: Boltzmann's constant, eV/K
BOLTZMANN_EV = 8.617333262e-5
CRITERION_TEXT = {
    "read": "in a read of the cold cell, RESET to half of the start's conductance, SET to the"
    " geometric mean of both states'",
    "applied": "at the applied voltage, RESET to half of the start's conductance, SET to ten times"
    " what a read of the start finds",
}


@dataclass
class Point:
    """Result for one polarity and voltage; times in s, conductances in S, NaN where unknown."""

    polarity: str
    voltage: float
    status: str = NOT_COMPUTED
    reason: str = ""
    switching_time: float = math.nan
    temperature_half: float = math.nan
    start_conductance: float = math.nan
    target_conductance: float = math.nan
    end_conductance: float = math.nan
    steps: int = 0
    newton_iterations: int = 0


@dataclass
class Results:
    """Points of a scan in the order in which they were measured, and how many there will be."""

    total: int
    points: list[Point] = field(default_factory=list)


def dataset(
    device: Device,
    scan: SwitchingScan,
    settings: Settings,
    points: Sequence[Point],
    ranks: int,
    complete: bool,
) -> xr.Dataset:
    """The SwitchingTime of the points measured so far; what is missing reads "not computed"."""
    shape = len(scan.polarities), len(scan.voltages)
    blank = Point("", 0.0)
    table = np.full(shape, blank, dtype=object)
    for point in points:
        where = scan.polarities.index(point.polarity), scan.voltages.index(point.voltage)
        table[where] = point
    columns = {
        name: np.array([[getattr(point, name) for point in row] for row in table])
        for name, spec in SWITCHING_TIME.variables.items()
        if spec.dims == GRID and name not in ("applied_voltage", "local_slope")
    }
    voltages = np.array(scan.voltages)
    sign = np.array([-1.0 if polarity == "reset" else 1.0 for polarity in scan.polarities])
    columns["applied_voltage"] = sign[:, None] * voltages[None, :]
    columns["local_slope"] = np.array(
        [local_slope(voltages, row) for row in columns["switching_time"]]
    )
    data = labelled(SWITCHING_TIME, columns)
    for name, variable in data.items():  # text of any length
        if SWITCHING_TIME.variables[name].kind == TEXT:
            data[name] = variable.astype(object)
    polarities = np.array(scan.polarities, dtype=object)
    coords = labelled(SWITCHING_TIME, {"polarity": polarities, "voltage": voltages})
    figures = {
        polarity: slope_figures(voltages, columns["switching_time"][i])
        | {
            "activation_energy_ev": activation_energy(
                columns["temperature_half"][i], columns["switching_time"][i]
            )
        }
        for i, polarity in enumerate(scan.polarities)
    }
    attrs = provenance(
        SWITCHING_TIME,
        f"Switching time of {device.name}",
        device,
        settings,
        scan.to_dict(),
        figures,
        ranks=ranks,
        complete=complete,
    )
    attrs["criterion"] = f"{scan.criterion}: {CRITERION_TEXT[scan.criterion]}"
    return xr.Dataset(data, coords, attrs)


def local_slope(voltage: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Decades of time won per volt [1/V] at each voltage, shape (voltages,).

    Difference quotient over the neighbours on both sides, at the ends over the one there is; NaN
    where the time is NaN or no neighbour has one.
    """
    out = np.full(len(voltage), np.nan)
    decades = np.log10(time)
    for k in np.flatnonzero(np.isfinite(decades)):
        near = [j for j in (k - 1, k, k + 1) if 0 <= j < len(voltage) and np.isfinite(decades[j])]
        first, last = near[0], near[-1]
        if first != last:
            out[k] = (decades[first] - decades[last]) / (voltage[last] - voltage[first])
    return out


def activation_energy(temperature: np.ndarray, time: np.ndarray) -> float | None:
    """Activation energy [eV] of a straight line through log time against 1/(kB T); None if fewer
    than three voltages switched."""
    valid = np.isfinite(time) & np.isfinite(temperature)
    inverse = 1.0 / (BOLTZMANN_EV * temperature[valid])
    if valid.sum() < 3 or np.ptp(inverse) == 0.0:
        return None
    return float(np.polynomial.Polynomial.fit(inverse, np.log(time[valid]), 1).convert().coef[1])


def slope_figures(voltage: np.ndarray, time: np.ndarray) -> dict[str, float | int | None]:
    """Headline figures of one polarity: how many voltages switched, the decades of time between
    the slowest and the fastest, the volts they span, and the quotient in mV per decade, over all
    and where it is smallest and largest between neighbours. None where there is nothing."""
    switched = np.flatnonzero(np.isfinite(time))
    figures: dict[str, float | int | None] = {"switched": len(switched), "voltages": len(voltage)}
    names = ("decades", "span_volts", "mv_per_decade", "steepest_mv", "flattest_mv")
    if len(switched) < 2:
        return figures | dict.fromkeys(names)
    decades = -np.diff(np.log10(time[switched]))
    volts = np.diff(voltage[switched])
    with np.errstate(divide="ignore"):
        pieces = 1e3 * volts / decades
    total = float(decades.sum())
    values = (
        total,
        float(volts.sum()),
        1e3 * float(volts.sum()) / total if total else math.inf,
        float(pieces.min()),
        float(pieces.max()),
    )
    finite = {n: (v if math.isfinite(v) else None) for n, v in zip(names, values, strict=True)}
    return figures | finite
