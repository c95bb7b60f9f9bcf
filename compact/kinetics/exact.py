"""One exact step of dy/dt = a/y - b over unit time, and its derivatives.

With the fixed point y* = a/b, u = y/y* and tau = b^2/a the equation integrates to

::

    (u - 1) exp(u - 1) = (u0 - 1) exp(u0 - 1) exp(-tau),        u = 1 + W(right-hand side),

W being Lambert's function: the principal branch for b > 0 (RESET), the branch -1 for b < 0 (SET).
Taken literally that overflows for u0 above 700, is 0/0 for b -> 0 and loses half of the digits
near u = 0, so each range has a form of its own:

* above the fixed point, Wright's omega function: u = 1 + omega(ln(u0 - 1) + u0 - 1 - tau);
* near the fixed point, Newton's method on (u - 1) - (u0 - 1) exp(u0 - u - tau) = 0;
* below it, and for SET, Newton's method on H(u) = H(u0) + tau with H(u) = -u - ln(1 - u);
* for b -> 0, Newton's method on y^2 psi(u) = y0^2 psi(u0) + 2a, psi = 2 H(u)/u^2 as a series in u:
  psi = 1 gives y = sqrt(y0^2 + 2a).

The derivatives need only S, the integral of dt/y over the step. In s, with dt = y ds, the equation
is linear, dy/ds = a - b y, so that with z = b S and

::

    f(z) = (1 - exp(-z))/z,                   m(z) = (z - 1 + exp(-z))/z^2,
    k(z) = (1 - (1 + z) exp(-z))/z^2,         q(z) = 2 exp(-z) (sinh(z)/z - 1)/z^2,

all of them positive, S is the root of 1 = y0 S f + a S^2 m, whose slope is y, and

::

    dy/dy0 = (y0/y) exp(-z),
    dy/da  = (y0 S exp(-z) + a S^2 k)/y,
    dy/db  = -(exp(-z) (y0^2 S f + 2 a y0 S^2 m) + a^2 S^3 q)/y.

No two terms cancel. (S from b S = tau + u - u0, and sums of it with y and 1, lose all digits where
tau = b^2/a or y^2/a comes near 1e16.)

Arrays may be complex (a small imaginary part differentiates); the branch follows the real part.
"""

from __future__ import annotations

from math import factorial

import numpy as np

_SMALL = 0.1  # |u| up to which the series in u is used
_TERMS = 18  # 0.1^18: below the rounding of a double
_NEAR = 0.9  # u0 from which the exponential form is used
_FAR = 1e14  # u0 above which the diffusion term is lost in rounding until the fixed point
_NEWTON = 6
_POLISH = 4  # Newton's steps for S at most, from a start that is right to a tenth at worst,
_SETTLED = 1e-8  # and the relative size of the last but one
_WEAK = 0.2  # |z| up to which the functions of the derivatives are series
_M = tuple((-1) ** n / factorial(n + 2) for n in range(10))
_K = tuple((-1) ** n * (n + 1) / factorial(n + 2) for n in range(10))
_Q = tuple((-1) ** n * (2 ** (n + 3) / factorial(n + 3) - 2 / factorial(n + 2)) for n in range(12))


def exact_step(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """State after unit time.

    Parameters
    ----------
    y : ndarray
        State at the start, >= 0, any shape.
    a : ndarray
        alpha dt, >= 0, same shape.
    b : ndarray
        beta x dt, >= 0 for RESET and <= 0 for SET, same shape.

    Returns
    -------
    ndarray
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
        s = _inverse_integral(y0, y, a, b)
        z = b * s
        less = np.expm1(-z)
        decay, grown, diffused = np.exp(-z), y0 * s, a * s
        by_state = np.where(y0 == 0, 0.0, y0 / y * decay)
        by_a = (grown * decay + s * (diffused * _k(z, less, decay))) / y
        falling = decay * grown * (y0 * _f(z, less) + 2 * diffused * _m(z, less))
        by_b = -(falling + diffused * diffused * (s * _q(z, less, decay))) / y
        empty = (a == 0) & (y == 0)
        if not empty.any():
            return by_state, by_a, by_b
        # drift alone ends at 0, where y is a/b for a little diffusion
        by_a = np.where(empty, 1 / b, by_a)
        return np.where(empty, 0.0, by_state), by_a, np.where(empty, 0.0, by_b)


def _inverse_integral(y0: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """S, the integral of dt/y over the step."""
    u, u0 = b * y / a, b * y0 / a
    # dt/y = (du/b)/(1 - u) along the path, which integrates to the logarithm
    by_log = np.log((u0 - 1) / (u - 1)) / b
    # away from the fixed point the sum is a difference of large numbers, the logarithm is not
    s = np.where(((u.real > 1.5) | (u.real < 0)) & np.isfinite(by_log), by_log, (b + y - y0) / a)
    s = np.where(a == 0, np.log(y0 / y) / b, s)
    # a state that hardly moves: the mean of both ends is closer than any difference of them
    close = np.abs(y - y0) <= 0.2 * np.abs(y + y0)
    s = np.where(close, 2 / (y0 + y), s)
    for _ in range(_POLISH):
        z = b * s
        less = np.expm1(-z)
        step = (s * (y0 * _f(z, less) + a * s * _m(z, less)) - 1) / y
        step = np.where(np.isfinite(step), step, 0)
        s = s - step
        if (np.abs(step) <= _SETTLED * np.abs(s)).all():
            break
    return s


def _f(z: np.ndarray, less: np.ndarray) -> np.ndarray:
    """(1 - exp(-z))/z; here and below ``less`` is exp(-z) - 1 and ``decay`` exp(-z)."""
    return np.where(z == 0, 1.0, -less / np.where(z == 0, 1.0, z))


def _m(z: np.ndarray, less: np.ndarray) -> np.ndarray:
    """(z - 1 + exp(-z))/z^2."""
    return _near_zero(z, (z + less) / (z * z), _M)


def _k(z: np.ndarray, less: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """(1 - (1 + z) exp(-z))/z^2."""
    return _near_zero(z, (-less - z * decay) / (z * z), _K)


def _q(z: np.ndarray, less: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """2 exp(-z) (sinh(z)/z - 1)/z^2."""
    return _near_zero(z, (-less * (less + 2) / z - 2 * decay) / (z * z), _Q)


def _near_zero(z: np.ndarray, form: np.ndarray, series: tuple[float, ...]) -> np.ndarray:
    """``form`` where z is not small, else the series in z."""
    weak = np.abs(z) < _WEAK
    if not weak.any():
        return form
    v = z[weak]
    total = np.full_like(v, series[-1])
    for coefficient in series[-2::-1]:
        total *= v
        total += coefficient
    values = np.array(form)
    values[weak] = total
    return values


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


def _weak_drift(y0: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    target = y0 * y0 * _psi(b * y0 / a) + 2 * a
    # starts from pure diffusion, psi = 1; |u| <= 0.1 keeps Newton's method quadratic from there
    y = np.sqrt(y0 * y0 + 2 * a)
    for _ in range(_NEWTON):
        u = b * y / a
        y = y - (y * y * _psi(u) - target) * (1 - u) / (2 * y)
    return y


def _near_or_above(y0: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.special import wrightomega  # start-up: the other two steps need no SciPy

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
    # Where to start: near the fixed point's branch point the series of Lambert's function in the
    # root of its distance, far below it the asymptote u -> 1 - exp(-1 - H), for SET -H - sqrt(2 H).
    q = target.real
    root = np.sqrt(-2 * np.expm1(-q))
    series = root * (1 - root * (1 / 3 - root * (11 / 72 - root * (43 / 540 - root * 0.0445))))
    tail = np.exp(-1 - q)
    falling = np.where(q < 1, series, 1 - tail * (1 + tail * (1 + 1.5 * tail)))
    u = np.where(b.real > 0, falling, -(q + np.sqrt(2 * q))).astype(y0.dtype)
    for _ in range(_NEWTON):
        u = np.where(u.real < 1, u - (_h(u) - target) * (1 - u) / u, u)
    return u * (a / b)
