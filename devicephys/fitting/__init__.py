"""From measured loops and trains to parameters of a device, with what the data do not determine.

================  ========================================================================
module            what it does
================  ========================================================================
``description``   what a fit is made of, from YAML: device, data, free parameters
``data``          a measured loop or train, and its misfit with derivatives
``search``        `devicephys.fit_device`: least squares, kept after every solve
``information``   what the data determine: intervals, directions that stay open
``report``        the page that shows it
================  ========================================================================
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
