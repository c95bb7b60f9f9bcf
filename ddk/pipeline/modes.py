"""Accuracies on imprecise chips, with the cells of a table in the DDK layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddk.studies.folds import Material
from ddk.studies.hardware import Bench
from ddk.studies.models import Model
from ddk.studies.result_store import ResultStore
from ddk.studies.task import Task
from network.hardware.harden import MODES, Tuning, harden
from network.hardware.settings import Hardware

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable
    from network.model.ddk_network import Network

__all__ = ["CASES", "FIVE", "modes"]

ANEW = "+statistics"
CASES = (*MODES, *(f"{mode}{ANEW}" for mode in MODES if mode != "software"))
"""Names of `ddk.studies.hardware`: a mode, and with statistics taken anew without labels."""

FIVE = ("software", "imprecise", f"imprecise{ANEW}", "imprecision-based", "hybrid")
"""Those that a pipeline runs unless it is told others."""


@dataclass
class TableBench(Bench):
    """A bench whose networks keep alpha and beta where a table's pulses can put them.

    Attributes
    ----------
    table : AlphaBetaTable or None, optional
        Table to which alpha and beta are confined; None: they are free.
    """

    table: AlphaBetaTable | None = None

    def base(self, mode: str, hardware: Hardware, key: Any = None) -> Network:
        """As `Bench.base`: a copy of the network trained off the chip."""
        from network.model.files import copy_network

        if (mode, key) not in self._bases:
            made = self.new()
            x, y = self.fold.train.x, self.fold.train.y
            told = {**self.settings(), "table": self.table, "chip": self.seed}
            harden(made, x, y, mode=mode, hardware=hardware, **told)
            made.release()
            self._bases[mode, key] = made
        return copy_network(self._bases[mode, key])

    def score(self, mode: str, reestimate: bool, hardware: Hardware, key: Any = None) -> float:
        """As `Bench.score`: accuracy on the test part after one mode, on the seed's chip."""
        off_chip = "software" if mode in ("software", "imprecise") else "imprecision-based"
        outcome = harden(
            self.base(off_chip, hardware, None if off_chip == "software" else key),
            self.fold.train.x,
            self.fold.train.y,
            mode=mode,
            hardware=hardware,
            chip=self.seed,
            reestimate=reestimate,
            table=self.table,
            trained=True,
            tuning=self.tuning,
            seed=self.seed,
        )
        rng = np.random.default_rng([self.seed, 5])
        return outcome.accuracy(self.fold.test.x, self.fold.test.y, rng)


def modes(
    task: Task,
    model: Model,
    cases: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    hardware: Hardware,
    request: dict[str, Any],
    *,
    table: AlphaBetaTable | None = None,
    root: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, dict[int, float]]:
    """Run what is missing of some cases, and return accuracies by case and seed.

    Parameters
    ----------
    task : Task
        What is learnt.
    model : Model
        What learns.
    cases : sequence of str
        Some of `CASES`.
    seeds : sequence of int
        Each draws a split, a start and a chip.
    folder : Path
        Where finished numbers are kept.
    hardware : Hardware
        What chips are like; without ``kinetics`` cells scatter as the table's.
    request : dict
        What the folder is for, as JSON can hold it.
    table : AlphaBetaTable or None, optional
        Table of the DDK layer's cells.
    root : str or None, optional
        Folder of the data.
    say : callable, optional
        Prints a line for each number.

    Raises
    ------
    StorageError
        The folder is of something else; files of the data are missing.
    """
    found: dict[str, dict[int, float]] = {name: {} for name in cases}
    material = Material(task, root)
    with ResultStore.open(folder, request) as store:
        for seed in seeds:
            bench: TableBench | None = None
            for name in cases:
                key = f"{name}-s{seed}"
                kept = store.get(key)
                if kept is None:
                    if bench is None:
                        fold = next(iter(material.folds(seed, model.data, model.cut)))
                        # many samples are tuned in larger batches, as in `ddk.studies.hardware`
                        large = Tuning(epochs=5, batch_size=512, rate=0.001)
                        how = large if len(fold.train) > 8192 else Tuning()
                        bench = TableBench(task, model, fold, seed, hardware, how, table)
                    mode = name.removesuffix(ANEW)
                    reached = bench.score(mode, name.endswith(ANEW), hardware)
                    kept = {"accuracy": reached, "seed": seed, "case": name}
                    store.keep(key, kept)
                    say(f"seed {seed}: {name} {100 * reached:.2f} %")
                found[name][seed] = float(kept["accuracy"])
    return found
