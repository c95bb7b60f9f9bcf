"""A second discretisation of the cell: finite volumes with all unknowns in the cell centres.

It shares with ``devicephys.fem`` the description of a device and nothing else: the equations are
written anew from ``docs/theory_device.md``, with two-point fluxes, another fitted flux of the
vacancies and another time formula, in NumPy and SciPy alone. What both give on the same lines says
how far a figure is that of the equations. It knows the terms of the cells that it is used for
(``cell.refuse`` names the others), and is no tool for users.
"""
