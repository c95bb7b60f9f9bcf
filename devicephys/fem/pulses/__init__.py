"""How pulses are stepped: one by one, and equal ones in stress time."""
