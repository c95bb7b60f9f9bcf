"""The steps on imprecise hardware: accuracies by training mode, and a compiled chip."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ddk.pipeline.file import Chain
from ddk.pipeline.job import Found, Job, Picture, Place, Rows
from ddk.pipeline.steps_network import Trainee, data_settings
from ddk.studies.hardware import ANEW, MODE_CASES
from ddkbase.errors import InputError, closest
from ddkbase.units import format_si

if TYPE_CHECKING:
    from network.hardware.chip.chip import Chip

__all__ = ["compile_job", "hardware_job"]

_CASES = ("software", "imprecise", f"imprecise{ANEW}", "imprecision-based", "hybrid")  # by default
_LAYOUTS = ("separate", "packed", "joined", "compact")


def hardware_job(chain: Chain, trainee: Trainee) -> Job:
    """Accuracies of the training modes on chips with the table's cells, or the article's noise.

    Raises
    ------
    InputError
        A case, model or chip that is not known; the table's noise without a table.
    """
    keys = chain.steps["hardware"]
    model = trainee.model(chain, "hardware")
    confined = bool(trainee.table) and model.layer == "ddk"
    usual = "table" if confined else "article"
    noise = keys.choice("noise", ("table", "article"), usual) or usual
    if noise == "table" and not confined:
        hint = "Add the step 'fit', or write 'article'"
        raise InputError("there is no table, or no DDK layer", keys.place("noise"), hint)
    cases = keys.names("cases", _CASES)
    for name in cases:
        if name not in MODE_CASES:
            raise InputError(
                f"unknown case '{name}'", keys.place("cases"), closest(name, MODE_CASES)
            )
    seeds = keys.seeds("seeds", 3)
    chip = _chip(chain, "hardware")
    settings = {
        **data_settings(trainee.task, trainee.data),
        **trainee.table.settings(),
        "model": model.settings(),
        "cases": list(cases),
        "seeds": list(seeds),
        "noise": noise,
        "chip": None if chip is None else chip.to_mapping(),
    }

    fixed = {name: value for name, value in settings.items() if name not in ("cases", "seeds")}

    def work(place: Place) -> Found:
        from ddk.studies.hardware import run_cases, table_rows
        from ddkbase.documents import write_json
        from network.hardware.settings import article
        from network.plots.hardware import bars_figure, save

        for name in ("bars.png", "table.json"):  # of other cases or seeds
            (place.folder / name).unlink(missing_ok=True)
        table = trainee.table.read(place) if confined else None
        hardware = article() if chip is None else chip.hardware()
        if noise == "table":
            hardware = dataclasses.replace(hardware, kinetics=None)
        found = run_cases(
            trainee.task,
            model,
            cases,
            seeds,
            place.folder / "modes",
            hardware,
            {"kind": "modes of a pipeline", **fixed},
            table=table,
            root=trainee.root,
            progress=place.say,
        )
        heads, rows = table_rows(found)
        write_json({"heads": heads, "rows": rows}, place.folder / "table.json", overwrite=True)
        save(bars_figure(found), place.folder / "bars.png", True)
        reached = {row[0]: f"{float(row[1]):.1f} %" for row in rows}
        warnings = []
        scatters = table is None or max(table.dataset.sizes[d] for d in ("cycle", "device")) > 1
        if noise == "table" and not scatters:
            warnings.append("the table has one cell in one cycle: alpha and beta do not scatter")
        return Found(
            {"model": model.name, "scatter of alpha and beta": _NOISE[noise]},
            [Picture("bars.png", "accuracy by training mode, a dot for each seed", True)],
            [Rows(_WORDS, heads, rows)],
            {"table.json": "the numbers"},
            warnings,
            key=", ".join(f"{name} {text}" for name, text in reached.items()),
        )

    title = "Accuracy on imprecise hardware"
    return Job("hardware", title, settings, trainee.table.uses(), work, ("cases", "seeds"))


_WORDS = (
    "Software: trained and run in floating point. Imprecise: the same, run on a chip of imprecise "
    "cells. +statistics: the statistics of the features taken anew on that chip, without labels. "
    "Imprecision-based: trained through such chips, drawn anew in every pass. Hybrid: then written "
    "to the chip and its classifier tuned there; hybrid-arrays: through simulated arrays. Every "
    "seed draws a split, a start and a chip; the last epoch counts."
)
_NOISE = {"table": "that of the table's cells", "article": "the article's"}


def compile_job(chain: Chain, trainee: Trainee) -> Job:
    """Place the trained network on a chip.

    Raises
    ------
    InputError
        A chip, layout or model that is not known.
    """
    from network.hardware.chip.chip import load_chip

    keys = chain.steps["compile"]
    model = trainee.model(chain, "compile")
    chip = _chip(chain, "compile") or load_chip("180nm")
    layout = keys.choice("layout", _LAYOUTS, "separate") or "separate"
    largest = keys.number("largest_weight")
    settings = {
        "model": model.name,
        "chip": chip.to_mapping(),
        "layout": layout,
        "largest_weight": largest,
        **trainee.table.settings(),
    }

    def work(place: Place) -> Found:
        from ddk.studies.result import MODEL
        from network.hardware.chip.compiler import compile_network, placement_cost
        from network.hardware.chip.cost import cost_rows, writing
        from network.hardware.chip.folder import write_folder
        from network.hardware.chip.loads import network_loads
        from network.model.files import load_network

        network = load_network(place.above["network"] / model.name / MODEL)
        table = trainee.table.read(place) if model.layer == "ddk" else None
        found = compile_network(network, chip, layout=layout, largest_weight=largest, table=table)
        cost = placement_cost(found)
        energy, seconds = writing(network_loads(network), found.chip)
        write_folder(found, place.folder / "chip", True)
        figures = {
            "chip": found.chip.title,
            "tiles": f"{found.tiles} of {found.chip.count('tiles')}",
            "energy of one inference": format_si(cost.energy, "J", 3),
            "latency": format_si(cost.latency, "s", 3),
            "area": f"{cost.area * 1e6:.3g} mm²",
            "efficiency": f"{cost.tops_per_watt:.3g} TOPS/W",
            "writing once": f"{format_si(energy, 'J', 3)}, {format_si(seconds, 's', 3)} row by row",
        }
        return Found(
            figures,
            [Picture("chip/placement.png", "where the cells are, and when they are at work", True)],
            [Rows(f"By layer, layout '{layout}'", *cost_rows(cost))],
            {
                "chip/placement.json": "the placement, from which the network runs",
                "chip/pulses.csv": "all write and read pulses",
            },
            key=f"{figures['energy of one inference']}, {figures['latency']}, {figures['area']}",
        )

    uses = ("network", *trainee.table.uses())
    return Job("compile", "The network on a chip", settings, uses, work)


def _chip(chain: Chain, step: str) -> Chip | None:
    """The chip that a step names, a file from the folder of the pipeline's file."""
    from network.hardware.chip.chip import load_chip, presets

    keys = chain.steps[step]
    text = keys.text("chip")
    if text is None:
        return None
    try:
        return load_chip(text if text in presets() else str(keys.beside(text)))
    except InputError as error:
        place = f"{keys.place('chip')}: {error.where}" if error.where else keys.place("chip")
        raise InputError(error.what, place, error.hint) from None
