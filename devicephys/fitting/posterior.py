"""Samples of the posterior, drawn on an emulator that is made of the solves of the fit.

Each solve gave residuals and their derivatives. Between them the residuals are taken as the mean
of the tangent planes of all solves, weighted by a power of the inverse distance in the metric of
the Fisher information: exact in value and slope at each solve. How far the emulator is off is
measured by leaving out one solve after the other. A search follows one path through a valley that
may be long and bent; so samples that lie far from all solves are solved, too, until the emulator
foretells them.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, InstallationError
from devicephys.fitting.information import losses

__all__ = ["Emulator", "LogPosterior", "draw_posterior", "farthest", "require_emcee"]

#: power of the inverse distance; exact slopes at the solves ask for more than 2
POWER = 4.0
#: solves whose cost lies further above the least than this, in units of log likelihood, are not
#: where the posterior is: they neither serve the emulator nor its test
RELEVANT = 50.0
#: samples that each walker throws away first, and every how many one is kept
BURN, THIN = 300, 10


class Emulator:
    """Residuals as a function of the logarithms of parameters, made of solves.

    Parameters
    ----------
    logs : ndarray of shape (solves, parameters)
        Where was solved.
    residual : ndarray of shape (solves, samples)
        Residuals there.
    jacobian : ndarray of shape (solves, samples, parameters)
        Their derivatives.
    metric : ndarray of shape (parameters, parameters)
        Fisher information, in which distances are measured.
    """

    def __init__(
        self, logs: np.ndarray, residual: np.ndarray, jacobian: np.ndarray, metric: np.ndarray
    ) -> None:
        self.logs, self.residual, self.jacobian = logs, residual, jacobian
        self.metric = metric

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Residuals at points of shape (points, parameters), of shape (points, samples)."""
        apart = points[:, None, :] - self.logs
        square = np.einsum("pki,ij,pkj->pk", apart, self.metric, apart)
        weight = (square + 1e-12) ** (-POWER / 2.0)
        weight /= weight.sum(axis=1, keepdims=True)
        planes = self.residual + np.einsum("ksj,pkj->pks", self.jacobian, apart)
        return np.einsum("pk,pks->ps", weight, planes)

    def only(self, solves: np.ndarray) -> Emulator:
        """The emulator of some solves, a mask of shape (solves,)."""
        return Emulator(
            self.logs[solves], self.residual[solves], self.jacobian[solves], self.metric
        )

    def without(self, k: int) -> Emulator:
        """The emulator of all solves but one."""
        return self.only(np.arange(len(self.logs)) != k)


def require_emcee() -> Any:
    """The package emcee; InstallationError if it is not installed."""
    try:
        return importlib.import_module("emcee")  # an optional package
    except ImportError:
        raise InstallationError(
            "samples of the posterior need the package emcee",
            hint="Run pip install 'ddk-toolkit[mcmc]', or leave out 'posterior'",
        ) from None


class LogPosterior:
    """Logarithm of the posterior density by an emulator, not normalised.

    Parameters
    ----------
    emulator : Emulator
        Made of all solves that did not fail.
    cost : ndarray of shape (solves,)
        What the search made small at each.
    dispersion : float
        What the cost is divided by to become a logarithm of likelihood.
    bounds : tuple of ndarray
        Least and largest logarithms: the posterior is zero outside.
    priors : sequence of float or None
        Relative standard deviations known before.
    loss : {"soft_l1", "linear"}
        As of `scipy.optimize.least_squares`.

    Raises
    ------
    InputError
        Fewer than three solves lie where the posterior is.
    """

    def __init__(
        self,
        emulator: Emulator,
        cost: np.ndarray,
        dispersion: float,
        bounds: tuple[np.ndarray, np.ndarray],
        priors: Sequence[float | None],
        loss: str,
    ) -> None:
        near = (cost - cost.min()) / dispersion < RELEVANT
        if near.sum() < 3:
            raise InputError(
                f"only {near.sum()} solves lie where the posterior is",
                "posterior",
                "Add profile: true",
            )
        self.emulator, self.exact = emulator.only(near), -cost[near] / dispersion
        self.dispersion, self.bounds, self.loss = dispersion, bounds, loss
        self.deviations = np.array([np.inf if p is None else np.log1p(p) for p in priors])

    @property
    def best(self) -> np.ndarray:
        """The best solve, shape (parameters,)."""
        return np.asarray(self.emulator.logs[int(np.argmax(self.exact))])

    def __call__(self, points: np.ndarray, by: Emulator | None = None) -> np.ndarray:
        """The logarithm at points of shape (points, parameters), of shape (points,)."""
        low, high = self.bounds
        inside = np.all((points >= low) & (points <= high), axis=1)
        residual = (by or self.emulator)(points)
        counted = losses(np.column_stack([residual, points / self.deviations]), self.loss)
        return np.where(inside, -0.5 * counted.sum(axis=1) / self.dispersion, -np.inf)

    def left_out(self) -> np.ndarray:
        """By how much the emulator of the others is off at each solve, shape (solves,)."""
        points = self.emulator.logs
        return np.array(
            [
                self(points[k : k + 1], self.emulator.without(k))[0] - exact
                for k, exact in enumerate(self.exact)
            ]
        )


def farthest(density: LogPosterior, samples: np.ndarray, solved: np.ndarray) -> np.ndarray:
    """The sample that lies farthest from all points ``solved``, the outermost tenth left aside.

    There a solve tells the emulator most of where the posterior is.

    Parameters
    ----------
    density : LogPosterior
        What the samples were drawn from.
    samples, solved : ndarray of shape (points, parameters)
        Logarithms of the parameters; distances are those of the emulator's metric.
    """
    likely = density(samples)
    inner = samples[likely >= np.quantile(likely, 0.1)]
    apart = inner[:, None, :] - solved
    square = np.einsum("pki,ij,pkj->pk", apart, density.emulator.metric, apart)
    return np.asarray(inner[int(np.argmax(square.min(axis=1)))])


def draw_posterior(
    density: LogPosterior,
    covariance: np.ndarray,
    count: int,
    seed: int = 0,
    others: np.ndarray | None = None,
) -> xr.Dataset:
    """Draw samples by the affine-invariant ensemble sampler (package emcee).

    Parameters
    ----------
    density : LogPosterior
        What is drawn from.
    covariance : ndarray
        Laplace's: the walkers begin within it around the best solve.
    count : int
        How many samples.
    seed : int, default 0
        Of the random numbers.
    others : ndarray of shape (optima, parameters) or None, optional
        Other optima: the walkers begin around them, too, by their likelihood.

    Returns
    -------
    xarray.Dataset
        ``logs`` on (sample, parameter) [1]; in ``attrs`` the ``emulator_error``, the root mean
        square of the error of the log likelihood at left-out solves, of how many
        (``emulator_tests``), and the ``acceptance`` and ``autocorrelation`` of the chains.

    Raises
    ------
    InstallationError
        The package emcee is not installed.
    """
    emcee = require_emcee()
    size = len(covariance)
    left_out = density.left_out()
    walkers = max(32, 4 * size)
    rng = np.random.default_rng(seed)
    low, high = density.bounds
    spread = np.linalg.cholesky(covariance + 1e-12 * np.eye(size))
    centres = np.vstack([density.best, *([] if others is None else [others])])
    likely = density(centres)
    share = np.exp(likely - likely.max())
    at = rng.choice(len(centres), size=walkers, p=share / share.sum())
    begin = centres[at] + 0.3 * rng.normal(size=(walkers, size)) @ spread.T
    margin = 1e-6 * (high - low)
    begin = np.clip(begin, low + margin, high - margin)
    begin += margin * rng.uniform(-0.5, 0.5, size=begin.shape)  # none on top of another at a bound
    sampler = emcee.EnsembleSampler(walkers, size, density, vectorize=True)
    sampler.random_state = np.random.RandomState(seed).get_state()
    steps = BURN + THIN * -(-count // walkers)
    sampler.run_mcmc(begin, steps)
    chain = sampler.get_chain(discard=BURN, thin=THIN, flat=True)[:count]
    times = sampler.get_autocorr_time(discard=BURN, quiet=True, tol=0)
    return xr.Dataset(
        {"logs": (("sample", "parameter"), chain, {"units": "1"})},
        attrs={
            "emulator_error": float(np.sqrt(np.mean(left_out**2))),
            "emulator_tests": len(left_out),
            "acceptance": float(np.mean(sampler.acceptance_fraction)),
            "autocorrelation": float(np.max(times)),
        },
    )
