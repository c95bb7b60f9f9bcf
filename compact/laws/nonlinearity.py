"""NeuroSim's curve of conductance over pulses, and the label of its nonlinearity.

The curve, of N pulses from the bottom of the window to its top, is
(1 - exp(-x/(A N)))/(1 - exp(-1/A)) at x pulses: concave for A > 0, convex for A < 0. See P.-Y.
Chen, X. Peng, S. Yu, IEEE Trans. Comput.-Aided Des. 37, 3067 (2018).

The label of A is the largest distance of that curve from the straight line, measured at a right
angle to it in the unit square, in units of 0.07. The definition is inferred: it gives the pairs
that NeuroSim tabulates (label 0.01: A = 126.269; 1: 1.25165; 9: 0.02281) to all their digits.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from ddkbase.errors import InputError, shorten

__all__ = ["LABELS", "curve_parameter", "nonlinearity_label", "pulse_curve"]

#: the labels that NeuroSim tabulates, smallest and largest, in steps of the smallest
LABELS = (0.01, 9.0)
_UNIT = 0.07 * np.sqrt(2.0)  # of the label, in heights above the line
_STRAIGHT = 1e5  # |A| from which the curve is a line within rounding of its height


def pulse_curve(share: np.ndarray | float, parameter: float) -> np.ndarray:
    """Height of the curve, 0 to 1.

    Parameters
    ----------
    share : array_like, shape (...)
        Pulses over their whole number, 0 to 1.
    parameter : float
        A, in units of the whole number of pulses; not 0, may be infinite.

    Returns
    -------
    ndarray, shape (...)
        The height at each share.
    """
    share = np.asarray(share, float)
    if abs(parameter) > _STRAIGHT:
        return share + 0.5 * share * (1 - share) / parameter
    return np.asarray(np.expm1(-share / parameter) / np.expm1(-1 / parameter))


def nonlinearity_label(parameter: float) -> float:
    """The label of a curve, with the sign of ``parameter``.

    Parameters
    ----------
    parameter : float
        A, as of `pulse_curve`.

    Raises
    ------
    InputError
        It is zero or NaN.
    """
    if np.isnan(parameter) or parameter == 0:
        raise InputError(f"{shorten(parameter)} is no parameter of a curve", "parameter")
    size = abs(parameter)
    if size > _STRAIGHT:
        height = 0.125 / size
    else:
        # the slope is 1 where exp(-x/A) = A (1 - exp(-1/A))
        steepness = -size * np.expm1(-1 / size)
        at = -size * np.log(steepness)
        height = float(pulse_curve(at, size) - at)
    return float(np.copysign(height / _UNIT, parameter))


def curve_parameter(label: float) -> float:
    """A of a label, the inverse of `nonlinearity_label`.

    Parameters
    ----------
    label : float
        From -9 to 9, not 0.

    Raises
    ------
    InputError
        It is out of range.
    """
    if not 0 < abs(label) <= LABELS[1]:
        raise InputError(f"{shorten(label)} is not within 0 and 9 or -9", "label")
    size = np.exp(
        brentq(lambda log: nonlinearity_label(float(np.exp(log))) - abs(label), -5.0, 30.0)
    )
    return float(np.copysign(size, label))
