"""Folders as people have them: links, odd names, one recording a class, lists that contradict."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from ddk.studies.folds import Material
from ddk.studies.tasks import SplitPlan, Task, Training, folder_task
from ddkbase.errors import InputError, StorageError
from network import datasets
from network.datasets.folders import class_files
from tests.network import data_files as files


def test_a_link_back_does_not_repeat_files(tmp_path: Path) -> None:
    root = files.speakers(tmp_path / "data")
    names = [p.name for p in datasets_of(root)]
    (root / "spk0" / "back").symlink_to(root)
    (root / "spk0" / "self").symlink_to(root / "spk0")
    (root / "spk0" / "again.wav").symlink_to(root / "spk0" / "ch0" / "utt0.wav")
    found = datasets_of(root)
    assert len(found) == len(names)
    assert len({os.path.realpath(p) for p in found}) == len(found)


def datasets_of(root: Path) -> list[Path]:
    return class_files(root, (".wav",), "sounds", "")[0]


def test_classes_that_are_links_are_known(tmp_path: Path) -> None:
    root = files.speakers(tmp_path / "data")
    other = tmp_path / "links"
    other.mkdir()
    for name in ("spk0", "spk1"):
        (other / name).symlink_to(root / name)
    assert datasets.load(other, utterance="0.25 s").classes == ("spk0", "spk1")


def test_a_file_of_two_classes_is_refused(tmp_path: Path) -> None:
    root = files.speakers(tmp_path)
    twice = root / "spk1" / "twice.wav"
    twice.symlink_to(root / "spk0" / "ch0" / "utt0.wav")
    with pytest.raises(StorageError, match=r"same file as one of class 'spk0' \(.*twice.wav"):
        datasets.load(root)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    root = files.speakers(tmp_path / "data")
    odd = Path(os.fsdecode(os.fsencode(root / "spk0") + b"/\xff.wav"))
    os.rename(root / "spk0" / "ch0" / "utt0.wav", odd)
    assert len(datasets.load(root, utterance="0.25 s")) == 16
    bad = Path(os.fsdecode(os.fsencode(root) + b"/\xfe"))
    os.rename(root / "spk0", bad)
    with pytest.raises(StorageError, match=r"name of the class is not UTF-8 \(.*\\xfe\)"):
        datasets.load(root)
    moved = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xe9"))
    os.rename(root, moved)
    with pytest.raises(StorageError, match="name of the folder is not UTF-8"):
        datasets.load(moved)


def test_a_folder_one_level_too_high_is_told(tmp_path: Path) -> None:
    files.speakers(tmp_path / "LibriSpeech" / "dev-clean")
    with pytest.raises(StorageError, match=r"the 2 folders in it are the classes, name .*dev"):
        datasets.load(tmp_path / "LibriSpeech")


def test_sounds_too_loud_too_slow_and_mp3_that_is_none(tmp_path: Path) -> None:
    root = files.speakers(tmp_path)
    loud = root / "spk0" / "loud.wav"
    files.sound(loud, np.array([3e38, -3e38] * 4000), subtype="FLOAT")
    with pytest.raises(StorageError, match=rf"samples of 3e\+38.*{loud}"):
        datasets.load(root)
    loud.unlink()
    slow = files.sound(root / "spk0" / "slow.wav", files.tone(), rate=1)
    with pytest.raises(StorageError, match=rf"its rate is 1 Hz, and 8000 Hz are needed.*{slow}"):
        datasets.load(root)
    slow.unlink()
    noise = root / "spk0" / "noise.flac"
    noise.write_bytes(np.random.default_rng(0).bytes(3000))
    with pytest.raises(StorageError) as caught:
        datasets.load(root)
    assert str(caught.value).count(str(noise)) == 1


def test_sounds_of_any_make_and_those_that_are_not_read(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    makes = (
        (8000, "wav", None, 1),
        (44100, "wav", "PCM_24", 2),
        (22050, "flac", "PCM_24", 1),
        (8000, "wav", "PCM_U8", 1),
        (48000, "opus", "OPUS", 1),
        (8000, "aiff", None, 2),
    )
    for label, pitch in (("low", 300.0), ("high", 900.0)):
        (tmp_path / label).mkdir()
        for k, (rate, ending, depth, channels) in enumerate(makes):
            wave = np.repeat(files.tone(1.2, rate, pitch)[:, None], channels, axis=1)
            path = tmp_path / label / f'o\'dd n\u00e4me #{k} "100%".{ending}'
            kind = "OGG" if ending == "opus" else None
            soundfile.write(str(path), wave, rate, subtype=depth, format=kind)
    files.sound(tmp_path / "low" / "short.wav", files.tone(0.0005))
    data = datasets.load(tmp_path)
    assert data.x.shape == (13, 128) and np.isfinite(data.x).all()
    assert data.notes == (
        "6 of 13 recordings, of 22050 to 48000 Hz, are resampled to 8000 Hz",
        "1 of 13 recordings are shorter than 1 s and are filled with silence",
        "2 of 13 samples are copies of others: a split may put them on both sides",
    )
    middle = data.x[data.y == 0][:6].mean(axis=0).argmax(), data.x[data.y == 1][:6].mean(axis=0)
    assert middle[0] > middle[1].argmax()  # the higher tone is in a higher band, at any rate
    for name in ("a.m4a", "b.wma"):
        (tmp_path / "high" / name).write_bytes(b"whatever")
        with pytest.raises(StorageError, match=rf"not read .*{name}.*WAV or FLAC"):
            datasets.load(tmp_path)
        (tmp_path / "high" / name).unlink()
    (tmp_path / "high" / "empty.wav").write_bytes(b"")
    with pytest.raises(StorageError, match=r"it is empty.*empty.wav"):
        datasets.load(tmp_path)


def test_sounds_without_the_bands(tmp_path: Path) -> None:
    for name in ("a", "b"):
        files.sound(tmp_path / name / "x.wav", files.tone(), rate=20)
    with pytest.raises(InputError, match="sounds of 20 samples a second end at 10 Hz"):
        datasets.load(tmp_path)


def test_lists_that_contradict_repeat_or_quote(tmp_path: Path) -> None:
    for k in range(4):
        files.sound(tmp_path / f"l{k}, x.wav", files.tone(1.2, pitch=200.0 + 50 * k))
    lines = [f'"l{k}, x.wav",c{k % 2}' for k in range(4)]
    listing = tmp_path / "labels.csv"
    listing.write_text("\ufefffile,class\r\n" + "\r\n".join([*lines, lines[0]]))
    assert len(datasets.read_sounds(tmp_path).names) == 4
    listing.write_text("\n".join([*lines, '"l0, x.wav",c1']))
    with pytest.raises(StorageError, match="of class 'c0' and of class 'c1'"):
        datasets.read_sounds(tmp_path)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "meta.lst").write_text(f"../{tmp_path.name}.wav s0\nb.wav s1\n")
    (tmp_path.parent / f"{tmp_path.name}.wav").write_bytes(b"")
    with pytest.raises(StorageError, match="line 1 names a file outside of the folder"):
        datasets.read_sounds(tmp_path)


def test_few_short_recordings_are_cut_short_enough(tmp_path: Path) -> None:
    for name, count in (("a", 4), ("b", 1)):
        for k in range(count):
            files.sound(tmp_path / name / f"{k}.wav", files.tone(1.2, pitch=300.0 + 10 * k))
    task = folder_task(tmp_path)
    assert task.split.by == "block"
    fold = next(Material(task).folds(0))
    assert all(set(part.y) == {0, 1} for part in (fold.train, fold.test))
    for file in tmp_path.rglob("*.wav"):
        files.sound(file, files.tone(0.3))
    with pytest.raises(StorageError, match=r"fewer than three recordings.*Add recordings"):
        folder_task(tmp_path)


def test_bodies_without_folds_are_drawn(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(4):
            text = files.CUBE.replace("1 1 1", f"1 1 {1 + k + 10 * (name == 'b')}")
            (tmp_path / name / f"{k}.off").write_text(text)
    assert folder_task(tmp_path).split.by == "group"


def test_fashion_is_known_by_the_name_of_its_folder(tmp_path: Path) -> None:
    for name in ("my-Fashion", "other"):
        files.mnist_like(tmp_path / name)
    assert datasets.load(tmp_path / "my-Fashion").name == "fashion"
    assert datasets.load(tmp_path / "other").name == "mnist"


def test_packed_files_are_closed(tmp_path: Path) -> None:
    files.mnist_like(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        datasets.load(tmp_path)


@pytest.mark.parametrize("shape", [(0, 3, 3), (6, 0, 0)])
def test_idx_without_pictures(tmp_path: Path, shape: tuple[int, ...]) -> None:
    files.mnist_like(tmp_path, packed=False)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(files.idx(np.zeros(shape)))
    with pytest.raises(StorageError, match=f"holds {shape[0]} images of {shape[1]} x {shape[2]}"):
        datasets.load(tmp_path)


def test_broken_quotes_and_texts_without_words(tmp_path: Path) -> None:
    news = tmp_path / "test.csv"
    news.write_text('"1","a","b"\n"2","a"x,"b"\n')
    with pytest.raises(StorageError, match="line 2: ',' expected"):
        datasets.read_news(news)
    news.write_text('"1","a","b"\n')
    training = tmp_path / "train_subset_4000_tokenised.csv"
    training.write_text('0,""\n1,"!"\n')
    with pytest.raises(StorageError, match=rf"no word occurs 2 times \({training}\)"):
        datasets.load("ag_news", root=tmp_path)


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e308])
def test_bodies_of_no_size_that_numbers_have(tmp_path: Path, size: float) -> None:
    path = tmp_path / "a.off"
    path.write_text(f"OFF\n3 1 0\n{-size} 0 0\n{size} 0 0\n0 {size} 0\n3 0 1 2\n")
    with pytest.raises(InputError, match=r"a body of extent .* cannot be scaled"):
        datasets.voxelise(*datasets.read_off(path), 8)


def test_grids_of_nan_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "x.npy", np.ones((8, 8, 8)))
    np.save(tmp_path / "b" / "x.npy", np.full((8, 8, 8), np.nan))
    with pytest.raises(StorageError, match=r"NaN or infinity.*b/x.npy"):
        datasets.read_voxel_folder(tmp_path, 8)
    arrays = {"X_train": np.full((2, 4, 4, 4), np.nan), "y_train": np.array([0, 1]),
              "X_test": np.ones((1, 4, 4, 4)), "y_test": np.array([1])}  # fmt: skip
    path = tmp_path / "m.npz"
    for change, words in (
        ({"classes": np.array(["a", "b"])}, "X_train holds NaN"),
        ({"classes": np.array(["a", "a"])}, "two classes have the same name"),
        ({"classes": np.array(["a", "b"]), "X_train": np.ones((0, 4, 4, 4)),
          "y_train": np.zeros(0, int)}, "X_train holds no body"),
    ):  # fmt: skip
        np.savez(path, **{**arrays, **change})
        with pytest.raises(StorageError, match=words):
            datasets.read_voxel_npz(path)


def test_training_bodies_that_are_all_those_of_the_test(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for part in ("train", "test"):
            (tmp_path / name / part).mkdir(parents=True)
            (tmp_path / name / part / "1.off").write_text(files.CUBE)
    with pytest.raises(StorageError, match="every training body is empty or equals one of the"):
        datasets.load("voxels", root=tmp_path, size=8, drop_repeats=True)


def test_silhouettes_of_nan_and_unknown_alignment(tmp_path: Path) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    clip = np.ones((4, 5, 3))
    path = tmp_path / "m.mat"
    savemat(path, {"masks": {"ida_walk": clip, "leo_run": clip * np.nan}})
    with pytest.raises(StorageError, match="leo_run' holds NaN"):
        datasets.read_silhouettes(path)
    with pytest.raises(InputError, match=r"unknown align 'persn'.*Did you mean 'person'"):
        datasets.read_silhouettes(path, align="persn")
    savemat(path, {"a": clip[:, :, 0]}, format="4")
    with pytest.raises(StorageError, match="'a' of shape"):
        datasets.read_silhouettes(path)


def test_a_clip_cut_off_in_the_middle(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "x.avi"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for _ in range(20):
            picture = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    assert datasets.read_video(path).shape == (16, 60, 80)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StorageError, match=rf"cut off after \d+ of 20 frames.*{path}"):
        datasets.read_video(path)


def test_a_training_part_of_one_class_is_refused() -> None:
    x = np.random.default_rng(0).random((8, 4)).astype(np.float32)
    fold = np.repeat(["train", "test"], 4)
    data = datasets.DataSet(
        "made up", x, np.array([0, 0, 0, 0, 0, 1, 0, 1]), ("a", "b"), ("t",), "", "", fold=fold
    )
    task = Task("t", "t", "made up", SplitPlan("fold", validation=0.25), (4,), Training(2), "")
    with pytest.raises(InputError, match="the training part holds a single class, 'a'"):
        next(Material(task, dataset=data).folds(0))
