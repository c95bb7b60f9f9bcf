"""What a filamentary memristor cell is, what is done to it, and how its fields answer.

>>> import devicephys
>>> device = devicephys.load_device("tin-taox-hfox-tin")
>>> loop = devicephys.simulate(device, devicephys.IVSweep.from_device(device))

Everything here is loaded on first use: the import takes no time, and the finite-element stack,
which takes seconds to import and is not there on every machine, is reached for by a simulation.
"""

from ddkbase import __version__ as __version__
from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
