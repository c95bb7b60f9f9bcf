"""Pictures and ParaView files of loops, fields, pulse trains and switching times.

>>> from devicephys import plots, records
>>> plots.iv_figure(records.read("iv.nc")).savefig("loop.svg")
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
