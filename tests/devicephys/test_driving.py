"""What drives the cell, through the solver: source line, current limit, exchange of vacancies."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from devicephys import PulseTrain, Settings, load_device, simulate

pytestmark = pytest.mark.fem
QUICK = Settings.preset("quick")
CELL = load_device("tin-taox-hfox-tin")


def test_a_source_follower_holds_what_a_bit_line_gives_to_the_cell() -> None:
    """At 3 V on the bit line the cell takes nearly all; on the source line what the gate allows."""
    shared = {"amplitude": "-3 V", "count": 1}
    bit = simulate(CELL, PulseTrain(**shared, drive="bit-line"), QUICK)
    source = simulate(CELL, PulseTrain(**shared, drive="source-line", gate_voltage="3.2 V"), QUICK)
    assert float(bit.device_voltage[0]) < -2.8
    # the gate lies 1.9 V above the threshold; without short-channel effects that is the most
    assert -1.9 < float(source.device_voltage[0]) < -1.6
    assert float(source.temperature_max[0]) < 0.6 * float(bit.temperature_max[0])
    assert float(source.voltage[0]) == float(bit.voltage[0]) == -3.0


def test_an_instrument_limits_set_and_reports_the_bare_cell() -> None:
    limited = {"series": {"kind": "compliance", "compliance": "200 uA"}}
    changes = {**limited, "voltage_reference": "bare cell", "sweep.set_voltage": "1.6 V"}
    loop = simulate(CELL.with_(changes), None, QUICK)
    assert float(loop.current.max()) == pytest.approx(200e-6, rel=1e-3)
    assert float(loop.current.min()) < -230e-6  # RESET is not limited
    np.testing.assert_array_equal(loop.voltage, loop.device_voltage)
    # what was programmed, less what the instrument takes back
    assert float((loop.voltage + loop.series_voltage).max()) == pytest.approx(1.6)
    headline = json.loads(loop.attrs["headline_json"])
    assert 1.0 < headline["set_voltage"] < 1.6
    assert headline["resistance_ratio"] > 3


def test_the_balance_of_a_loop_counts_what_was_exchanged() -> None:
    changes = {
        "materials.TaOx.exchange_prefactor": "5e10 1/s",
        "materials.TaOx.exchange_activation": "1 eV",
        "materials.HfOx.exchange_prefactor": "5e10 1/s",
        "materials.HfOx.exchange_activation": "1 eV",
        "materials.HfOx.exchange_inner_radius": "9 nm",
    }
    loop = simulate(CELL.with_(changes), None, QUICK)
    total = loop.vacancy_total.values
    assert np.abs(total / total[0] - 1.0).max() > 5e-4
    # to what the iteration leaves over, a thousandth of what was exchanged
    assert float(loop.vacancy_imbalance.max()) < 1e-6
