"""Series in files of others: .ts, .arff, tables; what is said of them, and what is refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ddk.studies import Material, folder_task
from ddkbase.errors import DDKError, InputError, StorageError
from network import datasets
from network.datasets.series.files import files_of
from network.datasets.series.samples import Series, data_set
from network.datasets.series.ts import read_ts
from network.datasets.text import is_news
from tests.network.series_files import (
    arff_text,
    bumps,
    long_text,
    ts_text,
    wide_text,
    write_ts,
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def unit(values: np.ndarray) -> np.ndarray:
    """(samples, channels, steps), each channel from 0 to 1."""
    low, high = values.min(axis=(0, 2), keepdims=True), values.max(axis=(0, 2), keepdims=True)
    return (values - low) / (high - low)


FORMS: dict[str, Callable[[np.ndarray, list[str]], str]] = {
    "a.ts": ts_text,
    "a.arff": arff_text,
    "a.csv": lambda x, y: wide_text(x[:, 0], y),
    "a.tsv": lambda x, y: wide_text(x[:, 0], y, sign="\t"),
    "a.dat": lambda x, y: wide_text(x[:, 0], y, sign=";"),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_every_form_gives_the_same(tmp_path: Path, name: str, packed: bool) -> None:
    x, y = bumps(8, steps=20)
    text = FORMS[name](x, y).encode()
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(text) if packed else text)
    data = datasets.load(path)
    assert data.classes == ("early", "late")
    assert [data.classes[k] for k in data.y] == y
    assert data.dims == ("step",)
    assert data.name == "a"
    np.testing.assert_allclose(data.x, unit(x)[:, 0], atol=1e-6)


@pytest.mark.parametrize("name", ["a.ts", "a.arff", "long.csv"])
def test_channels_have_a_range_each(tmp_path: Path, name: str) -> None:
    x, y = bumps(8, steps=20, channels=2)
    x[:, 1] *= 1000
    text = long_text(x, y) if name == "long.csv" else FORMS[name](x, y)
    data = datasets.load(write(tmp_path / name, text))
    assert data.dims == ("channel", "step")
    np.testing.assert_allclose(data.x, unit(x), atol=1e-6)
    assert "each scaled to 0 to 1 by its range" in data.notes[-1]


@settings(max_examples=30, deadline=None)
@given(
    x=arrays(np.float64, (6, 2, 5), elements=st.floats(-1e9, 1e9, allow_subnormal=False, width=64)),
    text=st.sampled_from([ts_text, arff_text]),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, x: np.ndarray, text: Callable[..., str]
) -> None:
    from network.datasets.series.arff import read_arff

    labels = ["b", "a", "b", "a", "a", "b"]
    path = write(tmp_path_factory.mktemp("w") / "x", text(x, labels))
    series = (read_ts if text is ts_text else read_arff)(path)
    assert series.labels == labels
    np.testing.assert_array_equal(np.stack(series.values), x)


def test_a_pair_is_a_set_and_its_test_part_sets_no_range(tmp_path: Path) -> None:
    x, y = bumps(12, steps=10)
    test = x[:6] * 5
    write(tmp_path / "Two_TRAIN.ts", ts_text(x, y))
    write(tmp_path / "Two_TEST.ts", ts_text(test, y[:6]))
    for named in ("Two_TRAIN.ts", "Two_TEST.ts", "."):
        data = datasets.load(tmp_path / named)
        assert data.name == "Two"
        assert data.fold.tolist() == ["train"] * 12 + ["test"] * 6
        assert data.x[:12].min() == 0 and data.x[:12].max() == 1
        assert data.x[12:].max() > 1
    both = [tmp_path / "Two_TEST.ts", tmp_path / "Two_TRAIN.ts"]
    assert files_of(both[0]) == files_of(both[1]) == both
    assert files_of(tmp_path) == [tmp_path]
    write_ts(tmp_path / "Other_TRAIN.ts")
    write_ts(tmp_path / "Other_TEST.ts")
    with pytest.raises(StorageError, match=r"several sets: Other, Two"):
        datasets.load(tmp_path)


def test_the_range_is_that_of_the_training_part(tmp_path: Path) -> None:
    x, y = bumps(40, steps=10)
    x[7] += 100
    task = folder_task(write(tmp_path / "a.ts", ts_text(x, y)))
    material = Material(task)
    held = 0
    for seed in range(6):
        fold = next(iter(material.folds(seed)))
        assert fold.train.x.min() == 0 and fold.train.x.max() == 1
        held += max(fold.test.x.max(), fold.validation.x.max()) > 2
    assert 0 < held < 6  # the outlier is held out by some seeds


def test_tables_of_the_archive_without_headings(tmp_path: Path) -> None:
    rows = ["-1\t0.5\t1\t2", "1.0000000e+00\t3\t1e-1\tNaN", "-1\t1\t2\t3", "1\t3\t0\t1"]
    for name, sign in (("A_TRAIN.tsv", "\t"), ("A_TRAIN.txt", "   "), ("A_TRAIN", ",")):
        path = write(tmp_path / name, "\n".join(rows).replace("\t", sign))
        data = datasets.load(path)
        assert data.classes == ("-1", "1") and data.y.tolist() == [0, 1, 0, 1]
        assert data.sample_shape == (3,)
        assert "1 lines of 4 end in missing values" in data.notes[0]
        assert "1 of 4 series are shorter than 3 steps (the shortest has 2)" in data.notes[1]
        path.unlink()
    path = write(tmp_path / "b.csv", "\n".join(rows[:1] * 2 + rows[2:]).replace("\t", ","))
    with pytest.raises(InputError, match="has no headings"):
        datasets.load(path)
    assert datasets.load(path, label="1").classes == ("-1", "1")


def test_lengths_are_padded_or_stretched_and_said() -> None:
    values = [np.array([[0.0, 1.0, 0.5]]), np.array([[1.0, 0.0, 1.0, 0.0, 1.0]])]
    series = Series("f", [*values, *values], ["a", "b", "a", "b"], ["1", "2", "3", "4"])
    padded, stretched = data_set(series, "f"), data_set(series, "f", lengths="stretch")
    assert padded.x[0].tolist() == [0.0, 1.0, 0.5, 0.5, 0.5]
    assert stretched.x[0].tolist() == [0.0, 0.5, 1.0, 0.75, 0.5]
    assert "2 of 4 series are shorter than 5 steps (the shortest has 3)" in padded.notes[0]
    assert "last value" in padded.notes[0] and "stretched" in stretched.notes[0]


def test_missing_values_are_refused_or_interpolated(tmp_path: Path) -> None:
    x, y = bumps(6, steps=6)
    x[2, 0, 1] = x[3, 0, [0, 5]] = np.nan
    path = write(tmp_path / "a.ts", ts_text(x, y))
    with pytest.raises(InputError, match=r"3 values in 2 of 6 series are missing .*line 13"):
        datasets.load(path)
    data = datasets.load(path, missing="interpolate")
    assert "3 values in 2 of 6 series are missing and interpolated" in data.notes[0]
    assert data.x[2, 1] == pytest.approx(data.x[2, [0, 2]].mean(), abs=1e-6)
    assert data.x[3, 0] == data.x[3, 1] and data.x[3, 5] == data.x[3, 4]


def test_groups_are_on_one_side(tmp_path: Path) -> None:
    x, y = bumps(60, steps=8)
    groups = [f"p{k // 2 % 10}" for k in range(60)]
    task = folder_task(write(tmp_path / "a.csv", wide_text(x[:, 0], y, groups)))
    assert "A fifth of the 10 groups" in task.protocol
    data = datasets.load(task.dataset)
    assert data.groups.tolist() == groups
    for seed in range(5):
        part = datasets.split(data, seed=seed)
        assert datasets.shared_groups(data, part.train, part.test) == []
        assert datasets.shared_groups(data, part.train, part.validation) == []
        assert len(part.test) == 12


def test_a_given_part_and_a_single_training_sample(tmp_path: Path) -> None:
    x, y = bumps(10, steps=8)
    y[0] = "alone"
    write(tmp_path / "A_TRAIN.ts", ts_text(x, y, classes="early late alone never"))
    write(tmp_path / "A_TEST.ts", ts_text(x, y, classes="early late alone never"))
    data = datasets.load(tmp_path / "A_TEST.ts")
    assert data.classes == ("early", "late", "alone")
    assert "no sample is of class 'never'" in data.notes[0]
    assert "a single training sample is of class 'alone'" in data.notes[1]
    for seed in range(4):
        part = datasets.split(data, validation=0.2, seed=seed)
        assert 0 in part.train and len(part.validation) == 2


def heading(**changes: str) -> str:
    """A heading of a .ts file, its lines replaced by those given; empty ones are left out."""
    lines = {
        "timeStamps": "false", "univariate": "true", "equalLength": "true", "seriesLength": "3",
        "classLabel": "true a b",
    } | changes  # fmt: skip
    return "\n".join(f"@{key} {value}" for key, value in lines.items() if value)


GOOD = "1,2,3:a\n4,5,6:b\n1,2,2:a\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no line @data"),
        ("1,2,3:a\n", r"a line @key or @data is expected .*line 1"),
        (heading() + f"\n@colour red\n@data\n{GOOD}", "unknown key '@colour'.*line 6"),
        (heading(targetLabel="true", classLabel="") + f"\n@data\n{GOOD}", "regression.*line 5"),
        (heading(timeStamps="true") + f"\n@data\n{GOOD}", r"holds no pair \(time,value\).*line 7"),
        (heading() + "\n@data\n(0,1),(1,2):a\n", "holds pairs, and the heading no '@timeStamps t"),
        (heading(classLabel="false") + f"\n@data\n{GOOD}", "names no classes"),
        (heading() + f"\n@serieslength 4\n@data\n{GOOD}", "@serieslength stands there twice"),
        (heading(classLabel="true a a") + f"\n@data\n{GOOD}", "class 'a' stands twice"),
        (heading(dimensions="2") + f"\n@data\n{GOOD}", "@univariate is true, @dimensions 2"),
        (
            heading(seriesLength="none") + f"\n@data\n{GOOD}",
            "@serieslength is 'none'",
        ),
        (heading(univariate="perhaps") + f"\n@data\n{GOOD}", "'perhaps'.*true or false"),
        (heading() + "\n@data\n1,2,3:c\n", "'c' is no class of the heading.*line 7"),
        (heading() + "\n@data\n1,2,3\n", "holds no ':'|no class"),
        (heading() + "\n@data\n1,x,3:a\n", r"'x' is no number .*line 7, value 2"),
        (heading() + "\n@data\n1,1_0,3:a\n", r"'1_0' is no number"),
        (heading() + "\n@data\n1,inf,3:a\n", r"'inf' is not finite .*value 2"),
        (heading() + "\n@data\n1,,3:a\n", r"there is no number .*value 2"),
        (heading() + "\n@data\n1,2:a\n", r"has 2 values, the heading says 3 .*line 7"),
        (heading() + "\n@data\n1,2,3:1,2,3:a\n", r"has 2 channels, the heading says 1"),
        (heading(univariate="") + "\n@data\n1,2,3:1,2:a\n", "channel 2 has 2 values, the first 3"),
        (heading() + "\n@data\n1,2,3:a\n4,5,6:a\n", "a single class, 'a'"),
        (heading() + "\n@data\n1,2,3:a\n4,5,6:b\n", "2 classes for as many samples"),
        (heading() + "\n@data\n2,2,2:a\n2,2,2:b\n2,2,2:a\n", "all values are the same"),
        (heading() + "\n@data\n1,2,3:a\n-1e308,1e308,6:b\n1,2,2:a\n", "cannot be scaled"),
        (heading() + "\n@data\n", "holds no sample"),
    ],
)
def test_a_ts_file_that_is_not_understood(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        datasets.load(write(tmp_path / "a.ts", text))
    assert "\n" not in str(caught.value) and "a.ts" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "shape", "parts", "classes", "note"),
    [
        ("ArrowHead", (211, 251), (36, 175), 3, "values are -2.25708 to 2.554"),
        ("BasicMotions", (80, 6, 100), (40, 40), 4, "channels are -22.4621 to 29.3632"),
        ("JapaneseVowels", (640, 12, 29), (270, 370), 9, "639 of 640 series are shorter"),
        ("UnitTest", (42, 24), (20, 22), 2, "values are 3 to 1891"),
    ],
)
def test_files_of_the_archives(
    name: str, shape: tuple[int, ...], parts: tuple[int, int], classes: int, note: str
) -> None:
    sktime = find_spec("sktime")  # ships a few; importing it takes long
    if sktime is None or sktime.origin is None:
        pytest.skip("sktime is not installed")
    folder = Path(sktime.origin).parent / "datasets" / "data" / name
    if not folder.is_dir():
        pytest.skip("this sktime ships no data")
    data = datasets.load(folder)
    assert data.x.shape == shape and len(data.classes) == classes
    assert ((data.fold == "train").sum(), (data.fold == "test").sum()) == parts
    assert data.notes[0].startswith(note)


def test_a_class_of_the_test_part_only(tmp_path: Path) -> None:
    x, y = bumps(6, steps=5)
    write(tmp_path / "A_TRAIN.ts", ts_text(x, y))
    write(tmp_path / "A_TEST.ts", ts_text(x, [*y[:5], "never"]))
    with pytest.raises(InputError, match=r"'never' is in the test part only .*A_TEST.ts, line 16"):
        datasets.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@relation a\n@attribute x numeric\n@attribute y numeric\n@data\n1,2\n", "no classes"),
        ("@relation a\n@attribute x string\n@attribute y {a,b}\n@data\n", "is of kind 'string'"),
        ("@relation a\n@attribute x numeric\n@attribute y {a,b}\n@data\n{0 1}\n", "sparse"),
        ("@relation a\n@attribute x numeric\n@attribute y {a,b}\n@data\n1,c\n", "'c' is no class"),
        ("@relation a\n@attribute x numeric\n@attribute y {a,b}\n@data\n1,2,a\n", "has 2 values"),
        ("@relation a\n@attribute y {a,b}\n@attribute x numeric\n@data\n", "behind that of the"),
        ("words\n", "'words' is not expected"),
    ],
)
def test_an_arff_file_that_is_not_understood(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        datasets.load(write(tmp_path / "a.arff", text))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    x, y = bumps(6, steps=5, channels=2)
    name = data.draw(st.sampled_from(["a.ts", "a.arff", "a.csv", "A_TRAIN.tsv", "a.ts.gz"]))
    form = {"A_TRAIN.tsv": "a.csv", "a.ts.gz": "a.ts"}.get(name, name)
    text = FORMS[form](x, y) if form != "a.csv" else long_text(x, y)
    content = bytearray(text.encode())
    if name.endswith(".gz"):
        content = bytearray(gzip.compress(bytes(content)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    path = tmp_path_factory.mktemp("d") / name
    path.write_bytes(bytes(content))
    try:
        loaded = datasets.load(path)
    except DDKError as error:
        assert "\n" not in str(error)
        assert path.name.removesuffix(".gz") in str(error)
    else:
        assert np.isfinite(loaded.x).all()


@pytest.mark.parametrize("text", [ts_text, arff_text])
def test_codings_of_ts_and_arff(tmp_path: Path, text: Any) -> None:
    values, _ = bumps(6, steps=5)
    content = text(values, ["\u00e4", "\u00f6"] * 3)
    path = tmp_path / ("a.ts" if text is ts_text else "a.arff")
    path.write_text(content, encoding="utf-8")
    plain = datasets.load(path)
    path.write_text(content, encoding="utf-16")
    np.testing.assert_array_equal(datasets.load(path).x, plain.x)
    path.write_text(content, encoding="latin-1")
    with pytest.raises(
        InputError, match=r"is not text in UTF-8 .*line \d+\). Pass encoding='latin-1'"
    ):
        datasets.load(path)
    named = datasets.load(path, encoding="latin-1")
    np.testing.assert_array_equal(named.x, plain.x)
    assert named.classes == plain.classes == ("\u00e4", "\u00f6")
    with pytest.raises(InputError, match=r"file has decimal points \(decimal\). Leave it out"):
        datasets.load(path, decimal=",")


def stamped(values: np.ndarray, labels: list[str], at: Callable[[int], str]) -> str:
    """A .ts file of series (samples, channels, steps) with time stamps."""
    lines = [heading(timeStamps="true", univariate="", seriesLength="", classLabel="true a b")]
    lines.append("@data")
    for sample, label in zip(values, labels, strict=True):
        rows = (",".join(f"({at(k)}, {v!r})" for k, v in enumerate(row.tolist())) for row in sample)
        lines.append(" : ".join([*rows, label]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("at", "step"),
    [
        (lambda k: str(k), "1"),
        (lambda k: f"{-3 + 0.25 * k}", "0.25"),
        (lambda k: f"2020-02-28 23:59:{30 + k:02d}", "1"),
        (lambda k: f"2020-02-{28 + k}" if k < 2 else f"2020-03-{k - 1:02d}", "86400"),
        (lambda k: f"2020-01-01T00:00:0{k}.5+02:00", "1"),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_time_stamps_at_equal_steps(
    tmp_path: Path, at: Callable[[int], str], step: str, channels: int
) -> None:
    x = np.random.default_rng(1).random((6, channels, 5))
    path = write(tmp_path / "a.ts", stamped(x, ["a", "b"] * 3, at))
    series = read_ts(path)
    np.testing.assert_array_equal(series.values, x)
    assert series.labels == ["a", "b"] * 3
    assert series.notes == (f"time stamps are at equal steps of {step}, and not kept",)
    assert series.notes[0] in datasets.load(path).notes


def test_steps_of_time_that_differ_between_series_are_said(tmp_path: Path) -> None:
    lines = ["(0,1),(1,?),(2,3):a", "(0,1),(3,2),(6,4):b", "(5,1):a"]
    text = "\n".join(
        [heading(timeStamps="true", seriesLength="", equalLength="false"), "@data", *lines]
    )
    series = read_ts(write(tmp_path / "a.ts", text))
    assert series.notes == ("steps of time are 1 to 3 and taken as equal",)
    np.testing.assert_array_equal(series.values[0], [[1, np.nan, 3]])
    np.testing.assert_array_equal(series.values[2], [[1]])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "(0,1),(1,2),(3,2):a",
            r"the step from '1' to '3' is 2, the first 1 .*line 7, series 2, value 3\)",
        ),
        ("(0,1),(2,2),(1,2):a", r"time '1' is not later than '2' before it .*series 2, value 3"),
        ("(0,1),(1,2),(1,2):a", "time '1' is not later than '1'"),
        ("(0,1),(x,2),(2,2):a", r"time 'x' is no number, the first is .*value 2"),
        ("(x,1),(1,2),(2,2):a", r"time 'x' is neither a number nor a date .*value 1"),
        ("(2020-01-01,1),(7,2),(8,2):a", "time '7' is a number, the first a date"),
        ("(2020-01-31,1),(2020-02-31,2),(8,2):a", "'2020-02-31' is neither a number nor a date"),
        ("(0,1),(1,2),2:a", r"holds no pair|no class"),
        ("(0,1),1,(2,2):a", r"'1,\(2,2\)' is no pair .*value 2"),
        ("(0,1),(1,2),:a", "holds no pair"),
        ("(0,1)(1,2)(2,2):a", "is no pair"),
        ("(0,1),(1,),(2,2):a", "there is no number .*value 2"),
        ("(0,1),(1,y),(2,2):a", "'y' is no number .*value 2"),
        ("(0,1),(1,2),(2,2):(0,1),(2,2),(4,2):a", "channel 2 has steps of 2, the first of 1"),
    ],
)
def test_time_stamps_that_are_not_understood(tmp_path: Path, line: str, message: str) -> None:
    good = line.count(":") * "(0,1),(1,2),(2,3):"
    text = heading(timeStamps="true", univariate="") + f"\n@data\n{good}b\n{line}\n"
    with pytest.raises(InputError, match=message) as caught:
        read_ts(write(tmp_path / "a.ts", text))
    assert "\n" not in str(caught.value)


def test_train_and_test_of_a_folder_are_its_two_parts(tmp_path: Path) -> None:
    x, y = bumps(16, steps=12)
    folder = tmp_path / "gestures"
    folder.mkdir()
    for part, rows in (("train", slice(0, 10)), ("test", slice(10, None))):
        write(folder / f"{part}.csv", wide_text(x[rows, 0], y[rows]))
    data = datasets.load(folder)
    assert data.name == "gestures"
    assert data.fold.tolist() == ["train"] * 10 + ["test"] * 6
    np.testing.assert_array_equal(datasets.load(folder / "train.csv").x, data.x)


@pytest.mark.parametrize("name", ["a.csv", "a.npz", "a.mat", "set/one/a.wav", "set/one/a.png"])
def test_a_clone_without_its_files_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    with pytest.raises(StorageError, match=r"pointer of Git LFS.*git lfs pull"):
        datasets.load(tmp_path / "set" if "/" in name else path)


def test_a_folder_of_texts_is_the_news_only_if_it_looks_like_them(tmp_path: Path) -> None:
    assert not is_news(tmp_path)
    write(tmp_path / "test.csv", "id,pixel0,label\n1,2,a\n")
    assert not is_news(tmp_path)
    write(tmp_path / "test.csv", '"3","A title","Some words"\n')
    assert is_news(tmp_path)
    (tmp_path / "test.csv").unlink()
    write(tmp_path / "train_subset_4000_tokenised.csv", '0,"word"\n')
    assert is_news(tmp_path)
