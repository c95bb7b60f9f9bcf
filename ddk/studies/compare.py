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

from ddk.studies.comparison import read_comparison, result_of, tabulate
from ddk.studies.comparison_text import best_control, comparison_rows, markdown, percent
from ddk.studies.experiment import run
from ddk.studies.folds import Material
from ddk.studies.models import DDK, Model, get_model
from ddk.studies.result_store import ResultStore
from ddk.studies.task import Task, with_states
from ddk.studies.tasks import get_task
from ddkbase.errors import InputError, SolverError, StorageError

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
    task : Task or str
        The task itself, or its name.
    models : sequence of Model or str, or None, optional
        The models themselves or their names; by default those of the task.
    seeds : sequence of int, optional
        Each draws the split, the start and the batches.
    folder : str, Path or None, optional
        Where finished runs are kept; started again with it, only what is missing is run.
    root : str or None, optional
        Folder of the data; None takes that of DDK_DATA.
    processes : int, default 1
        How many runs at a time, each on one core.
    progress : callable or None, optional
        Called with a line of text for every finished run.

    Returns
    -------
    xarray.Dataset
        A dataset on (model, seed); see `comparison_rows`. A run that ended in numbers that are not
        finite has accuracy NaN and its reason in ``failed``.

    Raises
    ------
    InputError
        An unknown name, no model or seed, or one given twice.
    StorageError
        Files of the data are missing or damaged, or the folder is not of this task.
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
                _same_model(kept, task, model, str(store.file(_key(model, seed))))
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


def _outcomes(
    task: Task, missing: list[tuple[Model, int]], root: str | None, processes: int
) -> Iterator[tuple[Model, int, dict[str, Any]]]:
    if processes > 1 and len(missing) > 1:
        from ddk.studies.workers import spread_out

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


def _same_model(kept: dict[str, Any], task: Task, model: Model, where: str) -> None:
    now = {"task": task.settings(), "model": model.settings()}
    if _whole(kept.get("settings")) != _whole(json.loads(json.dumps(now))):
        raise StorageError(
            f"it was run with other settings of '{model.name}'",
            where,
            "Choose another name after --out, or remove the file",
        )


def _whole(settings: Any) -> dict[str, Any] | None:
    """Settings of the model, the options of a DDK layer with those that the task gives it."""
    try:
        model, ddk = dict(settings["model"]), with_states(settings["task"])["ddk"]
        return {**model, "options": {**ddk, **model["options"]}} if model["layer"] == DDK else model
    except (KeyError, TypeError, AttributeError):
        return None


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
    result = result_of(outcome)
    text = head + f"test {percent(result.accuracy)} %, {result.seconds:.1f} s"
    return text + (f"; {result.r_words}" if result.r is not None else "")


def write_comparison(ds: xr.Dataset, folder: str | os.PathLike[str]) -> list[Path]:
    """Write comparison.nc, .md, .png and report.html into the folder, each whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    from ddk.studies.plots import comparison_figure, save
    from ddk.studies.report import comparison_text
    from ddkbase import records

    folder = Path(folder)
    texts = {"comparison.md": markdown(ds), "report.html": comparison_text(ds)}
    paths = [records.write(ds, folder / "comparison.nc", overwrite=True)]
    for name, text in texts.items():
        paths.append(records.write_bytes(folder / name, text.encode("utf-8"), overwrite=True))
    paths.append(save(comparison_figure(ds), folder / "comparison.png", overwrite=True))
    return paths
