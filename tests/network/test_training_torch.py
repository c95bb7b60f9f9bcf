"""A whole training run against the same network in PyTorch, where that is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from network.model.network import ddk_network
from network.model.optimisers import SGD, Adam
from network.model.trainer import train

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed")


def twin(network: Any) -> list[Any]:
    """The network's parameters, as leaves."""
    return [
        torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for value in network.parameters.values()
    ]


def answer(x: Any, parameters: list[Any], activation: str) -> Any:
    """DDK, implicit and positive by softplus; statistics of the batch; two dense layers."""
    alpha, beta, weight1, bias1, weight2, bias2 = parameters
    a, b = (torch.nn.functional.softplus(raw).reshape(()) for raw in (alpha, beta))
    states = [torch.ones_like(x[:, 0])]
    for k in range(1, x.shape[1]):
        c = states[-1] - b * x[:, k - 1]
        states.append((c + torch.sqrt(c * c + 4 * a)) / 2)
    features = torch.stack(states, 1)
    h = torch.nn.functional.batch_norm(features, None, None, training=True, eps=1e-3)
    return getattr(torch, activation)(h @ weight1 + bias1) @ weight2 + bias2


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Adam(rate=0.02, weight_decay=0), lambda p: torch.optim.Adam(p, lr=0.02)),
        (SGD(0.1, momentum=0.8), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8)),
        (
            SGD(0.1, momentum=0.8, nesterov=True),
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True),
        ),
    ],
)
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_twenty_steps_are_those_of_pytorch(ours: Any, theirs: Any, activation: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((50, 12)), rng.integers(0, 3, 50)
    ddk = {"rate": 1.0, "states": "before"}  # the convention of the twin
    network = ddk_network((12,), [5], 3, activation=activation, ddk=ddk, dtype="float64")
    parameters = twin(network)
    optimiser = theirs(parameters)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        logits = answer(torch.tensor(x), parameters, activation)
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y))
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    history = train(network, x, y, epochs=20, optimiser=ours)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-9)
    for value, other in zip(network.parameters.values(), parameters, strict=True):
        np.testing.assert_allclose(value, other.detach().numpy(), rtol=1e-7, atol=1e-10)
