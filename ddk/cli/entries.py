"""What commands found as names and numbers in SI units, for scripts; shares are of 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr

from ddk.studies.comparison import overlap, sample_differences
from ddk.studies.evaluation import DeviceEvaluation
from ddk.studies.model_search import SearchResult
from ddk.studies.result import Result
from ddkbase.errors import DDKError
from network.hardware.chip.cost import Cost
from network.model import metrics

COST_UNITS = {"energy": "J", "latency": "s", "area": "m^2", "tops_per_watt": "1e12/J"}
#: of a `Result` only in metrics.json
_LEFT_OUT = frozenset({"settings", "confusion", "classes", "r_words", "right"})


def spread(values: Any) -> dict[str, Any]:
    """Mean, standard deviation, least and number of what is finite; None where there is none."""
    good = np.asarray(values, dtype=float).ravel()
    good = good[np.isfinite(good)]
    return {
        "mean": float(good.mean()) if good.size else None,
        "deviation": float(good.std(ddof=1)) if good.size > 1 else None,
        "worst": float(good.min()) if good.size else None,
        "count": int(good.size),
    }


def result_entries(result: Result) -> dict[str, Any]:
    """A run: what was trained, ``accuracy`` (of what counts first), all scores, the sizes."""
    return {
        "accuracy": result.accuracy,
        "validation_accuracy": result.validation_accuracy,
        **{key: value for key, value in result.to_json().items() if key not in _LEFT_OUT},
    }


def device_entries(devices: DeviceEvaluation) -> dict[str, Any]:
    """Accuracies on drawn devices: each, and `spread` as trained and with statistics anew."""
    return {
        "draws": len(devices.plain),
        "accuracy": {**spread(devices.plain), "each": devices.plain},
        "accuracy_with_statistics_anew": {**spread(devices.anew), "each": devices.anew},
        "missed": devices.missed,
    }


def comparison_entries(ds: xr.Dataset) -> dict[str, Any]:
    """A comparison: ``task``, ``seeds`` and ``models``, each with `spread` of its accuracies.

    ``ddk_minus_it`` is the mean difference within the seeds, its standard error and whether zero
    is outside the 95 % interval; None for the DDK layer itself and where there is no other.
    ``over_test_samples`` is the same over the samples of a given test part, with p by Holm.
    """
    by_sample = sample_differences(ds)
    ours = ds["accuracy"].sel(model="ddk").values if "ddk" in ds["model"].values else None
    models = []
    for name in map(str, ds["model"].values):
        runs = ds.sel(model=name)
        reached = runs["accuracy"].values
        models.append(
            {
                "model": name,
                "title": str(runs["model_title"].values),
                "accuracy": {**spread(reached), "each": reached},
                "vote_accuracy": spread(runs["vote_accuracy"].values),
                "decision_accuracy": spread(runs["decision_accuracy"].values),
                "validation_accuracy": spread(runs["validation_accuracy"].values),
                "failed": int(np.sum(runs["failed"].values != "")),
                "ddk_minus_it": None if ours is None or name == "ddk" else _less(ours, reached, ds),
                "over_test_samples": asdict(by_sample[name]) if name in by_sample else None,
                **{key: int(runs[key]) for key in ("parameters", "macs", "features")},
                "seconds": spread(runs["seconds"].values)["mean"],
            }
        )
    return {
        "task": ds.attrs["task"],
        "headline": ds.attrs["headline"],
        "seeds": ds["seed"].values,
        "models": models,
        "units": {"seconds": "s"},
    }


def _less(ours: np.ndarray, other: np.ndarray, ds: xr.Dataset) -> dict[str, Any] | None:
    try:
        difference = metrics.difference(ours, other, overlap=overlap(ds))
    except DDKError:
        return None
    return {"mean": difference.mean, "error": difference.error, "clear": difference.clear}


def search_entries(result: SearchResult) -> dict[str, Any]:
    """A search: the two best, their difference on fresh seeds, both comparisons, the finding."""
    difference = result.difference
    return {
        "best": result.best,
        "control": result.control,
        "difference": {**asdict(difference), "clear": difference.clear},
        "words": result.finding,
        "selection": comparison_entries(result.selection)["models"],
        "confirmation": comparison_entries(result.confirmation)["models"],
        "units": {"seconds": "s"},
    }


def cost_entries(cost: Cost) -> dict[str, Any]:
    """Cost of one inference: the whole, by part and by layer [J, s, m^2]."""
    layers = [
        {
            "layer": x.load.name,
            "stage": x.load.stage,
            "macs": x.load.macs,
            "tiles": x.tiles,
            "devices": x.devices,
            "conversions": x.conversions,
            "energy": sum(x.energy.values()),
            "latency": x.latency,
            "parts": x.energy,
        }
        for x in cost.layers
    ]
    names = ("macs", "tiles", "devices", "conversions", "energy", "latency", "area")
    whole: Mapping[str, Any] = {name: getattr(cost, name) for name in names}
    return {
        "chip": cost.chip,
        **whole,
        "tops_per_watt": cost.tops_per_watt,
        "parts": cost.parts,
        "layers": layers,
        "units": COST_UNITS,
    }
