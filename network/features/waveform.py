"""From a waveform to short vectors from 0 to 1: utterances, pooling, normalising."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ddkbase.errors import InputError

__all__ = ["normalise", "pool", "pool_to", "split_utterances", "utterances"]


def utterances(
    waveform: ArrayLike, *, count: int | None = None, length: int | None = None
) -> np.ndarray:
    """Cut the last axis into equal parts; what is left over at the end is dropped.

    Parameters
    ----------
    waveform : array_like, shape (..., samples)
        One or several waveforms.
    count : int or None, optional
        Number of parts; either this or ``length``.
    length : int or None, optional
        Samples of a part.

    Returns
    -------
    ndarray, shape (..., count, length)
        The parts; a view where NumPy can give one.

    Raises
    ------
    InputError
        Both or none given, or the waveform is too short.
    """
    wave = np.asarray(waveform)
    if (count is None) == (length is None):
        raise InputError("give the number of utterances or their length", "count, length")
    size = wave.shape[-1] if wave.ndim else 0
    if count is not None:
        if not 1 <= count <= size:
            raise InputError(f"{count} utterances of {size} samples", "count")
        length = size // count
    else:
        assert length is not None
        if not 1 <= length <= size:
            raise InputError(f"utterances of {length} in {size} samples", "length")
        count = size // length
    return wave[..., : count * length].reshape(*wave.shape[:-1], count, length)


split_utterances = utterances


def pool(x: ArrayLike, size: int) -> np.ndarray:
    """Average of each ``size`` neighbours on the last axis (the article's 1 x 60 pooling).

    Returns
    -------
    ndarray, shape (..., samples // size)
        The averages; what is left over at the end is dropped. float32 stays float32.

    Raises
    ------
    InputError
        Fewer samples than ``size``.
    """
    groups = utterances(_floats(x), length=size)
    return groups.mean(axis=-1)


def pool_to(x: ArrayLike, length: int) -> np.ndarray:
    """Average pooling to a given length, which need not divide the number of samples.

    A sample that lies on the border of two averages counts in both by its share.

    Parameters
    ----------
    x : array_like, shape (..., samples)
        The waveforms; integers become float64.
    length : int
        Number of averages, from 1 to the number of samples.

    Returns
    -------
    ndarray, shape (..., length)
        The averages, of the same float type.

    Raises
    ------
    InputError
        Fewer samples than ``length``.
    """
    values = _floats(x)
    size = values.shape[-1] if values.ndim else 0
    if not 1 <= length <= size:
        raise InputError(f"{size} samples cannot be pooled to {length}", "length")
    if size % length == 0:
        return pool(values, size // length)
    edges = np.arange(length + 1) * (size / length)
    whole = np.minimum(edges.astype(np.int64), size - 1)
    # the running sum, linear within a sample, at every border
    total = np.zeros((*values.shape[:-1], size + 1))
    np.cumsum(values, axis=-1, out=total[..., 1:])
    at = total[..., whole] + (edges - whole) * values[..., whole]
    return (np.diff(at, axis=-1) * (length / size)).astype(values.dtype)


def normalise(x: ArrayLike, axis: int | tuple[int, ...] = -1) -> np.ndarray:
    """Stretch every vector to 0 to 1 by its own smallest and largest value; constant ones to 0.

    Parameters
    ----------
    x : array_like
        Finite numbers.
    axis : int or tuple of int, default -1
        Axis along which smallest and largest are taken.

    Raises
    ------
    InputError
        Holds NaN or infinity.
    """
    values = _floats(x)
    low = values.min(axis=axis, keepdims=True)
    span = values.max(axis=axis, keepdims=True) - low
    if not np.isfinite(span).all():
        raise InputError("holds NaN or infinity", "x")
    out = values - low
    np.divide(out, span, out=out, where=span > 0)
    return np.minimum(out, 1, out=out)


def _floats(x: ArrayLike) -> np.ndarray:
    values = np.asarray(x)
    return values if values.dtype.kind == "f" else values.astype(np.float64)
