"""Export to circuit simulators: the numbers of the cell, ngspice against Python, Verilog-A."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import solve_ivp

from compact.circuit import spice
from compact.circuit.cell import cell_of
from compact.circuit.export import to_spice, to_verilog_a
from compact.circuit.spice import spice_text
from compact.circuit.verilog_a import verilog_text
from compact.kinetics.equations import exact_step
from ddkbase.errors import InputError, InstallationError, SolverError, StorageError
from tests.compact import verilog_a

WIDTH = 100e-9
PERIOD = 200e-9
LOW, HIGH = 6.1e-6, 202.1e-6

needs_ngspice = pytest.mark.skipif(
    not spice.available(), reason="ngspice is not installed (apt-get install ngspice)"
)


@dataclass(frozen=True)
class Fit:
    """The part of an AlphaBetaFit that the export reads."""

    alpha: float
    beta: float
    direction: str = "down"
    conductance_min: float = LOW
    conductance_max: float = HIGH
    integrator: str = "exact"
    units: str = "S"
    valid: bool = True
    reason: str = ""


RESET = Fit(0.05, 0.12)
SET = Fit(0.002, 0.03, "up")
BOTH: dict[str, Any] = {"amplitude": "2 V", "opposite_amplitude": "1.5 V", "width": "100 ns"}


def table(sign: float = -1.0, **attrs: object) -> xr.Dataset:
    """Amplitude by width by cycle; beta grows with the amplitude and width, cycles straddle it."""
    volts = np.array([2.0, 2.5, 3.0])
    widths = np.array([50e-9, 100e-9])
    spread = np.array([-0.01, 0.01])
    alpha = np.broadcast_to(0.05 + 0.01 * (volts[:, None, None] - 2), (3, 2, 2)).copy()
    beta = 0.1 * (volts[:, None, None] - 1) ** 2 * np.sqrt(widths[:, None] / 1e-7) + spread
    dims = ("amplitude", "width", "cycle")
    full = np.ones((3, 2, 2))
    return xr.Dataset(
        {
            "alpha": (dims, alpha, {"units": "1"}),
            "beta": (dims, beta, {"units": "1"}),
            "conductance_min": (dims, LOW * full, {"units": "S"}),
            "conductance_max": (dims, HIGH * full, {"units": "S"}),
            "valid": (dims, full.astype(bool), {"units": "1"}),
        },
        {
            "amplitude": ("amplitude", sign * volts, {"units": "V"}),
            "width": ("width", widths, {"units": "s"}),
            "initial_resistance": ((), 5e3, {"units": "ohm"}),
        },
        attrs,
    )


def pulses(volts: float, edge: float = 0.1e-9, width: float = WIDTH) -> str:
    """Pulses of full width at half height, one a period, from a quarter of it on."""
    return f"PULSE(0 {volts!r} {PERIOD / 4!r} {edge!r} {edge!r} {width - edge!r} {PERIOD!r})"


def simulate(
    cell: Path, source: str, count: int, start: str = "", reltol: float = 1e-4
) -> tuple[np.ndarray, np.ndarray]:
    """State and conductance [S] after each of ``count`` pulses, between which 0.1 V is applied."""
    circuit = (
        f"test\n.include {cell}\n{source}\nVsense te top 0\nX1 top 0 y ddk_cell {start}\n"
        f".options reltol={reltol!r}\n"
    )
    _, values = spice.run_transient(
        circuit, ["v(y)", "i(vsense)", "v(te)"], step=PERIOD, stop=(count + 0.5) * PERIOD
    )
    values = values[1 : count + 1]
    return values[:, 0], values[:, 1] / values[:, 2]


def reads(pulse: str) -> str:
    """A pulse source on top of a constant read voltage of 0.1 V."""
    return f"Vread te mid 0.1\nVpulse mid 0 {pulse}"


# -- the numbers


def test_a_table_is_averaged_and_cut(tmp_path: Path) -> None:
    ds = table()
    ds["valid"].values[1, 1, 0] = False
    ds["valid"].values[2, 1, :] = False
    cell = cell_of(ds, width="100 ns", initial_resistance="5 kohm")
    assert cell.reset.amplitudes == (2.0, 2.5)
    np.testing.assert_allclose(cell.reset.beta, [0.1, 0.225 + 0.01])
    assert cell.set is cell.reset
    assert cell.width == WIDTH and cell.initial_state == 1
    text = " ".join(cell.notes)
    assert "SET was not fitted" in text and "means over" in text and "1 of 3 amplitudes" in text


def test_fits_that_do_not_determine_both_are_counted() -> None:
    ds = table()
    chosen = {"width": "100 ns", "initial_resistance": "5 kohm"}
    assert "determine" not in " ".join(cell_of(ds, **chosen).notes)
    ds["determined"] = ds["valid"].copy(deep=True)
    assert "determine" not in " ".join(cell_of(ds, **chosen).notes)
    ds["determined"].values[0, 1, 1] = False
    assert "of 6 fits 5 determine both" in " ".join(cell_of(ds, **chosen).notes)


def test_a_table_object_counts_as_its_dataset() -> None:
    wrapped = SimpleNamespace(dataset=table())
    assert cell_of(wrapped, width="50 ns") == cell_of(table(), width="50 ns")


def test_signs_and_directions_tell_the_polarity() -> None:
    both = xr.concat([table(-1).isel(width=1), table(1).isel(width=1)], "amplitude")
    cell = cell_of(both)
    assert cell.reset.amplitudes == cell.set.amplitudes == (2.0, 2.5, 3.0)
    assert not any("not fitted" in note for note in cell.notes)
    assert cell_of(table(1).isel(width=1)).reset.is_table  # the article's amplitudes have no sign
    up = cell_of(table(1, direction="up").isel(width=1))
    assert up.initial_state == 0 and "RESET was not fitted" in " ".join(up.notes)
    pair = cell_of(SET, RESET, amplitude="1.5 V", opposite_amplitude="-2 V", width="1 us")
    assert (pair.set.alpha, pair.reset.alpha) == ((0.002,), (0.05,))
    assert (pair.set.threshold, pair.reset.threshold) == (0.75, 1.0)


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no amplitude": (RESET, {"width": "1 us"}, "amplitude='2 V'"),
    "no width": (RESET, {"amplitude": "2 V"}, "width='100 ns'"),
    "bare width": (RESET, {"amplitude": "2 V", "width": 1e-7}, "has no unit"),
    "not valid": (Fit(1, 1, valid=False, reason="constant"), BOTH, "constant"),
    "NaN": (Fit(np.nan, 1), BOTH, "alpha is negative or not finite"),
    "relative": (Fit(0.1, 0.1, units="1"), BOTH, "no conductance window"),
    "no window": (Fit(0.1, 0.1, conductance_min=1.0), BOTH, "no conductance window"),
    "several widths": (table(), {}, "width=...: 50 ns, 100 ns"),
    "other width": (table(), {"width": "70 ns"}, "no width 70 ns"),
    "other resistance": (
        table(),
        {"width": "50 ns", "initial_resistance": "9 kohm"},
        "initial_resistance 9 kohm",
    ),
    "no table": (table().drop_vars("beta"), {"width": "50 ns"}, "no beta"),
    "nothing valid": (table().assign(valid=False), {"width": "50 ns"}, "no valid entry"),
    "mirror": (table(mirror=1), {"width": "50 ns"}, "mirror=False"),
    "many fits": (table().rename(amplitude="train"), {"width": "50 ns"}, "dimension train"),
    "name": (RESET, {**BOTH, "name": "1 cell"}, "no name"),
    "threshold": (RESET, {**BOTH, "threshold": "-1 V"}, "threshold"),
    "start": (RESET, {**BOTH, "initial_state": 2.0}, "initial_state"),
    "no fit": ({"alpha": 1}, BOTH, "neither a fit nor a table"),
    "same polarity": (RESET, {**BOTH, "opposite": RESET}, "one polarity"),
}


@pytest.mark.parametrize(("source", "told", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(source: Any, told: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        cell_of(source, **told)


def test_files_are_not_replaced_unasked(tmp_path: Path) -> None:
    path = to_spice(RESET, tmp_path / "a.sub", **BOTH)
    with pytest.raises(StorageError, match="exists"):
        to_spice(RESET, path, **BOTH)
    assert to_spice(RESET, path, overwrite=True, **BOTH) == path


def test_the_heading_says_what_was_assumed(tmp_path: Path) -> None:
    fit = Fit(0.05, 0.12, integrator="implicit")
    for write, sign in ((to_spice, "*"), (to_verilog_a, "//")):
        text = write(fit, tmp_path / "a", overwrite=True, **BOTH).read_text(encoding="utf-8")
        head = " ".join(line[len(sign) :] for line in text.splitlines() if line.startswith(sign))
        assert "SET was not fitted" in " ".join(head.split())
        assert "source: fitted with the implicit integrator" in " ".join(head.split())
        assert max(map(len, text.splitlines())) <= 100


# -- ngspice


@needs_ngspice
@pytest.mark.parametrize(("alpha", "beta"), [(0.05, 0.12), (0.001, 0.3), (0.5, 0.9), (0.0, 0.03)])
def test_reset_in_ngspice(tmp_path: Path, alpha: float, beta: float) -> None:
    cell = to_spice(Fit(alpha, beta), tmp_path / "cell.sub", **BOTH)
    y, conductance = simulate(cell, reads(pulses(-2.1)), 100)
    expected = exact_step(alpha, beta, np.ones(100))
    assert np.abs(y - expected).max() < 1e-3
    # the clip is rounded at its ends
    assert np.abs((conductance - LOW) / (HIGH - LOW) - expected.clip(0, 1)).max() < 1e-3


@needs_ngspice
def test_set_in_ngspice_stops_at_the_top(tmp_path: Path) -> None:
    swapped = {**BOTH, "amplitude": "1.5 V", "opposite_amplitude": "2 V"}
    cell = to_spice(SET, tmp_path / "cell.sub", RESET, **swapped)
    y, _ = simulate(cell, reads(pulses(1.4)), 60)
    expected = np.minimum(exact_step(SET.alpha, SET.beta, np.ones(60), 0.0, sign=1), 1)
    assert expected[-1] == 1 and expected[5] < 0.5
    assert np.abs(y - expected).max() < 1e-3


@needs_ngspice
def test_a_table_in_ngspice(tmp_path: Path) -> None:
    cell = to_spice(table(), tmp_path / "cell.sub", width="100 ns")
    for volts, alpha, beta in ((2.5, 0.055, 0.225), (2.25, 0.0525, 0.1625), (3.5, 0.06, 0.4)):
        y, _ = simulate(cell, reads(pulses(-volts - 0.1)), 40)
        assert np.abs(y - exact_step(alpha, beta, np.ones(40))).max() < 1e-3


@needs_ngspice
def test_time_counts_only_while_a_pulse_is_on(tmp_path: Path) -> None:
    cell = to_spice(RESET, tmp_path / "cell.sub", **BOTH)
    half, _ = simulate(cell, reads(pulses(-2.1, width=WIDTH / 2)), 100)
    assert np.abs(half - exact_step(0.05, 0.12, np.ones(100), dt=0.5)).max() < 1e-3
    on, _ = simulate(cell, "Vpulse te 0 -2", 20)  # from the very start
    assert np.abs(on - exact_step(0.05, 0.12, np.ones(40))[1::2]).max() < 1e-3
    below, _ = simulate(cell, reads(pulses(-0.9)), 20)
    assert np.abs(below - 1).max() < 1e-6
    weak, _ = simulate(cell, reads(pulses(-1.5 - 0.1)), 50)
    assert np.abs(weak - exact_step(0.05, 0.12, np.full(50, 0.75))).max() < 1e-3


@needs_ngspice
def test_idle_lets_the_state_diffuse(tmp_path: Path) -> None:
    cell = to_spice(Fit(0.001, 0.01), tmp_path / "cell.sub", **BOTH)
    y, _ = simulate(cell, "Vread te 0 0.1", 100, "y0=0.2 idle=1")
    time = 2 * np.arange(1, 101)  # a period is two widths
    expected = np.sqrt(0.2**2 + 2 * 0.001 * time)
    assert np.abs(y - expected).max() < 1e-3


@needs_ngspice
@pytest.mark.slow
def test_ten_thousand_pulses(tmp_path: Path) -> None:
    """Fifty cycles of 100 RESET and 100 SET pulses, from wall to wall."""
    cell = to_spice(RESET, tmp_path / "cell.sub", SET, **BOTH)
    source = (
        f"Vp p 0 {pulses(1.0)}\n"
        f"Vm m 0 PULSE(0 1 {100 * PERIOD!r} 1e-9 1e-9 {100 * PERIOD - 1e-9!r} {200 * PERIOD!r})\n"
        "Bte te 0 V = 0.1 + V(p)*(-2.1 + 3.5*V(m))"
    )
    y, conductance = simulate(cell, source, 10_000)
    state, expected = 1.0, []
    for k in range(10_000):
        if k // 100 % 2 == 0:
            state = float(exact_step(RESET.alpha, RESET.beta, [1.0], state)[0])
        else:
            state = float(exact_step(SET.alpha, SET.beta, [1.0], state, sign=1)[0])
        state = min(state, 1.0)
        expected.append(state)
    assert np.ptp(expected) > 0.5
    assert np.abs(y - expected).max() < 1e-3
    assert np.abs((conductance - LOW) / (HIGH - LOW) - expected).max() < 1e-3


@needs_ngspice
def test_errors_of_ngspice_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SolverError, match="ngspice"):
        spice.run_transient("t\nX1 a 0 nothing\nV1 a 0 1\n", ["v(a)"], step=1e-9, stop=1e-8)
    assert spice.version().startswith("ngspice")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InstallationError, match="apt-get install ngspice"):
        spice.version()


# -- Verilog-A


def modules(tmp_path: Path) -> dict[str, verilog_a.Module]:
    files = {
        "fits": to_verilog_a(RESET, tmp_path / "fits.va", SET, **BOTH),
        "table": to_verilog_a(table(), tmp_path / "table.va", width="100 ns"),
    }
    return {n: verilog_a.parse(p.read_text(encoding="utf-8")) for n, p in files.items()}


def trace(module: verilog_a.Module, volts: float, y0: float, count: int) -> np.ndarray:
    """State after pulses of constant voltage, integrated from the module's own equation."""

    def slope(_: float, u: np.ndarray) -> list[float]:
        return [-module.evaluate(V_te_be=volts, V_u=float(u[0]), y0=y0)["I_u"]]

    times = np.arange(1, count + 1) * WIDTH
    done = solve_ivp(
        slope, (0, times[-1]), [0.0], "LSODA", times, rtol=1e-8, atol=1e-10, max_step=WIDTH
    )
    return y0 + done.y[0]


def test_the_verilog_module_solves_the_equations(tmp_path: Path) -> None:
    module = modules(tmp_path)["fits"]
    assert module.name == "ddk_cell" and module.ports == ["te", "be", "y"]
    reset = trace(module, -2.0, 1.0, 50)
    assert np.abs(reset - exact_step(0.05, 0.12, np.ones(50))).max() < 1e-5
    rise = trace(module, 1.5, 0.1, 50)
    expected = np.minimum(exact_step(SET.alpha, SET.beta, np.ones(50), 0.1, sign=1), 1)
    assert np.abs(rise - expected).max() < 1e-3
    assert np.ptp(trace(module, 0.3, 0.5, 5)) < 1e-9
    current = module.evaluate(V_te_be=0.1, V_u=-0.5, y0=1.0)
    assert current["I_te_be"] == pytest.approx(0.1 * (LOW + 0.5 * (HIGH - LOW)), rel=1e-6)
    assert current["V_y"] == 0.5


def test_the_verilog_module_looks_up_the_table(tmp_path: Path) -> None:
    module = modules(tmp_path)["table"]
    beta = module.functions["drift_reset"]
    assert [beta(v) for v in (1.0, 2.0, 2.5, 3.0, 9.0)] == pytest.approx(
        [0.1, 0.1, 0.225, 0.4, 0.4]
    )
    assert beta(2.25) == pytest.approx(0.1625)
    assert module.functions["alpha_set"](2.75) == pytest.approx(0.0575)


SPOILED = {
    "semicolon": ("v = V(te, be);", "v = V(te, be)"),
    "bracket": ("V(te, be)", "V(te, be"),
    "undeclared": ("real v, s,", "real v,"),
    "end": ("  end\nendmodule", "endmodule"),
    "node": ("electrical te, be, y, u;", "electrical te, be, y;"),
    "arguments": ("alpha_set(v)", "alpha_set(v, v)"),
    "keyword": ("endfunction", "endfunctio"),
}


@pytest.mark.parametrize(("good", "bad"), SPOILED.values(), ids=SPOILED.keys())
def test_the_syntax_check_sees_mistakes(tmp_path: Path, good: str, bad: str) -> None:
    text = to_verilog_a(RESET, tmp_path / "a.va", **BOTH).read_text(encoding="utf-8")
    assert good in text
    verilog_a.parse(text)
    with pytest.raises(verilog_a.SyntaxProblem):
        verilog_a.parse(text.replace(good, bad, 1))


def test_a_pulse_acts_from_half_of_the_smallest_amplitude_on() -> None:
    cell = cell_of(table(), width="50 ns")
    assert cell.reset.threshold == cell.set.threshold == pytest.approx(1.0)  # of 2, 2.5 and 3 V
    one = cell_of(RESET, SET, **BOTH)
    assert one.reset.threshold == pytest.approx(0.5 * one.reset.amplitudes[0])
    assert one.set.threshold == pytest.approx(0.5 * one.set.amplitudes[0])
    given = cell_of(table(), width="50 ns", threshold="0.3 V")
    assert (given.reset.threshold, given.set.threshold) == (0.3, 0.3)


def test_between_pulses_time_goes_on_with_alpha_of_reset() -> None:
    source = table()
    lowest = float(source["alpha"].sel(amplitude=-2.0, width=50e-9).mean())
    cell = cell_of(source, SET, width="50 ns", opposite_amplitude="1.5 V")
    assert cell.reset.alpha[0] == pytest.approx(lowest) and cell.set.alpha[0] != cell.reset.alpha[0]
    spice = re.search(
        r"\{idle\}\*\([^)]*\)[^*]*\)?[^*]*\*([0-9.e-]+)\*V\(inverse\)", spice_text(cell)
    )
    verilog = re.search(r"idle\*\([^)]*\)\*([0-9.e-]+)\*inverse", verilog_text(cell))
    assert spice and verilog
    assert float(spice[1]) == float(verilog[1]) == cell.reset.alpha[0]
