"""An array of cells with line resistance in ngspice: the independent reference of the tests."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np

from network.hardware import LineResistance


def column_currents(
    cells: np.ndarray, voltages: np.ndarray, lines: LineResistance, folder: Path
) -> np.ndarray:
    """Currents [A] out of the columns, (columns,), of an operating point."""
    m, n = cells.shape
    deck = ["array"]
    for i in range(m):
        deck.append(f"v{i} s{i} 0 dc {float(voltages[i])!r}")
        for j in range(n):
            before = f"s{i}" if j == 0 else f"r{i}_{j - 1}"
            ohm = lines.row + (lines.driver if j == 0 else 0.0)
            deck.append(f"rr{i}_{j} {before} r{i}_{j} {float(ohm)!r}")
            deck.append(f"rg{i}_{j} r{i}_{j} c{i}_{j} {1 / float(cells[i, j])!r}")
            after = f"e{j}" if i == m - 1 else f"c{i + 1}_{j}"
            ohm = lines.column + (lines.sense if i == m - 1 else 0.0)
            deck.append(f"rc{i}_{j} c{i}_{j} {after} {float(ohm)!r}")
    deck += [f"vm{j} e{j} 0 dc 0" for j in range(n)]
    prints = "\n".join(f"print i(vm{j})" for j in range(n))
    deck.append(f".control\nset numdgt=15\nop\n{prints}\nquit\n.endc\n.end\n")
    (folder / "array.cir").write_text("\n".join(deck), encoding="utf-8")
    done = subprocess.run(
        ["ngspice", "-b", "-n", "array.cir"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    found = dict(re.findall(r"i\(vm(\d+)\) = (\S+)", done.stdout))
    return np.array([float(found[str(j)]) for j in range(n)])
