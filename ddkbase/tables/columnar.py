"""Tables from Parquet and Feather files, by pyarrow: numbers, texts, lists of numbers."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import numpy as np

from ddkbase.errors import InputError, InstallationError, shorten
from ddkbase.files import too_large, unpacked_limit
from ddkbase.tables.binary import attempt
from ddkbase.tables.table import LARGEST, Cell, Column, FileOptions, Table, printable
from ddkbase.tables.units import split_unit

SIGNATURES = (b"PAR1", b"ARROW1", b"FEA1")
"""First bytes of Parquet, Feather, and Feather of before 2020."""
SUFFIXES = (".parquet", ".pq", ".feather", ".arrow")
"""Suffixes of their names."""

_INDEX = re.compile(r"__index_level_\d+__")
#: bytes that a file may unpack to
_MOST = 5 * LARGEST


def read_columnar(content: bytes, path: str, options: FileOptions) -> Table:
    """The columns of a Parquet or Feather file.

    Raises InputError: damaged, too large, without rows, or a column of something else than numbers
    and texts; InstallationError: pyarrow is not installed.
    """
    columns = _columns(content, path)
    for number, (name, values) in enumerate(columns, start=1):
        if isinstance(values, list) and any(isinstance(v, np.ndarray) for v in values):
            raise InputError(
                "holds lists", f"{path}, column {number} {shorten(name)}", "Give each value a row"
            )
    cells = [values for _, values in columns]
    table = Table(path, [], range(1, len(cells[0]) + 1), "row", False)
    for number, (name, values) in enumerate(columns, start=1):
        title = printable(name)
        table.columns.append(Column(*split_unit(title), values, number, title))
    return table


def list_columns(
    content: bytes, path: str
) -> dict[str, list[Cell] | np.ndarray | list[np.ndarray]]:
    """Columns by name where one or more hold lists of numbers; empty where none does.

    Lists of numbers are arrays of float64, NaN where a value is missing; other columns are cells.
    Raises InputError: as `read_columnar`, and where two columns have one name; InstallationError:
    pyarrow is not installed.
    """
    columns = _columns(content, path)
    if not any(isinstance(values[0], np.ndarray) for _, values in columns):
        return {}
    names = [printable(name) for name, _ in columns]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError(f"two columns have the name '{twice}'", path)
    return dict(zip(names, (v for _, v in columns), strict=True))


def _columns(content: bytes, path: str) -> list[tuple[str, Any]]:
    """Names and values: an array of numbers, a list of cells, or a list of arrays."""
    if content.startswith(b"FEA1"):
        raise InputError("is a Feather file of version 1", path, "Write it anew, or as CSV")
    library = _pyarrow()
    what = "a Parquet file" if content.startswith(b"PAR1") else "a Feather file"
    table = attempt(lambda: _read(library, content, path), path, what)
    if not table.num_rows or not table.num_columns:
        raise InputError("holds no row", path, "A table is expected")
    columns = []
    for number, (name, column) in enumerate(
        zip(table.column_names, table.columns, strict=True), start=1
    ):
        if _INDEX.fullmatch(str(name)):
            continue  # row numbers of pandas, which are no data
        where = f"{path}, column {number} {shorten(str(name))}"
        columns.append((str(name), attempt(lambda c=column, w=where: _values(library, c, w), path,  # type: ignore[misc]
                                           what)))  # fmt: skip
    return [*_named_range(table), *columns]


def _named_range(table: Any) -> list[tuple[str, np.ndarray]]:
    """The index of a pandas table that counts and has a name: it stands in the notes alone."""
    try:
        notes = json.loads((table.schema.metadata or {})[b"pandas"])
        index = notes["index_columns"][0]
        if index["kind"] != "range" or not index["name"]:
            return []
        values = np.arange(index["start"], index["stop"], index["step"], dtype=float)
    except (KeyError, IndexError, TypeError, ValueError):
        return []
    return [(str(index["name"]), values)] if len(values) == table.num_rows else []


def _read(library: Any, content: bytes, path: str) -> Any:
    """The table; a file may unpack to far more than it is, so the size is looked at on the way."""
    source = library.BufferReader(content)
    limit = unpacked_limit(len(content), _MOST)
    if content.startswith(b"PAR1"):
        parquet: Any = importlib.import_module("pyarrow.parquet")  # optional
        schema = parquet.read_schema(source)
        # a text that stands in many rows stays one
        texts = [f.name for f in schema if f.type in (library.string(), library.large_string())]
        source.seek(0)
        file = parquet.ParquetFile(source, read_dictionary=texts)
        groups = [file.metadata.row_group(k) for k in range(file.metadata.num_row_groups)]
        batches = file.iter_batches()
        if sum(group.total_byte_size for group in groups) > limit:
            raise too_large(path, limit)
        schema = file.schema_arrow
    else:
        reader: Any = importlib.import_module("pyarrow.ipc").open_file(source)  # optional
        batches = (reader.get_batch(k) for k in range(reader.num_record_batches))
        schema = reader.schema
    size, gathered = 0, []
    for batch in batches:
        size += batch.nbytes
        if size > limit:
            raise too_large(path, limit)
        batch.validate(full=True)
        gathered.append(batch)
    return library.Table.from_batches(gathered, schema)


def _values(library: Any, column: Any, where: str) -> Any:
    """Values of a column. InputError for what is neither number, text nor list of numbers."""
    types, kind = library.types, column.type
    if types.is_dictionary(kind) and _is_text(types, kind.value_type):
        return _words(column)
    if types.is_dictionary(kind):  # a category of pandas
        column = column.cast(kind.value_type)
        kind = column.type
    if types.is_boolean(kind):
        column = column.cast(library.int8())
        kind = column.type
    if types.is_integer(kind) or types.is_floating(kind):
        return np.array(column.cast(library.float64(), safe=False).to_numpy(), dtype=float)
    if _is_text(types, kind):
        return column.to_pylist()
    if types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind):
        return column.cast(library.string()).to_pylist()
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inner = kind.value_type
        if types.is_integer(inner) or types.is_floating(inner):
            return _lists(column, where)
    raise InputError(f"is of kind {shorten(str(kind))}", where, "Numbers or texts are expected")


def _is_text(types: Any, kind: Any) -> bool:
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _words(column: Any) -> list[Cell]:
    """Texts of a column that refers to a list of them; each is one object, in however many rows."""
    cells: list[Cell] = []
    for chunk in column.chunks:
        words = chunk.dictionary.to_pylist()
        cells += [None if k is None else words[k] for k in chunk.indices.to_pylist()]
    return cells


def _lists(column: Any, where: str) -> list[np.ndarray]:
    lists = []
    for row, values in enumerate(column, start=1):
        if not values.is_valid:
            raise InputError("there is no list", f"{where}, row {row}")
        lists.append(np.array(values.values.to_numpy(zero_copy_only=False), dtype=float))
    return lists


def _pyarrow() -> Any:
    try:
        return importlib.import_module("pyarrow")  # optional
    except ImportError:
        raise InstallationError(
            "Parquet and Feather files need the package pyarrow, which is not installed",
            "parquet",
            "Run pip install 'ddk-toolkit[parquet]', or save the table as CSV",
        ) from None
