"""The kinetics of the article, its Eqs. (3) and (4), by three integrators.

::

    SET    dy/dt = alpha/y + beta x        sign = +1
    RESET  dy/dt = alpha/y - beta x        sign = -1

y > 0 is the state, which rises with the conductance; 0 <= x <= 1 the input; alpha and beta >= 0
(alpha = D stands for diffusion, beta = mu/L for drift, where y = w and x = v of Eq. (2)). One input
takes the time ``dt`` and is constant in it.

==========  ================================================================  ===================
explicit    y+ = y + alpha dt/y -+ beta x dt                                  the authors' network
implicit    y+ = (c + sqrt(c^2 + 4 alpha dt))/2,  c = y -+ beta x dt          positive, alpha > 0
exact       the solution of the equation itself, see `exact_step`             positive, alpha > 0
==========  ================================================================  ===================

Which sample belongs to which input
    By default ``y[..., k]`` is the state after input k: the state after the pulse, which a read of
    the conductance sees. With ``states="before"`` it is that before it, as in the authors' code:
    ``y[..., 0] = y0`` and ``y[..., k]`` uses ``x[..., k-1]``; the last input is never used.

Stability of RESET at constant x (see `stability`)
    The fixed point of all three is y* = alpha/(beta x). In u = y/y* explicit Euler is the map
    u+ = u + c/u - c with the ratio c = (beta x)^2 dt/alpha alone:

    ==============  ===============================================================================
    c < 1           approaches y* monotonically, once it is near
    1 < c < 2       approaches it with damped oscillation
    2 < c < 2.5     ends in a cycle of two states, c/2 (1 -+ sqrt(1 - 2/c)) in units of y*
    to 2.6488       cycles of 4, 8, 16, ...: each doubles the one before
    to 4            chaos, with windows of further cycles (of three about c = 3)
    c > 4           steps below zero: where y = sqrt(alpha dt), one full input ends at y < 0; a
                    state below zero never returns, it falls for ever
    ==============  ===============================================================================

    Its states are positive under all inputs from 0 to x if and only if beta x dt <
    2 sqrt(alpha dt), that is c < 4 (or r = 1/c > 1/4), because y + alpha dt/y has its minimum
    2 sqrt(alpha dt) at y = sqrt(alpha dt). The other two approach y* monotonically whatever the
    numbers.

All functions broadcast over leading dimensions, and take complex numbers as well, which
differentiate (complex step). Loops over time run on time-major arrays in place.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
