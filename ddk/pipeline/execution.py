"""The run of a pipeline: what is there already stays, what is missing or outdated is made.

Everything is checked before anything is computed. The report of the whole pipeline is one HTML
file that links to those of the steps.
"""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from ddk.pipeline.file import Chain, read_chain
from ddk.pipeline.folder import Mark, PipelineFolder
from ddk.pipeline.job import (
    Job,
    Outcome,
    PipelineRequest,
    StepContext,
    StepResult,
    cores,
    fingerprints,
    minutes,
)
from ddk.pipeline.steps_device import campaign_job, loop_job, pulses_job
from ddk.pipeline.steps_hardware import compile_job, hardware_job
from ddk.pipeline.steps_network import Trainee, controls_job, network_job
from ddk.pipeline.steps_table import TableSource, fit_job
from ddk.studies.result import PACKAGES
from ddkbase import html
from ddkbase.documents import differences, located
from ddkbase.errors import DDKError, InputError, Interrupted
from ddkbase.files import write_bytes
from ddkbase.html import Html
from ddkbase.installation import versions

__all__ = ["Outcome", "carry_out", "jobs_of", "plan", "planned", "run", "write_report"]


COMPUTED, KEPT, MISSING = "computed", "kept", "missing"


def planned(jobs: Sequence[Job], path: Path) -> list[tuple[str, str]]:
    """What a run in a folder would do, without doing it: name of each step, and its state.

    Raises StorageError: it holds something else.
    """
    folder = PipelineFolder(path.absolute())
    folder.check()
    marks = _marks(jobs)
    return [(job.name, _state_text(folder, job, marks[job.name])) for job in jobs]


def carry_out(
    jobs: Sequence[Job],
    path: Path,
    request: PipelineRequest,
    *,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
    quiet: bool = False,
) -> list[Outcome]:
    """Do what is missing of a pipeline in its folder and write the report there.

    Each job comes after those that it uses; the other arguments are those of `run`. Raises
    DDKError: the error of the step that failed, its name in front (the results of the others stay,
    and the same call goes on from there); Interrupted: Ctrl-C or SIGTERM, what is finished stays;
    StorageError: another pipeline is at work in the folder, or it holds something else.
    """
    say = progress or (lambda _: None)
    marks = _marks(jobs)
    with PipelineFolder.open(path) as folder:
        states = {job.name: _state_text(folder, job, marks[job.name]) for job in jobs}
        for name in sorted(folder.names() | set(marks)):
            mark = marks.get(name, (None, None))
            if aside := folder.set_aside(name, *mark):
                say(f"sets aside '{name}': {aside}; the settings of before bring it back")
            folder.prepare(name, *mark)
        outcomes = [Outcome(job, MISSING) for job in jobs]
        try:
            for k, job in enumerate(jobs):
                head = f"[{k + 1}/{len(jobs)}] {job.name}: "
                result = folder.result(job.name, marks[job.name].fingerprint)
                if result is not None:
                    seconds = float((folder.state(job.name) or {}).get("seconds", 0.0))
                    outcomes[k] = Outcome(job, KEPT, seconds, result)
                    say(f"{head}kept")
                    continue
                say(f"{head}{states[job.name]}")
                result, seconds = _do(folder, job, marks[job.name], workers, say, quiet)
                outcomes[k] = Outcome(job, COMPUTED, seconds, result)
                say(f"{head}done in {minutes(seconds)}{f', {result.key}' if result.key else ''}")
        except DDKError as error:
            outcomes[k] = Outcome(job, MISSING, error=str(error))
            with contextlib.suppress(DDKError):  # what went wrong first counts
                write_report(folder.path, request, outcomes)
            raise
        write_report(folder.path, request, outcomes)
        return outcomes


def _do(
    folder: PipelineFolder,
    job: Job,
    mark: Mark,
    workers: int | None,
    say: Callable[[str], None],
    quiet: bool,
) -> tuple[StepResult, float]:
    """Do one step; whatever goes wrong is an error of the toolkit with the step's name."""
    spent = folder.begin(job, mark)
    start = time.monotonic()
    inputs = {name: folder.folder(name) for name in job.uses}
    own = folder.folder(job.name)
    context = StepContext(own, inputs, lambda text: say(f"  {text}"), workers, quiet)
    try:
        result = job.work(context)
        seconds = spent + time.monotonic() - start
        folder.finish(job, mark, seconds, result)
        folder.prune(job.name, say)
        return result, seconds
    except (Exception, KeyboardInterrupt) as error:
        of_step = _of_step(folder, job, error)
        folder.stop(job, mark, spent + time.monotonic() - start, str(of_step))
        raise of_step from error


def _of_step(folder: PipelineFolder, job: Job, error: BaseException) -> DDKError:
    """The error as the step's."""
    step = f"step '{job.name}'"
    if isinstance(error, KeyboardInterrupt | Interrupted):
        what = f"{step}: {error.what}" if isinstance(error, Interrupted) else f"{step}: stopped"
        return Interrupted(what, str(folder.path), "The same command goes on from here")
    if isinstance(error, DDKError):
        return type(error)(f"{step}: {error.what}", error.where, error.hint)
    log = folder.log(job.name)
    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    text = " ".join(f"unexpected {type(error).__name__}: {error}".split()).rstrip(": ")
    return DDKError(f"{step}: {text}", hint=f"The traceback is in {log}")


def _marks(jobs: Sequence[Job]) -> dict[str, Mark]:
    version = toolkit_version()
    marks = fingerprints(list(jobs), version)
    fixed = cores(list(jobs), version, marks)
    return {name: Mark(mark, fixed[name]) for name, mark in marks.items()}


def _state_text(folder: PipelineFolder, job: Job, mark: Mark) -> str:
    noted = folder.state(job.name)
    if noted is None:
        return "to do"
    if noted["fingerprint"] == mark.fingerprint:
        if folder.result(job.name, mark.fingerprint) is not None:
            return "kept"
        return "goes on" if noted["state"] == "begun" else "to do again, its files were changed"
    head = "goes on" if noted.get("core") == mark.core else "to do again"
    changed = [key for key, *_ in differences(noted["settings"], dict(job.settings))]
    aside = folder.set_aside(job.name, *mark)
    if aside:
        aside = f"; sets aside: {aside}"
    if not changed:
        return f"{head}, for what it uses or the version of the toolkit changed{aside}"
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f"{head}, changed: {', '.join(changed[:3])}{more}{aside}"


def toolkit_version() -> str:
    """Version of the toolkit; empty where it was not installed but is only on the path."""
    return versions(PACKAGES).get("ddk-toolkit", "")


def run(
    name_or_path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    workers: int | None = None,
    command: str = "",
    progress: Callable[[str], None] | None = None,
    quiet: bool = False,
) -> list[Outcome]:
    """Do what is missing of a pipeline in a folder, and write report.html there.

    A script that calls it needs ``if __name__ == "__main__":``, because the worker processes of a
    campaign read the script again.

    Parameters
    ----------
    name_or_path : str or Path
        A pipeline of `list_pipelines`, or a YAML file.
    folder : str or Path
        Folder for results; made if there is none, gone on in otherwise.
    workers : int or None, optional
        Processes for the campaign and the controls; None leaves it to them.
    command : str, default ""
        The command that was typed, for the report.
    progress : callable or None, optional
        Called with a line now and then.
    quiet : bool, default False
        Keep the progress and the tables of simulations from being printed.

    Returns
    -------
    list of Outcome
        One outcome for each step.

    Raises
    ------
    InputError
        The file makes no sense; nothing was computed.
    DDKError
        A step failed, which is named; the results of the others stay.
    """
    source = os.fspath(name_or_path)
    chain = read_chain(source)
    jobs = jobs_of(chain, source)
    request = PipelineRequest(chain.name, chain.description, chain.text, command)
    return carry_out(jobs, Path(folder), request, workers=workers, progress=progress, quiet=quiet)


def plan(
    name_or_path: str | os.PathLike[str], folder: str | os.PathLike[str]
) -> list[tuple[str, str]]:
    """What `run` would do: the name of each step, and whether it is kept or why it is done.

    Parameters
    ----------
    name_or_path, folder : str or Path
        As `run`.

    Raises
    ------
    InputError
        The file makes no sense.
    """
    source = os.fspath(name_or_path)
    return planned(jobs_of(read_chain(source), source), Path(folder))


_NEEDS_NETWORK = ("hardware", "compile")


def jobs_of(chain: Chain, where: str = "") -> list[Job]:
    """The steps of a pipeline, each after those that it uses; ``where``, the file, is for errors.

    Raises InputError: a step lacks one that it needs, or a value that does not fit, with its place;
    StorageError: an input file is missing or damaged; InstallationError: a package is missing.
    """
    try:
        return _jobs(chain)
    except InputError as error:
        raise located(error, where) from None


def _jobs(chain: Chain) -> list[Job]:
    _check(chain)
    steps = chain.steps
    jobs = []
    independent = {"loop": loop_job, "pulses": pulses_job, "campaign": campaign_job, "fit": fit_job}
    for name, make in independent.items():
        if name in steps:
            jobs.append(make(chain))
    table = TableSource(chain)
    trainee = None
    if "network" in steps:
        trainee = Trainee.of(chain, table)
        jobs.append(network_job(chain, trainee))
    if "controls" in steps:
        jobs.append(controls_job(chain, table, trainee))
    if trainee is not None:
        for name, build in (("hardware", hardware_job), ("compile", compile_job)):
            if name in steps:
                jobs.append(build(chain, trainee))
    return jobs


def _check(chain: Chain) -> None:
    """Complain about steps and keys that nothing else goes with."""
    steps, given = chain.steps, chain.file.model_fields_set
    for name in _NEEDS_NETWORK:
        if name in steps and "network" not in steps:
            raise InputError(f"'{name}' needs a network", name, "Add the step 'network'")
    if "trains" in given and "fit" not in steps:
        raise InputError("nothing fits these trains", "trains", "Add the step 'fit'")
    if "table" in given and not {"network", "controls"} & {*steps}:
        raise InputError("nothing uses this table", "table", "Add the step 'network'")
    for key in ("device", "set", "preset"):
        if key in given and not {"loop", "pulses", "campaign"} & {*steps}:
            raise InputError("nothing is simulated", key, "Leave it out, or add 'campaign'")


REPORT, FILE = "report.html", "pipeline.yaml"
_STATES = {"computed": "computed in this run", "kept": "kept from an earlier run"}


def write_report(folder: Path, request: PipelineRequest, outcomes: Sequence[Outcome]) -> Path:
    """Write report.html and a copy of the pipeline file into the folder of a pipeline.

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
