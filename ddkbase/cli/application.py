"""What the three command lines share: the application, ways to end, examples in the help.

Exit codes: 0 done, 2 bad input or a package that is not installed, 3 the solver or the training
gave up or a verification failed, 4 files, 130 stopped by Ctrl-C or SIGTERM, 1 anything unexpected.
Every error, also one of usage, is one line on the error stream.

A command is a function under `command`. If one of its parameters is a
`ddkbase.cli.output.Output`, it gets the options ``--quiet`` and ``--json`` in its place.
"""

from __future__ import annotations

import functools
import inspect
import re
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NoReturn, get_args, overload

import typer
import typer.core

from ddkbase import __version__
from ddkbase.cli.output import Output
from ddkbase.errors import DDKError, StorageError, closest, cut, one_line
from ddkbase.files import keep_traceback
from ddkbase.installation import keep_petsc_from_signals, parallel_rank

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
QuietAnswerOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the answer alone: no remarks, no progress.")
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document, numbers in SI units; see docs/howto_scripts.md."
    ),
]


class _Commands(typer.core.TyperGroup):
    """Commands in a chosen order; what is wrong with a command line is said in one line."""

    first: tuple[str, ...] = ()

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return [n for n in self.first if n in names] + [n for n in names if n not in self.first]

    def main(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.pop("standalone_mode", True):
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except typer.Abort:
            sys.exit(_stopped())
        except Exception as exc:
            # Which class it is depends on whether typer brings its own click.
            if not hasattr(exc, "format_message"):
                raise
            sys.exit(_usage(exc))
        sys.exit(code if isinstance(code, int) else 0)

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().make_context(*args, **kwargs)
        except KeyboardInterrupt:
            raise typer.Exit(_stopped()) from None

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(_stopped()) from None


def _stopped() -> int:
    typer.echo("error: stopped", err=True)
    return 130


def _usage(exc: Any) -> int:
    """Say what is wrong with a command line and where its help is; return the exit code."""
    context = getattr(exc, "ctx", None)
    known = getattr(exc, "possibilities", None)
    text = f"{exc.message} {closest(exc.option_name, known)}" if known else exc.format_message()
    text = cut(one_line(text)).rstrip(".").replace(": Value error, ", ": ")
    if type(exc).__name__ == "NoArgsIsHelpError":  # the help itself, which rich has printed
        if text:
            typer.echo(exc.format_message(), err=True)
    else:
        stop = "" if text.endswith("?") else "."
        hint = f"{stop} See '{context.command_path} --help'" if context is not None else ""
        typer.echo(f"error: {text}{hint}", err=True)
    return int(getattr(exc, "exit_code", 2))


def application(name: str, help_: str, *lines: str, first: tuple[str, ...] = ()) -> typer.Typer:
    """Return an empty application: its name, what it is for, examples.

    Its help lists the commands of ``first`` first, in their order.
    """
    app = typer.Typer(
        name=name,
        cls=type("Commands", (_Commands,), {"first": first}),
        help=help_,
        epilog=examples(*lines),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def root(
        version: Annotated[
            bool,
            typer.Option(
                "--version", is_eager=True, callback=_version, help="Print the version and exit."
            ),
        ] = False,
    ) -> None:
        pass

    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ddk-toolkit {__version__}")
        raise typer.Exit


def examples(*lines: str) -> str:
    """Return the end of a help text: command lines that work as they stand, one a line."""
    return "\n".join(("Examples:", *(f"  {line}" for line in lines)))


@overload
def command(function: Callable[..., None]) -> Callable[..., None]: ...
@overload
def command(*, answers: bool) -> Callable[[Callable[..., None]], Callable[..., None]]: ...
def command(function: Callable[..., None] | None = None, *, answers: bool = False) -> Any:
    """Turn the ways in which a command can end into one line and an exit code.

    Parameters
    ----------
    function : callable or None, optional
        A parameter of type `Output` becomes the options ``--quiet`` and ``--json``.
    answers : bool, default False
        Whether what it prints is what was asked for, so that ``--quiet`` leaves it.
    """
    if function is None:
        return functools.partial(command, answers=answers)
    called = function
    signature = inspect.signature(called, eval_str=True)
    wanted = [p.name for p in signature.parameters.values() if p.annotation is Output]
    name = f"{program(called.__module__)} {called.__name__.strip('_').replace('_', '-')}"

    @functools.wraps(called)
    def run(*args: Any, **kwargs: Any) -> None:
        keep_petsc_from_signals()
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            if not wanted:
                called(*args, **kwargs)
                return
            quiet, as_json = kwargs.pop("quiet"), kwargs.pop("as_json")
            output = Output(name, quiet=quiet, as_json=as_json, answers=answers)
            called(*args, **kwargs, **{wanted[0]: output})
            output.finish()
        except (typer.Exit, typer.Abort, BrokenPipeError):  # typer ends quietly on these
            raise
        except (Exception, KeyboardInterrupt) as exc:
            message, code = message_and_code(exc, program(called.__module__))
            if isinstance(exc, DDKError):
                message = in_options(exc, options_of(signature))
            end(message, code)
        finally:
            signal.signal(signal.SIGTERM, previous)

    shown = [p for p in signature.parameters.values() if p.name not in wanted]
    if wanted:
        kind = QuietAnswerOption if answers else QuietOption
        shown += [
            inspect.Parameter(
                name_, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation
            )
            for name_, annotation in (("quiet", kind), ("as_json", JsonOption))
        ]
    # typer reads these; options stand in keywords, so that they may follow those with a default
    run.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in shown} | {"return": None}
    return run


def options_of(signature: inspect.Signature) -> dict[str, str]:
    """Return the option of each parameter that has one and takes a free text, or several."""
    found = {}
    for parameter in signature.parameters.values():
        kind, *marks = get_args(parameter.annotation) or (parameter.annotation,)
        # within Annotated, typer keeps the first name where a default would stand
        names = [
            name
            for mark in marks
            for name in (
                getattr(mark, "default", None),
                *(getattr(mark, "param_decls", None) or ()),
            )
            if isinstance(name, str) and name.startswith("--")
        ]
        if names and {str, list[str]} & {kind, *get_args(kind)}:
            found[parameter.name] = names[0].partition("/")[0]
    return found


def in_options(exc: DDKError, options: Mapping[str, str]) -> str:
    """Return the line on an error, with arguments of Python as options of the command line.

    >>> exc = DDKError("the width is not known", "width", "Pass width='100 ns'")
    >>> in_options(exc, {"width": "--width"})
    "the width is not known (--width). Pass --width '100 ns'"
    """

    def option(match: re.Match[str]) -> str:
        return f"{options[match[1]]} {match[2]}" if match[1] in options else match[0]

    where = exc.where.split(", ")
    if all(name in options for name in where):
        where = [options[name] for name in where]
    hint = re.sub(r"\b([a-z_]+)=('[^']*'|\.\.\.)", option, exc.hint)
    return str(DDKError(exc.what, ", ".join(where), hint))


def program(module: str) -> str:
    """Return the program to which a module belongs, e.g. "ddk-device"."""
    package = module.partition(".")[0]
    return "ddk-network" if package == "ddk" else f"ddk-{package.removesuffix('phys')}"


def end(message: str, code: int) -> NoReturn:
    """Print one line on the error stream, of many ranks one, and end with ``code``."""
    if parallel_rank() == 0:  # of many ranks one speaks
        typer.echo(f"error: {cut(one_line(message), 2000)}", err=True)
    raise typer.Exit(code)


def message_and_code(exc: BaseException, name: str = "ddk-device") -> tuple[str, int]:
    """Return what to say of an exception, whatever it is, and the exit code.

    The traceback of one that nobody expected goes to a temporary file that begins with ``name``.
    """
    if isinstance(exc, DDKError):
        return str(exc), exc.exit_code
    if isinstance(exc, KeyboardInterrupt):
        return "stopped", 130
    if isinstance(exc, MemoryError):
        return "the memory is too small for this. Take a smaller task, or a coarser preset", 1
    if isinstance(exc, OSError):  # a path that the system refuses: permission, length, links
        where = f" ({exc.filename})" if exc.filename else ""
        return f"{exc.strerror or exc}{where}", StorageError.exit_code
    kept = keep_traceback(exc, name)
    text = f"unexpected {type(exc).__name__}: {' '.join(str(exc).split())}".rstrip(": ")
    return f"{text}. The traceback is in {kept}", DDKError.exit_code
