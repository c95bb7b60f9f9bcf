"""Tables that are no pulse trains, though their columns are named as those of trains would be.

Endurance, distributions over cells, single pulses, trains in rows: fitted as trains each would give
numbers without complaint. What the user says of the columns counts more than what is seen here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from compact.measured.headings import VALUES, role_of
from ddkbase.errors import InputError, shorten
from ddkbase.tables.table import Column, Table, is_empty
from ddkbase.tables.units import quantity_of, read_voltage

__all__ = [
    "AFTER",
    "BEFORE",
    "plain_numbers",
    "refuse_another_axis",
    "refuse_frequencies",
    "refuse_gates",
    "refuse_other_tables",
    "refuse_single_values",
    "refuse_states",
    "refuse_trains_in_rows",
    "refuse_unread_unit",
    "titles_of",
]

#: words of a heading that say that a read was made before a pulse
BEFORE = {
    "before", "initial", "init", "ini", "pre", "start", "previous", "prev", "old", "prior",
    "vorher", "avant", "antes", "prima", "\u524d", "\u0434\u043e",
}  # fmt: skip
#: and after it
AFTER = {
    "after", "final", "fin", "post", "posterior", "end", "next", "new",
    "nachher", "apr\u00e8s", "despu\u00e9s", "depois", "dopo", "\u540e", "\u5f8c",
    "\u043f\u043e\u0441\u043b\u0435",
}  # fmt: skip
_SHOWN = 4  # columns that a message names
#: words and signs of a unit, and of what may have been one
_UNIT_WORD = re.compile(
    r"(?i:(?<![a-z])[kmgun]?-?ohms?\b|siemens|\bamp(?:ere)?s?\b)|\u6b27|\u897f\u95e8|\u30aa\u30fc\u30e0|\uc634|\u041e\u043c|\u0421\u043c|[\u03a9\u2126]|\b[kMGmunU\u00b5\u03bc]?[SA]\b|[?\ufffd]|^\s*G_?[0\u2080]\s*$|^\s*2e\^?2\s*$"
)
_FACTOR = re.compile(
    r"^\d+(?:\.\d+)?\s*[x*\u00d7\u00b7]|[x*\u00d7\u00b7]\s*(?:1[eE][+-]?\d|10\s*(?:\^|\*\*)?\s*[+-]?\d)"
)
#: words of what a cell was to be brought to, which is no count of pulses
_TARGETS = {"target", "goal", "setpoint", "nominal"}
_APART = 1.5  # times by which conductance times resistance may vary from row to row
#: voltages of a gate
_GATES = {"vg", "vgs", "vgate", "ug"}
_SUMMARY = 2  # rows of a name up to which they are values of it, not reads that follow each other
_POLARITIES = 2  # voltages with which a gate writes and erases
_INTERVALS = {"interval", "delta", "delay", "dt", "isi", "\u0394t", "spacing"}
_FEW = 5  # rows from which a column may be an axis
_LEVELS = {"level", "state", "levels", "states"}
_MANY = 8  # columns of values from which trains may stand in rows
_UNCHAINED = 0.1  # share of the range by which a read may differ from the one before the next pulse
_HERTZ = re.compile(r"\b[kMG]?Hz\b")
_HIGH = re.compile(r"(?i)hrs|reset_?r|hcs|off|high|high[ _]?resistance.*")
_LOW = re.compile(r"(?i)lrs|set_?r|lcs|on|low|low[ _]?resistance.*")
_RANKS = {"quantile", "percentile", "quartile", "rank", "percent", "yield"}
#: words for the same values in another state of treatment
_TREATED = {
    "raw", "corrected", "smoothed", "smooth", "filtered", "averaged", "2wire", "4wire", "2w", "4w",
    "2pt", "4pt", "2point", "4point", "2probe", "4probe", "uncorrected", "original", "interpolated",
}  # fmt: skip


def titles_of(columns: Sequence[Column]) -> str:
    """The first columns by number and heading, for a message."""
    return ", ".join(c.title for c in columns[:_SHOWN]) + (", ..." if len(columns) > _SHOWN else "")


def plain_numbers(column: Column) -> np.ndarray:
    """The numbers of a column without units, NaN where there is none."""

    def number(cell: object) -> float:
        try:
            return float(str(cell).replace(",", "."))
        except ValueError:
            return float("nan")

    return np.array([number(c) for c in column.cells])


def refuse_trains_in_rows(table: Table, values: Sequence[Column], wide: bool | None) -> None:
    """Refuse a table that has many more columns of values than rows, unless ``wide`` says so.

    Raises
    ------
    InputError
        It seems to be transposed.
    """
    rows = len(table.lines)
    if wide is None and len(values) >= _MANY and len(values) > 2 * rows:
        raise InputError(
            f"{len(values)} columns of values, and only {rows} {table.row}s: the trains seem to "
            "stand in rows",
            table.path,
            "Transpose it, so that a row is a pulse; or pass wide=True if each column is a train",
        )


def refuse_other_tables(
    table: Table,
    values: Sequence[Column],
    pulse: Column | None,
    train: Sequence[Column],
    told: bool,
) -> None:
    """Refuse what is no table of pulse trains.

    Parameters
    ----------
    table : Table
        All columns.
    values : sequence of Column
        Those taken for trains, by their headings.
    pulse : Column or None
        The pulse numbers.
    train : sequence of Column
        Those that tell trains apart.
    told : bool
        Whether the user said which column numbers the pulses.

    Raises
    ------
    InputError
        A distribution, single pulses, one value of each cell, the
        same values twice, pulse numbers that differ.
    """
    _refuse_treated(table, values)
    _refuse_read_twice(table, values)
    _note_contradiction(table, values)
    if not told:
        _refuse_pulses_apart(table, pulse)
    if pulse is not None:
        return
    for column in table.columns:
        if role_of(column.name) == "statistic" or _is_share(column) or _is_rank(column):
            raise InputError(
                f"{column.title} is of a distribution: values over cells, no reads after pulses",
                table.path,
                "Name the columns with pulse=... and conductance=... if it is a train all the same",
            )
    refuse_single_values(table, train)
    if len(values) == 1:
        _refuse_levels(table, values[0])
        _refuse_single_pulses(table, values[0])


def refuse_another_axis(table: Table, beside: Sequence[Column]) -> None:
    """Refuse values over something else than pulses, of a table that does not number these.

    Parameters
    ----------
    table : Table
        All columns.
    beside : sequence of Column
        Those that have no part, and a time.

    Raises
    ------
    InputError
        One of them rises or falls from row to row, and does not count by one.
    """
    for column in beside:
        values = plain_numbers(column)
        if not _is_another_in_each_row(values):
            continue
        steps = np.diff(values)
        name = column.name.strip().lower()
        has_unit = bool(column.unit) or bool(re.search(r"[(\[]\s*[^()\[\]]+[)\]]", name))
        counts = bool((steps == 1).all()) and not has_unit
        if not ((steps > 0).all() or (steps < 0).all()) or counts or not name:
            continue
        measures = quantity_of(column.unit) if column.unit else None
        role = role_of(column.name)
        if role in (*VALUES, "spread", "extreme") or ("puls" in name and values.max() <= 1):
            continue
        if (role == "time" or measures == "s") and not _words(column) & _INTERVALS:
            continue  # when reads were made
        targets = bool(_words(column) & _TARGETS)
        if role == "derived" and measures not in ("A", "V", "s") and not targets:
            continue
        raise InputError(
            f"{column.title} goes from {values[0]:g} to {values[-1]:g}, row by row: the values are "
            "over it, it seems, not after equal pulses",
            table.path,
            "Pass pulse=... if it counts pulses, or leave the column out",
        )


def refuse_frequencies(table: Table, beside: Sequence[Column]) -> None:
    """Refuse values over a frequency, though a column may count the rows.

    Raises InputError: one of the columns that have no part is a frequency, another in each row.
    """
    for column in beside:
        if not (_words(column) & {"freq", "frequency"} or _HERTZ.search(column.heading)):
            continue
        values = plain_numbers(column)
        if _is_another_in_each_row(values):
            raise InputError(
                f"{column.title} goes from {values[0]:g} to {values[-1]:g}, row by row: the values "
                "are over a frequency, not after equal pulses",
                table.path,
                "Pass pulse=... if a column counts pulses",
            )


def refuse_gates(table: Table, beside: Sequence[Column]) -> None:
    """Refuse values at several voltages of a gate, of a table that does not number pulses.

    Two are those of writing and erasing; more are transfer curves, or a staircase of the gate.
    Raises InputError: one of the columns that have no part is a voltage of a gate, and holds three
    or more.
    """
    for column in beside:
        measures = quantity_of(column.unit) if column.unit else "V"
        words = _words(column)
        if measures != "V" or not (
            words & _GATES or ("gate" in words and words & {"v", "u", "voltage", "bias"})
        ):
            continue
        values = plain_numbers(column)
        if np.unique(values[np.isfinite(values)]).size > _POLARITIES:
            raise InputError(
                f"{column.title} goes from {np.nanmin(values):g} to {np.nanmax(values):g}: values "
                "at several voltages of a gate, not after equal pulses",
                table.path,
                "Leave the rows of one voltage alone, or pass pulse=... if a column counts pulses",
            )


def refuse_unread_unit(table: Table, column: Column) -> None:
    """Refuse numbers whose heading has a unit that is not understood: they are not relative.

    Raises InputError: a bracket in the heading holds what may be a unit, or the heading a factor.
    """
    if _FACTOR.search(column.name):
        raise InputError(
            "the heading has a factor: it is not said whether the numbers hold it already",
            table.where(column),
            "Pass units='...', with the factor, e.g. 'kohm'",
        )
    brackets = [
        text
        for text in re.split(r"[()\[\]{}]|/(?=\s*\w)(?!G_?0\b)", column.name)[1:]
        if text.strip()
    ]
    odd = next((text.strip() for text in brackets if _UNIT_WORD.search(text)), "")
    if odd:
        raise InputError(
            f"the unit {shorten(odd)} is not understood",
            table.where(column),
            "Pass units='...', e.g. 'kohm' or 'uS'; 'normalised' if the numbers have none",
        )


def _is_another_in_each_row(values: np.ndarray) -> bool:
    """Whether values may be an axis: enough of them, finite, each other than the one before."""
    return bool(values.size >= _FEW and np.isfinite(values).all() and (np.diff(values) != 0).all())


def _words(column: Column) -> set[str]:
    text = re.sub(r"(?i)\b([24])[\s-](?=(wire|pt|point|probe|w)\b)", r"\1", column.name)
    return {w for w in re.split(r"[\W_]+", text.lower()) if w}


def _state(column: Column) -> str:
    """Which state a heading names: "high", "low", or none."""
    name = re.sub(r"^(?i:resistance|current|conductance|[RGI])[\s_]*", "", column.name).strip(
        "()[] "
    )
    for word in (name, *_words(column)):
        if _HIGH.fullmatch(word):
            return "high"
        if _LOW.fullmatch(word):
            return "low"
    return ""


def refuse_states(table: Table, values: Sequence[Column]) -> None:
    """Refuse high and low states side by side.

    Raises
    ------
    InputError
        One heading names the high state, another the low one.
    """
    states = {_state(column): column for column in values}
    if "high" in states and "low" in states:
        raise InputError(
            f"{states['high'].title} and {states['low'].title} are the two states of a cell, side "
            "by side: endurance or retention, no trains of equal pulses",
            table.path,
            "Name one of them with resistance=... if it is a train",
        )


def _refuse_treated(table: Table, values: Sequence[Column]) -> None:
    rest: dict[frozenset[str], Column] = {}
    for column in values:
        words = _words(column)
        key = frozenset(words - _TREATED)
        other = rest.setdefault(key, column)
        if other is not column and (words | _words(other)) & _TREATED and words != _words(other):
            raise InputError(
                f"{other.title} and {column.title} are the same values, treated in two ways",
                table.path,
                "Name one of them with conductance=..., resistance=... or current=...",
            )


def _refuse_read_twice(table: Table, values: Sequence[Column]) -> None:
    """Refuse reads of the same pulses at two voltages, which would count as two trains."""
    volts: dict[str, tuple[str, Column]] = {}
    for column in values:
        if role_of(column.name) != "current":  # "G (uS) @ -1.5 V" may be of pulses of that height
            continue
        said = read_voltage(column.heading)
        before, other = volts.setdefault(column.name.lower(), (said, column))
        if said and before and said != before:
            raise InputError(
                f"{other.title} and {column.title} are reads of the same pulses, at {before} and "
                f"{said}",
                table.path,
                "Name one of them by its number with current=..., or pass wide=True",
            )


def _note_contradiction(table: Table, values: Sequence[Column]) -> None:
    """Say where a resistance stands beside a conductance and is not its inverse."""
    if len(values) != 1 or role_of(values[0].name) != "conductance":
        return
    conductance = plain_numbers(values[0])
    for column in table.columns:
        if role_of(column.name) == "resistance" and not _words(column) & BEFORE:
            product = np.abs(conductance * plain_numbers(column))
            product = product[np.isfinite(product) & (product > 0)]
            if product.size and product.max() > _APART * product.min():
                table.assume(
                    f"{column.title} is not the inverse of {values[0].title}: which holds?"
                )


def _refuse_pulses_apart(table: Table, pulse: Column | None) -> None:
    """Refuse a second column of pulse numbers that says something else."""
    if pulse is None or "puls" not in pulse.name.lower():
        return
    first = plain_numbers(pulse)
    for column in table.columns:
        if column is pulse or role_of(column.name) != "pulse" or "puls" not in column.name.lower():
            continue
        second = plain_numbers(column)
        both = np.isfinite(first) & np.isfinite(second)
        if (first[both] != second[both]).any() or (np.isfinite(second) & ~both).any():
            raise InputError(
                f"{pulse.title} and {column.title} number the pulses differently",
                table.path,
                "Give each train a file of its own, or say which numbers count with pulse=...",
            )


def _is_share(column: Column) -> bool:
    """Whether a column "F" holds shares from 0 to 1, as an empirical distribution has them."""
    if column.name.strip().lower() not in ("f", "p", "f(x)"):
        return False
    values = plain_numbers(column)
    return bool(np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all())


def _is_rank(column: Column) -> bool:
    words = _words(column)
    return bool(words & _RANKS) and words <= _RANKS | {"of", "the"}


def refuse_single_values(table: Table, train: Sequence[Column]) -> None:
    """Refuse a table in which no name has more than two rows and none has a pulse number.

    Parameters
    ----------
    table : Table
        All columns.
    train : sequence of Column
        Those that tell trains apart.

    Raises
    ------
    InputError
        One or two values of each name.
    """
    if not train or len(table.lines) < 3:
        return
    most = max(Counter(map(str, zip(*(c.cells for c in train), strict=True))).values())
    if most > _SUMMARY or any(map(is_empty, train[0].cells)):
        return
    what = (
        f"is another in each {table.row}: one value of each"
        if most == 1
        else f"names no more than {most} {table.row}s each: values of each"
    )
    raise InputError(
        f"{train[0].title} {what}, no reads after pulses",
        table.path,
        f"Pass pulse='{train[0].name}' if that column counts the pulses",
    )


def _refuse_levels(table: Table, values: Column) -> None:
    """Refuse reads of several states that a column numbers or names, each for some rows."""
    for column in table.columns:
        if not _words(column) & _LEVELS or column is values:
            continue
        cells = list(map(str, column.cells))
        runs = 1 + sum(a != b for a, b in pairwise(cells))
        if 1 < runs == len(set(cells)) and len(cells) >= _FEW * runs:
            raise InputError(
                f"{column.title} goes through {runs} states, with several {table.row}s of each: "
                "reads of states, not after pulses",
                table.path,
                f"Pass train='{column.name}' if each is a train, or pulse=... if a column counts "
                "pulses",
            )


def _refuse_single_pulses(table: Table, after: Column) -> None:
    """Refuse reads before and after pulses that do not follow each other."""
    before = [
        c
        for c in table.columns
        if c is not after and _words(c) & BEFORE and role_of(c.name) == role_of(after.name)
    ]
    if len(before) != 1 or not role_of(after.name):
        return
    reads, first = plain_numbers(after), plain_numbers(before[0])
    gaps = np.abs(first[1:] - reads[:-1])
    gaps = gaps[np.isfinite(gaps)]
    everything = np.concatenate([reads, first])
    everything = everything[np.isfinite(everything)]
    if gaps.size and np.median(gaps) > _UNCHAINED * np.ptp(everything):
        raise InputError(
            f"{before[0].title} is not the {after.title} of the {table.row} before: single pulses, "
            "no train",
            table.path,
            "Fit them with ddk-compact updates (compact.read_updates)",
        )
