"""The fitted cell for simulators of arrays: NeuroSim, CrossSim, IBM's analog toolkit.

Each of them moves a conductance by one pulse in a form of its own. ``steps`` computes what one
pulse of the fitted cell does at every conductance; ``neurosim``, ``crosssim`` and ``aihwkit`` put
that into the form, evaluate the form as its tool publishes it, and write the largest difference
into the file. See docs/export.md.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
