"""An honest search: does any arrangement of DDK banks, readouts and constraints gain over controls?

Arrangements and controls of equal feature count are ranked by the *validation* part on a few
seeds. The best arrangement and the best control then meet on fresh seeds, and only the test parts
of those are reported: the best of many tries looks better than it is on the seeds that chose it.
Where every seed draws its parts from one set, samples that chose the arrangement are in the test
parts of the fresh seeds; only where the test part is given was it never looked at. What is reported
says which.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ddk.studies.comparison import comparison_rows, markdown_table, overlap, tabulate
from ddk.studies.folds import Material
from ddk.studies.models import ARRANGEMENTS, LAYERS, Model
from ddk.studies.runs import run_all
from ddk.studies.tasks import Task, get_task
from ddkbase import html, records
from ddkbase.errors import InputError
from ddkbase.files import write_bytes
from network.model import metrics

__all__ = ["ARRANGEMENTS", "SearchResult", "arrangements", "search", "search_rows", "write_search"]

_FRESH = 1000  # the first seed of the second stage

_SHAPE = ("per", "banks", "readout")


@dataclass(frozen=True)
class SearchResult:
    """What a search gives.

    Attributes
    ----------
    selection : xarray.Dataset
        All models on the first seeds; see `ddk.studies.runs.compare`.
    confirmation : xarray.Dataset
        The two best on fresh seeds.
    best, control : str
        Names of the best arrangement and of the best control.
    difference : Difference
        Difference of the test accuracies on the fresh seeds, arrangement minus control.
    finding : tuple of str
        The finding, a line each.
    """

    selection: xr.Dataset
    confirmation: xr.Dataset
    best: str
    control: str
    difference: metrics.Difference
    finding: tuple[str, ...]


def arrangements(task: Task, shape: tuple[int, ...]) -> list[Model]:
    """DDK arrangements for samples of a shape, and controls of the same number of features.

    Raw samples, running sum and moving average once; a leaky integrator for every choice of banks,
    readout and pairs, which has as many parameters as the DDK layer it is for.
    """
    steps = shape[-1]
    models: list[Model] = []
    leaky: dict[str, Model] = {}
    seen: list[dict[str, Any]] = []
    for name, options in ARRANGEMENTS.items():
        whole = {"per": "network", "banks": 1, "readout": "all", **task.ddk, **options}
        banks = whole["banks"]
        if steps % banks or steps // banks < 2 or whole in seen:
            continue  # another number of features, or the task's own arrangement again
        if "channel" in whole["per"] and len(shape) == 1:
            continue
        seen.append(whole)
        label = f"-{name}" if name else ""
        models.append(Model(f"ddk{label}", "ddk", f"DDK {_described(options)}", options))
        layout = {k: v for k, v in options.items() if k in _SHAPE}
        tag = "".join(f"-{k[0]}{v}" for k, v in layout.items())
        if layout:
            layout["spread"] = 0.3 if "spread" in options else 0.0
        leaky.setdefault(tag, Model(f"leaky{tag}", "leaky", f"leaky {_described(layout)}", layout))
    models += leaky.values()
    return models + [LAYERS[name] for name in ("raw", "sum", "pooling")]


def search(
    task: Task | str,
    *,
    seeds: Sequence[int] = range(3),
    confirm: int = 10,
    folder: str | os.PathLike[str] | None = None,
    root: str | None = None,
    processes: int = 1,
    progress: Callable[[str], None] | None = None,
) -> SearchResult:
    """Rank arrangements and controls, and let the two best meet on fresh seeds.

    Parameters
    ----------
    task : Task or str
        The task itself, or its name.
    seeds : sequence of int, optional
        Seeds of the ranking, below 1,000.
    confirm : int, default 10
        Number of fresh seeds, 2 or more; they start at 1,000.
    folder : str, Path or None, optional
        Folder of `ddk.studies.runs.compare`.
    root : str or None, optional
        Root of `ddk.studies.runs.compare`.
    processes : int, default 1
        Processes of `ddk.studies.runs.compare`.
    progress : callable or None, optional
        Progress of `ddk.studies.runs.compare`.

    Raises
    ------
    InputError
        An unknown name, no seed, seeds that are not below 1,000, or a single fresh seed.
    """
    task = get_task(task) if isinstance(task, str) else task
    if not len(seeds) or min(seeds) < 0 or max(seeds) >= _FRESH or len({*seeds}) < len(seeds):
        raise InputError(f"these seeds do not do: {list(seeds)}", "seeds", "0 to 999, each once")
    if confirm < 2:
        raise InputError("one fresh seed says nothing of the scatter", "confirm", "Use 2 or more")
    shape = next(iter(Material(task, root).folds(int(seeds[0])))).shape
    models = arrangements(task, shape)
    how: dict[str, Any] = {
        "folder": folder,
        "kind": "search",
        "root": root,
        "processes": processes,
        "progress": progress,
    }
    selection = tabulate(task, models, seeds, run_all(task, models, seeds, **how))
    best = _first(selection, models, ours=True)
    control = _first(selection, models, ours=False)
    two = [next(m for m in models if m.name == name) for name in (best, control)]
    fresh = range(_FRESH, _FRESH + confirm)
    confirmation = tabulate(task, two, fresh, run_all(task, two, fresh, **how))
    reached = confirmation["accuracy"]
    ours, other = (reached.sel(model=name).values for name in (best, control))
    difference = metrics.difference(ours, other, overlap=overlap(confirmation))
    finding = _finding(task, selection, two, difference)
    return SearchResult(selection, confirmation, best, control, difference, finding)


def write_search(result: SearchResult, folder: str | os.PathLike[str]) -> list[Path]:
    """Write selection.nc, confirmation.nc, search.md and report.html, each whole or not at all.

    Parameters
    ----------
    result : SearchResult
        What the search gave.
    folder : str or Path
        Folder of the files; those of an earlier search are replaced.

    Returns
    -------
    list of Path
        The paths written.
    """
    folder = Path(folder)
    paths = [
        records.write(ds, folder / f"{name}.nc", overwrite=True)
        for name, ds in (("selection", result.selection), ("confirmation", result.confirmation))
    ]
    heads, rows = search_rows(result)
    text = "\n".join([*markdown_table(heads, rows), "", *(f"{line}\n" for line in result.finding)])
    title = f"Search: {result.selection.attrs['title']}"
    page = html.page(title, [*result.finding, html.table(heads, rows, numbers=True)])
    for name, content in (("search.md", text), ("report.html", page)):
        paths.append(write_bytes(folder / name, content.encode("utf-8"), overwrite=True))
    return paths


def search_rows(result: SearchResult) -> tuple[list[str], list[list[str]]]:
    """All models, best validation accuracy first, then the two of the second stage.

    Parameters
    ----------
    result : SearchResult
        What the search gave.

    Returns
    -------
    heads : list of str
        Headings, those of `comparison_rows`.
    rows : list of list of str
        Texts, a row for each model.
    """
    heads, rows = comparison_rows(result.selection)
    order = np.argsort(_ranks(result.selection))
    _, later = comparison_rows(result.confirmation)
    fresh = [[f"{row[0]}, fresh seeds", *row[1:]] for row in later]
    return heads, [rows[k] for k in order] + fresh


def _ranks(ds: xr.Dataset) -> np.ndarray:
    """Place of each model: by validation accuracy, and where that is equal by cross-entropy."""
    accuracy = np.nan_to_num(_means(ds), nan=-1.0)
    loss = np.nan_to_num(_means(ds, "validation_cross_entropy"), nan=np.inf)
    return np.argsort(np.lexsort((loss, -accuracy.round(12))))


def _means(ds: xr.Dataset, name: str = "validation_accuracy") -> np.ndarray:
    values = ds[name].values
    count = np.isfinite(values).sum(axis=1)
    return np.where(count > 0, np.nansum(values, axis=1) / np.maximum(count, 1), np.nan)


def _first(ds: xr.Dataset, models: Sequence[Model], ours: bool) -> str:
    ranks = dict(zip(map(str, ds["model"].values), _ranks(ds), strict=True))
    means = dict(zip(map(str, ds["model"].values), _means(ds), strict=True))
    names = [m.name for m in models if (m.layer == "ddk") is ours and np.isfinite(means[m.name])]
    if not names:
        raise InputError("every run of the models failed", ds.attrs["task"])
    return min(names, key=lambda n: ranks[n])


def _finding(
    task: Task, selection: xr.Dataset, two: Sequence[Model], difference: metrics.Difference
) -> tuple[str, ...]:
    gain = f"{100 * difference.mean:+.1f} ± {100 * difference.error:.1f} points"
    if not difference.clear:
        verdict = "no difference that these seeds can tell"
    else:
        verdict = "the arrangement gains" if difference.mean > 0 else "the control is better"
    shared, seen = "", "The test part was not looked at before."
    if task.split.overlap:
        shared = " with the correction of Nadeau and Bengio"
        seen = (
            "Every seed draws its parts from one set: the test parts of the fresh seeds hold "
            "samples that chose the arrangement on the first seeds."
        )
    fresh = difference.better + difference.equal + difference.worse
    tried = sum(m.startswith("ddk") for m in map(str, selection["model"].values))
    return (
        f"{tried} DDK arrangements and {selection.sizes['model'] - tried} controls, ranked by the "
        f"validation part on {selection.sizes['seed']} seeds: best {two[0].name} ({two[0].title}) "
        f"and {two[1].name} ({two[1].title}).",
        f"On {fresh} fresh seeds, test part: {two[0].name} less {two[1].name} = {gain} "
        f"(better in {difference.better}, equal in {difference.equal}, worse in "
        f"{difference.worse}): {verdict} (95 % interval, Student's t{shared}).",
        seen,
        task.protocol,
    )


def _described(options: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in options.items() if v) or "as by default"
