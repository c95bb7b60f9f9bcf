"""Crossbar arrays: nodal analysis, line resistance, converters."""
