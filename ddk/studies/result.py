"""What a run gives: accuracies, sizes, alpha and beta; its JSON, its report, and its folder.

A folder holds model, metrics and history, written whole or not at all, and then the report.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from compact.table.table import AlphaBetaTable
from ddk.studies.folds import Fold
from ddk.studies.plots import confusion_figure, maps_figure
from ddk.studies.tasks import Task
from ddkbase import html
from ddkbase.documents import read_json, write_json
from ddkbase.errors import InputError, StorageError, shorten
from ddkbase.files import write_bytes
from ddkbase.folders import check_result_folder, drawn_after, kept_elsewhere, new_folder
from ddkbase.installation import versions
from ddkbase.picture_names import PAPER
from network.model import metrics
from network.model.files import load_network, save_network
from network.model.history import History
from network.model.network import Network
from network.plots.training import curves_figure, trajectories_figure

#: attributes of a `Result` that do not go into JSON
HEAVY = frozenset({"network", "history", "fold"})

MODEL, METRICS, HISTORY, REPORT = "model.npz", "metrics.json", "history.nc", "report.html"
TABLE = "table.nc"
#: packages besides Python whose versions a result names
PACKAGES = ("numpy", "scipy", "numba", "scikit-learn", "torch")
_FILES = {MODEL, METRICS, HISTORY, REPORT, TABLE}
_SCHEMA = "NetworkResult"


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
    right : str, default ""
        For each of what counts first on the test part, in its order, 1 where it was told rightly
        and 0 where not; empty of a run that an older version stored.
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
    right: str = ""
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

    def first(self, subset: str) -> Mapping[str, float]:
        """`metrics.scores` of a part, of what counts first: "test" or "validation".

        Parameters
        ----------
        subset : {"test", "validation"}
            The part that is asked for.

        Returns
        -------
        mapping of str to float
            The scores of the votes where votes count first, else those of single decisions.
        """
        votes: Mapping[str, float] = getattr(self, f"{subset}_vote")
        single: Mapping[str, float] = getattr(self, subset)
        return votes if votes and self.headline == "vote" else single

    def texts(self) -> dict[str, str]:
        """What there is to know of a run at a glance; the same on the screen and in HTML."""
        out = {
            "task": self.task,
            "model": f"{self.model}, seed {self.seed}",
            "test part": self.held_out,
        }
        if self.test_vote:
            scores = {
                "decision": ("single decisions", self.test),
                "vote": (f"{self.vote}s", self.test_vote),
            }
            for key in (self.headline, *(k for k in scores if k != self.headline)):
                of, values = scores[key]
                out[f"test accuracy, {of}"] = _percent(values["accuracy"])
        else:
            out["test accuracy"] = _percent(self.test["accuracy"])
        single = f"{_percent(self.validation['accuracy'])}, single decisions"
        if self.validation_vote:
            voted = f"{_percent(self.validation_vote['accuracy'])}, {self.vote}s"
            both = (voted, single) if self.headline == "vote" else (single, voted)
            out["validation accuracy"] = "; ".join(both)
        else:
            out["validation accuracy"] = single
        out["training accuracy"] = f"{_percent(self.train_accuracy)}, single decisions"
        if self._solved:
            out["read-out"] = "ridge regression; nothing else is trained"
        else:
            out["epochs"] = f"{self.epochs}; the last one counts"
        if start := self.settings.get("start"):
            out["start, chosen on the validation part"] = _words(start)
        if self.parameters:
            out["parameters"] = f"{self.parameters:,}"
            out["MACs of one decision"] = f"{self.macs:,}"
        if self.features:
            out["features of one decision"] = f"{self.features:,}"
        if self.alpha:
            out["alpha"], out["beta"] = _range(self.alpha), _range(self.beta)
            out["stability"] = self.r_words
        out["time"] = f"{self.seconds:.1f} s"
        return out

    @property
    def _solved(self) -> bool:
        task = self.settings.get("task", {})
        return bool(task.get("training", {}).get("solver") == "ridge" and self.network is not None)

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in HEAVY]
        fields = {name: getattr(self, name) for name in names}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], where: str = "result") -> Result:
        """From what `to_json` gave. Raises StorageError if something is missing or of no use."""
        names = {f.name for f in dataclasses.fields(cls)} - HEAVY
        missing = sorted(names - stored.keys() - {"right"})
        if missing:
            raise StorageError(f"'{missing[0]}' is missing", where, "Remove the file")
        fields = {name: stored[name] for name in names if name in stored}
        try:
            for name in ("classes", "alpha", "beta"):
                fields[name] = tuple(fields[name])
            if type(fields["seed"]) is not int or fields["seed"] < 0:
                raise ValueError(f"a seed of {shorten(fields['seed'])}")
            result = cls(**fields)
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
    start : mapping, optional
        Options of the feature layer that were chosen on the validation part.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    parameters: int
    macs: int
    features: int
    epochs: int
    network: Network | None = None
    history: History | None = None
    start: Mapping[str, Any] = field(default_factory=dict)


def report_text(task: Task, result: Result, more: Mapping[str, str] | None = None) -> str:
    """The report of one run as HTML, with pictures of what the result still holds.

    ``more`` are further lines of the table of figures.
    """
    body = [html.values({**result.texts(), **(more or {})}), task.protocol]
    if task.article:
        body.append(f"The article reports {task.article}.")
    words = {
        "confusion.png": "confusion of the classes",
        "curves.png": "loss and accuracy",
        "trajectories.png": "alpha, beta and r",
        "maps.png": "inputs and features",
    }
    drawn = {name: html.image(make(), words[name]) for name, make in run_pictures(result).items()}
    body.append(html.section("Confusion on the test part", drawn["confusion.png"]))
    if "curves.png" in drawn:
        pictures = ["The curves are of single decisions."] if task.vote else []
        pictures += [drawn[n] for n in ("curves.png", "trajectories.png") if n in drawn]
        body.append(html.section("Training", *pictures))
    if result.network is not None and "maps.png" in drawn:
        body.append(html.section("Feature maps", drawn["maps.png"]))
        layers = html.code(result.network.summary(), block=True)
        body.append(html.section("Layers", layers))
    settings = {
        name: html.code(json.dumps(value, ensure_ascii=False))
        for name, value in result.settings.items()
    }
    body.append(html.section("Settings", html.values(settings)))
    return html.page(f"{task.title}: {result.model}", body, heading=task.title)


def run_pictures(result: Result) -> dict[str, Callable[[], Figure]]:
    """What draws the pictures of a run, by the names of their files: of what it still holds.

    Parameters
    ----------
    result : Result
        Result of `ddk.studies.experiment.run`.
    """
    truth, predicted = np.nonzero(np.asarray(result.confusion))
    counts = np.asarray(result.confusion)[truth, predicted]
    table = metrics.confusion(
        np.repeat(truth, counts), np.repeat(predicted, counts), result.classes
    )
    makes: dict[str, Callable[[], Figure]] = {"confusion.png": partial(confusion_figure, table)}
    if result.history is not None:
        makes["curves.png"] = partial(curves_figure, result.history)
        if result.alpha:
            makes["trajectories.png"] = partial(trajectories_figure, result.history)
    if result.network is not None and result.fold is not None:
        makes["maps.png"] = partial(maps_figure, result.network, result.fold)
    return makes


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _words(start: Mapping[str, Any]) -> str:
    def number(value: Any) -> str:
        return ", ".join(map(number, value)) if isinstance(value, list) else f"{value:.4g}"

    told = {k: v for k, v in start.items() if k != "weights"}
    return "; ".join(f"{k} {number(v)}" for k, v in told.items()) or "weights"


def _range(ends: tuple[float, ...]) -> str:
    low, high = f"{ends[0]:.4g}", f"{ends[-1]:.4g}"
    return low if low == high else f"{low} to {high}"


@dataclass(frozen=True)
class StoredRun:
    """What a folder holds.

    Attributes
    ----------
    network : Network
        The trained network.
    task : Task
        Task that it was trained on.
    result : Result
        Its figures.
    """

    network: Network
    task: Task
    result: Result


def check_free(path: Path, overwrite: bool) -> None:
    """Tell before the work is done whether a result can be written there.

    Parameters
    ----------
    path : Path
        Folder that the result is to be written to.
    overwrite : bool
        Whether an earlier result in it may be replaced.

    Raises
    ------
    StorageError
        Something is there that is not to be replaced, or the folder above is missing or may not be
        written.
    """
    check_result_folder(
        path, overwrite, {*_FILES, PAPER}, METRICS, "Choose another name after --out"
    )


def write_run(
    task: Task,
    result: Result,
    path: Path,
    *,
    overwrite: bool = False,
    more: Mapping[str, str] | None = None,
    table: AlphaBetaTable | None = None,
) -> Path:
    """Write the folder of a run.

    Parameters
    ----------
    task : Task
        Task of `ddk.studies.experiment.run`.
    result : Result
        Result of `ddk.studies.experiment.run`.
    path : Path
        The folder to make.
    overwrite : bool, default False
        Replace the folder of an earlier run.
    more : mapping of str to str or None, optional
        Further lines of the report.
    table : AlphaBetaTable, optional
        The table it was trained with, kept beside the model.

    Raises
    ------
    StorageError
        See `check_free`; the disk is full. What was computed is then in a temporary folder, which
        is named. If the report alone cannot be drawn or written, all else is in the folder.
    """

    def fill(folder: Path) -> None:
        if result.network is not None:
            notes = {"task": task.name, "seed": result.seed, "classes": list(result.classes)}
            save_network(result.network, folder / MODEL, notes=notes)
        head = {"schema": _SCHEMA, "schema_version": 1}
        write_json({**head, **result.to_json(), "versions": versions(PACKAGES)}, folder / METRICS)
        if result.history is not None:
            result.history.save(folder / HISTORY)
        if table is not None:
            table.write(folder / TABLE)

    with kept_elsewhere(fill, "ddk-network-"):
        check_free(path, overwrite)
        with new_folder(path, overwrite) as scratch:
            fill(scratch)
    with drawn_after(path / REPORT):
        write_bytes(path / REPORT, report_text(task, result, more).encode("utf-8"), True)
    return path


def read_run(path: Path) -> StoredRun:
    """Read the folder of a run that `write_run` made.

    Parameters
    ----------
    path : Path
        Folder of the run, or the file of the network in it.

    Returns
    -------
    StoredRun
        The trained network, its task and its result.

    Raises
    ------
    StorageError
        No such folder, something is missing or damaged, or the run left no network.
    """
    if path.is_file() and path.name == MODEL:
        path = path.parent
    if not path.is_dir():
        raise StorageError("there is no such folder", str(path), "Give the --out of 'train'")
    stored = read_json(path / METRICS, "Train it again")
    if stored.get("schema") != _SCHEMA:
        raise StorageError("it holds no result of a training", str(path / METRICS))
    if stored.get("schema_version") != 1:
        raise StorageError("it is of a newer version of the toolkit", str(path / METRICS))
    result = Result.from_json(stored, str(path / METRICS))
    try:
        task = Task.from_settings(result.settings["task"])
    except (InputError, KeyError, TypeError) as error:
        raise StorageError(
            f"the file is damaged [{getattr(error, 'what', error)}]", str(path / METRICS)
        ) from error
    if not (path / MODEL).exists():
        raise StorageError(f"model '{result.model}' leaves no network", str(path))
    return StoredRun(load_network(path / MODEL), task, result)
