"""The folder of a laboratory study: metrics, the trains' record, a picture and the report."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compact.laws.branches import EXPONENTIAL, Branch, Synapse
from ddk.studies.lab.runs import IDEAL, NUMBERS, PULSES
from ddk.studies.lab.study import WAYS, LabResult
from ddkbase import html
from ddkbase.cli.output import plain
from ddkbase.documents import write_json
from ddkbase.files import write_bytes
from ddkbase.folders import check_result_folder, drawn_after, kept_elsewhere, new_folder
from ddkbase.installation import versions
from ddkbase.picture_names import PAPER
from ddkbase.pictures import BLUE, GREEN, GREY, VERMILLION, new_figure, save_figure, style_axes
from ddkbase.units import format_si
from network.hardware.chip.cost import cost_rows

METRICS, PICTURE, REPORT = "metrics.json", "lab.png", "report.html"
_FILES = {METRICS, PICTURE, REPORT}
_SCHEMA = "LabResult"
_PACKAGES = ("numpy", "scipy", "scikit-learn")
_UNITS = {"energy": "J", "seconds": "s", "latency": "s", "width": "s", "up_amplitude": "V",
          "down_amplitude": "V"}  # fmt: skip


def check_lab_free(path: Path, overwrite: bool) -> None:
    """Refuse, before the work is done, a folder that cannot be made.

    Parameters
    ----------
    path : Path
        The folder to make.
    overwrite : bool
        Whether the folder of an earlier study may be replaced.

    Raises
    ------
    StorageError
        Something is there that is not to be replaced, or the folder above is missing.
    """
    check_result_folder(path, overwrite, {*_FILES, PAPER}, METRICS)


def lab_entries(result: LabResult) -> dict[str, Any]:
    """A study as JSON: ``cell``, ``accuracy`` by way, ``inference``, ``notes``, ``settings``.

    Parameters
    ----------
    result : LabResult
        Result of `ddk.studies.lab.study.lab_study`.
    """
    s, ds = result.synapse, result.dataset
    mean, balance = s.asymmetry(result.law)
    cell = {
        "unit": s.unit,
        "low": s.low,
        "high": s.high,
        "on_off": s.on_off,
        "states": s.states,
        "asymmetry": mean,
        "balance": balance,
        "asymmetry_text": s.asymmetry_text(result.law),
        "up_amplitude": s.up_amplitude,
        "down_amplitude": s.down_amplitude,
        "width": s.width,
        **{b.direction: _branch_entries(b, s) for b in (s.up, s.down)},
    }
    ways = {}
    for way, title in WAYS.items():
        one = ds.sel(way=way)
        each = one["accuracy"].values
        ways[way] = {
            "title": title,
            "mean": float(each.mean()),
            "deviation": float(each.std(ddof=1)) if each.size > 1 else None,
            "each": each,
            "course": None if np.isnan(one["course"].values).all() else one["course"].values,
            "pulses_per_cell": one["pulses"].values,
            "energy": one["energy"].values,
            "seconds": one["seconds"].values,
        }
    inference = None
    if result.inference is not None:
        cost = result.inference
        inference = {"chip": cost.chip, "energy": cost.energy, "latency": cost.latency}
    settings = dataclasses.asdict(result.settings)
    settings["data"]["task"] = result.settings.data.task.settings()
    return {
        "cell": cell,
        "law": result.law,
        "pictures": result.pictures,
        "layers": result.layers,
        "accuracy": ways,
        "not_written": ds["failed"].values,
        "inference": inference,
        "notes": result.notes,
        "settings": settings,
        "units": _UNITS,
    }


def _branch_entries(branch: Branch, synapse: Synapse) -> dict[str, Any]:
    names = ("trains", "pulses", "start", "end", "curvature", "nonlinearity", "nonlinearity_error",
             "rmse", "kinetics")  # fmt: skip
    found = {name: getattr(branch, name) for name in names}
    for name in ("step_noise", "read_noise", "scatter"):
        found[name] = getattr(branch, name) / synapse.span
    return found


def lab_figure(result: LabResult) -> Figure:
    """Draw both branches with their laws, the steps, and accuracies over the epochs.

    Parameters
    ----------
    result : LabResult
        Result of `ddk.studies.lab.study.lab_study`.

    Returns
    -------
    matplotlib.figure.Figure
        The figure of three panels.
    """
    figure = new_figure(12.5, 4.0)
    branches, steps, course = figure.subplots(1, 3)
    _draw_branches(branches, result.synapse)
    _draw_steps(steps, result)
    _draw_course(course, result)
    return figure


def _draw_branches(ax: Axes, synapse: Synapse) -> None:
    scale = 1e6 if synapse.unit == "S" else 1.0
    for branch, colour in ((synapse.up, VERMILLION), (synapse.down, BLUE)):
        x = np.arange(branch.pulses + 1)
        ax.plot(x, scale * branch.read, ".", ms=2.5, color=colour, alpha=0.5)
        label = f"{branch.direction}, label {branch.nonlinearity:.2f}"
        ax.plot(x, scale * branch.fitted, color="black", lw=2.6)
        ax.plot(x, scale * branch.fitted, color=colour, lw=1.4, label=label)
    unit = "µS" if synapse.unit == "S" else "scale of the file"
    style_axes(ax, "Pulse", f"Conductance ({unit})", "a")
    ax.legend(fontsize=8, frameon=False)


def _draw_steps(ax: Axes, result: LabResult) -> None:
    place = np.linspace(0, 1, 101)
    one = np.ones_like(place)
    for law, line in ((EXPONENTIAL, "-"), ("alpha/beta", "--")):
        if any(law not in b.rmse for b in (result.synapse.up, result.synapse.down)):
            continue
        up, down = result.synapse.steps(law)
        ax.plot(100 * place, 100 * (up.climb(place, one) - place), line, color=VERMILLION,
                label=f"up, {law}")  # fmt: skip
        ax.plot(100 * place, -100 * (down.climb(1 - place, one) - (1 - place)), line, color=BLUE,
                label=f"down, {law}")  # fmt: skip
    ax.axhline(0, color=GREY, lw=0.8)
    style_axes(ax, "Place in the window (%)", "Step of one pulse (% of the window)", "b")
    ax.legend(fontsize=8, frameon=False)


def _draw_course(ax: Axes, result: LabResult) -> None:
    ds = result.dataset
    looks = ((NUMBERS, GREY, "o"), (IDEAL, GREEN, "s"), (PULSES, VERMILLION, "^"))
    for way, colour, marker in looks:
        values = 100 * ds["course"].sel(way=way).values
        mean = values.mean(axis=0)
        ax.plot(ds["epoch"], mean, color=colour, marker=marker, ms=3, label=WAYS[way])
        if len(values) > 1:
            ax.fill_between(ds["epoch"], values.min(0), values.max(0), color=colour, alpha=0.2)
    written = 100 * float(ds["accuracy"].sel(way="written").mean())
    ax.axhline(written, color=BLUE, ls=":", label=WAYS["written"])
    style_axes(ax, "Epoch", "Accuracy on the test part (%)", "c")
    ax.legend(fontsize=8, frameon=False, loc="lower right")


def report_text(result: LabResult, trains: xr.Dataset) -> str:
    """The report as HTML; ``result`` of `lab_study`, ``trains`` of `compact.read_pulses`."""
    heads, rows = result.accuracy_rows()
    picture = html.image(lab_figure(result), "branches, steps and accuracies", wide=True)
    layers = "-".join(map(str, result.layers))
    body: list[str] = [
        html.table(heads, rows, numbers=(1, 2, 3, 4)),
        f"Perceptron {layers} on {result.settings.data.task.title}: {result.pictures}. "
        f"{len(result.settings.seeds)} seeds, {result.settings.training.epochs} passes, the last "
        "one counts; mean and standard deviation over the seeds. Steps by the law "
        f"'{result.law}'.",
        picture,
        html.section("The cell", html.values(result.cell_texts()), _law_table(result.synapse)),
    ]
    if result.notes:
        notes = [[note] for note in result.notes]
        body.append(html.section("Not determined, or to be known", html.table([], notes)))
    if result.inference is not None:
        names, costs = cost_rows(result.inference)
        body.append(
            html.section(f"One inference on chip {result.inference.chip}", html.table(names, costs))
        )
    body.append(html.section("What was assumed", *_ASSUMED))
    read = str(trains.attrs.get("assumptions", "")).splitlines()
    if read:
        source = str(trains.attrs.get("source_file", ""))
        lines = html.table([], [[line] for line in read])
        body.append(html.section("How the file was read", html.code(source), lines))
    settings = {
        name: html.code(json.dumps(value, ensure_ascii=False))
        for name, value in plain(lab_entries(result)["settings"]).items()
    }
    body.append(html.section("Settings", html.values(settings)))
    return html.page("Measured cell: accuracy on chip", body)


_ASSUMED = (
    "All cells of an array are alike: one cell says nothing of the spread from device to device.",
    "The scatter of a step is normal, the same all over the window, and independent from pulse to "
    "pulse; of n pulses it is sqrt(n) of it. Its size is what stays: the rise, with the number of "
    "pulses between two reads, of their mean squared difference from the law. Noise that passes is "
    "taken for noise of reads; reads that verify, and those of the trained network, are exact.",
    "The reference is exact, so that the on/off ratio does not enter the accuracy. Lines, "
    "converters, failed cells and drift are left out.",
)


def _law_table(synapse: Synapse) -> html.Html:
    rows = []
    for b in (synapse.up, synapse.down):
        rows.append(
            [
                b.direction,
                f"{b.pulses / b.curvature:.4g}" if b.curvature else "straight",
                *(
                    f"{100 * b.rmse[law]:.2f}" if law in b.rmse else "–"
                    for law in (EXPONENTIAL, "alpha/beta")
                ),
                *([f"{v:.4g}" for v in b.kinetics[:2]] or ["–", "–"]),
                *(format_si(g, synapse.unit, 3) for g in (b.start, b.end)),
            ]
        )
    heads = ["branch", "A (pulses)", "misfit, exponential (%)", "misfit, alpha/beta (%)", "alpha",
             "beta", "from", "to"]  # fmt: skip
    return html.table(heads, rows, numbers=True)


def write_lab(
    result: LabResult, trains: xr.Dataset, path: Path, *, overwrite: bool = False
) -> Path:
    """Write metrics, picture and report of a study to a new folder.

    Parameters
    ----------
    result : LabResult
        Result of `ddk.studies.lab.study.lab_study`.
    trains : xarray.Dataset
        The trains that it was made from.
    path : Path
        The folder to make.
    overwrite : bool, default False
        Replace the folder of an earlier study.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StorageError
        See `check_lab_free`; the disk is full. The metrics are then in a temporary folder, which is
        named. If picture or report alone cannot be drawn or written, the metrics are in the folder.
    """
    head = {"schema": _SCHEMA, "schema_version": 1}
    source = {k: str(trains.attrs.get(k, "")) for k in ("source_file", "source_checksum")}
    content = plain({**head, **lab_entries(result), **source, "versions": versions(_PACKAGES)})

    def fill(folder: Path) -> None:
        write_json(content, folder / METRICS)

    with kept_elsewhere(fill, "ddk-network-"):
        check_lab_free(path, overwrite)
        with new_folder(path, overwrite) as scratch:
            fill(scratch)
    with drawn_after(path / PICTURE):
        save_figure(lab_figure(result), path / PICTURE)
    with drawn_after(path / REPORT):
        write_bytes(path / REPORT, report_text(result, trains).encode("utf-8"), True)
    return path
