"""Layers without drift-diffusion kinetics, and the controls of the same size."""
