"""Tangents against differences of whole simulations on the same time steps, and the record."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from ddkbase import records
from ddkbase.units import exact_text
from devicephys import Device, InputError, IVSweep, PulseTrain, Settings, Waveform
from devicephys.device.entries import parameter_value
from devicephys.fem.assembly import follow_tangents, prepare, prepare_pulses
from devicephys.fem.pulses.stepper import Memory
from devicephys.fem.stepper import Step, Stepper

pytestmark = pytest.mark.fem

#: what Newton leaves is divided by the change of a parameter in a difference of two runs
TIGHT = Settings.preset("quick", newton_tolerance=1e-7, newton_iterations=30)
CHANGE = 1e-6
#: laws, vacancies, series element, boundary, mesh; the last two are at each other's bound
PARAMETERS = (
    "materials.HfOx.diffusion_activation",
    "materials.TaOx.conductivity_high",
    "materials.TiN.electrical_conductivity",
    "vacancy.site_limit",
    "series.transconductance",
    "ambient_temperature",
    "filament.radius",
    "layers.HfOx.thickness",
    "filament.height",
)


@pytest.fixture(scope="module")
def device() -> Device:
    return devicephys.load_device("tin-taox-hfox-tin")


def moved(device: Device, direction: np.ndarray) -> Device:
    """The device with the logarithms of all parameters moved along a direction."""
    changes = {}
    for path, share in zip(PARAMETERS, direction, strict=True):
        value = parameter_value(device, path) * np.exp(share)
        changes[path] = exact_text(value, device.provenance[path].unit)
    return device.with_(changes)


@dataclasses.dataclass
class Recorded:
    """Current and its slopes at each step, and what the steps were."""

    current: np.ndarray
    slopes: np.ndarray
    ends: list[tuple[float, int, int]]  # time, states before, steps since the corner


def record(stepper: Stepper, tangents, steps: Iterable[Step]) -> tuple[Recorded, Step]:
    currents, slopes, ends = [], [], []
    for step in steps:
        currents.append(stepper.problem.current_vector @ step.state.u)
        slopes.append(tangents.follow(step))
        ends.append((step.time, len(step.past), getattr(stepper, "_since", 0) - 1))
    return Recorded(np.array(currents), np.array(slopes), ends), step


def again(stepper: Stepper, initial, waveform: Waveform, ends) -> tuple[np.ndarray, Step]:
    """Currents of a run on the time steps of another."""
    stepper.limits = dataclasses.replace(stepper.limits, fixed=1.0)
    currents, past = [], [(float(waveform.corners[0]), initial.copy())]
    for end, states, since in ends:
        if hasattr(stepper, "_since"):
            stepper._since, stepper._use_memory, stepper._cold = since, False, False
        kink = past[0][0] in waveform.corners
        step = stepper._attempt(past[:states], end, waveform.voltage, kink)
        assert isinstance(step, Step)
        past = [(step.time, step.state), *past[:2]]
        currents.append(stepper.problem.current_vector @ step.state.u)
    return np.array(currents), step


def balanced(recorded: list[Recorded]) -> np.ndarray:
    """A direction along which every parameter matters alike, thickness and height together."""
    largest = np.max([np.abs(r.slopes / r.current[:, None]).max(0) for r in recorded], axis=0)
    direction = 1.0 / largest
    direction[-2:] = 1.0 / largest[-2:].max()
    assert np.all(np.isfinite(direction))
    return direction


@pytest.mark.slow
def test_tangents_of_a_reset_are_the_differences_of_two_runs(device: Device) -> None:
    waveform = Waveform.from_si([0.0, 1.42, 1.47], [0.0, -1.42, -1.37])

    _, stepper, initial = prepare(device, TIGHT)
    tangents = follow_tangents(stepper, TIGHT, PARAMETERS)
    tangents.start(initial)
    steps = stepper.run(initial, waveform.voltage, waveform.corners, 1e-5)
    here, _ = record(stepper, tangents, steps)
    direction = balanced([here])
    sides = []
    for sign in (1.0, -1.0):
        _, other, start = prepare(moved(device, sign * CHANGE * direction), TIGHT)
        sides.append(again(other, start, waveform, here.ends)[0])
    difference = (sides[0] - sides[1]) / (2 * CHANGE) / here.current
    expected = here.slopes @ direction / here.current
    assert np.abs(expected).max() > 0.1
    assert np.abs(here.current).max() > 1.2 * np.abs(here.current[-1])  # the cell did reset
    np.testing.assert_allclose(expected, difference, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_tangents_of_a_train_are_the_differences_of_two_runs(device: Device) -> None:
    train = PulseTrain("-3 V", "100 ns", 2)
    corners = train.pulse(0).corners
    soft = (corners[5], corners[7])

    _, stepper = prepare_pulses(device, TIGHT)
    stepper.solver.frugal = False  # or its guess of what is left decides how far Newton goes
    tangents = follow_tangents(stepper, TIGHT, PARAMETERS)
    state = stepper.problem.initial_state()
    tangents.start(state)
    pulses = []
    for k in range(train.count):
        pulse, last = record(stepper, tangents, stepper.run_pulse(state, train.pulse(k), soft))
        pulses.append(pulse)
        state = last.state
    reads = [[end[0] for end in pulse.ends].index(corners[6]) for pulse in pulses]
    here = [
        Recorded(pulse.current[[i]], pulse.slopes[[i]], [])
        for pulse, i in zip(pulses, reads, strict=True)
    ]
    direction = balanced(here)
    sides = []
    for sign in (1.0, -1.0):
        _, other = prepare_pulses(moved(device, sign * CHANGE * direction), TIGHT)
        other.solver.frugal = False
        state, found = other.problem.initial_state(), []
        for k, (pulse, i) in enumerate(zip(pulses, reads, strict=True)):
            other.memory = Memory()
            currents, last = again(other, state, train.pulse(k), pulse.ends)
            found.append(currents[i])
            state = last.state
        sides.append(np.array(found))
    current = np.array([r.current[0] for r in here])
    assert current[-1] < 0.9 * current[0]  # the pulses do something
    difference = (sides[0] - sides[1]) / (2 * CHANGE) / current
    expected = np.array([r.slopes[0] @ direction for r in here]) / current
    np.testing.assert_allclose(expected, difference, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_record_holds_relative_sensitivities_and_the_run_stays_the_same(
    device: Device, tmp_path
) -> None:
    sweep, quick = IVSweep("-0.4 V", "0.4 V"), Settings.preset("quick")
    paths = ["series.transconductance", "filament.radius"]
    plain = devicephys.simulate(device, sweep, quick)
    found = devicephys.simulate(device, sweep, quick, sensitivities=paths)
    np.testing.assert_array_equal(found["current"], plain["current"])
    shares = found["current_sensitivity"]
    assert shares.dims == ("time", "parameter") and shares.attrs["units"] == "1"
    assert list(found["parameter"].values) == paths
    small = np.abs(found["voltage"].values) < 1e-3
    assert small.sum() >= 3 and np.isfinite(shares.values).all()
    # a wider filament conducts better; a better transistor carries more, by less than its share
    wider, better = shares.sel(parameter=paths[1])[~small], shares.sel(parameter=paths[0])[~small]
    assert np.all(wider > 0.5) and np.all((better > 0) & (better < 1))
    records.write(found, tmp_path / "iv.nc")
    stored = records.read(tmp_path / "iv.nc")
    np.testing.assert_array_equal(stored["current_sensitivity"], shares)


def test_record_of_a_train_holds_those_of_its_reads(device: Device) -> None:
    train, quick = PulseTrain("-1 V", "20 ns", 2), Settings.preset("quick")
    paths = ["filament.radius"]
    plain = devicephys.simulate(device, train, quick)
    found = devicephys.simulate(device, train, quick, sensitivities=paths)
    np.testing.assert_array_equal(found["conductance"], plain["conductance"])
    assert found["conductance_sensitivity"].dims == ("pulse", "parameter")
    assert np.all(found["conductance_sensitivity"] > 0.5)
    assert found["initial_conductance_sensitivity"].item() > 0.5


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["filament.radios"], "radius"),
        (["radius"], "filament.radius"),
        (["sweep.rate"], "belongs to the sweep"),
        (["vacancy.soret"], "is no number"),
        (["filament.wall_width"], "is 0"),
        (["filament.radius", "filament.radius"], "twice"),
        ("filament.radius", "no list"),
    ],
)
def test_parameters_that_have_no_sensitivity_are_refused(device: Device, paths, message) -> None:
    with pytest.raises(InputError, match=message):
        devicephys.simulate(device, sensitivities=paths)


def test_what_sensitivities_cannot_do_is_refused(device: Device) -> None:
    paths = ["filament.radius"]
    staggered = Settings.preset("quick", scheme="staggered")
    with pytest.raises(InputError, match="no Jacobian"):
        devicephys.simulate(device, settings=staggered, sensitivities=paths)
    train = PulseTrain("-2 V", "100 ns", 1)
    with pytest.raises(InputError, match="initial resistance"):
        devicephys.simulate(device, train, initial_resistance="10 kohm", sensitivities=paths)
    with pytest.raises(InputError, match="of a waveform or a train"):
        devicephys.simulate(device, devicephys.SwitchingScan(["0.6 V"]), sensitivities=paths)
