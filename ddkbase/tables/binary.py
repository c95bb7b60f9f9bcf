"""Tables from files that are no text: XLSX, MAT, NPZ and NPY."""

from __future__ import annotations

import importlib
import io
import itertools
import warnings
import zipfile
from collections.abc import Callable
from typing import Any, NoReturn

import h5py
import numpy as np

from ddkbase.errors import InputError, StorageError, closest, one_line, shorten
from ddkbase.files import too_large, unpacked_limit
from ddkbase.records import check_hdf5
from ddkbase.tables.mat_file import mat_arrays
from ddkbase.tables.rows import from_rows
from ddkbase.tables.table import (
    LARGEST,
    Cell,
    Column,
    FileOptions,
    Table,
    looks_numeric,
    printable,
)
from ddkbase.tables.units import split_unit

_CELLS = LARGEST // 8
_UNNAMED = "array"  # of a file of one array, which has no name
_UNIT_KEYS = ("units", "unit", "Units", "Unit", "UNITS", "UNIT")
_TIMES = 40  # how many times its size a workbook may take: its cells become objects
_SMALL = 5_000_000  # bytes of a workbook that is looked through for what is hidden


def read_xlsx(content: bytes, path: str, options: FileOptions) -> Table:
    """The table of one sheet of a workbook; needs openpyxl.

    Raises InputError: no openpyxl, no workbook, several sheets and none named, no numbers, a
    formula whose value was not saved.
    """
    sheet = options.sheet
    try:
        openpyxl: Any = importlib.import_module("openpyxl")  # optional
    except ImportError:
        raise InputError(
            "XLSX files need the package openpyxl, which is not installed",
            path,
            "Run pip install 'ddk-toolkit[spreadsheets]', or save the sheet as CSV",
        ) from None
    _refuse_bomb(content, path, "an XLSX workbook", _TIMES)

    def load(values: bool) -> Any:
        return openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=values)

    book = attempt(lambda: load(True), path, "an XLSX workbook")
    names = [s.title for s in book.worksheets]
    sheets = {name: attempt(lambda n=name: _cells(book[n]), path, "a readable sheet")  # type: ignore[misc]
              for name in names}  # fmt: skip
    filled = [name for name in names if sheets[name]]
    filled = [name for name in filled if _has_numbers(sheets[name])] or filled
    if isinstance(sheet, int) and not isinstance(sheet, bool):
        if not 1 <= sheet <= len(names):
            raise InputError(f"there is no sheet {sheet}", path, f"Sheets 1 to {len(names)}")
        title = names[sheet - 1]
    elif sheet is not None:
        if sheet not in sheets:
            raise InputError(
                f"there is no sheet {shorten(sheet)}", path, closest(str(sheet), names)
            )
        title = sheet
    elif len(filled) != 1:
        if not filled:
            raise InputError("holds no value", path, "A table of numbers is expected")
        raise InputError(
            f"{len(filled)} sheets hold data", path, "Pass sheet=...: " + ", ".join(filled[:12])
        )
    else:
        title = filled[0]
    where = f"{path}, sheet '{title}'"
    formulas = attempt(lambda: load(False), path, "an XLSX workbook")
    written = dict(attempt(lambda: _cells(formulas[title]), path, "a readable sheet"))
    for number, cells in sheets[title]:
        for k, cell in enumerate(written.get(number, [])):
            blank = k >= len(cells) or cells[k] is None
            if blank and isinstance(cell, str) and cell.startswith("="):
                raise InputError(
                    f"the value of the formula {shorten(cell)} was not saved",
                    f"{where}, row {number}, column {k + 1}",
                    "Open the file in a spreadsheet program and save it, or save it as CSV",
                )
    notes = (
        []
        if len(content) > _SMALL
        else attempt(
            lambda: _hidden(openpyxl.load_workbook(io.BytesIO(content))[title]),
            path,
            "a readable sheet",
        )
    )
    if len(names) > 1:
        others = [shorten(name, 40) for name in names if name != title]
        more = f" and {len(others) - 4} more" if len(others) > 5 else ""
        others = others[: 4 if more else 5]
        notes.insert(0, f"sheet {shorten(title, 40)}; not read: {', '.join(others)}{more}")
    return from_rows(sheets[title], where, "row", notes, options)


def _has_numbers(rows: list[tuple[int, list[Cell]]]) -> bool:
    """Whether a sheet may hold a table: three rows or more with a number."""
    numeric = (any(c is not None and looks_numeric(c) for c in cells) for _, cells in rows)
    return sum(itertools.islice(filter(None, numeric), 3)) == 3


def _hidden(sheet: Any) -> list[str]:
    """A note on columns and rows that whoever saved the sheet does not see, but that are read."""
    columns = [name for name, shape in sheet.column_dimensions.items() if shape.hidden]
    rows = [number for number, shape in sheet.row_dimensions.items() if shape.hidden]
    return [
        f"{what}s {', '.join(map(str, hidden[:8]))}{', ...' * (len(hidden) > 8)} are hidden in the "
        "sheet, and read like others"
        for what, hidden in (("column", columns), ("row", rows))
        if hidden
    ]


def _cells(sheet: Any) -> list[tuple[int, list[Cell]]]:
    """Rows that are not blank, with their numbers."""
    rows: list[tuple[int, list[Cell]]] = []
    count = 0
    sheet.reset_dimensions()  # what the file says of its size may be far beyond its last cell
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = [_cell(value) for value in row]
        count += len(cells) + 1  # blank ones and rows that are left out take time as well
        while cells and cells[-1] in (None, ""):
            cells.pop()
        if count > _CELLS:
            raise ValueError("too many cells")
        if cells:
            rows.append((number, cells))
    return rows


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return str(value)


def refuse_xls(content: bytes, path: str, options: FileOptions) -> NoReturn:
    """Raise InputError: the format of Excel before 2007 is not read."""
    raise InputError("is an old Excel file (XLS)", path, "Save it as XLSX or CSV")


def read_mat(content: bytes, path: str, options: FileOptions) -> Table:
    """The variables of a MATLAB file, structures unfolded; version 7.3 is read by h5py.

    Raises
    ------
    InputError
        No such file, several variables and none named.
    """
    if content[:4] == b"MATL" and b"MATLAB 7.3" in content[:128]:
        arrays = attempt(lambda: hdf5_arrays(content, path, True), path, "a MATLAB 7.3 file")
    else:
        limit = unpacked_limit(len(content), LARGEST)
        arrays = attempt(lambda: mat_arrays(content, limit), path, "a MATLAB file")
    return _from_arrays(arrays, path, options)


def read_hdf5(content: bytes, path: str, options: FileOptions) -> Table:
    """The arrays of an HDF5 file, in groups or not; attributes ``units`` are units.

    Raises InputError: no such file, several arrays and none named.
    """
    arrays = attempt(lambda: hdf5_arrays(content, path, False), path, "an HDF5 file")
    return _from_arrays(arrays, path, options)


def read_npz(content: bytes, path: str, options: FileOptions) -> Table:
    """The arrays of an NPZ or NPY file; pickled objects are refused."""
    if content[:2] == b"PK":
        _refuse_bomb(content, path, "an NPZ file")

    def load() -> dict[str, np.ndarray]:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {_UNNAMED: loaded}
        return {name: loaded[name] for name in loaded.files}

    return _from_arrays(attempt(load, path, "an NPZ or NPY file"), path, options)


def _from_arrays(arrays: dict[str, Any], path: str, options: FileOptions) -> Table:
    """Columns from named arrays: one matrix, or vectors of one length."""
    variable = options.variable
    # a damaged file has odd names
    arrays = {printable(name) or "?": value for name, value in arrays.items()}
    kinds = ", ".join(f"'{name}' is {_kind(value)}" for name, value in list(arrays.items())[:4])
    arrays = {n: a for name, value in arrays.items() for n, a in _fields(name, value, len(arrays))}
    usable: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        array = np.asarray(value)
        if array.dtype.kind in "fiu" and array.ndim > 0 and array.size > 1:
            array = array.reshape([n for n in array.shape if n != 1])
            if array.ndim <= 2:
                usable[name] = array
    if variable is not None and variable not in arrays:  # a group or a structure
        inside = {n.removeprefix(f"{variable}."): a for n, a in usable.items()}
        inside = {n: a for n, a in inside.items() if f"{variable}.{n}" in usable}
        arrays, usable, variable = (inside, inside, None) if inside else (arrays, usable, variable)
    if variable is not None:
        if variable not in arrays:
            raise InputError(
                f"there is no variable {shorten(variable)}", path, closest(str(variable), arrays)
            )
        if variable not in usable:
            raise InputError(
                f"variable {shorten(variable)} is no vector or matrix of numbers", path
            )
        usable = {variable: usable[variable]}
    if not usable:
        raise InputError(
            "holds no vector or matrix of real numbers" + (f": {kinds}" if kinds else ""),
            path,
            "Complex numbers, texts and arrays of structures or cells are not read: save columns",
        )
    lengths = {array.shape for array in usable.values()}
    recognised = {
        n: a for n, a in usable.items() if a.ndim == 1 and options.known(split_unit(n)[0])
    }
    if len(usable) == 1:
        name, array = next(iter(usable.items()))
        return _from_matrix(name, array, path, options.known)
    if len({a.shape for a in recognised.values()}) == 1 and any(
        options.wanted(split_unit(n)[0]) for n in recognised
    ):
        columns = recognised
    elif len(lengths) == 1 and next(iter(usable.values())).ndim == 1:
        columns = usable
    else:
        raise which_variable(list(usable), path)
    table = Table(path, [], range(1, next(iter(columns.values())).size + 1), "element")
    table.decimal_comma = False
    left = [n for n in usable if n not in columns]
    if left:
        table.assume("not used: variables " + ", ".join(left[:8]))
    for k, (name, array) in enumerate(columns.items()):
        heading, unit = split_unit(name)
        table.columns.append(Column(heading, unit, array.astype(float), k + 1))
    return table


def _kind(value: Any) -> str:
    """What an array is, in words, for a message."""
    array = np.asarray(value)
    if array.dtype.kind == "c":
        return "complex"
    if array.dtype.kind == "b":
        return "true or false"
    if array.dtype.kind in "SU":
        return "text"
    if array.dtype.kind not in "fiu":
        return f"an array of structures, cells or objects, {array.size} in number"
    return f"of shape {array.shape}"


def _fields(name: str, value: Any, count: int) -> list[tuple[str, Any]]:
    """The fields of an array of records by name, behind that of the array where it is not alone."""
    kinds = getattr(value, "dtype", np.dtype(float)).names
    if not kinds:
        return [(name, value)]
    return [(f"{name}.{kind}" if count > 1 else kind, value[kind]) for kind in kinds]


def _from_matrix(name: str, array: np.ndarray, path: str, known: Callable[[str], bool]) -> Table:
    heading, unit = split_unit(name)
    if array.ndim == 1:
        array = array[:, None]
    notes = []
    if array.shape[1] > array.shape[0]:
        array = array.T
        notes.append(f"variable '{name}': the longer dimension taken as pulses")
    table = Table(f"{path}, variable '{name}'", [], range(1, len(array) + 1), "row", False, notes)
    several = array.shape[1] > 1
    for k in range(array.shape[1]):
        # columns of one matrix share its unit; a number tells them apart
        title = f"{heading} {k + 1}" if several and (unit or known(heading)) else ""
        title = title if several else ("" if name == _UNNAMED else heading)
        table.columns.append(Column(title, unit, array[:, k].astype(float), k + 1))
    return table


def hdf5_arrays(content: bytes, path: str, transposed: bool) -> dict[str, Any]:
    """Arrays of numbers and records of an HDF5 file by name, groups joined by points.

    ``transposed``: axes stand the other way round, as MATLAB writes them.
    """
    arrays: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiuV" and "#" not in name:
            if item.size * len(item.dtype.names or "1") > _CELLS:
                raise ValueError("too many numbers")
            units = next((item.attrs[k] for k in _UNIT_KEYS if k in item.attrs), "")
            units = units.decode("utf-8", "replace") if isinstance(units, bytes) else units
            heading = name.replace("/", ".") + (
                f" ({units})" if isinstance(units, str) and units else ""
            )
            array = np.asarray(item[()])
            arrays[heading] = array.T if transposed else array

    check_hdf5(io.BytesIO(content), path)
    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(visit)
    return arrays


def _refuse_bomb(content: bytes, path: str, what: str, times: int = 100) -> None:
    def size() -> int:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return sum(info.file_size for info in archive.infolist())

    limit = unpacked_limit(len(content), 5 * LARGEST, times)
    if attempt(size, path, what) > limit:
        raise too_large(path, limit)


def attempt[T](work: Callable[[], T], path: str, what: str) -> T:
    """What ``work`` returns; whatever a library trips over means that the file is not ``what``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return work()
    except InputError:
        raise
    except StorageError as error:  # what a file may not do
        raise InputError(error.what, error.where, error.hint) from error
    except Exception as error:
        reason = one_line(str(error))[:120] or type(error).__name__
        raise InputError(f"is not {what}, or is damaged [{reason}]", path) from error


def which_variable(names: list[str], path: str) -> InputError:
    if not names:
        return InputError("holds no array of numbers", path)
    return InputError(
        "it is not clear which variable holds the pulses",
        path,
        "Pass variable=...: " + ", ".join(names[:12]),
    )
