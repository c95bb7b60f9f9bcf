"""What breaks few reads: scatter of the cells, noise of the reads, converters, each alone.

Each number is the accuracy on the test part where training, validation and test part are all read
on the disturbed memory: the read-out is trained under the noise, and the start of the layer is
chosen under it, among those of `ddk.studies.few_reads.starts`. Only cells scatter from train to
train; a capacitor does not. So the DDK layer under its scatter stands beside the others without
any, which is the harsher comparison; reads and converters disturb all alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ddk.studies.few_reads.starts import built, contenders, features, some
from ddk.studies.folds import Fold, Part
from ddk.studies.models import DDK, get_model
from ddk.studies.tasks import Task
from ddkbase.errors import SolverError
from network.hardware.cells.kinetics_noise import KineticsNoise
from network.hardware.realisation import HardwareRealisation
from network.hardware.settings import Hardware
from network.model.ridge import Readout, solve_ridge

MEMORIES = ("ddk", "leaky", "segments", "principal", "echo")
"""Models that are disturbed: the DDK layer, three linear memories, and the reservoir."""

_TAIL = 0.1  # per cent of the training reads beyond each end of a converter's range


@dataclass(frozen=True)
class Disturbance:
    """What is not exact.

    Attributes
    ----------
    device, train, pulse : float, default 0.0
        Standard deviation of alpha and beta of a DDK layer, as a share of them: from cell to cell
        (the read-out is trained on these cells), from train to train, from pulse to pulse.
    read : float, default 0.0
        Standard deviation of the noise of a read, as a share of the range of its column.
    bits : int, default 0
        Bits of the converter; 0 converts exactly.
    common : bool, default False
        Whether all columns have one range, instead of one each.
    """

    device: float = 0.0
    train: float = 0.0
    pulse: float = 0.0
    read: float = 0.0
    bits: int = 0
    common: bool = False

    @property
    def of_cells(self) -> bool:
        """Whether alpha and beta scatter."""
        return bool(self.device or self.train or self.pulse)

    @property
    def name(self) -> str:
        """E.g. "train-0.03-bits-6"."""
        told = [f"{k}-{v:g}" for k, v in vars(self).items() if v and k != "common"]
        return "-".join([*told, *(["common"] if self.common else [])]) or "exact"


def disturbances(model: str) -> list[Disturbance]:
    """What a model is disturbed by: all, or what is not of cells."""
    found = [Disturbance(), *(Disturbance(read=v) for v in (0.01, 0.03, 0.1))]
    found += [Disturbance(bits=v) for v in (8, 6, 4)]
    found += [Disturbance(bits=v, common=True) for v in (8, 6)]
    if get_model(model).layer == DDK:
        found += [Disturbance(device=v) for v in (0.3, 1.0)]
        found += [Disturbance(train=v) for v in (0.01, 0.02, 0.03, 0.05, 0.1)]
        found += [Disturbance(pulse=v) for v in (0.1, 0.2)]
        found.append(Disturbance(train=0.03, bits=6))
    return found


def accuracy_of(task: Task, name: str, fold: Fold, seed: int, disturbance: Disturbance) -> float:
    """Accuracy on the test part of a disturbed memory, with a read-out trained on it.

    The task is read once; the seed is that of the layer, of the cells and of all noise. Raises
    SolverError: no start has features that are finite.
    """
    best: tuple[Readout, float] | None = None
    for model in contenders(task, get_model(name), fold):
        layer = built(task, model, fold, seed)
        chip = _chip(disturbance, seed) if disturbance.of_cells else None
        rng = np.random.default_rng([seed, 11])
        parts: list[Part] = [some(fold.train, seed), some(fold.validation, seed), fold.test]
        raw = [features(layer, part.x, chip, rng).astype(float) for part in parts]
        low, high = _range(raw[0], disturbance.common)
        train, held, test = (_read(values, low, high, disturbance, rng) for values in raw)
        try:
            found = solve_ridge(train, parts[0].y, (held, parts[1].y), len(fold.classes))
        except SolverError:
            continue
        if best is None or found.score > best[0].score:
            said = (test @ found.weight + found.bias).argmax(axis=1)
            best = found, float(np.mean(said == fold.test.y))
    if best is None:
        raise SolverError("no start has features that are finite", name)
    return best[1]


def _chip(disturbance: Disturbance, seed: int) -> HardwareRealisation:
    d = disturbance
    cycle = d.pulse or d.train
    noise = KineticsNoise(
        cycle, cycle, d.device, d.device, relative=True, per="pulse" if d.pulse else "train"
    )
    return HardwareRealisation(Hardware(kinetics=noise), seed=seed)


def _range(reads: np.ndarray, common: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the converters, on the reads of the training part."""
    low, high = np.percentile(reads, [_TAIL, 100 - _TAIL], axis=0)
    if common:
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    return low, np.where(high > low, high, low + 1)


def _read(
    values: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    disturbance: Disturbance,
    rng: np.random.Generator,
) -> np.ndarray:
    """Reads with their noise, converted."""
    share = (values - low) / (high - low)
    if disturbance.read:
        share = share + disturbance.read * rng.standard_normal(share.shape)
    if disturbance.bits:
        steps = 2**disturbance.bits - 1
        share = np.rint(np.clip(share, 0, 1) * steps) / steps
    return np.asarray(share)


def cases() -> Iterator[tuple[str, str, Disturbance]]:
    """Name of the case, model, and what disturbs it."""
    for model in MEMORIES:
        for disturbance in disturbances(model):
            yield f"{model}.{disturbance.name}", model, disturbance
