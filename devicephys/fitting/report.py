"""The page of a fit: what is open first, then parameters, curves, residuals, correlation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ddkbase import html
from ddkbase.files import write_bytes
from ddkbase.pictures import BLUE, GREY, SMALL, VERMILLION, new_figure, style_axes
from ddkbase.units import format_si
from devicephys.fitting.information import LEVELS, alternative_texts
from devicephys.fitting.result import (
    FitResult,
    interval_text,
    refined_text,
    suggestion_texts,
    together_text,
)

__all__ = ["curves_figure", "parameter_rows", "posterior_figure", "profiles_figure", "write_fit"]

DEVICE, REPORT, PARAMETERS, SAMPLES, POPULATION = (
    "device.yaml", "report.html", "parameters.csv", "posterior.csv", "population.csv",
)  # fmt: skip


def parameter_rows(result: FitResult) -> list[list[str]]:
    """Rows of a table: parameter, where it began, its value, 68 % and 95 % intervals, remark.

    Where profiles were computed their 95 % interval comes before the remark.

    Parameters
    ----------
    result : FitResult
        What ``fit_device`` gives.

    Returns
    -------
    list of list of str
        One row a parameter.
    """
    rows = []
    for name in map(str, result.parameters["parameter"].values):
        one = result.parameters.sel(parameter=name)
        unit = str(one["unit"].item())
        remark = "at its bound" if bool(one["at_bound"]) else ""
        row = [
            name,
            format_si(float(one["start"]), unit),
            format_si(float(one["value"]), unit),
            interval_text(result.parameters, name, "68"),
            interval_text(result.parameters, name, "95"),
        ]
        if result.profiles:
            followed = name in result.profiles
            row.append(interval_text(result.parameters, name, "95", "profile_") if followed else "")
        if result.posterior is not None:
            row += [interval_text(result.parameters, name, w, "posterior_") for w in ("68", "95")]
        rows.append([*row, remark])
    return rows


def parameter_heads(result: FitResult) -> list[str]:
    """Headings of `parameter_rows`.

    Parameters
    ----------
    result : FitResult
        What ``fit_device`` gives.

    Returns
    -------
    list of str
        As many as a row has cells.
    """
    profiled = ["95 %, profile"] if result.profiles else []
    sampled = [] if result.posterior is None else ["68 %, posterior", "95 %, posterior"]
    return ["Parameter", "Began at", "Value", "68 %", "95 %", *profiled, *sampled, ""]


def curves_figure(data: xr.Dataset) -> Figure:
    """Draw what was measured and what the fitted device does, and the residuals below.

    Parameters
    ----------
    data : xarray.Dataset
        One of ``FitResult.data``.

    Returns
    -------
    matplotlib.figure.Figure
        Curves above, residuals in standard deviations below.
    """
    loop, bake = data["measured"].attrs["units"] == "A", data["axis"].attrs["units"] == "s"
    figure = new_figure(8.0, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    x = data["axis"].values
    measured, simulated = (1e6 * np.abs(data[name].values) for name in ("measured", "simulated"))
    factor = np.exp(1.96 * data["spread"].values)
    # no line from one polarity to the other
    turns = np.flatnonzero(np.diff(np.sign(x)) != 0) + 1 if loop else np.array([], dtype=int)
    along, line, factor = (np.insert(v, turns, np.nan) for v in (x, simulated, factor))
    upper.fill_between(
        along,
        line / factor,
        line * factor,
        where=np.nan_to_num(factor, nan=np.inf) < 1e3,  # what says nothing has no band
        color=VERMILLION,
        alpha=0.2,
        linewidth=0.0,
        label="95 %, of the parameters",
    )
    upper.plot(x, measured, ".", color=GREY, markersize=3, label="measured")
    upper.plot(along, line, color=VERMILLION, linewidth=1.2, label="fitted device")
    if bake:
        upper.set_xscale("symlog", linthresh=float(x[x > 0].min()))
    upper.set_yscale("log")
    upper.legend(fontsize=SMALL, frameon=False)
    style_axes(upper, "", "|Current| (µA)" if loop else "Conductance (µS)")
    residual = np.log(simulated / measured) / data["error"].values
    lower.axhline(0.0, color="0.8", linewidth=1.0)
    lower.plot(x, residual, ".", color=BLUE, markersize=3)
    style_axes(lower, str(data.attrs["axis_label"]), "Residual (errors)")
    return figure


def profiles_figure(result: FitResult) -> Figure:
    """Draw the profile likelihoods and, dashed, what Laplace's parabola says.

    Parameters
    ----------
    result : FitResult
        With profiles.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each parameter: the signed root of twice the loss of log likelihood against the
        parameter over its best value.
    """
    count = len(result.profiles)
    columns = min(count, 3)
    rows = -(-count // columns)
    figure = new_figure(2.9 * columns, 2.5 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (name, one) in zip(panels, result.profiles.items(), strict=False):
        p = result.parameters.sel(parameter=name)
        best = np.log(float(p["value"] / p["start"]))
        spread = abs(np.log(float(p["high68"] / p["value"])))
        x = np.exp(one.logs - best)
        if np.isfinite(spread):
            ax.plot(x, (one.logs - best) / spread, "--", color=GREY, linewidth=1.0)
        ax.plot(x, one.root, "o-", color=BLUE, markersize=3, linewidth=1.2)
        for level in LEVELS.values():
            for sign in (-1, 1):
                ax.axhline(sign * level, color="0.85", linewidth=0.8, zorder=0)
        ax.set_ylim(-3.2, 3.2)
        if x.max() / x.min() > 10.0:
            ax.set_xscale("log")
        style_axes(ax, f"{name.rpartition('.')[2]} / best", "Signed root of loss")
    for ax in panels[count:]:
        ax.set_visible(False)
    return figure


def _scaled(name: str, unit: str, samples: np.ndarray) -> tuple[str, np.ndarray]:
    """A label of two lines and the samples without the power of ten that goes into it."""
    power = int(np.floor(np.log10(np.median(np.abs(samples)))))
    power = 0 if -2 <= power < 4 else power
    factor = f"1e{power} " if power else ""
    return f"{name.rpartition('.')[2]}\n({factor}{unit})", samples / 10.0**power


def posterior_figure(posterior: xr.Dataset) -> Figure:
    """Draw samples of the posterior, each pair of parameters and each by itself.

    Parameters
    ----------
    posterior : xarray.Dataset
        ``FitResult.posterior``.

    Returns
    -------
    matplotlib.figure.Figure
        Histograms on the diagonal, samples below it.
    """
    columns = [
        _scaled(str(name), str(unit), samples)
        for name, unit, samples in zip(
            posterior["parameter"].values,
            posterior["unit"].values,
            posterior["value"].transpose("parameter", "sample").values,
            strict=True,
        )
    ]
    labels, values = [label for label, _ in columns], [column for _, column in columns]
    count = len(labels)
    figure = new_figure(1.9 * count + 0.8, 1.8 * count + 0.6)
    panels = figure.subplots(count, count, squeeze=False)
    for i, row in enumerate(panels):
        for j, ax in enumerate(row):
            if j > i:
                ax.set_visible(False)
                continue
            if i == j:
                ax.hist(values[i], bins=30, color=BLUE)
                ax.set_yticks([])
            else:
                ax.plot(values[j], values[i], ".", color=BLUE, markersize=1.5, alpha=0.4)
            style_axes(ax, labels[j] if i == count - 1 else "", labels[i] if j == 0 and i else "")
            ax.xaxis.label.set_size(SMALL)
            ax.yaxis.label.set_size(SMALL)
            ax.tick_params(labelsize=SMALL - 1.5)
            ax.locator_params(nbins=3)
    return figure


def misfit_text(data: xr.Dataset) -> str:
    """How far the fitted device is from what was measured.

    Parameters
    ----------
    data : xarray.Dataset
        One of ``FitResult.data`` or ``FitResult.predicted``.

    Returns
    -------
    str
        Root mean square of log10, and the share of values within 95 % of error and band.
    """
    logs = np.log(np.abs(data["simulated"].values / data["measured"].values))
    error = np.hypot(data["error"].values, data["spread"].values)
    inside = float(np.mean(np.abs(logs) <= 1.96 * error))
    return (
        f"rms of log10 of fitted over measured {np.sqrt(np.mean(logs**2)) / np.log(10):.3f}; "
        f"{100 * inside:.0f} % of the values within 95 % of stated error and band"
    )


def _beyond_laplace(result: FitResult) -> list[html.Html]:
    """Profiles and samples of the posterior, where they were asked for."""
    parts: list[html.Html] = []
    if result.profiles:
        text = (
            "Signed root of twice the loss of log likelihood, the other parameters fitted anew; "
            "dashed what Laplace's intervals assume; lines at 68 and 95 %"
        )
        parts.append(
            html.section(
                "Profile likelihood",
                html.image(profiles_figure(result), text, caption=text),
                "A side that does not reach a line within the bounds is open.",
            )
        )
    if (posterior := result.posterior) is not None:
        drawn = posterior.attrs
        text = (
            f"{posterior.sizes['sample']} samples by emcee on an emulator of the solves, whose log "
            f"likelihood at {drawn['emulator_tests']} left-out solves is off by "
            f"{drawn['emulator_error']:.2g} (rms; above about 1 the samples are no better than "
            f"Laplace's intervals). Acceptance {drawn['acceptance']:.2f}, autocorrelation "
            f"{drawn['autocorrelation']:.0f} steps."
        )
        parts.append(
            html.section(
                "Posterior", html.image(posterior_figure(posterior), "Samples", wide=True), text
            )
        )
    return parts


def _opening(result: FitResult) -> list[html.Html]:
    """What the data leave open, what failed, and what would tell more."""
    if result.undetermined:
        opening = [
            html.warning(
                f"These data do not determine: {'; '.join(result.undetermined)}. The intervals "
                "below say so, and a value of one of them alone means nothing."
            )
        ]
    else:
        opening = [html.paragraph("The data determine every product of the free parameters.")]
    opening += [
        html.warning(f"{text}. The intervals below are those of one of them.")
        for text in alternative_texts(result.parameters, result.alternatives)
    ]
    opening += [html.warning(f"{text}.") for text in result.failures]
    for says in (together_text, refined_text):
        if text := says(result.parameters):
            opening.append(html.paragraph(f"{text[0].upper()}{text[1:]}."))
    if texts := suggestion_texts(result):
        opening.append(
            html.section(
                "What would tell more",
                "Simulated with the fitted device, each value known to 5 %; what the open products "
                "would then be known to, the most telling first.",
                html.table(["Measurement", "Would leave"], [text.split(": ", 1) for text in texts]),
            )
        )
    return opening


def _text(result: FitResult, name: str) -> str:
    parameters = result.parameters
    names = [str(p) for p in parameters["parameter"].values]
    enlarged = float(parameters.attrs["inflation"])
    parts = [
        *_opening(result),
        html.section(
            "Parameters",
            html.table(parameter_heads(result), parameter_rows(result)),
            "Intervals are Laplace's: the curvature of the misfit at its least value, in the "
            "logarithms of the parameters. They hold for this model; where the model is wrong, so "
            f"are they. The stated errors were enlarged {enlarged:.3g} times, by what the "
            "residuals scatter more.",
        ),
    ]
    for held, data in (*((False, d) for d in result.data), *((True, d) for d in result.predicted)):
        text = f"{data.attrs['name']}: {misfit_text(data)}"
        heading = f"{data.attrs['name']}{', held out' * held}"
        parts.append(html.section(heading, html.image(curves_figure(data), text, caption=text)))
    parts += _beyond_laplace(result)
    rows = [
        [
            "of any size" if not np.isfinite(spread) else f"{spread:.3g}",
            *(f"{x:+.3f}" for x in exponents),
        ]
        for spread, exponents in zip(
            parameters["spread"].values, parameters["exponents"].values, strict=True
        )
    ]
    parts.append(
        html.section(
            "What the data know",
            "Each row is a product of powers of the parameters, the least known first, with the "
            "standard deviation of its logarithm by the data alone and the exponents.",
            html.table(["Deviation", *names], rows),
        )
    )
    matrix = [
        [one, *(f"{x:+.2f}" for x in row)]
        for one, row in zip(names, parameters["correlation"].values, strict=True)
    ]
    parts.append(html.section("Correlation", html.table(["", *names], matrix)))
    parts.append(
        html.section(
            "The search",
            f"{result.solves} solves of all data, {result.reason}; rms of the residuals "
            f"{result.misfit:.3g} errors, of log10 of fitted over measured "
            f"{result.log_misfit:.3f}.",
        )
    )
    return html.page(f"Fit of {name}", parts)


def write_fit(result: FitResult, folder: Path) -> list[Path]:
    """Write ``device.yaml``, ready for ``--device``, and ``report.html`` into a folder.

    Besides ``parameters.csv``, all intervals, and if samples were drawn ``posterior.csv`` and
    ``population.csv``: the same as devices of a campaign, a column for each path.

    Parameters
    ----------
    result : FitResult
        What ``fit_device`` gives.
    folder : Path
        The folder; files of an earlier fit in it are replaced.

    Raises
    ------
    StorageError
        A file cannot be written.
    """
    table = result.parameters.drop_dims(["direction", "other"]).to_dataframe()
    texts = {
        DEVICE: result.device.to_yaml(),
        PARAMETERS: table.to_csv(float_format="%.8g"),
        REPORT: _text(result, result.device.name),
    }
    if result.posterior is not None:
        texts[SAMPLES] = result.posterior["value"].to_pandas().to_csv(float_format="%.8g")
        texts[POPULATION] = result.population().to_csv()
    return [
        write_bytes(folder / name, text.encode(), overwrite=True) for name, text in texts.items()
    ]
