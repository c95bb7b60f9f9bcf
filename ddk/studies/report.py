"""HTML files of a run and of a comparison: figures, tables, pictures; each needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase import html as html_page
from ddkbase.html import Html

if TYPE_CHECKING:
    import xarray as xr

    from ddk.studies.result import Result
    from ddk.studies.task import Task

__all__ = ["comparison_text", "figures", "run_text", "search_text"]


def figures(result: Result) -> dict[str, str]:
    """What there is to know of a run at a glance, as texts; the same on the screen and in HTML."""
    out = {
        "task": result.task,
        "model": f"{result.model}, seed {result.seed}",
        "test part": result.held_out,
    }
    if result.test_vote:
        told = {
            "decision": ("single decisions", result.test),
            "vote": (f"{result.vote}s", result.test_vote),
        }
        for key in (result.headline, *(k for k in told if k != result.headline)):
            words, found = told[key]
            out[f"test accuracy, {words}"] = _percent(found["accuracy"])
    else:
        out["test accuracy"] = _percent(result.test["accuracy"])
    out["validation accuracy"] = _percent(result.validation_accuracy)
    out["training accuracy"] = f"{_percent(result.train_accuracy)}, single decisions"
    out["epochs"] = f"{result.epochs}; the last one counts"
    if result.parameters:
        out["parameters"] = f"{result.parameters:,}"
        out["MACs of one decision"] = f"{result.macs:,}"
    if result.features:
        out["features of one decision"] = f"{result.features:,}"
    if result.alpha:
        out["alpha"], out["beta"] = _range(result.alpha), _range(result.beta)
        out["stability"] = result.r_words
    out["time"] = f"{result.seconds:.1f} s"
    return out


def run_text(task: Task, result: Result, more: Mapping[str, str] | None = None) -> str:
    """The report of one run as HTML, with pictures of what the result still holds.

    Parameters
    ----------
    task : Task
        Task of `ddk.studies.experiment.run`.
    result : Result
        Result of `ddk.studies.experiment.run`.
    more : mapping of str to str or None, optional
        Further lines of the table of figures.
    """
    from ddk.studies.plots import confusion_figure, maps_figure
    from network.model import metrics

    body = [html_page.values({**figures(result), **(more or {})}), task.protocol]
    if task.article:
        body.append(f"The article reports {task.article}.")
    truth, said = np.nonzero(np.asarray(result.confusion))
    counts = np.asarray(result.confusion)[truth, said]
    table = metrics.confusion(np.repeat(truth, counts), np.repeat(said, counts), result.classes)
    picture = html_page.image(confusion_figure(table), "confusion of the classes")
    body.append(html_page.section("Confusion on the test part", picture))
    body += _training(result)
    if result.network is not None and result.fold is not None:
        maps = html_page.image(maps_figure(result.network, result.fold), "inputs and features")
        body.append(html_page.section("Feature maps", maps))
        layers = html_page.code(result.network.summary(), block=True)
        body.append(html_page.section("Layers", layers))
    body.append(_origin(result.settings))
    return html_page.page(f"{task.title}: {result.model}", body, heading=task.title)


def comparison_text(ds: xr.Dataset) -> str:
    """The report of a comparison as HTML."""
    from ddk.studies.comparison_text import best_control, comparison_rows, difference_words
    from ddk.studies.plots import comparison_figure

    heads, rows = comparison_rows(ds)
    seeds = ds.sizes["seed"]
    body = [
        str(ds.attrs["protocol"]),
        f"{seeds} seed{'s' if seeds > 1 else ''}; last epoch; mean ± standard deviation.",
        html_page.table(heads, rows, numbers=True),
    ]
    if "ddk" in ds["model"].values:
        body.append(difference_words(ds))
    best = best_control(ds)
    if best is not None:
        body.append(
            f"Best control on the test part: {best}. The best of several that was "
            "chosen there looks a little better than it is."
        )
    if ds.attrs["article"]:
        body.append(f"The article reports {ds.attrs['article']}.")
    body.append(html_page.image(comparison_figure(ds), "accuracy of every seed"))
    lost = [
        [f"{m}, seed {s}", str(ds["failed"].sel(model=m, seed=s).item())]
        for m in ds["model"].values
        for s in ds["seed"].values
        if str(ds["failed"].sel(model=m, seed=s).item())
    ]
    if lost:
        body.append(html_page.section("Failed runs", html_page.table((), lost)))
    titles = list(zip(ds["model"].values, ds["model_title"].values, strict=True))
    body.append(html_page.section("Models", html_page.table((), titles)))
    body.append(_origin({"task": json.loads(ds.attrs["task_json"])}))
    return html_page.page(str(ds.attrs["title"]), body)


def search_text(title: str, words: Sequence[str], heads: Sequence[str], rows: Any) -> str:
    """The report of a search as HTML: what was found in words, then all that was tried."""
    return html_page.page(title, [*words, html_page.table(heads, rows, numbers=True)])


def _training(result: Result) -> list[str]:
    from network.plots.training import curves_figure, trajectories_figure

    if result.history is None:
        return []
    body = [html_page.image(curves_figure(result.history), "loss and accuracy")]
    if result.alpha:
        body.append(html_page.image(trajectories_figure(result.history), "alpha, beta and r"))
    return [html_page.section("Training", *body)]


def _origin(settings: Mapping[str, Any]) -> Html:
    told = {k: html_page.code(json.dumps(v, ensure_ascii=False)) for k, v in settings.items()}
    return html_page.section("Settings", html_page.values(told))


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _range(ends: tuple[float, ...]) -> str:
    low, high = f"{ends[0]:.4g}", f"{ends[-1]:.4g}"
    return low if low == high else f"{low} to {high}"
