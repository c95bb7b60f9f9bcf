"""What a parameter sweep is: keys that vary, keys that follow them, a run for each point."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import to_si
from devicephys.device import Device, load_device
from devicephys.device.entries import parameter_value
from devicephys.parameter_sweep.keys import COUNTS, PROTOCOL, RUNS, Keys, Tie, ties_of
from devicephys.protocol.bake import Bake, EnduranceTest
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.waveform import IVSweep
from devicephys.run.request import Request
from devicephys.simulation.settings import Settings

__all__ = ["RUNS", "Axis", "ParameterSweep", "Point", "plan_points", "plan_sweep", "values_of"]

_MOST_POINTS = 10_000
_MOST_NAMED = 4  # keys that a message names with their values


@dataclasses.dataclass(frozen=True)
class Axis:
    """A key that varies.

    Parameters
    ----------
    key : str
        Dotted path of the device, or "protocol." and an argument of the protocol.
    unit : str
        Unit of its values in the table; "" where they are texts.
    texts : tuple of str
        The values as they were given.
    """

    key: str
    unit: str
    texts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Parameters
    ----------
    name : str
        Name of its folder.
    texts : tuple of str
        Its value of each axis, as given.
    values : tuple of float or str
        The same in the units of the axes.
    request : Request
        The run.
    title : str
        Its name for people.
    """

    name: str
    texts: tuple[str, ...]
    values: tuple[float | str, ...]
    request: Request
    title: str


@dataclasses.dataclass(frozen=True)
class ParameterSweep:
    """A sweep that is checked.

    Parameters
    ----------
    run : str
        One of ``RUNS``.
    device : Device
        The cell before anything varies.
    axes : tuple of Axis
        What varies.
    follow : mapping of str to str
        Keys that are tied, and what they follow.
    points : tuple of Point
        The runs; of `plan_sweep` the grid of all values, the last axis fastest.
    remarks : tuple of str
        What is allowed and may not be meant.
    """

    run: str
    device: Device
    axes: tuple[Axis, ...]
    follow: Mapping[str, str]
    points: tuple[Point, ...]
    remarks: tuple[str, ...] = ()

    def asked(self) -> dict[str, Any]:
        """Plain mapping of what varies, for files."""
        vary = {axis.key: list(axis.texts) for axis in self.axes}
        return {"run": self.run, "vary": vary, "follow": dict(self.follow)}


def values_of(text: str, key: str) -> list[str]:
    """Split the values of one key, "4 nm, 5 nm".

    Parameters
    ----------
    text : str
        Values with commas between.
    key : str
        The key, for messages.

    Raises
    ------
    InputError
        An empty value.
    """
    values = [value.strip() for value in text.split(",")]
    if not all(values):
        raise InputError(f"a value of '{key}' is empty", "--vary", "Write e.g. '4 nm, 5 nm'")
    return values


def plan_sweep(
    vary: Mapping[str, str | Sequence[object]],
    device: str | Device = "tin-taox-hfox-tin",
    run: str = "loops",
    *,
    changes: Mapping[str, Any] | None = None,
    follow: Mapping[str, str] | None = None,
    preset: str = "default",
    checkpoint_every: int | None = None,
    motion: bool = True,
) -> ParameterSweep:
    """Check a sweep: every cell and protocol of it is made before the first is simulated.

    Parameters
    ----------
    vary : mapping of str to str or sequence
        Values of each key: a text with commas, or a sequence of texts.
    device : str or Device, default "tin-taox-hfox-tin"
        The cell.
    run : {"loops", "pulses", "retention", "endurance"}, default "loops"
        What is done with each.
    changes : mapping or None, optional
        Other values of keys that do not vary.
    follow : mapping of str to str or None, optional
        Keys that take the value of a key that varies, or a factor times it.
    preset : str, default "default"
        How finely mesh and time are resolved.
    checkpoint_every : int or None, optional
        As of `devicephys.run.Request`.
    motion : bool, default True
        Whether vacancies move; of loops and pulses they may be held.

    Returns
    -------
    ParameterSweep
        The points and what they run.

    Raises
    ------
    InputError
        Nothing that varies, an unknown key or run, a value twice, a key that is tied to none that
        varies, or a point that is no valid cell or protocol; the point is named.
    """
    listed = _listed(vary)
    if math.prod(map(len, listed.values())) > _MOST_POINTS:
        raise InputError(f"more than {_MOST_POINTS} points", "--vary", "Leave values out")
    plan = plan_points(
        listed,
        itertools.product(*listed.values()),
        device,
        run,
        changes=changes,
        follow=follow,
        preset=preset,
        checkpoint_every=checkpoint_every,
        motion=motion,
    )
    _check_names(plan.points)
    return plan


def plan_points(
    listed: Mapping[str, Sequence[str]],
    rows: Iterable[tuple[str, ...]],
    device: str | Device = "tin-taox-hfox-tin",
    run: str = "loops",
    *,
    names: Sequence[str] | None = None,
    changes: Mapping[str, Any] | None = None,
    follow: Mapping[str, str] | None = None,
    preset: str = "default",
    checkpoint_every: int | None = None,
    motion: bool = True,
) -> ParameterSweep:
    """Check a sweep of which every point is given; the other arguments are those of `plan_sweep`.

    Parameters
    ----------
    listed : mapping of str to sequence of str
        The keys that vary, and what is said of each of them in files.
    rows : iterable of tuple of str
        For each point the values of the keys, in their order.
    device : str or Device, default "tin-taox-hfox-tin"
        As for `plan_sweep`.
    run : {"loops", "pulses", "retention", "endurance"}, default "loops"
        As for `plan_sweep`.
    names : sequence of str or None, optional
        Name of each point and its folder; by default its values.
    changes : mapping or None, optional
        As for `plan_sweep`.
    follow : mapping of str to str or None, optional
        As for `plan_sweep`.
    preset : str, default "default"
        As for `plan_sweep`.
    checkpoint_every : int or None, optional
        As for `plan_sweep`.
    motion : bool, default True
        As for `plan_sweep`.

    Returns
    -------
    ParameterSweep
        The points and what they run.

    Raises
    ------
    InputError
        As `plan_sweep`.
    """
    if run not in RUNS:
        raise InputError(f"unknown run {shorten(run)}", "run", closest(str(run), RUNS))
    keys = Keys(load_device(device) if isinstance(device, str) else device, run)
    fixed = {key: str(value) for key, value in (changes or {}).items()}
    ties = ties_of(follow or {}, listed, fixed, keys)
    for key in fixed:
        keys.unit(key)
        if key in listed:
            raise InputError(f"'{key}' varies and is set", "--vary and --set", "Give one of both")
    base = keys.device.with_({k: v for k, v in fixed.items() if not k.startswith(PROTOCOL)})
    keys = Keys(base, run)
    axes = tuple(Axis(key, keys.unit(key), tuple(texts)) for key, texts in listed.items())
    settings = Settings.preset(preset, motion=motion)
    if run in ("retention", "endurance"):
        settings.needs_motion(run)
    points: list[Point] = []
    for number, texts in enumerate(rows):
        given = dict(zip(listed, texts, strict=True))
        name = names[number] if names is not None else "_".join(map(_slug, texts))
        title = names[number] if names is not None else ", ".join(texts)
        where = ", ".join(f"{key} = {text}" for key, text in given.items())
        where = where if len(given) <= _MOST_NAMED else name
        try:
            tied = {key: tie(given) for key, tie in ties.items()}
            request = _request(base, run, {**fixed, **given, **tied}, settings, checkpoint_every)
        except InputError as error:
            raise _explained(error, where, axes, keys, tied=set(ties)) from None
        values = tuple(_value(axis, text, request) for axis, text in zip(axes, texts, strict=True))
        points.append(Point(name, texts, values, request, title))
    return ParameterSweep(
        run, base, axes, dict(follow or {}), tuple(points), tuple(_remarks(base, axes, ties))
    )


def _listed(vary: Mapping[str, str | Sequence[object]]) -> dict[str, list[str]]:
    """The values of each key as texts."""
    if not isinstance(vary, Mapping) or not vary:
        hint = "Give e.g. layers.HfOx.thickness='8 nm, 9 nm'"
        raise InputError("nothing varies", "--vary", hint)
    listed: dict[str, list[str]] = {}
    for key, values in vary.items():
        texts = values_of(values, key) if isinstance(values, str) else [str(v) for v in values]
        if not texts:
            raise InputError(f"'{key}' has no value", "--vary", "Write e.g. '4 nm, 5 nm'")
        for text in texts:
            if texts.count(text) > 1:
                raise InputError(f"'{key}' has the value {text} twice", "--vary", "Give it once")
        listed[str(key)] = texts
    return listed


def _request(
    base: Device, run: str, given: Mapping[str, str], settings: Settings, every: int | None
) -> Request:
    """The run of one point."""
    cell = base.with_({k: v for k, v in given.items() if not k.startswith(PROTOCOL)})
    arguments: dict[str, Any] = {}
    for key, text in given.items():
        if key.startswith(PROTOCOL):
            name = key.removeprefix(PROTOCOL)
            arguments[name] = _count(text, key) if name in COUNTS else text
    if run == "loops":
        return Request(cell, IVSweep.from_device(cell), settings, every)
    if run == "retention":
        return Request(cell, Bake(**arguments), settings, every)
    if run == "endurance":
        return Request(cell, EnduranceTest(**arguments), settings, every)
    ohms = arguments.pop("initial_resistance", None)
    if ohms is not None and not to_si(ohms, "ohm", "initial_resistance") > 0:
        raise InputError(f"{ohms} is not positive", "initial_resistance", "Write e.g. '5 kohm'")
    train = PulseTrain(**arguments)
    cell.series.pulsed(train.drive, train.gate_voltage)
    return Request(cell, train, settings, every, ohms)


def _count(text: str, key: str) -> int:
    if not text.strip().isdigit():
        raise InputError(f"{shorten(text)} is no whole number", key, "Give 1, 2, 3 ...")
    return int(text)


def _value(axis: Axis, text: str, request: Request) -> float | str:
    """The value of a point on an axis, as the cell or the protocol has it."""
    if axis.key.startswith(PROTOCOL):
        if axis.unit:
            return to_si(text, axis.unit, axis.key)
        return float(text) if axis.key.removeprefix(PROTOCOL) in COUNTS else text
    origin = request.device.provenance.get(axis.key)
    if origin is not None and origin.unit:
        return parameter_value(request.device, axis.key)
    return text


def _explained(
    error: InputError, where: str, axes: Sequence[Axis], keys: Keys, tied: set[str]
) -> InputError:
    """The error of a point: which point, and by which option its key could follow."""
    hint = error.hint
    varied = {axis.key for axis in axes}
    key = error.where.rpartition(" ")[2]
    try:
        unit = keys.unit(key)
    except InputError:
        unit = ""
    same = [axis.key for axis in axes if axis.unit and axis.unit == unit]
    # of several candidates only one that the error speaks of is a good guess
    same = same if len(same) == 1 else [other for other in same if other in error.hint]
    if same and key not in varied | tied:
        hint = f"{hint.rstrip('.')}, or let it follow: --follow {key}={same[0]}"
    return InputError(error.what, f"{error.where} at {where}" if error.where else where, hint)


def _slug(text: str) -> str:
    """A value as part of a folder's name, e.g. "4-nm"."""
    return re.sub(r"[^\w.+-]+", "-", text.strip()).strip(".") or "value"


def _check_names(points: Sequence[Point]) -> None:
    """InputError if two points are the same cell and protocol, or would have one folder."""
    seen: dict[object, Point] = {}
    for point in points:
        for key in (point.values, point.name):
            other = seen.setdefault(key, point)
            if other is not point:
                raise InputError(
                    f"{', '.join(other.texts)} and {', '.join(point.texts)} are the same point",
                    "--vary",
                    "Give it once",
                )


def _remarks(base: Device, axes: Sequence[Axis], ties: Mapping[str, Tie]) -> Iterator[str]:
    """What may not be meant: a filament that stays as high as the layer was."""
    layer = base.filament_layer
    key = f"layers.{layer.name}.thickness"
    varied = {axis.key for axis in axes}
    whole = math.isclose(base.filament.height, layer.thickness)
    if key in varied and whole and "filament.height" not in varied | set(ties):
        height = base.filament.height * 1e9
        yield (
            f"filament.height stays {height:g} nm while {key} varies;"
            f" --follow filament.height={key} lets it go through the layer"
        )
