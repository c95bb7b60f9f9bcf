"""The door of the readers: a file, by its first bytes or its suffix, to its table."""

from __future__ import annotations

import contextlib
import gc
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddkbase.errors import InputError, StorageError, shorten, similar_file
from ddkbase.files import refuse_pointer
from ddkbase.tables.archives import is_plain_zip
from ddkbase.tables.binary import read_mat, read_npz
from ddkbase.tables.columnar import SIGNATURES, SUFFIXES, read_columnar
from ddkbase.tables.instruments import refuse_foreign
from ddkbase.tables.raw_file import BINARY, read_raw
from ddkbase.tables.table import LARGEST, FileOptions, Table
from ddkbase.tables.text import read_text
from ddkbase.tables.workbooks import OLD, read_xls, read_xlsx


@dataclass(frozen=True)
class Format:
    """A kind of file and its reader.

    Attributes
    ----------
    read : callable
        The reader: bytes, path (for errors) and `FileOptions` to a `Table`.
    signatures : tuple of bytes
        A file of this kind begins with one of them.
    suffixes : tuple of str
        Suffixes of its names. Content that no reader takes is refused as damaged under them.
    marker : bytes
        Bytes within the content that tell it from another kind with the same signature, where the
        suffix does not.
    unsigned : bool
        Whether there are files of this kind without a signature, so that the suffix decides.
    """

    read: Callable[[bytes, str, FileOptions], Table]
    signatures: tuple[bytes, ...]
    suffixes: tuple[str, ...] = ()
    marker: bytes = b""
    unsigned: bool = False

    def fits(self, content: bytes, suffix: str) -> bool:
        """Whether this reader takes a file."""
        if content.startswith(self.signatures):
            return suffix in self.suffixes or self.marker in content
        return self.unsigned and suffix in self.suffixes


#: suffixes of files that are archives of their own kind
_PACKED = (".xlsx", ".xlsm", ".npz")
#: the first that fits reads the file; what fits none is text
FORMATS = (
    Format(read_xlsx, (b"PK",), (".xlsx", ".xlsm"), marker=b"[Content_Types]"),
    Format(read_npz, (b"PK", b"\x93NUMPY"), (".npz", ".npy")),
    Format(read_mat, (b"MATLAB 5.0", b"MATLAB 7.3"), (".mat",), unsigned=True),
    Format(read_columnar, SIGNATURES, SUFFIXES),
    *(Format(read_raw, (start,), marker=mark) for start, mark in BINARY.items()),
    Format(read_xls, OLD),  # without its suffix: many a text is called .xls
)


def file_content(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file.

    Raises InputError: no such file, a folder, a pipe, a file that is too large; StorageError: the
    file cannot be read, or is a pointer of Git LFS.
    """
    try:
        file_path = Path(path)
        mode = file_path.stat().st_mode  # before it is opened: a pipe would wait for its writer
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InputError("is not a regular file", str(path))
        with file_path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise InputError("no such file", str(path), similar_file(path)) from None
    except IsADirectoryError:
        raise InputError("is a folder, not a file", str(path)) from None
    except InputError:
        raise
    except (ValueError, TypeError) as error:
        raise InputError(f"not a path: {error}", shorten(path)) from error
    except OSError as error:
        raise StorageError(error.strerror or "cannot be read", str(path)) from error
    if len(content) > LARGEST:
        raise InputError(f"is larger than {LARGEST} bytes", str(path))
    refuse_pointer(content, path)
    return content


def table_of(
    content: bytes, path: str, options: FileOptions, formats: Sequence[Format] = FORMATS
) -> Table:
    """The table of a file of one of the formats, or of a text; its path tells the suffix.

    Raises InputError: whatever of the file cannot be understood.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _PACKED:
        _refuse_archive(content, path)
    for format_ in formats:
        if format_.fits(content, suffix):
            with _no_collection():
                return format_.read(content, path, options)
    if any(suffix in format_.suffixes for format_ in formats):
        raise InputError(f"is damaged, or not what its name says ({suffix})", path)
    refuse_foreign(content, path)
    with _no_collection():
        return read_text(content, path, options)


def _refuse_archive(content: bytes, path: str) -> None:
    """Refuse a ZIP that is neither a workbook nor a file of arrays."""
    if is_plain_zip(content):
        refuse_foreign(content, path)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """No search for garbage meanwhile: among the rows of a long file it finds none, and takes a
    third of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
