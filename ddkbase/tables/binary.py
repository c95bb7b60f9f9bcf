"""Tables from files of arrays: MAT, HDF5, NPZ and NPY."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import h5py
import numpy as np

from ddkbase.errors import InputError, StorageError, closest, one_line, shorten
from ddkbase.files import too_large, unpacked_limit
from ddkbase.records import check_hdf5
from ddkbase.tables.mat_file import mat_arrays
from ddkbase.tables.table import LARGEST, Column, FileOptions, Table, printable
from ddkbase.tables.units import split_unit

_CELLS = LARGEST // 8
_UNNAMED = "array"  # of a file of one array, which has no name
_UNIT_KEYS = ("units", "unit", "Units", "Unit", "UNITS", "UNIT")


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
        refuse_bomb(content, path, "an NPZ file")

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
    cubes: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        array = np.asarray(value)
        if array.dtype.kind in "fiu" and array.ndim > 0 and array.size > 1:
            array = array.reshape([n for n in array.shape if n != 1])
            (usable if array.ndim <= 2 else cubes)[name] = array
    if variable is not None and variable not in arrays:  # a group or a structure
        inside = {n.removeprefix(f"{variable}."): a for n, a in usable.items()}
        inside = {n: a for n, a in inside.items() if f"{variable}.{n}" in usable}
        arrays, usable, variable = (inside, inside, None) if inside else (arrays, usable, variable)
    cube = _cube(usable, cubes, variable, path, options)
    if cube is not None:
        return _from_cube(cube, cubes[cube], path, options.dimension)
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


def _cube(
    usable: Mapping[str, np.ndarray],
    cubes: Mapping[str, np.ndarray],
    variable: str | None,
    path: str,
    options: FileOptions,
) -> str | None:
    """The array of more than two dimensions that is read; None if none is."""
    if variable is not None:
        return variable if variable in cubes else None
    wanted = [n for n in cubes if options.wanted(split_unit(n)[0])]
    if usable and (not wanted or any(options.wanted(split_unit(n)[0]) for n in usable)):
        return None
    found = wanted if len(wanted) == 1 else list(cubes)
    if len(found) > 1 and options.dimension is not None:
        raise which_variable(found, path)
    return found[0] if found else None


def _from_cube(name: str, array: np.ndarray, path: str, along: str | None) -> Table:
    """A row a number of an array whose dimension ``along``, from 1, counts pulses."""
    dimensions = [str(k + 1) for k in range(array.ndim)]
    if along not in dimensions:
        sizes = [str(n) for n in array.shape]
        raise InputError(
            f"variable '{name}' has {array.ndim} dimensions, of {', '.join(sizes[:-1])} and "
            f"{sizes[-1]}",
            path,
            f"Pass pulse='{array.ndim}', or another from 1: the dimension along which pulses are "
            "counted; of loops save columns",
        )
    axis = int(along) - 1
    others = [k for k in range(array.ndim) if k != axis]
    numbers = np.indices(array.shape).transpose(0, *(k + 1 for k in [*others, axis])) + 1
    heading, unit = split_unit(name)
    values = array.transpose(*others, axis).ravel().astype(float)
    table = Table(f"{path}, variable '{name}'", [], range(1, array.size + 1), "value", False)
    table.assume(f"variable '{name}': dimension {along} taken as that of the pulses")
    table.columns.append(Column(heading, unit, values, 1, name))
    table.columns.append(Column("pulse", "", numbers[axis].ravel().astype(float), 2))
    for k in others:
        cells = [str(n) for n in numbers[k].ravel().tolist()]
        table.columns.append(Column(f"dimension {k + 1}", "", cells, len(table.columns) + 1))
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


def refuse_bomb(content: bytes, path: str, what: str, times: int = 100) -> None:
    """Refuse a ZIP that unpacks to more than ``times`` its size."""

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
