"""Options that several commands share are fields of a dataclass, and look like options of each."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from ddkbase.cli.application import application, command
from ddkbase.cli.options import option_groups
from ddkbase.cli.output import Output


@dataclasses.dataclass(frozen=True)
class Reading:
    units: Annotated[str | None, typer.Option("--units")] = None
    split: Annotated[bool, typer.Option("--split")] = False


app = application("ddk-tests", "Try the groups of options.", "ddk-tests first")


@app.command()
@command
@option_groups
def first(*, output: Output, source: str, reading: Reading, overwrite: bool = False) -> None:
    """Print what came."""
    output.line(f"{source} {reading} {overwrite}")


@app.command()
def second() -> None:
    """Be there: an application of one command has no names of commands."""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Reading(units=None, split=False) False"),
        (["--units", "uS", "--split", "--overwrite"], "Reading(units='uS', split=True) True"),
    ],
)
def test_a_command_gets_the_group_as_one_object(arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(app, ["first", "lab.csv", *arguments])
    assert result.stdout == f"lab.csv {expected}\n"


def test_the_help_shows_the_options_in_the_place_of_the_group() -> None:
    shown = CliRunner().invoke(app, ["first", "--help"]).stdout
    places = [shown.index(name) for name in ("--units", "--split", "--overwrite", "--quiet")]
    assert places == sorted(places)
