"""Layers that are read a few times only: where their constants start, and what breaks them."""
