"""The drift-diffusion kinetics as a map from input sequences to state sequences, and its reverse.

::

    RESET  dy/dt = alpha/y - beta x         SET  dy/dt = alpha/y + beta x

One sample x of a sequence acts for the time ``dt``; y > 0 is the state of the memristor that reads
the sequence (Eqs. (3) and (4) of the article; `compact.kinetics` has the scalar twins).

==========  ==============================================  ======================================
implicit    y+ = (c + sqrt(c^2 + 4 alpha dt))/2,            positive for alpha > 0, gradients never
            c = y -+ beta x dt                              grow; the default
explicit    y+ = y + alpha dt/y -+ beta x dt                the article's; may turn chaotic
exact       the solution of the equation                    as the implicit step, and slow
==========  ==============================================  ======================================

Which state belongs to which sample
    ``states="after"``, the default: y[k] has seen x[k], as a read after the pulse does.
    ``states="before"``, the authors' convention: y[0] is the first state, y[k] has seen x[k-1], and
    the last sample is never used.

`Positive`, `Clamp`, `Stable` and `Reachable` are the constraints that `network.DDKLayer` can put on
alpha and beta.

Everything broadcasts: alpha and beta may be numbers, one pair a channel, one a step, both, or have
leading axes of their own (banks). float32 stays float32, float16 becomes it, all else is computed
in float64.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
