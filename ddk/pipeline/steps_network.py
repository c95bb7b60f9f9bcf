"""The step that trains: networks that keep alpha and beta where the table's pulses can put them."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddk.pipeline.content import of_data
from ddk.pipeline.file import Chain
from ddk.pipeline.job import Found, Job, Picture, Place
from ddk.pipeline.steps_table import TableSource
from ddkbase.errors import InputError, StorageError

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable
    from ddk.studies.folds import Material
    from ddk.studies.models import Model
    from ddk.studies.result import Result
    from ddk.studies.tasks import Task

__all__ = ["Trainee", "data_settings", "network_job", "on_table", "root_of", "task_of"]

_TASK = "digits"
_ON_DEVICES = {
    "table": "against the table",
    "devices drawn": "chips of the table's cells drawn",
    "with statistics taken anew": "accuracy on them with statistics taken anew",
}


@dataclasses.dataclass(frozen=True)
class Trainee:
    """What the step "network" trains, for it and the steps behind it.

    Attributes
    ----------
    task : Task
        The task, with the epochs that the file asks for.
    models : tuple of Model
        The models by the names of the file, with the options that it gives the DDK layer.
    seed : int
        Seed of the split, the start and the batches.
    root : str or None
        Folder of the data.
    data : str
        Checksum of the data.
    table : TableSource
        Where the table comes from.
    """

    task: Task
    models: tuple[Model, ...]
    seed: int
    root: str | None
    data: str
    table: TableSource

    @classmethod
    def of(cls, chain: Chain, table: TableSource) -> Trainee:
        """That of a file. Raises InputError: no such task or model, or options that do not fit."""
        from ddk.studies.models import get_model

        keys = chain.steps["network"]
        task = task_of(chain, "network")
        hidden = keys.numbers("hidden")
        if hidden is not None:
            task = dataclasses.replace(task, hidden=hidden)
        options = {
            "integrator": keys.choice("integrator", ("implicit", "explicit", "exact")),
            "per": keys.choice("per", ("network", "channel", "step", "channel-step")),
            "banks": keys.whole("banks", least=1),
            "readout": _readout(chain),
            "states": keys.choice("states", ("after", "before")),
        }
        options = {name: value for name, value in options.items() if value is not None}
        models = []
        for name in keys.names("models", ("ddk",)):
            model = get_model(name)
            if model.layer == "ddk" and options:
                model = dataclasses.replace(model, options={**model.options, **options})
            models.append(model)
        if options and not any(m.layer == "ddk" for m in models):
            where = ", ".join(keys.place(name) for name in options)
            raise InputError("no model has a DDK layer", where, "Leave it out")
        root = root_of(chain)
        seed = keys.whole("seed", 0) or 0
        return cls(task, tuple(models), seed, root, of_data(task, root), table)

    def model(self, chain: Chain, step: str) -> Model:
        """The model that a step behind takes: the one it names, or the first one.

        Raises
        ------
        InputError
            It is none of the step "network", or leaves no network.
        """
        keys = chain.steps[step]
        names = [m.name for m in self.models]
        model = self.models[names.index(keys.choice("model", names, names[0]) or names[0])]
        if not model.trains_here:
            raise InputError(f"model '{model.name}' leaves no network", keys.place("model"))
        return model

    def settings(self) -> dict[str, Any]:
        """What a result depends on, as JSON can hold it."""
        told = data_settings(self.task, self.data)
        return {**told, "seed": self.seed, **self.table.settings()}


def data_settings(task: Task, data: str) -> dict[str, Any]:
    """What a result depends on of a task and the checksum of its data, wherever they are."""
    told = task.settings()
    return {"task": {**told, "dataset": Path(told["dataset"]).name}, "data": data}


def network_job(chain: Chain, trainee: Trainee) -> Job:
    """Train the models of the file, those with a DDK layer where the table's pulses can put it."""
    draws = chain.steps["network"].whole("draws", 10, least=1) or 10
    settings = {
        **trainee.settings(),
        "models": [m.settings() for m in trainee.models],
        "draws": draws,
    }

    def work(place: Place) -> Found:
        from ddk.studies.folds import Material

        table = trainee.table.read(place)
        material = Material(trainee.task, trainee.root)
        found = Found()
        reached = [
            _train(place, trainee, model, table if model.layer == "ddk" else None, draws, material)
            for model in trainee.models
        ]
        for model, (_, more) in zip(trainee.models, reached, strict=True):
            head = f"{model.name}: " if len(trainee.models) > 1 else ""
            found.figures.update({f"{head}{key}": text for key, text in more.items()})
            _show(found, place.folder, model.name)
        key = f"{trainee.models[0].name} {100 * reached[0][0].accuracy:.1f} %"
        return dataclasses.replace(found, key=key)

    title = f"Network on {trainee.task.title}"
    return Job("network", title, settings, trainee.table.uses(), work)


def _train(
    place: Place,
    trainee: Trainee,
    model: Model,
    table: AlphaBetaTable | None,
    draws: int,
    material: Material,
) -> tuple[Result, dict[str, str]]:
    """Train one model, unless an earlier run has done it; its result and figures."""
    from ddk.studies.evaluation import evaluate_on_devices, pulse_settings
    from ddk.studies.experiment import run
    from ddk.studies.result import METRICS, Result, read_run, write_run
    from ddkbase.documents import read_json

    folder = place.folder / model.name
    task, seed = trainee.task, trainee.seed
    if not (folder / METRICS).exists():
        place.say(f"{model.name} learns")
        told = model if table is None else on_table(model, table)
        result = run(task, told, seed, material=material)
        more = {} if table is None else pulse_settings(table, result)
        _draw(result, place.folder, model.name)
        write_run(task, result, folder, more=more)
    where = folder / METRICS
    result = Result.from_json(read_json(where), str(where))
    figures = _figures(result)
    if table is not None:
        trained = read_run(folder)
        figures |= pulse_settings(table, dataclasses.replace(result, network=trained.network))
        fold = list(material.folds(seed, model.data, model.cut))[-1]
        on = evaluate_on_devices(trained, fold, table, draws, seed).texts()
        figures |= {_ON_DEVICES.get(name, f"accuracy {name}"): text for name, text in on.items()}
    return result, figures


def on_table(model: Model, table: AlphaBetaTable, name: str = "") -> Model:
    """A model whose alpha and beta stay where pulses of a table's cells can put them."""
    from network.ddk.constraints import Reachable

    options = {**model.options, "constraint": Reachable(table)}
    return dataclasses.replace(model, name=name or model.name, options=options)


def _draw(result: Result, folder: Path, name: str) -> None:
    from ddk.studies.plots import maps_figure
    from network.plots.training import curves_figure, save

    if result.history is not None:
        save(curves_figure(result.history), folder / f"{name}-training.png", True)
    if result.network is not None and result.fold is not None:
        save(maps_figure(result.network, result.fold), folder / f"{name}-maps.png", True)


def _figures(result: Result) -> dict[str, str]:
    """What matters of a result, its accuracy first."""
    shown = result.texts()
    for key in ("model", "features of one decision", "time", "task"):
        shown.pop(key, None)
    return {"test accuracy": f"{100 * result.accuracy:.1f} %", **shown}


def _show(found: Found, folder: Path, name: str) -> None:
    """Add pictures and links of one model."""
    for file, words in (("maps", "inputs and features"), ("training", "loss and accuracy")):
        if (folder / f"{name}-{file}.png").exists():
            found.pictures.append(Picture(f"{name}-{file}.png", f"{words} of {name}", True))
    found.links[f"{name}/report.html"] = f"report of {name}"
    if (folder / name / "model.npz").exists():
        found.links[f"{name}/model.npz"] = "the trained network"


def task_of(chain: Chain, step: str) -> Task:
    """The task that a step names, a folder from that of the file.

    Raises
    ------
    InputError
        No such task, and no folder of that name.
    StorageError
        The folder holds nothing that is known.
    """
    from ddk.studies.tasks import TASKS, folder_task, get_task

    keys = chain.steps[step]
    text = keys.text("task", _TASK) or _TASK
    folder = keys.beside(text)
    quick = keys.flag("quick")
    if text in TASKS or not (os.sep in text or folder.is_dir()):
        task = _placed_task(lambda: get_task(text, quick), keys.place("task"))
    else:
        if not folder.is_dir():
            raise StorageError("there is no such folder", str(folder), f"See {keys.place('task')}")
        task = folder_task(folder)
        task = task.small() if quick else task
    epochs = keys.whole("epochs", least=1)
    return task if epochs is None else task.with_epochs(epochs)


def _placed_task(make: Any, where: str) -> Any:
    try:
        return make()
    except InputError as error:
        raise InputError(error.what, where, error.hint) from None


def root_of(chain: Chain) -> str | None:
    """The folder of the data; None takes that of DDK_DATA."""
    path = chain.top.path("root")
    return None if path is None else str(path)


def _readout(chain: Chain) -> int | str | None:
    keys = chain.steps["network"]
    if "readout" not in keys:
        return None
    if isinstance(keys.raw("readout"), str):
        return keys.choice("readout", ("all", "last"))
    return keys.whole("readout", least=1)
