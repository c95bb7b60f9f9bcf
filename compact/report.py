"""One HTML file of one or several tables: figures, trends, pictures; it needs nothing else."""

from __future__ import annotations

import base64
import html
import io
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compact.plots_table import by_setting_figure, region_figure, trains_figure, trends_figure
from compact.table import AlphaBetaTable, tables_of
from compact.table_schema import AXES, UNITS, words
from compact.trends import choice, statement
from devicephys.errors import InputError
from devicephys.units import format_si

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["means_rows", "report_text", "write_report"]

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 62em; margin: 2em auto;
       padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; margin: 1em 0 } .wide { overflow-x: auto }
td, th { padding: .25em .7em; border-bottom: 1px solid #ddd; text-align: left;
         vertical-align: top }
.numbers { font-size: .87em } .numbers td, .numbers th { padding: .25em .5em; text-align: right;
           vertical-align: bottom; font-variant-numeric: tabular-nums }
.numbers td { white-space: nowrap }
img { max-width: 100% } .wide img { min-width: 44em } .yes { color: #00704d } .no { color: #b3470b }
code { overflow-wrap: anywhere }
@media (max-width: 44em) {
  .trends th { display: none } .trends td { display: block; border: 0; padding: .1em 0 }
  .trends td:last-child { border-bottom: 1px solid #ddd; padding-bottom: .6em }
}
"""
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
    InputError : no table.
    StorageError : the file exists or cannot be written.
    """
    from devicephys.records import write_bytes

    return write_bytes(path, report_text(tables).encode("utf-8"), overwrite)


def report_text(tables: AlphaBetaTable | Sequence[AlphaBetaTable]) -> str:
    """The report as HTML. Raises InputError without a table."""
    chosen = tables_of(tables)
    body = ["<h1>Alpha and beta of pulse trains</h1>"]
    if any(t.varied for t in chosen):
        body += _trend_part(chosen)
    for table in chosen:
        body += _table_part(table)
    title = html.escape(str(chosen[0].dataset.attrs["title"]))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _trend_part(tables: list[AlphaBetaTable]) -> list[str]:
    found, speakers = statement(tables), choice(tables)
    rows = []
    for trend in found:
        kind = {True: "yes", False: "no", None: ""}[trend.holds]
        claim = f"{trend.parameter} {trend.claim} with {words(trend.axis)}"
        reason = trend.reason
        if len(tables) > 1:
            reason += f" ({speakers[trend.axis].dataset.attrs['title']})"
        rows.append([claim, f'<b class="{kind}">{trend.verdict}</b>', html.escape(reason)])
    held = sum(t.holds is True for t in found)
    return [
        "<h2>The article's trends</h2>",
        f"<p>{held} of {len(found)} statements hold.</p>" if found else "",
        _html_table(("statement", "", "why"), rows, "trends"),
        _image(trends_figure(tables), "alpha and beta against the pulse setting", True),
        "<p>Dark: 95&nbsp;% band of the mean. Light: of one more cycle; dotted: of one more "
        "device. A slope and its band are means over cells, each of which is the same at all "
        "settings; weak: fewer than three cells.</p>",
    ]


def _table_part(table: AlphaBetaTable) -> list[str]:
    attrs = table.dataset.attrs
    parts = [f"<h2>{html.escape(str(attrs['title']))}</h2>"]
    figures = [[html.escape(k), html.escape(v)] for k, v in table.figures().items() if k != "title"]
    parts.append(_html_table((), figures))
    reasons = table.reasons()
    if reasons:
        parts.append("<p>Not valid:</p>")
        parts.append(_html_table((), [[str(n), html.escape(r)] for r, n in reasons]))
    if len(table.varied) > 1:
        parts.append(_image(by_setting_figure(table), "alpha and beta by setting", True))
    parts.append(_means(table))
    try:
        parts.append(_image(region_figure(table), "the reachable region"))
        parts.append(_image(trains_figure(table), "trains and their fits", True))
    except InputError as error:
        parts.append(f"<p>No picture: {html.escape(str(error))}.</p>")
    parts.append("<h3>Origin</h3>")
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
            origin[f"of the source: {key}"] = known[key]
    rows = [[html.escape(k), f"<code>{html.escape(str(v))}</code>"] for k, v in origin.items()]
    parts.append(_html_table((), rows))
    return parts


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


def _means(table: AlphaBetaTable) -> str:
    heads, rows = means_rows(table)
    heads = [head.replace("+-", "±") for head in heads]
    more = int(table.means["alpha"].size) - len(rows)
    note = f"<p>{more} more settings are in the table itself.</p>" if more > 0 else ""
    return (
        "<p>Means and halves of the 95&nbsp;% bands:</p>"
        f'<div class="wide">{_html_table(heads, rows, "numbers")}</div>{note}'
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "–"


def _html_table(heads: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """Cells are HTML already; ``kind`` is a class of the style."""
    lines = [f'<table class="{kind}">' if kind else "<table>"]
    if heads:
        lines.append("<tr>" + "".join(f"<th>{html.escape(h)}</th>" for h in heads) + "</tr>")
    lines += ["<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])


def _image(figure: Figure, text: str, wide: bool = False) -> str:
    """A picture; one of several panels is not made smaller than can be read, but scrolled."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    kind = ' class="wide"' if wide else ""
    return f'<p{kind}><img alt="{html.escape(text)}" src="data:image/png;base64,{data}"></p>'
