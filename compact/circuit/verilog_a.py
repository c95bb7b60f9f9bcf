"""The text of a Verilog-A module of a fitted cell."""

from __future__ import annotations

from compact.circuit.cell import Branch, Cell
from compact.circuit.spice import heading

#: what compiled the modules in the tests; a test compares it with what is installed
COMPILER = "OpenVAF (openvaf-py 0.1.5)"
#: y below which alpha/y no longer grows
FLOOR = 1e-6
#: strength of the walls at y = 0 and 1, in units of 1/width: overshoot rate/WALL
WALL = 1e7
#: how far, in y, the conductance goes on beyond its ends
SMOOTH = 1e-6

_SIMULATOR = (
    "For the simulator: 1/y is 2/(y + sqrt(y^2 + 4 y_floor^2)), y >= 0; walls wall (y - 1) and",
    "wall y keep y within 0 to 1; steps are tanh over 1 % of the threshold; beyond the walls the",
    "conductance goes on by at most smooth of its window, and is exact between them.",
    "idle = 1: time goes on between pulses with x = 0, as in the network, with alpha of RESET at",
    "its lowest amplitude.",
    "",
    f"Checked: the tests of ddk-toolkit compile modules as this one with {COMPILER},",
    "integrate their residual and Jacobian implicitly over 1,000 pulses, and hold y and the",
    "conductance against the exact solution of the equations above: the difference is below 1e-6",
    "of the range. This very file was not run.",
)


def verilog_text(cell: Cell) -> str:
    """Module with the terminals te, be and y (volts, the state); as `compact.circuit.spice`."""
    lines = heading(cell, "//", _SIMULATOR)
    lines += [
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
        "  real v, s, inverse, on_reset, on_set, rate, over, under, positive, share;",
        "",
    ]
    for word, branch in (("reset", cell.reset), ("set", cell.set)):
        lines += _function(f"alpha_{word}", branch, branch.alpha, False)
        lines += _function(f"drift_{word}", branch, branch.beta, branch.by_ratio)
    lines += [
        "  analog begin",
        "    v = V(te, be);",
        "    s = y0 + V(u);",
        "    over = max(s - 1.0, 0.0);",
        "    under = max(-s, 0.0);",
        "    on_reset = 0.5*(1.0 + tanh((-v - vth_reset)/(0.01*vth_reset)));",
        "    on_set = 0.5*(1.0 + tanh((v - vth_set)/(0.01*vth_set)));",
        "    positive = s + under;",
        "    inverse = 2.0/(positive + sqrt(positive*positive + 4.0*y_floor*y_floor));",
        "    rate = on_reset*(alpha_reset(-v)*inverse - drift_reset(-v))",
        "         + on_set*(alpha_set(v)*inverse + drift_set(v))",
        f"         + idle*(1.0 - on_reset - on_set)*{cell.reset.alpha[0]!r}*inverse",
        "         - wall*over + wall*under;",
        "    share = s - over + under + smooth*(over/(over + smooth) - under/(under + smooth));",
        "    I(u) <+ ddt(V(u)) - rate/width;",
        "    I(u) <+ V(u)*1.0e-12;",
        "    V(y) <+ s;",
        "    I(te, be) <+ v*(gmin + (gmax - gmin)*share);",
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
