"""The hardware that a network runs on: arrays, cells and their imprecision.

>>> from network.hardware import Crossbar, HardwareRealisation, article
>>> y = Crossbar(weights) @ x                                  # an ideal array
>>> chip = HardwareRealisation(article(), seed=1)              # the article's imprecision
>>> network.predict(x, realise=chip)

Everything here is loaded on first use. The cost of a network on a chip is
`network.hardware.chip.cost.cost`, and of a compiled one `placement_cost`.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
