"""The fitted cell as a circuit element: SPICE and Verilog-A; tables and fits as CSV and JSON."""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
