"""`DataSet`: samples, their classes, and what must not be parted when they are split.

Large sets keep their samples packed, as `Rows`: they become float32 arrays when asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["DataSet", "PackedBits", "Rows", "WordVectors"]


class Rows:
    """Samples that are unpacked on indexing; the first index is the sample.

    ``rows[7]``, ``rows[0:64]``, ``rows[mask]`` and ``rows[numbers]`` give float32 arrays,
    ``numpy.asarray(rows)`` all of them, `take` a part that stays packed.

    Parameters
    ----------
    packed : ndarray
        Samples as they are stored, the first axis counting them.
    sample_shape : tuple of int
        Shape of one unpacked sample.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, packed: np.ndarray, sample_shape: tuple[int, ...]) -> None:
        self._packed = packed
        self._sample_shape = tuple(sample_shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all that is unpacked: `(samples, *sample_shape)`."""
        return (len(self._packed), *self._sample_shape)

    @property
    def ndim(self) -> int:
        """Number of axes, that of the samples among them."""
        return 1 + len(self._sample_shape)

    @property
    def nbytes(self) -> int:
        """Memory in use now [bytes]."""
        return int(self._packed.nbytes)

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: Any) -> np.ndarray:
        first, rest = (index[0], index[1:]) if isinstance(index, tuple) else (index, ())
        selected = self._packed[first]
        single = selected.ndim < self._packed.ndim
        unpacked = self._unpack(selected[None] if single else selected)
        if single:
            return np.asarray(unpacked[0][rest]) if rest else unpacked[0]
        return np.asarray(unpacked[(slice(None), *rest)]) if rest else unpacked

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("packed samples cannot become an array without a copy")
        return self._unpack(self._packed).astype(dtype or self.dtype, copy=False)

    def take(self, index: Any) -> Rows:
        """The samples of these numbers (or of this mask), still packed."""
        return self._like(self._packed[np.asarray(index)])

    def _unpack(self, packed: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _like(self, packed: np.ndarray) -> Rows:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, {self.nbytes / 1e6:.1f} MB packed)"


class PackedBits(Rows):
    """Samples of zeros and ones, eight to a byte as `numpy.packbits` lays them.

    Parameters
    ----------
    packed : ndarray of uint8, shape (samples, ceil(size/8))
        The packed bits.
    sample_shape : tuple of int
        Shape of a sample.
    """

    @property
    def packed(self) -> np.ndarray:
        """uint8 (samples, ceil(size/8))."""
        return self._packed

    def _unpack(self, packed: np.ndarray) -> np.ndarray:
        size = int(np.prod(self._sample_shape))
        bits = np.unpackbits(packed, axis=1, count=size)
        return bits.reshape(len(packed), *self._sample_shape).astype(np.float32)

    def _like(self, packed: np.ndarray) -> PackedBits:
        return PackedBits(packed, self._sample_shape)


class WordVectors(Rows):
    """Texts as vectors of words, looked up in a table.

    Parameters
    ----------
    numbers : ndarray of int32, shape (texts, words)
        Rows of the table for the words of each text.
    table : ndarray of float32, shape (vocabulary, dimension)
        Vectors of the words; row 0 stands for "no word here".
    """

    def __init__(self, numbers: np.ndarray, table: np.ndarray) -> None:
        super().__init__(numbers, (numbers.shape[1], table.shape[1]))
        self.table = table

    @property
    def numbers(self) -> np.ndarray:
        """int32 (texts, words): rows of the table, 0 where there is no word."""
        return self._packed

    @property
    def nbytes(self) -> int:
        return int(self._packed.nbytes + self.table.nbytes)

    def _unpack(self, packed: np.ndarray) -> np.ndarray:
        return np.take(self.table, packed, axis=0)

    def _like(self, packed: np.ndarray) -> WordVectors:
        return WordVectors(packed, self.table)


@dataclass(frozen=True, repr=False)
class DataSet:
    """Labelled samples.

    Attributes
    ----------
    name : str
        Name of the set.
    x : ndarray of float32 or Rows, shape `(samples, *sample_shape)`
        Samples, 0 to 1 (but cepstral coefficients, which keep their own scale); the last axis is
        the one that the DDK layer takes as time. A `Rows` where the set is large: index it with
        samples (``x[train]``, ``x[0:128]``) and it gives float32 arrays.
    y : ndarray of int64, shape (samples,)
        Class of each sample, an index into ``classes``.
    classes : tuple of str
        Names of the classes.
    dims : tuple of str
        Names of the axes of a sample.
    groups : ndarray, shape (samples,), optional
        What must not be parted: recording, utterance, person.
    fold : ndarray, shape (samples,), optional
        "train" or "test" where the source prescribes it, else "".
    items : ndarray of int64, shape (samples,), optional
        Number of the object on which samples decide together (a clip of several frames, a recording
        of several utterances).
    span : ndarray of float64, shape (samples, 2), s, optional
        Start and end within the recording; NaN where there is none.
    source, license : str
        Where the data come from and on which terms.
    synthetic : bool, default False
        Whether the data are computed, not measured.
    seconds : float or None, s, optional
        Length of a sample, where it has one.
    rate : float or None, Hz, optional
        Samples in a second along the last axis, where it has one.
    notes : tuple of str, default ()
        Flaws that a reader of results must know.
    scaled_by : {"", "all", "channel"}, default ""
        Whether 0 to 1 is the range that the samples happen to have, all together or each channel
        (the first axis of a sample) by itself, which `in_range_of` takes anew; "" where it is not.
    """

    name: str
    x: np.ndarray | Rows
    y: np.ndarray
    classes: tuple[str, ...]
    dims: tuple[str, ...]
    source: str
    license: str
    groups: np.ndarray = field(default_factory=lambda: np.empty(0, dtype="U1"))
    fold: np.ndarray = field(default_factory=lambda: np.empty(0, dtype="U5"))
    items: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    span: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    synthetic: bool = False
    seconds: float | None = None
    rate: float | None = None
    notes: tuple[str, ...] = ()
    scaled_by: str = ""

    def __post_init__(self) -> None:
        count = len(self.x)
        defaults: dict[str, Any] = {
            "groups": lambda: np.arange(count).astype(str),
            "fold": lambda: np.full(count, "", dtype="U5"),
            "items": lambda: np.arange(count, dtype=np.int64),
            "span": lambda: np.full((count, 2), np.nan),
        }
        for name, default in defaults.items():
            if count and not len(getattr(self, name)):
                object.__setattr__(self, name, default())
        object.__setattr__(self, "y", np.asarray(self.y, dtype=np.int64))
        for name in ("y", *defaults):
            if len(getattr(self, name)) != count:
                raise InputError(
                    f"{len(getattr(self, name))} values for {count} samples",
                    f"data set '{self.name}', {name}",
                )
        if len(self.dims) != len(self.x.shape) - 1:
            raise InputError(
                f"names {self.dims} for samples of shape {self.sample_shape}",
                f"data set '{self.name}', dims",
            )
        if count and not 0 <= self.y.min() <= self.y.max() < len(self.classes):
            raise InputError("a label names no class", f"data set '{self.name}', y")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a sample."""
        return tuple(int(n) for n in self.x.shape[1:])

    def subset(self, index: Any) -> DataSet:
        """The samples of these numbers (or of this mask); large sets stay packed."""
        index = np.asarray(index)
        x = self.x.take(index) if isinstance(self.x, Rows) else self.x[index]
        fields = {n: getattr(self, n)[index] for n in ("y", "groups", "fold", "items", "span")}
        return replace(self, x=x, **fields)

    def with_x(self, x: np.ndarray | Rows, dims: tuple[str, ...] | None = None) -> DataSet:
        """The same samples with other features; their shape may differ."""
        return replace(self, x=x, dims=self.dims if dims is None else dims)

    def in_range_of(self, index: Any) -> DataSet:
        """The data set with x from 0 to 1 over the samples of these numbers: a training part.

        The range of samples that are held out is then not used; they may lie outside of 0 to 1.
        Where ``scaled_by`` is empty, x stays as it is.
        """
        if not self.scaled_by:
            return self
        x = np.asarray(self.x)
        apart = self.scaled_by == "channel" and x.ndim > 2
        axes = tuple(a for a in range(x.ndim) if not (apart and a == 1))
        part = x[np.asarray(index)]
        low = part.min(axis=axes, keepdims=True)
        span = part.max(axis=axes, keepdims=True) - low
        return replace(self, x=(x - low) / np.where(span > 0, span, np.float32(1)))

    def to_xarray(self) -> xr.Dataset:
        """x, y and what else belongs to a sample, labelled with dims, units and long names."""
        # start-up: networks train on arrays, without xarray
        import xarray as xr

        from ddkbase.records import label

        return xr.Dataset(
            {
                "x": label(np.asarray(self.x), ("sample", *self.dims), "1", "input"),
                "y": label(self.y, "sample", "1", "class number"),
                "group": label(self.groups, "sample", "1", "what must not be parted"),
                "fold": label(self.fold, "sample", "1", "part prescribed by the source"),
                "item": label(self.items, "sample", "1", "object decided on together"),
                "start": label(self.span[:, 0], "sample", "s", "start within the recording"),
                "end": label(self.span[:, 1], "sample", "s", "end within the recording"),
            },
            {"class": label(list(self.classes), "class", "1", "name of the class")},
            {"title": self.name, "source": self.source, "license": self.license},
        )

    def figures(self) -> dict[str, str]:
        """What there is to know at a glance, as texts."""
        counts = np.bincount(self.y, minlength=len(self.classes))
        out = {
            "samples": str(len(self)),
            "sample": f"{' x '.join(map(str, self.sample_shape))} ({', '.join(self.dims)})",
            "classes": ", ".join(
                f"{c} {n}" for c, n in zip(self.classes, counts.tolist(), strict=True)
            ),
            "groups": str(len(np.unique(self.groups))),
        }
        folds, numbers = np.unique(self.fold, return_counts=True)
        if any(folds):
            pairs = zip(folds.tolist(), numbers.tolist(), strict=True)
            out["folds"] = ", ".join(f"{f or 'none'} {n}" for f, n in pairs)
        if self.seconds is not None:
            out["length of a sample"] = f"{self.seconds:g} s"
        out["source"], out["license"] = self.source, self.license
        if self.synthetic:
            out["synthetic"] = "computed, not measured"
        if self.notes:
            out["notes"] = "; ".join(self.notes)
        return out

    def __repr__(self) -> str:
        lines = [f"{name}: {text}" for name, text in self.figures().items()]
        return "\n  ".join([f"DataSet '{self.name}'", *lines])
