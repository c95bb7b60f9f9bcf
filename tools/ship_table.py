"""Make a table ready to ship: its trains rounded to six digits.

    python tools/ship_table.py table.nc compact/table/library/NAME.nc

Simulated conductances are good to a percent; alpha, beta and all that was fitted stay as they are.
"""

from __future__ import annotations

import sys

import numpy as np

from ddkbase import records

#: what is rounded, and the bits of its mantissa that stay
TRAINS, BITS = ("conductance", "fitted"), 20


def rounded(values: np.ndarray) -> np.ndarray:
    """Values with `BITS` bits of their mantissa, which compress better.

    Parameters
    ----------
    values : numpy.ndarray
        Any numbers, NaN among them.

    Returns
    -------
    numpy.ndarray
        The nearest numbers with so many bits: at most 1e-6 off, as a share.
    """
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa * 2.0**BITS) / 2.0**BITS, exponent)


def main() -> None:
    """Read, round, write."""
    source, target = sys.argv[1:]
    table = records.read(source)
    for name in TRAINS:
        table[name] = table[name].copy(data=rounded(table[name].values))
        table[name].attrs["comment"] = "rounded to six digits"
    records.write(table, target, overwrite=True)


if __name__ == "__main__":
    main()
