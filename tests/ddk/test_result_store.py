"""A folder of finished runs: whole files, one process, one purpose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ddk.studies.result_store import ResultStore, identity
from ddkbase.errors import InputError, StorageError
from network.hardware.cells.noise import WriteError
from network.hardware.settings import Hardware, article
from network.hardware.training import Tuning


def test_a_run_is_kept_and_found_again(tmp_path: Path) -> None:
    request = {"kind": "test", "task": {"name": "a", "shape": (2, 3)}}
    with ResultStore.open(tmp_path / "s", request) as store:
        assert store.get("raw-s0") is None
        store.keep("raw-s0", {"accuracy": 0.5})
        store.keep("raw-s0", {"accuracy": 0.9})  # the first one stays
    with ResultStore.open(tmp_path / "s", request) as store:
        assert store.keys() == ["raw-s0"]
        found = store.get("raw-s0")
    assert found is not None
    assert found["accuracy"] == 0.5


def test_the_folder_is_for_one_request(tmp_path: Path) -> None:
    with ResultStore.open(tmp_path / "s", {"task": {"epochs": 5}}) as store:
        store.keep("raw-s0", {"accuracy": 0.5})
    with pytest.raises(StorageError, match=r"task.epochs was 5, is 6"):
        ResultStore.open(tmp_path / "s", {"task": {"epochs": 6}})


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        ResultStore.open(tmp_path / "s", {}),
        pytest.raises(StorageError, match="another process is at work"),
    ):
        ResultStore.open(tmp_path / "s", {})
    ResultStore.open(tmp_path / "s", {}).__exit__()


def test_foreign_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(StorageError, match="something else"):
        ResultStore.open(tmp_path / "mine", {})
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="not a folder"):
        ResultStore.open(tmp_path / "file", {})
    with pytest.raises(StorageError, match="no such folder"):
        ResultStore.open(tmp_path / "a" / "b", {})
    assert not (tmp_path / "a").exists()


def test_a_damaged_run_is_named(tmp_path: Path) -> None:
    with ResultStore.open(tmp_path / "s", {}) as store:
        path = store.keep("raw-s0", {"accuracy": 0.5})
        path.write_text(path.read_text()[:10])
        with pytest.raises(StorageError, match=r"damaged.*raw-s0\.json.*Remove it"):
            store.get("raw-s0")
        path.write_text(json.dumps({"key": "raw-s1"}))
        with pytest.raises(StorageError, match="another run"):
            store.get("raw-s0")


def test_what_a_killed_write_left_is_swept_away(tmp_path: Path) -> None:
    with ResultStore.open(tmp_path / "s", {}) as store:
        part = store.path / "runs" / ".raw-s0.json.0123456789ab.part"
        part.write_text("{")
    with ResultStore.open(tmp_path / "s", {}) as store:
        assert not part.exists()
        assert store.keys() == []


def test_no_key_leads_out_of_the_folder(tmp_path: Path) -> None:
    with ResultStore.open(tmp_path / "s", {}) as store, pytest.raises(ValueError, match="key"):
        store.keep("../raw", {})


def stored_before(path: Path, hardware: str, tuning: str = "None") -> None:
    """A folder as versions wrote it that stored the text of an object in Python."""
    (path / "runs").mkdir(parents=True)
    request = {"kind": "modes", "hardware": hardware, "tuning": tuning}
    (path / "request.json").write_text(json.dumps(request))
    (path / "runs" / "software-s0.json").write_text('{"key": "software-s0", "accuracy": 0.5}')


OLD_ARTICLE = (
    "Hardware(mapping=Mapping(scheme='differential', window=ConductanceWindow(low=6.1e-06, "
    "high=0.0002021), limit=None, beyond='error'), write=WriteError(mean=2.03e-07, "
    "deviation=1.147e-06), cells=None, programming=(), faults=None, read=None, telegraph=None, "
    "retention=None, age=None, temperature=None, conduction=ConductionActivation(low=0.16, "
    "high=0.0, window=ConductanceWindow(low=6.1e-06, high=0.0002021), reference=293.15), "
    "kinetics=KineticsNoise(alpha=0.09537, beta=0.27591, device_alpha=0.0, device_beta=0.0, "
    "correlation=0.0, relative=False, per='train'), quantisation=None, endurance=None, cycles=0.0, "
    "pulse_width=None, arrays=False, tile=(128, 128), lines=None, solver='exact', access=0.0, "
    "dac_bits=None, adc_bits=None, subtract='digital')"
)


@pytest.mark.parametrize(
    "text",
    [
        OLD_ARTICLE,
        OLD_ARTICLE.replace("access=0.0, ", ""),  # of a version without that field
        OLD_ARTICLE.replace("0.09537", "np.float64(0.09537)"),  # of another NumPy
    ],
)
def test_runs_stored_with_the_text_of_their_hardware_are_gone_on_with(
    tmp_path: Path, text: str
) -> None:
    request = {"kind": "modes", "hardware": article(), "tuning": None}
    stored_before(tmp_path / "s", text)
    with ResultStore.open(tmp_path / "s", request) as store:
        assert store.get("software-s0") == {"key": "software-s0", "accuracy": 0.5}
    other = Tuning(epochs=3)
    stored_before(tmp_path / "t", text, repr(other))
    with ResultStore.open(tmp_path / "t", {**request, "tuning": other}) as store:
        assert store.keys() == ["software-s0"]
    with pytest.raises(StorageError, match="hardware was"):
        ResultStore.open(tmp_path / "s", {**request, "hardware": Hardware()})
    with pytest.raises(StorageError, match="tuning was"):
        ResultStore.open(tmp_path / "t", {**request, "tuning": Tuning(epochs=4)})


def test_a_run_is_identified_by_what_differs_from_the_defaults(tmp_path: Path) -> None:
    hardware = Hardware(write=WriteError(mean=np.float64(0.0), deviation=np.float64(1e-6)))
    assert identity(hardware) == {
        "type": "Hardware",
        "write": {"type": "WriteError", "deviation": 1e-6},  # a mean of zero is the default
    }
    with ResultStore.open(tmp_path / "s", {"hardware": hardware}) as store:
        store.keep("a-s0", {"accuracy": 0.5})
    assert "Hardware(" not in (tmp_path / "s" / "request.json").read_text()
    same = Hardware(write=WriteError(0.0, 1e-6))
    with ResultStore.open(tmp_path / "s", {"hardware": same}) as store:
        assert store.keys() == ["a-s0"]
    with pytest.raises(StorageError, match=r"hardware.write.deviation was 1e-06, is 2e-06"):
        ResultStore.open(tmp_path / "s", {"hardware": Hardware(write=WriteError(0.0, 2e-6))})
    with pytest.raises(InputError, match="does not say what a result depends on"):
        identity({"of": object()})
