"""How devices differ from each other, and one cycle of a device from the next.

Three kinds of spread: from device to device (drawn from the seed and the device number), from
cycle to cycle (from the cycle number too), and in the initial occupation of the lattice places of
every mesh cell. Distributions, where they come from and what is only assumed: ``SPREADS`` and
``docs/variability.md``. The generator is counter-based and every draw has a place of its own in
it: seed, device and cycle give the same cell to the last bit, in whatever order and on however
many processes cells are drawn, and changing one spread leaves all other draws as they were.

`OccupationNoise` draws which lattice places of the oxides hold a vacancy at the start.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from scipy import special

from ddkbase.descriptions import Description, Parameter
from ddkbase.errors import InputError, shorten
from ddkbase.units import exact_text
from devicephys.device import Device, Oxide, Transistor


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


#: lattice places a piece of oxide has at least: in fewer, more than half of all places' variance
#: would sit in one
FEWEST_PLACES = 2.0
#: occupations, and expected numbers of vacancies in a piece, below this are taken as none: numbers
#: that small only slow arithmetic down
EMPTY = 1e-9
#: where there are more places the noise is below 1e-6, and its quantiles lose their digits
MOST_PLACES = 1e12
#: a factor below this is no noise, whatever it multiplies
FAINTEST = 1e-9
_STREAM = 3  # of random numbers, among those of one seed


@dataclasses.dataclass(frozen=True)
class OccupationNoise:
    """Random occupation of the lattice places at the start; holds only what its draws come from.

    A piece of oxide of volume v has M = n_max v places, each occupied with the probability
    p = n/n_max, so that the share of occupied ones has the mean p and the variance p (1 - p)/M,
    times ``factor`` squared. M is no whole number here, so the share is drawn from the beta
    distribution with that mean and variance instead of the binomial one; where there is no n_max,
    the number of vacancies from the gamma distribution with mean and variance n v instead of
    Poisson's. Cells of one column are joined from below to pieces of at least ``FEWEST_PLACES``
    places that are at least as tall as a place is wide, n_max^(-1/3), and all cells of a piece
    share one random number: the noise then does not depend on how finely the mesh divides the
    height. The variance is at most half of p (1 - p).
    """

    seed: int
    device_number: int
    cycle: int
    factor: float = 1.0

    def apply(
        self,
        concentration: np.ndarray,
        volume: np.ndarray,
        height: np.ndarray,
        site_limit: float | None,
        oxide: np.ndarray,
    ) -> np.ndarray:
        """The drawn concentration [1/m^3], shape (nz, nr); the argument is left as it was.

        Parameters
        ----------
        concentration : ndarray, shape (nz, nr), 1/m^3
            Mean concentration on the whole grid.
        volume : ndarray, shape (nz, nr), m^3
            Volume of each cell.
        height : ndarray, shape (nz,), m
            Height of each row of cells.
        site_limit : float or None, 1/m^3
            n_max of the material, or None where the concentration has no limit.
        oxide : ndarray, shape (nz, nr) or (nz,)
            Which cells, or which rows of cells, hold vacancies.

        Notes
        -----
        Every value lies between 0 and n_max; cells outside the oxides keep theirs.
        """
        mean, volume = np.asarray(concentration, float), np.asarray(volume, float)
        where = np.asarray(oxide, bool)
        where = np.broadcast_to(where[:, None] if where.ndim == 1 else where, mean.shape)
        out = mean.copy()
        if self.factor < FAINTEST:
            return out
        densest = site_limit if site_limit is not None else float(mean[where].max(initial=0.0))
        if densest <= 0.0:
            return out
        tall = volume[0] / height[0] * densest ** (-1 / 3)
        first, size = pieces(volume, where, np.maximum(FEWEST_PLACES / densest, tall))
        rng = generator(self.seed, _STREAM, self.device_number, self.cycle)
        shared = np.take_along_axis(rng.random(mean.shape), first, axis=0)[where]
        n, v = mean[where], size[where]
        if site_limit is None:
            out[where] = _poisson(n, v, shared, self.factor)
        else:
            out[where] = site_limit * _binomial(n / site_limit, site_limit * v, shared, self.factor)
        return out


def pieces(
    volume: np.ndarray, oxide: np.ndarray, smallest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Join the cells of each column of the grid, from below, to pieces of at least ``smallest``.

    ``smallest`` [m^3] has shape (nr,). Returns the row in which the piece of each cell begins and
    the volume of that piece [m^3], both of shape (nz, nr); cells outside the oxides are pieces of
    their own. What is left at the top of an oxide belongs to the piece below it.
    """
    rows, columns = volume.shape
    above = np.zeros((rows + 1, columns))  # oxide from here to the top of the oxide
    for i in reversed(range(rows)):
        above[i] = np.where(oxide[i], volume[i] + above[i + 1], 0.0)
    first = np.repeat(np.arange(rows)[:, None], columns, axis=1)
    held = volume[0].copy()  # volume of the piece that is being filled
    for i in range(1, rows):
        joins = oxide[i] & oxide[i - 1] & ((held < smallest) | (above[i] < smallest))
        first[i] = np.where(joins, first[i - 1], i)
        held = np.where(joins, held, 0.0) + volume[i]
    size = np.zeros_like(volume)
    np.add.at(size, (first, np.broadcast_to(np.arange(columns), first.shape)), volume)
    return first, np.take_along_axis(size, first, axis=0)


def _binomial(p: np.ndarray, places: np.ndarray, u: np.ndarray, factor: float) -> np.ndarray:
    """Quantiles ``u`` of the share of occupied places: beta with a binomial's mean and variance."""
    share = np.clip(p, 0.0, 1.0)
    # variance p (1 - p)/(k + 1); k at least 1 caps it
    k = np.clip(places / factor**2 - 1.0, 1.0, MOST_PLACES)
    filled, empty = share * k, (1.0 - share) * k  # the two parameters of the beta distribution
    share[filled < EMPTY], share[empty < EMPTY] = 0.0, 1.0
    rest = (filled >= EMPTY) & (empty >= EMPTY)
    drawn = special.betaincinv(filled[rest], empty[rest], u[rest])
    share[rest] = np.where(drawn < EMPTY, 0.0, drawn)
    return share


def _poisson(n: np.ndarray, volume: np.ndarray, u: np.ndarray, factor: float) -> np.ndarray:
    """Quantiles ``u`` of the concentration: gamma with the mean and variance of Poisson's law."""
    out = np.zeros_like(n)
    shape = np.minimum(n * volume / factor**2, MOST_PLACES)
    rest = shape >= EMPTY
    drawn = special.gammaincinv(shape[rest], u[rest]) / shape[rest]
    out[rest] = np.where(drawn < EMPTY, 0.0, drawn) * n[rest]
    return out


def generator(seed: int, *key: int) -> np.random.Generator:
    """Random numbers that belong to the seed and the key alone."""
    sequence = np.random.SeedSequence(seed, spawn_key=key)
    return np.random.Generator(np.random.Philox(sequence))
