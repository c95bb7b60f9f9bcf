"""From waveforms and other data to features: by the equation, by a table, by finite elements.

>>> from network import features
>>> x = features.inputs(waveform)                   # 8 utterances, pooled 1 x 60, each from 0 to 1
>>> features.feature_map(waveform)                  # the equation
>>> features.by_table(x, table, amplitude=("-1.6 V", "-2.2 V"))
>>> features.by_device(x, amplitude=("-1.6 V", "-2.2 V"))    # minutes: real pulses on a cell
>>> features.mfcc(waveform, 8000)                   # what it is compared with; needs librosa

A map is a dataset on (utterance, pulse), drawn by `network.plots_features`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from network.features.cepstrum import mfcc as mfcc
    from network.features.decomposition import compose as compose
    from network.features.decomposition import decompose as decompose
    from network.features.device_map import by_device as by_device
    from network.features.device_map import fitted as fitted
    from network.features.device_map import voltages as voltages
    from network.features.equation_map import feature_map as feature_map
    from network.features.equation_map import inputs as inputs
    from network.features.spectral import log_bands as log_bands
    from network.features.spectral import mel_filters as mel_filters
    from network.features.table_map import by_table as by_table
    from network.features.waveform import normalise as normalise
    from network.features.waveform import pool as pool
    from network.features.waveform import pool_to as pool_to
    from network.features.waveform import utterances as utterances

_NAMES = {
    "by_device": "device_map",
    "by_table": "table_map",
    "compose": "decomposition",
    "decompose": "decomposition",
    "feature_map": "equation_map",
    "fitted": "device_map",
    "inputs": "equation_map",
    "log_bands": "spectral",
    "mel_filters": "spectral",
    "mfcc": "cepstrum",
    "normalise": "waveform",
    "pool": "waveform",
    "pool_to": "waveform",
    "utterances": "waveform",
    "voltages": "device_map",
}

__all__ = [*_NAMES]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(f"network.features.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
