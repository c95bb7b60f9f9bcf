"""What the commands of ``ddk-network`` share: the application, options, ways to end.

Exit codes are those of ``ddk-device``: 0 done, 2 bad input or a package that is not installed, 3
the training or the solver gave up, 4 files, 130 stopped by Ctrl-C or SIGTERM, 1 anything
unexpected. Every error is one line on the error stream.
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
    from network.task import Task

app = typer.Typer(
    name="ddk-network",
    help="Train networks with a layer of dynamical memristors, and hold them against controls.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

#: matrices of small networks gain nothing from threads, which on a busy machine cost twentyfold
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Integrator(StrEnum):
    """How the equation is integrated."""

    implicit = "implicit"
    explicit = "explicit"
    exact = "exact"


class Constraint(StrEnum):
    """What alpha and beta may be."""

    positive = "positive"
    clamp = "clamp"
    stable = "stable"


class Per(StrEnum):
    """What has an alpha and a beta of its own."""

    network = "network"
    channel = "channel"
    step = "step"
    channel_step = "channel-step"


DataOption = Annotated[
    str,
    typer.Option("--data", metavar="TASK|FOLDER", help="A named task, or a folder of your data."),
]
RootOption = Annotated[
    str | None,
    typer.Option("--root", metavar="FOLDER", help="Where the data sets are; default: DDK_DATA."),
]
TableOption = Annotated[
    str | None, typer.Option("--table", metavar="TABLE", help="File of 'ddk-compact fit'.")
]
QuickOption = Annotated[bool, typer.Option("--quick", help="The small variant, for a first look.")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Of the split, the start and the batches.")
]
SeedsOption = Annotated[
    str, typer.Option("--seeds", metavar="N|LIST", help="How many, or which: '10', '3,5,8', '0-4'.")
]
ProcessesOption = Annotated[
    int, typer.Option("--processes", min=1, help="Runs at a time, each on one core.")
]
FolderOption = Annotated[str, typer.Option("--out", metavar="DIR", help="Folder to make.")]
FileOption = Annotated[str, typer.Option("--out", metavar="FILE", help="File to make.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result.")]


def command[**P](function: Callable[P, None]) -> Callable[P, None]:
    """Turn the ways in which a command can end into one line and an exit code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        for name in _THREADS:
            os.environ.setdefault(name, "1")
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            function(*args, **kwargs)
        except DDKError as exc:
            end(str(exc), exc.exit_code)
        except KeyboardInterrupt:
            end("stopped", 130)
        except MemoryError:
            end("the memory is too small for this. Take a smaller task, or --quick", 1)
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
    handle, path = tempfile.mkstemp(prefix="ddk-network-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(traceback.format_exc())
    return path


def path_of(text: str, where: str) -> Path:
    """The path that a text names. Raises InputError if it is empty."""
    if not text.strip():
        raise InputError("the name is empty", where)
    return Path(text)


def free_path(text: str, overwrite: bool) -> Path:
    """The path of a file to make; what cannot be written is told before the work is done."""
    path = path_of(text, "--out")
    if path.is_dir():
        raise StorageError("is a folder", str(path), "Name a file")
    if path.exists() and not overwrite:
        raise StorageError("the file exists already", str(path), "Use --overwrite or another name")
    if not path.absolute().parent.is_dir():
        raise StorageError("there is no such folder", str(path.absolute().parent))
    return path


def read_table(text: str) -> AlphaBetaTable:
    """The table of a file. Raises StorageError."""
    from compact.table import AlphaBetaTable

    return AlphaBetaTable.read(path_of(text, "--table"))


def task_of(data: str, quick: bool) -> Task:
    """The task of a name or of a folder.

    Raises
    ------
    InputError : no such task, and no folder of that name.
    """
    from network.task_folder import folder_task
    from network.tasks import TASKS, get_task

    text = str(path_of(data, "--data"))
    if text in TASKS or not (os.sep in text or Path(text).is_dir()):
        return get_task(text, quick)
    task = folder_task(Path(text))
    return task.small() if quick else task


def seeds_of(text: str) -> list[int]:
    """Seeds of a text: how many ('10'), which ('3,5,8'), or from one to another ('0-4').

    A single number says how many; write '7,' for seed 7 alone.

    Raises
    ------
    InputError : it is none of the three, there is none, or there are more than 10,000.
    """
    told = text.strip()
    single = told.isdigit()
    found: list[int] = []
    for part in told.split(","):
        first, dash, last = (p.strip() for p in part.partition("-"))
        if not part.strip() and not single and found:
            continue  # a comma at the end
        if not (first.isascii() and first.isdigit()) or (dash and not last.isdigit()):
            raise InputError(f"'{text}' names no seeds", "--seeds", "Write '10', '3,5,8' or '0-4'")
        begin = 0 if single else int(first[:9])
        stop = int(first[:9]) - 1 if single else int(last[:9]) if dash else begin
        if stop - begin >= 10_000 or len(first) > 9 or len(last) > 9:
            raise InputError(f"'{text}' are too many seeds", "--seeds", "Take up to 10,000")
        found += range(begin, stop + 1)
    if not found:
        raise InputError(f"'{text}' names no seeds", "--seeds", "Write '10', '3,5,8' or '0-4'")
    return found


def names_of(text: str | None, option: str) -> list[str] | None:
    """Names parted by commas; None if none were given. Raises InputError: an empty name."""
    if text is None:
        return None
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise InputError(f"'{text}' holds an empty name", option, "Write e.g. 'ddk,raw,leaky'")
    return found


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


def say(text: str) -> None:
    """Print one line now, also into a file or a pipe."""
    typer.echo(text)
    sys.stdout.flush()


def print_pairs(pairs: dict[str, str]) -> None:
    """Print names and texts as a table."""
    print_rows([], [[name, text] for name, text in pairs.items()])


def print_rows(heads: list[str], rows: list[list[str]], title: str | None = None) -> None:
    """Print texts as a table, which is not folded when the output goes to a file."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, title=title, show_header=bool(heads))
    for row in rows:
        table.add_row(*map(Text, row))
    (Console() if sys.stdout.isatty() else Console(width=200)).print(table)
