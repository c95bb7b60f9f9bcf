"""A capacitance across the cell: closed form, pulses, a current limit, sensitivities."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from ddkbase.errors import InputError
from devicephys import PulseTrain, Settings, Waveform, simulate_pulses
from devicephys.fem import stepper

pytestmark = pytest.mark.fem

CELL = devicephys.load_device("tin-taox-hfox-tin")
QUICK = Settings.preset("quick")


def step_response(series: dict[str, str], voltage: float, settings: Settings) -> xr.Dataset:
    """A voltage that rises within 0.1 ns and stays for a microsecond."""
    waveform = Waveform.from_si([0.0, 1e-10, 1e-6], [0.0, voltage, voltage])
    return devicephys.simulate(CELL.with_({"series": series}), waveform, settings)


def test_a_cold_cell_is_charged_as_a_resistor_beside_a_capacitor_is() -> None:
    series = {"kind": "resistor", "resistance": "50 kohm", "line_capacitance": "2 pF"}
    ds = step_response(series, 0.2, QUICK)
    time, contact = ds["time"].values, ds["device_voltage"].values
    cell = contact[-1] / ds["current"].values[-1]
    end, constant = 0.2 * cell / (50e3 + cell), 2e-12 * 50e3 * cell / (50e3 + cell)
    # the ramp of 0.1 ns is a step in its middle, to first order
    late = time > 1e-9
    exact = end * -np.expm1(-(time[late] - 0.5e-10) / constant)
    np.testing.assert_allclose(contact[late], exact, atol=0.01 * end)
    assert np.ptp(contact[late]) > 0.5 * end


def test_a_line_takes_away_from_short_pulses() -> None:
    train, traces = PulseTrain("-2.5 V", "20 ns", 3), []
    for capacitance in ("0 F", "1 aF", "20 pF"):
        cell = CELL.with_({"series.line_capacitance": capacitance})
        traces.append(simulate_pulses(cell, train, QUICK))
    lost = [float(ds.initial_conductance - ds["conductance"][-1]) for ds in traces]
    assert lost[0] > 1e-6 and lost[2] < 0.5 * lost[0]
    assert lost[1] == pytest.approx(lost[0], rel=0.05)
    # what charges the line is no current of the cell, which reads the same
    assert float(traces[2].initial_conductance) == pytest.approx(
        float(traces[0].initial_conductance), rel=2e-3
    )


def test_merged_pulses_know_of_the_line() -> None:
    cell, train = CELL.with_({"series.line_capacitance": "0.5 pF"}), PulseTrain("-2.5 V", count=8)
    merged = simulate_pulses(cell, train, QUICK)
    fine = QUICK.with_(every_pulse=True, pulse_tolerance=QUICK.pulse_tolerance / 16)
    assert merged.sizes["control"] >= 2
    np.testing.assert_allclose(
        merged["conductance"], simulate_pulses(cell, train, fine)["conductance"], rtol=0.012
    )


def test_sensitivity_to_the_capacitance() -> None:
    path, train = "series.line_capacitance", PulseTrain("-3 V", "20 ns", 4)
    settings = Settings.preset("quick", every_pulse=True)
    cell = CELL.with_({path: "20 pF"})
    slope = simulate_pulses(cell, train, settings, sensitivities=[path])[
        "conductance_sensitivity"
    ].values
    ends = [
        simulate_pulses(
            CELL.with_({path: f"{20 * share:.3f} pF"}), train, settings.with_(pulse_tolerance=1e-4)
        )["conductance"].values
        for share in (0.98, 1.02)
    ]
    expected = np.log(ends[1] / ends[0]) / np.log(1.02 / 0.98)
    # what the voltage of a read may miss is no movement
    np.testing.assert_allclose(slope.ravel(), expected, rtol=0.1, atol=stepper.CHARGING)
    assert np.abs(expected[-1]) > 3 * stepper.CHARGING


def test_what_is_refused_and_left_out() -> None:
    with pytest.raises(InputError, match="line_capacitance"):
        CELL.with_({"series": {"kind": "none", "line_capacitance": "1 pF"}})
    with pytest.raises(InputError, match="line_capacitance"):
        CELL.with_({"series.line_capacitance": "-1 pF"})
    assert "line_capacitance" not in CELL.to_yaml()
