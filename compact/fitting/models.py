"""Any model of a cell fitted to measured current-voltage loops: Verilog-A, or a Python function.

A Verilog-A module is compiled and integrated implicitly along the measured voltage, each loop from
the same start (`compact.circuit.implicit`); a function gets time, voltage and its parameters. The
sum of squares of current less measured current, over the root mean square of the measured one, is
made smallest within bounds. Intervals are estimate -+ Student's t times the standard error of
`compact.fitting.diagnostics.diagnose`, on the logarithm of parameters whose bounds are positive.
"""

from __future__ import annotations

import inspect
import os
import runpy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import least_squares
from scipy.special import stdtrit

from compact.circuit.compiled import compile_verilog_a
from compact.circuit.implicit import Circuit
from compact.fitting.diagnostics import autocorrelation, diagnose, durbin_watson
from ddkbase.errors import InputError, SolverError, StorageError, closest, shorten, similar_file

__all__ = ["LIBRARY", "ModelFit", "fit_model", "load_model"]

#: Verilog-A modules that come with the toolkit, by the names of their files
LIBRARY = Path(__file__).parent.parent / "circuit" / "library"
LEVEL = 0.95
REACH = 100.0  # of the bounds of a parameter around its start, unless they are given
_FAILED = 10.0  # residual where the integration ends, in root mean squares of the current
_STEP = 1e-4  # of the finite differences; the integration is smooth to 1e-8

#: times [s], voltages [V], parameters -> currents [A]
Model = Callable[[np.ndarray, np.ndarray, Mapping[str, float]], np.ndarray]


@dataclass(frozen=True)
class ModelFit:
    """A model fitted to loops.

    Attributes
    ----------
    values : dict of str to float
        All parameters, in the units of the model; those that were free at their optimum.
    low, high : dict of str to float
        Ends of the 95 % intervals of the free ones, cut at their bounds, where they are open; NaN
        for an optimum at a bound.
    at_bound : dict of str to bool
        Whether the optimum of a free one is at a bound.
    error, held_out_error : float
        Root mean square of the misfit over that of the measured current: of the fitted loops, and
        of those held out (NaN: none).
    durbin_watson, autocorrelation : float
        Of the residuals from sample to sample; 2 and 0 if they are independent, else the
        intervals are too narrow.
    condition : float
        Condition of the Jacobian.
    samples, evaluations, failures : int
        Numbers of samples, of runs over all loops, and of those of them that ended early.
    """

    values: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    at_bound: dict[str, bool]
    error: float
    held_out_error: float
    durbin_watson: float
    autocorrelation: float
    condition: float
    samples: int
    evaluations: int
    failures: int


def load_model(text: str | os.PathLike[str]) -> tuple[Model, dict[str, float]]:
    """A model and its parameters' defaults.

    Parameters
    ----------
    text : str or Path
        A Verilog-A file, the name of one of `LIBRARY` ("vteam"), or ``file.py:function`` of a
        function ``(time, voltage, name=default, ...)`` that returns currents [A].

    Raises
    ------
    InputError
        As of `compact.circuit.compile_verilog_a`; a file that holds no such function.
    StorageError
        No such file.
    InstallationError
        The compiler is not installed.
    """
    text = str(text)
    file, _, name = text.rpartition(":")
    if file.endswith(".py"):
        return _function(Path(file), name)
    shipped = sorted(path.stem for path in LIBRARY.glob("*.va"))
    if not text.endswith(".va") and text not in shipped:
        raise InputError(
            f"{shorten(text)} is neither a .va file, file.py:function nor one of "
            f"{', '.join(shipped)}",
            "model",
            closest(text, shipped),
        )
    module = compile_verilog_a(text if text.endswith(".va") else LIBRARY / f"{text}.va")

    def currents(
        times: np.ndarray, voltages: np.ndarray, parameters: Mapping[str, float]
    ) -> np.ndarray:
        circuit = Circuit(module, module.parameters(**parameters))
        out = [circuit.hold(voltages[0])]
        for k in range(1, times.size):
            step = times[k] - times[k - 1]
            out.append(circuit.advance(step, voltages[k - 1], voltages[k]))
        return np.array(out)

    return currents, dict(module.defaults)


def _function(path: Path, name: str) -> tuple[Model, dict[str, float]]:
    if not path.is_file():
        raise StorageError("there is no such file", str(path), similar_file(path))
    try:
        function = runpy.run_path(str(path)).get(name)
    except Exception as error:
        raise InputError(f"does not run: {type(error).__name__}: {error}", str(path)) from error
    if not callable(function):
        raise InputError(f"holds no function {shorten(name)}", str(path))
    arguments = list(inspect.signature(function).parameters.values())[2:]
    lacking = [a.name for a in arguments if not isinstance(a.default, int | float)]
    if not arguments or lacking:
        raise InputError(
            f"the arguments of '{name}' after time and voltage need numbers as defaults",
            str(path),
            "Write e.g. def current(time, voltage, r=1e3): ...",
        )

    def currents(
        times: np.ndarray, voltages: np.ndarray, parameters: Mapping[str, float]
    ) -> np.ndarray:
        out = np.asarray(function(times, voltages, **parameters), float)
        if out.shape != times.shape:
            raise InputError(
                f"'{name}' returns the shape {out.shape} for {times.size} times", str(path)
            )
        return out

    return currents, {a.name: float(a.default) for a in arguments}


def fit_model(
    loops: xr.Dataset,
    model: str | os.PathLike[str],
    free: Sequence[str],
    *,
    start: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    held_out: int = 1,
    starts: int = 1,
    seed: int = 0,
    most: int = 40,
) -> ModelFit:
    """Fit parameters of a model to measured loops.

    Parameters
    ----------
    loops : xarray.Dataset
        On ``sample``: voltage [V], current [A], time [s] and loop (a number for each loop), as
        `devicephys.read_loop` returns them; where attributes ``compliance_positive`` or
        ``compliance_negative`` [A] say that the current was limited, that of the model is, too.
    model : str or Path
        As of `load_model`.
    free : sequence of str
        Parameters to fit.
    start : mapping of str to float or None, optional
        Values to start from, and of parameters that are not fitted, instead of the defaults.
    bounds : mapping of str to tuple of float or None, optional
        Lowest and highest value; by default a hundredth and the hundredfold of the start.
    held_out : int, default 1
        Loops at the end that are predicted, not fitted; none where there is but one loop.
    starts : int, default 1
        Number of starts: the given one, the others drawn within the bounds.
    seed : int, default 0
        Of the other starts.
    most : int, default 40
        Steps of a start at most.

    Returns
    -------
    ModelFit
        The fit.

    Raises
    ------
    InputError
        Loops without time, unknown parameters, bounds that hold no start.
    SolverError
        The model cannot be integrated at any start.
    """
    predict, defaults = load_model(model)
    runs, limits = _runs(loops), _limits(loops)
    keep = len(runs) - held_out if 0 < held_out < len(runs) else len(runs)
    if held_out < 0 or starts < 1 or most < 1:
        raise InputError("is too small", "held_out, starts, most")
    fixed = {**defaults, **_checked(start or {}, defaults)}
    space = _Space.of(list(free), fixed, bounds or {}, defaults)
    problem = _Problem(predict, runs[:keep], limits, fixed, space)
    best = None
    generator = np.random.default_rng(seed)
    for k in range(starts):
        first = space.start if k == 0 else generator.uniform(space.lower, space.upper)
        if k == 0 and problem.failed(first):
            raise SolverError(
                "the model cannot be integrated at its start", str(model), "Give another start"
            )
        found = least_squares(
            problem, first, bounds=(space.lower, space.upper), x_scale="jac",
            diff_step=_STEP, max_nfev=most,
        )  # fmt: skip
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    rest = _Problem(predict, runs[keep:], limits, fixed, space) if keep < len(runs) else None
    return _summary(problem, best, rest)


@dataclass(frozen=True)
class _Space:
    """The free parameters as coordinates: logarithms where both bounds are positive."""

    names: list[str]
    log: np.ndarray
    start: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def of(
        cls,
        names: list[str],
        values: Mapping[str, float],
        bounds: Mapping[str, tuple[float, float]],
        defaults: Mapping[str, float],
    ) -> _Space:
        if not names or len(set(names)) != len(names):
            raise InputError("names no parameter, or one twice", "free")
        _checked(dict.fromkeys(names, 0.0), defaults, "free")
        _checked(dict.fromkeys(bounds, 0.0), defaults, "bounds")
        rows = []
        for name in names:
            value = values[name]
            if name not in bounds and not value > 0:
                raise InputError(f"'{name}' starts at {value:g}", "bounds", "Give its bounds")
            low, high = bounds.get(name, (value / REACH, value * REACH))
            if not low < high or not low <= value <= high:
                raise InputError(
                    f"'{name}' starts at {value:g}, not within {low:g} to {high:g}", "bounds"
                )
            positive = low > 0
            line = [np.log(x) if positive else x for x in (value, low, high)]
            edge = 1e-6 * (line[2] - line[1])  # a start at a bound has no way to go
            rows.append((positive, np.clip(line[0], line[1] + edge, line[2] - edge), *line[1:]))
        log, start, lower, upper = (np.array(column) for column in zip(*rows, strict=True))
        return cls(names, log.astype(bool), start, lower, upper)

    def values(self, x: np.ndarray) -> dict[str, float]:
        with np.errstate(over="ignore"):
            at = np.where(self.log, np.exp(np.where(self.log, x, 0.0)), x)
        return dict(zip(self.names, at.tolist(), strict=True))


@dataclass
class _Problem:
    """Residuals of some loops, over the root mean square of their current."""

    predict: Model
    runs: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    limits: tuple[float, float]
    fixed: Mapping[str, float]
    space: _Space
    evaluations: int = 0
    failures: int = 0

    def __post_init__(self) -> None:
        current = np.concatenate([run[2] for run in self.runs])
        self.scale = float(np.sqrt((current**2).mean()))
        if self.scale == 0:
            raise InputError("holds no current", "loops")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate(self.parts(x))

    def parts(self, x: np.ndarray) -> list[np.ndarray]:
        """Residuals of each loop."""
        self.evaluations += 1
        parameters = {**self.fixed, **self.space.values(x)}
        out, failed = [], False
        for times, voltages, currents in self.runs:
            try:
                new = np.clip(self.predict(times, voltages, parameters), *self.limits)
            except SolverError:
                new = np.full(times.shape, np.nan)
            residual = (new - currents) / self.scale
            failed |= not np.isfinite(residual).all()
            out.append(np.where(np.isfinite(residual), residual, _FAILED).clip(-1e6, 1e6))
        self.failures += failed
        return out

    def failed(self, x: np.ndarray) -> bool:
        before = self.failures
        self(x)
        return self.failures > before


def _summary(problem: _Problem, best: Any, rest: _Problem | None) -> ModelFit:
    space, parts = problem.space, problem.parts(best.x)
    residual = np.concatenate(parts)
    jacobian, count = best.jac, len(space.names)
    hessian, x = jacobian.T @ jacobian, best.x
    lower, upper = space.lower, space.upper
    if count == 1:  # `diagnose` is made for two parameters or more: one that is fixed beside it
        hessian, x = np.diag([hessian[0, 0], 0.0]), np.append(x, 0.0)
        lower, upper = np.append(lower, 0.0), np.append(upper, 0.0)
    squares, samples = np.array([(residual**2).sum()]), np.array([residual.size])
    said = diagnose(x[None], hessian[None], squares, samples, lower[None], upper[None])
    reach = stdtrit(max(residual.size - count, 1), 0.5 + LEVEL / 2)
    half = (reach * said.errors[0])[:count]
    length = max(map(len, parts))
    table, weights = np.zeros((2, length, len(parts)))
    for k, part in enumerate(parts):
        table[: len(part), k], weights[: len(part), k] = part, 1.0
    return ModelFit(
        values={**problem.fixed, **space.values(best.x)},
        low=space.values(np.maximum(best.x - half, space.lower)),
        high=space.values(np.minimum(best.x + half, space.upper)),
        at_bound=dict(zip(space.names, said.at_bound[0].tolist(), strict=False)),
        error=float(np.sqrt((residual**2).mean())),
        held_out_error=float(np.sqrt((rest(best.x) ** 2).mean())) if rest else float("nan"),
        durbin_watson=float(np.mean(durbin_watson(table, weights))),
        autocorrelation=float(np.mean(autocorrelation(table, weights))),
        condition=float(said.condition[0]),
        samples=residual.size,
        evaluations=problem.evaluations,
        failures=problem.failures,
    )


def _checked(
    values: Mapping[str, float], defaults: Mapping[str, float], where: str = "start"
) -> dict[str, float]:
    for name in values:
        if name not in defaults:
            raise InputError(f"the model has no parameter '{name}'", where, closest(name, defaults))
    return {name: float(value) for name, value in values.items()}


def _runs(loops: xr.Dataset) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Times, voltages and currents of each loop."""
    missing = [n for n in ("voltage", "current", "time", "loop") if n not in loops.variables]
    if missing:
        hint = "Give the sweep rate" if missing == ["time"] else ""
        raise InputError(f"the loops have no {', '.join(missing)}", "loops", hint)
    columns = [np.asarray(loops[n].values, float) for n in ("time", "voltage", "current")]
    numbers = np.asarray(loops["loop"].values)
    runs = []
    for number in np.unique(numbers):
        t, v, i = (column[numbers == number] for column in columns)
        if not np.isfinite([t, v, i]).all() or t.size < 3 or (np.diff(t) <= 0).any():
            raise InputError(
                f"loop {number}: fewer than 3 samples, a gap, or times that do not increase",
                "loops",
            )
        runs.append((t, v, i))
    return runs


def _limits(loops: xr.Dataset) -> tuple[float, float]:
    high = float(loops.attrs.get("compliance_positive", np.inf))
    low = float(loops.attrs.get("compliance_negative", np.inf))
    return -abs(low), abs(high)
