"""What commands found as names and numbers in SI units, for scripts; shares are of 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

    from ddk.studies.evaluation import DeviceEvaluation
    from ddk.studies.model_search import SearchResult
    from ddk.studies.result import Result
    from network.hardware.chip.cost import Cost

__all__ = [
    "COST_UNITS",
    "comparison_entries",
    "cost_entries",
    "device_entries",
    "result_entries",
    "search_entries",
    "spread",
]

COST_UNITS = {"energy": "J", "latency": "s", "area": "m^2", "tops_per_watt": "1e12/J"}
#: of a `Result`: settings, confusion and classes are in metrics.json
_OF_RESULT = (
    "task",
    "model",
    "seed",
    "test",
    "test_vote",
    "validation",
    "validation_vote",
    "train_accuracy",
    "vote",
    "headline",
    "parameters",
    "macs",
    "features",
    "alpha",
    "beta",
    "r",
    "epochs",
    "samples",
    "seconds",
    "held_out",
)


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
        **{name: getattr(result, name) for name in _OF_RESULT},
    }


def device_entries(found: DeviceEvaluation) -> dict[str, Any]:
    """Accuracies on drawn devices: each, and `spread` as trained and with statistics anew."""
    return {
        "draws": len(found.plain),
        "accuracy": {**spread(found.plain), "each": found.plain},
        "accuracy_with_statistics_anew": {**spread(found.anew), "each": found.anew},
        "missed": found.missed,
    }


def comparison_entries(ds: xr.Dataset) -> dict[str, Any]:
    """A comparison: ``task``, ``seeds`` and ``models``, each with `spread` of its accuracies.

    ``ddk_minus_it`` is the mean difference within the seeds, its standard error and whether zero
    is outside the 95 % interval; None for the DDK layer itself and where there is no other.
    """
    ours = ds["accuracy"].sel(model="ddk").values if "ddk" in ds["model"].values else None
    models = []
    for name in map(str, ds["model"].values):
        one = ds.sel(model=name)
        reached = one["accuracy"].values
        models.append(
            {
                "model": name,
                "title": str(one["model_title"].values),
                "accuracy": {**spread(reached), "each": reached},
                "vote_accuracy": spread(one["vote_accuracy"].values),
                "decision_accuracy": spread(one["decision_accuracy"].values),
                "validation_accuracy": spread(one["validation_accuracy"].values),
                "failed": int(np.sum(one["failed"].values != "")),
                "ddk_minus_it": None if ours is None or name == "ddk" else _less(ours, reached, ds),
                **{key: int(one[key]) for key in ("parameters", "macs", "features")},
                "seconds": spread(one["seconds"].values)["mean"],
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
    from ddk.studies.comparison import overlap
    from ddkbase.errors import DDKError
    from network.model import metrics

    try:
        found = metrics.difference(ours, other, overlap=overlap(ds))
    except DDKError:
        return None
    return {"mean": found.mean, "error": found.error, "clear": found.clear}


def search_entries(found: SearchResult) -> dict[str, Any]:
    """A search: the two best, their difference on fresh seeds, both comparisons, the finding."""
    difference = found.difference
    return {
        "best": found.best,
        "control": found.control,
        "difference": {
            "mean": difference.mean,
            "error": difference.error,
            "clear": difference.clear,
            "better": difference.better,
            "equal": difference.equal,
            "worse": difference.worse,
        },
        "words": found.words,
        "selection": comparison_entries(found.selection)["models"],
        "confirmation": comparison_entries(found.confirmation)["models"],
        "units": {"seconds": "s"},
    }


def cost_entries(found: Cost) -> dict[str, Any]:
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
        for x in found.layers
    ]
    names = ("macs", "tiles", "devices", "conversions", "energy", "latency", "area")
    whole: Mapping[str, Any] = {name: getattr(found, name) for name in names}
    return {
        "chip": found.chip,
        **whole,
        "tops_per_watt": found.tops_per_watt,
        "parts": found.parts,
        "layers": layers,
        "units": COST_UNITS,
    }
