"""The fit itself: robust least squares on the logarithms of parameters, kept after every solve."""

from __future__ import annotations

import dataclasses
import io
import os
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import OptimizeResult, least_squares

from ddkbase.errors import InputError, Interrupted, SolverError, StorageError
from ddkbase.files import write_bytes
from ddkbase.folders import make_folders
from ddkbase.records import fingerprint
from ddkbase.units import exact_text, format_si
from devicephys.device import Device
from devicephys.device.entries import parameter_value
from devicephys.fitting.data import Data, as_dataset, read_data
from devicephys.fitting.description import FitDescription, read_description
from devicephys.fitting.information import Information, correlation, direction_text, information
from devicephys.simulation.settings import Settings

__all__ = ["FitEvent", "FitInterrupted", "FitResult", "fit_device"]

#: residual of every sample where the solver gives up: worse than any fit, so that it is avoided
FAILED = 30.0
#: relative changes of cost and parameters below which the search ends; the time steps that the
#: solver chooses differ from solve to solve by about as much
ENOUGH = 1e-3
#: share of the way to the nearer bound within which a value stands at it
AT_BOUND = 1e-3
_SOLVES = "solves"


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
        Root mean square of its residuals, in standard deviations [1].
    best : float
        That of the best solve so far [1].
    failed : bool
        Whether the solver gave up.
    seconds : float
        Mean time of a solve [s].
    """

    solve: int
    most: int
    misfit: float
    best: float
    failed: bool
    seconds: float


@dataclasses.dataclass(frozen=True)
class FitResult:
    """What a fit found.

    Attributes
    ----------
    device : Device
        The fitted device, its free parameters marked "calibrated".
    parameters : xarray.Dataset
        On ``parameter``: ``value``, ``start``, ``lower`` and ``upper`` of the bounds, in ``unit``,
        ``low68``, ``high68``, ``low95``, ``high95`` (Laplace), ``at_bound``. On ``direction``, the
        least known first: ``spread``, the standard deviation of its logarithm by the data alone,
        and ``exponents`` on (direction, parameter). ``correlation`` on (parameter, other).
    data : list of xarray.Dataset
        Measured and simulated values of each data set, with the error that was assumed.
    undetermined : list of str
        Products of powers of parameters that the data do not determine to a quarter.
    misfit : float
        Root mean square of the residuals, in standard deviations [1].
    log_misfit : float
        Root mean square of log10 of simulated over measured, over all data [1].
    solves : int
        Simulations of all data, sensitivities included.
    reason : str
        Why the search ended.
    """

    device: Device
    parameters: xr.Dataset
    data: list[xr.Dataset]
    undetermined: list[str]
    misfit: float
    log_misfit: float
    solves: int
    reason: str


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


@dataclasses.dataclass
class _Solve:
    residual: np.ndarray
    jacobian: np.ndarray
    simulated: list[np.ndarray]


class _Enough(Exception):
    """As many solves as were allowed."""


class _Search:
    """Solves of a fit, each made once: least_squares asks for residuals and derivatives apart."""

    def __init__(
        self,
        description: FitDescription,
        data: Sequence[Data],
        device: Device,
        folder: Path | None,
        progress: Callable[[FitEvent], None] | None,
    ) -> None:
        self.description, self.data, self.device = description, data, device
        self.folder, self.progress = folder, progress
        bounds = description.bounds(device)
        self.names = list(bounds)
        self.low, self.value, self.high = (np.array(column) for column in zip(*bounds.values()))  # noqa: B905
        self.settings = Settings.preset(description.preset, voltage_step=description.voltage_step)
        self.priors = [description.free[name].prior for name in self.names]
        self.paths = [path for name in self.names for path in description.paths(name)]
        owner = [name for name in self.names for _ in description.paths(name)]
        #: which parameter each path belongs to, (paths, parameters)
        self.tie = np.array([[float(o == name) for name in self.names] for o in owner])
        self.solves: dict[bytes, _Solve] = {}
        self.best: tuple[float, np.ndarray, _Solve] | None = None
        self.seconds: list[float] = []
        self.mark = fingerprint(
            device.to_yaml(),
            description.model_dump(exclude={"solves"}, mode="json"),
            [[*map(float, d.measured), *map(float, d.error)] for d in data],
        )

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest logarithm of each parameter over its value at the start."""
        ends = np.sort(np.log([self.low / self.value, self.high / self.value]), axis=0)
        return ends[0], ends[1]

    def moved(self, logs: np.ndarray) -> Device:
        """The device at logarithms of the parameters over their values at the start."""
        changes: dict[str, Any] = {}
        for path, log in zip(self.paths, self.tie @ logs, strict=True):
            unit = self.device.provenance[path].unit
            value = parameter_value(self.device, path) * np.exp(log)
            source = f"ddk-device fit {self.description.name}"
            text = exact_text(float(f"{value:.8g}"), unit)
            changes[path] = {"value": text, "mark": "calibrated", "source": source}
        changes["name"] = self.description.name
        return self.device.with_(changes)

    def solve(self, logs: np.ndarray) -> _Solve:
        """Residuals, derivatives and curves at a point."""
        key = np.asarray(logs, dtype=float).tobytes()
        if key in self.solves:
            return self.solves[key]
        number = len(self.solves) + 1
        if number > self.description.solves:
            raise _Enough
        begun = time.monotonic()
        kept = self._kept(number, key)
        failed = False
        if kept is None:
            try:
                kept = self._simulate(logs)
            except (SolverError, InputError):
                if number == 1:
                    raise
                failed = True
                size = sum(len(d.measured) for d in self.data)
                kept = _Solve(
                    np.full(size, FAILED),
                    np.zeros((size, len(self.names))),
                    [np.full(len(d.measured), np.nan) for d in self.data],
                )
            self.seconds.append(time.monotonic() - begun)
            self._keep(number, key, kept)
        else:
            failed = bool(np.isnan(kept.simulated[0]).any())
        self.solves[key] = kept
        cost = self.cost(kept, logs)
        if not failed and (self.best is None or cost < self.best[0]):
            self.best = cost, np.array(logs), kept
        if self.progress is not None and self.best is not None:
            best = self.best[2].residual
            spent = float(np.mean(self.seconds)) if self.seconds else 0.0
            self.progress(
                FitEvent(
                    number,
                    self.description.solves,
                    _rms(kept.residual),
                    _rms(best),
                    failed,
                    spent,
                )
            )
        return kept

    def _simulate(self, logs: np.ndarray) -> _Solve:
        device = self.moved(logs)
        parts = [data.misfit(device, self.settings, self.paths) for data in self.data]
        return _Solve(
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts]) @ self.tie,
            [part[2] for part in parts],
        )

    # -- what least_squares asks for --------------------------------------------------------

    def residuals(self, logs: np.ndarray) -> np.ndarray:
        return np.concatenate([self.solve(logs).residual, self._prior(logs)])

    def jacobian(self, logs: np.ndarray) -> np.ndarray:
        rows = [
            np.eye(len(self.names))[k] / np.log1p(prior)
            for k, prior in enumerate(self.priors)
            if prior is not None
        ]
        return np.vstack([self.solve(logs).jacobian, *rows])

    def _prior(self, logs: np.ndarray) -> np.ndarray:
        pairs = zip(logs, self.priors, strict=True)
        return np.array([log / np.log1p(prior) for log, prior in pairs if prior is not None])

    def cost(self, solve: _Solve, logs: np.ndarray) -> float:
        """What is made small: that of `scipy.optimize.least_squares`."""
        squares = np.concatenate([solve.residual, self._prior(logs)]) ** 2
        robust = self.description.loss == "soft_l1"
        return float(np.sum(2 * (np.sqrt(1 + squares) - 1) if robust else squares) / 2)

    # -- kept solves ------------------------------------------------------------------------

    def _file(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / _SOLVES / f"{number:04d}.npz"

    def _keep(self, number: int, key: bytes, solve: _Solve) -> None:
        if self.folder is None:
            return
        buffer = io.BytesIO()
        curves = {f"simulated_{k:04d}": curve for k, curve in enumerate(solve.simulated)}
        np.savez(
            buffer,
            fingerprint=np.array(self.mark),
            logs=np.frombuffer(key),
            residual=solve.residual,
            jacobian=solve.jacobian,
            **curves,  # type: ignore[arg-type]
        )
        write_bytes(self._file(number), buffer.getvalue(), overwrite=True)

    def _kept(self, number: int, key: bytes) -> _Solve | None:
        """The solve of an earlier, stopped run of the same fit."""
        if self.folder is None or not self._file(number).is_file():
            return None
        where = str(self._file(number))
        try:
            with np.load(self._file(number), allow_pickle=False) as kept:
                mark, logs = str(kept["fingerprint"]), kept["logs"].tobytes()
                curves = [kept[name] for name in sorted(kept) if name.startswith("simulated_")]
                solve = _Solve(kept["residual"], kept["jacobian"], curves)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StorageError(f"is damaged [{error}]", where, "Delete it") from error
        if mark != self.mark:
            raise InputError("belongs to another fit", where, "Choose another folder with --out")
        return solve if logs == key else None


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def fit_device(
    source: FitDescription | Mapping[str, Any] | str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    progress: Callable[[FitEvent], None] | None = None,
) -> FitResult:
    """Fit parameters of a device to measured loops and trains.

    Least squares (trust region, robust loss) on the logarithms of the parameters; residuals are
    differences of the logarithms of currents and conductances over their errors, derivatives come
    from the tangents of the simulation (``simulate(..., sensitivities=[...])``), so that a solve of
    all data gives both.

    Parameters
    ----------
    source : FitDescription, mapping, str or Path
        What is fitted to what; the path of a YAML file, or what stands in one.
    folder : str or Path or None, optional
        Where each solve is kept; the same fit with the same folder goes on where it was stopped.
    progress : callable or None, optional
        Called with a `FitEvent` after each solve.

    Returns
    -------
    FitResult
        The device, its parameters with intervals, and what the data do not determine.

    Raises
    ------
    InputError
        A description or a file that is not clear, a folder of another fit.
    SolverError
        The device that the fit begins with cannot be simulated.
    StorageError
        A file cannot be read or written.
    FitInterrupted
        Ctrl-C; ``result`` is the `FitResult` of the best solve so far, if there is one.
    InstallationError
        No finite-element stack or no C compiler.
    """
    description, beside = read_description(source)
    device = description.start(beside)
    description.bounds(device)
    data = read_data(description, beside)
    search = _Search(description, data, device, None if folder is None else Path(folder), progress)
    begin = np.zeros(len(search.names))
    if search.folder is not None:
        make_folders(search.folder / _SOLVES)
    reason = f"stopped after {description.solves} solves"
    try:
        found: OptimizeResult = least_squares(
            search.residuals,
            begin,
            search.jacobian,
            bounds=search.bounds,
            loss=description.loss,
            x_scale="jac",
            ftol=ENOUGH,
            xtol=ENOUGH,
            gtol=1e-8,
            max_nfev=description.solves,
        )
        if found.status > 0:
            reason = "converged"
    except _Enough:
        pass
    except KeyboardInterrupt:
        best = _result(search, "interrupted") if search.best is not None else None
        raise FitInterrupted(f"solve {len(search.solves) + 1}", best) from None
    return _result(search, reason)


def _result(search: _Search, reason: str) -> FitResult:
    """Parameters, intervals and curves of the best solve."""
    assert search.best is not None
    _, logs, solve = search.best
    known = information(solve.residual, solve.jacobian, search.priors)
    ratios = [
        np.log(np.abs(curve / d.measured)) / np.log(10)
        for curve, d in zip(solve.simulated, search.data, strict=True)
    ]
    return FitResult(
        device=search.moved(logs),
        parameters=_parameters(search, logs, known),
        data=[as_dataset(d, c) for d, c in zip(search.data, solve.simulated, strict=True)],
        undetermined=[
            f"{direction_text(search.names, known.directions[k])} (known to a factor "
            f"{_factor(known.spread[k])})"
            for k in known.open_directions
        ],
        misfit=_rms(solve.residual),
        log_misfit=_rms(np.concatenate(ratios)),
        solves=len(search.solves),
        reason=reason,
    )


def _factor(spread: float) -> str:
    return f"{np.exp(spread):.3g}" if spread < 50 else "of any size"


def _parameters(search: _Search, logs: np.ndarray, known: Information) -> xr.Dataset:
    spread = np.sqrt(np.diag(known.covariance))
    value = search.value * np.exp(logs)
    low, high = search.bounds
    near = np.minimum(logs - low, high - logs) < AT_BOUND * (high - low)
    units = [search.device.provenance[search.description.paths(n)[0]].unit for n in search.names]
    columns = {
        "value": value,
        "start": search.value,
        "lower": search.low,
        "upper": search.high,
        "at_bound": near,
        "unit": np.array(units, dtype=object),
    }
    with np.errstate(over="ignore"):
        for name, width in (("68", 1.0), ("95", 1.96)):
            ends = np.sort(
                [value * np.exp(-width * spread), value * np.exp(width * spread)], axis=0
            )
            columns |= {f"low{name}": ends[0], f"high{name}": ends[1]}
    ds = xr.Dataset(
        {name: ("parameter", column) for name, column in columns.items()},
        coords={"parameter": search.names},
        attrs={"inflation": known.inflation},
    )
    ds["spread"] = ("direction", known.spread, {"units": "1"})
    ds["exponents"] = (("direction", "parameter"), known.directions, {"units": "1"})
    ds["correlation"] = correlation(known, search.names)
    return ds


def interval_text(parameters: xr.Dataset, name: str, width: str = "68") -> str:
    """The interval of a parameter as text, "1.2e+04 S/m to 1.4e+04 S/m"."""
    one = parameters.sel(parameter=name)
    unit = str(one["unit"].item())
    ends = (float(one[f"{end}{width}"]) for end in ("low", "high"))
    return " to ".join(format_si(end, unit, 4) if np.isfinite(end) else "any" for end in ends)
