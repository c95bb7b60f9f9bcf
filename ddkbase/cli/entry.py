"""The first lines of every command: what goes wrong before its application is loaded."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_line_if_stopped() -> Iterator[None]:
    """End with one line and code 130 on Ctrl-C, also while the commands load.

    Loading takes a second on a busy machine, so this module imports nothing that takes time.
    """
    for stream in (sys.stdout, sys.stderr):
        # under LC_ALL=POSIX the streams know ASCII alone: better "\\u00b5" than no answer
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("error: stopped\n")
        sys.exit(130)
    except OSError as exc:  # the text of --help could not be written
        sys.exit(f"error: {exc.strerror or exc}")
