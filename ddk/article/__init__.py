"""What the article states, counted and costed anew from the structures.

>>> from ddk import article
>>> [figure for figure in article.article_table() if not figure.reproduced]
>>> article.article_figures(load_chip("180nm"))
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
