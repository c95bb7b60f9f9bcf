"""What a network asks of a layer, and what a layer has that does nothing yet.

Arrays are batch first, ``(batch, *sample_shape)``; shapes passed to and returned by `build`,
`output_shape` and `count` are those of one sample, without the batch.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from ddkbase.errors import InputError
from network.counting.count import Count
from network.layers.realisation import RNG, Realise

__all__ = ["BaseLayer", "Layer"]


@runtime_checkable
class Layer(Protocol):
    """What a network asks of a layer.

    Attributes
    ----------
    name : str
        Unique in its network, which chooses one where it is empty.
    first : bool
        Set by the network on the first layer that trains; its gradient by x is not needed.
    parameters : dict of str to ndarray
        Trained arrays, changed in place by the optimiser.
    gradients : dict of str to ndarray
        Gradients of the loss by each parameter, from the last `backward`.
    buffers : dict of str to ndarray
        Arrays that belong to the layer but are not trained, e.g. batch statistics.
    rates : dict of str to float
        Factor on the learning rate of a parameter; 1 where there is none.
    decays : dict of str to bool
        Whether weight decay acts on a parameter; no where there is none.
    """

    name: str
    first: bool
    parameters: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]
    buffers: dict[str, np.ndarray]
    rates: dict[str, float]
    decays: dict[str, bool]

    def build(self, input_shape: tuple[int, ...], rng: np.random.Generator) -> None:
        """Make the parameters.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample, without the batch.
        rng : numpy.random.Generator
            Draws the start.

        Raises
        ------
        InputError
            The layer cannot take samples of this shape.
        """
        ...

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one sample after the layer.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample before it.

        Raises
        ------
        InputError
            The layer cannot take samples of this shape.
        """
        ...

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """The layer's answer.

        Parameters
        ----------
        x : ndarray, shape `(batch, *input_shape)`
            Samples.
        training : bool, default False
            Keep what `backward` needs, and act as in training (batch statistics, dropout).
        rng : numpy.random.Generator or None, optional
            Draws what is random, in dropout and in ``realise``.
        realise : Realisation or None, optional
            The hardware that computes; None for exact numbers.

        Returns
        -------
        ndarray, shape `(batch, *output_shape)`
            The result of the layer.
        """
        ...

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """Fill `gradients`; return the gradient by x, or None if the layer is `first`."""
        ...

    def config(self) -> dict[str, Any]:
        """Arguments, as JSON can hold them, that make the layer anew."""
        ...

    def count(self, input_shape: tuple[int, ...]) -> Count:
        """Parameters and multiply-accumulate operations for one sample of ``input_shape``."""
        ...


class BaseLayer:
    """What a layer has that neither trains nor computes; inherit and add.

    Parameters
    ----------
    name : str, default ""
        Name in its network, which chooses one where it is empty.
    """

    kind: ClassVar[str] = "layer"

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.first = False
        self.parameters: dict[str, np.ndarray] = {}
        self.gradients: dict[str, np.ndarray] = {}
        self.buffers: dict[str, np.ndarray] = {}
        self.rates: dict[str, float] = {}
        self.decays: dict[str, bool] = {}
        self._kept: Any = None

    def build(self, input_shape: tuple[int, ...], rng: np.random.Generator) -> None:
        """Nothing to make; only the shape is checked.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample.
        rng : numpy.random.Generator
            Draws nothing here.
        """
        self.output_shape(input_shape)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape is kept.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample.
        """
        return input_shape

    def config(self) -> dict[str, Any]:
        """The name only."""
        return {"name": self.name}

    def count(self, input_shape: tuple[int, ...]) -> Count:
        """No parameter, no multiplication.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample.
        """
        return Count(0, 0)

    def release(self) -> None:
        """Forget what was kept for `backward`."""
        self._kept = None

    def _recall(self) -> Any:
        if self._kept is None:
            raise InputError(
                "backward needs a forward pass before it", self.name or self.kind, "training=True"
            )
        return self._kept
