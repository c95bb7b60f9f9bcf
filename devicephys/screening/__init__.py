"""Which parameters of a cell matter for which figure of merit, over their whole ranges.

`devicephys.screen` does all of it; `plan_screening` checks a screening, `run_screening` carries it
out. Slopes at one point, exact and cheaper, are the ``sensitivities`` of `devicephys.simulate`.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
