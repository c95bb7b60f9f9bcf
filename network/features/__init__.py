"""From waveforms and other data to features: by the equation, by a table, by finite elements.

>>> from network import features
>>> x = features.inputs(waveform)                   # 8 utterances, pooled 1 x 60, each from 0 to 1
>>> features.feature_map(waveform)                  # the equation
>>> features.by_table(x, table, amplitude=("-1.6 V", "-2.2 V"))
>>> features.by_device(x, amplitude=("-1.6 V", "-2.2 V"))    # minutes: real pulses on a cell
>>> features.mfcc(waveform, 8000)                   # what it is compared with; needs librosa

A map is a dataset on (utterance, pulse), drawn by `network.plots.features`.
"""

from ddkbase import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
