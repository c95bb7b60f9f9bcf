"""The commands ``ddk-device pulses`` and ``ddk-device switching-time``.

The files that ``pulses`` reads besides a device hold heights of pulses and spreads of
cells; whatever is wrong in one is told with its line.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import devicephys
from ddkbase.cli.application import command, examples
from ddkbase.cli.options import given, option_groups
from ddkbase.cli.output import Output
from ddkbase.errors import InputError, shorten
from ddkbase.picture_names import Pictures
from ddkbase.units import to_si
from devicephys.cli.options import (
    CellOptions,
    NoMotionOption,
    OutOption,
    PicturesOption,
    RunOptions,
    app,
    changed_device,
    output_folder,
    start_folder,
)
from devicephys.cli.runs import carry_out

Text = str | None
Number = int | None


def _text(name: str, metavar: str, help_: str) -> Any:
    return typer.Option(name, metavar=metavar, help=help_)


@app.command(
    epilog=examples(
        "ddk-device pulses --amplitude '-2 V' --initial-resistance '5 kohm' --out runs/train",
        "ddk-device pulses --amplitudes heights.csv --width '50 ns' --preset quick --out runs/own",
        "ddk-device pulses --amplitude '-3 V' --drive bit-line --out runs/bit-line",
        "ddk-device pulses --count 20 --seed 1 --cycle 3 --out runs/drawn",
        "ddk-device pulses --preset quick --count 20 --out runs/quick --json > train.json",
    )
)
@command
@option_groups
def pulses(
    *,
    output: Output,
    out: OutOption,
    amplitude: Annotated[
        Text, _text("--amplitude", "VOLTAGE", "Height, negative for RESET; default '-2 V'.")
    ] = None,
    amplitudes: Annotated[
        Text, _text("--amplitudes", "FILE", "Height of each pulse: a text or CSV file, one a line.")
    ] = None,
    width: Annotated[
        Text, _text("--width", "TIME", "Length of the flat top; default '100 ns'.")
    ] = None,
    count: Annotated[
        Number, typer.Option("--count", min=1, help="Number of pulses; default 100.")
    ] = None,
    period: Annotated[
        Text, _text("--period", "TIME", "From one pulse to the next; default 1 us.")
    ] = None,
    rise: Annotated[Text, _text("--rise", "TIME", "Rising flank; default '5 ns'.")] = None,
    fall: Annotated[Text, _text("--fall", "TIME", "Falling flank; default '5 ns'.")] = None,
    read_voltage: Annotated[
        Text, _text("--read-voltage", "VOLTAGE", "Read after each pulse; default '0.1 V'.")
    ] = None,
    drive: Annotated[
        Text,
        _text("--drive", "LINE", "Line that drives RESET: bit-line, source-line; default: device."),
    ] = None,
    gate_voltage: Annotated[
        Text, _text("--gate-voltage", "VOLTAGE", "Gate in RESET pulses; default: the device's.")
    ] = None,
    initial_resistance: Annotated[
        Text,
        _text("--initial-resistance", "OHM", "Bring the cell there first, e.g. '5 kohm'."),
    ] = None,
    seed: Annotated[
        Number, typer.Option("--seed", min=0, help="Draw one cell of a population by this seed.")
    ] = None,
    cycle: Annotated[
        Number, typer.Option("--cycle", min=0, help="Which cycle of that cell; default 0.")
    ] = None,
    device_number: Annotated[
        Number, typer.Option("--device-number", min=0, help="Which cell; default 0.")
    ] = None,
    variability: Annotated[
        Text, _text("--variability", "FILE", "Spreads of the population, a YAML file.")
    ] = None,
    every_pulse: Annotated[
        bool,
        typer.Option(
            "--every-pulse",
            help="Simulate each pulse on its own; equal ones are merged in stress time otherwise.",
        ),
    ] = False,
    no_motion: NoMotionOption = False,
    run: RunOptions,
) -> None:
    """Apply a train of pulses to a cell, read it after each, and draw its conductance.

    The folder gets pulses.nc, pulses.png, report.html, device.yaml, request.json and run.log.
    """
    path = output_folder(out, "--out")
    start = start_folder(run.start)
    options = given(
        amplitude=amplitude,
        width=width,
        count=count,
        period=period,
        rise=rise,
        fall=fall,
        read_voltage=read_voltage,
        drive=drive,
        gate_voltage=gate_voltage,
    )
    others = given(
        amplitudes=amplitudes, initial_resistance=initial_resistance, variability=variability
    )
    train = _train(options, others.get("amplitudes"))
    if "initial_resistance" in others:
        ohms = to_si(initial_resistance, "ohm", "--initial-resistance")
        if not ohms > 0:
            raise InputError(
                f"{ohms:g} ohm is not positive", "--initial-resistance", "Write e.g. '5 kohm'"
            )
    if start is not None and seed is not None:
        raise InputError(
            "a cell that is drawn begins with its own vacancies",
            "--seed and --from",
            "Give one of the two",
        )
    spreads = _spreads(seed, cycle, device_number, others.get("variability"))
    cell = changed_device(run.device, run.changes, start)
    with _option_named():
        cell.series.pulsed(train.drive, train.gate_voltage)
    if no_motion and initial_resistance is not None:
        raise InputError(
            "a cell whose vacancies are held is brought to no resistance",
            "--no-motion and --initial-resistance",
            "Begin --from a run that brought it there",
        )
    request = dataclasses.replace(
        run.request(train, start, cell, every_pulse=every_pulse, motion=not no_motion),
        initial_resistance=initial_resistance,
        variability=spreads,
        seed=seed,
        cycle=cycle or 0,
        device_number=device_number or 0,
    )
    carry_out(partial(devicephys.run.start, path, request), output, run.pictures)


def _train(options: dict[str, Any], file: str | None) -> devicephys.PulseTrain:
    """The PulseTrain of the options that were given; errors name the option."""
    if file is not None:
        if "amplitude" in options:
            raise InputError(
                "heights are given twice", "--amplitude and --amplitudes", "Give one of the two"
            )
        options["amplitude"] = read_amplitudes(Path(file))
    with _option_named(file is not None):
        return devicephys.PulseTrain(**options)


@contextmanager
def _option_named(from_file: bool = False) -> Iterator[None]:
    """Let an error about an argument of ``PulseTrain`` name the option that gave it."""
    try:
        yield
    except InputError as exc:
        name = exc.where.split("[")[0]
        if name not in inspect.signature(devicephys.PulseTrain).parameters:
            raise
        where = f"--{name.replace('_', '-')}" + ("s" if name == "amplitude" and from_file else "")
        raise InputError(exc.what, where, exc.hint) from None


def _spreads(
    seed: int | None, cycle: int | None, device_number: int | None, file: str | None
) -> dict[str, Any] | None:
    """Spreads of the population from which a cell is drawn; None without a seed."""
    if seed is None:
        drawn = {"--cycle": cycle, "--device-number": device_number, "--variability": file}
        for option, value in drawn.items():
            if value is not None:
                raise InputError("nothing is drawn without a seed", option, "Give --seed as well")
        return None
    if file is not None:
        return read_spreads(Path(file))
    return devicephys.Variability().to_dict()


_LARGEST = 200_000_000  # bytes; ten million heights take less
_LARGEST_YAML = 100_000
_HEADER = re.compile(r"^[^\W\d][\w .-]*?\s*[\[(]\s*(?P<unit>[^\])]+?)\s*[\])]$")
_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_HINT = "Write one value with its unit a line, e.g. '-2 V', or a first line such as 'amplitude [V]'"


def read_amplitudes(path: Path) -> list[str]:
    """Heights of pulses from a text or CSV file with one column, as texts with units.

    Each line holds a value with its unit, or the first line names it ("amplitude [V]") and the
    others hold numbers. Empty lines and what follows a ``#`` count for nothing.

    Raises InputError: no such file, no text, no value, or a line that is no voltage (its number is
    told); StorageError: it cannot be read.
    """
    from ddkbase.documents import read_text  # start-up: YAML

    unit, first, texts = "", True, []
    for number, raw in enumerate(read_text(path, _LARGEST).splitlines(), start=1):
        line = raw.split("#", 1)[0].strip().replace("\N{MINUS SIGN}", "-")
        if len(line) > 1 and line[0] == line[-1] and line[0] in "\"'":
            line = line[1:-1].strip()
        if not line:
            continue
        where = f"{path}, line {number}"
        if any(separator in line for separator in ",;\t"):
            raise InputError(f"{shorten(line)} is more than one column", where, _HINT)
        header = _HEADER.match(line) if first else None
        first = False
        if header is not None:
            unit = header["unit"]
            to_si(f"1 {unit}", "V", where)
            continue
        text = f"{line} {unit}" if unit and _NUMBER.match(line) else line
        to_si(text, "V", where)
        texts.append(text)
    if not texts:
        raise InputError("holds no value", str(path), _HINT)
    return texts


def read_spreads(path: Path) -> dict[str, Any]:
    """Spreads of a population of cells from a YAML file, checked.

    Raises InputError: no such file, not YAML, or spreads that make no sense; StorageError: it
    cannot be read.
    """
    from ddkbase.documents import located, parse_yaml, read_text  # start-up: YAML

    data: Any = parse_yaml(read_text(path, _LARGEST_YAML), str(path))
    try:
        return devicephys.Variability.from_mapping(data).to_dict()
    except InputError as error:
        raise located(error, str(path)) from None


Polarity = Literal["reset", "set", "both"]  # which switching is timed
Criterion = Literal["read", "applied"]  # when the cell counts as switched


@app.command(
    "switching-time",
    epilog=examples(
        "ddk-device switching-time --out runs/kinetics",
        "ddk-device switching-time --polarity set --voltages '1 V:1.6 V:7' --out runs/set",
        "ddk-device switching-time --preset quick --voltages '1 V, 1.4 V' --out runs/two --json",
    ),
)
@command
@option_groups
def switching_time(
    *,
    output: Output,
    out: OutOption,
    cell: CellOptions,
    polarity: Annotated[
        Polarity, typer.Option("--polarity", help="Which switching is timed.")
    ] = "both",
    voltages: Annotated[
        str,
        typer.Option(
            "--voltages",
            metavar="RANGE|LIST",
            help="Sizes of the held voltages: 'from:to:count', e.g. '0.8 V:2 V:13', or a list,"
            " e.g. '0.8 V, 1 V, 1.2 V'.",
        ),
    ] = "0.8 V:2 V:13",
    criterion: Annotated[
        Criterion,
        typer.Option(
            "--criterion",
            help="read: a read of the cold cell finds half the conductance (RESET), or the"
            " geometric mean of both states' (SET). applied: the conductance at the applied"
            " voltage is halved (RESET), or ten times what a read of the start finds (SET).",
        ),
    ] = "read",
    limit: Annotated[
        str, typer.Option("--limit", metavar="TIME", help="Longest hold of a voltage.")
    ] = "10 s",
    rise: Annotated[
        str, typer.Option("--rise", metavar="TIME", help="Rise of a voltage.")
    ] = "0.1 ns",
    loops_before: Annotated[
        int, typer.Option("--loops-before", min=0, help="Loops the cell runs before.")
    ] = 0,
    pictures: PicturesOption = Pictures.png,
) -> None:
    """Measure how long constant voltages take to switch a cell.

    RESET starts from the cell as formed, SET from the state after the RESET half of its own
    sweep. The folder gets kinetics.nc, kinetics.png, report.html, device.yaml,
    request.json and run.log.
    """
    scan = devicephys.SwitchingScan(
        voltages, polarity, criterion, limit, rise, loops_before=loops_before
    )
    request = devicephys.run.Request(
        changed_device(cell.device, cell.changes),
        scan,
        devicephys.Settings.preset(cell.preset),
    )
    path = output_folder(out, "--out")
    carry_out(partial(devicephys.run.start, path, request), output, pictures)
