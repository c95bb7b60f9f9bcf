"""All commands of ``ddk-device``; importing a module adds its own."""

from devicephys.cli import campaign, devices, pulses, runs, solver, switching_time  # noqa: F401
from devicephys.cli.options import app

__all__ = ["app"]
