"""The DDK layer in PyTorch against the layer itself: a step there and back, in one process.

Usage::

    python -m tests.benchmarks.ddk_torch [--repeats 15]

Prints tables in Markdown: processor times of one thread, the least of the repeats, in which the
sides take turns. Both take float32 samples first, give the states and the derivatives by samples,
alpha and beta. A check comes first: their gradients are the same to 1e-6. The last column is what
PyTorch takes for a function of as many tensors that computes nothing.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

from network.ddk.layer import DDKLayer
from network.pytorch import DDKModule
from tests.benchmarks.timing import Pass, least_times

SEQUENCES = 1024
STEPS = (100, 6000)
BACKENDS = ("numba", "numpy")
INTEGRATORS = {"implicit": (0.7, 1.0), "explicit": (0.7, 0.5)}


def layer_pass(layer: DDKLayer, x: np.ndarray, g: np.ndarray) -> Pass:
    """As a network calls it."""
    return lambda: layer.forward(x, training=True), lambda: layer.backward(g)


def module_pass(module: DDKModule, x: np.ndarray, g: np.ndarray) -> Pass:
    """Through autograd."""
    samples, gradient = torch.from_numpy(x).requires_grad_(), torch.from_numpy(g)
    graph: list[Any] = []

    def forward() -> None:
        for leaf in (samples, module.raw_alpha, module.raw_beta):
            leaf.grad = None
        graph[:] = [module(samples)]

    def backward() -> Any:
        graph.pop().backward(gradient)
        return samples.grad.numpy()

    return forward, backward


class Empty(torch.autograd.Function):
    """A function that reads nothing and writes nothing."""

    @staticmethod
    def forward(ctx: Any, x: Any, alpha: Any, beta: Any) -> Any:
        ctx.save_for_backward(x, alpha, beta)
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        return tuple(torch.empty_like(tensor) for tensor in ctx.saved_tensors)


def empty_pass(x: np.ndarray, g: np.ndarray) -> Pass:
    """What autograd costs by itself."""
    leaves = [torch.from_numpy(x).requires_grad_()]
    leaves += [torch.ones(1, 1, requires_grad=True) for _ in range(2)]
    gradient, graph = torch.from_numpy(g), []

    def forward() -> None:
        for leaf in leaves:
            leaf.grad = None
        graph[:] = [Empty.apply(*leaves)]

    return forward, lambda: graph.pop().backward(gradient)


def check(layer: DDKLayer, module: DDKModule, sides: dict[str, Pass]) -> None:
    """The sides give the same gradients."""
    results = []
    for name in ("layer", "module"):
        forward, backward = sides[name]
        forward()
        results.append(backward())
    pairs = [(results[1], results[0])]
    for key in ("alpha", "beta"):
        pairs.append((getattr(module, f"raw_{key}").grad.numpy(), layer.gradients[key]))
    for left, right in pairs:
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    rng = np.random.default_rng(1)
    print(f"PyTorch {torch.__version__}, {SEQUENCES:,} sequences, float32, one thread\n")
    print(
        "| step | steps | layer, both [ms] | module, both [ms] | forward, times | backward, times "
        "| both, times | autograd alone [ms] |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for steps in STEPS:
        x, g = (rng.random((SEQUENCES, steps), dtype=np.float32) for _ in range(2))
        for backend in BACKENDS:
            for integrator, (alpha, beta) in INTEGRATORS.items():
                layer = DDKLayer(
                    steps, alpha=alpha, beta=beta, integrator=integrator, backend=backend
                )
                module = DDKModule.from_layer(layer)
                sides = {"layer": layer_pass(layer, x, g), "module": module_pass(module, x, g)}
                sides["autograd"] = empty_pass(x, g)
                check(layer, module, sides)
                best = least_times(sides, repeats if steps > 1000 else 10 * repeats)
                there, back = (best["module"][i] / best["layer"][i] for i in range(2))
                own, other = (sum(best[name]) for name in ("layer", "module"))
                print(
                    f"| {integrator}, {backend} | {steps:,} | {1e3 * own:.2f} | {1e3 * other:.2f} "
                    f"| {there:.2f} | {back:.2f} | {other / own:.2f} "
                    f"| {1e3 * sum(best['autograd']):.2f} |"
                )


if __name__ == "__main__":
    main()
