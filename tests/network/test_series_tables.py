"""Series in tables with headings: CSV, XLSX, Parquet, Feather; which column is what."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddkbase.errors import InputError, InstallationError
from network import datasets
from tests.network.series_files import bumps, long_text, wide_text


def write(path: Path, text: str, coding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(coding))
    return path


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("sign", [";", "\t"])
def test_codings_and_decimal_commas(tmp_path: Path, coding: str, sign: str) -> None:
    text = "label;group;eins;zwei\nMöwe;g1;0,5;1,25\nEnte;g2;1,5;0\nMöwe;g1;0,75;2,5\nEnte;g2;0;1\n"
    data = datasets.load(write(tmp_path / "a.csv", text.replace(";", sign), coding))
    assert data.classes == ("Ente", "Möwe")
    assert data.groups.tolist() == ["g1", "g2", "g1", "g2"]
    np.testing.assert_allclose(data.x * 2.5, [[0.5, 1.25], [1.5, 0], [0.75, 2.5], [0, 1]])
    assert "numbers have a decimal comma" in data.notes


def test_commas_before_three_digits_are_told_by_the_decimal_sign(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "label;a;b\nx;1,125;1,250\ny;2,500;5,000\nx;1,000;1,250\n")
    with pytest.raises(
        InputError, match=r"a decimal comma, or one between thousands .*decimal=','"
    ):
        datasets.load(path)
    x = datasets.load(path, decimal=",").x
    np.testing.assert_allclose(x * 4 + 1, [[1.125, 1.25], [2.5, 5], [1, 1.25]])
    with pytest.raises(InputError, match="'1,125' is not a finite number"):
        datasets.load(path, decimal=".")
    with pytest.raises(InputError, match=r"'x' is no decimal \(decimal\). Known: '.', ','"):
        datasets.load(path, decimal="x")


@pytest.mark.parametrize("coding", ["latin-1", "utf-16-le", "gb18030", "shift_jis"])
def test_codings_that_are_named(tmp_path: Path, coding: str) -> None:
    names = {"latin-1": ("\u00e4", "\u00f6"), "utf-16-le": ("\u00e4", "\u00f6")}
    one, two = names.get(coding, ("\u6c34", "\u9ad8"))
    path = write(tmp_path / "a.csv", f"label,a,b\n{one},1,2\n{two},0,1\n{one},0,0\n", coding)
    with pytest.raises(InputError):
        datasets.load(path)
    data = datasets.load(path, encoding=coding)
    assert data.classes == (one, two)
    assert data.x.tolist() == [[0.5, 1], [0, 0.5], [0, 0]]
    with pytest.raises(InputError, match="unknown coding 'latin-x'"):
        datasets.load(path, encoding="latin-x")


@pytest.mark.parametrize("sign", [";", "\t", " "])
def test_decimal_commas_without_headings(tmp_path: Path, sign: str) -> None:
    text = "1;0,5;0,25\n2;1;0,5\n1;0;0,75\n".replace(";", sign)
    paths = [write(tmp_path / f"A_{part}.txt", text, "utf-16") for part in ("TRAIN", "TEST")]
    data = datasets.load(paths[0], decimal=",")
    assert data.x.tolist() == [[0.5, 0.25], [1, 0.5], [0, 0.75]] * 2
    assert data.classes == ("1", "2") and data.fold.tolist() == ["train"] * 3 + ["test"] * 3


def test_columns_are_found_by_heading_or_asked_for(tmp_path: Path) -> None:
    text = "species,plant,a,b\nx,1,1,2\ny,1,2,3\nx,2,1,4\ny,2,2,2\n"
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(InputError, match=r"no column names the class, its columns are species, pl"):
        datasets.load(path)
    data = datasets.load(path, label="species", group="Plant")
    assert data.classes == ("x", "y") and data.groups.tolist() == ["1", "1", "2", "2"]
    assert data.sample_shape == (2,)
    with pytest.raises(InputError, match=r"there is no column 'specis'.*'species'"):
        datasets.load(path, label="specis")
    both = write(tmp_path / "b.csv", text.replace("species", "label").replace("plant", "target"))
    with pytest.raises(InputError, match=r"'label' and 'target' may name the class.*label='CO"):
        datasets.load(both)
    other = datasets.load(both, label="target")
    assert other.classes == ("1", "2") and other.sample_shape == (2,)
    assert "not read, beside what was asked for: 'label'" in other.notes


def test_beside_a_class_y_is_a_channel(tmp_path: Path) -> None:
    rows = [f"s{k},{t},{t * k},{t - k},{'ab'[k % 2]}" for k in range(6) for t in range(4)]
    data = datasets.load(write(tmp_path / "a.csv", "\n".join(["id,time,x,y,class", *rows])))
    assert data.sample_shape == (2, 4) and data.classes == ("a", "b")
    assert data.y.tolist() == [0, 1, 0, 1, 0, 1]


def test_long_tables_are_sorted_by_time(tmp_path: Path) -> None:
    x, y = bumps(6, steps=7, channels=2)
    lines = long_text([v[:, : 7 - k] for k, v in enumerate(x)], y).splitlines()
    mixed = [lines[0], *np.random.default_rng(0).permutation(lines[1:]).tolist()]
    ordered = datasets.load(write(tmp_path / "a.csv", "\n".join(lines)))
    data = datasets.load(write(tmp_path / "b.csv", "\n".join(mixed)))
    names = [row.split(",")[0] for row in mixed[1:]]
    order = [int(name[1:]) for name in dict.fromkeys(names)]
    np.testing.assert_array_equal(data.x, ordered.x[order])
    np.testing.assert_array_equal(data.y, ordered.y[order])
    assert "5 of 6 series are shorter than 7 steps" in data.notes[0]
    uneven = [line.replace(",0.3,", ",0.35,") for line in lines]
    assert "steps of time are 0.05 to 0.15" in datasets.load(
        write(tmp_path / "c.csv", "\n".join(uneven))
    ).notes[0]  # fmt: skip


LONG = "sample,time,v,class\na,0,1,x\na,1,2,x\nb,0,1,y\nb,1,3,y\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,a,b\nx,1,2\ny,1\n", r"has 2 cells, there are 3 headings .*line 3"),
        ("label,a,b\nx,1,2\ny,1,2,3\n", r"has 4 cells, there are 3 headings .*line 3"),
        ("label,a,b\nx,1,2\ny,1,hello\n", r"'hello' is not a finite number .*line 3, column 3 'b'"),
        ("label,a,b\nx,1,2\ny,1,\nx,2,1\n", r"1 value in 1 of 3 series is missing .*line 3"),
        ("label,a,b\nx,1,2\n,1,3\n", r"the cell is empty .*line 3, column 1 'label'"),
        ("label,a,a\nx,1,2\ny,1,3\n", "columns 2 and 3 are both called 'a'"),
        ("label,a,\nx,1,2\ny,1,3\n", "column 3 has no heading"),
        ("Unnamed: 0,label,a\n4,x,2\n1,y,3\n", "column 1 has no heading"),
        ("label,a\n0.5,1\n0.25,2\n0.5,3\n", r"'0.5' is a number that is not whole .*line 2"),
        ("label,a\nx,1\nx,2\n", "a single class, 'x'"),
        ("label,a\n", "holds headings and no row"),
        ("label,subject\nx,1\ny,2\n", "holds no column of values"),
        ("label,group,subject,a\nx,1,1,1\ny,2,2,2\n", "'group' and 'subject' may name the group"),
        (
            "label,time,a\nx,1,1\ny,2,2\n",
            "'time' is of time, and no column names the sample",
        ),
        ("label,id,a\nx,1,1\ny,1,2\n", "samples have several rows .*and no column is of time"),
        ("label,fold,a\nx,train,1\ny,exam,2\n", "the part is 'exam' .*line 3"),
        ("label,fold,a\nx,train,1\ny,train,2\n", "all samples are of the part 'train'"),
        (LONG.replace("a,1,2,x", "a,1,2,y"), r"sample 'a' has two values of it .*line 3.*'class'"),
        (LONG.replace("a,1,2,x", "a,0,2,x"), r"a time of sample 'a' stands there twice .*line 3"),
        (LONG.replace("a,1,2,x", "a,,2,x"), r"the cell is empty .*line 3, column 2 'time'"),
        ("", "holds no value"),
        ('label,a\n"x,1\ny,2\n', "cannot be split"),
        ("0,1,2\n1,2,3\n2,3,4\n", "the first line counts its cells"),
    ],
)
def test_a_table_that_is_not_understood(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        datasets.load(write(tmp_path / "a.csv", text))
    assert "\n" not in str(caught.value) and "a.csv" in str(caught.value)


def test_classes_that_are_numbers_have_one_spelling(tmp_path: Path) -> None:
    text = "y,a\n1.0,1\n2,2\n1,3\n10,4\n2.00,0\n1e1,1\n"
    data = datasets.load(write(tmp_path / "a.csv", text))
    assert data.classes == ("1", "2", "10") and data.y.tolist() == [0, 1, 0, 2, 1, 2]


def test_a_part_may_be_given(tmp_path: Path) -> None:
    text = "y,fold,a\n1,train,1\n2,train,2\n1,TEST,3\n2,test,4\n1,train,0\n"
    data = datasets.load(write(tmp_path / "a.csv", text))
    assert data.fold.tolist() == ["train", "train", "test", "test", "train"]
    assert data.x.max() == 2


def test_units_of_time_are_no_part_of_its_name(tmp_path: Path) -> None:
    text = LONG.replace("time", "Time (ms)") + "c,0,5,x\nc,1,6,x\n"
    assert datasets.load(write(tmp_path / "a.csv", text)).sample_shape == (2,)


def test_a_constant_series_is_one(tmp_path: Path) -> None:
    data = datasets.load(write(tmp_path / "a.csv", "y,a,b\n1,5,5\n2,0,1\n1,5,5\n2,1,1\n"))
    assert data.x[0].tolist() == [1.0, 1.0]


@pytest.mark.slow
def test_two_hundred_thousand_columns(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((4, 200_000))
    data = datasets.load(write(tmp_path / "a.csv", wide_text(x, ["a", "b", "a", "b"])))
    np.testing.assert_allclose(data.x, x, atol=1e-6)


def test_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    book = openpyxl.Workbook()
    for row in (["class", "a", "b"], ["x", 1, 2.5], ["y", 2, 0.5], ["x", 3, 1]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    data = datasets.load(tmp_path / "a.xlsx")
    assert data.classes == ("x", "y")
    np.testing.assert_allclose(data.x, (np.array([[1, 2.5], [2, 0.5], [3, 1]]) - 0.5) / 2.5)


def columnar(path: Path, columns: dict[str, Any]) -> Path:
    """A Parquet or Feather file; the test is skipped without pyarrow."""
    pyarrow = pytest.importorskip("pyarrow", reason="pip install 'ddk-toolkit[parquet]'")
    table = pyarrow.table(columns)
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
    else:
        pytest.importorskip("pyarrow.feather").write_feather(table, str(path))
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.feather"])
def test_columnar_files(tmp_path: Path, name: str) -> None:
    x, y = bumps(8, steps=6, channels=2)
    same = datasets.load(write(tmp_path / "a.csv", wide_text(x[:, 0], y, ["p", "q"] * 4)))
    wide = {"label": y, "subject": ["p", "q"] * 4, **{str(k): x[:, 0, k] for k in range(6)}}
    data = datasets.load(columnar(tmp_path / name, wide))
    np.testing.assert_array_equal(data.x, same.x)
    assert data.groups.tolist() == same.groups.tolist() and data.classes == same.classes
    lists = {"label": y, "ax": list(x[:, 0]), "ay": [v[:6] for v in x[:, 1]], "subject": [1] * 8}
    nested = datasets.load(columnar(tmp_path / f"n{name}", lists))
    assert nested.sample_shape == (2, 6) and set(nested.groups) == {"1"}
    np.testing.assert_allclose(nested.x[:, 0], (x[:, 0] - x[:, 0].min()) / np.ptp(x[:, 0]),
                               atol=1e-6)  # fmt: skip


def test_row_numbers_of_pandas_are_no_values(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="pip install 'ddk-toolkit[parquet]'")
    frame = pandas.DataFrame(
        {"label": pandas.Categorical(["a", "b", "a", "b"]), "v": [1, 2, 3, 4], "w": [True] * 4}
    )
    frame.iloc[[3, 0, 1]].to_parquet(tmp_path / "a.parquet")
    data = datasets.load(tmp_path / "a.parquet")
    assert data.sample_shape == (2,) and data.y.tolist() == [1, 0, 1]
    np.testing.assert_allclose(data.x * 3, [[3, 0], [0, 0], [1, 0]], atol=1e-6)


def test_a_columnar_file_that_unpacks_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {"label": ["a", "b"] * 500, "v": [0.0] * 1000}
    monkeypatch.setattr("ddkbase.tables.columnar._MOST", 5000)
    for name in ("a.parquet", "a.feather"):
        with pytest.raises(InputError, match="larger than 5,000 bytes"):
            datasets.load(columnar(tmp_path / name, columns))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": ["a", "b", "a"], "v": [1.0, None, 2.0]}, "1 value in 1 of 3 series is missing"),
        ({"label": ["a", None], "v": [1.0, 2.0]}, "the cell is empty .*row 2, column 1 'label'"),
        ({"label": ["a", "b"], "v": ["c", "d"]}, "'c' is not a finite number .*row 1, column 2"),
        ({"label": ["a", "b"], "v": [{"x": 1}, {"x": 2}]}, "is of kind 'struct"),
        ({"label": ["a", "b"], "v": [[1, 2], [1]], "w": [[1, 2], [1, 2]]}, "lists of 1, 2 values"),
        ({"label": ["a", "b"], "v": [[1], None]}, "there is no list .*row 2"),
        ({"label": ["a", "b"], "v": [[1], [2]], "age": [3, 4]}, "column 'age' holds no lists"),
        ({"label": [0.5, 0.7], "v": [1, 2]}, "not whole"),
        ({"label": [], "v": []}, "holds no row"),
    ],
)
def test_a_columnar_file_that_is_not_understood(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        datasets.load(columnar(tmp_path / "a.parquet", columns))


@pytest.mark.parametrize("name", ["a.parquet", "a.feather"])
def test_damaged_columnar_files_are_one_line(tmp_path: Path, name: str) -> None:
    whole = columnar(tmp_path / name, {"label": ["a", "b"] * 4, "v": list(range(8))}).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        content = bytearray(whole)
        for at in rng.integers(0, len(content), 3):
            content[at] = rng.integers(256)
        content = content[: rng.integers(8, len(content) + 1)]
        (tmp_path / name).write_bytes(bytes(content))
        try:
            datasets.load(tmp_path / name)
        except InputError as error:
            assert "\n" not in str(error) and name in str(error)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and more")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InstallationError, match=r"pip install 'ddk-toolkit\[parquet\]'"):
        datasets.load(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"no such thing")
    with pytest.raises(InputError, match=r"damaged, or not what its name says \(.parquet\)"):
        datasets.load(tmp_path / "b.parquet")
