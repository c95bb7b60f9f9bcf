"""The report of a whole pipeline: one HTML file that links to those of the steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ddk.pipeline.job import Found, Job
from ddkbase import html as html_page
from ddkbase.files import write_bytes
from ddkbase.html import Html

if TYPE_CHECKING:
    from ddk.pipeline.execution import Asked, Outcome

__all__ = ["REPORT", "report_text", "write_report"]

REPORT, FILE = "report.html", "pipeline.yaml"
_STATES = {"computed": "computed in this run", "kept": "kept from an earlier run"}


def write_report(folder: Path, asked: Asked, outcomes: Sequence[Outcome]) -> Path:
    """Write report.html and a copy of the pipeline file into the folder of a pipeline.

    Parameters
    ----------
    folder : Path
        Where the steps have their folders.
    asked : Asked
        What was asked for.
    outcomes : sequence of Outcome
        What became of it.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    write_bytes(folder / FILE, asked.text.encode("utf-8"), overwrite=True)
    text = report_text(folder, asked, outcomes)
    return write_bytes(folder / REPORT, text.encode("utf-8"), overwrite=True)


def report_text(folder: Path, asked: Asked, outcomes: Sequence[Outcome]) -> str:
    """The report as HTML; arguments as of `write_report`."""
    parts: list[str] = []
    if asked.description:
        parts.append(asked.description)
    failed = next((o for o in outcomes if o.error), None)
    if failed is not None:
        parts.append(html_page.warning(f"{failed.error}. What stands below was there before."))
    parts.append(_overview(outcomes))
    parts += [_part(folder, outcome) for outcome in outcomes]
    parts.append(_origin(asked))
    return html_page.page(f"Pipeline {asked.name}", parts)


def _overview(outcomes: Sequence[Outcome]) -> Html:
    from ddk.pipeline.execution import minutes

    rows: list[list[object]] = []
    total = 0.0
    for outcome in outcomes:
        name: object = outcome.job.title
        if outcome.found is not None:
            name = html_page.link(f"#{outcome.job.name}", outcome.job.title)
            total += outcome.seconds
        key = html_page.signs(outcome.found.key) if outcome.found is not None else _missing(outcome)
        time = minutes(outcome.seconds) if outcome.found is not None else ""
        rows.append([name, key, time])
    rows.append(["all", "", minutes(total)])
    return html_page.table(("step", "what came out", "time"), rows, kind="stacked")


def _missing(outcome: Outcome) -> str:
    return "failed" if outcome.error else "not done"


def _part(folder: Path, outcome: Outcome) -> Html:
    from ddk.pipeline.execution import minutes

    job, found = outcome.job, outcome.found
    anchor = Html(f'<h2 id="{html_page.escaped(job.name)}">{html_page.escaped(job.title)}</h2>')
    if found is None:
        words = outcome.error or "Not done: the run ended before."
        return Html("\n".join([anchor, html_page.paragraph(words)]))
    state = f"{_STATES[outcome.how]}; {minutes(outcome.seconds)}"
    body: list[str] = [anchor, html_page.paragraph(f"Step '{job.name}', {state}.")]
    body += [html_page.warning(text) for text in found.warnings]
    if found.figures:
        body.append(html_page.values({k: html_page.signs(v) for k, v in found.figures.items()}))
    body += _tables(found)
    body += _pictures(folder / job.name, found)
    body.append(_links(job, found))
    return Html("\n".join(body))


def _tables(found: Found) -> list[Html]:
    out = []
    for one in found.tables:
        out.append(html_page.table(one.heads, one.rows, numbers=True))
        if one.title:
            out.append(html_page.paragraph(one.title))
    return out


def _pictures(folder: Path, found: Found) -> list[Html]:
    out = []
    for picture in found.pictures:
        content = (folder / picture.file).read_bytes()
        caption = picture.text[:1].upper() + picture.text[1:]
        shown = html_page.image(content, picture.text, wide=picture.wide, caption=caption)
        out.append(shown)
    return out


def _links(job: Job, found: Found) -> Html:
    items = "".join(
        f"<li>{html_page.link(f'{job.name}/{file}', file)}: {html_page.escaped(words)}</li>"
        for file, words in found.links.items()
    )
    return Html(f"<ul>{items}</ul>") if items else Html("")


def _origin(asked: Asked) -> Html:
    from ddk.studies.result import versions

    told: dict[str, object] = {"command": html_page.code(asked.command)} if asked.command else {}
    told["versions"] = ", ".join(f"{name} {text}" for name, text in versions().items())
    told["file"] = Html(
        f"{html_page.link(FILE, FILE)}, a copy; its paths are meant from where the file itself is"
    )
    return html_page.section(
        "To repeat it", html_page.values(told), html_page.code(asked.text, block=True)
    )
