"""What a pulse train amounts to: the compact kinetics of a cell and their two coefficients.

>>> import compact
>>> result = compact.fit(trace)               # one train: an AlphaBetaFit
>>> result.alpha, result.beta_stderr
>>> many = compact.fit_many(conductance)      # many at once: a dataset

Everything here is loaded on first use: the package needs no finite-element stack, and its import
takes no time.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
