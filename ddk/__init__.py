"""Chains and comparisons across the three packages, and the article's own figures.

>>> from ddk import pipeline
>>> pipeline.run("mine.yaml", "runs/mine")
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
