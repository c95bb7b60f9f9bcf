"""What a campaign is: a device, a pulse train, a grid of settings, cycles and devices."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from ddkbase.units import exact_text
from devicephys.campaign.file import mapping_fields, read_fields, train_arguments
from devicephys.campaign.grid import AXES
from devicephys.device import Device
from devicephys.population.variability import Variability
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.simulation.settings import Settings

#: Wall time of one pulse with its read on one core, by preset [s]; measured, for the estimate.
SECONDS_A_PULSE = {"quick": 0.08, "default": 0.25, "fine": 2.0}


class Point(NamedTuple):
    """Place of one simulation in a campaign: its index along each of the five axes."""

    amplitude: int
    width: int
    initial_resistance: int
    cycle: int
    device: int


@dataclasses.dataclass(frozen=True)
class Campaign:
    """Many pulse trains on one kind of cell; made by ``from_file`` or ``from_mapping``.

    Parameters
    ----------
    name : str
        What the campaign is called.
    description : str, default ""
        What the campaign is for.
    device : Device
        The cell, with the changes of ``set:``.
    settings : Settings
        How every point is solved.
    pulses : mapping
        Arguments of ``PulseTrain`` that are the same at every point.
    amplitudes, widths : tuple of float or None
        The grid [V], [s]; ``(None,)`` where ``pulses`` holds a list, one value for each pulse.
    initial_resistances : tuple of float or None, ohm
        The grid; ``(None,)`` if the cell is taken as it is.
    cycles, devices : int, default 1
        How often each place of the grid is simulated, and on how many devices.
    seed : int, default 0
        Where all draws come from; one for all points, so that a cycle of a device is the same cell
        all over the grid.
    variability : Variability or None, optional
        The spreads; None for none at all.
    source_checksum : str, default ""
        SHA-256 of the YAML file; empty if there was none.
    """

    name: str
    device: Device
    settings: Settings
    pulses: Mapping[str, Any]
    amplitudes: tuple[float | None, ...]
    widths: tuple[float | None, ...]
    initial_resistances: tuple[float | None, ...]
    cycles: int = 1
    devices: int = 1
    seed: int = 0
    variability: Variability | None = dataclasses.field(default_factory=Variability)
    description: str = ""
    source_checksum: str = ""

    @classmethod
    def from_file(cls, name_or_path: str | os.PathLike[str]) -> Self:
        """A campaign that ships with the toolkit by its name, or one from a YAML file.

        Raises
        ------
        InputError
            No such campaign or file, a YAML error, or no valid campaign; the key is named, and for
            an unknown one the closest that is known.
        StorageError
            The file exists but cannot be read.
        """
        return cls(**read_fields(name_or_path))

    @classmethod
    def from_mapping(cls, data: object, folder: str | os.PathLike[str] | None = None) -> Self:
        """A campaign from the keys of a YAML file; the path of a device is meant from ``folder``.


        Raises
        ------
        InputError
            An unknown key (the closest is named), or a value that does not fit.
        """
        return cls(**mapping_fields(data, None if folder is None else Path(folder)))

    @property
    def shape(self) -> Point:
        """Number of places along each axis."""
        return Point(
            len(self.amplitudes),
            len(self.widths),
            len(self.initial_resistances),
            self.cycles,
            self.devices,
        )

    @property
    def size(self) -> int:
        """Number of points."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def pulse_count(self) -> int:
        """Pulses of each train."""
        return self.train(0, 0).count

    def points(self) -> Iterator[Point]:
        """All points in the order in which they are simulated.

        The whole grid comes before the next cycle and the next device, so that a campaign that is
        stopped early has something everywhere.
        """
        a, w, r = (range(n) for n in self.shape[:3])
        grid = list(itertools.product(a, w, r))
        for cycle, device in itertools.product(range(self.cycles), range(self.devices)):
            for place in grid:
                yield Point(*place, cycle, device)

    def train(self, amplitude: int, width: int) -> PulseTrain:
        """The pulse train at two indices of the grid."""
        heights, lengths = self.amplitudes[amplitude], self.widths[width]
        return PulseTrain(**train_arguments(self.pulses, heights, lengths))

    def wanted_resistance(self, index: int) -> str | None:
        """Initial resistance at an index of the grid, as text; None for the cell as it is."""
        value = self.initial_resistances[index]
        return None if value is None else exact_text(value, "ohm")

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping of everything but the device and the numbers of the settings."""
        axes = (self.amplitudes, self.widths, self.initial_resistances)
        grid = {
            axis.name: [None if v is None else exact_text(v, axis.unit) for v in values]
            for axis, values in zip(AXES, axes, strict=True)
        }
        train = self.train(0, 0).to_dict()
        on_the_grid = {name for name in ("amplitude", "width") if name not in self.pulses}
        by_width = {"period"} - set(self.pulses)  # of each train its own
        for name in ("kind", *on_the_grid, *by_width):
            train.pop(name)
        return {
            "name": self.name,
            "description": self.description,
            "preset": self.settings.name,
            "pulses": train,
            "grid": grid,
            "cycles": self.cycles,
            "devices": self.devices,
            "seed": self.seed,
            "variability": "none" if self.variability is None else self.variability.to_dict(),
        }

    def seconds(self, points: int, workers: int) -> float:
        """Rough wall time of so many points on so many workers [s]."""
        each = SECONDS_A_PULSE.get(self.settings.name, SECONDS_A_PULSE["default"])
        return points * self.pulse_count * each / max(workers, 1)
