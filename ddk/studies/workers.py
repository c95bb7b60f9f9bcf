"""Runs on several processes, each with the data read once; they end when their parent does."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from ddk.studies.folds import Material
from ddk.studies.models import Model
from ddk.studies.task import Task
from ddkbase.errors import DDKError, InputError

__all__ = ["spread_out"]

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
    DDKError
        As `ddk.studies.experiment.run`; runs that were not begun are dropped.
    """
    for name in _THREADS:
        os.environ.setdefault(name, "1")  # a child reads it when it loads NumPy, before `_start`
    context = get_context("spawn")  # threads of a numerical library do not survive a fork
    heard, told = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        processes, mp_context=context, initializer=_start, initargs=(task, root, heard)
    )
    try:
        with _deaf_children():
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
        told.close()  # ends the workers; what is being computed is dropped, a run may take an hour
        pool.shutdown(wait=True, cancel_futures=True)
        heard.close()


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started here do not hear Ctrl-C, which a terminal sends to all: the parent does,
    and says it once."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(task: Task, root: str | None, heard: Connection) -> None:
    threading.Thread(target=_end_with, args=(heard,), daemon=True).start()
    _Bench.material = Material(task, root)


def _end_with(heard: Connection) -> None:
    """End this process when the other end is closed: by the parent, or because it was killed."""
    heard.poll(None)
    os._exit(1)


def _work(task: Task, model: Model, seed: int) -> dict[str, Any]:
    from ddk.studies.compare import one_run

    assert _Bench.material is not None
    return one_run(task, model, seed, _Bench.material)
