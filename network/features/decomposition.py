"""Higher-dimensional data as vectors that a one-dimensional layer can take one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ddkbase.errors import InputError, closest

__all__ = ["compose", "decompose"]


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
