"""What is asked of a picture for a paper, checked before anything is drawn."""

from __future__ import annotations

import dataclasses
import difflib
import logging
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import matplotlib
from matplotlib import font_manager

from ddkbase.documents import read_text
from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import format_si, to_si

_NARROWEST, _WIDEST = 0.02, 1.0  # m
_LARGEST = 200_000  # bytes of a style file
_PANEL = re.compile(r"[A-Za-z]{1,2}")
#: fonts of the same widths as those that journals name, the closest first
_SUBSTITUTES = {
    "arial": ("Liberation Sans", "Arimo", "Nimbus Sans", "FreeSans", "DejaVu Sans"),
    "helvetica": ("Nimbus Sans", "TeX Gyre Heros", "Liberation Sans", "Arimo", "DejaVu Sans"),
    "times new roman": ("Liberation Serif", "Tinos", "Nimbus Roman", "STIXGeneral"),
    "times": ("Nimbus Roman", "TeX Gyre Termes", "Liberation Serif", "STIXGeneral"),
    "courier new": ("Liberation Mono", "Cousine", "DejaVu Sans Mono"),
    "calibri": ("Carlito", "DejaVu Sans"),
}
#: settings that do not belong to a look; matplotlib leaves them out of styles as well
_NOT_A_LOOK = re.compile(
    r"backend.*|toolbar|interactive|timezone|date\.epoch|docstring\.hardcopy|webagg\..*|tk\..*"
    r"|savefig\.directory|figure\.(max_open_warning|raise_window)|text\.latex\.preamble"
)


@dataclasses.dataclass(frozen=True)
class PaperStyle:
    """How pictures for a paper look.

    Parameters
    ----------
    width : float or None, optional
        Width of a figure [m]; None: as it is drawn for the screen.
    panels : tuple of str, default ()
        Letters of the panels that are drawn; empty: all.
    settings : mapping of str to object, optional
        Settings of matplotlib, of a style file and of the font.
    data : bool, default False
        Whether a CSV file with the data of each picture is written beside it.
    """

    width: float | None = None
    panels: tuple[str, ...] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    data: bool = False


def paper_style(
    width: str | None = None,
    font: str | None = None,
    panels: str | None = None,
    style: str | os.PathLike[str] | None = None,
    data: bool = False,
) -> PaperStyle | None:
    """Check what is asked of pictures for a paper.

    Parameters
    ----------
    width : str or None, optional
        Width of a figure, e.g. "85 mm".
    font : str or None, optional
        Name of an installed font.
    panels : str or None, optional
        Letters of panels with commas between, e.g. "a,c".
    style : str, Path or None, optional
        A style file of matplotlib.
    data : bool, default False
        Whether the data of each picture are written as CSV.

    Returns
    -------
    PaperStyle or None
        None if nothing is asked.

    Raises
    ------
    InputError
        No length or an impossible one, a font that is not installed (close ones are named), no
        letter of a panel, or a line of the style file that matplotlib does not know.
    StorageError
        The style file cannot be read.
    """
    if not data and all(given is None for given in (width, font, panels, style)):
        return None
    settings: dict[str, Any] = {} if style is None else _read_style(Path(style))
    if font is not None:
        settings |= _font(font)
    return PaperStyle(
        None if width is None else _width(width),
        () if panels is None else _panels(panels),
        settings,
        data,
    )


def chosen_panels(count: int, panels: Sequence[str], name: str = "the picture") -> list[int]:
    """Places of the panels that are asked for, in a picture whose panels are counted from a.

    Parameters
    ----------
    count : int
        Panels that the picture has.
    panels : sequence of str
        Letters; empty: all.
    name : str, default "the picture"
        What messages call it.

    Raises
    ------
    InputError
        It does not have a panel that is asked for; its panels are named.
    """
    letters = list(ascii_lowercase[:count])
    for letter in panels:
        if letter not in letters:
            known = f"It has a to {letters[-1]}" if count > 1 else "It has a alone"
            raise InputError(f"{name} has no panel {letter}", "--panels", known)
    return [letters.index(letter) for letter in panels or letters]


def _width(text: str) -> float:
    width = to_si(text, "m", "--figure-width")
    if not _NARROWEST <= width <= _WIDEST:
        raise InputError(
            f"a figure {format_si(width, 'm')} wide",
            "--figure-width",
            "Give 20 mm to 1 m, e.g. '85 mm' for one column",
        )
    return width


def _panels(text: str) -> tuple[str, ...]:
    letters = tuple(letter.strip() for letter in text.split(","))
    for letter in letters:
        if not _PANEL.fullmatch(letter):
            raise InputError(f"{shorten(letter)} is no panel", "--panels", "Write e.g. a,c")
        if letters.count(letter) > 1:
            raise InputError(f"panel {letter} is named twice", "--panels", "Name it once")
    return letters


def _font(name: str) -> dict[str, Any]:
    """Settings with a font first, and one that has every sign behind it."""
    installed = {known.lower(): known for known in font_manager.get_font_names()}
    if name.strip().lower() not in installed:
        wanted = name.strip().lower()
        close = [f for f in _SUBSTITUTES.get(wanted, ()) if f.lower() in installed]
        close += [installed[f] for f in difflib.get_close_matches(wanted, installed, 3, 0.6)]
        names = ", ".join(dict.fromkeys(close or ["DejaVu Sans", "DejaVu Serif", "STIXGeneral"]))
        raise InputError(
            f"the font '{shorten(name.strip())[1:-1]}' is not installed",
            "--font",
            f"Install it, or take one of: {names}",
        )
    return {"font.family": [installed[name.strip().lower()], "DejaVu Sans"]}


def _read_style(path: Path) -> dict[str, Any]:
    """The settings of a style file."""
    for number, line in enumerate(read_text(path, _LARGEST).splitlines(), start=1):
        key, colon, _ = line.partition("#")[0].strip().partition(":")
        if not key:
            continue
        where = f"{path}, line {number}"
        if not colon:
            raise InputError(f"{shorten(line.strip())} is no 'key: value'", where, "See --style")
        if key.strip() not in matplotlib.rcParams:
            hint = closest(key.strip(), matplotlib.rcParams)
            raise InputError(f"matplotlib has no setting {shorten(key.strip())}", where, hint)
        if _NOT_A_LOOK.fullmatch(key.strip()):
            raise InputError(f"'{key.strip()}' is not about how a picture looks", where, "Leave it")
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)  # what it would warn of is refused here
    try:
        settings: Any = matplotlib.rc_params_from_file(
            path, fail_on_error=True, use_default_template=False
        )
    except Exception as error:  # of every setting its own kind
        raise InputError(f"a value is not valid: {error}", str(path), "Correct it") from None
    finally:
        logger.setLevel(level)
    if settings.get("text.usetex") and shutil.which("latex") is None:
        raise InputError("text.usetex needs LaTeX", str(path), "Install it, or leave that line out")
    return dict(settings)
