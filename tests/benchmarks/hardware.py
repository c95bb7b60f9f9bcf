"""Speed of training for hardware, and the same classifier in IBM aihwkit where it is installed.

``python -m tests.benchmarks.hardware [--root FOLDER] [--aihwkit PYTHON]`` prints tables for
``docs/hardware.md``. ``--aihwkit`` names a Python that has the package and PyTorch; both sides get
the same features, weights, write error and bits, and run one after the other. Set
``OPENBLAS_NUM_THREADS=1``. Epochs are in processor time, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ddk.studies.folds import Fold, Material
from ddk.studies.models import build, get_model
from ddk.studies.tasks import Task, get_task
from network.hardware import Hardware, HardwareRealisation, WriteError, article
from network.hardware.in_situ import PinnedChip, before_classifier
from network.hardware.training import Tuning, harden, on_arrays
from network.layers.plain import Activation, Dense
from network.model.files import copy_network
from network.model.network import Network
from network.model.optimisers import SGD, Adam
from network.model.trainer import train

BITS, CHIPS, EPOCHS = 8, 20, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root")
    parser.add_argument("--aihwkit", help="a Python with aihwkit")
    arguments = parser.parse_args()
    print("| what | plain | imprecision-based | ratio |\n|---|---|---|---|")
    for name, repeats in (("speakers", 7), ("mnist", 3)):
        task = get_task(name)
        fold = next(iter(Material(task, arguments.root).folds(0)))
        plain, noisy = epochs(task, fold, repeats)
        print(
            f"| one epoch, {name} | {1e3 * plain:.1f} ms | {1e3 * noisy:.1f} ms "
            f"| {noisy / plain:.2f} |"
        )
        if name == "speakers":
            speakers = fold
    print(f"\n{tuning(speakers)}")
    print("\n" + side_by_side(speakers, arguments.aihwkit))


def epochs(task: Task, fold: Fold, repeats: int) -> tuple[float, float]:
    """Least processor seconds of an epoch, plain and through chips drawn anew, taken in turn."""
    best = [np.inf, np.inf]
    told = task.training
    inner = 20 if len(fold.train) < 5000 else 1
    for _ in range(repeats):
        for k, realise in enumerate((None, HardwareRealisation(article(), fresh=True))):
            network = build(task, get_model("ddk"), fold.shape, len(fold.classes), 0)
            event: list[float] = []
            train(
                network,
                fold.train.x,
                fold.train.y,
                epochs=inner + 1,
                batch_size=told.batch_size,
                optimiser=Adam(rate=told.rate, weight_decay=told.weight_decay),
                reestimate=False,
                realise=realise,
                seed=0,
                progress=lambda _, into=event: into.append(time.process_time()),
            )
            best[k] = min(best[k], (event[-1] - event[0]) / inner)
    return best[0], best[1]


def tuning(fold: Fold) -> str:
    """Tuning of the speaker classifier through simulated arrays, in seconds."""
    task = get_task("speakers")
    network = build(task, get_model("ddk"), fold.shape, len(fold.classes), 0)
    x, y = fold.train.x, fold.train.y
    told = task.training
    harden(network, x, y, mode="software", epochs=told.epochs, schedule="cosine", seed=0)
    lines = []
    for words, hardware in (
        ("arrays, 1 ohm a segment, fast solver", on_arrays(article())),
        ("arrays, 1 ohm a segment, exact solver", on_arrays(article(), solver="exact")),
    ):
        outcome = harden(
            copy_network(network),
            x,
            y,
            mode="hybrid-arrays",
            hardware=hardware,
            trained=True,
            tuning=Tuning(),
        )
        score = outcome.accuracy(fold.test.x, fold.test.y, np.random.default_rng(5))
        lines.append(
            f"In-situ tuning of the speaker classifier, {Tuning().epochs} epochs, {words}: "
            f"{outcome.seconds[1]:.1f} s, {100 * score:.1f} %"
        )
    return "\n".join(lines)


def side_by_side(fold: Fold, python: str | None) -> str:
    """The classifier alone, here and in aihwkit."""
    task = get_task("speakers")
    network = build(task, get_model("ddk"), fold.shape, len(fold.classes), 0)
    told = task.training
    harden(
        network, fold.train.x, fold.train.y, mode="software", epochs=told.epochs, schedule="cosine"
    )
    first = before_classifier(network)
    features = []
    for x in (fold.train.x, fold.test.x):
        for layer in network.layers[:first]:
            x = layer.forward(x)
        features.append(x.astype(np.float32))
    dense = [layer for layer in network.layers if isinstance(layer, Dense)]
    exact = float(np.mean(network.predict(fold.test.x) == fold.test.y))
    window = article().mapping.window
    rows = [_here(features, fold, dense)]
    if python is not None:
        rows.append(_there(python, features, fold, dense, np.sqrt(2) * 1.147e-6 / window.span))
    out = [
        f"Classifier of the speaker network, write error 1.147 uS a cell, {BITS} bits, {CHIPS} "
        f"chips; in floating point {100 * exact:.2f} %\n",
        f"| | as trained | after {EPOCHS} epochs with the error | seconds of these "
        f"| seconds of {CHIPS} chips |\n|---|---|---|---|---|",
    ]
    for name, r in rows:
        out.append(
            f"| {name} | {100 * r['plain']:.2f} % | {100 * r['tuned']:.2f} % "
            f"| {r['training']:.2f} | {r['chips']:.2f} |"
        )
    return "\n".join(out)


def _here(features: list[np.ndarray], fold: Fold, dense: list[Dense]) -> tuple[str, Any]:
    hardware = Hardware(write=WriteError(0, 1.147e-6), arrays=True, dac_bits=BITS, adc_bits=BITS)
    hardware = replace(hardware, subtract="analog")
    made = Network(
        [Dense(dense[0].outputs), Activation("sigmoid"), Dense(dense[1].outputs)],
        features[0].shape[1:],
        dense[1].outputs,
        0,
    )
    for layer, source in zip((made.layers[0], made.layers[2]), dense, strict=True):
        for key, value in source.parameters.items():
            layer.parameters[key][...] = value

    def score() -> float:
        right = []
        for seed in range(CHIPS):
            chip = PinnedChip.of(made, hardware, seed=seed)
            for layer in (made.layers[0].name, made.layers[2].name):
                chip.at(layer).rewrite()
            found = made.predict(features[1], realise=chip, rng=np.random.default_rng(seed))
            right.append(np.mean(found == fold.test.y))
        return float(np.mean(right))

    start = time.perf_counter()
    plain = score()
    chips = time.perf_counter() - start
    start = time.perf_counter()
    train(
        made,
        features[0],
        fold.train.y,
        epochs=EPOCHS,
        optimiser=SGD(rate=0.05, momentum=0.9),
        realise=HardwareRealisation(Hardware(write=WriteError(0, 1.147e-6)), fresh=True),
        seed=0,
    )
    training = time.perf_counter() - start
    return "here", {"plain": plain, "tuned": score(), "training": training, "chips": chips}


def _there(
    python: str, features: list[np.ndarray], fold: Fold, dense: list[Dense], sigma: float
) -> tuple[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.npz"
        arrays = {"f": features[0], "y": fold.train.y, "ft": features[1], "yt": fold.test.y}
        for k, layer in enumerate(dense, 1):
            arrays |= {f"w{k}": layer.parameters["weight"], f"b{k}": layer.parameters["bias"]}
        np.savez(path, **arrays, sigma=sigma, bits=BITS, chips=CHIPS, epochs=EPOCHS)
        script = Path(__file__).with_name("hardware_aihwkit.py")
        done = subprocess.run(
            [python, str(script), str(path)], capture_output=True, text=True, check=True
        )
    found = json.loads(done.stdout.splitlines()[-1])
    return f"aihwkit {found['version']}", found


if __name__ == "__main__":
    main()
