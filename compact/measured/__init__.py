"""Measured files of many makes become pulse trains.

`compact.read_pulses` is the door. The readers of `ddkbase.tables` make a table of a file; here the
columns get their roles, the rows become trains, the trains get their directions.

================  ========================================================================
module            what it does
================  ========================================================================
``read_pulses``   the door
``netcdf``        reader of .nc, .nc4, .h5 and of the toolkit's own ``PulseTrace``
``columns``       which column is what
``headings``      the spellings of headings
``values``        which columns hold the values
``roles``         what comes out of these; columns that the user names
``recordings``    every sample of a train: the reads between the pulses
``trains``        groups, order, gaps; conductance from resistance or current
``directions``    up or down, turns, current-voltage loops that are refused
================  ========================================================================
"""
