"""The steps that train: networks where the table's pulses can put them, and their controls."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from compact.table.table import AlphaBetaTable
from ddk.pipeline.file import Chain, ControlsStep, NetworkStep
from ddk.pipeline.job import Job, Picture, ResultTable, StepContext, StepResult
from ddk.pipeline.steps_table import TableSource
from ddk.studies.comparison import (
    best_control,
    comparison_rows,
    difference_note,
    write_comparison,
)
from ddk.studies.evaluation import evaluate_on_devices, pulse_settings
from ddk.studies.experiment import run
from ddk.studies.folds import Material
from ddk.studies.models import Model, get_model
from ddk.studies.plots import maps_figure
from ddk.studies.result import METRICS, Result, read_run, write_run
from ddk.studies.runs import compare
from ddk.studies.tasks import TASKS, Task, folder_task, get_task
from ddkbase.documents import read_json
from ddkbase.errors import InputError, StorageError
from ddkbase.files import checksum
from network import datasets
from network.datasets.series.files import files_of
from network.ddk.constraints import Reachable
from network.plots.training import curves_figure, save

_ON_DEVICES = {
    "table": "against the table",
    "devices drawn": "chips of the table's cells drawn",
    "with statistics taken anew": "accuracy on them with statistics taken anew",
}
ON_TABLE = "ddk-table"
_ON_TABLE_TITLE = "DDK layer, alpha and beta where pulses of the table's cells can put them"
_DDK_OPTIONS = ("integrator", "per", "banks", "readout")


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
        step = chain.file.network
        assert step is not None
        task = _task(chain, step.task, step.quick, step.epochs, "network.task")
        task = _changed(task, step)
        given = {name: getattr(step, name) for name in _DDK_OPTIONS}
        options = {name: value for name, value in given.items() if value is not None}
        models = []
        for name in step.models:
            model = get_model(name)
            if model.layer == "ddk" and options:
                model = dataclasses.replace(model, options={**model.options, **options})
            models.append(model)
        unused = [*options, *(["states"] if step.states is not None else [])]
        if unused and not any(m.layer == "ddk" for m in models):
            where = ", ".join(f"network.{name}" for name in unused)
            raise InputError("no model has a DDK layer", where, "Leave it out")
        root = _root(chain)
        return cls(task, tuple(models), step.seed, root, data_checksum(task, root), table)

    def model(self, name: str | None, where: str) -> Model:
        """The model that a step behind takes: the one it names, or the first one.

        Raises InputError: it is none of the step "network", or leaves no network.
        """
        by_name = {m.name: m for m in self.models}
        if name is not None and name not in by_name:
            hint = f"Use one of {', '.join(by_name)}"
            raise InputError(f"the step 'network' has no model '{name}'", where, hint)
        model = self.models[0] if name is None else by_name[name]
        if not model.trains_here:
            raise InputError(f"model '{model.name}' leaves no network", where)
        return model

    def settings(self) -> dict[str, Any]:
        """What a result depends on, as JSON can hold it."""
        task = task_settings(self.task, self.data)
        return {**task, "seed": self.seed, **self.table.settings()}


def task_settings(task: Task, data: str) -> dict[str, Any]:
    """What a result depends on of a task and the checksum of its data, wherever they are."""
    settings = task.settings()
    # what does not say it is of versions whose default was "before", and is still kept
    ddk = {k: v for k, v in settings["ddk"].items() if (k, v) != ("states", "before")}
    return {"task": {**settings, "ddk": ddk, "dataset": Path(task.dataset).name}, "data": data}


def data_checksum(task: Task, root: str | None) -> str:
    """SHA-256 of the data of a task; empty where the toolkit makes them itself.

    Of a folder of the user's the files are taken, of a set that is known by name the samples, for
    it may lie in a folder with other things.

    Raises StorageError: files are missing or damaged. InstallationError: the package with the
    digits is not installed; told before the cell is simulated.
    """
    if task.dataset in ("digits", "voices"):
        if task.dataset == "digits":
            datasets.load("digits")
        return ""
    if task.dataset not in datasets.NAMES:
        # of a pair of files either may change
        return "".join(checksum(file) for file in files_of(Path(task.dataset)))
    data = Material(task, root).dataset()
    digest = hashlib.sha256()
    for first in range(0, len(data), 1024):
        piece = np.ascontiguousarray(data.x[np.arange(first, min(first + 1024, len(data)))])
        digest.update(piece.tobytes())
    digest.update(data.y.tobytes())
    digest.update("\0".join([*data.groups.astype(str), *data.fold.astype(str)]).encode())
    return digest.hexdigest()


def _task(chain: Chain, text: str, quick: bool, epochs: int | None, where: str) -> Task:
    """The task of a name or of a folder or file, which is meant from that of the pipeline's file.

    Raises InputError: no such task, and no folder of that name; StorageError: the folder holds
    nothing that is known.
    """
    folder = chain.beside(text)
    if text in TASKS or not (os.sep in text or folder.exists()):
        try:
            task = get_task(text, quick)
        except InputError as error:
            raise InputError(error.what, where, error.hint) from None
    else:
        if not folder.exists():
            raise StorageError("there is no such folder or file", str(folder), f"See {where}")
        task = folder_task(folder)
        task = task.small() if quick else task
    return task if epochs is None else task.with_epochs(epochs)


def _changed(task: Task, step: NetworkStep) -> Task:
    """The task with the widths and states that the step "network" gives it."""
    if step.hidden is not None:
        task = dataclasses.replace(task, hidden=step.hidden)
    if step.states is not None:
        task = dataclasses.replace(task, ddk={**task.ddk, "states": step.states})
    return task


def _root(chain: Chain) -> str | None:
    """The folder of the data; None takes that of DDK_DATA."""
    return None if chain.file.root is None else str(chain.beside(chain.file.root))


def network_job(chain: Chain, trainee: Trainee) -> Job:
    """Train the models of the file, those with a DDK layer where the table's pulses can put it."""
    step = chain.file.network
    assert step is not None
    draws = step.draws
    settings = {
        **trainee.settings(),
        "models": [m.settings() for m in trainee.models],
        "draws": draws,
    }

    def work(context: StepContext) -> StepResult:
        table = trainee.table.read(context)
        material = Material(trainee.task, trainee.root)
        out = StepResult()
        trained = [
            _train(context, trainee, model, table if model.layer == "ddk" else None, draws,
                   material)
            for model in trainee.models
        ]  # fmt: skip
        for model, (_, figures) in zip(trainee.models, trained, strict=True):
            head = f"{model.name}: " if len(trainee.models) > 1 else ""
            out.figures.update({f"{head}{key}": text for key, text in figures.items()})
            _add_files(out, context.folder, model.name)
        key = f"{trainee.models[0].name} {100 * trained[0][0].accuracy:.1f} %"
        return dataclasses.replace(out, key=key)

    title = f"Network on {trainee.task.title}"
    return Job("network", title, settings, trainee.table.uses(), work)


def _train(
    context: StepContext,
    trainee: Trainee,
    model: Model,
    table: AlphaBetaTable | None,
    draws: int,
    material: Material,
) -> tuple[Result, dict[str, str]]:
    """Train one model, unless an earlier run has done it; its result and figures."""
    folder = context.folder / model.name
    task, seed = trainee.task, trainee.seed
    if not (folder / METRICS).exists():
        context.say(f"{model.name} learns")
        confined = model if table is None else _on_table(model, table)
        result = run(task, confined, seed, material=material)
        more = {} if table is None else pulse_settings(table, result)
        write_run(task, result, folder, more=more)
        _draw(result, context.folder, model.name)
    where = folder / METRICS
    result = Result.from_json(read_json(where), str(where))
    figures = result.texts()
    for key in ("model", "features of one decision", "time", "task"):
        figures.pop(key, None)
    figures = {"test accuracy": f"{100 * result.accuracy:.1f} %", **figures}
    if table is not None:
        stored = read_run(folder)
        figures |= pulse_settings(table, dataclasses.replace(result, network=stored.network))
        fold = list(material.folds(seed, model.data, model.cut))[-1]
        on_devices = evaluate_on_devices(stored, fold, table, draws, seed).texts()
        figures |= {
            _ON_DEVICES.get(name, f"accuracy {name}"): text for name, text in on_devices.items()
        }
    return result, figures


def _on_table(model: Model, table: AlphaBetaTable) -> Model:
    """A model whose alpha and beta stay where pulses of a table's cells can put them."""
    options = {**model.options, "constraint": Reachable(table)}
    return dataclasses.replace(model, options=options)


def _draw(result: Result, folder: Path, name: str) -> None:
    if result.history is not None:
        save(curves_figure(result.history), folder / f"{name}-training.png", True)
    if result.network is not None and result.fold is not None:
        save(maps_figure(result.network, result.fold), folder / f"{name}-maps.png", True)


def _add_files(out: StepResult, folder: Path, name: str) -> None:
    """Add pictures and links of one model."""
    for file, what in (("maps", "inputs and features"), ("training", "loss and accuracy")):
        if (folder / f"{name}-{file}.png").exists():
            out.pictures.append(Picture(f"{name}-{file}.png", f"{what} of {name}", True))
    out.links[f"{name}/report.html"] = f"report of {name}"
    if (folder / name / "model.npz").exists():
        out.links[f"{name}/model.npz"] = "the trained network"


def controls_job(chain: Chain, table: TableSource, trainee: Trainee | None) -> Job:
    """Several models on the same splits, the network on the table among them.

    Raises InputError: no such task or model, or the network on a table without a table.
    """
    step = chain.file.controls
    assert step is not None
    task, data, root = _controls_task(chain, step, trainee)
    names = step.models or (*((ON_TABLE,) if table else ()), "ddk", "raw", "leaky", "random")
    on_table = ON_TABLE in names
    if on_table and not table:
        raise InputError(f"'{ON_TABLE}' needs a table", "controls.models", "Add the step 'fit'")
    models = [get_model("ddk" if name == ON_TABLE else name) for name in names]
    settings = {
        **task_settings(task, data),
        "models": [[n, m.settings()] for n, m in zip(names, models, strict=True)],
        "seeds": list(step.seeds),
        **(table.settings() if on_table else {}),
    }

    def work(context: StepContext) -> StepResult:
        cells = table.read(context) if on_table else None
        compared = models
        if cells is not None:
            confined = dataclasses.replace(
                _on_table(get_model("ddk"), cells), name=ON_TABLE, title=_ON_TABLE_TITLE
            )
            compared = [
                confined if n == ON_TABLE else m for n, m in zip(names, models, strict=True)
            ]
        folder = context.folder / "comparison"
        for name in ("comparison.nc", "comparison.md", "comparison.png", "report.html"):
            (folder / name).unlink(missing_ok=True)  # of other models or seeds
        comparison = compare(
            task, compared, step.seeds, folder=folder, root=root, processes=context.workers or 1,
            progress=lambda text: context.say(text.split("; r = ")[0]),
        )  # fmt: skip
        write_comparison(comparison, folder)
        heads, rows = comparison_rows(comparison)
        note = difference_note(comparison) if "ddk" in names else ""
        accuracies = {row[0]: f"{row[0]} {row[1]} %" for row in rows}
        control = best_control(comparison)
        key = [accuracies[n] for n in (ON_TABLE, "ddk") if n in accuracies][:1]
        key += [f"best control {accuracies[control]}"] if control is not None else []
        return StepResult(
            {},
            [Picture("comparison/comparison.png", "accuracy of every seed")],
            [ResultTable(note, heads, rows)],
            {
                "comparison/report.html": "report of the comparison",
                "comparison/comparison.nc": "the numbers",
            },
            key=", ".join(key),
        )

    uses = table.uses() if on_table else ()
    return Job("controls", "Controls", settings, uses, work, ("models", "seeds"))


def _controls_task(
    chain: Chain, step: ControlsStep, trainee: Trainee | None
) -> tuple[Task, str, str | None]:
    """Task, checksum of its data and their folder: those of the network where nothing else is said.

    Another task starts from its own number of epochs and widths, and is not the small variant
    unless the step says so.
    """
    root = _root(chain)
    if step.task is not None or trainee is None:
        text = step.task or NetworkStep.model_fields["task"].default
        task = _task(chain, text, step.quick or False, step.epochs, "controls.task")
        return task, data_checksum(task, root), root
    network = chain.file.network
    assert network is not None
    quick = network.quick if step.quick is None else step.quick
    epochs = network.epochs if step.epochs is None else step.epochs
    task = _task(chain, network.task, quick, epochs, "network.task")
    task = _changed(task, network)
    return task, trainee.data if quick == network.quick else data_checksum(task, root), root
