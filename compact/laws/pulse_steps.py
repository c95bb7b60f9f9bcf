"""How far pulses move a cell: the laws of both branches as steps from any state.

A law speaks of the way z that a cell has gone in the direction of its pulses, as a share of the
window: 0 at the end it comes from, 1 at the end it goes to. Of up pulses z is (G - G_low)/window,
of down pulses (G_high - G)/window, so that one law serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from compact.kinetics.steps import INTEGRATORS
from ddkbase.errors import InputError

__all__ = [
    "ExponentialSteps",
    "KineticSteps",
    "StepLaw",
    "curvature_of",
    "nonlinearity_label",
    "saturation",
]

_LABEL = 0.07  # distance from the diagonal that counts as a label of 1
_STRAIGHT = 1e-6  # curvature below which a branch is a straight line
_STEEPEST = 500.0  # curvature at which exp still has room
LARGEST_LABEL = 9.0
"""Largest size of a label, as in NeuroSim."""


def saturation(share: np.ndarray, curvature: float | np.ndarray) -> np.ndarray:
    """The normalised branch (1 - exp(-k x))/(1 - exp(-k)), from 0 to 1 as x goes from 0 to 1.

    Parameters
    ----------
    share : ndarray
        Share x of the pulses of the branch.
    curvature : float or ndarray
        k, the number of pulses over NeuroSim's A; 0 for a straight line, below 0 for steps that
        grow.
    """
    x, k = np.broadcast_arrays(np.asarray(share, float), np.asarray(curvature, float))
    straight = np.abs(k) < _STRAIGHT
    safe = np.where(straight, 1.0, k)
    return np.where(straight, x, np.expm1(-safe * x) / np.expm1(-safe))


def nonlinearity_label(curvature: float) -> float:
    """NeuroSim's label of nonlinearity, with the sign of the curvature.

    Parameters
    ----------
    curvature : float
        k, the number of pulses of the branch over A.

    Notes
    -----
    G = G_min + B (1 - exp(-P/A)) after P pulses (Chen, Peng, Yu, IEDM 2017, 6.1, and IEEE TCAD 37,
    3067 (2018)). The simulator holds a table from label to A over the number of pulses, without a
    formula. Its numbers are those of the largest distance of the normalised branch from the
    diagonal, measured across it, in units of 0.07: at most 0.707/0.07 = 10.1. The table ends at 9.
    This is inferred: it gives the tabulated pairs (0.01: A = 126.269; 1: 1.25165; 9: 0.02281, of
    the number of pulses) to their digits.
    """
    k = abs(float(curvature))
    if k < _STRAIGHT:
        return 0.0
    slope = k / -np.expm1(-k)
    x = np.log(slope) / k  # where the branch is parallel to the diagonal
    distance = (float(saturation(np.asarray(x), k)) - x) / np.sqrt(2)
    return float(np.copysign(distance / _LABEL, curvature))


def curvature_of(label: float) -> float:
    """The curvature k whose `nonlinearity_label` is ``label``.

    Parameters
    ----------
    label : float
        From -9 to 9.

    Raises
    ------
    InputError
        The label is beyond 9, where NeuroSim has none.
    """
    if not abs(label) <= LARGEST_LABEL:
        raise InputError(f"{label:g}", "nonlinearity", "Labels go from -9 to 9")
    if label == 0:
        return 0.0
    low, high = 0.0, _STEEPEST
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if nonlinearity_label(middle) < abs(label) else (low, middle)
    return float(np.copysign(low, label))


class StepLaw(Protocol):
    """What training asks of a law of one branch."""

    @property
    def levels(self) -> float:
        """Pulses that a whole window takes at the branch's mean step."""
        ...

    def climb(self, way: np.ndarray, pulses: np.ndarray) -> np.ndarray:
        """Ways z after so many pulses from ``way``, not confined to 0 to 1.

        Pulses never move a cell back: beyond the end to which a law leads, it stays.
        """
        ...


@dataclass(frozen=True)
class ExponentialSteps:
    """The exponential law: the step is in proportion to what is left to the end of the branch.

    Attributes
    ----------
    pulses : float
        Pulses of the branch.
    curvature : float, default 0.0
        Pulses over NeuroSim's A; 0 for equal steps, below 0 for steps that grow.
    start, end : float, defaults 0.0 and 1.0
        Where the branch begins and ends, as ways z.
    """

    pulses: float
    curvature: float = 0.0
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if not (self.pulses > 0 and self.end > self.start and abs(self.curvature) <= _STEEPEST):
            raise InputError(
                f"{self.pulses:g} pulses from {self.start:g} to {self.end:g}, curvature "
                f"{self.curvature:g}",
                "exponential law",
                "More than 0 pulses, an end above the start, a curvature of at most 500",
            )

    @property
    def levels(self) -> float:
        """Pulses that a whole window takes at the branch's mean step."""
        return self.pulses / (self.end - self.start)

    def climb(self, way: np.ndarray, pulses: np.ndarray) -> np.ndarray:
        """Ways z after so many ``pulses`` from ``way``, exact for any number of pulses."""
        span = self.end - self.start
        if abs(self.curvature) < _STRAIGHT:
            return np.asarray(way + span * pulses / self.pulses)
        exponent = -self.curvature * pulses / self.pulses
        # way = end of the exponential less what is left; both grow with it where k is small
        gained = np.expm1(exponent) / np.expm1(-self.curvature)
        reached = self.start + (way - self.start) * np.exp(exponent) + span * gained
        return np.maximum(reached, way)


@dataclass(frozen=True)
class KineticSteps:
    """Eq. (4) with the implicit step, y falling from 1 as the cell goes its way.

    Attributes
    ----------
    alpha, beta : float
        As `compact.fit` finds them, up trains mirrored.
    pulses : float
        Pulses of the branch.
    bottom, top : float, defaults 0.0 and 1.0
        Ways z at y = 1 and at y = 0.
    start, end : float, defaults 0.0 and 1.0
        Where the branch begins and ends, as ways z.
    """

    alpha: float
    beta: float
    pulses: float
    bottom: float = 0.0
    top: float = 1.0
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if not (self.pulses > 0 and self.end > self.start and self.top > self.bottom):
            raise InputError("ends before it begins", "alpha/beta law")
        if not (self.alpha >= 0 and self.beta >= 0):
            raise InputError(f"alpha {self.alpha:g}, beta {self.beta:g}", "alpha/beta law")

    @property
    def levels(self) -> float:
        """Pulses that a whole window takes at the branch's mean step."""
        return self.pulses / (self.end - self.start)

    def climb(self, way: np.ndarray, pulses: np.ndarray) -> np.ndarray:
        """Ways z after so many ``pulses`` from ``way``, one implicit step for each."""
        span = self.top - self.bottom
        # a cell beyond the top has nothing left to lose; y stays a positive number
        y = np.maximum((self.top - np.asarray(way, float)) / span, 0.0)
        left = np.broadcast_to(np.asarray(pulses, float), y.shape).copy()
        step = INTEGRATORS["implicit"].step
        while (active := np.flatnonzero(left.ravel() > 0.5)).size:
            state = y.ravel()[active]
            after = np.empty_like(state)
            step(state, self.alpha, self.beta, after)
            y.ravel()[active] = after
            left.ravel()[active] -= 1
        return np.maximum(self.top - span * y, way)
