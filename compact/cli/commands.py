"""All commands of ``ddk-compact``; importing a module adds its own."""

from compact.cli import fit, tables  # noqa: F401
from compact.cli.options import app

__all__ = ["app"]
