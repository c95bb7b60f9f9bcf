"""The tables of a ZIP archive, by the names of its files; nothing is unpacked to the disk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection
from pathlib import PurePosixPath

from ddkbase.errors import InputError
from ddkbase.files import too_large, unpacked_limit
from ddkbase.tables.binary import attempt
from ddkbase.tables.table import LARGEST

__all__ = ["files_of_zip", "is_plain_zip"]

_HIDDEN = (".", "~$", "__")  # also of "__MACOSX", beside what a Mac has packed


def is_plain_zip(content: bytes) -> bool:
    """Whether a file is a ZIP that is neither a workbook nor a file of arrays."""
    start = content[30:100]  # the name of the first file in it
    return content[:2] == b"PK" and b".npy" not in start and b"[Content_Types]" not in content


def files_of_zip(
    content: bytes, path: str, suffixes: Collection[str]
) -> tuple[dict[str, bytes], list[str]]:
    """The files of an archive as those of a folder: of its highest level that has any.

    Parameters
    ----------
    content : bytes
        The archive.
    path : str
        Its path, for errors.
    suffixes : collection of str
        Suffixes of tables, in small letters.

    Returns
    -------
    tables : dict of str to bytes
        Content by name within the archive, in the order of the names.
    deeper : list of str
        Names of tables in folders below, which are not read.

    Raises
    ------
    InputError
        It is damaged or encrypted, has no table, or unpacks to more than
        `ddkbase.files.unpacked_limit`.
    """
    limit = unpacked_limit(len(content), LARGEST)

    def work() -> tuple[dict[str, bytes], list[str]]:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = {
                name: info
                for info in archive.infolist()
                if (name := PurePosixPath(info.filename.replace("\\", "/"))).suffix.lower()
                in suffixes
                and not info.is_dir()
                and not any(part.startswith(_HIDDEN) for part in name.parts)
            }
            if not names:
                raise InputError(
                    "is an archive (ZIP), and no file in it is a table",
                    path,
                    "Known: " + ", ".join(suffixes),
                )
            if any(info.flag_bits & 1 for info in names.values()):
                raise InputError("is an encrypted archive (ZIP)", path, "Unpack it first")
            level = min(len(name.parts) for name in names)
            here = sorted(name for name in names if len(name.parts) == level)
            deeper = sorted(str(name) for name in names if len(name.parts) > level)
            if sum(names[name].file_size for name in here) > limit:
                raise too_large(path, limit)
            # a file may say that it is smaller than it is: `read` ends where it says
            tables = {}
            for name in here:
                with archive.open(names[name]) as file:
                    tables[str(name)] = file.read(names[name].file_size)
            return tables, deeper

    return attempt(work, path, "an archive (ZIP)")
