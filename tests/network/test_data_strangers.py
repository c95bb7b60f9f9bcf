"""Data of strangers: what would be learnt wrong in silence is read right, remarked or refused."""

from __future__ import annotations

import wave as waves
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ddkbase.errors import DDKError, InputError, StorageError, similar_file
from network import datasets

SHAPE = np.zeros((10, 12), np.uint8)
SHAPE[2:6, 2:8] = 200
OTHER = np.zeros((10, 12), np.uint8)
OTHER[3:9, 4:6] = 90


def pictures(folder: Path, change: Any, ending: str = "png", **how: Any) -> Path:
    for name, shape in (("a", SHAPE), ("b", OTHER)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        change(shape).save(folder / name / f"x.{ending}", **how)
    return folder


def plain(shape: np.ndarray) -> Image.Image:
    return Image.fromarray(shape)


def test_sixteen_bits_are_the_same_picture(tmp_path: Path) -> None:
    eight = datasets.load(pictures(tmp_path / "eight", plain)).x
    for ending in ("png", "tif"):
        deep = pictures(
            tmp_path / ending, lambda s: Image.fromarray(s.astype(np.uint16) * 257), ending
        )
        np.testing.assert_allclose(datasets.load(deep).x, eight, atol=2e-3)


def test_what_is_see_through_is_white(tmp_path: Path) -> None:
    def drawn(shape: np.ndarray) -> Image.Image:  # black where the shape is, else nothing
        ink = Image.new("L", (12, 10))
        return Image.merge("RGBA", [ink, ink, ink, Image.fromarray(shape)])

    seen = datasets.load(pictures(tmp_path / "drawn", drawn)).x
    opaque = datasets.load(pictures(tmp_path / "plain", plain)).x
    np.testing.assert_allclose(seen, 1 - opaque, atol=6e-3)
    assert datasets.load(pictures(tmp_path / "webp", plain, "webp", lossless=True)).x.std() > 0.1


def test_a_picture_is_turned_as_the_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned = datasets.load(pictures(tmp_path / "turned", plain, exif=exif)).x
    upright = datasets.load(pictures(tmp_path / "upright", plain)).x
    np.testing.assert_allclose(turned, upright[:, ::-1, ::-1], atol=1e-6)


def test_shades_without_a_white_and_several_pictures_are_refused(tmp_path: Path) -> None:
    for kind in ("f4", "i4"):
        folder = pictures(tmp_path / kind, lambda s, k=kind: Image.fromarray(s.astype(k)), "tif")
        with pytest.raises(StorageError, match="not said what is white"):
            datasets.load(folder)
    film = pictures(
        tmp_path / "film", plain, "gif", save_all=True, append_images=[plain(OTHER), plain(SHAPE)]
    )
    with pytest.raises(StorageError, match=r"holds \d pictures"):
        datasets.load(film)


def test_folders_and_files_that_are_no_samples_are_named(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", plain)
    assert datasets.load(folder).notes == ()
    (folder / "c").mkdir()
    (folder / "c" / "readme.txt").write_text("later")
    plain(SHAPE).save(folder / "loose.png")
    (folder / "__MACOSX" / "a").mkdir(parents=True)
    (folder / "__MACOSX" / "a" / "x.png").write_bytes(b"\0\5")
    loaded = datasets.load(folder)
    assert loaded.classes == ("a", "b")
    assert loaded.notes == (
        "'c': without a sample that is read, and no class",
        "'loose.png': outside of a class, and not read",
    )


def test_pictures_of_several_sizes_and_of_other_kinds(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", plain)
    plain(np.tile(SHAPE, (2, 3))).save(folder / "a" / "large.png")
    notes = datasets.load(folder).notes
    assert notes == (
        "pictures of 2 sizes, 10 x 12 to 20 x 36 rows and columns, are all resampled to 32 x 32",
    )
    for ending in ("heic", "svg"):
        (folder / "b" / f"y.{ending}").write_bytes(b"<svg/>")
        with pytest.raises(StorageError, match=f"in .{ending} is not read .*Convert to PNG"):
            datasets.load(folder)
        (folder / "b" / f"y.{ending}").unlink()


def test_pictures_beside_sounds_are_said(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", plain)
    for label, pitch in (("a", 0.1), ("b", 0.3)):
        with waves.open(str(folder / label / "x.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            samples = 9000 * np.sin(pitch * np.arange(16000))
            file.writeframes(samples.astype("<i2").tobytes())
    assert "pictures beside the sounds are not read" in datasets.load(folder).notes


def test_matlab_files_of_version_7_3(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    x, y = np.random.default_rng(0).random((20, 30)), np.arange(20) % 2
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:  # axes the other way round
        file["X"], file["y"] = x.T, y[None].astype(float)
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM"
    path.write_bytes(header + path.read_bytes()[len(header) :])
    loaded = datasets.load(path)
    np.testing.assert_allclose(loaded.x, x, rtol=1e-6)
    assert loaded.y.tolist() == y.tolist()


def test_copies_under_two_classes_and_nothing_at_all(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((20, 30))
    y = np.arange(20) % 2
    x[1] = x[0]
    np.savez(tmp_path / "twins.npz", X=x, y=y)
    notes = datasets.load(tmp_path / "twins.npz").notes
    assert [n[:24] for n in notes] == ["1 of 20 samples are copi", "1 samples are there unde"]
    np.savez(tmp_path / "empty.npz", X=np.zeros((20, 30)), y=y)
    with pytest.raises(StorageError, match="all values of all 20 samples are the same"):
        datasets.load(tmp_path / "empty.npz")


def test_arrays_by_the_names_of_others(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((20, 30))
    y = np.array([b"cat", b"dog"])[np.arange(20) % 2]
    np.savez(tmp_path / "a.npz", x_train=x[:14], y_train=y[:14], x_test=x[14:], y_test=y[14:])
    loaded = datasets.load(tmp_path / "a.npz")
    assert loaded.classes == ("cat", "dog")
    assert loaded.fold.tolist() == ["train"] * 14 + ["test"] * 6
    np.testing.assert_allclose(loaded.x, x, rtol=1e-6)
    np.savez(tmp_path / "b.npz", x, y)
    with pytest.raises(StorageError, match="its arrays are arr_0, arr_1"):
        datasets.load(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", X=np.random.default_rng(0).random((20, 50, 3)), y=y)
    assert "50 channels of 3 steps" in datasets.load(tmp_path / "c.npz").notes[0]
    wrong = {"x_train": x, "y_train": y, "x_test": x[:, :5], "y_test": y}
    np.savez(tmp_path / "d.npz", **wrong)
    with pytest.raises(StorageError, match="X_train is of shape"):
        datasets.load(tmp_path / "d.npz")


def table(path: Path, heads: str, more: Any) -> Path:
    x = np.random.default_rng(0).random((20, 6))
    lines = [f"{heads},x1,x2,x3,x4,x5,x6"]
    lines += [f"{more(k)}," + ",".join(f"{v:.4f}" for v in row) for k, row in enumerate(x)]
    path.write_text("\n".join(lines) + "\n")
    return path


def kind(k: int) -> str:
    return "ab"[k // 10]


@pytest.mark.parametrize("name", ["index", "No.", "idx", "file", "counter of mine"])
def test_what_counts_the_rows_is_no_value(tmp_path: Path, name: str) -> None:
    path = table(tmp_path / "a.csv", f"{name},label", lambda k: f"{k + 7},{kind(k)}")
    loaded = datasets.load(path)
    assert loaded.x.shape == (20, 6)
    assert any("is not read" in note for note in loaded.notes)


def test_what_tells_the_class_is_refused(tmp_path: Path) -> None:
    for heads in ("label,label_id", "label,y", "label,foo"):
        path = table(tmp_path / "a.csv", heads, lambda k: f"{kind(k)},{3 * (k // 10)}")
        with pytest.raises(InputError, match="one value for each class: it tells the class"):
            datasets.load(path)
    long = "sample,time,label,code,v\n" + "".join(
        f"{s},{t},{kind(5 * s)},{s // 2},{np.sin(s + t):.4f}\n" for s in range(4) for t in range(5)
    )
    (tmp_path / "long.csv").write_text(long)
    with pytest.raises(InputError, match="column 'code' has one value for each class"):
        datasets.load(tmp_path / "long.csv")


def test_persons_and_parts_by_other_names(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "label,subject_id", lambda k: f"{kind(k)},{k % 5}")
    assert set(datasets.load(path).groups.tolist()) == set("01234")
    path = table(
        tmp_path / "b.csv", "label,split", lambda k: f"{kind(k)},{'train' if k % 3 else 'test'}"
    )
    assert set(datasets.load(path).fold.tolist()) == {"train", "test"}
    path = table(tmp_path / "c.csv", "label,is_train", lambda k: f"{kind(k)},{k % 2}")
    with pytest.raises(InputError, match=r"the part is '0'.*train or test"):
        datasets.load(path)


def test_classes_that_differ_in_capitals_are_named(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "label", lambda k: ("Fox", "fox", "cat")[k % 3])
    assert "classes 'Fox' and 'fox' differ in capitals" in datasets.load(path).notes[-1]
    path = table(tmp_path / "b.csv", "label", lambda k: ("A", "a")[k % 2])  # letters are classes
    assert datasets.load(path).notes == ()


def test_silence_and_channels_that_cancel_each_other(tmp_path: Path) -> None:
    sound = pytest.importorskip("soundfile")
    tone = 0.5 * np.sin(np.arange(8000) / 3)
    for name, wave in (("a", tone), ("b", tone[::-1] * np.hanning(8000))):
        (tmp_path / name).mkdir()
        for k in range(2):
            sound.write(tmp_path / name / f"{k}.wav", np.roll(wave, 500 * k), 8000)
    assert datasets.load(tmp_path).notes == ()
    sound.write(tmp_path / "a" / "2.wav", np.zeros(8000), 8000)
    assert "1 of 5 recordings are silent throughout" in datasets.load(tmp_path).notes
    sound.write(tmp_path / "a" / "2.wav", np.stack([tone, -tone], axis=1), 8000)
    with pytest.raises(StorageError, match="channels cancel each other"):
        datasets.load(tmp_path)


def test_a_link_to_nothing_is_not_offered_in_its_own_place(tmp_path: Path) -> None:
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    assert similar_file(tmp_path / "gone.csv") == "It is a link that leads nowhere"
    with pytest.raises(DDKError, match="leads nowhere"):
        datasets.load(tmp_path / "gone.csv")


def test_arrays_with_an_index_or_the_class_among_the_values(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((20, 30))
    y = np.arange(20) // 10
    for k, column, words in (
        (0, np.arange(20), "value 1 of each sample rises evenly"),
        (7, 3 * y, "value 8 of each sample is one for each class"),
    ):
        spoilt = x.copy()
        spoilt[:, k] = column
        np.savez(tmp_path / "a.npz", X=spoilt, y=y)
        notes = datasets.load(tmp_path / "a.npz").notes
        assert any(words in note for note in notes)
    np.savez(tmp_path / "a.npz", X=x, y=y)
    assert datasets.load(tmp_path / "a.npz").notes == ()
    both = {"x_train": x, "y_train": y, "x_test": x[:5], "y_test": y[:5]}
    np.savez(tmp_path / "b.npz", **both)
    assert datasets.load(tmp_path / "b.npz").notes == (
        "5 of 5 test samples are in the training part, too",
    )


SERIES = np.round(np.random.default_rng(2).normal(size=(12, 5)), 3)
CLASSES = ["rest", "walk", "run"] * 4
HEADS = [f"t{k}" for k in range(5)]


def text_of(heads: list[str], *columns: Any, sign: str = ",") -> str:
    rows = [heads, *zip(*columns, strict=True)] if heads else [*zip(*columns, strict=True)]
    return "\n".join(sign.join(map(str, row)) for row in rows) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        text_of(["", *HEADS, "class"], range(12), *SERIES.T, CLASSES),
        text_of(["Unnamed: 0", "label", *HEADS], range(1, 13), CLASSES, *SERIES.T),
        text_of(["class", *HEADS, ""], CLASSES, *SERIES.T, [""] * 12),
        text_of(["Klasse", *HEADS], CLASSES, *SERIES.T, sign=";").replace(".", ","),
    ],
    ids=["index", "index from 1", "a sign behind each row", "German"],
)
def test_what_programs_add_to_a_table_is_no_value(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    data = datasets.load(tmp_path / "a.csv")
    assert data.classes == ("rest", "run", "walk") and data.x.shape == (12, 5)
    span = np.ptp(SERIES)
    np.testing.assert_allclose(data.x, (SERIES - SERIES.min()) / span, atol=1e-6)


def test_a_column_without_a_heading_that_does_not_count_is_refused(tmp_path: Path) -> None:
    text = text_of(["", *HEADS, "class"], range(0, 24, 2), *SERIES.T, CLASSES)
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match="column 1 has no heading"):
        datasets.load(tmp_path / "a.csv")


def test_whole_numbers_with_the_class_last_are_refused(tmp_path: Path) -> None:
    whole, classes = (SERIES * 1000).astype(int), [1, 2, 3] * 4
    path = tmp_path / "mine_TRAIN.tsv"
    path.write_text(text_of([], *whole.T, classes, sign="\t"))
    with pytest.raises(InputError, match="the last value of each line looks like its class"):
        datasets.load(path)
    path.write_text(text_of([], classes, *whole.T, sign="\t"))
    assert datasets.load(path).classes == ("1", "2", "3")


@pytest.mark.parametrize(
    "names",
    [("data", "labels"), ("features", "target"), ("X", "class"), ("inputs", "Y")],
)
def test_arrays_by_other_names(tmp_path: Path, names: tuple[str, str]) -> None:
    np.savez(tmp_path / "a.npz", **{names[0]: SERIES, names[1]: CLASSES})
    data = datasets.load(tmp_path / "a.npz")
    assert data.classes == ("rest", "run", "walk") and data.x.shape == (12, 5)
    others = [n for n in names if n.lower() not in ("x", "y")]
    assert all(any(f"'{n}' is taken as" in note for note in data.notes) for n in others)


def test_arrays_of_two_parts_and_rows_with_a_one(tmp_path: Path) -> None:
    y = np.array([0, 1, 2] * 4)
    parts = {"train_x": SERIES[:9], "train_y": y[:9], "test_x": SERIES[9:], "test_y": y[9:]}
    np.savez(tmp_path / "a.npz", **parts)
    assert datasets.load(tmp_path / "a.npz").fold.tolist() == ["train"] * 9 + ["test"] * 3
    np.savez(tmp_path / "b.npz", X=SERIES, y=np.eye(3)[y])
    data = datasets.load(tmp_path / "b.npz")
    assert data.y.tolist() == y.tolist() and "whose place is the class" in data.notes[0]
    np.savez(tmp_path / "c.npz", X=SERIES, y=np.ones((12, 3)))
    with pytest.raises(StorageError, match="y is of shape"):
        datasets.load(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", data=SERIES, features=SERIES, y=y)
    with pytest.raises(StorageError, match="data and features may be its x"):
        datasets.load(tmp_path / "d.npz")


@pytest.mark.parametrize("told", [False, True])
def test_a_rate_that_tells_the_class_is_said(tmp_path: Path, told: bool) -> None:
    rng = np.random.default_rng(3)
    for label in range(2):
        (tmp_path / str(label)).mkdir()
        for k in range(4):
            rate = (8000, 16000)[label if told else k % 2]
            with waves.open(str(tmp_path / str(label) / f"{k}.wav"), "wb") as file:
                file.setparams((1, 2, rate, 0, "NONE", ""))
                file.writeframes(rng.integers(-9000, 9000, 2 * rate, np.int16).tobytes())
    notes = " ".join(datasets.load(tmp_path).notes)
    assert ("what lower rates lack tells the class" in notes) == told
    assert "are resampled to" in notes


def test_arrays_that_are_left_out_are_said_and_objects_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=SERIES, y=CLASSES, lengths=np.full(12, 3), X_val=SERIES)
    assert "not read: 'lengths', 'X_val'" in datasets.load(tmp_path / "a.npz").notes
    np.savez(tmp_path / "b.npz", X=SERIES, y=np.array(CLASSES, dtype=object))
    with pytest.raises(StorageError, match=r"array 'y' holds objects.*astype\(str\)"):
        datasets.load(tmp_path / "b.npz")
    colours = np.random.default_rng(4).random((12, 8, 8, 3))
    np.savez(tmp_path / "c.npz", images=colours, labels=CLASSES)
    with pytest.raises(StorageError, match="colours last"):
        datasets.load(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", images=colours.transpose(0, 3, 1, 2), labels=CLASSES)
    assert datasets.load(tmp_path / "d.npz").x.shape == (12, 3, 8, 8)


def test_a_table_of_r_and_a_class_called_na(tmp_path: Path) -> None:
    quoted = [f'"{name}"' for name in CLASSES]
    rows = zip([f'"{k}"' for k in range(1, 13)], *SERIES.T, quoted, strict=True)
    lines = [" ".join(f'"{h}"' for h in (*HEADS, "label")), *(" ".join(map(str, r)) for r in rows)]
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n")
    data = datasets.load(tmp_path / "a.txt")
    assert data.x.shape == (12, 5) and data.classes == ("rest", "run", "walk")
    (tmp_path / "c.csv").write_text("a,label\n1,x,\n2,y,\n3,x,\n4,y,\n")
    with pytest.raises(InputError, match="has 3 cells, there are 2 headings"):
        datasets.load(tmp_path / "c.csv")
    (tmp_path / "b.csv").write_text("label,a,b\nNA,1,2\nEU,3,4\nNA,2,2\nEU,1,4\n")
    with pytest.raises(InputError, match="'NA' counts as an empty cell"):
        datasets.load(tmp_path / "b.csv")
