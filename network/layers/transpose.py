"""Swapping the axes of a sample: features over time become times of features, for texts."""

from __future__ import annotations

import numpy as np

from ddkbase.errors import InputError
from network.layers.plain import BaseLayer, Realisation

__all__ = ["Transpose"]


class Transpose(BaseLayer):
    """(batch, features, steps) to (batch, steps, features): what follows acts on each step."""

    kind = "transpose"

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The two axes of the sample, swapped."""
        if len(input_shape) != 2:
            raise InputError(
                f"samples of shape {input_shape} do not have two axes", self.name or self.kind
            )
        return input_shape[1], input_shape[0]

    def forward(
        self,
        x: np.ndarray,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
        realise: Realisation | None = None,
    ) -> np.ndarray:
        """The same values, contiguous."""
        return np.ascontiguousarray(x.swapaxes(1, 2))

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """The gradient in the axes of x."""
        return np.ascontiguousarray(gradient.swapaxes(1, 2))
