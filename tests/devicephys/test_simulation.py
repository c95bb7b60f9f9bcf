"""``simulate`` on the shipped device: the record, its balances, the schemes, how it gives up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from mpi4py import MPI

import devicephys
from ddkbase import records
from devicephys import Device, InputError, Interrupted, IVSweep, Settings, SolverError, Waveform
from devicephys.fem.equations import CellProblem, State
from devicephys.fem.mesh import make_grid
from devicephys.fem.newton import NewtonSolver
from devicephys.fem.staggered import StaggeredSolver
from devicephys.fem.stepper import StepLimits, Stepper

pytestmark = pytest.mark.fem

QUICK = Settings.preset("quick")
#: relative; what is exchanged is counted at fields that are solved to Newton's tolerance
EXCHANGED = 1e-6
#: up and down without switching, some milliseconds of sweep
SHORT = IVSweep("-0.6 V", "0.5 V")


@pytest.fixture(scope="session")
def device() -> Device:
    return devicephys.load_device("tin-taox-hfox-tin")


@pytest.fixture(scope="session")
def loop(device: Device) -> xr.Dataset:
    """One loop of the shipped device at the preset "quick"."""
    return devicephys.simulate(device, settings=QUICK)


@pytest.fixture(scope="session")
def closed(device: Device) -> xr.Dataset:
    """A RESET half of the cell without exchange: nothing comes or goes."""
    alone = {f"materials.{name}.exchange_prefactor": "0 1/s" for name in ("HfOx", "TaOx")}
    half = Waveform.from_si([0.0, 1.4 / device.sweep.rate], [0.0, -1.4])
    return devicephys.simulate(device.with_(alone), half, QUICK)


@pytest.fixture(scope="session")
def short(device: Device) -> xr.Dataset:
    """A loop that switches nothing."""
    return devicephys.simulate(device, SHORT, QUICK)


def headline(trace: xr.Dataset) -> dict:
    return json.loads(trace.attrs["headline_json"])


# the record


def test_five_lines_give_a_loop() -> None:
    cell = devicephys.load_device("tin-taox-hfox-tin")
    sweep = devicephys.IVSweep("-0.4 V", "0.4 V", rate="100 V/s")
    settings = devicephys.Settings.preset("quick")
    loop = devicephys.simulate(cell, sweep, settings=settings)
    assert float(loop.resistance.sel(time=loop.time[-2])) > 0


def test_record_is_of_its_schema_and_survives_the_file(loop: xr.Dataset, tmp_path: Path) -> None:
    records.validate(loop, "IVTrace")
    again = records.read(records.write(loop, tmp_path / "iv.nc"), "IVTrace")
    xr.testing.assert_equal(again, loop)
    assert again.attrs["complete"] == 1
    assert list(again.point.values) == list("ABCDEFGH")
    assert 2 <= again.sizes["frame"] <= 60
    assert again.attrs["method"] == "monolithic"
    assert "warning" not in again.attrs


def test_a_record_without_rejected_steps_survives_the_file(device: Device, tmp_path: Path) -> None:
    ramp = Waveform.from_si([0.0, 1e-3], [0.0, -0.1])
    trace = devicephys.simulate(device, ramp, QUICK)
    assert trace.sizes["rejected"] == 0
    again = records.read(records.write(trace, tmp_path / "iv.nc"), "IVTrace")
    assert again.sizes == trace.sizes


def test_record_holds_what_it_was_computed_from(loop: xr.Dataset, device: Device) -> None:
    from devicephys.device.library import device_from_yaml
    from devicephys.protocol.stored import protocol_from_dict

    assert device_from_yaml(loop.attrs["device_yaml"]) == device
    assert protocol_from_dict(json.loads(loop.attrs["protocol_json"])) == IVSweep.from_device(
        device
    )
    assert Settings(**json.loads(loop.attrs["settings_json"])) == QUICK
    counts = headline(loop)
    assert counts["steps"] == loop.sizes["time"] - 1
    assert counts["rejected_steps"] == loop.sizes["rejected"]
    seconds = counts["seconds"]
    parts = [seconds[k] for k in seconds if k not in ("solving", "setup")]
    assert sum(parts) == pytest.approx(seconds["solving"], abs=1e-2)
    assert min(parts) >= 0


@pytest.mark.parametrize(
    ("name", "limit"),
    [("vacancy_imbalance", 1e-10), ("current_imbalance", 1e-8), ("energy_imbalance", 1e-4)],
)
def test_balances_at_every_accepted_step(
    loop: xr.Dataset, closed: xr.Dataset, name: str, limit: float
) -> None:
    for trace in (loop, closed):
        if name == "vacancy_imbalance" and trace is loop:
            limit = EXCHANGED
        worst = int(np.argmax(trace[name].values))
        assert float(trace[name][worst]) <= limit, f"step {worst}, {float(trace.voltage[worst])} V"


def test_every_corner_is_hit_exactly(loop: xr.Dataset, device: Device) -> None:
    sweep = IVSweep.from_device(device)
    times = loop.time.values
    for corner, voltage in zip(sweep.corners, sweep.corner_voltages, strict=True):
        (hit,) = np.flatnonzero(times == corner)
        assert loop.voltage.values[hit] == voltage
    assert times[-1] == sweep.duration
    assert loop.step_size.values[1:] == pytest.approx(np.diff(times), rel=1e-9)
    # no step jumps over more than the setting allows
    assert np.abs(np.diff(loop.voltage.values)).max() <= QUICK.voltage_step * (1 + 1e-9)


def test_a_pulse_of_nanoseconds_is_not_jumped_over(device: Device) -> None:
    corners = ["0 s", "1 us", "1001 ns", "1101 ns", "1102 ns", "10 us"]
    pulse = Waveform(corners, ["0 V", "0 V", "-0.8 V", "-0.8 V", "0 V", "0 V"])
    trace = devicephys.simulate(device, pulse, QUICK)
    assert np.isin(pulse.corners, trace.time.values).all()
    assert float(trace.voltage.min()) == -0.8
    assert float(trace.temperature_max.max()) > device.ambient_temperature + 50
    (marked,) = trace.time_point.values  # of what is no sweep: where the cell is hottest
    assert float(trace.temperature_max.sel(time=marked)) == float(trace.temperature_max.max())
    assert float(trace.temperature.max()) > device.ambient_temperature + 40
    cooled = trace.temperature_max.sel(time=trace.time[-1])
    assert float(cooled) == pytest.approx(device.ambient_temperature, abs=0.1)


def test_figures_are_consistent(loop: xr.Dataset, device: Device) -> None:
    drop = loop.voltage - loop.device_voltage
    assert np.abs(drop - loop.series_voltage).max() == 0
    # the load line, as well as the energy
    law = np.array([device.series.current(v) for v in drop.values])
    largest = np.abs(loop.current.values).max()
    assert np.abs(law - loop.current.values).max() <= 1e-4 * largest
    power = loop.current * loop.device_voltage
    assert np.abs(power - loop.joule_power).max() <= 1e-4 * float(power.max())
    points = dict(zip(loop.point.values, loop.time_point.values, strict=True))
    for letter, moment in points.items():
        step = int(np.flatnonzero(loop.time.values == moment)[0])
        hottest = float(loop.temperature.sel(point=letter).max())
        assert hottest == pytest.approx(float(loop.temperature_max[step]), rel=1e-12)
        assert float(loop.potential.sel(point=letter)[-1].mean()) == pytest.approx(
            float(loop.device_voltage[step]), abs=1e-9
        )


def test_inventory_of_a_map_is_that_of_the_record(loop: xr.Dataset) -> None:
    ring = np.pi * np.diff(loop.r_node.values**2)
    volume = np.diff(loop.z_node.values)[:, None] * ring[None, :]
    total = loop.vacancy_total.sel(time=loop.time_point.values).values
    assert np.ptp(total) > 1e-4 * total[0]  # some were exchanged with the surroundings
    for n, held in zip(loop.vacancy_concentration.values, total, strict=True):
        assert np.nansum(n * volume) == pytest.approx(held, rel=1e-10)
        assert np.nanmin(n) >= 0


def test_the_cell_resets_and_sets(loop: xr.Dataset) -> None:
    figures = headline(loop)
    assert -1.35 < figures["reset_onset_voltage"] < -1.15
    assert 1.25 < figures["set_voltage"] < 1.6
    assert figures["resistance_ratio"] > 5
    height = loop.z.values - 30e-9  # above the bottom electrode
    axis = loop.vacancy_concentration.values[:, :, 0]
    gap = dict(zip("ABCDEFGH", axis[:, (height > 0) & (height < 9e-9)].min(axis=1), strict=True))
    assert gap["D"] < 0.2 * gap["A"]
    assert gap["H"] > 4 * gap["E"]


# the same, twice


def test_two_runs_are_equal_to_the_last_bit(device: Device, short: xr.Dataset) -> None:
    again = devicephys.simulate(device, SHORT, QUICK)
    assert set(again.variables) == set(short.variables)
    for name in short.variables:
        one, other = again[name].values, short[name].values
        assert one.dtype == other.dtype
        same = (
            one.tolist() == other.tolist()
            if one.dtype == object
            else one.tobytes() == other.tobytes()
        )
        assert same, name


def test_two_loops_have_two_lots_of_figures(device: Device) -> None:
    sweep = IVSweep("-0.6 V", "0.5 V", loops=2)
    trace = devicephys.simulate(device, sweep, QUICK)
    assert set(trace.loop.values) == {0, 1}
    assert len(headline(trace)["loops"]) == 2
    middle = sweep.loop_times(1)[0]
    assert trace.loop.values[trace.time.values == middle] == [0]
    assert float(trace.time_point.max()) <= middle


# schemes


def _march(device: Device, scheme: str, end: float = -1.22, steps: int = 60) -> list:
    """Accepted steps of equal length from 0 V to ``end`` [V], as fast as the device's sweep."""
    grid = make_grid(device, QUICK.cell_size, QUICK.cell_growth, QUICK.mesh_split, QUICK.coarseness)
    problem = CellProblem(device, grid, MPI.COMM_SELF)
    solver = (
        NewtonSolver(problem, 0.003)
        if scheme == "monolithic"
        else StaggeredSolver(problem, 0.003, one_pass=scheme == "one-pass")
    )
    duration = abs(end) / device.sweep.rate
    limits = StepLimits(fixed=duration / steps, voltage=1.0)
    stepper = Stepper(problem, solver, limits)
    corners = np.array([0.0, duration])
    return list(
        stepper.run(
            problem.initial_state(), lambda t: end * t / duration, corners, duration / steps
        )
    )


def _largest_difference(one: State, other: State) -> tuple[float, float, float]:
    """V, K, units of 1e21 cm^-3."""
    u = np.abs(one.u - other.u)
    return float(u[0::2].max()), float(u[1::2].max()), float(np.abs(one.n - other.n).max())


def test_staggering_must_converge_to_give_the_monolithic_steps(device: Device) -> None:
    """The same 60 steps of about 20 mV, to the edge of RESET: hot, and vacancies on the move."""
    steps = {s: _march(device, s) for s in ("monolithic", "staggered", "one-pass")}
    worst = {
        scheme: np.max(
            [
                _largest_difference(one.state, other.state)
                for one, other in zip(steps["monolithic"], steps[scheme], strict=True)
            ],
            axis=0,
        )
        for scheme in ("staggered", "one-pass")
    }
    # 1 uV, 1 mK, 1e16 cm^-3: some times what a step leaves open
    assert np.all(worst["staggered"] < (1e-6, 1e-3, 1e-5)), worst
    assert worst["one-pass"][1] > 0.1, worst


def test_one_pass_says_that_it_is_inaccurate(device: Device) -> None:
    trace = devicephys.simulate(device, SHORT, QUICK.with_(scheme="one-pass"))
    records.validate(trace)
    assert "one-pass" in trace.attrs["warning"]
    assert trace.attrs["method"] == "one-pass"
    # It keeps the vacancies, and no energy: what makes the error easy to overlook.
    assert float(trace.vacancy_imbalance.max()) <= 1e-10
    assert float(trace.energy_imbalance.max()) > 1e-4


# what changes the answer


@pytest.mark.parametrize(
    "changes",
    [
        {"vacancy.soret": "hot"},
        {"vacancy.soret": "cold"},
        {"vacancy.site_exclusion": False},
        {"vacancy.field_enhanced_drift": True, "vacancy.hop_distance": "1 nm"},
        {"vacancy.hop_dispersion": False},
        {"series": {"kind": "none"}},
        {"side_wall": "adiabatic"},
    ],
    ids=lambda changes: next(iter(changes)) + "=" + str(next(iter(changes.values()))),
)
def test_a_switch_of_the_physics_changes_the_answer(device: Device, changes: dict) -> None:
    end = 0.9 * abs(device.sweep.reset_voltage)
    ramp = Waveform.from_si([0.0, end / device.sweep.rate], [0.0, -end])
    plain = device.with_({"vacancy.soret": "off"})
    settings = QUICK.with_(mesh_of=plain)  # which hops would change
    traces = [devicephys.simulate(d, ramp, settings) for d in (plain, plain.with_(changes))]
    n = [t.vacancy_concentration_frame.values[-1] for t in traces]  # at the end of the ramp
    assert np.nanmax(np.abs(n[1] - n[0])) > 1e-3 * np.nanmax(n[0])


def test_soret_to_the_hot_side_keeps_the_hot_filament_filled(device: Device) -> None:
    """Drift empties the filament while it is hot; Soret to the cold side helps it."""
    end = 0.85 * abs(device.sweep.reset_voltage)
    ramp = Waveform.from_si([0.0, end / device.sweep.rate], [0.0, -end])
    current = {
        sign: abs(
            float(
                devicephys.simulate(device.with_({"vacancy.soret": sign}), ramp, QUICK).current[-1]
            )
        )
        for sign in ("hot", "off", "cold")
    }
    assert current["hot"] > current["off"] > current["cold"] > 0


# giving up, being stopped, asking for nonsense


def test_giving_up_keeps_the_part_and_says_why(device: Device) -> None:
    with pytest.raises(SolverError) as caught:
        devicephys.simulate(device, settings=QUICK.with_(shortest_step="5 ms"))
    error = caught.value
    assert error.partial is not None
    records.validate(error.partial, "IVTrace")
    assert error.partial.attrs["complete"] == 0
    end = float(error.partial.time[-1])
    assert 0 < end < IVSweep.from_device(device).duration
    line = str(error)
    assert "\n" not in line
    assert f"t = {end:.6g} s" in line
    assert any(name in line for name in ("vacancy concentration", "temperature", "potential")), line
    assert "Try " in line
    assert error.partial.sizes["rejected"] >= 1
    assert float(error.partial.rejected_time[-1]) == pytest.approx(end)
    assert str(error.partial.rejected_reason.values[-1]) in line


def test_giving_up_at_once_leaves_the_initial_state(device: Device) -> None:
    impossible = QUICK.with_(newton_iterations=1, newton_tolerance=1e-12)
    with pytest.raises(SolverError, match="too many Newton iterations") as caught:
        devicephys.simulate(device, settings=impossible)
    partial, diagnosis = caught.value.partial, caught.value.diagnosis
    assert partial is not None
    records.validate(partial, "IVTrace")
    assert partial.sizes["time"] == 1
    assert diagnosis["field"] in ("vacancy concentration", "temperature", "potential")
    r, z = diagnosis["place"]
    assert 0 <= r <= device.outer_radius
    assert 0 <= z <= device.height
    assert diagnosis["time"] == 0.0


def test_ctrl_c_keeps_what_was_computed(device: Device) -> None:
    events: list = []

    def stop_at_ten(event: object) -> None:
        events.append(event)
        if len(events) == 10:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        devicephys.simulate(device, SHORT, QUICK, progress=stop_at_ten)
    partial = caught.value.partial
    assert partial is not None
    records.validate(partial, "IVTrace")
    assert partial.sizes["time"] == 11
    assert partial.attrs["complete"] == 0
    assert f"t = {events[-1].time:.6g} s" in str(caught.value)
    assert float(partial.time[-1]) == events[-1].time


def test_progress_tells_each_accepted_step(device: Device, short: xr.Dataset) -> None:
    events: list = []
    devicephys.simulate(device, SHORT, QUICK, progress=events.append)
    assert [e.time for e in events] == list(short.time.values[1:])
    assert [e.voltage for e in events] == list(short.voltage.values[1:])
    assert [e.temperature_max for e in events] == list(short.temperature_max.values[1:])
    assert events[-1].time == events[-1].duration == SHORT.duration
    assert events[-1].rejected == short.sizes["rejected"]


def test_nonsense_is_refused(device: Device) -> None:
    with pytest.raises(InputError, match="no protocol"):
        devicephys.simulate(device, "IVSweep")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="does not fit"):
        devicephys.simulate(device, SHORT, QUICK.with_(cell_size="20 nm"))
    with pytest.raises(InputError, match="Did you mean 'quick'"):
        Settings.preset("quik")
    with pytest.raises(InputError, match="Did you mean 'voltage_step'"):
        Settings.preset("quick", voltage_steps="1 V")
    with pytest.raises(InputError, match="unit"):
        Settings.preset("quick", voltage_step=0.1)
    with pytest.raises(InputError, match="not a positive number"):
        Settings.preset("quick", voltage_step="-1 V")
    with pytest.raises(InputError, match="unknown scheme"):
        Settings.preset("quick", scheme="monolitic")
    with pytest.raises(InputError, match="zero length"):
        IVSweep("0 V", "0 V")
