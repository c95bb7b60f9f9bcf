"""Archives, arrays and .arff files of strangers: what was read wrong or in part, or unpacked."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from ddkbase.errors import InputError, StorageError
from ddkbase.files import unpacked_limit
from network import datasets
from tests.network import data_files

X = np.random.default_rng(0).normal(size=(12, 20))
Y = np.arange(12) % 2


def sounds(folder: Path) -> Path:
    for label, pitch in (("low", 300.0), ("high", 900.0)):
        for k in range(2):
            wave = data_files.tone(1.1, pitch=pitch + k)
            data_files.sound(folder / label / f"{k}.wav", wave)
    return folder


def zipped(path: Path, folder: Path, top: str, more: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, f"{top}{file.relative_to(folder).as_posix()}")
        for name, content in more.items():
            archive.writestr(name, content)
    return path


def test_documents_beside_the_folder_of_an_archive(tmp_path: Path) -> None:
    folder = sounds(tmp_path / "in")
    more = {"top/README.txt": b"read me", "top/LICENSE": b"free", "about.pdf": b"%PDF"}
    data = datasets.load(zipped(tmp_path / "a.zip", folder, "top/data/", more))
    assert data.classes == ("high", "low") and len(data) == 4
    more["top/labels.csv"] = b"a,b"  # which is no document
    with pytest.raises(StorageError, match="names a single class"):
        datasets.load(zipped(tmp_path / "b.zip", folder, "top/data/", more))


def test_idx_files_and_arrays_in_folders_of_an_archive(tmp_path: Path) -> None:
    data_files.mnist_like(tmp_path / "in")
    assert len(datasets.load(zipped(tmp_path / "a.zip", tmp_path / "in", "MNIST/raw/", {}))) == 10
    np.savez(tmp_path / "x.npz", X=X, y=Y)
    content = {"x.npz": (tmp_path / "x.npz").read_bytes(), "README": b""}
    assert len(datasets.load(zipped(tmp_path / "b.zip", tmp_path / "no", "", content))) == 12


@pytest.mark.parametrize("damaged", [False, True])
def test_an_archive_cut_between_two_members_is_not_read_in_part(
    tmp_path: Path, damaged: bool
) -> None:
    path, folder = tmp_path / "a.tar", sounds(tmp_path / "in")
    with tarfile.open(path, "w") as archive:
        for file in sorted(folder.rglob("*.wav")):
            archive.add(file, file.relative_to(folder).as_posix())
    assert len(datasets.load(path)) == 4
    with tarfile.open(path) as archive:
        last = archive.getmembers()[-1].offset
    content = bytearray(path.read_bytes())
    content[last + 150] ^= 1  # a heading whose sum is wrong, or none
    path.write_bytes(content if damaged else content[:last])
    with pytest.raises(StorageError, match="its end is missing after 3 members"):
        datasets.load(path)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    folder = sounds(tmp_path / "in")
    for name in ("low/0.wav/x", f"low/{'x' * 300}.wav"):
        path = zipped(tmp_path / "a.zip", folder, "", {name: b"x"})
        with pytest.raises((InputError, StorageError), match=r"cannot be written|too long"):
            datasets.load(path)
    path = zipped(tmp_path / "b.zip", folder, "", {})
    path.write_bytes(path.read_bytes().replace(b"low/1.wav", b"low/\0.wav"))
    with pytest.raises(InputError, match="a name that ends in the middle"):
        datasets.load(path)


def saved(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("dtype", ["f2", "i1", "i2", "f4"])
def test_a_range_that_is_wider_than_its_type(tmp_path: Path, dtype: str) -> None:
    kind = np.dtype(dtype)
    ends = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    x = np.linspace(0.9 * float(ends.min), 0.9 * float(ends.max), 240).astype(kind)
    data = datasets.load(saved(tmp_path / "a.npz", X=x.reshape(12, 20), y=Y))
    expected = np.linspace(0, 1, 240).reshape(12, 20)
    np.testing.assert_allclose(data.x, expected, atol=2e-2 if dtype == "i1" else 2e-3)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": np.sign(X) * 1.7e308, "y": Y}, "cannot be scaled"),
        ({"X": X, "y": np.where(Y == 0, 0, np.inf)}, "y holds NaN or infinity"),
        ({"X": X, "y": Y, "groups": np.full(12, np.nan)}, "groups holds NaN or infinity"),
        (
            {"x_train": X[:8], "y_train": Y[:8], "x_test": X[8:], "y_test": Y[8:] + 1},
            "class '2' is in the test part only",
        ),
    ],
)
def test_arrays_that_are_not_learnt(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: str
) -> None:
    with pytest.raises(StorageError, match=words):
        datasets.load(saved(tmp_path / "a.npz", **arrays))


def test_commas_in_quoted_classes(tmp_path: Path) -> None:
    path = tmp_path / "a.arff"
    rows = ["1,3,'a, b'", '2,1,"c d"', "3,1,plain", "4,4, 'a, b' "]
    heading = "@relation p\n@attribute a numeric\n@attribute b numeric\n"
    path.write_text(f"{heading}@attribute c {{'a, b',\"c d\", plain}}\n@data\n" + "\n".join(rows))
    data = datasets.load(path)
    assert [data.classes[k] for k in data.y] == ["a, b", "c d", "plain", "a, b"]
    np.testing.assert_allclose(data.x[:, 0], [0, 1 / 3, 2 / 3, 1], atol=1e-6)


def test_a_small_file_unpacks_to_no_more_than_a_hundred_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unpacked_limit(10, 4 << 30) == unpacked_limit(10**6, 4 << 30) == 10**8
    assert unpacked_limit(2 * 10**6, 4 << 30) == 2 * 10**9
    assert unpacked_limit(10**7, 10**8) == 10**8
    assert unpacked_limit(2 * 10**6, 10**9, 25) == 5 * 10**7
    x = np.zeros((120_000, 1000), np.uint8)
    x[0] = 1
    y = np.arange(120_000, dtype=np.uint8) % 2
    files = [tmp_path / "a.npz", tmp_path / "a.mat", tmp_path / "a.ts.gz", tmp_path / "a.csv.gz"]
    np.savez_compressed(files[0], X=x, y=y)
    scipy.io.savemat(files[1], {"X": x, "y": y}, do_compression=True)
    text = "@classLabel true 0 1\n@data\n" + "1,2,3:0\n1,3,2:1\n" * 2_000_000
    files[2].write_bytes(gzip.compress(text.encode(), 1))
    files[3].write_bytes(gzip.compress(("a,b,class\n" + "1,2,0\n1,3,1\n" * 2_500_000).encode(), 1))
    for path in files:
        assert path.stat().st_size < 10**6
        with pytest.raises(StorageError, match=r"larger than|far more") as caught:
            datasets.load(path)
        assert "\n" not in str(caught.value)
    stream = io.BytesIO()
    np.save(stream, x)
    assert len(stream.getvalue()) > 10**8
    monkeypatch.setenv("DDK_READ_LIMIT", "7")
    assert unpacked_limit(10**7, 10**8) == 7
