"""The options of commands that draw pictures for papers."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from ddkbase import paper

__all__ = ["PaperOptions"]


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

    def style(self) -> paper.PaperStyle | None:
        """The style that was asked for, checked; None if none was.

        Raises
        ------
        InputError
            As `ddkbase.paper.paper_style`.
        """
        given = (self.figure_width, self.font, self.panels, self.style_file)
        if not self.picture_data and all(value is None for value in given):
            return None
        return paper.paper_style(*given, data=self.picture_data)
