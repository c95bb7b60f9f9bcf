"""Heat and current alone: vacancies stay to the last bit, and everything else is as with motion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from ddkbase.errors import InputError, StorageError
from devicephys import Bake, Device, EnduranceTest, PulseTrain, Settings, SwitchingScan, Waveform
from devicephys.cli.commands import app
from devicephys.device.entries import parameter_value
from devicephys.fem.assembly import follow_tangents, prepare
from devicephys.report import repeat
from devicephys.simulation.checkpoint import Checkpoint
from devicephys.simulation.figures_of_merit import OF_MOTION
from tests.devicephys.test_sensitivities import TIGHT, again, record

pytestmark = pytest.mark.fem
QUICK = Settings.preset("quick")
HELD = QUICK.with_(motion=False)
CELL = devicephys.load_device("tin-taox-hfox-tin")
WAVE = Waveform.from_si([0.0, 1e-3, 2e-3], [0.0, -1.5, 0.0])


@pytest.fixture(scope="module")
def loop() -> xr.Dataset:
    return devicephys.simulate(CELL, None, HELD)


def initial(device: Device = CELL) -> np.ndarray:
    """Vacancies as the device describes them, as a record has them at its end."""
    rest = Waveform.from_si([0.0, 1e-9], [0.0, 0.0])
    return devicephys.simulate(device, rest, HELD)["end_concentration"].values


def frozen(device: Device) -> Device:
    """The same cell with vacancies that could move, so slowly that none does."""
    oxides = [name for name, material in device.materials.items() if material.kind == "oxide"]
    changes = {f"materials.{name}.diffusion_prefactor": "1e-40 m^2/s" for name in oxides}
    return device.with_(changes | {f"materials.{n}.exchange_prefactor": "0 1/s" for n in oxides})


def test_vacancies_stay_to_the_last_bit(loop: xr.Dataset) -> None:
    assert (loop["end_concentration"].values == initial()).all()
    assert np.ptp(loop["vacancy_total"].values) == 0.0
    assert float(loop["vacancy_imbalance"].max()) == 0.0
    assert float(loop["temperature_max"].max()) > 600
    assert float(loop["energy_imbalance"].max()) < 1e-5


def test_what_needs_motion_is_not_determined(loop: xr.Dataset) -> None:
    headline = json.loads(loop.attrs["headline_json"])
    assert headline["motion"] is False and loop.attrs["method"] == "monolithic, vacancies held"
    for figures in (headline, *headline["loops"]):
        assert all(figures[name] is None for name in OF_MOTION)
    assert headline["low_resistance_before"] == pytest.approx(5e3, rel=0.05)
    rows = dict(devicephys.run.table(loop).rows)
    for name in ("RESET onset", "SET", "High resistance", "Peak temperature, edge of RESET"):
        assert rows[name] == "not determined: vacancies held"
    assert rows["Vacancies"] == "held where they are: heat and current alone"
    assert json.loads(loop.attrs["settings_json"])["motion"] is False
    assert "--no-motion" in str(repeat.command(loop, CELL))


def test_settings_say_it_only_where_it_is_so() -> None:
    assert "motion" not in QUICK.to_dict() and Settings(**HELD.to_dict()) == HELD
    request = devicephys.run.Request(CELL, WAVE, HELD)
    assert devicephys.run.Request.from_json(request.to_json(), "here") == request
    with pytest.raises(InputError, match=r"settings\.motion"):
        Settings(motion=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{}, {"kernel": "forms"}, {"scheme": "staggered"}])
def test_it_is_the_run_of_a_cell_whose_vacancies_cannot_move(changes: dict[str, str]) -> None:
    device = frozen(CELL)
    moving = devicephys.simulate(device, WAVE, QUICK)
    held = devicephys.simulate(device, WAVE, HELD.with_(**changes))
    assert held["time"].values == pytest.approx(moving["time"].values, rel=1e-6)
    rise = moving["temperature_max"].max() - 293.15
    assert (
        float(abs(held["temperature_max"] - moving["temperature_max"].values).max()) < 2e-5 * rise
    )
    assert held["current"].values[1:-1] == pytest.approx(moving["current"].values[1:-1], rel=1e-5)
    assert (held["end_concentration"].values == initial(device)).all()


def test_a_train_heats_and_moves_nothing() -> None:
    train = PulseTrain("-2 V", "100 ns", count=10)
    trace = devicephys.simulate(CELL, train, HELD)
    assert (trace["end_concentration"].values == initial()).all()
    assert "control" not in trace.sizes
    assert np.ptp(trace["conductance"].values) / float(trace["conductance"][0]) < 1e-9
    assert "held where they are" in dict(devicephys.run.table(trace).rows)["Vacancies"]
    fine = devicephys.simulate(
        CELL,
        PulseTrain("-2 V", "100 ns", count=1),
        HELD.with_(temperature_tolerance="0.2 K", voltage_step="20 mV"),
    )
    assert float(trace["temperature_max"][0]) == pytest.approx(
        float(fine["temperature_max"][0]), abs=QUICK.temperature_tolerance / 2
    )
    assert float(trace["energy"][0]) == pytest.approx(float(fine["energy"][0]), rel=2e-3)


def test_a_train_goes_on_from_what_moved() -> None:
    moved = devicephys.simulate(CELL, PulseTrain("-2.5 V", "100 ns", count=2), QUICK)
    held = devicephys.simulate(CELL, PulseTrain("-2 V", "100 ns", count=2), HELD, start=moved)
    assert (held["end_concentration"].values == moved["end_concentration"].values).all()
    assert float(held["conductance"][-1]) == pytest.approx(
        float(moved["conductance"][-1]), rel=1e-3
    )


def test_tangents_are_the_differences_of_two_runs() -> None:
    settings, change = TIGHT.with_(motion=False), 1e-6
    paths = ["materials.TaOx.initial_concentration", "materials.HfOx.thermal_conductivity_high"]
    _, stepper, start = prepare(CELL, settings)
    tangents = follow_tangents(stepper, settings, paths)
    tangents.start(start)
    steps = stepper.run(start, WAVE.voltage, WAVE.corners, 1e-5)
    here, _ = record(stepper, tangents, steps)
    for k, path in enumerate(paths):
        sides = []
        for sign in (1, -1):
            value = float(parameter_value(CELL, path) * np.exp(sign * change))
            unit = CELL.provenance[path].unit
            _, other, begin = prepare(CELL.with_({path: f"{value!r} {unit}"}), settings)
            sides.append(again(other, begin, WAVE, here.ends)[0])
        differences = (sides[0] - sides[1]) / (2 * change)
        error = np.abs(differences - here.slopes[:, k]).max()
        assert error < 1e-4 * np.abs(here.slopes[:, k]).max() > 0


@pytest.mark.parametrize("protocol", [Bake(), EnduranceTest(), SwitchingScan()])
def test_what_is_about_motion_is_refused(protocol: object) -> None:
    with pytest.raises(InputError, match="needs vacancies that move, and they are held"):
        devicephys.simulate(CELL, protocol, HELD)  # type: ignore[arg-type]


def test_a_resistance_cannot_be_reached_without_motion() -> None:
    with pytest.raises(InputError, match="an initial resistance needs vacancies that move"):
        devicephys.simulate(CELL, PulseTrain(count=1), HELD, initial_resistance="8 kohm")


def test_the_commands_know_it(tmp_path: Path) -> None:
    table = tmp_path / "wave.csv"
    table.write_text("time (ms),voltage (V)\n0,0\n1,-1.5\n2,0\n")
    held = ("--no-motion", "--preset", "quick", "--pictures", "none")
    for arguments in (
        ("waveform", table, "--out", tmp_path / "wave"),
        ("pulses", "--count", "1", "--out", tmp_path / "train"),
    ):
        result = CliRunner().invoke(app, [*map(str, arguments), *held])
        assert result.exit_code == 0, result.output
        assert "monolithic, vacancies held solution" in result.stdout
        assert "held where they are" in result.stdout


def test_a_step_of_a_sequence_may_hold_them(tmp_path: Path) -> None:
    file = tmp_path / "steps.yaml"
    steps = "steps:\n- {name: a, kind: loop}\n- {name: b, kind: loop, motion: false}\n"
    file.write_text(steps)
    settings = [step.request.settings for step in devicephys.read_sequence(file).steps]
    assert [s.motion for s in settings] == [True, False]
    for wrong, what in (
        ("{name: c, kind: loop, motion: 3}", "settings.motion"),
        ("{name: c, kind: read, motion: false}", "unknown key 'motion'"),
        (
            "{name: c, kind: pulses, motion: false, initial_resistance: 5 kohm}",
            "needs vacancies that move",
        ),
    ):
        file.write_text(steps + f"- {wrong}\n")
        with pytest.raises(InputError, match="step 3 'c'") as error:
            devicephys.read_sequence(file)
        assert what in str(error.value)


def test_a_sweep_of_a_parameter_may_hold_them() -> None:
    vary = {"filament.radius": "8 nm, 9 nm"}
    plan = devicephys.parameter_sweep.plan_sweep(vary, CELL, preset="quick", motion=False)
    assert [point.request.settings for point in plan.points] == [HELD, HELD]
    with pytest.raises(InputError, match="retention needs vacancies that move"):
        devicephys.parameter_sweep.plan_sweep(vary, CELL, "retention", motion=False)


@pytest.mark.parametrize("protocol", [WAVE, PulseTrain("-2 V", "100 ns", count=3)])
def test_a_run_that_was_stopped_goes_on_bit_by_bit(tmp_path: Path, protocol: Any) -> None:
    straight = devicephys.simulate(CELL, protocol, HELD)
    every = 2 if isinstance(protocol, PulseTrain) else 7
    seen: list[Any] = []

    def stop(event: Any) -> None:
        seen.append(event)
        if len(seen) == every + 1:
            raise RuntimeError("the end of a process")

    with pytest.raises(RuntimeError):
        devicephys.simulate(CELL, protocol, HELD, stop, checkpoint=Checkpoint(tmp_path, every))
    resumed = devicephys.simulate(CELL, protocol, HELD, checkpoint=Checkpoint(tmp_path, every))
    xr.testing.assert_identical(straight.drop_attrs(), resumed.drop_attrs())
    with pytest.raises(StorageError, match="belongs to another run"):
        devicephys.simulate(CELL, protocol, QUICK, checkpoint=Checkpoint(tmp_path, every))
