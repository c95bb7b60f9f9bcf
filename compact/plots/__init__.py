"""Pictures of compact models: of tables and of the kinetics."""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
