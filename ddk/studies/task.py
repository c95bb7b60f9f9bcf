"""A task: data, split, structure and training, stated once; all that a result depends on but the
model and the seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddkbase.errors import InputError

__all__ = ["SplitPlan", "Task", "Training", "with_states"]


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Attributes
    ----------
    epochs : int
        Passes over the training part; the last one counts.
    batch_size : int or None, optional
        Samples a step; None takes all.
    rate : float, default 0.01
        Learning rate of Adam, for the weights.
    weight_decay : float, default 1e-3
        Weight decay of Adam, for the weights.
    schedule : {"cosine"} or None, default "cosine"
        How the learning rate falls: as a cosine down to zero, or not at all.
    """

    epochs: int
    batch_size: int | None = None
    rate: float = 0.01
    weight_decay: float = 1e-3
    schedule: str | None = "cosine"


@dataclass(frozen=True)
class SplitPlan:
    """What is held out.

    Attributes
    ----------
    by : str
        How samples are parted: "leave-one-out" tests on every group in turn; the others are those
        of `network.datasets.splits.split`.
    test : float, default 0.2
        Share of all samples that is held out to test.
    validation : float, default 0.1
        Share of all samples, or of the training part where the test is given.
    """

    by: str
    test: float = 0.2
    validation: float = 0.1

    @property
    def overlap(self) -> float:
        """Test samples over training samples where every seed draws both from one set; 0 where the
        test part is given. For `network.model.metrics.difference`."""
        if self.by in ("fold", "leave-one-out"):
            return 0.0
        return self.test / (1 - self.test - self.validation)


@dataclass(frozen=True)
class Task:
    """One classification task.

    Attributes
    ----------
    name, title : str
        What commands and reports call it.
    dataset : str
        Name of the data set, for `network.datasets.load`.
    options : mapping, optional
        Options of `network.datasets.load`.
    cut : str, default "whole"
        How a sample becomes the sequences a network decides on; see `ddk.studies.folds.CUTS`.
    split : SplitPlan
        What is held out.
    hidden : tuple of int
        Widths of the classifier's hidden layers.
    activation : str, default "sigmoid"
        Activation of the classifier's hidden layers.
    ddk : mapping, optional
        Arguments of the DDK layer, e.g. ``per``; the rest are its defaults. ``states`` is always
        among them, "after" where it is not given.
    training : Training
        Training of every network in NumPy.
    models : tuple of str, default ("ddk", "raw", "leaky")
        What `compare` takes by default.
    limits : mapping of str to int, optional
        Numbers of samples to keep by part, for the small variants; empty keeps all.
    vote : str, default ""
        What one sample of the data set is, over which decisions are averaged; empty: none.
    headline : str, default "vote"
        Headline whose accuracy counts first, "vote" or "decision" (where votes are all right).
    protocol : str
        The split and its limits, in words.
    article : str, default ""
        What the article reports on its own data.
    quick : mapping, optional
        Changes that make the small variant.
    shape : tuple of int, default ()
        Shape of one sequence, for counting without data; empty if not known.
    classes : int, default 0
        Number of classes, for counting without data; 0 if not known.
    """

    name: str
    title: str
    dataset: str
    split: SplitPlan
    hidden: tuple[int, ...]
    training: Training
    protocol: str
    article: str = ""
    activation: str = "sigmoid"
    vote: str = ""
    headline: str = "vote"
    options: Mapping[str, Any] = field(default_factory=dict)
    cut: str = "whole"
    ddk: Mapping[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = ("ddk", "raw", "leaky")
    limits: Mapping[str, int] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    classes: int = 0

    def __post_init__(self) -> None:
        # stated, so that what is stored says under which default it was computed
        if isinstance(self.ddk, Mapping) and "states" not in self.ddk:
            object.__setattr__(self, "ddk", {"states": "after", **self.ddk})

    def small(self) -> Task:
        """The small variant, for a first look and for tests."""
        changes = dict(self.quick)
        epochs = changes.pop("epochs", None)
        training = self.training if epochs is None else self.with_epochs(epochs).training
        return dataclasses.replace(
            self, title=f"{self.title} (quick)", training=training, quick={}, **changes
        )

    def with_epochs(self, epochs: int) -> Task:
        """The same with another number of epochs. Raises InputError below 1."""
        if epochs < 1:
            raise InputError(f"{epochs} epochs train nothing", "--epochs", "Use 1 or more")
        return dataclasses.replace(self, training=dataclasses.replace(self.training, epochs=epochs))

    def settings(self) -> dict[str, Any]:
        """All that a result depends on, as JSON can hold it; no titles and words."""
        words = ("title", "protocol", "article", "models", "quick", "shape", "classes")
        return {
            f.name: _plain(getattr(self, f.name))
            for f in dataclasses.fields(self)
            if f.name not in words
        }

    def _check(self) -> None:
        """ValueError if a field is of no use; a file may hold anything."""
        told, plan = self.training, self.split
        whole = [*self.hidden, *self.limits.values(), told.epochs]
        whole += [] if told.batch_size is None else [told.batch_size]
        texts = (self.name, self.dataset, self.activation, self.vote, self.cut, plan.by)
        reals = (told.rate, told.weight_decay, plan.test, plan.validation)
        right = {
            "names": all(_is(text, str) for text in texts),
            "numbers of samples, epochs or features": all(_is(n, int) and n > 0 for n in whole),
            "rate and shares": all(_is(v, int, float) and v >= 0 for v in reals),
            "headline": self.headline in ("vote", "decision"),
            "options": all(isinstance(m, Mapping) for m in (self.options, self.ddk)),
        }
        for what, fits in right.items():
            if not fits:
                raise ValueError(f"{what} are of no use")

    @classmethod
    def from_settings(cls, found: Mapping[str, Any]) -> Task:
        """A task from what `settings` gave; its title and words are those of its name, if known.

        Raises
        ------
        InputError
            Something is missing or of no use.
        """
        try:
            told = with_states(found)
            told["split"] = SplitPlan(**told["split"])
            told["training"] = Training(**told["training"])
            told["hidden"] = tuple(told["hidden"])
            from ddk.studies.tasks import TASKS

            known = TASKS.get(told["name"])
            words = ("title", "protocol", "article", "models")
            more = {w: getattr(known, w) for w in words} if known is not None else {}
            task = cls(**{"title": str(told["name"]), "protocol": "", **more, **told})
            task._check()
            return task
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise InputError(f"these are no settings of a task [{error}]", "task") from error


def with_states(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a task as a file has them, with the states that its DDK layer reads.

    Files that do not say it are of versions whose default was "before".
    """
    ddk = settings.get("ddk")
    if not isinstance(ddk, Mapping):
        return dict(settings)
    return {**settings, "ddk": {"states": "before", **ddk}}


def _is(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value
