"""One HTML page for a run, with a viewer of its fields."""
