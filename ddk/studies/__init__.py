"""Tasks, models and experiments; comparisons over seeds."""
