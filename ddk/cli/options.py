"""What the commands of ``ddk-network`` share: the application, options, texts that name things.

What they share with the other command lines (ways to end, ``--quiet`` and ``--json``, paths) is in
`ddkbase.cli.application`, `ddkbase.cli.output` and `ddkbase.cli.options`.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ddk import studies
from ddkbase.cli.application import application
from ddkbase.cli.application import command as _command
from ddkbase.cli.options import path_of
from ddkbase.errors import InputError, StorageError
from ddkbase.installation import single_threaded
from ddkbase.picture_names import Pictures

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable
    from ddk.studies.tasks import Task
    from ddkbase.cli.output import Output

app = application(
    "ddk-network",
    "Train networks with a layer of dynamical memristors, and hold them against controls.",
    "ddk-network train --data digits --out runs/net",
    "ddk-network evaluate runs/net",
    "ddk-network compare --task digits --quick --seeds 3 --out runs/compare",
    first=("train", "evaluate", "compare", "search", "features", "count"),
)


Integrator = Literal["implicit", "explicit", "exact"]  # how the equation is integrated
Constraint = Literal["positive", "clamp", "stable"]  # what alpha and beta may be
States = Literal["after", "before"]  # which state of the DDK layer belongs to a sample
# what has an alpha and a beta of its own
Per = Literal["network", "channel", "step", "channel-step"]


DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        "--task",
        metavar="TASK|PATH",
        help="A named task, or your data: a folder, mine.ts, a.csv.",
    ),
]
TaskOption = Annotated[
    str,
    typer.Option(
        "--task",
        "--data",
        metavar="TASK|PATH",
        help="A named task, or your data: a folder, mine.ts, a.csv.",
    ),
]
RootOption = Annotated[
    str | None,
    typer.Option("--root", metavar="FOLDER", help="Where the data sets are; default: DDK_DATA."),
]
TableOption = Annotated[
    str | None, typer.Option("--table", metavar="TABLE", help="File of 'ddk-compact fit'.")
]
StatesOption = Annotated[
    States,
    typer.Option("--states", help="State after each sample, or before it as the authors have it."),
]
BanksOption = Annotated[
    int | None, typer.Option("--banks", min=1, help="Pairs that read the same input.")
]
ReadoutOption = Annotated[
    str | None, typer.Option("--readout", metavar="all|N|last", help="Which states are read.")
]
QuickOption = Annotated[bool, typer.Option("--quick", help="The small variant, for a first look.")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Of the split, the start and the batches.")
]
SeedsOption = Annotated[
    str, typer.Option("--seeds", metavar="N|LIST", help="How many, or which: '10', '3,5,8', '0-4'.")
]
ProcessesOption = Annotated[
    int,
    typer.Option("--processes", "--workers", min=1, help="Runs at a time, each on one core."),
]
FolderOption = Annotated[str, typer.Option("--out", metavar="DIR", help="Folder to make.")]
FileOption = Annotated[str, typer.Option("--out", metavar="FILE", help="File to make.")]
PicturesOption = Annotated[
    Pictures,
    typer.Option("--pictures", help="svg or pdf: make vector pictures beside the PNG files."),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result.")]


@dataclasses.dataclass(frozen=True)
class SeriesOptions:
    """How files of series and folders of sounds are read, as options of commands."""

    label: Annotated[
        str | None,
        typer.Option("--label", metavar="COLUMN", help="Of a table: the class; default: 'label'."),
    ] = None
    group: Annotated[
        str | None,
        typer.Option("--group", metavar="COLUMN", help="Of a table: what a split keeps whole."),
    ] = None
    missing: Annotated[
        str | None,
        typer.Option("--missing", metavar="refuse|interpolate", help="Of missing values."),
    ] = None
    lengths: Annotated[
        str | None,
        typer.Option("--lengths", metavar="pad|stretch", help="Of series that are too short."),
    ] = None
    decimal: Annotated[
        str | None, typer.Option("--decimal", metavar="SIGN", help="Of the numbers of a text.")
    ] = None
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", metavar="NAME", help="Of a text, e.g. gb18030 or shift_jis."),
    ] = None
    front: Annotated[
        str | None,
        typer.Option(
            "--front", metavar="NAME", help="Of sounds, what a sample is: frames, spectral, mfcc."
        ),
    ] = None
    utterance: Annotated[
        str | None,
        typer.Option("--utterance", metavar="TIME", help="Of sounds: length of a sample, '1 s'."),
    ] = None

    def given(self) -> dict[str, str]:
        """Those that were given, as options of `network.datasets.load`."""
        names = [field.name for field in dataclasses.fields(SeriesOptions)]
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclasses.dataclass(frozen=True)
class TaskOptions(SeriesOptions):
    """Which data a task has and what its layers read: the options of commands of many runs."""

    root: RootOption = None
    states: StatesOption = "after"
    banks: BanksOption = None
    readout: ReadoutOption = None
    quick: QuickOption = False

    def task(self, name: str, output: Output, epochs: int | None = None) -> Task:
        """The task of ``--task``; of data of the user it prints how they are read."""
        task = task_of(name, self.quick, self.states, self.banks, self.readout, series=self)
        task = task if epochs is None else task.with_epochs(epochs)
        if task.name not in studies.TASKS:
            output.say(task.protocol)
        return task


def command(
    function: Callable[..., None] | None = None, *, answers: bool = False
) -> Callable[..., Any]:
    """`ddkbase.cli.application.command`, where each product of matrices has one thread."""
    if function is None:
        return functools.partial(command, answers=answers)
    called = function

    @functools.wraps(called)
    def run(*args: Any, **kwargs: Any) -> None:
        # small matrices gain nothing from threads, which on a busy machine cost twentyfold
        single_threaded()
        called(*args, **kwargs)

    return _command(answers=answers)(run)


def read_table(text: str) -> AlphaBetaTable:
    """The table of a file or of the library. Raises InputError and StorageError."""
    from compact.table.table import load_table  # start-up

    return load_table(str(path_of(text, "--table")))


def task_of(
    data: str,
    quick: bool,
    states: States = "after",
    banks: int | None = None,
    readout: str | None = None,
    once: bool = False,
    series: SeriesOptions | None = None,
) -> Task:
    """The task of a name, a folder or a file, with what its layers read, and how often.

    Raises InputError: no such task, and no folder or file of that name, no readout, or options of
    series for a named task.
    """
    text = str(path_of(data, "--data"))
    options = {} if series is None else series.given()
    if text in studies.TASKS or not (os.sep in data or Path(text).suffix or Path(text).exists()):
        task = studies.get_task(text, quick)
        if options:
            raise InputError(
                f"task '{text}' says how its data are read", f"--{next(iter(options))}",
                "Leave it out",
            )  # fmt: skip
    else:
        once = once or (readout is not None and readout_of(readout) == "last")
        task = studies.folder_task(Path(text).expanduser(), options, read_once=once)
        task = task.small() if quick else task
    layer: dict[str, Any] = {"states": states}
    layer |= {} if banks is None else {"banks": banks}
    layer |= {} if readout is None else {"readout": readout_of(readout)}
    return task.with_layer(**layer)


def readout_of(text: str) -> int | str:
    """What ``--readout`` says. Raises InputError."""
    value = text.strip()
    if value in ("all", "last"):
        return value
    if value.isascii() and value.isdigit() and 0 < len(value) < 8 and int(value):
        return int(value)
    raise InputError(f"'{text}' is no readout", "--readout", "Write 'all', 'last' or a number")


def seeds_of(text: str) -> list[int]:
    """Seeds of a text: how many ('10'), which ('3,5,8'), or from one to another ('0-4').

    A single number says how many; write '7,' for seed 7 alone.

    Raises InputError: it is none of the three, there is none, or there are more than 10,000.
    """
    entries = text.strip()
    single = entries.isdigit()
    seeds: list[int] = []
    for entry in entries.split(","):
        first, dash, last = (p.strip() for p in entry.partition("-"))
        if not entry.strip() and not single and seeds:
            continue  # a comma at the end
        if not (first.isascii() and first.isdigit()) or (dash and not last.isdigit()):
            raise InputError(f"'{text}' names no seeds", "--seeds", "Write '10', '3,5,8' or '0-4'")
        begin = 0 if single else int(first[:9])
        stop = int(first[:9]) - 1 if single else int(last[:9]) if dash else begin
        if stop - begin >= 10_000 or len(first) > 9 or len(last) > 9:
            raise InputError(f"'{text}' are too many seeds", "--seeds", "Take up to 10,000")
        seeds += range(begin, stop + 1)
    if not seeds:
        raise InputError(f"'{text}' names no seeds", "--seeds", "Write '10', '3,5,8' or '0-4'")
    return seeds


def names_of(text: str | None, option: str) -> list[str] | None:
    """Names parted by commas; None if none were given. Raises InputError: an empty name."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError(f"'{text}' holds an empty name", option, "Write e.g. 'ddk,raw,leaky'")
    return names


def folder_to_make(text: str) -> Path:
    """The folder of ``--out``; the folders above it are made, as ``ddk-device`` does.

    Raises InputError: the name is empty; StorageError: a folder above cannot be made.
    """
    path = path_of(text, "--out", "folder")
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot be made: {error.strerror or error}", str(path.parent), "Choose another name"
        ) from error
    return path
