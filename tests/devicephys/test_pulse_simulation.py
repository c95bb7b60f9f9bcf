"""``simulate_pulses`` on the shipped device: record, physics, balances, population, cost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from ddkbase import records
from devicephys import (
    Device,
    InputError,
    Interrupted,
    PulseTrain,
    Settings,
    SolverError,
    simulate_pulses,
)
from devicephys.fem.assembly import prepare
from devicephys.fem.pulses import stepper as pulse_stepper
from devicephys.population.variability import Variability
from devicephys.simulation.pulses import PulseEvent

pytestmark = pytest.mark.fem

QUICK = Settings.preset("quick")


@pytest.fixture(scope="session")
def device() -> Device:
    return devicephys.load_device("tin-taox-hfox-tin")


@pytest.fixture(scope="session")
def trace(device: Device) -> xr.Dataset:
    """Twelve RESET pulses of 3 V."""
    return simulate_pulses(device, PulseTrain("-3 V", count=12), QUICK)


# the record


def test_record_is_of_its_schema_and_survives_the_file(trace: xr.Dataset, tmp_path: Path) -> None:
    records.validate(trace, "PulseTrace")
    again = records.read(records.write(trace, tmp_path / "pulses.nc"), "PulseTrace")
    xr.testing.assert_equal(again, trace)
    assert again.attrs["complete"] == 1
    assert again.pulse.values.tolist() == list(range(1, 13))


def test_progress_tells_every_pulse(device: Device) -> None:
    told: list[PulseEvent] = []
    trace = simulate_pulses(device, PulseTrain("-2 V", count=2), QUICK, progress=told.append)
    assert [(e.pulse, e.count, e.preparing) for e in told] == [(1, 2, False), (2, 2, False)]
    assert told[-1].conductance == trace.conductance.values[-1]


# physics


def test_window_of_a_reset_train(trace: xr.Dataset) -> None:
    """The article's cell: 200 uS (5 kohm) at first, RESET by 3 V, 100 ns across the 1T1R cell."""
    assert float(trace.initial_conductance) == pytest.approx(200e-6, rel=0.1)
    conductance = trace.conductance.values
    assert np.all(np.diff(conductance) < 0)
    assert conductance[-1] < 25e-6
    assert np.all(trace.voltage.values == -3.0)
    assert np.all(np.abs(trace.device_voltage.values) < 2.5)
    assert np.all(trace.current.values < 0)


def test_set_raises_the_conductance_again(device: Device) -> None:
    trace = simulate_pulses(device, PulseTrain(["-3 V"] * 10 + ["2.5 V"] * 3), QUICK)
    low, high = trace.conductance.values[9], trace.conductance.values[-1]
    assert low < 40e-6
    assert high > 2 * low
    assert np.all(trace.energy.values > 0)


def test_a_pause_changes_nothing(device: Device) -> None:
    trace = simulate_pulses(device, PulseTrain("0 V", count=3, period="1 ms"), QUICK)
    assert trace.conductance.values == pytest.approx(float(trace.initial_conductance), rel=1e-5)
    assert np.all(trace.energy.values == 0.0)


def test_balances_of_every_step(trace: xr.Dataset) -> None:
    assert float(trace.vacancy_imbalance.max()) < 1e-8  # what was exchanged is counted
    assert float(trace.current_imbalance.max()) < 1e-8
    assert float(trace.energy_imbalance.max()) < 1e-4


def test_long_steps_of_pulses_agree_with_short_steps_of_a_sweep(
    device: Device, trace: xr.Dataset
) -> None:
    """The sweep's stepper resolves every flank and edge; the pulses' stepper must not differ by
    more than the 3 % that halving mesh and step may move a resistance."""
    fine = QUICK.with_(concentration_tolerance=0.004, temperature_tolerance="2 K")
    _, stepper, state = prepare(device, fine.with_(voltage_step="40 mV"))
    train, conductance = PulseTrain("-3 V", count=4), []
    stepper.problem.series = device.series.pulsed(train.drive, train.gate_voltage)
    from devicephys.fem.observables import Observer

    observer = Observer(stepper.problem, state)
    for k in range(train.count):
        wave = train.pulse(k)
        for step in stepper.run(state, wave.voltage, wave.corners, 1e-10):
            state = step.state
            if step.time == train.read_time(k):
                conductance.append(observer.observe(step).current / step.applied)
    assert trace.conductance.values[:4] == pytest.approx(conductance, rel=0.03)


@pytest.mark.parametrize("amplitude", ["-3 V", "3 V"])
def test_no_pulse_is_stepped_over(amplitude: str) -> None:
    """A pulse of 1 ns does the same whether a microsecond or a second of rest surrounds it."""
    device = devicephys.load_device("tin-taox-hfox-tin-v1")  # which a nanosecond moves
    near, far = (
        simulate_pulses(
            device,
            PulseTrain(amplitude, "1 ns", count=2, rise="0.1 ns", fall="0.1 ns", period=period),
            QUICK,
        )
        for period in ("1 us", "1 s")
    )
    start = float(near.initial_conductance)
    if amplitude.startswith("-"):
        assert near.conductance.values[0] < 0.98 * start
    assert far.conductance.values == pytest.approx(near.conductance.values, rel=1e-4)
    assert far.temperature_max.values == pytest.approx(near.temperature_max.values, rel=1e-4)


def test_cell_is_brought_to_its_initial_resistance(device: Device) -> None:
    trace = simulate_pulses(
        device, PulseTrain("-2 V", count=1), QUICK, initial_resistance="20 kohm"
    )
    assert float(trace.initial_resistance) == pytest.approx(20e3, rel=0.021)
    assert float(trace.wanted_resistance) == 20e3
    assert int(trace.preparation_pulses) > 0


def test_resistance_out_of_reach_is_refused(device: Device) -> None:
    with pytest.raises(InputError, match="cannot be brought to 1 kohm"):
        simulate_pulses(device, PulseTrain(count=1), QUICK, initial_resistance="1 kohm")


# populations


def test_one_seed_gives_one_cell_to_the_last_bit(device: Device) -> None:
    train = PulseTrain("-2.1 V", count=2)
    one, same, other_cycle, other_device = (
        simulate_pulses(device, train, QUICK, seed=7, cycle=cycle, device_number=number)
        for cycle, number in ((1, 2), (1, 2), (2, 2), (1, 3))
    )
    xr.testing.assert_identical(one.drop_attrs(), same.drop_attrs())
    assert one.attrs["device_yaml"] == same.attrs["device_yaml"]
    assert not np.array_equal(one.conductance, other_cycle.conductance)
    assert not np.array_equal(one.conductance, other_device.conductance)
    assert one.attrs["seed"] == 7


def test_variability_needs_a_seed(device: Device) -> None:
    with pytest.raises(InputError, match="needs a seed"):
        simulate_pulses(device, PulseTrain(count=1), QUICK, variability=Variability())


# what can go wrong


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"device": "tin-taox-hfox-tin"}, "is no device"),
        ({"train": "-2 V"}, "is no train"),
        ({"settings": "quick"}, "is no settings"),
        ({"seed": -1}, "simulate_pulses, seed"),
        ({"seed": 1, "cycle": 1.5}, "simulate_pulses, cycle"),
        ({"initial_resistance": 5000}, "5000 has no unit"),
        ({"initial_resistance": "-5 kohm"}, "not positive"),
        ({"settings": Settings.preset("quick", scheme="staggered")}, "staggered"),
    ],
)
def test_bad_arguments(device: Device, arguments: dict, words: str) -> None:
    given = {"device": device, "train": PulseTrain(count=1), "settings": QUICK} | arguments
    with pytest.raises(InputError) as caught:
        simulate_pulses(**given)
    assert words in str(caught.value)


def test_solver_that_gives_up_leaves_what_was_done() -> None:
    device = devicephys.load_device("tin-taox-hfox-tin-v1")  # 3 V RESET it within nanoseconds
    heights = ["-1 V", "-1 V", "-3 V"]
    with pytest.raises(SolverError) as caught:
        simulate_pulses(device, PulseTrain(heights), QUICK.with_(shortest_step="0.9 ns"))
    assert "pulse 3 of 3" in str(caught.value)
    assert caught.value.diagnosis["reason"]
    partial = caught.value.partial
    assert partial is not None
    records.validate(partial, "PulseTrace")
    assert partial.sizes["pulse"] == 2
    assert partial.attrs["complete"] == 0


def test_a_pulse_that_never_ends_is_given_up(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse_stepper, "MOST_ATTEMPTS", 5)
    with pytest.raises(SolverError, match="not over after 5 time steps"):
        simulate_pulses(device, PulseTrain("-2 V", count=1), QUICK)


def test_interruption_leaves_what_was_done(device: Device) -> None:
    def stop(event: PulseEvent) -> None:
        if event.pulse == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        simulate_pulses(device, PulseTrain("-1 V", count=5), QUICK, progress=stop)
    assert caught.value.partial is not None
    assert caught.value.partial.sizes["pulse"] == 2


# cost


@pytest.mark.slow
def test_iterations_of_a_train(device: Device) -> None:
    trace = simulate_pulses(device, PulseTrain("-3 V", count=100), QUICK.with_(every_pulse=True))
    assert float(trace.newton_iterations.mean()) <= 25.0
    assert float(trace.conductance[-1]) < 10e-6
    counts = json.loads(trace.attrs["headline_json"])
    assert counts["newton_iterations_per_pulse"] == float(trace.newton_iterations.mean())
