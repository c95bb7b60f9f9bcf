"""Wear: the window closes as cells are cycled, and cells fail.

From ``onset`` cycles on the window loses a share of its width with every decade, at its two ends;
lifetimes of cells follow a Weibull distribution. All defaults are assumed: the article shows curves
(Figs. S18, S19) without numbers in its text.

What the wear does to a DDK cell depends on what a pulse is taken to move. ``steps="relative"``: a
share of the window, so that alpha and beta stay and only the reading shrinks. ``"absolute"``: a
conductance, so that in the worn window beta grows by s = (fresh width)/(worn width) and alpha by
s^2, from Eq. (4) written for G. There pulses that saturate at once have nothing left to gain, and
gradual ones become less gradual.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.units import to_si
from network.hardware.cells.conductance import ARTICLE_WINDOW, ConductanceWindow
from network.hardware.cells.noise import Faults, not_negative

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Endurance", "against_cycles"]

_NARROWEST = 0.02  # share of the fresh window below which it is not closed further


@dataclass(frozen=True)
class Endurance:
    """How a window closes.

    Attributes
    ----------
    window : ConductanceWindow, optional
        The fresh window.
    onset : float, default 1e6
        Cycles up to which nothing happens, at ``width``.
    loss : float, default 0.15
        Share of the fresh width lost in each decade beyond.
    at_high : float, default 0.5
        Share of the loss at the high end; the rest lifts the low end.
    width : float, s, default 100e-9
        Width of the pulses for which ``onset`` holds.
    exponent : float, default 0.0
        Pulses of another width w change the onset by (w/width)^-exponent; 0: not.
    lifetime : float or None, optional
        Scale of the Weibull distribution of lifetimes, in cycles; None: cells live for ever.
    shape : float, default 1.5
        Shape of that distribution.
    steps : {"absolute", "relative"}, default "absolute"
        What steps are counted in, see the module's text.
    """

    window: ConductanceWindow = ARTICLE_WINDOW
    onset: float = 1e6
    loss: float = 0.15
    at_high: float = 0.5
    width: float = 100e-9
    exponent: float = 0.0
    lifetime: float | None = None
    shape: float = 1.5
    steps: str = "absolute"

    def __post_init__(self) -> None:
        for name in ("onset", "loss", "at_high", "width", "shape"):
            not_negative(getattr(self, name), name)
            if getattr(self, name) == 0 and name in ("onset", "width", "shape"):
                raise InputError("is zero", name)
        if self.at_high > 1:
            raise InputError(f"{self.at_high:g} is above 1", "at_high")
        if not np.isfinite(self.exponent):
            raise InputError("is no number", "exponent")
        if self.lifetime is not None:
            not_negative(self.lifetime, "lifetime")
            if self.lifetime == 0:
                raise InputError("is zero", "lifetime")
        if self.steps not in ("absolute", "relative"):
            raise InputError(f"{shorten(self.steps)}", "steps", "Use 'absolute' or 'relative'")

    def left(self, cycles: float, width: Any = None) -> float:
        """Share of the window that is left, from 0.02 to 1.

        Parameters
        ----------
        cycles : float
            How many the cells have had, from 0.
        width : str or Quantity, optional
            Width of their pulses, as text; by default that of this model.

        Raises
        ------
        InputError
            A negative number of cycles, a width that is no time above 0.
        """
        not_negative(cycles, "cycles")
        seconds = self.width if width is None else to_si(width, "s", "width")
        if seconds <= 0:
            raise InputError("is not positive", "width")
        onset = self.onset * (seconds / self.width) ** -self.exponent
        decades = np.log10(max(cycles / onset, 1.0))
        return float(max(1 - self.loss * decades, _NARROWEST))

    def worn(self, cycles: float, width: Any = None) -> ConductanceWindow:
        """The window after so many cycles. Raises InputError."""
        lost = (1 - self.left(cycles, width)) * self.window.span
        high = self.window.high - self.at_high * lost
        return ConductanceWindow(self.window.low + (1 - self.at_high) * lost, high)

    def kinetics(
        self, alpha: np.ndarray, beta: np.ndarray, cycles: float, width: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """alpha and beta of the worn cell."""
        if self.steps == "relative":
            return alpha, beta
        s = 1 / self.left(cycles, width)
        return alpha * np.asarray(s * s, alpha.dtype), beta * np.asarray(s, beta.dtype)

    def features(self, y: np.ndarray, cycles: float, width: Any = None) -> np.ndarray:
        """States ``y`` (0 to 1 in the worn window) as a reader for the fresh window sees them.

        ``cycles`` and ``width`` as in `left`.
        """
        worn = self.worn(cycles, width)
        offset = (worn.low - self.window.low) / self.window.span
        scale = worn.span / self.window.span
        return np.asarray(y * np.asarray(scale, y.dtype) + np.asarray(offset, y.dtype))

    def failed(self, cycles: float) -> Faults:
        """Shares of cells that failed until then, half of them at either end."""
        not_negative(cycles, "cycles")
        if self.lifetime is None:
            return Faults()
        share = float(-np.expm1(-((cycles / self.lifetime) ** self.shape)))
        return Faults(share / 2, share / 2)


def against_cycles(
    evaluate: Callable[[float], float],
    endurance: Endurance,
    cycles: Sequence[float],
    width: Any = None,
) -> xr.Dataset:
    """What wear costs: a figure of merit, e.g. accuracy, and the window, on ``cycle``.

    Parameters
    ----------
    evaluate : callable
        Takes a number of cycles, returns the figure (0 to 1), usually by a network with a
        `HardwareRealisation` whose ``cycles`` it sets.
    cycles : sequence of float
        Numbers of cycles, rising.

    Raises
    ------
    InputError
        No or falling numbers of cycles.
    """
    # start-up: a chip that only wears needs no xarray
    import xarray as xr

    from ddkbase.records import label

    numbers = np.asarray(cycles, float)
    if numbers.ndim != 1 or not numbers.size or (np.diff(numbers) <= 0).any():
        raise InputError("is no rising series of numbers", "cycles")
    windows = [endurance.worn(n, width) for n in numbers]
    data = {
        "accuracy": label([float(evaluate(n)) for n in numbers], "cycle", "1", "accuracy"),
        "conductance_min": label([w.low for w in windows], "cycle", "S", "low end of the window"),
        "conductance_max": label([w.high for w in windows], "cycle", "S", "high end of the window"),
        "failed": label(
            [endurance.failed(n).total for n in numbers], "cycle", "1", "share of failed cells"
        ),
    }
    return xr.Dataset(data, {"cycle": label(numbers, "cycle", "1", "write cycles")})
