"""A compiled module integrated implicitly, its first terminal driven by a voltage.

The equations f(x) + dq(x)/dt = 0 are stepped by the Radau IIA method of three stages: of order
five, without oscillation however stiff the walls of a model are, and exact in the equations that
hold no charge. See E. Hairer and G. Wanner, Solving Ordinary Differential Equations II, Springer
1996, Sect. IV.5. The slopes in Newton's method are the compiler's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from compact.circuit.compiled import VerilogModule
from ddkbase.errors import InputError, SolverError, closest
from ddkbase.records import label
from ddkbase.units import to_si

_ROOT = np.sqrt(6.0)
_NODES = np.array([(4 - _ROOT) / 10, (4 + _ROOT) / 10, 1.0])
_MATRIX = np.array(
    [
        [(88 - 7 * _ROOT) / 360, (296 - 169 * _ROOT) / 1800, (-2 + 3 * _ROOT) / 225],
        [(296 + 169 * _ROOT) / 1800, (88 + 7 * _ROOT) / 360, (-2 - 3 * _ROOT) / 225],
        [(16 - _ROOT) / 36, (16 + _ROOT) / 36, 1 / 9],
    ]
)
_LAST_SLOPE = np.linalg.inv(_MATRIX)[2]  # of the charges at the end of a step
_NEWTON = 40
_SETTLED = 1e-10  # relative change of the unknowns at which Newton's method ends
_SMALLEST = 1e-16  # and the absolute one
_LITTLE = 1e-3  # [V] below which a state counts as if it were this large
_HALVINGS = 40
_ORDER = 5


class _NoConvergence(Exception):
    """Newton's method did not end, or met what is no number."""


@dataclass
class Circuit:
    """A module between a source of voltage (first terminal) and the ground (second terminal).

    Further terminals are open: no current flows into them.

    Attributes
    ----------
    module : VerilogModule
        The compiled module.
    parameters : dict of str to float
        All its parameters, as of `VerilogModule.parameters`.
    start : dict of str to float
        Voltages of inner nodes before the first step; 0 where not given.
    tolerance : float or None
        Error of an inner unknown that a step may add, relative to its largest value so far or to
        1 mV, by which steps are shortened; None: one step to each stretch, halved only where
        Newton's method needs it, so that the answer is a smooth function of the parameters.
    """

    module: VerilogModule
    parameters: Mapping[str, float]
    start: Mapping[str, float] = field(default_factory=dict)
    tolerance: float | None = None

    def __post_init__(self) -> None:
        names = self.module.unknowns
        if len(self.module.terminals) < 2:
            raise InputError(f"module '{self.module.name}' has fewer than two terminals")
        self._free = np.arange(2, len(names))
        self._inner = np.ix_(self._free, self._free)
        self._of_stages = np.ix_(range(3), self._free, self._free)
        self._x = np.zeros(len(names))
        for name, value in self.start.items():
            if name not in names[2:]:
                raise InputError(
                    f"module '{self.module.name}' has no inner node '{name}'",
                    "start",
                    closest(name, names[2:]),
                )
            self._x[names.index(name)] = value
        self._scale = np.abs(self._x)

    def state(self) -> np.ndarray:
        """The unknowns now, (n,), in the order of the module's."""
        return self._x.copy()

    def hold(self, voltage: float) -> float:
        """The current [A] into the first terminal at a voltage [V], without time going on.

        Raises SolverError: Newton's method does not end.
        """
        try:
            return self._at_rest(voltage)
        except _NoConvergence as error:
            raise SolverError(f"no solution at {voltage:g} V: {error}", self.module.name) from None

    def advance(self, duration: float, first: float, last: float) -> float:
        """Integrate over a stretch [s] along which the voltage goes linearly from one [V] to
        another.

        Returns the current [A] into the first terminal at its end. Raises SolverError: no step is
        small enough for Newton's method or for the tolerance.
        """
        at, size, current = 0.0, 1.0, 0.0
        while at < 1.0:
            size = min(size, 1.0 - at)
            if size < 2.0**-_HALVINGS:
                raise SolverError(
                    f"the integration does not get beyond {at * duration:g} s of a stretch from "
                    f"{first:g} to {last:g} V",
                    self.module.name,
                    "Loosen the tolerance, or look at the parameters",
                )
            ends = tuple(first + (last - first) * s for s in (at, at + size))
            try:
                x, current, error = self._tried(size * duration, *ends)
            except _NoConvergence:
                size *= 0.5
                continue
            if self.tolerance is not None and error > self.tolerance:
                size *= min(0.5, max(0.1, 0.8 * (self.tolerance / error) ** (1 / (_ORDER + 1))))
                continue
            self._x = x
            self._scale = np.maximum(self._scale, np.abs(x))
            at = 1.0 if at + size >= 1.0 - 1e-12 else at + size
            growth = 2.0
            if self.tolerance is not None:
                growth = 0.8 * (self.tolerance / max(error, 1e-300)) ** (1 / (_ORDER + 1))
            size *= min(5.0, max(0.3, growth))
        return current

    def _tried(self, h: float, first: float, last: float) -> tuple[np.ndarray, float, float]:
        """Unknowns and current after a step, and its error: against two of half the length."""
        if self.tolerance is None:
            return (*self._step(self._x, h, first, last), 0.0)
        middle = 0.5 * (first + last)
        whole, _ = self._step(self._x, h, first, last)
        half, _ = self._step(self._x, 0.5 * h, first, middle)
        x, current = self._step(half, 0.5 * h, middle, last)
        scale = np.maximum(np.maximum(self._scale, np.abs(x)), _LITTLE)[self._free]
        moved = np.abs(x - whole)[self._free] / scale
        history = self.module.dynamic[self._free]
        return x, current, float(moved[history].max(initial=0.0)) / (2**_ORDER - 1)

    def _step(
        self, x0: np.ndarray, h: float, first: float, last: float
    ) -> tuple[np.ndarray, float]:
        free, m = self._free, self._free.size
        stages = np.repeat(x0[None], 3, axis=0)
        stages[:, 0] = first + (last - first) * _NODES
        stages[:, 1] = 0.0
        x0 = x0.copy()
        x0[:2] = first, 0.0
        q0 = self.module.evaluate(self.parameters, x0)[1]
        scale = np.maximum(self._scale, np.abs(x0))[free]
        for _ in range(_NEWTON):
            at = [self.module.evaluate(self.parameters, x) for x in stages]
            f, q, df, dq = (np.array(part) for part in zip(*at, strict=True))
            if m == 0:
                break
            with np.errstate(invalid="ignore"):  # a wild iterate is met below
                residual = (q[:, free] - q0[free]) + h * (_MATRIX @ f[:, free])
            inner = df[self._of_stages].transpose(1, 0, 2)[None]
            slopes = h * _MATRIX[:, None, :, None] * inner
            for k in range(3):
                slopes[k, :, k] += dq[k][self._inner]
            change = _solved(slopes.reshape(3 * m, 3 * m), -residual.ravel()).reshape(3, m)
            stages[:, free] += change
            size = np.maximum(scale, np.abs(stages[:, free]).max(axis=0))
            if (np.abs(change) <= _SETTLED * size + _SMALLEST).all():
                # the last change is too small for another evaluation to tell more
                f = f + np.einsum("kij,kj->ki", df[:, :, free], change)
                q = q + np.einsum("kij,kj->ki", dq[:, :, free], change)
                break
        else:
            raise _NoConvergence(f"no end after {_NEWTON} iterations")
        current = f[2, 0] + _LAST_SLOPE @ (q[:, 0] - q0[0]) / h
        if not np.isfinite(current):
            raise _NoConvergence("the current is no number")
        return stages[2], float(current)

    def _at_rest(self, voltage: float) -> float:
        free, dynamic = self._free, self.module.dynamic[self._free]
        x = self._x.copy()
        q0 = self.module.evaluate(self.parameters, x)[1][free]
        x[:2] = voltage, 0.0
        for _ in range(_NEWTON):
            f, q, df, dq = self.module.evaluate(self.parameters, x)
            if free.size == 0:
                break
            residual = np.where(dynamic, q[free] - q0, f[free])
            slopes = np.where(dynamic[:, None], dq[self._inner], df[self._inner])
            change = _solved(slopes, -residual)
            x[free] += change
            size = np.maximum(self._scale[free], np.abs(x[free]))
            if (np.abs(change) <= _SETTLED * size + _SMALLEST).all():
                f = f + df[:, free] @ change
                break
        else:
            raise _NoConvergence(f"no end after {_NEWTON} iterations")
        if not np.isfinite(f[0]):
            raise _NoConvergence("the current is no number")
        self._x = x
        return float(f[0])


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """A linear system whose rows differ by many powers of ten: currents beside states."""
    largest = np.abs(matrix).max(axis=1)
    if not (np.isfinite(matrix).all() and np.isfinite(right).all() and (largest > 0).all()):
        raise _NoConvergence("a slope is no number, or an equation holds no unknown")
    try:
        return np.linalg.solve(matrix / largest[:, None], right / largest)
    except np.linalg.LinAlgError:
        raise _NoConvergence("the equations are singular") from None


def run_sweep(
    module: VerilogModule,
    times: np.ndarray,
    voltages: np.ndarray,
    *,
    parameters: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
    tolerance: float | None = 1e-6,
) -> xr.Dataset:
    """Current of a compiled module along a voltage, linear between its samples.

    Parameters
    ----------
    module : VerilogModule
        The compiled module.
    times : ndarray, shape (n,), s
        Increasing.
    voltages : ndarray, shape (n,), V
        Between the first and the second terminal.
    parameters : dict of str to float or None, optional
        Instead of the module's defaults.
    start : dict of str to float or None, optional
        Voltages of inner nodes at the start; 0 where not given.
    tolerance : float or None, default 1e-6
        As of `Circuit`.

    Returns
    -------
    xarray.Dataset
        On time: voltage [V], current [A], and the unknowns (unknown, time).

    Raises
    ------
    InputError
        Parameters or nodes that the module has not, times that do not increase.
    SolverError
        The integration does not go on.
    """
    times, voltages = np.asarray(times, float), np.asarray(voltages, float)
    if times.ndim != 1 or times.shape != voltages.shape or not times.size:
        raise InputError(f"shapes {times.shape} and {voltages.shape} are no curve", "times")
    if not (np.isfinite(times).all() and np.isfinite(voltages).all()):
        raise InputError("holds what is not finite", "times, voltages")
    if (np.diff(times) <= 0).any():
        raise InputError("do not increase", "times")
    circuit = Circuit(module, module.parameters(**(parameters or {})), start or {}, tolerance)
    currents, states = [circuit.hold(voltages[0])], [circuit.state()]
    for k in range(1, times.size):
        step = times[k] - times[k - 1]
        currents.append(circuit.advance(step, voltages[k - 1], voltages[k]))
        states.append(circuit.state())
    return xr.Dataset(
        {
            "voltage": label(voltages, "time", "V", "voltage across the cell"),
            "current": label(np.array(currents), "time", "A", "current into the first terminal"),
            "unknowns": _states(np.array(states), "time"),
        },
        {"time": label(times, "time", "s", "time"), "unknown": _names(module)},
    )


def run_pulses(
    module: VerilogModule,
    amplitudes: np.ndarray,
    width: str,
    *,
    read_voltage: str = "0.1 V",
    rest: str | None = None,
    parameters: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
    tolerance: float | None = 1e-9,
) -> xr.Dataset:
    """Conductance of a compiled module before the first and after each of many rectangular pulses.

    Parameters
    ----------
    module : VerilogModule
        The compiled module.
    amplitudes : ndarray, shape (n,), V
        Of the pulses.
    width : str
        Of each pulse, text with a unit.
    read_voltage : str, default "0.1 V"
        At which the conductance is read, without time going on.
    rest : str or None, optional
        Time without voltage after each pulse; None: none.
    parameters, start : dict of str to float or None, optional
        As of `run_sweep`.
    tolerance : float or None, default 1e-9
        As of `Circuit`.

    Returns
    -------
    xarray.Dataset
        On pulse (n + 1, the first before any): conductance [S], and the unknowns (unknown, pulse)
        at the reads.

    Raises
    ------
    InputError
        Parameters or nodes that the module has not, a unit, a width or read voltage of zero.
    SolverError
        The integration does not go on.
    """
    seconds, volts = to_si(width, "s", "width"), to_si(read_voltage, "V", "read_voltage")
    pause = 0.0 if rest is None else to_si(rest, "s", "rest")
    if not seconds > 0 or not pause >= 0:
        raise InputError("is no time of a pulse", "width" if not seconds > 0 else "rest")
    if volts == 0:
        raise InputError("is zero", "read_voltage", "Conductance is current over voltage")
    circuit = Circuit(module, module.parameters(**(parameters or {})), start or {}, tolerance)
    reads, states = [circuit.hold(volts) / volts], [circuit.state()]
    for amplitude in np.asarray(amplitudes, float):
        circuit.advance(seconds, amplitude, amplitude)
        if pause:
            circuit.advance(pause, 0.0, 0.0)
        reads.append(circuit.hold(volts) / volts)
        states.append(circuit.state())
    return xr.Dataset(
        {
            "conductance": label(np.array(reads), "pulse", "S", "conductance after each pulse"),
            "unknowns": _states(np.array(states), "pulse"),
        },
        {
            "pulse": label(np.arange(len(reads)), "pulse", "1", "number of pulses before the read"),
            "unknown": _names(module),
        },
    )


def _states(states: np.ndarray, dim: str) -> xr.Variable:
    text = "voltages [V] of nodes and currents [A] of branches"
    return label(states.T, ("unknown", dim), "1", text)


def _names(module: VerilogModule) -> xr.Variable:
    return label(np.array(module.unknowns), "unknown", "1", "node, or current of a branch")
