"""``python -m devicephys.cli``."""

from devicephys.cli import main

main()
