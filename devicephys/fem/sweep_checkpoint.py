"""A sweep put away in the middle, and taken up again."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import StorageError
from devicephys.fem.equations import State
from devicephys.fem.grid_fields import collect_cells, collect_nodes, spread_cells, spread_nodes
from devicephys.fem.observables import Observation
from devicephys.fem.stepper import Position, Rejection, Stepper

if TYPE_CHECKING:
    from devicephys.simulation.checkpoint import Checkpoint
    from devicephys.simulation.iv_record import Trace

_ROW = [f.name for f in dataclasses.fields(Observation)]


class SweepCheckpoint:
    """Saves the steps of a trace and the position of its stepper, and restores both.

    Every rank makes one; only rank 0 needs a ``checkpoint`` to save into.
    """

    def __init__(self, checkpoint: Checkpoint | None, fingerprint: str, trace: Trace) -> None:
        self.checkpoint, self.fingerprint, self.trace = checkpoint, fingerprint, trace
        self.comm = trace.problem.comm
        self.every = checkpoint.every if checkpoint is not None else 0
        if self.comm.size > 1:
            self.every = self.comm.bcast(self.every)
        self._fields: list[tuple[np.ndarray, np.ndarray]] = []

    def after_step(self, stepper: Stepper) -> None:
        """Save if it is time to. Collective."""
        steps = len(self.trace.rows) - 1
        if not self.every or steps % self.every:
            return
        problem, trace, statistics = self.trace.problem, self.trace, stepper.statistics
        for state in trace.states[len(self._fields) : len(trace.rows)]:
            fields = collect_nodes(problem, state.u), collect_cells(problem, state.n)
            # the others would only hold what rank 0 writes
            self._fields.append(fields if self.comm.rank == 0 else (np.empty(0), np.empty(0)))
        if self.comm.rank or self.checkpoint is None:
            return
        arrays = {
            "u": np.array([u for u, _ in self._fields]),
            "n": np.array([n for _, n in self._fields]),
            "contact": np.array([state.contact for state in trace.states[: len(trace.rows)]]),
        }
        arrays |= {f"row_{k}": np.array([getattr(row, k) for row in trace.rows]) for k in _ROW}
        rejections = statistics.rejections
        arrays["rejected_time"] = np.array([r.time for r in rejections])
        arrays["rejected_step"] = np.array([r.step_size for r in rejections])
        arrays["rejected_reason"] = np.array([r.reason for r in rejections], dtype=str)
        assert stepper.position is not None
        arrays["inventory"] = np.array(trace.observer.inventory)
        arrays["position"] = np.array(dataclasses.astuple(stepper.position))
        arrays["counts"] = np.array(
            [statistics.steps, statistics.newton_iterations, statistics.factorisations]
        )
        self.checkpoint.save(arrays, {"fingerprint": self.fingerprint})

    def restore(self, stepper: Stepper) -> tuple[list[tuple[float, State]], Position] | None:
        """Fill the trace and the statistics from the checkpoint, if there is one. Collective.

        Returns the last states and the position for ``Stepper.resume``.

        Raises
        ------
        StorageError
            The checkpoint is damaged, of another run or of another mesh.
        """
        saved = load(self.checkpoint, self.comm, self.fingerprint)
        if saved is None:
            return None
        problem, trace, statistics = self.trace.problem, self.trace, stepper.statistics
        try:
            shape = (2, len(problem.grid.z), len(problem.grid.r))
            if saved["u"].shape[1:] != shape:
                raise IndexError(f"fields of shape {saved['u'].shape[2:]}")
            trace.states[:] = [
                State(spread_nodes(problem, u), spread_cells(problem, n), float(contact))
                for u, n, contact in zip(saved["u"], saved["n"], saved["contact"], strict=True)
            ]
            columns = {k: saved[f"row_{k}"].tolist() for k in _ROW}
            trace.rows[:] = [
                Observation(**dict(zip(columns, values, strict=True)))
                for values in zip(*columns.values(), strict=True)
            ]
            statistics.rejections[:] = [
                Rejection(float(t), float(h), str(reason))
                for t, h, reason in zip(
                    saved["rejected_time"],
                    saved["rejected_step"],
                    saved["rejected_reason"],
                    strict=True,
                )
            ]
            corner, step, caution = saved["position"]
            counts = [int(count) for count in saved["counts"]]
            trace.observer.resume(float(saved["inventory"]), trace.states[-1])
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise StorageError(
                f"the checkpoint does not fit this run [{error}]", hint="Start the run anew"
            ) from error
        if self.comm.rank == 0:
            self._fields = list(zip(saved["u"], saved["n"], strict=True))
        else:
            self._fields = [(np.empty(0), np.empty(0))] * len(trace.states)
        statistics.steps, statistics.newton_iterations, statistics.factorisations = counts
        statistics.rejected = len(statistics.rejections)
        # the error estimate of a step looks back over three states
        latest = range(len(trace.rows) - 1, max(len(trace.rows) - 4, -1), -1)
        past = [(trace.rows[k].time, trace.states[k]) for k in latest]
        return past, Position(int(corner), float(step), int(caution))


def load(checkpoint: Checkpoint | None, comm: Any, fingerprint: str) -> dict[str, Any] | None:
    """Arrays and, under their own names, the entries of a checkpoint, from rank 0. Collective.

    Raises
    ------
    StorageError
        It is damaged, or belongs to another run.
    """
    saved: Any = None
    if comm.rank == 0 and checkpoint is not None:
        try:
            saved = checkpoint.load()
            if saved is not None and saved[1].get("fingerprint") != fingerprint:
                raise StorageError(
                    "the checkpoint belongs to another run",
                    "checkpoint",
                    "Resume with the device, protocol and settings it was started with",
                )
        except StorageError as error:
            saved = error
    if comm.size > 1:
        # the error too: a rank that goes on alone would wait for the others for ever
        saved = comm.bcast(saved)
    if isinstance(saved, StorageError):
        raise saved
    return None if saved is None else {**saved[1], **saved[0]}
