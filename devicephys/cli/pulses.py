"""Commands for pulse trains, and for going on with a run that was stopped or killed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ddkbase.cli.application import command, examples
from ddkbase.cli.options import given
from ddkbase.cli.output import Output
from ddkbase.errors import InputError
from ddkbase.picture_names import Pictures
from devicephys.cli.options import (
    DEFAULT_DEVICE,
    CheckpointOption,
    DeviceOption,
    OutOption,
    PicturesOption,
    Preset,
    PresetOption,
    SetOption,
    app,
    output_folder,
    parse_changes,
)

Text = str | None
Number = int | None


def _text(name: str, metavar: str, help_: str) -> Any:
    return typer.Option(name, metavar=metavar, help=help_)


@app.command(
    epilog=examples(
        "ddk-device pulses --amplitude '-2 V' --initial-resistance '5 kohm' --out runs/train",
        "ddk-device pulses --amplitudes heights.csv --width '50 ns' --preset quick --out runs/own",
        "ddk-device pulses --count 20 --seed 1 --cycle 3 --out runs/drawn",
        "ddk-device pulses --preset quick --count 20 --out runs/quick --json > train.json",
    )
)
@command
def pulses(
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
    initial_resistance: Annotated[
        Text,
        _text("--initial-resistance", "OHM", "Bring the cell there first, e.g. '5 kohm'."),
    ] = None,
    device: DeviceOption = DEFAULT_DEVICE,
    preset: PresetOption = Preset.default,
    changes: SetOption = None,
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
    checkpoint_every: CheckpointOption = None,
    pictures: PicturesOption = Pictures.png,
) -> None:
    """Apply a train of pulses to a cell, read it after each, and draw its conductance.

    The folder gets pulses.nc, pulses.png, report.html, device.yaml, request.json and run.log.
    """
    from ddkbase.units import to_si
    from devicephys.device import load_device
    from devicephys.run.launch import start
    from devicephys.run.request import Request
    from devicephys.simulation.settings import Settings

    path = output_folder(out, "--out")
    options = given(
        amplitude=amplitude,
        width=width,
        count=count,
        period=period,
        rise=rise,
        fall=fall,
        read_voltage=read_voltage,
    )
    told = given(
        amplitudes=amplitudes, initial_resistance=initial_resistance, variability=variability
    )
    train = _train(options, told.get("amplitudes"))
    if "initial_resistance" in told:
        ohms = to_si(initial_resistance, "ohm", "--initial-resistance")
        if not ohms > 0:
            raise InputError(
                f"{ohms:g} ohm is not positive", "--initial-resistance", "Write e.g. '5 kohm'"
            )
    spreads = _spreads(seed, cycle, device_number, told.get("variability"))
    cell = load_device(device).with_(parse_changes(changes or []))
    request = Request(
        cell,
        train,
        Settings.preset(preset.value),
        checkpoint_every,
        initial_resistance,
        spreads,
        seed,
        cycle or 0,
        device_number or 0,
    )
    start(path, request, output, pictures.value)


def _train(options: dict[str, Any], file: str | None) -> Any:
    """The PulseTrain of the options that were given; errors name the option."""
    from devicephys.protocol.pulse_train import PulseTrain

    if file is not None:
        if "amplitude" in options:
            raise InputError(
                "heights are given twice", "--amplitude and --amplitudes", "Give one of the two"
            )
        from devicephys.cli.input_files import read_amplitudes

        options["amplitude"] = read_amplitudes(Path(file))
    try:
        return PulseTrain(**options)
    except InputError as exc:
        name = exc.where.split("[")[0]
        if name not in options:
            raise
        where = "--amplitudes" if name == "amplitude" and file else f"--{name.replace('_', '-')}"
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
        from devicephys.cli.input_files import read_spreads

        return read_spreads(Path(file))
    from devicephys.population.variability import Variability

    return Variability().to_dict()


@app.command(epilog=examples("ddk-device resume runs/train"))
@command
def resume(
    output: Output,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder of the run.")],
    pictures: PicturesOption = Pictures.png,
) -> None:
    """Go on with a run that was stopped or killed, from its last checkpoint if it has one."""
    from devicephys.run.launch import resume as take_up

    take_up(output_folder(folder, "DIR"), output, pictures.value)
