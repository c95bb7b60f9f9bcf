"""The second discretisation: its own derivative and balances, and the shipped solver beside it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from devicephys import Device, Settings, Waveform
from tests.verification.finite_volume.cell import UNIT, Cell
from tests.verification.finite_volume.laws import FLUXES, thermal_conductivity
from tests.verification.finite_volume.march import Limits, March
from tests.verification.finite_volume.residual import Equations, State
from tests.verification.finite_volume.series import series_current

pytestmark = pytest.mark.fem

QUICK = Settings.preset("quick", kernel="compiled")
SHIPPED, METAL = "tin-taox-hfox-tin", "hfo2-ti"
STEADY = 1e6  # s, beside which no heat is stored


def coarse(device: Device, rings: int = 3) -> Cell:
    """A few cells a layer."""
    edges = np.cumsum([0.0, *(layer.thickness for layer in device.layers)])
    z = np.concatenate([np.linspace(a, b, 4)[:-1] for a, b in itertools.pairwise(edges)])
    radius = device.filament.radius
    r = np.append(
        np.linspace(0.0, radius, rings + 1), np.linspace(radius, device.outer_radius, 3)[1:]
    )
    return Cell(device, r, np.append(z, edges[-1]))


def packed(state: State) -> np.ndarray:
    return np.concatenate([state.v, state.t, state.n, [state.contact]])


def unpacked(values: np.ndarray) -> State:
    count = (len(values) - 1) // 3
    fields = (values[k * count : (k + 1) * count] for k in range(3))
    return State(*fields, float(values[-1]))


def hot_state(equations: Equations) -> State:
    """A state in which every term counts, at the same place each time."""
    cell, rng = equations.cell, np.random.default_rng(7)
    state = equations.start()
    height = np.repeat(0.5 * (cell.z[1:] + cell.z[:-1]), cell.rings) / cell.z[-1]
    state.v = -1.0 * height + 0.02 * rng.random(cell.count)
    state.t = state.t + 200.0 + 400.0 * rng.random(cell.count)
    state.n = cell.oxide * (0.2 + 0.7 * rng.random(cell.count))
    state.contact = -1.05
    return state


@pytest.mark.parametrize("flux", FLUXES)
@pytest.mark.parametrize("name", [SHIPPED, METAL])
def test_the_jacobian_is_that_of_the_residual(name: str, flux: str) -> None:
    equations = Equations(coarse(devicephys.load_device(name)), flux)
    state, count = hot_state(equations), equations.cell.count
    past, at = equations.start(), packed(state)
    # with so long a step the fluxes of the vacancies are as large as what is stored
    gamma, applied = 1e12, -1.3
    _, jacobian = equations.evaluate(state, past, gamma, applied)
    rng = np.random.default_rng(3)
    for block, step in enumerate((1e-6, 1e-3, 1e-6, 1e-6)):
        column = slice(block * count, min((block + 1) * count, len(at)))
        way = np.zeros(len(at))
        way[column] = step * rng.standard_normal(len(at[column]))
        up, down = (
            equations.evaluate(unpacked(at + s * way), past, gamma, applied, False)[0]
            for s in (0.5, -0.5)
        )
        for rows in (slice(k * count, (k + 1) * count) for k in range(3)):
            expected = (jacobian @ way)[rows]
            size = np.abs(expected).max()
            if size > 0.0:
                assert np.abs((up - down)[rows] - expected).max() < 1e-5 * size


@pytest.mark.parametrize("name", [SHIPPED, METAL])
@pytest.mark.parametrize("applied", [-2.0, -0.7, 0.3, 1.5])
def test_series_elements_are_those_of_the_device(name: str, applied: float) -> None:
    device = devicephys.load_device(name)
    for share in (0.02, 0.3, 0.9):
        v = share * applied
        for pulses, element in ((False, device.series.swept()), (True, device.series.pulsed())):
            current, slope = series_current(device, v, applied, pulses)
            assert current == pytest.approx(element.current(v, applied), rel=1e-8, abs=0)
            assert slope == pytest.approx(element.conductance(v, applied), rel=1e-8, abs=0)


def test_what_flows_in_becomes_heat_and_leaves() -> None:
    equations = Equations(coarse(devicephys.load_device(SHIPPED)), motion=False)
    march = March(equations, Limits())
    state = march.state.copy()
    assert march.solve(state, march.state, STEADY, -1.0)
    assert march.solve(state, march.state, STEADY, -1.0)
    equations.evaluate(state, march.state, STEADY, -1.0, False)
    cell, faces = equations.cell, equations.heat_faces
    k, _, _ = thermal_conductivity(cell, state.t, state.n)
    k = np.append(k, np.ones(3))
    t = np.append(state.t, np.full(3, cell.device.ambient_temperature))
    flow = (t[faces.left] - t[faces.right]) / (
        faces.left_part / k[faces.left] + faces.right_part / k[faces.right]
    )
    leaves = flow[faces.right >= cell.count].sum() - flow[faces.left >= cell.count].sum()
    assert leaves == pytest.approx(state.contact * equations.inward, rel=1e-6, abs=0)
    assert equations.inward < 0.0


@pytest.mark.parametrize("flux", FLUXES)
def test_without_exchange_no_vacancy_is_lost(flux: str) -> None:
    changes = {f"materials.{name}.exchange_prefactor": "0 1/s" for name in ("HfOx", "TaOx")}
    device = devicephys.load_device(SHIPPED).with_(changes)
    march = March(Equations(coarse(device), flux), Limits(0.05, voltage=0.2))
    cell = march.equations.cell
    before = march.state.n.copy()
    march.run(Waveform(["0 s", "1.6 s"], ["0 V", "-1.6 V"]), 0.01)
    after = march.state.n
    assert np.abs(after - before).max() > 0.1
    assert after @ cell.volume == pytest.approx(before @ cell.volume, rel=1e-9, abs=0)
    assert after.min() > -1e-3
    assert after.max() < device.vacancy.site_limit / UNIT


def test_current_and_heat_are_those_of_the_shipped_solver() -> None:
    device = devicephys.load_device(SHIPPED)
    ramp = Waveform(["0 s", "1 s"], ["0 V", "-1 V"])
    trace = devicephys.simulate(device, ramp, QUICK.with_(motion=False))
    equations = Equations(Cell(device, trace.r_node.values, trace.z_node.values), motion=False)
    march = March(equations, Limits())
    state = march.state.copy()
    assert march.solve(state, march.state, STEADY, -1.0)
    assert equations.inward == pytest.approx(float(trace.current[-1]), rel=0.02, abs=0)
    rise = float(trace.temperature_max[-1]) - device.ambient_temperature
    assert state.t.max() - device.ambient_temperature == pytest.approx(rise, rel=0.03, abs=0)


@pytest.mark.slow
def test_a_reset_and_its_high_state_are_those_of_the_shipped_solver() -> None:
    """A wrong sign or factor of drift, spread, Soret flux, field or exchange shows in one of them.

    With the hybrid flux, which is the shipped one on cells smaller than a hop.
    """
    device = devicephys.load_device(SHIPPED)
    ramp = Waveform(["0 s", "1.435 s", "2.87 s"], ["0 V", "-1.435 V", "0 V"])
    trace = devicephys.simulate(device, ramp, Settings.preset("default"))
    cell = Cell(device, trace.r_node.values, trace.z_node.values)
    march = March(Equations(cell, "hybrid"), Limits(0.01, voltage=0.1))
    march.run(ramp, 0.01)
    time, _, current, temperature = march.record.arrays()
    for at, tolerance in ((0.5, 0.02), (1.2, 0.02), (1.4, 0.02), (2.77, 0.03)):
        there = float(np.interp(at, trace.time.values, trace.current.values))
        assert np.interp(at, time, current) == pytest.approx(there, rel=tolerance, abs=0)
    hottest = float(trace.temperature_max.max())
    assert temperature.max() == pytest.approx(hottest, rel=0.01, abs=0)
