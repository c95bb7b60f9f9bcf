"""One HTML page for a run, with a viewer of its fields."""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
