"""Chains and comparisons across the packages below it, and the article's own figures.

>>> from ddk import pipeline, studies
>>> pipeline.run("mine.yaml", "runs/mine")
>>> studies.compare("digits", ["ddk", "raw"], seeds=range(3))
"""

import sys

from ddkbase import lazy

if sys.argv[:1] != ["-m"]:  # a command says it in one line; see `ddk.cli`
    lazy.check_not_shadowed("devicephys", "compact", "network")

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
