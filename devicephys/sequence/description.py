"""A sequence as its file describes it: a cell, and named steps."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from ddkbase.documents import located, parse_yaml, read_json, read_text
from ddkbase.errors import InputError, StorageError, closest, shorten
from devicephys.device import Device, load_device
from devicephys.protocol.bake import Bake
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.waveform import IVSweep, read_waveform
from devicephys.run.request import Request
from devicephys.simulation.settings import PREPARING, Settings

__all__ = ["KINDS", "Sequence", "Step", "read_sequence"]

FORMAT = 1
DEFAULT_DEVICE = "tin-taox-hfox-tin"
_LARGEST = 1_000_000  # bytes
_MOST_STEPS = 1000
_NAME = re.compile(r"[\w+-]{1,40}")
#: kinds of steps whose vacancies may be held: `motion: false`
_HELD = ("loop", "pulses", "waveform")
_KEYS = ("device", "preset", "set", "checkpoint_every", "steps")


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a sequence.

    Parameters
    ----------
    name : str
        What it is called.
    kind : str
        One of ``KINDS``.
    request : Request
        The run that it is, without its start.
    """

    name: str
    kind: str
    request: Request


@dataclasses.dataclass(frozen=True)
class Sequence:
    """Steps that one cell goes through, one after the other.

    Parameters
    ----------
    steps : tuple of Step
        The steps.
    """

    steps: tuple[Step, ...]

    def folder_of(self, number: int) -> str:
        """Name of the folder of a step, "01-name".

        Parameters
        ----------
        number : int
            Number of the step, from 0.
        """
        return f"{number + 1:02d}-{self.steps[number].name}"

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping, from which `from_dict` makes an equal sequence."""
        steps = [
            {"name": s.name, "kind": s.kind, "request": json.loads(s.request.to_json())}
            for s in self.steps
        ]
        return {"format": FORMAT, "steps": steps}

    @classmethod
    def read(cls, path: Path) -> Self:
        """The sequence that a folder keeps.

        Parameters
        ----------
        path : Path
            Its ``sequence.json``.

        Raises
        ------
        StorageError
            No such file, a damaged one, or one of another version.
        """
        hint = "Run the sequence again in another folder."
        content = read_json(path, hint)
        if content.get("format") != FORMAT:
            raise StorageError("it holds no sequence of this version", str(path), hint)
        try:
            steps = tuple(
                Step(s["name"], s["kind"], Request.from_json(json.dumps(s["request"]), str(path)))
                for s in content["steps"]
            )
        except (KeyError, TypeError) as error:
            raise StorageError(f"the sequence is damaged [{error}]", str(path), hint) from error
        return cls(steps)


def read_sequence(path: str | Path) -> Sequence:
    """The sequence in a YAML file.

    Keys: ``steps``, and optionally ``device`` (a name or a file), ``preset``, ``set`` (parameters
    of the device by dotted path) and ``checkpoint_every``. Each step has a ``name``, a ``kind``
    ("loop", "pulses", "waveform", "bake" or "read") and the arguments of that kind. Files are
    looked for beside the sequence's own.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Sequence
        The steps, each checked.

    Raises
    ------
    InputError
        No such file, not YAML, an unknown key, or a step that makes no sense; the step is named.
    StorageError
        It cannot be read.
    """
    file = Path(path)
    data = parse_yaml(read_text(file, _LARGEST), str(file))
    if not isinstance(data, Mapping) or not data:
        raise InputError("holds no sequence", str(file), "Write steps: with a list of steps below")
    _known(data, _KEYS, str(file))
    try:
        cell, settings, every = _common(data, file.parent)
    except InputError as error:
        raise located(error, str(file)) from None
    listed = data.get("steps")
    if not isinstance(listed, list) or not 1 <= len(listed) <= _MOST_STEPS:
        raise InputError("has no list of steps", f"{file}, steps", "Write '- name: ...' below it")
    steps: list[Step] = []
    for number, entry in enumerate(listed, start=1):
        where = f"{file}, step {number}"
        name, kind, rest = _head(entry, where)
        where += f" '{name}'"
        if name in [step.name for step in steps]:
            raise InputError(f"the name {name} is given twice", where, "Give another name")
        try:
            held = {"motion": rest.pop("motion")} if kind in _HELD and "motion" in rest else {}
            request = KINDS[kind](cell, settings.with_(**held), every, rest, file.parent)
        except InputError as error:
            raise located(error, where) from None
        steps.append(Step(name, kind, request))
    return Sequence(tuple(steps))


def _common(data: Mapping[str, Any], beside: Path) -> tuple[Device, Settings, int | None]:
    named = data.get("device", DEFAULT_DEVICE)
    if not isinstance(named, str):
        raise InputError(f"{shorten(named)} is no device", "device", "Give a name or a file")
    file = beside / named
    cell = load_device(str(file) if file.is_file() else named)
    changes = data.get("set", {})
    if not isinstance(changes, Mapping):
        raise InputError(
            f"{shorten(changes)} is no mapping", "set", "Write 'filament.radius: 8 nm'"
        )
    every = data.get("checkpoint_every")
    if every is not None and (type(every) is not int or every < 1):
        raise InputError(f"{shorten(every)} is no number of steps", "checkpoint_every", "Give 1, 2")
    return cell.with_(dict(changes)), Settings.preset(data.get("preset", "default")), every


def _head(entry: object, where: str) -> tuple[str, str, dict[str, Any]]:
    """Name and kind of a step, and its arguments."""
    if not isinstance(entry, Mapping):
        raise InputError(f"{shorten(entry)} is no step", where, "Write name: and kind:")
    rest = dict(entry)
    name, kind = rest.pop("name", None), rest.pop("kind", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"{shorten(name)} is no name", where, "Give letters, digits, '_', '+' and '-'"
        )
    if not isinstance(kind, str) or kind not in KINDS:
        hint = closest(str(kind), KINDS)
        raise InputError(f"unknown kind {shorten(kind)}", f"{where} '{name}'", hint)
    return name, kind, rest


def _known(given: Mapping[Any, Any], keys: tuple[str, ...], where: str = "") -> None:
    for key in given:
        if key not in keys:
            raise InputError(f"unknown key {shorten(key)}", where, closest(str(key), keys))


_Maker = Callable[[Device, Settings, int | None, dict[str, Any], Path], Request]


def _loop(
    cell: Device, settings: Settings, every: int | None, given: dict[str, Any], _: Path
) -> Request:
    keys = ("reset_voltage", "set_voltage", "rate", "loops", "first")
    _known(given, keys)
    changed = cell.with_({f"sweep.{key}": str(value) for key, value in given.items()})
    return Request(changed, IVSweep.from_device(changed), settings, every)


def _pulses(
    cell: Device, settings: Settings, every: int | None, given: dict[str, Any], _: Path
) -> Request:
    times = ("width", "rise", "fall", "period", "read_width", "read_edge")
    _known(given, ("amplitude", "count", "read_voltage", "initial_resistance", *times))
    resistance = given.pop("initial_resistance", None)
    if resistance is not None and not isinstance(resistance, str):
        raise InputError(f"{shorten(resistance)} has no unit", "initial_resistance", "5 kohm")
    if resistance is not None:
        settings.needs_motion(PREPARING)
    return Request(cell, PulseTrain(**given), settings, every, resistance)


def _waveform(
    cell: Device, settings: Settings, every: int | None, given: dict[str, Any], beside: Path
) -> Request:
    _known(given, ("file",))
    if not isinstance(given.get("file"), str):
        raise InputError("names no file", "file", "Write 'file: generator.csv'")
    wave = read_waveform(beside / given["file"])
    if wave.voltage(0.0) != 0:
        raise InputError(
            f"{given['file']} starts at {wave.voltage(0.0):g} V", "file", "Start at 0 V"
        )
    return Request(cell, wave, settings, every)


def _bake(
    cell: Device, settings: Settings, every: int | None, given: dict[str, Any], _: Path
) -> Request:
    keys = ("duration", "state", "stress_voltage", "first_read", "reads_per_decade", "read_voltage")
    _known(given, ("temperature", *keys))
    if "temperature" not in given or "duration" not in given:
        missing = "duration" if "temperature" in given else "temperature"
        raise InputError(f"a bake needs its {missing}", missing, "E.g. '125 degC' and '1 h'")
    return Request(cell, Bake([given.pop("temperature")], **given), settings, every)


def _read(
    cell: Device, settings: Settings, every: int | None, given: dict[str, Any], _: Path
) -> Request:
    _known(given, ("voltage",))
    # a pulse of 0 V is a pause with a read
    train = PulseTrain("0 V", count=1, read_voltage=given.get("voltage", "0.1 V"))
    return Request(cell, train, settings, every)


#: what makes the request of each kind of step
KINDS: dict[str, _Maker] = {
    "loop": _loop,
    "pulses": _pulses,
    "waveform": _waveform,
    "bake": _bake,
    "read": _read,
}
