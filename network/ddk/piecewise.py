"""One pair of alpha and beta as products of matrices: a piecewise linear recurrence.

>>> recurrence = PiecewiseLinearDDK.fitted(0.7, 1.0, hinges=8)
>>> y = recurrence.forward(x)                        # states after each sample, as `ddk.forward`
>>> recurrence.error(x).rms                          # how far they are from the exact recurrence

A step of the kinetics is y+ = y + phi(u) - beta x dt (+ in SET), and phi depends on one number::

    explicit    phi = alpha dt/y                        u = y
    implicit    phi = (sqrt(u^2 + 4 alpha dt) - u)/2    u = y - beta x dt

phi is convex and falls, so it is near to a line plus hinges, max(t - u, 0) at knots t. With n of
them a step is a product of (y, x, 1) with a matrix of n columns, a rectifier on each, and a product
of what they give and (y, x, 1) with one column: the increment of y, which a register adds to what
it holds. Without hinges it is a fixed linearisation, one product a step. The state stays in the
register, whose bits are not counted here; what goes through arrays and converters is the increment
alone, so that rounding does not swallow a slow drift. The article (Shi et al., Nat. Commun. 16, 913
(2025), Discussion) says that the DDK operation can be decomposed so, and not how: this is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from compact.kinetics.stability_report import POSITIVE
from ddkbase.errors import InputError, shorten
from network.ddk import kinetics
from network.layers.base import RNG, Realise

__all__ = ["HINGES", "PiecewiseLinearDDK", "StateError"]

HINGES = 8
"""Hinges of a pair where nothing else is said."""

_MOST_HINGES = 256
_BINS = 400  # of what inputs visit, for the places of knots
_REHEARSED = 256  # sequences that converters take their ranges from


@dataclass(frozen=True)
class StateError:
    """How far states are from those of the exact recurrence, in units of y.

    Attributes
    ----------
    rms : float
        Root of the mean square over all sequences and steps.
    worst : float
        Largest size over all of them.
    last : float
        Root of the mean square after the last sample.
    spread : float
        Standard deviation of the exact states after the last sample: what there is to tell apart.
    """

    rms: float
    worst: float
    last: float
    spread: float


@dataclass(frozen=True)
class PiecewiseLinearDDK:
    """The recurrence of one pair as two matrices; `fitted` makes it.

    Attributes
    ----------
    alpha, beta : float
        The pair.
    integrator : {"implicit", "explicit"}
        The step that is decomposed.
    form : {"reset", "set"}
        Whether the drift lowers the state or raises it.
    initial, dt : float
        As for `network.ddk.forward`.
    y_scale, x_scale : float
        State and sample that drive a row in full.
    hinge_weight : ndarray, shape (2, hinges)
        From (y/y_scale, x/x_scale) to hinges.
    hinge_bias : ndarray, shape (hinges,)
        Knots of the hinges, in their unit.
    update_weight : ndarray, shape (hinges + 2, 1)
        From (rectified hinges, y/y_scale, x/x_scale) to the increment of y.
    update_bias : ndarray, shape (1,)
        Its constant part.
    """

    alpha: float
    beta: float
    integrator: str
    form: str
    initial: float
    dt: float
    y_scale: float
    x_scale: float
    hinge_weight: np.ndarray
    hinge_bias: np.ndarray
    update_weight: np.ndarray
    update_bias: np.ndarray

    @classmethod
    def fitted(
        cls,
        alpha: float,
        beta: float,
        *,
        hinges: int = HINGES,
        samples: Any = None,
        steps: int = 64,
        integrator: str = "implicit",
        form: str = "reset",
        initial: float = 1.0,
        dt: float = 1.0,
    ) -> PiecewiseLinearDDK:
        """The recurrence with the least mean square error of one step where inputs lead the state.

        Parameters
        ----------
        alpha, beta : float
            The pair, alpha > 0, beta >= 0.
        hinges : int, default 8
            Hinges, from 0 (a fixed linearisation) to 256.
        samples : array_like or None, optional
            Typical inputs, shape (..., steps); None takes those of `typical`.
        steps : int, default 64
            Length of the sequences of `typical`; unused with ``samples``.
        integrator : {"implicit", "explicit"}, default "implicit"
            The step that is decomposed; the exact one is no function of one number.
        form : {"reset", "set"}, default "reset"
            As for `network.ddk.forward`.
        initial, dt : float, default 1.0
            As for `network.ddk.forward`.

        Raises
        ------
        InputError
            Numbers out of range, another integrator, or an explicit step that may leave y > 0.
        """
        if integrator not in ("implicit", "explicit"):
            raise InputError(
                f"the step {shorten(integrator)} is no function of one number",
                "integrator",
                "Use 'implicit' or 'explicit'",
            )
        if isinstance(hinges, bool) or not isinstance(hinges, int | np.integer):
            raise InputError(f"{shorten(hinges)} is no number of hinges", "hinges")
        if not 0 <= hinges <= _MOST_HINGES:
            raise InputError(f"{hinges} hinges", "hinges", f"Use 0 to {_MOST_HINGES}")
        if not (np.isfinite([alpha, beta]).all() and alpha > 0 and beta >= 0):
            raise InputError(f"alpha {alpha:g} and beta {beta:g} are no pair", "alpha, beta")
        x = typical(steps) if samples is None else np.asarray(samples, float)
        if x.ndim < 1 or not x.size or not np.isfinite(x).all():
            raise InputError("no finite sequences", "samples", "Give (..., steps)")
        x = x.reshape(-1, x.shape[-1])
        drift = (-beta if form == "reset" else beta) * dt
        largest = float(np.abs(x).max()) or 1.0
        if integrator == "explicit" and alpha * dt <= POSITIVE * min(drift * largest, 0.0) ** 2:
            raise InputError(
                f"the explicit step of alpha {alpha:.4g} and beta {beta:.4g} may leave y > 0",
                "integrator",
                "Use the implicit step, or a smaller beta",
            )
        how: dict[str, Any] = {"integrator": integrator, "form": form, "initial": initial, "dt": dt}
        after = kinetics.forward(x, alpha, beta, **how)
        y = np.concatenate([np.full((len(x), 1), float(initial)), after[:, :-1]], axis=1)
        through = drift if integrator == "implicit" else 0.0  # what of x is in u
        u = (y + through * x).ravel()
        phi, curvature = _diffusion(u, alpha * dt, integrator)
        knots = _knots(u, curvature, int(hinges))
        # rectified hinges face the steep side, so that nearly all slopes have one sign and write
        # errors of large terms that cancel do not arise
        unit = float(np.ptp(u)) or 1.0
        design = np.concatenate(
            [np.maximum((knots - u[:, None]) / unit, 0.0), u[:, None], np.ones((len(u), 1))], axis=1
        )
        slopes = np.linalg.lstsq(design, phi, rcond=1e-10)[0]
        y_scale = float(np.abs(y).max())
        line, constant = float(slopes[-2]), float(slopes[-1])
        rows = [*slopes[:-2], line * y_scale, (line * through + drift) * largest]
        return cls(
            float(alpha),
            float(beta),
            integrator,
            form,
            float(initial),
            float(dt),
            y_scale,
            largest,
            np.repeat([[-y_scale / unit], [-through * largest / unit]], len(knots), axis=1),
            knots / unit,
            np.array(rows)[:, None],
            np.array([constant]),
        )

    @property
    def hinges(self) -> int:
        """How many there are."""
        return len(self.hinge_bias)

    @property
    def products(self) -> int:
        """Products of a matrix and a vector in one step."""
        return 2 if self.hinges else 1

    def forward(
        self, x: Any, *, realise: Realise = None, name: str = "recurrence", rng: RNG = None
    ) -> np.ndarray:
        """States after each sample.

        Parameters
        ----------
        x : array_like, shape (..., steps)
            Sequences of samples.
        realise : Realisation or None, optional
            The hardware that multiplies, e.g. a `network.hardware.HardwareRealisation`, which has
            write errors, converters and lines; None for exact numbers. Its converters take their
            ranges from the exact course of the first 256 sequences.
        name : str, default "recurrence"
            What the matrices are called there: this and " hinges" or " update".
        rng : numpy.random.Generator or None, optional
            Draws what is random in ``realise``.

        Returns
        -------
        ndarray, shape of x
            The states, in the dtype of x where that is a float, else float64.

        Raises
        ------
        InputError
            No axis of time.
        """
        x = np.asarray(x)
        if x.ndim < 1:
            raise InputError("needs an axis of time steps", "x", "Give at least [x]")
        flat = x.reshape(-1, x.shape[-1]).astype(float)
        if realise is not None and flat.size:
            # a converter's range is that of its first call, which has to see all steps
            states = self._run(flat[:_REHEARSED], None, name, rng)
            before = np.full((len(states), 1), self.initial)
            before = np.concatenate([before, states[:, :-1]], axis=1)
            self._increment(before.ravel(), flat[:_REHEARSED].ravel(), realise, name, rng)
        y = self._run(flat, realise, name, rng).reshape(x.shape)
        return y.astype(x.dtype, copy=False) if x.dtype.kind == "f" else y

    def exact(self, x: Any) -> np.ndarray:
        """States after each sample x (..., steps) by the recurrence that is decomposed, float64."""
        return np.asarray(
            kinetics.forward(
                np.asarray(x, float),
                self.alpha,
                self.beta,
                integrator=self.integrator,
                form=self.form,
                initial=self.initial,
                dt=self.dt,
            )
        )

    def error(self, x: Any, **options: Any) -> StateError:
        """How far `forward` is from `exact` on sequences x (..., steps).

        Parameters
        ----------
        x : array_like, shape (..., steps)
            Sequences of samples.
        **options : object
            Those of `forward`: ``realise``, ``name``, ``rng``.
        """
        x = np.asarray(x, float)
        exact = self.exact(x)
        miss = np.abs(self.forward(x, **options) - exact)
        last = miss[..., -1]
        return StateError(
            float(np.sqrt(np.mean(miss**2))),
            float(miss.max()),
            float(np.sqrt(np.mean(last**2))),
            float(exact[..., -1].std()),
        )

    # -- inside

    def _run(self, x: np.ndarray, realise: Realise, name: str, rng: RNG) -> np.ndarray:
        y = np.full(len(x), self.initial)
        out = np.empty_like(x)
        for k in range(x.shape[1]):
            y = y + self._increment(y, x[:, k], realise, name, rng)
            out[:, k] = y
        return out

    def _increment(
        self, y: np.ndarray, x: np.ndarray, realise: Realise, name: str, rng: RNG
    ) -> np.ndarray:
        rows = np.stack([y / self.y_scale, x / self.x_scale], axis=1)
        inputs = rows
        if self.hinges:
            h = _product(f"{name} hinges", rows, self.hinge_weight, self.hinge_bias, realise, rng)
            inputs = np.concatenate([np.maximum(h, 0.0), rows], axis=1)
        update = (self.update_weight, self.update_bias)
        return _product(f"{name} update", inputs, *update, realise, rng)[:, 0]


def typical(steps: int) -> np.ndarray:
    """Sequences in [0, 1] where no data are at hand: constant ones, and random ones of all levels.

    Returns
    -------
    ndarray, shape (84, steps)
        21 constant levels; 63 of uniform random samples, each times a level; the same in every
        call.
    """
    if steps < 1:
        raise InputError(f"{steps} steps", "steps", "At least one is needed")
    levels = np.linspace(0.0, 1.0, 21)[:, None]
    drawn = np.random.default_rng(0).random((3, 21, steps)) * levels
    return np.concatenate([np.repeat(levels, steps, axis=1), drawn.reshape(-1, steps)])


def _diffusion(u: np.ndarray, a: float, integrator: str) -> tuple[np.ndarray, np.ndarray]:
    """phi(u) and its second derivative; a = alpha dt."""
    if integrator == "explicit":
        return a / u, 2 * a / u**3
    root = np.sqrt(u * u + 4 * a)
    # 2 a/(root + u) and (root - u)/2 are one number; each is exact on its side of zero
    phi = np.where(u > 0, 2 * a / (root + np.abs(u)), (root - u) / 2)
    return phi, 2 * a / root**3


def _knots(u: np.ndarray, curvature: np.ndarray, number: int) -> np.ndarray:
    """Where hinges lie [units of u]: density (curvature^2 p)^(1/5), p that of the visits.

    That is the density of the pieces of a free piecewise linear fit with the least mean square
    error (de Boor, A Practical Guide to Splines, ch. XII).
    """
    low, high = float(u.min()), float(u.max())
    if not number or not high > low:
        return np.empty(0)
    edges = np.linspace(low, high, _BINS + 1)
    visits, _ = np.histogram(u, edges)
    bent, _ = np.histogram(u, edges, weights=curvature)
    mean = np.where(visits > 0, bent / np.maximum(visits, 1), 0.0)
    weight = (mean**2 * visits) ** 0.2
    total = np.concatenate([[0.0], np.cumsum(weight)])
    shares = np.arange(1, number + 1) / (number + 1)
    return np.unique(np.interp(shares * total[-1], total, edges))


def _product(
    name: str, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, realise: Realise, rng: RNG
) -> np.ndarray:
    if realise is not None:
        product = realise.product(name, x, weight, bias, rng)
        if product is not None:
            return product
        weight = realise.weights(name, weight, rng)
    return x @ weight + bias
