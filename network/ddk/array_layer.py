"""A DDK layer some of whose pairs are products of matrices instead of pulses in a cell."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from ddkbase.errors import InputError
from network.ddk.layer import DDKLayer
from network.ddk.piecewise import PiecewiseLinearDDK
from network.layers.base import RNG, Realise

__all__ = ["ArrayDDKLayer", "array_name", "with_recurrences"]


class ArrayDDKLayer(DDKLayer):
    """A DDK layer with some pairs as recurrences on arrays; runs, but is not trained.

    `network.hardware.compile_network` makes it of a trained layer, where a table has no pulse for a
    pair. States of such pairs are numbers in registers: they have neither the scatter of cells nor
    the noise of a read, but what the arrays of ``realise`` err by. They ask for one chip, which
    keeps its cells from step to step, and not for ``fresh=True``.

    Parameters
    ----------
    steps : int
        As for `network.DDKLayer`.
    channels : int, sequence of int or None, optional
        As for `network.DDKLayer`.
    **options : object
        As for `network.DDKLayer`; pairs that differ from step to step are refused.

    Attributes
    ----------
    recurrences : dict of int to PiecewiseLinearDDK
        By number of the pair (banks first), those that are not pulsed.

    Raises
    ------
    InputError
        As `network.DDKLayer`, or pairs of single steps.
    """

    def __init__(self, steps: int, channels: Any = None, **options: Any) -> None:
        super().__init__(steps, channels, **options)
        if self.pair_shape[-1] > 1:
            raise InputError(
                "pairs that differ from step to step cannot be recurrences on arrays",
                self._where,
                "Train with a pair a network or a channel",
            )
        self.recurrences: dict[int, PiecewiseLinearDDK] = {}

    @property
    def pairs(self) -> int:
        """How many pairs there are."""
        return prod(self.pair_shape)

    @property
    def sequences(self) -> int:
        """How many sequences there are: a state for each bank and channel."""
        return self.banks * prod(self.channels)

    @property
    def sequences_of_pair(self) -> int:
        """How many of them one pair reads."""
        return self.sequences // self.pairs

    @property
    def pulsed(self) -> list[int]:
        """Numbers of the sequences (banks first, then channels) that cells read, by pulses."""
        numbers = np.arange(self.pairs).reshape(self.pair_shape)[..., 0]
        own = np.broadcast_to(numbers, (self.banks, *self.channels)).ravel()
        return [k for k, pair in enumerate(own.tolist()) if pair not in self.recurrences]

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """States at the read steps; raises InputError where ``training``."""
        if training:
            raise InputError("runs on arrays and is not trained", self._where, "Train the DDKLayer")
        x = np.asarray(x)
        y = np.array(super().forward(x, rng=rng, realise=realise))
        banks = y if self.banks > 1 else y[:, None]
        for number, recurrence in sorted(self.recurrences.items()):
            bank, *inner, _ = np.unravel_index(number, self.pair_shape)
            # a pair of all channels reads them all, one of a channel this channel alone
            place = tuple(
                slice(None) if size == 1 else slice(int(i), int(i) + 1)
                for i, size in zip(inner, self.pair_shape[1:-1], strict=True)
            )
            states = recurrence.forward(
                x[(slice(None), *place)],
                realise=realise,
                name=array_name(self.name, number),
                rng=rng,
            )
            if self._dynamics["states"] == "before":
                states = np.concatenate(
                    [np.full_like(states[..., :1], recurrence.initial), states[..., :-1]], axis=-1
                )
            banks[(slice(None), int(bank), *place)] = states[..., self.runner.read]
        return y


def array_name(layer: str, pair: int) -> str:
    """What the arrays of a pair are called, by name of the layer and number of the pair."""
    return f"{layer} pair {pair}"


def with_recurrences(
    layer: DDKLayer, recurrences: Mapping[int, PiecewiseLinearDDK]
) -> ArrayDDKLayer:
    """A trained layer with these pairs, by number, as recurrences."""
    array_layer = ArrayDDKLayer(**{**layer.config(), "constraint": "positive"})
    array_layer.set_pair(layer.alpha, layer.beta)
    array_layer.recurrences = dict(recurrences)
    return array_layer
