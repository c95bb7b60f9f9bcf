"""From waveforms and other data to features: by the equation or by a table.

>>> from network import features
>>> x = features.inputs(waveform)                   # 8 utterances, pooled 1 x 60, each from 0 to 1
>>> features.feature_map(waveform)                  # the equation
>>> features.by_table(x, table, amplitude=("-2 V", "-3 V"))
>>> features.mfcc(waveform, 8000)                   # what it is compared with; needs librosa

A map is a dataset on (utterance, pulse), drawn by `network.plots.features`. By finite elements,
with real pulses on a cell, `ddk.studies.by_device` makes it in minutes.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
