"""The forming sweep in front of measured loops: what a cell does once is none of its loops."""

from __future__ import annotations

import numpy as np

from devicephys.measured.checks import signs

__all__ = ["forming_end"]

#: times the largest later voltage of its sign that a forming sweep reaches
_FURTHER = 1.25
#: share by which the stops of loops differ
_ALIKE = 0.1
#: share of the later sweeps that a read in front of all goes
_READ = 0.5
#: share of the later current that a cell which was never formed carries at most
_PRISTINE = 0.3


def forming_end(v: np.ndarray, i: np.ndarray, number: np.ndarray | None = None) -> int:
    """Number of samples at the beginning that form the cell; 0 where nothing does.

    A forming sweep goes further than all later ones of its sign. These are alike, or there is one
    of them, and the cell carried far less in front of it than it does in that one: a first stop
    that is only the largest of several is none. Sweeps before it that formed nothing belong to it,
    and so does the sweep of the other sign behind it where the loops would not come out even.

    Parameters
    ----------
    v, i : ndarray of float, V and A
        Voltage and current of each sample.
    number : ndarray of float or None, optional
        Number of the loop of each sample, as the file has it.

    Returns
    -------
    int
        Index of the first sample of the loops.
    """
    side = signs(v)
    edges = np.flatnonzero(np.diff(side)) + 1
    parts = [p for p in np.split(np.arange(len(v)), edges) if side[p[0]]]
    stops = np.array([np.abs(v[part]).max() for part in parts])
    ways = np.array([side[part[0]] for part in parts])
    if not parts:
        return 0
    # a read in front of it goes far less than the later sweeps of its sign
    start = next(
        n for n in range(len(parts)) if stops[n] >= _READ * stops[n:][ways[n:] == ways[n]].max()
    )
    others = np.flatnonzero(ways[start:] != ways[start])
    # sweeps of one sign at the beginning; of one polarity all are, and only the first may form
    leading = start + (int(others[0]) if others.size else 1)
    for k in range(leading - 1, start - 1, -1):
        later = [n for n in range(k + 1, len(parts)) if ways[n] == ways[start]]
        if later and _forms(v, i, parts, stops, k, later):
            break
    else:
        return 0
    if others.size and (len(parts) - k) % 2 == 0 and ways[k + 1] != ways[start]:
        k += 1
    # the loops begin at the last sample without a voltage, or where their numbers do
    first = int(parts[k + 1][0])
    between = np.arange(parts[k][-1] + 1, first)[::-1]
    if not between.size:
        return first
    begin = int(between[np.argmin(np.abs(v[between]))])
    if number is None or number[begin] == number[first]:
        return begin
    return int(between[number[between] == number[first]].min(initial=first))


def _forms(
    v: np.ndarray,
    i: np.ndarray,
    parts: list[np.ndarray],
    stops: np.ndarray,
    k: int,
    later: list[int],
) -> bool:
    """Whether sweep ``k`` goes further than the later ones, as one that forms does."""
    if stops[k] < _FURTHER * stops[later].max():
        return False
    if len(later) > 1:
        return bool(np.sort(stops[later])[-2] > (1 - _ALIKE) * stops[later].max())
    carried = []
    for n in (k, later[0]):
        out = parts[n][: int(np.argmax(np.abs(v[parts[n]]))) + 1]
        low = out[np.abs(v[out]) < 0.5 * stops[later[0]]]
        carried.append(float(np.median(np.abs(i[low]))) if low.size else np.nan)
    return carried[0] < _PRISTINE * carried[1]
