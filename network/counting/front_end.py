"""What a digital front end of speech computes: windows, Fourier transform, mel bands, cepstra.

In multiplications that an addition goes with (MACs), as the rest of this package counts; what only
moves numbers (framing, reordering) counts as nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddkbase.errors import InputError
from network.features.spectral import mel_filters

__all__ = ["BUTTERFLY", "FrontEnd", "fourier_macs"]

#: MACs of a butterfly of two complex numbers, each sum and product fused (Goedecker, SIAM J. Sci.
#: Comput. 18, 1605 (1997)).
BUTTERFLY = 6


def fourier_macs(window: int) -> int:
    """MACs of the Fourier transform of real numbers, radix 2.

    A complex transform of half the length, n/4 log2(n/2) butterflies, and for each of n/4 pairs of
    lines four sums and a butterfly, which part the two halves.

    Parameters
    ----------
    window : int
        Real numbers in, a power of two from 4 up.

    Raises
    ------
    InputError
        It is no such power.
    """
    if window < 4 or window & (window - 1):
        raise InputError(f"a window of {window} samples", "window", "A power of two from 4 up")
    stages = window.bit_length() - 2
    return window // 4 * (BUTTERFLY * stages + 4 + BUTTERFLY)


@dataclass(frozen=True)
class FrontEnd:
    """Mel bands of overlapping windows and, where asked for, cepstral coefficients of them.

    The defaults are those of the task ``digits-spoken``: 32 bands of 48 windows of 32 ms at 8 kHz.

    Parameters
    ----------
    frames : int, default 48
        Windows of a sample.
    window : int, default 256
        Samples of a window, a power of two.
    rate : float, default 8000.0, Hz
        Samples a second.
    bands : int, default 32
        Mel bands of a window.
    coefficients : int, default 0
        Cepstral coefficients of a window, at most ``bands``; 0 leaves the logarithms as they are.

    Raises
    ------
    InputError
        Numbers that do not fit.
    """

    frames: int = 48
    window: int = 256
    rate: float = 8000.0
    bands: int = 32
    coefficients: int = 0

    def __post_init__(self) -> None:
        if self.frames < 1 or not 0 <= self.coefficients <= self.bands:
            raise InputError(
                f"{self.frames} frames, {self.coefficients} coefficients of {self.bands} bands",
                "front end",
                "At least 1 frame, and no more coefficients than bands",
            )
        fourier_macs(self.window)

    @property
    def macs(self) -> dict[str, int]:
        """MACs of a sample by step: window, transform, power, bands and, if any, cepstrum.

        Bands count the filters' weights that are not zero, the cepstrum a cosine transform as a
        matrix of ``bands`` x ``coefficients``.
        """
        filters = mel_filters(self.rate, self.window, self.bands)
        of_frame = {
            "window": self.window,
            "transform": fourier_macs(self.window),
            "power": 2 * (self.window // 2 + 1),
            "bands": int(np.count_nonzero(filters)),
        }
        if self.coefficients:
            of_frame["cepstrum"] = self.bands * self.coefficients
        return {step: self.frames * macs for step, macs in of_frame.items()}

    @property
    def logarithms(self) -> int:
        """Logarithms of a sample, one a band and window."""
        return self.frames * self.bands
