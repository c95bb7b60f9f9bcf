"""Inputs from 0 to 1 as amplitudes of pulses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ddkbase.errors import InputError
from ddkbase.units import to_si

__all__ = ["AMPLITUDES", "voltages"]

#: Amplitudes at x = 0 and x = 1 with which the library's cell goes down step by step from 5 kohm in
#: the first 20 or so of 100 pulses of 100 ns, and Eq. (4) follows it (R 0.07 to 0.18 for a blue
#: whale). The article's 2 to 3 V finish the simulated cell with the first pulse. From -1.2 to -2 V
#: the fall takes all 100 pulses, but begins with a plateau that Eq. (4) does not know (R 0.3 to
#: 2.6).
AMPLITUDES = ("-2 V", "-3 V")


def voltages(x: ArrayLike, amplitude: tuple[str, str]) -> np.ndarray:
    """Inputs from 0 to 1, linearly mapped to pulse amplitudes [V].

    Parameters
    ----------
    x : array_like, shape (utterances, pulses)
        Inputs from 0 to 1.
    amplitude : pair of str
        Amplitude at x = 0 and at x = 1, of one sign: ("-2 V", "-3 V").

    Raises
    ------
    InputError
        An input outside of 0 to 1, an amplitude without unit, or two of different sign.
    """
    values = np.asarray(x, dtype=float)
    if values.ndim != 2 or not values.size:
        raise InputError(f"inputs of shape {values.shape}", "x", "Give (utterances, pulses)")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise InputError("an input is not between 0 and 1", "x", "Use network.features.normalise")
    if isinstance(amplitude, str) or len(amplitude) != 2:
        raise InputError("two amplitudes are needed", "amplitude", 'Give ("-2 V", "-3 V")')
    low, high = (to_si(a, "V", "amplitude") for a in amplitude)
    if not low * high > 0:
        raise InputError(f"{low:g} V and {high:g} V are not of one sign", "amplitude")
    return low + values * (high - low)
