"""The whole chain from one file: device, loop, trains, table, network, controls, hardware, chip.

>>> from network import pipeline
>>> pipeline.run("mine.yaml", "runs/mine")

What was computed and still fits is kept, also over a kill; what a change of the file touches is
made again, and nothing else. The file: ``docs/pipeline.md``.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from network.pipeline.file import example_text, list_pipelines
from network.pipeline.run import Outcome

__all__ = ["Outcome", "example_text", "list_pipelines", "plan", "run"]


def run(
    name_or_path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    workers: int | None = None,
    command: str = "",
    progress: Callable[[str], None] | None = None,
    quiet: bool = False,
) -> list[Outcome]:
    """Do what is missing of a pipeline in a folder, and write report.html there.

    A script that calls it needs ``if __name__ == "__main__":``, because the worker processes of a
    campaign read the script again.

    Parameters
    ----------
    name_or_path : a pipeline of `list_pipelines`, or a YAML file.
    folder : for results; made if there is none, gone on in otherwise.
    workers : processes for the campaign and the controls; None leaves it to them.
    command : for the report.
    progress : called with a line now and then.
    quiet : keep the progress and the tables of simulations from being printed.

    Returns
    -------
    One outcome for each step.

    Raises
    ------
    InputError : the file makes no sense; nothing was computed.
    DDKError : a step failed, which is named; the results of the others stay.
    """
    from pathlib import Path

    from network.pipeline.file import read_chain
    from network.pipeline.run import Asked, carry_out
    from network.pipeline.steps import jobs_of

    source = os.fspath(name_or_path)
    chain = read_chain(source)
    jobs = jobs_of(chain, source)
    asked = Asked(chain.name, chain.description, chain.text, command)
    return carry_out(jobs, Path(folder), asked, workers=workers, say=progress, quiet=quiet)


def plan(
    name_or_path: str | os.PathLike[str], folder: str | os.PathLike[str]
) -> list[tuple[str, str]]:
    """What `run` would do: the name of each step, and whether it is kept or why it is done.

    Parameters
    ----------
    name_or_path, folder : as `run`.

    Raises
    ------
    InputError : the file makes no sense.
    """
    from pathlib import Path

    from network.pipeline.file import read_chain
    from network.pipeline.run import planned
    from network.pipeline.steps import jobs_of

    source = os.fspath(name_or_path)
    return planned(jobs_of(read_chain(source), source), Path(folder))
