"""Other laws of the update, held against Eqs. (3) and (4) on the same trains."""
