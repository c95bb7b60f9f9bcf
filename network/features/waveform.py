"""From waveforms to short vectors from 0 to 1, and from higher-dimensional data to vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ddkbase.errors import InputError, closest

__all__ = ["compose", "decompose", "normalise", "pool", "pool_to", "split_utterances", "utterances"]


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


def decompose(
    x: ArrayLike,
    axis: int | str | Sequence[int | str] = -1,
    *,
    dims: Sequence[str] | None = None,
    flatten: bool = True,
) -> np.ndarray:
    """Cut samples into vectors along one axis, or along several that are read in a row.

    An image (rows, columns) gives its rows with axis -1, its columns with -2, and a single vector
    with (-2, -1). A body (x, y, z) gives its 1,024 lines along z with -1, 32 slices of 1,024 voxels
    with (-2, -1).

    Parameters
    ----------
    x : array_like, shape (samples, ...)
        The samples.
    axis : int, str, or sequence of int or str, default -1
        The axis that becomes time, by number (of the whole array; 0 are the samples) or, with
        ``dims``, by name; of several the last runs fastest.
    dims : sequence of str or None, optional
        Names of the axes of a sample, as `DataSet.dims`.
    flatten : bool, default True
        Whether the axes that remain become one.

    Returns
    -------
    ndarray, shape (samples, vectors, time)
        The vectors, or without ``flatten`` `(samples, *remaining axes, time)`; a view where NumPy
        can give one.

    Raises
    ------
    InputError
        An axis that is not there, the axis of samples, or one named twice.
    """
    values = np.asarray(x)
    if values.ndim < 2:
        raise InputError(f"data of shape {values.shape}", "x", "Give (samples, ...)")
    names = tuple(dims) if dims is not None else ()
    if names and len(names) != values.ndim - 1:
        raise InputError(f"names {names} for samples of shape {values.shape[1:]}", "dims")
    axes = [axis] if isinstance(axis, int | str) else list(axis)
    selected = [_number(name, values.ndim, names) for name in axes]
    if not selected or len(set(selected)) < len(selected):
        raise InputError("an axis is named twice, or none at all", "axis")
    rest = [k for k in range(1, values.ndim) if k not in selected]
    moved = values.transpose(0, *rest, *selected)
    length = int(np.prod([values.shape[k] for k in selected]))
    sizes = [values.shape[k] for k in rest]
    lead = (int(np.prod(sizes)),) if flatten else tuple(sizes)
    return moved.reshape(values.shape[0], *lead, length)


def compose(
    vectors: ArrayLike, sample_shape: Sequence[int], axis: int | Sequence[int] = -1
) -> np.ndarray:
    """Undo `decompose`: (samples, vectors, time) back to `(samples, *sample_shape)`.

    Parameters
    ----------
    axis : int or sequence of int, default -1
        What `decompose` was given, by number.

    Raises
    ------
    InputError
        Shapes that do not fit.
    """
    values = np.asarray(vectors)
    ndim = 1 + len(sample_shape)
    selected = [_number(a, ndim, ()) for a in ([axis] if isinstance(axis, int) else axis)]
    rest = [k for k in range(1, ndim) if k not in selected]
    order = [0, *rest, *selected]
    shape = (values.shape[0], *sample_shape)
    moved = tuple(shape[k] for k in order)
    if values.size != int(np.prod(moved)):
        raise InputError(f"vectors of shape {values.shape} for samples {tuple(sample_shape)}", "x")
    return values.reshape(moved).transpose(np.argsort(order))


def _number(axis: int | str, ndim: int, names: Sequence[str]) -> int:
    if isinstance(axis, str):
        if axis not in names:
            raise InputError(f"there is no axis '{axis}'", "axis", closest(axis, names))
        return 1 + list(names).index(axis)
    number = axis + ndim if axis < 0 else axis
    if not 1 <= number < ndim:
        raise InputError(f"axis {axis} of {ndim}", "axis", "The first axis are the samples")
    return number
