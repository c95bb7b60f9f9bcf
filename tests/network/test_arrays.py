"""Samples of others: pictures by class, arrays X and y, the authors' vectors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ddk.cli.commands import app
from ddkbase.errors import StorageError
from network import datasets


def pictures(folder: Path, number: int = 6, shift: int = 0) -> Path:
    from PIL import Image

    rng = np.random.default_rng(shift)
    for label, slope in (("dark", 0), ("light", 128)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for k in range(number):
            pixels = (rng.integers(0, 90, (40, 20)) + slope).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{k}.png")
    return folder


def test_a_folder_of_pictures_trains(tmp_path: Path) -> None:
    data = datasets.load(pictures(tmp_path / "net"), size=(8, 10))
    assert data.x.shape == (12, 8, 10)
    assert data.classes == ("dark", "light")
    assert data.x[data.y == 0].max() < data.x[data.y == 1].min()
    told = ["train", "--data", str(tmp_path / "net"), "--quick", "--out", str(tmp_path / "o")]
    done = CliRunner().invoke(app, told)
    assert done.exit_code == 0, done.output
    (tmp_path / "net" / "dark" / "0.png").write_bytes(b"no picture")
    with pytest.raises(StorageError, match="not a picture"):
        datasets.load(tmp_path / "net")


def test_parts_of_pictures_are_kept(tmp_path: Path) -> None:
    pictures(tmp_path / "train")
    pictures(tmp_path / "test", 2, 1)
    data = datasets.load(tmp_path)
    assert data.classes == ("dark", "light")
    assert data.fold.tolist().count("test") == 4


def test_arrays_of_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(3, 5, (20, 4, 6)), np.array(["a", "b"] * 10)
    fold = np.array(["train"] * 15 + ["test"] * 5)
    x[16] = 99.0
    np.savez(tmp_path / "mine.npz", X=x, y=y, groups=np.arange(20) // 2, fold=fold)
    data = datasets.load(tmp_path / "mine.npz")
    assert data.classes == ("a", "b") and data.dims == ("row", "step")
    assert data.fold.tolist() == fold.tolist() and len(set(data.groups)) == 10
    assert data.x[:15].min() == 0 and data.x[:15].max() == 1
    assert data.x[16].min() > 1  # the range is that of the training part
    assert "scaled to 0 to 1" in data.notes[0]
    anew = data.in_range_of(np.arange(4))
    assert anew.x[:4].min() == 0 and anew.x[:4].max() == 1 and anew.x[4:].min() < 0
    done = CliRunner().invoke(app, ["train", "--data", str(tmp_path / "mine.npz"), "--quick",
                                    "--out", str(tmp_path / "o")])  # fmt: skip
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"Z": np.ones(3)}, "lacks X or y"),
        ({"X": np.ones((3, 2)), "y": np.arange(4)}, r"y is of shape \(4,\)"),
        ({"X": np.full((3, 2), np.nan), "y": np.arange(3)}, "NaN or infinity"),
        ({"X": np.ones((3, 2)), "y": np.zeros(3)}, "single class"),
        ({"X": np.ones((3, 2)), "y": np.array([0.5, 1.0, 2.0])}, "not whole"),
        ({"X": np.ones((3, 2)), "y": np.arange(3), "fold": np.array(["a"] * 3)}, "fold holds a"),
        ({"X": np.ones(3), "y": np.arange(3)}, "X is float64 of shape"),
    ],
)
def test_arrays_that_do_not_belong_together(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(StorageError, match=message):
        datasets.load(tmp_path / "a.npz")


def test_other_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.doc").write_text("1,2")
    with pytest.raises(StorageError, match=r"is a file.*npz"):
        datasets.load(tmp_path / "a.doc")
    (tmp_path / "a.npz").write_bytes(b"PK nothing")
    with pytest.raises(StorageError, match="damaged"):
        datasets.load(tmp_path / "a.npz")


def vectors(folder: Path) -> Path:
    scipy_io = pytest.importorskip("scipy.io")
    folder.mkdir()
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 50)
    scipy_io.savemat(folder / "speaker_no_fft_x.mat", {"samples": rng.random((7, 100))})
    scipy_io.savemat(folder / "targets_no_fft_x.mat", {"targets": np.eye(2)[:, labels]})
    return folder


def test_the_authors_vectors_are_no_silhouettes(tmp_path: Path) -> None:
    data = datasets.load(vectors(tmp_path / "v"))
    assert data.x.shape == (100, 7) and data.name == "speaker_vectors"
    assert data.fold.tolist().count("test") == 20
    runs = datasets.load(tmp_path / "v", split="runs")
    assert set(runs.fold) == {""}
    assert [list(runs.groups).count(g) for g in sorted(set(runs.groups))] == [25] * 4


def test_vectors_by_name_lie_in_a_folder_of_data(tmp_path: Path) -> None:
    folder = vectors(tmp_path / "sitw_ddk")
    for root in (tmp_path, folder):
        data = datasets.load("speaker_vectors", root=root, split="runs")
        assert data.x.shape == (100, 7)
    parts = datasets.split(data, test=0.25, validation=0.1, by="test-group", seed=2)
    tested = set(data.groups[parts.test])
    assert len(parts.test) == 50 and len(tested) == 2
    assert not tested & set(data.groups[np.concatenate([parts.train, parts.validation])])
    assert len(parts.validation) == 10 and len(parts.train) == 40
    assert set(data.groups[parts.validation]) & set(data.groups[parts.train])


def test_the_article_s_own_vectors() -> None:
    root = Path(os.environ.get("DDK_DATA", "")) / "sitw_ddk"
    if not root.is_dir():
        pytest.skip("DDK_DATA holds no sitw_ddk")
    data = datasets.load(root)
    assert data.x.shape == (1250, 128) and len(data.classes) == 10
    assert data.fold.tolist().count("test") == 250


@pytest.mark.parametrize("names", [("X", "y"), ("train/X", "train/y"), ("features", "labels")])
def test_arrays_of_an_hdf5_file(tmp_path: Path, names: tuple[str, str]) -> None:
    h5py = pytest.importorskip("h5py")
    x, y = np.random.default_rng(0).random((12, 5)), np.arange(12) % 3
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[names[0]], file[names[1]] = x, y
    data = datasets.load(tmp_path / "a.h5")
    assert data.sample_shape == (5,) and data.y.tolist() == y.tolist()
    (tmp_path / "b.hdf5").write_bytes(b"\x89HDF" + bytes(100))
    with pytest.raises(StorageError, match=r"b\.hdf5"):
        datasets.load(tmp_path / "b.hdf5")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["X"] = x
    with pytest.raises(StorageError, match="lacks X or y"):
        datasets.load(tmp_path / "c.h5")


def test_a_training_part_alone_is_all_there_is(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).random((12, 5)), np.arange(12) % 3
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y)
    data = datasets.load(tmp_path / "a.npz")
    assert len(data.x) == 12 and set(data.fold) <= {""}
    np.savez(tmp_path / "b.npz", x_train=x, y_train=y, x_test=x)
    with pytest.raises(StorageError, match="lacks X or y"):
        datasets.load(tmp_path / "b.npz")


def test_tables_of_human_activity(tmp_path: Path) -> None:
    """As UCI's HAR Dataset has them: numbers between blanks, subjects in files of their own."""
    rng, x, y = np.random.default_rng(0), {}, {}
    for part, count in (("train", 12), ("test", 6)):
        x[part], y[part] = rng.uniform(-1, 1, (count, 7)), 1 + np.arange(count) % 3
        subjects = np.repeat([1, 2] if part == "train" else [9, 10], count // 2)
        (tmp_path / part).mkdir()
        np.savetxt(tmp_path / part / f"X_{part}.txt", x[part], "%16.7e")
        np.savetxt(tmp_path / part / f"y_{part}.txt", y[part], "%d")
        np.savetxt(tmp_path / part / f"subject_{part}.txt", subjects, "%d")
        signals = tmp_path / part / "Inertial Signals"
        signals.mkdir()
        np.savetxt(signals / f"body_acc_x_{part}.txt", x[part])
    data = datasets.load(tmp_path)
    assert data.sample_shape == (7,) and data.classes == ("1", "2", "3")
    assert data.fold.tolist() == ["train"] * 12 + ["test"] * 6
    assert [float(g) for g in sorted(set(data.groups), key=float)] == [1, 2, 9, 10]
    both = np.concatenate([x["train"], x["test"]])
    low, high = x["train"].min(), x["train"].max()
    np.testing.assert_allclose(data.x, (both - low) / (high - low), atol=1e-5)
    (tmp_path / "test" / "y_test.txt").write_text("1\n2\nthree\n")
    with pytest.raises(StorageError, match="y_test"):
        datasets.load(tmp_path)
