"""Tasks, models and experiments; comparisons over seeds; from a cell to the accuracy of a network.

>>> from ddk import studies
>>> table = studies.compare("digits", ["ddk", "raw"], seeds=range(3))
>>> print(studies.markdown(table))
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
