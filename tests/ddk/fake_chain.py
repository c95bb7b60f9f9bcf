"""A chain of steps that compute nothing but leave files, to see which are done and when.

``python -m tests.ddk.fake_chain FOLDER SECONDS`` runs it as a process of its own; the second
of three steps makes ten files and waits so long after each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from ddk.pipeline.execution import carry_out
from ddk.pipeline.job import Job, Outcome, Picture, PipelineRequest, StepContext, StepResult

#: the smallest PNG file there is: one grey point
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c636000000002000148afa4710000000049454e44ae426082"
)
ASKED = PipelineRequest("fake", "three steps", "one: {}\n", "typed")


def writes(name: str, done: list[str], value: int = 0) -> Callable[[StepContext], StepResult]:
    """A step that notes that it was done and leaves a text and a picture."""

    def work(context: StepContext) -> StepResult:
        done.append(name)
        above = [(folder / "out.txt").read_text() for folder in context.inputs.values()]
        (context.folder / "out.txt").write_text(f"{name} {value} of {above}")
        (context.folder / "dot.png").write_bytes(DOT)
        pictures = [Picture("dot.png", f"dot of {name}")]
        return StepResult(
            {"name": name}, pictures, links={"out.txt": "what it says"}, key=f"got {name}"
        )

    return work


def chain(done: list[str], **settings: int) -> list[Job]:
    """one -> two -> three, and four, which uses none; settings by the names of steps."""

    def job(name: str, *uses: str) -> Job:
        told = {"value": settings.get(name, 0)}
        return Job(name, name.title(), told, uses, writes(name, done, told["value"]))

    return [job("one"), job("two", "one"), job("three", "two"), job("four")]


def run(folder: Path, jobs: list[Job]) -> list[Outcome]:
    return carry_out(jobs, folder, ASKED)


def slow(seconds: float) -> Callable[[StepContext], StepResult]:
    """A step that goes on where it was."""

    def work(context: StepContext) -> StepResult:
        for number in range(10):
            path = context.folder / f"{number}.txt"
            if not path.exists():
                path.write_text(str(time.monotonic_ns()))
                print(f"at {number}", flush=True)
                time.sleep(seconds)
        return StepResult({"files": "10"})

    return work


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    done: list[str] = []
    first, _, third, _ = chain(done)
    second = Job("two", "Two", {"value": 0}, ("one",), slow(seconds))
    (third,) = [Job("three", "Three", {}, (), third.work)]
    for outcome in run(folder, [first, second, third]):
        print(outcome.job.name, outcome.state, flush=True)


if __name__ == "__main__":
    main()
