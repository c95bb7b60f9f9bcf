"""Cells that differ from one another: spreads from cycle to cycle and device to device."""
