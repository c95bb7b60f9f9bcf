"""Drift of conductances between writing and reading, with the activation energy of the device.

::

    G(t) = Gend + (G0 - Gend) exp(-(t/tau)^b),    tau = tau0 exp(Ea/kT)

``tau`` is given at one temperature and follows Ea to any other. Ea may scatter from cell to cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError
from ddkbase.units import to_si
from network.hardware.cells.conductance import BOLTZMANN
from network.hardware.cells.noise import generator, not_negative

__all__ = ["SIMULATED_DEVICE", "Retention"]

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
