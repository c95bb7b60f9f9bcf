"""Feature layers that take the DDK layer's place: what any claim for it is measured against.

Each has the input, the output shape and, unless told otherwise, the number of trained parameters
of a `DDKLayer` with the same `banks`, `readout` and `per`, so that the classifier behind it is the
same too. None models a device.

=================  ===============================================================
`Raw`              the samples themselves
`LeakyIntegrator`  y[k] = (1 - leak) y[k-1] + drive x[k], both numbers trained
`RunningSum`       the sum of all samples so far, over their whole number
`AveragePooling`   the mean of a window of samples
`RandomDDK`        the DDK layer with alpha and beta drawn once and never trained
`EchoState`        a random reservoir of tanh units, never trained
=================  ===============================================================

`MFCC` stands beside them for sounds: it takes the waveform itself.

The layers that learn nothing themselves learn a gain and an offset (one of each for every pair of
alpha and beta the DDK layer would have). A dense layer absorbs both, so they give no advantage;
they make the counts equal. ``affine=False`` leaves them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddkbase.errors import InputError, closest
from network.layers.feature_layer import FeatureLayer
from network.layers.linear import AveragePooling, LeakyIntegrator, Raw, RunningSum
from network.layers.mfcc import MFCC
from network.layers.random import EchoState, RandomDDK

__all__ = [
    "CONTROLS",
    "MFCC",
    "AveragePooling",
    "EchoState",
    "FeatureLayer",
    "LeakyIntegrator",
    "RandomDDK",
    "Raw",
    "RunningSum",
    "make",
]

#: The controls by the names under which `make` knows them; each is the `kind` of its layer.
CONTROLS: dict[str, type[FeatureLayer]] = {
    layer.kind: layer
    for layer in (Raw, LeakyIntegrator, RunningSum, AveragePooling, RandomDDK, EchoState)
}


def make(
    name: str, /, steps: int, channels: int | Sequence[int] | None = None, **options: Any
) -> FeatureLayer:
    """A control by its short name.

    Parameters
    ----------
    name : str
        A key of `CONTROLS`: "raw", "leaky", "sum", "pooling", "random" or "echo".
    steps : int
        Samples along the time axis, the last one.
    channels : int, sequence of int or None, optional
        The axes before the time axis, as for `DDKLayer`.
    **options : dict, optional
        Options of the layer, its `name` among them.

    Raises
    ------
    InputError
        No control has that name, or it cannot have these options' values.
    """
    if name not in CONTROLS:
        raise InputError("there is no such control", name, closest(name, CONTROLS))
    return CONTROLS[name](steps, channels, **options)
