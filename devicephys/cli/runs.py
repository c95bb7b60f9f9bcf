"""Commands for runs: loop, waveform, sequence; a run that goes on, pictures again, comparisons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

import devicephys
from ddkbase import paper as papers
from ddkbase.cli.application import command, examples, message_and_code
from ddkbase.cli.options import free_path, given, option_groups
from ddkbase.cli.output import Output, error_line
from ddkbase.cli.paper import PaperOptions
from ddkbase.errors import DDKError, InputError
from ddkbase.installation import parallel_rank
from ddkbase.picture_names import Pictures
from devicephys import installation
from devicephys.cli.options import (
    Half,
    NoMotionOption,
    OutOption,
    PicturesOption,
    RunOptions,
    Scheme,
    app,
    changed_device,
    output_folder,
    parse_changes,
    start_folder,
    warn,
)

if TYPE_CHECKING:
    import xarray as xr


class _Action(Protocol):
    """`devicephys.run.start` or `devicephys.run.resume` with its own arguments."""

    def __call__(self, **callbacks: Any) -> devicephys.run.Outcome: ...


def carry_out(action: _Action, output: Output, pictures: Pictures) -> None:
    """Start a run or go on with one: show its progress, print what came out.

    ``action`` gets ``progress``, ``warn`` and ``pictures``.
    """
    with aborting():
        with devicephys.run.Display(output.console(), "preparing the solver") as display:
            outcome = action(progress=display, warn=warn, pictures=pictures.value)
        if parallel_rank() == 0:  # of many ranks one speaks
            tell(outcome, output)


def tell(outcome: devicephys.run.Outcome, output: Output) -> None:
    """Print the figures of a run and the files that were made."""
    ds = outcome.dataset
    entries = devicephys.run.entries(ds)
    output.add(folder=outcome.folder, record=outcome.record, **entries)
    if outcome.computed:
        table = devicephys.run.table(ds)
        title = f"{entries['voltage_reference']}, {entries['method']} solution"
        output.rows(table.heads, table.rows, title, right=table.right)
        for line in table.notes:
            output.line(line)
        output.file(outcome.record, *outcome.pictures)
        if not outcome.pictures:
            output.note(f"no pictures; 'ddk-device plot {outcome.folder}' draws them")
    elif outcome.pictures:
        output.file(*outcome.pictures)
    else:
        output.note(f"nothing to do: the {outcome.noun} in {outcome.record} is complete")


@contextmanager
def aborting() -> Iterator[None]:
    """End all ranks if one meets what the others do not: an exception that nobody expected."""
    try:
        yield
    except Exception as exc:
        world = installation.world()
        common = isinstance(exc, DDKError) and type(exc) is not DDKError
        if world is None or common:
            raise
        message, code = message_and_code(exc)
        error_line(f"error: {message}")
        world.Abort(code)


@app.command(
    epilog=examples(
        "ddk-device iv --out runs/first",
        "ddk-device iv --preset quick --set 'filament.radius=8 nm' --out runs/narrow",
        "ddk-device iv --device my-cell.yaml --loops 3 --pictures svg --out runs/three",
        "ddk-device iv --preset quick --out runs/quick --json > quick.json",
    )
)
@command
@option_groups
def iv(
    *,
    output: Output,
    out: OutOption,
    scheme: Annotated[
        Scheme, typer.Option("--scheme", help="Coupling of the fields; one-pass is inaccurate.")
    ] = "monolithic",
    loops: Annotated[
        int | None, typer.Option("--loops", min=1, help="How many loops; default: the device's.")
    ] = None,
    reset_voltage: Annotated[
        str | None,
        typer.Option("--reset-voltage", metavar="VOLTAGE", help="Negative end, e.g. '-1.7 V'."),
    ] = None,
    set_voltage: Annotated[
        str | None,
        typer.Option("--set-voltage", metavar="VOLTAGE", help="Positive end, e.g. '1.7 V'."),
    ] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="RATE", help="Sweep rate, e.g. '100 V/s'.")
    ] = None,
    first: Annotated[
        Half | None, typer.Option("--first", help="Which half comes first; default: the device's.")
    ] = None,
    no_motion: NoMotionOption = False,
    run: RunOptions,
) -> None:
    """Simulate the current-voltage loop of a cell and draw it.

    The folder gets iv.nc, three pictures, a ParaView file, report.html, device.yaml, request.json
    and run.log.
    """
    path = output_folder(out, "--out")
    start = start_folder(run.start)
    parsed: dict[str, Any] = dict(parse_changes(run.changes or []))
    sweep = given(
        reset_voltage=reset_voltage,
        set_voltage=set_voltage,
        rate=rate,
        loops=loops,
        first=first,
    )
    for name, value in sweep.items():
        key, option = f"sweep.{name}", f"--{name.replace('_', '-')}"
        if key in parsed:
            raise InputError(f"'{key}' is set twice", f"--set and {option}", "Give it once")
        parsed[key] = value
    cell = changed_device(run.device, None, start).with_(parsed)
    protocol = devicephys.IVSweep.from_device(cell)
    request = run.request(protocol, start, cell, scheme=scheme, motion=not no_motion)
    carry_out(partial(devicephys.run.start, path, request), output, run.pictures)


@app.command(epilog=examples("ddk-device resume runs/train"))
@command
def resume(
    output: Output,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder of the run.")],
    pictures: PicturesOption = Pictures.png,
) -> None:
    """Go on with a run that was stopped or killed, from its last checkpoint if it has one."""
    path = output_folder(folder, "DIR")
    if (path / "sequence.json").is_file():
        go_on(path, output, pictures)
        return
    carry_out(partial(devicephys.run.resume, path, remark=output.remark), output, pictures)


@app.command(
    epilog=examples(
        "ddk-device plot runs/first",
        "ddk-device plot runs/first --pictures pdf",
        "ddk-device plot runs/first --figure-width '85 mm' --panels a,d --pictures pdf",
    )
)
@command
@option_groups
def plot(
    output: Output,
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Folder of a run, sweep or screening.")
    ],
    pictures: PicturesOption = Pictures.png,
    *,
    paper: PaperOptions,
) -> None:
    """Make pictures and report of a run again, from its iv.nc, pulses.nc or kinetics.nc.

    With an option for papers, the pictures are drawn so into DIR/paper, and those of the run stay.
    """
    if pictures is Pictures.none:
        raise InputError("nothing would be drawn", "--pictures none", "Give png, svg or pdf")
    path, style = output_folder(folder, "DIR"), paper.style()
    if (path / "screening.nc").is_file():
        files = devicephys.screening.redraw_screening(path, pictures.value, style)
    elif (path / "sweep.nc").is_file():
        files = devicephys.parameter_sweep.redraw_sweep(path, pictures.value, style)
    else:
        files = devicephys.run.redraw(path, pictures.value, style)
    output.file(*files)


@app.command(
    epilog=examples(
        "ddk-device compare runs/first runs/narrow",
        "ddk-device compare runs/first runs/narrow --json > both.json",
        "ddk-device compare runs/first --measured loops.csv --picture over.png",
    )
)
@command(answers=True)
@option_groups
def compare(
    output: Output,
    folders: Annotated[
        list[str], typer.Argument(metavar="DIR...", help="Folders of loops, trains or scans.")
    ],
    measured: Annotated[
        str | None,
        typer.Option("--measured", metavar="FILE", help="Measured loops to hold the runs against."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column", metavar="NAME=COLUMN", help="Say which column is voltage, current, time."
        ),
    ] = None,
    units: Annotated[
        list[str] | None,
        typer.Option("--unit", metavar="NAME=UNIT", help="Unit of a column, e.g. current=uA."),
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option("--sheet", metavar="NAME|NUMBER", help="Of a workbook with measured loops."),
    ] = None,
    incomplete: Annotated[
        bool, typer.Option("--partial", help="Take measured loops with one half only.")
    ] = False,
    forming: Annotated[
        bool, typer.Option("--forming", help="Leave a forming sweep in the first loop.")
    ] = False,
    picture: Annotated[
        str | None,
        typer.Option("--picture", metavar="FILE", help="Draw the runs over the measured loops."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace that picture.")] = False,
    *,
    looks: PaperOptions,
) -> None:
    """Print the figures of several runs side by side, and in what they were asked to differ.

    With --measured, also RESET, SET and resistances of the measured loops beside those of the first
    loop of each run, and how far that loop is from their median.
    """
    asked = (columns, units, incomplete, forming, sheet is not None, picture is not None)
    if measured is None and any(asked):
        raise InputError("nothing measured is named", "--measured", "Name a file with loops")
    target = None if picture is None else free_path(picture, overwrite)
    style = looks.style()
    if style is not None and target is None:
        raise InputError("no picture is drawn", "--picture", "Name a file for it")
    loops = None
    if measured is not None:
        page = int(sheet) if sheet is not None and sheet.isdigit() else sheet
        taken = {"sheet": page, "partial": incomplete, "forming": forming}
        loops = _measured(measured, columns, units, output, **taken)
    paths = [output_folder(text, "DIR") for text in folders]
    different, figures, entries = devicephys.run.compare_runs(paths)
    right = range(1, 1 + len(folders))
    if different:
        output.rows(["Parameter", *folders], different, "What differs", right=right)
    elif len(folders) > 1:
        output.note("The same cell, protocol and preset.")
    output.rows(["Quantity", *folders], figures, "What came out", right=right)
    if loops is not None:
        records = {
            f: devicephys.run.read_records(p)[0] for f, p in zip(folders, paths, strict=True)
        }
        misfits = devicephys.measured.misfit_rows(loops, records)
        cells = map(devicephys.device.device_of, records.values())
        for line in {devicephys.measured.limit_remark(loops, cell): None for cell in cells}:
            if line:
                warn(line)
        shown = devicephys.measured.figures_of_measured(loops)
        firsts = [entry["figures"].get("loops", [entry["figures"]])[0] for entry in entries]
        output.rows(
            ["First loop", "measured: median (extremes)", *folders],
            devicephys.measured.measured_rows(shown, firsts),
            "RESET, SET, and resistances at 0.1 V",
            right=range(1, 2 + len(folders)),
        )
        output.rows(["Away from measured loops", *folders], misfits, right=right)
        output.note(
            "rms of log10 of the current of a run's first loop over the median of the measured "
            "ones: 0.3 is a factor of two"
        )
        output.add(
            measured={row[0]: row[1:] for row in misfits},
            measured_figures=devicephys.measured.measured_entries(shown),
        )
        if target is not None:
            figure = partial(devicephys.plots.measured_figure, loops, records)
            output.file(*papers.save_picture(figure, target, style, overwrite))
    runs = [{"folder": f, **e} for f, e in zip(folders, entries, strict=True)]
    output.add(runs=runs, different={row[0]: row[1:] for row in different})


def _measured(
    path: str,
    columns: list[str] | None,
    units: list[str] | None,
    output: Output,
    **taken: Any,
) -> xr.Dataset:
    """Measured loops of a file, with what was said of its columns."""
    chosen: dict[str, Any] = dict(parse_changes(columns or [], "--column", "voltage=V1"))
    for name, column in chosen.items():
        if name not in ("voltage", "current", "time", "loop"):
            raise InputError(f"'{name}' is no column", "--column", "voltage, current, time, loop")
        chosen[name] = int(column) if column.isdigit() else column
    told = parse_changes(units or [], "--unit", "current=uA")
    try:
        loops = devicephys.read_loop(path, units=told, **taken, **chosen)
    except InputError as error:
        hint = re.sub(r"\b(voltage|current|time|loop)=(?=\.\.\.)", r"--column \1=", error.hint)
        hint = re.sub(r"\bunits=\{'(\w+)': '([^']*)'\}", r"--unit \1=\2", hint)
        raise InputError(error.what, error.where, hint) from error
    for line in loops.attrs["remarks"].splitlines():
        output.note(line)
    return loops


@app.command(
    epilog=examples(
        "ddk-device sequence steps.yaml --out runs/steps",
    )
)
@command
def sequence(
    output: Output,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="YAML with steps, see docs/howto_drive.md."),
    ],
    out: OutOption,
    pictures: PicturesOption = Pictures.png,
) -> None:
    """Carry out loops, pulses, waveforms, bakes and reads on one cell, one after the other.

    Each step begins with the state at the end of the one before. The folder gets a folder for each
    step, sequence.json and report.html. Started again, it goes on where it was stopped.
    """
    path = output_folder(out, "--out")
    go_on(path, output, pictures, devicephys.read_sequence(Path(file)))


def go_on(
    path: Path, output: Output, pictures: Pictures, steps: devicephys.Sequence | None = None
) -> None:
    """Carry out a sequence, or that of a folder, and print its table."""
    with devicephys.run.Display(output.console(), "preparing the solver") as display:
        records = devicephys.run_sequence(
            path, steps, progress=display, remark=output.remark, warn=warn, pictures=pictures.value
        )
    kept = steps if steps is not None else devicephys.Sequence.read(path / "sequence.json")
    table = devicephys.sequence_table(kept, records)
    output.rows(table.heads, table.rows, right=table.right)
    output.add(folder=path, steps=devicephys.sequence_entries(kept, records))
    output.file(path / "report.html")


@app.command(
    epilog=examples(
        "ddk-device waveform generator.csv --out runs/generator",
        "ddk-device waveform generator.csv --preset quick --checkpoint-every 100 --out runs/long",
    )
)
@command
@option_groups
def waveform(
    *,
    output: Output,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Text with a time and a voltage column, their units in the headings:"
            " 'time (ms),voltage (V)'.",
        ),
    ],
    out: OutOption,
    no_motion: NoMotionOption = False,
    run: RunOptions,
) -> None:
    """Apply the waveform of a file to a cell and draw what it does.

    Piecewise linear through the rows of the file, from 0 V at 0 s on. The folder gets iv.nc,
    pictures over voltage and over time, a ParaView file, report.html, device.yaml, request.json
    and run.log.
    """
    path = output_folder(out, "--out")
    start = start_folder(run.start)
    applied = devicephys.read_waveform(Path(file), output.note)
    if applied.voltage(0.0) != 0:
        raise InputError(
            f"starts at {applied.voltage(0.0):g} V, but the cell starts at rest at 0 V",
            file,
            "Begin with a row of 0 s and 0 V",
        )
    request = run.request(applied, start, motion=not no_motion)
    carry_out(partial(devicephys.run.start, path, request), output, run.pictures)
