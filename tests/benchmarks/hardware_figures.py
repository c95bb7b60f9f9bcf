"""Tables and pictures of ``docs/hardware.md`` from folders of ``ddk-network harden`` and ``study``.

``python -m tests.benchmarks.hardware_figures RUNS DOCS`` reads ``RUNS/modes-speakers``,
``modes-mnist``, ``noise-speakers``, ``quantisation-speakers``, ``stuck-speakers`` and
``study.csv``, each where it is there, prints Markdown and writes pictures into DOCS.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ddk.article.costs import ddk_loads
from network.hardware.chip.chip import load_chip, presets
from network.hardware.chip.compiler import compile_network
from network.hardware.chip.cost import cost
from network.hardware.training import MODES
from network.model.network import ddk_network
from network.plots.hardware import accuracy_figure, bars_figure, cost_figure, placement_figure, save

ARTICLE = dict(zip(MODES, (94.8, 15.5, 91.2, 92.8, 92.5), strict=True))
Found = dict[str, dict[int, float]]


def read(folder: Path) -> Found:
    """Accuracies by case and seed."""
    found: Found = {}
    for path in sorted((folder / "runs").glob("*.json")):
        told = json.loads(path.read_text())
        found.setdefault(told["case"], {})[int(told["seed"])] = told["accuracy"]
    return found


def words(by_seed: dict[int, float] | None) -> str:
    if not by_seed:
        return "-"
    values = 100 * np.array(list(by_seed.values()))
    spread = f" ± {values.std(ddof=1):.1f}" if values.size > 1 else ""
    return f"{values.mean():.1f}{spread}"


def table(rows: list[list[str]], heads: list[str]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def modes(found: Found) -> str:
    seeds = len(next(iter(found.values())))
    rows = [
        [mode, words(found.get(mode)), words(found.get(f"{mode}+statistics")), f"{ARTICLE[mode]}"]
        for mode in MODES
    ]
    heads = ["mode", f"accuracy [%], seeds: {seeds}", "statistics taken anew [%]", "article [%]"]
    return table(rows, heads)


def curve(found: Found, names: list[str], places: list[float]) -> Any:
    kept = [
        (x, 100 * np.array(list(found[n].values()))) for x, n in zip(places, names, strict=True)
    ]
    deviations = [v.std(ddof=1) if v.size > 1 else 0.0 for _, v in kept]
    return [x for x, _ in kept], [v.mean() for _, v in kept], deviations


def noise(found: Found) -> tuple[str, Any, Any]:
    rows, panels, labels = [], {}, {}
    ways = ("imprecise", "imprecision-based", "hybrid")
    for kind, title, label in (
        ("cycle", "alpha and beta, each cycle", "Standard deviation of alpha and beta"),
        ("device", "alpha and beta, each device", "Standard deviation of alpha and beta"),
        ("synapse", "synapses", "Standard deviation of a synapse (µS)"),
    ):
        levels = sorted({n.split(".imp")[0].split(".hyb")[0] for n in found if n.startswith(kind)})
        for level in levels:
            row = [kind, level.split("-")[1]]
            for way in ways:
                row += [words(found.get(f"{level}.{way}{s}")) for s in ("", "+statistics")]
            rows.append(row)
        panels[title], labels[title] = {}, label
        for way in ways:
            for tail in ("", "+statistics"):
                names = [f"{level}.{way}{tail}" for level in levels]
                places = [float(level.split("-")[1]) for level in levels]
                if all(n in found for n in names):
                    name = f"{way} + statistics" if tail else way
                    panels[title][name] = curve(found, names, places)
    heads = ["noise of", "level"]
    for way in ways:
        heads += [way, "+ statistics"]
    return table(rows, heads), panels, labels


def main(runs: Path, docs: Path) -> None:
    panels: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for name in ("modes-speakers", "modes-mnist", "modes-article"):
        found = read(runs / name)
        if found:
            print(f"\n{name}\n\n{modes(found)}")
            ordered = {n: found[n] for m in MODES for n in (m, f"{m}+statistics") if n in found}
            if name == "modes-speakers":
                save(bars_figure(ordered, ARTICLE), docs / "hardware_bars.png", True)
    found = read(runs / "noise-speakers")
    if found:
        text, these, of = noise(found)
        print(f"\nnoise\n\n{text}")
        save(accuracy_figure(these, of), docs / "hardware_noise.png", True)
    found = read(runs / "quantisation-speakers")
    if found:
        bits = sorted({int(n.split("-")[1].split(".")[0]) for n in found if "-" in n})
        rows, curves = [], {}
        ways = ("after", "longer", "aware")
        for bit in bits:
            names = [f"{w}-{bit}.{k}" for k in ("weights", "activations") for w in ways]
            rows.append([str(bit), *[words(found.get(n)) for n in names]])
        heads = ["bits", *(f"{k}, {w}" for k in ("weights", "with activations") for w in ways)]
        print(f"\nquantisation, float {words(found.get('float'))}\n\n{table(rows, heads)}")
        for k in ("weights", "activations"):
            for w in ways:
                there = [b for b in bits if f"{w}-{b}.{k}" in found]
                names = [f"{w}-{b}.{k}" for b in there]
                title = f"{w}, {'with activations' if k == 'activations' else k}"
                curves[title] = curve(found, names, [float(b) for b in there])
        panels["bits"], labels["bits"] = curves, "Bits"
    found = read(runs / "stuck-speakers")
    if found:
        shares = sorted({float(n.rsplit(".", 1)[0]) for n in found})
        ways = ("imprecise", "imprecision-based", "hybrid")
        rows = [[f"{s:g}", *[words(found.get(f"{s:g}.{w}")) for w in ways]] for s in shares]
        heads = ["failed cells [%]", "not aware", "imprecision-based", "hybrid"]
        print(f"\nstuck\n\n{table(rows, heads)}")
        panels["failed cells"] = {
            w: curve(found, [f"{s:g}.{w}" for s in shares], shares) for w in ways
        }
        labels["failed cells"] = "Share of failed cells (%)"
    for title, label in labels.items():
        picture = accuracy_figure({title: panels[title]}, {title: label})
        save(picture, docs / f"hardware_{title.replace(' ', '_')}.png", True)
    costs = {
        f"{task}, {chip}": cost(ddk_loads(task), load_chip(chip))
        for task in ("speakers", "images")
        for chip in sorted(presets(), reverse=True)
    }
    save(cost_figure(costs), docs / "hardware_cost.png", True)
    placed = compile_network(
        ddk_network((28, 28), [48], 10, seed=0), load_chip("180nm"), layout="joined"
    )
    save(placement_figure(placed), docs / "hardware_placement.png", True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
