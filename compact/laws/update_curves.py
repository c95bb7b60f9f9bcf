"""Curves of the update laws that `compact.laws.update_laws` compares, and their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compact.kinetics.equations import march

__all__ = ["LAWS", "Law"]

#: pulses (n, 1), parameters (N, q) -> phi (n, N), derivatives (q, n, N)
Curve = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Law:
    """A law: its curve and, for n pulses, the lower and upper bounds of its parameters."""

    name: str
    curve: Curve
    bounds: Callable[[int], tuple[tuple[float, ...], tuple[float, ...]]]


def _linear(k: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    phi = np.broadcast_to(1 - k / k[-1], (len(k), len(theta)))
    return phi.copy(), np.zeros((0, *phi.shape))


def _soft_bound(k: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    exponent = np.exp(theta[:, 0]) * k
    phi = np.exp(-exponent)
    return phi, (-exponent * phi)[None]


def _power(k: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grown, q = np.exp(theta[:, 0]) * k, np.exp(theta[:, 1])
    phi = np.exp(-q * np.log1p(grown))
    return phi, np.stack([-q * grown / (1 + grown) * phi, -q * np.log1p(grown) * phi])


def _sinh(k: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    s = np.exp(theta[:, 1])
    exponent = np.exp(theta[:, 0]) * k
    # z = tanh(s/2) exp(-r k); 1 - z without the cancellation near k = 0
    decay, one_less = np.exp(-exponent), -np.expm1(-exponent)
    t, rest = np.tanh(s / 2), 2 / (np.exp(s) + 1)
    z, short = t * decay, rest * decay + one_less
    phi = (np.log1p(z) - np.log(short)) / s
    by_z = 2 / (s * short * (1 + z))
    by_s = by_z * 0.5 * rest * (1 + t) * decay - phi / s
    return phi, np.stack([-by_z * z * exponent, s * by_s])


def _alpha_beta(k: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    beta, share = np.exp(theta[:, 0]), theta[:, 1]
    x = np.ones((len(k) - 1, 1))
    y, (by_alpha, by_beta) = march("implicit", beta * share, beta, x, 1.0, derivatives="ab")
    return y, np.stack([beta * (by_alpha * share + by_beta), by_alpha * beta])


def _rates(n: int) -> tuple[float, float]:
    return float(np.log(0.01 / n)), float(np.log(10.0))


LAWS: dict[str, Law] = {
    "linear": Law("linear", _linear, lambda n: ((), ())),
    "soft bound": Law("soft bound", _soft_bound, lambda n: ((_rates(n)[0],), (_rates(n)[1],))),
    "power law": Law(
        "power law", _power, lambda n: ((_rates(n)[0], np.log(0.05)), (_rates(n)[1], np.log(20.0)))
    ),
    "sinh rate": Law(
        "sinh rate", _sinh, lambda n: ((_rates(n)[0], np.log(0.05)), (_rates(n)[1], np.log(60.0)))
    ),
    "alpha/beta": Law(
        "alpha/beta", _alpha_beta, lambda n: ((_rates(n)[0], 0.0), (_rates(n)[1], 1.0))
    ),
}
