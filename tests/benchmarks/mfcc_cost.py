"""MFCC and a linear read-out on the spoken digits: accuracy, and energy of a decision on a chip.

``python -m tests.benchmarks.mfcc_cost [--root FOLDER] [--seeds N] [--chip NAME]`` prints a table
for ``docs/few_reads.md``: cosine transforms over the mel bands of each frame (orthonormal, first
coefficients), all frames of them or their means over equal segments, and ridge regression whose
strength is chosen on the validation part, as for every memory there. Energies are those of
`network.hardware.front_end_loads`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from scipy.fft import dct

from ddk.studies.folds import Material
from ddk.studies.tasks import get_task
from network.counting.front_end import FrontEnd
from network.hardware import cost, front_end_loads, load_chip
from network.model.ridge import solve_ridge


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--chip", default="180nm")
    arguments = parser.parse_args()
    chip, bands = load_chip(arguments.chip), FrontEnd()
    alone = cost(front_end_loads(bands), chip)
    macs = sum(bands.macs.values())
    print(f"mel bands alone: {macs:,} MACs, {bands.logarithms:,} logarithms, {_nano(alone.energy)}")
    print("| coefficients | frames | numbers read | accuracy (%) | MACs | front end | read-out |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    material = Material(get_task("digits-spoken"), arguments.root)
    folds = [next(iter(material.folds(seed))) for seed in range(arguments.seeds)]
    for coefficients in (13, 20, 32):
        front = replace(bands, coefficients=coefficients)
        whole = cost(front_end_loads(front), chip)
        for segments in (1, 2, 4, 8, 48):
            right = []
            for fold in folds:
                parts = [
                    cepstra(p.x, coefficients, segments)
                    for p in (fold.train, fold.validation, fold.test)
                ]
                held = parts[1], fold.validation.y
                found = solve_ridge(parts[0], fold.train.y, held, len(fold.classes))
                said = (parts[2] @ found.weight + found.bias).argmax(axis=1)
                right.append(100 * np.mean(said == fold.test.y))
            one = front_end_loads(replace(front, frames=segments), len(fold.classes))[-1]
            cells = cost([one], chip)
            row = [coefficients, segments, coefficients * segments]
            spread = f"{np.mean(right):.1f} ± {np.std(right, ddof=1):.1f}"
            counts = f"{sum(front.macs.values()) + one.macs:,}"
            texts = [*row, spread, counts, _nano(whole.energy), _nano(cells.energy)]
            print("|", " | ".join(map(str, texts)), "|")


def cepstra(x: np.ndarray, coefficients: int, segments: int) -> np.ndarray:
    """Features (samples, coefficients * segments) of bands (samples, bands, frames)."""
    first = dct(x, type=2, norm="ortho", axis=1)[:, :coefficients]
    means = [part.mean(axis=2) for part in np.array_split(first, segments, axis=2)]
    return np.stack(means, axis=2).reshape(len(x), -1).astype(float)


def _nano(energy: float) -> str:
    return f"{1e9 * energy:.4g} nJ"


if __name__ == "__main__":
    main()
