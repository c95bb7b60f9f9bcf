"""Samples that a table beside them, or their names, say the class and the speaker of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ddkbase.errors import StorageError
from network import datasets
from tests.network.data_files import sound, tone


def wave(path: Path, pitch: float) -> Path:
    return sound(path, tone(1.0, pitch=pitch))


def esc50(folder: Path, rows: int = 12) -> Path:
    """As ESC-50 is laid out: one folder of sounds, a table of them in another."""
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for k in range(rows):
        name, label = f"1-{100 + k // 2}-A-{k % 3}.wav", k % 3
        name = f"{k}-{name}"
        wave(folder / "audio" / name, 200.0 + 300.0 * label + k)
        lines.append(
            f"{name},{k % 2 + 1},{label},{('dog', 'rain', 'clock')[label]},True,{100 + k // 2},A"
        )
    (folder / "meta").mkdir()
    (folder / "meta" / "esc50.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_table_beside_the_sounds_says_the_classes(tmp_path: Path) -> None:
    data = datasets.load(esc50(tmp_path / "esc"))
    assert data.classes == ("clock", "dog", "rain") and len(data.y) == 12
    assert [data.classes[k] for k in data.y[:3]] == ["dog", "rain", "clock"]
    assert data.groups[:4].tolist() == ["100", "100", "101", "101"]
    assert any("'category' of meta/esc50.csv" in note for note in data.notes)
    assert any("'src_file' is not parted" in note for note in data.notes)


def test_folders_of_folds_are_no_classes(tmp_path: Path) -> None:
    """As UrbanSound8K is laid out; names recur in the folds."""
    lines = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    for fold in (1, 2, 3):
        for k in range(2):
            wave(tmp_path / "audio" / f"fold{fold}" / f"{k}.wav", 200.0 + 500.0 * k + fold)
            lines.append(f"fold{fold}/{k}.wav,{fold}{k},0,1,1,{fold},{k},{('siren', 'drill')[k]}")
    with pytest.raises(StorageError, match=r"fold1, fold2, fold3, .* which are no classes"):
        datasets.load(tmp_path / "audio")
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "UrbanSound8K.csv").write_text("\n".join(lines))
    data = datasets.load(tmp_path)
    assert data.classes == ("drill", "siren") and len(data.y) == 6
    assert len(set(data.groups)) == 6
    # without their folds the names are of three files each
    (tmp_path / "metadata" / "UrbanSound8K.csv").write_text(
        "\n".join(lines).replace("fold1/", "").replace("fold2/", "").replace("fold3/", "")
    )
    with pytest.raises(StorageError, match=r"row 2 names '0.wav', which is not there once"):
        datasets.load(tmp_path)


def test_a_table_may_give_the_parts(tmp_path: Path) -> None:
    lines = ["path;label;split"]
    for k in range(8):
        wave(tmp_path / "clips" / f"c{k}.wav", 200.0 + 500.0 * (k % 2) + k)
        lines.append(f"clips/c{k};{'ab'[k % 2]};{'test' if k > 5 else 'train'}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    data = datasets.load(tmp_path)
    assert data.fold.tolist() == ["train"] * 6 + ["test"] * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("11-1-105-A-2.wav", "lost.wav"), "row 13 names 'lost.wav'"),
        (lambda text: text + text.splitlines()[-1] + "\n", "names a file twice"),
        (lambda text: text + text.splitlines()[-1].replace("clock", "dog") + "\n", "two classes"),
        (lambda text: text + "a,b\n", "not of 7 columns"),
    ],
)
def test_a_table_that_is_not_of_the_files_is_refused(tmp_path: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]
    table = esc50(tmp_path / "esc") / "meta" / "esc50.csv"
    table.write_text(change(table.read_text()))
    with pytest.raises(StorageError, match=words):
        datasets.load(tmp_path / "esc")


def test_two_tables_are_not_chosen_from(tmp_path: Path) -> None:
    table = esc50(tmp_path / "esc") / "meta" / "esc50.csv"
    (tmp_path / "esc" / "other.csv").write_text(table.read_text())
    with pytest.raises(StorageError, match=r"other.csv and meta/esc50.csv both list its files"):
        datasets.load(tmp_path / "esc")


def test_tables_of_other_things_leave_the_folders_of_classes(tmp_path: Path) -> None:
    for label, pitch in (("low", 200.0), ("high", 900.0)):
        for k in range(3):
            wave(tmp_path / label / f"{k}.wav", pitch + k)
    (tmp_path / "lengths.csv").write_text("file,seconds\n0.wav,1\n1.wav,1\n2.wav,1\n")
    assert datasets.load(tmp_path).classes == ("high", "low")


def test_speakers_within_the_classes_stay_together(tmp_path: Path) -> None:
    for word, pitch in (("yes", 300.0), ("no", 900.0)):
        for number, speaker in enumerate(("anna", "ben", "cem")):
            for k in range(2):
                wave(tmp_path / "a" / word / speaker / f"{k}.wav", pitch + 10 * number + k)
                name = f"{speaker}_nohash_{k}.wav"
                wave(tmp_path / "b" / word / name, pitch + 10 * number + k)
                chapter = f"{word}{speaker}"
                wave(tmp_path / "c" / word / chapter / f"{k}.wav", pitch + 10 * number + k)
    for name in "ab":
        data = datasets.load(tmp_path / name)
        assert sorted(set(data.groups)) == ["anna", "ben", "cem"]
        assert any("stay" in note for note in data.notes)
    assert len(set(datasets.load(tmp_path / "c").groups)) == 12


def test_pictures_are_listed_as_sounds_are(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    rng, lines = np.random.default_rng(0), ["image,label"]
    for k in range(6):
        (tmp_path / "images").mkdir(exist_ok=True)
        shades = rng.integers(0, 256, (8, 8)).astype(np.uint8)
        image.fromarray(shades).save(tmp_path / "images" / f"p{k}.png")
        lines.append(f"p{k}.png,{'cat' if k % 2 else 'dog'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    data = datasets.load(tmp_path, size=(8, 8))
    assert data.classes == ("cat", "dog") and data.x.shape == (6, 8, 8)
    assert data.y.tolist() == [1, 0, 1, 0, 1, 0]
