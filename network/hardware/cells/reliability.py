"""Drift of conductances between writing and reading, and wear by cycling.

Drift, with the activation energy of the device::

    G(t) = Gend + (G0 - Gend) exp(-(t/tau)^b),    tau = tau0 exp(Ea/kT)

``tau`` is given at one temperature and follows Ea to any other. Ea may scatter from cell to cell.

Wear: the window closes as cells are cycled, and cells fail.
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
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.units import to_si
from network.hardware.cells.conductance import ARTICLE_WINDOW, BOLTZMANN, ConductanceWindow
from network.hardware.cells.noise import Faults, generator, not_negative

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SIMULATED_DEVICE", "Endurance", "Retention", "against_cycles"]


_EXPONENT = 700.0  # exp() of more overflows; such a cell does not move


@dataclass(frozen=True)
class Retention:
    """Relaxation towards one conductance.

    Attributes
    ----------
    activation : float, eV
        Activation energy Ea of the mean cell.
    time : float
        Time constant tau [s] at ``reference`` [K].
    end : float, S
        Conductance towards which cells drift.
    stretch : float, default 1.0
        Exponent b, 1 for a plain exponential.
    spread : float, eV, default 0.0
        Deviation of Ea over cells.
    """

    activation: float
    time: float
    end: float
    reference: float = 293.15
    stretch: float = 1.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        for name in ("activation", "end", "spread"):
            not_negative(getattr(self, name), name)
        for name in ("time", "reference", "stretch"):
            not_negative(getattr(self, name), name)
            if getattr(self, name) == 0:
                raise InputError("is zero", name)

    @classmethod
    def of(
        cls,
        activation: Any,
        time: Any,
        end: Any,
        *,
        reference: Any = "20 degC",
        stretch: float = 1.0,
        spread: Any = "0 eV",
    ) -> Self:
        """From texts with units, e.g. ("1.2 eV", "10 year", "20 uS"). Raises InputError."""
        return cls(
            to_si(activation, "eV", "activation"),
            to_si(time, "s", "time"),
            to_si(end, "S", "end"),
            to_si(reference, "K", "reference"),
            stretch,
            to_si(spread, "eV", "spread"),
        )

    def time_constant(self, temperature: Any, activation: Any = None) -> np.ndarray:
        """tau [s] at a temperature, e.g. "85 degC"; ``activation`` [eV] of single cells.

        Raises
        ------
        InputError
            No unit, or not above 0 K.
        """
        kelvin = to_si(temperature, "K", "temperature")
        if kelvin <= 0:
            raise InputError(f"{kelvin:g} K is not above 0", "temperature")
        own = self.activation if activation is None else np.asarray(activation, float)
        # the prefactor tau0 is that of the mean cell
        exponent = own / (BOLTZMANN * kelvin) - self.activation / (BOLTZMANN * self.reference)
        return np.asarray(self.time * np.exp(np.clip(exponent, -_EXPONENT, _EXPONENT)))

    def cells(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Activation energies [eV] of cells, none below 0, of ``shape``; ``rng`` draws."""
        noise = generator(rng, "a spread of Ea").standard_normal(shape)
        return np.maximum(self.activation + self.spread * noise, 0.0)

    def after(
        self,
        conductance: np.ndarray,
        time: Any,
        temperature: Any = "20 degC",
        activation: Any = None,
    ) -> np.ndarray:
        """Conductances [S] after a time, e.g. "1 day", at a temperature.

        Parameters
        ----------
        conductance : ndarray, S
            Conductance at the start.
        activation : array_like, eV, optional
            Activation energy Ea of each cell, of `cells`; that of the mean cell if None.

        Raises
        ------
        InputError
            No unit, a negative time.
        """
        seconds = to_si(time, "s", "time")
        not_negative(seconds, "time")
        tau = self.time_constant(temperature, activation)
        # tau may be 0 or infinite where Ea is far off: the cell has relaxed, or does not move
        with np.errstate(over="ignore", divide="ignore"):
            left = np.exp(-((seconds / tau) ** self.stretch))
        return np.asarray(self.end + (conductance - self.end) * left)


SIMULATED_DEVICE = Retention(activation=0.87, time=4300.0, end=198e-6)
"""The shipped simulated device at rest: its high-resistance state relaxes within 4300 s at 20 degC,
with the Ea of its TaOx (docs/switching_time.md). Real cells keep theirs for years."""


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
