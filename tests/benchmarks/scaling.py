"""How the cost of a Newton iteration grows with the mesh, on one and two ranks, by linear solver.

``python tests/benchmarks/scaling.py`` takes the first three time steps of a sweep to -1 V (100 V/s,
steps of a third) on meshes from 2e3 to 2e5 unknowns, prints two Markdown tables and draws
``--out`` (docs/scaling.png). The first table splits the seconds of a Newton iteration of the
solver as it is. The second solves one and the same linear system, that of the third step with the
voltage raised by 5 %, with direct and iterative solvers: set-up (factors renewed, ordering kept),
solution (to a relative residual of 1e-8 where iterative), iterations, and the largest error of a
field against the reference where it exceeds 1e-6; the fastest repetition counts. Every mesh and
number of ranks runs in processes of its own (``scaling_worker.py``). Takes some minutes on a quiet
machine; ``--meshes`` and ``--solvers`` choose
less.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from markdown import number, table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

WORKER = Path(__file__).with_name("scaling_worker.py")
#: preset and cells along each axis into which one of its cells is divided
MESHES = (("quick", 1), ("default", 1), ("default", 2), ("default", 4), ("default", 7))
RANKS = (1, 2)
PARTS = ("residual", "jacobian", "factorisation", "back-substitution")
#: a Newton iteration solves twice: for the fields, and for what the contact voltage does to them
SOLUTIONS = 2
#: curves of the picture's right panel, one rank
DRAWN = (
    "MUMPS as it comes",
    "MUMPS, METIS",
    "MUMPS, AMD",
    "SuperLU_DIST",
    "PETSc LU, nested dissection",
    "FGMRES, block Jacobi, ILU(2)",
    "FGMRES, fields (V, T), n by MUMPS",
    "FGMRES, fields V, T by multigrid, n",
)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A8A8A")
MARKERS = "osD^v<>P"


def run(preset: str, split: int, ranks: int, solvers: list[str], limit: float) -> dict[str, Any]:
    """Figures of one mesh from processes of their own; "failure" says why some or all lack."""
    command = [sys.executable, str(WORKER), preset, str(split), *solvers]
    if ranks > 1:
        mpiexec = Path(sys.executable).with_name("mpiexec")
        launcher = str(mpiexec) if mpiexec.exists() else shutil.which("mpiexec")
        if launcher is None:
            return {"failure": "there is no mpiexec"}
        command = [launcher, "-n", str(ranks), *command]
    failure, text = "", ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        text = done.stdout
        if done.returncode:
            failure = f"ended with {done.returncode}: {done.stderr.strip()[-200:]}"
    except subprocess.TimeoutExpired as late:
        text = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        failure = f"not done after {limit:.0f} s"
    lines = [line for line in text.splitlines() if line.startswith("RESULT ") and line[-1] == "}"]
    found: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT ")) if lines else {}
    return found | {"failure": failure}


def cost_table(results: list[dict[str, Any]]) -> str:
    """Markdown: milliseconds of a Newton iteration by part, and the gain of the second rank."""
    alone = {r["unknowns"]: r["parts"]["all"] for r in results if r["ranks"] == 1}
    rows = [
        [
            f"{r['preset']} x{r['split']}",
            f"{r['unknowns']}",
            f"{r['ranks']}",
            f"{r['newton_iterations']}",
            *(number(r["parts"].get(part), ".2f", 1e3) for part in (*PARTS, "all")),
            number(alone[r["unknowns"]] / r["parts"]["all"], ".2f")
            if r["ranks"] > 1 and r["unknowns"] in alone
            else "",
        ]
        for r in results
    ]
    header = ("mesh", "unknowns", "ranks", "iterations", *(f"{p} (ms)" for p in PARTS))
    return table((*header, "all (ms)", "gain of ranks"), rows)


def solver_table(results: list[dict[str, Any]]) -> str:
    """Markdown: set-up + one solution in ms, iterations and error of every linear solver."""
    names = list(dict.fromkeys(name for r in results for name in r["solvers"]))
    header = ["linear solver, set-up + solution (ms)"]
    header += [f"{r['unknowns']}, {r['ranks']} rank{'s' * (r['ranks'] > 1)}" for r in results]
    rows = [[name, *(solver_cell(r["solvers"].get(name)) for r in results)] for name in names]
    return table(header, rows)


def solver_cell(found: dict[str, Any] | None) -> str:
    """One cell of the table of solvers."""
    if found is None:
        return ""
    if found["failure"]:
        return str(found["failure"])
    text = f"{1e3 * found['setup']:.3g} + {1e3 * found['solve']:.3g}"
    if found["iterations"] > 1:
        text += f" ({found['iterations']} it.)"
    error = found["error"]
    return text if error is not None and error < 1e-6 else f"{text}, error {error or 1.0:.0e}"


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Left: a Newton iteration by part; right: set-up and two solutions by linear solver."""
    figure = Figure(figsize=(13, 5.2), layout="constrained")
    parts, solvers = figure.subplots(1, 2)
    for ranks, line in ((1, "-"), (2, "--")):
        rows = [r for r in results if r["ranks"] == ranks]
        for i, part in enumerate((*PARTS, "all")):
            points = [(r["unknowns"], 1e3 * r["parts"][part]) for r in rows if part in r["parts"]]
            label = f"{part}, {ranks} rank{'s' * (ranks > 1)}"
            _curve(parts, points, i, line, label)
    single = [r for r in results if r["ranks"] == 1]
    for i, name in enumerate(DRAWN):
        points = []
        for r in single:
            found = r["solvers"].get(name)
            if found and not found["failure"]:
                cost = found["setup"] + SOLUTIONS * found["solve"]
                points.append((r["unknowns"], 1e3 * cost))
        _curve(solvers, points, i, ":" if "FGMRES" in name else "-", name)
    for axes, title in (
        (parts, "A Newton iteration of the solver as it is"),
        (solvers, "Set-up and two solutions of one system, one rank"),
    ):
        axes.set_xscale("log")
        axes.set_yscale("log")
        sizes = sorted({r["unknowns"] for r in results})
        axes.set_xticks(sizes, labels=[f"{size}" for size in sizes])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("Unknowns")
        axes.set_ylabel("Time (ms)")
        axes.set_title(title, fontsize=10)
        axes.grid(True, color="0.9")
        if axes.lines:
            axes.legend(fontsize=7, frameon=False, ncols=2 if axes is parts else 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _curve(axes: Axes, points: list[tuple[int, float]], index: int, line: str, label: str) -> None:
    if points:
        axes.plot(
            *zip(*points, strict=True),
            linestyle=line,
            color=COLOURS[index % len(COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=4,
            label=label,
        )


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("docs/scaling.png"))
    parser.add_argument(
        "--meshes", type=int, default=len(MESHES), help="how many, coarse ones first"
    )
    parser.add_argument("--ranks", type=int, nargs="+", default=list(RANKS))
    parser.add_argument("--solvers", nargs="+", default=[], help="names of linear solvers")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one mesh")
    parser.add_argument("--json", type=Path, help="file for the raw figures")
    wanted = parser.parse_args()
    results = []
    for preset, split in MESHES[: wanted.meshes]:
        for ranks in wanted.ranks:
            found = run(preset, split, ranks, wanted.solvers, wanted.limit)
            outcome = found["failure"] or "done"
            print(f"{preset} x{split}, {ranks} rank(s): {outcome}", file=sys.stderr)
            if "solvers" in found:
                results.append(found)
    if not results:
        raise SystemExit("error: no mesh could be measured")
    print(cost_table(results), solver_table(results), sep="\n\n")
    if wanted.json is not None:
        wanted.json.write_text(json.dumps(results))
    draw(results, wanted.out)
    print(f"\nwritten: {wanted.out}")


if __name__ == "__main__":
    main()
