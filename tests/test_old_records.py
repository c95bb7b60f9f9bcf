"""Records that version 0.1.0 wrote, in tests/records, say today what they said then.

tests/records/README.md tells how they were made, tests/records/expected.py how the numbers were.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compact import AlphaBetaTable
from ddk import pipeline, studies
from ddk.pipeline.execution import toolkit_version
from ddk.pipeline.folder import PipelineFolder
from ddk.studies import read_comparison, read_run
from ddkbase import records
from ddkbase.documents import parse_yaml
from devicephys import device_from_yaml, load_device
from devicephys.campaign import Campaign, open_store
from devicephys.campaign.store import CampaignStore
from devicephys.run.request import Request
from network import datasets, load_network, read_history
from network.hardware import read_placement
from tests.benchmarks import fuzz_records
from tests.records import summary

OLD = Path(__file__).parent / "records"
EXPECTED: dict[str, Any] = json.loads((OLD / "expected.json").read_text(encoding="utf-8"))
EXACT, SINGLE = 1e-12, 1e-6


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    pytest.importorskip("sklearn", reason="scikit-learn brings the digits")
    return np.asarray(datasets.load("digits").x)


def each(name: str) -> pytest.MarkDecorator:
    """A case for each entry of a part of expected.json: its file and what is expected of it."""
    entries = EXPECTED[name]
    return pytest.mark.parametrize(("name", "expected"), entries.items(), ids=list(entries))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What a nest of mappings and lists holds, and where."""
    if isinstance(value, dict | list):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(entry, f"{path}/{key}")
        if not value:
            yield path, "empty"
    else:
        yield path, value


def check(found: Any, expected: Any, rtol: float = EXACT) -> None:
    """Assert the same texts, truths and None, and numbers that agree."""
    seen = dict(leaves(json.loads(json.dumps(found))))
    wanted = dict(leaves(expected))
    assert list(seen) == list(wanted)
    for where, value in wanted.items():
        if type(value) in (int, float):
            number = np.array(seen[where], dtype=float)
            np.testing.assert_allclose(number, value, rtol=rtol, err_msg=where)
        else:
            assert seen[where] == value, where


@pytest.mark.parametrize("named", [True, False], ids=["as what it is", "as it says itself"])
@each("records")
def test_records(name: str, expected: dict[str, Any], named: bool) -> None:
    schema = expected["attributes"]["schema"]
    check(summary.dataset(records.read(OLD / name, schema if named else None)), expected)


@each("requests")
def test_requests(name: str, expected: dict[str, Any]) -> None:
    request = Request.read(OLD / name)
    check(summary.request(request), expected)
    assert json.loads(request.to_json()) == json.loads((OLD / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["iv", "pulses", "kinetics"])
def test_the_device_beside_a_record_is_that_in_it(name: str) -> None:
    record = records.read(OLD / name / f"{name}.nc")
    beside = load_device(OLD / name / "device.yaml")
    assert beside == device_from_yaml(record.attrs["device_yaml"], "device_yaml")


def test_the_store_of_a_campaign() -> None:
    check(summary.dataset(open_store(OLD / "campaign.zarr").load()), EXPECTED["campaign"])


def test_a_campaign_is_that_of_its_store() -> None:
    asked, store = Campaign.from_file(OLD / "campaign.yaml"), open_store(OLD / "campaign.zarr")
    assert store.attrs["source_checksum"] == asked.source_checksum
    assert json.loads(store.attrs["campaign_json"]) == json.loads(json.dumps(asked.to_dict()))


def test_a_campaign_is_gone_on_with(tmp_path: Path) -> None:
    """Every point counts as done; the cell, which the library has recalibrated, is the store's."""
    store = shutil.copytree(OLD / "campaign.zarr", tmp_path / "campaign.zarr")
    described = json.loads((store / "zarr.json").read_text())["attributes"]["device_yaml"]
    (tmp_path / "cell.yaml").write_text(described, encoding="utf-8")
    text = (OLD / "campaign.yaml").read_text().replace("tin-taox-hfox-tin", "cell.yaml")
    (tmp_path / "campaign.yaml").write_text(text, encoding="utf-8")
    with CampaignStore.open(store, Campaign.from_file(tmp_path / "campaign.yaml")) as opened:
        assert opened.missing(retry_failed=True) == []


def test_a_table_answers_the_same() -> None:
    check(summary.table(AlphaBetaTable.read(OLD / "table.nc")), EXPECTED["table"])


@each("runs")
def test_folders_of_runs(name: str, expected: dict[str, Any]) -> None:
    stored = read_run(OLD / name)
    check(summary.run(stored), expected)
    check(summary.network(stored.network), EXPECTED["networks"][f"{name}/model.npz"])


@each("histories")
def test_histories(name: str, expected: dict[str, Any]) -> None:
    check(summary.dataset(read_history(OLD / name / "history.nc").dataset), expected)


@each("networks")
def test_networks(name: str, expected: dict[str, Any]) -> None:
    check(summary.network(load_network(OLD / name)), expected)


@each("predictions")
def test_networks_predict_the_same(name: str, expected: list[Any], digits: np.ndarray) -> None:
    network = load_network(OLD / name)
    tolerance = SINGLE if network.dtype == np.float32 else EXACT
    check(summary.predictions(network, digits), expected, tolerance)


@each("placements")
def test_placements(name: str, expected: dict[str, Any]) -> None:
    check(summary.placement(read_placement(OLD / name)), expected)


@each("predictions of placements")
def test_chips_predict_the_same(name: str, expected: dict[str, Any], digits: np.ndarray) -> None:
    placement = read_placement(OLD / name)
    check(summary.predictions(placement.network(), digits), expected["exact"], SINGLE)
    check(summary.predictions_on_chip(placement, digits), expected["chip"], SINGLE)


def test_a_comparison_is_gone_on_with(tmp_path: Path) -> None:
    """Nothing is run again: the runs in the folder are those of the record."""
    folder = shutil.copytree(OLD / "compare", tmp_path / "compare")
    before = read_comparison(folder / "comparison.nc")
    task = studies.get_task("digits")
    task = dataclasses.replace(task.with_epochs(2), ddk={"states": "before"})
    lines: list[str] = []
    models = [str(name) for name in before["model"].values]
    again = studies.compare(task, models, range(2), folder=folder, progress=lines.append)
    assert lines == ["4 of 4 runs are there already"]
    for name in before.variables:
        np.testing.assert_array_equal(again[name].values, before[name].values, str(name))


@pytest.mark.parametrize("name", fuzz_records.KINDS)
def test_a_record_changed_at_random_is_read_or_refused(name: str, tmp_path: Path) -> None:
    """`tests/benchmarks/fuzz_records.py` does that as often as one likes."""
    kind = fuzz_records.KINDS[name]
    if (OLD / kind.source).is_dir():
        shutil.copytree(OLD / kind.source, tmp_path / Path(kind.source).name)
    for k in range(4):
        outcome, what = fuzz_records.trial(kind, tmp_path, [99, k])
        assert outcome in ("read", "refused"), (k, what)


def asked(folder: Path, step: str, **changes: Any) -> Path:
    """The file of the old pipeline with keys of a step changed; None takes a key out."""
    file: Any = parse_yaml((OLD / "pipeline.yaml").read_text(encoding="utf-8"), "pipeline.yaml")
    changed = {**file, "table": str(OLD / "table.nc"), step: {**file[step], **changes}}
    changed[step] = {key: value for key, value in changed[step].items() if value is not None}
    path = folder / "asked.yaml"
    path.write_text(json.dumps(changed), encoding="utf-8")  # JSON is YAML
    return path


@pytest.fixture
def same_version() -> None:
    """What is kept depends on the version of the toolkit."""
    if toolkit_version() != EXPECTED["version"]:
        pytest.skip(f"a pipeline keeps nothing of version {EXPECTED['version']}")


def test_a_pipeline_is_read() -> None:
    plan = dict(pipeline.plan(OLD / "pipeline.yaml", OLD / "pipeline"))
    assert list(plan) == list(EXPECTED["pipeline"]["plan"])
    folder = PipelineFolder(OLD / "pipeline")
    for name, key in EXPECTED["pipeline"]["keys"].items():
        noted = folder.state(name)
        assert noted is not None
        result = folder.result(name, noted["fingerprint"])
        assert result is not None and result.key == key


def test_a_pipeline_says_what_is_asked_otherwise_today(same_version: None) -> None:
    """The default for the states was changed, and controls did not take the widths over."""
    plan = dict(pipeline.plan(OLD / "pipeline.yaml", OLD / "pipeline"))
    # what is set aside by it is said behind a semicolon
    said = {name: text.partition("; sets aside: ")[0] for name, text in plan.items()}
    assert said["network"] == said["hardware"] == "to do again, changed: task.ddk.states"
    assert said["controls"] == "to do again, changed: task.ddk.states, task.hidden"


def test_a_pipeline_is_kept_where_the_old_states_are_asked(
    same_version: None, tmp_path: Path
) -> None:
    assert set(EXPECTED["pipeline"]["plan"].values()) == {"kept"}
    plan = dict(pipeline.plan(asked(tmp_path, "network", states="before"), OLD / "pipeline"))
    text, _, aside = plan.pop("controls").partition("; sets aside: ")
    assert text == "to do again, changed: task.hidden" and "ddk-table" in aside
    assert set(plan.values()) == {"kept"}
    as_before = asked(tmp_path, "network", states="before", hidden=None)
    assert dict(pipeline.plan(as_before, OLD / "pipeline"))["controls"] == "kept"
