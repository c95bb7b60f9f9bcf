"""Pictures for papers: at a column's width, in a journal's font, of chosen panels, with their data.

`paper_style` checks what was asked for, `save_for_paper` draws a figure so.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
