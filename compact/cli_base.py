"""What the commands of ``ddk-compact`` share: the application, options, ways to end.

Exit codes are those of ``ddk-device``: 0 done, 2 bad input, 4 files, 130 stopped by Ctrl-C or
SIGTERM, 1 anything unexpected. Every error is one line on the error stream.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from devicephys.errors import DDKError, InputError, StorageError

if TYPE_CHECKING:
    from compact.table import AlphaBetaTable

app = typer.Typer(
    name="ddk-compact",
    help="Fit the compact kinetics alpha/beta to pulse trains, and use the tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Method(StrEnum):
    """How a train is fitted."""

    better = "better"
    article = "article"


class Scheme(StrEnum):
    """How the equation is integrated."""

    explicit = "explicit"
    implicit = "implicit"
    exact = "exact"


class Window(StrEnum):
    """Where the conductance window comes from."""

    data = "data"
    free = "free"


class Loss(StrEnum):
    """How residuals count."""

    linear = "linear"
    soft_l1 = "soft_l1"
    huber = "huber"


class Direction(StrEnum):
    """Which trains are taken."""

    down = "down"
    up = "up"


class Format(StrEnum):
    """What a table is exported to."""

    verilog_a = "verilog-a"
    spice = "spice"
    csv = "csv"
    json = "json"


TableArgument = Annotated[
    str, typer.Argument(metavar="TABLE", help="File of 'fit', e.g. table.nc.")
]
OutOption = Annotated[str, typer.Option("--out", metavar="FILE", help="File to make.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
AmplitudeOption = Annotated[
    str | None, typer.Option("--amplitude", metavar="VOLTAGE", help="E.g. '-2 V'.")
]
WidthOption = Annotated[str | None, typer.Option("--width", metavar="TIME", help="E.g. '100 ns'.")]
ResistanceOption = Annotated[
    str | None, typer.Option("--initial-resistance", metavar="RESISTANCE", help="E.g. '6 kohm'.")
]


def command[**P](function: Callable[P, None]) -> Callable[P, None]:
    """Turn the ways in which a command can end into one line and an exit code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            function(*args, **kwargs)
        except DDKError as exc:
            end(str(exc), exc.exit_code)
        except KeyboardInterrupt:
            end("stopped", 130)
        except (typer.Exit, typer.Abort, BrokenPipeError):  # typer ends quietly on these
            raise
        except OSError as exc:  # a path that the system refuses: permission, length, loop of links
            where = f" ({exc.filename})" if exc.filename else ""
            end(f"{exc.strerror or exc}{where}", StorageError.exit_code)
        except Exception as exc:
            where = _keep_traceback()
            text = f"unexpected {type(exc).__name__}: {' '.join(str(exc).split())}".rstrip(": ")
            end(f"{text}. The traceback is in {where}", DDKError.exit_code)
        finally:
            signal.signal(signal.SIGTERM, previous)

    return run


def end(message: str, code: int) -> NoReturn:
    """Print one line on the error stream and end with ``code``."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def _keep_traceback() -> str:
    handle, path = tempfile.mkstemp(prefix="ddk-compact-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(traceback.format_exc())
    return path


def path_of(text: str, where: str) -> Path:
    if not text.strip():
        raise InputError("the name of the file is empty", where)
    return Path(text)


def free_path(text: str, overwrite: bool, *sources: str, option: str = "--out") -> Path:
    """The path of a file to make; what cannot be written is told before the work is done.

    Parameters
    ----------
    sources : what is read, which it must not replace.

    Raises
    ------
    InputError : an empty name.
    StorageError : a folder, a device or a pipe, an existing file without ``overwrite``, a source,
        or no folder to write to.
    """
    path = path_of(text, option)
    if path.is_dir() or text.rstrip().endswith(("/", os.sep)):
        raise StorageError("is a folder", text, "Name a file")
    if os.path.lexists(path):
        if path.is_symlink():  # it would be replaced, not what it points to
            raise StorageError("is a link", str(path), "Name the file itself")
        if not path.is_file():
            raise StorageError("is not a regular file", str(path), "Name a file")
        if not overwrite:
            hint = "Use --overwrite or another name"
            raise StorageError("the file exists already", str(path), hint)
        if any(_is_same(path, source) for source in sources):
            raise StorageError(
                "is read from and cannot be replaced", str(path), "Name another file"
            )
    if not path.parent.is_dir():
        raise StorageError("there is no such folder", str(path.parent))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StorageError("nothing may be written to this folder", str(path.parent))
    return path


def _is_same(path: Path, other: str) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # the other is not there, which its reader says
        return False


def read_table(text: str) -> AlphaBetaTable:
    from compact.table import AlphaBetaTable

    return AlphaBetaTable.read(path_of(text, "TABLE"))


def given(**values: Any) -> dict[str, Any]:
    """Those that were given, enumerations as texts; an empty text is an error."""
    found = {}
    for name, value in values.items():
        if value is None:
            continue
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, str) and not value.strip():
            raise InputError("the value is empty", option, "Give it a value, or leave it out")
        found[name] = value.value if isinstance(value, StrEnum) else value
    return found


def print_pairs(pairs: dict[str, str]) -> None:
    """Print names and texts as a table."""
    print_rows([], [[name, text] for name, text in pairs.items()])


def print_rows(heads: list[str], rows: list[list[str]], title: str | None = None) -> None:
    """Print texts as a table, which is not folded when the output goes to a file.

    A terminal too narrow for the longest words of all columns gets a list instead: a table would
    lose its numbers.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, title=title, show_header=bool(heads))
    for row in rows:
        table.add_row(*map(Text, row))
    terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console() if terminal else Console(width=160)
    if Console(width=10_000).measure(table).minimum <= console.width:
        console.print(table)
        return
    if title:
        typer.echo(title)
    for row in rows:
        texts = [f"{h} {t}" for h, t in zip(heads, row, strict=True) if t != "–"]
        typer.echo("; ".join(texts) if heads else ": ".join(row))
