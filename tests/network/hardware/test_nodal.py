"""Nodal analysis against ngspice, badcrossbar, closed forms and itself; the fast approximation."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest

from ddkbase.errors import InputError, SolverError
from network.hardware import LineResistance, approximate_transfer, solve_array, transfer_matrix
from network.hardware.arrays import nodal
from network.hardware.arrays.nodal import local_transfer
from tests.network.hardware.spice_array import column_currents

LOW, HIGH = 6.1e-6, 202.1e-6
needs_ngspice = pytest.mark.skipif(
    shutil.which("ngspice") is None, reason="ngspice is not installed (apt-get install ngspice)"
)


def cells(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(LOW, HIGH, (rows, columns))


def off(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


@needs_ngspice
@pytest.mark.parametrize("method", ["direct", "lines"])
@pytest.mark.parametrize(
    ("shape", "lines"),
    [
        ((1, 1), LineResistance(3.0, 4.0)),
        ((3, 5), LineResistance(1.0, 2.0, 100.0, 30.0)),
        ((17, 9), LineResistance(10.0, 0.5, 0.0, 50.0)),
        ((32, 32), LineResistance(2.5, 2.5)),
        ((32, 32), LineResistance(20.0, 5.0, 500.0, 200.0)),
    ],
)
def test_equals_ngspice(
    shape: tuple[int, int], lines: LineResistance, method: str, tmp_path: Path
) -> None:
    g = cells(*shape, seed=shape[0])
    volts = np.random.default_rng(1).uniform(-0.3, 0.3, shape[0])
    reference = column_currents(g, volts, lines, tmp_path)
    found = solve_array(g, volts, lines, method).currents
    assert off(found, reference) < 1e-9
    assert off(transfer_matrix(g, lines, method) @ volts, reference) < 1e-9


@pytest.mark.parametrize("shape", [(5, 7), (32, 32), (64, 16)])
def test_equals_badcrossbar(shape: tuple[int, int]) -> None:
    badcrossbar = pytest.importorskip("badcrossbar", reason="badcrossbar is not installed")
    g, volts = cells(*shape), np.random.default_rng(1).uniform(0, 0.3, (shape[0], 3))
    solution = badcrossbar.compute(volts, 1 / g, r_i_word_line=1.0, r_i_bit_line=2.0)
    reference = np.asarray(solution.currents.output).T
    assert off(solve_array(g, volts, LineResistance(1.0, 2.0)).currents, reference) < 1e-10


def test_equals_what_badcrossbar_gave() -> None:
    # badcrossbar 1.1.0, applied voltages, resistances and lines as here
    ohm = [[5e3, 2e4, 1e5], [4e4, 8e3, 1.2e4], [1.6e5, 6e3, 5e3], [9e3, 3e4, 7e4]]
    reference = [8.46699422630363e-05, 4.3185507124365e-05, 3.73723493210241e-05]
    volts = [0.3, -0.1, 0.2, 0.25]
    found = solve_array(1 / np.array(ohm), volts, LineResistance(10.0, 25.0)).currents
    assert found == pytest.approx(reference, rel=1e-12)


def test_one_cell_is_a_chain_of_resistors() -> None:
    lines = LineResistance(3.0, 4.0, 100.0, 50.0)
    resistance = 3.0 + 100.0 + 1 / 50e-6 + 4.0 + 50.0
    for method in ("direct", "lines"):
        found = solve_array([[50e-6]], [0.2], lines, method)
        assert found.currents == pytest.approx([0.2 / resistance], rel=1e-12)
        assert found.rows[0, 0] == pytest.approx(0.2 - 103.0 * found.currents[0], rel=1e-12)


def test_two_columns_on_one_row_by_hand() -> None:
    # the far column sees the segment that both share
    g1, g2, r = 1e-3, 2e-3, 10.0
    far = 1 / (r + 1 / g2)
    at = (1 / r) / (1 / r + g1 + far)
    expected = [at * g1, at * far]
    found = solve_array([[g1, g2]], [1.0], LineResistance(row=r)).currents
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "lines",
    [LineResistance(*v) for v in itertools.product((0, 2.0), (0, 3.0), (0, 50.0), (0, 9.0))],
)
def test_a_resistance_of_zero_is_the_limit(lines: LineResistance) -> None:
    g, volts = cells(7, 5), np.random.default_rng(1).standard_normal((7, 3))
    values = (lines.row, lines.column, lines.driver, lines.sense)
    near = LineResistance(*(v or 1e-6 for v in values))
    here, there = (solve_array(g, volts, one, "direct") for one in (lines, near))
    assert off(here.currents, there.currents) < 1e-7
    assert np.abs(here.rows - there.rows).max() < 1e-6
    assert np.abs(here.columns - there.columns).max() < 1e-6
    assert off(transfer_matrix(g, lines) @ volts, here.currents) < 1e-12


def test_ideal_lines_multiply() -> None:
    g, volts = cells(6, 4), np.arange(6.0)
    assert np.array_equal(transfer_matrix(g, LineResistance()), g.T)
    assert solve_array(g, volts, LineResistance()).currents == pytest.approx(g.T @ volts, rel=1e-13)


@pytest.mark.parametrize("shape", [(40, 90), (90, 40), (65, 65)])
def test_both_methods_agree_and_currents_add_up(shape: tuple[int, int]) -> None:
    lines, g = LineResistance(2.0, 1.0, 100.0, 20.0), cells(*shape)
    volts = np.random.default_rng(2).standard_normal((shape[0], 4))
    direct, swept = (solve_array(g, volts, lines, m) for m in ("direct", "lines"))
    assert off(swept.currents, direct.currents) < 1e-11
    assert np.abs(swept.rows - direct.rows).max() < 1e-11
    into = (volts - direct.rows[:, 0]) / (lines.row + lines.driver)
    assert into.sum(0) == pytest.approx(direct.currents.sum(0), rel=1e-9)
    matrices = [transfer_matrix(g, lines, m) for m in ("direct", "lines")]
    assert off(matrices[1], matrices[0]) < 1e-11


def test_open_cells_and_open_arrays() -> None:
    g = cells(8, 8)
    g[2], g[:, 5] = 0.0, 0.0
    lines, volts = LineResistance(5.0, 5.0), np.ones(8)
    direct, swept = (solve_array(g, volts, lines, m).currents for m in ("direct", "lines"))
    assert direct[5] == 0 and swept[5] == 0
    assert off(swept, direct) < 1e-12
    assert np.array_equal(solve_array(np.zeros((4, 3)), np.ones(4), lines).currents, np.zeros(3))


def test_a_large_array_in_one_go() -> None:
    g, lines = cells(512, 512), LineResistance(1.0, 1.0)
    found = solve_array(g, np.ones(512), lines)
    into = (1 - found.rows[:, 0]) / 1.0
    assert into.sum() == pytest.approx(found.currents.sum(), rel=1e-10)
    # far columns get less, and all less than ideal ones
    assert (found.currents < g.sum(0)).all()
    assert found.currents[-50:].mean() < 0.6 * found.currents[:50].mean()


def test_no_convergence_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodal, "_ITERATIONS", 1)
    with pytest.raises(SolverError, match="do not converge in 1"):
        solve_array(cells(40, 40), np.ones(40), LineResistance(5.0, 5.0), "lines")


@pytest.mark.parametrize(
    ("size", "stated", "ideal"), [(32, 1.5e-4, 0.05), (64, 8e-4, 0.2), (128, 8e-3, 0.6)]
)
def test_fast_approximation_is_as_good_as_stated(size: int, stated: float, ideal: float) -> None:
    lines, g = LineResistance(1.0, 1.0), cells(size, size)
    rng = np.random.default_rng(3)
    found = approximate_transfer(g, lines, rng=rng)
    exact = transfer_matrix(g, lines)
    volts = rng.standard_normal((size, 50))
    reference = exact @ volts
    errors = np.abs(found.matrix @ volts - reference).max(0) / np.abs(reference).max(0)
    assert np.median(errors) < stated
    assert 0.2 * found.error < np.median(errors) < 5 * found.error
    assert found.tested == 2
    assert off(found.matrix @ np.ones(size), exact @ np.ones(size)) < 1e-10
    assert off(g.T @ volts, reference) > ideal
    assert off(local_transfer(g, lines) @ volts, reference) > 5 * np.median(errors)


def test_fast_approximation_without_rows_or_columns() -> None:
    g = cells(9, 6)
    rng = np.random.default_rng(0)
    for lines in (LineResistance(row=3.0), LineResistance(column=3.0), LineResistance(driver=90.0)):
        found = approximate_transfer(g, lines, rng=rng)
        assert off(found.matrix, transfer_matrix(g, lines)) < 1e-12  # one kind only: no coupling
    ideal = approximate_transfer(g, LineResistance(), rng=rng)
    assert np.array_equal(ideal.matrix, g.T) and ideal.error == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LineResistance(-1.0), "negative"),
        (lambda: LineResistance(float("nan")), "no resistance"),
        (lambda: LineResistance.of("1 V"), "wrong dimension"),
        (lambda: LineResistance.of(1.0), "no unit"),
        (lambda: solve_array([[-1e-6]], [1.0], LineResistance(1.0)), "negative conductance"),
        (lambda: solve_array([[np.nan]], [1.0], LineResistance(1.0)), "NaN"),
        (lambda: solve_array([1e-6], [1.0], LineResistance(1.0)), "not \\(rows, columns\\)"),
        (lambda: solve_array([[1e-6]], [1.0, 2.0], LineResistance(1.0)), "for 1 rows"),
        (lambda: solve_array([["a"]], [1.0], LineResistance(1.0)), "no array of numbers"),
        (lambda: solve_array([[1e-6]], [1.0], LineResistance(1.0), "magic"), "unknown method"),
        (lambda: solve_array([[1e-6]], [1.0], LineResistance(1.0), "lines"), "above 0 ohm"),
    ],
)
def test_bad_input_is_one_line(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
