"""Is the solver right? Manufactured and closed-form solutions, balances, on the user's machine.

``run`` gives the table that ``ddk-device verify`` prints. All tests go through the equations,
Newton's method and the time stepper that ``simulate`` uses. Modules: ``manufactured`` (orders of
convergence), ``closed_forms`` (heat, resistance, load lines, vacancies at rest), ``burgers``
(bounded drift with site exclusion), ``balances`` (balances, scaling, ranks), ``cells`` (devices
and runs for these), ``table`` (rows).
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
