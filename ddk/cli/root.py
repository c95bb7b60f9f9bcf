"""The command ``ddk``: ``ddk device``, ``ddk compact``, ``ddk network``, ``ddk lab`` and
``ddk pipeline``."""

from __future__ import annotations

from compact.cli.commands import app as compact_app
from ddk.cli.commands import app as network_app
from ddk.cli.samples import examples
from ddkbase.cli.application import application
from ddkbase.cli.application import examples as help_lines
from devicephys.cli.commands import app as device_app

__all__ = ["app"]

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
