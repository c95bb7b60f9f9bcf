"""The page of a fit: what is open first, then parameters, curves, residuals, correlation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ddkbase import html
from ddkbase.files import write_bytes
from ddkbase.pictures import BLUE, GREY, SMALL, VERMILLION, new_figure, style_axes
from devicephys.fitting.search import FitResult, interval_text

__all__ = ["curves_figure", "parameter_rows", "write_fit"]

DEVICE, REPORT = "device.yaml", "report.html"


def parameter_rows(result: FitResult) -> list[list[str]]:
    """Rows of a table: parameter, where it began, its value, 68 % and 95 % intervals, remark.

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
        rows.append(
            [
                name,
                f"{float(one['start']):.4g} {unit}",
                f"{float(one['value']):.4g} {unit}",
                interval_text(result.parameters, name, "68"),
                interval_text(result.parameters, name, "95"),
                remark,
            ]
        )
    return rows


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
    loop = data["measured"].attrs["units"] == "A"
    figure = new_figure(8.0, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    x = data["axis"].values
    measured, simulated = (1e6 * np.abs(data[name].values) for name in ("measured", "simulated"))
    upper.plot(x, measured, ".", color=GREY, markersize=3, label="measured")
    upper.plot(x, simulated, color=VERMILLION, linewidth=1.2, label="fitted device")
    upper.set_yscale("log")
    upper.legend(fontsize=SMALL, frameon=False)
    style_axes(upper, "", "|Current| (µA)" if loop else "Conductance (µS)")
    residual = np.log(simulated / measured) / data["error"].values
    lower.axhline(0.0, color="0.8", linewidth=1.0)
    lower.plot(x, residual, ".", color=BLUE, markersize=3)
    style_axes(lower, "Voltage (V)" if loop else "Pulse", "Residual (errors)")
    return figure


def _text(result: FitResult, name: str) -> str:
    parameters = result.parameters
    names = [str(p) for p in parameters["parameter"].values]
    if result.undetermined:
        opening = [
            html.warning(
                f"These data do not determine: {'; '.join(result.undetermined)}. The intervals "
                "below say so, and a value of one of them alone means nothing."
            )
        ]
    else:
        opening = [html.paragraph("The data determine every product of the free parameters.")]
    heads = ["Parameter", "Began at", "Value", "68 %", "95 %", ""]
    enlarged = float(parameters.attrs["inflation"])
    parts = [
        *opening,
        html.section(
            "Parameters",
            html.table(heads, parameter_rows(result)),
            "Intervals are Laplace's: the curvature of the misfit at its least value, in the "
            "logarithms of the parameters. They hold for this model; where the model is wrong, so "
            f"are they. The stated errors were enlarged {enlarged:.3g} times, by what the "
            "residuals scatter more.",
        ),
    ]
    for data in result.data:
        ratio = np.log10(np.abs(data["simulated"].values / data["measured"].values))
        spread = float(np.sqrt(np.mean(ratio**2)))
        text = f"{data.attrs['name']}: rms of log10 of fitted over measured {spread:.3f}"
        parts.append(
            html.section(
                str(data.attrs["name"]), html.image(curves_figure(data), text, caption=text)
            )
        )
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
    device = write_bytes(folder / DEVICE, result.device.to_yaml().encode(), overwrite=True)
    text = _text(result, result.device.name)
    return [device, write_bytes(folder / REPORT, text.encode(), overwrite=True)]
