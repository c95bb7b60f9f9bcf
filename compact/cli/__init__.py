"""The command line ``ddk-compact``; its commands are in `compact.cli.commands`."""

from __future__ import annotations

from ddkbase.cli.entry import one_line_if_stopped

__all__ = ["main"]


def main() -> None:
    """Entry point of the console script; the commands load inside, so Ctrl-C ends them well."""
    with one_line_if_stopped():
        from compact.cli.commands import app  # start-up: inside, see above

        app()
