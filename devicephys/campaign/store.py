"""The zarr store of a campaign: made whole, filled point by point, taken up again.

Only the process that runs the campaign writes, under a lock; workers hand their arrays back. A
point is one chunk file of every variable, each written under a temporary name, synced and moved;
``status`` comes last. So a process that is killed leaves every point either whole or missing, and
nothing of when or how often that happened gets into the arrays.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
import zarr

from ddkbase.documents import parse_yaml
from ddkbase.errors import InputError, StorageError, first_line, one_line, shorten
from ddkbase.files import storage_errors, sweep
from ddkbase.folders import lock, new_folder
from ddkbase.records import check_zarr
from devicephys import installation
from devicephys.campaign.description import Campaign, Point
from devicephys.campaign.layout import (
    DONE,
    FAILED,
    MISSING,
    POINT_DIMS,
    REASON_LENGTH,
    SCHEMA,
    VARIABLES,
    VERSION,
    check_schema,
    coordinates,
    point_variables,
)

_UNWRITABLE = "the store cannot be written"
_MAKE_ROOM = "Make room, or choose a folder you may write to; finished points are kept"
_FREE = ("description", "mark", "source")  # may be reworded
_NOWHERE = object()
_NUMBERS = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")
#: how many files of a point wait for the disk at once
_SYNCED = 8


class CampaignStore:
    """The store of a campaign, open for writing; use ``CampaignStore.open`` as a context.

    ``status`` is an array of shape (amplitude, width, initial_resistance, cycle, device) with 0
    missing, 1 done, 2 failed.
    """

    def __init__(self, path: Path, group: zarr.Group, campaign: Campaign) -> None:
        self.path = path
        self.campaign = campaign
        self._syncing = ThreadPoolExecutor(_SYNCED, "sync")
        self.versions: dict[str, str] = json.loads(str(group.attrs["versions_json"]))
        self._arrays = {name: _array(group, name, path) for name in point_variables()}
        try:
            self.status = np.array(self._arrays["status"][...])
        except Exception as error:  # of a codec, or of the system
            raise StorageError(
                f"the store is damaged: 'status' cannot be read [{first_line(error)}]", str(path)
            ) from error
        self._reset_torn_points()

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: str | os.PathLike[str], campaign: Campaign) -> Iterator[Self]:
        """Lock the store, make it if there is none, and compare it with the campaign.

        Raises StorageError: another campaign works on it, it is damaged, or it cannot be written.
        InputError: it belongs to another campaign; the key that differs is named.
        """
        path = Path(os.path.abspath(path))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(error, path.parent) from error
        with locked(path), _chunks_of_one_value_too():
            sweep(path.parent, path.name)
            if not path.exists():
                _make(path, campaign)
            yield cls(path, _open(path, campaign), campaign)

    def missing(self, retry_failed: bool) -> list[Point]:
        """Points still to be computed, in order; with ``retry_failed`` those that failed, too."""
        open_ = (MISSING, FAILED) if retry_failed else (MISSING,)
        return [point for point in self.campaign.points() if self.status[point] in open_]

    def write(self, point: Point, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep the result of a point: shape (pulse,) for each per-pulse variable, else ().

        Raises StorageError: the disk is full or cannot be written; the point then counts as
        missing.
        """
        self._put(point, arrays, "", DONE)

    def fail(self, point: Point, reason: str) -> None:
        """Note that a point failed, and why; its values are NaN. Raises as ``write``."""
        nothing = {
            name: np.full(self.campaign.pulse_count if v.per_pulse else (), np.nan)
            for name, v in VARIABLES.items()
        }
        self._put(point, nothing, _cut(one_line(reason)), FAILED)

    def counts(self) -> tuple[int, int, int]:
        """How many points are done, failed and missing."""
        done, failed = (int((self.status == kind).sum()) for kind in (DONE, FAILED))
        return done, failed, self.status.size - done - failed

    def reasons(self) -> list[tuple[str, int]]:
        """Reasons of the failed points and how often each, the most frequent first.

        Reasons that differ in numbers only count as one; the first of them is given.
        """
        failed = [Point(*map(int, indices)) for indices in np.argwhere(self.status == FAILED)]
        texts = [str(self._arrays["reason"][point]) for point in failed]
        first: dict[str, str] = {}
        for text in texts:
            first.setdefault(_NUMBERS.sub("#", text), text)
        counts = Counter(_NUMBERS.sub("#", text) for text in texts)
        return [(first[kind], count) for kind, count in counts.most_common()]

    def _put(
        self, point: Point, arrays: Mapping[str, np.ndarray], reason: str, status: int
    ) -> None:
        try:
            if self.status[point] != MISSING:  # values may not change below a valid status
                self._set("status", point, MISSING)
                self.status[point] = MISSING
            files = [self._write(name, point, arrays[name]) for name in VARIABLES]
            files.append(self._write("reason", point, reason))
            # a disk that takes milliseconds a file would hold up a campaign on many cores
            list(self._syncing.map(_sync, files))
            self._set("status", point, status)
        except OSError as error:
            raise _unwritable(error, self.path) from error
        self.status[point] = status

    def _set(self, name: str, point: Point, value: Any) -> None:
        _sync(self._write(name, point, value))

    def _write(self, name: str, point: Point, value: Any) -> Path:
        """Write a value, and return its file, which is not synced yet."""
        per_pulse = point_variables()[name].per_pulse
        self._arrays[name][(*point, slice(None)) if per_pulse else point] = value
        return self.path / name / _chunk(point, per_pulse)

    def _reset_torn_points(self) -> None:
        """Points of which a chunk is gone, e.g. after a copy that was cut short, are missing."""
        there: dict[str, set[str]] = {}
        for name in self._arrays:
            there[name] = set()
            for entry in os.scandir(self.path / name):
                if entry.name.endswith(".partial"):  # of a process that was killed
                    os.unlink(entry.path)
                elif entry.stat().st_size > 0:
                    there[name].add(entry.name)
        for indices in np.argwhere(self.status != MISSING):
            point = Point(*map(int, indices))
            if any(
                _chunk(point, variable.per_pulse) not in there[name]
                for name, variable in point_variables().items()
            ):
                self._set("status", point, MISSING)
                self.status[point] = MISSING


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the lock of ``store``, the file ``.NAME.lock`` beside it, while the context is open.

    Raises StorageError: another process holds it, it cannot be made, or the file system has no
    locks.
    """
    busy = StorageError(
        "another campaign is working on this store",
        str(store),
        "Wait until it has ended, or choose another --out",
    )
    with storage_errors(_UNWRITABLE, store, "Choose a folder you may write to after --out"):
        held = lock(store.with_name(f".{store.name}.lock"), busy, create=True)
    try:
        if not held.real:
            raise StorageError(
                "this file system has no locks, two campaigns could mix there",
                str(store),
                "Choose a --out on another disk",
            )
        yield
    finally:
        held.release(remove=True)


def _sync(path: Path) -> None:
    """Bring a file to the disk: zarr moves a finished one into place, and does not sync it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _cut(text: str) -> str:
    return text if len(text) <= REASON_LENGTH else text[: REASON_LENGTH - 3] + "..."


def _chunk(point: Point, per_pulse: bool) -> str:
    """Name of the chunk file of a point."""
    return ".".join(["c", *map(str, point), *(["0"] if per_pulse else [])])


@contextlib.contextmanager
def _chunks_of_one_value_too() -> Iterator[None]:
    """zarr leaves out chunks that hold nothing but the fill value; here each is a file, so that a
    missing file is a missing point."""
    with zarr.config.set({"array.write_empty_chunks": True}):
        yield


def _make(path: Path, campaign: Campaign) -> None:
    """Build an empty store under a temporary name, then move it."""
    attributes: dict[str, Any] = {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "title": campaign.name,
        "description": campaign.description,
        "campaign_json": json.dumps(campaign.to_dict()),
        "device_yaml": campaign.device.to_yaml(),
        "settings_json": json.dumps(campaign.settings.to_dict()),
        "versions_json": json.dumps(installation.versions()),
        "voltage_reference": campaign.device.voltage_reference,
        "seed": campaign.seed,
        "source_checksum": campaign.source_checksum,
    }
    with new_folder(path, message=_UNWRITABLE, hint=_MAKE_ROOM) as scratch:
        group = zarr.open_group(scratch, mode="w", zarr_format=3, attributes=attributes)
        for name, (values, units, long_name) in coordinates(campaign).items():
            group.create_array(
                name,
                data=values,
                chunks=values.shape,
                dimension_names=(name,),
                attributes={"units": units, "long_name": long_name},
            )
        for name, variable in point_variables().items():
            shape: tuple[int, ...] = campaign.shape
            dims: tuple[str, ...] = POINT_DIMS
            chunks: tuple[int, ...] = (1,) * len(shape)
            if variable.per_pulse:
                pulses = campaign.pulse_count
                shape, dims, chunks = (*shape, pulses), (*dims, "pulse"), (*chunks, pulses)
            kind, fill = _kind(name)
            group.create_array(
                name,
                shape=shape,
                chunks=chunks,
                dtype=kind,
                fill_value=fill,
                dimension_names=dims,
                chunk_key_encoding={"name": "default", "separator": "."},
                attributes={"units": variable.units, "long_name": variable.long_name},
            )
        with warnings.catch_warnings():  # that other readers of zarr 3 may not know it
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(scratch, zarr_format=3)


def _kind(name: str) -> tuple[str, Any]:
    """Kind of number and fill value of a variable."""
    return {"status": ("int8", MISSING), "reason": (f"U{REASON_LENGTH}", "")}.get(
        name, ("float64", np.nan)
    )


def _open(path: Path, campaign: Campaign) -> zarr.Group:
    if not (path / "zarr.json").is_file():
        raise StorageError(
            "there is something else than the store of a campaign",
            str(path),
            "Choose another --out",
        )
    check_zarr(path)
    try:
        group = zarr.open_group(path, mode="r+", use_consolidated=False)
    except Exception as error:  # JSON, zarr and the system each have their own family
        raise StorageError(f"the store is damaged [{first_line(error)}]", str(path)) from error
    check_schema(group.attrs, str(path))
    check_campaign(group.attrs, campaign, str(path))
    return group


def _array(group: zarr.Group, name: str, path: Path) -> zarr.Array[Any]:
    try:
        array = group[name]
    except Exception as error:
        raise StorageError(
            f"the store is damaged: '{name}' is missing [{first_line(error)}]", str(path)
        ) from error
    if not isinstance(array, zarr.Array):
        raise StorageError(f"the store is damaged: '{name}' is no array", str(path))
    whole = POINT_DIMS + (("pulse",) if point_variables()[name].per_pulse else ())
    one = tuple(n if dim == "pulse" else 1 for dim, n in zip(whole, array.shape, strict=False))
    if array.ndim != len(whole) or array.chunks != one:
        raise StorageError(
            f"the store is damaged: '{name}' has chunks {shorten(array.chunks)}, not one a point",
            str(path),
        )
    return array


def _unwritable(error: OSError, path: Path) -> StorageError:
    return StorageError(f"{_UNWRITABLE}: {error.strerror or error}", str(path), _MAKE_ROOM)


def check_campaign(attrs: Mapping[str, Any], campaign: Campaign, where: str) -> None:
    """Does a store belong to a campaign?

    Raises InputError: they differ; the first key that does is named with both values. StorageError:
    the attributes are damaged.
    """
    try:
        stored = json.loads(attrs["campaign_json"])
        device = parse_yaml(attrs["device_yaml"])
        settings = json.loads(attrs["settings_json"])
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"the store is damaged: {shorten(str(error))}", where) from error
    for prefix, old, new in (
        ("", stored, campaign.to_dict()),
        ("device.", device, parse_yaml(campaign.device.to_yaml())),
        ("settings.", settings, campaign.settings.to_dict()),
    ):
        first = _first_difference(old, new, "")
        if first is None:
            continue
        key, was, now = first
        raise InputError(
            f"'{prefix}{key}' is {_text(now)} here, but {_text(was)} in the store",
            where,
            "Choose another --out, or give the campaign that began this store",
        )


def _first_difference(old: Any, new: Any, path: str) -> tuple[str, Any, Any] | None:
    """Key and both values of the first difference between two trees, or None."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(k for k in old if k not in new)]:
            if key in _FREE:
                continue
            below = f"{path}.{key}" if path else str(key)
            first = _first_difference(old.get(key, _NOWHERE), new.get(key, _NOWHERE), below)
            if first is not None:
                return first
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (was, now) in enumerate(zip(old, new, strict=True)):
            first = _first_difference(was, now, f"{path}[{i}]")
            if first is not None:
                return first
        return None
    return None if old == new else (path, old, new)


def _text(value: Any) -> str:
    return "absent" if value is _NOWHERE else shorten(value)
