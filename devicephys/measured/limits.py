"""Limits of the current in measured loops: plateaus that an instrument or a transistor makes."""

from __future__ import annotations

import numpy as np

from ddkbase.errors import InputError
from ddkbase.units import format_si

__all__ = ["compliance_of", "limits_of_loops"]

#: samples of a plateau, its largest scatter, and its least width as a share of the voltage
PLATEAU, FLAT, WIDE = 5, 0.05, 0.2
#: share of a compliance that has to be reached
REACHED = 0.9
#: share by which the limits of loops may differ
_ALIKE = 0.1


def compliance_of(v: np.ndarray, i: np.ndarray, told: float | None, where: str) -> dict[str, float]:
    """Limits of the current, "positive" and "negative", in A, where it was limited.

    Parameters
    ----------
    v, i : ndarray of float, V and A
        Voltage and current of each sample.
    told : float or None, A
        The limit that was set, if the user says one.
    where : str
        The file, for errors.

    Raises
    ------
    InputError
        The limit that was set is never reached.
    """
    if told is not None and np.abs(i).max() < REACHED * told:
        raise InputError(
            f"the compliance of {format_si(told, 'A', 3)} is never reached: the current stays "
            f"below {format_si(float(np.abs(i).max()), 'A', 3)}",
            where,
            "Leave the compliance out, or check the unit of the current",
        )
    limits = {}
    for name, side in (("positive", v > 0), ("negative", v < 0)):
        size = np.abs(i[side])
        if not size.size:
            continue
        # a single overshoot of the instrument is no plateau
        top = float(np.quantile(size, 0.98))
        flat = (np.abs(np.abs(i) - top) <= FLAT * top) & side
        if flat.sum() < PLATEAU or np.ptp(v[flat]) < WIDE * np.abs(v[side]).max():
            continue
        # rising with the voltage it is a resistance, not a limit
        slope = np.polyfit(np.abs(v[flat]), np.abs(i[flat]), 1)[0] * np.ptp(v[flat])
        if abs(slope) < 0.5 * FLAT * top:
            limits[name] = float(np.median(np.abs(i[flat])))
    if told is not None:
        limits = {name: told for name, found in limits.items() if found > REACHED * told} or (
            {"positive": told} if np.abs(i[v > 0]).max(initial=0.0) >= REACHED * told else {}
        )
    return limits


def limits_of_loops(
    v: np.ndarray,
    i: np.ndarray,
    loop: np.ndarray,
    given: float | None,
    where: str,
    remarks: list[str],
) -> dict[str, float]:
    """Limits of the current as of `compliance_of`, of all loops; of none where they differ.

    Parameters
    ----------
    v, i : ndarray of float, V and A
        Voltage and current of each sample.
    loop : ndarray of int
        Number of the loop of each sample.
    given : float or None, A
        The limit that was set, if the user says one.
    where : str
        The file, for errors.
    remarks : list of str
        Gets which limits differ from loop to loop.

    Raises
    ------
    InputError
        The limit that was set is never reached.
    """
    limits = compliance_of(v, i, given, where)
    if given is not None:
        return limits
    single = [compliance_of(v[loop == k], i[loop == k], None, where) for k in np.unique(loop)]
    for name in ("positive", "negative"):
        own = [limit[name] for limit in single if name in limit]
        if len(own) > 1 and max(own) > (1 + _ALIKE) * min(own):
            limits.pop(name, None)
            low, high = (format_si(x, "A", 3) for x in (min(own), max(own)))
            remarks.append(
                f"the limit of the {name} current differs from loop to loop, from {low} to {high}: "
                "none is taken"
            )
    return limits
