"""The DDK layer as a `torch.nn.Module`.

What autograd sees of it: the pair of its raw numbers, the states of samples and pair.
Arrays are shared with the tensors and not copied. What the way back needs is saved as tensors: so
PyTorch frees it once it has been used, and notices when one was written to in between. The kernels
have first derivatives only: what backward hands out carries `Once`, which refuses to be
differentiated, where PyTorch's own ``once_differentiable`` may take it for a constant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from compact.kinetics.stability_report import Stability
from ddkbase.errors import InputError
from network.baselines.pytorch import nn, torch
from network.ddk.banks import Banks, Trace
from network.ddk.constraints import Constraint, by_raw
from network.ddk.layer import DDKLayer

__all__ = ["DDKModule", "Pair"]


def as_array(tensor: Any) -> np.ndarray:
    """A tensor of the CPU as an array that shares its memory.

    Raises
    ------
    InputError
        It has no memory of its own, as inside of `torch.func` and `torch.vmap`.
    """
    try:
        # forced: a view that PyTorch negates on reading (of an imaginary part) is worked out
        return np.asarray(tensor.numpy(force=True))
    except RuntimeError as error:
        raise InputError(
            f"the numbers of a tensor cannot be read [{error}]",
            "DDKModule",
            "torch.func and torch.vmap do not reach the kernels; torch.autograd does",
        ) from error


class Once(torch.autograd.Function):
    """Gradients as they are, which depend on all that they came from; a second one is refused."""

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Any) -> Any:
        """The first ``count`` tensors, the gradients; the others are where they came from."""
        return tuple(None if tensor is None else tensor.clone() for tensor in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *by_gradients: Any) -> Any:
        """Always refused."""
        raise InputError(
            "the states of a DDK layer can be differentiated once",
            "DDKModule",
            "Leave out create_graph=True, or detach the gradient",
        )


def _handed_out(gradients: tuple[Any, ...], *sources: Any) -> tuple[Any, ...]:
    """Gradients as backward returns them."""
    if not torch.is_grad_enabled():  # as it is without create_graph
        return gradients
    return tuple(Once.apply(len(gradients), *gradients, *sources))


class Pair(torch.autograd.Function):
    """alpha and beta that act, float64, of raw numbers under a constraint."""

    @staticmethod
    def forward(ctx: Any, raw_alpha: Any, raw_beta: Any, constraint: Constraint) -> Any:
        """Both as tensors of the shape of the raw numbers."""
        ctx.raw = np.stack([as_array(raw_alpha), as_array(raw_beta)])
        ctx.constraint = constraint
        ctx.save_for_backward(raw_alpha, raw_beta)
        alpha, beta = np.array(constraint.value(ctx.raw))
        return torch.from_numpy(alpha), torch.from_numpy(beta)

    @staticmethod
    def backward(ctx: Any, by_alpha: Any, by_beta: Any) -> Any:
        """Gradients by the raw numbers, of their dtype."""
        by_value = np.stack([as_array(by_alpha), as_array(by_beta)])
        raw = ctx.saved_tensors
        gradients = _by_raw(ctx.constraint, ctx.raw, by_value)
        return *_handed_out(gradients, *raw, by_alpha, by_beta), None


class States(torch.autograd.Function):
    """States at the read steps of samples, under the pair of the raw numbers.

    The chain from raw numbers over the pair to the states is one function and not two, since of
    short sequences half the time is what PyTorch does around a function.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Any,
        raw_alpha: Any,
        raw_beta: Any,
        samples: np.ndarray,
        raw: np.ndarray,
        constraint: Constraint,
        banks: Banks,
    ) -> Any:
        """A tensor of the dtype of the samples; the arrays are those of the tensors before them."""
        read, trace = banks.forward(samples, *constraint.value(raw))
        states = [torch.from_numpy(state) for state in trace.states]
        if len(states) == 1 and banks.steps_read == banks.steps:
            y = states[0]
        elif np.may_share_memory(read, trace.states[0]):
            # a copy: nobody may write into the saved states, and they go when they are not needed
            y = torch.from_numpy(read.copy())
        else:
            y = torch.from_numpy(read)
        series = x if trace.series is samples else torch.from_numpy(trace.series)
        source = x if ctx.needs_input_grad[0] else None
        ctx.save_for_backward(source, raw_alpha, raw_beta, series, *states)
        ctx.raw, ctx.pairs, ctx.constraint, ctx.banks = raw, trace.pairs, constraint, banks
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        """Gradients by the samples, where they are needed, and by the raw numbers."""
        x, raw_alpha, raw_beta, series, *states = ctx.saved_tensors
        trace = Trace(as_array(series), [as_array(state) for state in states], ctx.pairs)
        by_value, by_x = ctx.banks.backward(as_array(gradient), trace, by_x=x is not None)
        gradients = (
            None if by_x is None else torch.from_numpy(by_x),
            *_by_raw(ctx.constraint, ctx.raw, by_value),
        )
        return *_handed_out(gradients, x, raw_alpha, raw_beta, gradient), *(None,) * 4


def _by_raw(constraint: Constraint, raw: np.ndarray, by_value: np.ndarray) -> tuple[Any, Any]:
    """Gradients by both raw numbers as tensors of their dtype."""
    by_alpha, by_beta = by_raw(constraint, raw, by_value).astype(raw.dtype)
    return torch.from_numpy(by_alpha), torch.from_numpy(by_beta)


_DTYPES = (torch.float32, torch.float64)


class DDKModule(nn.Module):
    """`network.DDKLayer` for PyTorch: the same kernels, states and gradients, under autograd.

    >>> module = DDKModule(28, 28)          # rows of 28 samples, one pair for all
    >>> states = module(images)             # (batch, 28, 28) in [0, 1] -> the same shape

    Input `(batch, *channels, steps)`, output `(batch, [banks,] *channels, steps_read)`, both
    float32 or both float64, on the CPU; the memory of the samples is read where it lies. It is the
    same in training and in evaluation.

    Parameters
    ----------
    steps : int
        Samples along the time axis, the last one.
    channels : int, sequence of int or None, optional
        The axes between batch and time.
    dtype : torch.dtype or None, optional
        float32 or float64, of the raw alpha and beta; None takes PyTorch's default. The pair that
        acts is worked out in float64 in any case.
    **options : dict, optional
        The other arguments of `network.DDKLayer`, with its defaults. A random start needs ``rng``;
        PyTorch's seed has no part in it. ``rate`` is kept for `to_layer`: here the learning rate of
        alpha and beta is the optimiser's.

    Attributes
    ----------
    raw_alpha, raw_beta : torch.nn.Parameter
        What is trained, shape `(banks, *channels or 1, steps or 1)`: the constraint makes alpha and
        beta of them. `requires_grad_(False)` keeps them.

    Raises
    ------
    InputError
        What `network.DDKLayer` refuses, a random start without ``rng``, or another dtype.
    """

    def __init__(
        self,
        steps: int,
        channels: int | Sequence[int] | None = None,
        *,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__()
        layer = DDKLayer(steps, channels, **options)
        if not layer.parameters:
            raise InputError(
                "a random start needs a generator",
                "DDKModule",
                "Pass rng=numpy.random.default_rng(seed)",
            )
        dtype = torch.get_default_dtype() if dtype is None else dtype
        if dtype not in _DTYPES:
            raise InputError(f"dtype {dtype} is neither float32 nor float64", "DDKModule")
        self._options = {**layer.config(), "constraint": layer.constraint}
        self._banks, self._constraint = layer.runner, layer.constraint
        self._sample = torch.Size((*layer.channels, layer.steps))
        self.raw_alpha, self.raw_beta = (
            nn.Parameter(torch.tensor(layer.parameters[key], dtype=dtype))
            for key in ("alpha", "beta")
        )

    @classmethod
    def from_layer(cls, layer: DDKLayer) -> DDKModule:
        """A module that computes what a layer does, to the last bit, from where it has got to.

        Parameters
        ----------
        layer : DDKLayer
            Is left as it is; the dtype of its parameters is kept, float64 outside of a network.

        Raises
        ------
        InputError
            It is no DDK layer, or has no alpha and beta yet.
        """
        if not isinstance(layer, DDKLayer):
            raise InputError(f"a {type(layer).__name__} is no DDKLayer", "DDKModule.from_layer")
        alpha, beta = layer.alpha, layer.beta
        module = cls(
            dtype=getattr(torch, layer.parameters["alpha"].dtype.name),
            **_starting(layer.config(), alpha, beta, layer.constraint),
        )
        module._take(layer)
        return module

    def to_layer(self) -> DDKLayer:
        """A `network.DDKLayer` that starts where this module has got to; nothing is shared."""
        alpha, beta = (as_array(value) for value in (self.alpha, self.beta))
        layer = DDKLayer(**_starting(self._options, alpha, beta, self._constraint))
        for key, raw in (("alpha", self.raw_alpha), ("beta", self.raw_beta)):
            layer.parameters[key] = as_array(raw).copy()
        return layer

    @property
    def rate(self) -> float:
        """The factor on the learning rate of alpha and beta that `network.train` would take."""
        return float(self._options["rate"])

    @property
    def alpha(self) -> Any:
        """alpha as it acts, a float64 tensor of the shape of ``raw_alpha``, apart from autograd."""
        return self.pair()[0].detach()

    @property
    def beta(self) -> Any:
        """beta as it acts, as `alpha`."""
        return self.pair()[1].detach()

    def pair(self) -> tuple[Any, Any]:
        """alpha and beta as they act, float64 and under autograd: for a term of the loss.

        Raises
        ------
        InputError
            The raw numbers are not on the CPU, or neither float32 nor float64.
        """
        self._settled()
        alpha, beta = Pair.apply(self.raw_alpha, self.raw_beta, self._constraint)
        return alpha, beta

    def set_pair(self, alpha: Any, beta: Any) -> None:
        """Put alpha and beta, or the nearest that the constraint allows, in place of the learnt.

        Parameters
        ----------
        alpha, beta : float or array_like
            Numbers >= 0 as `network.DDKLayer` takes them, e.g. those of a fit.

        Raises
        ------
        InputError
            One does not fit the shape of the pairs, or is negative or not finite.
        """
        layer = self.to_layer()
        layer.set_pair(*(v.detach() if isinstance(v, torch.Tensor) else v for v in (alpha, beta)))
        self._take(layer)

    def stability(self, x_max: float = 1.0) -> Stability:
        """What alpha and beta mean for stability with inputs up to ``x_max``.

        Parameters
        ----------
        x_max : float, default 1.0
            The largest sample.
        """
        return self.to_layer().stability(x_max)

    def forward(self, x: Any) -> Any:
        """States at the read steps.

        Parameters
        ----------
        x : torch.Tensor, shape `(batch, *channels, steps)`
            Samples, float32 or float64, normally in [0, 1]; NaN is NaN in the states from there on.

        Returns
        -------
        torch.Tensor, shape `(batch, [banks,] *channels, steps_read)`
            The states, of the dtype of the samples. They can be differentiated once.

        Raises
        ------
        InputError
            No tensor, or one of another shape or dtype, sparse, or not on the CPU.
        """
        if not isinstance(x, torch.Tensor):
            raise InputError(
                f"x is a {type(x).__name__} and no tensor", "DDKModule", "torch.from_numpy(x)"
            )
        if x.dtype not in _DTYPES or not x.is_cpu or x.layout != torch.strided:
            _refuse(x, "x", "x")
        if x.shape[1:] != self._sample or not x.shape:
            expected = ", ".join(map(str, ("batch", *self._sample)))
            raise InputError(f"x has the shape {tuple(x.shape)} and not ({expected})", "DDKModule")
        samples = as_array(x)  # before autograd sees it: without memory it is refused in one line
        raw = self._settled()
        return States.apply(
            x, self.raw_alpha, self.raw_beta, samples, raw, self._constraint, self._banks
        )

    def extra_repr(self) -> str:
        """Shapes and options."""
        shown = ("per", "banks", "readout", "integrator", "form", "states")
        options = ", ".join(f"{key}={self._options[key]!r}" for key in shown)
        return f"{self._banks.steps}, {list(self._banks.channels) or None}, {options}"

    def get_extra_state(self) -> Any:
        """The constraint, as bytes of JSON: without it the raw numbers mean nothing."""
        text = json.dumps(self._constraint.config(), sort_keys=True)
        return torch.tensor(list(text.encode("utf-8")), dtype=torch.uint8)

    def set_extra_state(self, state: Any) -> None:
        """Compare with the constraint here.

        Parameters
        ----------
        state : torch.Tensor
            What `get_extra_state` gave.

        Raises
        ------
        InputError
            The raw numbers that are loaded belong to another constraint.
        """
        if not torch.equal(state.cpu(), self.get_extra_state()):
            text = bytes(state.tolist()).decode("utf-8", "replace")
            raise InputError(
                f"the state is of a module with the constraint {text[:80]}",
                "DDKModule.load_state_dict",
                f"This one has {json.dumps(self._constraint.config(), sort_keys=True)[:80]}",
            )

    def _take(self, layer: DDKLayer) -> None:
        """The raw numbers of a layer."""
        with torch.no_grad():
            for key, raw in (("alpha", self.raw_alpha), ("beta", self.raw_beta)):
                raw.copy_(torch.from_numpy(layer.parameters[key]))

    def _settled(self) -> np.ndarray:
        """The raw numbers, moved in place to where training can go on from, as of `DDKLayer`."""
        both = (self.raw_alpha, self.raw_beta)
        for tensor in both:
            if tensor.dtype not in _DTYPES or not tensor.is_cpu:
                _refuse(tensor, "its raw alpha or beta", "module")
        raw = np.stack([as_array(tensor) for tensor in both])
        before = raw.copy()
        self._constraint.settle(raw)
        if (before != raw).any():
            with torch.no_grad():
                for tensor, values in zip(both, raw, strict=True):
                    tensor.copy_(torch.from_numpy(values))
        return raw


def _starting(
    options: dict[str, Any], alpha: np.ndarray, beta: np.ndarray, constraint: Any
) -> dict[str, Any]:
    """Arguments of a layer that starts at a pair, whatever the one before started from."""
    start = {"alpha": alpha, "beta": beta, "start": "given", "spread": 0.0}
    return {**options, **start, "constraint": constraint}


def _refuse(tensor: Any, name: str, called: str) -> None:
    """Say why the kernels cannot read a tensor; the remedy is called on ``called``."""
    if not tensor.is_cpu:
        raise InputError(
            f"{name} is on {tensor.device}, the kernels run on the CPU",
            "DDKModule",
            f"Take {called}.cpu()",
        )
    if tensor.layout != torch.strided:
        raise InputError(f"{name} is sparse", "DDKModule", f"Take {called}.to_dense()")
    raise InputError(
        f"{name} is of {tensor.dtype}, neither float32 nor float64",
        "DDKModule",
        f"Take {called}.float() or {called}.double()",
    )
