"""One HTML file of one or several tables: figures, trends, pictures; it needs nothing else."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compact.plots.table import by_setting_figure, region_figure, trains_figure, trends_figure
from compact.table.schema import AXES, UNITS, words
from compact.table.table import AlphaBetaTable, tables_of
from compact.table.trends import choice, statement
from ddkbase import html as html_page
from ddkbase.errors import InputError
from ddkbase.html import Html
from ddkbase.units import format_si

__all__ = ["means_rows", "report_text", "write_report"]

_ROWS = 60  # settings in the table of means


def write_report(
    tables: AlphaBetaTable | Sequence[AlphaBetaTable],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> Path:
    """Write the report of one or several tables.

    Raises
    ------
    InputError
        No table.
    StorageError
        The file exists or cannot be written.
    """
    from ddkbase.files import write_bytes

    return write_bytes(path, report_text(tables).encode("utf-8"), overwrite)


def report_text(tables: AlphaBetaTable | Sequence[AlphaBetaTable]) -> str:
    """The report as HTML. Raises InputError without a table."""
    chosen = tables_of(tables)
    body: list[str] = []
    if any(t.varied for t in chosen):
        body.append(_trend_part(chosen))
    for table in chosen:
        body += _table_part(table)
    title = str(chosen[0].dataset.attrs["title"])
    return html_page.page(title, body, heading="Alpha and beta of pulse trains")


def _trend_part(tables: list[AlphaBetaTable]) -> Html:
    found, speakers = statement(tables), choice(tables)
    rows = []
    for trend in found:
        kind = {True: "yes", False: "no", None: ""}[trend.holds]
        claim = f"{trend.parameter} {trend.claim} with {words(trend.axis)}"
        reason = trend.reason
        if len(tables) > 1:
            reason += f" ({speakers[trend.axis].dataset.attrs['title']})"
        rows.append([claim, Html(f'<b class="{kind}">{trend.verdict}</b>'), reason])
    held = sum(t.holds is True for t in found)
    return html_page.section(
        "The article's trends",
        *([f"{held} of {len(found)} statements hold."] if found else []),
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
    parts: list[str] = [html_page.section(str(attrs["title"]), html_page.values(figures))]
    reasons = table.reasons()
    if reasons:
        parts += ["Not valid:", html_page.table((), [[n, r] for r, n in reasons])]
    if len(table.varied) > 1:
        by_setting = by_setting_figure(table)
        parts.append(html_page.image(by_setting, "alpha and beta by setting", wide=True))
    parts += _means(table)
    try:
        if table.dataset["valid"].values.sum() != 1:  # one pair spans no region
            parts.append(html_page.image(region_figure(table), "the reachable region"))
        parts.append(html_page.image(trains_figure(table), "trains and their fits", wide=True))
    except InputError as error:
        parts.append(f"No picture: {error}.")
    origin = {
        "source": attrs["source"],
        "numbers that were fitted": attrs["source_checksum"],
        "fit": attrs["fit_json"],
        "versions": attrs["versions_json"],
        "made": attrs["created"],
    }
    known = table.provenance()
    for key in ("source_checksum", "source_file_checksum", "seed", "assumptions"):
        if key in known:
            origin[f"of the source: {key}"] = "; ".join(str(known[key]).splitlines())
    told = html_page.values({k: html_page.code(v) for k, v in origin.items()})
    return [*parts, html_page.section("Origin", told, level=3)]


def means_rows(table: AlphaBetaTable) -> tuple[list[str], list[list[str]]]:
    """Headings and texts of the means of a table and of the bands that it has, a row for each
    setting."""
    ds = table.means
    relative = ds["conductance_min"].attrs["units"] == "1"
    factor, unit = (1.0, "") if relative else (1e6, " (uS)")
    heads = [*(words(a) for a in AXES), "valid", "alpha", "+- mean", "+- cycle", "+- device"]
    heads += ["beta", "+- mean", "+- cycle", "+- device", f"G_min{unit}", f"G_max{unit}"]
    rows = []
    for at in itertools.islice(np.ndindex(*ds["alpha"].shape), _ROWS):
        row = [
            format_si(ds[a].values[i], UNITS[a]) if np.isfinite(ds[a].values[i]) else "?"
            for a, i in zip(AXES, at, strict=True)
        ]
        row.append(str(int(ds["count"].values[at])))
        for name in ("alpha", "beta"):
            keys = (name, *(f"{name}_{b}_band" for b in ("mean", "cycle", "device")))
            row += [_number(float(ds[key].values[at])) for key in keys]
        ends = ("conductance_min", "conductance_max")
        rows.append(row + [_number(float(ds[n].values[at]) * factor) for n in ends])
    # bands that there are not, of cycles or devices if there is one of them only
    kept = [k for k, h in enumerate(heads) if h[:2] != "+-" or any(row[k] != "–" for row in rows)]
    return [heads[k] for k in kept], [[row[k] for k in kept] for row in rows]


def _means(table: AlphaBetaTable) -> list[str]:
    heads, rows = means_rows(table)
    heads = [head.replace("+-", "±") for head in heads]
    more = int(table.means["alpha"].size) - len(rows)
    return [
        "Means and halves of the 95\u00a0% bands:",
        html_page.table(heads, rows, numbers=range(len(heads))),
        *([f"{more} more settings are in the table itself."] if more > 0 else []),
    ]


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "–"
