"""Errors of synapses: of writing, of reading, failed cells and random telegraph noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.units import to_si
from network.hardware.cells.conductance import ConductanceWindow

__all__ = [
    "ARTICLE_WRITE_ERROR",
    "Faults",
    "ReadNoise",
    "TelegraphNoise",
    "WriteError",
    "generator",
]

FINE, STUCK_LOW, STUCK_HIGH, OPEN = 0, 1, 2, 3


def generator(rng: Any, what: str) -> np.random.Generator:
    """The generator itself. Raises InputError if it is none."""
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"{what} needs random numbers", "rng", "Pass numpy.random.default_rng(1)")
    return rng


def not_negative(value: Any, where: str) -> None:
    """Raise InputError unless a finite number from 0."""
    good = isinstance(value, int | float | np.number) and np.isfinite(value) and value >= 0
    if not good or isinstance(value, bool):
        raise InputError(f"{shorten(value)} is no number from 0", where)


@dataclass(frozen=True)
class WriteError:
    """What write-and-verify leaves: a normal error with mean and deviation [S] in each cell.

    The Gaussian model of the article, whose sweeps go from 0 to 2.5 uS. It is not cut off at 0 S.
    """

    mean: float = 0.0
    deviation: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.mean):
            raise InputError(f"{shorten(self.mean)} is no number", "mean")
        not_negative(self.deviation, "deviation")

    @classmethod
    def of(cls, deviation: Any, mean: Any = "0 S") -> Self:
        """From texts with units, e.g. "1.147 uS". Raises InputError."""
        return cls(to_si(mean, "S", "mean"), to_si(deviation, "S", "deviation"))

    def written(self, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Conductances [S] found in cells that were to get ``target`` [S]; ``rng`` draws."""
        noise = generator(rng, "a write error").standard_normal(target.shape)
        return np.asarray(target + self.mean + self.deviation * noise)


ARTICLE_WRITE_ERROR = WriteError(0.203e-6, 1.147e-6)
"""Mean and deviation of the write error in the authors' code."""


@dataclass(frozen=True)
class ReadNoise:
    """Normal noise of each cell in each read: ``relative`` of its conductance and ``absolute`` [S],
    added as variances.

    What fluctuates in the filament (1/f noise, traps) changes its current by a share of it; what
    the amplifier adds does not depend on the cell.
    """

    relative: float = 0.0
    absolute: float = 0.0

    def __post_init__(self) -> None:
        not_negative(self.relative, "relative")
        not_negative(self.absolute, "absolute")

    def variance(self, conductance: np.ndarray) -> np.ndarray:
        """Variances [S^2] of one read."""
        return np.asarray((self.relative * conductance) ** 2 + self.absolute**2)

    def read(self, conductance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Conductances [S] as one read finds them; ``rng`` draws, unless there is no noise."""
        if not (self.relative or self.absolute):
            return conductance
        noise = generator(rng, "read noise").standard_normal(conductance.shape)
        return np.asarray(conductance + np.sqrt(self.variance(conductance)) * noise)


@dataclass(frozen=True)
class Faults:
    """Shares of cells that failed.

    Parameters
    ----------
    stuck_low, stuck_high : float, default 0.0
        Shares of cells that are stuck at the low and at the high end of the window.
    open : float, default 0.0
        Share of cells that are not connected, 0 S.
    """

    stuck_low: float = 0.0
    stuck_high: float = 0.0
    open: float = 0.0

    def __post_init__(self) -> None:
        for name in ("stuck_low", "stuck_high", "open"):
            not_negative(getattr(self, name), name)
        if self.total > 1:
            raise InputError(f"{self.total:g} of all cells failed", "faults", "At most 1")

    @property
    def total(self) -> float:
        """Share of cells that failed."""
        return self.stuck_low + self.stuck_high + self.open

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """A map of cells of ``shape``, drawn from ``rng``.

        It is int8: 0 fine, 1 stuck low, 2 stuck high, 3 open.
        """
        edges = np.cumsum([self.stuck_low, self.stuck_high, self.open])
        u = generator(rng, "failed cells").random(shape)
        # one uniform number a cell, so that shares of different failures exclude each other
        kind = np.searchsorted(edges, u, side="right")
        return np.where(kind < 3, kind + 1, FINE).astype(np.int8)


def with_faults(
    conductance: np.ndarray, faults: np.ndarray | None, window: ConductanceWindow
) -> np.ndarray:
    """The conductances [S] with failed cells at what they are stuck at."""
    if faults is None or not faults.any():
        return conductance
    out = np.where(faults == STUCK_LOW, window.low, conductance)
    out = np.where(faults == STUCK_HIGH, window.high, out)
    return np.where(faults == OPEN, 0.0, out)


@dataclass(frozen=True)
class TelegraphNoise:
    """Random telegraph noise: a trap near the filament that holds an electron or does not.

    Attributes
    ----------
    amplitude : float
        Median over cells of the drop of conductance while the trap is full, as a share.
    spread : float, default 0.0
        Deviation of the amplitude's logarithm over cells.
    share : float, default 1.0
        Share of cells that have an active trap.
    capture, emission : float, s, default 1e-3
        Mean times with the trap empty and full.
    exponent : float, default 0.0
        The amplitude goes with (G/``conductance``)^-exponent, as narrow filaments feel a trap more;
        0 for none.
    conductance : float, S, default 100e-6
        Conductance at which ``amplitude`` holds.
    """

    amplitude: float
    spread: float = 0.0
    share: float = 1.0
    capture: float = 1e-3
    emission: float = 1e-3
    exponent: float = 0.0
    conductance: float = 100e-6

    def __post_init__(self) -> None:
        for name in ("amplitude", "spread", "share"):
            not_negative(getattr(self, name), name)
        if self.amplitude > 1 or self.share > 1:
            raise InputError("amplitude and share are at most 1", "telegraph noise")
        for name in ("capture", "emission", "conductance"):
            not_negative(getattr(self, name), name)
            if getattr(self, name) == 0:
                raise InputError("is zero", name)

    def traps(self, shape: tuple[int, ...], rng: np.random.Generator) -> Traps:
        """Traps of an array of cells of ``shape``, at equilibrium, drawn from ``rng``."""
        rng = generator(rng, "telegraph noise")
        size = self.amplitude * np.exp(self.spread * rng.standard_normal(shape))
        size *= rng.random(shape) < self.share
        full = rng.random(shape) < self.capture_probability
        return Traps(self, size, full)

    @property
    def capture_probability(self) -> float:
        """Share of time for which the trap is full."""
        return self.emission / (self.capture + self.emission)


@dataclass(frozen=True)
class Traps:
    """Traps of an array: their amplitudes (shares of the conductance) and which are full."""

    model: TelegraphNoise
    amplitude: np.ndarray
    full: np.ndarray

    def after(self, time: Any, rng: np.random.Generator) -> Traps:
        """The traps after a time, e.g. "1 ms": exact for the two-state Markov process.

        Raises
        ------
        InputError
            No unit, negative.
        """
        seconds = to_si(time, "s", "time")
        not_negative(seconds, "time")
        rate = 1 / self.model.capture + 1 / self.model.emission
        p = self.model.capture_probability
        # two states: the distance from equilibrium decays with the sum of both rates
        keep = np.exp(-rate * seconds)
        chance = np.where(self.full, p + (1 - p) * keep, p * (1 - keep))
        full = generator(rng, "telegraph noise").random(self.full.shape) < chance
        return Traps(self.model, self.amplitude, full)

    def anew(self, rng: np.random.Generator) -> Traps:
        """The same traps, each full or empty as long afterwards."""
        p = self.model.capture_probability
        full = generator(rng, "telegraph noise").random(self.full.shape) < p
        return Traps(self.model, self.amplitude, full)

    def seen(self, conductance: np.ndarray) -> np.ndarray:
        """Conductances [S] with full traps in the way; a cell never falls below 0."""
        size = self.amplitude
        if self.model.exponent:
            ratio = np.maximum(conductance, 1e-12) / self.model.conductance
            size = size * ratio**-self.model.exponent
        return np.asarray(conductance * (1 - np.where(self.full, np.minimum(size, 1.0), 0.0)))
