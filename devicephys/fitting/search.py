"""The search: robust least squares on the logarithms of parameters, kept after every solve."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import OptimizeResult, least_squares

from ddkbase.errors import InputError, SolverError
from ddkbase.records import fingerprint
from ddkbase.units import exact_text
from devicephys.device import Device
from devicephys.device.entries import parameter_value
from devicephys.fitting.data import Data
from devicephys.fitting.description import FitDescription, fit_settings, refined
from devicephys.fitting.experiments import KeptSolves, Solve, suggestions
from devicephys.fitting.information import (
    Information,
    Profile,
    Residuals,
    alternatives,
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
)
from devicephys.fitting.result import (
    FitEvent,
)
from devicephys.simulation.settings import Settings

__all__ = ["Search"]

#: residual of every sample where the solver gives up: worse than any fit, so that it is avoided
FAILED = 30.0
#: most solves that a profile of one parameter may take
PROFILE_SOLVES = 60
#: most solves that make samples of the posterior trustworthy, samples to choose each from, error of
#: a log likelihood that counts as foretold, how often in a row it is to be, most solves of a search
#: that goes on from something better
EXPLORED, CANDIDATES, FORETOLD, ENOUGH_RIGHT, AGAIN = 25, 640, 0.5, 3, 10
#: solves that look beyond it before, and how much hotter the density is that they are drawn from: a
#: long valley may hold several basins, with rises of some units of log likelihood between them
WIDE, HOTTER = 6, 10.0
#: solves of a finer mesh, most solves of the search behind each, and how far the best cell may
#: still move between two of them, in standard deviations (root mean square over the parameters)
REFINED, FURTHER, SETTLED = 4, 6, 0.2
#: what may be changed when a fit is taken up again: the solves stay the same
_AFTERWARDS = {"refine", "solves", "starts", "profile", "posterior", "predict", "suggest"}


class _Enough(Exception):
    """As many solves as were allowed."""


class Search:
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
        finer = refined(description)
        #: with which the fit ends, where that is another mesh
        self.finer = None if finer is None else fit_settings(description, device, finer)
        self.priors = [description.free[name].prior for name in self.names]
        self.paths = [path for name in self.names for path in description.paths(name)]
        owner = [name for name in self.names for _ in description.paths(name)]
        #: which parameter each path belongs to, (paths, parameters)
        self.tie = np.array([[float(o == name) for name in self.names] for o in owner])
        #: as they were simulated, and with the correction of a finer mesh
        self.plain: dict[bytes, Solve] = {}
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
        self.kept_finer = None if folder is None else KeptSolves(folder, mark, "finer")
        #: solves of the finer mesh and where, the best cell before, and why there are no more
        self.finer_solves: list[tuple[np.ndarray, Solve]] = []
        self.unrefined: np.ndarray | None = None
        self.refining = ""

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
                kept = self._simulate(logs, self.settings)
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
        self.plain[key] = kept
        kept = self.solves[key] = self._corrected(key)
        cost = self.cost(kept, logs)
        if not kept.failed and (self.best is None or cost < self.best[0]):
            self.best = cost, np.array(logs), kept
        self._tell(number, cost, kept.failed)
        return kept

    def _tell(self, number: int, cost: float, failed: bool, finer: bool = False) -> None:
        if self.progress is None or self.best is None:
            return
        misfit, best = (
            float(np.sqrt(2.0 * one / self.best[2].residual.size)) for one in (cost, self.best[0])
        )
        spent = float(np.mean(self.seconds)) if self.seconds else 0.0
        self.progress(FitEvent(number, self.most, misfit, best, failed, spent, finer))

    def _simulate(self, logs: np.ndarray, settings: Settings) -> Solve:
        device = self.moved(logs)
        parts = [data.misfit(device, settings, self.paths) for data in self.data]
        return Solve(
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts]) @ self.tie,
            [part[2] for part in parts],
        )

    def refine(self) -> None:
        """Go on with what a finer mesh makes of the curves, until that moves the best no more.

        What it adds to residuals and derivatives changes little from a cell to the next: it is
        simulated at the best cell and taken for all others (defect correction: Stetter, Numer.
        Math. 29, 425, 1978), and again where the search then ends.
        """
        self.refining = ""
        for _ in range(REFINED if self.finer is not None else 0):
            assert self.best is not None
            logs = self.best[1]
            if self.finer_solves:
                step = logs - self.finer_solves[-1][0]
                known = np.linalg.pinv(self.information().covariance, hermitian=True)
                if step @ known @ step < SETTLED**2 * len(logs):
                    return
            self._tell(len(self.solves), self.best[0], False, finer=True)
            try:
                self.finer_solves.append((logs, self._on_finer_mesh(logs)))
            except SolverError as error:
                self.refining = f"the finer mesh is not taken further: {error}"
                return
            if self.unrefined is None:
                self.unrefined = logs
            # where a search ended without it is no cell of these data
            self.ends = [end for end in self.ends if not np.array_equal(end, logs)]
            self.solves = {key: self._corrected(key) for key in self.plain}
            points = [(np.frombuffer(key), one) for key, one in self.solves.items()]
            good = [(self.cost(one, at), at, one) for at, one in points if not one.failed]
            self.best = min(good, key=lambda one: one[0])
            self.minimise(self.best[1], FURTHER)
        if self.finer is not None:
            self.refining = f"after {REFINED} solves of the finer mesh the best cell still moves"

    def _on_finer_mesh(self, logs: np.ndarray) -> Solve:
        assert self.finer is not None
        number = len(self.finer_solves) + 1
        kept = None if self.kept_finer is None else self.kept_finer.read(number, logs)
        if kept is None:
            kept = self._simulate(logs, self.finer)
            if self.kept_finer is not None:
                self.kept_finer.write(number, logs, kept)
        return kept

    def _corrected(self, key: bytes) -> Solve:
        """A solve as the finer mesh would have it, by its last solve: exact there."""
        plain = self.plain[key]
        if not self.finer_solves or plain.failed:
            return plain
        at, finer = self.finer_solves[-1]
        coarse = self.plain[at.tobytes()]
        tilt = finer.jacobian - coarse.jacobian
        offset = finer.residual - coarse.residual + tilt @ (np.frombuffer(key) - at)
        ends = np.cumsum([len(d.measured) for d in self.data])[:-1]
        parts = zip(plain.simulated, np.split(offset, ends), self.data, strict=True)
        curves = [curve * np.exp(part / data.scale) for curve, part, data in parts]
        return Solve(plain.residual + offset, plain.jacobian + tilt, curves)

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
            logs, known = self.best[1], self.information()
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

        The first solves are drawn wider: there may be other basins. Where something better turns
        up, or where the derivatives of a solve promise it, the search goes on from there.
        """
        right = 0
        for number in range(WIDE + EXPLORED if self.description.posterior else 0):
            assert self.best is not None
            known, least = self.information(), self.best[0]
            hotter = HOTTER if number < WIDE else 1.0
            try:
                density = self._density(known, hotter)
            except InputError:  # too few solves: ``posterior`` says so
                return
            others = self.others(known)
            drawn = draw_posterior(density, hotter * known.covariance, CANDIDATES, number, others)
            solved = np.array([np.frombuffer(key) for key in self.solves])
            point = farthest(density, drawn["logs"].values, solved)
            self.most = len(self.solves) + 1
            solve = self.solve(point)
            better = least - FORETOLD * known.dispersion
            if self.best[0] < better:
                self.minimise(self.best[1], AGAIN)
            elif number < WIDE and not solve.failed and self._promised(point) < better:
                self.minimise(point, AGAIN)
            off = density(point[None])[0] + self.cost(solve, point) / density.dispersion
            foretold = number >= WIDE and not solve.failed and abs(off) < FORETOLD
            right = right + 1 if foretold else 0
            if right == ENOUGH_RIGHT:
                return

    def _promised(self, point: np.ndarray) -> float:
        """The least cost within the bounds if the residuals were as straight as at a solve."""
        solve = self.solve(point)

        def plane(logs: np.ndarray) -> np.ndarray:
            straight = solve.residual + solve.jacobian @ (logs - point)
            return np.concatenate([straight, self._prior(logs)])

        loss = self.description.loss
        return float(least_squares(plane, point, bounds=self.bounds, loss=loss).cost)

    def information(self) -> Information:
        """What the best solve says of the parameters."""
        assert self.best is not None
        solve = self.best[2]
        sizes = [len(d.measured) for d in self.data]
        loss = self.description.loss
        return information(solve.residual, solve.jacobian, self.priors, loss, sizes)

    def _density(self, known: Information, hotter: float = 1.0) -> LogPosterior:
        """The posterior by an emulator of all solves, or one so many times wider."""
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
        wide = hotter * known.dispersion
        return LogPosterior(emulator, cost, wide, self.bounds, self.priors, loss)

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
