"""Morris' method: trajectories through a unit cube, elementary effects, their statistics.

M. D. Morris, Technometrics **33**, 161 (1991); mu* is that of F. Campolongo, J. Cariboni and
A. Saltelli, Environ. Model. Softw. **22**, 1509 (2007).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from ddkbase.errors import InputError, shorten

__all__ = ["STATISTICS", "Trajectories", "draw_trajectories", "effect_statistics", "effects_of"]

#: names of the statistics of elementary effects, and what they are
STATISTICS = {
    "mu_star": "mean size of the effects",
    "mu_star_error": "standard error of mu_star",
    "mu": "mean of the effects",
    "mu_error": "standard error of mu",
    "sigma": "standard deviation of the effects",
}
_MOST_LEVELS = 64
_MOST_TRAJECTORIES = 10_000


@dataclasses.dataclass(frozen=True)
class Trajectories:
    """Walks through the unit cube, of which each step moves one parameter.

    Parameters
    ----------
    coordinates : numpy.ndarray, shape (trajectory, stop, parameter)
        Where each walk stops, from 0 to 1; one stop more than there are parameters.
    moved : numpy.ndarray of int, shape (trajectory, move)
        Which parameter the step after each stop moves.
    """

    coordinates: np.ndarray
    moved: np.ndarray


def draw_trajectories(
    parameters: int, count: int, *, levels: int = 4, seed: int = 0
) -> Trajectories:
    """Draw trajectories on a grid of levels.

    Each starts at levels drawn for all parameters, and moves them one after the other in a drawn
    order by half the levels, up from the lower half and down from the upper one. A trajectory
    depends on seed and number alone: with a larger `count` the first ones are the same.

    Parameters
    ----------
    parameters : int
        How many parameters there are.
    count : int
        How many trajectories; at least 2, without which there is no error.
    levels : int, default 4
        Levels of each parameter; even.
    seed : int, default 0
        Seed of the draws.

    Returns
    -------
    Trajectories
        The walks; every step is ``levels / (2 (levels - 1))`` long.

    Raises
    ------
    InputError
        No parameter, less than two trajectories, an odd number of levels, or a negative seed.
    """
    _check_whole(parameters, "parameters", 1, 10_000)
    _check_whole(count, "trajectories", 2, _MOST_TRAJECTORIES)
    _check_whole(levels, "levels", 2, _MOST_LEVELS)
    _check_whole(seed, "seed", 0, 2**32 - 1)
    if levels % 2:
        raise InputError(f"{levels} is odd", "levels", "Give an even number, e.g. 4")
    stops = np.empty((count, parameters + 1, parameters), dtype=int)
    moved = np.empty((count, parameters), dtype=int)
    half = levels // 2
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        here = rng.integers(levels, size=parameters)
        moved[number] = rng.permutation(parameters)
        stops[number, 0] = here
        for move, parameter in enumerate(moved[number]):
            here[parameter] += half if here[parameter] < half else -half
            stops[number, move + 1] = here
    return Trajectories(stops / (levels - 1), moved)


def _check_whole(value: object, name: str, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{shorten(value)} is no whole number", name, "Give e.g. 10")
    if not least <= value <= most:
        raise InputError(f"{value} is out of bounds", name, f"Give {least} to {most}")


def effects_of(values: np.ndarray, trajectories: Trajectories) -> np.ndarray:
    """Elementary effects: the change of a figure over the length of each step.

    Parameters
    ----------
    values : numpy.ndarray, shape (trajectory, stop)
        The figure at each stop; NaN where there is none.
    trajectories : Trajectories
        The walks.

    Returns
    -------
    numpy.ndarray, shape (trajectory, parameter)
        The change over the whole range of the parameter, of a straight line with the slope of the
        step; NaN where an end of the step has no value.
    """
    count, moves = trajectories.moved.shape
    steps = np.take_along_axis(
        np.diff(trajectories.coordinates, axis=1), trajectories.moved[:, :, None], axis=2
    )[:, :, 0]
    effects = np.full((count, moves), math.nan)
    np.put_along_axis(effects, trajectories.moved, np.diff(values, axis=1) / steps, axis=1)
    return effects


def effect_statistics(effects: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics of the effects of each parameter that are there.

    Parameters
    ----------
    effects : numpy.ndarray, shape (trajectory, parameter)
        From `effects_of`.

    Returns
    -------
    dict of numpy.ndarray, shape (parameter,)
        Those of `STATISTICS`, NaN where there are too few effects for one; and ``count``, how
        many effects there are.
    """
    there = np.isfinite(effects)
    count = there.sum(axis=0)
    statistics = {name: np.full(count.size, math.nan) for name in STATISTICS}
    for k in np.flatnonzero(count):
        column = effects[there[:, k], k]
        for name, numbers in (("mu", column), ("mu_star", np.abs(column))):
            statistics[name][k] = numbers.mean()
            if count[k] > 1:
                statistics[f"{name}_error"][k] = numbers.std(ddof=1) / math.sqrt(count[k])
        if count[k] > 1:
            statistics["sigma"][k] = column.std(ddof=1)
    return {"count": count, **statistics}
