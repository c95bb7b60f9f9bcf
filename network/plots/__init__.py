"""Pictures of features, training, arrays and chips; each is a figure to show or to save.

>>> from network import plots
>>> figure = plots.curves_figure(history)
>>> plots.save_figure(figure, "curves.png")
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
