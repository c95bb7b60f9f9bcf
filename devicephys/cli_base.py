"""What every command of ``ddk-device`` shares: the application, options, ways to end.

Exit codes: 0 done, 2 bad input or incomplete installation, 3 the solver gave up or a verification
failed, 4 files, 130 stopped by Ctrl-C or SIGTERM, 1 anything unexpected.  Every error is one line
on the error stream.

A module with commands imports from here and is itself imported by ``devicephys.cli``.  Whatever
takes time to import is imported inside the commands, so that ``--help`` is quick.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from devicephys.errors import DDKError, InputError

#: the order of the commands in the help; the others follow
_FIRST = ("iv", "pulses", "switching-time", "campaign", "resume", "plot")


class _Commands(typer.core.TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return [n for n in _FIRST if n in names] + [n for n in names if n not in _FIRST]


app = typer.Typer(
    name="ddk-device",
    cls=_Commands,
    help="Simulate filamentary memristor cells: heat, current and vacancies, fully coupled.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Preset(StrEnum):
    """How finely mesh and time are resolved."""

    quick = "quick"
    default = "default"
    fine = "fine"


class Scheme(StrEnum):
    """How the three fields are coupled in one time step."""

    monolithic = "monolithic"
    staggered = "staggered"
    one_pass = "one-pass"


DEFAULT_DEVICE = "tin-taox-hfox-tin"
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="NAME|FILE", help="Library device, or a YAML file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one parameter, e.g. --set 'filament.radius=8 nm'. May be repeated.",
    ),
]
PresetOption = Annotated[
    Preset, typer.Option("--preset", help="How finely mesh and time are resolved.")
]
OutOption = Annotated[
    str, typer.Option("--out", metavar="DIR", help="Folder to make for the results.")
]
CheckpointOption = Annotated[
    int | None,
    typer.Option(
        "--checkpoint-every",
        metavar="N",
        min=1,
        help="Keep the state every N pulses, or N steps of a sweep; 'resume' goes on from it.",
    ),
]


def command[**P](function: Callable[P, None]) -> Callable[P, None]:
    """Turn the ways in which a command can end into one line and an exit code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        # PETSc would take SIGTERM for itself and abort; it is to end like Ctrl-C.
        options = os.environ.get("PETSC_OPTIONS", "")
        os.environ["PETSC_OPTIONS"] = f"{options} -no_signal_handler".strip()
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            function(*args, **kwargs)
        except DDKError as exc:
            end(str(exc), exc.exit_code)
        except KeyboardInterrupt:
            end("stopped", 130)
        except (typer.Exit, typer.Abort, BrokenPipeError):  # typer ends quietly on these
            raise
        except Exception as exc:
            end(*message_and_code(exc))
        finally:
            signal.signal(signal.SIGTERM, previous)

    return run


def end(message: str, code: int) -> NoReturn:
    """Print one line on the error stream, of many ranks one, and end with ``code``."""
    from devicephys import installation

    if installation.parallel_rank() == 0:  # of many ranks one speaks
        typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def message_and_code(exc: BaseException) -> tuple[str, int]:
    """Return what to say of an exception, whatever it is, and the exit code."""
    from devicephys import installation, runfolder

    if isinstance(exc, DDKError):
        return str(exc), exc.exit_code
    if isinstance(exc, KeyboardInterrupt):
        return "stopped", 130
    if error := installation.compilation_error(exc):
        return str(error), error.exit_code
    where = runfolder.keep_traceback(exc)
    return f"{_in_one_line(exc)}. The traceback is in {where}", DDKError.exit_code


def _in_one_line(exc: BaseException) -> str:
    """Return kind and message of an exception that nobody expected, in one line."""
    return f"unexpected {type(exc).__name__}: {' '.join(str(exc).split())}".rstrip(": ")


@contextmanager
def aborting(world: Any) -> Iterator[None]:
    """End all ranks if one meets what the others do not: an exception that nobody expected."""
    try:
        yield
    except Exception as exc:
        from devicephys import installation

        common = isinstance(exc, DDKError) and type(exc) is not DDKError
        if common or installation.compilation_error(exc):
            raise
        message, code = message_and_code(exc)
        sys.stderr.write(f"error: {message}\n")
        sys.stderr.flush()
        world.Abort(code)


def output_folder(text: str, where: str) -> Path:
    """Return the path of a folder named in the option or argument ``where``.

    Raises
    ------
    InputError : the name is empty.
    """
    if not text.strip():
        raise InputError("the name of the folder is empty", where, "Write '.' for this folder")
    return Path(text)


def given(option: str, value: str | None) -> str | None:
    """Return ``value``, the text given to ``option``; None if there is none.

    Raises
    ------
    InputError : the text is empty.
    """
    if value is not None and not value.strip():
        raise InputError("the value is empty", option, "Give it a value, or leave it out")
    return value


def wide_console(kind: Any) -> Any:
    """A console that does not fold tables to 80 columns when its output goes to a file."""
    return kind() if sys.stdout.isatty() else kind(width=160)


def parse_changes(changes: list[str]) -> dict[str, str]:
    """Split each KEY=VALUE.

    Raises
    ------
    InputError : no "=", an empty key, or a key given twice.
    """
    parsed: dict[str, str] = {}
    for text in changes:
        key, equals, value = text.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key or not value:
            raise InputError(
                f"'{text}' is not KEY=VALUE", "--set", "Write e.g. --set 'filament.radius=8 nm'"
            )
        if key in parsed:
            raise InputError(f"'{key}' is set twice", "--set", "Give it once")
        parsed[key] = value
    return parsed
