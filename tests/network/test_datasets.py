"""Readers of data sets: what they give, on files of the tests' own and on the real ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ddkbase.errors import InputError, StorageError
from network import datasets
from network.datasets.dataset import DataSet, PackedBits, WordVectors
from network.datasets.meshes import read_binvox, read_off, voxelise
from network.datasets.sound.sounds import cut
from network.datasets.text import Vocabulary, embed
from tests.network import data_files as files


def check(data: DataSet) -> None:
    """What every set promises."""
    first = np.asarray(data.x[: min(len(data), 64)])
    assert first.dtype == np.float32
    assert 0 <= first.min() < first.max() <= 1
    assert data.y.dtype == np.int64
    assert set(data.y.tolist()) == set(range(len(data.classes)))
    assert len(data.dims) == len(data.sample_shape)
    assert data.source and data.license
    for name in ("groups", "fold", "items", "span"):
        assert len(getattr(data, name)) == len(data)


def test_digits_need_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DDK_DATA", raising=False)
    data = datasets.load("digits")
    check(data)
    assert data.x.shape == (1797, 8, 8)
    assert not data.synthetic


def test_voices_are_synthetic_and_say_so() -> None:
    data = datasets.load("voices", speakers=3, recordings=2, recording=1.5, utterance="0.5 s")
    check(data)
    assert data.synthetic
    assert "synthetic" in str(data)
    assert data.x.shape == (3 * 2 * 3, 128)


def test_voices_come_again_from_their_seed_and_differ_without() -> None:
    one, again, other = (
        datasets.synthetic_voices(2, 1, 0.5, 8000, seed).waveforms[0] for seed in (4, 4, 5)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.abs(one).max() == pytest.approx(0.8, rel=1e-6)


def test_mnist_layout_packed_or_not(tmp_path: Path) -> None:
    files.mnist_like(tmp_path / "a")
    files.mnist_like(tmp_path / "b", packed=False)
    one, other = (datasets.read_images(tmp_path / k) for k in "ab")
    for first, second in zip(one, other, strict=True):
        assert np.array_equal(first, second)
    assert one[0].shape == (10, 3, 3)
    assert one[2].tolist() == ["train"] * 6 + ["test"] * 4
    assert len(datasets.load(tmp_path / "a")) == 10  # a folder is known by what it holds


def test_idx_knows_every_type(tmp_path: Path) -> None:
    for code, kind in ((0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"),
                       (0x0E, ">f8")):  # fmt: skip
        values = np.array([[1, 2, 3], [4, 5, 6]], dtype=kind)
        head = bytes([0, 0, code, 2, 0, 0, 0, 2, 0, 0, 0, 3])
        (tmp_path / "x").write_bytes(head + values.tobytes())
        found = datasets.read_idx(tmp_path / "x")
        assert np.array_equal(found, values)
        assert found.dtype.isnative


def test_sounds_of_any_depth_channels_and_rate(tmp_path: Path) -> None:
    wave = files.tone(0.5, 8000)
    for subtype in ("PCM_16", "PCM_24", "FLOAT", "PCM_U8"):
        path = files.sound(tmp_path / f"{subtype}.wav", wave, subtype=subtype)
        found, rate = datasets.read_sound(path)
        assert rate == 8000
        np.testing.assert_allclose(found, wave, atol=0.01)
    stereo = files.sound(tmp_path / "s.flac", np.stack([wave, 0 * wave], axis=1), subtype="PCM_24")
    np.testing.assert_allclose(datasets.read_sound(stereo)[0], wave / 2, atol=1e-6)
    odd = files.sound(tmp_path / "odd.wav", files.tone(0.5, 11_127), 11_127, "FLOAT")
    found, rate = datasets.read_sound(odd, 8000)
    assert rate == 8000
    np.testing.assert_allclose(found[400:3600], wave[400:3600], atol=2e-3)


def test_folder_of_speakers_becomes_utterances_with_their_recordings(tmp_path: Path) -> None:
    data = datasets.load("speakers", root=files.speakers(tmp_path), utterance="0.1 s")
    check(data)
    assert data.classes == ("spk0", "spk1")
    assert len(np.unique(data.groups)) == 8
    assert len(data) == 8 * 5
    same = data.groups == data.groups[0]
    assert np.allclose(np.diff(data.span[same, 0]), 0.1)
    assert data.seconds == pytest.approx(0.1)


def test_one_folder_and_a_list_of_labels(tmp_path: Path) -> None:
    for k in range(4):
        files.sound(tmp_path / f"{k}.wav", files.tone(pitch=100.0 * (k + 1)))
    (tmp_path / "labels.csv").write_text("file,class\n0.wav,a\n1.wav,b\n2.wav,a\n3.wav,b\n")
    found = datasets.read_sounds(tmp_path)
    assert found.classes == ("a", "b")
    assert found.y.tolist() == [0, 1, 0, 1]


def test_speakers_in_the_wild_are_known_by_their_list(tmp_path: Path) -> None:
    for name in ("aaaaa", "bbbbb", "ccccc"):
        files.sound(tmp_path / "audio" / f"{name}.flac", files.tone())
    (tmp_path / "keys").mkdir()
    lines = "audio/aaaaa.flac 10001 M lapel\naudio/bbbbb.flac 10002 F far\nccccc 10001 M lapel\n"
    (tmp_path / "keys" / "meta.lst").write_text(lines)
    found = datasets.read_sounds(tmp_path)
    assert found.classes == ("10001", "10002")
    assert found.y.tolist() == [0, 1, 0]


def test_fronts_and_what_they_are_called() -> None:
    voices = datasets.synthetic_voices(2, 2, 1.0, 8000, 0)
    shapes = {"waveform": (4000,), "pooled": (40,), "envelope": (40,), "spectral": (40,),
              "map": (8, 40)}  # fmt: skip
    for front, shape in shapes.items():
        data = cut(voices, front=front, utterance="0.5 s", size=40, source="x")
        check(data)
        assert data.sample_shape == shape
    assert data.dims == ("utterance", "time")
    with pytest.raises(InputError, match="Did you mean 'spectral'"):
        cut(voices, front="spectrl")


def test_cepstral_coefficients_keep_their_scale() -> None:
    pytest.importorskip("librosa")
    from network.features import mfcc

    voices = datasets.synthetic_voices(2, 1, 1.0, 8000, 0)
    data = cut(voices, front="mfcc", utterance="0.5 s", size=20, source="x")
    wanted = [mfcc(wave[a : a + 4000], 8000, coefficients=20).mean(axis=-1)
              for wave in voices.waveforms for a in (0, 4000)]  # fmt: skip
    np.testing.assert_allclose(data.x, wanted, rtol=1e-5, atol=1e-4)
    # stretched by its own smallest and largest, each vector would have a 0 and a 1 in one place
    assert (np.ptp(data.x, axis=0) > 0).all()


def test_quiet_utterances_are_left_out() -> None:
    voices = datasets.synthetic_voices(2, 1, 1.0, 8000, 0)
    for wave in voices.waveforms:
        wave[4000:] *= 1e-3
    assert len(cut(voices, utterance="0.25 s", quiet=0.1, source="x")) == 4


def test_recordings_that_are_too_short_are_told() -> None:
    voices = datasets.synthetic_voices(2, 1, 0.5, 8000, 0)
    with pytest.raises(
        StorageError, match=r"as long as an utterance of 1 s.*The longest has 0.5 s"
    ):
        cut(voices, utterance="1 s")


def test_short_recordings_are_filled_and_counted_or_left_out(tmp_path: Path) -> None:
    for label, lengths in (("a", (1.0, 0.3, 0.4)), ("b", (1.2, 0.5))):
        for k, length in enumerate(lengths):
            files.sound(tmp_path / label / f"{k}.wav", files.tone(length, pitch=300.0 + k))
    data = datasets.load(tmp_path, front="waveform")
    check(data)
    assert data.groups.tolist() == ["a/0", "a/1", "a/2", "b/0", "b/1"]
    assert data.notes == (
        "3 of 5 recordings are shorter than 1 s and are filled with silence",
        "1 of 5 samples are copies of others: a split may put them on both sides",
        "1 samples are there under two classes or more, exactly alike",
    )
    np.testing.assert_allclose(data.span[:, 1], [1.0, 0.3, 0.4, 1.0, 0.5])
    assert np.ptp(data.x[1][2500:]) < 1e-6 < np.ptp(data.x[1][:2000])
    fewer = datasets.load(tmp_path, short="drop")
    assert len(fewer) == 2
    assert "3 of 5 recordings are shorter than 1 s and are left out" in fewer.notes
    with pytest.raises(InputError, match=r"unknown way 'padd'.*Did you mean 'pad'"):
        datasets.load(tmp_path, short="padd")
    files.sound(tmp_path / "b" / "0.wav", files.tone(0.9))
    with pytest.raises(StorageError, match=r"class 'b' has no recording.*longest has 0.9 s"):
        datasets.load(tmp_path, short="drop")


def test_folders_of_parts_are_no_classes(tmp_path: Path) -> None:
    for part, label, count in (("Train", "a", 3), ("Train", "b", 2), ("test", "b", 1)):
        for k in range(count):
            files.sound(tmp_path / part / label / f"{k}.wav", files.tone(pitch=200.0 + 9 * k))
    with pytest.raises(StorageError, match="single class, 'b'"):
        datasets.load(tmp_path, utterance="0.1 s")
    files.sound(tmp_path / "test" / "a" / "0.wav", files.tone(pitch=500.0))
    data = datasets.load(tmp_path, utterance="0.1 s")
    check(data)
    assert data.classes == ("a", "b")
    parts = dict(zip(data.groups.tolist(), data.fold.tolist(), strict=True))
    assert parts == {"Train/a/0": "train", "Train/a/1": "train", "Train/a/2": "train",
                     "Train/b/0": "train", "Train/b/1": "train",
                     "test/a/0": "test", "test/b/0": "test"}  # fmt: skip
    files.sound(tmp_path / "test" / "c" / "0.wav", files.tone())
    with pytest.raises(StorageError, match="class 'c', which Train does not"):
        datasets.load(tmp_path)
    files.sound(tmp_path / "val" / "a" / "0.wav", files.tone())
    with pytest.raises(StorageError, match=r"folders test, train, val \(.*drawn from the training"):
        datasets.load(tmp_path)


def test_news_in_both_layouts_give_the_same_words(tmp_path: Path) -> None:
    assert datasets.tokenise("The U.S. doesn't #36;10\\million") == [
        "the", "u", "s", "does", "n", "t", "10", "million",
    ]  # fmt: skip
    told = "&lt;b&gt;bold&lt;/b&gt; Iraq's quot;x quot;"
    assert datasets.tokenise(told) == ["bold", "iraq", "s", "x"]
    raw, tokenised = datasets.tokenise("didn't"), datasets.tokenise("did n't")
    assert raw == tokenised == datasets.tokenise("did n t")
    (tmp_path / "test.csv").write_text('"3","A title","Some words"\n"1","B","Other words"\n')
    texts, y = datasets.read_news(tmp_path / "test.csv")
    assert (texts, y.tolist()) == ([["some", "words"], ["other", "words"]], [2, 0])
    assert datasets.read_news(tmp_path / "test.csv", title=True)[0][0][:2] == ["a", "title"]
    (tmp_path / "two.csv").write_text("0,Some words\n3,Other\tones\n")
    assert datasets.read_news(tmp_path / "two.csv")[1].tolist() == [0, 3]


def test_embedding_is_learnt_from_the_training_texts_alone() -> None:
    rng = np.random.default_rng(0)
    left, right = ["sun", "beach", "sea"], ["bond", "stock", "bank"]
    texts = [list(rng.permutation(left if k % 2 else right)) for k in range(200)]
    known = Vocabulary.of(texts, 100)
    table = embed(known, texts, 2, reach=2)
    assert table.shape == (7, 2)
    assert not table[0].any()
    assert table.min() >= 0 and table.max() <= 1
    vectors = {word: table[known.number[word]] - table[1:].mean(axis=0) for word in left + right}

    def likeness(one: str, other: str) -> float:
        a, b = vectors[one], vectors[other]
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    assert likeness("sun", "sea") > 0.3 > -0.3 > likeness("sun", "stock")
    assert np.array_equal(table, embed(known, texts, 2, reach=2))
    hashed = embed(known, [], 4, "hash", 1)
    assert np.array_equal(hashed, embed(known, [], 4, "hash", 1))
    assert known.numbers([["unheard", "sun"]], 3).tolist() == [[known.number["sun"], 0, 0]]


def test_vocabulary_that_is_smaller_than_the_dimension() -> None:
    texts = [["a", "b"], ["b", "a"], ["a", "b", "a"]]
    assert embed(Vocabulary.of(texts, 10), texts, 5).shape == (3, 5)


def test_packed_rows_behave_like_arrays() -> None:
    rng = np.random.default_rng(0)
    full = rng.integers(0, 2, (9, 3, 3, 3))
    rows = PackedBits(np.packbits(full.reshape(9, -1), axis=1), (3, 3, 3))
    assert rows.shape == full.shape and rows.ndim == 4 and len(rows) == 9
    for index in (0, -1, slice(2, 7), [1, 5], np.array([8, 0]), np.arange(9) % 2 == 0,
                  (slice(None), 1), ([0, 2], slice(None), 2)):  # fmt: skip
        found = rows[index]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, full[index])
    np.testing.assert_array_equal(np.asarray(rows), full)
    np.testing.assert_array_equal(rows.take([3, 1])[0], full[3])
    assert rows.nbytes == 9 * 4
    words = WordVectors(np.array([[1, 0], [2, 1]], np.int32), np.eye(3, dtype=np.float32))
    np.testing.assert_array_equal(words[1], np.eye(3)[[2, 1]])
    np.testing.assert_array_equal(words.take(np.array([False, True])).numbers, [[2, 1]])


def test_cube_of_an_off_file_fills_its_grid(tmp_path: Path) -> None:
    (tmp_path / "a.off").write_text(files.CUBE)
    (tmp_path / "b.off").write_text(files.CUBE.replace("OFF\n# a unit cube\n", "OFF"))
    corners, triangles = read_off(tmp_path / "a.off")
    assert corners.shape == (8, 3) and triangles.shape == (12, 3)
    assert np.array_equal(read_off(tmp_path / "b.off")[1], triangles)
    assert voxelise(corners, triangles, 8).all()
    shell = voxelise(corners, triangles, 8, fill=False)
    assert not shell[1:-1, 1:-1, 1:-1].any() and shell.sum() == 8**3 - 6**3
    padded = voxelise(corners, triangles, 10, pad=1)
    assert padded[1:-1, 1:-1, 1:-1].all() and padded.sum() == 8**3
    flat = voxelise(corners * [1, 0.5, 1], triangles, 8)
    assert flat.sum() == 8 * 4 * 8


def test_sphere_has_the_volume_of_a_sphere() -> None:
    polar, around = np.meshgrid(np.linspace(0, np.pi, 40), np.linspace(0, 2 * np.pi, 80))
    corners = np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1
    )
    number = np.arange(polar.size).reshape(polar.shape)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    grid = voxelise(corners.reshape(-1, 3), triangles, 64)
    # the touched voxels reach half a voxel beyond the surface
    assert grid.sum() == pytest.approx(4 / 3 * np.pi * 32.5**3, rel=0.02)


def test_folder_of_bodies(tmp_path: Path) -> None:
    for name in ("cup", "box"):
        for part in ("train", "test"):
            (tmp_path / name / part).mkdir(parents=True)
            (tmp_path / name / part / "1.off").write_text(files.CUBE)
    data = datasets.load(tmp_path, size=8)
    assert data.classes == ("box", "cup")
    assert data.fold.tolist() == ["test", "train"] * 2
    assert data.x[0].all()


def test_binvox(tmp_path: Path) -> None:
    grid = np.random.default_rng(1).random((4, 4, 4)) > 0.5
    stored = grid.transpose(0, 2, 1).ravel()  # x, z, y
    head = b"#binvox 1\ndim 4 4 4\ntranslate 0 0 0\nscale 1\ndata\n"
    (tmp_path / "a.binvox").write_bytes(head + b"".join(bytes([int(v), 1]) for v in stored))
    assert np.array_equal(read_binvox(tmp_path / "a.binvox"), grid)


def test_silhouettes_of_a_matlab_structure(tmp_path: Path) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    rng = np.random.default_rng(0)
    names = ("ida_walk", "ida_wave1", "leo_walk2", "leo_wave2")
    clips = {n: rng.integers(0, 2, (12, 15, 7)).astype(np.uint8) for n in names}
    for packed in (False, True):
        savemat(tmp_path / "m.mat", {"masks": clips}, do_compression=packed)
        data = datasets.load("actions", root=tmp_path, frames=3, size=(12, 15))
        assert [data.classes[k] for k in data.y] == ["walk", "wave1", "walk", "wave2"]
        assert data.groups.tolist() == ["ida", "ida", "leo", "leo"]
        expected = clips["leo_walk2"][:, :, [0, 3, 6]].transpose(2, 0, 1)
        np.testing.assert_allclose(np.asarray(data.x)[2], expected, atol=1e-6)
    small = datasets.load("actions", root=tmp_path, frames=3, size=(6, 5), view="frame")
    assert small.x.shape == (12, 6, 5)
    assert small.items.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    # pixels are averaged by area: the mean stays
    assert small.x[6].mean() == pytest.approx(clips["leo_walk2"][:, :, 0].mean(), abs=1e-6)


def test_window_follows_the_person(tmp_path: Path) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    clip = np.zeros((40, 60, 4), np.uint8)
    for t in range(4):
        clip[10:30, 5 + 12 * t : 11 + 12 * t, t] = 1
    savemat(tmp_path / "m.mat", {"masks": {"ida_walk": clip, "ida_run": clip}})
    data = datasets.load("actions", root=tmp_path, frames=4, size=(22, 30), align="person")
    pictures = np.asarray(data.x)[0]
    for picture in pictures[1:]:
        np.testing.assert_allclose(picture, pictures[0], atol=1e-6)


def test_folder_of_clips(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    for action, grey in (("Walk", 40), ("Swim", 200)):
        for group in (1, 2):
            (tmp_path / action).mkdir(exist_ok=True)
            path = tmp_path / action / f"v_{action}_g0{group}_c01.avi"
            with av.open(str(path), "w") as container:
                stream = container.add_stream("mpeg4", rate=25)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
                for k in range(10):
                    picture = np.full((48, 64, 3), grey + k, np.uint8)
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
    data = datasets.load(tmp_path, frames=4, size=(12, 16))
    assert data.classes == ("Swim", "Walk")
    assert data.x.shape == (4, 4, 12, 16)
    assert data.groups.tolist() == ["Swim/g01", "Swim/g02", "Walk/g01", "Walk/g02"]
    np.testing.assert_allclose(data.x[2].mean(axis=(1, 2)) * 255, [40, 43, 46, 49], atol=4)
    (tmp_path / "testlist01.txt").write_text("Walk/v_Walk_g02_c01.avi\n")
    assert datasets.load(tmp_path, frames=1).fold.tolist() == ["train"] * 3 + ["test"]


def test_unknown_names_and_options_are_told() -> None:
    with pytest.raises(InputError, match="Did you mean 'digits'"):
        datasets.load("digit")
    with pytest.raises(InputError, match=r"has no option 'sise'.*Did you mean 'size'"):
        datasets.load("voxels", root=".", sise=24)
    with pytest.raises(StorageError, match="there is no such folder"):
        datasets.load("./no/such/folder")


def test_dataset_refuses_what_does_not_fit_together() -> None:
    x = np.zeros((3, 4), np.float32)
    for change, words in (
        ({"y": [0, 1]}, "2 values for 3 samples"),
        ({"y": [0, 1, 5]}, "names no class"),
        ({"dims": ("a", "b")}, "samples of shape"),
        ({"groups": np.array(["a"])}, "1 values for 3 samples"),
    ):
        given = {"name": "n", "x": x, "y": np.array([0, 1, 0]), "classes": ("a", "b"),
                 "dims": ("time",), "source": "s", "license": "l"}  # fmt: skip
        with pytest.raises(InputError, match=words):
            DataSet(**{**given, **change})


def test_labelled_dataset_has_units_and_names() -> None:
    ds = datasets.load("digits").subset(np.arange(5)).to_xarray()
    assert ds["x"].dims == ("sample", "row", "column")
    for variable in (*ds.data_vars.values(), *ds.coords.values()):
        assert variable.attrs["units"] and variable.attrs["long_name"]


def test_import_brings_nothing_heavy() -> None:
    code = (
        "import sys, network.datasets, network.features\n"
        "network.datasets.split; network.features.inputs\n"
        "print([m for m in ('sklearn', 'scipy', 'soundfile', 'librosa', 'av', 'torch', 'dolfinx')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "folder", "shape", "classes"),
    [
        ("mnist", "mnist", (70000, 28, 28), 10),
        ("voxels", "modelnet10", (4899, 32, 32, 32), 10),
        ("actions", "weizmann_actions", (93, 16, 60, 80), 10),
        ("whales", "whales", (65, 8, 100), 4),
    ],
)
def test_real_data(name: str, folder: str, shape: tuple[int, ...], classes: int) -> None:
    data = datasets.load(name, root=files.real(folder))
    check(data)
    assert data.x.shape == shape
    assert len(data.classes) == classes


def test_real_voxels_have_the_official_counts_and_known_flaws() -> None:
    data = datasets.load("voxels", root=files.real("modelnet10"), size=24)
    counts = np.bincount(data.y[data.fold == "test"]).tolist()
    assert counts == [50, 100, 100, 86, 86, 100, 86, 100, 100, 100]
    assert data.notes == ("8 grids are empty", "72 test grids equal a training grid")
    fewer = datasets.load("voxels", root=files.real("modelnet10"), size=24, drop_repeats=True)
    assert (fewer.fold == "test").sum() == 908
    assert fewer.notes == ("1 grids are empty",)
    assert 3000 < len(fewer) < len(data) - 7


def test_real_actions_are_of_nine_people() -> None:
    data = datasets.load("actions", root=files.real("weizmann_actions"), frames=2)
    assert len(np.unique(data.groups)) == 9
    assert np.bincount(data.y).tolist() == [9, 9, 9, 9, 10, 9, 10, 10, 9, 9]


def test_real_news() -> None:
    data = datasets.load("ag_news", root=files.real("ag_news"), embedding="hash", dimension=8)
    check(data)
    assert data.x.shape == (11600, 64, 8)
    assert np.bincount(data.y[data.fold == "test"]).tolist() == [1900] * 4
    assert data.x[0, -1].max() == 0 or data.x[0].any()


def test_real_speakers() -> None:
    pytest.importorskip("soundfile")
    data = datasets.load("speakers", root=files.real("librispeech10"))
    check(data)
    assert len(data.classes) == 10
    assert len(np.unique(data.groups)) == 100
