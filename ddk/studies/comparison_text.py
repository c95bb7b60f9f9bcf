"""A comparison as a table of texts: means, deviations, and which differences are clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ddk.studies.comparison import overlap
from ddkbase.errors import DDKError
from network.model import metrics

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["best_control", "comparison_rows", "difference_words", "markdown", "percent"]

#: what is not a control: the layers under test
_OURS = ("ddk",)
_SIZES = ("parameters", "macs", "features")


def best_control(ds: xr.Dataset) -> str | None:
    """The control (same classifier, another layer) with the highest mean accuracy, or None."""
    from ddk.studies.models import LAYERS

    names = [str(n) for n in ds["model"].values if n in LAYERS and not str(n).startswith(_OURS)]
    means = {n: _mean(ds["accuracy"].sel(model=n).values) for n in names}
    means = {n: m for n, m in means.items() if np.isfinite(m)}
    return max(means, key=lambda n: means[n]) if means else None


def comparison_rows(ds: xr.Dataset) -> tuple[list[str], list[list[str]]]:
    """Headings and texts: a row a model, accuracies in per cent.

    "DDK minus it" is the mean difference within the seeds and its standard error, with "=" where
    zero is within the 95 % interval; see `difference_words`.
    """
    voted, single = bool(ds.attrs["vote"]), ds.attrs["headline"] == "decision"
    told = f"vote over {ds.attrs['vote']}s"
    other = f"with {told}" if single else "without vote"
    second = "vote_accuracy" if single else "decision_accuracy"
    heads = ["model", "accuracy (%)", "worst", "validation"]
    heads += [other] if voted else []
    heads += ["DDK minus it", *([f"DDK minus it, {other}"] if voted else [])]
    heads += ["parameters", "MACs", "features", "s/run"]
    rows = []
    shown = ["accuracy", *([second] if voted else [])]
    ours = {}
    if "ddk" in ds["model"].values:
        ours = {key: ds[key].sel(model="ddk").values for key in shown}
    for name in map(str, ds["model"].values):
        one = ds.sel(model=name)
        reached = one["accuracy"].values
        lost = int(np.sum(one["failed"].values != ""))
        row = [
            name,
            _spread(reached) + (f", {lost} failed" if lost else ""),
            percent(np.nanmin(reached)) if np.isfinite(reached).any() else "–",
            percent(_mean(one["validation_accuracy"].values)),
        ]
        if voted:
            row.append(_spread(one[second].values))
        for key in shown:
            alone = not ours or name == "ddk"
            row.append("" if alone else _against(ours[key], one[key].values, overlap(ds)))
        row += [f"{int(one[n]):,}" if int(one[n]) else "–" for n in _SIZES]
        rows.append([*row, _seconds(_mean(one["seconds"].values))])
    return heads, rows


def markdown(ds: xr.Dataset) -> str:
    """The table of `comparison_rows` in Markdown, below it the protocol and what "=" means."""
    heads, rows = comparison_rows(ds)
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    seeds = ds.sizes["seed"]
    words = f"{ds.attrs['title']}: {seeds} seed{'s' if seeds > 1 else ''}, last epoch, mean ± "
    words += f"standard deviation. {ds.attrs['protocol']}"
    if ds.attrs["article"]:
        words += f" The article: {ds.attrs['article']}."
    told = [difference_words(ds), ""] if "ddk" in ds["model"].values else []
    return "\n".join([*lines, "", words, "", *told])


def difference_words(ds: xr.Dataset) -> str:
    """What "DDK minus it" and "=" in the table mean, and what the interval covers."""
    words = (
        "“DDK minus it”: mean of the differences within the seeds ± its standard error; “=” where "
        "zero is within the 95 % interval (Student's t"
    )
    if overlap(ds):
        return words + (
            "; the seeds draw their parts from one set, so the error has the correction of Nadeau "
            "and Bengio for parts that overlap)."
        )
    return words + (
        "). The test part is given: the interval covers the start, the batches and the validation "
        "part, not the choice of the test samples."
    )


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
        found = metrics.difference(ours, other, overlap=shared)
    except DDKError:
        return "–"
    mean = f"{round(100 * found.mean, 1) + 0.0:+.1f}"  # no -0.0
    if not np.isfinite(found.error):
        return mean
    sign = "" if found.clear else " ="
    return f"{mean} ± {100 * found.error:.1f}{sign}"
