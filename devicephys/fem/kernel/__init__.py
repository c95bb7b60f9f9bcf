"""The equations of one rank as compiled C: the same discretisation at half the time or less.

What a cell or a face contributes is translated from the UFL forms themselves (``integrands``,
``printing``, ``source``), residual and derivatives alike; the loops over the grid and the LU
factors of a band are C written by hand (``cell.c``, ``band.c``). Numbers of a device are read when
it runs, so one library serves all devices with the same kinds of layers. ``cell_kernel`` holds the
memory that is read, ``band`` the order of the unknowns, and ``devicephys.fem.linear`` decides what
solves.
"""
