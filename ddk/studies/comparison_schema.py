"""The record ``NetworkComparison`` version 1: models on one task, seed by seed.

Importing this module makes it known to `ddkbase.records`. NaN stands where a run failed, in
``r`` where there is no DDK layer, and in ``vote_accuracy`` where nothing is voted on.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ddkbase.records import SCHEMAS, Schema, VariableSpec

__all__ = ["COMPARISON"]

COMPARISON = "NetworkComparison"

_RUN, _MODEL = ("model", "seed"), ("model",)
_FLOATS = {
    "accuracy": "1",
    "decision_accuracy": "1",
    "vote_accuracy": "1",
    "validation_accuracy": "1",
    "validation_cross_entropy": "nat",
    "train_accuracy": "1",
    "macro_f1": "1",
    "cross_entropy": "nat",
    "r": "1",
    "seconds": "s",
}


def _check(ds: xr.Dataset) -> str | None:
    lost = ds["failed"].values.astype(str) != ""
    if (np.isnan(ds["accuracy"].values) != lost).any():
        return "'accuracy' is missing where 'failed' says that nothing failed, or the other way"
    return None


SCHEMAS[COMPARISON, 1] = Schema(
    name=COMPARISON,
    version=1,
    variables={
        "model": VariableSpec(_MODEL, "1", "OUT"),
        "seed": VariableSpec(("seed",), "1", "iu"),
        "model_title": VariableSpec(_MODEL, "1", "OUT"),
        "failed": VariableSpec(_RUN, "1", "OUT"),
        **{name: VariableSpec(_RUN, units, "f", "anywhere") for name, units in _FLOATS.items()},
        **{n: VariableSpec(_MODEL, "1", "iu") for n in ("parameters", "macs", "features")},
    },
    attrs=("title", "task", "vote", "headline", "protocol", "article"),
    json_attrs=("task_json", "models_json"),
    check=_check,
)
