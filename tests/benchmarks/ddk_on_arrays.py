"""DDK as products of matrices: how exact a recurrence on arrays is, and what it costs.

    python tests/benchmarks/ddk_on_arrays.py
    python tests/benchmarks/ddk_on_arrays.py --model runs/spoken    # and accuracies on chips

prints Markdown tables: errors of the states against the exact recurrence, of exact products and
through converters and written cells; energy of a step on each chip, beside a pulse and digital
arithmetic; and with the folder of a network of `ddk-network train --data digits-spoken` what
chips make of it, by pulses and on arrays. Spoken digits are read from DDK_DATA.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from markdown import report, table

from compact.table.table import load_table
from ddk import studies
from ddkbase.units import format_si
from network import Network, hardware, load_network
from network.ddk.array_layer import with_recurrences
from network.ddk.layer import DDKLayer
from network.ddk.piecewise import PiecewiseLinearDDK, typical
from network.hardware.chip.cost import ddk_step
from network.hardware.chip.loads import array_layer_loads

#: start of the layer; the two of spoken digits; one of the kind that simulated cells reach
PAIRS = ((0.7, 1.0), (0.1, 0.1265), (3.0, 0.6928), (0.0068, 0.281))
HINGES = (0, 2, 4, 8, 16)
CHIPS = 10
SAMPLES = 300
TABLE = "tin-taox-hfox-tin"


def inputs(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Sequences to fit to and others to judge on, (sequences, steps)."""
    if name == "random":
        rng = np.random.default_rng(1)
        return rng.random((256, 48)), rng.random((SAMPLES, 48))
    fold = next(iter(studies.Material(studies.get_task(name, False)).folds(0)))
    return tuple(  # type: ignore[return-value]
        part.x[:SAMPLES].reshape(-1, part.x.shape[-1]).astype(float)
        for part in (fold.train, fold.test)
    )


def exactness(names: tuple[str, ...]) -> str:
    """RMS and worst error of all states, exact products, by number of hinges."""
    rows = []
    for name in names:
        train, test = inputs(name)
        for alpha, beta in PAIRS:
            for fit, samples in (("these", train), ("none", typical(test.shape[-1]))):
                if fit == "none" and name == "random":
                    continue
                cells = []
                for hinges in HINGES:
                    recurrence = PiecewiseLinearDDK.fitted(
                        alpha, beta, hinges=hinges, samples=samples
                    )
                    error = recurrence.error(test)
                    cells.append(f"{error.rms:.1e}, {error.worst:.1e}")
                rows.append([name, f"{alpha:g}, {beta:g}", fit, f"{error.spread:.2g}", *cells])
    heads = ["inputs", "alpha, beta", "fitted to", "spread", *(f"{n} hinges" for n in HINGES)]
    return table(heads, rows, 3)


def through_arrays(names: tuple[str, ...]) -> str:
    """Error after the last sample through converters, and through written cells of many chips."""
    rows = []
    write = hardware.load_chip("180nm").hardware().write
    for name in names:
        train, test = inputs(name)
        test = test[:: max(1, len(test) // 1000)]
        for alpha, beta in PAIRS:
            recurrence = PiecewiseLinearDDK.fitted(alpha, beta, samples=train)
            last = [f"{recurrence.error(test).last:.1e}"]
            for bits in (8, 10, 12):
                chip = hardware.Hardware(arrays=True, dac_bits=bits, adc_bits=bits)
                realise = hardware.HardwareRealisation(chip, seed=0)
                last.append(f"{recurrence.error(test, realise=realise).last:.1e}")
            chip = hardware.Hardware(arrays=True, dac_bits=8, adc_bits=8, write=write)
            drawn = [
                recurrence.error(test, realise=hardware.HardwareRealisation(chip, seed=k)).last
                for k in range(CHIPS)
            ]
            last += [f"{np.median(drawn):.1e}", f"{max(drawn):.1e}"]
            spread = f"{recurrence.error(test).spread:.2g}"
            rows.append([name, f"{alpha:g}, {beta:g}", spread, *last])
    heads = ["inputs", "alpha, beta", "spread", "exact", "8 bits", "10 bits", "12 bits"]
    heads += ["8 bits and write error, median chip", "worst chip"]
    return table(heads, rows, 2)


def step_cost() -> str:
    """Energy, time and size of one step of one sequence on each chip."""
    rows = []
    for name in hardware.presets():
        chip = hardware.load_chip(name)
        parts = ddk_step(chip)
        pulse = [sum(parts[k][i] for k in ("pulse", "driver")) for i in (0, 1)]
        whole = [sum(part[i] for part in parts.values()) for i in (0, 1)]
        for what, (energy, seconds), converted in (
            ("pulse, not read", pulse, 0),
            ("pulse, read", whole, 1),
        ):
            rows.append([name, what, "0", "1", str(converted), *_si(energy, seconds)])
        for hinges in (0, 4, 8, 16):
            layer = with_recurrences(
                DDKLayer(1), {0: PiecewiseLinearDDK.fitted(0.7, 1.0, hinges=hinges)}
            )
            priced = hardware.cost(array_layer_loads(layer), chip)
            products = str(layer.recurrences[0].products)
            what = f"arrays, {hinges} hinges"
            sizes = [products, str(priced.devices), str(priced.conversions)]
            rows.append([name, what, *sizes, *_si(priced.energy, priced.latency)])
        # slope, intercept, beta x and the sum: three multiply-and-adds; the table of pieces is free
        rows.append([name, "digital", "0", "0", "0", *_si(3 * chip.value("mac_energy"), None)])
    heads = ["chip", "one step as", "products", "cells", "conversions", "energy", "time"]
    return table(heads, rows, 2)


def _si(energy: float, seconds: float | None) -> list[str]:
    return [format_si(energy, "J", 3), "–" if seconds is None else format_si(seconds, "s", 3)]


def on_chips(folder: Path) -> str:
    """Accuracy and cost of a network whose pairs are pulsed, as if they could be, and on arrays."""
    network = load_network(folder / "model.npz")
    task = studies.get_task(str(network.notes["task"]), False)
    fold = next(iter(studies.Material(task).folds(int(network.notes.get("seed", 0)))))
    chip = hardware.load_chip("180nm")
    ways = {"pulses, as if there were any": hardware.compile_network(network, chip)}
    for hinges in (0, 4, 8):
        ways[f"arrays, {hinges} hinges"] = hardware.compile_network(
            network,
            chip,
            table=load_table(TABLE),
            unreachable="arrays",
            hinges=hinges,
            samples=fold.train.x,
        )
    bits = {"dac_bits": chip.count("input_bits"), "adc_bits": chip.count("adc_bits")}
    exact_cells = {"write": None, "kinetics": None}
    rows = []
    for what, placement in ways.items():
        total = hardware.placement_cost(placement)
        recurrences = sum(len(entry.get("recurrences", ())) for entry in placement.layers)
        shown = [f"{_accuracy(placement.network(), fold, None):.1f}"]
        for changes, seeds in ((exact_cells, 1), ({}, CHIPS)):
            plain, anew = [], []
            for seed in range(seeds):
                drawn = hardware.HardwareRealisation(
                    chip.hardware(arrays=True, **bits, **changes),
                    seed=seed,
                    layers=_features(placement),
                )
                placed = placement.network()
                plain.append(_accuracy(placed, fold, drawn))
                rng = np.random.default_rng(seed)
                placed.reestimate(fold.train.x[::4], realise=drawn, rng=rng)
                anew.append(_accuracy(placed, fold, drawn))
            shown += [_spread(values) for values in (plain, anew)]
        sizes = [f"{total.conversions:,}", *_si(total.energy, total.latency)]
        rows.append([what, str(recurrences), *shown, *sizes])
    heads = ["DDK by", "pairs on arrays", "exact [%]", "8 bits [%]", "statistics anew [%]"]
    heads += ["8 bits, imprecise cells [%]", "statistics anew [%]"]
    return table([*heads, "conversions", "energy", "latency"], rows)


def _features(placement: hardware.Placement) -> set[str]:
    """What makes the features; the read-out is computed exactly, so that it hides nothing."""
    names = set(placement.pulses)
    for entry in placement.layers:
        for recurrence in entry.get("recurrences", ()):
            names |= {matrix["name"] for matrix in recurrence["matrices"]}
    return names


def _spread(values: list[float]) -> str:
    mean = f"{np.mean(values):.1f}"
    return f"{mean} ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else mean


def _accuracy(network: Network, fold: studies.Fold, realise: object) -> float:
    rng = np.random.default_rng(5)
    answers = network.predict(fold.test.x, realise=realise, rng=rng)  # type: ignore[arg-type]
    return 100 * float(np.mean(answers == fold.test.y))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, help="a folder of 'train --data digits-spoken'")
    parser.add_argument("--out", type=Path, help="file that the tables are added to")
    asked = parser.parse_args()
    names: tuple[str, ...] = ("random", "digits")
    if os.environ.get("DDK_DATA"):
        names += ("digits-spoken",)
    jobs: list[Callable[[], str]] = [
        partial(exactness, names),
        partial(through_arrays, names),
        step_cost,
    ]
    if asked.model is not None:
        jobs.append(partial(on_chips, asked.model))
    report(jobs, asked.out)


if __name__ == "__main__":
    main()
