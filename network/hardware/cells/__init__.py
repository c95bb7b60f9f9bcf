"""Cells of an array: window, noise, writing, retention, endurance."""
