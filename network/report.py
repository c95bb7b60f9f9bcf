"""HTML files of a run and of a comparison: figures, tables, pictures; each needs nothing else."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from network.result import Result
    from network.task import Task

__all__ = ["comparison_text", "figures", "run_text", "search_text"]

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 62em; margin: 2em auto;
       padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; margin: 1em 0 } .wide { overflow-x: auto }
td, th { padding: .25em .7em; border-bottom: 1px solid #ddd; text-align: left;
         vertical-align: top }
td.n { white-space: nowrap; font-variant-numeric: tabular-nums }
img { max-width: 100% } code { word-break: break-all }
"""


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
    task, result : of `network.experiment.run`.
    more : further lines of the table of figures.
    """
    from network import metrics
    from network.plots_network import confusion_figure, maps_figure

    body = [f"<h1>{html.escape(task.title)}</h1>"]
    told = {**figures(result), **(more or {})}
    body.append(_table((), [[html.escape(k), html.escape(v)] for k, v in told.items()]))
    body.append(f"<p>{html.escape(task.protocol)}</p>")
    if task.article:
        body.append(f"<p>The article reports {html.escape(task.article)}.</p>")
    body.append("<h2>Confusion on the test part</h2>")
    truth, said = np.nonzero(np.asarray(result.confusion))
    counts = np.asarray(result.confusion)[truth, said]
    table = metrics.confusion(np.repeat(truth, counts), np.repeat(said, counts), result.classes)
    body.append(_image(confusion_figure(table), "confusion of the classes"))
    body += _training(result)
    if result.network is not None and result.fold is not None:
        body.append("<h2>Feature maps</h2>")
        body.append(_image(maps_figure(result.network, result.fold), "inputs and features"))
        body += ["<h2>Layers</h2>", f"<pre>{html.escape(result.network.summary())}</pre>"]
    body += _origin(result.settings)
    return _page(f"{task.title}: {result.model}", body)


def comparison_text(ds: xr.Dataset) -> str:
    """The report of a comparison as HTML."""
    from network.comparison_text import best_control, comparison_rows, difference_words
    from network.plots_network import comparison_figure

    heads, rows = comparison_rows(ds)
    seeds = ds.sizes["seed"]
    body = [f"<h1>{html.escape(str(ds.attrs['title']))}</h1>"]
    body.append(f"<p>{html.escape(str(ds.attrs['protocol']))}</p>")
    body.append(
        f"<p>{seeds} seed{'s' if seeds > 1 else ''}; last epoch; mean ± standard deviation.</p>"
    )
    cells = [[html.escape(c) for c in row] for row in rows]
    body.append(f'<div class="wide">{_table(heads, cells, numbers=True)}</div>')
    if "ddk" in ds["model"].values:
        body.append(f"<p>{html.escape(difference_words(ds))}</p>")
    best = best_control(ds)
    if best is not None:
        body.append(
            f"<p>Best control on the test part: {html.escape(best)}. The best of several that was "
            "chosen there looks a little better than it is.</p>"
        )
    if ds.attrs["article"]:
        body.append(f"<p>The article reports {html.escape(str(ds.attrs['article']))}.</p>")
    body.append(_image(comparison_figure(ds), "accuracy of every seed"))
    lost = [
        [html.escape(f"{m}, seed {s}"), html.escape(str(ds["failed"].sel(model=m, seed=s).item()))]
        for m in ds["model"].values
        for s in ds["seed"].values
        if str(ds["failed"].sel(model=m, seed=s).item())
    ]
    if lost:
        body += ["<h2>Failed runs</h2>", _table((), lost)]
    titles = zip(ds["model"].values, ds["model_title"].values, strict=True)
    body += [
        "<h2>Models</h2>",
        _table((), [[html.escape(str(t)) for t in pair] for pair in titles]),
    ]
    body += _origin({"task": json.loads(ds.attrs["task_json"])})
    return _page(str(ds.attrs["title"]), body)


def search_text(title: str, words: Sequence[str], heads: Sequence[str], rows: Any) -> str:
    """The report of a search as HTML: what was found in words, then all that was tried."""
    body = [f"<h1>{html.escape(title)}</h1>"]
    body += [f"<p>{html.escape(line)}</p>" for line in words]
    cells = [[html.escape(c) for c in row] for row in rows]
    body.append(f'<div class="wide">{_table(heads, cells, numbers=True)}</div>')
    return _page(title, body)


def _training(result: Result) -> list[str]:
    from network.plots_training import curves_figure, trajectories_figure

    if result.history is None:
        return []
    body = ["<h2>Training</h2>", _image(curves_figure(result.history), "loss and accuracy")]
    if result.alpha:
        body.append(_image(trajectories_figure(result.history), "alpha, beta and r"))
    return body


def _origin(settings: Mapping[str, Any]) -> list[str]:
    rows = [
        [html.escape(key), f"<code>{html.escape(json.dumps(value, ensure_ascii=False))}</code>"]
        for key, value in settings.items()
    ]
    return ["<h2>Settings</h2>", _table((), rows)]


def _page(title: str, body: Sequence[str]) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = False) -> str:
    """Cells are HTML already."""
    kind = ' class="n"' if numbers else ""
    lines = ["<table>"]
    if heads:
        lines.append("<tr>" + "".join(f"<th>{html.escape(h)}</th>" for h in heads) + "</tr>")
    lines += ["<tr>" + "".join(f"<td{kind}>{c}</td>" for c in row) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])


def _image(figure: Figure, text: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<p><img alt="{html.escape(text)}" src="data:image/png;base64,{data}"></p>'


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _range(ends: tuple[float, ...]) -> str:
    low, high = f"{ends[0]:.4g}", f"{ends[-1]:.4g}"
    return low if low == high else f"{low} to {high}"
