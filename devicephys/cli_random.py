"""The command ``ddk-device random-device``: a device drawn from the documented ranges, as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from devicephys.cli_base import DEFAULT_DEVICE, DeviceOption, app, command
from devicephys.errors import InputError


@app.command("random-device")
@command
def random_device(
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, max=2**32 - 1, help="The same seed gives the same device."),
    ],
    device: DeviceOption = DEFAULT_DEVICE,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="FILE", help="File to write instead of printing; not yet there."
        ),
    ] = None,
) -> None:
    """Print a device drawn from the ranges of docs/ranges.md as a YAML file.

    Layers and materials are those of --device; all numbers and choices are drawn.
    """
    import numpy as np

    from devicephys.device import load_device, ranges
    from devicephys.records import write_bytes

    if out is not None and not out.strip():
        raise InputError("the name of the file is empty", "--out", "Give a name, or leave it out")
    drawn = ranges.random_device(np.random.default_rng(seed), load_device(device))
    text = drawn.with_({"name": f"random-{seed}"}).to_yaml()
    if out is None:
        typer.echo(text, nl=False)
        return
    write_bytes(Path(out), text.encode())
