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
    task, model : str
        What was run.
    seed : int
        Seed of the run.
    settings : mapping
        Settings of task and model, all that the numbers depend on.
    test, validation : mapping of str to float
        `metrics.scores` of single decisions.
    test_vote, validation_vote : mapping of str to float
        Scores of the means over clips, utterances or objects; empty without.
    train_accuracy : float
        Accuracy of single decisions on the training part, after the last epoch.
    confusion : list of list of int
        Counts (true, predicted) on the test part, of what counts first.
    classes : tuple of str
        Names of the classes.
    vote : str
        Over what is voted.
    headline : str
        What counts first.
    parameters, macs, features : int
        Parameters, and MACs and features of one decision.
    alpha, beta : tuple of float
        Smallest and largest of each after training; empty without a DDK layer.
    r : float or None
        Smallest alpha/(beta x_max)^2; None without a DDK layer.
    r_words : str
        What it means; "" without a DDK layer.
    epochs, samples : int
        Number of passes, and of training samples.
    seconds : float, s
        Duration of training and testing.
    held_out : str
        The test part, in words.
    network : Network or None, optional
        Network of the last fold; not kept in JSON.
    history : History or None, optional
        Course of the training of the last fold; not kept in JSON.
    fold : Fold or None, optional
        Data of the last fold; not kept in JSON.
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
    predict : callable
        Gives probabilities (samples, classes) of x `(samples, *shape)`.
    network : Network or None, optional
        The network, where the method has one.
    history : History or None, optional
        Course of the training, where the method has one.
    parameters, macs, features : int
        Parameters, and MACs and features of one decision.
    epochs : int
        Number of epochs that were trained.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    parameters: int
    macs: int
    features: int
    epochs: int
    network: Network | None = None
    history: History | None = None
