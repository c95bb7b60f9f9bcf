"""A cell along a waveform: an implicit Runge-Kutta formula of two stages, Newton's method, SuperLU.

The formula is that of Alexander (SIAM J. Numer. Anal. 14, 1006 (1977)), of second order, whose last
stage is the new state; with g = 1 - 1/sqrt(2) each stage solves (u - u_h)/(g h) = f(u)::

    stage 1 at t + g h:  u_h = u_0
    stage 2 at t + h:    u_h = u_0 + (1 - g) h f_1

A third-order quadrature through the slopes at t, t + g h and t + h gives the local error of n.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from devicephys import Waveform
from tests.verification.finite_volume.residual import Equations, State

GAMMA = 1.0 - 1.0 / np.sqrt(2.0)
#: weights of the slopes at 0, GAMMA and 1 of a quadrature that is exact for squares
_WEIGHTS = np.linalg.solve(
    np.vander([0.0, GAMMA, 1.0], increasing=True).T, [1.0, 1.0 / 2.0, 1.0 / 3.0]
)
_MOST_ITERATIONS = 12
#: what an update may be at the end: V, K, 1e27 1/m^3
_SMALL = 1e-5, 5e-2, 1e-4


class NotSolvedError(RuntimeError):
    """No step of a sensible length is solved."""


@dataclass
class Limits:
    """Local errors allowed of n (1e27 1/m^3) and T (K), and the voltage of a step (V)."""

    concentration: float = 0.01
    temperature: float = np.inf
    voltage: float = 0.05


@dataclass
class Record:
    """Time, applied voltage, current and hottest place of every step, and counts."""

    time: list[float] = field(default_factory=list)
    voltage: list[float] = field(default_factory=list)
    current: list[float] = field(default_factory=list)
    temperature: list[float] = field(default_factory=list)
    iterations: int = 0
    factorisations: int = 0
    refused: int = 0

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Time, voltage, current and temperature as arrays."""
        return tuple(np.array(x) for x in (self.time, self.voltage, self.current, self.temperature))


class March:
    """One cell on its way; ``state`` is where it stands."""

    def __init__(self, equations: Equations, limits: Limits) -> None:
        self.equations, self.limits = equations, limits
        self.state = equations.start()
        zero = np.zeros(equations.cell.count)
        self.slope = State(zero, zero.copy(), zero.copy(), 0.0)
        self.record = Record()
        self.time = 0.0
        self._factors, self._factored = None, 1.0

    def run(self, waveform: Waveform, first_step: float) -> None:
        """Follow a waveform, which starts where the cell stands, to its end."""
        corners, offset = waveform.corners, self.time
        if not self.record.time:
            self._note(waveform.voltage(0.0), 0.0)
        step = first_step
        for begin, end in itertools.pairwise(corners):
            slope = (waveform.voltage(end) - waveform.voltage(begin)) / (end - begin)
            now, kink = float(begin), True
            step = min(step, 0.2 * (end - begin))
            while now < end:
                if slope:
                    step = min(step, self.limits.voltage / abs(slope))
                left = end - now
                planned = step
                # two equal steps to a corner instead of a full one and a crumb
                h = left if left <= step * 1.000001 else min(step, left / 2)
                last = h == left
                result = self._attempt(waveform, now, h, kink)
                if isinstance(result, float):
                    self.record.refused += 1
                    step = h * result
                    if step < 1e-14:
                        raise NotSolvedError(f"at {now:.6g} s, {waveform.voltage(now):.4g} V")
                    continue
                growth = result[2]
                self.state, self.slope = result[0], result[1]
                now, kink = (float(end) if last else now + h), False
                self.time = offset + now
                self._note(waveform.voltage(now), result[3])
                step = max(planned, h * growth) if growth >= 1.0 else h * growth

    def _note(self, voltage: float, current: float) -> None:
        record = self.record
        record.time.append(self.time)
        record.voltage.append(voltage)
        record.current.append(current)
        record.temperature.append(float(self.state.t.max()))

    def _attempt(self, waveform: Waveform, now: float, h: float, kink: bool):
        """New state, slopes, growth of the step and current; or by what to shorten the step."""
        old, slope, g = self.state, self.slope, GAMMA * h
        applied_old = waveform.voltage(now)
        guess = old.copy()
        if not kink:
            guess.t += g * slope.t
        guess.n += g * slope.n
        applied = waveform.voltage(now + g)
        self._scale(guess, applied_old, applied)
        if not self.solve(guess, old, g, applied):
            return 0.25
        first = State(old.v, (guess.t - old.t) / g, (guess.n - old.n) / g, 0.0)
        past = State(old.v, old.t + (h - g) * first.t, old.n + (h - g) * first.n, old.contact)
        new = guess.copy()
        # on along the chord from the last state through the first stage
        new.t = np.maximum(old.t + h * first.t, 200.0)
        new.n += (h - g) * first.n
        end = waveform.voltage(now + h)
        self._scale(new, applied, end)
        if not self.solve(new, past, g, end):
            return 0.25
        second = State(old.v, (new.t - past.t) / g, (new.n - past.n) / g, 0.0)
        error = 0.0
        w = _WEIGHTS
        for name, allowed in (
            ("n", self.limits.concentration),
            ("t", np.inf if kink else self.limits.temperature),
        ):
            k0, k1, k2 = (getattr(x, name) for x in (slope, first, second))
            better = getattr(old, name) + h * (w[0] * k0 + w[1] * k1 + w[2] * k2)
            error = max(error, float(np.abs(better - getattr(new, name)).max()) / allowed)
        factor = 0.9 * max(error, 1e-6) ** (-1.0 / 3.0)
        if error > 1.0:
            return max(0.2, min(0.8, factor))
        return new, second, min(2.0, max(0.5, factor)), self.equations.inward

    @staticmethod
    def _scale(guess: State, before: float, after: float) -> None:
        """Potentials follow the applied voltage."""
        factor = after / before if before else 0.0
        if 0.5 < factor < 2.0:
            guess.v = guess.v * factor
            guess.contact *= factor

    def solve(self, guess: State, past: State, gamma: float, applied: float) -> bool:
        """Solve one implicit step from a guess, which is overwritten.

        Factors of a matrix serve until the updates no longer shrink threefold.
        """
        before = np.inf
        if not 0.7 < gamma / self._factored < 1.4:
            self._factors = None
        for _ in range(_MOST_ITERATIONS):
            fresh = self._factors is None
            residual, jacobian = self.equations.evaluate(guess, past, gamma, applied, fresh)
            if not np.isfinite(residual).all():
                break
            if fresh:
                # rows differ by twenty powers of ten: without this, pivots would be of others
                self._scale_of_rows = 1.0 / np.abs(jacobian.diagonal())
                scaled = sparse.diags(self._scale_of_rows) @ jacobian
                try:
                    self._factors = splu(scaled.tocsc(), diag_pivot_thresh=0.1)
                except RuntimeError:  # singular
                    break
                self._factored = gamma
                self.record.factorisations += 1
            self.record.iterations += 1
            update = self._factors.solve(-self._scale_of_rows * residual)
            size = self._size(update)
            if not size < 1e9:
                break
            shrinks = size / before
            if not fresh and shrinks > 0.3:
                self._factors = None
                if shrinks > 1.0:
                    # worse than none: from here with a matrix of its own
                    before = np.inf
                    continue
            factor = self._apply(guess, update)
            before = size if factor == 1.0 else np.inf
            # with old factors what is left is about that share of the update
            left = size if fresh else size * (3.0 * shrinks if shrinks > 0.0 else 10.0)
            if factor == 1.0 and left < 1.0:
                return bool(guess.n.min() > -0.02)
        self._factors = None
        return False

    def _size(self, update: np.ndarray) -> float:
        """Largest update in units of what is small; the contact's potential is as the others."""
        count = self.equations.cell.count
        fields = (update[k * count : (k + 1) * count] for k in range(3))
        return max(float(np.abs(x).max()) / y for x, y in zip(fields, _SMALL, strict=True))

    def _apply(self, guess: State, update: np.ndarray) -> float:
        """Add an update, shortened where it changes a temperature wildly; by what."""
        count = self.equations.cell.count
        v, t, n = (update[k * count : (k + 1) * count] for k in range(3))
        hottest = float(np.abs(t).max())
        factor = min(1.0, 400.0 / hottest) if hottest > 0.0 else 1.0
        guess.v += factor * v
        guess.t += factor * t
        guess.n += factor * n
        guess.contact += factor * float(update[-1])
        return factor
