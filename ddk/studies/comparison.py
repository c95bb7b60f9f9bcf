"""Finished runs as one dataset on (model, seed), with its table and its report.

In the record ``NetworkComparison`` NaN stands where a run failed, in ``r`` where there is no DDK
layer, and in ``vote_accuracy`` where nothing is voted on. The table gives means, deviations, and
which differences are clear.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ddk.studies.models import LAYERS, Model
from ddk.studies.plots import comparison_figure, counted_epoch, save
from ddk.studies.result import Result
from ddk.studies.tasks import SplitPlan, Task
from ddkbase import html, records
from ddkbase.errors import DDKError
from ddkbase.files import write_bytes
from ddkbase.picture_names import in_formats
from ddkbase.schemas import ANYWHERE, FLOAT, INT, TEXT, Schema, VariableSpec, labelled
from network.model import metrics

_RUN, _MODEL = ("model", "seed"), ("model",)


def _per_run(units: str, long_name: str) -> VariableSpec:
    return VariableSpec(_RUN, units, FLOAT, ANYWHERE, long_name)


def _per_model(long_name: str) -> VariableSpec:
    return VariableSpec(_MODEL, "1", INT, long_name=long_name)


#: figures of every run
_PER_RUN = {
    "accuracy": _per_run("1", "accuracy on the test part"),
    "decision_accuracy": _per_run("1", "accuracy of single decisions on the test part"),
    "vote_accuracy": _per_run("1", "accuracy of votes on the test part"),
    "validation_accuracy": _per_run("1", "accuracy on the validation part"),
    "validation_cross_entropy": _per_run(
        "nat", "cross-entropy of single decisions on the validation part"
    ),
    "train_accuracy": _per_run("1", "accuracy of single decisions on the training part"),
    "macro_f1": _per_run("1", "mean F1 of the classes on the test part"),
    "cross_entropy": _per_run("nat", "cross-entropy of the decisions on the test part"),
    "r": _per_run("1", "smallest alpha/(beta x_max)^2"),
    "seconds": _per_run("s", "time of training and testing"),
}
#: sizes of every model
_PER_MODEL = {
    "parameters": _per_model("trained parameters"),
    "macs": _per_model("multiply-accumulate operations of one decision"),
    "features": _per_model("features of one decision"),
}


def _check(ds: xr.Dataset) -> str | None:
    lost = ds["failed"].values.astype(str) != ""
    if (np.isnan(ds["accuracy"].values) != lost).any():
        return "'accuracy' is missing where 'failed' says that nothing failed, or the other way"
    return None


NETWORK_COMPARISON = Schema(
    name="NetworkComparison",
    version=1,
    variables={
        "model": VariableSpec(_MODEL, "1", TEXT, long_name="model"),
        "seed": VariableSpec(("seed",), "1", INT, long_name="seed"),
        "model_title": VariableSpec(_MODEL, "1", TEXT, long_name="model in words"),
        "failed": VariableSpec(_RUN, "1", TEXT, long_name="why a run failed"),
        **_PER_RUN,
        **_PER_MODEL,
    },
    attrs=("title", "task", "vote", "headline", "protocol", "article"),
    json_attrs=("task_json", "models_json"),
    check=_check,
)


def tabulate(
    task: Task,
    models: Sequence[Model],
    seeds: Sequence[int],
    outcomes: Mapping[tuple[str, int], Mapping[str, Any]],
) -> xr.Dataset:
    """A dataset of finished runs; ``outcomes`` are those of `ddk.studies.runs.run_all`.

    Raises StorageError: a run is damaged.
    """
    shape = (len(models), len(seeds))
    right: dict[tuple[int, int], str] = {}
    values = {name: np.full(shape, np.nan) for name in _PER_RUN}
    sizes = {name: np.zeros(len(models), dtype=np.int64) for name in _PER_MODEL}
    failed = np.full(shape, "", dtype=object)
    for i, model in enumerate(models):
        for j, seed in enumerate(seeds):
            outcome = outcomes[model.name, int(seed)]
            if "failed" in outcome:
                failed[i, j] = str(outcome["failed"])
                continue
            result = result_of(outcome, f"{model.name}, seed {seed}")
            for name, value in _figures(result).items():
                values[name][i, j] = value
            right[i, j] = result.right
            for name in _PER_MODEL:
                sizes[name][i] = getattr(result, name)
    titles = [m.title for m in models]
    names = {"model": [m.name for m in models], "seed": np.asarray(seeds, dtype=np.int64)}
    variables = {**values, **sizes, "failed": failed.astype(str), "model_title": titles}
    attrs = {
        "schema": NETWORK_COMPARISON.name,
        "schema_version": NETWORK_COMPARISON.version,
        "title": task.title,
        "task": task.name,
        "vote": task.vote,
        "headline": task.headline,
        "protocol": task.protocol,
        "article": task.article,
        "task_json": json.dumps(task.settings()),
        "models_json": json.dumps({m.name: m.settings() for m in models}),
    }
    ds = xr.Dataset(
        labelled(NETWORK_COMPARISON, variables), labelled(NETWORK_COMPARISON, names), attrs
    )
    same = not task.split.overlap and "test" not in task.limits
    return ds.assign(right=_right(right, shape)) if same and _alike(right) else ds


def _alike(right: Mapping[tuple[int, int], str]) -> bool:
    """Whether all runs say of each test sample whether it was told rightly."""
    return len({len(told) for told in right.values()}) == 1 and "" not in right.values()


def _right(right: Mapping[tuple[int, int], str], shape: tuple[int, int]) -> xr.DataArray:
    """The test samples of all runs; -1 where a run failed."""
    samples = len(next(iter(right.values())))
    out = np.full((*shape, samples), -1, dtype=np.int8)
    for at, told in right.items():
        out[at] = np.frombuffer(told.encode("ascii"), np.uint8) - ord("0")
    attrs = {"units": "1", "long_name": "whether a test sample was told rightly"}
    return xr.DataArray(out, dims=(*_RUN, "test_sample"), attrs=attrs)


def sample_differences(ds: xr.Dataset) -> dict[str, metrics.SampleDifference]:
    """What the DDK layer has over each other model on the test samples, p corrected by Holm.

    Returns
    -------
    dict of str to SampleDifference
        By model; empty where the seeds draw test parts of their own, or there is no model "ddk".
    """
    if "right" not in ds or "ddk" not in ds["model"].values:
        return {}

    def told(name: str) -> np.ndarray:
        runs = ds["right"].sel(model=name).values
        return np.asarray(runs[(runs >= 0).all(axis=1)])

    names = [str(n) for n in ds["model"].values if n != "ddk" and len(told(str(n)))]
    if not len(told("ddk")) or not names:
        return {}
    found = [metrics.over_samples(told("ddk"), told(name)) for name in names]
    corrected = metrics.holm([each.p for each in found])
    return {
        name: replace(each, p=float(p))
        for name, each, p in zip(names, found, corrected, strict=True)
    }


def _figures(result: Result) -> dict[str, float]:
    """The variables of one run."""
    first = result.first("test")
    return {
        "accuracy": result.accuracy,
        "decision_accuracy": result.test["accuracy"],
        "vote_accuracy": result.test_vote.get("accuracy", np.nan),
        "validation_accuracy": result.validation_accuracy,
        "validation_cross_entropy": result.validation["cross_entropy"],
        "train_accuracy": result.train_accuracy,
        "macro_f1": first["macro_f1"],
        "cross_entropy": first["cross_entropy"],
        "r": np.nan if result.r is None else result.r,
        "seconds": result.seconds,
    }


def result_of(outcome: Mapping[str, Any], where: str = "result") -> Result:
    """The result of a run that did not fail. Raises StorageError if it is damaged."""
    return Result.from_json({k: v for k, v in outcome.items() if k != "key"}, where)


@records.of_record()
def overlap(ds: xr.Dataset) -> float:
    """How far the parts of two seeds overlap; see `network.model.metrics.difference`."""
    return SplitPlan(**json.loads(ds.attrs["task_json"])["split"]).overlap


def read_comparison(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read a comparison that `write_comparison` wrote.

    Parameters
    ----------
    path : str or Path
        The file, comparison.nc.

    Returns
    -------
    xarray.Dataset
        The comparison, on (model, seed).

    Raises
    ------
    StorageError
        The file is missing or damaged, or holds something else.
    """
    return records.read(path, NETWORK_COMPARISON)


def write_comparison(
    ds: xr.Dataset, folder: str | os.PathLike[str], pictures: str = "png"
) -> list[Path]:
    """Write comparison.nc, .md, .png and report.html into the folder, each whole or not at all.

    Parameters
    ----------
    ds : xarray.Dataset
        A comparison, from `ddk.studies.runs.compare`.
    folder : str or Path
        Folder of the files; those of an earlier comparison are replaced.
    pictures : {"png", "svg", "pdf", "none"}, default "png"
        Format of the picture; "svg" and "pdf" are drawn besides "png".

    Returns
    -------
    list of Path
        The paths written.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    folder = Path(folder)
    texts = {"comparison.md": markdown(ds), "report.html": report_text(ds)}
    paths = [records.write(ds, folder / "comparison.nc", overwrite=True)]
    for name, text in texts.items():
        paths.append(write_bytes(folder / name, text.encode("utf-8"), overwrite=True))
    for name in in_formats("comparison.png", pictures):
        paths.append(save(comparison_figure(ds), folder / name, overwrite=True))
    return paths


def report_text(ds: xr.Dataset) -> str:
    """The report of a comparison as HTML."""
    heads, rows = comparison_rows(ds)
    seeds = ds.sizes["seed"]
    body = [
        str(ds.attrs["protocol"]),
        f"{seeds} seed{'s' if seeds > 1 else ''}; {counted_epoch(ds)}; mean ± standard deviation.",
        html.table(heads, rows, numbers=True),
    ]
    if "ddk" in ds["model"].values:
        body.append(difference_note(ds))
    best = best_control(ds)
    if best is not None:
        body.append(
            f"Best control on the test part: {best}. The best of several that was "
            "chosen there looks a little better than it is."
        )
    if ds.attrs["article"]:
        body.append(f"The article reports {ds.attrs['article']}.")
    body.append(html.image(comparison_figure(ds), "accuracy of every seed"))
    lost = [
        [f"{m}, seed {s}", str(ds["failed"].sel(model=m, seed=s).item())]
        for m in ds["model"].values
        for s in ds["seed"].values
        if str(ds["failed"].sel(model=m, seed=s).item())
    ]
    if lost:
        body.append(html.section("Failed runs", html.table((), lost)))
    titles = list(zip(ds["model"].values, ds["model_title"].values, strict=True))
    body.append(html.section("Models", html.table((), titles)))
    settings = json.dumps(json.loads(ds.attrs["task_json"]), ensure_ascii=False)
    body.append(html.section("Settings", html.values({"task": html.code(settings)})))
    return html.page(str(ds.attrs["title"]), body)


#: what is not a control: the layers under test
_OURS = ("ddk",)
_SIZES = ("parameters", "macs", "features")


def best_control(ds: xr.Dataset) -> str | None:
    """The control (same classifier, another layer) with the highest mean accuracy, or None.

    Parameters
    ----------
    ds : xarray.Dataset
        A comparison, from `ddk.studies.runs.compare`.

    Returns
    -------
    str or None
        Name of the model; None where no control has a finite accuracy.
    """
    names = [str(n) for n in ds["model"].values if n in LAYERS and not str(n).startswith(_OURS)]
    means = {n: _mean(ds["accuracy"].sel(model=n).values) for n in names}
    means = {n: m for n, m in means.items() if np.isfinite(m)}
    return max(means, key=lambda n: means[n]) if means else None


def comparison_rows(ds: xr.Dataset) -> tuple[list[str], list[list[str]]]:
    """Headings and texts: a row a model, accuracies in per cent.

    "DDK minus it" is the mean difference within the seeds and its standard error, with "=" where
    zero is within the 95 % interval; see `difference_note`.
    """
    voted, single = bool(ds.attrs["vote"]), ds.attrs["headline"] == "decision"
    over = f"vote over {ds.attrs['vote']}s"
    other = f"with {over}" if single else "without vote"
    second = "vote_accuracy" if single else "decision_accuracy"
    heads = ["model", "accuracy (%)", "worst", "validation"]
    heads += [other] if voted else []
    heads += ["DDK minus it", *([f"DDK minus it, {other}"] if voted else [])]
    by_sample = sample_differences(ds)
    heads += ["p over test samples"] if by_sample else []
    heads += ["parameters", "MACs", "features", "s/run"]
    rows = []
    shown = ["accuracy", *([second] if voted else [])]
    ours = {}
    if "ddk" in ds["model"].values:
        ours = {key: ds[key].sel(model="ddk").values for key in shown}
    for name in map(str, ds["model"].values):
        runs = ds.sel(model=name)
        reached = runs["accuracy"].values
        lost = int(np.sum(runs["failed"].values != ""))
        row = [
            name,
            _spread(reached) + (f", {lost} failed" if lost else ""),
            percent(np.nanmin(reached)) if np.isfinite(reached).any() else "–",
            percent(_mean(runs["validation_accuracy"].values)),
        ]
        if voted:
            row.append(_spread(runs[second].values))
        for key in shown:
            alone = not ours or name == "ddk"
            row.append("" if alone else _against(ours[key], runs[key].values, overlap(ds)))
        if by_sample:
            row.append(f"{by_sample[name].p:.2g}" if name in by_sample else "")
        row += [f"{int(runs[n]):,}" if int(runs[n]) else "–" for n in _SIZES]
        rows.append([*row, _seconds(_mean(runs["seconds"].values))])
    return heads, rows


def markdown(ds: xr.Dataset) -> str:
    """The table of `comparison_rows` in Markdown, below it the protocol and what "=" means.

    Parameters
    ----------
    ds : xarray.Dataset
        A comparison, from `ddk.studies.runs.compare`.

    Returns
    -------
    str
        The text in Markdown.
    """
    heads, rows = comparison_rows(ds)
    lines = markdown_table(heads, rows)
    seeds = ds.sizes["seed"]
    note = f"{ds.attrs['title']}: {seeds} seed{'s' if seeds > 1 else ''}, {counted_epoch(ds)}, "
    note += f"mean ± standard deviation. {ds.attrs['protocol']}"
    if ds.attrs["article"]:
        note += f" The article: {ds.attrs['article']}."
    differences = [difference_note(ds), ""] if "ddk" in ds["model"].values else []
    return "\n".join([*lines, "", note, "", *differences])


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table in Markdown, its numbers flush right."""
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def difference_note(ds: xr.Dataset) -> str:
    """What "DDK minus it" and "=" in the table mean, and what the interval covers.

    Parameters
    ----------
    ds : xarray.Dataset
        A comparison, from `ddk.studies.runs.compare`.

    Returns
    -------
    str
        The note, one paragraph.
    """
    note = (
        "“DDK minus it”: mean of the differences within the seeds ± its standard error; “=” where "
        "zero is within the 95 % interval (Student's t"
    )
    if overlap(ds):
        return note + (
            "; the seeds draw their parts from one set, so the error has the correction of Nadeau "
            "and Bengio for parts that overlap)."
        )
    note += (
        "). The test part is given: the interval covers the start, the batches and the validation "
        "part, not the choice of the test samples."
    )
    if sample_differences(ds):
        note += (
            " That choice has “p over test samples”: how often random signs of the samples' "
            "differences (means over the seeds) give as large a one, corrected by Holm for the "
            "number of models."
        )
    return note


def _mean(values: np.ndarray) -> float:
    good = values[np.isfinite(values)]
    return float(good.mean()) if good.size else float("nan")


def percent(value: float) -> str:
    """A share in per cent with one decimal; a dash for NaN."""
    return f"{100 * value:.1f}" if np.isfinite(value) else "–"


def _spread(values: np.ndarray) -> str:
    good = values[np.isfinite(values)]
    if good.size < 2:
        return percent(_mean(values))
    return f"{percent(_mean(values))} ± {100 * good.std(ddof=1):.1f}"


def _seconds(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _against(ours: np.ndarray, other: np.ndarray, shared: float) -> str:
    try:
        difference = metrics.difference(ours, other, overlap=shared)
    except DDKError:
        return "–"
    mean = f"{round(100 * difference.mean, 1) + 0.0:+.1f}"  # no -0.0
    if not np.isfinite(difference.error):
        return mean
    sign = "" if difference.clear else " ="
    return f"{mean} ± {100 * difference.error:.1f}{sign}"
