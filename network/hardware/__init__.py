"""The hardware that a network runs on: arrays, cells and their imprecision.

>>> from network.hardware import Crossbar, HardwareRealisation, article
>>> y = Crossbar(weights) @ x                                  # an ideal array
>>> chip = HardwareRealisation(article(), seed=1)              # the article's imprecision
>>> network.predict(x, realise=chip)
>>> harden(network, x, y, mode="hybrid", hardware=article())   # trained for hardware
>>> cost(network_loads(network), load_chip("180nm"))           # energy, latency, area

Everything here is loaded on first use.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
