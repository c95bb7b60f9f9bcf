"""Networks of layers: built, trained, measured, saved."""
