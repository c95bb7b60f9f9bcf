"""Alpha and beta of single pulses: pairs of reads before and after, each pulse with a setting.

Trains of equal pulses follow one curve; pulses that differ do not, but each of them is one step of
the equation. With G = G_min + S y, S = G_max - G_min, one step of Eq. (4) (or (3), sign +) is

::

    dG = S dy = S^2 alpha/(G - G_min) -+ S beta,

which is linear in alpha and beta once G_min is known; S is a scale. So alpha and beta of each
setting come from linear least squares with bounds at zero, and G_min, which all settings share, is
the one number that is searched for. The step is taken at the conductance before the pulse, as
explicit Euler does it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import minimize_scalar
from scipy.special import fdtrc

from ddkbase.errors import InputError
from ddkbase.records import label
from ddkbase.units import to_si

__all__ = ["fit_updates"]

_FEWEST = 4  # pulses of a setting: two numbers and an error
_NEAREST = 1e-4  # of the smallest read, how close G_min may come to it
_GRID = 60
_DIGITS = 3  # to which settings are told apart: sources give what they measured
_LEVEL = 0.01


def fit_updates(
    updates: xr.Dataset,
    *,
    conductance_min: str | None = None,
    conductance_max: str | None = None,
    amplitude_step: str | None = None,
) -> xr.Dataset:
    """Fit alpha and beta of single pulses, for each amplitude and width.

    Parameters
    ----------
    updates : xarray.Dataset
        Dataset of `compact.read_updates`: ``before`` and ``after`` [S] on ``update``, ``amplitude``
        [V] and ``width`` [s] where they are known.
    conductance_min, conductance_max : str or None, optional
        The window, as text with a unit. None: G_min is fitted, for all settings together, and G_max
        is the largest read.
    amplitude_step : str or None, optional
        Pool amplitudes that round to one multiple of this voltage, as text with a unit, where few
        pulses share an amplitude.

    Returns
    -------
    xarray.Dataset
        Dataset on ``amplitude`` [V] and ``width`` [s] (NaN: not known): ``alpha``, ``beta`` and
        their ``*_stderr``, which hold for the window; ``count``; ``change``, the mean step [S];
        ``direction``; ``explained``, the share of the scatter of the steps that their dependence on
        the conductance explains; ``determined`` and ``note``, why not. Attributes:
        ``conductance_min``, ``conductance_max`` [S], ``window`` ("free" or "given").

    Raises
    ------
    InputError
        No pairs, a window that does not hold them.
    """
    before, after, amplitude, width = _arrays(updates)
    if amplitude_step is not None:
        step = to_si(amplitude_step, "V", "amplitude_step")
        if step <= 0:
            raise InputError("is not positive", "amplitude_step")
        amplitude = np.array([float(f"{v:.9g}") for v in step * np.rint(amplitude / step)])
    change = after - before
    low = None if conductance_min is None else to_si(conductance_min, "S", "conductance_min")
    high = float(max(before.max(), after.max()))
    if conductance_max is not None:
        high = to_si(conductance_max, "S", "conductance_max")
    axes = [np.unique(values) for values in (amplitude, width)]  # NaN once, at the end
    shape = (axes[0].size, axes[1].size)
    places = [np.searchsorted(a, v) for a, v in zip(axes, (amplitude, width), strict=True)]
    group = np.ravel_multi_index(tuple(places), shape)
    members = [np.flatnonzero(group == k) for k in np.unique(group)]
    large = [m for m in members if m.size >= _FEWEST]
    if not large:
        raise InputError(
            f"none of {len(members)} settings has {_FEWEST} pulses or more",
            "updates",
            "Pass amplitude_step='0.5 V' to pool amplitudes that are near each other",
        )
    free = low is None
    if low is None:
        low = _smallest(before, change, large)
    if not 0 <= low < min(float(before.min()), high):
        raise InputError(
            f"the window from {low:.4g} to {high:.4g} S does not hold the reads",
            "conductance_min, conductance_max",
        )
    numbers = {name: np.full(shape, np.nan) for name in _NUMBERS}
    texts = {name: np.full(shape, "", dtype=object) for name in ("direction", "note")}
    count = np.zeros(shape, int)
    for rows in members:
        at = int(places[0][rows[0]]), int(places[1][rows[0]])
        count[at] = rows.size
        numbers["change"][at] = change[rows].mean()
        texts["direction"][at] = "up" if change[rows].mean() > 0 else "down"
        if rows.size < _FEWEST:
            texts["note"][at] = f"fewer than {_FEWEST} pulses"
            continue
        found = _one_setting(before[rows], change[rows], low, high - low)
        for name, value in found.items():
            (texts if name == "note" else numbers)[name][at] = value
    dims = ("amplitude", "width")
    data = {name: label(numbers[name], dims, unit, text) for name, (unit, text) in _NUMBERS.items()}
    data["count"] = label(count, dims, "1", "number of pulses")
    data["direction"] = label(texts["direction"].astype(str), dims, "1", "which way the steps go")
    data["note"] = label(texts["note"].astype(str), dims, "1", "why they are not determined")
    data["determined"] = label(
        (texts["note"] == "") & (count > 0), dims, "1", "whether the pulses determine both"
    )
    coords = {
        "amplitude": label(axes[0], "amplitude", "V", "pulse amplitude"),
        "width": label(axes[1], "width", "s", "pulse width"),
    }
    attrs = {
        "conductance_min": low,
        "conductance_max": high,
        "window": "free" if free else "given",
        "source_file": str(updates.attrs.get("source_file", "")),
    }
    return xr.Dataset(data, coords, attrs)


_NUMBERS = {
    "alpha": ("1", "alpha"),
    "beta": ("1", "beta"),
    "alpha_stderr": ("1", "standard error of alpha, for this window"),
    "beta_stderr": ("1", "standard error of beta, for this window"),
    "change": ("S", "mean change of the conductance"),
    "explained": ("1", "share of the scatter of the steps that alpha explains"),
}


def _arrays(updates: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Before, after, amplitude and width of the pairs that are whole."""
    if not {"before", "after"} <= set(getattr(updates, "data_vars", {})):
        raise InputError("the dataset has no 'before' and 'after'", "updates", "Use read_updates")
    before, after = (updates[name].values.astype(float) for name in ("before", "after"))
    settings = []
    for name in ("amplitude", "width"):
        values = np.full(before.size, np.nan)
        if name in updates:
            values = np.array([float(f"{v:.{_DIGITS}g}") for v in updates[name].values])
        settings.append(values)
    whole = np.isfinite(before) & np.isfinite(after) & (before > 0)
    if not whole.any():
        raise InputError("there is no pair of reads", "updates")
    return before[whole], after[whole], settings[0][whole], settings[1][whole]


def _smallest(before: np.ndarray, change: np.ndarray, members: list[np.ndarray]) -> float:
    """The G_min with which all settings together are described best."""
    reach = float(before.min())
    scale = max(float(before.max()) - reach, reach)

    def squares(exponent: float) -> float:
        low = reach * (1 - 10.0**exponent)
        return sum(_least(before[m], change[m], low, scale)[1] for m in members)

    grid = np.linspace(np.log10(_NEAREST), 0.0, _GRID)
    costs = [squares(e) for e in grid]
    k = int(np.argmin(costs))
    ends = grid[max(k - 1, 0)], grid[min(k + 1, _GRID - 1)]
    best = minimize_scalar(squares, bounds=ends, method="bounded")
    exponent = float(best.x) if best.fun < costs[k] else float(grid[k])
    return reach * (1 - 10.0**exponent)


def _least(
    before: np.ndarray, change: np.ndarray, low: float, span: float
) -> tuple[np.ndarray, float, np.ndarray]:
    """Alpha and the constant part of the step in windows, the sum of squares, and the matrix."""
    sign = 1.0 if change.mean() > 0 else -1.0
    matrix = np.stack([span / (before - low), np.full(before.size, sign)], axis=1)
    steps = change / span
    theta, *_ = np.linalg.lstsq(matrix, steps, rcond=None)
    if theta.min() < 0:  # one of them stands at zero: the better of the two
        alone = [
            max(float(matrix[:, k] @ steps) / float(matrix[:, k] @ matrix[:, k]), 0.0)
            for k in (0, 1)
        ]
        choices = [np.array([alone[0], 0.0]), np.array([0.0, alone[1]])]
        theta = min(choices, key=lambda t: float(((matrix @ t - steps) ** 2).sum()))
    residual = matrix @ theta - steps
    return theta, float((residual**2).sum() * span**2), matrix


def _one_setting(
    before: np.ndarray, change: np.ndarray, low: float, span: float
) -> dict[str, float | str]:
    theta, squares, matrix = _least(before, change, low, span)
    squares /= span**2
    freedom = before.size - 2
    constant = float(((change - change.mean()) ** 2).sum()) / span**2
    with np.errstate(all="ignore"):
        free = theta > 0
        errors = np.full(2, np.nan)
        inverse = np.linalg.pinv(matrix[:, free].T @ matrix[:, free])
        errors[free] = np.sqrt(np.diag(squares / freedom * inverse))
        gain = max(constant - squares, 0.0) / max(squares / freedom, 1e-300)
    note = ""
    if theta.min() <= 0:
        note = f"{('alpha', 'beta')[int(theta.argmin())]} is not determined: it stands at zero"
    elif fdtrc(1, freedom, gain) > _LEVEL:
        note = "no better than equal steps: the change does not depend on the conductance"
    elif (errors > theta).any():
        worst = ("alpha", "beta")[int((errors / theta).argmax())]
        note = f"{worst} is not determined: its error exceeds it"
    return {
        "alpha": float(theta[0]),
        "beta": float(theta[1]),
        "alpha_stderr": float(errors[0]),
        "beta_stderr": float(errors[1]),
        "explained": max(1 - squares / constant, 0.0) if constant > 0 else float("nan"),
        "note": note,
    }
