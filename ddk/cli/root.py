"""The command ``ddk``: ``ddk device``, ``ddk compact``, ``ddk network``, ``ddk lab`` and
``ddk pipeline``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

import ddk
from compact.cli.commands import app as compact_app
from ddk.cli.commands import app as network_app
from ddkbase.cli.application import application, command
from ddkbase.cli.application import examples as help_lines
from ddkbase.cli.options import path_of
from ddkbase.cli.output import Output
from ddkbase.errors import StorageError
from ddkbase.folders import check_new_folder, new_folder
from devicephys.cli.commands import app as device_app

_SAMPLES = Path(ddk.__file__).parent / "samples"


@command
def examples(
    output: Output,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder to make.")],
) -> None:
    """Write sample files, made up and small, and a README that says what to try with each."""
    path = path_of(folder, "DIR", "folder")
    names = sorted(file.name for file in _SAMPLES.iterdir() if file.is_file())

    check_new_folder(path)
    if path.exists() and any(path.iterdir()):
        raise StorageError("the folder is not empty", str(path), "Choose another name")
    with new_folder(path) as scratch:
        for name in names:
            shutil.copyfile(_SAMPLES / name, scratch / name)
    output.add(folder=path, files=names)
    output.file(*(path / name for name in names))


app = application(
    "ddk",
    "From a memristor's physics to a network: all commands of the toolkit under one name.",
    "ddk device iv --out runs/loop",
    "ddk compact fit runs/trains.zarr --out table.nc",
    "ddk network train --data digits --out runs/net",
    "ddk lab trains.csv --out runs/lab",
    "ddk pipeline demo --out runs/demo",
    "ddk examples samples",
    first=("device", "compact", "network", "lab", "pipeline", "examples"),
)
app.command(epilog=help_lines("ddk examples samples"))(examples)
for name, mounted in (("device", device_app), ("compact", compact_app), ("network", network_app)):
    app.add_typer(mounted, name=name)
app.registered_commands += [
    command
    for command in network_app.registered_commands
    if command.callback is not None and command.callback.__name__ in ("lab", "pipeline")
]
