"""Files in the formats of the field, small and written by the tests themselves."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest


def real(name: str) -> Path:
    """The folder of a real data set; the test is skipped where it is not."""
    root = os.environ.get("DDK_DATA") or Path(__file__).parents[2].parent / "shared" / "data"
    path = Path(root) / name
    if not path.is_dir():
        pytest.skip(f"{name} is not there: set DDK_DATA to the folder with the data sets")
    return path


def idx(array: np.ndarray) -> bytes:
    """An IDX file of bytes."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def mnist_like(
    folder: Path, train: int = 6, test: int = 4, packed: bool = True, side: int = 3
) -> None:
    """Four IDX files as MNIST's, of 3 x 3 pixels or of other squares."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("t10k", test)):
        for name, array in (
            ("images-idx3", rng.integers(0, 256, (count, side, side))),
            ("labels-idx1", np.arange(count) % 2),
        ):
            content = idx(array)
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)


def tone(seconds: float = 0.5, rate: int = 8000, pitch: float = 440.0) -> np.ndarray:
    """A tone, float64 from -0.5 to 0.5."""
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


def sound(path: Path, wave: np.ndarray, rate: int = 8000, subtype: str | None = None) -> Path:
    """Write a sound file; the test is skipped without soundfile."""
    soundfile = pytest.importorskip("soundfile")
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), wave, rate, subtype=subtype)
    return path


def speakers(folder: Path, count: int = 2, each: int = 4, ending: str = "wav") -> Path:
    """A folder of speakers, each a tone of its own, in LibriSpeech's layout."""
    for s in range(count):
        for k in range(each):
            wave = tone(0.5, pitch=200.0 * (s + 1)) * (1 + 0.1 * k)
            sound(folder / f"spk{s}" / f"ch{k % 2}" / f"utt{k}.{ending}", wave)
    return folder


CUBE = """OFF
# a unit cube
8 6 12
0 0 0
1 0 0
1 1 0
0 1 0
0 0 1
1 0 1
1 1 1
0 1 1
4 0 1 2 3
4 4 5 6 7
4 0 1 5 4
4 1 2 6 5
4 2 3 7 6
4 3 0 4 7
"""
