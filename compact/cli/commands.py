"""All commands of ``ddk-compact``: importing a module of this folder adds its own to the application."""

from compact.cli import fit, laws, tables  # noqa: F401
from compact.cli.options import app

__all__ = ["app"]
