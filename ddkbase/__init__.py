"""What the packages stand on: errors, units, records, folders, pictures, pages, command lines.

It knows nothing of devices, fits or networks, and importing it loads nothing heavy.
"""

from ddkbase import lazy

__version__ = "0.1.0"

lazy.watch()

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
