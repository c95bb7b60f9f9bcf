"""Figures of scans, bakes and cycles in tables and documents, by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from devicephys import Bake, EnduranceTest, SwitchingScan
from devicephys.run.reliability_figures import (
    endurance_figures,
    retention_entries,
    retention_figures,
    retention_table,
    scan_figures,
    scan_table,
)
from tests import fake_switching
from tests.devicephys import test_bake, test_endurance


def test_slopes_of_a_scan_in_its_line() -> None:
    scan = SwitchingScan("1 V:2 V:5", polarity="set")
    ds = fake_switching.record(scan, fake_switching.scanned(scan).points)
    figures = json.loads(ds.attrs["headline_json"])["set"]
    (line,) = scan_table(ds).notes
    # a relaxation whose time falls by a power of ten in a tenth of a volt or so
    assert f"{figures['decades'] / figures['span_volts']:.2f} decades/V" in line
    assert f"{1e3 * figures['span_volts'] / figures['decades']:.0f} mV per decade" in line
    assert any(figure.name == "SET, voltage per decade" for figure in scan_figures(ds))


def test_a_bake_begins_high_and_its_window_is_said() -> None:
    ds = test_bake.drawn(Bake(temperatures="250 degC", duration="1000 h"))
    shown = retention_table(ds)
    reads = ds["conductance"].values[0]
    assert reads[0] < reads[-1]
    assert shown.rows[0][1] == "100 kohm"  # what the cell begins with: 1e-5 S
    assert retention_figures(ds)[2].values["resistance_end_250C"] == pytest.approx(1 / reads[-1])
    # 100 and 5 kohm: conductances of 10 and 200 uS, mean 105 uS; geometric 44.7 uS
    assert "100 kohm to" not in shown.notes[0]
    for text in ("5 kohm to 100 kohm", "geometric mean 22.4 kohm", "conductances 9.52 kohm"):
        assert text in shown.notes[0]
    units = retention_entries(ds)["units"]
    assert units["ten_years_temperature"] == "K" and units["time_half"] == "s"


def cycles() -> xr.Dataset:
    """Three cycles, of which the last one reached the high state alone."""
    run = test_endurance.cycles_of(test_endurance.Formula(), EnduranceTest("50 kohm", "5 kohm", 3))
    ds = test_endurance.dataset(run).load()
    ds["pulses"].values[:] = [[9, 4], [3, 5], [2, 0]]
    ds["amplitude_largest"].values[:] = [[-1.0, 0.8], [-1.6, 0.9], [-1.3, np.nan]]
    ds["resistance"].values[2, 1] = np.nan
    return ds


def test_cycles_that_were_done_are_counted_and_their_pulses_too() -> None:
    figures = {key: v for figure in endurance_figures(cycles()) for key, v in figure.values.items()}
    assert figures["cycles"] == 2  # the third one has no low state
    assert (figures["pulses_high_median"], figures["pulses_high_most"]) == (3, 9)
    assert (figures["pulses_low_median"], figures["pulses_low_most"]) == (4.5, 5)
    assert figures["amplitude_high_first"] == -1.0
    assert figures["amplitude_high_last"] == -1.3  # not the largest of all, nor the smallest
    assert figures["amplitude_low_last"] == 0.9
