"""The DDK layer: sequences in, states of dynamical memristors out, alpha and beta learnt."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from compact.kinetics.stability_report import Stability, stability
from ddkbase.errors import InputError, closest, shorten
from network.counting.count import MACS_PER_DDK_STEP, Count
from network.ddk import constraints
from network.ddk import kinetics as ddk
from network.ddk.banks import Banks
from network.layers.base import RNG, Realise
from network.layers.feature_layer import read_steps
from network.layers.plain import BaseLayer

__all__ = ["AUTHORS", "DDKLayer"]

#: range of the authors' start, uniform for alpha and for beta
AUTHORS = (0.001, 1.0)

_PER = ("network", "channel", "step", "channel-step")


class DDKLayer(BaseLayer):
    """Drift-diffusion kinetics as a layer; meets the protocol `network.Layer`.

    >>> layer = DDKLayer(28, 28)                    # rows of 28 samples, one pair for all
    >>> features = layer.forward(images)            # (batch, 28, 28) in [0, 1] -> the same shape

    Input `(batch, *channels, steps)`, output `(batch, [banks,] *channels, steps_read)`: the axis of
    the banks is there if there are more than one. It keeps the dtype of its input.

    Parameters
    ----------
    steps : int
        Samples along the time axis, the last one.
    channels : int, sequence of int or None, optional
        The axes before the time axis: None, a number or several.
    alpha : float or array_like, default 0.7
        Where alpha starts, > 0; a number, a number a bank, or an array that broadcasts to
        ``pair_shape``.
    beta : float or array_like, default 1.0
        Where beta starts, likewise.
    per : str or tuple of str, default "network"
        What has a pair of its own: the "network", each "channel", each "step", or both; each bank
        has, in any case.
    banks : int, default 1
        How many pairs read the same input. Banks that start alike would stay alike: where neither
        ``spread`` nor arrays part them, their beta starts from half to twice ``beta``.
    integrator : str, default "implicit"
        As for `network.ddk.forward`.
    form : str, default "reset"
        As for `network.ddk.forward`.
    initial, dt : float, default 1.0
        As for `network.ddk.forward`.
    states : str, default "after"
        As for `network.ddk.forward`.
    backend : str, default "auto"
        As for `network.ddk.forward`.
    readout : int or str, default "all"
        Which states are read: "all", the last of every n, or the "last".
    constraint : {"positive", "clamp", "stable"}, default "positive"
        "positive", "clamp", "stable", or an object of `network.ddk.constraints`.
    spread : float, default 0.0
        Standard deviation of the logarithm of the start around alpha and beta.
    start : {"given", "authors"}, default "given"
        Whether alpha and beta start as given, or as the authors have it: both uniform in 0.001..1,
        whatever alpha and beta say.
    rng : numpy.random.Generator or None, optional
        Generator of the start; `build` has one too, which is used where this is None.
    rate : float, default 0.1
        Factor on the learning rate of alpha and beta.
    name : str, default ""
        Name in its network.

    Raises
    ------
    InputError
        An unknown word, or a number out of range.
    """

    kind = "ddk"

    def __init__(
        self,
        steps: int,
        channels: int | Sequence[int] | None = None,
        *,
        alpha: Any = 0.7,
        beta: Any = 1.0,
        per: str = "network",
        banks: int = 1,
        integrator: str = "implicit",
        form: str = "reset",
        initial: float = 1.0,
        dt: float = 1.0,
        readout: int | str = "all",
        states: str = "after",
        constraint: Any = "positive",
        spread: float = 0.0,
        start: str = "given",
        rng: np.random.Generator | None = None,
        rate: float = 0.1,
        backend: str = "auto",
        name: str = "",
    ) -> None:
        super().__init__(name)
        if steps < 1 or banks < 1:
            raise InputError(f"{steps} steps and {banks} banks are not both positive", self._where)
        if per not in _PER:
            raise InputError(f"per {shorten(per)} is not known", self._where, closest(per, _PER))
        if start not in ("given", "authors"):
            raise InputError(
                f"start {shorten(start)} is neither 'given' nor 'authors'", self._where
            )
        if not spread >= 0:
            raise InputError(f"spread {shorten(spread)} is not a number from 0", self._where)
        self.steps, self.banks, self.per = int(steps), int(banks), per
        if isinstance(channels, int | np.integer):
            channels = (int(channels),)
        self.channels = tuple(int(n) for n in channels or ())
        self.readout: int | str = readout if isinstance(readout, str) else int(readout)
        self.constraint = constraints.constraint(constraint)
        self.spread, self.start, self.rate = float(spread), start, float(rate)
        self._given = tuple(np.asarray(v, float).tolist() for v in (alpha, beta))
        self._rng = rng
        self._dynamics: dict[str, Any] = {
            "integrator": integrator,
            "form": form,
            "initial": float(initial),
            "dt": float(dt),
            "states": states,
            "backend": backend,
        }
        self.pair_shape: tuple[int, ...] = (
            self.banks,
            *(n if "channel" in per else 1 for n in self.channels),
            self.steps if "step" in per else 1,
        )
        self.runner = Banks(
            self.steps,
            self.channels,
            self.pair_shape,
            read_steps(self.steps, self.readout),
            self._dynamics,
        )
        self.steps_read = self.runner.steps_read
        for key in ("alpha", "beta"):
            self.rates[key], self.decays[key] = self.rate, False
        ddk.forward(np.ones(1), 1.0, 0.0, **self._dynamics)  # its words and numbers, checked now
        if rng is not None or not self._draws:
            self._make(rng)

    # -- the pair ----------------------------------------------------------------------------

    @property
    def alpha(self) -> np.ndarray:
        """alpha as it acts, shape `(banks, *channels or 1, steps or 1)`, float64."""
        return self._pair()[0]

    @property
    def beta(self) -> np.ndarray:
        """beta as it acts, shape of `alpha`."""
        return self._pair()[1]

    def set_pair(self, alpha: Any, beta: Any) -> None:
        """Put alpha and beta, or the nearest that the constraint allows, in place of the learnt."""
        raw = self.constraint.raw(
            np.stack(_broadcast_pair(alpha, beta, self.pair_shape, self._where))
        )
        for key, values in zip(("alpha", "beta"), raw, strict=True):
            if key in self.parameters:
                self.parameters[key][...] = values
            else:
                self.parameters[key] = np.array(values)

    def stability(self, x_max: float = 1.0) -> Stability:
        """What alpha and beta mean for stability with inputs up to ``x_max``."""
        alpha, beta = self._pair()
        dynamics = {k: self._dynamics[k] for k in ("dt", "integrator", "form", "initial")}
        axis = -1 if "step" in self.per else None
        return stability(alpha, beta, x_max, axis=axis, **dynamics)

    # -- the protocol ------------------------------------------------------------------------

    def build(self, input_shape: tuple[int, ...], rng: np.random.Generator) -> None:
        """Start alpha and beta; drawn from ``rng`` unless the layer was given a generator."""
        self.output_shape(input_shape)
        if self._rng is None or not self.parameters:
            self.parameters.clear()
            self._make(rng)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """`([banks,] *channels, steps_read)`; raises InputError for another input."""
        expected = (*self.channels, self.steps)
        if tuple(input_shape) != expected:
            raise InputError(
                f"samples of shape {tuple(input_shape)} came to a layer for {expected}", self._where
            )
        banks = (self.banks,) if self.banks > 1 else ()
        return (*banks, *self.channels, self.steps_read)

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """States at the read steps; ``realise`` says what the devices' alpha and beta are."""
        x = np.asarray(x)
        self.output_shape(x.shape[1:])
        raw = self._settled()
        alpha, beta = self.constraint.value(raw)
        full = (len(x), self.banks, *self.channels, self.steps)
        if realise is not None:
            alpha, beta = realise.kinetics(self.name, alpha, beta, full, rng)
        y, trace = self.runner.forward(x, alpha, beta)
        self._kept = (trace, raw) if training else None
        if realise is None:
            return y
        # hardware may write into what it is given, and `backward` needs the states as they were
        shared = training and np.may_share_memory(y, trace.states[0])
        return realise.outputs(self.name, y.copy() if shared else y, rng)

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """Fill the gradients of the raw alpha and beta; see `Layer.backward`."""
        trace, raw = self._recall()
        by_value, by_x = self.runner.backward(gradient, trace, by_x=not self.first)
        by_raw = constraints.by_raw(self.constraint, raw, by_value)
        for key, values in zip(("alpha", "beta"), by_raw, strict=True):
            self.gradients[key] = values.astype(self.parameters[key].dtype)
        return by_x

    def config(self) -> dict[str, Any]:
        """See `Layer.config`."""
        alpha, beta = self._given
        return {
            "steps": self.steps,
            "channels": list(self.channels) or None,
            "alpha": alpha,
            "beta": beta,
            "per": self.per,
            "banks": self.banks,
            **self._dynamics,
            "readout": self.readout,
            "constraint": self.constraint.config(),
            "spread": self.spread,
            "start": self.start,
            "rate": self.rate,
            "name": self.name,
        }

    def count(self, input_shape: tuple[int, ...]) -> Count:
        """Two parameters a pair; two MACs a step, as the article counts."""
        self.output_shape(input_shape)
        elements = self.banks * prod(self.channels) * self.steps
        return Count(2 * prod(self.pair_shape), MACS_PER_DDK_STEP * elements)

    # -- inside ------------------------------------------------------------------------------

    @property
    def _where(self) -> str:
        return self.name or self.kind

    @property
    def _draws(self) -> bool:
        return self.start == "authors" or self.spread > 0

    @property
    def _alike(self) -> bool:
        """Whether nothing that was given parts the banks."""
        return self.banks > 1 and all(np.size(v) == 1 for v in self._given)

    def _make(self, rng: np.random.Generator | None) -> None:
        alpha, beta = self._given
        pair = _broadcast_pair(alpha, beta, self.pair_shape, self._where)
        self.set_pair(*_start_pair(*pair, self.start, self.spread, self._alike, rng, self._where))

    def _settled(self) -> np.ndarray:
        if not self.parameters:
            raise InputError(
                "the layer has no alpha and beta yet", self._where, "build(shape, rng)"
            )
        raw = np.stack([self.parameters["alpha"], self.parameters["beta"]])
        before = raw.copy()
        self.constraint.settle(raw)
        if not np.array_equal(before, raw):
            for key, values in zip(("alpha", "beta"), raw, strict=True):
                self.parameters[key][...] = values
        return raw

    def _pair(self) -> np.ndarray:
        return np.asarray(self.constraint.value(self._settled()))


def _broadcast_pair(
    alpha: Any, beta: Any, shape: tuple[int, ...], where: str
) -> tuple[np.ndarray, np.ndarray]:
    """alpha and beta of the shape of a layer's pairs.

    Raises
    ------
    InputError
        One does not fit, or is negative or not finite; ``where`` names the layer.
    """
    values = []
    for key, value in (("alpha", alpha), ("beta", beta)):
        try:
            numbers = np.asarray(value, float)
            if numbers.shape == shape[:1] and shape[0] > 1 and shape[-1] != shape[0]:
                numbers = numbers.reshape(-1, *(1,) * (len(shape) - 1))  # a number a bank
            full = np.broadcast_to(numbers, shape)
        except (TypeError, ValueError):
            problem = f"{key} {shorten(value)} does not fit the shape {shape}"
            raise InputError(problem, where) from None
        if not (np.isfinite(full).all() and (full >= 0).all()):
            raise InputError(f"{key} {shorten(value)} is not a number from 0", where)
        values.append(full)
    return values[0], values[1]


def _start_pair(
    alpha: np.ndarray,
    beta: np.ndarray,
    start: str,
    spread: float,
    alike: bool,
    rng: np.random.Generator | None,
    where: str,
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that training starts from.

    Parameters
    ----------
    alpha, beta : ndarray, shape (banks, ...)
        The given start.
    start : str
        Start of `DDKLayer`.
    spread : float
        Spread of `DDKLayer`.
    alike : bool
        Whether the banks have one pair, and must be parted lest they stay alike.
    rng : numpy.random.Generator or None
        Draws a random start.

    Raises
    ------
    InputError
        A random start without a generator; ``where`` names the layer.
    """
    if start == "authors" or spread > 0:
        if rng is None:
            raise InputError("a random start needs a generator", where, "Pass rng")
        if start == "authors":
            return rng.uniform(*AUTHORS, alpha.shape), rng.uniform(*AUTHORS, alpha.shape)
        factor = rng.lognormal(0, spread, alpha.shape)
        return alpha * factor, beta * rng.lognormal(0, spread, alpha.shape)
    if alike:
        factor = 2.0 ** np.linspace(-1, 1, len(beta))
        beta = beta * factor.reshape(-1, *(1,) * (beta.ndim - 1))
    return alpha, beta
