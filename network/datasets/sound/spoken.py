"""Spoken digits: the free set of six speakers that memristor reservoirs are tried on."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, StorageError
from ddkbase.units import to_si
from network.datasets.dataset import DataSet
from network.datasets.files import folder
from network.datasets.sound.recordings import read_sound_files
from network.datasets.sound.sounds import cut, hertz

__all__ = ["NAME", "load_spoken_digits"]

NAME = re.compile(r"(\d)_([^_]+)_(\d+)")
"""Name of a recording, without its ending: digit, speaker, number."""

_WHENCE = (
    "The Free Spoken Digit Dataset is at https://github.com/Jakobovski/free-spoken-digit-dataset"
)
_TESTED = 5  # recordings of each digit and speaker, the first ones: the source's split
_GROUPS = ("recording", "speaker")


def load_spoken_digits(
    root: str | os.PathLike[str] | None = None,
    *,
    front: str = "frames",
    size: int = 32,
    utterance: str | int = "784 ms",
    window: str | int = "32 ms",
    rate: str | float = "8 kHz",
    onset: str | float = 0.0,
    group: str = "recording",
    **options: Any,
) -> DataSet:
    """Ten digits by six speakers, one sample a recording.

    Parameters
    ----------
    root : str, Path or None, optional
        Folder of the recordings, or one that holds ``spoken_digits``.
    front : str, default "frames"
        As for `cut`; by default 48 frames of 32 logarithmic mel bands, 16 ms apart.
    size : int, default 32
        As for `cut`.
    utterance : str or int, default "784 ms"
        As for `cut`; a longer recording is cut off, a shorter one filled with silence.
    window : str or int, default "32 ms"
        As for `cut`.
    rate : str or float, default "8 kHz"
        What all are resampled to.
    onset : str or float, s, default 0.0
        Silence before a recording, uniform from 0 to this and drawn by its name: the digit begins
        the same number of frames late in every run.
    group : {"recording", "speaker"}, default "recording"
        What a split keeps whole. By "recording" the source's own test part is told, the first five
        of each digit and speaker.
    **options : object
        Further options of `cut`.

    Raises
    ------
    InputError
        An unknown group, or numbers out of range.
    StorageError
        No such folder, no recordings, or a damaged file, which is named.
    InstallationError
        soundfile is not installed.
    """
    if group not in _GROUPS:
        raise InputError(f"unknown group '{group}'", "group", f"One of {', '.join(_GROUPS)}")
    path = folder(root, "spoken_digits", _WHENCE)
    path = path / "recordings" if (path / "recordings").is_dir() else path
    told = _recordings(path)
    if not told:
        raise StorageError("holds no recordings DIGIT_SPEAKER_NUMBER.wav", str(path), _WHENCE)
    files = [file for file, _ in told]
    digits = sorted({name[0] for _, name in told})
    y = np.array([digits.index(name[0]) for _, name in told])
    names = tuple(file.stem for file in files)
    found = read_sound_files(files, y, tuple(digits), names, hertz(rate), _WHENCE)
    latest = to_si(onset, "s", "onset") if isinstance(onset, str) else float(onset)
    if not 0 <= latest < 1e3:
        raise InputError(f"an onset of {latest} s", "onset")
    if latest:
        waves = [
            np.pad(wave, (int(_share(name) * latest * found.rate), 0))
            for wave, name in zip(found.waveforms, names, strict=True)
        ]
        found = replace(found, waveforms=tuple(waves))
    if group == "recording":
        fold = tuple("test" if int(name[2]) < _TESTED else "train" for _, name in told)
        found = replace(found, fold=fold)
    data = cut(
        found,
        front=front,
        size=size,
        utterance=utterance,
        window=window,
        hop=10**9,  # one sample a recording
        name="spoken_digits",
        source="Z. Jackson: Free Spoken Digit Dataset",
        license="CC BY-SA 4.0",
        **options,
    )
    if group == "recording":
        return data
    speakers = np.array([name[1] for _, name in told])
    return replace(data, groups=speakers[data.items])


def _recordings(path: Path) -> list[tuple[Path, tuple[str, ...]]]:
    files = sorted(p for p in path.iterdir() if p.suffix.lower() == ".wav")
    found = ((file, NAME.fullmatch(file.stem)) for file in files)
    return [(file, match.groups()) for file, match in found if match]


def _share(name: str) -> float:
    """From 0 to 1, told by a name."""
    return float(np.random.default_rng(list(name.encode("utf-8"))).random())
