"""Commands for the solver, its installation and fits: verify, calibrate, fit, info."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

import devicephys
from ddkbase.cli.application import command, end, examples
from ddkbase.cli.output import Output
from ddkbase.cli.progress import State
from ddkbase.errors import InputError, InstallationError, SolverError, StorageError
from devicephys import installation
from devicephys.cli.options import OutOption, app, output_folder, warn

_DOUBTFUL = 2.0  # errors, beyond which residuals are more than noise


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


@app.command(
    epilog=examples(
        "ddk-device calibrate --out runs/calibration",
        "ddk-device calibrate --cell tin-taox-hfox-tin-v1 --out runs/first-cell",
    )
)
@command
def calibrate(
    output: Output,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder for the outcome.")
    ] = "calibration",
    cell: Annotated[
        str,
        typer.Option(
            "--cell",
            metavar="NAME",
            help="tin-taox-hfox-tin, to loops and pulses, or tin-taox-hfox-tin-v1, to a loop.",
        ),
    ] = "tin-taox-hfox-tin",
) -> None:
    """Fit the free parameters of a library cell to its targets again, from where they began."""
    folder = output_folder(out, "--out")
    installation.require_solver()
    device = devicephys.calibration.main(folder, cell, report=output.say)
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


@app.command(
    epilog=examples(
        "ddk-device fit my-fit.yaml --out runs/fit",
        "ddk-device fit my-fit.yaml --out runs/fit --resume",
    )
)
@command
def fit(
    output: Output,
    what: Annotated[
        str, typer.Argument(metavar="WHAT.yaml", help="Device, data and free parameters.")
    ],
    out: OutOption,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a fit that was stopped.")
    ] = False,
) -> None:
    """Fit parameters of a device to measured loops, trains and bakes, with intervals.

    What the data do not determine is printed first. The folder gets device.yaml, report.html and,
    in solves, every simulation, so that a fit that was stopped goes on with --resume.
    """
    folder = output_folder(out, "--out")
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise InputError("exists already", str(folder), "Pass --resume, or choose another folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / "solves").is_dir():
        raise StorageError("the folder is not of a fit", str(folder), "Choose another folder")
    installation.require_solver()
    try:
        with devicephys.run.Display(output.console(), "first solve") as display:
            result = devicephys.fitting.fit_device(
                what,
                folder=folder,
                progress=lambda event: display(_state(event)),
                warn=warn,
                remark=output.note,
            )
    except devicephys.fitting.FitInterrupted as stopped:
        if stopped.result is not None:
            output.file(*devicephys.fitting.write_fit(stopped.result, folder))
        raise
    _tell(result, output)
    output.file(*devicephys.fitting.write_fit(result, folder))


def _state(event: devicephys.fitting.FitEvent) -> State:
    """How far a fit is, with the time that is left at most."""
    if event.finer:
        line = f"after {event.solve} solves: the best cell on the finer mesh, several times as long"
        return State(event.solve / event.most, line, line)
    left = (event.most - event.solve) * event.seconds / 60.0
    said = "solver gave up" if event.failed else f"misfit {event.misfit:.3g}"
    line = f"solve {event.solve} of at most {event.most}: {said}, best {event.best:.3g}"
    return State(event.solve / event.most, f"{line}; at most {left:.1f} min to go", line)


def _tell(result: devicephys.fitting.FitResult, output: Output) -> None:
    for text in result.undetermined:
        output.line(f"Not determined by these data: {text}")
    others = devicephys.fitting.alternative_texts(result.parameters, result.alternatives)
    for text in others:
        output.line(f"{text[0].upper()}{text[1:]}")
    for text in devicephys.fitting.suggestion_texts(result):
        output.line(f"Would tell more: {text}")
    heads = devicephys.fitting.parameter_heads(result)
    rows = devicephys.fitting.parameter_rows(result)
    output.rows(heads, rows, f"{result.solves} solves, {result.reason}")
    output.line(
        f"rms of log10 of fitted over measured {result.log_misfit:.3f}, of the residuals "
        f"{result.misfit:.3g} errors"
    )
    if result.misfit > _DOUBTFUL:
        output.line(
            "More than the stated errors: the cell lacks what the curves show, or the errors are "
            "too small; the intervals hold for this model only (docs/howto_fit.md)"
        )
    for says in (devicephys.fitting.together_text, devicephys.fitting.refined_text):
        if text := says(result.parameters):
            output.line(f"{text[0].upper()}{text[1:]}")
    for text in result.failures:
        output.line(f"Could not be had: {text}")
    for held in result.predicted:
        output.line(f"Held out, {held.attrs['name']}: {devicephys.fitting.misfit_text(held)}")
    table = result.parameters
    names = [str(name) for name in table["parameter"].values]
    columns = [str(c) for c in table.data_vars if table[c].dims == ("parameter",) and c != "unit"]
    output.add(
        undetermined=result.undetermined,
        alternatives=others,
        failures=result.failures,
        solves=result.solves,
        reason=result.reason,
        log_misfit=result.log_misfit,
        suggestions=devicephys.fitting.suggestion_texts(result),
        predicted={
            str(d.attrs["name"]): devicephys.fitting.misfit_text(d) for d in result.predicted
        },
        parameters={
            name: {c: float(table[c].sel(parameter=name)) for c in columns}
            | {"unit": str(table["unit"].sel(parameter=name).item())}
            for name in names
        },
    )
