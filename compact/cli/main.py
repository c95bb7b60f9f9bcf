"""The command line ``ddk-compact``; its commands are in `compact.cli.commands`.

Nothing is imported before ``main`` runs: Ctrl-C while the commands load, which takes a second on a
busy machine, ends with one line and code 130 as it does later.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Entry point of the console script."""
    try:
        from compact.cli.commands import app

        app()
    except KeyboardInterrupt:
        sys.stderr.write("error: stopped\n")
        sys.exit(130)
    except OSError as exc:  # the text of --help could not be written
        sys.exit(f"error: {exc.strerror or exc}")


if __name__ == "__main__":
    main()
