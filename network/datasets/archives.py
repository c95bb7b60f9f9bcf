"""Archives (.zip, .tar, .tar.gz) of data: unpacked into a folder that goes with its use."""

from __future__ import annotations

import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ddkbase.errors import DDKError, InputError, StorageError, shorten
from ddkbase.files import unpacked_limit
from network.datasets.actions import VIDEOS
from network.datasets.arrays import PICTURES
from network.datasets.files import LARGEST, reading
from network.datasets.folders import OTHER_PICTURES, OTHER_SOUNDS, SOUNDS

__all__ = ["is_archive", "samples_in", "unpacked"]

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
#: archives, of which those that are not read are refused as a file or within another
_OTHERS = (".tar.zst", ".7z", ".rar")
#: endings of documents that lie beside data, and how names of others begin
_DOCUMENTS = (
    ".md",
    ".rst",
    ".pdf",
    ".html",
    ".cff",
    ".url",
    ".doc",
    ".docx",
    ".rtf",
    ".ini",
    ".db",
)
_ABOUT = ("readme", "license", "licence", "copying", "changelog", "changes", "citation", "notice")
#: endings of samples that lie in a folder a class
_OF_CLASSES = (*SOUNDS, *OTHER_SOUNDS, *PICTURES, *OTHER_PICTURES, *VIDEOS, ".off", ".binvox")
_MOST_FILES = 200_000
_BLOCK = 1 << 20


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, by its name."""
    return path.name.lower().endswith((".zip", *_TARS, *_OTHERS))


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """What is in an archive, in a folder that is there within the ``with`` only.

    A single folder in the archive is handed on as that folder, whatever documents (README, LICENSE,
    .md, .pdf) lie beside it; hidden files and those of macOS are passed over. Nothing is written
    outside of the folder, and errors on its files name the archive.

    Parameters
    ----------
    path : Path
        The archive.

    Yields
    ------
    folder : Path
        The folder, of the archive's name or that of the single folder in it.

    Raises
    ------
    InputError
        Links, devices, names that lead outside, archives within it, more than
        `network.datasets.files.LARGEST` bytes or 200,000 files, a kind that is not read.
    StorageError
        It cannot be read, or is damaged.
    """
    name = path.name.lower()
    if name.endswith(_OTHERS):
        raise InputError("is an archive that is not read", str(path), "Unpack it first")
    ending = next(e for e in (".zip", *sorted(_TARS, key=len, reverse=True)) if name.endswith(e))
    with tempfile.TemporaryDirectory(prefix="ddk-data-") as temporary:
        folder = Path(temporary) / path.name[: -len(ending)]
        folder.mkdir()
        read = _unzip if ending == ".zip" else _untar
        reading(path, f"an archive ({ending})", "", lambda: read(path, folder))
        inside = list(folder.iterdir())
        if not inside:
            raise InputError("holds no file", str(path))
        single = _innermost(folder)
        try:
            yield single
        except DDKError as error:
            texts = (
                text.replace(str(single), str(path)).replace(temporary, str(path))
                for text in (error.what, error.where, error.hint)
            )
            raise type(error)(*texts) from error


def _innermost(folder: Path) -> Path:
    """The folder within folders of which each is alone, but for documents, in the one around it:
    the first with more in it than one folder of folders, or one of other files than samples."""
    inside = samples_in(folder)
    while len(inside) == 1 and inside[0].is_dir():
        below = samples_in(inside[0])
        if len(below) == 1 and below[0].is_dir():
            files = [p for p in below[0].iterdir() if p.is_file()]
            if any(p.suffix.lower() in _OF_CLASSES for p in files):
                return inside[0]  # a single class: its folder says so
        folder, inside = inside[0], below
    return folder


def samples_in(folder: Path) -> list[Path]:
    """What is in a folder, without documents such as README and LICENSE."""
    return [
        p
        for p in folder.iterdir()
        if not p.is_file()
        or not (p.suffix.lower() in _DOCUMENTS or p.stem.lower().startswith(_ABOUT))
    ]


def _unzip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_size(len(members), sum(m.file_size for m in members), path)
        space = _Space(path, folder)
        for member in members:
            mode = member.external_attr >> 16
            if "\0" in member.orig_filename:  # Python ends the name there
                raise _unsafe("a name that ends in the middle", member.orig_filename, path)
            if member.is_dir():
                continue
            if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
                raise _unsafe("a link or a device", member.filename, path)
            if member.flag_bits & 1:
                raise InputError("is encrypted", f"{path}, {shorten(member.filename)}",
                                 "Unpack it first")  # fmt: skip
            target = space.target(member.filename)
            if target is not None:
                with archive.open(member) as content:
                    space.write(content, target)


def _untar(path: Path, folder: Path) -> None:
    space = _Space(path, folder)
    with tarfile.open(path, "r:*") as archive:
        count = total = 0
        for count, member in enumerate(archive, start=1):
            total += member.size
            _check_size(count, total, path)
            if member.isdir():
                continue
            if not member.isreg():
                raise _unsafe("a link or a device", member.name, path)
            target = space.target(member.name)
            content = archive.extractfile(member)
            if target is not None and content is not None:
                with content:
                    space.write(content, target)
        # Python takes whatever is no heading of a member for the end
        end = archive.fileobj
        if end is not None:
            end.seek(archive.offset)
            if end.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise ValueError(f"its end is missing after {count} members")


def _check_size(count: int, total: int, path: Path) -> None:
    limit = _limit(path)
    if total > limit or count > _MOST_FILES:
        raise InputError(
            f"unpacks to {total / 1e9:.3g} GB in {count:,} files or more, at most "
            f"{limit / 1e9:.3g} GB in {_MOST_FILES:,} are read",
            str(path),
            "Unpack it first",
        )


def _limit(path: Path) -> int:
    return unpacked_limit(path.stat().st_size, LARGEST)


def _unsafe(what: str, name: str, path: Path) -> InputError:
    return InputError(f"holds {what}", f"{path}, {shorten(name)}", "Unpack it yourself")


class _Space:
    """Where files are unpacked to, and how much yet."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder, self.left = path, folder, _limit(path)

    def target(self, name: str) -> Path | None:
        """Where a member goes; None for one that is passed over. InputError: it leads outside."""
        pure = PurePosixPath(name.replace("\\", "/"))
        if pure.is_absolute() or ".." in pure.parts or (pure.parts and ":" in pure.parts[0]):
            raise _unsafe("a name that leads outside of its folder", name, self.path)
        if any(part.startswith(".") or part == "__MACOSX" for part in pure.parts):
            return None
        if is_archive(Path(pure.name)):
            raise InputError(
                "holds another archive", f"{self.path}, {shorten(name)}", "Unpack it first"
            )
        target = self.folder.joinpath(*pure.parts)
        if target.exists():
            raise InputError("holds a file twice", f"{self.path}, {shorten(name)}")
        return target

    def write(self, content: IO[bytes], target: Path) -> None:
        """Write a member. ValueError where more comes out than an archive may hold."""
        free = shutil.disk_usage(self.folder).free
        self._make(target)
        with open(target, "wb") as file:
            while block := content.read(_BLOCK):
                self.left -= len(block)
                free -= len(block)
                if self.left < 0:
                    raise ValueError("more comes out of it than it says")
                if free < 0:
                    raise StorageError(
                        "there is not enough room to unpack it", str(self.path), "Unpack it first"
                    )
                file.write(block)

    def _make(self, target: Path) -> None:
        """Make an empty file. InputError where its name is too long, or a file is its folder."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(exist_ok=False)
        except OSError as error:
            name = target.relative_to(self.folder).as_posix()
            raise InputError(
                f"holds a file that cannot be written [{error.strerror}]",
                f"{self.path}, {shorten(name)}",
                "Unpack it yourself",
            ) from None
