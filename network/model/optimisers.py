"""Adam and stochastic gradient descent: frozen descriptions, and what they keep while training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from network.layers.base import compiled_kernels
from network.layers.plain import Layer

Schedule = str | Callable[[float], float] | None
"""None, "cosine", "linear", or a function of the share of training done that returns a factor."""

SCHEDULES = ("cosine", "linear")


class Stepper(Protocol):
    """The optimiser at work on one network."""

    def step(self, factor: float) -> None:
        """Change the parameters by the layers' gradients, at ``factor`` times the rate."""
        ...


class Optimiser(Protocol):
    """A description from which the work on a network starts."""

    @property
    def rate(self) -> float:
        """Learning rate."""
        ...

    def start(self, layers: Sequence[Layer]) -> Stepper:
        """Begin on these layers."""
        ...


def schedule_factor(schedule: Schedule, share: float) -> float:
    """Factor on the learning rate once ``share`` (0 to 1) of the training is done."""
    if schedule is None:
        return 1.0
    if callable(schedule):
        return float(schedule(share))
    if schedule == "cosine":  # Loshchilov and Hutter, ICLR 2017, without restarts
        return float(0.5 * (1 + np.cos(np.pi * share)))
    if schedule == "linear":
        return 1 - share
    raise InputError(
        f"unknown schedule {shorten(schedule)}", "schedule", closest(str(schedule), SCHEDULES)
    )


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, ICLR 2015).

    Parameters
    ----------
    rate : float, default 0.01
        Learning rate; a layer's `rates` multiply it.
    weight_decay : float, default 1e-3
        Strength of the weight decay, which acts on the parameters that their layer lets decay.
    first : float, default 0.9
        Decay of the first moment.
    second : float, default 0.999
        Decay of the second moment.
    eps : float, default 1e-8
        Added to the root of the second moment.
    decoupled : bool, default False
        Whether the decay is apart from the moments (Loshchilov and Hutter, ICLR 2019) instead of a
        part of the gradient, as the article has it.
    """

    rate: float = 0.01
    weight_decay: float = 1e-3
    first: float = 0.9
    second: float = 0.999
    eps: float = 1e-8
    decoupled: bool = False

    def __post_init__(self) -> None:
        _check(self.rate, self.weight_decay)

    def start(self, layers: Sequence[Layer]) -> Stepper:
        """Begin on these layers, with moments of zero."""
        return _AdamState(self, layers)


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum.

    Parameters
    ----------
    rate : float, default 0.1
        Learning rate; a layer's `rates` multiply it.
    weight_decay : float, default 0.0
        Strength of the weight decay, which acts on the parameters that their layer lets decay.
    momentum : float, default 0.9
        Share of the last step that is kept.
    nesterov : bool, default False
        Whether to look ahead by the momentum.
    """

    rate: float = 0.1
    weight_decay: float = 0.0
    momentum: float = 0.9
    nesterov: bool = False

    def __post_init__(self) -> None:
        _check(self.rate, self.weight_decay)

    def start(self, layers: Sequence[Layer]) -> Stepper:
        """Begin on these layers, at rest."""
        return _SGDState(self, layers)


@dataclass
class _Slot:
    """One parameter and what the optimiser keeps of it."""

    layer: Layer
    key: str
    value: np.ndarray
    rate: float
    decay: bool
    first: np.ndarray
    second: np.ndarray
    work: np.ndarray


def _slots(layers: Sequence[Layer]) -> list[_Slot]:
    return [
        _Slot(
            layer,
            key,
            value,
            layer.rates.get(key, 1.0),
            layer.decays.get(key, False),
            *(np.zeros_like(value) for _ in range(3)),
        )
        for layer in layers
        for key, value in layer.parameters.items()
    ]


def _flat(arrays: list[np.ndarray]) -> bool:
    """Whether all are contiguous and of one dtype of floats."""
    of = arrays[0].dtype
    same = all(v.flags.c_contiguous and v.dtype == of for v in arrays)
    return same and of in (np.float32, np.float64)


class _AdamState:
    def __init__(self, settings: Adam, layers: Sequence[Layer]) -> None:
        self._settings, self._slots, self._steps = settings, _slots(layers), 0
        self._kernels = compiled_kernels()

    def step(self, factor: float) -> None:
        s = self._settings
        self._steps += 1
        unbias_first = 1 - s.first**self._steps
        unbias_second = 1 - s.second**self._steps
        shared: dict[type, tuple[np.floating, ...]] = {}  # numbers of a step, by dtype
        for slot in self._slots:
            rate = s.rate * factor * slot.rate
            gradient, work = slot.layer.gradients[slot.key], slot.work
            decay = s.weight_decay if slot.decay else 0.0
            if decay and s.decoupled:
                slot.value *= 1 - rate * decay
                decay = 0.0
            flat = [slot.value, gradient, slot.first, slot.second]
            if self._kernels is not None and _flat(flat):
                kind = slot.value.dtype.type
                if kind not in shared:
                    both = (s.first, 1 - s.first, s.second, 1 - s.second)
                    shared[kind] = tuple(map(kind, (*both, 1 / np.sqrt(unbias_second), s.eps)))
                numbers = kind(decay), *shared[kind], kind(rate / unbias_first)
                self._kernels.adam_step(*(v.reshape(-1) for v in flat), *numbers)
                continue
            if decay:
                np.multiply(slot.value, decay, out=work)
                work += gradient
                gradient = work.copy()
            slot.first *= s.first
            np.multiply(gradient, 1 - s.first, out=work)
            slot.first += work
            slot.second *= s.second
            np.multiply(gradient, gradient, out=work)
            work *= 1 - s.second
            slot.second += work
            np.sqrt(slot.second, out=work)
            work *= 1 / np.sqrt(unbias_second)
            work += s.eps
            np.divide(slot.first, work, out=work)
            work *= rate / unbias_first
            slot.value -= work


class _SGDState:
    def __init__(self, settings: SGD, layers: Sequence[Layer]) -> None:
        self._settings, self._slots = settings, _slots(layers)

    def step(self, factor: float) -> None:
        s = self._settings
        for slot in self._slots:
            rate = s.rate * factor * slot.rate
            gradient = slot.layer.gradients[slot.key]
            if slot.decay and s.weight_decay:
                gradient = gradient + s.weight_decay * slot.value
            slot.first *= s.momentum
            slot.first += gradient
            step = gradient + s.momentum * slot.first if s.nesterov else slot.first
            slot.value -= rate * step


def _check(rate: float, weight_decay: float) -> None:
    if not (np.isfinite(rate) and rate > 0):
        raise InputError(f"a learning rate of {rate}", "rate", "It must be above 0.")
    if not (np.isfinite(weight_decay) and weight_decay >= 0):
        raise InputError(f"a weight decay of {weight_decay}", "weight_decay", "Not below 0.")
