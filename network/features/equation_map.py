"""Feature maps by the equation itself: a waveform becomes the states of Eq. (4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from compact.kinetics.equations import integrate
from ddkbase.errors import InputError
from ddkbase.records import label
from network.features.waveform import normalise, split_utterances
from network.features.waveform import pool as average

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["feature_map", "inputs"]


def inputs(waveform: ArrayLike, *, utterances: int = 8, pool: int = 60) -> np.ndarray:
    """What a cell gets of a waveform: utterances, pooled, each from 0 to 1.

    Parameters
    ----------
    waveform : array_like, shape (samples,)
        The waveform; the article takes 48,000.
    utterances : int, default 8
        Number of parts.
    pool : int, default 60
        Neighbours that are averaged.

    Returns
    -------
    ndarray of float, shape (utterances, samples // utterances // pool)
        The inputs, a row for each part.

    Raises
    ------
    InputError
        Too few samples, or NaN among them.
    """
    wave = np.asarray(waveform, dtype=float)
    if wave.ndim != 1:
        raise InputError(f"a waveform of shape {wave.shape}", "waveform", "Give one of (samples,)")
    return normalise(average(split_utterances(wave, count=utterances), pool))


def feature_map(
    waveform: ArrayLike,
    *,
    utterances: int = 8,
    pool: int = 60,
    alpha: ArrayLike = 0.7,
    beta: ArrayLike = 1.0,
    integrator: str = "implicit",
    initial: float = 1.0,
) -> xr.Dataset:
    """The map of a waveform by the algorithm, Fig. 3a.

    Parameters
    ----------
    waveform : array_like
        As for `inputs`.
    utterances : int, default 8
        As for `inputs`.
    pool : int, default 60
        As for `inputs`.
    alpha : array_like, default 0.7
        Diffusion of Eq. (4), one value, or one for each utterance.
    beta : array_like, default 1.0
        Drift of Eq. (4), likewise.
    integrator : {"implicit", "explicit", "exact"}, default "implicit"
        How the equation is integrated; the authors take "explicit".
    initial : float, default 1.0
        State before the first sample.

    Returns
    -------
    xarray.Dataset
        Dataset on (utterance, pulse): ``input`` and ``feature``, the state after each sample.

    Raises
    ------
    InputError
        Numbers out of range, or too few samples.
    """
    x = inputs(waveform, utterances=utterances, pool=pool)
    y = integrate(integrator, alpha, beta, x, initial)
    return labelled(x, {"feature": (y, "1", "state y")}, {"method": f"Eq. (4), {integrator}"})


def labelled(
    x: np.ndarray, more: dict[str, tuple[Any, str, str]], attrs: dict[str, Any]
) -> xr.Dataset:
    """A map as a dataset: the input, and further values on (utterance, pulse) or (utterance)."""
    # start-up: inputs alone need no xarray
    import xarray as xr

    dims = ("utterance", "pulse")
    data = {"input": label(x, dims, "1", "input, 0 to 1")}
    for name, (values, unit, long_name) in more.items():
        values = np.asarray(values)
        data[name] = label(values, dims[: values.ndim], unit, long_name)
    coords = {
        "utterance": label(np.arange(1, len(x) + 1), "utterance", "1", "utterance"),
        "pulse": label(np.arange(1, x.shape[1] + 1), "pulse", "1", "pulse"),
    }
    return xr.Dataset(data, coords, attrs)
