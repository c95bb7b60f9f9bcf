"""What the DDK layer costs, forward and backward, against the memory and against PyTorch.

    python tests/benchmarks/ddk_speed.py            the table of the docs, about a minute
    python tests/benchmarks/ddk_speed.py --repeats 50

All sides run in turn in one process on one thread (set OMP_NUM_THREADS=1 and
OPENBLAS_NUM_THREADS=1) and write into arrays that are there already. Times are the best of the
repeats, in processor time of the thread, so that other work on the machine counts less; the memory
is shared with it all the same. Forward reads x and writes y; backward reads the gradient, x and y
and writes the derivative by x. The limit is what these reads and writes take with additions as the
only arithmetic: in NumPy the same number of them, two times ``add(p, q, out=r)``; compiled, these
very arrays, y = x + 1 and then by_x = gradient + x + y from the last row to the first.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from network.ddk import kinetics as ddk  # noqa: E402
from network.ddk.layer import DDKLayer  # noqa: E402
from tests.benchmarks.timing import Pass, least_times  # noqa: E402

SEQUENCES = 1024
STEPS = (6000, 100)
PAIR = {"implicit": (0.7, 1.0), "explicit": (0.7, 0.5)}


def _numbers(shape: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.random(shape, dtype=np.float32) for _ in range(4)]


def limit(steps: int) -> Pass:
    """The same traffic without the arithmetic."""
    p, q, r, _ = _numbers((steps, SEQUENCES))
    return (lambda: np.add(p, q, out=r),) * 2


def compiled_limit(steps: int) -> Pass:
    """The same arrays in the same order without the arithmetic, compiled."""
    import numba

    @numba.njit
    def forward(x: Any, y: Any) -> None:
        for t in range(x.shape[0]):
            for j in range(x.shape[1]):
                y[t, j] = x[t, j] + np.float32(1)

    @numba.njit
    def backward(g: Any, x: Any, y: Any, by_x: Any) -> None:
        for t in range(x.shape[0] - 1, -1, -1):
            for j in range(x.shape[1]):
                by_x[t, j] = g[t, j] + x[t, j] + y[t, j]

    x, g, y, by_x = _numbers((steps, SEQUENCES))
    return lambda: forward(x, y), lambda: backward(g, x, y, by_x)


def copying(steps: int) -> Pass:
    """x to y, and y to x."""
    p, q, _, _ = _numbers((steps, SEQUENCES))
    return lambda: np.copyto(q, p), lambda: np.copyto(p, q)


def layer(steps: int, backend: str, integrator: str, time_major: bool) -> Pass:
    """`ddk.forward` and `ddk.backward`."""
    shape = (steps, SEQUENCES) if time_major else (SEQUENCES, steps)
    x, g, y, by_x = _numbers(shape)
    options: dict[str, Any] = {"integrator": integrator, "backend": backend}
    options["axis"] = 0 if time_major else -1
    pair = PAIR[integrator]
    return (
        lambda: ddk.forward(x, *pair, out=y, **options),
        lambda: ddk.backward(g, x, y, *pair, out=by_x, **options),
    )


def whole_layer(steps: int, integrator: str) -> Pass:
    """`DDKLayer` as a network calls it: samples first in and out, the derivative by x too."""
    x, g, _, _ = _numbers((SEQUENCES, steps))
    alpha, beta = PAIR[integrator]
    layer = DDKLayer(steps, alpha=alpha, beta=beta, integrator=integrator)
    return lambda: layer.forward(x, training=True), lambda: layer.backward(g)


def autograd(steps: int, integrator: str) -> Pass:
    """A loop over time in PyTorch, differentiated by its autograd; time-major as well."""
    import torch

    torch.set_num_threads(1)
    x, g, _, _ = (torch.from_numpy(v) for v in _numbers((steps, SEQUENCES)))
    x.requires_grad_()
    alpha, beta = (torch.tensor(v, requires_grad=True) for v in PAIR[integrator])
    kept: list[Any] = []

    def forward() -> None:
        y = torch.ones(SEQUENCES)
        states = [y]
        for sample in x[:-1].unbind(0):
            if integrator == "explicit":
                y = y + alpha / y - beta * sample
            else:
                c = y - beta * sample
                y = 0.5 * (c + torch.sqrt(c * c + 4 * alpha))
            states.append(y)
        kept[:] = [torch.stack(states)]

    def backward() -> None:
        for leaf in (x, alpha, beta):
            leaf.grad = None
        kept.pop().backward(g)

    return forward, backward


def contenders(steps: int) -> dict[str, Pass]:
    """All sides of one length."""
    found = {"memory limit, NumPy": limit(steps), "two copies (4 of 6 streams)": copying(steps)}
    backends = ["numpy"]
    try:
        import numba  # noqa: F401
    except ImportError:
        print("numba is not installed", file=sys.stderr)
    else:
        backends.append("numba")
        found["memory limit, compiled"] = compiled_limit(steps)
    for integrator in PAIR:
        for backend in backends:
            for major in (True, False):
                name = f"{backend}, {integrator}, {'time-major' if major else 'batch-major'}"
                found[name] = layer(steps, backend, integrator, major)
        found[f"DDKLayer, {integrator}, samples first"] = whole_layer(steps, integrator)
    try:
        import torch  # noqa: F401
    except ImportError:
        print("torch is not installed", file=sys.stderr)
    else:
        for integrator in PAIR:
            found[f"PyTorch autograd loop, {integrator}"] = autograd(steps, integrator)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    for steps in STEPS:
        sides = contenders(steps)
        slow = [name for name in sides if "PyTorch" in name]  # a fifth of a second each
        found = least_times(sides, repeats if steps > 1000 else 10 * repeats, slow)
        floors = [sum(times) for name, times in found.items() if "limit" in name]
        print(f"\n{SEQUENCES:,} sequences of {steps:,} steps, float32, one thread\n")
        print("| what | forward [ms] | backward [ms] | both [ms] | times the limits |")
        print("|---|---|---|---|---|")
        for name, (forward, backward) in found.items():
            both = forward + backward
            print(
                f"| {name} | {1e3 * forward:.2f} | {1e3 * backward:.2f} | {1e3 * both:.2f} "
                f"| {', '.join(f'{both / floor:.2f}' for floor in floors)} |"
            )
        for integrator in PAIR:
            torch = found.get(f"PyTorch autograd loop, {integrator}")
            if torch is not None:
                ratios = [
                    f"{name} {sum(torch) / sum(times):.1f}"
                    for name, times in found.items()
                    if f"{integrator}, time-major" in name
                ]
                print(f"\ntimes faster than PyTorch: {'; '.join(ratios)}")


if __name__ == "__main__":
    main()
