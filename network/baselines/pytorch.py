"""PyTorch, or one clear line where it is missing; and its models counted while they run.

The modules beside this one take ``torch`` and ``nn`` from here. Those of the networks, whose
classes inherit from PyTorch's, can be imported only where it is installed; nothing else needs it
before use.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from math import prod
from typing import Any

from ddkbase.errors import InputError, InstallationError
from network.counting.count import Count


class _Missing:
    """Stands for PyTorch where it is not installed; whatever is asked of it is one clear line."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise InstallationError(
            "PyTorch is not installed", hint="Run pip install 'ddk-toolkit[torch]'"
        )


torch: Any
nn: Any
try:
    torch = importlib.import_module("torch")
    nn = torch.nn
except ImportError:
    torch = nn = _Missing()


class Product(nn.Module):
    """A product of two batches of matrices; a layer of its own so that it is counted."""

    def forward(self, left: Any, right: Any) -> Any:
        """left @ right."""
        return left @ right


def _convolution(layer: Any, inputs: tuple[Any, ...], output: Any) -> int:
    taps = prod(layer.kernel_size) * layer.in_channels // layer.groups
    return int(output.numel()) * taps


def _linear(layer: Any, inputs: tuple[Any, ...], output: Any) -> int:
    return int(output.numel()) * int(layer.in_features)


def _lstm(layer: Any, inputs: tuple[Any, ...], output: Any) -> int:
    # Every weight is used once a step; biases are 1-D.
    weights = sum(p.numel() for p in layer.parameters() if p.dim() == 2)
    steps = inputs[0].numel() // layer.input_size
    return int(steps) * int(weights)


def _product(layer: Any, inputs: tuple[Any, ...], output: Any) -> int:
    return int(output.numel()) * int(inputs[0].shape[-1])


def count_model(model: Any, shape: Sequence[int], *, batch_norm: int = 0) -> Count:
    """Parameters and MACs of one sample; weights used twice count once, their MACs twice.

    Parameters
    ----------
    model : torch.nn.Module
        A ``torch.nn.Module`` on any device; on "meta" nothing is computed.
    shape : sequence of int
        Shape of one sample.
    batch_norm : int, default 0
        Operations for an element of a batch norm; 0 folds it into the layer before it.

    Raises
    ------
    InputError
        A layer has parameters of its own and is of a kind that is not known here.
    """
    kinds: list[tuple[Any, Any]] = [
        ((nn.Conv1d, nn.Conv2d, nn.Conv3d), _convolution),
        (nn.Linear, _linear),
        (nn.LSTM, _lstm),
        (Product, _product),
        (
            (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
            lambda layer, inputs, output: batch_norm * int(output.numel()),
        ),
        (nn.LayerNorm, lambda layer, inputs, output: 0),
    ]
    macs: list[int] = []

    def watch(layer: Any, how: Any) -> Any:
        return layer.register_forward_hook(
            lambda module, inputs, output: macs.append(how(module, inputs, output))
        )

    handles = []
    training = model.training
    try:
        for name, layer in model.named_modules():
            how = next((how for kind, how in kinds if isinstance(layer, kind)), None)
            if how is not None:
                handles.append(watch(layer, how))
            elif any(True for _ in layer.parameters(recurse=False)):
                raise InputError(
                    f"a layer of kind {type(layer).__name__} cannot be counted", name or "model"
                )
        model.eval()
        first = next(iter(model.parameters()), None)
        device = None if first is None else first.device
        with torch.no_grad():
            model(torch.zeros(1, *shape, device=device))
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    parameters = sum(int(p.numel()) for p in model.parameters() if p.requires_grad)
    return Count(parameters, sum(macs))
