"""One sound file, decoded; what libsndfile lets pass is refused here."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["decode"]

_MOST_VALUES = 500_000_000  # of one file: 2 GB
_BLOCK = 1 << 18
_LOUDEST = 1e12  # samples are -1 to 1, or whole numbers of 32 bits kept as float; squares must fit


def decode(library: Any, path: Path) -> tuple[np.ndarray, float]:
    """The channels of a file averaged, float32 (samples,), and its rate [Hz].

    Parameters
    ----------
    library : module
        The package soundfile.
    path : Path
        Path of the file.

    Raises
    ------
    ValueError
        Damaged, cut off, empty, too long, or with samples that are no numbers.
    """
    _check_wav(path)
    parts = []
    try:
        opened = library.SoundFile(os.fsencode(path))  # a name need not be UTF-8
    except library.LibsndfileError as error:
        reason = str(error.error_string)
        if "does not exist" in reason:  # said of an MP3 without a single frame
            reason = "no sound is found in it"
        raise ValueError(reason) from error
    with opened as file:
        frames, channels, rate = file.frames, file.channels, float(file.samplerate)
        # MP3 and OGG tell their length only roughly
        exact = file.format not in ("MP3", "OGG")
        if frames * channels > _MOST_VALUES and exact:
            raise ValueError(f"{frames} frames of {channels} channels are too many")
        done = 0
        while True:
            block = file.read(_BLOCK, dtype="float32", always_2d=True)
            if not len(block):
                break
            done += len(block)
            if done * channels > _MOST_VALUES:
                raise ValueError("it is too long")
            largest = float(np.abs(block).max())
            if not math.isfinite(largest):
                raise ValueError("it holds NaN or infinity")
            if largest > _LOUDEST:
                raise ValueError(f"it holds samples of {largest:.3g}")
            parts.append(block.mean(axis=1, dtype=np.float32))
    if not done:
        raise ValueError("it holds no sample")
    if exact and done < frames:
        raise ValueError(f"it is cut off after {done} of {frames} samples")
    if not rate > 0:
        raise ValueError(f"a rate of {rate} Hz")
    return np.concatenate(parts), rate


def _check_wav(path: Path) -> None:
    """ValueError if a WAV file promises more data than it has: libsndfile says nothing of it."""
    size = path.stat().st_size
    if not size:
        raise ValueError("it is empty")
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        at = 12
        while at + 8 <= size:
            file.seek(at)
            kind, length = struct.unpack("<4sI", file.read(8))
            if kind == b"data":
                # a recorder that streams leaves the length open
                if length not in (0xFFFFFFFF, 0) and at + 8 + length > size:
                    raise ValueError(f"it is cut off: {size - at - 8} of {length} bytes of sound")
                return
            at += 8 + length + length % 2
    raise ValueError("it is cut off before the sound begins")
