"""Ends of several searches: which of them are other cells that fit as well.

A valley may be bent, or there may be two. Ends count as one where Laplace's intervals of the best
hold the other; of the rest those are told whose likelihood is not much lower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from ddkbase.units import format_si
from devicephys.fitting.information import Information

__all__ = ["alternative_texts", "alternatives", "starts"]

#: standard deviation of the logarithm of each parameter where a further search begins, and the
#: share of the way to a bound that it keeps
SCATTER, INSIDE = 0.2, 0.9
#: standard deviations of Laplace within which two ends are one, and by how much the logarithm of
#: the likelihood of another may be lower: 3 standard deviations
SAME, LOWER = 3.0, 4.5


def starts(bounds: tuple[np.ndarray, np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Where searches begin: the given cell, then cells drawn around it, always the same ones.

    Parameters
    ----------
    bounds : tuple of ndarray
        Least and largest logarithms over the values at the start, shape (parameters,).
    count : int
        How many.
    """
    low, high = bounds
    yield np.zeros(len(low))
    rng = np.random.default_rng(0)
    for _ in range(count - 1):
        yield np.clip(rng.normal(scale=SCATTER, size=len(low)), INSIDE * low, INSIDE * high)


def alternatives(
    best: np.ndarray,
    known: Information,
    ends: Sequence[tuple[float, np.ndarray]],
    start: np.ndarray,
    names: Sequence[str],
) -> xr.Dataset | None:
    """Other ends that fit about as well as the best.

    Parameters
    ----------
    best : ndarray
        Logarithms of the parameters over their values at the start, shape (parameters,).
    known : Information
        What the data say there.
    ends : sequence of tuple
        How much more each costs than the best, and its logarithms.
    start : ndarray
        Values of the parameters at the start.
    names : sequence of str
        Their names.

    Returns
    -------
    xarray.Dataset or None
        On ``optimum``, the likeliest first: ``loss``, by how much its log likelihood is lower [1],
        and ``value`` on (optimum, parameter); None if there is no other.
    """
    metric = np.linalg.pinv(known.covariance, hermitian=True)
    kept: list[tuple[float, np.ndarray]] = []
    for more, logs in sorted(ends, key=lambda end: end[0]):
        loss = more / known.dispersion
        apart = [logs - other for other in (best, *(one for _, one in kept))]
        near = min(float(way @ metric @ way) for way in apart) < SAME**2
        if loss < LOWER and not near:
            kept.append((loss, logs))
    if not kept:
        return None
    return xr.Dataset(
        {
            "loss": ("optimum", [loss for loss, _ in kept], {"units": "1"}),
            "value": (("optimum", "parameter"), [start * np.exp(logs) for _, logs in kept]),
        },
        coords={"parameter": list(names)},
    )


def alternative_texts(parameters: xr.Dataset, others: xr.Dataset | None) -> list[str]:
    """Each other cell in a line.

    Parameters
    ----------
    parameters : xarray.Dataset
        ``FitResult.parameters``.
    others : xarray.Dataset or None
        ``FitResult.alternatives``.
    """
    lines = []
    for k in range(0 if others is None else others.sizes["optimum"]):
        one = others.isel(optimum=k)  # type: ignore[union-attr]
        values = ", ".join(
            f"{name} {format_si(float(one['value'].sel(parameter=name)), str(unit), 4)}"
            for name, unit in zip(
                parameters["parameter"].values, parameters["unit"].values, strict=True
            )
        )
        lines.append(
            "another cell fits as well (log likelihood lower by "
            f"{float(one['loss']):.2g}): {values}"
        )
    return lines
