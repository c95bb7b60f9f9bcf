"""The report of a whole pipeline: one HTML file that links to those of the steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ddk.pipeline.job import Job, Outcome, PipelineRequest, StepResult, minutes
from ddk.studies.result import PACKAGES
from ddkbase import html
from ddkbase.files import write_bytes
from ddkbase.html import Html
from ddkbase.installation import versions

__all__ = ["REPORT", "report_text", "write_report"]

REPORT, FILE = "report.html", "pipeline.yaml"
_STATES = {"computed": "computed in this run", "kept": "kept from an earlier run"}


def write_report(folder: Path, request: PipelineRequest, outcomes: Sequence[Outcome]) -> Path:
    """Write report.html and a copy of the pipeline file into the folder of a pipeline.

    Parameters
    ----------
    folder : Path
        Where the steps have their folders.
    request : PipelineRequest
        What was asked for.
    outcomes : sequence of Outcome
        What became of it.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    write_bytes(folder / FILE, request.text.encode("utf-8"), overwrite=True)
    text = report_text(folder, request, outcomes)
    return write_bytes(folder / REPORT, text.encode("utf-8"), overwrite=True)


def report_text(folder: Path, request: PipelineRequest, outcomes: Sequence[Outcome]) -> str:
    """The report as HTML; arguments as of `write_report`."""
    body: list[str] = []
    if request.description:
        body.append(request.description)
    failed = next((o for o in outcomes if o.error), None)
    if failed is not None:
        body.append(html.warning(f"{failed.error}. What stands below was there before."))
    body.append(_overview(outcomes))
    body += [_section(folder, outcome) for outcome in outcomes]
    body.append(_origin(request))
    return html.page(f"Pipeline {request.name}", body)


def _overview(outcomes: Sequence[Outcome]) -> Html:
    rows: list[list[object]] = []
    total = 0.0
    for outcome in outcomes:
        name: object = outcome.job.title
        if outcome.result is not None:
            name = html.link(f"#{outcome.job.name}", outcome.job.title)
            total += outcome.seconds
        key = html.signs(outcome.result.key) if outcome.result is not None else _missing(outcome)
        time = minutes(outcome.seconds) if outcome.result is not None else ""
        rows.append([name, key, time])
    rows.append(["all", "", minutes(total)])
    return html.table(("step", "what came out", "time"), rows, kind="stacked")


def _missing(outcome: Outcome) -> str:
    return "failed" if outcome.error else "not done"


def _section(folder: Path, outcome: Outcome) -> Html:
    job, result = outcome.job, outcome.result
    anchor = Html(f'<h2 id="{html.escaped(job.name)}">{html.escaped(job.title)}</h2>')
    if result is None:
        reason = outcome.error or "Not done: the run ended before."
        return Html("\n".join([anchor, html.paragraph(reason)]))
    state = f"{_STATES[outcome.state]}; {minutes(outcome.seconds)}"
    body: list[str] = [anchor, html.paragraph(f"Step '{job.name}', {state}.")]
    body += [html.warning(text) for text in result.warnings]
    if result.figures:
        body.append(html.values({k: html.signs(v) for k, v in result.figures.items()}))
    body += _tables(result)
    body += _pictures(folder / job.name, result)
    body.append(_links(job, result))
    return Html("\n".join(body))


def _tables(result: StepResult) -> list[Html]:
    out = []
    for table in result.tables:
        out.append(html.table(table.heads, table.rows, numbers=True))
        if table.title:
            out.append(html.paragraph(table.title))
    return out


def _pictures(folder: Path, result: StepResult) -> list[Html]:
    out = []
    for picture in result.pictures:
        content = (folder / picture.file).read_bytes()
        caption = picture.text[:1].upper() + picture.text[1:]
        shown = html.image(content, picture.text, wide=picture.wide, caption=caption)
        out.append(shown)
    return out


def _links(job: Job, result: StepResult) -> Html:
    items = "".join(
        f"<li>{html.link(f'{job.name}/{file}', file)}: {html.escaped(what)}</li>"
        for file, what in result.links.items()
    )
    return Html(f"<ul>{items}</ul>") if items else Html("")


def _origin(request: PipelineRequest) -> Html:
    origin: dict[str, object] = {"command": html.code(request.command)} if request.command else {}
    origin["versions"] = ", ".join(f"{name} {text}" for name, text in versions(PACKAGES).items())
    origin["file"] = Html(
        f"{html.link(FILE, FILE)}, a copy; its paths are meant from where the file itself is"
    )
    return html.section("To repeat it", html.values(origin), html.code(request.text, block=True))
