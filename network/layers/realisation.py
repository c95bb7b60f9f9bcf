"""How a network is realised by hardware that is not exact: the hook that every layer calls."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

__all__ = ["RNG", "Ideal", "Realisation", "Realise"]

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
