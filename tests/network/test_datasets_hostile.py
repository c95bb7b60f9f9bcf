"""Missing, damaged and odd files: one line that names the file, exit code 4, no great memory."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ddkbase.errors import DDKError, StorageError
from network import datasets
from network.datasets.meshes import read_binvox, read_off
from tests.network import data_files as files


def refused(work: Callable[[], object], path: Path | str, *words: str) -> str:
    """The one line of the error, which names the file and ends a command with 4."""
    with pytest.raises(StorageError) as caught:
        work()
    line = str(caught.value)
    assert caught.value.exit_code == 4
    assert "\n" not in line
    assert str(path) in line
    for word in words:
        assert word in line
    return line


def test_no_folder_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DDK_DATA", raising=False)
    for name in datasets.NAMES:
        if name in ("digits", "voices"):
            continue
        with pytest.raises(StorageError, match=r"DDK_DATA.*https?://"):
            datasets.load(name)


@pytest.mark.parametrize("name", [n for n in datasets.NAMES if n not in ("digits", "voices")])
def test_empty_folder_and_folder_that_is_not_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(lambda: datasets.load(name, root=tmp_path), tmp_path, "http")
    monkeypatch.setenv("DDK_DATA", str(tmp_path / "no"))
    refused(lambda: datasets.load(name), tmp_path / "no", "no such folder", "http")
    file = tmp_path / "file"
    file.write_text("x")
    refused(lambda: datasets.load(name, root=file), file, "a folder was expected")


def test_empty_folder_of_ones_own(tmp_path: Path) -> None:
    refused(lambda: datasets.load(tmp_path), tmp_path, "no data that is known")


# -- IDX ------------------------------------------------------------------------------------


def test_every_cut_of_an_idx_file(tmp_path: Path) -> None:
    content = files.idx(np.arange(18).reshape(2, 3, 3))
    for kind in ("plain", "packed"):
        path = tmp_path / kind
        whole = gzip.compress(content) if kind == "packed" else content
        for size in range(len(whole)):
            path.write_bytes(whole[:size])
            refused(lambda p=path: datasets.read_idx(p), path)  # type: ignore[misc]


def test_idx_that_promises_what_it_has_not(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for head, words in (
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**31, 2**31, 2**31), "larger than"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 60000, 28, 28), "it ends after 0 of 47040000"),
        (bytes([0, 0, 8, 1]) + struct.pack(">I", 2) + b"abc", "longer"),
        (bytes([0, 0, 7, 1]) + struct.pack(">I", 2) + b"ab", "begins with"),
        (bytes([0, 0, 8, 255]) + bytes(255 * 4), "header"),
        (b"<html>not found</html>", "begins with"),
    ):
        path.write_bytes(head)
        refused(lambda: datasets.read_idx(path), path, words)


def test_idx_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    head = bytes([0, 0, 8, 1]) + struct.pack(">I", 10)
    path.write_bytes(gzip.compress(head + bytes(200_000_000), 9))
    refused(lambda: datasets.read_idx(path), path, "longer than its shape")


def test_idx_files_that_do_not_belong_together(tmp_path: Path) -> None:
    files.mnist_like(tmp_path, packed=False)
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(files.idx(np.arange(5)))
    refused(lambda: datasets.load("mnist", root=tmp_path), labels, "for 6 images")
    labels.write_bytes(files.idx(np.full(6, 11)))
    refused(lambda: datasets.load("mnist", root=tmp_path), labels, "label 11")
    labels.unlink()
    line = refused(lambda: datasets.load("mnist", root=tmp_path), labels, "not found")
    assert "http" in line


# -- sounds ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_every_tenth_cut_of_a_sound(tmp_path: Path, ending: str) -> None:
    whole = files.sound(tmp_path / f"whole.{ending}", files.tone(0.3)).read_bytes()
    path = tmp_path / f"cut.{ending}"
    for size in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        path.write_bytes(whole[:size])
        refused(lambda p=path: datasets.read_sound(p), path)  # type: ignore[misc]


def test_sounds_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    path = tmp_path / "a.wav"
    for content in (b"", b"RIFF", b"version https://git-lfs.github.com/spec/v1\n", bytes(4000)):
        path.write_bytes(content)
        refused(lambda: datasets.read_sound(path), path, "sound file")
    folder = tmp_path / "b.wav"
    folder.mkdir()
    refused(lambda: datasets.read_sound(folder), folder)
    empty = files.sound(tmp_path / "empty.wav", np.zeros(0))
    refused(lambda: datasets.read_sound(empty), empty, "no sample")
    nan = files.sound(tmp_path / "nan.wav", np.array([0.0, np.nan, 1.0]), subtype="FLOAT")
    refused(lambda: datasets.read_sound(nan), nan, "NaN")


def test_wav_that_promises_gigabytes(tmp_path: Path) -> None:
    path = files.sound(tmp_path / "a.wav", files.tone(0.1))
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 2_000_000_000)
    path.write_bytes(content)
    refused(lambda: datasets.read_sound(path), path, "cut off")


def test_streamed_wav_of_open_length_is_read(tmp_path: Path) -> None:
    path = files.sound(tmp_path / "a.wav", files.tone(0.1))
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff" * 4
    path.write_bytes(content)
    assert len(datasets.read_sound(path)[0]) == 800


def test_damaged_file_in_a_folder_is_named(tmp_path: Path) -> None:
    root = files.speakers(tmp_path, ending="flac")
    bad = root / "spk1" / "ch1" / "utt3.flac"
    bad.write_bytes(bad.read_bytes()[:300])
    refused(lambda: datasets.load("speakers", root=root), bad)


def test_folders_of_one_class_of_none_and_of_loose_files(tmp_path: Path) -> None:
    one = files.speakers(tmp_path / "one", count=1)
    refused(lambda: datasets.load("speakers", root=one), one, "single class, 'spk0'")
    loose = tmp_path / "loose"
    files.sound(loose / "a.wav", files.tone())
    refused(lambda: datasets.load("speakers", root=loose), loose, "folder of its own")
    hollow = tmp_path / "hollow"
    (hollow / "a").mkdir(parents=True)
    (hollow / "b" / ".hidden").mkdir(parents=True)
    (hollow / "b" / "notes.txt").write_text("x")
    refused(lambda: datasets.load("speakers", root=hollow), hollow, "holds no folders with sounds")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_unreadable_file_for_a_user(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(files.idx(np.arange(3)))
    path.chmod(0)
    refused(lambda: datasets.read_idx(path), path, "may not be read")


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from network.datasets import images

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    path = tmp_path / "x"
    path.write_bytes(b"")
    monkeypatch.setattr(images, "open_bytes", refuse)
    refused(lambda: datasets.read_idx(path), path, "may not be read")


def test_lists_with_wrong_lines(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    listing = tmp_path / "labels.csv"
    for text, words in (
        ("file,class\na.wav\n", "line 2 has 1 columns"),
        ("a.wav,x,y\n", "line 1 has 3 columns"),
        ("../../etc/a.wav,x\nb.wav,y\n", "outside"),
        ("a.wav,x\nb.wav,x\n", "single class"),
        ("\n\n", "names no file"),
        ("a.wav,\xff\n", "damaged"),
    ):
        listing.write_bytes(text.encode("latin-1"))
        refused(lambda: datasets.read_sounds(tmp_path), listing, words)
    listing.write_text("a.wav,x\nb.wav,y\n")
    refused(lambda: datasets.read_sounds(tmp_path), tmp_path / "a.wav", "not found")


# -- npz ------------------------------------------------------------------------------------


def voxel_npz(path: Path, **change: object) -> Path:
    arrays: dict[str, object] = {
        "X_train": np.ones((2, 8), np.uint8),
        "y_train": np.array([0, 1], np.uint8),
        "X_test": np.ones((1, 8), np.uint8),
        "y_test": np.array([1], np.uint8),
        "classes": np.array(["a", "b"]),
    }
    np.savez(path, **{k: v for k, v in {**arrays, **change}.items() if v is not None})  # type: ignore[arg-type]
    return path


def test_npz_members_packed_by_lzma_are_read(tmp_path: Path) -> None:
    plain, packed = voxel_npz(tmp_path / "a.npz"), tmp_path / "b.npz"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert datasets.read_voxel_npz(packed).x.shape == (3, 4, 4, 4)


def test_every_tenth_cut_of_an_npz(tmp_path: Path) -> None:
    whole = voxel_npz(tmp_path / "a.npz").read_bytes()
    path = tmp_path / "cut.npz"
    for size in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:size])
        refused(lambda: datasets.read_voxel_npz(path), path)


def test_npz_flipped_anywhere_is_refused_or_read_whole(tmp_path: Path) -> None:
    whole = voxel_npz(tmp_path / "a.npz").read_bytes()
    path = tmp_path / "b.npz"
    rng = np.random.default_rng(0)
    for _ in range(150):
        content = bytearray(whole)
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        try:
            assert datasets.read_voxel_npz(path).x.shape == (3, 4, 4, 4)
        except DDKError as error:
            assert error.exit_code == 4 and str(path) in str(error)


def test_npz_with_wrong_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for change, words in (
        ({"y_test": None}, "holds no array 'y_test'"),
        ({"X_train": np.ones((2, 7), np.uint8)}, "X_train (2, 7)"),
        ({"X_train": np.ones((3, 8), np.uint8)}, "X_train (3, 8)"),
        ({"X_test": np.ones((1, 64), np.uint8)}, "voxels a side"),
        ({"y_train": np.array([0, 7], np.uint8)}, "class that is not there"),
        ({"classes": np.array(["a", None], dtype=object)}, "objects"),
    ):
        refused(lambda c=change: datasets.read_voxel_npz(voxel_npz(path, **c)), path, words)  # type: ignore[misc]


def test_npz_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A small file that says it holds 5 GB, and one whose header promises more than it holds."""
    path = voxel_npz(tmp_path / "a.npz")
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")  # the central directory's first entry: X_train
    content[at + 24 : at + 28] = struct.pack("<I", 0xF0000000)
    second = content.index(b"PK\x01\x02", at + 4)
    content[second + 24 : second + 28] = struct.pack("<I", 0xF0000000)
    path.write_bytes(content)
    refused(lambda: datasets.read_voxel_npz(path), path, "larger than 100,000,000 bytes")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 8)}
    )
    real = voxel_npz(tmp_path / "b.npz")
    with zipfile.ZipFile(real) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            bomb = name == "X_train.npy"
            target.writestr(name, header.getvalue() if bomb else source.read(name))
    refused(lambda: datasets.read_voxel_npz(path), path, "cut off")


def test_packed_sounds_that_do_not_belong_together(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    good = {"audio": np.zeros(9, np.int16), "offsets": np.array([0, 4, 9]), "fs": np.array(8000),
            "species": np.array(["a", "b"])}  # fmt: skip
    np.savez(path, **good)
    assert datasets.read_packed_sounds(path, "", "species").classes == ("a", "b")
    for change in (
        {"offsets": np.array([0, 4, 10])},
        {"offsets": np.array([0, 4, 4])},
        {"offsets": np.array([-1, 4, 9])},
        {"offsets": np.array([0, 9])},
        {"audio": np.zeros(9)},
        {"fs": np.array(0)},
    ):
        np.savez(path, **{**good, **change})
        refused(lambda: datasets.read_packed_sounds(path, "", "species"), path, "belong together")


# -- MATLAB ---------------------------------------------------------------------------------


def silhouettes(path: Path) -> bytes:
    savemat = pytest.importorskip("scipy.io").savemat
    clip = np.ones((4, 5, 3), np.uint8)
    savemat(path, {"masks": {"ida_walk": clip, "leo_run": clip}}, do_compression=True)
    return path.read_bytes()


def test_every_cut_of_a_matlab_file(tmp_path: Path) -> None:
    path = tmp_path / "m.mat"
    whole = silhouettes(path)
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        refused(lambda: datasets.load("actions", root=tmp_path), path)


def test_matlab_file_flipped_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "m.mat"
    whole = silhouettes(path)
    rng = np.random.default_rng(0)
    for _ in range(200):
        content = bytearray(whole)
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        try:
            assert datasets.load("actions", root=tmp_path).x.shape[2:] == (60, 80)
        except DDKError as error:
            assert error.exit_code == 4 and str(path) in str(error)


def test_matlab_files_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "m.mat"
    whole = silhouettes(path)
    path.write_bytes(b"MATLAB 7.3 MAT-file" + bytes(200))
    refused(lambda: datasets.load("actions", root=tmp_path), path, "not a MATLAB file")
    pytest.importorskip("scipy.io").savemat(path, {"masks": {"somebody": np.ones((2, 2))}})
    refused(lambda: datasets.load("actions", root=tmp_path), path, "somebody", "https://")
    bomb = zlib.compress(struct.pack("<2I", 14, 2**32 - 1) + bytes(1_000_000))
    path.write_bytes(whole[:128] + struct.pack("<2I", 15, len(bomb)) + bomb)
    refused(lambda: datasets.load("actions", root=tmp_path), path)


# -- bodies ---------------------------------------------------------------------------------


def test_every_cut_of_an_off_file(tmp_path: Path) -> None:
    path = tmp_path / "a.off"
    for size in range(len(files.CUBE) - 2):
        path.write_text(files.CUBE[:size])
        refused(lambda: read_off(path), path)


def test_off_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.off"
    for old, new, words in (
        ("4 3 0 4 7", "4 3 0 4 8", "a corner that is not there"),
        ("4 3 0 4 7", "4 3 0 4 -1", "a corner that is not there"),
        ("4 3 0 4 7", "2 3 0", "a face of 2 corners"),
        ("1 1 1", "1 1", "OFF file"),
        ("1 1 1", "1 1 nan", "three numbers"),
        ("8 6 12", "800000000 6 12", "800000000 corners"),
        ("8 6 12", "eight six", "OFF file"),
        ("OFF", "PLY", "does not begin with OFF"),
    ):
        path.write_text(files.CUBE.replace(old, new, 1))
        refused(lambda: read_off(path), path, words)


def test_body_without_extent_and_grid_of_another_size(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.off").write_text(files.CUBE)
    bad = tmp_path / "b" / "2.off"
    bad.write_text("OFF\n3 1 0\n1 1 1\n1 1 1\n1 1 1\n3 0 1 2\n")
    refused(lambda: datasets.load(tmp_path, size=8), bad, "no extent")
    bad.unlink()
    odd = tmp_path / "b" / "2.npy"
    np.save(odd, np.ones((4, 4, 4)))
    refused(lambda: datasets.load(tmp_path, size=8), odd, "8 voxels a side")
    odd.write_bytes(odd.read_bytes()[:100])
    refused(lambda: datasets.load(tmp_path, size=8), odd)


def test_binvox_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.binvox"
    head = b"#binvox 1\ndim 4 4 4\ntranslate 0 0 0\nscale 1\ndata\n"
    for content in (
        b"", b"#binvox 1\n", head, head + bytes([1, 63]), head + bytes([1, 65]), head + b"\x01",
        head.replace(b"4 4 4", b"4 4 5"), head.replace(b"4 4 4", b"9999 9999 9999"), head * 40,
    ):  # fmt: skip
        path.write_bytes(content)
        refused(lambda: read_binvox(path), path)


# -- texts ----------------------------------------------------------------------------------


def test_lines_of_news_with_wrong_columns(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    for text, words in (
        ('"1","a","b"\n"2","a"\n', "line 2 has 2 columns, line 1 has 3"),
        ('"1","a","b","c"\n', "line 1 has 4 columns"),
        ('"5","a","b"\n', "line 1 is of class '5'"),
        ('"x","a","b"\n', "line 1 is of class 'x'"),
        ("4,a\n", "line 1 is of class '4'"),
        ("", "holds no line"),
        ('"1","a","b\n', "damaged"),
        ('"1","a","\xff"\n', "damaged"),
    ):
        path.write_bytes(text.encode("latin-1"))
        refused(lambda: datasets.read_news(path), path, words)


def test_news_cut_off_or_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "test.csv.gz"
    whole = gzip.compress(b'"1","a","some words"\n' * 200)
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        refused(lambda: datasets.read_news(path), path)
    path.write_bytes(lzma.compress(b"x"))
    refused(lambda: datasets.read_news(path), path)


def test_news_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from network.datasets import text

    monkeypatch.setattr(text, "_LARGEST", 1 << 20)
    path = tmp_path / "test.csv.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    refused(lambda: datasets.read_news(path), path, "larger than 1,048,576 bytes")


# -- clips ----------------------------------------------------------------------------------


def test_clips_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("av")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    path = tmp_path / "a" / "x.avi"
    (tmp_path / "b" / "y.avi").write_bytes(b"")
    for content in (b"", b"RIFF", bytes(5000)):
        path.write_bytes(content)
        refused(lambda: datasets.load(tmp_path), path, "video")
    (tmp_path / "b" / "y.avi").unlink()
    refused(lambda: datasets.load(tmp_path), tmp_path, "single class, 'a'")
