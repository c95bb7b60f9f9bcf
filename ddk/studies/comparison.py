"""Finished runs as one dataset on (model, seed), and its file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ddk.studies.comparison_schema import COMPARISON
from ddk.studies.models import Model
from ddk.studies.result import Result
from ddk.studies.task import SplitPlan, Task

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["overlap", "read_comparison", "result_of", "tabulate"]

_PER_RUN = {
    "accuracy": "accuracy on the test part",
    "decision_accuracy": "accuracy of single decisions on the test part",
    "vote_accuracy": "accuracy of votes on the test part",
    "validation_accuracy": "accuracy on the validation part",
    "validation_cross_entropy": "cross-entropy of single decisions on the validation part",
    "train_accuracy": "accuracy of single decisions on the training part",
    "macro_f1": "mean F1 of the classes on the test part",
    "cross_entropy": "cross-entropy of the decisions on the test part",
    "r": "smallest alpha/(beta x_max)^2",
    "seconds": "time of training and testing",
}
_UNITS = {"cross_entropy": "nat", "validation_cross_entropy": "nat", "seconds": "s"}
_PER_MODEL = {
    "parameters": "trained parameters",
    "macs": "multiply-accumulate operations of one decision",
    "features": "features of one decision",
}


def tabulate(
    task: Task,
    models: Sequence[Model],
    seeds: Sequence[int],
    found: Mapping[tuple[str, int], Mapping[str, Any]],
) -> xr.Dataset:
    """A dataset of finished runs.

    Parameters
    ----------
    task : Task
        The task that was run.
    models : sequence of Model
        The models that were run.
    seeds : sequence of int
        The seeds that were run.
    found : mapping of tuple of (str, int) to mapping
        By name of the model and seed, what `ddk.studies.compare.run_all` gave.

    Returns
    -------
    xarray.Dataset
        A dataset on (model, seed), `ddk.studies.comparison_schema`.

    Raises
    ------
    StorageError
        A run is damaged.
    """
    import xarray as xr

    shape = (len(models), len(seeds))
    values = {name: np.full(shape, np.nan) for name in _PER_RUN}
    sizes = {name: np.zeros(len(models), dtype=np.int64) for name in _PER_MODEL}
    failed = np.full(shape, "", dtype=object)
    for i, model in enumerate(models):
        for j, seed in enumerate(seeds):
            outcome = found[model.name, int(seed)]
            if "failed" in outcome:
                failed[i, j] = str(outcome["failed"])
                continue
            result = result_of(outcome, f"{model.name}, seed {seed}")
            chosen = result.first("test")
            row = {
                "accuracy": result.accuracy,
                "decision_accuracy": result.test["accuracy"],
                "vote_accuracy": result.test_vote.get("accuracy", np.nan),
                "validation_accuracy": result.validation_accuracy,
                "validation_cross_entropy": result.validation["cross_entropy"],
                "train_accuracy": result.train_accuracy,
                "macro_f1": chosen["macro_f1"],
                "cross_entropy": chosen["cross_entropy"],
                "r": np.nan if result.r is None else result.r,
                "seconds": result.seconds,
            }
            for name, value in row.items():
                values[name][i, j] = value
            for name in _PER_MODEL:
                sizes[name][i] = getattr(result, name)

    def told(units: str, words: str) -> dict[str, str]:
        return {"units": units, "long_name": words}

    variables: dict[str, Any] = {
        name: (("model", "seed"), values[name], told(_UNITS.get(name, "1"), words))
        for name, words in _PER_RUN.items()
    }
    variables |= {
        name: ("model", sizes[name], told("1", words)) for name, words in _PER_MODEL.items()
    }
    variables["failed"] = (("model", "seed"), failed.astype(str), told("1", "why a run failed"))
    variables["model_title"] = ("model", [m.title for m in models], told("1", "model in words"))
    coords = {
        "model": ("model", [m.name for m in models], told("1", "model")),
        "seed": ("seed", np.asarray(seeds, dtype=np.int64), told("1", "seed")),
    }
    attrs = {
        "schema": COMPARISON,
        "schema_version": 1,
        "title": task.title,
        "task": task.name,
        "vote": task.vote,
        "headline": task.headline,
        "protocol": task.protocol,
        "article": task.article,
        "task_json": json.dumps(task.settings()),
        "models_json": json.dumps({m.name: m.settings() for m in models}),
    }
    return xr.Dataset(variables, coords, attrs)


def result_of(outcome: Mapping[str, Any], where: str = "result") -> Result:
    """The result of a run that did not fail. Raises StorageError if it is damaged."""
    return Result.from_json({k: v for k, v in outcome.items() if k != "key"}, where)


def overlap(ds: xr.Dataset) -> float:
    """How far the parts of two seeds overlap; see `network.model.metrics.difference`."""
    return SplitPlan(**json.loads(ds.attrs["task_json"])["split"]).overlap


def read_comparison(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read a comparison that `write_comparison` wrote. Raises StorageError."""
    from ddkbase import records

    return records.read(path, COMPARISON)
