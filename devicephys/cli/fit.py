"""The command ``ddk-device fit``."""

from __future__ import annotations

from typing import Annotated

import typer

import devicephys
from ddkbase.cli.application import command, examples
from ddkbase.cli.output import Output
from ddkbase.cli.progress import State
from ddkbase.errors import InputError
from devicephys import installation
from devicephys.cli.options import OutOption, app, output_folder


@app.command(
    epilog=examples(
        "ddk-device fit my-fit.yaml --out runs/fit",
        "ddk-device fit my-fit.yaml --out runs/fit --resume",
        "ddk-device iv --device runs/fit/device.yaml --out runs/fitted",
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
    """Fit parameters of a device to measured loops and trains, with intervals.

    What the data do not determine is printed first. The folder gets device.yaml, report.html and,
    in solves, every simulation, so that a fit that was stopped goes on with --resume.
    """
    folder = output_folder(out, "--out")
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise InputError("exists already", str(folder), "Pass --resume, or choose another folder")
    installation.require_solver()
    try:
        with devicephys.run.Display(output.console(), "first solve") as display:
            result = devicephys.fitting.fit_device(
                what, folder=folder, progress=lambda event: display(_state(event))
            )
    except devicephys.fitting.FitInterrupted as stopped:
        if stopped.result is not None:
            output.file(*devicephys.fitting.write_fit(stopped.result, folder))
        raise
    _tell(result, output)
    output.file(*devicephys.fitting.write_fit(result, folder))


def _state(event: devicephys.fitting.FitEvent) -> State:
    """How far a fit is, with the time that is left at most."""
    left = (event.most - event.solve) * event.seconds / 60.0
    said = "solver gave up" if event.failed else f"misfit {event.misfit:.3g} errors"
    line = f"solve {event.solve} of at most {event.most}: {said}, best {event.best:.3g}"
    return State(event.solve / event.most, f"{line}; at most {left:.1f} min to go", line)


def _tell(result: devicephys.fitting.FitResult, output: Output) -> None:
    for text in result.undetermined:
        output.line(f"Not determined by these data: {text}")
    heads = ["Parameter", "Began at", "Value", "68 %", "95 %", ""]
    rows = devicephys.fitting.parameter_rows(result)
    output.rows(heads, rows, f"{result.solves} solves, {result.reason}")
    output.line(
        f"rms of log10 of fitted over measured {result.log_misfit:.3f}, of the residuals "
        f"{result.misfit:.3g} errors"
    )
    table = result.parameters
    names = [str(name) for name in table["parameter"].values]
    columns = ("value", "start", "low68", "high68", "low95", "high95")
    output.add(
        undetermined=result.undetermined,
        solves=result.solves,
        reason=result.reason,
        log_misfit=result.log_misfit,
        parameters={
            name: {c: float(table[c].sel(parameter=name)) for c in columns}
            | {"unit": str(table["unit"].sel(parameter=name).item())}
            for name in names
        },
    )
