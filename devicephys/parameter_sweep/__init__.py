"""One run for each value of a parameter: figures of merit against it, in one folder.

`devicephys.sweep` does all of it; `plan_sweep` checks a sweep, `run_sweep` carries it out.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
