"""All commands of ``ddk-network``: importing a module of this folder adds its own to the application."""

from ddk.cli import compare, features, hardware, pipeline, studies, train  # noqa: F401
from ddk.cli.options import app

__all__ = ["app"]
