"""All commands of ``ddk-network``; importing a module adds its own."""

from ddk.cli import compare, features, hardware, models, pipeline, studies, train  # noqa: F401
from ddk.cli.options import app

__all__ = ["app"]
