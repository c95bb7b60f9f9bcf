"""How a simulation is solved: mesh, time stepping, Newton's method. Says nothing of the device."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any, Literal, Self

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import to_si
from devicephys.device import Device, device_from_yaml

Scheme = Literal["monolithic", "staggered", "one-pass"]
SCHEMES = ("monolithic", "staggered", "one-pass")
Kernel = Literal["auto", "compiled", "forms"]
KERNELS = ("auto", "compiled", "forms")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Numerical settings; compare with ``Settings.preset("quick")`` and ``"fine"``.

    Parameters
    ----------
    name : str, default "default"
        Name of the preset these settings came from.
    cell_size : float, m, default 0.025e-9
        Smallest cell, at the bottom electrode's interface.
    cell_growth : float, default 0.15
        Growth of the cell size per unit distance from there [1].
    coarseness : float, default 1.0
        Factor on the sizes away from there: 0.6 nm axially up to 8 nm above the filament (beyond,
        cells grow freely) and 1 nm radially at the filament's wall [1].
    mesh_split : int, default 1
        Every cell is divided this often along both axes; 2 halves the mesh.
    scheme : {"monolithic", "staggered", "one-pass"}, default "monolithic"
        "monolithic" (all fields in one Newton), "staggered" (potential, temperature and vacancies
        in turn until they agree) or "one-pass" (each once a step: inaccurate, for teaching).
    pulse_tolerance : float, default 0.01
        Local time error of the vacancy concentration in pulses, in 1e21 cm^-3 [1]; less of it is
        left for errors of the temperature where a pulse moves little.
    concentration_tolerance : float, default 0.025
        Local time error of the vacancy concentration, in 1e21 cm^-3 [1]; in proportion less where
        less than 1e21 cm^-3 is left, down to 3 % of it in an empty cell.
    temperature_tolerance : float, K, default 8.0
        Local time error of the temperature.
    voltage_step : float, V, default 0.1
        Largest change of the applied voltage in a step.
    shortest_step : float, s, default 1e-15
        The step below which the solver gives up.
    newton_tolerance : float, default 6.0
        Allowed error of a step's solution, in units of 10 uV, 1e-5 of the peak temperature rise and
        1e16 cm^-3 [1].
    newton_iterations : int, default 12
        Most Newton iterations of one step.
    every_pulse : bool, default False
        Simulate each pulse of a train on its own. Otherwise equal pulses are merged in stress time
        where a control shows that they may be; the record holds the controls.
    motion : bool, default True
        Whether vacancies move. Without motion they stay where they are, to the last bit, and heat
        and current alone are solved: by the error of the temperature, also in pulses, each of
        which is simulated on its own.
    kernel : {"auto", "compiled", "forms"}, default "auto"
        What assembles and solves the equations: the compiled kernel where it knows them and one
        rank computes ("auto"), the kernel or nothing ("compiled"), or the general forms with a
        sparse solver ("forms"). Results are the same to rounding; the forms take twice the time.
    mesh_of : Device or None, optional
        A cell with the same layers, whose mesh is stretched to the lengths of the one that is
        simulated: as many cells between the edges. What is simulated then follows a length without
        the jumps of a mesh that gains and loses cells. By default each cell has a mesh of its own.

    Notes
    -----
    Lengths, temperatures, voltages and times are plain SI here; ``Settings.make`` takes texts.
    """

    name: str = "default"
    cell_size: float = 0.025e-9
    cell_growth: float = 0.15
    coarseness: float = 1.0
    mesh_split: int = 1
    scheme: Scheme = "monolithic"
    concentration_tolerance: float = 0.025
    pulse_tolerance: float = 0.01
    temperature_tolerance: float = 8.0
    voltage_step: float = 0.1
    shortest_step: float = 1e-15
    newton_tolerance: float = 6.0
    newton_iterations: int = 12
    every_pulse: bool = False
    motion: bool = True
    kernel: Kernel = "auto"
    mesh_of: Device | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name not in ("name", "scheme", *_SWITCHES, "kernel", "mesh_of"):
                number = _positive(getattr(self, field.name), field.type == "int", field.name)
                object.__setattr__(self, field.name, number)
        if not isinstance(self.name, str):
            raise InputError(f"{shorten(self.name)} is not text", "settings.name", "Give a name")
        for name in _SWITCHES:
            if not isinstance(switch := getattr(self, name), bool):
                what = f"{shorten(switch)} is neither true nor false"
                raise InputError(what, f"settings.{name}")
        if isinstance(self.mesh_of, str) and "\n" in self.mesh_of:  # as ``to_dict`` writes it
            object.__setattr__(self, "mesh_of", device_from_yaml(self.mesh_of))
        if self.mesh_of is not None and not isinstance(self.mesh_of, Device):
            raise InputError(f"{shorten(self.mesh_of)} is no Device", "settings.mesh_of")
        for name, choices in (("scheme", SCHEMES), ("kernel", KERNELS)):
            choice = getattr(self, name)
            if not isinstance(choice, str) or choice not in choices:
                raise InputError(
                    f"unknown {name} {shorten(choice)}",
                    f"settings.{name}",
                    closest(str(choice), choices),
                )

    @classmethod
    def preset(cls, name: str = "default", **changes: Any) -> Self:
        """Settings of a preset, "quick", "default" or "fine", with changes by keyword.

        A change of a dimensional setting is a text with its unit or a pint quantity, e.g.
        ``Settings.preset("quick", voltage_step="20 mV")``. Raises InputError for an unknown
        preset or setting (naming the closest) and for values that make no sense.
        """
        if not isinstance(name, str) or name not in PRESETS:
            hint = closest(str(name), PRESETS)
            raise InputError(f"unknown preset {shorten(name)}", "settings", hint)
        return cls(**PRESETS[name]).with_(**changes)

    def with_(self, **changes: Any) -> Self:
        """A copy with changes; see ``preset``. Raises InputError likewise."""
        names = [field.name for field in dataclasses.fields(self)]
        values: dict[str, Any] = {}
        for key, value in changes.items():
            if key not in names:
                raise InputError(f"unknown setting {key!r}", "settings", closest(key, names))
            if key in UNITS:
                # a tolerance on the temperature is a difference: 5 degC would be 278.15 K
                value = to_si(value, UNITS[key], f"settings.{key}", difference=True)
            values[key] = value
        return dataclasses.replace(self, **values)

    def needs_motion(self, what: str) -> None:
        """InputError where vacancies are held, of ``what`` is made by their motion."""
        if not self.motion:
            raise InputError(
                f"{what} needs vacancies that move, and they are held",
                "settings.motion",
                "Leave out motion=False, or --no-motion",
            )

    def halved(self) -> Self:
        """Twice the cells along both axes and half the time step: a second-order step is halved
        by an eighth of the tolerance."""
        return dataclasses.replace(
            self,
            name=f"{self.name}, halved",
            mesh_split=2 * self.mesh_split,
            concentration_tolerance=self.concentration_tolerance / 8,
            pulse_tolerance=self.pulse_tolerance / 8,
            temperature_tolerance=self.temperature_tolerance / 8,
            voltage_step=self.voltage_step / 2,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values in SI, for the record of a run.

        ``every_pulse``, ``motion``, ``kernel`` and ``mesh_of`` (as YAML) only where they are not
        the default.
        """
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        # as records of before them have it
        if not self.every_pulse:
            del plain["every_pulse"]
        if self.motion:
            del plain["motion"]
        if self.kernel == "auto":
            del plain["kernel"]
        if self.mesh_of is None:
            del plain["mesh_of"]
        else:
            plain["mesh_of"] = self.mesh_of.to_yaml()
        return plain


def check_arguments(
    function: str, device: object, settings: object, **others: tuple[object, bool, str]
) -> None:
    """Check that the arguments of a simulation are of the right kind.

    Parameters
    ----------
    function : str
        What errors call the function.
    device, settings : object
        To be a `Device` and `Settings`; ``settings`` may be None.
    **others : tuple of (object, bool, str)
        For each further argument its value, whether that fits, and what to give in its place.

    Raises
    ------
    InputError
        The first argument that does not fit.
    """
    fits = settings is None or isinstance(settings, Settings)
    arguments = {
        "device": (device, isinstance(device, Device), "Give a Device, from load_device(...)"),
        **others,
        "settings": (settings, fits, 'Give Settings.preset("quick")'),
    }
    for name, (value, right, hint) in arguments.items():
        if not right:
            raise InputError(f"{shorten(value)} is no {name}", f"{function}, {name}", hint)


def _positive(value: object, whole: bool, name: str) -> float:
    """`value` as int if `whole`, else as float; InputError if it is no positive number."""
    kind = numbers.Integral if whole else numbers.Real
    expected = "whole number from 1 up" if whole else "number"
    if isinstance(value, kind) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number) and number > 0:
            return int(number) if whole else number
    raise InputError(
        f"{shorten(value)} is not a positive number", f"settings.{name}", f"Give a {expected}"
    )


#: of a train, for ``Settings.needs_motion``
PREPARING = "an initial resistance"
_SWITCHES = ("every_pulse", "motion")

UNITS = {
    "cell_size": "m",
    "temperature_tolerance": "K",
    "voltage_step": "V",
    "shortest_step": "s",
}

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "name": "quick",
        "cell_size": 0.05e-9,
        "cell_growth": 0.25,
        "coarseness": 1.5,
        "concentration_tolerance": 0.04,
        "pulse_tolerance": 0.02,
        "temperature_tolerance": 12.0,
        "voltage_step": 0.12,
    },
    "default": {},
    "fine": {
        "name": "fine",
        "cell_size": 0.0125e-9,
        "cell_growth": 0.1,
        "coarseness": 0.5,
        "concentration_tolerance": 0.005,
        "pulse_tolerance": 0.002,
        "temperature_tolerance": 2.0,
        "voltage_step": 0.04,
    },
}
