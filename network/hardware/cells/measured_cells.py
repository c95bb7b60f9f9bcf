"""Cells that answer to pulses with the steps that were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError
from ddkbase.units import to_si
from network.hardware.cells.conductance import ConductanceWindow
from network.hardware.cells.noise import generator

__all__ = ["MeasuredCells"]

_SMOOTH = 11


@dataclass(frozen=True)
class MeasuredCells:
    """Cells whose steps were measured: mean and deviation of a step by where the cell stands.

    Attributes
    ----------
    window : ConductanceWindow
        Conductances [S].
    edges : ndarray, shape (k,)
        Places across the window, from 0 to 1, at which steps are given, rising.
    up, down : ndarray, shape (k,)
        Mean steps at the places as shares of the window.
    up_deviation, down_deviation : ndarray, shape (k,)
        Their scatter from pulse to pulse.
    device : float, default 0.0
        Deviation of a device's mean step, as a share of it.
    reading : float, S, default 0.0
        Deviation of one read that the trains held, for `ReadNoise`; `pulsed` leaves it out.
    up_voltage, down_voltage : float, V
        Amplitudes.
    width : float, s
        Width of a pulse.
    """

    window: ConductanceWindow
    edges: np.ndarray
    up: np.ndarray
    down: np.ndarray
    up_deviation: np.ndarray
    down_deviation: np.ndarray
    up_voltage: float
    down_voltage: float
    width: float
    device: float = 0.0
    reading: float = 0.0

    @classmethod
    def from_trains(
        cls,
        up: Any,
        down: Any,
        *,
        window: ConductanceWindow,
        up_amplitude: Any,
        down_amplitude: Any,
        width: Any,
        places: int = 12,
        device: float = 0.0,
    ) -> Self:
        """Statistics of the steps of measured trains.

        Parameters
        ----------
        up, down : array_like, shape (pulses,) or (pulses, trains)
            Conductances after identical SET and RESET pulses, in any unit. Their common range (0.5
            to 99.5 %) becomes ``window``.
        window : ConductanceWindow
            Conductances that a cell is to have.
        up_amplitude, down_amplitude, width : str or Quantity
            Amplitudes and width of the pulses, as text; they give energy and time.
        places : int, default 12
            Intervals across the window. One without two steps takes its neighbours'.

        Raises
        ------
        InputError
            Trains too short or without numbers.

        Notes
        -----
        Noise of reading makes neighbouring steps differ in opposite senses: their covariance gives
        its variance, which is taken off that of the steps. Mean steps are those of the train
        averaged over `_SMOOTH` pulses; the scatter is one number for all places. ``device``
        cannot be had from one device's trains.
        """
        trains = []
        for name, values in (("up", up), ("down", down)):
            array = np.asarray(values, float)
            array = array.reshape(len(array), -1) if array.ndim in (1, 2) else array
            if array.ndim != 2 or len(array) < 4 or not np.isfinite(array).all():
                raise InputError("is no train of at least 4 numbers", name)
            trains.append(array)
        low, high = np.percentile(np.concatenate([t.ravel() for t in trains]), [0.5, 99.5])
        if not high > low:
            raise InputError("the trains do not move", "up, down")
        middles = (np.arange(places) + 0.5) / places
        scaled = [(t - low) / (high - low) for t in trains]
        reading = float(np.mean([_read_variance(t) for t in scaled]))
        numbers: list[np.ndarray] = []
        for y, sign in zip(scaled, (1, -1), strict=True):
            numbers += _step_statistics(y, sign, middles, reading)
        return cls(
            window,
            middles,
            numbers[0],
            numbers[2],
            numbers[1],
            numbers[3],
            abs(to_si(up_amplitude, "V", "up_amplitude")),
            abs(to_si(down_amplitude, "V", "down_amplitude")),
            to_si(width, "s", "width"),
            device,
            float(np.sqrt(reading)) * window.span,
        )

    def strengths(self, polarity: int) -> int:
        """One, whatever the ``polarity``."""
        return 1

    def voltage(self, polarity: np.ndarray, strength: np.ndarray) -> np.ndarray:
        """Amplitudes [V], negative for RESET (``polarity`` -1); ``strength`` is always 0."""
        return np.where(polarity > 0, self.up_voltage, -self.down_voltage)

    def devices(self, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        """A factor on the mean step of each device, (devices,), of an array of ``shape``.

        ``rng`` draws. Raises InputError if that is no generator.
        """
        noise = generator(rng, "the scatter of devices").standard_normal(int(np.prod(shape)))
        return np.maximum(1 + self.device * noise, 0.0)

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
        y = (conductance - self.window.low) / self.window.span
        rising = polarity > 0
        mean = np.where(
            rising, np.interp(y, self.edges, self.up), np.interp(y, self.edges, self.down)
        )
        scatter = np.where(
            rising,
            np.interp(y, self.edges, self.up_deviation),
            np.interp(y, self.edges, self.down_deviation),
        )
        y = y + devices[select] * mean + scatter * rng.standard_normal(y.shape)
        return np.asarray(self.window.low + self.window.span * np.clip(y, 0.0, 1.0))


def _read_variance(y: np.ndarray) -> float:
    """Variance of the noise of reading in trains (pulses, trains)."""
    steps = np.diff(y, axis=0)
    steps = steps - steps.mean(0)
    # a read's noise n enters two steps, as +n and -n: their covariance is minus its variance
    return max(float(-(steps[1:] * steps[:-1]).mean()), 0.0)


def _step_statistics(
    y: np.ndarray, sign: int, middles: np.ndarray, reading: float
) -> list[np.ndarray]:
    """Mean and deviation of the steps at places across the window; ``reading`` the variance of
    a read."""
    places = len(middles)
    width = min(_SMOOTH, len(y) // 4 * 2 + 1)
    total = np.cumsum(np.concatenate([np.zeros((1, y.shape[1])), y]), axis=0)
    smooth = (total[width:] - total[:-width]) / width
    number = np.clip((smooth[:-1] * places).astype(int), 0, places - 1)
    steps = np.diff(smooth, axis=0)
    # the smooth train says where the cell stands; the scatter is that of the raw steps
    raw = np.diff(y, axis=0)[width // 2 :][: len(number)]
    mean = np.full(places, np.nan)
    for k in range(places):
        own = number == k
        if np.count_nonzero(own) > 1:
            mean[k] = steps[own].mean()
    measured = np.isfinite(mean)
    mean = np.interp(middles, middles[measured], np.maximum(sign * mean[measured], 0.0))
    # one number for all places: the difference of two variances is too uncertain in each
    scatter = max(float((raw - raw.mean(0)).var()) - 2 * reading, 0.0)
    return [sign * mean, np.full(places, np.sqrt(scatter))]
