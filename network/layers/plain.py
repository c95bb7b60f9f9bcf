"""The plain layers: dense, activations, and those that only change the shape.

The protocol that all layers follow is in `network.layers.base`; its names can be imported from
here as well.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from network.counting.count import Count
from network.layers.base import RNG, Realise
from network.layers.base import BaseLayer as BaseLayer
from network.layers.base import Ideal as Ideal
from network.layers.base import Layer as Layer
from network.layers.base import Realisation as Realisation

__all__ = [
    "Activation",
    "BaseLayer",
    "Dense",
    "Dropout",
    "Flatten",
    "Ideal",
    "Layer",
    "Mean",
    "Realisation",
    "Transpose",
]


class Dense(BaseLayer):
    """``x @ weight + bias`` on the last axis, whatever axes come before it.

    Parameters
    ----------
    outputs : int
        Width of the result.
    bias : bool, default True
        Whether a bias is added.
    gain : float, default 1.0
        Factor on the start, uniform in +-gain sqrt(6 / (inputs + outputs)) (Glorot and Bengio,
        AISTATS 2010); sqrt(2) suits relu.
    name : str, default ""
        Name in its network.
    """

    kind = "dense"

    def __init__(
        self, outputs: int, *, bias: bool = True, gain: float = 1.0, name: str = ""
    ) -> None:
        super().__init__(name)
        if outputs < 1:
            raise InputError(f"{outputs} outputs", name or self.kind, "At least one is needed.")
        self.outputs, self.bias, self.gain = int(outputs), bool(bias), float(gain)
        self.decays = {"weight": True}

    def build(self, input_shape: tuple[int, ...], rng: np.random.Generator) -> None:
        """Draw the weights (inputs, outputs); the bias is zero."""
        self.output_shape(input_shape)
        inputs = input_shape[-1]
        limit = self.gain * np.sqrt(6 / (inputs + self.outputs))
        self.parameters["weight"] = rng.uniform(-limit, limit, (inputs, self.outputs))
        if self.bias:
            self.parameters["bias"] = np.zeros(self.outputs)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The last axis becomes `outputs` wide."""
        if not input_shape:
            raise InputError("a dense layer needs an axis of features", self.name or self.kind)
        return (*input_shape[:-1], self.outputs)

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """The product; by ``realise`` where one is given."""
        weight, bias = self.parameters["weight"], self.parameters.get("bias")
        z: np.ndarray | None = None
        if realise is not None:
            product = getattr(realise, "product", None)
            if product is not None:
                z = product(self.name, x, weight, bias, rng)
            if z is None:
                weight = realise.weights(self.name, weight, rng)
        if training:
            self._kept = x, weight
        if z is None:
            z = x @ weight
            if bias is not None:
                z += bias
        return z if realise is None else realise.outputs(self.name, z, rng)

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """Gradients by weight and bias, and by x at the weights the forward pass used."""
        x, weight = self._recall()
        rows = gradient.reshape(-1, self.outputs)
        self.gradients["weight"] = x.reshape(rows.shape[0], -1).T @ rows
        if self.bias:
            self.gradients["bias"] = rows.sum(0)
        return None if self.first else gradient @ weight.T

    def config(self) -> dict[str, Any]:
        """See `Layer.config`."""
        return {"outputs": self.outputs, "bias": self.bias, "gain": self.gain, "name": self.name}

    def count(self, input_shape: tuple[int, ...]) -> Count:
        """inputs x outputs products for each row of the sample."""
        products = input_shape[-1] * self.outputs
        rows = int(np.prod(input_shape[:-1], dtype=np.int64))
        return Count(products + self.bias * self.outputs, rows * products)


class Activation(BaseLayer):
    """Element-wise ``function``: "relu", "sigmoid", "tanh", "identity"; ``name`` in its network."""

    kind = "activation"
    functions: ClassVar[tuple[str, ...]] = ("identity", "relu", "sigmoid", "tanh")

    def __init__(self, function: str, *, name: str = "") -> None:
        super().__init__(name)
        if function not in self.functions:
            raise InputError(
                f"unknown activation {shorten(function)}",
                name or self.kind,
                closest(str(function), self.functions),
            )
        self.function = function

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """The function of each element."""
        if self.function == "relu":
            y = np.maximum(x, 0)
        elif self.function == "tanh":
            y = np.tanh(x)
        elif self.function == "sigmoid":  # as a tanh: no overflow, and vectorised by NumPy
            y = x * 0.5
            np.tanh(y, out=y)
            y += 1
            y *= 0.5
        else:
            y = x
        if training:
            self._kept = y
        return y

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """The slope follows from the kept output."""
        y = self._recall()
        if self.function == "relu":
            return gradient * (y > 0)
        if self.function == "tanh":
            return gradient * (1 - y * y)
        if self.function == "sigmoid":
            return gradient * (y - y * y)
        return gradient

    def config(self) -> dict[str, Any]:
        """See `Layer.config`."""
        return {"function": self.function, "name": self.name}


class Flatten(BaseLayer):
    """Joins the sample's axes from ``start`` on (counted with the batch as 0) into one.

    ``name`` is the layer's in its network."""

    kind = "flatten"

    def __init__(self, start: int = 1, *, name: str = "") -> None:
        super().__init__(name)
        if start < 1:
            raise InputError(f"start {start}", name or self.kind, "The batch, axis 0, is kept.")
        self.start = int(start)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The axes before ``start``, then one axis."""
        if self.start > len(input_shape):
            raise InputError(
                f"no axis {self.start} in samples of shape {input_shape}", self.name or self.kind
            )
        joined = math.prod(input_shape[self.start - 1 :])
        return (*input_shape[: self.start - 1], joined)

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """The same values in fewer axes."""
        if training:
            self._kept = x.shape
        return x.reshape(x.shape[0], *self.output_shape(x.shape[1:]))

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """The gradient in the axes of x."""
        return gradient.reshape(self._recall())

    def config(self) -> dict[str, Any]:
        """See `Layer.config`."""
        return {"start": self.start, "name": self.name}


class Mean(BaseLayer):
    """The mean over one axis of the sample, e.g. over words; ``axis`` counts the batch as 0.

    ``name`` is the layer's in its network."""

    kind = "mean"

    def __init__(self, axis: int = 1, *, name: str = "") -> None:
        super().__init__(name)
        if axis == 0:
            raise InputError("axis 0 is the batch", name or self.kind, "Choose one of the sample.")
        self.axis = int(axis)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The axis is gone."""
        axis = self.axis - 1 if self.axis > 0 else len(input_shape) + self.axis
        if not 0 <= axis < len(input_shape):
            raise InputError(
                f"no axis {self.axis} in samples of shape {input_shape}", self.name or self.kind
            )
        return (*input_shape[:axis], *input_shape[axis + 1 :])

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """The mean."""
        if training:
            self._kept = x.shape
        return np.asarray(x.mean(self.axis))

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """An equal share to each."""
        shape = self._recall()
        share = np.expand_dims(gradient, self.axis) / shape[self.axis]
        return np.broadcast_to(share, shape)

    def config(self) -> dict[str, Any]:
        """See `Layer.config`."""
        return {"axis": self.axis, "name": self.name}


class Dropout(BaseLayer):
    """In training, sets a share ``rate`` of the values to zero and scales up the others.

    ``name`` is the layer's in its network."""

    kind = "dropout"

    def __init__(self, rate: float, *, name: str = "") -> None:
        super().__init__(name)
        if not 0 <= rate < 1:
            raise InputError(f"a share of {rate}", name or self.kind, "From 0 to below 1.")
        self.rate = float(rate)

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """x, thinned out in training; raises InputError without ``rng`` then."""
        if not training:
            return x
        if rng is None:
            raise InputError("dropout needs a random generator", self.name or self.kind, "Pass rng")
        keep = rng.random(x.shape, dtype=np.float32) >= self.rate
        self._kept = keep.astype(x.dtype) / x.dtype.type(1 - self.rate)
        return np.asarray(x * self._kept)

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """Through the values that stayed."""
        return np.asarray(gradient * self._recall())

    def config(self) -> dict[str, Any]:
        """See `Layer.config`."""
        return {"rate": self.rate, "name": self.name}


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
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """The same values, contiguous."""
        return np.ascontiguousarray(x.swapaxes(1, 2))

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """The gradient in the axes of x."""
        return np.ascontiguousarray(gradient.swapaxes(1, 2))
