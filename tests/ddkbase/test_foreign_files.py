"""Files of strangers: nothing of another file is read, memory is bounded, whatever they hold."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import compact
from compact.table.table import AlphaBetaTable
from ddkbase import records
from ddkbase.documents import parse_yaml, read_json
from ddkbase.errors import DDKError, InputError, StorageError
from ddkbase.files import read_bytes
from network import load_network
from network.ddk.constraints import Reachable
from network.model.history import read_history
from tests.synthetic import iv_trace, pulse_trace

RECORDS = Path(__file__).resolve().parents[1] / "records"


def secret(folder: Path) -> Path:
    path = folder / "secret.bin"
    path.write_bytes(np.arange(16.0).tobytes())
    return path


def external_storage(file: h5py.File, folder: Path) -> None:
    file.create_dataset("conductance", (16,), "f8", external=[(str(secret(folder)), 0, 128)])


def external_link(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["conductance"] = np.arange(16.0)
    file["conductance"] = h5py.ExternalLink(str(folder / "other.h5"), "/conductance")


def virtual(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["conductance"] = np.arange(16.0)
    layout = h5py.VirtualLayout((16,), "f8")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "conductance", (16,))
    file.create_virtual_dataset("conductance", layout)


def below(make: Callable[[h5py.File, Path], None]) -> Callable[[h5py.File, Path], None]:
    return lambda file, folder: make(file.create_group("a").create_group("b"), folder)


def too_large(file: h5py.File, folder: Path) -> None:
    file.create_dataset("conductance", (10**9,), "f8", chunks=(10**6,), compression="gzip")


READERS: dict[str, Callable[[Path], Any]] = {
    "record": records.read,
    "measured": compact.read_pulses,
    "table": AlphaBetaTable.read,
    "history": read_history,
    "fit": lambda path: compact.AlphaBetaTable.fit(path),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("ending", ["nc", "mat"])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (external_storage, "'/conductance' is stored elsewhere"),
        (external_link, "'/conductance' is a link to another file"),
        (virtual, "'/conductance' is a virtual dataset"),
        (below(external_storage), "'/a/b/conductance' is stored elsewhere"),
        (below(external_link), "'/a/b/conductance' is a link to another file"),
        (too_large, "its content is larger than 1"),
    ],
)
def test_no_file_is_read_through_another(
    tmp_path: Path, reader: str, ending: str, make: Any, words: str
) -> None:
    if ending == "mat" and reader not in ("measured", "fit"):
        pytest.skip("reads no MATLAB files")
    path = tmp_path / f"x.{ending}"
    with h5py.File(path, "w", userblock_size=512 if ending == "mat" else 0) as file:
        make(file, tmp_path)
    if ending == "mat":
        content = bytearray(path.read_bytes())
        head = b"MATLAB 7.3 MAT-file, Platform: x".ljust(124) + b"\x00\x02IM"
        content[:128] = head
        path.write_bytes(content)
    with pytest.raises((StorageError, InputError)) as caught:
        READERS[reader](path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_group_that_holds_itself_and_a_soft_link_are_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("a")
        group["again"] = group
        group["soft"] = h5py.SoftLink("/nowhere")
        file["x"] = np.arange(3.0)
    records.check_hdf5(path, "x")


def test_the_limit_can_be_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"a": "x" * 5000}))
    monkeypatch.setenv("DDK_READ_LIMIT", "4e3")
    with pytest.raises(StorageError, match=r"larger than 4,000 bytes.*DDK_READ_LIMIT"):
        read_json(path)
    monkeypatch.setenv("DDK_READ_LIMIT", "1e4")
    assert read_json(path)["a"]
    for text in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv("DDK_READ_LIMIT", text)
        with pytest.raises(InputError, match="no number of bytes"):
            read_json(path)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(StorageError, match="not a regular file"):
            read_json(path)
        with pytest.raises(StorageError, match="not a regular file"):
            read_bytes(path)


def test_a_merge_key_is_refused() -> None:
    with pytest.raises(InputError, match=r"merge keys.*line 2, column 3"):
        parse_yaml("a:\n  <<: {x: 1}\n  y: 2")
    assert parse_yaml("a: '<<'") == {"a": "<<"}


def test_a_small_file_does_not_ask_for_large_weights(tmp_path: Path) -> None:
    source = RECORDS / "net" / "model.npz"
    with np.load(source) as archive:
        arrays = dict(archive)
    described = json.loads(arrays["network.json"].tobytes())
    for layer in described["layers"]:
        if layer["class"] == "Dense":
            layer["config"]["outputs"] = 10**6
            break
    arrays["network.json"] = np.frombuffer(json.dumps(described).encode(), np.uint8)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    path = tmp_path / "model.npz"
    path.write_bytes(stream.getvalue())
    with pytest.raises(StorageError, match=r"parameters are asked for, the file holds") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


# -- attributes are data of strangers -----------------------------------------------------------

ODD: list[Any] = [
    "²", "1.5", "", "null", "[]", "{", "{}", "[1, 2", '{"a": 1}', "\x00", "é" * 300, "NaN",
    "1" * 5000, "[" * 3000, -1, 0, 2, 10**18, 1.5, float("nan"), float("inf"), b"\xff\xfe",
    np.array([1, 2, 3]), np.array([], float), np.array(["a", "b"], object), True,
    '{"SET voltage": "high"}', '{"loops": "many"}', '{"loops": [[]]}', "Infinity",
]  # fmt: skip


def odd_value(rng: np.random.Generator) -> Any:
    return ODD[int(rng.integers(len(ODD)))]


def spoiled(path: Path, rng: np.random.Generator) -> str:
    """Change one thing of a record: an attribute of it or of a variable, a shape, a type."""
    with h5py.File(path, "r+") as file:
        names = [n for n in file if isinstance(file[n], h5py.Dataset)]
        name = names[int(rng.integers(len(names)))]
        kind = int(rng.integers(6))
        owner = file if kind < 3 else file[name]
        if kind < 4:
            keys = [k for k in owner.attrs if not k.startswith("_") and k not in ("CLASS", "NAME")]
            key = keys[int(rng.integers(len(keys)))] if keys else "units"
            value = odd_value(rng)
            del_or_set = rng.random() < 0.1
            try:
                if key in owner.attrs:
                    del owner.attrs[key]
                if not del_or_set:
                    owner.attrs[key] = value
            except (TypeError, ValueError, RuntimeError, OSError):
                pass  # HDF5 itself does not take it
            return f"{name if kind == 3 else ''} {key} = {str(value)[:40]!r}"
        shape = file[name].shape
        attributes = dict(file[name].attrs) if rng.random() < 0.5 else {}
        del file[name]
        dtype = ["i1", "u8", "f4", "c16", "S3", "?", "f8"][int(rng.integers(7))]
        new = shape if kind == 4 else (*shape, 2)
        made = file.create_dataset(name, new, dtype)
        for key, value in attributes.items():
            if key not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME"):
                made.attrs[key] = value
        return f"{name}: {dtype} {new}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return {
        "iv": records.write(iv_trace(fine=4, frames=6), folder / "iv.nc"),
        "pulses": records.write(pulse_trace([-2.0] * 3), folder / "pulses.nc"),
        "table": RECORDS / "table.nc",
        "comparison": RECORDS / "compare" / "comparison.nc",
    }


@pytest.mark.parametrize("kind", ["iv", "pulses", "table", "comparison"])
def test_whatever_a_record_holds_it_is_one_line(
    whole: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    """`DDK_FUZZ` changes a record; 60 by default."""
    number = int(os.environ.get("DDK_FUZZ", "60"))
    content = whole[kind].read_bytes()
    refused = 0
    for seed in range(number):
        path = tmp_path / "x.nc"
        path.write_bytes(content)
        what = spoiled(path, np.random.default_rng([seed, 18]))
        try:
            use(path, kind)
        except (StorageError, InputError) as error:
            refused += 1
            assert "\n" not in str(error), (seed, what)
        except DDKError as error:
            raise AssertionError((seed, what)) from error
        except Exception as error:
            raise AssertionError(f"seed {seed}: {what}") from error
    assert refused > number // 4


def test_a_small_record_of_millions_of_chunks_is_refused(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    """HDF5 takes 2 kB for each chunk that is read, also where the chunk holds a few bytes."""
    path = tmp_path / "x.nc"
    path.write_bytes(whole["table"].read_bytes())
    with h5py.File(path, "r+") as file:
        file.create_dataset("more", (1_000_000,), "i1", chunks=(7,))
    with pytest.raises(StorageError, match="its content is larger than"):
        AlphaBetaTable.read(path)


def test_a_variable_of_another_length_is_told_before_its_values_are_used(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "x.nc"
    path.write_bytes(whole["iv"].read_bytes())
    with h5py.File(path, "r+") as file:
        attributes = {k: file["voltage"].attrs[k] for k in ("units", "long_name")}
        del file["voltage"]
        file.create_dataset("voltage", (1,), "f8").attrs.update(attributes)
    with pytest.raises(StorageError, match=r"has dimensions .* expected"):
        records.read(path)


@pytest.mark.parametrize("key", ["units", "long_name", "schema", "schema_version"])
def test_a_list_where_a_text_is_due(whole: dict[str, Path], key: str, tmp_path: Path) -> None:
    path = tmp_path / "x.nc"
    for value in (np.array([1, 2, 3]), np.array([], float)):
        path.write_bytes(whole["table"].read_bytes())
        with h5py.File(path, "r+") as file:
            owner = file["alpha"] if key in ("units", "long_name") else file
            del owner.attrs[key]
            owner.attrs[key] = value
        with pytest.raises(StorageError, match=f"has no {key}|names no schema"):
            use(path, "table")


def test_a_task_without_a_split_and_pairs_that_are_not_finite(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "x.nc"
    path.write_bytes(whole["comparison"].read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["task_json"] = '{"seeds": 2}'
    with pytest.raises(StorageError, match=r"does not hold what a record should.*'split'"):
        use(path, "comparison")
    with pytest.raises(InputError, match="not finite"):
        Reachable.from_triangles([[[1.0, 2.0], [np.inf, 3.0], [1.0, 1.0]]])


def use(path: Path, kind: str) -> None:
    """Do with a record what commands do with it."""
    from devicephys import run

    if kind in ("iv", "pulses"):
        ds = records.read(path)
        run.table(ds)
        run.entries(ds)
    elif kind == "table":
        table = AlphaBetaTable.read(path)
        assert table.provenance is not None
        assert str(table)
    else:
        from ddk.studies.comparison import comparison_rows, read_comparison

        comparison_rows(read_comparison(path))


@pytest.mark.parametrize("deep", [False, True])
def test_more_entries_than_a_record_has_are_refused(tmp_path: Path, deep: bool) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group: Any = file
        for k in range(70 if deep else 10_001):
            group = group.create_group("g") if deep else file.create_group(f"g{k}") and file
        group["conductance"] = np.linspace(1e-5, 2e-5, 20)
    with pytest.raises(InputError, match="more than 10000 entries, or groups deeper than 64"):
        compact.read_pulses(tmp_path / "a.h5")
