"""What the commands of ``ddk-device`` share: the application, and options with their values.

What they share with the other command lines (ways to end, ``--quiet`` and ``--json``, paths) is in
`ddkbase.cli.application`, `ddkbase.cli.output` and `ddkbase.cli.options`. The commands use what
`devicephys` publishes, which is loaded on first use, so that ``--help`` is quick.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import devicephys
from ddkbase.cli.application import application
from ddkbase.cli.options import path_of
from ddkbase.cli.output import error_line
from ddkbase.errors import InputError
from ddkbase.picture_names import Pictures

if TYPE_CHECKING:
    from devicephys.protocol.stored import Protocol

app = application(
    "ddk-device",
    "Simulate filamentary memristor cells: heat, current and vacancies, fully coupled.",
    "ddk-device iv --preset quick --out runs/first",
    "ddk-device pulses --amplitude '-2 V' --initial-resistance '5 kohm' --out runs/train",
    "ddk-device show-device",
    first=(
        *(
            "iv",
            "pulses",
            "waveform",
            "retention",
            "endurance",
            "sequence",
            "switching-time",
            "sweep",
            "screen",
            "campaign",
            "resume",
            "compare",
            "plot",
        ),
        *(
            "list-campaigns",
            "random-device",
            "verify",
            "calibrate",
            "fit",
            "info",
            "show-device",
            "list-devices",
        ),
    ),
)


Preset = Literal["quick", "default", "fine"]  # how finely mesh and time are resolved
Half = Literal["reset", "set"]  # half of a loop
# how the three fields are coupled in one time step
Scheme = Literal["monolithic", "staggered", "one-pass"]


DEFAULT_DEVICE = "tin-taox-hfox-tin"
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="NAME|FILE", help="Library device, or a YAML file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one parameter, e.g. --set 'filament.radius=8 nm'. May be repeated.",
    ),
]
PresetOption = Annotated[
    Preset, typer.Option("--preset", help="How finely mesh and time are resolved.")
]
NoMotionOption = Annotated[
    bool,
    typer.Option("--no-motion", help="Hold the vacancies where they are: heat and current alone."),
]
OutOption = Annotated[
    str, typer.Option("--out", metavar="DIR", help="Folder to make for the results.")
]
PicturesOption = Annotated[
    Pictures,
    typer.Option(
        "--pictures",
        help="svg or pdf: make vector pictures beside the PNG files; none: the record alone.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes; default: one for each physical core."),
]
CheckpointOption = Annotated[
    int | None,
    typer.Option(
        "--checkpoint-every",
        metavar="N",
        min=1,
        help="Keep the state every N pulses, or N steps of a sweep; 'resume' goes on from it.",
    ),
]


def output_folder(text: str, where: str) -> Path:
    """Return the path of a folder named in the option or argument ``where``.

    Raises InputError: the name is empty.
    """
    return path_of(text, where, "folder")


def parse_changes(
    changes: list[str], option: str = "--set", example: str = "'filament.radius=8 nm'"
) -> dict[str, str]:
    """Split each KEY=VALUE of an option.

    Raises InputError: no "=", an empty key, or a key given twice.
    """
    parsed: dict[str, str] = {}
    for text in changes:
        key, equals, value = text.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key or not value:
            raise InputError(f"'{text}' is not KEY=VALUE", option, f"Write e.g. {option} {example}")
        if key in parsed:
            raise InputError(f"'{key}' is set twice", option, "Give it once")
        parsed[key] = value
    return parsed


FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="RUN",
        help="Begin with the state at the end of the run in that folder (of its preset), and with"
        " its device unless --device names another.",
    ),
]


def start_folder(text: str | None) -> str | None:
    """The folder of ``--from``, so that it is found from anywhere.

    Raises InputError: the name is empty; StorageError: it holds no run that is complete.
    """
    if text is None:
        return None
    folder = output_folder(text, "--from").absolute()
    devicephys.run.end_of(folder)
    return str(folder)


def changed_device(
    name: str, changes: list[str] | None, start: str | None = None
) -> devicephys.Device:
    """The device of ``--device``, or that of the run in ``start``, with what ``--set`` changes.

    Raises InputError: no such device, a file that is no device, or a change that does not fit.
    """
    if start is not None and name == DEFAULT_DEVICE:
        name = str(Path(start) / "device.yaml")
    return devicephys.load_device(name).with_(parse_changes(changes or []))


@dataclasses.dataclass(frozen=True)
class CellOptions:
    """Which cell, and how finely it is resolved: the options of all commands that simulate one."""

    device: DeviceOption = DEFAULT_DEVICE
    preset: PresetOption = "default"
    changes: SetOption = None


@dataclasses.dataclass(frozen=True)
class RunOptions(CellOptions):
    """The cell and how its run is carried out: the options of the commands with one run."""

    start: FromOption = None
    checkpoint_every: CheckpointOption = None
    pictures: PicturesOption = Pictures.png

    def request(
        self,
        protocol: Protocol,
        start: str | None,
        cell: devicephys.Device | None = None,
        **settings: Any,
    ) -> devicephys.run.Request:
        """What the run is asked for; ``settings`` are further ones of `devicephys.Settings.preset`.

        The cell is by default that of ``--device`` with what ``--set`` changes. Raises InputError:
        as `changed_device`.
        """
        if cell is None:
            cell = changed_device(self.device, self.changes, start)
        return devicephys.run.Request(
            cell,
            protocol,
            devicephys.Settings.preset(self.preset, **settings),
            self.checkpoint_every,
            start=start,
        )


def warn(text: str) -> None:
    """Print a warning, which ``--quiet`` does not leave out."""
    error_line(f"warning: {text}")
