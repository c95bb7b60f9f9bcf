"""Foreign pulse trains in XLSX, XLS, MAT, NPZ and NetCDF files."""

from __future__ import annotations

import contextlib
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import xarray as xr

from compact.measured.read_pulses import read_pulses
from ddkbase import records
from ddkbase.errors import InputError
from ddkbase.tables import workbooks
from ddkbase.tables.mat_file import mat_arrays
from tests import synthetic

G = np.array([[10.0, 8.0, 5.0], [1.0, 2.0, 3.0]])


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


ROWS: list[list[Any]] = [["pulse", "G (uS)"], [1, 10], [2, 8.0], [3, "5"]]


def test_xlsx(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"notes": [], "data": [["Sample", "X7"], [], *ROWS]})
    ds = read_pulses(path)
    np.testing.assert_allclose(ds.conductance, G[:1] * 1e-6)
    assert "sheet 'data'" in str(ds.source.values[0])
    assert "sheet 'data'; not read: 'notes'" in ds.attrs["assumptions"]
    alone = read_pulses(workbook(tmp_path / "b.xlsx", {"data": ROWS}))
    assert "not read" not in alone.attrs["assumptions"]


def test_a_workbook_says_no_size_beyond_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workbook(tmp_path / "a.xlsx", {"data": ROWS})
    plain = read_pulses(path)

    def changed(name: str, old: bytes, new: bytes) -> Path:
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(tmp_path / name, "w") as target:
            for member in source.namelist():
                content = source.read(member)
                assert "sheet1.xml" not in member or content.count(old) == 1
                target.writestr(
                    member, content.replace(old, new) if "sheet1" in member else content
                )
        return tmp_path / name

    size = f"A1:B{len(ROWS)}".encode()
    far = changed("far.xlsx", b'ref="' + size, b'ref="A1:XFD1048576')
    np.testing.assert_equal(read_pulses(far)["conductance"].values, plain["conductance"].values)
    # a row so far below that rows between would be counted for ever
    monkeypatch.setattr(workbooks, "_CELLS", 10_000)
    last = f'r="{len(ROWS)}"'.encode()
    with pytest.raises(InputError, match="too many cells"):
        read_pulses(changed("below.xlsx", b"<row " + last, b'<row r="999999999999"'))


def test_xlsx_refuses(tmp_path: Path) -> None:
    two = workbook(tmp_path / "two.xlsx", {"a": ROWS, "b": ROWS})
    with pytest.raises(InputError, match=r"2 sheets hold data.*a, b"):
        read_pulses(two)
    assert read_pulses(two, sheet="b").sizes["pulse"] == 3
    assert read_pulses(two, sheet=1).sizes["pulse"] == 3
    with pytest.raises(InputError, match="no sheet 'c'"):
        read_pulses(two, sheet="c")
    bad = workbook(tmp_path / "bad.xlsx", {"a": [*ROWS, [4, "x"]]})
    with pytest.raises(InputError, match="sheet 'a', row 5, column 2 'G'"):
        read_pulses(bad)
    formula = workbook(tmp_path / "formula.xlsx", {"a": [*ROWS, [4, "=B4/2"]]})
    with pytest.raises(InputError, match=r"formula.*row 5, column 2"):
        read_pulses(formula)


def old_workbook(path: Path, sheets: dict[str, list[list[Any]]], **styles: Any) -> Path:
    """An XLS file; ``styles`` are formats of numbers by the name of a sheet."""
    xlwt = pytest.importorskip("xlwt", reason="xlwt is not installed")
    book = xlwt.Workbook()
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        style = xlwt.easyxf(num_format_str=styles.get(name, "General"))
        for i, row in enumerate(rows):
            for k, cell in enumerate(row):
                if isinstance(cell, str) and cell.startswith("="):
                    cell = xlwt.Formula(cell[1:])
                if cell is not None:
                    sheet.write(i, k, cell, style)
    book.save(path)
    return path


def test_old_workbooks_are_read_as_new_ones(tmp_path: Path) -> None:
    sheets: dict[str, list[list[Any]]] = {"notes": [], "data": [["Sample", "X7"], [], *ROWS]}
    path = old_workbook(tmp_path / "a.xls", sheets)
    ds, new = read_pulses(path), read_pulses(workbook(tmp_path / "b.xlsx", sheets))
    np.testing.assert_array_equal(ds.conductance, new.conductance)
    assert ds.attrs["assumptions"] == new.attrs["assumptions"]
    assert ds.source.values[0] == new.source.values[0].replace("b.xlsx", "a.xls")
    (tmp_path / "folder").mkdir()
    path.rename(tmp_path / "folder" / "a.xls")
    assert read_pulses(tmp_path / "folder").sizes == ds.sizes
    two = old_workbook(tmp_path / "two.xls", {"a": ROWS, "b": ROWS})
    with pytest.raises(InputError, match=r"2 sheets hold data.*a, b"):
        read_pulses(two)
    assert read_pulses(two, sheet="b").sizes["pulse"] == read_pulses(two, sheet=1).sizes["pulse"]
    with pytest.raises(InputError, match="no sheet 'c'"):
        read_pulses(two, sheet="c")
    bad = old_workbook(tmp_path / "bad.xls", {"a": [*ROWS, [4, "x"]]})
    with pytest.raises(InputError, match="sheet 'a', row 5, column 2 'G'"):
        read_pulses(bad)


def test_cells_of_old_workbooks_that_are_no_numbers(tmp_path: Path) -> None:
    xlwt = pytest.importorskip("xlwt", reason="xlwt is not installed")
    # only the last column has a formula, and it has no value
    lost = old_workbook(tmp_path / "lost.xls", {"a": [*ROWS, [4, "=B4/2"]]})
    with pytest.raises(InputError, match=r"value of a formula was not saved.*row 5, column 2"):
        read_pulses(lost)
    # a date is no pulse, an error a gap, as in a new workbook
    dates = old_workbook(
        tmp_path / "dates.xls", {"a": [["G (uS)"], [10], [9], [8]]}, a="YYYY-MM-DD"
    )
    with pytest.raises(InputError, match="holds no row of numbers"):
        read_pulses(dates)
    book = xlwt.Workbook()
    sheet = book.add_sheet("a")
    for i, row in enumerate([["pulse", "G (uS)"], [1, 10.0], [2, None], [3, 8.0]]):
        for k, cell in enumerate(row):
            if cell is None:
                sheet.row(i).set_cell_error(k, "#DIV/0!")
            else:
                sheet.write(i, k, cell)
    sheet.col(1).hidden = True
    book.save(tmp_path / "error.xls")
    ds = read_pulses(tmp_path / "error.xls")
    np.testing.assert_allclose(ds.conductance, [[1e-5, np.nan, 8e-6]])
    assert "columns B are hidden in the sheet" in ds.attrs["assumptions"]
    # an empty text that no formula made is a blank cell
    book = xlwt.Workbook()
    sheet = book.add_sheet("a")
    for i, row in enumerate([["", "", "sample 1"], *[[*r, ""] for r in ROWS]]):
        for k, cell in enumerate(row):
            text = xlwt.Cell.StrCell(i, k, 15, book.add_str("")) if cell == "" else None
            sheet.row(i).insert_cell(k, text) if text else sheet.write(i, k, cell)
    book.save(tmp_path / "blank.xls")
    np.testing.assert_allclose(read_pulses(tmp_path / "blank.xls").conductance, G[:1] * 1e-6)


def test_a_keithley_4200_names_no_units_and_writes_settings_beside(tmp_path: Path) -> None:
    settings = [["Test Name", "pulses"], *[[f"Compliance {k}", 0.1 * k] for k in range(9)]]
    calc = [[k, 2 * k] for k in range(6)]
    rows: list[list[Any]] = [["Time", "DrainI", "DrainV", "GateV"]]
    rows += [[0.1 * k, 1e-6 - 5e-8 * k, 0.1, 0.0] for k in range(12)]
    sheets = {"Data": rows, "Calc": calc, "Settings": settings}
    for path in (
        old_workbook(tmp_path / "a.xls", sheets),
        workbook(tmp_path / "a.xlsx", sheets),
    ):
        ds = read_pulses(path)
        np.testing.assert_allclose(ds.conductance[0], [r[1] / 0.1 for r in rows[1:]])
        assert ds.conductance.attrs["units"] == "S" and ds.direction.values == ["down"]
        said = ds.attrs["assumptions"]
        assert "sheet 'Data'; not read: 'Calc', 'Settings'" in said and "Keithley 4200" in said
    with pytest.raises(InputError, match="3 sheets hold data"):
        read_pulses(old_workbook(tmp_path / "b.xls", {"Data": rows, "Calc": calc, "More": rows}))


def test_old_workbooks_that_are_damaged_encrypted_or_empty(tmp_path: Path) -> None:
    whole = old_workbook(tmp_path / "a.xls", {"a": ROWS}).read_bytes()
    path = tmp_path / "b.xls"
    parts = [whole[:size] for size in (8, 100, 600, 2000, len(whole) - 900)]
    for content in (*parts, whole[:4] + bytes(600)):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is not an XLS workbook, or is damaged"):
            read_pulses(path)
    rng = np.random.default_rng(0)
    for _ in range(60):
        content = bytearray(whole)
        for at in rng.integers(0, len(whole), 40):
            content[at] = rng.integers(256)
        path.write_bytes(content)
        with contextlib.suppress(InputError):
            read_pulses(path)
    with pytest.raises(InputError, match="holds no value"):
        read_pulses(old_workbook(tmp_path / "none.xls", {"a": [], "b": []}))
    start = whole.index(b"\x09\x08\x10\x00\x00\x06")  # the stream, and a record for a password
    locked = whole[start : start + 20] + b"\x2f\x00\x06\x00" + bytes(6) + whole[start + 20 :]
    package = b"\xd0\xcf\x11\xe0" + bytes(900) + "EncryptedPackage".encode("utf-16-le")
    for name, content in (("c.xls", locked), ("c.xlsx", package)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="is encrypted with a password"):
            read_pulses(tmp_path / name)


def test_an_old_workbook_takes_no_more_memory_than_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a size that is said, of which no cell stands there, counts for nothing
    path = old_workbook(tmp_path / "a.xls", {"a": ROWS})
    record = b"\x00\x02\x0e\x00"  # of dimensions
    content = path.read_bytes()
    at = content.index(record) + 4
    path.write_bytes(content[:at] + b"\0\0\0\0\xff\xff\0\0\0\0\0\1" + content[at + 12 :])
    np.testing.assert_allclose(read_pulses(path).conductance, G[:1] * 1e-6)
    far = old_workbook(tmp_path / "far.xls", {"a": [*ROWS, [None] * 200 + [1]]})
    monkeypatch.setattr(workbooks, "_CELLS", 150)
    with pytest.raises(InputError, match="too many cells"):
        read_pulses(far)
    monkeypatch.setenv("DDK_READ_LIMIT", "3000")
    with pytest.raises(InputError, match="larger than 3,000 bytes"):
        read_pulses(far)


@pytest.mark.parametrize(
    ("name", "content"), [("openpyxl", b"PK\x03\x04"), ("xlrd", b"\xd0\xcf\x11\xe0")]
)
def test_without_the_library_of_a_workbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / ("a.xlsx" if name == "openpyxl" else "a.xls")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"pip install 'ddk-toolkit\[spreadsheets\]'"):
        read_pulses(path)


def test_parquet_and_feather(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pip install 'ddk-toolkit[parquet]'")
    table = pyarrow.table({"pulse": [1, 2, 3], "G (uS)": G[0]})
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "a.parquet")
    pytest.importorskip("pyarrow.feather").write_feather(table, str(tmp_path / "a.feather"))
    for name in ("a.parquet", "a.feather"):
        np.testing.assert_allclose(read_pulses(tmp_path / name).conductance, G[:1] * 1e-6)


def test_mat(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"pulse": np.arange(1, 4), "G_uS": G[0], "note": "hello", "T": 300.0})
    np.testing.assert_allclose(read_pulses(path).conductance, G[:1] * 1e-6)
    scipy.io.savemat(path, {"data": {"R": 1 / G[0], "pulse": [3, 2, 1]}})
    ds = read_pulses(path, units="Mohm")
    np.testing.assert_allclose(ds.conductance, G[:1, ::-1] * 1e-6)
    assert ds.direction.item() == "up"


@pytest.mark.parametrize("compressed", [False, True])
def test_mat_as_scipy_reads_it(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "a.mat"
    wanted = {
        "d": G,
        "f": G.astype("f4"),
        "i": np.arange(-3, 300, dtype="i2")[:, None],
        "u": np.arange(5, dtype="u1")[None],
        "l": np.array([[2**40, 1]]),
        "one": np.array([[7.0]]),
        "cube": np.arange(24.0).reshape(2, 3, 4),
    }
    inside = {"x": G, "deep": {"y": G[:1]}}
    extra = {"text": "hello", "z": G + 1j, "cell": np.array([1, "a"], object), "s": inside}
    scipy.io.savemat(path, {**wanted, **extra}, do_compression=compressed)
    found = mat_arrays(path.read_bytes(), 1 << 20)
    assert set(found) == {*wanted, "x", "deep.y"}
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)
    np.testing.assert_array_equal(found["deep.y"], G[:1])


def test_mat_arrays_that_are_too_large_cut_off_or_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"d": np.zeros(10_000)}, do_compression=True)
    content = path.read_bytes()
    assert mat_arrays(content, 1 << 20)["d"].size == 10_000
    for bad, words in (
        (content, "far more than the file is"),
        (content[:-20], "cut off"),
        (b"", "unpack_from"),
        (b"MATLAB 7.3 MAT-file".ljust(200), "save it with -v7"),
        (b"\x89HDF".ljust(200), "save it with -v7"),
    ):
        with pytest.raises(ValueError, match=words):
            mat_arrays(bad, 50_000)


def test_mat_matrix(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"G": G, "t": np.arange(7)}, format="4")
    with pytest.raises(InputError, match=r"variable=.*G, t"):
        read_pulses(path)
    ds = read_pulses(path, variable="G", units="uS")
    np.testing.assert_allclose(ds.conductance, G * 1e-6)
    assert "longer dimension taken as pulses" in ds.attrs["assumptions"]
    with pytest.raises(InputError, match="no variable 'H'"):
        read_pulses(path, variable="H")


def test_mat_73(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["G"] = G  # MATLAB stores transposed: this is a matrix of 3 pulses and 2 trains
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(128)
    path.write_bytes(content)
    np.testing.assert_allclose(read_pulses(path, units="uS").conductance, G * 1e-6)


def test_npz_and_npy(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", conductance=G[0], pulse=[1, 2, 3])
    np.testing.assert_allclose(
        read_pulses(tmp_path / "a.npz", units="uS").conductance, G[:1] * 1e-6
    )
    np.save(tmp_path / "a.npy", G.T)
    assert read_pulses(tmp_path / "a.npy").direction.values.tolist() == ["down", "up"]
    np.save(tmp_path / "b.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="damaged"):
        read_pulses(tmp_path / "b.npy")


def test_pulse_trace_of_the_toolkit(tmp_path: Path) -> None:
    trace = synthetic.pulse_trace()
    path = records.write(trace, tmp_path / "trace.nc")
    ds = read_pulses(path)
    np.testing.assert_array_equal(ds.conductance[0], trace.conductance)
    np.testing.assert_array_equal(ds.amplitude[0], trace.amplitude)
    np.testing.assert_array_equal(ds.width[0], trace.width)
    assert ds.initial_conductance.item() == trace.initial_conductance.item()
    assert ds.conductance.attrs["units"] == "S"


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_netcdf_with_more_dimensions(tmp_path: Path, engine: Any) -> None:
    values = np.linspace(9, 1, 24).reshape(2, 3, 4)
    values[1, 2] = np.nan
    source = xr.Dataset(
        {
            "conductance": (("cycle", "amplitude", "pulse"), values, {"units": "uS"}),
            "other": ("cycle", [1.0, 2.0]),
        },
        {"amplitude": ("amplitude", [-2.0, -2.5, -3.0], {"units": "V"}), "pulse": [1, 2, 3, 4]},
    )
    source.to_netcdf(tmp_path / "a.nc", engine=engine)
    ds = read_pulses(tmp_path / "a.nc")
    assert ds.sizes == {"train": 5, "pulse": 4}  # the sixth is empty
    np.testing.assert_allclose(ds.conductance, values.reshape(6, 4)[:5] * 1e-6)
    np.testing.assert_allclose(ds.amplitude[:, 0], [-2, -2.5, -3, -2, -2.5])
    assert ds.train.values[0] == "cycle 1, amplitude -2"
    assert "empty, left out" in ds.attrs["assumptions"]


def test_netcdf_refuses(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    xr.Dataset({"a": ("x", [1.0, 2]), "b": ("x", [1.0, 2])}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(InputError, match=r"variable=.*a, b"):
        read_pulses(path)
    assert read_pulses(path, variable="a").sizes["pulse"] == 2
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InputError, match="damaged"):
        read_pulses(path)


def test_groups_of_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name, values in (("cell1", G[0]), ("cell2", G[1])):
            group = file.create_group(name)
            group["pulse"] = [1, 2, 3]
            group["G"] = values
            group["G"].attrs["units"] = "uS"
    both = read_pulses(path)  # of one length: trains side by side
    np.testing.assert_allclose(both.conductance, G * 1e-6)
    assert both.train.values.tolist() == ["cell1.G", "cell2.G"]
    for name, values in (("cell1", G[0]), ("cell2", G[1])):
        ds = read_pulses(path, variable=name)
        np.testing.assert_allclose(ds.conductance[0], values * 1e-6)
        assert ds.conductance.attrs["units"] == "S"


def test_a_structure_is_named_as_a_variable(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    run = {"pulse": np.arange(1, 4), "G_uS": G[0]}
    scipy.io.savemat(path, {"one": {"first": run, "second": {**run, "G_uS": G[1]}}})
    found = read_pulses(path, variable="second")
    np.testing.assert_allclose(found.conductance[0], G[1] * 1e-6)


def test_an_array_of_devices_cycles_and_pulses_says_which_dimension_counts(tmp_path: Path) -> None:
    g = 1e-5 * (1 + np.arange(20) / 20) * np.arange(1, 4)[:, None, None] * np.ones((1, 2, 1))
    scipy.io.savemat(tmp_path / "a.mat", {"G_uS": 1e6 * g, "pulse": np.arange(20)})
    np.savez(tmp_path / "a.npz", G_uS=np.moveaxis(1e6 * g, 2, 0))
    with pytest.raises(InputError, match=r"3 dimensions, of 3, 2 and 20.*Pass pulse='3', or"):
        read_pulses(tmp_path / "a.mat")
    for name, pulse, dims in (("a.mat", 3, (1, 2)), ("a.npz", "1", (2, 3))):
        ds = read_pulses(tmp_path / name, pulse=pulse)
        np.testing.assert_allclose(ds.conductance, g.reshape(6, 20))
        assert ds.train.values[1] == f"dimension {dims[0]} 1, dimension {dims[1]} 2"
    scipy.io.savemat(tmp_path / "b.mat", {"x": g, "y": g})
    with pytest.raises(InputError, match=r"which variable.*x, y"):
        read_pulses(tmp_path / "b.mat", pulse=3)
    ds = read_pulses(tmp_path / "b.mat", pulse=3, variable="y", conductance="y", units="S")
    assert ds.sizes == {"train": 6, "pulse": 20}
