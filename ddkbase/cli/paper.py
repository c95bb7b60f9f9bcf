"""The options of commands that draw pictures for papers."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from ddkbase import paper
from ddkbase.errors import InputError
from ddkbase.picture_names import Pictures


@dataclasses.dataclass(frozen=True)
class PaperOptions:
    """How a picture is drawn for a paper; a group of options."""

    figure_width: Annotated[
        str | None,
        typer.Option(
            "--figure-width", metavar="LENGTH", help="Width of a figure, e.g. '85 mm', a column."
        ),
    ] = None
    font: Annotated[
        str | None, typer.Option("--font", metavar="NAME", help="An installed font, e.g. Arial.")
    ] = None
    panels: Annotated[
        str | None,
        typer.Option("--panels", metavar="LIST", help="Only these panels, e.g. a,c."),
    ] = None
    style_file: Annotated[
        str | None,
        typer.Option("--style", metavar="FILE", help="A style file of matplotlib, .mplstyle."),
    ] = None
    picture_data: Annotated[
        bool,
        typer.Option("--picture-data", help="Write the data of each picture as CSV beside it."),
    ] = False

    def style(self, pictures: Pictures = Pictures.png) -> paper.PaperStyle | None:
        """The style that was asked for, checked; None if none was.

        Raises InputError: as `ddkbase.paper.paper_style`; or a style was asked for, but no
        pictures.
        """
        given = (self.figure_width, self.font, self.panels, self.style_file)
        if not self.picture_data and all(value is None for value in given):
            return None
        if pictures is Pictures.none:
            raise InputError("nothing would be drawn", "--pictures none", "Give png, svg or pdf")
        return paper.paper_style(*given, data=self.picture_data)


@dataclasses.dataclass(frozen=True)
class PictureOptions(PaperOptions):
    """Whether the pictures of a report are drawn into files, too, and how they look there."""

    pictures: Annotated[
        Pictures | None,
        typer.Option("--pictures", help="Draw the pictures of the report into files as well."),
    ] = None

    def format(self) -> str | None:
        """Format of the files, "png" where only a style was asked for; None if none are to be.

        Raises InputError: as `style`.
        """
        styled = self.style(self.pictures or Pictures.png) is not None
        if self.pictures is None:
            return Pictures.png.value if styled else None
        return None if self.pictures is Pictures.none else self.pictures.value
