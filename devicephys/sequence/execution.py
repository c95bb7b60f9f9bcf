"""A sequence is carried out in a folder, each step in one of its own."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from ddkbase import html as html_page
from ddkbase.cli.progress import State
from ddkbase.documents import write_json
from ddkbase.errors import DDKError, InputError, Interrupted, StorageError
from ddkbase.files import sweep, write_bytes
from ddkbase.folders import at_work
from ddkbase.html import Html
from ddkbase.units import format_si
from devicephys import installation
from devicephys.run import execution
from devicephys.run.figure import Table, celsius
from devicephys.run.folder import REPORT, REQUEST
from devicephys.sequence.description import Sequence, Step

__all__ = ["SEQUENCE", "run_sequence", "sequence_entries", "sequence_table"]

#: what a folder of a sequence keeps of it
SEQUENCE = "sequence.json"
_HEADS = ("Step", "Kind", "Resistance, before", "after", "Peak temperature", "Remarks")


def run_sequence(
    folder: str | Path,
    sequence: Sequence | None = None,
    *,
    progress: Callable[[State], None] | None = None,
    remark: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
    pictures: str = "png",
) -> list[xr.Dataset]:
    """Carry out a sequence, or go on with it; a step that is complete is not computed again.

    Parameters
    ----------
    folder : str or Path
        Folder to make, with a folder for each step; or that of a sequence that was stopped.
    sequence : Sequence or None, optional
        From `read_sequence`; by default the one that the folder keeps.
    progress : callable or None, optional
        As for `devicephys.run.start`.
    remark : callable or None, optional
        Called with one sentence as each step begins.
    warn : callable or None, optional
        Called with one sentence on each thing that goes wrong without ending a step.
    pictures : {"png", "svg", "pdf", "none"}, default "png"
        Format of the pictures of the steps; "none" leaves them away.

    Returns
    -------
    list of xarray.Dataset
        The record of each step. The folder has ``sequence.json`` and ``report.html`` besides.

    Raises
    ------
    StorageError
        The folder holds another sequence, another process is at work in it, or it cannot be
        written.
    SolverError
        As `devicephys.run.start`, of the step that is named; the steps before it are kept.
    Interrupted
        As above.
    InputError
        As above; or a sequence under an MPI launcher.
    """
    path = Path(folder)
    if installation.world() is not None:
        raise InputError(
            "a sequence runs on one rank", "mpiexec", "Leave it out; single runs take ranks"
        )
    sequence = sequence or Sequence.read(path / SEQUENCE)
    with at_work(path):
        _claim(path, sequence)
        return _carry_out(path, sequence, remark, progress=progress, warn=warn, pictures=pictures)


def _carry_out(
    path: Path, sequence: Sequence, remark: Callable[[str], None] | None, **told: Any
) -> list[xr.Dataset]:
    """Each step in its folder, then the report."""
    found: list[xr.Dataset] = []
    for number, step in enumerate(sequence.steps):
        where = path / sequence.folder_of(number)
        before = path / sequence.folder_of(number - 1) if number else None
        if remark is not None:
            remark(f"step {number + 1} of {len(sequence.steps)}, {step.name} ({step.kind})")
        try:
            found.append(_step(where, step, before, told))
        except DDKError as error:
            error.where = ", ".join(text for text in (f"step '{step.name}'", error.where) if text)
            if found or isinstance(error, Interrupted):
                error.hint = f"'ddk-device resume {path}' goes on with this step"
            raise
    text = _report(path, sequence, found)
    write_bytes(path / REPORT, text.encode("utf-8"), overwrite=True)
    return found


def _claim(path: Path, sequence: Sequence) -> None:
    """Write the sequence into its folder, if it is new there."""
    kept, hint = path / SEQUENCE, "Choose another name after --out."
    sweep(path, SEQUENCE)  # what a kill left while this file was written
    if kept.exists():
        if Sequence.read(kept).to_dict() != sequence.to_dict():
            raise StorageError("the folder holds another sequence", str(path), hint)
        return
    if any(path.iterdir()):
        raise StorageError("the folder is not empty", str(path), hint)
    write_json(sequence.to_dict(), kept)


def _step(where: Path, step: Step, before: Path | None, told: dict[str, Any]) -> xr.Dataset:
    """The record of one step, from its folder if it is complete."""
    request = step.request
    if before is not None:
        request = dataclasses.replace(request, start=str(before.absolute()))
    if (where / REQUEST).exists():
        return execution.resume(where, **told).dataset
    return execution.start(where, request, **told).dataset


# what came out


def _resistances(ds: xr.Dataset) -> tuple[float, float]:
    """Resistance [ohm] before and after a step; NaN where its record does not say it."""
    headline = json.loads(ds.attrs["headline_json"])
    if ds.attrs["schema"] == "PulseTrace":
        return float(ds["initial_resistance"]), 1.0 / float(ds["conductance"][-1])
    if ds.attrs["schema"] == "Retention":
        read = ds["conductance"].values[0]
        return 1.0 / float(read[0]), 1.0 / float(read[-1])
    names = ("resistance_first", "resistance_last")
    if headline.get("loops"):
        sweep = json.loads(ds.attrs["protocol_json"])
        names = ("low_resistance_before", "low_resistance_after")
        if sweep["first"] == "set":  # it ends after RESET
            names = ("", "high_resistance")
        headline = {**headline["loops"][-1], names[0]: headline["loops"][0].get(names[0])}
    before, after = (headline.get(name) for name in names)
    return before or math.nan, after or math.nan


def sequence_entries(sequence: Sequence, records: list[xr.Dataset]) -> list[dict[str, Any]]:
    """Name, kind, resistances [ohm], peak temperature [K] and warning of each step.

    Parameters
    ----------
    sequence : Sequence
        The sequence.
    records : list of xarray.Dataset
        The record of each step, as `run_sequence` gives them.

    Returns
    -------
    list of dict
        One for each step, None where its record does not say a figure.
    """
    entries = []
    for number, (step, ds) in enumerate(zip(sequence.steps, records, strict=True)):
        values = dict(zip(("resistance_before", "resistance_after"), _resistances(ds), strict=True))
        values["temperature_max"] = (
            float(ds["temperature"].max())
            if ds.attrs["schema"] == "Retention"
            else float(ds["temperature_max"].max())
        )
        plain = {key: v if math.isfinite(v) else None for key, v in values.items()}
        entries.append(
            {
                "name": step.name,
                "kind": step.kind,
                "folder": sequence.folder_of(number),
                **plain,
                "warning": ds.attrs.get("warning") or None,
            }
        )
    return entries


def sequence_table(sequence: Sequence, records: list[xr.Dataset]) -> Table:
    """One row for each step; arguments as `sequence_entries`."""
    rows = []
    for entry in sequence_entries(sequence, records):
        ohms = [
            "–" if entry[key] is None else format_si(entry[key], "ohm", 3)
            for key in ("resistance_before", "resistance_after")
        ]
        peak = celsius(entry["temperature_max"])
        rows.append([entry["name"], entry["kind"], *ohms, peak, entry["warning"] or ""])
    return Table(_HEADS, rows, right=(2, 3, 4))


def _report(path: Path, sequence: Sequence, records: list[xr.Dataset]) -> str:
    """The report of a sequence as HTML, with links to those of its steps."""
    shown = sequence_table(sequence, records)
    rows = []
    for number, row in enumerate(shown.rows):
        target = f"{sequence.folder_of(number)}/{REPORT}"
        name = html_page.link(target, row[0]) if (path / target).exists() else row[0]
        rows.append([name, *map(html_page.signs, row[1:])])
    device = sequence.steps[0].request.device
    preset = sequence.steps[0].request.settings.name
    said = html_page.values([("device", device.name), ("preset", preset)])
    again = html_page.code(f"ddk-device resume {path.name}", block=True)
    content: list[str] = [
        html_page.section("What was asked", said),
        html_page.section("What came out", html_page.table(shown.heads, rows, numbers=shown.right)),
        html_page.section(
            "To repeat it",
            Html(
                "Each step's report has its command. A step whose folder is moved"
                " away is computed again by"
            ),
            again,
        ),
    ]
    return html_page.page(f"Sequence on {device.name}", content)
