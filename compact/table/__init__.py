"""Tables of alpha and beta: from pulse trains to the pulse settings that a network asks for.

A table is built (``source``, ``build``) into one dataset (``schema``), read at a setting or between
settings (``grid``), averaged (``statistics``), drawn from (``sampling``), held against the article
(``trends``) and put into words and entries (``figures``). `AlphaBetaTable` is the door to all of
it.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
