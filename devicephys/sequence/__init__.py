"""Several runs of one cell, the state handed from each to the next."""
