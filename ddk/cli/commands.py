"""All commands of ``ddk-network``; importing a module adds its own."""

from ddk.cli import (  # noqa: F401
    compare,
    features,
    hardware,
    lab,
    models,
    pipeline,
    studies,
    train,
)
from ddk.cli.options import app

__all__ = ["app"]
