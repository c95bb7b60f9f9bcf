"""One HTML file of one or several tables: figures, trends, pictures; it needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from compact.plots.table import by_setting_figure, region_figure, trains_figure, trends_figure
from compact.table.figures import mean_rows
from compact.table.schema import axis_text
from compact.table.table import AlphaBetaTable, tables_of
from compact.table.trends import choice, statement
from ddkbase import html as html_page
from ddkbase.files import write_bytes
from ddkbase.html import Html


def write_report(
    tables: AlphaBetaTable | Sequence[AlphaBetaTable],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> Path:
    """Write the report of one or several tables.

    Parameters
    ----------
    tables : AlphaBetaTable or sequence of AlphaBetaTable
        The tables; of several, each axis is shown by the one in which least else varies.
    path : str or Path
        The HTML file to make.
    overwrite : bool, default False
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        No table.
    StorageError
        The file exists or cannot be written.
    """
    return write_bytes(path, report_text(tables).encode("utf-8"), overwrite)


def report_text(tables: AlphaBetaTable | Sequence[AlphaBetaTable]) -> str:
    """The report as HTML. Raises InputError without a table."""
    given = tables_of(tables)
    body: list[str] = []
    if any(t.varied for t in given):
        body.append(_trend_part(given))
    for table in given:
        body += _table_part(table)
    title = str(given[0].dataset.attrs["title"])
    return html_page.page(title, body, heading="Alpha and beta of pulse trains")


def report_pictures(
    tables: AlphaBetaTable | Sequence[AlphaBetaTable],
) -> dict[str, Callable[[], Figure]]:
    """What draws the pictures of the report, by the names of their files.

    Parameters
    ----------
    tables : AlphaBetaTable or sequence of AlphaBetaTable
        As for `write_report`; of several, the names of each begin with its place, as "1-".

    Raises
    ------
    InputError
        No table.
    """
    given = tables_of(tables)
    makes: dict[str, Callable[[], Figure]] = {}
    if any(t.varied for t in given):
        makes["trends.png"] = partial(trends_figure, given)
    for number, table in enumerate(given, start=1):
        place = f"{number}-" if len(given) > 1 else ""
        makes |= {place + name: make for name, make in _pictures_of(table).items()}
    return makes


def _pictures_of(table: AlphaBetaTable) -> dict[str, Callable[[], Figure]]:
    """What draws the pictures of one table; those for which it has too little are left out."""
    ds = table.dataset
    valid = ds["valid"].values
    makes: dict[str, Callable[[], Figure]] = {}
    if len(table.varied) > 1:
        makes["by_setting.png"] = partial(by_setting_figure, table)
    if valid.sum() > 1:  # one pair spans no region
        makes["region.png"] = partial(region_figure, table)
    if np.isfinite(ds["residual"].values[valid]).any():
        makes["trains.png"] = partial(trains_figure, table)
    return makes


def _trend_part(tables: list[AlphaBetaTable]) -> Html:
    statements, speakers = statement(tables), choice(tables)
    rows = []
    for trend in statements:
        kind = {True: "yes", False: "no", None: ""}[trend.holds]
        claim = f"{trend.parameter} {trend.claim} with {axis_text(trend.axis)}"
        reason = trend.reason
        if len(tables) > 1:
            reason += f" ({speakers[trend.axis].dataset.attrs['title']})"
        rows.append([claim, Html(f'<b class="{kind}">{trend.verdict}</b>'), reason])
    held = sum(t.holds is True for t in statements)
    return html_page.section(
        "The article's trends",
        *([f"{held} of {len(statements)} statements hold."] if statements else []),
        html_page.table(("statement", "", "why"), rows, kind="stacked"),
        html_page.image(
            trends_figure(tables), "alpha and beta against the pulse setting", wide=True
        ),
        "Dark: 95\u00a0% band of the mean. Light: of one more cycle; dotted: of one more "
        "device. A slope and its band are means over cells, each of which is the same at all "
        "settings; weak: fewer than three cells.",
    )


def _table_part(table: AlphaBetaTable) -> list[str]:
    attrs = table.dataset.attrs
    figures = {k: v for k, v in table.figures().items() if k != "title"}
    body: list[str] = [html_page.section(str(attrs["title"]), html_page.values(figures))]
    notes = table.notes()
    if notes:
        body += ["Not determined:", html_page.table((), [[n, r] for r, n in notes])]
    reasons = table.reasons()
    if reasons:
        body += ["Not valid:", html_page.table((), [[n, r] for r, n in reasons])]
    makes = _pictures_of(table)
    words = {
        "by_setting.png": "alpha and beta by setting",
        "region.png": "the reachable region",
        "trains.png": "trains and their fits",
    }
    drawn = {
        name: html_page.image(make(), words[name], wide=name != "region.png")
        for name, make in makes.items()
    }
    if "by_setting.png" in drawn:
        body.append(drawn.pop("by_setting.png"))
    body += [*_means(table), *drawn.values()]
    if "trains.png" not in makes:
        body.append("No picture of trains: the table holds no fitted train.")
    origin = {
        "source": attrs["source"],
        "numbers that were fitted": attrs["source_checksum"],
        "fit": attrs["fit_json"],
        "versions": attrs["versions_json"],
        "made": attrs["created"],
    }
    source_origin = table.provenance()
    for key in ("source_checksum", "source_file_checksum", "seed", "assumptions"):
        if key in source_origin:
            origin[f"of the source: {key}"] = "; ".join(str(source_origin[key]).splitlines())
    origin_values = html_page.values({k: html_page.code(v) for k, v in origin.items()})
    return [*body, html_page.section("Origin", origin_values, level=3)]


def _means(table: AlphaBetaTable) -> list[str]:
    heads, rows = mean_rows(table.means)
    heads = [head.replace("+-", "±") for head in heads]
    more = int(table.means["alpha"].size) - len(rows)
    return [
        "Means and halves of the 95\u00a0% bands:",
        html_page.table(heads, rows, numbers=range(len(heads))),
        *([f"{more} more settings are in the table itself."] if more > 0 else []),
    ]
