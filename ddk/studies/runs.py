"""Several models on one task over several seeds, each run kept; on one process or on several.

Models meet on the same splits, seed by seed, so the difference of two is taken within each seed and
is known better than either accuracy. Worker processes read the data once each, and end when their
parent does.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import xarray as xr

from ddk.studies.comparison import percent, result_of, tabulate
from ddk.studies.experiment import run
from ddk.studies.folds import Material
from ddk.studies.models import DDK, Model, get_model
from ddk.studies.result_store import ResultStore
from ddk.studies.tasks import Task, get_task, with_states
from ddkbase.errors import DDKError, InputError, SolverError, StorageError
from ddkbase.files import children_without_ctrl_c
from ddkbase.installation import single_threaded


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
    compared = [get_model(m) if isinstance(m, str) else m for m in models or task.models]
    _check([m.name for m in compared], seeds, processes)
    outcomes = run_all(
        task,
        compared,
        seeds,
        folder=folder,
        kind="comparison",
        root=root,
        processes=processes,
        progress=progress,
    )
    return tabulate(task, compared, seeds, outcomes)


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
    asked = [(model, int(seed)) for seed in seeds for model in models]
    outcomes: dict[tuple[str, int], dict[str, Any]] = {}
    request = {"kind": kind, "version": 1, "task": task.settings()}
    with nullcontext() if folder is None else ResultStore.open(folder, request) as store:
        for model, seed in asked:
            stored = None if store is None else store.get(_key(model, seed))
            if store is not None and stored is not None:
                _same_model(stored, task, model, str(store.file(_key(model, seed))))
                outcomes[model.name, seed] = stored
        missing = [(m, s) for m, s in asked if (m.name, s) not in outcomes]
        if progress is not None and outcomes:
            progress(f"{len(outcomes)} of {len(asked)} runs are there already")
        for model, seed, outcome in _outcomes(task, missing, root, processes):
            if store is not None:
                store.keep(_key(model, seed), outcome)
            outcomes[model.name, seed] = outcome
            if progress is not None:
                progress(f"[{len(outcomes)}/{len(asked)}] {_line(model, seed, outcome)}")
    return outcomes


def _outcomes(
    task: Task, missing: list[tuple[Model, int]], root: str | None, processes: int
) -> Iterator[tuple[Model, int, dict[str, Any]]]:
    if processes > 1 and len(missing) > 1:
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


def _same_model(stored: dict[str, Any], task: Task, model: Model, where: str) -> None:
    now = {"task": task.settings(), "model": model.settings()}
    if _whole(stored.get("settings")) != _whole(json.loads(json.dumps(now))):
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
    for kind, values in (("model", names), ("seed", [str(seed) for seed in seeds])):
        twice = sorted(v for v in values if values.count(v) > 1)
        if twice:
            raise InputError(f"{kind} '{twice[0]}' is given twice", f"{kind}s", "Give it once")
    if min(seeds) < 0:
        raise InputError(f"a seed of {min(seeds)}", "seeds", "Use 0 or more")
    if processes < 1:
        raise InputError(f"{processes} processes", "--processes", "Use 1 or more")


def _line(model: Model, seed: int, outcome: dict[str, Any]) -> str:
    head = f"{model.name}, seed {seed}: "
    if "failed" in outcome:
        return head + f"failed: {outcome['failed']}"
    result = result_of(outcome)
    text = head + f"test {percent(result.accuracy)} %, {result.seconds:.1f} s"
    return text + (f"; {result.r_words}" if result.r is not None else "")


class _Worker:
    """What one worker process keeps between its runs."""

    material: Material | None = None


def spread_out(
    task: Task, missing: list[tuple[Model, int]], root: str | None, processes: int
) -> Iterator[tuple[Model, int, dict[str, Any]]]:
    """Run on several processes and give the outcomes as they come.

    Raises DDKError: as `ddk.studies.experiment.run`; runs that were not begun are dropped.
    """
    jobs = [(task, model, seed) for model, seed in missing]
    places = [f"{model.name}, seed {seed}" for model, seed in missing]
    for k, outcome in on_processes(_work, jobs, processes, _start, (task, root), places):
        yield *missing[k], outcome


def on_processes[T](
    work: Callable[..., T],
    jobs: Sequence[tuple[Any, ...]],
    processes: int,
    start: Callable[..., None],
    shared: tuple[Any, ...],
    places: Sequence[str],
) -> Iterator[tuple[int, T]]:
    """Results of jobs on worker processes, with their indices, as they come.

    A job is the arguments of ``work``; ``start`` is called with ``shared`` once in each process.
    Both are functions of a module. An error names the place of its job. Raises DDKError: what a job
    raises; jobs that were not begun are dropped.
    """
    # threads of several processes get in each other's way; a child reads it when it loads NumPy
    single_threaded()
    context = get_context("spawn")  # threads of a numerical library do not survive a fork
    parent_ended, parent = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        processes, mp_context=context, initializer=_begin, initargs=(parent_ended, start, shared)
    )
    try:
        with children_without_ctrl_c():
            indices = {pool.submit(work, *job): k for k, job in enumerate(jobs)}
        for job in as_completed(indices):
            k = indices[job]
            try:
                result = job.result()
            except DDKError:
                raise
            except Exception as error:
                raise InputError(
                    f"a worker process ended [{type(error).__name__}]",
                    places[k],
                    "There may be too little memory; use fewer --processes",
                ) from error
            yield k, result
    finally:
        # ends the workers: what is being computed is dropped, a run may take an hour
        parent.close()
        pool.shutdown(wait=True, cancel_futures=True)
        parent_ended.close()


def _begin(parent_ended: Connection, start: Callable[..., None], shared: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with, args=(parent_ended,), daemon=True).start()
    start(*shared)


def _end_with(parent_ended: Connection) -> None:
    """End this process when the other end is closed: by the parent, or because it was killed."""
    parent_ended.poll(None)
    os._exit(1)


def _start(task: Task, root: str | None) -> None:
    _Worker.material = Material(task, root)


def _work(task: Task, model: Model, seed: int) -> dict[str, Any]:
    assert _Worker.material is not None
    return one_run(task, model, seed, _Worker.material)
