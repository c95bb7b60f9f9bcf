"""Bakes: what a programmed cell keeps, at one or several ambient temperatures."""
