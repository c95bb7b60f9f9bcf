"""What a fit returns: `AlphaBetaFit` for one train, a dataset for many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from compact.fitting.batch import Fitted
from compact.fitting.diagnostics import autocorrelation, durbin_watson
from compact.fitting.model import PARAMETERS
from compact.fitting.trains import Trains
from ddkbase.records import label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AlphaBetaFit", "Columns", "dataset"]

_FLOATS = (
    "condition",
    "residual",
    "residual_autocorrelation",
    "durbin_watson",
)
_NAMES = {
    "alpha": "alpha",
    "beta": "beta",
    "conductance_min": "conductance at y = 0",
    "conductance_max": "conductance at y = 1",
}


class Columns:
    """The results of a batch, filled in group by group; conductances in the unit of the data."""

    def __init__(self, trains: Trains, integrator: str) -> None:
        n, number = trains.values.shape
        self.trains = trains
        self.unfinished = "the fit did not converge"
        if integrator == "explicit":
            self.unfinished += ", explicit Euler being unstable near the optimum"
        self.theta = np.full((number, 4), np.nan)
        self.errors = np.full((number, 4), np.nan)
        self.covariance = np.full((number, 4, 4), np.nan)
        self.correlation = np.full((number, 4, 4), np.nan)
        self.at_bound = np.zeros((number, 4), bool)
        self.floats = {name: np.full(number, np.nan) for name in _FLOATS}
        self.converged = np.zeros(number, bool)
        self.steps = np.zeros(number, int)
        self.reasons = trains.reasons.copy()
        self.notes = np.full(number, "", dtype=object)
        self.fitted = np.full((number, n), np.nan)
        self.every = 1  # pulses from one read that was fitted to the next

    def put(self, index: np.ndarray, group: Trains, fits: Fitted, mirrored: bool) -> None:
        """Take over the fits of the trains ``index``."""
        theta, diagnosis = fits.theta.copy(), fits.diagnosis
        scale = np.ones_like(theta)
        scale[:, 2:] = group.span[:, None]
        order = [0, 1, 3, 2] if mirrored else [0, 1, 2, 3]
        curve = fits.curve
        if mirrored:  # the state counts from the top of the window
            theta[:, 2:], curve = 1 - theta[:, 2:], 1 - curve
            scale[:, 2:] *= -1
        theta[:, 2:] = group.low[:, None] + group.span[:, None] * theta[:, 2:]
        self.theta[index] = theta[:, order]
        self.errors[index] = (np.abs(scale) * diagnosis.errors)[:, order]
        with np.errstate(over="ignore", under="ignore"):
            outer = scale[:, :, None] * scale[:, None, :]
        sign = np.sign(outer)
        self.covariance[index] = (outer * diagnosis.covariance)[:, order][:, :, order]
        self.correlation[index] = (sign * diagnosis.correlation)[:, order][:, :, order]
        self.at_bound[index] = diagnosis.at_bound[:, order]
        self.floats["condition"][index] = diagnosis.condition
        self.floats["residual"][index] = fits.squares
        self.floats["residual_autocorrelation"][index] = autocorrelation(
            fits.residual, group.weights
        )
        self.floats["durbin_watson"][index] = durbin_watson(fits.residual, group.weights)
        self.converged[index] = fits.converged
        self.steps[index] = fits.steps
        self.notes[index] = diagnosis.notes
        self.reasons[index[~fits.converged]] = self.unfinished
        fitted = (group.low + group.span * curve).T
        self.fitted[index] = np.where(group.weights.T > 0, fitted, np.nan)

    def per_pulse(self, thinned: int) -> None:
        """Turn alpha and beta of ``thinned`` pulses into those of one."""
        scale = np.array([1 / thinned, 1 / thinned, 1.0, 1.0])
        self.theta *= scale
        self.errors *= scale
        self.covariance *= scale[:, None] * scale
        self.every = thinned

    def strike_out(self, gone: np.ndarray, reason: str) -> None:
        """Mark trains, by number, of which a fit knows beta from below only: what it returns as
        their alpha and beta is its start, or anything beyond."""
        self.reasons[gone] = reason
        self.notes[gone] = ""
        self.theta[gone, :2] = self.errors[gone, :2] = np.nan
        self.covariance[gone] = self.correlation[gone] = np.nan


def dataset(columns: Columns, attrs: dict[str, Any]) -> xr.Dataset:
    """The fits of a batch.

    Variables on ``train``: alpha, beta, conductance_min, conductance_max and ``*_stderr`` of each,
    correlation (of alpha and beta), condition, residual (R, on the scale where the train spans 0
    to 1), residual_autocorrelation, durbin_watson, determined, note, valid, reason, converged,
    n_pulses, steps, direction; on ``train`` and ``parameter``: at_bound; with ``parameter_2``:
    covariance; on ``train`` and ``sample`` (0: before the first pulse): conductance, fitted; on
    ``pulse``, after ``train`` where trains have inputs of their own: x.
    """
    unit = "1" if attrs["normalised"] else "S"
    trains = columns.trains
    data: dict[str, xr.Variable] = {}
    for k, name in enumerate(PARAMETERS):
        units = unit if k > 1 else "1"
        data[name] = label(columns.theta[:, k], "train", units, _NAMES[name])
        text = f"standard error of {_NAMES[name]}"
        data[f"{name}_stderr"] = label(columns.errors[:, k], "train", units, text)
    per_train = {
        "correlation": (columns.correlation[:, 0, 1], "correlation of alpha and beta"),
        "condition": (columns.floats["condition"], "condition number of the scaled Jacobian"),
        "residual": (columns.floats["residual"], "sum of squared residuals, normalised"),
        "residual_autocorrelation": (
            columns.floats["residual_autocorrelation"],
            "autocorrelation of the residuals from pulse to pulse",
        ),
        "durbin_watson": (columns.floats["durbin_watson"], "Durbin-Watson statistic"),
        "determined": (
            (columns.notes == "") & (columns.reasons == ""),
            "whether the train determines both alpha and beta",
        ),
        "note": (columns.notes.astype(str), "why alpha and beta are not determined"),
        "valid": (columns.reasons == "", "whether the train was fitted"),
        "reason": (columns.reasons.astype(str), "why the train was not fitted"),
        "converged": (columns.converged, "whether the fit converged"),
        "n_pulses": (columns.every * trains.lengths, "number of pulses"),
        "steps": (columns.steps, "evaluations of the model"),
        "direction": (np.where(trains.up, "up", "down"), "which way the conductance goes"),
    }
    for name, (array, text) in per_train.items():
        data[name] = label(array, "train", "1", text)
    data["at_bound"] = label(
        columns.at_bound, ("train", "parameter"), "1", "whether the optimum is at a bound"
    )
    data["covariance"] = label(
        columns.covariance, ("train", "parameter", "parameter_2"), "1", "covariance, in SI units"
    )
    there = (trains.weights.T > 0) & (trains.reasons == "")[:, None]
    values = np.where(there, (trains.low + trains.span * trains.values).T, np.nan)
    data["conductance"] = label(values, ("train", "sample"), unit, "conductance")
    data["fitted"] = label(columns.fitted, ("train", "sample"), unit, "fitted conductance")
    alike = trains.x.shape[1] == 1
    inputs, on = (trains.x[:, 0], ("pulse",)) if alike else (trains.x.T, ("train", "pulse"))
    data["x"] = label(inputs, on, "1", "input of a pulse")
    names = np.array(PARAMETERS)
    coords = {
        "parameter": label(names, "parameter", "1", "parameter"),
        "parameter_2": label(names, "parameter_2", "1", "parameter"),
        "sample": label(
            columns.every * np.arange(values.shape[1]), "sample", "1", "pulses applied"
        ),
    }
    return xr.Dataset(data, coords, attrs)


@dataclass(frozen=True, repr=False)
class AlphaBetaFit:
    """The fit of one train; conductances in S, or in the unit of normalised data.

    Attributes
    ----------
    alpha, beta, conductance_min, conductance_max : float
        The optimum.
    alpha_stderr, beta_stderr, conductance_min_stderr, conductance_max_stderr : float
        Standard errors; NaN where the parameter is at a bound or was not fitted.
    covariance, correlation : ndarray, shape (4, 4)
        Covariances and correlations, in the order of ``parameters``; NaN likewise.
    condition : float
        Condition of the Jacobian with columns of unit length.
    at_bound : dict of str to bool
        Which of the parameters are at a bound.
    residual_sum : float
        Sum of squared residuals R, on the scale where the train spans 0 to 1.
    residual_autocorrelation, durbin_watson : float
        Autocorrelation of neighbouring residuals, and their Durbin-Watson number.
    determined : bool
        Whether the train determines alpha and beta.
    note : str
        Why it does not; empty if it does.
    valid : bool
        Whether the train was fitted.
    reason : str
        Why it was not; empty if it was.
    n_pulses : int
        Number of pulses of the train.
    direction : {"down", "up"}
        Which way the train goes.
    method, integrator : str
        How it was fitted, as in `compact.fit_many`.
    units : {"S", "1"}
        Unit of the conductances.
    mirror : bool, default False
        Whether it is an up train fitted as the mirror image of a down train, by Eq. (4): the
        distance from ``conductance_max`` over the window is y.
    conductance, fitted : ndarray, shape (n_pulses + 1,)
        The train and the curve.
    """

    alpha: float
    beta: float
    conductance_min: float
    conductance_max: float
    alpha_stderr: float
    beta_stderr: float
    conductance_min_stderr: float
    conductance_max_stderr: float
    covariance: np.ndarray
    correlation: np.ndarray
    condition: float
    at_bound: dict[str, bool]
    residual_sum: float
    residual_autocorrelation: float
    durbin_watson: float
    determined: bool
    note: str
    valid: bool
    reason: str
    n_pulses: int
    direction: str
    method: str
    integrator: str
    units: str
    conductance: np.ndarray
    fitted: np.ndarray
    mirror: bool = False

    parameters = PARAMETERS

    @classmethod
    def from_dataset(cls, ds: xr.Dataset, train: int = 0) -> AlphaBetaFit:
        """The fit number ``train``, from 0, of ``ds``, a dataset of `compact.fit_many`."""
        fit = ds.isel(train=train)
        covariance = fit["covariance"].values
        errors = np.sqrt(np.diag(covariance))
        with np.errstate(invalid="ignore"):
            correlation = covariance / np.outer(errors, errors)
        length = int(fit["n_pulses"]) // int(ds.attrs.get("thinned", 1)) + 1
        floats = [*PARAMETERS, *(f"{name}_stderr" for name in PARAMETERS)]
        return cls(
            **{name: float(fit[name]) for name in floats},
            covariance=covariance,
            correlation=correlation,
            condition=float(fit["condition"]),
            at_bound=dict(zip(PARAMETERS, fit["at_bound"].values.tolist(), strict=True)),
            residual_sum=float(fit["residual"]),
            residual_autocorrelation=float(fit["residual_autocorrelation"]),
            durbin_watson=float(fit["durbin_watson"]),
            determined=bool(fit["determined"]),
            note=str(fit["note"].values),
            valid=bool(fit["valid"]),
            reason=str(fit["reason"].values),
            n_pulses=int(fit["n_pulses"]),
            direction=str(fit["direction"].values),
            method=str(ds.attrs["method"]),
            integrator=str(ds.attrs["integrator"]),
            units=str(ds["conductance_min"].attrs["units"]),
            conductance=fit["conductance"].values[:length],
            fitted=fit["fitted"].values[:length],
            mirror=bool(ds.attrs.get("mirror", 0)) and str(fit["direction"].values) == "up",
        )

    def __repr__(self) -> str:
        mirrored = " (fitted as the mirror image of a down train)" if self.mirror else ""
        title = f"AlphaBetaFit: {self.n_pulses} pulses {self.direction}{mirrored}, "
        lines = [title + f"method {self.method}, {self.integrator} integrator"]
        if not self.valid:
            return lines[0] + f"\n  not valid: {self.reason}"
        for name in PARAMETERS:
            value, error = getattr(self, name), getattr(self, f"{name}_stderr")
            unit = f" {self.units}" if name.startswith("cond") and self.units != "1" else ""
            text = f"  {name:16} {value:.5g}"
            if self.at_bound[name]:
                text += f"{unit} (at a bound)"
            else:
                text += f" +- {error:.2g}{unit}" if np.isfinite(error) else f"{unit} (not fitted)"
            lines.append(text)
        lines.append(
            f"  R {self.residual_sum:.4g}, correlation of alpha and beta "
            f"{self.correlation[0, 1]:.3f}, condition {self.condition:.3g}"
        )
        lines.append(
            f"  residuals: autocorrelation {self.residual_autocorrelation:.2f}, "
            f"Durbin-Watson {self.durbin_watson:.2f}"
        )
        if self.note:
            lines.append(f"  {self.note}")
        return "\n".join(lines)

    def plot(self) -> Figure:
        """Figure of train, curve and residuals: `compact.plots.kinetics.fit_figure`."""
        from compact.plots.kinetics import fit_figure  # start-up: matplotlib

        return fit_figure(self)
