"""From pulse trains to the dataset of a table: all trains are fitted at once."""

from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
import xarray as xr

from compact.fitting.fit import fit_many
from compact.table.schema import POINT, RELATIVE, TABLE, VARIABLES, labelled
from compact.table.source import Gathered, gather
from ddkbase.errors import InputError
from ddkbase.installation import versions

_OWN = ("reason", "direction", "measured_initial_resistance")  # also where no train is
_FROM_FITS = [n for n, v in VARIABLES.items() if v.dims[: len(POINT)] == POINT and n not in _OWN]


def build(
    source: Any,
    *,
    direction: str | None = None,
    amplitude: str | None = None,
    width: str | None = None,
    initial_resistance: str | None = None,
    **options: Any,
) -> xr.Dataset:
    """Fit all trains of a source; the dataset of an ``AlphaBetaTable``.

    Parameters
    ----------
    source : object
        See `compact.table.source.gather`.
    direction : {"down", "up"} or None, optional
        Take only these trains.
    amplitude, width, initial_resistance : str or None, optional
        The setting as text with a unit, where the data do not say it.
    **options : dict, optional
        Options of `compact.fit_many`.

    Raises
    ------
    InputError
        As `gather` and `fit_many`; up and down trains at one setting; no train is left.
    StorageError
        The source cannot be read.
    """
    if direction not in (None, "down", "up"):
        raise InputError(f"unknown direction '{direction}'", "direction", "Use down or up")
    trains = gather(
        source,
        {"amplitude": amplitude, "width": width, "initial_resistance": initial_resistance},
        direction,
    )
    directions = _directions(trains, direction)
    shape = trains.reasons.shape  # after the trains of the other direction are gone
    there = np.flatnonzero(trains.reasons.ravel() == "")
    if not there.size:
        raise InputError(f"there is no train to fit: {trains.reasons.ravel()[0]}", trains.source)
    fits, used = _fit(trains, there, directions, options)
    ds = _dataset(trains, fits, there, shape, directions)
    kinds = sorted(set(directions.ravel()[there]) - {""})
    attrs = {
        "schema": TABLE if trains.unit == "S" else RELATIVE,
        "schema_version": 1,
        "title": f"alpha and beta of {trains.provenance.get('title', trains.source)}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "method": used["method"],
        "integrator": used["integrator"],
        "window": used["window"],
        "mirror": used["mirror"],
        "direction": kinds[0] if len(kinds) == 1 else "mixed",
        "source": trains.source,
        "source_checksum": trains.checksum(),
        "seed": used["seed"],
        "fit_json": json.dumps({k: used[k] for k in sorted(used)}),
        "versions_json": json.dumps(versions(("numpy", "scipy", "xarray"))),
        "provenance_json": json.dumps(trains.provenance),
    }
    return ds.assign_attrs(attrs)


def _directions(trains: Gathered, selected: str | None) -> np.ndarray:
    """Direction of each train; with ``selected``, trains of the other one are left out."""
    if selected is not None:
        other = (trains.direction != "") & (trains.direction != selected)
        trains.reasons[other] = f"does not go {selected}"
        _drop(trains, other)
        return np.where(trains.direction == "", selected, trains.direction)
    here = np.where(trains.reasons == "", trains.direction, "")
    flat = here.reshape(*here.shape[:3], -1)
    if ((flat == "up").any(-1) & (flat == "down").any(-1)).any():
        raise InputError(
            "it holds up and down trains at one setting",
            trains.source,
            "Choose with direction='down' or 'up' (--direction down)",
        )
    return trains.direction


def _drop(trains: Gathered, struck: np.ndarray) -> None:
    """Cut off what holds nothing but struck trains, along each axis."""
    for k, name in enumerate(POINT):
        other = tuple(i for i in range(len(POINT)) if i != k)
        keep = np.flatnonzero(~struck.all(axis=other))
        if not keep.size:
            raise InputError("no train goes this way", trains.source)
        struck = np.take(struck, keep, axis=k)
        trains.coords[name] = trains.coords[name][keep]
        for field in ("conductance", "measured", "reasons", "direction"):
            setattr(trains, field, np.take(getattr(trains, field), keep, axis=k))


def _fit(
    trains: Gathered, there: np.ndarray, directions: np.ndarray, options: dict[str, Any]
) -> tuple[xr.Dataset, dict[str, Any]]:
    flat = trains.conductance.reshape(-1, trains.conductance.shape[-1])[there]
    ways: Any = [d or None for d in directions.ravel()[there]]
    fits = fit_many(flat, direction=ways, normalised=trains.unit == "1", **options)
    return fits, {k: v.item() if hasattr(v, "item") else v for k, v in fits.attrs.items()}


def _dataset(
    trains: Gathered,
    fits: xr.Dataset,
    there: np.ndarray,
    shape: tuple[int, ...],
    directions: np.ndarray,
) -> xr.Dataset:
    def spread(name: str, fill: Any) -> np.ndarray:
        values = fits[name].values
        if values.dtype.kind == "f":
            values = np.where(np.isinf(values), np.nan, values)
        kind = object if values.dtype.kind in "OUT" else values.dtype
        out = np.full((int(np.prod(shape)), *values.shape[1:]), fill, dtype=kind)
        out[there] = values
        return out.reshape(*shape, *values.shape[1:])

    empty: dict[str, Any] = {"f": np.nan, "b": False, "i": 0, "u": 0, "U": "", "O": "", "T": ""}
    values = {name: spread(name, empty[fits[name].dtype.kind]) for name in _FROM_FITS}
    for name, array in (("reason", trains.reasons), ("direction", directions)):
        texts = array.copy().ravel()
        texts[there] = fits[name].values
        values[name] = texts.reshape(shape)
    measured = trains.measured
    values["measured_initial_resistance"] = np.where(np.isinf(measured), np.nan, measured)
    coords = {name: trains.coords[name] for name in POINT}
    coords |= {name: fits[name].values for name in ("parameter", "parameter_2", "sample")}
    return xr.Dataset(
        {name: labelled(name, array, trains.unit) for name, array in values.items()},
        {name: labelled(name, array) for name, array in coords.items()},
    )
