"""Headline figures of a current-voltage loop, and the eight marked instants A to H.

Everything here works on plain arrays of a loop (simulated or measured), so that one definition
serves the simulation, its tests and a recording from the lab. A loop runs 0 -> reset_voltage ->
0 -> set_voltage -> 0, with negative voltage for RESET.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from ddkbase.errors import InputError

#: voltage at which low and high resistance are read, V
READ_VOLTAGE = 0.1
#: relative loss of conductance against the trend that counts as RESET's onset
ONSET_LOSS = 0.05
#: a rise by less than this factor is the curvature of a cell that does not switch, no SET
SET_RISE = 2.0
#: low resistance after SET over that before RESET above which a cell did not return
NO_RETURN = 2.0
#: points at which a branch with few steps is interpolated to find its trend
RESAMPLED = 20
LABELS = tuple("ABCDEFGH")


@dataclass(frozen=True)
class LoopFigures:
    """Headline figures of one loop; NaN where the loop does not show the event.

    Attributes
    ----------
    reset_onset_voltage : float, V
        Voltage at which RESET begins, negative: see ``reset_onset``.
    reset_gradual_range : float, V
        Span of the falling branch around the onset over which the resistance rises at every step.
    set_voltage : float, V
        Voltage of the steepest rise of the conductance in the positive half.
    temperature_reset_edge : float, K
        Peak temperature at the onset of RESET.
    temperature_set_edge : float, K
        Peak temperature at the SET voltage, that of the steepest step; it moves with the mesh.
    temperature_max : float, K
        Highest temperature of the whole loop.
    low_resistance_before : float, ohm
        Resistance before RESET, read at -0.1 V on the way down.
    low_resistance_after : float, ohm
        Resistance after SET, read at 0.1 V on the way back to zero.
    high_resistance : float, ohm
        Resistance between RESET and SET, read at 0.1 V on the way up.
    resistance_ratio : float, 1
        The high resistance over the low resistance before RESET.
    set_current : float, A
        Half of the largest current of the SET ramp, which the transistor or the compliance limits.
    temperature_set_current : float, K
        Peak temperature where the current of that ramp passes ``set_current``; unlike that of the
        steepest step it hardly depends on the mesh.
    temperature_set_max : float, K
        Highest temperature of the SET ramp.
    return_ratio : float, 1
        The low resistance after SET over that before RESET; NaN of a loop whose SET comes first.
    reset_ripples : float, 1
        Maxima of the size of the current on the falling branch after the first one; they come from
        a front that moves from cell to cell of the mesh.
    """

    reset_onset_voltage: float
    reset_gradual_range: float
    set_voltage: float
    temperature_reset_edge: float
    temperature_set_edge: float
    temperature_max: float
    low_resistance_before: float
    low_resistance_after: float
    high_resistance: float
    resistance_ratio: float
    set_current: float = float("nan")
    temperature_set_current: float = float("nan")
    temperature_set_max: float = float("nan")
    return_ratio: float = float("nan")
    reset_ripples: float = float("nan")


#: figures that are about vacancies that move: all but two
OF_MOTION = tuple(
    field.name
    for field in fields(LoopFigures)
    if field.name not in ("temperature_max", "low_resistance_before")
)


def without_motion(figures: LoopFigures) -> LoopFigures:
    """The figures of a loop in which vacancies were held: NaN where they are about motion.

    A cell that only heats up may pass the criteria of an onset or of a SET, and shows neither.
    """
    return replace(figures, **dict.fromkeys(OF_MOTION, float("nan")))


def _branches(voltage: np.ndarray, first: str) -> tuple[slice, slice, slice, slice]:
    """Slices of the four quarters of a loop: down to the minimum, back, up to the maximum, back."""
    low, high = int(np.argmin(voltage)), int(np.argmax(voltage))
    if (low > high) != (first == "set"):
        what, hint = ("RESET", "Negative") if first == "reset" else ("SET", "Positive")
        raise InputError(
            f"the loop does not start with its {what} half", "loop", f"{hint} voltages come first"
        )
    if first == "set":
        between = high + int(np.argmin(np.abs(voltage[high : low + 1])))
        return (
            slice(between, low + 1),
            slice(low, len(voltage)),
            slice(0, high + 1),
            slice(high, between + 1),
        )
    between = low + int(np.argmin(np.abs(voltage[low : high + 1])))
    return (
        slice(0, low + 1),
        slice(low, between + 1),
        slice(between, high + 1),
        slice(high, len(voltage)),
    )


def resistance_at(voltage: np.ndarray, current: np.ndarray, read: float) -> float:
    """Resistance in ohm at a read voltage on a monotonic branch, by linear interpolation of I."""
    order = np.argsort(voltage)
    v, i = voltage[order], current[order]
    if not v[0] <= read <= v[-1]:
        return float("nan")
    flow = np.interp(read, v, i)
    return float(read / flow) if flow != 0 else float("inf")


def reset_trend(voltage: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Conductance the cell would have without RESET, at each point of the falling branch, in S.

    Ohmic conduction plus self-heating plus the series element's curvature: the conductance I/V is
    fitted by g0 + g1 `|V|` + g2 V^2 between 0.1 V and ``trend_end``, and extrapolated from there.
    Where steps are so long that fewer than four lie in that window, the current is interpolated
    (monotone cubic) from all of the branch, and the fit made through that.
    """
    magnitude = np.abs(voltage)
    with np.errstate(divide="ignore", invalid="ignore"):
        conductance = np.where(magnitude > 1e-3, current / voltage, np.nan)
    end = trend_end(voltage, current)
    window = (magnitude >= READ_VOLTAGE) & (magnitude <= end) & np.isfinite(conductance)
    x, y = magnitude[window], conductance[window]
    if window.sum() < 4:
        points, where = np.unique(np.append(0.0, magnitude), return_index=True)
        if end <= READ_VOLTAGE or len(points) < 4:
            return np.full_like(voltage, np.nan)
        x = np.linspace(READ_VOLTAGE, end, RESAMPLED)
        y = PchipInterpolator(points, np.append(0.0, np.abs(current))[where])(x) / x
    fit = np.polynomial.Polynomial.fit(x, y, 2)
    return fit(magnitude)


def trend_end(voltage: np.ndarray, current: np.ndarray) -> float:
    """Magnitude in V up to which the falling branch shows the cell without RESET.

    60 % of the voltage of the largest current, looked for before the conductance has fallen to
    half of what it is at 0.1 V: far beyond RESET the current may grow again.
    """
    magnitude = np.abs(voltage)
    read = np.flatnonzero(magnitude >= READ_VOLTAGE)
    if not len(read):
        return 0.0
    conductance = np.abs(current[read]) / magnitude[read]
    fallen = np.flatnonzero(conductance < 0.5 * conductance[0])
    use = read[: fallen[0]] if len(fallen) else read
    return float(0.6 * magnitude[use[int(np.argmax(np.abs(current[use])))]])


def reset_onset(voltage: np.ndarray, current: np.ndarray) -> float:
    """Voltage in V at which the conductance has fallen 5 % below ``reset_trend``; NaN if never.

    Of a ramp that goes there and back only the way there is looked at.

    Parameters
    ----------
    voltage : ndarray of shape (steps,), V
        Applied voltage of the branch, from 0 to the reset voltage.
    current : ndarray of shape (steps,), A
        Current at each voltage, of the same sign as the voltage.

    Returns
    -------
    float
        The voltage of the onset [V], interpolated between two steps.
    """
    if len(voltage):
        magnitude = np.abs(voltage)
        there = int(np.flatnonzero(magnitude >= magnitude.max())[-1]) + 1
        voltage, current = voltage[:there], current[:there]
    trend = reset_trend(voltage, current)
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = np.abs(voltage) > max(trend_end(voltage, current), READ_VOLTAGE)
        share = np.where(beyond, current / voltage / trend, 1.0)
    below = np.flatnonzero(share < 1 - ONSET_LOSS)
    if not len(below) or below[0] == 0:
        return float("nan")
    k = below[0]
    x = (share[k - 1] - (1 - ONSET_LOSS)) / (share[k - 1] - share[k])
    return float(voltage[k - 1] + x * (voltage[k] - voltage[k - 1]))


def undetermined(voltage: np.ndarray, current: np.ndarray) -> str:
    """Why ``reset_onset`` is NaN on a branch from 0 to the reset voltage; an empty text if not.

    Parameters
    ----------
    voltage : ndarray of shape (steps,), V
        Applied voltage.
    current : ndarray of shape (steps,), A
        Current.
    """
    if np.isfinite(reset_onset(voltage, current)):
        return ""
    if not np.abs(voltage).max(initial=0.0) > READ_VOLTAGE:
        return f"the ramp does not pass {READ_VOLTAGE:g} V"
    end = trend_end(voltage, current)
    if end <= READ_VOLTAGE:
        return f"the conductance falls from below {max(end, READ_VOLTAGE):.2g} V on"
    if not np.isfinite(reset_trend(voltage, current)).any():
        return f"the ramp has {len(voltage)} steps, too few for a trend"
    return f"the conductance never falls {100 * ONSET_LOSS:.0f} % below its trend"


def undetermined_of_loop(
    voltage: np.ndarray, current: np.ndarray, first: str = "reset"
) -> dict[str, str]:
    """Why ``reset_onset_voltage`` or ``set_voltage`` of a loop is NaN, by name; empty texts if not.

    Parameters
    ----------
    voltage, current : ndarray of shape (steps,), V and A
        The loop.
    first : {"reset", "set"}, default "reset"
        Which half comes first.
    """
    down, _, up, _ = _branches(voltage, first)
    no_set = not np.isfinite(steepest_rise(voltage[up], current[up])[0])
    return {
        "reset_onset_voltage": undetermined(voltage[down], current[down]),
        "set_voltage": f"the conductance never rises by a factor {SET_RISE:g}" if no_set else "",
    }


def _ripples(voltage: np.ndarray, current: np.ndarray) -> float:
    """Maxima of the size of the current on a branch, but for the first one."""
    size = np.abs(current[np.abs(voltage) > READ_VOLTAGE])
    inner = (size[1:-1] > size[:-2]) & (size[1:-1] > size[2:])
    return float(max(0, int(inner.sum()) - 1))


def _at_half_current(current: np.ndarray, temperature: np.ndarray) -> tuple[float, float]:
    """Half of a ramp's largest current, and the temperature where the current passes it."""
    half = 0.5 * float(current.max())
    k = int(np.argmax(current >= half))
    if k == 0:
        return half, float(temperature[0])
    x = (half - current[k - 1]) / (current[k] - current[k - 1])
    return half, float(temperature[k - 1] + x * (temperature[k] - temperature[k - 1]))


def gradual_range(voltage: np.ndarray, current: np.ndarray, onset: float) -> float:
    """Span in V of the falling branch around the onset over which V/I rises at every step."""
    if not np.isfinite(onset):
        return float("nan")
    use = np.flatnonzero(np.abs(voltage) >= READ_VOLTAGE)
    v, rises = voltage[use], np.diff(voltage[use] / current[use]) > 0
    k = int(np.searchsorted(-v, -onset)) - 1
    if k < 0 or k >= len(rises) or not rises[k]:
        return 0.0
    flat = np.flatnonzero(~rises)
    first = flat[flat < k].max() + 1 if (flat < k).any() else 0
    last = flat[flat > k].min() if (flat > k).any() else len(rises)
    return float(abs(v[last] - v[first]))


def steepest_rise(voltage: np.ndarray, current: np.ndarray) -> tuple[float, int]:
    """Voltage in V of the steepest rise of I/V on the rising branch, and the step it lies in.

    NaN and -1 where I/V does not rise from before that step to after it by ``SET_RISE``.
    """
    use = np.flatnonzero(voltage > READ_VOLTAGE)
    if len(use) < 3:
        return float("nan"), -1
    v = voltage[use]
    conductance = current[use] / v
    slope = np.diff(conductance) / np.maximum(np.diff(v), 1e-12)
    k = int(np.argmax(slope))
    if not conductance[k + 1 :].max() > SET_RISE * conductance[: k + 1].min():
        return float("nan"), -1
    middle = 0.5 * (v[k] + v[k + 1])
    if 0 < k < len(slope) - 1:
        # the top of the parabola through the three slopes around the largest
        x = 0.5 * (v[k - 1 : k + 2] + v[k : k + 3])
        (a, b, c), span = slope[k - 1 : k + 2], x[2] - x[0]
        if span > 0 and x[0] < x[1] < x[2]:
            left, right = (b - a) / (x[1] - x[0]), (c - b) / (x[2] - x[1])
            if left - right > 0:
                top = 0.5 * (x[0] + x[1]) + left * span / (2.0 * (left - right))
                middle = float(np.clip(top, v[k], v[k + 1]))
    return float(middle), int(use[k + 1])


def loop_figures(
    voltage: np.ndarray, current: np.ndarray, temperature_max: np.ndarray, first: str = "reset"
) -> tuple[LoopFigures, np.ndarray]:
    """Headline figures of one loop and the indices of its eight marked instants A-H.

    The instants: A before RESET (half its onset voltage), B the edge of RESET, C during (the
    geometric mean of the resistance), D the end of the negative half's ramp, E before SET (half
    its voltage), F the edge of SET, G just after the jump (80 % of the rise done), H back at zero.

    Parameters
    ----------
    voltage : ndarray of shape (steps,), V
        Applied voltage of the loop.
    current : ndarray of shape (steps,), A
        Current at each step.
    temperature_max : ndarray of shape (steps,), K
        Highest temperature in the cell at each step.
    first : {"reset", "set"}, default "reset"
        Which half comes first; the high resistance is that after RESET in either case.

    Returns
    -------
    figures : LoopFigures
        The headline figures.
    points : ndarray of int, shape (8,)
        Indices of the instants A-H in the arrays.

    Raises
    ------
    InputError
        The loop has no points, its arrays differ in length, or it does not start with that half.
    """
    if not len(voltage):
        raise InputError("the loop has no points", "loop")
    if not len(voltage) == len(current) == len(temperature_max):
        raise InputError("voltage, current and temperature differ in length", "loop")
    down, back, up, end = _branches(voltage, first)
    onset = reset_onset(voltage[down], current[down])
    span = gradual_range(voltage[down], current[down], onset)
    set_voltage, set_index = steepest_rise(voltage[up], current[up])
    if set_index > 0:
        # of the two steps around the steepest rise the nearer one is the edge
        before_it, after_it = voltage[up][set_index - 1], voltage[up][set_index]
        set_index += up.start - int(set_voltage - before_it < after_it - set_voltage)

    before = resistance_at(voltage[down], current[down], -READ_VOLTAGE)
    high = (
        resistance_at(voltage[up], current[up], READ_VOLTAGE)
        if first == "reset"
        else resistance_at(voltage[back], current[back], -READ_VOLTAGE)
    )
    after = resistance_at(voltage[end], current[end], READ_VOLTAGE)
    t_reset = (
        float(np.interp(-onset, -voltage[down], temperature_max[down]))
        if np.isfinite(onset)
        else float("nan")
    )
    t_set = (
        float(np.interp(set_voltage, voltage[up], temperature_max[up]))
        if set_index >= 0
        else float("nan")
    )
    half = t_half = float("nan")
    if set_index >= 0:
        half, t_half = _at_half_current(current[up], temperature_max[up])
    figures = LoopFigures(
        reset_onset_voltage=onset,
        reset_gradual_range=span,
        set_voltage=set_voltage,
        temperature_reset_edge=t_reset,
        temperature_set_edge=t_set,
        temperature_max=float(temperature_max.max()),
        low_resistance_before=before,
        low_resistance_after=after,
        high_resistance=high,
        resistance_ratio=high / before,
        set_current=half,
        temperature_set_current=t_half,
        temperature_set_max=float(temperature_max[up].max()) if set_index >= 0 else float("nan"),
        return_ratio=after / before if first == "reset" else float("nan"),
        reset_ripples=_ripples(voltage[down], current[down]),
    )
    return figures, _points(voltage, current, (down, back, up, end), set_index)


def waveform_figures(
    time: np.ndarray, voltage: np.ndarray, current: np.ndarray, temperature_max: np.ndarray
) -> dict[str, float]:
    """Headline figures of a waveform that is no sweep, by name; NaN where it has none.

    Parameters
    ----------
    time : ndarray of shape (steps,), s
        Time of each step.
    voltage : ndarray of shape (steps,), V
        Applied voltage.
    current : ndarray of shape (steps,), A
        Current.
    temperature_max : ndarray of shape (steps,), K
        Highest temperature in the cell at each step.

    Returns
    -------
    dict of str to float
        ``resistance_first`` and ``resistance_last`` [ohm], V/I where the voltage passes 0.1 V in
        size for the first and for the last time; ``current_largest`` [A], with its sign; ``energy``
        [J] that went in; ``temperature_max`` [K].
    """
    size = np.abs(voltage)
    passes = np.flatnonzero((size[1:] >= READ_VOLTAGE) != (size[:-1] >= READ_VOLTAGE))
    resistance = []
    for k in passes[[0, -1]] if passes.size else ():
        x = (READ_VOLTAGE - size[k]) / (size[k + 1] - size[k])
        flow = abs(current[k]) + x * (abs(current[k + 1]) - abs(current[k]))
        resistance.append(READ_VOLTAGE / flow if flow > 0 else float("inf"))
    first, last = resistance or (float("nan"), float("nan"))
    return {
        "resistance_first": float(first),
        "resistance_last": float(last),
        "current_largest": float(current[np.abs(current).argmax()]),
        "energy": float(np.trapezoid(voltage * current, time)),
        "temperature_max": float(temperature_max.max()),
    }


def reset_points(voltage: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Indices of the marked instants A-D on a branch from 0 to the reset voltage, shape (4,)."""
    onset = reset_onset(voltage, current)
    d = len(voltage) - 1
    b = _nearest(voltage, onset) if np.isfinite(onset) else d
    a = _nearest(voltage, voltage[b] / 2)
    resistance = np.abs(voltage[b:]) / np.maximum(np.abs(current[b:]), 1e-30)
    middle = np.sqrt(resistance[0] * resistance[-1])
    c = b + int(np.argmin(np.abs(resistance - middle)))
    return np.array([a, b, c, d])


def _nearest(values: np.ndarray, value: float) -> int:
    return int(np.argmin(np.abs(values - value)))


def _points(
    voltage: np.ndarray,
    current: np.ndarray,
    branches: tuple[slice, slice, slice, slice],
    set_index: int,
) -> np.ndarray:
    """Indices of the marked instants A-H of one loop."""
    down, _, up, end = branches
    f = set_index if set_index >= 0 else up.stop - 1
    e = up.start + _nearest(voltage[up], voltage[f] / 2)
    rise = current[f : up.stop] / np.maximum(voltage[f : up.stop], 1e-30)
    g = f + int(np.argmax(rise >= rise[0] + 0.8 * (rise.max() - rise[0]))) if len(rise) else f
    reset = down.start + reset_points(voltage[down], current[down])
    return np.array([*reset, e, f, g, end.stop - 1])
