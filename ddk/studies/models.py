"""What can stand in the DDK layer's place: the models that a comparison takes by name.

All of `LAYERS` have the same classifier behind them, the same number of features and, but for the
reservoir's and the random layer's fixed numbers, the same number of trained parameters. They are
trained by the same trainer with the same settings on the same arrays, so a difference between two
of them is a difference between their layers. `OTHERS` have a size and a training of their own: the
article's networks in PyTorch, and MiniRocket.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from compact.table.table import AlphaBetaTable
from ddk.studies.folds import Fold
from ddk.studies.result import Trained
from ddk.studies.tasks import Task
from ddkbase.errors import InputError, closest
from network import baselines
from network.baselines.rocket import MiniRocket
from network.baselines.simple import LogisticRegression, NearestSample
from network.ddk.constraints import Reachable
from network.ddk.layer import DDKLayer
from network.layers import baselines as controls
from network.layers.memories import Memory
from network.layers.plain import Activation, Dense, Flatten, Mean, Transpose
from network.layers.standardise import Standardise
from network.model.network import Network
from network.model.trainer import EpochEvent

DDK = "ddk"


@dataclass(frozen=True)
class Model:
    """A feature layer and what is around it.

    Attributes
    ----------
    name : str
        What tables call it; letters, digits and -_.+ only.
    layer : str
        "ddk", a control of `network.layers.baselines`, or for `OTHERS` the name of the method.
    options : mapping, optional
        Options of the layer; they go over those of the task.
    title : str
        What it is called in words.
    standardise : bool, default True
        Whether batch statistics stand between the layer and the classifier.
    hidden : tuple of int or None, optional
        Widths of the classifier's hidden layers; None takes the task's.
    data : mapping, optional
        Options of `network.datasets.load` of its own, over those of the task.
    cut : str, default ""
        How a sample becomes sequences, if not as the task says.
    """

    name: str
    layer: str
    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    standardise: bool = True
    hidden: tuple[int, ...] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    cut: str = ""

    @property
    def trains_here(self) -> bool:
        """Whether it is a network of this package, trained by its trainer."""
        return self.name not in OTHERS

    def settings(self) -> dict[str, Any]:
        """What a result depends on, as JSON can hold it."""
        return {
            "name": self.name,
            "layer": self.layer,
            "options": {k: _plain(v) for k, v in self.options.items()},
            "standardise": self.standardise,
            "hidden": None if self.hidden is None else list(self.hidden),
            "data": {k: _plain(v) for k, v in self.data.items()},
            "cut": self.cut,
        }


def _plain(value: Any) -> Any:
    """As JSON can hold it: a constraint says itself what it is."""
    config = getattr(value, "config", None)
    if config is not None:
        return config()
    return list(value) if isinstance(value, tuple) else value


_ARTICLE = {"integrator": "explicit", "start": "authors", "states": "before"}

LAYERS: Mapping[str, Model] = MappingProxyType(
    {
        model.name: model
        for model in (
            Model("ddk", DDK, "DDK layer, implicit step"),
            Model("ddk-explicit", DDK, "DDK layer, explicit step", {"integrator": "explicit"}),
            Model(
                "ddk-article",
                DDK,
                "DDK layer near the authors' code: explicit, random start, nothing standardised",
                _ARTICLE,
                standardise=False,
            ),
            Model(
                "ddk-fixed",
                DDK,
                "DDK layer, alpha and beta kept at their start (but counted as parameters)",
                {"rate": 0.0},
            ),
            Model("raw", "raw", "the samples themselves"),
            Model("leaky", "leaky", "leaky integrator"),
            Model("sum", "sum", "running sum"),
            Model("pooling", "pooling", "moving average"),
            Model("random", "random", "DDK layer, random and fixed"),
            Model("echo", "echo", "echo-state reservoir, random and fixed"),
            Model(
                "raw-all",
                "raw",
                "all samples, however few are read of the others",
                {"banks": 1, "readout": "all"},
            ),
            *(
                Model(name, "memory", title, {"kernel": kernel})
                for name, kernel, title in (
                    ("saturating", "saturating", "leaky integrators that saturate (tanh)"),
                    ("squares", "squares", "leaky integrators of x and of x^2"),
                    ("diagonal", "diagonal", "complex leaky integrators (as S4D and LRU)"),
                    ("segments", "segments", "means over equal segments"),
                    ("taps", "taps", "samples at equal distances"),
                    ("cosine", "cosine", "first terms of the cosine transform over time"),
                    ("principal", "weights", "sums over time with most of the variance"),
                )
            ),
            Model(
                "mfcc", "raw", "20 MFCC, the same classifier", data={"front": "mfcc", "size": 20}
            ),
        )
    }
)
"""Feature layers with the same classifier behind them."""

_SIMPLE: dict[str, type[LogisticRegression] | type[NearestSample]] = {
    "logistic": LogisticRegression,
    "nearest": NearestSample,
}
_TRAINING = {"rate": 1e-3, "batch_size": 64}

OTHERS: Mapping[str, Model] = MappingProxyType(
    {
        model.name: model
        for model in (
            Model("minirocket", "minirocket", "MiniRocket and a linear classifier"),
            Model("logistic", "logistic", "logistic regression on the samples"),
            Model("nearest", "nearest", "the class of the nearest training sample"),
            Model(
                "samplecnn",
                "samplecnn",
                "SampleCNN on 1,600 samples of the waveform",
                {"epochs": 15, **_TRAINING},
                data={"front": "waveform", "utterance": 1600},
            ),
            Model("lenet5", "lenet5", "LeNet-5", {"epochs": 10, **_TRAINING}, cut="whole"),
            Model(
                "lstm",
                "lstm",
                "BiLSTM-RCNN with states of 64 instead of 512",
                {"epochs": 6, "hidden": 64, "dense": 64, **_TRAINING},
                cut="whole",
            ),
            Model(
                "transformer",
                "transformer",
                "Transformer with 2 layers instead of 6",
                {"epochs": 6, "layers": 2, "hidden": 128, **_TRAINING, "rate": 5e-4},
                cut="whole",
            ),
            Model(
                "c3d",
                "c3d",
                "C3D, an eighth as wide, on 16 frames of 64 x 64",
                {"epochs": 80, "width": 8, "dense": 128, "rate": 5e-4, "batch_size": 8},
                data={"view": "clip", "size": (64, 64)},
                cut="whole",
            ),
            Model("voxnet", "voxnet", "VoxNet", {"epochs": 8, **_TRAINING}, cut="whole"),
        )
    }
)
"""Methods of their own size and training; a title says where one is smaller than the article's."""


#: what is tried: options of the DDK layer over those of the task, by a short name
ARRANGEMENTS: dict[str, dict[str, Any]] = {
    "": {},
    "set": {"form": "set"},
    "after": {"states": "after"},
    "before": {"states": "before"},
    "explicit": {"integrator": "explicit"},
    "clamp": {"constraint": "clamp"},
    "stable": {"constraint": "stable"},
    "fast": {"rate": 1.0},
    "slow-drift": {"alpha": 0.1, "beta": 0.2},
    "sharp": {"alpha": 0.1, "beta": 1.0},
    "sharp-after": {"alpha": 0.1, "beta": 1.0, "states": "after"},
    "step-after": {"per": "step", "spread": 0.3, "states": "after"},
    "set-after": {"form": "set", "states": "after"},
    "network": {"per": "network"},
    "channel": {"per": "channel", "spread": 0.3},
    "step": {"per": "step", "spread": 0.3},
    "both": {"per": "channel-step", "spread": 0.3},
    "b2r2": {"banks": 2, "readout": 2},
    "b4r4": {"banks": 4, "readout": 4},
    "b4r4-set": {"banks": 4, "readout": 4, "form": "set"},
    "b4r4-step": {"banks": 4, "readout": 4, "per": "step", "spread": 0.3},
}


def model_names() -> list[str]:
    """Names of all models, layers first."""
    return [*LAYERS, *OTHERS]


def get_model(name: str) -> Model:
    """A model by its name; those of `ARRANGEMENTS` are "ddk-" with their name.

    Raises
    ------
    InputError
        No such model; the closest name is given.
    """
    if name in LAYERS:
        return LAYERS[name]
    if name in OTHERS:
        return OTHERS[name]
    short = name.removeprefix("ddk-")
    if short != name and short in ARRANGEMENTS:
        options = ARRANGEMENTS[short]
        return Model(name, DDK, "DDK " + ", ".join(f"{k} {v}" for k, v in options.items()), options)
    names = [*model_names(), *(f"ddk-{key}" for key in ARRANGEMENTS if key)]
    raise InputError(f"there is no model '{name}'", "model", closest(name, names))


def within_reach(names: Sequence[str], table: AlphaBetaTable) -> list[Model]:
    """Models whose DDK layers keep to pairs that pulses of a table give; others as they are.

    Parameters
    ----------
    names : sequence of str
        Names of the models.
    table : AlphaBetaTable
        Says which pairs pulses reach.

    Raises
    ------
    InputError
        No such model, or a table without a valid entry.
    """
    allowed = Reachable(table)
    models = [get_model(name) for name in names]
    return [
        replace(m, options={**m.options, "constraint": allowed}) if m.layer == DDK else m
        for m in models
    ]


def build(task: Task, model: Model, shape: tuple[int, ...], classes: int, seed: int) -> Network:
    """The network of a model for samples of a shape, with its start drawn from ``seed``.

    Layer, batch statistics, classifier. For texts the hidden layers act on each word, and the last
    one on the mean over the words.

    Parameters
    ----------
    task : Task
        The task, which says the classifier and the options of the layer.
    model : Model
        The model, which says the layer before the classifier, and may say its hidden layers.
    shape : tuple of int
        Shape of one sample, `(*channels, steps)`.
    classes : int
        Number of classes.
    seed : int
        Seed of the start.

    Returns
    -------
    Network
        The network, not trained yet.

    Raises
    ------
    InputError
        The layer does not take an option, or the shape does not fit.
    """
    by_word = task.cut == "words"
    layers: list[Any] = [feature_layer(task, model, shape, np.random.default_rng([seed, 1]))]
    if by_word:
        layers.append(Transpose())
    else:
        layers.append(Flatten())
    solved = task.training.solver == "ridge"
    if model.standardise:
        # a solved read-out has its own bound on small features; two of them would be unfair to some
        layers.append(Standardise(eps=1e-12) if solved else Standardise())
    gain = float(np.sqrt(2)) if task.activation == "relu" else 1.0
    for width in task.hidden if model.hidden is None else model.hidden:
        layers += [Dense(width, gain=gain), Activation(task.activation)]
    if by_word:
        layers.append(Mean(axis=1))
    layers.append(Dense(classes))
    dtype = "float64" if solved else "float32"
    return Network(layers, input_shape=shape, classes=classes, seed=seed, dtype=dtype)


def feature_layer(
    task: Task, model: Model, shape: tuple[int, ...], rng: np.random.Generator
) -> Any:
    """The layer alone.

    Raises
    ------
    InputError
        It does not take an option; the closest one is given.
    """
    *channels, steps = shape
    if model.layer == DDK:
        options = {**task.ddk, **model.options}
        _check_options(model, DDKLayer, options)
        return DDKLayer(steps, channels or None, rng=rng, **options)
    options = {k: v for k, v in task.ddk.items() if k in ("per", "banks", "readout")}
    options |= model.options
    if model.layer == "echo":
        options.pop("per", None)
    if model.layer == "memory":
        # all states of a task are no default of it: it is read once, and says so
        return Memory(steps, channels or None, **{"readout": "all", **options})
    if model.layer == "random":
        options["ddk"] = {"states": task.ddk["states"], **options.get("ddk", {})}
    if model.layer in controls.CONTROLS:
        _check_options(model, controls.CONTROLS[model.layer], options)
    if model.layer in ("random", "echo", "leaky"):
        options["rng"] = rng
    return controls.make_control(model.layer, steps, channels or None, **options)


def _check_options(model: Model, layer: type, options: Mapping[str, Any]) -> None:
    taken = _options_of(layer)
    unknown = ", ".join(f"'{name}'" for name in options if name not in taken)
    if unknown:
        raise InputError(
            f"the layer does not take these options [{unknown}]",
            f"model '{model.name}'",
            closest(unknown.strip("'"), taken),
        )


def _options_of(layer: type) -> list[str]:
    """Options of a layer, with those of the classes to which it hands what it does not know."""
    names: list[str] = []
    for above in layer.__mro__:
        if "__init__" not in vars(above):
            continue
        parameters = inspect.signature(vars(above)["__init__"]).parameters.values()
        names += [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names


def train_method(
    task: Task,
    model: Model,
    fold: Fold,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> Trained:
    """Train a method on one division of the data; the test part is not looked at.

    Raises InputError: no such method, or the samples do not fit it; InstallationError: its package
    is not installed; SolverError: the loss is not finite.
    """
    if model.layer == "minirocket":
        rocket = MiniRocket(seed=seed).fit(fold.train.x, fold.train.y, classes=len(fold.classes))
        return _trained(rocket, features=rocket.features)
    if model.layer in _SIMPLE:
        simple = _SIMPLE[model.layer]()
        simple.fit(fold.train.x, fold.train.y, classes=len(fold.classes))
        return _trained(simple)
    if model.layer not in baselines.NAMES:
        hint = closest(model.layer, baselines.NAMES)
        raise InputError(f"there is no method '{model.layer}'", "model", hint)

    def report(event: EpochEvent) -> None:
        if progress is not None and "validation_accuracy" in event.figures:
            reached = f"{100 * event.figures['validation_accuracy']:.1f} %"
            progress(f"{model.name}, epoch {event.epoch} of {event.epochs}: validation {reached}")

    method = baselines.train(
        model.layer,
        fold.train.x,
        fold.train.y,
        validation=(fold.validation.x, fold.validation.y),
        classes=len(fold.classes),
        seed=seed,
        progress=report,
        **model.options,
    )
    return _trained(method, epochs=int(method.epochs))


def _trained(
    method: MiniRocket | LogisticRegression | NearestSample | baselines.Trained,
    features: int = 0,
    epochs: int = 1,
) -> Trained:
    size = method.count
    return Trained(method.predict_proba, size.parameters, size.macs, features, epochs)
