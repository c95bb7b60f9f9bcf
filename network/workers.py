"""Runs on several processes, each with the data read once; they end when their parent does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from devicephys.errors import DDKError, InputError
from network.contenders import Model
from network.folds import Material
from network.task import Task

__all__ = ["spread_out"]

_WATCH_EVERY = 0.5  # s
#: a run is on one core: threads of several processes only get in each other's way
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class _Bench:
    """What one worker process keeps between its runs."""

    material: Material | None = None


def spread_out(
    task: Task, wanted: list[tuple[Model, int]], root: str | None, processes: int
) -> Iterator[tuple[Model, int, dict[str, Any]]]:
    """Run on several processes and give the outcomes as they come.

    Raises
    ------
    DDKError : as `network.experiment.run`; runs that were not begun are dropped.
    """
    for name in _THREADS:
        os.environ.setdefault(name, "1")  # a child reads it when it loads NumPy, before `_start`
    pool = ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),  # threads of a numerical library do not survive a fork
        initializer=_start,
        initargs=(task, root, os.getpid()),
    )
    try:
        jobs = {pool.submit(_work, task, model, seed): (model, seed) for model, seed in wanted}
        for job in as_completed(jobs):
            model, seed = jobs[job]
            try:
                outcome = job.result()
            except DDKError:
                raise
            except Exception as error:
                raise InputError(
                    f"a worker process ended [{type(error).__name__}]",
                    f"{model.name}, seed {seed}",
                    "There may be too little memory; use fewer --processes",
                ) from error
            yield model, seed, outcome
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start(task: Task, root: str | None, parent: int) -> None:
    _Bench.material = Material(task, root)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when its parent was killed, which tells nobody."""
    while os.getppid() == parent:
        time.sleep(_WATCH_EVERY)
    os._exit(1)


def _work(task: Task, model: Model, seed: int) -> dict[str, Any]:
    from network.compare import one_run

    assert _Bench.material is not None
    return one_run(task, model, seed, _Bench.material)
