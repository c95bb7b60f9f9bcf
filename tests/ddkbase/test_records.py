"""Records: what is written is read back, and what is wrong is said."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddkbase import records
from ddkbase.errors import StorageError
from ddkbase.schemas import SCHEMAS, Schema, VariableSpec, find_schema, labelled
from tests.synthetic import iv_trace

ROOT = Path(__file__).resolve().parents[2]
SMALL: dict[str, Any] = {"fine": 4, "frames": 4, "steps": 80}


def without_rejected(ds: xr.Dataset) -> xr.Dataset:
    return ds.isel(rejected=slice(0, 0))


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = records.write(iv_trace(**SMALL), tmp_path_factory.mktemp("content") / "iv.nc")
    return path.read_bytes()


@pytest.mark.parametrize(
    "ds",
    [
        iv_trace(**SMALL),
        iv_trace(loops=2, **SMALL),
        iv_trace(complete=False, warning="inaccurate", **SMALL),
        without_rejected(iv_trace(**SMALL)),
        iv_trace(**SMALL).isel(frame=slice(0, 0), point=slice(0, 0)),
        iv_trace(**SMALL).isel(time=slice(0, 1)),
    ],
    ids=["one", "two loops", "incomplete", "none rejected", "no maps", "one step"],
)
def test_what_is_written_is_read_back(ds: xr.Dataset, tmp_path: Path) -> None:
    path = records.write(ds, tmp_path / "iv.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["iv.nc"]
    xr.testing.assert_identical(records.read(path, "IVTrace"), ds)


def test_the_fields_are_compressed(tmp_path: Path) -> None:
    path = records.write(iv_trace(), tmp_path / "iv.nc")
    with h5py.File(path) as handle:
        assert handle["vacancy_concentration_frame"].compression == "gzip"
        assert handle["temperature_frame"].compression_opts == 4


def test_the_file_gets_the_permissions_that_the_user_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = records.write(iv_trace(**SMALL), tmp_path / "iv.nc")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "iv.nc"
    path.write_text("precious")
    with pytest.raises(StorageError, match="exists already"):
        records.write(iv_trace(**SMALL), path)
    with pytest.raises(StorageError, match="exists already"):
        records.write_bytes(path, b"other")
    assert path.read_text() == "precious"
    records.write(iv_trace(**SMALL), path, overwrite=True)
    assert records.read(path).sizes["frame"] == 4
    assert [p.name for p in tmp_path.iterdir()] == ["iv.nc"]


def test_of_many_writers_of_one_name_one_succeeds(tmp_path: Path) -> None:
    def attempt(number: int) -> int | None:
        try:
            records.write_bytes(tmp_path / "one", bytes([number]) * 1000)
        except StorageError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [n for n in pool.map(attempt, range(16)) if n is not None]
    assert len(winners) == 1
    assert (tmp_path / "one").read_bytes() == bytes([winners[0]]) * 1000
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_leaves_no_file(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=os.strerror(code)):
        records.write(iv_trace(**SMALL), tmp_path / "iv.nc")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", fail)
    path = records.write_bytes(tmp_path / "one", b"1")
    with pytest.raises(StorageError, match="exists already"):
        records.write_bytes(path, b"2")
    assert path.read_bytes() == b"1"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_leaves_no_file_and_the_process_ends_well(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from ddkbase import records\n"
        "from ddkbase.errors import StorageError\n"
        "from tests.synthetic import iv_trace\n"
        "try:\n"
        "    records.write(iv_trace(fine=4, frames=4), sys.argv[1])\n"
        "except StorageError as exc:\n"
        "    sys.exit(str(exc))\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(tmp_path / "iv.nc")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("the file cannot be written: File too large")
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["missing/iv.nc", "file/iv.nc", "x" * 300])
def test_a_path_that_cannot_be_is_a_storage_error(where: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        records.write(iv_trace(**SMALL), tmp_path / where)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_a_storage_error(
    share: float, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "cut.nc"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(StorageError, match="cut off") as info:
        records.read(path)
    assert str(path) in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("size", [0, 1, 8, 100, -1])
def test_a_file_cut_at_its_ends_is_a_storage_error(
    size: int, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "cut.nc").write_bytes(content[:size])
    with pytest.raises(StorageError, match="cut off"):
        records.read(tmp_path / "cut.nc")


def test_damaged_maps_are_noticed(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "iv.nc"
    path.write_bytes(content)
    with h5py.File(path) as handle:
        chunk = handle["temperature_frame"].id.get_chunk_info(2)
    damaged = bytearray(content)
    damaged[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(StorageError, match="damaged"):
        records.read(path)


def test_what_is_no_netcdf_is_a_storage_error(tmp_path: Path) -> None:
    text = tmp_path / "text.nc"
    text.write_text("voltage,current\n0,0\n")
    with pytest.raises(StorageError, match="not a NetCDF-4 file"):
        records.read(text)
    with pytest.raises(StorageError, match="no such file"):
        records.read(tmp_path)
    with pytest.raises(StorageError, match="no such file"):
        records.read(tmp_path / "none.nc")
    with h5py.File(tmp_path / "other.h5", "w") as handle:
        handle["a"] = np.zeros(3)
    with pytest.raises(StorageError):
        records.read(tmp_path / "other.h5")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "foreign.nc", engine="h5netcdf")
    with pytest.raises(StorageError, match="names no schema"):
        records.read(tmp_path / "foreign.nc")


def test_another_record_than_the_expected_one_is_refused(tmp_path: Path) -> None:
    path = records.write(iv_trace(**SMALL), tmp_path / "iv.nc")
    with pytest.raises(StorageError, match="'PulseTrace' was expected, it is a 'IVTrace'"):
        records.read(path, "PulseTrace")


def test_a_variable_of_ones_own_is_allowed(tmp_path: Path) -> None:
    ds = iv_trace(**SMALL)
    ds["noise"] = records.label(np.zeros(ds.sizes["time"]), "time", "A", "Noise current")
    path = records.write(ds, tmp_path / "iv.nc")
    assert records.read(path)["noise"].attrs == {"units": "A", "long_name": "Noise current"}


def test_label_wants_units_and_a_name() -> None:
    assert records.label([1.0], "time", "V", "Voltage").dims == ("time",)
    for units, name in (("", "Voltage"), ("V", "")):
        with pytest.raises(ValueError, match="units and a long name"):
            records.label([1.0], "time", units, name)
    with pytest.raises(ValueError, match="dimension"):
        records.label([[1.0]], "time", "V", "Voltage")


@pytest.mark.parametrize(("name", "version"), list(SCHEMAS))
def test_every_record_of_the_toolkit_is_found_by_name(name: str, version: int) -> None:
    schema = find_schema(name, str(version))
    assert schema is not None
    assert (schema.name, schema.version) == (name, version)


def test_any_record_can_be_read_with_nothing_else_imported() -> None:
    code = (
        "import sys\n"
        "from ddkbase import records\n"
        "print(records.read(sys.argv[1]).attrs['schema'])\n"
    )
    for path in ("table.nc", "kinetics/kinetics.nc", "compare/comparison.nc", "iv/iv.nc"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(ROOT / "tests" / "records" / path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def own_record() -> tuple[Schema, xr.Dataset]:
    schema = Schema("Mine", 3, {"x": VariableSpec(("k",), "V", long_name="my voltage")})
    attrs = {"schema": "Mine", "schema_version": 3}
    return schema, xr.Dataset(labelled(schema, {"x": [1.0, 2.0]}), attrs=attrs)


def test_a_record_of_ones_own(tmp_path: Path) -> None:
    schema, ds = own_record()
    path = records.write(ds, tmp_path / "mine.nc", schema=schema)
    assert records.read(path, schema)["x"].attrs == {"units": "V", "long_name": "my voltage"}
    with pytest.raises(StorageError, match="unknown record 'Mine' version 3"):
        records.read(path)
    with pytest.raises(StorageError, match="a record 'Mine' was expected, it is a 'IVTrace'"):
        records.read(ROOT / "tests" / "records" / "iv" / "iv.nc", schema)


def test_an_installed_package_declares_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema, ds = own_record()
    path = records.write(ds, tmp_path / "mine.nc", schema=schema)

    class Entry:
        def load(self) -> Schema:
            return schema

    monkeypatch.setattr(metadata, "entry_points", lambda group: [Entry()])
    assert records.read(path).identical(ds)
