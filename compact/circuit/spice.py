"""A fitted cell as text of an ngspice subcircuit; runs of ngspice, where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compact.circuit.cell import Branch, Cell
from ddkbase.errors import InputError, InstallationError, SolverError

#: y below which alpha/y no longer grows, see `spice_text`
FLOOR = 1e-5
#: strength of the walls at y = 0 and 1, in units of 1/width: overshoot sqrt(rate/WALL)
WALL = 1e7
#: width in y over which the conductance is clipped at its ends
SMOOTH = 1e-4

EQUATIONS = (
    "The state y follows Eqs. (3) and (4) while a pulse is on (|v| above the threshold):",
    "    RESET, v < 0:  width dy/dt = alpha/y - beta x",
    "    SET,   v > 0:  width dy/dt = alpha/y + beta x",
    "and rests between pulses: one pulse of the width below is one unit of the time of alpha and",
    "beta, half a pulse half. Conductance = gmin + (gmax - gmin) clip(y, 0, 1).",
)

_SIMULATOR = (
    "For the simulator: 1/y is 2/(y + sqrt(y^2 + 4 y_floor^2)); walls wall (y - 1)^2 and wall y^2",
    "keep y within 0 to 1; steps are tanh over 1 % of the threshold; smooth rounds the clip.",
    "idle = 1: time goes on between pulses with x = 0, as in the network, with alpha of RESET at",
    "its lowest amplitude.",
)


def heading(cell: Cell, comment: str, simulator: Sequence[str]) -> list[str]:
    """Lines, behind a comment sign, that say what the numbers are and how they are simulated."""
    lines = [
        f"{cell.name}: memristor cell with drift-diffusion kinetics, written by ddk-toolkit",
        "",
    ]
    lines += [*EQUATIONS, *simulator]
    lines.append("")
    for word, branch in (("RESET", cell.reset), ("SET", cell.set)):
        if branch.is_table:
            x = (
                "alpha and beta by amplitude, linear between entries, constant beyond "
                f"{branch.amplitudes[0]:g} to {branch.amplitudes[-1]:g} V; x = 1"
            )
        elif branch.by_ratio:
            x = f"alpha, beta of pulses of {branch.amplitudes[0]:g} V; x = |v| over it, at most 1"
        else:
            x = f"alpha and beta of pulses of {branch.amplitudes[0]:g} V; x = 1"
        lines.append(f"{word}: {x}.")
    lines += [f"Note: {note}." for note in cell.notes]
    wrapped = []
    for line in lines:
        wrapped += textwrap.wrap(line, 94, subsequent_indent="    ") if len(line) > 94 else [line]
    return [f"{comment} {line}".rstrip() for line in wrapped]


def spice_text(cell: Cell) -> str:
    """Subcircuit with the nodes te (top electrode), be (bottom electrode) and y (volts, the state).

    ``u`` = y - y0 is the voltage of a capacitor of 1 F, so the current into it is dy/dt. The
    subcircuit sets its initial condition itself; where a simulator drops that, the operating point
    with no pulse on is the initial state anyway (unless idle = 1), and uic gives it as well.
    """
    lines = heading(cell, "*", _SIMULATOR)
    lines += [
        "*",
        f"* Use: X1 top bottom state {cell.name} y0=1",
        "* Advice: .options reltol=1e-4; edges of pulses short against the width.",
        "*",
        f".subckt {cell.name} te be y width={cell.width!r} y0={cell.initial_state!r} "
        f"gmin={cell.conductance_min!r}",
        f"+ gmax={cell.conductance_max!r} vth_reset={cell.reset.threshold!r} "
        f"vth_set={cell.set.threshold!r}",
        f"+ idle=0 y_floor={FLOOR!r} wall={WALL!r} smooth={SMOOTH!r}",
    ]
    for word, branch, sign in (("reset", cell.reset, "-"), ("set", cell.set, "")):
        voltage = f"{sign}V(te,be)"
        lines.append(
            f"Bon_{word} on_{word} 0 V = 0.5*(1 + tanh(({voltage} - {{vth_{word}}})"
            f"/(0.01*{{vth_{word}}})))"
        )
        if branch.is_table:
            low, high = branch.amplitudes[0], branch.amplitudes[-1]
            lines.append(f"Bat_{word} at_{word} 0 V = min(max({voltage}, {low!r}), {high!r})")
            lines += _pwl(f"alpha_{word}", f"at_{word}", branch, branch.alpha)
            lines += _pwl(f"drift_{word}", f"at_{word}", branch, branch.beta)
        else:
            full = branch.amplitudes[0]
            x = f"*min(max({voltage}, 0)/{full!r}, 1)" if branch.by_ratio else ""
            lines.append(f"Balpha_{word} alpha_{word} 0 V = {branch.alpha[0]!r}")
            lines.append(f"Bdrift_{word} drift_{word} 0 V = {branch.beta[0]!r}{x}")
    lines += [
        "By y 0 V = {y0} + V(u)",
        "Binverse inverse 0 V = 2/(V(y) + sqrt(V(y)*V(y) + 4*{y_floor}*{y_floor}))",
        "Brate 0 u I = (V(on_reset)*(V(alpha_reset)*V(inverse) - V(drift_reset))",
        "+ + V(on_set)*(V(alpha_set)*V(inverse) + V(drift_set))",
        f"+ + {{idle}}*(1 - V(on_reset) - V(on_set))*{cell.reset.alpha[0]!r}*V(inverse)",
        "+ - {wall}*max(V(y) - 1, 0)*max(V(y) - 1, 0)",
        "+ + {wall}*max(-V(y), 0)*max(-V(y), 0))/{width}",
        "Cu u 0 1",
        "Ru u 0 1e12",
        ".ic v(u)=0",
        "Btop top 0 V = 0.5*(V(y) + 1 - sqrt((V(y) - 1)*(V(y) - 1) + {smooth}*{smooth}))",
        "Bcell te be I = V(te,be)*({gmin} + ({gmax} - {gmin})",
        "+ *0.5*(V(top) + sqrt(V(top)*V(top) + {smooth}*{smooth})))",
        f".ends {cell.name}",
    ]
    return "\n".join(lines) + "\n"


def _pwl(name: str, at: str, branch: Branch, values: tuple[float, ...]) -> list[str]:
    points = [f"{v!r}, {f!r}" for v, f in zip(branch.amplitudes, values, strict=True)]
    lines = [f"B{name} {name} 0 V = pwl(V({at})"]
    for start in range(0, len(points), 3):
        lines.append("+ , " + ", ".join(points[start : start + 3]))
    lines[-1] += ")"
    return lines


_BAD = re.compile(r"(?im)^.*(?:\berror\b|timestep too small|singular|aborted|unknown).*$")


def available() -> bool:
    """Whether ngspice is installed."""
    return shutil.which("ngspice") is not None


def version() -> str:
    """What ``ngspice --version`` says first, e.g. "ngspice-39".

    Raises InstallationError: it is not installed.
    """
    text = subprocess.run([_program(), "--version"], capture_output=True, text=True).stdout
    match = re.search(r"ngspice-\S+", text)
    return match.group() if match else "ngspice"


def run_transient(
    circuit: str,
    vectors: Sequence[str],
    *,
    step: float,
    stop: float,
    largest_step: float | None = None,
    timeout: float = 300.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Transient simulation of a circuit, sampled at multiples of ``step``.

    Parameters
    ----------
    circuit : str
        Netlist without analysis and without ``.end``; the first line is its title.
    vectors : sequence of str
        What to return, e.g. "v(y)", "i(vte)".
    step : float, s
        Step of the output.
    stop : float, s
        End of the analysis.
    largest_step : float or None, s, optional
        Largest step of the solver.
    timeout : float, s, default 300.0
        Time after which ngspice is stopped.

    Returns
    -------
    times : ndarray, shape (n,), s
        The instants.
    values : ndarray, shape (n, len(vectors))
        Values of the vectors at them.

    Raises
    ------
    InstallationError
        ngspice is not installed.
    SolverError
        It reports an error, does not reach ``stop``, or takes too long.
    InputError
        No vector.
    """
    program = _program()
    if not vectors:
        raise InputError("no vector is asked for", "vectors")
    names = " ".join(vectors)
    limit = "" if largest_step is None else f" 0 {largest_step!r}"
    deck = (
        f"{circuit.rstrip()}\n.tran {step!r} {stop!r}{limit}\n.control\nset numdgt=15\n"
        f"save {names}\nrun\nlinearize {names}\nset wr_singlescale\nwrdata samples {names}\n"
        "quit\n.endc\n.end\n"
    )
    with tempfile.TemporaryDirectory(prefix="ddk-ngspice-") as folder:
        (Path(folder) / "deck.cir").write_text(deck, encoding="utf-8")
        try:
            done = subprocess.run(
                [program, "-b", "-n", "deck.cir"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=timeout,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            raise SolverError(f"ngspice did not end within {timeout:g} s", "transient") from None
        log = done.stdout + "\n" + done.stderr
        complaint = _BAD.search(log)
        output = Path(folder) / "samples.data"
        output = output if output.exists() else Path(folder) / "samples"
        if complaint or not output.exists():
            reason = complaint.group().strip() if complaint else log.strip()[-200:]
            raise SolverError(f"ngspice failed: {reason}", "transient")
        table = np.loadtxt(output, ndmin=2)
    if table[-1, 0] < stop - 1.5 * step:
        raise SolverError(f"ngspice stopped at {table[-1, 0]:g} s of {stop:g} s", "transient")
    return table[:, 0], table[:, 1:]


def _program() -> str:
    program = shutil.which("ngspice")
    if program is None:
        raise InstallationError(
            "ngspice is not installed", hint="On Debian and Ubuntu: apt-get install ngspice"
        )
    return program
