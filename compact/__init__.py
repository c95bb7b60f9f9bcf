"""What a pulse train amounts to: the compact kinetics of a cell and their two coefficients.

This package will hold Eqs. (1) to (4) of Shi et al., Nat. Commun. 16, 913 (2025), the fit of
alpha and beta to pulse traces, the table of alpha and beta against pulse settings, variability
from cycle to cycle and from device to device, and export to Verilog-A and SPICE.
It holds nothing yet.
"""

__all__: list[str] = []
