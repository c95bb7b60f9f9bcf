"""Several models on one task over several seeds: mean, standard deviation, worst, and differences.

Models meet on the same splits, seed by seed, so the difference of two is taken within each seed and
is known better than either accuracy.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from devicephys.errors import DDKError, InputError, SolverError, StorageError
from network import metrics
from network.comparison_schema import COMPARISON
from network.contenders import Model, get_model
from network.experiment import Result, run
from network.folds import Material
from network.result_store import ResultStore
from network.task import Task
from network.tasks import get_task

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "best_control",
    "compare",
    "comparison_rows",
    "markdown",
    "read_comparison",
    "run_all",
    "tabulate",
    "write_comparison",
]

#: what is not a control: the layers under test, and methods of their own size
_OURS = ("ddk",)

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


def compare(
    task: Task | str,
    models: Sequence[Model | str] | None = None,
    seeds: Sequence[int] = range(10),
    *,
    folder: str | os.PathLike[str] | None = None,
    root: str | None = None,
    processes: int = 1,
    progress: Callable[[str], None] | None = None,
) -> xr.Dataset:
    """Train every model with every seed and table what came out.

    Parameters
    ----------
    task : itself, or its name.
    models : themselves or their names; by default those of the task.
    seeds : each draws the split, the start and the batches.
    folder : where finished runs are kept; started again with it, only what is missing is run.
    root : folder of the data; None takes that of DDK_DATA.
    processes : how many runs at a time, each on one core.
    progress : called with a line of text for every finished run.

    Returns
    -------
    A dataset on (model, seed); see `comparison_rows`. A run that ended in numbers that are not
    finite has accuracy NaN and its reason in ``failed``.

    Raises
    ------
    InputError : an unknown name, no model or seed, or one given twice.
    StorageError : files of the data are missing or damaged, or the folder is not of this task.
    """
    task = get_task(task) if isinstance(task, str) else task
    chosen = [get_model(m) if isinstance(m, str) else m for m in models or task.models]
    _check([m.name for m in chosen], seeds, processes)
    found = run_all(
        task,
        chosen,
        seeds,
        folder=folder,
        kind="comparison",
        root=root,
        processes=processes,
        progress=progress,
    )
    return tabulate(task, chosen, seeds, found)


def run_all(
    task: Task,
    models: Sequence[Model],
    seeds: Sequence[int],
    *,
    folder: str | os.PathLike[str] | None,
    kind: str,
    root: str | None = None,
    processes: int = 1,
    progress: Callable[[str], None] | None = None,
) -> dict[tuple[str, int], dict[str, Any]]:
    """Every run as JSON, from the folder where it is there already; see `compare`."""
    wanted = [(model, int(seed)) for seed in seeds for model in models]
    found: dict[tuple[str, int], dict[str, Any]] = {}
    store = None
    if folder is not None:
        store = ResultStore.open(folder, {"kind": kind, "version": 1, "task": task.settings()})
    try:
        for model, seed in wanted:
            kept = None if store is None else store.get(_key(model, seed))
            if kept is not None and store is not None:
                _same_model(kept, model, str(store.file(_key(model, seed))))
                found[model.name, seed] = kept
        missing = [(m, s) for m, s in wanted if (m.name, s) not in found]
        if progress is not None and found:
            progress(f"{len(found)} of {len(wanted)} runs are there already")
        for model, seed, outcome in _outcomes(task, missing, root, processes):
            if store is not None:
                store.keep(_key(model, seed), outcome)
            found[model.name, seed] = outcome
            if progress is not None:
                progress(f"[{len(found)}/{len(wanted)}] {_words(model, seed, outcome)}")
    finally:
        if store is not None:
            store.__exit__()
    return found


def tabulate(
    task: Task,
    models: Sequence[Model],
    seeds: Sequence[int],
    found: dict[tuple[str, int], dict[str, Any]],
) -> xr.Dataset:
    """A dataset of finished runs."""
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
            result = Result.from_json(
                {k: v for k, v in outcome.items() if k != "key"}, f"{model.name}, seed {seed}"
            )
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


def best_control(ds: xr.Dataset) -> str | None:
    """The control (same classifier, another layer) with the highest mean accuracy, or None."""
    from network.contenders import LAYERS

    names = [str(n) for n in ds["model"].values if n in LAYERS and not str(n).startswith(_OURS)]
    means = {n: _mean(ds["accuracy"].sel(model=n).values) for n in names}
    means = {n: m for n, m in means.items() if np.isfinite(m)}
    return max(means, key=lambda n: means[n]) if means else None


def comparison_rows(ds: xr.Dataset) -> tuple[list[str], list[list[str]]]:
    """Headings and texts: a row a model, accuracies in per cent.

    "DDK minus it" is the mean difference within the seeds and its standard error, with "=" where
    it is within two of them.
    """
    voted, single = bool(ds.attrs["vote"]), ds.attrs["headline"] == "decision"
    told = f"vote over {ds.attrs['vote']}s"
    other = f"with {told}" if single else "without vote"
    second = "vote_accuracy" if single else "decision_accuracy"
    heads = ["model", "accuracy (%)", "worst", "validation"]
    heads += [other] if voted else []
    heads += ["DDK minus it", *([f"DDK minus it, {other}"] if voted else [])]
    heads += ["parameters", "MACs", "features", "s/run"]
    rows = []
    shown = ["accuracy", *([second] if voted else [])]
    ours = {}
    if "ddk" in ds["model"].values:
        ours = {key: ds[key].sel(model="ddk").values for key in shown}
    for name in map(str, ds["model"].values):
        one = ds.sel(model=name)
        reached = one["accuracy"].values
        lost = int(np.sum(one["failed"].values != ""))
        row = [
            name,
            _spread(reached) + (f", {lost} failed" if lost else ""),
            _percent(np.nanmin(reached)) if np.isfinite(reached).any() else "–",
            _percent(_mean(one["validation_accuracy"].values)),
        ]
        if voted:
            row.append(_spread(one[second].values))
        for key in shown:
            row.append("" if not ours or name == "ddk" else _against(ours[key], one[key].values))
        row += [f"{int(one[n]):,}" if int(one[n]) else "–" for n in _PER_MODEL]
        rows.append([*row, _seconds(_mean(one["seconds"].values))])
    return heads, rows


def markdown(ds: xr.Dataset) -> str:
    """The table of `comparison_rows` in Markdown, the protocol below it."""
    heads, rows = comparison_rows(ds)
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    seeds = ds.sizes["seed"]
    words = f"{ds.attrs['title']}: {seeds} seed{'s' if seeds > 1 else ''}, last epoch, mean ± "
    words += f"standard deviation. {ds.attrs['protocol']}"
    if ds.attrs["article"]:
        words += f" The article: {ds.attrs['article']}."
    return "\n".join([*lines, "", words, ""])


def _outcomes(
    task: Task, missing: list[tuple[Model, int]], root: str | None, processes: int
) -> Iterator[tuple[Model, int, dict[str, Any]]]:
    if processes > 1 and len(missing) > 1:
        from network.workers import spread_out

        yield from spread_out(task, missing, root, min(processes, len(missing)))
        return
    material = Material(task, root)
    for model, seed in missing:
        yield model, seed, one_run(task, model, seed, material)


def one_run(task: Task, model: Model, seed: int, material: Material) -> dict[str, Any]:
    """A run as JSON; one that ended in numbers that are not finite says so under "failed"."""
    try:
        return run(task, model, seed, material=material).to_json()
    except SolverError as error:
        settings = {"task": task.settings(), "model": model.settings()}
        return {"failed": str(error), "model": model.name, "seed": seed, "settings": settings}


def _key(model: Model, seed: int) -> str:
    return f"{model.name}-s{seed}"


def _same_model(kept: dict[str, Any], model: Model, where: str) -> None:
    was = kept.get("settings", {}).get("model") if isinstance(kept.get("settings"), dict) else None
    if was != json.loads(json.dumps(model.settings())):
        raise StorageError(
            f"it was run with other settings of '{model.name}'",
            where,
            "Choose another name after --out, or remove the file",
        )


def _check(names: list[str], seeds: Sequence[int], processes: int) -> None:
    if not names or not len(seeds):
        raise InputError("there is nothing to compare", "models and seeds", "Name one of each")
    for what, values in (("model", names), ("seed", [str(seed) for seed in seeds])):
        twice = sorted(v for v in values if values.count(v) > 1)
        if twice:
            raise InputError(f"{what} '{twice[0]}' is given twice", f"{what}s", "Give it once")
    if min(seeds) < 0:
        raise InputError(f"a seed of {min(seeds)}", "seeds", "Use 0 or more")
    if processes < 1:
        raise InputError(f"{processes} processes", "--processes", "Use 1 or more")


def _words(model: Model, seed: int, outcome: dict[str, Any]) -> str:
    head = f"{model.name}, seed {seed}: "
    if "failed" in outcome:
        return head + f"failed: {outcome['failed']}"
    result = Result.from_json({k: v for k, v in outcome.items() if k != "key"})
    text = head + f"test {_percent(result.accuracy)} %, {result.seconds:.1f} s"
    return text + (f"; {result.r_words}" if result.r is not None else "")


def _mean(values: np.ndarray) -> float:
    good = values[np.isfinite(values)]
    return float(good.mean()) if good.size else float("nan")


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if np.isfinite(value) else "–"


def _spread(values: np.ndarray) -> str:
    good = values[np.isfinite(values)]
    if good.size < 2:
        return _percent(_mean(values))
    return f"{_percent(_mean(values))} ± {100 * good.std(ddof=1):.1f}"


def _seconds(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _against(ours: np.ndarray, other: np.ndarray) -> str:
    try:
        found = metrics.difference(ours, other)
    except DDKError:
        return "–"
    if not np.isfinite(found.error):
        return f"{100 * found.mean:+.1f}"
    sign = "" if found.clear else " ="
    return f"{100 * found.mean:+.1f} ± {100 * found.error:.1f}{sign}"


def read_comparison(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read a comparison that `write_comparison` wrote. Raises StorageError."""
    from devicephys import records

    return records.read(path, COMPARISON)


def write_comparison(ds: xr.Dataset, folder: str | os.PathLike[str]) -> list[Path]:
    """Write comparison.nc, .md, .png and report.html into the folder, each whole or not at all.

    Raises
    ------
    StorageError : the folder cannot be written.
    """
    from devicephys import records
    from network.plots_network import comparison_figure, save
    from network.report import comparison_text

    folder = Path(folder)
    texts = {"comparison.md": markdown(ds), "report.html": comparison_text(ds)}
    paths = [records.write(ds, folder / "comparison.nc", overwrite=True)]
    for name, text in texts.items():
        paths.append(records.write_bytes(folder / name, text.encode("utf-8"), overwrite=True))
    paths.append(save(comparison_figure(ds), folder / "comparison.png", overwrite=True))
    return paths
