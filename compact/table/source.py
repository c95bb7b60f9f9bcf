"""Where the trains of a table come from, laid out on the grid of their settings.

`open_source` opens a campaign's store, a record or the file of a laboratory; `gather` lays out the
trains on (amplitude, width, initial_resistance, cycle, device).
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from compact.measured.read_pulses import read_pulses, tables_in
from compact.table.schema import AXES, RELATIVE, TABLE, UNITS
from ddkbase.errors import InputError, StorageError, one_line, shorten
from ddkbase.files import checksum
from ddkbase.records import check_hdf5, check_zarr, read
from ddkbase.units import format_si, to_si

_EQUAL = 0.01  # share by which a setting may scatter within a train
_DONE, _FAILED = 1, 2  # status of a point of a campaign
_KEPT = ("campaign_json", "device_yaml", "settings_json", "protocol_json", "versions_json", "seed")


@dataclass
class Gathered:
    """Trains on a grid.

    Attributes
    ----------
    conductance : ndarray, shape (amplitude, width, initial_resistance, cycle, device, n)
        The trains, first the conductance before the first pulse where it is known; NaN behind the
        end.
    coords : dict of str to ndarray
        Values of the five axes, each increasing; NaN in one of length 1: not known.
    measured : ndarray, ohm
        Initial resistance as read; NaN if not known.
    reasons : ndarray
        Why there is no train; empty where there is one.
    direction : ndarray
        "down", "up", or "" where neither the data nor the amplitude say.
    unit : {"S", "1"}
        Unit of the conductances.
    """

    conductance: np.ndarray
    coords: dict[str, np.ndarray]
    measured: np.ndarray
    reasons: np.ndarray
    direction: np.ndarray
    unit: str
    source: str
    provenance: dict[str, Any] = field(default_factory=dict)

    def checksum(self) -> str:
        """SHA-256 of all numbers that enter the fit."""
        digest = hashlib.sha256()
        for array in (self.conductance, *self.coords.values(), self.measured):
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return f"sha256:{digest.hexdigest()}"


@dataclass
class _Train:
    setting: list[float]
    cycle: int | None
    device: int
    values: np.ndarray
    measured: float
    direction: str


def gather(
    source: Any, given: dict[str, str | None] | None = None, direction: str | None = None
) -> Gathered:
    """Lay out trains on the grid of their settings.

    Parameters
    ----------
    source : str, Path, xarray.Dataset or sequence of xarray.Dataset
        A path; a campaign's dataset; a ``PulseTrace`` or a sequence of them; a dataset of
        `compact.read_pulses`.
    given : dict of str to str or None, or None, optional
        Amplitude, width, initial_resistance as text, for data that do not say them.
    direction : {"down", "up"} or None, optional
        Leave out trains of a file or trace that go the other way.

    Raises
    ------
    InputError
        Something else; a setting that the data say themselves; no train; a train whose pulses are
        not equal.
    StorageError
        As `open_source`.
    """
    given = {k: v for k, v in (given or {}).items() if v is not None}
    if isinstance(source, str | os.PathLike):
        source = open_source(source)
    if hasattr(source, "data_vars"):
        if source.attrs.get("schema") == "PulseCampaign":
            if given:
                raise InputError("a campaign says its settings itself", ", ".join(given))
            return _of_campaign(source)
        traces = [source]
    elif isinstance(source, Sequence) and source and all(hasattr(s, "data_vars") for s in source):
        traces = list(source)
    else:
        raise InputError(
            f"{shorten(source)} holds no pulse trains",
            "source",
            "Give a path, a dataset, or a list of datasets of pulse trains",
        )
    trains = [
        train
        for ds in traces
        for train in _trains_of(ds)
        if direction is None or train.direction in ("", direction)
    ]
    if not trains:
        raise InputError(
            "no train goes this way", str(traces[0].attrs.get("source_file", "source"))
        )
    units = {str(ds["conductance"].attrs.get("units", "1")) for ds in traces}
    if len(units) > 1:
        raise InputError("some conductances have a unit and others have none", "source")
    for name, text in given.items():
        value = to_si(text, UNITS[name], name)
        k = AXES.index(name)
        if any(not np.isnan(train.setting[k]) for train in trains):
            raise InputError(f"the data say the {name.replace('_', ' ')} themselves", name)
        for train in trains:
            train.setting[k] = value
    return _laid_out(trains, units.pop(), traces)


def _of_campaign(ds: xr.Dataset) -> Gathered:
    if ds.attrs.get("schema_version") != 1:
        raise StorageError(
            f"version {ds.attrs.get('schema_version')} of the store is not known here",
            str(ds.attrs.get("source_file", "")),
        )
    dims = (*AXES, "cycle", "device")
    names = ["conductance", "measured_initial_resistance", "status", "reason"]
    name = str(ds.attrs.get("source_file", "a dataset"))
    try:
        ds = ds[names].transpose(*dims, "pulse").load()
    except Exception as error:  # what is damaged shows when it is read
        raise _damaged(name, error) from error
    order = {a: np.argsort(ds[a].values, kind="stable") for a in AXES if ds.sizes[a] > 1}
    ds = ds.isel(order)
    measured = ds["measured_initial_resistance"].values.astype(float)
    status = ds["status"].values
    reasons = np.full(status.shape, "", dtype=object)
    reasons[status != _DONE] = "the point was not computed"
    lost = np.isnan(measured) | np.isnan(ds["conductance"].values).all(-1)
    reasons[lost & (status == _DONE)] = "the store has lost the numbers of this point"
    failed = status == _FAILED
    reasons[failed] = [f"the simulation failed: {r}" for r in ds["reason"].values[failed]]
    values = np.concatenate([1 / measured[..., None], ds["conductance"].values], axis=-1)
    values[status != _DONE] = np.nan
    amplitude = ds["amplitude"].values.astype(float)
    return Gathered(
        values,
        {d: ds[d].values for d in dims},
        measured,
        reasons,
        _by_sign(np.broadcast_to(amplitude[:, None, None, None, None], status.shape)),
        "S",
        name,
        _provenance([ds]),
    )


def _by_sign(amplitude: np.ndarray) -> np.ndarray:
    """Negative amplitudes are RESET, down; positive ones SET, up; NaN: not known."""
    directions = np.full(amplitude.shape, "", dtype=object)
    directions[amplitude < 0] = "down"
    directions[amplitude > 0] = "up"
    return directions


def _trains_of(ds: xr.Dataset) -> list[_Train]:
    if "conductance" not in ds or "pulse" not in ds["conductance"].dims:
        raise InputError("the dataset has no conductance on 'pulse'", "source")
    if not set(ds["conductance"].dims) <= {"train", "pulse"}:
        raise InputError(
            f"conductance has the dimensions {', '.join(map(str, ds['conductance'].dims))}",
            "source",
            "Give (train, pulse), or the dataset of a campaign",
        )
    if "train" not in ds.dims:
        ds = ds.expand_dims("train")
    trains = []
    devices = _numbers_of(ds["device"].values) if "device" in ds and ds["device"].ndim else None
    for k in range(ds.sizes["train"]):
        trace = ds.isel(train=k)
        _refuse_unequal(trace)
        length = int(trace["length"]) if "length" in trace else trace.sizes["pulse"]
        values = trace["conductance"].values.astype(float)[:length]
        first = np.nan
        if "initial_conductance" in trace.variables:
            first = float(trace["initial_conductance"])
        if not np.isnan(first):
            values = np.concatenate([[first], values])
        elif np.isnan(values[:1]).any():  # the first read takes the place of that before the pulses
            values = values[int(np.argmax(np.isfinite(values))) :]
        target = float(trace["wanted_resistance"]) if "wanted_resistance" in trace else np.nan
        setting = [_single(trace, "amplitude"), _single(trace, "width"), target]
        word = str(trace["direction"].values) if "direction" in trace else ""
        if word not in ("up", "down"):
            word = str(_by_sign(np.array([setting[0]]))[0])
        measured = (
            1 / first if ds["conductance"].attrs.get("units") == "S" and first > 0 else np.nan
        )
        cycle = ds.attrs.get("cycle") if ds.sizes["train"] == 1 else None
        if "cycle" in ds.variables and ds["cycle"].dims == ("train",):
            cycle = trace["cycle"].item()
        number = None if cycle is None else int(cycle)
        device = int(ds.attrs.get("device_number", 0)) if devices is None else devices[k]
        trains.append(_Train(setting, number, device, values, measured, word))
    return trains


def _numbers_of(names: np.ndarray) -> list[int]:
    """Numbers of devices: their own if all names are numbers, else in order of appearance."""
    texts = [str(name) for name in names]
    if all(text.isdigit() for text in texts):
        return [int(text) for text in texts]
    order = list(dict.fromkeys(texts))
    return [order.index(text) for text in texts]


def _refuse_unequal(trace: xr.Dataset) -> None:
    """Raise InputError for a train of pulses that differ: alpha and beta are of equal pulses."""
    varied = str(trace["varied"].item()) if "varied" in trace.variables else ""
    for name in ("amplitude", "width"):
        if not varied and name in trace.variables and trace[name].dims == ("pulse",):
            values = trace[name].values
            values = values[np.isfinite(values)]
            if values.size and np.ptp(values) > _EQUAL * np.abs(values).max():
                first, last = (format_si(float(v), UNITS[name]) for v in values[[0, -1]])
                varied = f"{name} from {first} to {last}"
    if varied:
        raise InputError(
            f"the pulses of a train are not equal ({varied}): alpha and beta are of equal pulses",
            str(trace["source"].item()) if "source" in trace.variables else "source",
            "Fit each pulse on its own: ddk-compact updates, compact.fit_updates",
        )


def _single(ds: xr.Dataset, name: str) -> float:
    """The value of all pulses, which may scatter a little; NaN if there is none."""
    if name not in ds.variables:
        return np.nan
    values = np.asarray(ds[name].values, float)
    values = values[~np.isnan(values)]
    if not values.size:
        return np.nan
    exact = float(np.median(values))
    return exact if (values == values[0]).all() else float(f"{exact:.3g}")


def _laid_out(trains: list[_Train], unit: str, sources: list[xr.Dataset]) -> Gathered:
    axes = []
    for k, name in enumerate(AXES):
        values = np.unique([t.setting[k] for t in trains])  # NaN once, at the end
        if values.size > 1 and np.isnan(values[-1]):
            raise InputError(f"the {name.replace('_', ' ')} is known of some trains only", "source")
        axes.append(values)
    positions = [
        tuple(0 if np.isnan(v) else int(np.searchsorted(axis, v)) for v, axis in zip(
            t.setting, axes, strict=True)) for t in trains
    ]  # fmt: skip
    devices = np.unique([t.device for t in trains])
    keys = [(*p, t.cycle, t.device) for p, t in zip(positions, trains, strict=True)]
    counted = any(t.cycle is None for t in trains) or len(set(keys)) < len(keys)
    used: dict[tuple[int, ...], int] = {}
    cycles = []
    for p, t in zip(positions, trains, strict=True):
        at = (*p, t.device)
        used[at] = used.get(at, -1) + 1
        cycles.append(used[at] if counted or t.cycle is None else t.cycle)
    numbers = np.unique(cycles)
    shape = (*(a.size for a in axes), numbers.size, devices.size)
    longest = max(t.values.size for t in trains)
    values = np.full((*shape, longest), np.nan)
    measured, reasons = np.full(shape, np.nan), np.full(shape, "there is no train", dtype=object)
    direction = np.full(shape, "", dtype=object)
    for p, cycle, t in zip(positions, cycles, trains, strict=True):
        at = (*p, int(np.searchsorted(numbers, cycle)), int(np.searchsorted(devices, t.device)))
        values[at][: t.values.size] = t.values
        measured[at], reasons[at], direction[at] = t.measured, "", t.direction
    coords = dict(zip((*AXES, "cycle", "device"), (*axes, numbers, devices), strict=True))
    name = str(sources[0].attrs.get("source_file", "datasets"))
    if len(sources) > 1:
        name = f"{len(sources)} datasets"
    return Gathered(values, coords, measured, reasons, direction, unit, name, _provenance(sources))


def _provenance(sources: list[xr.Dataset]) -> dict[str, Any]:
    """What the sources say of their own origin; of several, what they have in common."""
    origin: dict[str, Any] = {}
    first = sources[0].attrs
    for key in (*_KEPT, "source_checksum", "source_file_checksum", "assumptions", "title"):
        if key in first and all(ds.attrs.get(key) == first[key] for ds in sources):
            value = first[key]
            origin[key] = value.item() if isinstance(value, np.generic) else value
    return json.loads(json.dumps(origin, default=str))


def open_source(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], **columns: Any
) -> xr.Dataset:
    """A campaign's zarr store, a ``PulseTrace`` file, or any files of `compact.read_pulses`.

    Parameters
    ----------
    path : str, Path, or sequence of str or Path
        The store, the file, the folder of files, or several files.
    **columns : dict, optional
        Arguments of `compact.read_pulses`; a file to which they are given is read by it.

    Raises
    ------
    StorageError
        A store that is damaged or of another version.
    InputError
        What `compact.read_pulses` cannot understand; a table of alpha and beta.
    """
    if isinstance(path, Sequence) and not isinstance(path, str | bytes):
        if len(path) != 1:
            return read_pulses(path, **columns)
        path = path[0]
    where = Path(path)
    if where.is_dir():
        if not (where / "zarr.json").exists() and where.suffix != ".zarr" and tables_in(where):
            return read_pulses(where, **columns)
        return _open_store(where)
    if where.suffix.lower() in (".nc", ".nc4") and where.is_file() and not columns:
        try:
            check_hdf5(where, str(where))
            with xr.open_dataset(where, engine="h5netcdf", decode_times=False) as handle:
                schema = handle.attrs.get("schema")
        except Exception:  # read_pulses says what is wrong with it
            schema = None
        if schema in (TABLE, RELATIVE):
            raise InputError(
                "is a table of alpha and beta already, no pulse trains",
                str(where),
                "Use it: ddk-compact show, lookup, export or report",
            )
        if schema == "PulseTrace":
            ds = read(where, "PulseTrace")
            return ds.assign_attrs(
                source_file=str(where), source_file_checksum=f"sha256:{checksum(where)}"
            )
    return read_pulses(where, **columns)


def _open_store(path: Path) -> xr.Dataset:
    if not (path / "zarr.json").is_file():
        raise StorageError(
            "is a folder, but no zarr store",
            str(path),
            "Name the store of 'ddk-device campaign --out', or a file",
        )
    check_zarr(path)
    try:
        with warnings.catch_warnings():  # of what is damaged, but not read here
            warnings.simplefilter("ignore")
            ds = xr.open_zarr(path, chunks=None, consolidated=False)
    except ImportError as error:
        raise InputError("zarr is not installed", str(path), "Run pip install zarr") from error
    except Exception as error:  # zarr, xarray and numcodecs each have their own family
        raise _damaged(str(path), error) from error
    if ds.attrs.get("schema") != "PulseCampaign":
        raise StorageError("it is not the store of a campaign", str(path))
    return ds.assign_attrs(source_file=str(path))


def _damaged(path: str, error: Exception) -> StorageError:
    """What to raise where a library trips over a store."""
    first = shorten(one_line(str(error)) or type(error).__name__, 120)
    return StorageError(f"it cannot be read: damaged? [{first}]", path)
