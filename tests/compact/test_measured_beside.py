"""Columns beside the values, headings of what was computed of them, lines of settings above."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from compact.measured.headings import role_of
from compact.measured.read_pulses import read_pulses
from ddkbase.errors import InputError

N = np.arange(1, 31)
DOWN = np.round(10 + 90 * np.exp(-N / 9), 4)  # uS
OHM = np.round(1e6 / DOWN, 3)


def read(folder: Path, text: str) -> xr.Dataset:
    path = folder / "lab.csv"
    path.write_text(text)
    return read_pulses(path)


def rows(heads: str, *columns: Any) -> str:
    lines = [",".join(str(v) for v in row) for row in zip(*columns, strict=True)]
    return "\n".join([heads, *lines] if heads else lines) + "\n"


@pytest.mark.parametrize(
    ("heading", "role"),
    {
        "G-G0": "derived", "G - Ginit": "derived", "(G-G0)/G0": "derived", "G/G0-1": "derived",
        "G^2": "derived", "G**2": "derived", "G*R": "derived", "G/R": "derived", "G'": "derived",
        "G_deriv": "derived", "G modulation": "derived", "Resistance shift": "derived",
        "(G-Gmin)/(Gmax-Gmin)": "conductance", "G/G_max": "conductance", "R / R0": "resistance",
        "G-LTP": "conductance", "G - mean": "conductance", "I-read": "current",
        "Iwrite": "other", "I_pulse": "other", "Vwrite": "amplitude", "R_series": "other",
        "contact resistance": "other", "G_leak": "other", "Gp": "conductance",
        "DrainI": "current", "DrainV": "voltage", "X_Value": "time", "/R1/PLUS Y": None,
    }.items(),
)  # fmt: skip
def test_what_was_computed_of_values_or_is_not_the_cells(heading: str, role: str | None) -> None:
    assert role_of(heading) == role


ONE_TRAIN = {
    "writes beside": rows(
        "Pulse,Vread (V),Iread (A),Vwrite (V),Iwrite (A)",
        N, 0.1 + 0 * N, DOWN * 1e-7, -1.5 + 0 * N, DOWN * 1e-5,
    ),
    "a series resistor": rows("pulse,R (ohm),Rs (ohm)", N, OHM, 50 + 0 * N),
    "a load": rows("pulse,R (ohm),R_load (ohm)", N, OHM, 1e4 + N),
    "a limit": rows("pulse,G (uS),G_lim (uS)", N, DOWN, 100 + 0 * N),
    "a reference": rows("pulse,G (uS),G0 (uS)", N, DOWN, 100 + 0 * N),
    "settings of two cells": "".join(f"key{k},{k}\n" for k in range(9))
    + rows("pulse,G (uS)", N, DOWN),
    "settings of three cells": "".join(f"key{k},{k},{2 * k}\n" for k in range(9))
    + rows("pulse,G (uS),T (K)", N, DOWN, 300 + 0 * N),
    "how many follow": "30\n" + rows("pulse,G (uS)", N, DOWN),
}  # fmt: skip


@pytest.mark.parametrize("text", ONE_TRAIN.values(), ids=ONE_TRAIN.keys())
def test_one_train_and_nothing_else(tmp_path: Path, text: str) -> None:
    ds = read(tmp_path, text)
    assert ds.sizes["train"] == 1
    np.testing.assert_allclose(ds.conductance[0], DOWN * 1e-6, rtol=1e-5)


def test_a_line_that_counts_the_lines_below_is_no_row(tmp_path: Path) -> None:
    ds = read(tmp_path, "30,2\n" + rows("", N, DOWN))
    np.testing.assert_allclose(ds.conductance, [DOWN])
    assert "line 1 says how many follow" in ds.attrs["assumptions"]
    other = read(tmp_path, "40,95\n" + rows("", N + 40, DOWN))  # a row as the others
    assert other.conductance[0, 0] == 95
    alone = read(tmp_path, "G (uS)\n30\n" + rows("", DOWN))
    assert alone.length.item() == 31


def test_cells_that_do_not_change_stay_beside_their_like(tmp_path: Path) -> None:
    ds = read(tmp_path, rows("pulse,G1 (uS),G2 (uS)", N, DOWN, 0.5 + 0 * N))
    assert ds.sizes["train"] == 2
    steps = np.arange(1.0, 31.0)  # the second is the first, a pulse later
    ds = read(tmp_path, rows("pulse,G1 (uS),G2 (uS)", N, steps, steps + 1))
    assert ds.sizes["train"] == 2


@pytest.mark.parametrize(
    ("text", "words"),
    {
        "after SET and RESET of each cycle": (
            rows("cycle,R_SET (ohm),R_RESET (ohm)", N, 1e4 + N, 1e5 + N),
            "another in each line",
        ),
        "of each cycle": (
            rows("cycle,G_set (uS),G_reset (uS)", N, 100 + N, 10 + N), "another in each line",
        ),
        "two states": (rows("n,G_HCS (uS),G_LCS (uS)", N, 100 + N, 10 + N), "two states"),
        "a SET beside a read": (
            rows("pulse,I_set (uA),I (nA),V (V)", N, N, DOWN, 0.1 + 0 * N), "several columns",
        ),
    }.values(),
)  # fmt: skip
def test_what_two_columns_are_is_asked(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, text)
