"""``python -m ddk.cli``."""

from ddk.cli import main

main()
