"""Pictures, bodies, clips, texts and series as they are read, against what was written."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest

from network import datasets
from network.datasets.actions import area_resize
from network.datasets.meshes import read_binvox, read_off, voxelise
from network.datasets.text import Vocabulary, embed
from network.datasets.voxels import read_voxel_npz
from tests.network import data_files as files
from tests.network.series_files import ts_text

# -- pictures and arrays ------------------------------------------------------------------------


def test_bytes_of_pictures_are_shares_of_255(tmp_path: Path) -> None:
    files.mnist_like(tmp_path / "mnist")
    raw = datasets.read_idx(tmp_path / "mnist" / "train-images-idx3-ubyte.gz")
    data = datasets.load("mnist", root=tmp_path)
    np.testing.assert_allclose(data.x[:6], raw / 255.0, rtol=1e-6)
    assert data.fold.tolist() == ["train"] * 6 + ["test"] * 4
    digits = datasets.load("digits")
    assert digits.x.max() == 1.0 and digits.x.min() == 0.0  # sixteen shades


@pytest.mark.parametrize(("code", "kind"), [(0x0B, "h"), (0x0C, "i"), (0x0D, "f"), (0x0E, "d")])
def test_numbers_of_an_idx_file_are_big_endian(tmp_path: Path, code: int, kind: str) -> None:
    values = [1, -2, 300, 5, 7, 258]
    head = bytes([0, 0, code, 2]) + struct.pack(">2I", 2, 3)
    (tmp_path / "a.idx").write_bytes(head + struct.pack(f">6{kind}", *values))
    np.testing.assert_array_equal(datasets.read_idx(tmp_path / "a.idx"), np.reshape(values, (2, 3)))


def test_a_picture_keeps_its_rows_and_its_shades(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    grey = np.array([[0, 51, 102, 255], [255, 204, 0, 51]], np.uint8)
    deep = np.array([[0, 13107], [65535, 26214]], np.uint16)
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, 0] = [0, 0, 0, 255]  # black; the others are see-through
    for label, pixels in (("grey", grey), ("deep", deep), ("clear", clear)):
        (tmp_path / label).mkdir()
        image.fromarray(pixels).save(tmp_path / label / "0.png")
    data = datasets.load(tmp_path, size=(2, 4))
    shown = dict(zip(data.classes, data.x[np.argsort(data.y)], strict=True))
    np.testing.assert_allclose(shown["grey"], grey / 255, atol=1e-6)
    wide = np.repeat(deep, 2, axis=1) / 65535
    np.testing.assert_allclose(shown["deep"], wide, atol=1e-6)
    np.testing.assert_allclose(shown["clear"], [[0, 0, 1, 1], [1, 1, 1, 1]], atol=1e-6)
    small = datasets.load(tmp_path, size=(1, 2)).x[data.y == data.classes.index("grey")]
    np.testing.assert_allclose(small[0, 0], [(51 + 255 + 204) / 4 / 255, 408 / 4 / 255], atol=1e-6)


def test_rows_with_a_one_name_its_place(tmp_path: Path) -> None:
    y = np.eye(3)[[2, 0, 1, 2, 0, 1]]
    x = np.linspace(0, 1, 24).reshape(6, 4)
    np.savez(tmp_path / "a.npz", X=x, y=y)
    data = datasets.load(tmp_path / "a.npz")
    assert data.y.tolist() == [2, 0, 1, 2, 0, 1]
    np.testing.assert_allclose(data.x, x, rtol=1e-6)  # 0 to 1 already


def test_the_authors_shuffle_and_runs_of_their_vectors(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    x, labels = np.random.default_rng(0).random((3, 80)), np.tile([0, 1], 40)
    scipy_io.savemat(tmp_path / "speaker_no_fft_x.mat", {"samples": x})
    scipy_io.savemat(tmp_path / "targets_no_fft_x.mat", {"targets": np.eye(2)[:, labels]})
    data = datasets.load(tmp_path)
    np.testing.assert_allclose(data.x, x.T, rtol=1e-6)
    order = list(range(80))
    random.Random(10).shuffle(order)
    assert sorted(np.flatnonzero(data.fold == "train")) == sorted(order[:64])
    runs = datasets.load(tmp_path, split="runs")
    for label in (0, 1):  # neighbours of one speaker, 25 at a time, though others lie between
        of = runs.groups[labels == label]
        assert len(set(of[:25])) == 1 == len(set(of[25:])) and of[0] != of[25]
    assert len(set(runs.groups)) == 4


# -- bodies and clips ---------------------------------------------------------------------------


def test_a_body_lies_in_the_middle_by_its_longest_side(tmp_path: Path) -> None:
    (tmp_path / "a.off").write_text(files.CUBE)
    corners, triangles = read_off(tmp_path / "a.off")
    corners[:, 0] *= 4
    grid = voxelise(corners + 100.0, triangles, 16)  # a bar of 4 x 1 x 1, far from the origin
    expected = np.zeros((16, 16, 16), bool)
    expected[:, 6:10, 6:10] = True
    np.testing.assert_array_equal(grid, expected)
    hollow = voxelise(corners, triangles, 16, fill=False)
    assert not hollow[1:-1, 7:9, 7:9].any() and hollow[0].sum() == 16
    padded = voxelise(corners, triangles, 16, pad=4)
    assert padded.sum() == 8 * 2 * 2 and padded[4:12, 7:9, 7:9].all()


def test_polygons_are_cut_into_triangles_of_their_area(tmp_path: Path) -> None:
    turn = 2 * np.pi * np.arange(6) / 6
    rows = [f"{np.cos(a):.12f} {np.sin(a):.12f} 0" for a in turn]
    (tmp_path / "a.off").write_text("\n".join(["OFF", "6 1 0", *rows, "6 0 1 2 3 4 5"]))
    corners, triangles = read_off(tmp_path / "a.off")
    a, b, c = (corners[triangles[:, k]] for k in range(3))
    assert len(triangles) == 4
    areas = 0.5 * np.cross(b - a, c - a)[:, 2]
    assert (areas > 0).all() and areas.sum() == pytest.approx(1.5 * np.sqrt(3))


def test_a_large_triangle_has_no_holes() -> None:
    corners = np.array([[0.0, 0, 0], [64, 0, 0], [0, 64, 0]])
    flat = voxelise(corners, np.array([[0, 1, 2]]), 64, fill=False).any(axis=2)
    i, j = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
    assert flat[(i + j) < 62].all() and not flat[(i + j) > 65].any()


def test_runs_of_a_binvox_file_are_of_x_z_and_y(tmp_path: Path) -> None:
    head = b"#binvox 1\ndim 2 2 2\ndata\n"
    # x = 0: z = 0: y = 0 and 1 empty, z = 1: y = 0 full, y = 1 empty; x = 1: all full
    runs = bytes([0, 2, 1, 1, 0, 1, 1, 4])
    (tmp_path / "a.binvox").write_bytes(head + runs)
    grid = read_binvox(tmp_path / "a.binvox")
    assert grid[0].tolist() == [[False, True], [False, False]] and grid[1].all()


def test_training_bodies_that_equal_a_test_body_are_dropped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    train, test = (rng.random((n, 4, 4, 4)) > 0.5 for n in (5, 3))
    train[1] = test[2]
    train[3] = False
    np.savez(tmp_path / "modelnet10_4_packed.npz", X_train=train, X_test=test,
             y_train=[0, 1, 0, 1, 0], y_test=[1, 0, 1], classes=["a", "b"])  # fmt: skip
    read = read_voxel_npz(tmp_path / "modelnet10_4_packed.npz")
    assert read.fold.tolist() == ["train"] * 5 + ["test"] * 3
    assert read.y.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    np.testing.assert_array_equal(np.asarray(read.x), np.concatenate([train, test]))
    data = datasets.load("voxels", root=tmp_path, size=4, drop_repeats=True)
    assert data.fold.tolist() == ["train"] * 3 + ["test"] * 3
    np.testing.assert_array_equal(np.asarray(data.x)[:3], train[[0, 2, 4]])
    assert data.y.tolist() == [0, 0, 0, 1, 0, 1]


def test_pixels_count_by_the_area_that_they_cover() -> None:
    picture = np.array([[[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]]])
    found = area_resize(picture, (1, 2))[0, 0]
    # three columns on two: one and a half each, of both rows
    np.testing.assert_allclose(found, [(0 + 1 + 0.5 * (1 + 0)) / 3, (0.5 + 0 + 0.5 * (1 + 0)) / 3])
    np.testing.assert_allclose(area_resize(picture, (2, 3)), picture)
    assert area_resize(picture, (4, 6))[0, :2, 2:4].tolist() == [[1, 1], [1, 1]]


def test_frames_are_of_their_clip_and_the_person_in_its_middle(tmp_path: Path) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    clips = {}
    for name, wide in (("ida_walk", 4), ("leo_run", 12)):
        clip = np.zeros((40, 60, 5), np.uint8)
        for t in range(5):
            clip[12:32, 8 * t + 2 : 8 * t + 2 + wide, t] = 1
        clips[name] = clip
    savemat(tmp_path / "m.mat", {"masks": clips})
    data = datasets.load("actions", root=tmp_path, frames=3, size=(22, 30), align="person")
    for pictures in np.asarray(data.x):
        for picture in pictures[1:2]:  # the middle of a person is that of the window
            for axis in (0, 1):
                mass = picture.sum(axis=1 - axis)
                middle = mass @ (np.arange(len(mass)) + 0.5) / mass.sum()
                assert middle == pytest.approx(len(mass) / 2, abs=0.6)
    whole = datasets.load("actions", root=tmp_path, frames=3, size=(40, 60))
    frames = datasets.load("actions", root=tmp_path, frames=3, size=(40, 60), view="frame")
    for k in range(2):
        name = f"{whole.groups[k]}_{whole.classes[whole.y[k]]}"
        for j, t in enumerate((0, 2, 4)):  # the first, the middle one and the last
            np.testing.assert_allclose(np.asarray(whole.x)[k, j], clips[name][:, :, t], atol=1e-6)
            np.testing.assert_allclose(frames.x[3 * k + j], clips[name][:, :, t], atol=1e-6)
            assert frames.items[3 * k + j] == k and frames.y[3 * k + j] == whole.y[k]


# -- texts --------------------------------------------------------------------------------------


def test_words_are_those_of_the_training_texts(tmp_path: Path) -> None:
    one = "alpha beta gamma alpha beta"
    (tmp_path / "train.csv").write_text(
        f'"1","t","{one}"\n"2","t","beta gamma delta"\n"4","t","known twice"\n'
    )
    (tmp_path / "test.csv").write_text(
        '"3","t","unseen unseen alpha alpha alpha"\n"4","t","known twice"\n'
    )
    told = {"root": tmp_path, "training": "official", "words": 4, "dimension": 3}
    data = datasets.load("ag_news", **told)
    assert data.y.tolist() == [0, 1, 3, 2, 3]
    assert data.fold.tolist() == ["train"] * 3 + ["test"] * 2
    numbers = data.x.numbers.tolist()
    # beta three times, then alpha and gamma twice by the alphabet; delta occurs once
    assert numbers == [[2, 1, 3, 2], [1, 3, 0, 0], [0] * 4, [2, 2, 2, 0], [0] * 4]
    assert "1 texts of the test part are also in the training part" in data.notes
    dropped = datasets.load("ag_news", **told, drop_repeats=True)
    assert dropped.y.tolist() == [0, 1, 2, 3]
    # vectors are learnt from the training texts: a test text more leaves them as they are
    with open(tmp_path / "test.csv", "a", encoding="utf-8") as file:
        file.write('"1","t","gamma alpha gamma alpha gamma alpha"\n')
    again = datasets.load("ag_news", **told)
    np.testing.assert_array_equal(again.x.table, data.x.table)


def test_vectors_of_words_are_of_their_mutual_information() -> None:
    rng = np.random.default_rng(3)
    texts = [[f"w{k}" for k in rng.choice(6, 12, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05])]
             for _ in range(30)]  # fmt: skip
    known = Vocabulary.of(texts, 10)
    size, reach = len(known.words), 3
    counts = np.zeros((size, size))
    for text in texts:
        indices = [known.number[word] - 1 for word in text]
        for i, a in enumerate(indices):
            for j, b in enumerate(indices):
                counts[a, b] += 0 < abs(i - j) <= reach
    share = counts.sum(0) ** 0.75 / (counts.sum(0) ** 0.75).sum()
    with np.errstate(divide="ignore"):
        positive = np.maximum(np.log(counts / (counts.sum(1)[:, None] * share)), 0.0)
    left, value, _ = np.linalg.svd(positive)
    vectors = left[:, :3] * np.sqrt(value[:3])
    vectors *= np.where(left[:, :3].sum(0) < 0, -1, 1)
    expected = np.clip((vectors - vectors.mean(0)) / (6 * vectors.std(0)) + 0.5, 0, 1)
    found = embed(known, texts, 3, reach=reach)
    np.testing.assert_allclose(found[1:], expected, atol=2e-3)
    assert not found[0].any()


# -- series -------------------------------------------------------------------------------------


def test_series_are_filled_stretched_and_sorted_by_number(tmp_path: Path) -> None:
    labels = ["10", "9", "10", "9"]
    values = [np.array([[0.0, np.nan, np.nan, 3.0, 4.0]]), np.array([[0.0, 2.0, 4.0]]),
              np.array([[np.nan, 1.0, 2.0, 3.0, np.nan]]), np.array([[4.0, 0.0]])]  # fmt: skip
    path = tmp_path / "a.ts"
    path.write_text(ts_text(values, labels, classes="10 9"))
    data = datasets.load(path, missing="interpolate", lengths="stretch")
    expected = [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [1, 1, 2, 3, 3], [4, 3, 2, 1, 0]]
    np.testing.assert_allclose(data.x, np.array(expected) / 4, rtol=1e-6)
    table = tmp_path / "b.csv"
    rows = [f"{label},{k},{k + 1}" for k, label in enumerate(["10", "9", "2", "10", "9", "2"])]
    table.write_text("\n".join(["label,a,b", *rows]) + "\n")
    assert datasets.load(table).classes == ("2", "9", "10")


def test_channels_are_scaled_each_by_its_own_range(tmp_path: Path) -> None:
    values = [np.array([[0.0, 2.0], [100.0, 300.0]]), np.array([[1.0, 4.0], [500.0, 200.0]])] * 2
    path = tmp_path / "a.ts"
    path.write_text(ts_text(values, ["a", "b"] * 2))
    found = datasets.load(path).x[:2]
    np.testing.assert_allclose(found[:, 0], np.array([[0, 2], [1, 4]]) / 4)
    np.testing.assert_allclose(found[:, 1], (np.array([[100, 300], [500, 200]]) - 100) / 400)


def test_a_training_and_a_test_part_stay_apart_when_joined(tmp_path: Path) -> None:
    for part, labels, level in (("TRAIN", ["a", "b", "a", "b"], 0.0), ("TEST", ["b", "a"], 0.5)):
        values = [np.array([[level, level + 0.1 * k]]) for k in range(1, 1 + len(labels))]
        (tmp_path / f"Mine_{part}.ts").write_text(ts_text(values, labels, classes="a b"))
    data = datasets.load(tmp_path / "Mine_TRAIN.ts")
    assert data.fold.tolist() == ["train"] * 4 + ["test"] * 2
    assert [data.classes[k] for k in data.y] == ["a", "b", "a", "b", "b", "a"]
    np.testing.assert_allclose(data.x[:, 0], [0.0] * 4 + [0.5] * 2)


def test_a_column_that_counts_the_rows_is_no_value(tmp_path: Path) -> None:
    rows = [f"{'ab'[k % 2]},{0.1 * (k % 3):.1f},{17 + k},{0.05 * k:.2f}" for k in range(12)]
    (tmp_path / "a.csv").write_text("\n".join(["label,first,number,last", *rows]) + "\n")
    data = datasets.load(tmp_path / "a.csv")
    assert data.x.shape == (12, 2) and any("'number' counts" in note for note in data.notes)
    np.testing.assert_allclose(data.x[:, 1], 0.05 * np.arange(12), rtol=1e-6)


def test_groups_of_two_parts_stand_by_their_samples(tmp_path: Path) -> None:
    for part, people in (("TRAIN", "abcd"), ("TEST", "fe")):
        rows = [f"{'xy'[k % 2]},{who},0.{k},0.5" for k, who in enumerate(people)]
        (tmp_path / f"Mine_{part}.csv").write_text("\n".join(["label,subject,0,1", *rows]) + "\n")
    data = datasets.load(tmp_path / "Mine_TRAIN.csv")
    assert data.groups.tolist() == list("abcdfe")
    assert data.fold.tolist() == ["train"] * 4 + ["test"] * 2
    np.testing.assert_allclose(data.x[:, 0], [0.0, 0.1, 0.2, 0.3, 0.0, 0.1], atol=1e-7)


def test_rows_of_steps_are_in_the_order_of_time_and_samples_as_they_stand(tmp_path: Path) -> None:
    rows = ["z,3,0.3,b", "z,1,0.1,b", "a,2,0.9,a", "z,2,0.2,b", "a,1,0.8,a", "a,3,1.0,a"]
    rows += [f"{name},{t},{0.1 * t},{label}" for name, label in (("k", "a"), ("b", "b"))
             for t in (1, 2, 3)]  # fmt: skip
    (tmp_path / "long.csv").write_text("\n".join(["sample,time,x,class", *rows]) + "\n")
    data = datasets.load(tmp_path / "long.csv")
    assert [data.classes[k] for k in data.y] == ["b", "a", "a", "b"]
    expected = [[0.1, 0.2, 0.3], [0.8, 0.9, 1.0], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]
    np.testing.assert_allclose(data.x, expected, rtol=1e-6)


def test_time_stamps_are_seconds_and_their_step_is_told(tmp_path: Path) -> None:
    lines = ["@problemName A", "@timeStamps true", "@classLabel true a b", "@data"]
    for k, label in enumerate("abab"):
        pairs = [f"(2020-01-01 00:{2 * t:02d}:30,{0.1 * (t + k)})" for t in range(4)]
        lines.append(",".join(pairs) + f":{label}")
    (tmp_path / "a.ts").write_text("\n".join(lines) + "\n")
    data = datasets.load(tmp_path / "a.ts")
    assert any("equal steps of 120" in note for note in data.notes)
    np.testing.assert_allclose(data.x[1], [0.1, 0.2, 0.3, 0.4], rtol=1e-6)
