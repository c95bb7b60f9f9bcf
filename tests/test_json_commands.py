"""``--json`` and ``--quiet`` of the commands that scripts ask: what a strict reader takes."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from devicephys import installation, load_device
from tests import cli_tools
from tests.compact.table_data import campaign
from tests.compact.trains import falling

QUICK = ("--quick", "--epochs", "1")


def call(program: str, *arguments: object) -> Result:
    app = importlib.import_module(f"{program}.cli.commands").app
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(result: Result, code: int = 0) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    assert result.exit_code == code, result.output
    found = json.loads(result.stdout, parse_constant=refuse)
    assert isinstance(found, dict) and found["command"].startswith("ddk-")
    return found


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ddk-device


@pytest.mark.usefixtures("settled")
def test_a_loop_and_a_train(tmp_path: Path) -> None:
    loop = document(cli_tools.call("iv", "--out", tmp_path / "a", "--json", "--pictures", "svg"))
    assert loop["figures"]["set_voltage"] == 1.4 and loop["units"]["set_voltage"] == "V"
    assert loop["units"]["temperature_reset_edge"] == "K" and loop["complete"] is True
    assert loop["units"]["low_resistance_before"] == "ohm"
    assert "resistance_ratio" not in loop["units"]
    assert {"iv.png", "iv.svg", "fields.svg", "loop.gif"} <= names(tmp_path / "a")
    assert str(tmp_path / "a" / "iv.svg") in loop["files"]
    train = document(cli_tools.call("pulses", "--count", 3, "--out", tmp_path / "b", "--json"))
    figures = train["figures"]
    assert figures["pulses"] == 3 and figures["wanted_resistance"] is None
    assert figures["conductance_max"] >= figures["conductance_end"] > 0
    assert train["record"] == str(tmp_path / "b" / "pulses.nc")
    again = cli_tools.call("resume", tmp_path / "b", "--json")
    assert document(again)["figures"] == figures and again.stderr == ""
    drawn = document(cli_tools.call("plot", tmp_path / "b", "--pictures", "pdf", "--json"))
    assert str(tmp_path / "b" / "pulses.pdf") in drawn["files"]


@pytest.mark.usefixtures("settled")
def test_runs_side_by_side(tmp_path: Path) -> None:
    for name in ("a", "b"):
        cli_tools.call("iv", "--out", tmp_path / name, "--quiet")
    narrow = load_device("tin-taox-hfox-tin").with_({"filament.radius": "8 nm"})
    with h5py.File(tmp_path / "b" / "iv.nc", "r+") as record:  # the fake knows one cell only
        record.attrs["device_yaml"] = narrow.to_yaml()
    found = document(cli_tools.call("compare", tmp_path / "a", tmp_path / "b", "--json"))
    assert found["different"] == {"filament.radius": ["9 nm", "8 nm"]}
    assert [run["figures"]["set_voltage"] for run in found["runs"]] == [1.4, 1.4]
    shown = cli_tools.call("compare", tmp_path / "a", tmp_path / "a").stdout
    assert "The same cell, protocol and preset" in shown and shown.count("+1.400 V") == 2
    assert "Newton" not in shown
    missing = cli_tools.call("compare", tmp_path / "a", tmp_path / "c")
    assert missing.exit_code == 4 and "no such folder" in missing.stderr


@pytest.mark.usefixtures("settled")
def test_quiet_runs_print_nothing(tmp_path: Path) -> None:
    for arguments in (("iv",), ("pulses", "--count", 2)):
        result = cli_tools.call(*arguments, "--out", tmp_path / arguments[0], "--quiet")
        assert (result.exit_code, result.output) == (0, "")
    result = cli_tools.call("iv", "--out", tmp_path / "iv", "--quiet", "--json")
    assert result.exit_code == 4 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "already holds a run" in result.stderr


def test_devices_and_campaigns() -> None:
    cell = document(call("devicephys", "show-device", "--json", "--set", "filament.radius=8 nm"))
    radius = cell["parameters"]["filament.radius"]
    assert radius["value"] == pytest.approx(8e-9) and radius["unit"] == "m"
    assert cell["parameters"]["vacancy.soret"]["value"] == "cold"
    assert "kim-stack" in document(call("devicephys", "list-devices", "--json"))["devices"]
    listed = document(call("devicephys", "list-campaigns", "--json"))["campaigns"]
    assert any(one["name"] == "fig2b-small" and one["points"] == 40 for one in listed)
    plan = document(call("devicephys", "campaign", "fig2b-small", "--dry-run", "--json"))
    assert plan["points"] == 40 and plan["seconds"] > 0 and plan["units"]["width"] == "s"


def test_what_is_missing_is_in_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    check = installation.Check("C compiler", False, "none was found", "Install one.")
    monkeypatch.setattr(installation, "health", lambda: iter([check]))
    monkeypatch.setattr(installation, "versions", lambda: {"numpy": "2"})
    result = call("devicephys", "info", "--json")
    assert document(result, 2)["health"][0]["passed"] is False
    assert result.stderr == "error: C compiler: none was found. Install one.\n"
    assert call("devicephys", "info", "--quiet").stdout == ""


# ddk-compact


def test_tables(tmp_path: Path) -> None:
    from compact.table.table import AlphaBetaTable

    rows = "".join(f"{k},{g * 1e6:.6f}\n" for k, g in enumerate(falling(0.02, 0.2)[:50]))
    (tmp_path / "lab.csv").write_text("pulse,G (uS)\n" + rows)
    fit = ("fit", tmp_path / "lab.csv", "--amplitude", "-2 V", "--out", tmp_path / "lab.nc")
    fitted = document(call("compact", *fit, "--json"))
    assert (fitted["trains"], fitted["valid"]) == (1, 1)
    assert fitted["amplitude"] == [-2.0] and fitted["width"] == [None]
    assert call("compact", *fit, "--overwrite", "--quiet").output == ""
    table = AlphaBetaTable.fit(campaign(resistances=(6e3, 15e3), cycles=3), integrator="exact")
    path = table.write(tmp_path / "t.nc")
    shown = document(call("compact", "show", path, "--json"))
    assert len(shown["means"]) == table.means["alpha"].size
    assert shown["means"][0]["beta"] == pytest.approx(float(table.means["beta"].values.flat[0]))
    assert {t["holds"] for t in shown["trends"]} <= {True, False, None}
    setting = ("--amplitude", "-2.2 V", "--initial-resistance", "8 kohm")
    found = document(call("compact", "lookup", path, *setting, "--json"))
    assert found["amplitude"] == -2.2 and found["units"]["initial_resistance"] == "ohm"
    pair = ("--alpha", found["alpha"], "--beta", found["beta"], "--picture", tmp_path / "i.svg")
    inverted = document(call("compact", "invert", path, *pair, "--json"))
    assert inverted["reached"] is True and inverted["files"] == [str(tmp_path / "i.svg")]
    assert "β</text>" in (tmp_path / "i.svg").read_text("utf-8")


def test_a_fit_of_nothing_leaves_its_document_and_an_error(tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    path.write_text("pulse,G (uS)\n" + "".join(f"{k},5.0\n" for k in range(20)))
    result = call("compact", "fit", path, "--out", tmp_path / "t.nc", "--json")
    found = document(result, 2)
    assert found["valid"] == 0 and "constant" in found["not_valid"][0]["reason"]
    assert result.stderr.startswith("error: no train could be fitted")


# ddk-network


def test_networks(tmp_path: Path) -> None:
    out = tmp_path / "net"
    told = call("ddk", "train", "--data", "digits", *QUICK, "--out", out, "--json")
    found = document(told)
    assert 0 < found["accuracy"] < 1 and found["parameters"] == 2412
    assert found["folder"] == str(out)
    tested = document(call("ddk", "evaluate", out, "--json"))
    assert tested["as_trained"] is True and tested["accuracy"] == found["accuracy"]
    quiet = call("ddk", "train", "--data", "digits", *QUICK, "--out", out, "-q", "--overwrite")
    assert (quiet.exit_code, quiet.output) == (0, "")
    chip = ("compile", out, "--out", tmp_path / "chip", "--pictures", "pdf", "--json")
    placed = document(call("ddk", *chip))
    assert placed["energy"] > 0 and placed["units"]["energy"] == "J"
    assert "placement.pdf" in names(tmp_path / "chip")
    placement = tmp_path / "chip" / "placement.json"
    run = document(call("ddk", "simulate", placement, "--chips", 1, "--json"))
    assert len(run["imprecise_chips"]) == 1 and run["samples"] > 100
    cost = document(call("ddk", "cost", out, "--json"))
    assert sum(one["energy"] for one in cost["layers"]) == pytest.approx(cost["energy"])


def test_a_comparison(tmp_path: Path) -> None:
    compare = ("compare", "--task", "digits", *QUICK, "--models", "ddk,raw", "--seeds", 2)
    result = call("ddk", *compare, "--out", tmp_path / "c", "--json", "--quiet")
    assert result.stderr == ""
    again = call("ddk", *compare, "--out", tmp_path / "c", "--json")
    assert again.stderr == "4 of 4 runs are there already\n" and again.stdout == result.stdout
    ddk, raw = document(result)["models"]
    assert ddk["ddk_minus_it"] is None and ddk["vote_accuracy"]["mean"] is None
    difference = np.mean(ddk["accuracy"]["each"]) - np.mean(raw["accuracy"]["each"])
    assert raw["ddk_minus_it"]["mean"] == pytest.approx(difference)


def test_counts() -> None:
    figures = document(call("ddk", "count", "--json"))["figures"]
    assert {"parameters", "MACs"} <= {one["quantity"] for one in figures}
    models = document(call("ddk", "count", "--task", "mnist", "--json"))["models"]
    assert next(m for m in models if m["model"] == "ddk")["parameters"] == 38172


def test_features_as_vectors(tmp_path: Path) -> None:
    result = call("ddk", "features", "--data", "digits", "--out", tmp_path / "f.svg", "--json")
    assert document(result)["files"] == [str(tmp_path / "f.svg")]
    assert "</text>" in (tmp_path / "f.svg").read_text("utf-8")
