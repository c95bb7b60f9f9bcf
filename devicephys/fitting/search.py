"""The fit itself: robust least squares on the logarithms of parameters, kept after every solve."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import OptimizeResult, least_squares

from ddkbase.errors import InputError, Interrupted, SolverError
from ddkbase.folders import at_work
from ddkbase.records import fingerprint
from ddkbase.units import exact_text
from devicephys.device import Device
from devicephys.device.entries import parameter_value
from devicephys.fitting.data import Data, as_dataset, read_data
from devicephys.fitting.description import FitDescription, fit_settings, read_description
from devicephys.fitting.experiments import KeptSolves, Solve, suggestions
from devicephys.fitting.information import (
    Information,
    Profile,
    Residuals,
    alternatives,
    direction_text,
    information,
    losses,
    profile,
    starts,
)
from devicephys.fitting.posterior import (
    Emulator,
    LogPosterior,
    draw_posterior,
    farthest,
    require_emcee,
)
from devicephys.fitting.result import (
    FitEvent,
    FitInterrupted,
    FitResult,
    factor_text,
    parameter_table,
)

__all__ = ["fit_device"]

#: residual of every sample where the solver gives up: worse than any fit, so that it is avoided
FAILED = 30.0
#: most solves that a profile of one parameter may take
PROFILE_SOLVES = 60
#: most solves that make samples of the posterior trustworthy, samples to choose each from, error of
#: a log likelihood that counts as foretold, how often in a row it is to be, most solves of a search
#: that goes on from something better
EXPLORED, CANDIDATES, FORETOLD, ENOUGH_RIGHT, AGAIN = 25, 640, 0.5, 3, 10
#: what may be changed when a fit is taken up again: the solves stay the same
_AFTERWARDS = {"solves", "starts", "profile", "posterior", "predict", "suggest"}


class _Enough(Exception):
    """As many solves as were allowed."""


class _Search:
    """Solves of a fit, each made once: least_squares asks for residuals and derivatives apart."""

    def __init__(
        self,
        description: FitDescription,
        data: Sequence[Data],
        predict: Sequence[Data],
        device: Device,
        folder: Path | None,
        progress: Callable[[FitEvent], None] | None,
    ) -> None:
        self.description, self.data, self.device = description, data, device
        self.predict = predict
        #: what the search itself may use; profiles come on top
        self.most = description.solves
        self.progress = progress
        bounds = description.bounds(device)
        self.names = list(bounds)
        self.low, self.value, self.high = (np.array(column) for column in zip(*bounds.values()))  # noqa: B905
        self.settings = fit_settings(description, device)
        self.priors = [description.free[name].prior for name in self.names]
        self.paths = [path for name in self.names for path in description.paths(name)]
        owner = [name for name in self.names for _ in description.paths(name)]
        #: which parameter each path belongs to, (paths, parameters)
        self.tie = np.array([[float(o == name) for name in self.names] for o in owner])
        self.solves: dict[bytes, Solve] = {}
        self.best: tuple[float, np.ndarray, Solve] | None = None
        self.seconds: list[float] = []
        #: where searches ended
        self.ends: list[np.ndarray] = []
        mark = fingerprint(
            device.to_yaml(),
            description.model_dump(exclude=_AFTERWARDS, mode="json"),
            self.settings.to_dict(),
            [[*map(float, d.measured), *map(float, d.error)] for d in data],
        )
        self.kept = None if folder is None else KeptSolves(folder, mark)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest logarithm of each parameter over its value at the start."""
        ends = np.sort(np.log([self.low / self.value, self.high / self.value]), axis=0)
        return ends[0], ends[1]

    def described(self) -> dict[str, np.ndarray]:
        """Names, units, first values and bounds of the parameters."""
        paths = [self.description.paths(name)[0] for name in self.names]
        return {
            "parameter": np.array(self.names, dtype=object),
            "start": self.value,
            "lower": self.low,
            "upper": self.high,
            "unit": np.array([self.device.provenance[path].unit for path in paths], dtype=object),
        }

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

    def solve(self, logs: np.ndarray) -> Solve:
        """Residuals, derivatives and curves at a point."""
        key = np.asarray(logs, dtype=float).tobytes()
        if key in self.solves:
            return self.solves[key]
        number = len(self.solves) + 1
        if number > self.most:
            raise _Enough
        begun = time.monotonic()
        kept = None if self.kept is None else self.kept.read(number, logs)
        if kept is None:
            try:
                kept = self._simulate(logs)
            except (SolverError, InputError):
                if number == 1:
                    raise
                size = sum(len(d.measured) for d in self.data)
                kept = Solve(
                    np.full(size, FAILED),
                    np.zeros((size, len(self.names))),
                    [np.full(len(d.measured), np.nan) for d in self.data],
                )
            self.seconds.append(time.monotonic() - begun)
            if self.kept is not None:
                self.kept.write(number, logs, kept)
        self.solves[key] = kept
        cost = self.cost(kept, logs)
        if not kept.failed and (self.best is None or cost < self.best[0]):
            self.best = cost, np.array(logs), kept
        if self.progress is not None and self.best is not None:
            size = kept.residual.size
            spent = float(np.mean(self.seconds)) if self.seconds else 0.0
            self.progress(
                FitEvent(
                    number,
                    self.most,
                    float(np.sqrt(2.0 * cost / size)),
                    float(np.sqrt(2.0 * self.best[0] / size)),
                    kept.failed,
                    spent,
                )
            )
        return kept

    def _simulate(self, logs: np.ndarray) -> Solve:
        device = self.moved(logs)
        parts = [data.misfit(device, self.settings, self.paths) for data in self.data]
        return Solve(
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts]) @ self.tie,
            [part[2] for part in parts],
        )

    def minimise(self, begin: np.ndarray, solves: int) -> str:
        """Search from a point with at most so many further solves; why it ended."""
        self.most = len(self.solves) + solves
        enough = max(data.enough for data in self.data)
        try:
            found: OptimizeResult = least_squares(
                self.residuals,
                begin,
                self.jacobian,
                bounds=self.bounds,
                loss=self.description.loss,
                x_scale="jac",
                ftol=enough,
                xtol=enough,
                gtol=1e-8,
                max_nfev=solves,
            )
            self.ends.append(found.x)
        except _Enough:
            found = OptimizeResult(status=0)
        return "converged" if found.status > 0 else f"stopped after {solves} solves"

    def all_starts(self) -> str:
        """Search from each start; why the search that found the best ended."""
        reasons, costs = [], []
        for begin in starts(self.bounds, self.description.starts):
            before = len(self.ends)
            reasons.append(self.minimise(begin, self.description.solves))
            ended = self.ends[-1] if len(self.ends) > before else None
            costs.append(np.inf if ended is None else self._cost_at(ended))
        return reasons[int(np.nanargmin(costs))] if np.isfinite(costs).any() else reasons[0]

    def alternatives(self, known: Information) -> xr.Dataset | None:
        """Other cells that fit as well, where searches ended."""
        assert self.best is not None
        least, logs, _ = self.best
        ends = [(self._cost_at(end) - least, end) for end in self.ends]
        good = [end for end in ends if np.isfinite(end[0])]
        return alternatives(logs, known, good, self.value, self.names)

    def others(self, known: Information) -> np.ndarray | None:
        """Logarithms at ``alternatives``, shape (optima, parameters)."""
        found = self.alternatives(known)
        return None if found is None else np.log(found["value"].values / self.value)

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

    def problem(self) -> Residuals:
        """The same as functions, for profiles."""
        return Residuals(
            self.residuals,
            self.jacobian,
            self._cost_at,
            self.bounds,
            self.description.loss,
        )

    def suggestions(self, device: Device, known: Information) -> xr.Dataset | None:
        """Further measurements, where some direction is open and they were asked for."""
        if not self.description.suggest or not len(known.open_directions):
            return None
        assert self.best is not None
        jacobian = self.best[2].jacobian
        return suggestions(
            self.data,
            device,
            self.settings,
            self.paths,
            self.tie,
            jacobian.T @ jacobian / known.inflation**2,
            known.directions[known.open_directions],
        )

    def _cost_at(self, logs: np.ndarray) -> float:
        solve = self.solve(logs)
        return np.nan if solve.failed else self.cost(solve, logs)

    def profiles(self) -> dict[str, Profile]:
        """Profile likelihoods of the parameters that were asked for."""
        assert self.best is not None
        names = self.description.profiled
        found: dict[str, Profile] = {}
        for name in names:
            self.most = len(self.solves) + PROFILE_SOLVES
            _, logs, _ = self.best
            known = self.information()
            number = self.names.index(name)
            try:
                found[name] = profile(
                    self.problem(), logs, known.covariance, known.dispersion, number
                )
            except _Enough:  # its ends stay open
                continue
        return found

    def explore(self) -> None:
        """Solve where the posterior is said to be, far from all solves, until that is foretold.

        Where something better turns up the search goes on from there.
        """
        right = 0
        for number in range(EXPLORED if self.description.posterior else 0):
            assert self.best is not None
            known, least = self.information(), self.best[0]
            try:
                density = self._density(known)
            except InputError:  # too few solves: ``posterior`` says so
                return
            others = self.others(known)
            drawn = draw_posterior(density, known.covariance, CANDIDATES, number, others)
            solved = np.array([np.frombuffer(key) for key in self.solves])
            point = farthest(density, drawn["logs"].values, solved)
            self.most = len(self.solves) + 1
            solve = self.solve(point)
            off = density(point[None])[0] + self.cost(solve, point) / known.dispersion
            right = right + 1 if not solve.failed and abs(off) < FORETOLD else 0
            if self.best[0] < least - FORETOLD * known.dispersion:
                self.minimise(self.best[1], AGAIN)
            if right == ENOUGH_RIGHT:
                return

    def information(self) -> Information:
        """What the best solve says of the parameters."""
        assert self.best is not None
        _, _, solve = self.best
        return information(solve.residual, solve.jacobian, self.priors, self.description.loss)

    def _density(self, known: Information) -> LogPosterior:
        """The posterior by an emulator of all solves."""
        good = [
            (np.frombuffer(key), solve) for key, solve in self.solves.items() if not solve.failed
        ]
        emulator = Emulator(
            np.array([logs for logs, _ in good]),
            np.array([solve.residual for _, solve in good]),
            np.array([solve.jacobian for _, solve in good]),
            np.linalg.pinv(known.covariance, hermitian=True),
        )
        cost = np.array([self.cost(solve, logs) for logs, solve in good])
        loss = self.description.loss
        return LogPosterior(emulator, cost, known.dispersion, self.bounds, self.priors, loss)

    def posterior(self, known: Information) -> xr.Dataset | None:
        """Samples of the posterior, in the units of the parameters."""
        if not self.description.posterior:
            return None
        count = self.description.posterior
        others = self.others(known)
        drawn = draw_posterior(self._density(known), known.covariance, count, others=others)
        unit = ("parameter", self.described()["unit"])
        drawn = drawn.assign_coords(parameter=self.names, unit=unit)
        return drawn.assign(value=self.value * np.exp(drawn["logs"])).drop_vars("logs")

    def cost(self, solve: Solve, logs: np.ndarray) -> float:
        """What is made small: that of `scipy.optimize.least_squares`."""
        residual = np.concatenate([solve.residual, self._prior(logs)])
        return float(np.sum(losses(residual, self.description.loss)) / 2)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def fit_device(
    source: FitDescription | Mapping[str, Any] | str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    progress: Callable[[FitEvent], None] | None = None,
    warn: Callable[[str], None] | None = None,
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
    warn : callable or None, optional
        Called before the first solve with what of the device the data contradict, a line each.

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
        A file cannot be read or written, or another process is at work in the folder.
    FitInterrupted
        Ctrl-C; ``result`` is the `FitResult` of the best solve so far, if there is one.
    InstallationError
        No finite-element stack or no C compiler.
    """
    description, beside = read_description(source)
    device = description.start(beside)
    description.bounds(device)
    if description.posterior:
        require_emcee()
    data, predict = (read_data(d, beside) for d in (description.data, description.predict))
    for remark in dict.fromkeys(d.remark(device) for d in (*data, *predict)) if warn else ():
        if remark and warn is not None:
            warn(remark)
    kept = None if folder is None else Path(folder)
    search = _Search(description, data, predict, device, kept, progress)
    with contextlib.nullcontext() if kept is None else at_work(kept):
        return _carry_out(search)


def _carry_out(search: _Search) -> FitResult:
    """Search, then what takes more solves; Ctrl-C keeps what there is."""
    try:
        reason = search.all_starts()
    except (KeyboardInterrupt, Interrupted):  # between solves, and within one
        best = _result(search, "interrupted", {}) if search.best is not None else None
        raise FitInterrupted(f"solve {len(search.solves) + 1}", best) from None
    try:
        search.explore()
        profiles = search.profiles()
        # held out: what was seen of it has no part in the fit
        return _result(search, reason, profiles, whole=True)
    except (KeyboardInterrupt, Interrupted):
        where = f"what follows the search, solve {len(search.solves) + 1}"
        raise FitInterrupted(where, _result(search, reason, {})) from None


def _result(
    search: _Search, reason: str, profiles: dict[str, Profile], whole: bool = False
) -> FitResult:
    """Parameters, intervals and curves of the best solve; ``whole`` with what takes more solves."""
    assert search.best is not None
    _, logs, solve = search.best
    known = information(solve.residual, solve.jacobian, search.priors, search.description.loss)
    device = search.moved(logs)
    ends = np.cumsum([len(d.measured) for d in search.data])[:-1]
    parts = zip(search.data, solve.simulated, np.split(solve.jacobian, ends), strict=True)
    predicted, posterior, failures = [], None, []
    for held in search.predict if whole else ():
        try:
            _, jacobian, curve = held.misfit(device, search.settings, search.paths)
        except (SolverError, InputError) as error:
            failures.append(f"{held.name}, held out, is not predicted: {error}")
            continue
        predicted.append(as_dataset(held, curve, jacobian @ search.tie, known.covariance))
    if whole:
        try:
            posterior = search.posterior(known)
        except InputError as error:
            failures.append(f"no samples of the posterior: {error}")
    ratios = [
        np.log(np.abs(curve / d.measured)) / np.log(10)
        for curve, d in zip(solve.simulated, search.data, strict=True)
    ]
    return FitResult(
        device=device,
        parameters=parameter_table(
            search.described(), logs, search.bounds, known, profiles, posterior
        ),
        data=[as_dataset(d, c, j, known.covariance) for d, c, j in parts],
        predicted=predicted,
        profiles=profiles,
        posterior=posterior,
        suggestions=search.suggestions(device, known) if whole else None,
        undetermined=[
            f"{direction_text(search.names, known.directions[k])} (known to a factor "
            f"{factor_text(known.spread[k])})"
            for k in known.open_directions
        ],
        failures=failures,
        misfit=_rms(solve.residual),
        log_misfit=_rms(np.concatenate(ratios)),
        solves=len(search.solves),
        reason=reason,
        alternatives=search.alternatives(known),
        paths={name: tuple(search.description.paths(name)) for name in search.names},
    )
