"""Where the trains of a table come from: a campaign's store, a record, or the file of a lab."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddkbase.errors import InputError, StorageError, one_line, shorten

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["damaged", "open_source"]


def open_source(path: str | os.PathLike[str], **columns: Any) -> xr.Dataset:
    """A campaign's zarr store, a ``PulseTrace`` file, or any file of `compact.read_pulses`.

    Raises
    ------
    StorageError
        A store that is damaged or of another version.
    InputError
        What `compact.read_pulses` cannot understand.
    """
    import xarray as xr

    from compact.measured.netcdf import probe_hdf5

    where = Path(path)
    if where.is_dir():
        return _open_store(where)
    if where.suffix.lower() in (".nc", ".nc4") and where.is_file() and not columns:
        try:
            probe_hdf5(where)
            with xr.open_dataset(where, engine="h5netcdf", decode_times=False) as handle:
                schema = handle.attrs.get("schema")
        except Exception:  # read_pulses says what is wrong with it
            schema = None
        if schema == "PulseTrace":
            from ddkbase.records import read

            ds = read(where, "PulseTrace")
            return ds.assign_attrs(source_file=str(where), source_file_checksum=_sha256(where))
    from compact.measured.read_pulses import read_pulses

    return read_pulses(where, **columns)


def _sha256(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _open_store(path: Path) -> xr.Dataset:
    import xarray as xr

    if not (path / "zarr.json").is_file():
        raise StorageError(
            "is a folder, but no zarr store",
            str(path),
            "Name the store of 'ddk-device campaign --out', or a file",
        )
    try:
        with warnings.catch_warnings():  # of what is damaged, but not read here
            warnings.simplefilter("ignore")
            ds = xr.open_zarr(path, chunks=None, consolidated=False)
    except ImportError as error:
        raise InputError("zarr is not installed", str(path), "pip install zarr") from error
    except Exception as error:  # zarr, xarray and numcodecs each have their own family
        raise damaged(str(path), error) from error
    if ds.attrs.get("schema") != "PulseCampaign":
        raise StorageError("it is not the store of a campaign", str(path))
    return ds.assign_attrs(source_file=str(path))


def damaged(path: str, error: Exception) -> StorageError:
    """What to raise where a library trips over a store."""
    first = shorten(one_line(str(error)) or type(error).__name__, 120)
    return StorageError(f"it cannot be read: damaged? [{first}]", path)
