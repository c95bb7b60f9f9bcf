"""How devices differ from each other, and one cycle of a device from the next.

Three kinds of spread: from device to device (drawn from the seed and the device number), from
cycle to cycle (from the cycle number too), and in the initial occupation of the lattice places of
every mesh cell. Distributions, where they come from and what is only assumed: ``SPREADS`` and
``docs/variability.md``. The generator is counter-based and every draw has a place of its own in
it: seed, device and cycle give the same cell to the last bit, in whatever order and on however
many processes cells are drawn, and changing one spread leaves all other draws as they were.
"""

from __future__ import annotations

import math
import numbers
from typing import Annotated, Any, NamedTuple, Self

from scipy import special

from ddkbase.descriptions import Description, Parameter
from ddkbase.errors import InputError, shorten
from ddkbase.units import exact_text
from devicephys.device import Device, Oxide, Transistor
from devicephys.population.occupation import OccupationNoise, generator


class Spread(NamedTuple):
    """One spread: unit and default of its standard deviation, level, cut-off, where it is from.

    The distribution is normal around the value it spreads, cut off at ``cut`` standard deviations
    on both sides and where the device would stop being one. Unit "1": relative to the value.
    """

    unit: str
    default: float
    level: str
    cut: float
    source: str


SPREADS: dict[str, Spread] = {
    "filament_radius": Spread(
        "1",
        0.05,
        "device",
        2.0,
        "literature: the JART VCM v1b model lets it vary by at most 10 % (Bengel et al., IEEE "
        "TCAS-I 67, 4618 (2020), read in an open re-implementation); two times 5 % fill that",
    ),
    "activation_energy": Spread(
        "eV",
        0.010,
        "device",
        3.0,
        "assumed: about 1 % of the barrier, for a disordered oxide; each oxide by itself",
    ),
    "threshold_voltage": Spread(
        "V",
        0.012,
        "device",
        3.0,
        "literature: area law of Pelgrom et al., IEEE J. Solid-State Circuits 24, 1433 (1989); "
        "assumed: 5 mV um and a gate of 0.5 um by 0.18 um, so 17 mV for a pair, 12 mV for one",
    ),
    "filament_radius_cycle": Spread(
        "1", 0.02, "cycle", 3.0, "assumed: less than from device to device"
    ),
    "activation_energy_cycle": Spread(
        "eV", 0.003, "cycle", 3.0, "assumed: less than from device to device"
    ),
    "occupation": Spread(
        "1",
        1.0,
        "cycle",
        math.inf,
        "derived: binomial, no free parameter; a factor on its standard deviation",
    ),
}

#: share of the outer radius, and of the gate overdrive, that a draw leaves free
ROOM_OUTSIDE, OVERDRIVE_LEFT = 0.02, 0.1
_DEVICE, _CYCLE = 1, 2  # which stream of random numbers
_MOST = 2**32 - 1  # a larger number in a spawn key could stand for two smaller ones


_Share = Annotated[float, Parameter("1", at_least=0)]
_Barrier = Annotated[float, Parameter("eV", at_least=0)]
_Threshold = Annotated[float, Parameter("V", at_least=0)]


class Variability(Description):
    """The spreads of a population of cells; compared by value.

    Parameters
    ----------
    filament_radius : float, default 0.05
        Relative standard deviation of the filament radius from device to device [1].
    filament_radius_cycle : float, default 0.02
        The same of one cycle around its device [1].
    activation_energy : str or Quantity, default "10 meV"
        Standard deviation of the activation energy of vacancy motion of every oxide from device to
        device; text with a unit or pint quantity [eV].
    activation_energy_cycle : str or Quantity, default "3 meV"
        The same of one cycle around its device; text with a unit or pint quantity [eV].
    threshold_voltage : str or Quantity, default "12 mV"
        Standard deviation of the transistor's threshold from device to device [V]; without a
        transistor in series it has no effect.
    occupation : float, default 1.0
        Factor on the standard deviation of the binomial occupation of lattice places [1].

    Raises
    ------
    InputError
        No unit, wrong dimension, a negative or infinite spread.
    """

    filament_radius: _Share = SPREADS["filament_radius"].default
    activation_energy: _Barrier = SPREADS["activation_energy"].default
    threshold_voltage: _Threshold = SPREADS["threshold_voltage"].default
    filament_radius_cycle: _Share = SPREADS["filament_radius_cycle"].default
    activation_energy_cycle: _Barrier = SPREADS["activation_energy_cycle"].default
    occupation: _Share = SPREADS["occupation"].default

    @classmethod
    def none(cls) -> Self:
        """No spread at all: every cell is the device itself."""
        return cls.from_mapping(
            {name: "0" if s.unit == "1" else f"0 {s.unit}" for name, s in SPREADS.items()}
        )

    def of_cycles(self) -> Self:
        """The same spreads from cycle to cycle, none from device to device.

        Raises
        ------
        InputError
            A spread from device to device was asked for.
        """
        between = [name for name, spread in SPREADS.items() if spread.level == "device"]
        for name in between:
            if name in self.model_fields_set and getattr(self, name):
                hint = "Give spreads from cycle to cycle alone"
                raise InputError("devices are listed, not drawn", f"variability.{name}", hint)
        return self.model_copy(update=dict.fromkeys(between, 0.0))

    @classmethod
    def from_mapping(cls, data: object) -> Self:
        """Spreads from a mapping, as read from YAML; what is left out has its default.

        Parameters
        ----------
        data : mapping
            Spreads by the names of the parameters: plain numbers or texts with a unit.

        Returns
        -------
        Variability
            The spreads.

        Raises
        ------
        InputError
            Not a mapping, an unknown key (the closest is named), or a bad value.
        """
        try:
            return super().from_mapping(data)
        except InputError as error:
            where = ".".join(x for x in ("variability", error.where) if x)
            raise InputError(error.what, where, error.hint) from None

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping of texts, from which ``from_mapping`` makes an equal description."""
        return {name: exact_text(getattr(self, name), s.unit) for name, s in SPREADS.items()}


class Drawn(NamedTuple):
    """One cell of a population: its device, and the noise of its initial occupation or None."""

    device: Device
    noise: OccupationNoise | None


def draw_cell(
    device: Device,
    variability: Variability,
    seed: int,
    cycle: int = 0,
    device_number: int = 0,
) -> Drawn:
    """The cell with the number ``device_number`` in its cycle ``cycle``.

    The device comes back as it is where no spread concerns it; drawn values are marked as such in
    its provenance. Whatever is drawn is a valid device.

    Parameters
    ----------
    device : Device
        The cell around which is drawn.
    variability : Variability
        The spreads from device to device and from cycle to cycle.
    seed : int
        Number of the population; the same seed always draws the same cells.
    cycle : int, default 0
        Number of the cycle of the cell.
    device_number : int, default 0
        Number of the cell in its population.

    Returns
    -------
    Drawn
        The device and the noise of its initial occupation, None without such noise.

    Raises
    ------
    InputError
        Seed, cycle or device number are no whole numbers from 0 to 2^32 - 1.
    """
    for name, value in (("seed", seed), ("cycle", cycle), ("device_number", device_number)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
            hint = "Give a whole number from 0 up"
            raise InputError(f"{shorten(value)} is no {name.replace('_', ' ')}", name, hint)
        if value > _MOST:
            raise InputError(f"{shorten(value)} is too large", name, f"Give at most {_MOST}")
    seed, cycle, device_number = int(seed), int(cycle), int(device_number)
    oxides = [
        name
        for name in dict.fromkeys(layer.material for layer in device.layers)
        if isinstance(device.materials[name], Oxide)
    ]
    between = generator(seed, _DEVICE, device_number).random(2 + len(oxides))
    within = generator(seed, _CYCLE, device_number, cycle).random(1 + len(oxides))
    spread = variability
    drawn: dict[str, tuple[float, float, str]] = {}

    radius = device.filament.radius
    widest = max(radius, (1.0 - ROOM_OUTSIDE) * device.outer_radius)
    limits = device.filament.wall_width, widest
    new = _cut_normal(
        radius, spread.filament_radius * radius, between[0], "filament_radius", limits
    )
    jitter = spread.filament_radius_cycle * new
    new = _cut_normal(new, jitter, within[0], "filament_radius_cycle", limits)
    drawn["filament.radius"] = radius, new, "m"

    for i, name in enumerate(oxides):
        material = device.materials[name]
        assert isinstance(material, Oxide)
        barrier, limits = material.diffusion_activation, (0.0, math.inf)
        sd = spread.activation_energy
        new = _cut_normal(barrier, sd, between[2 + i], "activation_energy", limits)
        sd = spread.activation_energy_cycle
        new = _cut_normal(new, sd, within[1 + i], "activation_energy_cycle", limits)
        drawn[f"materials.{name}.diffusion_activation"] = barrier, new, "eV"

    if isinstance(device.series, Transistor):
        threshold, overdrive = device.series.threshold_voltage, device.series.overdrive
        limits = -math.inf, threshold + (1.0 - OVERDRIVE_LEFT) * overdrive
        sd = spread.threshold_voltage
        new = _cut_normal(threshold, sd, between[1], "threshold_voltage", limits)
        drawn["series.threshold_voltage"] = threshold, new, "V"

    origin, changes = device.provenance, {}
    for path, (old, new, unit) in drawn.items():
        if new != old:
            old_text, mark = origin[path].value_text, origin[path].mark
            who = f"drawn: seed {seed}, device {device_number}, cycle {cycle}"
            source = f"{who}; around {old_text} ({mark})"
            changes[path] = {"value": exact_text(new, unit), "mark": "assumed", "source": source}
    noise = OccupationNoise(seed, device_number, cycle, spread.occupation)
    return Drawn(device.with_(changes) if changes else device, noise if noise.factor else None)


def _cut_normal(
    mean: float, sd: float, u: float, spread: str, limits: tuple[float, float]
) -> float:
    """Quantile ``u`` of the normal distribution cut off by its spread and by the limits."""
    if sd == 0.0:
        return mean
    cut = SPREADS[spread].cut
    low, high = max(-cut, (limits[0] - mean) / sd), min(cut, (limits[1] - mean) / sd)
    below, above = special.ndtr(low), special.ndtr(high)
    x = mean + sd * float(special.ndtri(below + u * (above - below)))
    return min(max(x, limits[0], mean - cut * sd), limits[1], mean + cut * sd)
