"""``python -m compact.cli``."""

from compact.cli import main

main()
