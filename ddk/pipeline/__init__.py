"""The whole chain from one file: device, loop, trains, table, network, controls, hardware, chip.

>>> from ddk import pipeline
>>> pipeline.run("mine.yaml", "runs/mine")

What was computed and still fits is kept, also over a kill; what a change of the file touches is
made again, and nothing else. The file: ``docs/pipeline.md``.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
