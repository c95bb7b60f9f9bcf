"""The text of a Verilog-A module of a fitted cell."""

from __future__ import annotations

from compact.circuit.cell import Branch, Cell
from compact.circuit.spice import FLOOR, SMOOTH, WALL, heading

__all__ = ["verilog_text"]


def verilog_text(cell: Cell) -> str:
    """Module with the terminals te, be and y (volts, the state); as `compact.circuit.spice`."""
    lines = heading(cell, "//")
    lines += [
        "//",
        "// NOT COMPILED: no Verilog-A compiler has seen this file; its syntax was checked by a",
        "// parser of the toolkit's tests.",
        "//",
        '`include "constants.vams"',
        '`include "disciplines.vams"',
        "",
        f"module {cell.name}(te, be, y);",
        "  inout te, be, y;",
        "  electrical te, be, y, u;",
        "",
        f"  parameter real width = {cell.width!r} from (0:inf);      // s, one pulse",
        f"  parameter real y0 = {cell.initial_state!r} from [0:1];          // state at the start",
        f"  parameter real gmin = {cell.conductance_min!r} from [0:inf);  // S at y = 0",
        f"  parameter real gmax = {cell.conductance_max!r} from (0:inf);  // S at y = 1",
        f"  parameter real vth_reset = {cell.reset.threshold!r} from (0:inf); // V, absolute",
        f"  parameter real vth_set = {cell.set.threshold!r} from (0:inf);   // V",
        "  parameter real idle = 0.0 from [0:1];",
        f"  parameter real y_floor = {FLOOR!r} from (0:inf);",
        f"  parameter real wall = {WALL!r} from (0:inf);",
        f"  parameter real smooth = {SMOOTH!r} from (0:inf);",
        "",
        "  real v, s, inverse, on_reset, on_set, rate, top;",
        "",
    ]
    for word, branch in (("reset", cell.reset), ("set", cell.set)):
        lines += _function(f"alpha_{word}", branch, branch.alpha, False)
        lines += _function(f"drift_{word}", branch, branch.beta, branch.by_ratio)
    lines += [
        "  analog begin",
        "    v = V(te, be);",
        "    s = y0 + V(u);",
        "    on_reset = 0.5*(1.0 + tanh((-v - vth_reset)/(0.01*vth_reset)));",
        "    on_set = 0.5*(1.0 + tanh((v - vth_set)/(0.01*vth_set)));",
        "    inverse = 2.0/(s + sqrt(s*s + 4.0*y_floor*y_floor));",
        "    rate = on_reset*(alpha_reset(-v)*inverse - drift_reset(-v))",
        "         + on_set*(alpha_set(v)*inverse + drift_set(v))",
        f"         + idle*(1.0 - on_reset - on_set)*{cell.reset.alpha[0]!r}*inverse",
        "         - wall*max(s - 1.0, 0.0)*max(s - 1.0, 0.0)",
        "         + wall*max(-s, 0.0)*max(-s, 0.0);",
        "    top = 0.5*(s + 1.0 - sqrt((s - 1.0)*(s - 1.0) + smooth*smooth));",
        "    I(u) <+ ddt(V(u)) - rate/width;",
        "    I(u) <+ V(u)*1.0e-12;",
        "    V(y) <+ s;",
        "    I(te, be) <+ v*(gmin + (gmax - gmin)*0.5*(top + sqrt(top*top + smooth*smooth)));",
        "  end",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _function(name: str, branch: Branch, values: tuple[float, ...], by_ratio: bool) -> list[str]:
    lines = [f"  analog function real {name};", "    input v;", "    real v;", "    begin"]
    at = branch.amplitudes
    if branch.is_table:
        lines.append(f"      if (v <= {at[0]!r}) {name} = {values[0]!r};")
        for k in range(1, len(at)):
            slope = f"({values[k]!r} - {values[k - 1]!r})/({at[k]!r} - {at[k - 1]!r})"
            lines.append(f"      else if (v <= {at[k]!r})")
            lines.append(f"        {name} = {values[k - 1]!r} + (v - {at[k - 1]!r})*{slope};")
        lines.append(f"      else {name} = {values[-1]!r};")
    elif by_ratio:
        lines.append(f"      {name} = {values[0]!r}*min(max(v, 0.0)/{at[0]!r}, 1.0);")
    else:
        lines.append(f"      {name} = {values[0]!r};")
    return [*lines, "    end", "  endfunction", ""]
