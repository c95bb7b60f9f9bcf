"""Current-voltage loops among files of pulse trains: told apart and refused.

A loop taken for a train would be fitted without complaint. Where headings and units name voltage
and current, a voltage that goes through zero gives it away (`compact.measured.conductance`). Where
they do not, the numbers do: they take both signs and lead nowhere, and of two columns each has the
sign of the other, as current and voltage of a passive device have.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from compact.measured.table import Table
from compact.measured.trains import Train
from compact.measured.turns import trend
from ddkbase.errors import InputError

__all__ = ["refuse_loops"]

_SMALL = 0.05  # of the largest value: what is closer to zero has no sign
_ALIKE = 0.9  # share of rows in which two columns have the same sign, from which they are locked


def refuse_loops(table: Table, trains: list[Train], split: bool) -> None:
    """Refuse trains that nobody called conductances, and that swing about zero.

    Parameters
    ----------
    trains : list of Train
        Those of a table whose columns were taken as conductance for want of anything else.
    split : bool
        Whether turns within a train are expected. Then only locked signs count.

    Raises
    ------
    InputError
        Two of them are a current-voltage loop, or one goes both ways through zero.
    """
    swinging = [t for t in trains if not t.direction and _swings(t.values)]
    for one, other in combinations(swinging[:20], 2):
        if _locked(one.values, other.values):
            raise InputError(
                f"'{one.label}' and '{other.label}' go through zero together, as voltage and "
                "current of a loop do: a current-voltage loop, not reads after pulses",
                table.path,
                "read_pulses wants one read at one voltage after each pulse; pass conductance=... "
                "if these columns are conductances",
            )
    if swinging and not split:
        raise InputError(
            f"'{swinging[0].label}' goes through zero and neither up nor down: no train of "
            "conductances after pulses",
            table.path,
            "Pass conductance=... if it is one, or the column that tells trains apart",
        )


def _signs(values: np.ndarray) -> np.ndarray:
    """-1, 0, 1; 0 also where missing."""
    known = np.nan_to_num(values)
    return np.where(np.abs(known) > _SMALL * np.abs(known).max(initial=0), np.sign(known), 0)


def _swings(values: np.ndarray) -> bool:
    signs = _signs(values)
    return bool((signs < 0).any() and (signs > 0).any() and not trend(values))


def _locked(one: np.ndarray, other: np.ndarray) -> bool:
    if one.size != other.size:
        return False
    product = _signs(one) * _signs(other)
    told = int(np.count_nonzero(product))
    return told > 0 and abs(int(product.sum())) >= (2 * _ALIKE - 1) * told
