"""All commands of ``ddk-device``; importing a module adds its own."""

from devicephys.cli import (  # noqa: F401
    batch,
    campaign,
    devices,
    pulses,
    retention,
    runs,
    solver,
)
from devicephys.cli.options import app

__all__ = ["app"]
