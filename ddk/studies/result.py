"""What a run gives: accuracies, sizes, alpha and beta; and its form in JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import StorageError, shorten

if TYPE_CHECKING:
    from ddk.studies.folds import Fold
    from network.model.ddk_network import Network
    from network.model.history import History

__all__ = ["HEAVY", "Result", "Trained"]

#: attributes of a `Result` that do not go into JSON
HEAVY = frozenset({"network", "history", "fold"})


@dataclass(frozen=True)
class Result:
    """What one run gives; all of it but `HEAVY` goes into JSON.

    Attributes
    ----------
    task, model, seed : what was run.
    settings : of task and model, all that the numbers depend on.
    test, validation : `metrics.scores` of single decisions.
    test_vote, validation_vote : of the means over clips, utterances or objects; empty without.
    train_accuracy : of single decisions, after the last epoch.
    confusion : counts (true, predicted) on the test part, of what counts first.
    classes, vote, headline : names of the classes, over what is voted, and what counts first.
    parameters, macs, features : of one decision; MACs per decision.
    alpha, beta : smallest and largest after training; empty without a DDK layer.
    r, r_words : smallest alpha/(beta x_max)^2, and what it means; None and "" without.
    epochs, samples : passes, and training samples.
    seconds : of training and testing.
    held_out : the test part, in words.
    network, history, fold : of the last fold; not kept in JSON.
    """

    task: str
    model: str
    seed: int
    settings: Mapping[str, Any]
    test: Mapping[str, float]
    validation: Mapping[str, float]
    test_vote: Mapping[str, float]
    validation_vote: Mapping[str, float]
    train_accuracy: float
    confusion: list[list[int]]
    classes: tuple[str, ...]
    vote: str
    headline: str
    parameters: int
    macs: int
    features: int
    alpha: tuple[float, ...]
    beta: tuple[float, ...]
    r: float | None
    r_words: str
    epochs: int
    samples: int
    seconds: float
    held_out: str
    network: Network | None = field(default=None, compare=False, repr=False)
    history: History | None = field(default=None, compare=False, repr=False)
    fold: Fold | None = field(default=None, compare=False, repr=False)

    @property
    def accuracy(self) -> float:
        """On the test part, of what counts first."""
        return float(self.first("test")["accuracy"])

    @property
    def validation_accuracy(self) -> float:
        """On the validation part, of what counts first."""
        return float(self.first("validation")["accuracy"])

    def first(self, part: str) -> Mapping[str, float]:
        """`metrics.scores` of a part, of what counts first: "test" or "validation"."""
        votes: Mapping[str, float] = getattr(self, f"{part}_vote")
        single: Mapping[str, float] = getattr(self, part)
        return votes if votes and self.headline == "vote" else single

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        kept = [f.name for f in dataclasses.fields(self) if f.name not in HEAVY]
        found = {name: getattr(self, name) for name in kept}
        for name in ("classes", "alpha", "beta"):
            found[name] = list(found[name])
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any], where: str = "result") -> Result:
        """From what `to_json` gave. Raises StorageError if something is missing or of no use."""
        names = {f.name for f in dataclasses.fields(cls)} - HEAVY
        missing = sorted(names - found.keys())
        if missing:
            raise StorageError(f"'{missing[0]}' is missing", where, "Remove the file")
        told = {name: found[name] for name in names}
        try:
            for name in ("classes", "alpha", "beta"):
                told[name] = tuple(told[name])
            if type(told["seed"]) is not int or told["seed"] < 0:
                raise ValueError(f"a seed of {shorten(told['seed'])}")
            result = cls(**told)
            _ = result.accuracy + result.validation_accuracy
        except (TypeError, KeyError, ValueError) as error:
            raise StorageError(f"the file is damaged [{error}]", where, "Remove it") from error
        return result


@dataclass(frozen=True)
class Trained:
    """What a method hands back of one fold.

    Attributes
    ----------
    predict : probabilities (samples, classes) of x (samples, *shape).
    network, history : where the method has them.
    parameters, macs, features : of one decision.
    epochs : that were trained.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    parameters: int
    macs: int
    features: int
    epochs: int
    network: Network | None = None
    history: History | None = None
