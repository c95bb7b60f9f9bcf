"""Measured files of many makes become pulse trains.

`compact.read_pulses` is the door. A file passes four modules: a reader makes a table of it, the
columns get their roles, the rows become trains, the trains get their directions.

================  ========================================================================
module            what it does
================  ========================================================================
``read_pulses``   the door, and `FORMATS`: which reader takes which content and suffix
``text``          reader of .csv, .tsv, .txt, .dat and whatever else is text
``binary``        readers of .xlsx, .mat, .npz, .npy
``netcdf``        reader of .nc, .nc4, .h5 and of the toolkit's own ``PulseTrace``
``table``         what readers return: named columns of cells, each with its place in the file
``units``         units as laboratories write them
``columns``       which column is what; the spellings of headings
``trains``        groups, order, gaps; conductance from resistance or current
``directions``    up or down, turns, current-voltage loops that are refused
================  ========================================================================

A new reader is a function ``(content, path, options) -> Table`` and one line in
`compact.measured.read_pulses.FORMATS`: by the first bytes of its files (``signatures``) or, for a
text that has none, by its suffix (``unsigned=True``).
"""
