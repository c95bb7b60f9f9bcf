"""The network: layers in a row from a sample to logits, and the article's structure.

>>> network = ddk_network((28, 28), [48], 10, seed=0)   # 784-48-10 after one DDK layer
>>> network.count().parameters
38172
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ddkbase.errors import InputError
from network.counting.count import Count
from network.ddk.layer import DDKLayer
from network.layers.base import RNG, Layer, Realisation, Realise
from network.layers.plain import Activation, Dense, Flatten, Mean
from network.layers.standardise import Moments, Standardise
from network.model.metrics import cross_entropy, softmax
from network.model.saving import save_network

_CHUNK = 512  # samples at once where no gradient is needed


class Pass(NamedTuple):
    """What one forward and backward pass gives.

    Attributes
    ----------
    loss : float, nat
        Mean cross-entropy.
    gradients : dict of str to ndarray
        By each parameter, named as `Network.parameters`.
    logits : ndarray, shape (samples, classes)
        Logits of the samples.
    """

    loss: float
    gradients: dict[str, np.ndarray]
    logits: np.ndarray


class Network:
    """Layers in a row; the last gives one logit per class.

    Parameters
    ----------
    layers : sequence of Layer
        Objects that follow `network.Layer`; those without a name get one, and all are built
        here.
    input_shape : sequence of int
        Shape of one sample.
    classes : int
        Number of classes.
    seed : int or numpy.random.Generator, default 0
        Seed of the start, an integer or a generator.
    dtype : {"float32", "float64"}, default "float32"
        Type of parameters and of all arithmetic.

    Attributes
    ----------
    notes : dict
        What belongs to the network besides (class names, task); saved with it.

    Raises
    ------
    InputError
        The shapes do not fit together, or two layers have one name.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Sequence[int],
        classes: int,
        seed: int | np.random.Generator = 0,
        *,
        dtype: str = "float32",
    ) -> None:
        if np.dtype(dtype) not in (np.dtype("float32"), np.dtype("float64")):
            raise InputError(f"dtype {dtype}", "Network", "float32 or float64")
        self.layers = list(layers)
        self.input_shape = tuple(int(n) for n in input_shape)
        self.classes = int(classes)
        self.dtype = np.dtype(dtype)
        self.notes: dict[str, Any] = {}
        name_layers(self.layers)
        rng = np.random.default_rng(seed)
        for layer, shape in self._with_shapes():
            layer.build(shape, rng)
            for arrays in (layer.parameters, layer.buffers):
                for key, value in arrays.items():
                    arrays[key] = np.array(value, dtype=self.dtype)
        self.replace_layers(self.layers)

    def replace_layers(self, layers: Sequence[Layer]) -> None:
        """Put built layers in the place of all; raises InputError where the shapes do not fit."""
        self.layers = list(layers)
        trained = [index for index, layer in enumerate(self.layers) if layer.parameters]
        self._first = trained[0] if trained else len(self.layers)
        for index, layer in enumerate(self.layers):
            layer.first = index == self._first
        shape = self.shapes()[-1]
        if shape != (self.classes,):
            raise InputError(
                f"the last layer gives {shape} for each sample", "Network", f"not ({self.classes},)"
            )

    # -- use ---------------------------------------------------------------------------------

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """Logits (samples, classes), all at once; `logits` goes through many samples in pieces.

        Parameters
        ----------
        x : ndarray, shape `(samples, *input_shape)`
            Samples.
        training : bool, default False
            Use the statistics of the samples, and keep what a backward pass needs.
        rng : numpy.random.Generator or None, optional
            Draws what is random, in dropout and in ``realise``.
        realise : Realisation or None, optional
            The hardware that computes; None for exact numbers.

        Raises
        ------
        InputError
            Samples of another shape.
        """
        h = self._checked(x)
        for layer in self.layers:
            h = layer.forward(h, training=training, rng=rng, realise=realise)
        return h

    def logits(self, x: np.ndarray, *, rng: RNG = None, realise: Realise = None) -> np.ndarray:
        """Logits (samples, classes), in pieces that fit the cache; arguments as `forward`."""
        x = self._checked(x, convert=False)
        result = np.empty((len(x), self.classes), self.dtype)
        for piece in _pieces(len(x)):
            result[piece] = self.forward(x[piece], rng=rng, realise=realise)
        return result

    def before_last(self, x: np.ndarray, *, rng: RNG = None, realise: Realise = None) -> np.ndarray:
        """What comes to the last layer (samples, ...), in pieces; arguments as `forward`."""
        return np.concatenate(list(self._before(x, len(self.layers) - 1, rng, realise)))

    def predict_proba(
        self, x: np.ndarray, *, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """Probabilities (samples, classes); arguments as `forward`."""
        return softmax(self.logits(x, rng=rng, realise=realise))

    def predict(self, x: np.ndarray, *, rng: RNG = None, realise: Realise = None) -> np.ndarray:
        """The class of each sample, an integer from 0, (samples,); arguments as `forward`."""
        return self.logits(x, rng=rng, realise=realise).argmax(1)

    def loss_and_gradients(
        self,
        x: np.ndarray,
        y: np.ndarray,
        rng: np.random.Generator | None = None,
        realise: Realisation | None = None,
        *,
        smoothing: float = 0.0,
    ) -> Pass:
        """Mean cross-entropy of a batch, and its gradient by every parameter.

        Parameters
        ----------
        x : ndarray, shape `(batch, *input_shape)`
            Samples.
        y : ndarray, shape (batch,)
            Classes of the samples as integers from 0.
        rng : numpy.random.Generator or None, optional
            For layers and hardware that draw.
        realise : Realisation or None, optional
            Imprecise hardware in the forward pass.
        smoothing : float, default 0.0
            Smoothing of the labels, see `network.model.metrics.cross_entropy`.
        """
        logits = self.forward(x, training=True, rng=rng, realise=realise)
        loss, gradient = cross_entropy(logits, y, smoothing)
        flowing: np.ndarray | None = gradient
        for layer in reversed(self.layers[self._first :]):
            if flowing is None:
                raise InputError("the layer after it passes no gradient on", layer.name)
            flowing = layer.backward(flowing)
        return Pass(loss, self.gradients, logits)

    def reestimate(self, x: np.ndarray, *, realise: Realise = None, rng: RNG = None) -> None:
        """Take the statistics of every `Standardise` layer anew from ``x``; no labels needed.

        Parameters
        ----------
        x : ndarray, shape `(samples, *input_shape)`
            Samples of the training set.
        realise : Realisation or None, optional
            Hardware whose features they are to be the statistics of.
        rng : numpy.random.Generator or None, optional
            For hardware that draws.
        """
        shapes = self.shapes()
        for index, layer in enumerate(self.layers):
            if not isinstance(layer, Standardise):
                continue
            moments = Moments(shapes[index][-1])
            for h in self._before(x, index, rng, realise):
                moments.add(h)
            layer.set_statistics(moments)

    # -- what it is --------------------------------------------------------------------------

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The trained arrays themselves, as "layer.parameter"."""
        return {f"{m.name}.{k}": v for m in self.layers for k, v in m.parameters.items()}

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """Of the last backward pass, named as `parameters`."""
        return {f"{m.name}.{k}": v for m in self.layers for k, v in m.gradients.items()}

    def layer(self, name: str) -> Layer:
        """The layer of that name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in self.layers)
        raise InputError(f"there is no layer {name!r}", "Network", f"Known: {names}")

    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of a sample before each layer, and after the last."""
        shapes = [self.input_shape]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return shapes

    def count(self) -> Count:
        """Parameters and multiply-accumulate operations for one sample."""
        total = Count(0, 0)
        for layer, shape in self._with_shapes():
            total = total + layer.count(shape)
        return total

    def summary(self) -> str:
        """A table of the layers as text: name, shape after it, parameters, operations."""
        return layer_table(
            [(m.name, m.output_shape(n), m.count(n)) for m, n in self._with_shapes()]
        )

    def kinetics(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """alpha and beta of each layer that has them, as they act."""
        return {
            layer.name: (np.asarray(layer.alpha), np.asarray(layer.beta))
            for layer in self.layers
            if hasattr(layer, "alpha") and hasattr(layer, "beta")
        }

    def stability(self, x: np.ndarray | None = None) -> dict[str, Any]:
        """For each DDK layer, its report on r = alpha / (beta x_max)^2.

        Parameters
        ----------
        x : ndarray or None, optional
            Samples whose largest value, before the layer, is x_max; 1 where there are none.
        """
        reports: dict[str, Any] = {}
        for index, layer in enumerate(self.layers):
            stability = getattr(layer, "stability", None)
            if stability is None:
                continue
            x_max = 1.0 if x is None else max(float(h.max()) for h in self._before(x, index))
            reports[layer.name] = stability(x_max)
        return reports

    def folded(self) -> Network:
        """The same function without the `Standardise` layers that a dense one follows directly.

        Their statistics go into its weights and bias, as they do on hardware. Raises InputError
        where such a dense layer has no bias.
        """
        result = copy.deepcopy(self)
        result.release()
        layers: list[Layer] = []
        waiting: Standardise | None = None
        for layer in result.layers:
            if waiting is not None:
                if isinstance(layer, Dense):
                    _fold(waiting, layer)
                else:
                    layers.append(waiting)
                waiting = None
            if isinstance(layer, Standardise):
                waiting = layer
            else:
                layers.append(layer)
        result.replace_layers(layers)
        return result

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the network to one .npz file, whole or not at all; see `network.model.saving`."""
        return save_network(self, path, overwrite=overwrite, notes=self.notes)

    def release(self) -> None:
        """Forget what the layers kept for a backward pass, and the gradients."""
        for layer in self.layers:
            layer.gradients.clear()
            release = getattr(layer, "release", None)
            if release is not None:
                release()

    # -- inside ------------------------------------------------------------------------------

    def _with_shapes(self) -> Iterator[tuple[Layer, tuple[int, ...]]]:
        shape = self.input_shape
        for layer in self.layers:
            yield layer, shape
            shape = layer.output_shape(shape)

    def _checked(self, x: np.ndarray, *, convert: bool = True) -> np.ndarray:
        x = np.asarray(x)
        if x.shape[1:] != self.input_shape or not x.ndim:
            raise InputError(
                f"samples of shape {x.shape[1:]}", "x", f"The network takes {self.input_shape}."
            )
        return x.astype(self.dtype, copy=False) if convert else x

    def _before(
        self, x: np.ndarray, index: int, rng: RNG = None, realise: Realise = None
    ) -> Iterator[np.ndarray]:
        """What comes to the layer ``index``, in pieces."""
        x = self._checked(x, convert=False)
        for piece in _pieces(len(x)):
            h = self._checked(x[piece])
            for layer in self.layers[:index]:
                h = layer.forward(h, rng=rng, realise=realise)
            yield h


def _pieces(samples: int) -> Iterator[slice]:
    for start in range(0, samples, _CHUNK):
        yield slice(start, min(start + _CHUNK, samples))


def _fold(standardise: Standardise, dense: Dense) -> None:
    scale, shift = standardise.affine_map()
    weight = dense.parameters["weight"]
    if not dense.bias:
        raise InputError("a shift needs a bias to go to", dense.name, "Build it with a bias.")
    dense.parameters["bias"] += (shift @ weight).astype(weight.dtype)
    weight *= scale[:, None].astype(weight.dtype)


def name_layers(layers: Sequence[Layer]) -> None:
    """Give each nameless layer its kind as a name, numbered where there are several.

    Raises InputError where two have one name, or one cannot be the name of an array in a file.
    """
    kinds = [str(getattr(layer, "kind", type(layer).__name__.lower())) for layer in layers]
    taken = {layer.name for layer in layers if layer.name}
    seen: dict[str, int] = {}
    for layer, kind in zip(layers, kinds, strict=True):
        seen[kind] = seen.get(kind, 0) + 1
        if layer.name:
            continue
        name = kind if kinds.count(kind) == 1 else f"{kind}{seen[kind]}"
        while name in taken:
            name += "_"
        layer.name = name
        taken.add(name)
    names = [layer.name for layer in layers]
    for name in names:
        if names.count(name) > 1 or "." in name or "/" in name:
            raise InputError(f"the layer name {name!r} is taken or not possible", "Network")


def layer_table(rows: Sequence[tuple[str, tuple[int, ...], Count]]) -> str:
    """Names, shapes after each layer and counts as aligned text, with a row of totals."""
    table = [("layer", "shape", "parameters", "MACs")]
    for name, shape, count in rows:
        table.append(
            (name, " x ".join(map(str, shape)), f"{count.parameters:,}", f"{count.macs:,}")
        )
    parameters, macs = (
        sum(getattr(count, key) for *_, count in rows) for key in ("parameters", "macs")
    )
    table.append(("total", "", f"{parameters:,}", f"{macs:,}"))
    widths = [max(len(row[k]) for row in table) for k in range(4)]
    return "\n".join(
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}"
        for a, b, c, d in table
    )


def ddk_network(
    input_shape: Sequence[int],
    hidden: Sequence[int],
    classes: int,
    *,
    activation: str = "sigmoid",
    ddk: dict[str, Any] | None = None,
    standardise: bool | dict[str, Any] = True,
    front: Sequence[Layer] | None = (),
    flatten: int = 1,
    mean: int | None = None,
    seed: int | np.random.Generator = 0,
    dtype: str = "float32",
) -> Network:
    """The article's structure: DDK, Flatten, Standardise, then Dense and Activation in turn.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one sample, `(*channels, steps)`; time is the last axis.
    hidden : sequence of int
        Widths of the hidden layers.
    classes : int
        Number of classes.
    activation : str, default "sigmoid"
        Activation after each hidden layer.
    ddk : dict or None, optional
        Arguments of `network.ddk.layer.DDKLayer`.
    standardise : bool or dict, default True
        Whether features are standardised before the classifier; arguments of
        `network.layers.standardise.Standardise` in a dict.
    front : sequence of Layer or None, default ()
        Layers in the place of the DDK layer (a control); none given: the DDK layer; None: nothing,
        the classifier sees the raw samples.
    flatten : int, default 1
        First axis that is flattened, the batch being 0; 2 keeps e.g. words apart.
    mean : int or None, optional
        Axis over which the logits are averaged at the end, e.g. 1 for words.
    seed : int or numpy.random.Generator, default 0
        Seed of the start.
    dtype : {"float32", "float64"}, default "float32"
        Type of parameters and arithmetic.
    """
    shape = tuple(int(n) for n in input_shape)
    rng = np.random.default_rng(seed)
    layers: list[Layer] = list(front or ())
    if front is not None and not layers:
        arguments: dict[str, Any] = {"rng": rng, **(ddk or {})}
        layers.append(DDKLayer(shape[-1], shape[:-1] or None, **arguments))
    layers.append(Flatten(flatten))
    if standardise is not False:
        layers.append(Standardise(**(standardise if isinstance(standardise, dict) else {})))
    gain = float(np.sqrt(2)) if activation == "relu" else 1.0
    for width in hidden:
        layers += [Dense(width, gain=gain), Activation(activation)]
    layers.append(Dense(classes))
    if mean is not None:
        layers.append(Mean(mean))
    return Network(layers, shape, classes, rng, dtype=dtype)
