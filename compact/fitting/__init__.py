"""Alpha and beta of pulse trains by trust-region least squares, and how well they are known."""
