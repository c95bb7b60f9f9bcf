"""Cells that equal pulses move by the laws of both branches, with scatter from pulse to pulse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from compact.laws.branches import Synapse
from compact.laws.pulse_steps import ExponentialSteps, StepLaw, curvature_of
from ddkbase.errors import InputError
from network.hardware.cells.conductance import ConductanceWindow
from network.hardware.cells.noise import generator

__all__ = ["SynapticCells"]

_UNITLESS = ConductanceWindow(0.0, 1.0)


@dataclass(frozen=True)
class SynapticCells:
    """Cells with one kind of SET and one kind of RESET pulse; also a `CellModel`.

    Attributes
    ----------
    up, down : StepLaw
        Laws of the branches.
    up_cycle, down_cycle : float, default 0.0
        Deviation of a step from pulse to pulse, as a share of the window; of n pulses sqrt(n) of
        it, as in NeuroSim.
    window : ConductanceWindow, optional
        Conductances [S] at 0 and at 1; 0 to 1 stands for a scale of its own.
    up_voltage, down_voltage : float, V
        Sizes of the amplitudes; NaN if not known, and energies then too.
    width : float, s
        Width of a pulse; NaN if not known.
    """

    up: StepLaw
    down: StepLaw
    up_cycle: float = 0.0
    down_cycle: float = 0.0
    window: ConductanceWindow = _UNITLESS
    up_voltage: float = float("nan")
    down_voltage: float = float("nan")
    width: float = float("nan")

    def __post_init__(self) -> None:
        if not (self.up_cycle >= 0 and self.down_cycle >= 0):
            raise InputError(f"{self.up_cycle:g} and {self.down_cycle:g}", "up_cycle, down_cycle",
                             "A spread is 0 or more")  # fmt: skip

    @classmethod
    def of(cls, synapse: Synapse, law: str | None = "exponential") -> Self:
        """Cells as a fitted one; a spread that is not determined is left out.

        Parameters
        ----------
        synapse : Synapse
            The fit of `compact.fit_synapse`.
        law : {"exponential", "alpha/beta"} or None, default "exponential"
            As for `Synapse.steps`.
        """
        up, down = synapse.steps(law)
        up_cycle, down_cycle = (float(np.nan_to_num(c)) for c in synapse.cycle)
        unit = synapse.unit == "S" and synapse.low >= 0
        return cls(
            up,
            down,
            up_cycle,
            down_cycle,
            window=ConductanceWindow(synapse.low, synapse.high) if unit else _UNITLESS,
            up_voltage=abs(synapse.up_amplitude),
            down_voltage=abs(synapse.down_amplitude),
            width=synapse.width if unit else float("nan"),
        )

    @classmethod
    def labelled(
        cls, up: float, down: float, pulses: int = 100, cycle: float = 0.0, **more: Any
    ) -> Self:
        """Cells of the exponential law by NeuroSim's labels.

        Parameters
        ----------
        up, down : float
            Labels of nonlinearity, -9 to 9; 2 and -4 are of branches that both saturate.
        pulses : int, default 100
            Pulses from one end of the window to the other.
        cycle : float, default 0.0
            Deviation of a step from pulse to pulse, as a share of the window.
        **more : dict, optional
            Other attributes.

        Raises
        ------
        InputError
            A label beyond 9, no pulses.
        """
        rising, falling = (ExponentialSteps(pulses, curvature_of(label)) for label in (up, -down))
        return cls(rising, falling, up_cycle=cycle, down_cycle=cycle, **more)

    @property
    def ideal(self) -> SynapticCells:
        """Cells with as many pulses over the same window, whose steps are all alike."""
        up, down = (ExponentialSteps(law.levels) for law in (self.up, self.down))
        return replace(self, up=up, down=down, up_cycle=0.0, down_cycle=0.0)

    def pulses_for(self, change: np.ndarray) -> np.ndarray:
        """Numbers of pulses, above 0 of SET, for changes of state if all steps were alike.

        ``change`` are shares of the window, of any shape; the numbers are not whole.
        """
        up, down = np.float32(self.up.levels), np.float32(self.down.levels)
        if up == down:
            return change * up
        return np.where(change > 0, change * up, change * down)

    def moved(self, state: np.ndarray, pulses: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """States after pulses.

        Parameters
        ----------
        state : ndarray
            Places in the window, 0 to 1.
        pulses : ndarray
            Whole numbers of pulses in the shape of ``state``; above 0 of SET.
        rng : numpy.random.Generator
            Draws the scatter of steps.

        Returns
        -------
        ndarray
            Places after them, 0 to 1.
        """
        out = np.array(state, float)
        for sign, law, cycle in ((1, self.up, self.up_cycle), (-1, self.down, self.down_cycle)):
            at = np.flatnonzero(np.ravel(pulses) * sign > 0)
            if not at.size:
                continue
            number = np.abs(np.ravel(pulses)[at]).astype(float)
            way = out.ravel()[at] if sign > 0 else 1 - out.ravel()[at]
            way = law.climb(way, number)
            if cycle:
                way += cycle * np.sqrt(number) * rng.standard_normal(at.size)
            out.ravel()[at] = way if sign > 0 else 1 - way
        return np.clip(out, 0.0, 1.0)

    def energy(self, before: np.ndarray, after: np.ndarray, pulses: np.ndarray) -> float:
        """Energy of pulses [J], V^2 G t with the mean of the conductances before and after.

        ``before`` and ``after`` are places in the window, ``pulses`` as for `moved`; NaN where
        amplitudes, width or unit are not known.
        """
        conductance = self.window.low + self.window.span * (before + after) / 2
        volts = np.where(pulses > 0, self.up_voltage, self.down_voltage)
        return float((volts**2 * conductance * np.abs(pulses)).sum() * self.width)

    def strengths(self, polarity: int) -> int:
        """One, whatever the ``polarity``."""
        return 1

    def voltage(self, polarity: np.ndarray, strength: np.ndarray) -> np.ndarray:
        """Amplitudes [V], negative for RESET (``polarity`` -1); ``strength`` is always 0."""
        return np.where(polarity > 0, self.up_voltage, -self.down_voltage)

    def devices(self, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        """None: all cells of an array of ``shape`` are alike, and ``rng`` draws nothing.

        Raises InputError if that is no generator.
        """
        generator(rng, "the scatter of steps")
        return None

    def pulsed(
        self,
        conductance: np.ndarray,
        polarity: np.ndarray,
        strength: np.ndarray,
        devices: Any,
        select: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """See `CellModel.pulsed`."""
        state = (conductance - self.window.low) / self.window.span
        return self.window.low + self.window.span * self.moved(state, polarity, rng)
