"""A folder of finished runs: whole files, one process, one purpose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddk.studies.result_store import ResultStore
from ddkbase.errors import StorageError


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
