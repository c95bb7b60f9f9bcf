"""Which way a train goes, as the user says, by its heading or by its values; where it turns.

Also refused here: current-voltage loops among files of pulse trains. A loop taken for a train would
be fitted without complaint. Where headings and units name voltage and current, a voltage that goes
through zero gives it away (`compact.measured.trains`). Where they do not, the numbers do: they take
both signs and lead nowhere, and of two columns each has the sign of the other, as current and
voltage of a passive device have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from compact.measured.trains import Train
from ddkbase.errors import InputError, shorten
from ddkbase.tables.table import Table

__all__ = [
    "DIRECTIONS",
    "beginnings",
    "directed",
    "refuse_loops",
    "refuse_negative",
    "trend",
    "turning_points",
]

DIRECTIONS = ("up", "down")
_RETREAT = 0.4  # share of the range by which a train must go back to have turned
_ORDERED = 0.7  # rank correlation from which a limb is one
_SUDDEN = 5.0  # times as large as steps are that of a train that begins anew is
_SMALL = 0.05  # of the largest value: what is closer to zero has no sign
_ALIKE = 0.9  # share of rows in which two columns have the same sign, from which they are locked


def directed(
    table: Table,
    trains: list[Train],
    given: str | Sequence[str] | Mapping[str, str] | None,
) -> list[Train]:
    """Give each train its direction: as given, by its heading, else by its values."""
    names = [t.label for t in trains]
    if isinstance(given, Mapping):
        unknown = [k for k in given if k not in names]
        if unknown:
            raise InputError(
                f"there is no train {shorten(unknown[0])}", f"{table.path}, direction",
                "Trains: " + ", ".join(names[:12]),
            )  # fmt: skip
        by_name = {k: _word(v) for k, v in given.items()}
    elif given in DIRECTIONS:
        by_name = dict.fromkeys(names, str(given))
    elif isinstance(given, Sequence) and not isinstance(given, str):
        if len(given) != len(trains):
            raise InputError(
                f"{len(given)} directions for {len(trains)} trains", f"{table.path}, direction"
            )
        by_name = dict(zip(names, map(_word, given), strict=True))
    else:
        by_name = {}
    out: list[Train] = []
    for train in trains:
        train.direction = by_name.get(train.label, train.direction)
        begun = [] if train.label in by_name else beginnings(train.values)
        if begun and given != "split":
            raise InputError(
                f"train '{train.label}' goes the same way again after pulse {begun[0] + 1}"
                + (f" and {len(begun) - 1} times more" if len(begun) > 1 else "")
                + ": several trains below each other",
                train.source,
                "Pass direction='split' to cut it there, or 'up' or 'down' if it is one train",
            )
        if begun:
            pieces = _cut(table, train, begun, begun)
            for piece in pieces:
                piece.direction = train.direction or trend(piece.values)
            out += pieces
            continue
        if train.direction:
            seen = trend(train.values)
            if seen and seen != train.direction:
                table.assume_of(train.label, f"'{train.direction}', though it goes {seen}")
            out.append(train)
            continue
        turns = turning_points(train.values)
        if turns and given != "split":
            raise InputError(
                f"train '{train.label}' turns after pulse {turns[0] + 1}"
                + (f" and {len(turns) - 1} times more" if len(turns) > 1 else ""),
                train.source,
                "Pass direction='split' to cut it there, or 'up' or 'down' if it is one train",
            )
        pieces = _cut(table, train, turns) if turns else [train]
        for piece in pieces:
            piece.direction = trend(piece.values) or "unknown"
            what = "by its values" if piece.direction != "unknown" else "it goes neither way"
            table.assume_of(piece.label, f"direction '{piece.direction}', {what}")
        out += pieces
    return out


def _cut(table: Table, train: Train, turns: list[int], begun: Sequence[int] = ()) -> list[Train]:
    """Parts of a train; what begins anew was brought back unseen: its first read is not known."""
    edges = [0, *(t + 1 for t in turns), train.values.size]
    after = ", ".join(str(t + 1) for t in turns)
    table.assume_of(train.label, f"cut after pulses {after}, each part counted from 1")
    pieces = []
    for k, (start, stop) in enumerate(pairwise(edges)):
        values = train.values[start:stop]
        pieces.append(
            Train(
                f"{train.label}, part {k + 1}",
                f"{train.source}, pulses {start + 1} to {stop}",
                values,
                initial=np.nan
                if start - 1 in begun
                else train.values[start - 1]
                if start
                else train.initial,
                extra={name: array[start:stop] for name, array in train.extra.items()},
                cycle=train.cycle,
                device=train.device,
                varied=train.varied,
            )
        )
    return pieces


def _word(text: object) -> str:
    if text not in DIRECTIONS:
        raise InputError(f"{shorten(text)} is not a direction", "direction", "Write 'up' or 'down'")
    return str(text)


def trend(values: Sequence[float] | np.ndarray) -> str:
    """ "up" or "down" by rank correlation with the pulse number; "" if neither is plain."""
    values = np.asarray(values, float)
    finite = values[np.isfinite(values)]
    if finite.size < 2 or np.ptp(finite) == 0:
        return ""
    r = _rank_correlation(finite)
    return "" if abs(r) < 0.5 else "up" if r > 0 else "down"


def turning_points(values: np.ndarray) -> list[int]:
    """Indices of the last value before a train turns from up to down or back.

    A turn is a retreat by 40 % of the range, single outliers aside. Each limb between turns has at
    least three values, a tenth of the longest limb's, and a rank correlation with the pulse number
    of 0.7; else there is no turn.
    """
    finite = np.flatnonzero(np.isfinite(values))
    v = values[finite]
    if v.size < 6 or np.ptp(v) == 0:
        return []
    smoothed = _running_median(v, 5 if v.size >= 20 else 3)
    retreat = _RETREAT * float(np.ptp(smoothed))
    smooth = smoothed.tolist()  # a loop over numbers of Python is three times as fast
    turns: list[int] = []
    low = high = sign = 0
    for k in range(1, v.size):
        low, high = (
            (k if smooth[k] < smooth[low] else low),
            (k if smooth[k] > smooth[high] else high),
        )
        if sign >= 0 and smooth[high] - smooth[k] > retreat:
            turns += [high] if sign or high >= 2 else []
            sign, low = -1, k
        elif sign <= 0 and smooth[k] - smooth[low] > retreat:
            turns += [low] if sign or low >= 2 else []
            sign, high = 1, k
    # the median moves an extreme by a place or two
    sides = [1 if smooth[t] > smooth[max(t - 3, 0)] else -1 for t in turns]
    turns = [
        max(t - 2, 0) + int((side * v[max(t - 2, 0) : t + 3]).argmax())
        for t, side in zip(turns, sides, strict=True)
    ]
    edges = [0, *turns, v.size - 1]
    limbs = [v[a : b + 1] for a, b in pairwise(edges)]
    short = max(3, max(limb.size for limb in limbs) / 10)
    if any(limb.size < short or abs(_rank_correlation(limb)) < _ORDERED for limb in limbs):
        return []
    return [int(finite[t]) for t in turns]


def beginnings(values: np.ndarray) -> list[int]:
    """Indices of the last value before a train begins anew: goes back at once, and the same way on.

    A step back is 40 % of the range and five times as large as steps are. Each part between has at
    least three values and a rank correlation with the pulse number of 0.7, all of one sign; else
    there is none.
    """
    finite = np.flatnonzero(np.isfinite(values))
    v = values[finite]
    if v.size < 6 or np.ptp(v) == 0:
        return []
    steps = np.diff(v)
    large = max(_RETREAT * float(np.ptp(v)), _SUDDEN * float(np.median(np.abs(steps))))
    for back in (1, -1):
        found = np.flatnonzero(back * steps > large)
        parts = np.split(v, found + 1)
        if not found.size or min(part.size for part in parts) < 3:
            continue
        if all(-back * _rank_correlation(part) >= _ORDERED for part in parts):
            return [int(finite[k]) for k in found]
    return []


def _rank_correlation(v: np.ndarray) -> float:
    if v.size < 2 or np.ptp(v) == 0:
        return 0.0
    _, inverse, counts = np.unique(v, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[inverse]
    index = np.arange(v.size)
    return float(np.corrcoef(ranks, index)[0, 1])


def _running_median(v: np.ndarray, width: int) -> np.ndarray:
    half = width // 2
    padded = np.pad(v, half, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=-1)


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
    for first, second in combinations(swinging[:20], 2):
        if _locked(first.values, second.values):
            raise InputError(
                f"'{first.label}' and '{second.label}' go through zero together, as voltage and "
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


def refuse_negative(table: Table, trains: list[Train]) -> None:
    """Refuse trains that nobody called conductances, and that are negative throughout.

    A current read at a negative voltage that grows in size would be a train that goes down. Values
    of both signs may be weights with a scale of their own: that is said. Raises InputError: a train
    has values below zero, and none above.
    """
    for train in trains:
        signs = _signs(train.values)
        if not (signs < 0).any():
            continue
        if (signs <= 0).all():
            raise InputError(
                f"'{train.label}' is negative, which no conductance is: a current, it seems, read "
                "at a negative voltage",
                table.path,
                "Pass current=... and voltage='-0.1 V' or the like; conductance=... if it has a "
                "scale of its own",
            )
        table.assume_of(
            train.label,
            "values of both signs, which no conductance has: weights, or another column",
        )


def _signs(values: np.ndarray) -> np.ndarray:
    """-1, 0, 1; 0 also where missing."""
    filled = np.nan_to_num(values)
    return np.where(np.abs(filled) > _SMALL * np.abs(filled).max(initial=0), np.sign(filled), 0)


def _swings(values: np.ndarray) -> bool:
    signs = _signs(values)
    return bool((signs < 0).any() and (signs > 0).any() and not trend(values))


def _locked(first: np.ndarray, second: np.ndarray) -> bool:
    if first.size != second.size:
        return False
    product = _signs(first) * _signs(second)
    signed = int(np.count_nonzero(product))
    return signed > 0 and abs(int(product.sum())) >= (2 * _ALIKE - 1) * signed
