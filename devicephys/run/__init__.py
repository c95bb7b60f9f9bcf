"""A simulation in a folder of its own: claimed, logged, resumed, summarised."""
