"""Where the constants of a feature layer start, chosen on the validation part.

A layer that is read once keeps what its time constants let it keep: a leaky integrator that forgets
in three steps has nothing of a sequence of fifty. So every layer of few reads, the DDK layer and
what it is held against, gets its constants in the same way: `NUMBER` candidates each, log-spaced
over the banks, a ridge read-out of each on (at most `MOST`) training samples, and the one that the
validation part likes best. Training, if there is any, goes on from there. Where all states are
read, the constants are a change of basis of what the classifier sees, and nothing is chosen.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ddk.studies.folds import Fold, Part
from ddk.studies.models import DDK, Model, feature_layer
from ddk.studies.tasks import Task
from ddkbase.errors import InputError, SolverError
from network.ddk.constraints import Reachable
from network.layers.base import Realisation
from network.model.ridge import Readout, solve_ridge

NUMBER = 16
"""Candidates of each layer that has constants to choose."""
MOST = 4096
"""Samples of a part that a candidate is judged on, at most."""

#: shortest time constants [steps] and longest ones [lengths of a sequence] of several banks
_ENDS = [1.0, 3.0, 10.0, 30.0], [0.5, 1.0, 2.0, 8.0]
#: parts of the logarithmic range of beta that several banks of reachable pairs are spread over
_SPANS = [(0.0, 1.0), (0.0, 0.5), (0.5, 1.0), (0.25, 0.75)]
_SPANS += [(0.0, 0.25), (0.75, 1.0), (0.0, 0.75), (0.25, 1.0)]
_NEAR = 3  # settings of similar beta, of which the smallest or the largest alpha is taken
_PIECE = 128  # samples at once: their states stay in the cache

Options = Mapping[str, Any]


def chosen(task: Task, model: Model, fold: Fold, seed: int) -> Model:
    """The model with the start of its layer that does best on the validation part.

    A model that is not read once, or whose constants are given or none, comes back as it is. The
    seed draws what is random in a layer, and the samples where there are more than `MOST`. Raises
    InputError: the layer does not take an option; SolverError: no candidate has features that are
    finite.
    """
    tried = contenders(task, model, fold)
    if len(tried) == 1:
        return tried[0]
    train, held = some(fold.train, seed), some(fold.validation, seed)
    best: tuple[Readout, Model] | None = None
    for other in tried:
        layer = built(task, other, fold, seed)
        read = [features(layer, part.x) for part in (train, held)]
        try:
            found = solve_ridge(read[0], train.y, (read[1], held.y), len(fold.classes))
        except SolverError:
            continue  # the explicit step leaves the numbers with some constants
        if best is None or found.score > best[0].score:
            best = found, other
    if best is None:
        raise SolverError("no start has features that are finite", model.name)
    return best[1]


def contenders(task: Task, model: Model, fold: Fold) -> list[Model]:
    """The model with each of its starts; alone where there is nothing to choose.

    The training part of ``fold`` says the weights of "principal".
    """
    options = {**task.ddk, **model.options}
    if options.get("readout") != "last":
        return [model]
    if model.options.get("kernel") == "weights" and "weights" not in model.options:
        weights = _principal(fold.train.x, int(options.get("banks", 1))).tolist()
        return [dataclasses.replace(model, options={**model.options, "weights": weights})]
    tried = candidates(model, int(options.get("banks", 1)), fold.shape[-1])
    if not tried or any(name in model.options for name in tried[0]):
        return [model]
    return [dataclasses.replace(model, options={**model.options, **start}) for start in tried]


def built(task: Task, model: Model, fold: Fold, seed: int) -> Any:
    """The feature layer of a model, at its start."""
    layer = feature_layer(task, model, fold.shape, np.random.default_rng([seed, 1]))
    layer.build(fold.shape, np.random.default_rng([seed, 1]))
    return layer


def candidates(model: Model, banks: int, steps: int) -> list[Options]:
    """The starts of a model among which is chosen: `NUMBER`, or none.

    Time constants are shares of the length of the sequences, or up to some of it.
    """
    allowed = model.options.get("constraint")
    if isinstance(allowed, Reachable):
        return list(_reachable(allowed, banks))
    kind = str(model.options.get("kernel", model.layer))
    return list(_OF[kind](banks, steps)) if kind in _OF else []


def _ddk(banks: int, steps: int) -> Iterator[Options]:
    # beta is a share of the root of alpha: what alpha moves y by in a step is of that order
    ranges = [(0.001, 1.0), (0.01, 1.0), (0.01, 0.3), (0.1, 3.0)]
    if banks == 1:
        ranges = [(alpha, alpha) for alpha in (0.003, 0.03, 0.3, 3.0)]
    for (low, high), share in itertools.product(ranges, (0.1, 0.2, 0.4, 0.8)):
        alpha = np.geomspace(low, high, banks)
        yield {"alpha": _of_banks(alpha), "beta": _of_banks(share * np.sqrt(alpha))}


def _of_banks(values: np.ndarray) -> Any:
    """Constants as options of a layer: a list, of one bank a number."""
    return values.tolist() if values.size > 1 else float(values[0])


def _reachable(allowed: Reachable, banks: int) -> Iterator[Options]:
    """Settings of a table, beta log-spaced over a part of its range, with small or large alpha.

    To move the starts of `_ddk` to the nearest pairs that pulses reach would make most of them one.
    """
    pairs = allowed.triangles.reshape(-1, 2)
    pairs = np.unique(pairs[pairs[:, 1] > 0], axis=0)
    decades = np.log(pairs[:, 1])
    for (low, high), choice in itertools.product(_SPANS, (0, -1)):
        shares = np.linspace(low, high, banks) if banks > 1 else np.array([(low + high) / 2])
        chosen = []
        for target in decades.min() + shares * np.ptp(decades):
            near = pairs[np.argsort(np.abs(decades - target), kind="stable")[:_NEAR]]
            chosen.append(near[np.argsort(near[:, 0], kind="stable")[choice]])
        alpha, beta = np.array(chosen).T
        yield {"alpha": _of_banks(alpha), "beta": _of_banks(beta)}


def _constants(banks: int, steps: int, number: int) -> list[tuple[float, float]]:
    """Ranges of time constants, the widest first; of one bank single ones."""
    if banks == 1:
        single = np.geomspace(1, 8 * steps, number).tolist()
        return list(zip(single, single, strict=True))
    fast, slow = ([3.0, 30.0], [1.0, 8.0]) if number == 4 else _ENDS
    found = []
    for shortest, share in itertools.product(fast, slow):
        ends = sorted((shortest * min(1.0, steps / 48), share * steps))
        found.append((ends[0], ends[1]))
    return found


def _leaky(banks: int, steps: int) -> Iterator[Options]:
    for fast, slow in _constants(banks, steps, NUMBER):
        keep = np.exp(-1 / (np.geomspace(fast, slow, banks) if banks > 1 else np.array([slow])))
        yield {"leak": _of_banks(1 - keep)}


def _memory(banks: int, steps: int) -> Iterator[Options]:
    for fast, slow in _constants(banks, steps, NUMBER):
        yield {"fastest": fast, "slowest": slow}


def _saturating(banks: int, steps: int) -> Iterator[Options]:
    for (fast, slow), drive in itertools.product(
        _constants(banks, steps, 4), (0.03, 0.1, 0.3, 1.0)
    ):
        yield {"fastest": fast, "slowest": slow, "drive": drive}


def _diagonal(banks: int, steps: int) -> Iterator[Options]:
    for share, turns in itertools.product((0.25, 0.5, 1.0, 4.0), (0.5, 1.0, 2.0, 4.0)):
        yield {"fastest": 1.0, "slowest": share * steps, "period": turns * steps}


def _echo(banks: int, steps: int) -> Iterator[Options]:
    for leak, radius, scale in itertools.product((0.03, 0.1, 0.3, 0.8), (0.7, 0.95), (0.3, 1.0)):
        yield {"leak": leak, "radius": radius, "scale": scale}


_OF: dict[str, Callable[[int, int], Iterator[Options]]] = {
    DDK: _ddk,
    "leaky": _leaky,
    "squares": _memory,
    "saturating": _saturating,
    "diagonal": _diagonal,
    "echo": _echo,
}


def _principal(x: np.ndarray, banks: int) -> np.ndarray:
    """Weights over time (banks, steps) that keep most of the variance of all training series."""
    steps = x.shape[-1]
    if banks > steps:
        raise InputError(f"{banks} banks of {steps} steps", "banks", "Use fewer")
    rows = x.reshape(-1, steps)
    centred = rows - rows.mean(axis=0)
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(float))
    return np.asarray(vectors[:, ::-1][:, :banks].T)


def some(part: Part, seed: int) -> Part:
    """At most `MOST` samples of a part."""
    if len(part) <= MOST:
        return part
    index = np.sort(np.random.default_rng([seed, 8]).permutation(len(part))[:MOST])
    return Part(part.x[index], part.y[index], part.item[index])


def features(
    layer: Any,
    x: np.ndarray,
    realise: Realisation | None = None,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """What a layer hands on (samples, features); by ``realise`` where one is given."""
    with np.errstate(all="ignore"):  # numbers that left the range are found by what they lead to
        pieces = [
            layer.forward(x[begin : begin + _PIECE], realise=realise, rng=rng)
            for begin in range(0, len(x), _PIECE)
        ]
    return np.concatenate([p.reshape(len(p), -1) for p in pieces])
