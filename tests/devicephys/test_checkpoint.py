"""Checkpoints: whole or not there, whatever kills the process that writes them."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ddkbase.errors import InputError, StorageError
from devicephys.run.folder import CHECKPOINT as NAME
from devicephys.simulation import checkpoint as module
from devicephys.simulation.checkpoint import Checkpoint

ROOT = Path(__file__).resolve().parents[2]
ARRAYS = {"state": np.linspace(0.0, 1.0, 2000).reshape(40, 50), "file": np.array([1, 2, 3])}
META: dict[str, Any] = {"fingerprint": "abc", "pulse": 7, "time": 0.1}


def load(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    found = Checkpoint(folder, 1).load()
    assert found is not None
    return found


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path, 5).load() is None
    Checkpoint(tmp_path, 5).save(ARRAYS, META)
    arrays, meta = load(tmp_path)
    assert meta == META
    assert sorted(arrays) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)
    Checkpoint(tmp_path, 5).save({}, {})
    assert load(tmp_path) == ({}, {})
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    array=hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.bool_, np.dtype("U5")]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    time=st.floats(allow_nan=False),
)
def test_any_array_and_any_number_come_back_to_the_last_bit(
    array: np.ndarray, time: float, tmp_path: Path
) -> None:
    Checkpoint(tmp_path, 1).save({"a": array}, {"time": time})
    arrays, meta = load(tmp_path)
    assert arrays["a"].tobytes() == array.tobytes()
    assert (arrays["a"].shape, arrays["a"].dtype) == (array.shape, array.dtype)
    assert meta["time"] == time


def test_remove(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, 1)
    checkpoint.remove()  # there is none: fine
    checkpoint.save(ARRAYS, META)
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / NAME).mkdir()
    with pytest.raises(StorageError, match="cannot be removed"):
        checkpoint.remove()


@pytest.mark.parametrize("every", [0, -1, True, 2.0, "3"])
def test_every_is_a_whole_number_from_1(every: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no number of pulses or steps"):
        Checkpoint(tmp_path, every)


def test_objects_are_refused_and_never_read(tmp_path: Path) -> None:
    objects = np.array([{}], dtype=object)
    with pytest.raises(ValueError, match="cannot be kept"):
        Checkpoint(tmp_path, 1).save({"a": objects}, {})
    with pytest.raises(TypeError):
        Checkpoint(tmp_path, 1).save({}, {"a": Path()})
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / NAME, a=objects)
    with pytest.raises(StorageError, match="cut off, damaged"):
        Checkpoint(tmp_path, 1).load()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_one_clear_error(share: float, tmp_path: Path) -> None:
    Checkpoint(tmp_path, 1).save(ARRAYS, META)
    content = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(content[: int(share * len(content))])
    with pytest.raises(StorageError, match="cut off, damaged") as info:
        Checkpoint(tmp_path, 1).load()
    assert str(tmp_path / NAME) in str(info.value)
    assert "Remove this file" in str(info.value)


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_is_found_or_harmless(seed: int, tmp_path: Path) -> None:
    Checkpoint(tmp_path, 1).save(ARRAYS, META)
    content = bytearray((tmp_path / NAME).read_bytes())
    content[random.Random(seed).randrange(len(content))] ^= 1 << seed % 8
    (tmp_path / NAME).write_bytes(content)
    try:
        arrays, meta = load(tmp_path)
    except StorageError:
        return
    assert meta == META
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_a_checkpoint_of_another_version_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VERSION", 2)
    Checkpoint(tmp_path, 1).save(ARRAYS, META)
    monkeypatch.undo()
    with pytest.raises(StorageError, match="format 2, this version reads 1"):
        Checkpoint(tmp_path, 1).load()


def test_a_missing_array_is_found(tmp_path: Path) -> None:
    head = json.dumps({"version": 1, "arrays": ["state"], "meta": {}}).encode()
    np.savez(tmp_path / NAME, head=np.frombuffer(head, dtype=np.uint8))
    with pytest.raises(StorageError, match="arrays are missing"):
        Checkpoint(tmp_path, 1).load()


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(StorageError, match="it is no file"):
        Checkpoint(tmp_path, 1).load()


def test_a_full_disk_leaves_the_previous_one(tmp_path: Path) -> None:
    Checkpoint(tmp_path, 1).save(ARRAYS, META)
    code = (
        "import sys, pathlib, numpy as np\n"
        "from devicephys.simulation.checkpoint import Checkpoint\n"
        "from ddkbase.errors import StorageError\n"
        "try:\n"
        "    Checkpoint(pathlib.Path(sys.argv[1]), 1).save({'a': np.zeros(100_000)}, {})\n"
        "except StorageError as exc:\n"
        "    print(exc)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert "cannot be written: File too large" in done.stdout, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert load(tmp_path)[1] == META


_SAVE_FOR_EVER = """
import itertools, pathlib, sys
import numpy as np
from devicephys.simulation.checkpoint import Checkpoint

checkpoint = Checkpoint(pathlib.Path(sys.argv[1]), 1)
for k in itertools.count(int(sys.argv[2])):
    checkpoint.save({"state": np.full(50_000, float(k))}, {"k": k})
    if k == int(sys.argv[2]):
        print("started", flush=True)
"""


def test_a_process_killed_while_it_saves_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    rng = random.Random(1)
    last = -1
    for _ in range(12):
        job = subprocess.Popen(
            [sys.executable, "-c", _SAVE_FOR_EVER, str(tmp_path), str(last + 1)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert job.stdout is not None
        assert job.stdout.readline() == "started\n"
        time.sleep(rng.uniform(0.0, 0.05))
        job.send_signal(signal.SIGKILL)
        job.communicate(timeout=300)
        arrays, meta = load(tmp_path)
        assert meta["k"] > last
        last = meta["k"]
        np.testing.assert_array_equal(arrays["state"], np.full(50_000, float(last)))
