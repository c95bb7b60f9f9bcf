"""What a table answers: `Lookup`, `Inversion`, `Region`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from compact.table.schema import AXES, UNITS, words
from ddkbase.units import format_si

__all__ = ["Inversion", "Lookup", "Region"]


@dataclass(frozen=True)
class Lookup:
    """What a table says at one setting; NaN for a setting or a spread that is not known.

    ``*_spread`` is the standard deviation of single cells.
    """

    amplitude: float
    width: float
    initial_resistance: float
    alpha: float
    beta: float
    conductance_min: float
    conductance_max: float
    alpha_spread: float
    beta_spread: float

    def setting(self) -> str:
        """The setting in words."""
        parts = [
            f"{words(a)} {format_si(getattr(self, a), UNITS[a])}"
            for a in AXES
            if np.isfinite(getattr(self, a))
        ]
        return ", ".join(parts) or "the table's only setting"

    def __str__(self) -> str:
        return (
            f"{self.setting()}: alpha {self.alpha:.4g} (spread {_spread(self.alpha_spread)}), "
            f"beta {self.beta:.4g} (spread {_spread(self.beta_spread)})"
        )


def _spread(value: float) -> str:
    """A spread as text; one cell has none."""
    return "unknown, one cell" if math.isnan(value) else f"{value:.2g}"


@dataclass(frozen=True)
class Inversion:
    """The setting that comes closest to a wanted pair, and by how much it misses.

    ``alpha_error`` and ``beta_error`` are what the setting gives less what was wanted, ``distance``
    the root of their relative squares, ``reached`` whether it is below 0.1 %. The spread of single
    cells, in ``at``, comes on top.
    """

    at: Lookup
    alpha_wanted: float
    beta_wanted: float
    alpha_error: float
    beta_error: float
    distance: float
    reached: bool

    def __str__(self) -> str:
        word = "reached" if self.reached else "not within reach; closest"
        return (
            f"{word}: {self.at.setting()}; alpha {self.at.alpha:.4g} (error "
            f"{self.alpha_error:+.2g}, spread of cells {_spread(self.at.alpha_spread)}), beta "
            f"{self.at.beta:.4g} (error {self.beta_error:+.2g}, "
            f"spread {_spread(self.at.beta_spread)})"
        )


@dataclass(frozen=True)
class Region:
    """Pairs that the means of a table reach.

    Attributes
    ----------
    points : ndarray, shape (N, 2)
        Alpha and beta at finely divided settings.
    sheets : tuple of ndarray
        The same on surfaces (or lines) of neighbouring settings, each (m, n, 2).
    hull : ndarray, shape (k, 2)
        Corners of the convex polygon around all, first not repeated; two for a line.
    """

    points: np.ndarray
    sheets: tuple[np.ndarray, ...]
    hull: np.ndarray
