"""Which rows of a table belong to one train: by columns, by pulse settings, by pulse numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compact.measured.headings import QUANTITY
from compact.measured.roles import Roles
from ddkbase.tables.table import (
    Cell,
    Column,
    Table,
    has_units_in_cells,
    is_empty,
    numbers,
    printable,
)
from ddkbase.units import format_si

__all__ = ["Settings", "group_rows", "label_of", "labels_of", "read_settings"]

_SHORTEST = 3  # rows at one setting that make a train
_EQUAL = 0.01  # share by which a setting may vary within a train of equal pulses


class Settings:
    """Amplitude and width of each row, as far as the table has them.

    Attributes
    ----------
    known : dict of str to ndarray
        Those with a unit, in V and s.
    all : dict of str to ndarray
        All of them, those without a unit as they stand.
    """

    def __init__(self, known: dict[str, np.ndarray], every: dict[str, np.ndarray]) -> None:
        self.known, self.all = known, every

    def blocks(self, rows: np.ndarray) -> np.ndarray:
        """A number for each of ``rows``, the same where all settings are."""
        if not self.all:
            return np.zeros(rows.size, int)
        array = np.stack([_filled(values[rows]) for values in self.all.values()], axis=1)
        if not (array != array[0]).any():
            return np.zeros(rows.size, int)
        return np.unique(array, axis=0, return_inverse=True)[1].reshape(-1)

    def varied(self, rows: np.ndarray) -> str:
        """What is not the same at all ``rows``, with its range; empty if nothing."""
        for name, values in self.all.items():
            inside = _filled(values[rows])
            inside = inside[np.isfinite(inside)]
            if inside.size and np.ptp(inside) > _EQUAL * np.abs(inside).max():
                ends = (inside[0], inside[-1]) if inside[0] != inside[-1] else (
                    inside.min(), inside.max()
                )  # fmt: skip
                if name in self.known:
                    first, last = (format_si(float(v), QUANTITY[name]) for v in ends)
                else:
                    first, last = (f"{v:.4g}" for v in ends)
                return f"{name} from {first} to {last}"
        return ""

    def text(self, row: int) -> str:
        """The settings of a row, for the name of its train."""
        parts = []
        for name, values in self.all.items():
            known = name in self.known
            value = format_si(float(values[row]), QUANTITY[name]) if known else f"{values[row]:.4g}"
            parts.append(f"{name} {value}")
        return ", ".join(parts)


def _filled(values: np.ndarray) -> np.ndarray:
    """Settings with those of a read before the first pulse (none, or zero) as after it."""
    values = values.copy()
    if values.size > 1 and (values[0] == 0 or not np.isfinite(values[0])):
        values[0] = values[1]
    return np.where(np.isfinite(values), values, np.nanmedian(values) if np.isfinite(values).any()
                    else 0.0)  # fmt: skip


def read_settings(table: Table, roles: Roles, units: dict[str, str]) -> Settings:
    """Amplitude and width of each row.

    Raises
    ------
    InputError
        A cell that is no number.
    """
    known, every = {}, {}
    for name in ("amplitude", "width"):
        column: Column | None = getattr(roles, name)
        if column is None:
            continue
        if column.unit or units.get(name) or has_units_in_cells(column):
            known[name] = every[name] = numbers(table, column, QUANTITY[name], units.get(name))
        else:
            table.assume(f"{column.title} has no unit: not used")
            every[name] = numbers(table, column, "1", "")
    return Settings(known, every)


def label_of(cell: str | float | None) -> str:
    """The name of a group that a cell gives it."""
    if is_empty(cell):
        return "without a name"
    return f"{cell:g}" if isinstance(cell, float) else printable(str(cell))


def labels_of(cells: Sequence[Cell] | np.ndarray) -> list[str]:
    """`label_of` of each cell, of a name that stands in a thousand rows once."""
    names: dict[Cell, str] = {}
    out = []
    for cell in cells:
        name = names.get(cell)
        if name is None:
            name = names[cell] = label_of(cell)
        out.append(name)
    return out


def group_rows(
    table: Table, keys: list[list[str]], pulses: np.ndarray | None, settings: Settings, count: int
) -> list[tuple[tuple[str, ...], str, np.ndarray]]:
    """Labels by column, what else tells a train apart, and rows (n,) of each train.

    Parameters
    ----------
    keys : list of list of str
        A label a row, of each column that tells trains apart.
    pulses : ndarray or None
        Pulse number of each row.
    settings : Settings
        Amplitudes and widths.
    count : int
        Number of rows.
    """
    groups: list[tuple[tuple[str, ...], np.ndarray]] = [((), np.arange(count))]
    if keys:
        rows_of: dict[tuple[str, ...], list[int]] = {}
        for row, key in enumerate(zip(*keys, strict=True)):
            rows_of.setdefault(key, []).append(row)
        groups = [(key, np.array(rows)) for key, rows in rows_of.items()]
    out = []
    restarts = 0
    for key, rows in groups:
        for part, setting in _by_setting(rows, pulses, settings):
            runs = _runs(part, pulses)
            restarts += len(runs) > 1
            for k, run in enumerate(runs):
                name = f"run {k + 1}" if len(runs) > 1 else ""
                out.append((key, ", ".join(t for t in (setting, name) if t), run))
    if restarts:
        table.assume("where the pulse numbers begin anew another train begins")
    return out


def _by_setting(
    rows: np.ndarray, pulses: np.ndarray | None, settings: Settings
) -> list[tuple[np.ndarray, str]]:
    """Rows of each setting, where settings stay for several rows or the numbers stand twice."""
    block = settings.blocks(rows)
    if not block.any():
        return [(rows, "")]
    edges = np.flatnonzero(np.diff(block)) + 1
    pieces = np.split(rows, edges)
    if min(piece.size for piece in pieces) < _SHORTEST:
        pieces = [rows[block == k] for k in np.unique(block)]
        if (
            pulses is None
            or np.unique(pulses[rows]).size == rows.size
            or min(piece.size for piece in pieces) < _SHORTEST
            or any(np.ptp(pulses[piece]) == 0 for piece in pieces)  # a staircase, anew and anew
        ):
            return [(rows, "")]
    return [(piece, settings.text(int(piece[-1]))) for piece in pieces]


def _runs(rows: np.ndarray, pulses: np.ndarray | None) -> list[np.ndarray]:
    """Rows parted where the pulse numbers begin anew: each part rises from the same number."""
    if pulses is None:
        return [rows]
    order = pulses[rows]
    if np.unique(order).size == order.size:
        return [rows]
    edges = np.flatnonzero(np.diff(order) <= 0) + 1
    runs = np.split(rows, edges)
    firsts = [pulses[run[0]] for run in runs]
    if len(set(firsts)) > 1 or min(run.size for run in runs) < 2:
        return [rows]
    return runs
