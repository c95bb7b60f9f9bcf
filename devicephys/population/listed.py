"""Devices that are listed, one a row, instead of drawn: what fits of several cells, or samples of a
posterior, make of the parameters of one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from ddkbase.tables.reading import file_content, table_of
from ddkbase.tables.table import FileOptions, numbers
from devicephys.device import Device

__all__ = ["ListedDevices"]

#: most devices of a list
MOST = 100_000
_HEADING = re.compile(r"(?P<path>[^()\[\]]+?)\s*(?:[(\[](?P<unit>[^()\[\]]*)[)\]])?")


@dataclass(frozen=True)
class ListedDevices:
    """Parameters of devices, one device a row.

    Parameters
    ----------
    paths : tuple of str
        Dotted paths of the parameters, as of ``Device.with_``.
    units : tuple of str
        The unit of each.
    values : tuple of tuple of float
        One row a device, in these units.
    source : str, default ""
        Where they are from, for messages and the provenance of the devices.
    """

    paths: tuple[str, ...]
    units: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    source: str = ""

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Read a table with a column for each parameter, such as ``filament.radius (nm)``.

        Parameters
        ----------
        path : str or Path
            CSV or another table that the toolkit reads; headings are dotted paths with their units.
            ``ddk-device fit`` writes such a file, ``population.csv``.

        Raises
        ------
        InputError
            A heading without a path, a cell that is no number, two columns of one parameter.
        StorageError
            The file cannot be read.
        """
        table = table_of(file_content(path), str(path), FileOptions())
        paths: list[str] = []
        units, columns = [], []
        for column in table.columns:
            parts = _HEADING.fullmatch(" ".join((column.heading or column.name).split()))
            if parts is None or parts["path"] in paths:
                raise InputError(
                    "is no parameter" if parts is None else f"{parts['path']} has two columns",
                    table.where(column),
                    "Head each column with a dotted path of ddk-device show-device and its unit, "
                    "e.g. filament.radius (nm)",
                )
            values = np.asarray(numbers(table, column, "1", "1"), dtype=float)
            if not np.all(np.isfinite(values)):
                where = table.where(column, int(np.flatnonzero(~np.isfinite(values))[0]))
                raise InputError("is empty", where, "Give each device a value")
            paths.append(parts["path"])
            units.append(parts["unit"] or column.unit)
            columns.append(values.tolist())
        rows = tuple(zip(*columns, strict=True))
        if not 0 < len(rows) <= MOST:
            raise InputError(f"{len(rows)} devices are listed", str(path), f"List 1 to {MOST}")
        return cls(tuple(paths), tuple(units), rows, Path(path).name)

    def check(self, device: Device) -> None:
        """InputError for a column that is no parameter of ``device``, or a row that makes none."""
        for path in self.paths:
            if path not in device.provenance:
                raise InputError(
                    f"{shorten(path)} is no parameter of {device.name}",
                    f"population: {self.source}",
                    closest(path, device.provenance),
                )
        for number in range(len(self)):
            self.device(device, number)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """A list from what ``to_dict`` gave.

        Parameters
        ----------
        plain : mapping
            ``paths``, ``units``, ``values`` and ``source``.
        """
        rows = tuple(tuple(map(float, row)) for row in plain["values"])
        return cls(tuple(plain["paths"]), tuple(plain["units"]), rows, str(plain["source"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and texts."""
        return {
            "paths": list(self.paths),
            "units": list(self.units),
            "values": [list(row) for row in self.values],
            "source": self.source,
        }

    def to_csv(self) -> str:
        """Text of a file that ``from_file`` reads."""
        heads = (f"{path} ({unit})" for path, unit in zip(self.paths, self.units, strict=True))
        rows = (",".join(f"{value:.10g}" for value in row) for row in self.values)
        return "\n".join([",".join(heads), *rows, ""])

    def device(self, device: Device, number: int) -> Device:
        """The device ``number`` (from 0) of the list, made of ``device``.

        Raises
        ------
        InputError
            The row makes no device.
        """
        row = zip(self.paths, self.units, self.values[number], strict=True)
        source = f"listed: {self.source}, device {number}"
        changes = {
            path: {"value": f"{value!r} {unit}", "mark": "calibrated", "source": source}
            for path, unit, value in row
        }
        try:
            return device.with_(changes)
        except InputError as error:
            where = f"population: {self.source}, device {number + 1}, {error.where}"
            raise InputError(error.what, where, error.hint) from None
