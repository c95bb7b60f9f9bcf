"""Measured current-voltage loops of a laboratory: read, checked, and laid beside simulated ones.

================  ========================================================================
module            what it does
================  ========================================================================
``loops``         `devicephys.read_loop`: the door; columns, units, the record
``checks``        what is wrong with a loop, in one line; its loops
``forming``       a forming sweep in front of the loops
``limits``        the compliance
``rates``         times and the sweep rate
``ramps``         ramps of loops on common voltages: a band, a misfit, a waveform
``figures``       RESET onset, SET voltage and resistances of each loop, as of simulated ones
================  ========================================================================
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
