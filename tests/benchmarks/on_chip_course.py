"""What training on the chip loses to equal steps, by batch, rate and number of passes.

``python -m tests.benchmarks.on_chip_course [--root FOLDER] [--epochs N] [--samples N]`` prints a
table for ``docs/howto_lab.md``: MNIST 400-100-10 in black and white, seed 0, weights held by
numbers and by ideal cells of 100 steps, for each batch and rate. NeuroSim's MLP, which the study
follows, takes 125 passes of 8,000 samples drawn anew, one sample an update.
"""

from __future__ import annotations

import argparse

from ddk.studies.folds import Material
from ddk.studies.lab.runs import LabData, Pictures
from ddk.studies.tasks import get_task
from network.hardware import OnChipTraining, SynapticCells, train_on_chip

#: batch and rate; the study's own first
WAYS = ((10, 0.05), (10, 0.02), (10, 0.1), (10, 0.2), (1, 0.05), (1, 0.1), (50, 0.05))
STEPS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root")
    parser.add_argument("--epochs", type=int, default=125)
    parser.add_argument("--samples", type=int, default=8000)
    parser.add_argument("--ways", type=int, nargs="*", default=range(len(WAYS)))
    arguments = parser.parse_args()
    task = get_task("mnist")
    pictures = Pictures.of(LabData(task), Material(task, arguments.root), 0)
    ideal = SynapticCells.labelled(0, 0, pulses=STEPS).ideal
    print("| batch | rate | numbers (%) | ideal cells (%) | cells at their best pass (%) |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for batch, rate in (WAYS[k] for k in arguments.ways):
        how = OnChipTraining(
            epochs=arguments.epochs, samples=arguments.samples, batch=batch, rate=rate
        )
        course = [
            100
            * train_on_chip(
                cells,
                pictures.x,
                pictures.y,
                test=(pictures.test_x, pictures.test_y),
                classes=len(pictures.classes),
                seed=0,
                training=how,
            ).accuracy
            for cells in (None, ideal)
        ]
        last = [f"{each[-1]:.2f}" for each in course]
        print(
            "|", batch, "|", rate, "|", " | ".join(last), f"| {course[1].max():.2f} |", flush=True
        )


if __name__ == "__main__":
    main()
