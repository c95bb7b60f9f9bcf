"""What autograd sees of a DDK layer: the pair of its raw numbers, the states of samples and pair.

Arrays are shared with the tensors and not copied. What the way back needs is saved as tensors: so
PyTorch frees it once it has been used, and notices when one was written to in between. The kernels
have first derivatives only: what backward hands out carries `Once`, which refuses to be
differentiated, where PyTorch's own ``once_differentiable`` may take it for a constant.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ddkbase.errors import InputError
from network.baselines.pytorch import torch
from network.ddk.banks import Banks, Trace
from network.ddk.constraints import Constraint, by_raw

__all__ = ["Once", "Pair", "States", "as_array"]


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
