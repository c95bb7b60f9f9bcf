"""Endurance: program-and-verify cycles between two resistances, and their record."""
