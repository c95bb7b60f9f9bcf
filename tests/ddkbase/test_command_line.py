"""What the three command lines share: examples, usage in one line, Ctrl-C, --quiet and --json."""

from __future__ import annotations

import enum
import importlib
import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from ddkbase.cli.application import application, command, end, examples, message_and_code
from ddkbase.cli.options import free_path, given
from ddkbase.cli.output import Output, entries_of, plain, print_rows, units_of
from ddkbase.errors import InputError, StorageError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"ddk-device": "devicephys", "ddk-compact": "compact", "ddk-network": "ddk"}
MOMENTS = ("typer", "ddkbase.cli.output", "cli.options", "typer.rich_utils", "rich.panel")


def app_of(program: str) -> typer.Typer:
    return importlib.import_module(f"{PACKAGES[program]}.cli.commands").app


def commands() -> Iterator[tuple[str, str]]:
    for program in PACKAGES:
        root: Any = typer.main.get_command(app_of(program))
        yield from ((program, name) for name in root.commands)


def example_lines(epilog: str) -> list[str]:
    head, *lines = epilog.splitlines()
    assert head == "Examples:"
    return [line.strip() for line in lines]


# examples in the help


@pytest.mark.parametrize(("program", "name"), list(commands()))
def test_every_command_has_examples_that_parse(program: str, name: str) -> None:
    root: Any = typer.main.get_command(app_of(program))
    lines = example_lines(root.commands[name].epilog or "")
    assert lines
    for line in lines:
        words = shlex.split(line.partition(" > ")[0])
        assert words[:2] == [program, name], line
        root.commands[name].make_context(name, words[2:])
    shown = CliRunner().invoke(app_of(program), [name, "--help"], env={"COLUMNS": "200"}).output
    assert all(line in shown for line in lines)


@pytest.mark.parametrize("program", PACKAGES)
def test_the_first_help_has_examples_that_parse(program: str) -> None:
    root: Any = typer.main.get_command(app_of(program))
    for line in example_lines(root.epilog):
        words = shlex.split(line)
        assert words[0] == program
        root.commands[words[1]].make_context(words[1], words[2:])


def test_every_command_is_fit_for_scripts() -> None:
    lacking = {
        name
        for program, name in commands()
        for command_ in (typer.main.get_command(app_of(program)).commands[name],)  # type: ignore[attr-defined]
        if not {"quiet", "as_json"} <= {parameter.name for parameter in command_.params}
    }
    assert lacking == {"random-device"}  # it prints a file


def test_a_wrong_example_would_be_seen() -> None:
    root: Any = typer.main.get_command(app_of("ddk-device"))
    with pytest.raises(Exception, match="--presett"):
        root.commands["iv"].make_context("iv", ["--out", "x", "--presett", "quick"])


def test_the_number_of_processes_has_one_name_everywhere() -> None:
    asked = []
    for program, name in commands():
        root: Any = typer.main.get_command(app_of(program))
        own = [p for p in root.commands[name].params if p.name in ("processes", "workers")]
        asked += [(name, "--workers" in parameter.opts) for parameter in own]
    assert len(asked) >= 7 and all(named for _, named in asked)


# usage


@pytest.mark.parametrize(
    ("program", "arguments", "words"),
    [
        ("ddk-device", ("iv", "--presett", "quick"), "Did you mean '--preset'?"),
        ("ddk-device", ("iv",), "Missing option '--out'"),
        ("ddk-device", ("ivv",), "Did you mean 'iv'?"),
        ("ddk-device", ("iv", "--out", "x", "--preset", "fast"), "'quick', 'default', 'fine'"),
        ("ddk-device", ("iv", "--out", "x", "--preset", "fast"), "'--preset': 'fast' is not"),
        ("ddk-compact", ("fit", "--out", "t.nc"), "Missing argument 'STORE|FILE...'"),
        ("ddk-network", ("train", "--data", "digits", "--out", "o", "--seed", "x"), "--seed"),
        ("ddk-network", ("evaluate", "a", "b"), "(b)"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(
    program: str, arguments: tuple[str, ...], words: str
) -> None:
    result = CliRunner().invoke(app_of(program), list(arguments), prog_name=program)
    assert result.exit_code == 2 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and words in line
    assert re.search(rf"See '{program}( [a-z-]+)? --help'$", line)


@pytest.mark.parametrize("program", PACKAGES)
def test_without_a_command_there_is_the_help(program: str) -> None:
    result = CliRunner().invoke(app_of(program), [])
    assert result.exit_code == 2
    assert "Examples:" in result.output and "error:" not in result.output


# Ctrl-C


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("program", PACKAGES)
def test_ctrl_c_while_the_commands_load_is_one_line(program: str, moment: str) -> None:
    # A real SIGINT, at the moment when a module is looked for: the same moment every time.
    package = PACKAGES[program]
    name = f"{package}.cli.options" if moment == "cli.options" else moment
    code = (
        "import os, signal, sys\n"
        f"from {package}.cli import main\n"
        "def look(event, args):\n"
        f"    if event == 'import' and args[0] == {name!r} and not sent:\n"
        "        sent.append(1)\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "sent = []\n"
        "sys.addaudithook(look)\n"
        "sys.argv = ['ddk', '--help']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "error: stopped\n")


def test_ctrl_c_of_the_started_program_shows_no_traceback() -> None:
    code = (
        "import builtins, sys\nfrom devicephys.cli import main\n"
        "heavy = ('typer', 'numpy', 'h5py', 'pydantic')\n"
        "print([m for m in heavy if m in sys.modules], flush=True)\n"
        "load = builtins.__import__\n"
        "def slow(name, *rest):\n"
        "    if name == 'typer':\n"
        "        print('loading', flush=True)\n        sys.stdin.readline()\n"
        "    return load(name, *rest)\n"
        "builtins.__import__ = slow\nmain()\n"
    )
    job = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None
    assert [job.stdout.readline() for _ in range(2)] == ["[]\n", "loading\n"]
    job.send_signal(signal.SIGINT)
    _, errors = job.communicate(timeout=300)
    assert (job.returncode, errors) == (130, "error: stopped\n")


# a small application


class Kind(enum.StrEnum):
    one = "one"


def small(ending: str = "") -> typer.Typer:
    app = application("ddk-small", "Some.", "ddk-small make x")

    @app.command()
    @command
    def make(output: Output, name: Annotated[str, typer.Argument()], n: int = 1) -> None:
        """Makes."""
        output.say("at work")
        output.rows(["a", "b"], [["1", "[bold]2"]], "Title")
        output.add(name=name, n=n, figures={"x": np.float64("nan")}, units={"x": "V"})
        output.file("made.nc")
        if ending == "error":
            raise InputError("it does not do", "NAME", "Use another")
        if ending == "failed":
            output.finish()
            end("one failed", 3)
        if ending == "crash":
            raise ZeroDivisionError("no\nway")

    @app.command()
    @command(answers=True)
    def tell(output: Output) -> None:
        """Tells."""
        output.line("42")
        output.note("that is all")
        output.add(answer=42)

    return app


def call(*arguments: str, ending: str = "") -> Result:
    return CliRunner().invoke(small(ending), list(arguments))


def strict(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_for_people_there_are_progress_table_and_paths() -> None:
    result = call("make", "x")
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout.startswith("at work\n") and result.stdout.endswith("\nmade.nc\n")
    assert "Title" in result.stdout and "[bold]2" in result.stdout


def test_quiet_leaves_the_answer_alone() -> None:
    for option in ("--quiet", "-q"):
        result = call("make", "x", option)
        assert (result.exit_code, result.output) == (0, "")
        assert call("tell", option).output == "42\n"
    assert call("tell").output == "42\nthat is all\n"


def test_json_is_one_document_and_progress_goes_elsewhere() -> None:
    result = call("make", "x", "--json", "--n", "3")
    assert result.stderr == "at work\n"
    assert strict(result.stdout) == {
        "command": "ddk-tests make",
        "name": "x",
        "n": 3,
        "figures": {"x": None},
        "files": ["made.nc"],
        "units": {"x": "V"},
    }
    quiet = call("make", "x", "--json", "--quiet")
    assert quiet.stderr == "" and strict(quiet.stdout)["n"] == 1
    assert strict(call("tell", "--json").stdout)["answer"] == 42


@pytest.mark.parametrize(("ending", "code"), [("error", 2), ("crash", 1)])
def test_an_error_leaves_no_document(ending: str, code: int) -> None:
    result = call("make", "x", "--json", "--quiet", ending=ending)
    assert result.exit_code == code and result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    if ending == "crash":
        Path(result.stderr.rstrip().rsplit(" ", 1)[1]).unlink()


def test_what_failed_after_all_was_found_leaves_its_document() -> None:
    result = call("make", "x", "--json", "--quiet", ending="failed")
    assert result.exit_code == 3 and result.stderr == "error: one failed\n"
    assert strict(result.stdout)["name"] == "x"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.nan, None),
        (-np.inf, None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (True, True),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (np.array(["a"]), ["a"]),
        (Path("a/b"), "a/b"),
        (Kind.one, "one"),
        ({1: (2, {3.0})}, {"1": [2, [3.0]]}),
        (None, None),
    ],
)
def test_values_as_json_knows_them(value: object, expected: object) -> None:
    found = plain(value)
    assert found == expected and type(found) is type(expected)


def test_a_dataset_as_entries() -> None:
    import xarray as xr

    ds = xr.Dataset(
        {"y": (("k", "x"), [[1.0, np.nan]], {"units": "V"})},
        {"x": ("x", [5, 6], {"units": "s"})},
    )
    assert entries_of(ds) == [{"k": 0, "x": 5, "y": 1.0}, {"k": 0, "x": 6, "y": None}]
    assert units_of(ds) == {"x": "s", "y": "V"}


def test_a_terminal_too_narrow_for_a_table_gets_a_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "12")
    print_rows(["first", "second", "third"], [["123456", "–", "abcdef"]])
    assert capsys.readouterr().out == "first 123456; third abcdef\n"


def test_a_column_without_a_word_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(["a", "b", ""], [["1", "2", ""], ["3", "", ""]], right=(1, 2))
    without = capsys.readouterr().out
    print_rows(["a", "b"], [["1", "2"], ["3", ""]], right=(1,))
    assert capsys.readouterr().out == without
    print_rows(["a", "b", ""], [["1", "2", ""], ["3", "", "hot"]])
    assert "hot" in capsys.readouterr().out


# paths and values


def test_given_leaves_out_what_was_not() -> None:
    assert given(a=None, b=0, c=Kind.one) == {"b": 0, "c": "one"}
    with pytest.raises(InputError, match=r"the value is empty \(--read-voltage\)"):
        given(read_voltage=" ")


def test_a_file_to_make_must_be_free(tmp_path: Path) -> None:
    there = tmp_path / "there.nc"
    there.write_text("x")
    link = tmp_path / "link.nc"
    link.symlink_to(there)
    assert free_path(str(there), True) == there
    assert free_path(str(tmp_path / "new.nc"), False) == tmp_path / "new.nc"
    for text, overwrite, words in (
        (there, False, "--overwrite"),
        (link, True, "is a link"),
        (tmp_path, True, "is a folder"),
        (f"{tmp_path}/new/", False, "is a folder"),
        ("/dev/null", True, "not a regular file"),
        (tmp_path / "no" / "t.nc", False, "Make it first"),
    ):
        with pytest.raises(StorageError, match=words):
            free_path(str(text), overwrite)
    with pytest.raises(StorageError, match="is read from"):
        free_path(str(there), True, str(tmp_path / "." / "there.nc"))


def test_examples_are_lines_of_their_own() -> None:
    assert example_lines(examples("a b", "c 'd e'")) == ["a b", "c 'd e'"]


# what steers a terminal

STEERS = "\x1b]0;own\x07\x1b[2J\u202egnp\u200b\x9b"


def test_nothing_of_a_stranger_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for error in (
        InputError(f"key {STEERS}", STEERS, STEERS),
        FileNotFoundError(2, "no such file", f"/{STEERS}"),
        RuntimeError(STEERS),
    ):
        with pytest.raises(typer.Exit):
            end(*message_and_code(error))
    output = Output("x")
    output.line(f"a\tµ {STEERS}\nb")
    output.note(STEERS)
    output.say(STEERS)
    output.rows([STEERS, "b"], [[STEERS, "2"]], STEERS)
    output.pairs({STEERS: STEERS})
    shown = "".join(capsys.readouterr())
    assert not set(STEERS) - set("]0;own[2Jgnp") & set(shown)
    assert "a\tµ \\x1b" in shown and "\\u202egnp" in shown


def test_a_document_for_scripts_keeps_every_character(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("x", as_json=True)
    output.add(title=f"µ\n{STEERS}\U000e0041")
    output.finish()
    shown = capsys.readouterr().out
    assert not set(shown) & {"\x1b", "\x9b", "\u202e", "\u200b", "\U000e0041"}
    assert json.loads(shown)["title"] == f"µ\n{STEERS}\U000e0041" and "µ" in shown


def test_usage_errors_do_not_steer_the_terminal() -> None:
    for words in (
        ["show-device", f"--{STEERS}"],
        [STEERS],
        ["iv", "--out", "x", "--preset", STEERS],
    ):
        shown = CliRunner().invoke(app_of("ddk-device"), words)
        assert shown.exit_code == 2
        assert not set(shown.stderr) & {"\x1b", "\x07", "\u202e", "\u200b", "\x9b"}
