"""Runs ngspice, where it is installed, and reads what it writes."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ddkbase.errors import InputError, InstallationError, SolverError

__all__ = ["available", "run_transient", "version"]

_BAD = re.compile(r"(?im)^.*(?:\berror\b|timestep too small|singular|aborted|unknown).*$")


def available() -> bool:
    """Whether ngspice is installed."""
    return shutil.which("ngspice") is not None


def version() -> str:
    """What ``ngspice --version`` says first, e.g. "ngspice-39".

    Raises
    ------
    InstallationError
        It is not installed.
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
