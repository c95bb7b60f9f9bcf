"""The command lines ``ddk-network`` and ``ddk``, which has the commands of all three.

Those of ``ddk-network`` are in `ddk.cli.commands`.
"""

from __future__ import annotations

import sys

from ddkbase.cli.entry import one_line_if_stopped
from ddkbase.errors import InstallationError
from ddkbase.lazy import check_not_shadowed

__all__ = ["ddk_main", "main"]


def main() -> None:
    """Entry point of ``ddk-network``; the commands load inside, so Ctrl-C ends them well."""
    with one_line_if_stopped():
        _check()
        from ddk.cli.commands import app  # start-up

        app()


def ddk_main() -> None:
    """Entry point of ``ddk``: the commands of the three command lines under one name."""
    with one_line_if_stopped():
        _check()
        from ddk.cli.root import app  # start-up

        app()


def _check() -> None:
    try:
        check_not_shadowed("devicephys", "compact", "network")
    except InstallationError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
