"""MATLAB files of version 4 to 7.2: their numeric arrays, structures unfolded.

Written out here because SciPy's reader can end the whole process on a damaged file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

_TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_MATRIX, _COMPRESSED = 14, 15
_STRUCTURE, _NUMERIC = 2, range(6, 16)  # classes of arrays
_OLD_TYPES = ("f8", "f4", "i4", "i2", "u2", "u1")
_DEEPEST = 5
_COMPLEX = 0x800


def mat_arrays(content: bytes, largest: int) -> dict[str, np.ndarray]:
    """Numeric arrays by name, "b" or "b.c" for the fields of a structure.

    Texts, cells, objects and sparse matrices are passed over; of complex numbers the real part is
    taken only if there is no other. All packed arrays together may unpack to ``largest`` bytes.
    Raises ValueError: not such a file, of version 7.3, damaged, or an array that is too large.
    """
    if content[:4] == b"\x89HDF" or b"MATLAB 7.3" in content[:128]:
        raise ValueError("it is of version 7.3; save it with -v7")
    found: dict[str, np.ndarray] = {}
    try:
        if content[124:128] in (b"\x00\x01IM", b"\x01\x00MI"):
            order = "<" if content[126:128] == b"IM" else ">"
            for kind, data in _elements(memoryview(content)[128:], order):
                if kind == _MATRIX:
                    _matrix(data, order, "", 0, found)
                elif kind == _COMPRESSED:
                    unpacked = _unpacked(data, largest)
                    largest -= len(unpacked)
                    for inner, matrix in _elements(unpacked, order):
                        if inner == _MATRIX:
                            _matrix(matrix, order, "", 0, found)
        else:
            _version_4(content, found)
    except (struct.error, zlib.error, IndexError, KeyError, StopIteration, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return found


def _unpacked(data: memoryview, largest: int) -> memoryview:
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(data, largest)
    if unpacker.unconsumed_tail:
        raise ValueError(
            "packed arrays unpack to far more than the file is, or to too much; if you trust it, "
            "set the environment variable DDK_READ_LIMIT to more bytes"
        )
    if not unpacker.eof:
        raise ValueError("a packed array is cut off")
    return memoryview(content)


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
    kind = flags & 0xFF
    path = f"{prefix}.{name}" if prefix and name else prefix or name
    if kind in _NUMERIC:
        values = _values(*next(parts), order)
        if values.size != np.prod(shape, dtype=object):
            raise ValueError(f"'{path}' has {values.size} numbers for the shape {shape}")
        if flags & _COMPLEX and np.any(_values(*next(parts), order)):
            return
        found[path] = values.reshape(shape, order="F")
    elif kind == _STRUCTURE and np.prod(shape, dtype=object) == 1:
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


def _version_4(content: bytes, found: dict[str, np.ndarray]) -> None:
    at = 0
    while at < len(content) or not content:
        order = "<" if content[at + 2 : at + 4] == b"\0\0" else ">"
        code, rows, columns, imaginary, length = struct.unpack_from(order + "5i", content, at)
        thousands, rest = divmod(code, 1000)
        precision, matrix = divmod(rest % 100, 10)
        if thousands != (order == ">") or rest >= 100 or precision > 5 or matrix > 2:
            raise ValueError("no MATLAB file, or of a machine that is no more")
        if min(rows, columns) < 0 or not 0 < length <= 100 or imaginary not in (0, 1):
            raise ValueError("odd dimensions")
        dtype = np.dtype(order + _OLD_TYPES[precision])
        start = at + 20 + length
        size = rows * columns * dtype.itemsize
        if start + size * (1 + imaginary) > len(content):
            raise ValueError("it is cut off")
        name = content[at + 20 : start].split(b"\0")[0].decode("latin-1")
        if matrix == 0 and not imaginary:
            values = np.frombuffer(content, dtype, rows * columns, start)
            found[name] = values.reshape((rows, columns), order="F")
        at = start + size * (1 + imaginary)
