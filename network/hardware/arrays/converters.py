"""Converters between numbers and voltages or currents: uniform steps, a range, clipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, shorten

__all__ = ["PERCENTILES", "Converter", "checked_bits"]

LARGEST_BITS = 24

PERCENTILES = (100.0, 99.99, 99.9, 99.5, 99.0, 98.0, 95.0)
"""Shares of values [%] that a range which is chosen on data may hold."""


def checked_bits(bits: Any, where: str) -> int:
    """A number of bits from 1 to 24. Raises InputError."""
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer):
        raise InputError(f"{shorten(bits)} is no number of bits", where)
    if not 1 <= bits <= LARGEST_BITS:
        raise InputError(f"{bits} bits", where, f"Use 1 to {LARGEST_BITS}")
    return int(bits)


@dataclass(frozen=True)
class Converter:
    """A DAC or ADC of ``bits``: 2**bits levels from ``low`` to ``high``, both among them.

    A signed one (low = -high) has no level at 0 in this layout, so it leaves out its lowest level
    and keeps 2**bits - 1, as two's complement converters of weights do.
    """

    bits: int
    low: float
    high: float

    def __post_init__(self) -> None:
        checked_bits(self.bits, "converter")
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise InputError(f"{self.low!r} to {self.high!r} is no range", "converter")
        if self.bits == 1 and self.low == -self.high:
            raise InputError("one bit cannot hold a sign", "converter", "Use 2 bits or more")

    @classmethod
    def calibrated(cls, bits: int, values: Any, percentile: float = 100.0) -> Self:
        """The range that holds ``percentile`` % of the sizes of some values.

        From 0 if none is negative, symmetric about 0 otherwise.

        Raises
        ------
        InputError
            No finite values, or bits or percentile out of range.
        """
        numbers = np.asarray(values, float)
        if not numbers.size or not np.isfinite(numbers).all():
            raise InputError("no finite values to calibrate with", "converter")
        if not 0 < percentile <= 100:
            raise InputError(f"{percentile!r} is not in 0 to 100", "percentile")
        sizes = np.abs(numbers)
        high = float(sizes.max() if percentile == 100 else np.percentile(sizes, percentile))
        high = high or float(sizes.max()) or 1.0
        return cls(bits, -high if (numbers < 0).any() else 0.0, high)

    @classmethod
    def fitted(cls, bits: int, values: Any) -> Self:
        """The range, of those of `PERCENTILES`, that errs least on some values.

        The measure is the mean size of the error of the converted values, whether they were rounded
        or clipped: squares would let a few values far out have the whole range, and leave the
        others one step.

        Parameters
        ----------
        bits : int
            Bits of the converter.
        values : array_like
            What it will convert, e.g. of training samples; labels are not needed.

        Raises
        ------
        InputError
            No finite values, or bits out of range.
        """
        numbers = np.asarray(values, float)
        best = cls.calibrated(bits, numbers)
        sizes, low = np.abs(numbers), best.low
        least = np.inf
        for high in np.percentile(sizes, PERCENTILES):
            if not high > 0:
                break
            tried = cls(bits, -float(high) if low else 0.0, float(high))
            error = float(np.mean(np.abs(tried.convert(numbers) - numbers)))
            if error < least:  # the widest of equals
                best, least = tried, error
        return best

    @property
    def step(self) -> float:
        """Distance between levels."""
        levels = 2**self.bits - (2 if self.low == -self.high else 1)
        return (self.high - self.low) / levels

    def convert(self, values: np.ndarray) -> np.ndarray:
        """The levels nearest to ``values``, same shape and, for floats, the same dtype."""
        numbers = np.asarray(values)
        out = np.clip(numbers, self.low, self.high)
        if self.low != 0:
            base = 0.0 if self.low == -self.high else self.low
            out = out - base
        else:
            base = 0.0
        out = np.rint(out / self.step) * self.step + base
        return out.astype(numbers.dtype) if numbers.dtype.kind == "f" else out

    def inside(self, values: np.ndarray) -> np.ndarray:
        """Where the range holds the values: 1 there, 0 where they are clipped (bool)."""
        numbers = np.asarray(values)
        return np.asarray((numbers >= self.low) & (numbers <= self.high))
