"""The steps on imprecise hardware: accuracies by training mode, and a compiled chip."""

from __future__ import annotations

import dataclasses

from ddk.pipeline.file import Chain, in_file
from ddk.pipeline.job import Job, Picture, ResultTable, StepContext, StepResult
from ddk.pipeline.steps_network import Trainee, task_settings
from ddk.studies.hardware import ANEW, MODE_CASES, hardware_rows, run_cases
from ddk.studies.result import MODEL
from ddkbase.documents import write_json
from ddkbase.errors import InputError, closest
from ddkbase.units import format_si
from network.hardware.chip.chip import Chip, load_chip, presets
from network.hardware.chip.compiler import compile_network, placement_cost
from network.hardware.chip.cost import cost_rows, writing
from network.hardware.chip.folder import write_folder
from network.hardware.chip.loads import network_loads
from network.hardware.settings import article
from network.model.files import load_network
from network.plots.hardware import bars_figure, save

_CASES = ("software", "imprecise", f"imprecise{ANEW}", "imprecision-based", "hybrid")  # by default


def hardware_job(chain: Chain, trainee: Trainee) -> Job:
    """Accuracies of the training modes on chips with the table's cells, or the article's noise.

    Raises InputError: a case, model or chip that is not known; the table's noise without a table.
    """
    step = chain.file.hardware
    assert step is not None
    model = trainee.model(step.model, "hardware.model")
    confined = bool(trainee.table) and model.layer == "ddk"
    noise = step.noise or ("table" if confined else "article")
    if noise == "table" and not confined:
        hint = "Add the step 'fit', or write 'article'"
        raise InputError("there is no table, or no DDK layer", "hardware.noise", hint)
    cases, seeds = step.cases or _CASES, step.seeds
    for name in cases:
        if name not in MODE_CASES:
            hint = closest(name, MODE_CASES)
            raise InputError(f"unknown case '{name}'", "hardware.cases", hint)
    chip = None if step.chip is None else _chip(chain, step.chip, "hardware.chip")
    settings = {
        **task_settings(trainee.task, trainee.data),
        **trainee.table.settings(),
        "model": model.settings(),
        "cases": list(cases),
        "seeds": list(seeds),
        "noise": noise,
        "chip": None if chip is None else chip.to_mapping(),
    }

    fixed = {name: value for name, value in settings.items() if name not in ("cases", "seeds")}

    def work(context: StepContext) -> StepResult:
        for name in ("bars.png", "table.json"):  # of other cases or seeds
            (context.folder / name).unlink(missing_ok=True)
        table = trainee.table.read(context) if confined else None
        hardware = article() if chip is None else chip.hardware()
        if noise == "table":
            hardware = dataclasses.replace(hardware, kinetics=None)
        accuracies = run_cases(
            trainee.task,
            model,
            cases,
            seeds,
            context.folder / "modes",
            hardware,
            {"kind": "modes of a pipeline", **fixed},
            table=table,
            root=trainee.root,
            progress=context.say,
        )
        heads, rows = hardware_rows(accuracies)
        write_json({"heads": heads, "rows": rows}, context.folder / "table.json", overwrite=True)
        save(bars_figure(accuracies), context.folder / "bars.png", True)
        means = {row[0]: f"{float(row[1]):.1f} %" for row in rows}
        warnings = []
        scatters = table is None or max(table.dataset.sizes[d] for d in ("cycle", "device")) > 1
        if noise == "table" and not scatters:
            warnings.append("the table has one cell in one cycle: alpha and beta do not scatter")
        return StepResult(
            {"model": model.name, "scatter of alpha and beta": _NOISE[noise]},
            [Picture("bars.png", "accuracy by training mode, a dot for each seed", True)],
            [ResultTable(_CASES_NOTE, heads, rows)],
            {"table.json": "the numbers"},
            warnings,
            key=", ".join(f"{name} {text}" for name, text in means.items()),
        )

    title = "Accuracy on imprecise hardware"
    return Job("hardware", title, settings, trainee.table.uses(), work, ("cases", "seeds"))


_CASES_NOTE = (
    "Software: trained and run in floating point. Imprecise: the same, run on a chip of imprecise "
    "cells. +statistics: the statistics of the features taken anew on that chip, without labels. "
    "Imprecision-based: trained through such chips, drawn anew in every pass. Hybrid: then written "
    "to the chip and its classifier tuned there; hybrid-arrays: through simulated arrays. Every "
    "seed draws a split, a start and a chip; the last epoch counts."
)
_NOISE = {"table": "that of the table's cells", "article": "the article's"}


def compile_job(chain: Chain, trainee: Trainee) -> Job:
    """StepContext the trained network on a chip.

    Raises InputError: a chip, layout or model that is not known.
    """
    step = chain.file.compile
    assert step is not None
    model = trainee.model(step.model, "compile.model")
    chip = _chip(chain, step.chip, "compile.chip")
    layout, largest = step.layout, step.largest_weight
    settings = {
        "model": model.name,
        "chip": chip.to_mapping(),
        "layout": layout,
        "largest_weight": largest,
        **trainee.table.settings(),
    }

    def work(context: StepContext) -> StepResult:
        network = load_network(context.inputs["network"] / model.name / MODEL)
        table = trainee.table.read(context) if model.layer == "ddk" else None
        placement = compile_network(
            network, chip, layout=layout, largest_weight=largest, table=table
        )
        cost = placement_cost(placement)
        energy, seconds = writing(network_loads(network), placement.chip)
        write_folder(placement, context.folder / "chip", True)
        figures = {
            "chip": placement.chip.title,
            "tiles": f"{placement.tiles} of {placement.chip.count('tiles')}",
            "energy of one inference": format_si(cost.energy, "J", 3),
            "latency": format_si(cost.latency, "s", 3),
            "area": f"{cost.area * 1e6:.3g} mm²",
            "efficiency": f"{cost.tops_per_watt:.3g} TOPS/W",
            "writing once": f"{format_si(energy, 'J', 3)}, {format_si(seconds, 's', 3)} row by row",
        }
        return StepResult(
            figures,
            [Picture("chip/placement.png", "where the cells are, and when they are at work", True)],
            [ResultTable(f"By layer, layout '{layout}'", *cost_rows(cost))],
            {
                "chip/placement.json": "the placement, from which the network runs",
                "chip/pulses.csv": "all write and read pulses",
            },
            key=f"{figures['energy of one inference']}, {figures['latency']}, {figures['area']}",
        )

    uses = ("network", *trainee.table.uses())
    return Job("compile", "The network on a chip", settings, uses, work)


def _chip(chain: Chain, text: str, where: str) -> Chip:
    """The chip of a name, or of a file from the folder of the pipeline's file."""
    return in_file(lambda: load_chip(text if text in presets() else str(chain.beside(text))), where)
