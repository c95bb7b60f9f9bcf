"""From measured loops, trains and bakes to parameters of a device, and what the data leave open.

================  ========================================================================
module            what it does
================  ========================================================================
``description``   what a fit is made of, from YAML: device, data, free parameters
``data``          a measured loop, train or bake, and its misfit with derivatives
``fit``           `devicephys.fit_device`: from the description to the result
``search``        least squares, kept after every solve; looking for other basins
``result``        what it gives
``information``   what the data determine: intervals, directions that stay open, profiles
``posterior``     samples of the posterior, on an emulator made of the solves
``experiments``   which further measurement would tell most
``report``        the page that shows it
================  ========================================================================
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
