"""docs/file_formats.md says what the code reads and writes: every table against its schema."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

import compact.table.schema
from ddkbase.schemas import SCHEMAS, find_schema
from devicephys.campaign import layout
from tests.docs_pages import DOCS

PAGE = (DOCS / "file_formats.md").read_text(encoding="utf-8")
SECTIONS = {
    part.splitlines()[0].strip(): part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
}
POINT = compact.table.schema.POINT
KINDS = {"iu": "whole number", "OUT": "text", "b": "true or false"}
NAN = {
    "anywhere": "may be NaN",
    "electrodes": "NaN in conductors",
    "near 0 V": "NaN near 0 V",
}


def rows(section: str, table: int = 0) -> dict[str, list[str]]:
    """Cells of each row of a section's table, by the name in its first cell."""
    tables = re.findall(r"(?:^\|.*\n)+", SECTIONS[section] + "\n", re.MULTILINE)
    found = {}
    for line in tables[table].splitlines()[2:]:
        name, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        found[name.strip("`")] = rest
    return found


def attributes(section: str) -> list[str]:
    (text,) = re.findall(r"^Attributes: .*(?:\n.+)*", SECTIONS[section], re.MULTILINE)
    return re.findall(r"`(\w+)`", text)


@pytest.mark.parametrize(
    "name",
    [
        "IVTrace",
        "PulseTrace",
        "SwitchingTime",
        "Retention",
        "Endurance",
        "ParameterSweep",
        "Screening",
        "AlphaBetaTable",
        "NetworkComparison",
    ],
)
def test_the_table_of_a_record_is_its_schema(name: str) -> None:
    schema = find_schema(name, 1)
    assert schema is not None
    shown = rows(name)
    assert list(shown) == list(schema.variables)
    for variable, (dims, units, meaning) in shown.items():
        spec = schema.variables[variable]
        wanted = ", ".join(spec.dims).replace(", ".join(POINT), "point") or "–"
        assert (dims, units) == (wanted, spec.units), variable
        parts = meaning.split("; ")
        assert parts[0] not in ("", *KINDS.values(), *NAN.values()), f"{variable}: no meaning"
        for kind, word in KINDS.items():
            assert (word in parts) == (spec.kind == kind), variable
        for nan, word in NAN.items():
            assert (word in parts) == (spec.nan == nan), variable
    expected = ["schema", "schema_version", *schema.attrs, *schema.json_attrs]
    assert attributes(name) == expected


def test_every_record_has_a_section() -> None:
    relative = compact.table.schema.RELATIVE
    shown = {*SECTIONS, relative} & {name for name, _ in SCHEMAS}
    assert shown == {name for name, _ in SCHEMAS}
    assert f"`{relative}` version 1" in SECTIONS["AlphaBetaTable"]


def test_the_table_of_the_store_is_its_layout() -> None:
    expected = {axis.name: (axis.name, axis.unit) for axis in layout.AXES}
    expected |= {name: (name, "1") for name in ("cycle", "device", "pulse")}
    for name, variable in layout.point_variables().items():
        expected[name] = ("point, pulse" if variable.per_pulse else "point", variable.units)
    assert {k: (v[0], v[1]) for k, v in rows("PulseCampaign").items()} == expected


def test_the_tables_of_a_model_are_what_is_in_the_file(tmp_path: Path) -> None:
    from network import ddk_network, load_network

    net = ddk_network((8, 8), [32], 10)
    path = net.save(tmp_path / "model.npz")
    with np.load(path, allow_pickle=False) as archive:
        names = archive.files
        told = json.loads(bytes(archive["network.json"]).decode())
    members = rows("model.npz", 0)
    for name in names:
        head, _, rest = name.partition("/")
        assert (f"{head}/LAYER/NAME" if rest else name) in members, name
    for example in re.findall(r"`((?:parameter|buffer)/[a-z]\w*/\w+)`", SECTIONS["model.npz"]):
        assert example in names
    keys = [
        key for row in rows("model.npz", 1) for key in re.findall(r"\w+", row.replace("`", " "))
    ]
    assert sorted(keys) == sorted(told)
    assert f"Format `{told['format']}`, version {told['version']}" in SECTIONS["model.npz"]
    assert load_network(path).count() == net.count()


def test_the_table_of_the_metrics_is_what_a_result_holds() -> None:
    from ddk.studies import result
    from ddk.studies.result import HEAVY, Result

    kept = {field.name for field in dataclasses.fields(Result)} - HEAVY
    kept |= {"schema", "schema_version", "versions"}
    shown = {key for row in rows("metrics.json") for key in re.findall(r"\w+", row)}
    assert shown == kept
    assert f"Schema `{result._SCHEMA}`, version 1" in SECTIONS["metrics.json"]


def test_the_table_of_the_history_is_what_a_training_leaves() -> None:
    import network

    rng = np.random.default_rng(0)
    x, y = rng.random((24, 4, 8)).astype(np.float32), np.arange(24) % 2
    net = network.ddk_network((4, 8), [4], 2)
    history = network.train(net, x, y, validation=0.25, epochs=2)
    found = history.dataset
    assert {k: (v[0], v[1]) for k, v in rows("history.nc").items()} == {
        str(name): (", ".join(map(str, array.dims)), array.attrs["units"])
        for name, array in found.variables.items()
    }
    kept = {*map(str, found.attrs), "best_epoch", "restored_epoch"}
    assert set(attributes("history.nc")) == kept
