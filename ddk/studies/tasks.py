"""Tasks: data, front end, split, structure and training, stated once.

A task says everything a result depends on but the model and the seed. The named ones stand in
``tasks.yaml`` beside this file; `folder_task` makes one on a user's own data.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ddkbase.descriptions import as_input_error
from ddkbase.documents import parse_yaml
from ddkbase.errors import InputError, StorageError, closest
from network import datasets

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


SOUND_MODELS = ("ddk", "raw", "leaky", "sum", "pooling", "random", "echo", "mfcc", "minirocket")
"""What is compared on sounds."""

#: lengths of an utterance that are tried on a folder of sounds, the loader's own first
_UTTERANCES = ("1 s", "0.5 s", "0.25 s", "0.1 s")
#: steps of sounds where layers are read once: those of "digits-spoken"
_FRAMES = {"front": "frames", "size": 32, "window": "32 ms"}


def folder_task(
    path: Path, options: Mapping[str, Any] | None = None, read_once: bool = False
) -> Task:
    """A task on the user's own data, a folder or a file that `network.datasets.load` knows.

    A known set in a folder is that task; pictures with a folder a class, files of series and files
    of arrays X and y become one as they are; a folder of labelled sounds becomes a task like
    "speakers", with recordings held out whole where there are three or more of each class, and
    else one stretch of every recording.

    Parameters
    ----------
    path : Path
        Folder or file of the data.
    options : mapping or None, optional
        Options of `network.datasets.load`, as the column of the class of a table.
    read_once : bool, default False
        Whether layers are to be read once, at the end of a sequence, as in the named tasks of this
        kind, whose read-out (ridge regression, no hidden layers), validation part (a fifth) and
        models they get. A step of sounds is then a frame of 32 logarithmic mel bands, 16 ms after
        the one before, unless the options name another front.

    Returns
    -------
    Task
        The task; its data set is the folder or file.

    Raises
    ------
    InputError
        What is not understood in a file, or an option that such data do not have.
    StorageError
        No such folder, or nothing in it that is known.
    """
    asked = dict(options or {})
    data, utterance = _loaded(path, asked)
    named = next((t for t in TASKS.values() if t.dataset == data.name), None)
    if named is not None:
        settings = {**named.options, **asked}
        if "align" in settings and not any(path.glob("*.mat")):
            del settings["align"]  # only silhouettes say where the person is
        split = named.split
        if split.by == "fold" and not _has_folds(data):
            split = SplitPlan("group", test=0.2, validation=0.1)
        return dataclasses.replace(
            named, dataset=str(path.absolute()), options=settings, split=split
        )
    if data.seconds is None:
        return _array_task(path, data, asked, read_once)
    recordings = np.unique(
        np.stack([np.unique(data.groups, return_inverse=True)[1], data.y]), axis=1
    )
    fewest = int(np.bincount(recordings[1], minlength=len(data.classes)).min())
    validation = TASKS["digits-spoken"].split.validation if read_once else 0.1
    if _has_folds(data):
        split = SplitPlan("fold", validation=validation)
        protocol = "The test part is the source's own."
    elif fewest >= 3:
        split = SplitPlan("group", test=0.2, validation=validation)
        protocol = "Recordings are held out whole, drawn by the seed."
    else:
        split = SplitPlan("block", test=0.2, validation=validation)
        utterance = _short_enough(path, utterance, split)
        protocol = (
            f"There {'is one recording' if fewest == 1 else 'are two recordings'} of a class: one "
            "stretch of every recording is held out, so that the accuracy is also that of telling "
            "recordings apart."
        )
    sentences = [protocol, *(f"{n[0].upper()}{n[1:]}." for n in data.notes)]
    front = _FRAMES if read_once else {"front": "spectral", "size": 128}
    settings = {**front, "utterance": utterance, **asked}
    if settings["front"] == "frames":
        sentences.append(f"A step is a frame of {settings['size']} logarithmic mel bands.")
    task = Task(
        name=re.sub(r"[^a-z0-9_+-]+", "-", path.absolute().name.lower()).strip("-") or "folder",
        title=f"{len(data.classes)} classes of {path.absolute().name}",
        dataset=str(path.absolute()),
        split=split,
        hidden=(16,),
        training=Training(epochs=200),
        vote="" if split.by == "block" else "recording",
        models=SOUND_MODELS,
        protocol=" ".join(sentences),
        options=settings,
        quick={"epochs": 40},
    )
    if not read_once:
        return task
    shape = datasets.load(path, **settings).sample_shape
    return _read_once(dataclasses.replace(task, shape=shape, classes=len(data.classes)))


def _read_once(task: Task) -> Task:
    """The task with the read-out of the named tasks whose layers are read once."""
    once = TASKS["digits-spoken"]
    protocol = (
        f"{task.protocol} Each channel is read once, at its end; the constants of every memory and "
        "the strength of the ridge regression behind it are chosen on the validation part."
    )
    return dataclasses.replace(
        task, hidden=(), training=once.training, models=once.models, protocol=protocol, quick={}
    )


def _array_task(
    path: Path, data: datasets.DataSet, options: Mapping[str, Any], read_once: bool
) -> Task:
    """A task on samples that are not cut out of sounds: pictures, series, or arrays X and y."""
    once = TASKS["digits-spoken"].split.validation
    validation, share = (once, "a fifth") if read_once else (0.1, "a tenth")
    given = _has_folds(data)
    groups = len(set(data.groups.tolist()))
    if given:
        protocol = f"The test part is the source's own; {share} of the others validates."
    elif groups == len(data):
        protocol = f"A fifth of the samples is the test part, {share} validates, drawn by the seed."
    else:
        protocol = (
            f"A fifth of the {groups} groups is the test part, {share} validates, drawn by the "
            "seed: each group is whole on one side."
        )
    sentences = [protocol, *(f"{note[0].upper()}{note[1:]}." for note in data.notes)]
    task = Task(
        name=re.sub(r"[^a-z0-9_+-]+", "-", data.name.lower()).strip("-") or "folder",
        title=f"{len(data.classes)} classes of {path.absolute().name}",
        dataset=str(path.absolute()),
        options=dict(options),
        split=SplitPlan("fold" if given else "group", test=0.2, validation=validation),
        hidden=(16,),
        training=Training(epochs=100, batch_size=128),
        models=("ddk", "raw", "leaky", "sum", "pooling", "random", "echo", "minirocket"),
        protocol=" ".join(sentences),
        shape=data.sample_shape,
        classes=len(data.classes),
        quick={"epochs": 20},
    )
    return _read_once(task) if read_once else task


def _loaded(path: Path, options: Mapping[str, Any]) -> tuple[datasets.DataSet, str]:
    """The data, and the longest utterance of which each class has a whole one."""
    for utterance in _UTTERANCES:
        try:
            # other sets than sounds have no such option, and are known at the first attempt
            more = {} if utterance == _UTTERANCES[0] else {"utterance": utterance}
            data = datasets.load(path, **{**more, **options})
        except StorageError as error:
            if "as long as an utterance" not in error.what:
                raise
            continue
        named = any(task.dataset == data.name for task in TASKS.values())
        short = data.span[:, 1] - data.span[:, 0] < (data.seconds or 0.0) * (1 - 1e-9)
        if named or np.unique(data.y[~short]).size == len(data.classes):
            return data, utterance
    raise StorageError(
        "a class has no recording of 0.1 s or more", str(path), "Leave it out, or add recordings"
    )


def _has_folds(data: datasets.DataSet) -> bool:
    return {"train", "test"} <= set(np.unique(data.fold).tolist())


def _short_enough(path: Path, longest: str, plan: SplitPlan) -> str:
    """The longest utterance of which every recording has enough for a stretch of each part."""
    reason = ""
    for utterance in _UTTERANCES[_UTTERANCES.index(longest) :]:
        try:
            data = datasets.load(path, utterance=utterance)
            split = datasets.split(data, plan.test, plan.validation, by=plan.by)
        except (InputError, StorageError) as error:
            reason = error.what
            continue
        if all(np.unique(data.y[p]).size == len(data.classes) for p in (split.train, split.test)):
            return utterance
        reason = "a class is missing in a part"
    raise StorageError(
        f"a class has fewer than three recordings, which are too short to hold out a stretch of "
        f"each [{reason}]",
        str(path),
        "Add recordings to it, or longer ones",
    )
