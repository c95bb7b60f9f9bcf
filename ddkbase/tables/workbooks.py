"""Tables from sheets of workbooks: XLSX by openpyxl, and XLS of Excel before 2007 by xlrd."""

from __future__ import annotations

import importlib
import io
import itertools
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ddkbase.errors import InputError, closest, shorten
from ddkbase.files import too_large, unpacked_limit
from ddkbase.tables.binary import attempt, refuse_bomb
from ddkbase.tables.instruments import keithley_units
from ddkbase.tables.rows import Row, from_rows
from ddkbase.tables.table import LARGEST, Cell, FileOptions, Table, looks_numeric

OLD = (
    b"\xd0\xcf\x11\xe0",  # a compound document
    b"\x09\x08\x10\x00\x00\x06",  # the stream of a workbook without one, of Excel 97, 5, 4, 3, 2
    b"\x09\x08\x08\x00\x00\x05",
    b"\x09\x04\x06\x00",
    b"\x09\x02\x06\x00",
    b"\x09\x00\x04\x00",
)
"""First bytes of XLS files; a compound document may be something else, too."""

_CELLS = LARGEST // 8
_TIMES = 40  # how many times its size a workbook may take: its cells become objects
_SMALL = 5_000_000  # bytes of a workbook that is looked through for what is hidden
_CELL = 16  # bytes that a cell of an XLS file takes at least, an empty one before others, too
_FORMULA, _TEXT = 6, 3  # a record of an XLS file, and what it holds where there is no value
#: what a workbook that is encrypted holds in its stead
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
#: sheets that Clarius, of Keithley, writes beside that with the data
_BESIDE = {"calc", "settings"}


def read_xlsx(content: bytes, path: str, options: FileOptions) -> Table:
    """The table of one sheet of a workbook; needs openpyxl.

    Raises InputError: no openpyxl, no workbook, several sheets and none named, no numbers, a
    formula whose value was not saved.
    """
    openpyxl = _library("openpyxl", "XLSX", path)
    refuse_bomb(content, path, "an XLSX workbook", _TIMES)

    def load(values: bool) -> Any:
        return openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=values)

    book = attempt(lambda: load(True), path, "an XLSX workbook")
    sheets = {
        sheet.title: attempt(lambda s=sheet: _cells(s), path, "a readable sheet")  # type: ignore[misc]
        for sheet in book.worksheets
    }
    title, where, notes = _chosen(sheets, path, options)
    formulas = attempt(lambda: load(False), path, "an XLSX workbook")
    written = dict(attempt(lambda: _cells(formulas[title]), path, "a readable sheet"))
    for number, cells in sheets[title]:
        for k, cell in enumerate(written.get(number, [])):
            blank = k >= len(cells) or cells[k] is None
            if blank and isinstance(cell, str) and cell.startswith("="):
                raise _not_saved(f"the formula {shorten(cell)}", where, number, k)
    if len(content) <= _SMALL:
        sheet = attempt(lambda: openpyxl.load_workbook(io.BytesIO(content))[title], path,
                        "a readable sheet")  # fmt: skip
        notes += _hidden(
            [name for name, shape in sheet.column_dimensions.items() if shape.hidden],
            [number for number, shape in sheet.row_dimensions.items() if shape.hidden],
        )
    return _table(sheets, title, where, notes, options)


def read_xls(content: bytes, path: str, options: FileOptions) -> Table:
    """The table of one sheet of a workbook of Excel before 2007; needs xlrd.

    Raises InputError: no xlrd, no such workbook, encrypted, several sheets and none named, no
    numbers, a formula whose value was not saved; StorageError: it takes far more memory than its
    size.
    """
    if _ENCRYPTED in content:
        raise _encrypted(path)
    xlrd = _library("xlrd", "XLS", path)

    def load(shapes: bool = False) -> Any:
        try:
            return xlrd.open_workbook(
                file_contents=content,
                logfile=io.StringIO(),  # its remarks on files that are not quite right
                on_demand=True,
                ragged_rows=True,
                formatting_info=shapes,
                encoding_override=options.encoding,
            )
        except xlrd.XLRDError as error:
            if "encrypted" in str(error):
                raise _encrypted(path) from error
            raise

    limit = unpacked_limit(len(content), 5 * LARGEST, _TIMES)
    sheets = dict[str, list[Row]]()
    empty = dict[str, set[tuple[int, int]]]()  # places of texts without a sign
    count = 0

    def read(name: str) -> int:
        sheet = book.sheet_by_name(name)
        size = sum(map(sheet.row_len, range(sheet.nrows)))
        if (count + size) * _CELL > limit:
            raise too_large(path, limit)
        rows = [
            [_of_xls(xlrd, book.datemode, cell) for cell in sheet.row(k)]
            for k in range(sheet.nrows)
        ]
        empty[name] = {
            (k, n) for k, cells in enumerate(rows) for n, c in enumerate(cells) if c == ""
        }
        sheets[name] = _filled(rows)
        book.unload_sheet(name)
        return size

    book = attempt(load, path, "an XLS workbook")
    for name in book.sheet_names():
        count += attempt(lambda n=name: read(n), path, "a readable sheet")  # type: ignore[misc]
    title, where, notes = _chosen(sheets, path, options)
    stream = memoryview(book.mem)[book.base : book.base + book.stream_len]
    for row, place in sorted(empty[title] & _not_computed(stream) if empty[title] else ()):
        raise _not_saved("a formula", where, row + 1, place)
    if len(content) <= _SMALL:
        sheet = attempt(lambda: load(True).sheet_by_name(title), path, "a readable sheet")
        notes += _hidden(
            [xlrd.colname(k) for k, shape in sorted(sheet.colinfo_map.items()) if shape.hidden],
            [k + 1 for k, shape in sorted(sheet.rowinfo_map.items()) if shape.hidden],
        )
    return _table(sheets, title, where, notes, options)


def _not_computed(stream: memoryview) -> set[tuple[int, int]]:
    """Row and column, from 0, of formulas without a value in any sheet of an XLS workbook.

    Their result is an empty text, which xlrd does not tell from a cell that holds one.
    """
    places, at = set(), 0
    while at + 4 <= len(stream):
        record, size = struct.unpack_from("<HH", stream, at)
        cell = stream[at + 4 : at + 4 + size]
        if record == _FORMULA and size >= 14 and cell[6] == _TEXT and cell[12:14] == b"\xff\xff":
            places.add(struct.unpack_from("<HH", cell))
        at += 4 + size
    return places


def _library(name: str, kind: str, path: str) -> Any:
    try:
        return importlib.import_module(name)  # optional
    except ImportError:
        raise InputError(
            f"{kind} files need the package {name}, which is not installed",
            path,
            "Run pip install 'ddk-toolkit[spreadsheets]', or save the sheet as CSV",
        ) from None


def _chosen(
    sheets: Mapping[str, Sequence[Row]], path: str, options: FileOptions
) -> tuple[str, str, list[str]]:
    """The name of the sheet that is read, where it stands, and a note on the others.

    Raises InputError: there is no such sheet, none holds a value, or several do and none is named.
    """
    names, sheet = list(sheets), options.sheet
    filled = [name for name in names if sheets[name]]
    filled = [name for name in filled if _has_numbers(sheets[name])] or filled
    if _of_keithley(names):
        filled = [name for name in filled if name.lower() not in _BESIDE] or filled
    if isinstance(sheet, int) and not isinstance(sheet, bool):
        if not 1 <= sheet <= len(names):
            raise InputError(f"there is no sheet {sheet}", path, f"Sheets 1 to {len(names)}")
        title = names[sheet - 1]
    elif sheet is not None:
        if sheet not in sheets:
            raise InputError(
                f"there is no sheet {shorten(sheet)}", path, closest(str(sheet), names)
            )
        title = str(sheet)
    elif len(filled) != 1:
        if not filled:
            raise InputError("holds no value", path, "A table of numbers is expected")
        raise InputError(
            f"{len(filled)} sheets hold data", path, "Pass sheet=...: " + ", ".join(filled[:12])
        )
    else:
        title = filled[0]
    others = [shorten(name, 40) for name in names if name != title]
    more = f" and {len(others) - 4} more" if len(others) > 5 else ""
    others = others[: 4 if more else 5]
    said = f"sheet {shorten(title, 40)}; not read: {', '.join(others)}{more}"
    return title, f"{path}, sheet '{title}'", [said] if others else []


def _table(
    sheets: Mapping[str, list[Row]],
    title: str,
    where: str,
    notes: list[str],
    options: FileOptions,
) -> Table:
    table = from_rows(sheets[title], where, "row", notes, options)
    if _of_keithley(sheets):
        keithley_units(table)
    return table


def _of_keithley(names: Iterable[str]) -> bool:
    """Whether sheets are those of Clarius, the program of the Keithley 4200."""
    return {"data", "settings"} <= {name.lower() for name in names}


def _encrypted(path: str) -> InputError:
    return InputError("is encrypted with a password", path, "Save it without the password")


def _not_saved(what: str, where: str, row: int, place: int) -> InputError:
    return InputError(
        f"the value of {what} was not saved",
        f"{where}, row {row}, column {place + 1}",
        "Open the file in a spreadsheet program and save it, or save it as CSV",
    )


def _has_numbers(rows: Iterable[Row]) -> bool:
    """Whether a sheet may hold a table: three rows or more with a number."""
    numeric = (any(c is not None and looks_numeric(c) for c in cells) for _, cells in rows)
    return sum(itertools.islice(filter(None, numeric), 3)) == 3


def _hidden(columns: list[str], rows: list[int]) -> list[str]:
    """A note on columns and rows that whoever saved the sheet does not see, but that are read."""
    return [
        f"{what}s {', '.join(map(str, hidden[:8]))}{', ...' * (len(hidden) > 8)} are hidden in the "
        "sheet, and read like others"
        for what, hidden in (("column", columns), ("row", rows))
        if hidden
    ]


def _cells(sheet: Any) -> list[Row]:
    """Rows that are not blank, with their numbers."""
    sheet.reset_dimensions()  # what the file says of its size may be far beyond its last cell
    return _filled([_cell(value) for value in row] for row in sheet.iter_rows(values_only=True))


def _filled(cells_of_rows: Iterable[list[Cell]]) -> list[Row]:
    rows: list[Row] = []
    count = 0
    for number, cells in enumerate(cells_of_rows, start=1):
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


def _of_xls(xlrd: Any, mode: int, cell: Any) -> Cell:
    """A cell as `_cell` would give it of the same sheet in XLSX; ``mode``: how days are counted."""
    if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
        return None
    if cell.ctype == xlrd.XL_CELL_DATE:
        moment = xlrd.xldate.xldate_as_datetime(cell.value, mode)
        return str(moment.time() if 0 <= cell.value < 1 else moment)
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#ERROR!"))
    return _cell(bool(cell.value) if cell.ctype == xlrd.XL_CELL_BOOLEAN else cell.value)
