"""From weights to conductances and back: the window of a cell, pairs and reference columns.

The window of the article's cells is 6.1 to 202.1 uS; its code uses 40 to 300 uS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.units import format_si, to_si

__all__ = ["ARTICLE_WINDOW", "BOLTZMANN", "ConductanceWindow", "ConductionActivation", "Mapping"]

BOLTZMANN = 8.617333262e-5
"""Boltzmann's constant [eV/K] (CODATA 2018)."""

SCHEMES = ("differential", "reference")


@dataclass(frozen=True)
class ConductanceWindow:
    """The conductances [S] that a cell can be brought to, from ``low`` to ``high``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and 0 <= self.low < self.high):
            raise InputError(
                f"{format_si(self.low, 'S')} to {format_si(self.high, 'S')} is no window",
                "conductance window",
                "Give 0 <= low < high",
            )

    @classmethod
    def of(cls, low: Any, high: Any) -> Self:
        """From ``low`` and ``high`` as texts, e.g. "6.1 uS" and "202.1 uS". Raises InputError."""
        return cls(to_si(low, "S", "low"), to_si(high, "S", "high"))

    @property
    def span(self) -> float:
        """Its width [S]."""
        return self.high - self.low

    def holds(self, conductance: Any) -> np.ndarray:
        """Whether each conductance lies in the window."""
        g = np.asarray(conductance)
        return np.asarray((g >= self.low) & (g <= self.high))


ARTICLE_WINDOW = ConductanceWindow(6.1e-6, 202.1e-6)
"""The window of the article's cells."""


@dataclass(frozen=True)
class ConductionActivation:
    """Temperature of a cell's conductance, G ~ exp(-E/kT), the law of the simulated device.

    Attributes
    ----------
    low : float, eV, default 0.16
        Activation energy at the low end of ``window``; linear between the ends as in the device's
        material law.
    high : float, eV, default 0.0
        Activation energy at the high end of ``window``.
    window : ConductanceWindow, optional
        Conductances [S] at ``reference``.
    reference : float, K, default 293.15
        Temperature at which conductances are stated.
    """

    low: float = 0.16
    high: float = 0.0
    window: ConductanceWindow = ARTICLE_WINDOW
    reference: float = 293.15

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high)):
            raise InputError("is no energy", "activation")
        if not (np.isfinite(self.reference) and self.reference > 0):
            raise InputError(f"{self.reference!r} K is no temperature", "reference")

    def at(self, conductance: np.ndarray, temperature: Any) -> np.ndarray:
        """Conductances [S] at a temperature, e.g. "85 degC", from those at the reference.

        Raises
        ------
        InputError
            No unit, or not above 0 K.
        """
        kelvin = to_si(temperature, "K", "temperature")
        if kelvin <= 0:
            raise InputError(f"{kelvin:g} K is not above 0", "temperature")
        share = np.clip((conductance - self.window.low) / self.window.span, 0.0, 1.0)
        energy = self.low + (self.high - self.low) * share
        exponent = energy / BOLTZMANN * (1 / self.reference - 1 / kelvin)
        return np.asarray(conductance * np.exp(exponent))


#: weights whose largest is not above this count as zero for the scale
_SMALLEST = 1e-150


@dataclass(frozen=True)
class Mapping:
    """How a weight becomes cells.

    ``differential``: two cells a weight, w = (G+ - G-)/scale; the one of the weight's sign carries
    it, the other stays at the low end. ``reference``: one cell a weight, w = (G - Gref)/scale,
    with one column of cells in the middle of the window for each tile.

    Attributes
    ----------
    scheme : {"differential", "reference"}, default "differential"
        How weights become cells.
    window : ConductanceWindow, optional
        What the cells can hold.
    limit : float or None, optional
        The largest size of a weight; that of the given weights if None. The scale [S] is what it
        takes of the window.
    beyond : {"error", "clip"}, default "error"
        What happens to larger weights.
    """

    scheme: str = "differential"
    window: ConductanceWindow = ARTICLE_WINDOW
    limit: float | None = None
    beyond: str = "error"

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise InputError(
                f"unknown scheme {shorten(self.scheme)}", "scheme", f"Use {' or '.join(SCHEMES)}"
            )
        if self.limit is not None and not (np.isfinite(self.limit) and self.limit > 0):
            raise InputError(f"{shorten(self.limit)} is no positive number", "limit")
        if self.beyond not in ("error", "clip"):
            raise InputError(f"{shorten(self.beyond)}", "beyond", "Use 'error' or 'clip'")

    @property
    def cells_per_weight(self) -> int:
        """2 or 1."""
        return 2 if self.scheme == "differential" else 1

    def scale(self, weights: np.ndarray) -> float:
        """Conductance [S] of a weight of 1."""
        largest = self.limit
        if largest is None:
            largest = float(np.abs(weights).max(initial=0.0))
            # the square of the scale has to be a number; smaller weights are none to any cell
            largest = largest if largest > _SMALLEST else 1.0
        span = self.window.span if self.scheme == "differential" else self.window.span / 2
        return span / largest

    def held(self, weights: np.ndarray) -> np.ndarray:
        """The weights that the window can hold.

        Raises
        ------
        InputError
            NaN or infinity, or a weight beyond the limit where that is an error.
        """
        if not np.isfinite(weights).all():
            raise InputError("holds NaN or infinity", "weights")
        if self.limit is None:
            return weights
        largest = float(np.abs(weights).max(initial=0.0))
        if largest <= self.limit:
            return weights
        if self.beyond == "error":
            raise InputError(
                f"a weight of size {largest:.4g} is beyond {self.limit:.4g}, which is the end of "
                f"the window",
                "weights",
                "Raise the limit or pass beyond='clip'",
            )
        return np.clip(weights, -self.limit, self.limit)

    def cells(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Conductances [S] that carry ``weights`` and those they are compared with, same shape.

        With a reference column the second array repeats the one conductance.

        Raises
        ------
        InputError
            As `held`.
        """
        target = self.held(weights) * self.scale(weights)
        if self.scheme == "reference":
            middle = (self.window.low + self.window.high) / 2
            return middle + target, np.full(np.shape(weights), middle)
        low = self.window.low
        return low + np.maximum(target, 0.0), low + np.maximum(-target, 0.0)
