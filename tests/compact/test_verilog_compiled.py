"""Exported Verilog-A: compiled by OpenVAF, integrated implicitly, held against the exact step."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compact.circuit.compiled import VerilogModule, compile_verilog_a
from compact.circuit.export import to_verilog_a
from compact.circuit.implicit import Circuit, run_pulses, run_sweep
from compact.circuit.verilog_a import COMPILER
from compact.kinetics.equations import exact_step
from ddkbase.errors import InputError, InstallationError, SolverError, StorageError
from tests.compact.test_export import BOTH, HIGH, LOW, RESET, SET, Fit, table

pytest.importorskip("openvaf_py", reason="the extra verilog-a is not installed")

COUNT = 1000
AGREES = 1e-6  # of y, and of the conductance over its window

RELATIVE: dict[str, Any] = {
    **BOTH,
    "conductance_min": "1 uS",
    "conductance_max": "90 uS",
    "name": "relative",
}

#: sources, arguments of the export, voltage of the pulses, parameters; alpha, beta, sign, first y
CELLS: dict[str, tuple[Any, Any, dict[str, Any], float, dict[str, float], tuple[float, ...]]] = {
    "RESET of a fit": (RESET, None, BOTH, -2.0, {}, (0.05, 0.12, -1, 1.0)),
    "RESET of a pair": (RESET, SET, BOTH, -2.0, {}, (0.05, 0.12, -1, 1.0)),
    "SET of a pair, up to the wall": (RESET, SET, BOTH, 1.5, {"y0": 0.0}, (0.002, 0.03, 1, 0.0)),
    "SET by the numbers of RESET": (RESET, None, BOTH, 2.0, {"y0": 0.2}, (0.05, 0.12, 1, 0.2)),
    "weak pulses": (RESET, None, BOTH, -1.5, {}, (0.05, 0.75 * 0.12, -1, 1.0)),
    "deep": (Fit(0.001, 0.3), None, BOTH, -2.0, {}, (0.001, 0.3, -1, 1.0)),
    "slow": (Fit(1e-5, 1e-3), None, BOTH, -2.0, {}, (1e-5, 1e-3, -1, 1.0)),
    "no diffusion": (Fit(0.0, 0.03), None, BOTH, -2.0, {}, (0.0, 0.03, -1, 1.0)),
    "relative reads": (
        Fit(0.05, 0.12, units="1"), None, RELATIVE, -2.0, {}, (0.05, 0.12, -1, 1.0),
    ),
    "table, at an entry": (table(), None, {"width": "100 ns"}, -2.5, {}, (0.055, 0.225, -1, 1.0)),
    "table, between": (table(), None, {"width": "100 ns"}, -2.25, {}, (0.0525, 0.1625, -1, 1.0)),
    "table, beyond": (table(), None, {"width": "100 ns"}, -3.5, {}, (0.06, 0.4, -1, 1.0)),
    "table, both": (
        table(), table(1.0, direction="up"), {"width": "100 ns"},
        3.0, {"y0": 0.0}, (0.06, 0.4, 1, 0.0),
    ),
}  # fmt: skip


def compiled(tmp_path: Path, source: Any, opposite: Any, options: dict[str, Any]) -> VerilogModule:
    return compile_verilog_a(to_verilog_a(source, tmp_path / "cell.va", opposite, **options))


OFTEN = {"RESET of a pair", "SET of a pair, up to the wall", "table, between"}


@pytest.mark.parametrize(
    "name", [n if n in OFTEN else pytest.param(n, marks=pytest.mark.slow) for n in CELLS]
)
def test_a_thousand_pulses_agree_with_the_fit(tmp_path: Path, name: str) -> None:
    source, opposite, options, volts, parameters, (alpha, beta, sign, first) = CELLS[name]
    module = compiled(tmp_path, source, opposite, options)
    assert module.terminals == ("te", "be", "y")
    ds = run_pulses(module, np.full(COUNT, volts), "100 ns", parameters=parameters, tolerance=1e-8)
    expected = np.empty(COUNT + 1)
    expected[0] = first
    for k in range(COUNT):  # the wall counts within the train: states beyond it do not come back
        after = exact_step(alpha, beta, [1.0], expected[k], sign=int(sign))[0]
        expected[k + 1] = min(after, 1.0)
    assert np.ptp(expected) > 0.3
    y = ds["unknowns"].sel(unknown="y").values
    low, high = module.defaults["gmin"], module.defaults["gmax"]
    assert np.abs(y - expected).max() < AGREES
    assert np.abs((ds["conductance"].values - low) / (high - low) - expected).max() < AGREES


def test_both_polarities_by_turns_and_rest_between(tmp_path: Path) -> None:
    module = compiled(tmp_path, RESET, SET, BOTH)
    volts = np.where(np.arange(COUNT) // 50 % 2 == 0, -2.0, 1.5)
    ds = run_pulses(module, volts, "50 ns", rest="1 us", tolerance=1e-8)
    state, expected = 1.0, [1.0]
    for volt in volts:
        fit, sign = (RESET, -1) if volt < 0 else (SET, 1)
        state = float(exact_step(fit.alpha, fit.beta, [1.0], state, dt=0.5, sign=sign)[0])
        state = min(state, 1.0)
        expected.append(state)
    assert np.ptp(expected) > 0.3
    assert np.abs(ds["unknowns"].sel(unknown="y").values - expected).max() < AGREES


def test_idle_lets_the_state_diffuse(tmp_path: Path) -> None:
    module = compiled(tmp_path, Fit(0.001, 0.01), None, BOTH)
    circuit = Circuit(module, module.parameters(y0=0.2, idle=1.0), tolerance=1e-9)
    circuit.advance(100e-7, 0.0, 0.0)
    y = circuit.state()[module.unknowns.index("y")]
    assert y == pytest.approx(np.sqrt(0.2**2 + 2 * 0.001 * 100), rel=1e-6)


def test_the_heading_names_the_compiler_that_is_installed(tmp_path: Path) -> None:
    text = to_verilog_a(RESET, tmp_path / "a.va", **BOTH).read_text(encoding="utf-8")
    head = " ".join(line[2:].strip() for line in text.splitlines() if line.startswith("//"))
    assert (
        COMPILER in head
        and f"{COUNT:,} pulses" in head
        and f"below {AGREES:.0e}" in (head.replace("1e-6", "1e-06"))
    )
    match = re.search(r"openvaf-py ([\d.]+)", COMPILER)
    assert match and match[1] == metadata.version("openvaf-py")


# -- what circuits follow from equations that can be solved by hand

RC = """`include "disciplines.vams"
module rc(p, n);
  inout p, n; electrical p, n, x;
  parameter real r = 2.0 from (0:inf);
  parameter real c = 0.5 from (0:inf);
  parameter real g = 0.25;
  analog begin
    I(p, x) <+ V(p, x)/r;
    I(x, n) <+ ddt(c*V(x, n));
    I(p, n) <+ g*V(p, n)*V(p, n)*V(p, n);
  end
endmodule
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "module.va"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_circuit_of_known_solution(tmp_path: Path) -> None:
    module = compile_verilog_a(written(tmp_path, RC))
    assert module.defaults == {"r": 2.0, "c": 0.5, "g": 0.25}
    times = np.linspace(0.0, 3.0, 31)
    for tolerance, error in ((None, 1e-6), (1e-10, 1e-9)):
        ds = run_sweep(module, times, 2.0 * times, parameters={"r": 4.0}, tolerance=tolerance)
        rc = 4.0 * 0.5  # of the charge that follows a ramp
        node = 2.0 * (times - rc * (1 - np.exp(-times / rc)))
        np.testing.assert_allclose(ds["unknowns"].sel(unknown="x"), node, rtol=error, atol=error)
        current = (2.0 * times - node) / 4.0 + 0.25 * (2.0 * times) ** 3
        np.testing.assert_allclose(ds["current"], current, rtol=error, atol=error)
    held = run_sweep(module, np.array([0.0, 1.0]), np.zeros(2), start={"x": 1.0})
    assert held["unknowns"].sel(unknown="x")[-1] == pytest.approx(np.exp(-1.0), rel=1e-6)


def test_the_slopes_are_those_of_the_equations(tmp_path: Path) -> None:
    module = compiled(tmp_path, RESET, SET, BOTH)
    parameters, x = module.parameters(), np.array([-1.9, 0.0, 0.6, -0.4, 0.0])
    _, _, current_slopes, charge_slopes = module.evaluate(parameters, x)
    for k in range(x.size):
        step = np.zeros(x.size)
        step[k] = 1e-6
        up, down = (module.evaluate(parameters, x + s) for s in (step, -step))
        scale = 1e-6 * np.abs(current_slopes).max()
        assert np.abs((up[0] - down[0]) / 2e-6 - current_slopes[:, k]).max() < scale
        assert np.abs((up[1] - down[1]) / 2e-6 - charge_slopes[:, k]).max() < 1e-6


# -- what is refused

REFUSED = {
    "syntax": (RC.replace("analog begin", "analog begn"), "does not compile at line"),
    "name": (RC.replace("V(p, x)/r", "V(p, x)/q"), "line 8: 'q' was not found"),
    "two modules": (RC + RC.replace("module rc", "module rd"), "holds 2 modules"),
    "time": (RC.replace("g*V(p, n)", "g*$abstime*V(p, n)"), r"asks for \$abstime"),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        compile_verilog_a(written(tmp_path, text))
    assert "\n" not in str(caught.value) and capfd.readouterr() == ("", "")


def test_what_the_module_has_not(tmp_path: Path) -> None:
    module = compile_verilog_a(written(tmp_path, RC.replace("real g = 0.25", "real g = 0.5*r")))
    with pytest.raises(InputError, match=r"no parameter 'rr'.*r"):
        module.parameters(rr=1.0)
    with pytest.raises(InputError, match="no finite number for the parameter 'g'"):
        module.parameters()
    full = module.parameters(g=0.0)
    with pytest.raises(InputError, match="no inner node 'y'"):
        Circuit(module, full, {"y": 1.0})
    with pytest.raises(InputError, match="do not increase"):
        run_sweep(module, np.zeros(2), np.zeros(2), parameters={"g": 0.0})
    with pytest.raises(InputError, match="read_voltage"):
        run_pulses(module, np.ones(2), "1 s", read_voltage="0 V", parameters={"g": 0.0})
    with pytest.raises(StorageError, match="no such file"):
        compile_verilog_a(tmp_path / "absent.va")


def test_an_equation_that_runs_away_ends_in_one_line(tmp_path: Path) -> None:
    text = RC.replace("ddt(c*V(x, n))", "ddt(c*V(x, n)) - V(x, n)*V(x, n)")
    module = compile_verilog_a(written(tmp_path, text))
    with pytest.raises(SolverError, match="does not get beyond"):
        run_sweep(module, np.array([0.0, 50.0]), np.array([0.0, 1.0]), start={"x": 1.0})


def test_without_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvaf_py", None)
    with pytest.raises(InstallationError, match=r"ddk-toolkit\[verilog-a\]"):
        compile_verilog_a(written(tmp_path, RC))


def test_conductances_of_the_default_window(tmp_path: Path) -> None:
    module = compiled(tmp_path, RESET, None, BOTH)
    assert (module.defaults["gmin"], module.defaults["gmax"]) == (LOW, HIGH)
    ds = run_pulses(module, np.zeros(0), "100 ns", read_voltage="-50 mV")
    assert ds["conductance"].values == pytest.approx([HIGH], rel=1e-12)
    assert ds["conductance"].attrs["units"] == "S"


def test_a_fault_of_the_compiler_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):  # as Rust's panics reach Python
        pass

    def fail(path: str) -> None:
        raise PanicException("internal error: entered unreachable code")

    monkeypatch.setattr("openvaf_py.compile_va", fail)
    with pytest.raises(InputError, match="the compiler fails on it: internal error"):
        compile_verilog_a(written(tmp_path, RC))
