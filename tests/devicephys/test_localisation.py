"""Where the voltage falls, on potentials drawn by hand; what lies beyond the model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devicephys import load_device
from devicephys.run.figures import loop_figures as shown
from devicephys.simulation.localisation import limits_of, localisation
from devicephys.simulation.provenance import warning_of

CELL = load_device("tin-taox-hfox-tin").with_({"filament.radius": "5 nm"})
R = np.array([0.0, 4e-9, 10e-9])


def potential(field: list[float], heights: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Potential [V] and lines [m] of cells with these fields [V/m] and heights [m]."""
    z = np.concatenate([[0.0], np.cumsum(heights)])
    return np.concatenate([[0.0], np.cumsum(np.multiply(field, heights))]), z


def test_a_layer_in_one_cell_is_found_and_warned_of() -> None:
    v, z = potential([1e6, 1e9, 1e6], [5e-9, 0.2e-9, 5e-9])
    n = np.full((3, 2), 1e27)
    n[1] = 1e20
    found = localisation(CELL, v, n, z, R)
    assert found is not None
    assert found.localisation_cells == 1
    assert found.localisation_thickness == pytest.approx(0.2e-9)
    assert found.field_max == pytest.approx(1e9)
    # out to the radius of the filament, which cuts the second ring
    assert found.localisation_vacancies == pytest.approx(1e20 * np.pi * (5e-9) ** 2 * 0.2e-9)
    assert "across 1 cell of the mesh (0.2 nm)" in found.warning()


@given(st.integers(1, 30))
def test_cells_of_one_field_are_counted(cells: int) -> None:
    v, z = potential([0.0, *[-3e8] * cells, 0.0], [1e-9] * (cells + 2))
    found = localisation(CELL, v, np.full((cells + 2, 2), np.nan), z, R)
    assert found is not None
    assert found.localisation_cells == int(np.ceil(0.9 * cells - 1e-9))
    assert (found.warning() == "") == (found.localisation_cells >= 4)
    assert found.localisation_vacancies == 0.0


def test_without_a_voltage_there_is_nothing_to_find() -> None:
    assert localisation(CELL, np.zeros(3), np.zeros((2, 2)), np.arange(3.0), R) is None


def test_what_lies_beyond_the_model_is_said() -> None:
    assert limits_of(CELL, {"device_voltage_max": 1.5}) == []
    (broken,) = limits_of(CELL, {"device_voltage_max": 80.0})
    assert "80 V across the memristor: 54 nm of oxide break down at about 54 V" in broken
    thin = CELL.with_({"layers.HfOx.thickness": "0.3 nm", "filament.height": "0.3 nm"})
    (layer,) = limits_of(thin, {})
    assert "HfOx is 0.3 nm thick" in layer
    assert warning_of(300.0) == {}
    said = warning_of(3000.0, "", "one thing")["warning"]
    assert said.startswith("the peak temperature reached 2727 °C") and said.endswith("; one thing")


def test_figures_say_what_they_stand_on() -> None:
    headline = {
        "reset_onset_voltage": None,
        "temperature_reset_edge": None,
        "temperature_max": 2500.0,
        "return_ratio": 23.4,
        "undetermined": {"reset_onset_voltage": "the ramp does not pass 0.1 V"},
        "localisation_cells": 3,
        "localisation_thickness": 0.21e-9,
        "field_max": 8.4e9,
        "localisation_vacancies": 1.7,
    }
    figures = shown(json.loads(json.dumps(headline)))
    rows = {figure.name: figure.text for figure in figures}
    assert rows["RESET onset"] == "not determined: the ramp does not pass 0.1 V"
    assert rows["Peak temperature, edge of RESET"] == "not determined"
    assert rows["Peak temperature, whole run"] == "2227 °C (the oxides melt)"
    assert rows["Low resistance, after / before"] == "23.40 (the cell did not return)"
    assert rows["End of RESET, 90 % of the voltage"] == (
        "over 0.21 nm, 3 cells, less than a lattice constant"
    )
    assert rows["End of RESET, largest field"] == ("8.4 V/nm (films break down at about 1)")
    values = {key: value for figure in figures for key, value in figure.values.items()}
    assert values["field_max"] == 8.4e9
