"""Samples of the posterior, drawn on an emulator that is made of the solves of the fit.

Each solve gave residuals and their derivatives. Between them the residuals are taken as the mean
of the tangent planes of all solves, weighted by a power of the inverse distance in the metric of
the Fisher information: exact in value and slope at each solve. How far the emulator is off is
measured by leaving out one solve after the other.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, InstallationError
from devicephys.fitting.information import losses

__all__ = ["Emulator", "draw_posterior", "require_emcee"]

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
            hint="Install ddk-toolkit[mcmc], or leave out 'posterior'",
        ) from None


def draw_posterior(
    emulator: Emulator,
    cost: np.ndarray,
    covariance: np.ndarray,
    inflation: float,
    bounds: tuple[np.ndarray, np.ndarray],
    priors: Sequence[float | None],
    loss: str,
    count: int,
    seed: int = 0,
) -> xr.Dataset:
    """Draw samples by the affine-invariant ensemble sampler (package emcee).

    Parameters
    ----------
    emulator : Emulator
        Made of all solves that did not fail.
    cost : ndarray of shape (solves,)
        What the search made small at each.
    covariance, inflation : ndarray, float
        Laplace's, and what the stated errors are multiplied with.
    bounds : tuple of ndarray
        Least and largest logarithms: the posterior is zero outside.
    priors : sequence of float or None
        Relative standard deviations known before.
    loss : {"soft_l1", "linear"}
        As of `scipy.optimize.least_squares`.
    count : int
        How many samples.
    seed : int, default 0
        Of the random numbers.

    Returns
    -------
    xarray.Dataset
        ``logs`` on (sample, parameter) [1]; in ``attrs`` the ``emulator_error``, the root mean
        square of the error of the log likelihood at left-out solves, of how many
        (``emulator_tests``), and the ``acceptance`` and ``autocorrelation`` of the chains.

    Raises
    ------
    InputError
        Fewer than three solves lie where the posterior is.
    InstallationError
        The package emcee is not installed.
    """
    emcee = require_emcee()
    near = (cost - cost.min()) / inflation**2 < RELEVANT
    if near.sum() < 3:
        raise InputError(
            f"only {near.sum()} solves lie where the posterior is", "posterior", "Add profile: true"
        )
    emulator = emulator.only(near)
    known = np.array([np.inf if p is None else np.log1p(p) for p in priors])

    def density(points: np.ndarray, by: Emulator = emulator) -> np.ndarray:
        inside = np.all((points >= bounds[0]) & (points <= bounds[1]), axis=1)
        counted = losses(np.column_stack([by(points), points / known]), loss)
        return np.where(inside, -0.5 * counted.sum(axis=1) / inflation**2, -np.inf)

    exact = -cost[near] / inflation**2
    left_out = [
        float(density(emulator.logs[k : k + 1], emulator.without(k))[0] - exact[k])
        for k in range(len(exact))
    ]
    walkers = max(32, 4 * len(known))
    rng = np.random.default_rng(seed)
    best = emulator.logs[int(np.argmax(exact))]
    spread = np.linalg.cholesky(covariance + 1e-12 * np.eye(len(known)))
    begin = best + 0.3 * rng.normal(size=(walkers, len(known))) @ spread.T
    margin = 1e-6 * (bounds[1] - bounds[0])
    begin = np.clip(begin, bounds[0] + margin, bounds[1] - margin)
    begin += margin * rng.uniform(-0.5, 0.5, size=begin.shape)  # none on top of another at a bound
    sampler = emcee.EnsembleSampler(walkers, len(known), density, vectorize=True)
    sampler.random_state = np.random.RandomState(seed).get_state()
    steps = BURN + THIN * -(-count // walkers)
    sampler.run_mcmc(begin, steps)
    chain = sampler.get_chain(discard=BURN, thin=THIN, flat=True)[:count]
    times = sampler.get_autocorr_time(discard=BURN, quiet=True, tol=0)
    return xr.Dataset(
        {"logs": (("sample", "parameter"), chain, {"units": "1"})},
        attrs={
            "emulator_error": float(np.sqrt(np.mean(np.square(left_out)))),
            "emulator_tests": len(left_out),
            "acceptance": float(np.mean(sampler.acceptance_fraction)),
            "autocorrelation": float(np.max(times)),
        },
    )
