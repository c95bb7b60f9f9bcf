"""A measured cell as a synapse: from its trains to accuracies, energies and what is not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from compact.laws.branches import Branch, Synapse, fit_synapse
from ddk.studies.folds import Material
from ddk.studies.lab.runs import (
    CHANCES,
    IDEAL,
    NUMBERS,
    PULSES,
    WRITTEN,
    LabData,
    LabRun,
    Pictures,
    run_all,
)
from ddkbase.errors import InputError
from ddkbase.records import label
from ddkbase.units import format_si, to_si
from network.hardware.cells.synaptic_cells import SynapticCells
from network.hardware.chip.chip import Chip
from network.hardware.chip.cost import Cost, cost
from network.hardware.chip.loads import Load
from network.hardware.on_chip import OnChipTraining

WAYS = {
    NUMBERS: "numbers, no cells",
    IDEAL: "ideal cells: equal steps, no scatter",
    PULSES: "these cells, bare pulses",
    WRITTEN: "these cells, written and verified",
}
"""What holds the weights, by name."""

_LARGE = 10_000  # samples from which fewer passes are made
_PASSES = (20, 3)


@dataclass(frozen=True)
class LabSettings:
    """What a study is asked for besides the trains.

    Attributes
    ----------
    data : LabData
        Pictures that are learnt.
    seeds : tuple of int, default (0, 1, 2)
        Seeds of division, start, order and scatter.
    law : {"exponential", "alpha/beta", "best"}, default "exponential"
        The law by which pulses move the cells; "best": that with the smaller misfit.
    training : OnChipTraining, optional
        How perceptrons are trained.
    epochs : int or None, optional
        Passes; None: 20, of more than 10,000 samples 3.
    tolerance : float, default 0.01
        Of write-and-verify, as a share of the window.
    up_amplitude, down_amplitude, width : str or None, optional
        Of the pulses, as text, where the file does not say them: they give energies.
    processes : int, default 1
        Runs at a time.
    """

    data: LabData
    seeds: tuple[int, ...] = (0, 1, 2)
    law: str = "exponential"
    training: OnChipTraining = OnChipTraining()  # noqa: RUF009 - frozen
    epochs: int | None = None
    tolerance: float = 0.01
    up_amplitude: str | None = None
    down_amplitude: str | None = None
    width: str | None = None
    processes: int = 1

    def __post_init__(self) -> None:
        if self.law not in ("exponential", "alpha/beta", "best"):
            raise InputError(f"there is no law '{self.law}'", "law", "Also: best")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise InputError("seeds are missing, or given twice", "seeds", "Give each once")
        if not 0 < self.tolerance < 1:
            raise InputError(f"{self.tolerance:g} is no share of the window", "tolerance",
                             "Above 0, below 1")  # fmt: skip
        if self.processes < 1:
            raise InputError(f"{self.processes} processes", "processes", "Use 1 or more")
        for name, unit in (("up_amplitude", "V"), ("down_amplitude", "V"), ("width", "s")):
            text = getattr(self, name)
            if text is not None and not abs(to_si(text, unit, name)) > 0:
                raise InputError("is zero", name)


@dataclass(frozen=True)
class LabResult:
    """What a study gives.

    Attributes
    ----------
    synapse : Synapse
        The fitted cell.
    law : str
        The law that was used.
    settings : LabSettings
        What was asked for, with the number of passes.
    pictures : str
        What was learnt, in words.
    layers : tuple of int
        Inputs, hidden units and classes.
    dataset : xarray.Dataset
        ``accuracy`` on (way, seed), ways as in `WAYS`; ``course`` on (way, seed, epoch), NaN of
        what is written; ``pulses``, ``energy`` [J] and ``seconds`` on (way, seed); ``failed`` on
        seed, the share of cells that were not written.
    inference : Cost or None
        Cost of one inference on the chip.
    notes : tuple of str
        What is not determined or left out, and why.
    """

    synapse: Synapse
    law: str
    settings: LabSettings
    pictures: str
    layers: tuple[int, ...]
    dataset: xr.Dataset
    inference: Cost | None
    notes: tuple[str, ...]

    def cell_texts(self) -> dict[str, str]:
        """What the trains say of the cell, as texts."""
        s = self.synapse
        out = {"window": f"{_unit_text(s, s.low)} to {_unit_text(s, s.high)}"}
        out["on/off ratio"] = f"{s.on_off:.3g}" if np.isfinite(s.on_off) else "not determined"
        for b in (s.up, s.down):
            out[f"nonlinearity, {b.direction} (NeuroSim's label)"] = _label_text(b)
        out["pulses from end to end"] = f"{s.up.pulses} up, {s.down.pulses} down"
        out["states two deviations of a read apart"] = str(s.states)
        for b, share in zip((s.up, s.down), s.cycle, strict=True):
            known = np.isfinite(share)
            out[f"cycle-to-cycle spread of a step, which stays, {b.direction}"] = (
                f"{100 * share:.2g} % of the window" if known else "not determined"
            )
            reading = b.read_noise / s.span
            out[f"noise of reads, which passes, {b.direction}"] = (
                f"{100 * reading:.2g} % of the window" if np.isfinite(reading) else "not determined"
            )
        out["asymmetry"] = s.asymmetry_text(self.law)
        out["trains"] = f"{s.up.trains} up, {s.down.trains} down"
        return out

    def accuracy_rows(self) -> tuple[list[str], list[list[str]]]:
        """Accuracies as texts: names of the columns, and a row for each way."""
        heads = ["weights held by", "accuracy (%)", "worst (%)", "pulses a cell", "energy"]
        rows = []
        for way, title in WAYS.items():
            one = self.dataset.sel(way=way)
            reached = 100 * one["accuracy"].values
            spread = f" ± {reached.std(ddof=1):.2f}" if reached.size > 1 else ""
            energy, pulses = float(one["energy"].mean()), float(one["pulses"].mean())
            rows.append(
                [
                    title,
                    f"{reached.mean():.2f}{spread}",
                    f"{reached.min():.2f}",
                    f"{pulses:.1f}" if np.isfinite(pulses) else "–",
                    format_si(energy, "J", 3) if np.isfinite(energy) else "–",
                ]
            )
        return heads, rows


def _unit_text(synapse: Synapse, value: float) -> str:
    return format_si(value, synapse.unit, 3)


def _label_text(branch: Branch) -> str:
    if not np.isfinite(branch.nonlinearity):
        return "not determined"
    return f"{branch.nonlinearity:.2f} ± {branch.nonlinearity_error:.2f}"


def lab_study(
    trains: xr.Dataset,
    settings: LabSettings,
    *,
    chip: Chip | None = None,
    progress: Callable[[str], None] | None = None,
) -> LabResult:
    """Fit both branches of measured trains and train perceptrons on such cells.

    Parameters
    ----------
    trains : xarray.Dataset
        Dataset of `compact.read_pulses`, with up and down trains.
    settings : LabSettings
        What is asked for.
    chip : Chip or None, optional
        Chip on which an inference is priced, with the window of these cells where that is known.
    progress : callable or None, optional
        Called with a line of text now and then.

    Returns
    -------
    LabResult
        The cell, accuracies and costs.

    Raises
    ------
    InputError
        A branch is missing or cannot be fitted; what `lab.runs.run_all` refuses.
    StorageError
        Files of the data are missing or damaged.
    """
    say = progress or (lambda _: None)
    # pictures that cannot be had are said before anything takes time
    material = Material(settings.data.task, settings.data.root)
    pictures = Pictures.of(settings.data, material, settings.seeds[0])
    epochs = settings.epochs or _PASSES[len(pictures.y) > _LARGE]
    training = replace(settings.training, epochs=epochs)
    settings = replace(settings, training=training, epochs=epochs)
    synapse = _with_settings(fit_synapse(trains), settings)
    law = synapse.best_law() if settings.law == "best" else settings.law
    cells = SynapticCells.of(synapse, law)
    window = f"{_unit_text(synapse, synapse.low)} to {_unit_text(synapse, synapse.high)}"
    labels = f"{_label_text(synapse.up)} and {_label_text(synapse.down)}"
    say(f"fitted: window {window}, nonlinearity {labels}")
    runs = run_all(
        cells,
        settings.data,
        settings.seeds,
        training,
        tolerance=settings.tolerance,
        processes=settings.processes,
        progress=progress,
    )
    layers = (pictures.x.shape[1], training.hidden, len(pictures.classes))
    share = float(np.mean([r.share for r in runs if r.way == PULSES]))
    inference: Cost | None = None
    more: list[str] = []
    if chip is not None:
        inference, more = _inference(synapse, chip, layers, training.scheme, share)
    notes = [*synapse.up.notes, *synapse.down.notes, *synapse.notes, *more]
    notes += [*_energy_notes(synapse), *_writing_notes(runs)]
    return LabResult(
        synapse, law, settings, pictures.text, layers, _dataset(runs, settings), inference,
        tuple(notes),
    )  # fmt: skip


def _with_settings(synapse: Synapse, settings: LabSettings) -> Synapse:
    """The cell with amplitudes and width as said, where they are."""
    given: dict[str, Any] = {
        name: to_si(text, unit, name)
        for name, unit in (("up_amplitude", "V"), ("down_amplitude", "V"), ("width", "s"))
        if (text := getattr(settings, name)) is not None
    }
    return replace(synapse, **given)


def _energy_notes(synapse: Synapse) -> list[str]:
    missing = [
        name
        for name, value in (
            ("--up-amplitude", synapse.up_amplitude),
            ("--down-amplitude", synapse.down_amplitude),
            ("--width", synapse.width),
        )
        if not np.isfinite(value)
    ]
    if synapse.unit != "S":
        return ["energy of the pulses: not determined, conductances have no unit"]
    if missing:
        return [f"energy of the pulses: not determined without {', '.join(missing)}"]
    return []


def _writing_notes(runs: list[LabRun]) -> list[str]:
    failed = float(np.mean([r.failed for r in runs if r.way == NUMBERS]))
    if not failed:
        return []
    return [f"write-and-verify: {100 * failed:.2g} % of the cells were given up after {CHANCES} "
            "pulses, or because they did not move"]  # fmt: skip


def _inference(
    synapse: Synapse, chip: Chip, layers: tuple[int, ...], scheme: str, share: float
) -> tuple[Cost, list[str]]:
    """Cost of one inference with the cells' window, and what was assumed for it."""
    described = chip.to_mapping()
    described["scheme"] = "differential" if scheme == "pairs" else "reference"
    notes = []
    if synapse.unit == "S" and synapse.low >= 0:
        for name, value in (("low", synapse.low), ("high", synapse.high)):
            entry = {"value": f"{value!r} S", "source": "the measured trains"}
            described["values"][f"conductance_{name}"] = entry
    else:
        notes.append(f"energy of an inference: with the window of chip '{chip.name}'")
    loads = [
        Load(f"layer {k}", "matrix", a, b, macs=a * b, activations=b, share=share)
        for k, (a, b) in enumerate(pairwise(layers), 1)
    ]
    return cost(loads, Chip.from_mapping(described, chip.name)), notes


def _dataset(runs: list[LabRun], settings: LabSettings) -> xr.Dataset:
    seeds, ways = list(settings.seeds), list(WAYS)
    epochs = settings.training.epochs
    shape = (len(ways), len(seeds))
    values: dict[str, np.ndarray] = {
        name: np.full(shape, np.nan) for name in ("accuracy", "pulses", "energy", "seconds")
    }
    course, failed = np.full((*shape, epochs), np.nan), np.full(len(seeds), np.nan)
    for run in runs:
        i, j = ways.index(run.way), seeds.index(run.seed)
        values["accuracy"][i, j] = run.course[-1]
        course[i, j] = run.course
        values["seconds"][i, j] = run.seconds
        if run.cells:
            values["pulses"][i, j], values["energy"][i, j] = run.pulses / run.cells, run.energy
        if run.way == NUMBERS:
            k = ways.index(WRITTEN)
            values["accuracy"][k, j], failed[j] = run.written, run.failed
            values["pulses"][k, j] = run.writing_pulses
            values["energy"][k, j] = run.writing_energy
    texts: dict[str, tuple[str, str]] = {
        "accuracy": ("1", "accuracy on the test part, last epoch"),
        "pulses": ("1", "mean number of pulses of a cell"),
        "energy": ("J", "energy of all pulses of the training, or of writing with its reads"),
        "seconds": ("s", "duration"),
    }
    data: dict[str, Any] = {
        name: label(values[name], ("way", "seed"), *texts[name]) for name in values
    }
    text = "accuracy on the test part"
    data["course"] = label(course, ("way", "seed", "epoch"), "1", text)
    data["failed"] = label(failed, "seed", "1", "share of cells that were not written")
    coords = {
        "way": label(np.array(ways), "way", "1", "what holds the weights"),
        "seed": label(np.array(seeds), "seed", "1", "seed"),
        "epoch": label(np.arange(1, epochs + 1), "epoch", "1", "epoch"),
    }
    return xr.Dataset(data, coords)
