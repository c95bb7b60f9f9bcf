"""G_min and G_max as linear parameters: for a curve y of the state, d = A (1 - y) + B y."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from compact.fitting.trains import Trains

__all__ = ["eliminate", "projected", "shared_sums", "windows"]


def eliminate(
    y: np.ndarray,
    jacobian: np.ndarray,
    trains: Trains,
    index: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best A and B for curves y and what is left of a Jacobian beside them.

    Variable projection (Golub and Pereyra 1973) with Kaufman's Jacobian (1975): the derivatives of
    B - A times y, less their part in the space of 1 - y and y.

    Parameters
    ----------
    y : ndarray, shape (n, N')
        The curves.
    jacobian : ndarray, shape (q, n, N')
        Their derivatives; overwritten by the projected ones.
    trains : Trains
        The data.
    index : ndarray
        Which of the trains the N' curves belong to.
    lower, upper : ndarray, shape (N', 4)
        Bounds of alpha, beta, A, B.

    Returns
    -------
    a, b : ndarray, shape (N',)
        The optimal A and B.
    residuals : ndarray, shape (n, N')
        Residuals with them.
    """
    weights, values = trains.weights[:, index], trains.values[:, index]
    one: np.ndarray | float = 1.0
    if not weights.all():
        one, y = weights, y * weights
        jacobian *= weights
    sums = (
        weights.sum(0),
        y.sum(0),
        np.einsum("mn,mn->n", y, y),
        values.sum(0),
        np.einsum("mn,mn->n", y, values),
        np.einsum("mn,mn->n", values, values),
    )
    low, high, _ = (v[:, 0] for v in windows(tuple(s[:, None] for s in sums), lower, upper))
    depth = high - low
    jacobian *= depth
    pp, pq, qq = sums[0] - 2 * sums[1] + sums[2], sums[1] - sums[2], sums[2]
    free_low = (low > lower[:, 2]) & (low < upper[:, 2])
    free_high = (high > lower[:, 3]) & (high < upper[:, 3])
    both = free_low & free_high
    determinant = pp * qq - pq * pq
    for column in jacobian:
        cq = np.einsum("mn,mn->n", column, y)
        cp = column.sum(0) - cq
        with np.errstate(all="ignore"):
            u = np.where(both, (qq * cp - pq * cq) / determinant, free_low * cp / pp)
            v = np.where(both, (pp * cq - pq * cp) / determinant, free_high * cq / qq)
        u, v = np.nan_to_num(u), np.nan_to_num(v)
        column -= u * one + (v - u) * y
    return low, high, low * one + depth * y - values


def projected(
    y: np.ndarray, trains: Trains, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A and B within their bounds that suit states (n, N) best, and the sum of squares, (N, 1)."""
    sound = np.isfinite(y).all(0) & (np.abs(y).max(0) < 1e3)
    y = np.where(sound, y, 0.0)
    w, d = trains.weights, trains.weights * trains.values
    terms = (w, w * y, w * y * y, d, d * y, d * trains.values)
    low, high, cost = windows(tuple(term.sum(0)[:, None] for term in terms), lower, upper)
    return low, high, np.where(sound[:, None], cost, np.inf)


def shared_sums(y: np.ndarray, trains: Trains) -> tuple[np.ndarray, ...]:
    """What `windows` takes, for every train (N) with every one of M common curves (n, M)."""
    w, d = trains.weights.T, (trains.weights * trains.values).T
    return (
        w.sum(1)[:, None],
        w @ y,
        w @ (y * y),
        d.sum(1)[:, None],
        d @ y,
        (d * trains.values.T).sum(1)[:, None],
    )


def windows(
    sums: tuple[np.ndarray, ...], lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounded linear regression d = A (1 - y) + B y from sums over the pulses.

    Parameters
    ----------
    sums : tuple of ndarray
        Sums of 1, y, y^2, d, y d and d^2, each (N, M) or (N, 1) in shape.
    lower, upper : ndarray, shape (N, 4)
        Bounds of alpha, beta, A, B.

    Returns
    -------
    a, b : ndarray, shape (N, M)
        The optimal A and B.
    squares : ndarray, shape (N, M)
        Sum of the squared residuals.
    """
    s, sy, syy, sd, syd, sdd = sums
    pp, pq, qq = s - 2 * sy + syy, sy - syy, syy
    pd, qd = sd - syd, syd
    a_low, a_high, b_low, b_high = (v[:, i : i + 1] for i in (2, 3) for v in (lower, upper))
    with np.errstate(all="ignore"):
        b = (pp * qd - pq * pd) / (pp * qq - pq * pq)
        b = np.clip(np.where(np.isfinite(b), b, 1.0), b_low, b_high)
        a = (pd - b * pq) / pp
        a = np.clip(np.where(np.isfinite(a), a, 0.0), a_low, a_high)
        b = (qd - a * pq) / qq
        b = np.clip(np.where(np.isfinite(b), b, 1.0), b_low, b_high)
    cost = sdd - 2 * a * pd - 2 * b * qd + a * a * pp + 2 * a * b * pq + b * b * qq
    return a, b, np.maximum(cost, 0)
