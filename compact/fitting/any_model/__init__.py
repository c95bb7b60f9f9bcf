"""Loops and pulse trains as any model of a cell sees them, and profiles of its parameters."""
