"""What a fit is made of: a device, measurements, and the parameters that are free."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ddkbase.descriptions import Description, Parameter
from ddkbase.documents import description_text, located, parse_yaml
from ddkbase.errors import InputError, closest
from ddkbase.units import to_si
from devicephys.device import Device, load_device
from devicephys.device.entries import checked_parameters, parameter_value
from devicephys.simulation.settings import Settings

__all__ = [
    "BakeSource",
    "FitDescription",
    "FreeParameter",
    "LoopSource",
    "Source",
    "TrainSource",
    "fit_settings",
    "read_description",
    "refined",
]

#: time errors of a fit as a share of the preset's
FINER = 64


def _as_text(value: object) -> object:
    """A bare number as text: whether it needs a unit is for the quantity to say."""
    bare = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(value) if bare else value


Text = Annotated[str, BeforeValidator(_as_text)]
Share = Annotated[float, Field(gt=0)]
Column = str | int


class LoopSource(Description):
    """A measured loop; its keys are those of ``read_loop``, and how far it is trusted.

    Parameters
    ----------
    loop : str
        The file.
    columns, units : mapping, optional
        Columns by "voltage", "current", "time", "loop", and their units.
    rate, compliance : str or None, optional
        As of ``read_loop``.
    partial, forming : bool, default False
        As of ``read_loop``: loops with one half only; a forming sweep left in the first loop.
    number : int, default 1
        Which loop of the file.
    error : float, default 0.05
        Relative error of a current [1].
    voltage_error : float, V, default 0.005
        By how much the voltage of a switching scatters: it adds the slope of log I times this to
        the error, or a snap would outweigh all else.
    floor : float, A, default 1e-9
        Currents below it say nothing.
    samples : int, default 160
        How many samples of the loop count.
    weight : float, default 1.0
        Factor on its sum of squares.
    """

    loop: str
    columns: Mapping[str, Column] = {}
    units: Mapping[str, str] = {}
    rate: Text | None = None
    compliance: Text | None = None
    partial: bool = False
    forming: bool = False
    number: Annotated[int, Field(ge=1)] = 1
    error: Share = 0.05
    voltage_error: Annotated[float, Parameter("V", at_least=0)] = 0.005
    floor: Annotated[float, Parameter("A", above=0)] = 1e-9
    samples: Annotated[int, Field(ge=10)] = 160
    weight: Share = 1.0


class TrainSource(Description):
    """A measured train of identical pulses.

    Parameters
    ----------
    train : str
        The file: a column of conductances, resistances or currents, one a pulse, in order; an empty
        cell is a pulse that was not read. A column "pulse" numbers them, 0 is before the first.
    protocol : mapping
        Keys of ``PulseTrain``, as texts; the count follows from the file.
    column : str, int or None, optional
        The column, where the headings do not tell.
    unit : str or None, optional
        Its unit, where the heading does not say.
    initial_resistance : str or None, optional
        What the cell was brought to by pulses before the train, with its unit; by default the
        train begins with the cell as the device describes it.
    error : float, default 0.05
        Relative error of a conductance [1].
    weight : float, default 1.0
        Factor on its sum of squares.
    """

    train: str
    protocol: Mapping[str, Text]
    initial_resistance: Annotated[float, Parameter("ohm", above=0)] | None = None
    column: Column | None = None
    unit: str | None = None
    error: Share = 0.05
    weight: Share = 1.0


class BakeSource(Description):
    """Conductance of a programmed cell over the time of a bake.

    Parameters
    ----------
    bake : str
        The file: a column of times and one of conductances, resistances or currents.
    temperature : float, K
        Ambient temperature of the bake; the reads are those at the device's own.
    state : {"high", "low"}, default "high"
        The programmed state, as of ``Bake``.
    read_voltage : float, V, default 0.1
        Voltage of the reads.
    column, time : str, int or None, optional
        The columns, where the headings do not tell.
    unit, time_unit : str or None, optional
        Their units, where the headings do not say.
    relative : bool, default False
        Whether only the change since the first read counts, not the conductance itself.
    error : float, default 0.05
        Relative error of a conductance [1].
    weight : float, default 1.0
        Factor on its sum of squares.
    """

    bake: str
    temperature: Annotated[float, Parameter("K", above=0)]
    state: Literal["high", "low"] = "high"
    read_voltage: Annotated[float, Parameter("V", above=0)] = 0.1
    column: Column | None = None
    unit: str | None = None
    time: Column | None = None
    time_unit: str | None = None
    relative: bool = False
    error: Share = 0.05
    weight: Share = 1.0


Source = LoopSource | TrainSource | BakeSource
_SOURCES: dict[str, type[Source]] = {
    "loop": LoopSource,
    "train": TrainSource,
    "bake": BakeSource,
}


class FreeParameter(Description):
    """A parameter that is fitted, or several that keep their ratio.

    Parameters
    ----------
    paths : tuple of str
        Dotted paths of numbers of the device; by default the name itself. Those after the first
        keep their ratio to it.
    lower, upper : str
        Bounds of the first, with their unit.
    prior : float or None, optional
        Relative standard deviation of what is known of it before, about the device's value [1].
    """

    paths: tuple[str, ...] = ()
    lower: Text
    upper: Text
    prior: Share | None = None


class FitDescription(Description):
    """A whole fit.

    Parameters
    ----------
    name : str
        What the fitted device is called.
    device : str
        Library device or file to begin with.
    preset : {"quick", "default", "fine"}, default "quick"
        How finely it is solved.
    refine : {"default", "fine", "none"}, default "default"
        Preset of the mesh that the fit ends on: what it changes of the curves at the best cell is
        carried over to the cells around, and the search goes on. Nothing where it is not finer than
        ``preset``.
    voltage_step : str, default "25 mV"
        Largest voltage of a time step: currents are interpolated between steps.
    data : list of LoopSource, TrainSource or BakeSource
        What was measured.
    predict : list of LoopSource, TrainSource or BakeSource, optional
        What was measured and is held out: the fitted device is held against it.
    free : mapping of str to FreeParameter
        What is fitted, by name.
    loss : {"soft_l1", "linear"}, default "soft_l1"
        Whether large misfits count by their size, or by their square.
    solves : int, default 40
        Most simulations of all data in a search.
    starts : int, default 1
        How many searches there are: the first begins with the device, the others around it, to see
        whether they end at other cells that fit as well.
    profile : bool or list of str, default False
        Whose profile likelihood is computed after the search, ten to thirty solves each.
    posterior : int, default 0
        How many samples of the posterior are drawn (needs the package emcee).
    suggest : bool, default False
        Whether further measurements are simulated, to say which would tell most of what is open.
    """

    name: Annotated[str, Field(pattern=r"^[\w+-]+$", max_length=60)]
    device: str
    preset: Literal["quick", "default", "fine"] = "quick"
    refine: Literal["default", "fine", "none"] = "default"
    voltage_step: Text = "25 mV"
    data: Annotated[tuple[Source, ...], Field(min_length=1)]
    predict: tuple[Source, ...] = ()
    free: Annotated[Mapping[str, FreeParameter], Field(min_length=1)]
    loss: Literal["soft_l1", "linear"] = "soft_l1"
    solves: Annotated[int, Field(ge=2)] = 40
    starts: Annotated[int, Field(ge=1, le=50)] = 1
    profile: bool | tuple[str, ...] = False
    posterior: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    suggest: bool = False

    @model_validator(mode="before")
    @classmethod
    def _kinds(cls, data: Any) -> Any:
        """Tell loops from trains before pydantic tries all and complains of each."""
        if not isinstance(data, Mapping):
            return data
        return {**data} | {
            key: [_source(entry, f"{key}.{k}") for k, entry in enumerate(data[key], start=1)]
            for key in ("data", "predict")
            if isinstance(data.get(key), list | tuple)
        }

    @model_validator(mode="after")
    def _profiled(self) -> Self:
        for name in self.profiled:
            if name not in self.free:
                raise InputError(f"'{name}' is not free", "profile", closest(name, list(self.free)))
        return self

    @property
    def profiled(self) -> tuple[str, ...]:
        """Names of the parameters whose profile likelihood is computed."""
        if isinstance(self.profile, bool):
            return tuple(self.free) if self.profile else ()
        return self.profile

    def start(self, folder: Path | None = None) -> Device:
        """The device to begin with.

        Parameters
        ----------
        folder : Path or None, optional
            Where a file is looked for first.

        Returns
        -------
        Device
            The device as described.
        """
        name: str | Path = self.device
        if folder is not None and (folder / self.device).is_file():
            name = folder / self.device
        return load_device(name)

    def bounds(self, device: Device) -> dict[str, tuple[float, float, float]]:
        """Lower bound, value and upper bound of the first path of each free parameter.

        Parameters
        ----------
        device : Device
            The device to begin with.

        Returns
        -------
        dict
            Three numbers in the unit of the model by the name of the parameter.

        Raises
        ------
        InputError
            No such parameter, one that is free twice, bounds without the unit or not around the
            value.
        """
        found, seen = {}, set[str]()
        for name, free in self.free.items():
            where = f"free.{name}"
            paths = self.paths(name)
            checked_parameters(device, list(paths), where)
            if twice := seen & set(paths):
                raise InputError(f"'{min(twice)}' is free twice", where, "Name it once")
            seen |= set(paths)
            unit, value = device.provenance[paths[0]].unit, parameter_value(device, paths[0])
            low, high = (
                to_si(text, unit, f"{where}.{key}")
                for key, text in (("lower", free.lower), ("upper", free.upper))
            )
            if not low <= value <= high or low == high or low * high <= 0:
                raise InputError(
                    f"bounds {free.lower} to {free.upper} do not hold {value:g} {unit}, where the "
                    "fit begins, or reach over zero",
                    where,
                    "Change the bounds, or begin with another device",
                )
            found[name] = low, value, high
        return found

    def paths(self, name: str) -> tuple[str, ...]:
        """Dotted paths of a free parameter.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        tuple of str
            At least one.
        """
        return self.free[name].paths or (name,)


def _source(entry: Any, where: str) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    kind = next((kind for name, kind in _SOURCES.items() if name in entry), None)
    if kind is None:
        raise InputError("names no loop, train or bake", where, "Write loop: FILE")
    try:
        return kind(**entry)
    except InputError as error:
        raise located(error, where) from None


def read_description(
    source: FitDescription | Mapping[str, Any] | str | os.PathLike[str],
) -> tuple[FitDescription, Path | None]:
    """A description from what a user gives, and the folder that its files are relative to.

    Raises
    ------
    InputError
        No such file, not YAML, an unknown or missing key, a value that makes no sense.
    StorageError
        The file cannot be read.
    """
    if isinstance(source, FitDescription):
        return source, None
    if isinstance(source, Mapping):
        return FitDescription(**_keys(source, "fit")), None
    text = description_text(Path(source), "fit", "'ddk examples samples' writes one, what.yaml")
    data = parse_yaml(text, str(source))
    if not isinstance(data, Mapping):
        raise InputError("describes no fit", str(source), "Write name, device, data and free")
    try:
        return FitDescription(**_keys(data, str(source))), Path(source).parent
    except InputError as error:
        raise located(error, str(source)) from None


def _keys(data: Mapping[Any, Any], where: str) -> dict[str, Any]:
    odd = [key for key in data if not isinstance(key, str)]
    if odd:
        raise InputError(f"{odd[0]!r} is no key", where)
    return dict(data)


def refined(description: FitDescription) -> str | None:
    """The preset of the mesh that a fit ends on; None if that is the one it has."""
    order = ("none", "quick", "default", "fine")
    finer = order.index(description.refine) > order.index(description.preset)
    return description.refine if finer else None


def fit_settings(
    description: FitDescription, device: Device, preset: str | None = None
) -> Settings:
    """Settings with which what is simulated follows the parameters smoothly.

    The mesh keeps its cells, and time errors are a 64th of the preset's, for three times its steps.
    Steps that are chosen anew at each solve then scatter currents of a loop by less than 1e-4, and
    the high state, which "quick" misses by 3 %, is right to 0.1 %: an error that all samples share
    moves parameters by more than the noise of many samples does (one of 0.7 % shifted them by up to
    three standard deviations of 2 % noise).
    """
    name = preset or description.preset
    settings = Settings.preset(name, voltage_step=description.voltage_step)
    return dataclasses.replace(
        settings,
        concentration_tolerance=settings.concentration_tolerance / FINER,
        temperature_tolerance=settings.temperature_tolerance / FINER,
        mesh_of=device,
    )
