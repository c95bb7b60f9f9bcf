"""Thermal resistance of interfaces in a real cell: what is described, heat, balances, tangents."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from ddkbase.errors import InputError
from devicephys import Device, Settings, Waveform
from devicephys.device.entries import parameter_value
from devicephys.fem.assembly import follow_tangents, prepare
from devicephys.fem.mesh import interface_resistivity, make_grid
from tests.devicephys.test_sensitivities import TIGHT, again, record

pytestmark = pytest.mark.fem
QUICK = Settings.preset("quick")
CELL = devicephys.load_device("tin-taox-hfox-tin")
KEY = "thermal_boundary_resistance_below"
UP, BETWEEN, DOWN = (f"layers.{name}.{KEY}" for name in ("top_electrode", "TaOx", "HfOx"))
WARM = CELL.with_({UP: "2e-9 m^2*K/W", BETWEEN: "1e-9 m^2*K/W", DOWN: "3e-9 m^2*K/W"})
WAVE = Waveform.from_si([0.0, 1e-3, 2e-3], [0.0, -1.2, 0.0])


def test_it_is_off_unless_it_is_given() -> None:
    assert DOWN not in CELL.provenance and KEY not in CELL.to_yaml()
    assert not interface_resistivity(CELL, make_grid(CELL, 0.1e-9, 0.2)).any()
    assert WARM.layers[1].thermal_boundary_resistance_below == pytest.approx(3e-9)
    assert Device.from_mapping(WARM.to_tree()) == WARM != CELL
    assert WARM.with_(dict.fromkeys((UP, BETWEEN, DOWN), "0 m^2*K/W")) == CELL


@pytest.mark.parametrize(
    "text, what",
    [
        ("-1e-9 m^2*K/W", "is negative"),
        ("1e-9 K/W", "K/W"),
        ("1e-9", "unit"),
    ],
)
def test_wrong_values_are_refused(text: str, what: str) -> None:
    with pytest.raises(InputError, match=what) as error:
        CELL.with_({DOWN: text})
    assert "layers.HfOx.thermal_boundary_resistance_below" in str(error.value)


def test_below_the_stack_there_is_no_interface() -> None:
    lowest = CELL.layers[0].name
    with pytest.raises(InputError, match=f"below the layer '{lowest}' there is no other"):
        CELL.with_({f"layers.{lowest}.{KEY}": "1e-9 m^2*K/W"})


def test_rows_at_the_interfaces_hold_them_on_the_side_of_a_metal() -> None:
    grid = make_grid(WARM, 0.1e-9, 0.2)
    rows = np.flatnonzero(interface_resistivity(WARM, grid))
    first = [int(np.flatnonzero(grid.layer == i)[0]) for i in range(4)]
    assert rows.tolist() == [first[1] - 1, first[2], first[3]]
    total = interface_resistivity(WARM, grid) @ np.diff(grid.z)
    assert total == pytest.approx(6e-9)


def test_a_cell_heats_more_behind_them_and_keeps_its_balances() -> None:
    settings = QUICK.with_(motion=False)
    plain, warm = (devicephys.simulate(device, WAVE, settings) for device in (CELL, WARM))
    rises = [float(run["temperature_max"].max()) - 293.15 for run in (plain, warm)]
    assert rises[1] > 1.05 * rises[0]
    assert float(warm["energy_imbalance"].max()) < 1e-5
    assert 'thermal_boundary_resistance_below: {value: "3e-9' in warm.attrs["device_yaml"].replace(
        "value: 3e-9", 'value: "3e-9'
    )
    forms = devicephys.simulate(WARM, WAVE, settings.with_(kernel="forms"))
    assert float(abs(forms["temperature_max"] - warm["temperature_max"].values).max()) < 1e-3
    # the other way to halve a row: the temperature hardly asks where in the row the drop lies
    fine = devicephys.simulate(WARM, WAVE, settings.with_(mesh_split=2))
    hottest = [float(run["temperature_max"].max()) - 293.15 for run in (warm, fine)]
    assert hottest[1] == pytest.approx(hottest[0], rel=0.01)


@pytest.mark.slow
def test_a_loop_with_motion_keeps_its_vacancies_and_its_energy() -> None:
    run = devicephys.simulate(WARM, None, QUICK)
    assert float(run["energy_imbalance"].max()) < 1e-4
    assert float(run["vacancy_imbalance"].max()) < 1e-6
    assert float(run["current_imbalance"].max()) < 1e-6


def test_tangents_are_the_differences_of_two_runs() -> None:
    paths = [DOWN, "layers.HfOx.thickness"]
    device = WARM.with_({"filament.height": "1 nm"})
    settings, change = TIGHT.with_(motion=False, mesh_of=device), 1e-5
    wave = Waveform.from_si([0.0, 1e-3], [0.0, -1.2])
    _, stepper, start = prepare(device, settings)
    tangents = follow_tangents(stepper, settings, paths)
    tangents.start(start)
    steps = stepper.run(start, wave.voltage, wave.corners, 1e-5)
    here, _ = record(stepper, tangents, steps)
    for k, path in enumerate(paths):
        sides = []
        for sign in (1, -1):
            value = float(parameter_value(device, path) * np.exp(sign * change))
            unit = device.provenance[path].unit
            moved = device.with_({path: f"{value!r} {unit}"})
            _, other, begin = prepare(moved, settings)
            sides.append(again(other, begin, wave, here.ends)[0])
        differences = (sides[0] - sides[1]) / (2 * change)
        error = np.abs(differences - here.slopes[:, k]).max()
        assert error < 1e-3 * np.abs(here.slopes[:, k]).max() > 0
