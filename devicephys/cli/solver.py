"""Commands for the solver and its installation: verify, calibrate, info."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

import devicephys
from ddkbase.cli.application import command, end, examples
from ddkbase.cli.output import Output
from ddkbase.errors import InstallationError, SolverError
from devicephys import installation
from devicephys.cli.options import app, output_folder


@app.command(epilog=examples("ddk-device verify --quick", "ddk-device verify --json"))
@command
def verify(
    output: Output,
    quick: Annotated[bool, typer.Option("--quick", help="Coarser meshes, in a minute.")] = False,
) -> None:
    """Compare the solver with manufactured and closed-form solutions; exit code 3 if one fails."""
    installation.require_solver()
    names = ("test", "quantity", "target", "measured", "passed")
    tests = [dict(zip(names, row, strict=True)) for row in devicephys.verification.run(quick=quick)]
    rows = []
    for test in tests:
        measured = test["measured"]
        shown = f"{measured:.4g}" if isinstance(measured, float) else str(measured)
        mark = "passed" if test["passed"] else "FAILED"
        rows.append([str(test["test"]), str(test["quantity"]), str(test["target"]), shown, mark])
    output.rows(["Test", "Quantity", "Target", "Measured", ""], rows, "Verification")
    failed = [f"{test['test']}, {test['quantity']}" for test in tests if not test["passed"]]
    output.add(passed=not failed, tests=tests)
    if failed:
        output.finish()
        end(f"{len(failed)} verification(s) failed: {'; '.join(failed)}", SolverError.exit_code)


@app.command(epilog=examples("ddk-device calibrate --out runs/calibration"))
@command
def calibrate(
    output: Output,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder for the outcome.")
    ] = "calibration",
) -> None:
    """Fit the free parameters of the shipped device to its targets again."""
    folder = output_folder(out, "--out")
    installation.require_solver()
    device = devicephys.calibration.main(folder, report=output.say)
    output.add(folder=folder, device=device.name)


@app.command(epilog=examples("ddk-device info", "ddk-device info --json"))
@command
def info(output: Output) -> None:
    """Print versions and the health of the installation; exit code 2 if something is missing."""
    checks, versions = list(installation.health()), installation.versions()
    output.rows(["Component", "Version"], [[*pair] for pair in versions.items()])
    rows = [[c.name, "ok" if c.passed else "missing", c.detail] for c in checks]
    output.rows(["Health", "", "Found"], rows)
    output.add(versions=versions, health=[dataclasses.asdict(check) for check in checks])
    for check in checks:
        if not check.passed:
            output.finish()
            raise InstallationError(f"{check.name}: {check.detail}", hint=check.remedy)
