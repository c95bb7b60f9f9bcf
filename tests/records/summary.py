"""What a record holds, in few numbers: the same for the version that wrote it and for today's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

ATTRIBUTES = (
    "schema",
    "schema_version",
    "title",
    "method",
    "voltage_reference",
    "complete",
    "integrator",
    "direction",
    "source",
    "headline_json",
    "protocol_json",
    "settings_json",
    "fit_json",
    "seed",
    "loops",
    "criterion",
    "task",
    "vote",
    "headline",
    "task_json",
    "models_json",
    "samples",
    "batch_size",
    "restore",
)


def dataset(ds: xr.Dataset) -> dict[str, Any]:
    """Attributes, and of each variable its dimensions, unit and what `values` gives."""
    variables = {
        str(name): {
            "dims": " ".join(map(str, ds[name].dims)),
            "units": str(ds[name].attrs.get("units", "")),
            "long_name": str(ds[name].attrs.get("long_name", "")),
            **values(ds[name].values),
        }
        for name in sorted(map(str, ds.variables))
    }
    attributes = {name: plain(ds.attrs[name]) for name in ATTRIBUTES if name in ds.attrs}
    return {"attributes": attributes, "sizes": sizes(ds.sizes), "variables": variables}


def sizes(lengths: Mapping[Any, int]) -> dict[str, int]:
    return {str(name): int(length) for name, length in lengths.items()}


def values(given: object) -> dict[str, Any]:
    """Ends, sum (exact, so that the order does not count) and number of NaN; or the texts."""
    array = np.asarray(given)
    if array.dtype.kind in "OUTS":
        return {"texts": sorted({str(text) for text in array.ravel()})}
    flat = array.ravel().astype(float)
    finite = flat[np.isfinite(flat)]
    return {
        "first": plain(flat[0]),
        "last": plain(flat[-1]),
        "sum": math.fsum(finite),
        "nan": flat.size - finite.size,
    }


def plain(value: object) -> Any:
    """As JSON can hold it; None for NaN."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        return np.where(np.isnan(array), None, array.astype(object)).tolist()
    return array.tolist()


def request(asked: Any) -> dict[str, Any]:
    return {
        "kind": asked.kind,
        "device": asked.device.name,
        "protocol": asked.protocol.to_dict(),
        "settings": asked.settings.to_dict(),
        "initial_resistance": asked.initial_resistance,
        "seed": asked.seed,
    }


def table(read: Any) -> dict[str, Any]:
    """What a table of alpha and beta answers."""
    low, high = sorted(map(float, read.dataset["amplitude"].values))
    inverse = read.invert(alpha=0.002, beta=0.2)
    drawn = read.sample(np.random.default_rng(1))
    found = ("alpha", "beta", "conductance_min", "conductance_max", "alpha_spread", "beta_spread")
    looked_up = {}
    for volts in (low, 0.5 * (low + high), high):
        lookup = read.lookup(amplitude=f"{volts!r} V")
        looked_up[f"{volts:.4g} V"] = {name: plain(getattr(lookup, name)) for name in found}
    return {
        "figures": read.figures(),
        "means": {name: plain(read.means[name]) for name in found[:4]},
        "lookup": looked_up,
        "invert": {
            "text": str(inverse),
            "amplitude": inverse.at.amplitude,
            "distance": inverse.distance,
            "reached": bool(inverse.reached),
        },
        "sample": {name: plain(drawn.means[name]) for name in ("alpha", "beta")},
        "reachable": float(np.nansum(read.reachable().points)),
    }


def network(net: Any) -> dict[str, Any]:
    """Layers, sizes, notes, alpha and beta of a network."""
    count = net.count()
    return {
        "layers": [[type(layer).__name__, layer.name] for layer in net.layers],
        "dtype": str(net.dtype),
        "input_shape": list(net.input_shape),
        "classes": net.classes,
        "parameters": count.parameters,
        "macs": count.macs,
        "notes": dict(net.notes),
        "kinetics": {name: [plain(a), plain(b)] for name, (a, b) in net.kinetics().items()},
    }


def predictions(net: Any, x: np.ndarray) -> Any:
    """Probabilities for the first three samples."""
    return plain(net.predict_proba(x[:3]))


def run(stored: Any) -> dict[str, Any]:
    return {
        "task": stored.task.name,
        "model": stored.result.model,
        "accuracy": stored.result.accuracy,
        "hidden": list(stored.task.hidden),
        "epochs": stored.task.training.epochs,
    }


def placement(placed: Any) -> dict[str, Any]:
    return {
        "layout": placed.layout,
        "chip": placed.chip.title,
        "tiles": placed.tiles,
        "blocks": len(placed.blocks),
        "input_shape": list(placed.input_shape),
        "classes": placed.classes,
        "notes": dict(placed.notes),
        "siemens": math.fsum(g for cells in placed.cells if cells is not None for g in cells.flat),
        "pulses": {name: dict(pulses) for name, pulses in placed.pulses.items()},
        "last": dict(placed.schedule[-1]),
    }


def predictions_on_chip(placed: Any, x: np.ndarray) -> Any:
    """The same as `predictions`, on the chip of seed 1."""
    chip, rng = placed.realise(1), np.random.default_rng([1, 5])
    return plain(placed.network().predict_proba(x[:3], realise=chip, rng=rng))
