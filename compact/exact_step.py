"""One exact step of dy/dt = a/y - b over unit time, and its derivatives.

With the fixed point y* = a/b, u = y/y* and tau = b^2/a the equation integrates to

    (u - 1) exp(u - 1) = (u0 - 1) exp(u0 - 1) exp(-tau),        u = 1 + W(right-hand side),

W being Lambert's function: the principal branch for b > 0 (RESET), the branch -1 for b < 0 (SET).
Taken literally that overflows for u0 above 700, is 0/0 for b -> 0 and loses half of the digits
near u = 0, so each range has a form of its own:

* above the fixed point, Wright's omega function: u = 1 + omega(ln(u0 - 1) + u0 - 1 - tau);
* near the fixed point, Newton's method on (u - 1) - (u0 - 1) exp(u0 - u - tau) = 0;
* below it, and for SET, Newton's method on H(u) = H(u0) + tau with H(u) = -u - ln(1 - u);
* for b -> 0, Newton's method on y^2 psi(u) = y0^2 psi(u0) + 2a, psi = 2 H(u)/u^2 as a series in u:
  psi = 1 gives y = sqrt(y0^2 + 2a).

The derivatives need only S, the integral of dt/y over the step, for which b S = tau + u - u0:

    dy/dy0 = (y0/y) exp(-b S),
    dy/da  = I0/y,   I0 = S y - 1 + y0 phi,   phi = (1 - exp(-b S))/b,
    dy/db  = -I1/y,  I1 = y + a (I0 - 1)/b.

Arrays may be complex (a small imaginary part differentiates); the branch follows the real part.
"""

from __future__ import annotations

import numpy as np

_SMALL = 0.1  # |u| up to which the series in u is used
_TERMS = 18  # 0.1^18: below the rounding of a double
_NEAR = 0.9  # u0 from which the exponential form is used
_FAR = 1e14  # u0 above which the diffusion term is lost in rounding until the fixed point
_NEWTON = 6


def exact_step(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """State after unit time.

    Parameters
    ----------
    y : state at the start, >= 0, any shape.
    a : alpha dt, >= 0, same shape.
    b : beta x dt, >= 0 for RESET and <= 0 for SET, same shape.

    Returns
    -------
    The state, same shape; >= 0, and > 0 unless a is zero.
    """
    dtype = np.result_type(y, a, b, np.float64)
    shape = np.broadcast_shapes(np.shape(y), np.shape(a), np.shape(b))
    y, a, b = (np.broadcast_to(np.asarray(v, dtype), shape).ravel() for v in (y, a, b))
    out = np.empty(y.shape, dtype)
    with np.errstate(all="ignore"):
        reach = np.abs(b) * (np.abs(y) + np.sqrt(2 * np.abs(a)) + np.maximum(-b.real, 0))
        small = (reach <= _SMALL * np.abs(a)) & (a.real > 0)
        start = np.where(a.real > 0, b * y / np.where(a.real > 0, a, 1), np.inf)
        far = ~small & (b.real > 0) & ~(start.real < _FAR)
        pure = ~small & (a.real <= 0) & (b.real <= 0)  # drift alone, upwards
        near = ~small & ~far & ~pure & (start.real >= _NEAR)
        rest = ~(small | far | pure | near)
        for mask, form in ((small, _weak_drift), (near, _near_or_above), (rest, _below)):
            if mask.any():
                out[mask] = form(y[mask], a[mask], b[mask])
        if far.any():
            drifted, fixed = y[far] - b[far], a[far] / b[far]
            out[far] = np.where(drifted.real > fixed.real, drifted, fixed)
        out[pure] = y[pure] - b[pure]
    return out.reshape(shape)


def exact_derivatives(
    y0: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Derivatives of ``y = exact_step(y0, a, b)`` by y0, a and b; all arrays of one shape."""
    with np.errstate(all="ignore"):
        u, u0 = b * y / a, b * y0 / a
        inverse = 1 / np.where(b == 0, 1, b)
        by_sum = (b + y - y0) / a
        # far above the fixed point the sum is a difference of large numbers, the logarithm is not
        by_log = np.log((u0 - 1) / (u - 1)) * inverse
        s = np.where((u.real > 1.5) & np.isfinite(by_log), by_log, by_sum)
        s = np.where(a == 0, np.log(y0 / y) * inverse, s)
        s = np.where((b == 0) & (a == 0), 1 / y, s)
        decay = np.exp(-b * s)
        phi = np.where(b == 0, s, -np.expm1(-b * s) * inverse)
        by_state = np.where(y0 == 0, 0.0, y0 / y * decay)
        i0 = s * y - 1 + y0 * phi
        i1 = y + a * (i0 - 1) * inverse
        weak = (np.abs(u) < _SMALL) & (np.abs(u0) < _SMALL)
        slope = y**3 * _psi_slope(np.where(weak, u, 0)) - y0**3 * _psi_slope(np.where(weak, u0, 0))
        i1 = np.where(weak, (1 - u) * slope / (2 * a), i1)
        return by_state, i0 / y, -i1 / y


def _h(u: np.ndarray) -> np.ndarray:
    """H(u) = -u - ln(1 - u) for u < 1, to full relative precision near 0."""
    weak = np.abs(u) < _SMALL
    return np.where(weak, 0.5 * u * u * _psi(np.where(weak, u, 0)), -u - np.log1p(-u))


def _psi(u: np.ndarray) -> np.ndarray:
    """psi(u) = 2 (1/2 + u/3 + u^2/4 + ...)."""
    total = np.full_like(u, 2 / (_TERMS + 1))
    for power in range(_TERMS, 1, -1):
        total = total * u + 2 / power
    return total


def _psi_slope(u: np.ndarray) -> np.ndarray:
    """psi'(u) = 2 (1/3 + 2 u/4 + 3 u^2/5 + ...)."""
    total = np.full_like(u, 2 * _TERMS / (_TERMS + 2))
    for power in range(_TERMS, 1, -1):
        total = total * u + 2 * (power - 1) / (power + 1)
    return total


def _weak_drift(y0: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    target = y0 * y0 * _psi(b * y0 / a) + 2 * a
    y = np.sqrt(y0 * y0 + 2 * a)
    for _ in range(_NEWTON):
        u = b * y / a
        y = y - (y * y * _psi(u) - target) * (1 - u) / (2 * y)
    return y


def _near_or_above(y0: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.special import wrightomega

    u0, tau = b * y0 / a, b * b / a
    d0, tau_real = u0.real - 1, tau.real
    above = d0 >= 0
    argument = np.log(np.where(above, d0, 1)) + d0 - tau_real
    w = np.where(above, 0.0, d0) * np.exp(np.where(above, 0.0, d0) - tau_real)
    u = 1 + np.where(above, wrightomega(argument), w * (1 - w * (1 - 1.5 * w)))
    u = u.astype(y0.dtype)
    # omega is exact already: Newton's steps refine the series below 1, and complex arguments
    work = ~above if u.dtype.kind == "f" else np.ones(u.shape, bool)
    if work.any():
        v, v0, t = u[work], u0[work], tau[work]
        for _ in range(_NEWTON):
            v = v - ((v - 1) - (v0 - 1) * np.exp(v0 - v - t)) / v
        u[work] = v
    return u * (a / b)


def _below(y0: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    u0 = b * y0 / a
    target = _h(u0) + b * b / a
    q = target.real
    root = np.sqrt(-2 * np.expm1(-q))
    series = root * (1 - root * (1 / 3 - root * (11 / 72 - root * (43 / 540 - root * 0.0445))))
    tail = np.exp(-1 - q)
    falling = np.where(q < 1, series, 1 - tail * (1 + tail * (1 + 1.5 * tail)))
    u = np.where(b.real > 0, falling, -(q + np.sqrt(2 * q))).astype(y0.dtype)
    for _ in range(_NEWTON):
        u = np.where(u.real < 1, u - (_h(u) - target) * (1 - u) / u, u)
    return u * (a / b)
