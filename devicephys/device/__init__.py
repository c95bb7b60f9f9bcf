"""What is simulated: layers, filament, property laws and series element of a memristor cell."""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
