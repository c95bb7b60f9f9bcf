"""Commands that simulate many cells; there is no room for more files beside the others."""
