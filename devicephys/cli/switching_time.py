"""The command ``ddk-device switching-time``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddkbase.cli.application import command, end, examples, message_and_code
from ddkbase.cli.output import Output
from ddkbase.picture_names import Pictures
from devicephys.cli.options import (
    DEFAULT_DEVICE,
    DeviceOption,
    PicturesOption,
    Preset,
    PresetOption,
    SetOption,
    aborting,
    app,
    output_folder,
    parse_changes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from devicephys.device import Device
    from devicephys.protocol.switching_scan import SwitchingScan
    from devicephys.simulation.settings import Settings


class Polarity(StrEnum):
    """Which switching is timed."""

    reset = "reset"
    set = "set"
    both = "both"


class Criterion(StrEnum):
    """When the cell counts as switched."""

    read = "read"
    applied = "applied"


@app.command(
    "switching-time",
    epilog=examples(
        "ddk-device switching-time --out runs/kinetics",
        "ddk-device switching-time --polarity set --voltages '1 V:1.6 V:7' --out runs/set",
        "ddk-device switching-time --preset quick --voltages '1 V, 1.4 V' --out runs/two --json",
    ),
)
@command
def switching_time(
    output: Output,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder to make for the results.")
    ],
    device: DeviceOption = DEFAULT_DEVICE,
    preset: PresetOption = Preset.default,
    changes: SetOption = None,
    polarity: Annotated[
        Polarity, typer.Option("--polarity", help="Which switching is timed.")
    ] = Polarity.both,
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
    ] = Criterion.read,
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
    sweep. The folder gets kinetics.nc, kinetics.png, report.html, device.yaml and run.log.
    """
    from ddkbase import installation
    from devicephys.device import load_device
    from devicephys.protocol.switching_scan import SwitchingScan
    from devicephys.simulation.settings import Settings

    path = output_folder(out, "--out")
    cell = load_device(device).with_(parse_changes(changes or []))
    scan = SwitchingScan(
        voltages, polarity.value, criterion.value, limit, rise, loops_before=loops_before
    )
    settings = Settings.preset(preset.value)
    world = installation.world()
    if world is None:
        _run(path, cell, scan, settings, output, pictures.value)
    else:
        _run_in_parallel(world, path, cell, scan, settings, output, pictures.value)


def _run(
    out: Path,
    cell: Device,
    scan: SwitchingScan,
    settings: Settings,
    output: Output,
    pictures: str,
) -> None:
    from ddkbase import installation
    from devicephys.run.folder import RunFolder
    from devicephys.run.switching_time import begin, run_scan

    installation.require_solver()
    with RunFolder.claim(out) as folder:
        begin(folder, cell, scan, settings)
        run_scan(folder, cell, scan, settings, output, pictures)


def _run_in_parallel(
    world: Any,
    out: Path,
    cell: Device,
    scan: SwitchingScan,
    settings: Settings,
    output: Output,
    pictures: str,
) -> None:
    """Compute on all ranks if all are ready; rank 0 alone has the folder."""
    from ddkbase import installation
    from devicephys.run.folder import RunFolder
    from devicephys.run.switching_time import begin, run_scan

    folder, message, code = None, "", 0
    try:
        installation.require_solver()
        if world.rank == 0:
            folder = RunFolder.claim(out)
            begin(folder, cell, scan, settings)
    except (Exception, KeyboardInterrupt) as exc:
        message, code = message_and_code(exc)
    # Who computes without the others would wait for them for ever.
    failed = [each for each in world.allgather((message, code)) if each[1]]
    if failed:
        if folder is not None:
            folder.release()
        end(*failed[0])
    with aborting(world):
        if folder is None:
            from devicephys.simulation.switching_time import simulate_switching_times

            simulate_switching_times(cell, scan, settings)
        else:
            with folder:
                run_scan(folder, cell, scan, settings, output, pictures)
