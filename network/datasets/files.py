"""Files of data at the door: found or missed in one line, and never larger than they may be."""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from ddkbase.errors import DDKError, StorageError, one_line
from ddkbase.files import too_large, unpacked_limit
from ddkbase.tables.binary import hdf5_arrays
from ddkbase.tables.mat_file import mat_arrays

__all__ = [
    "LARGEST",
    "TIMES_TEXT",
    "broken",
    "folder",
    "missing",
    "open_bytes",
    "read_mat",
    "read_npz",
    "reading",
]

#: bytes that one file may unpack to; a small one to fewer (`ddkbase.files.unpacked_limit`)
LARGEST = 4 << 30
#: how many times its size a packed text may take: each number of it becomes an object for a while
TIMES_TEXT = 25


def folder(root: str | os.PathLike[str] | None, name: str, whence: str) -> Path:
    """The folder of a data set: ``root/name`` if there is one, else ``root`` itself.

    Parameters
    ----------
    root : str, Path or None
        Folder of one data set or of several; default: what DDK_DATA names.
    name : str
        Usual name of the set's folder.
    whence : str
        Where to get the data, a sentence.

    Raises
    ------
    StorageError
        No folder was given, or it is not there.
    """
    given = root if root is not None else os.environ.get("DDK_DATA") or None
    if given is None:
        raise StorageError(
            "no folder of data was given",
            name,
            f"Pass root=... or set DDK_DATA to the folder that holds '{name}'. {whence}",
        )
    path = Path(given).expanduser()
    if (path / name).is_dir():
        return path / name
    if not path.is_dir():
        what = "is a file, a folder was expected" if path.exists() else "there is no such folder"
        raise StorageError(what, str(path), whence)
    return path


def missing(path: Path, what: str, whence: str) -> StorageError:
    """The error of a file that is not there."""
    return StorageError(f"{what} not found", str(path), whence)


def broken(path: str | os.PathLike[str], what: str, reason: str, whence: str = "") -> StorageError:
    """The error of a file that cannot be read as what it should be."""
    return StorageError(
        f"is not {what}, or is damaged [{one_line(reason)[:160]}]", str(path), whence
    )


def reading[T](path: str | os.PathLike[str], what: str, whence: str, work: Callable[[], T]) -> T:
    """What ``work`` returns; whatever a library trips over becomes one line on this file.

    Raises
    ------
    StorageError
        The file is not there, may not be read, or is damaged.
    """
    try:
        return work()
    except DDKError:
        raise
    except FileNotFoundError:
        raise missing(Path(path), what, whence) from None
    except IsADirectoryError:
        raise StorageError("is a folder, a file was expected", str(path), whence) from None
    except PermissionError:
        raise StorageError("may not be read", str(path), "Change its permissions") from None
    except MemoryError:
        raise broken(path, what, "it asks for more memory than there is", whence) from None
    except (Exception, EOFError, zlib.error) as error:
        raise broken(path, what, str(error) or type(error).__name__, whence) from error


def open_bytes(path: Path) -> BinaryIO:
    """The file opened for reading, unpacked on the way if it is gzip (by content, not by name)."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else open(path, "rb")  # type: ignore[return-value]


def read_npz(path: Path, names: tuple[str, ...], what: str, whence: str) -> dict[str, np.ndarray]:
    """Arrays of an .npz file; no pickled object is read and nothing larger than `LARGEST`.

    Parameters
    ----------
    names : tuple of str
        Arrays that must be there; others are left alone.

    Raises
    ------
    StorageError
        Not there, damaged, an array is missing, holds objects or is too large.
    """
    return reading(path, what, whence, lambda: _arrays(path, names, whence))


def _arrays(path: Path, names: tuple[str, ...], whence: str) -> dict[str, np.ndarray]:
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        lacking = [n for n in names if f"{n}.npy" not in members]
        if lacking:
            raise StorageError(f"holds no array '{lacking[0]}'", str(path), whence)
        total = sum(members[f"{n}.npy"].file_size for n in names)
        limit = unpacked_limit(path.stat().st_size, LARGEST)
        if total > limit:
            raise too_large(str(path), limit)
        for name in names:
            info = members[f"{name}.npy"]
            with archive.open(info) as member:
                try:
                    arrays[name] = _array(member, info.file_size, name)
                except TypeError as error:
                    hint = "Give it a type of its own, e.g. by .astype(str) or .astype(float)"
                    raise StorageError(str(error), str(path), hint) from None
    return arrays


def _array(member: IO[bytes], size: int, name: str) -> np.ndarray:
    """One array; its header must promise what the member holds, or NumPy reserves what it says."""
    version = np.lib.format.read_magic(member)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"array '{name}' is of an unknown version")
    shape, fortran, dtype = read(member)
    if dtype.hasobject:
        raise TypeError(f"array '{name}' holds objects, which are not read")
    count = 1
    for n in shape:
        count *= int(n)
    if count < 0 or count * dtype.itemsize > size:
        raise ValueError(f"array '{name}' is cut off")
    content = member.read(count * dtype.itemsize)
    if len(content) != count * dtype.itemsize or member.read(1):
        raise ValueError(f"array '{name}' has another length than its header says")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def read_mat(path: str | os.PathLike[str], whence: str = "") -> dict[str, np.ndarray]:
    """Numeric arrays by name, ``b`` or ``b.c`` for the fields of a structure.

    Texts, cells, objects and sparse matrices are passed over. So it is with any HDF5 file, whose
    groups are joined to the names by points.

    Parameters
    ----------
    path : str or Path
        Path of the file, of MATLAB's version 4 to 7.3, or HDF5.
    whence : str, default ""
        Where to get it, said if it is missing or damaged.

    Raises
    ------
    StorageError
        Not there, no MATLAB file of this version, damaged or too large.
    """
    path = Path(path)

    def work() -> dict[str, np.ndarray]:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        content = path.read_bytes()
        if content.startswith(b"\x89HDF"):
            return hdf5_arrays(content, str(path), transposed=False)
        if content.startswith(b"MATLAB 7.3"):
            return hdf5_arrays(content, str(path), transposed=True)
        return mat_arrays(content, unpacked_limit(len(content), LARGEST))

    what = "a MATLAB file" if path.suffix.lower() == ".mat" else "an HDF5 file"
    return reading(path, what, whence, work)
