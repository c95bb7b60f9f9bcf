"""What a fit gives, and what it tells on the way."""

from __future__ import annotations

import dataclasses

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, Interrupted
from ddkbase.units import format_si
from devicephys.device import Device
from devicephys.device.entries import parameter_value
from devicephys.fitting.information import LEVELS, Information, Profile, correlation
from devicephys.population.listed import ListedDevices

__all__ = [
    "FitEvent",
    "FitInterrupted",
    "FitResult",
    "factor_text",
    "interval_text",
    "parameter_table",
    "refined_text",
    "suggestion_texts",
    "together_text",
]

#: share of the way to the nearer bound within which a value stands at it
AT_BOUND = 1e-3


@dataclasses.dataclass(frozen=True)
class FitEvent:
    """A solve of all data that ended.

    Attributes
    ----------
    solve : int
        Its number, from 1.
    most : int
        How many are allowed.
    misfit : float
        Root mean of twice what is made small, in standard deviations [1]: of ``loss: linear`` and
        without priors the root mean square of the residuals; else large ones count less.
    best : float
        That of the best solve so far [1].
    failed : bool
        Whether the solver gave up.
    seconds : float
        Mean time of a solve [s].
    finer : bool, default False
        Whether the best cell is now solved on the finer mesh, which takes several times as long.
    """

    solve: int
    most: int
    misfit: float
    best: float
    failed: bool
    seconds: float
    finer: bool = False


@dataclasses.dataclass(frozen=True)
class FitResult:
    """What a fit found.

    Attributes
    ----------
    device : Device
        The fitted device, its free parameters marked "calibrated".
    parameters : xarray.Dataset
        On ``parameter``: ``value``, ``start``, ``lower`` and ``upper`` of the bounds, in ``unit``,
        ``low68``, ``high68``, ``low95``, ``high95`` (Laplace), ``at_bound``; in ``attrs`` what the
        stated errors were multiplied with (``inflation``) and how many neighbouring samples count
        as one (``together``), its root included; where asked for,
        ``profile_low68`` and so on, NaN where the bounds are reached first, and ``posterior_low68``
        and so on, quantiles of the samples; where a finer mesh was taken into account (its preset
        is in ``attrs``), ``refined``, the logarithm that this moved each by. On ``direction``, the
        least known first: ``spread``, the standard deviation of its logarithm by the data alone,
        and ``exponents`` on (direction, parameter). ``correlation`` on (parameter, other).
    data : list of xarray.Dataset
        Measured and simulated values of each data set, with the error that was assumed and the
        standard deviation of the simulated logarithms that follows from that of the parameters.
    predicted : list of xarray.Dataset
        The same of what was held out.
    profiles : dict of str to Profile
        The profile likelihoods that were asked for.
    posterior : xarray.Dataset or None
        ``value`` of the parameters on (sample, parameter), their ``unit``, and how far the emulator
        is off.
    suggestions : xarray.Dataset or None
        Further measurements, the most telling first, with the ``spread`` that they would leave of
        the open directions, on (experiment, direction) [1].
    undetermined : list of str
        Products of powers of parameters that the data do not determine to a quarter.
    failures : list of str
        What was asked for beside the fit and could not be had, and why.
    misfit : float
        Root mean square of the residuals, in standard deviations [1].
    log_misfit : float
        Root mean square of log10 of simulated over measured, over all data [1].
    solves : int
        Simulations of all data, sensitivities included.
    reason : str
        Why the search ended.
    alternatives : xarray.Dataset or None
        Other cells that fit about as well, found by searches from other starts: ``loss`` of the log
        likelihood on ``optimum`` [1], ``value`` on (optimum, parameter).
    paths : dict of str to tuple of str
        The dotted paths of each parameter; those after the first keep their ratio to it.
    """

    device: Device
    parameters: xr.Dataset
    data: list[xr.Dataset]
    predicted: list[xr.Dataset]
    profiles: dict[str, Profile]
    posterior: xr.Dataset | None
    suggestions: xr.Dataset | None
    undetermined: list[str]
    failures: list[str]
    misfit: float
    log_misfit: float
    solves: int
    reason: str
    alternatives: xr.Dataset | None
    paths: dict[str, tuple[str, ...]]

    def population(self) -> ListedDevices:
        """The samples of the posterior as the devices of a campaign, a column for each path.

        Raises
        ------
        InputError
            No samples were drawn.
        """
        if self.posterior is None:
            hint = "Fit with posterior: 2000"
            raise InputError("the fit has no samples of the posterior", "population", hint)
        samples = self.posterior["value"].transpose("sample", "parameter")
        owners = [(name, path) for name, paths in self.paths.items() for path in paths]
        columns = [
            samples.sel(parameter=name).values
            * (parameter_value(self.device, path) / parameter_value(self.device, first))
            for name, path in owners
            for first in self.paths[name][:1]
        ]
        paths = tuple(path for _, path in owners)
        units = tuple(self.device.provenance[path].unit for path in paths)
        rows = tuple(zip(*(column.tolist() for column in columns), strict=True))
        return ListedDevices(paths, units, rows, f"posterior of {self.device.name}")


class FitInterrupted(Interrupted):
    """The user stopped a fit.

    Parameters
    ----------
    where : str
        The solve that was under way.
    result : FitResult or None
        The best so far, or None.
    """

    def __init__(self, where: str, result: FitResult | None) -> None:
        super().__init__("interrupted", where, "Go on with --resume")
        self.result = result


def factor_text(spread: float) -> str:
    return f"{np.exp(spread):.3g}" if spread < 50 else "of any size"


def parameter_table(
    columns: dict[str, np.ndarray],
    logs: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    known: Information,
    profiles: dict[str, Profile],
    posterior: xr.Dataset | None = None,
) -> xr.Dataset:
    """``FitResult.parameters``.

    ``columns`` has the ``parameter`` names, their ``unit``, ``start``, ``lower`` and ``upper``;
    ``logs`` and ``bounds`` are logarithms over the values at the start.
    """
    names, start = [str(name) for name in columns.pop("parameter")], columns["start"]
    spread = np.sqrt(np.diag(known.covariance))
    value = start * np.exp(logs)
    low, high = bounds
    near = np.minimum(logs - low, high - logs) < AT_BOUND * (high - low)
    columns = {"value": value, **columns, "at_bound": near}
    with np.errstate(over="ignore"):
        for name, width in (("68", 1.0), ("95", 1.96)):
            ends = np.sort(
                [value * np.exp(-width * spread), value * np.exp(width * spread)], axis=0
            )
            columns |= {f"low{name}": ends[0], f"high{name}": ends[1]}
    if profiles:
        for name, level in LEVELS.items():
            found = np.full((2, len(value)), np.nan)
            for parameter, one in profiles.items():
                at = names.index(parameter)
                moved = start[at] * np.exp([one.end(-level), one.end(level)])
                found[:, at] = np.sort(moved)
            columns |= {f"profile_low{name}": found[0], f"profile_high{name}": found[1]}
    if posterior is not None:
        samples = posterior["value"].transpose("sample", "parameter").values
        for name, outside in (("68", 0.3173 / 2), ("95", 0.025)):
            ends = np.quantile(samples, [outside, 1.0 - outside], axis=0)
            columns |= {f"posterior_low{name}": ends[0], f"posterior_high{name}": ends[1]}
    ds = xr.Dataset(
        {name: ("parameter", column) for name, column in columns.items()},
        coords={"parameter": names},
        attrs={"inflation": known.inflation, "together": known.together},
    )
    ds["spread"] = ("direction", known.spread, {"units": "1"})
    ds["exponents"] = (("direction", "parameter"), known.directions, {"units": "1"})
    ds["correlation"] = correlation(known, names)
    return ds


def together_text(parameters: xr.Dataset) -> str:
    """That residuals go together, in one line; empty where they do not.

    Parameters
    ----------
    parameters : xarray.Dataset
        Of `FitResult`.
    """
    count = parameters.attrs["together"]
    if count < 1.5:
        return ""
    return (
        f"residuals go together: {count:.2g} neighbouring samples count as one, as the model, its "
        "mesh or the measurement is off in the same sense there"
    )


def refined_text(parameters: xr.Dataset) -> str:
    """What a finer mesh has made of the parameters, in one line; empty without one.

    Parameters
    ----------
    parameters : xarray.Dataset
        Of `FitResult`.
    """
    if "refined" not in parameters:
        return ""
    shares = zip(parameters["parameter"].values, parameters["refined"].values, strict=True)
    moved = ", ".join(f"{name} by {100.0 * np.expm1(log):+.2g} %" for name, log in shares)
    return f"the mesh of preset {parameters.attrs['refined']} has moved {moved}"


def suggestion_texts(result: FitResult) -> list[str]:
    """What each further measurement would leave of the open products, one line each.

    Parameters
    ----------
    result : FitResult
        What ``fit_device`` gives.

    Returns
    -------
    list of str
        Empty where nothing is open or no suggestions were asked for.
    """
    if result.suggestions is None:
        return []
    names = [text.partition(" (known")[0] for text in result.undetermined]
    lines = []
    for name in result.suggestions["experiment"].values:
        spreads = result.suggestions["spread"].sel(experiment=name).values
        left = (f"{n} to a factor {factor_text(s)}" for n, s in zip(names, spreads, strict=True))
        lines.append(f"{name}: {'; '.join(left)}")
    return lines


def interval_text(parameters: xr.Dataset, name: str, width: str = "68", prefix: str = "") -> str:
    """The interval of a parameter as text, "1.2e+04 S/m to 1.4e+04 S/m"."""
    one = parameters.sel(parameter=name)
    unit = str(one["unit"].item())
    ends = (float(one[f"{prefix}{end}{width}"]) for end in ("low", "high"))
    return " to ".join(format_si(end, unit, 4) if np.isfinite(end) else "any" for end in ends)
