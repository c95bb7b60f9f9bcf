"""Sounds of strangers: what is cut off, or passed over, is never read in part in silence."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from ddkbase.errors import StorageError
from network import datasets
from tests.network import data_files


@pytest.mark.parametrize(
    ("ending", "kind", "depth"),
    [
        ("wav", "RF64", "PCM_16"),
        ("w64", "W64", "PCM_24"),
        ("aiff", "AIFF", "PCM_16"),
        ("au", "AU", "PCM_16"),
        ("sph", "NIST", "PCM_16"),
        ("sph", "NIST", "ULAW"),
        ("ogg", "OGG", "VORBIS"),
        ("mp3", "MP3", None),
        ("wav", "WAV", "IMA_ADPCM"),
    ],
)
def test_a_sound_that_is_cut_off_is_not_read_in_part(
    tmp_path: Path, ending: str, kind: str, depth: str | None
) -> None:
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / f"a.{ending}"
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(path, wave, 8000, format=kind, subtype=depth)
    content = path.read_bytes()
    assert len(datasets.read_sound(path)[0]) == pytest.approx(16000, rel=0.02)
    path.write_bytes(content + b"TAG" + bytes(125))  # as some programs add
    assert len(datasets.read_sound(path)[0]) == pytest.approx(16000, rel=0.02)
    for share in (0.02, 0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(StorageError):
            datasets.read_sound(path)


def test_a_wave_with_the_numbers_the_other_way_round_is_not_read_in_part(tmp_path: Path) -> None:
    sound = data_files.tone(0.5)
    numbers = (sound * 32767).astype(">i2").tobytes()
    parts = struct.pack(">4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    parts += struct.pack(">4sI", b"data", len(numbers)) + numbers
    path = tmp_path / "a.wav"
    path.write_bytes(struct.pack(">4sI4s", b"RIFX", 4 + len(parts), b"WAVE") + parts)
    np.testing.assert_allclose(datasets.read_sound(path)[0], sound, atol=1e-4)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(StorageError, match="cut off: 7000 of 8000 bytes"):
        datasets.read_sound(path)


def test_an_mp3_that_does_not_say_its_length_is_read(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "a.mp3"
    loud = np.random.default_rng(0).uniform(-0.9, 0.9, 40000)
    wave = np.concatenate([np.zeros(80000), loud])
    soundfile.write(path, wave, 16000, bitrate_mode="VARIABLE", compression_level=0.3)
    content = path.read_bytes()
    at = content.index(b"Xing")
    path.write_bytes(content[content.index(content[:2], at + 50) :])  # without the first frame
    assert len(datasets.read_sound(path)[0]) > 100_000


def test_sounds_that_no_class_and_no_list_names_are_said(tmp_path: Path) -> None:
    for part, pitches in (("train", (300, 900)), ("test", (310, 910))):
        for label, pitch in zip(("low", "high"), pitches, strict=True):
            data_files.sound(tmp_path / part / label / "a.wav", data_files.tone(1.1, pitch=pitch))
    data_files.sound(tmp_path / "loose.wav", data_files.tone(1.1))
    notes = " ".join(datasets.load(tmp_path).notes)
    assert "'loose.wav': outside of a class, and not read" in notes
    (tmp_path / "labels.csv").write_text("train/low/a.wav,low\ntrain/high/a.wav,high\n")
    data = datasets.load(tmp_path)
    assert len(data) == 2
    assert data.notes[0] == ("3 of its files, 'loose' first, are not in the list, and not read")
    (tmp_path / "train" / "low" / "clip.mp4").write_bytes(b"")
    with pytest.raises(StorageError, match="holds clips and sounds"):
        datasets.load(tmp_path)
    (tmp_path / "train" / "low" / "clip.mp4").rename(tmp_path / "train" / "low" / "b.caf")
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(StorageError, match=r"1 sound in .caf is not read"):
        datasets.load(tmp_path)
