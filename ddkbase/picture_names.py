"""Names of pictures: the suffix chooses the format."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from ddkbase.cli.options import free_path, path_of
from ddkbase.errors import InputError

#: suffixes of pictures, by which their format is chosen
PICTURES = (".png", ".svg", ".pdf")
#: folder of pictures for papers, beside those of a run
PAPER = "paper"


class Pictures(StrEnum):
    """In which format a folder gets its pictures, besides PNG; or that it gets none."""

    png = "png"
    svg = "svg"
    pdf = "pdf"
    none = "none"


def as_format(name: str, pictures: str) -> str:
    """Return the name of a picture in a format, e.g. "iv.svg" of "iv.png"."""
    return str(Path(name).with_suffix(f".{pictures}"))


def in_formats(name: str, pictures: str) -> tuple[str, ...]:
    """Return the names under which a PNG picture is made: with its vector format, or none."""
    if pictures == Pictures.none:
        return ()
    return tuple(dict.fromkeys((name, as_format(name, pictures))))


def check_suffix(path: Path, known: tuple[str, ...] = PICTURES, option: str = "--out") -> None:
    """Raise InputError if the suffix of a file to make is not one of the known."""
    if path.suffix.lower() not in known:
        what = f"'{path.suffix}' is no format" if path.suffix else "the name has no suffix"
        *others, last = known
        names = f"{', '.join(others)} or {last}"
        raise InputError(what, f"{option} {path}", f"Let the name end in {names}")


def picture_path(text: str, overwrite: bool, *sources: str, option: str = "--out") -> Path:
    """Return the path of a picture to make, as `ddkbase.cli.options.free_path`.

    Raises InputError: an empty name, or a suffix that is none of `PICTURES`; StorageError: as
    `free_path`.
    """
    check_suffix(path_of(text, option), PICTURES, option)
    return free_path(text, overwrite, *sources, option=option)
