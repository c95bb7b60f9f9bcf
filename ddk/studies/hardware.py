"""Accuracies on imprecise chips over many seeds: training modes, noise, bits, failed cells.

Every seed draws a split, a start and a chip; every finished number is kept in a folder, and a call
that was stopped goes on where it was. The test part is looked at once for each number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from compact.table.table import AlphaBetaTable
from ddk.article.noise import CALLS, accuracies_of_calls
from ddk.studies.experiment import training_options
from ddk.studies.few_reads.disturbances import Disturbance, accuracy_of
from ddk.studies.few_reads.disturbances import cases as few_reads_cases
from ddk.studies.folds import Fold, Material
from ddk.studies.models import Model, build, get_model
from ddk.studies.result_store import ResultStore
from ddk.studies.tasks import Task
from ddkbase.errors import InputError, closest
from network.hardware.cells.kinetics_noise import KineticsNoise
from network.hardware.cells.noise import Faults, WriteError
from network.hardware.cells.quantisation import Quantisation, post_training
from network.hardware.settings import Hardware, article
from network.hardware.training import MODES, Tuning, harden
from network.model.files import copy_network
from network.model.network import Network
from network.model.optimisers import Adam
from network.model.trainer import train

NOISES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
SYNAPSES = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
BITS = (2, 3, 4, 5, 6, 7, 8)
STUCK = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2)

ANEW = "+statistics"
MODE_CASES = (*MODES, *(f"{mode}{ANEW}" for mode in MODES if mode != "software"))
"""A training mode, and with the statistics of the features taken anew, without labels."""

Case = tuple[str, Callable[[], float]]
Progress = Callable[[str], None]


@dataclass
class Bench:
    """One seed of a task: its data and the networks that cases start from, trained when needed.

    With a table, alpha and beta stay where pulses of its cells can put them.
    """

    task: Task
    model: Model
    fold: Fold
    seed: int
    hardware: Hardware
    tuning: Tuning
    table: AlphaBetaTable | None = None

    def __post_init__(self) -> None:
        self._bases: dict[Any, Network] = {}
        self._calls: dict[bool, np.ndarray] = {}

    def base(self, mode: str, hardware: Hardware, key: Any = None) -> Network:
        """A copy of the network trained off the chip; trained once for each key."""
        if (mode, key) not in self._bases:
            network = self.new()
            options = {**training_options(self.task, self.seed), "table": self.table}
            x, y = self.fold.train.x, self.fold.train.y
            harden(network, x, y, mode=mode, hardware=hardware, chip=self.seed, **options)
            network.release()
            self._bases[mode, key] = network
        return copy_network(self._bases[mode, key])

    def mean_of_calls(self, number: int, restored: bool) -> float:
        """Mean accuracy over the first calls of the noise as the authors' code applies it."""
        if restored not in self._calls:
            network, test = self.base("software", Hardware()), self.fold.test
            rng = np.random.default_rng([self.seed, 12])
            self._calls[restored] = accuracies_of_calls(
                network, test.x, test.y, rng, restored=restored
            )
        return float(self._calls[restored][:number].mean())

    def new(self) -> Network:
        """An untrained network of the task."""
        return build(self.task, self.model, self.fold.shape, len(self.fold.classes), self.seed)

    def score(self, mode: str, reestimate: bool, hardware: Hardware, key: Any = None) -> float:
        """Accuracy on the test part after one mode, on the seed's chip."""
        off_chip = "software" if mode in ("software", "imprecise") else "imprecision-based"
        same = None if off_chip == "software" else key
        outcome = harden(
            self.base(off_chip, hardware, same),
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


def _modes(bench: Bench) -> Iterator[Case]:
    for mode in MODES:
        yield mode, partial(bench.score, mode, False, bench.hardware)
        if mode != "software":
            yield f"{mode}{ANEW}", partial(bench.score, mode, True, bench.hardware)


def _noise(bench: Bench) -> Iterator[Case]:
    levels: list[tuple[str, Hardware]] = []
    for level in NOISES:
        plain = replace(bench.hardware, write=None)
        cycle, device = KineticsNoise(level, level), KineticsNoise(0, 0, level, level)
        levels.append((f"cycle-{level:g}", replace(plain, kinetics=cycle)))
        levels.append((f"device-{level:g}", replace(plain, kinetics=device)))
    for level in SYNAPSES:
        error = WriteError.of(f"{level} uS")
        levels.append((f"synapse-{level:g}", replace(bench.hardware, write=error, kinetics=None)))
    for name, hardware in levels:
        for mode in ("imprecise", "imprecision-based", "hybrid"):
            for anew in (False, True):
                case = f"{name}.{mode}{ANEW if anew else ''}"
                yield case, partial(bench.score, mode, anew, hardware, name)


def _bits(bench: Bench) -> Iterator[Case]:
    exact = Hardware()

    def accuracy(network: Network, q: Quantisation) -> float:
        test = bench.fold.test
        return float(np.mean(network.predict(test.x, realise=q) == test.y))

    def calibrated(network: Network, bits: int, activations: bool) -> Quantisation:
        # sums before a sigmoid have far outliers, where it is flat; 98 % of them set the range
        x = bench.fold.train.x[:8192]
        return post_training(network, bits, x, activations=activations, percentile=98)

    def after(bits: int, activations: bool) -> float:
        network = bench.base("software", exact)
        return accuracy(network, calibrated(network, bits, activations))

    def on(network: Network, q: Quantisation | None) -> None:
        options = training_options(bench.task, bench.seed)
        options["epochs"] = max(bench.task.training.epochs // 2, 1)
        options["optimiser"] = Adam(rate=0.3 * bench.task.training.rate, weight_decay=1e-4)
        train(network, bench.fold.train.x, bench.fold.train.y, realise=q, **options)

    def aware(bits: int, activations: bool) -> float:
        network = bench.base("software", exact)
        q = calibrated(network, bits, activations)
        on(network, q)
        return accuracy(network, q)

    further: list[Network] = []

    def longer(bits: int, activations: bool) -> float:
        # what the further epochs alone are worth, which 'aware' has and 'after' has not
        if not further:
            further.append(bench.base("software", exact))
            on(further[0], None)
        network = copy_network(further[0])
        return accuracy(network, calibrated(network, bits, activations))

    yield "float", partial(bench.score, "software", False, exact)
    for bits in BITS:
        for activations in (False, True):
            tail = f"{bits}.{'activations' if activations else 'weights'}"
            yield f"after-{tail}", partial(after, bits, activations)
            yield f"longer-{tail}", partial(longer, bits, activations)
            yield f"aware-{tail}", partial(aware, bits, activations)


def _stuck(bench: Bench) -> Iterator[Case]:
    for share in STUCK:
        faults = Faults(stuck_low=share / 2, stuck_high=share / 2)
        hardware = replace(bench.hardware, faults=faults)
        for mode in ("imprecise", "imprecision-based", "hybrid"):
            yield f"{100 * share:g}.{mode}", partial(bench.score, mode, True, hardware, share)


def _accumulation(bench: Bench) -> Iterator[Case]:
    yield "software", partial(bench.score, "software", False, Hardware())
    for number in (1, 10, CALLS):
        yield f"mean-of-{number}", partial(bench.mean_of_calls, number, False)
    yield f"restored-mean-of-{CALLS}", partial(bench.mean_of_calls, CALLS, True)


def _few_reads(bench: Bench) -> Iterator[Case]:
    for name, model, disturbance in few_reads_cases():

        def score(model: str = model, disturbance: Disturbance = disturbance) -> float:
            if bench.task.ddk.get("readout") != "last":
                raise InputError("it is not read once", bench.task.name, "Use --readout last")
            return accuracy_of(bench.task, model, bench.fold, bench.seed, disturbance)

        yield name, score


HARDWARE_KINDS: dict[str, Callable[[Bench], Iterator[Case]]] = {
    "modes": _modes,
    "noise": _noise,
    "quantisation": _bits,
    "stuck": _stuck,
    "accumulation": _accumulation,
    "few-reads": _few_reads,
}
"""What can be run: the bars of Fig. 5a, the sweeps of Fig. S16, bits (Fig. S17), failed cells, the
noise of the authors' code added up over its tests, and what breaks a memory that is read once."""


def hardware_study(
    kind: str,
    task: Task,
    seeds: Sequence[int],
    folder: str | os.PathLike[str],
    *,
    model: str = "ddk",
    hardware: Hardware | None = None,
    tuning: Tuning | None = None,
    root: str | None = None,
    only: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, dict[int, float]]:
    """Run what is missing of one kind, and return accuracies by case and seed.

    Parameters
    ----------
    kind : str
        One of `HARDWARE_KINDS`.
    task : Task
        Data, structure and training.
    seeds : sequence of int
        Each draws a split, a start and a chip.
    folder : str or Path
        Where finished numbers are kept.
    model : str, default "ddk"
        Model of `ddk.studies.models`, with a DDK layer or without.
    hardware : Hardware or None, optional
        What the chip is like; `article()` if None.
    tuning : Tuning or None, optional
        Tuning in situ; by default as `Tuning`, for more than 8,192 samples in batches of 512.
    root : str or None, optional
        Folder of the data.
    only : sequence of str or None, optional
        Beginnings of the names of the cases that are wanted; None: all.
    progress : callable or None, optional
        Called with a line for each number.

    Raises
    ------
    InputError
        No such kind, no case of that name.
    StorageError
        The folder is of something else; files of the data are missing.
    """
    if kind not in HARDWARE_KINDS:
        raise InputError(f"there is nothing called '{kind}'", "kind", closest(kind, HARDWARE_KINDS))
    hardware = article() if hardware is None else hardware
    names, contender = _names(kind, hardware, only), get_model(model)
    if not contender.trains_here:
        raise InputError(
            f"model '{model}' is not trained here", "model", "Take ddk, or a control such as raw"
        )
    request = {
        "kind": kind,
        "task": task.settings(),
        "model": model,
        "hardware": hardware,
        "tuning": tuning,
    }
    material = Material(task, root)

    def cases(seed: int) -> Mapping[str, Callable[[], float]]:
        fold = next(iter(material.folds(seed)))
        how = tuning or _tuning(len(fold.train))
        return dict(HARDWARE_KINDS[kind](Bench(task, contender, fold, seed, hardware, how)))

    return _accuracies(names, seeds, folder, request, cases, progress)


def run_cases(
    task: Task,
    model: Model,
    cases: Sequence[str],
    seeds: Sequence[int],
    folder: str | os.PathLike[str],
    hardware: Hardware,
    request: Mapping[str, Any],
    *,
    table: AlphaBetaTable | None = None,
    root: str | None = None,
    progress: Progress | None = None,
) -> dict[str, dict[int, float]]:
    """Run what is missing of some of `MODE_CASES`; accuracies by case and seed.

    As `hardware_study`; ``request`` says what the folder is for, as JSON can hold it, and without
    ``kinetics`` of the hardware cells scatter as the table's. Raises StorageError: the folder is of
    something else; files of the data are missing.
    """
    material = Material(task, root)

    def of_seed(seed: int) -> Mapping[str, Callable[[], float]]:
        fold = next(iter(material.folds(seed, model.data, model.cut)))
        bench = Bench(task, model, fold, seed, hardware, _tuning(len(fold.train)), table)
        return dict(_modes(bench))

    return _accuracies(cases, seeds, folder, request, of_seed, progress)


def _accuracies(
    names: Sequence[str],
    seeds: Sequence[int],
    folder: str | os.PathLike[str],
    request: Mapping[str, Any],
    cases: Callable[[int], Mapping[str, Callable[[], float]]],
    progress: Progress | None,
) -> dict[str, dict[int, float]]:
    """Accuracies by case and seed; what is not in the folder yet is computed and kept there."""
    accuracies: dict[str, dict[int, float]] = {name: {} for name in names}
    with ResultStore.open(folder, request) as store:
        for seed in seeds:
            missing: Mapping[str, Callable[[], float]] | None = None
            for name in names:
                key = f"{name}-s{seed}".lower()
                outcome = store.get(key)
                if outcome is None:
                    # the data are read, and networks trained, only if a number is missing
                    missing = cases(seed) if missing is None else missing
                    outcome = {"accuracy": missing[name](), "seed": seed, "case": name}
                    store.keep(key, outcome)
                    if progress is not None:
                        progress(f"seed {seed}: {name} {100 * outcome['accuracy']:.2f} %")
                accuracies[name][seed] = float(outcome["accuracy"])
    return accuracies


def _tuning(samples: int) -> Tuning:
    """Many samples are tuned in larger batches."""
    if samples <= 8192:
        return Tuning()
    return Tuning(epochs=5, batch_size=512, rate=0.001)


def _names(kind: str, hardware: Hardware, only: Sequence[str] | None) -> list[str]:
    blank: Any = _Blank(hardware)
    names = [name for name, _ in HARDWARE_KINDS[kind](blank)]
    if only is None:
        return names
    selected = [n for n in names if any(n.startswith(o) for o in only)]
    if not selected:
        raise InputError(f"no case begins with {', '.join(only)}", "only", ", ".join(names[:8]))
    return selected


class _Blank:
    """Stands in for a bench where only the names of its cases are asked for."""

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware

    def score(self, *_: object) -> float:
        """Nothing to score."""
        return float("nan")

    mean_of_calls = score


def hardware_rows(accuracies: dict[str, dict[int, float]]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows in per cent: case, mean, deviation, worst, seeds.

    Parameters
    ----------
    accuracies : dict
        Accuracies by case and seed, shares of 1, as `run_cases` gives them.

    Returns
    -------
    heads : list of str
        Heads of the columns.
    rows : list of list of str
        Texts, a row for each case.
    """
    rows = []
    for name, by_seed in accuracies.items():
        values = 100 * np.array(list(by_seed.values()))
        deviation = f"{values.std(ddof=1):.2f}" if values.size > 1 else "-"
        rows.append(
            [name, f"{values.mean():.2f}", deviation, f"{values.min():.2f}", str(values.size)]
        )
    return ["case", "accuracy [%]", "deviation", "worst", "seeds"], rows
