"""The command ``ddk-device random-device``: a device drawn from the documented ranges, as YAML."""

from __future__ import annotations

from typing import Annotated

import typer

from ddkbase.cli.application import command, examples
from ddkbase.cli.options import free_path
from devicephys.cli.options import DEFAULT_DEVICE, DeviceOption, app


@app.command(
    "random-device",
    epilog=examples(
        "ddk-device random-device --seed 1 > drawn.yaml",
        "ddk-device random-device --seed 7 --device kim-stack --out drawn.yaml",
    ),
)
@command
def random_device(
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, max=2**32 - 1, help="The same seed gives the same device."),
    ],
    device: DeviceOption = DEFAULT_DEVICE,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="File to write instead of printing."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
) -> None:
    """Print a device drawn from the ranges of docs/ranges.md as a YAML file.

    Layers and materials are those of --device; all numbers and choices are drawn.
    """
    import numpy as np

    from ddkbase.files import write_bytes
    from devicephys.device import load_device, ranges

    path = None if out is None else free_path(out, overwrite)
    drawn = ranges.random_device(np.random.default_rng(seed), load_device(device))
    text = drawn.with_({"name": f"random-{seed}"}).to_yaml()
    if path is None:
        typer.echo(text, nl=False)
        return
    write_bytes(path, text.encode(), overwrite)
