"""What a network asks of a layer, a layer that does nothing yet, and the hook of its hardware.

Arrays are batch first, ``(batch, *sample_shape)``; shapes passed to and returned by `build`,
`output_shape` and `count` are those of one sample, without the batch.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from ddkbase.errors import InputError
from network.counting.count import Count

__all__ = ["RNG", "BaseLayer", "Ideal", "Layer", "Realisation", "Realise", "compiled_kernels"]


#: what draws random numbers, where there may be none
RNG = np.random.Generator | None


@runtime_checkable
class Realisation(Protocol):
    """What imprecise hardware makes of a layer; layers call it where one is passed.

    Random numbers come from the generator that is passed in. Gradients are taken at the realised
    values and given to the nominal parameters ("straight through"). `Ideal` is the one to inherit
    from where only some of the four are to be replaced.
    """

    def weights(
        self, layer_name: str, weight: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """The weights that the hardware holds in place of the wanted ones.

        Parameters
        ----------
        layer_name : str
            Name of the layer that calls.
        weight : ndarray, shape (inputs, outputs)
            Wanted weights.
        rng : numpy.random.Generator or None
            Draws what is random; None where the network was called without.

        Returns
        -------
        ndarray, shape (inputs, outputs)
            The weights that the hardware has.
        """
        ...

    def kinetics(
        self, layer_name: str, alpha: np.ndarray, beta: np.ndarray, shape: tuple[int, ...], rng: RNG
    ) -> tuple[np.ndarray, np.ndarray]:
        """alpha and beta of the devices.

        Parameters
        ----------
        layer_name : str
            As in `weights`.
        rng : numpy.random.Generator or None
            As in `weights`.
        alpha, beta : ndarray
            The wanted alpha and beta, which broadcast to ``shape``.
        shape : tuple of int
            Shape of all states, (batch, banks, ..., steps).

        Returns
        -------
        alpha, beta : ndarray
            What the hardware has, which broadcasts to ``shape``.
        """
        ...

    def product(
        self, layer_name: str, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, rng: RNG
    ) -> np.ndarray | None:
        """``x @ weight + bias`` as an array computes it, or None to leave it to NumPy.

        Parameters
        ----------
        layer_name : str
            As in `weights`.
        rng : numpy.random.Generator or None
            As in `weights`.
        x : ndarray, shape (..., inputs)
            Inputs of the layer.
        weight : ndarray, shape (inputs, outputs)
            Wanted weights.
        bias : ndarray or None, shape (outputs,)
            Wanted bias; None for no bias.

        Returns
        -------
        ndarray or None, shape (..., outputs)
            The product; None leaves it to the layer.
        """
        ...

    def outputs(
        self, layer_name: str, z: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """What is read of the outputs of a layer, e.g. after a converter.

        Parameters
        ----------
        layer_name : str
            As in `weights`.
        rng : numpy.random.Generator or None
            As in `weights`.
        z : ndarray
            Outputs as the layer computed them; may be written into.

        Returns
        -------
        ndarray
            The outputs of the hardware, of the same shape as ``z``.
        """
        ...


#: the hardware that computes; None for exact numbers
Realise = Realisation | None


class Ideal:
    """Exact hardware: everything is as asked for."""

    def weights(
        self, layer_name: str, weight: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """The wanted weights."""
        return weight

    def kinetics(
        self, layer_name: str, alpha: np.ndarray, beta: np.ndarray, shape: tuple[int, ...], rng: RNG
    ) -> tuple[np.ndarray, np.ndarray]:
        """The wanted alpha and beta."""
        return alpha, beta

    def product(
        self, layer_name: str, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, rng: RNG
    ) -> np.ndarray | None:
        """None: NumPy computes it."""
        return None

    def outputs(
        self, layer_name: str, z: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """The exact outputs."""
        return z


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


@functools.cache
def compiled_kernels() -> ModuleType | None:
    """`network.layers.kernels_numba` where Numba is installed, else None: NumPy then does it."""
    try:
        from network.layers import kernels_numba  # optional: needs numba
    except ImportError:
        return None
    return kernels_numba
