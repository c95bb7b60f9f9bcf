"""Tables that ship: named, read from anywhere, with what they were made from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import compact
from compact.cli.commands import app
from ddkbase.errors import InputError, StorageError

SETTING = {"amplitude": "-2.5 V", "width": "100 ns", "initial_resistance": "10 kohm"}


@pytest.mark.parametrize("name", compact.list_tables())
def test_a_shipped_table_is_whole_and_says_what_it_was_made_from(name: str) -> None:
    table = compact.load_table(name)
    made = json.loads(table.dataset.attrs["provenance_json"])
    cell = yaml.safe_load(made["device_yaml"])["name"]
    assert name in (cell, f"{cell}-{json.loads(made['campaign_json'])['name']}")
    assert "/" not in str(made.get("file", "")) and "/tmp" not in json.dumps(made)
    valid = table.dataset["valid"].values
    assert valid.mean() > 0.95
    assert (table.dataset["beta"].values[valid] > 0).all()


def test_the_table_of_the_default_cell_is_read_by_its_name() -> None:
    table = compact.load_table("tin-taox-hfox-tin")
    weak, strong = (
        table.lookup(**{**SETTING, "amplitude": amplitude}) for amplitude in ("-2 V", "-3 V")
    )
    assert 0 < weak.beta < strong.beta
    with pytest.raises(InputError):  # nothing is extrapolated
        table.lookup(**{**SETTING, "amplitude": "-3.5 V"})


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = compact.load_table("tin-taox-hfox-tin").write(tmp_path / "mine.nc")
    assert compact.load_table(path).dataset.equals(compact.load_table(str(path)).dataset)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("tin-taox-hfox-tn", InputError, "Did you mean 'tin-taox-hfox-tin'"),
        ("", InputError, "neither name nor path"),
        (3, InputError, "neither name nor path"),
        ("no.nc", StorageError, "no such file"),
    ],
)
def test_what_is_no_table_is_said(name: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        compact.load_table(name)  # type: ignore[arg-type]


def test_commands_take_its_name() -> None:
    options = [f"--{key.replace('_', '-')}={value}" for key, value in SETTING.items()]
    result = CliRunner().invoke(app, ["lookup", "tin-taox-hfox-tin", *options])
    assert result.exit_code == 0 and "beta" in result.stdout
    result = CliRunner().invoke(app, ["lookup", "tin-taox", *options])
    assert result.exit_code == 2 and "unknown table" in result.stderr
