"""The article's figures of cost, each beside what a chip description gives, and what decides it.

Figures of one operation (a DDK step, a product of one tile) and of a whole inference are kept
apart.
Figures are those of Shi et al., Nat. Commun. 16, 913 (2025); its Tables S9 to S15 are not at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from ddkbase.units import format_si
from network.hardware.chip.chip import Chip
from network.hardware.chip.cost import Cost, cost, ddk_step
from network.hardware.chip.loads import Load, compared_loads, network_loads
from network.model.network import ddk_network

TASKS = {
    "speakers": "samplecnn",
    "images": "lenet5",
    "texts": "bilstm",
    "texts (Transformer)": "transformer",
    "video": "c3d",
    "voxels": "voxnet",
}

V100_TENSOR = 125e12 / 300
V100_HALF = 31.4e12 / 300
"""Peak operations a second over the board's power: NVIDIA V100 SXM2 data sheet (125 TFLOPS with
tensor cores, 31.4 at half precision without them, 300 W)."""


@dataclass(frozen=True)
class CostFigure:
    """One figure of the article.

    Attributes
    ----------
    what : str
        What the figure is.
    of : {"operation", "inference"}
        What it is a figure of.
    article : str
        The article's figure, as text.
    here : str
        The figure found here, as text.
    follows : {"yes", "no", "with"}
        Whether the figure follows: "with" means with an assumption.
    because : str
        The assumption that decides it.
    """

    what: str
    of: str
    article: str
    here: str
    follows: str
    because: str


def ddk_loads(task: str) -> list[Load]:
    """The work of the article's DDK network for a task.

    Parameters
    ----------
    task : str
        A key of `TASKS`.

    Returns
    -------
    list of Load
        Its layers' work for one inference.
    """
    if task.startswith("texts"):
        length, size = 64, 300  # words of a text, numbers of a word
        return [
            Load("ddk", "ddk", cells=size, steps=length, macs=2 * size * length, stage="features"),
            Load("dense 1", "matrix", size + 1, 128, length, macs=size * 128 * length),
            Load("activation", "digital", activations=128 * length),
            Load("dense 2", "matrix", 129, 4, macs=128 * 4),
        ]
    shapes: dict[str, tuple[tuple[int, ...], list[int], str]] = {
        "speakers": ((128,), [16], "network"),
        "images": ((28, 28), [48], "network"),
        "video": ((80, 60), [128] * 3, "step"),
        "voxels": ((32, 32), [128] * 3, "step"),
    }
    shape, hidden, per = shapes[task]
    network = ddk_network(shape, hidden, 10, ddk={"per": per}, standardise=False)
    return network_loads(network)


def article_figures(chip: Chip) -> list[CostFigure]:
    """Every figure of the article's benchmark, on the speaker network.

    Parameters
    ----------
    chip : Chip
        What the figures are computed with.

    Returns
    -------
    list of CostFigure
        The article's figures, each beside the one of this chip.
    """
    v = chip.value
    step = ddk_step(chip)
    pulse_energy, pulse_time = step["pulse"]
    energy, seconds = (sum(figures[k] for figures in step.values()) for k in (0, 1))
    loads = ddk_loads("speakers")
    whole = cost(loads, chip)
    classifier = cost([x for x in loads if x.kind != "ddk"], chip)
    steps = loads[0].steps * loads[0].cells
    article_whole = 2 * whole.macs / 2.77e12
    features = steps * 236.68e-12
    tile = cost([Load("tile", "matrix", 128, 64, macs=128 * 64)], chip)
    periphery = (236.68e-12 - pulse_energy) / v("adc_energy")
    left = 35.4e-9 - (seconds - step["ADC"][1])
    once = classifier.energy + energy
    ratios = _ratios(chip)
    energies = {k: b.energy / a.energy for k, (a, b) in ratios.items()}
    areas = {k: b.area / a.area for k, (a, b) in ratios.items()}
    least, most = min(energies, key=lambda k: energies[k]), max(areas, key=lambda k: areas[k])
    return [
        CostFigure(
            "time of a DDK operation",
            "operation",
            "10 ns",
            format_si(pulse_time, "s", 3),
            "yes" if abs(pulse_time - 10e-9) < 1e-12 else "no",
            "the width of one pulse alone; the demonstrated pulses are 100 ns",
        ),
        CostFigure(
            "energy of a DDK operation",
            "operation",
            "0.8 pJ",
            format_si(pulse_energy, "J", 3),
            "yes" if abs(pulse_energy - 0.8e-12) < 1e-14 else "no",
            "V^2/R t at 2 V, 50 kohm, 10 ns: one pulse in a cell of high resistance; "
            f"a feature vector of {steps} steps is {format_si(steps * pulse_energy, 'J', 3)}",
        ),
        CostFigure(
            "time of one feature extraction",
            "operation",
            "35.4 ns",
            format_si(seconds, "s", 3),
            "with" if left > 0 else "no",
            f"one step with its periphery, if a conversion takes {format_si(left, 's', 3)}; "
            f"the vector of {steps} steps takes {format_si(steps * 35.4e-9, 's', 3)}",
        ),
        CostFigure(
            "energy of one feature extraction",
            "operation",
            "236.68 pJ",
            format_si(energy, "J", 4),
            "no",
            f"beyond the pulse it is the energy of {periphery:.0f} conversions for one step; a "
            f"step needs one. The vector of {steps} steps would be {format_si(features, 'J', 3)}",
        ),
        CostFigure(
            "efficiency",
            "inference",
            "2.77 TOPS/W",
            f"{whole.tops_per_watt:.3g} TOPS/W",
            "no",
            f"it leaves {format_si(article_whole, 'J', 3)} for an inference, yet {steps} times "
            f"236.68 pJ are {format_si(features, 'J', 3)} for the features alone: the two figures "
            f"do not belong to one inference. With the features charged once it is "
            f"{2 * whole.macs / once / 1e12:.3g}, for the classifier alone "
            f"{classifier.tops_per_watt:.3g} TOPS/W",
        ),
        CostFigure(
            "efficiency of a full tile",
            "operation",
            "2.77 TOPS/W",
            f"{tile.tops_per_watt:.3g} TOPS/W",
            "no",
            "a 128 x 64 product on one tile, the best case; "
            + _needed(chip, tile, 2.77e12)
            + " would make it 2.77",
        ),
        CostFigure(
            "against a V100",
            "operation",
            "27.6 times",
            f"{whole.tops_per_watt * 1e12 / V100_HALF:.3g} times an inference",
            "with",
            f"2.77/27.6 is 0.1 TOPS/W, the V100's peak at half precision without its tensor cores "
            f"({V100_HALF / 1e12:.3g}); with them ({V100_TENSOR / 1e12:.3g}) 2.77 TOPS/W is "
            f"{2.77e12 / V100_TENSOR:.2g} times",
        ),
        CostFigure(
            "energy against memristor DNN",
            "inference",
            "83 times or more",
            f"{energies[least]:.3g} ({least}) to {max(energies.values()):.3g} times",
            "no" if energies[least] < 83 else "yes",
            "follows the ratio of MACs, which is 5 for images; 83 or more holds for "
            + ", ".join(k for k, r in energies.items() if r >= 83),
        ),
        CostFigure(
            "area against memristor DNN",
            "inference",
            "1,128 times or more",
            f"{min(areas.values()):.3g} to {areas[most]:.3g} times ({most})",
            "no",
            "one copy of each matrix; cells "
            + ", ".join(f"{b.devices / a.devices:.3g} ({k})" for k, (a, b) in ratios.items())
            + ". A copy of each kernel for every place would make it up to the ratio of MACs, "
            + f"{max(b.macs / a.macs for a, b in ratios.values()):.3g}",
        ),
    ]


def ratio_rows(chip: Chip) -> tuple[list[str], list[list[str]]]:
    """Networks and those they are compared with on the same chip, as texts.

    Parameters
    ----------
    chip : Chip
        What they run on.

    Returns
    -------
    heads : list of str
        Names of the columns.
    rows : list of list of str
        Two rows a task: the DDK network, and what it is compared with.
    """
    heads = ["task", "network", "energy", "latency", "area", "cells", "TOPS/W"]
    heads += ["energy, times", "area, times"]
    rows = []
    for task, (ours, other) in _ratios(chip).items():
        energies, areas = f"{other.energy / ours.energy:.3g}", f"{other.area / ours.area:.3g}"
        rows.append([task, "DDK", *_cost_texts(ours), "", ""])
        rows.append([task, TASKS[task], *_cost_texts(other), energies, areas])
    return heads, rows


def _cost_texts(cost: Cost) -> list[str]:
    return [
        format_si(cost.energy, "J", 3),
        format_si(cost.latency, "s", 3),
        f"{cost.area * 1e6:.3g} mm^2",
        f"{cost.devices:,}",
        f"{cost.tops_per_watt:.3g}",
    ]


def _ratios(chip: Chip) -> dict[str, tuple[Cost, Cost]]:
    return {
        task: (cost(ddk_loads(task), chip), cost(compared_loads(other), chip))
        for task, other in TASKS.items()
    }


def _needed(chip: Chip, whole: Cost, efficiency: float) -> str:
    """Energy of a conversion that gives an efficiency [1/J], all else equal, as text."""
    rest = whole.energy - whole.conversions * chip.value("adc_energy")
    each = (2 * whole.macs / efficiency - rest) / whole.conversions
    return f"conversions of {format_si(each, 'J', 3)}" if each > 0 else "no conversion"
