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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import least_squares
from scipy.special import stdtrit

from compact.circuit.compiled import compile_verilog_a
from compact.circuit.implicit import Circuit
from compact.fitting.any_model import Run, ends_of, loop_runs, split_off, train_runs
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
    """A model fitted to loops and trains.

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
        Root mean square of the misfit over that of the measured current, or conductance of trains:
        of what was fitted, and of what was held out (NaN: nothing).
    durbin_watson, autocorrelation : float
        Of the residuals from sample to sample; 2 and 0 if they are independent, else the
        intervals are too narrow.
    condition : float
        Condition of the Jacobian.
    samples, evaluations, failures : int
        Numbers of samples, of runs over all loops, and of those of them that ended early.
    profile_low, profile_high : dict of str to float
        Ends of the 95 % profile-likelihood intervals; empty if they were not asked for.
    profile_open : dict of str to tuple of bool
        Whether a bound of the parameter ends them, below and above.
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
    profile_low: dict[str, float] = field(default_factory=dict)
    profile_high: dict[str, float] = field(default_factory=dict)
    profile_open: dict[str, tuple[bool, bool]] = field(default_factory=dict)


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
    loops: xr.Dataset | None,
    model: str | os.PathLike[str],
    free: Sequence[str],
    *,
    trains: xr.Dataset | None = None,
    amplitude: str | None = None,
    width: str | None = None,
    read_voltage: str = "0.1 V",
    profile: bool = False,
    start: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    held_out: int = 1,
    starts: int = 1,
    seed: int = 0,
    most: int = 40,
) -> ModelFit:
    """Fit parameters of a model to measured loops, to pulse trains, or to both.

    Parameters
    ----------
    loops : xarray.Dataset or None
        On ``sample``: voltage [V], current [A], time [s] and loop (a number for each loop), as
        `devicephys.read_loop` returns them; where attributes ``compliance_positive`` or
        ``compliance_negative`` [A] say that the current was limited, that of the model is, too.
    model : str or Path
        As of `load_model`.
    free : sequence of str
        Parameters to fit.
    trains : xarray.Dataset or None, optional
        Pulse trains, as `compact.read_pulses` returns them: conductances with a unit. One of which
        the first read is the last of the train before it goes on from there; every other begins
        from the model's own start. Reads are the model's current at the read voltage over it.
    amplitude, width : str or None, optional
        Of all pulses, as text, where the trains do not say them.
    read_voltage : str, default "0.1 V"
        Voltage at which the trains were read.
    profile : bool, default False
        Profile-likelihood intervals as well, which take some ten fits a parameter.
    start : mapping of str to float or None, optional
        Values to start from, and of parameters that are not fitted, instead of the defaults.
    bounds : mapping of str to tuple of float or None, optional
        Lowest and highest value; by default a hundredth and the hundredfold of the start.
    held_out : int, default 1
        Loops at the end that are predicted, not fitted, and as many runs of trains; none where
        there are no more.
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
        Loops without time, unknown parameters, bounds that hold no start; neither loops nor trains;
        trains as of `compact.fitting.any_model.train_runs`.
    SolverError
        The model cannot be integrated at any start.
    """
    predict, defaults = load_model(model)
    if loops is None and trains is None:
        raise InputError("neither loops nor trains are given", "fit_model")
    runs, later = split_off([] if loops is None else loop_runs(loops), held_out)
    if trains is not None:
        pulsed = split_off(train_runs(trains, amplitude, width, read_voltage), held_out)
        runs, later = runs + pulsed[0], later + pulsed[1]
    elif amplitude is not None or width is not None:
        raise InputError("pulses are described, but no trains given", "amplitude, width")
    if held_out < 0 or starts < 1 or most < 1:
        raise InputError("is too small", "held_out, starts, most")
    fixed = {**defaults, **_checked(start or {}, defaults)}
    space = _Space.of(list(free), fixed, bounds or {}, defaults)
    problem = _Problem(predict, runs, fixed, space)
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
    rest = _Problem(predict, later, fixed, space) if later else None
    return _summary(problem, best, rest, profile)


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
    """Residuals of some runs, over the root mean square of what was measured in those alike."""

    predict: Model
    runs: list[Run]
    fixed: Mapping[str, float]
    space: _Space
    evaluations: int = 0
    failures: int = 0

    def __post_init__(self) -> None:
        self.scale = {}
        for kind in sorted({run.kind for run in self.runs}):
            measured = np.concatenate([run.measured for run in self.runs if run.kind == kind])
            self.scale[kind] = float(np.sqrt((measured**2).mean()))
            if self.scale[kind] == 0:
                raise InputError("holds no current", f"{kind}s")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate(self.parts(x))

    def parts(self, x: np.ndarray) -> list[np.ndarray]:
        """Residuals of each run."""
        self.evaluations += 1
        parameters = {**self.fixed, **self.space.values(x)}
        out, failed = [], False
        for run in self.runs:
            try:
                new = run.compared(self.predict(run.times, run.voltages, parameters))
            except SolverError:
                new = np.full(run.measured.shape, np.nan)
            residual = (new - run.measured) / self.scale[run.kind]
            failed |= not np.isfinite(residual).all()
            out.append(np.where(np.isfinite(residual), residual, _FAILED).clip(-1e6, 1e6))
        self.failures += failed
        return out

    def failed(self, x: np.ndarray) -> bool:
        before = self.failures
        self(x)
        return self.failures > before


def _summary(problem: _Problem, best: Any, rest: _Problem | None, profile: bool) -> ModelFit:
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
    ends = _profiles(problem, best.x, half, reach) if profile else {}
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
        **ends,
    )


def _profiles(
    problem: _Problem, best: np.ndarray, half: np.ndarray, reach: float
) -> dict[str, dict[str, Any]]:
    """The attributes of `ModelFit` that hold profile intervals."""
    space = problem.space
    ends, bounded = ends_of(problem, best, space.lower, space.upper, half, float(reach), _STEP)
    return {
        "profile_low": space.values(ends[:, 0]),
        "profile_high": space.values(ends[:, 1]),
        "profile_open": {
            name: (bool(low), bool(high))
            for name, (low, high) in zip(space.names, bounded, strict=True)
        },
    }


def _checked(
    values: Mapping[str, float], defaults: Mapping[str, float], where: str = "start"
) -> dict[str, float]:
    for name in values:
        if name not in defaults:
            raise InputError(f"the model has no parameter '{name}'", where, closest(name, defaults))
    return {name: float(value) for name, value in values.items()}
