"""Arrays of a MATLAB file of version 5 to 7.2, structures unfolded, read one at a time.

Written out here because SciPy's reader can end the whole process on a damaged file.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from network.datasets.files import LARGEST, reading

__all__ = ["read_mat"]

_TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_MATRIX, _COMPRESSED, _STRUCTURE = 14, 15, 2
_NUMERIC = range(6, 16)
_DEEPEST = 5


def read_mat(path: str | os.PathLike[str], whence: str = "") -> dict[str, np.ndarray]:
    """Numeric arrays by name, ``b`` or ``b.c`` for the fields of a structure.

    Texts, cells, objects and sparse matrices are passed over.

    Parameters
    ----------
    path : of the file.
    whence : where to get it, said if it is missing or damaged.

    Raises
    ------
    StorageError : not there, no MATLAB file of this version, damaged or too large.
    """
    path = Path(path)
    return reading(path, "a MATLAB file of version 5 to 7.2", whence, lambda: _read(path))


def _read(path: Path) -> dict[str, np.ndarray]:
    if path.stat().st_size > LARGEST:
        raise ValueError("it is too large")
    content = path.read_bytes()
    if b"MATLAB 7.3" in content[:128] or content[:4] == b"\x89HDF":
        raise ValueError("it is of version 7.3; save it with -v7")
    if content[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise ValueError("its header is not that of a MATLAB file")
    order = "<" if content[126:128] == b"IM" else ">"
    found: dict[str, np.ndarray] = {}
    try:
        for kind, data in _elements(memoryview(content)[128:], order):
            if kind == _MATRIX:
                _matrix(data, order, "", 0, found)
            elif kind == _COMPRESSED:
                unpacker = zlib.decompressobj()
                inner = memoryview(unpacker.decompress(data, LARGEST))
                if unpacker.unconsumed_tail or not unpacker.eof:
                    raise ValueError("a packed array is cut off, or too large")
                for one, matrix in _elements(inner, order):
                    if one == _MATRIX:
                        _matrix(matrix, order, "", 0, found)
    except (struct.error, IndexError, KeyError, StopIteration, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return found


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and bytes of each element."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(order + "2I", data, at)
        if kind >> 16:  # a short element: size and type share a word
            size, kind = kind >> 16, kind & 0xFFFF
            if size > 4:
                raise ValueError("a short element that is long")
            yield kind, data[at + 4 : at + 4 + size]
            at += 8
            continue
        if size > len(data) - at - 8:
            raise ValueError("it is cut off")
        yield kind, data[at + 8 : at + 8 + size]
        at += 8 + size + (0 if kind == _COMPRESSED else -size % 8)
    if at < len(data):
        raise ValueError("it is cut off")


def _matrix(
    data: memoryview, order: str, prefix: str, depth: int, found: dict[str, np.ndarray]
) -> None:
    if depth > _DEEPEST or not len(data):
        return
    parts = _elements(data, order)
    flags = int(_values(*next(parts), order)[0])
    shape = tuple(int(n) for n in _values(*next(parts), order))
    name = bytes(next(parts)[1]).decode("latin-1").rstrip("\0")
    if any(n < 0 for n in shape) or not 2 <= len(shape) <= 32:
        raise ValueError("odd dimensions")
    path = f"{prefix}.{name}" if prefix and name else prefix or name
    if flags & 0xFF in _NUMERIC:
        values = _values(*next(parts), order)
        if values.size != np.prod(shape, dtype=object):
            raise ValueError(f"'{path}' has {values.size} numbers for the shape {shape}")
        found[path] = values.reshape(shape, order="F")
    elif flags & 0xFF == _STRUCTURE and np.prod(shape, dtype=object) == 1:
        length = int(_values(*next(parts), order)[0])
        names = bytes(next(parts)[1])
        if not 0 < length <= 64:
            raise ValueError("odd names of fields")
        for start in range(0, len(names), length):
            field = names[start : start + length].split(b"\0")[0].decode("latin-1")
            inner, matrix = next(parts)
            if inner == _MATRIX:
                _matrix(matrix, order, f"{prefix}.{field}" if prefix else field, depth + 1, found)


def _values(kind: int, data: memoryview, order: str) -> np.ndarray:
    return np.frombuffer(data, dtype=order + _TYPES[kind])
