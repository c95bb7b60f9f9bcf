"""Large sets kept packed: samples become float32 arrays when they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["PackedBits", "Rows", "WordVectors"]


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
        chosen = self._packed[first]
        single = chosen.ndim < self._packed.ndim
        unpacked = self._unpack(chosen[None] if single else chosen)
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
