"""Tasks: data, front end, split, structure and training, stated once.

A task says everything a result depends on but the model and the seed. The named ones stand in
``tasks.yaml`` beside this file; `ddk.studies.own_data` makes one on the user's own data.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ddkbase.descriptions import as_input_error
from ddkbase.documents import parse_yaml
from ddkbase.errors import InputError, closest

__all__ = [
    "TASKS",
    "SplitPlan",
    "Task",
    "Training",
    "get_task",
    "with_states",
]

# strict: a file may hold anything, and "5" or true are no number
_Count = Annotated[int, Field(strict=True, gt=0)]
_Size = Annotated[int, Field(strict=True, ge=0)]
_Share = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
_Text = Annotated[str, Field(strict=True)]

_CHECKED = ConfigDict(extra="forbid")


def _one_line[T](cls: type[T]) -> type[T]:
    """Let a dataclass of pydantic say in one line which field is wrong, as `InputError`."""
    checked: Callable[..., None] = cls.__init__

    @functools.wraps(checked)
    def init(self: Any, *args: Any, **fields: Any) -> None:
        try:
            checked(self, *args, **fields)
        except ValidationError as error:
            raise _input_error(cls, error, fields) from None

    setattr(cls, "__init__", init)  # noqa: B010
    return cls


def _input_error(cls: Any, error: ValidationError, data: Any) -> InputError:
    first = error.errors(include_url=False)[0]
    if first["type"] == "unexpected_keyword_argument":
        *above, name = map(str, first["loc"])
        names = [f.name for f in dataclasses.fields(_NESTED.get(above[-1], cls) if above else cls)]
        return InputError(f"unknown key '{name}'", ".".join(above), closest(name, names))
    return as_input_error(error, data)


@_one_line
@dataclass(frozen=True, config=_CHECKED)
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
    solver : {"adam", "ridge"}, default "adam"
        "ridge" solves for the last layer by ridge regression and trains nothing else; the rest of
        this then does not matter, and there are to be no hidden layers.
    """

    epochs: _Count
    batch_size: _Count | None = None
    rate: _Share = 0.01
    weight_decay: _Share = 1e-3
    schedule: Literal["cosine"] | None = "cosine"
    solver: Literal["adam", "ridge"] = "adam"


@_one_line
@dataclass(frozen=True, config=_CHECKED)
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

    by: _Text
    test: _Share = 0.2
    validation: _Share = 0.1

    @property
    def overlap(self) -> float:
        """Test samples over training samples where every seed draws both from one set; 0 where the
        test part is given. For `network.model.metrics.difference`."""
        if self.by in ("fold", "leave-one-out"):
            return 0.0
        return self.test / (1 - self.test - self.validation)


_NESTED = {"training": Training, "split": SplitPlan}


@_one_line
@dataclass(frozen=True, config=_CHECKED)
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

    name: _Text
    title: str
    dataset: _Text
    split: SplitPlan
    hidden: tuple[_Count, ...]
    training: Training
    protocol: str
    article: str = ""
    activation: _Text = "sigmoid"
    vote: _Text = ""
    headline: Literal["vote", "decision"] = "vote"
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    cut: _Text = "whole"
    ddk: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    models: tuple[str, ...] = ("ddk", "raw", "leaky")
    limits: Mapping[str, _Count] = dataclasses.field(default_factory=dict)
    quick: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    shape: tuple[_Count, ...] = ()
    classes: _Size = 0

    def __post_init__(self) -> None:
        if self.training.solver == "ridge" and self.hidden:
            raise InputError(
                "ridge regression solves for one layer", f"{self.name}.hidden", "Leave it empty"
            )
        # stated, so that what is stored says under which default it was computed
        if "states" not in self.ddk:
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
        """All that a result depends on, as JSON can hold it; no titles and descriptions."""
        left_out = (*_DESCRIBING, "quick", "shape", "classes")
        fields = dataclasses.asdict(self)
        if fields["training"]["solver"] == "adam":
            del fields["training"]["solver"]  # results of versions that had no other stay valid
        return {name: _json(value) for name, value in fields.items() if name not in left_out}

    def with_layer(self, **options: Any) -> Task:
        """The same with other options of the DDK layer and what stands in its place."""
        return dataclasses.replace(self, ddk={**self.ddk, **options})

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Task:
        """A task from what `settings` gave; its title and protocol are those of its name, if known.

        Raises
        ------
        InputError
            Something is missing or of no use.
        """
        try:
            named = TASKS.get(settings["name"])
            described = {n: getattr(named, n) for n in _DESCRIBING} if named is not None else {}
            fields = {"title": settings["name"], "protocol": "", **described}
            fields |= with_states(settings)
            return TypeAdapter(cls).validate_python(fields)
        except ValidationError as error:
            reason: object = _input_error(cls, error, fields)
        except (KeyError, TypeError) as error:
            reason = error
        raise InputError(f"these are no settings of a task [{reason}]", "task")


def with_states(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a task as a file has them, with the states that its DDK layer reads.

    Files that do not say it are of versions whose default was "before".
    """
    ddk = settings.get("ddk")
    if not isinstance(ddk, Mapping):
        return dict(settings)
    return {**settings, "ddk": {"states": "before", **ddk}}


#: what is not a setting: it says what the task is, and a result does not depend on it
_DESCRIBING = ("title", "protocol", "article", "models")


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json(entry) for key, entry in value.items()}
    return [_json(entry) for entry in value] if isinstance(value, tuple | list) else value


def _named() -> dict[str, Task]:
    text = resources.files("ddk.studies").joinpath("tasks.yaml").read_text(encoding="utf-8")
    described: Any = parse_yaml(text, "tasks.yaml")
    return {
        name: Task(name=name, **{**entry, "options": _tuples(entry.get("options", {}))})
        for name, entry in described.items()
    }


def _tuples(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a data set, whose sizes are tuples."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}


TASKS: Mapping[str, Task] = MappingProxyType(_named())
"""All named tasks."""


def get_task(name: str, quick: bool = False) -> Task:
    """A task by its name, or its small variant.

    Parameters
    ----------
    name : str
        Name of the task, one of `TASKS`.
    quick : bool, default False
        Take the small variant.

    Returns
    -------
    Task
        The task.

    Raises
    ------
    InputError
        No such task; the closest name is given.
    """
    if name not in TASKS:
        raise InputError(f"there is no task '{name}'", "task", closest(name, TASKS))
    return TASKS[name].small() if quick else TASKS[name]
