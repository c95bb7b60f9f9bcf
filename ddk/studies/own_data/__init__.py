"""Tasks on the user's own data, by the files they come in."""
