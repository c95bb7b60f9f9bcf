"""Whales of two independent sources."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, StorageError
from network.datasets.dataset import DataSet
from network.datasets.files import folder
from network.datasets.sound.recordings import (
    Recordings,
    read_packed_sounds,
    read_sound_files,
    read_sounds,
    resample,
)
from network.datasets.sound.sounds import cut, hertz

__all__ = ["load_whales"]

_WHALES = (
    "The Watkins database is at https://whoicf2.whoi.edu/science/B/whalesounds, "
    "NOAA PMEL's recordings at https://www.pmel.noaa.gov/acoustics/sounds_whales"
)
_SPECIES = ("blue", "fin", "humpback", "minke")


def load_whales(
    root: str | os.PathLike[str] | None = None,
    *,
    front: str = "map",
    utterance: str | int = 48_000,
    size: int = 100,
    rate: str | float = "8 kHz",
    sources: str = "both",
    **options: Any,
) -> DataSet:
    """Blue, fin, humpback and minke whales of two independent sources.

    The fold "train" is the first source (MARS), "test" the second (NOAA PMEL and PAMGuard). Within
    one source each species is a single recording: split it by "block". A folder with one folder a
    species is read as any labelled folder.

    Parameters
    ----------
    root : str, Path or None, optional
        Folder with ``whales4_mars_8k.npz``, ``noaa_pmel``, ``pamguard``, or of species.
    utterance : str or int, default 48_000
        Length of an utterance; the article cuts 48,000 samples.
    front : str, default "map"
        As for `cut`; by default the article's 8 x 100 map.
    size : int, default 100
        As for `cut`; by default the article's 8 x 100 map.
    **options : dict, optional
        As for `cut`; by default the article's 8 x 100 map.
    rate : str or float, default "8 kHz"
        What all are resampled to.
    sources : {"both", "first", "second"}, default "both"
        Which of the two sources of recordings are read.

    Raises
    ------
    StorageError
        No such folder or file, or damaged.
    """
    if sources not in ("both", "first", "second"):
        raise InputError(f"unknown source '{sources}'", "sources", "both, first or second")
    path = folder(root, "whales", _WHALES)
    target = hertz(rate)
    packed = path / "whales4_mars_8k.npz"
    if not packed.exists():
        recordings = read_sounds(path, target, _WHALES)
    else:
        first = read_packed_sounds(packed, "", "species", _WHALES)
        if tuple(first.classes) != _SPECIES:
            raise StorageError(f"holds {first.classes}, expected {_SPECIES}", str(packed), _WHALES)
        files = sorted((*path.glob("noaa_pmel/*.wav"), *path.glob("pamguard/*.wav")))
        y = [_species(file) for file in files]
        names = tuple(f"{f.parent.name}/{f.stem}" for f in files)
        waves = tuple(resample(w, first.rate, target) if target != first.rate else w
                      for w in first.waveforms)  # fmt: skip
        fold = ["train"] * len(waves)
        if files:
            second = read_sound_files(files, np.array(y), _SPECIES, names, target, _WHALES)
            waves += second.waveforms
            fold += ["test"] * len(files)
        recordings = Recordings(
            waves,
            target,
            np.concatenate([first.y, np.array(y, dtype=np.int64)]),
            _SPECIES,
            (*(f"mars/{s}" for s in _SPECIES), *names),
            tuple(fold),
        )
        if sources != "both":
            only = "train" if sources == "first" else "test"
            recordings = recordings.subset([k for k, f in enumerate(fold) if f == only])
            recordings = replace(recordings, fold=())
    notes = (
        "sources differ in playback speed (NOAA 10 times, MARS about 5 for blue and fin, not "
        "stated) and in bandwidth (PAMGuard's were recorded at 1, 2 and 4 kHz)",
    )
    return cut(recordings, front=front, utterance=utterance, size=size, name="whales", notes=notes,
               source="Projet MARS; NOAA PMEL Acoustics Program; PAMGuard example sounds",
               license="MIT; public domain; GPL-3.0", **options)  # fmt: skip


def _species(file: Path) -> int:
    matches = [k for k, name in enumerate(_SPECIES) if name in file.stem.lower()]
    if len(matches) != 1:
        raise StorageError(
            "its name does not tell the species", str(file), "Names: " + ", ".join(_SPECIES)
        )
    return matches[0]
