"""A network on a chip: placement, pulses, energy, latency, area."""
