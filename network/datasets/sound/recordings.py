"""Recordings: WAV, FLAC, OGG, AIFF and MP3 files, alone or in folders by class."""

from __future__ import annotations

import importlib
import itertools
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, InstallationError, StorageError, closest
from ddkbase.files import too_large, unpacked_limit
from network.datasets.files import missing, read_npz, reading
from network.datasets.folders import (
    SOUNDS,
    check_classes,
    check_sounds,
    class_files,
    from_labels,
    from_meta,
    given_parts,
)
from network.datasets.index import Index, find_index, recurring_folders
from network.datasets.sound.containers import check_whole, says_its_length

__all__ = [
    "SOUNDS",
    "Recordings",
    "read_packed_sounds",
    "read_sound",
    "read_sound_files",
    "read_sounds",
    "resample",
]

_NOISE, _TEST_LIST = "_background_noise_", "testing_list.txt"  # of Google's Speech Commands
_SPEAKER = re.compile(r"(.+)_nohash_\d+")  # and of its names
_MOST_VALUES = 500_000_000  # of one file: 2 GB
_TIMES = 256  # how many times its size a sound may take: speech of 6 kbit/s at 48 kHz
_WHAT = "sounds (" + ", ".join(SOUNDS[:8]) + ", ...)"
_BLOCK = 1 << 18
_LOUDEST = 1e12  # samples are -1 to 1, or whole numbers of 32 bits kept as float; squares must fit
_CANCELLED = 1e-3  # share of the channels' energy that their mean has to keep
_ROUGH = 0.95  # share of the samples that an MP3 file promises, at least, that have to be there
_MOST_STRETCHED = 200.0  # a sound of 1 Hz among those of 44.1 kHz has a damaged header


@dataclass(frozen=True)
class Recordings:
    """Sounds of one rate, before anything is cut out of them.

    Attributes
    ----------
    waveforms : tuple of ndarray of float32
        Waveforms, shape (samples,) each, -1 to 1.
    rate : float, Hz
        Samples a second.
    y : ndarray of int64, shape (recordings,)
        Class of each recording, an index into ``classes``.
    classes : tuple of str
        Names of the classes.
    names : tuple of str
        Unique names of the recordings.
    fold : tuple of str, default ()
        Part that the source puts each recording into, "train" or "test"; else "".
    groups : tuple of str, default ()
        What each is of that must not be parted, as a speaker; default: each stands alone.
    notes : tuple of str, default ()
        What was done to them.
    """

    waveforms: tuple[np.ndarray, ...]
    rate: float
    y: np.ndarray
    classes: tuple[str, ...]
    names: tuple[str, ...]
    fold: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def seconds(self) -> np.ndarray:
        """Length of each [s]."""
        return np.array([len(w) for w in self.waveforms]) / self.rate

    def subset(self, index: Sequence[int]) -> Recordings:
        """The recordings of these numbers."""
        fold = tuple(self.fold[i] for i in index) if self.fold else ()
        groups = tuple(self.groups[i] for i in index) if self.groups else ()
        return replace(
            self,
            waveforms=tuple(self.waveforms[i] for i in index),
            y=self.y[list(index)],
            names=tuple(self.names[i] for i in index),
            fold=fold,
            groups=groups,
        )


def read_sound(
    path: str | os.PathLike[str], rate: float | None = None, whence: str = ""
) -> tuple[np.ndarray, float]:
    """A sound file as float32 from -1 to 1, its channels averaged.

    Parameters
    ----------
    path : str or Path
        The file, of any depth and number of channels.
    rate : float or None, Hz, optional
        What it is resampled to; default: its own.
    whence : str, default ""
        Where to get it, said if it is missing or damaged.

    Returns
    -------
    waveform : ndarray, shape (samples,)
        The sound.
    rate : float, Hz
        Its samples a second.

    Raises
    ------
    StorageError
        Not there, damaged, cut off, empty, or holds NaN.
    InstallationError
        soundfile is not installed.
    """
    path = Path(path)
    library = _soundfile()
    if not path.exists():
        raise missing(path, "the sound file", whence)
    wave, own = reading(path, "a sound file", whence, lambda: _decode(library, path))
    if rate is None or rate == own:
        return wave, own
    return _to_rate(wave, own, rate, path), float(rate)


def resample(wave: np.ndarray, rate: float, target: float) -> np.ndarray:
    """The waveform at another rate, low-pass filtered, float32.

    The ratio is rounded to one of whole numbers up to 1000: 44,099 Hz is taken as 44,100.

    Raises
    ------
    InputError
        A rate that is not positive.
    """
    # start-up: sounds that have one rate need no SciPy
    from scipy.signal import resample_poly

    if not (target > 0 and rate > 0 and math.isfinite(target)):
        raise InputError(f"a rate of {target} Hz", "rate")
    ratio = Fraction(target / rate).limit_denominator(1000)
    if not ratio:
        raise InputError(f"from {rate} to {target} Hz is too far", "rate")
    out = resample_poly(wave, ratio.numerator, ratio.denominator)
    return np.asarray(out, dtype=np.float32)


def read_sounds(
    path: str | os.PathLike[str], rate: float | None = None, whence: str = ""
) -> Recordings:
    """The recordings of a folder with one folder a class (speaker, species), at any depth.

    LibriSpeech's ``speaker/chapter/utterance.flac`` is such a folder, Speakers in the Wild is known
    by its ``keys/meta.lst``, and a ``labels.csv`` with lines ``file,class`` tells the class of
    files that lie in one folder; so does any table with a column of their names and one called
    category, label, class, ... (`find_index`), whose folds or recordings are kept together. Where
    the only folders are ``train`` and ``test``, the classes are the folders in them, and the parts
    are kept. Folders in the classes that recur in several of them, as those of speakers do, and the
    speakers in names of Speech Commands, are kept together.

    Parameters
    ----------
    path : str or Path
        The folder.
    rate : float or None, Hz, optional
        What all are resampled to; default: the rate that most of them have.
    whence : str, default ""
        Where to get the data, said if something is missing.

    Raises
    ------
    StorageError
        No such folder, no sounds, a single class, or a damaged file, which is named.
    InstallationError
        soundfile is not installed.
    """
    path = Path(path)
    for listing, reader in (("keys/meta.lst", from_meta), ("labels.csv", from_labels)):
        if (path / listing).is_file():
            files, labels = reader(path, path / listing)
            classes = tuple(sorted(set(labels)))
            if len(classes) < 2:
                raise StorageError("names a single class", str(path / listing))
            y = np.array([classes.index(label) for label in labels], dtype=np.int64)
            break
    else:
        check_sounds(path)
        if path.is_dir() and (index := find_index(path, SOUNDS)):
            return _of_index(path, index, rate, whence)
        if parts := given_parts(path, SOUNDS):
            return _of_parts(path, parts, rate, whence)
        files, y, classes = class_files(path, SOUNDS, _WHAT, whence)
        check_classes(path, classes)
        _check_commands(path, classes)
    names = tuple(f.relative_to(path).with_suffix("").as_posix() for f in files)
    found = read_sound_files(files, y, classes, names, rate, whence)
    speakers = [_SPEAKER.fullmatch(file.stem) for file in files]
    if all(speakers):
        groups: Sequence[str] | None = [match[1] for match in speakers if match]
        note = "recordings of a speaker, as the names say, stay together"
    else:
        groups = recurring_folders(names)
        note = "folders in the classes recur in others: what is in one stays together"
    if groups is None:
        return found
    return replace(found, groups=tuple(groups), notes=(*found.notes, note))


def _of_index(path: Path, index: Index, rate: float | None, whence: str) -> Recordings:
    """Recordings that a table lists."""
    classes = tuple(sorted(set(index.labels)))
    if len(classes) < 2:
        raise StorageError("names a single class", str(path))
    y = np.array([classes.index(label) for label in index.labels], dtype=np.int64)
    names = tuple(f.relative_to(path).with_suffix("").as_posix() for f in index.files)
    found = read_sound_files(index.files, y, classes, names, rate, whence)
    return replace(
        found,
        fold=tuple(index.fold),
        groups=tuple(index.groups or ()),
        notes=(*found.notes, *index.notes),
    )


def _check_commands(path: Path, classes: tuple[str, ...]) -> None:
    """StorageError for Speech Commands as they are packed: noise is no class, lists say the split.

    Read as any folder, the noise would be one more word and the official split would be lost.
    """
    if _NOISE in classes:
        raise StorageError(
            f"holds the folder '{_NOISE}', which is no class", str(path), "Take it away"
        )
    if (path / _TEST_LIST).is_file():
        raise StorageError(
            "lists its test part, which is not read",
            str(path / _TEST_LIST),
            "Move what it lists into a folder test, the rest into a folder train, a folder a class "
            "in each; or take the list away for a split that is drawn",
        )


def _of_parts(path: Path, parts: dict[str, Path], rate: float | None, whence: str) -> Recordings:
    """Recordings of a folder whose training and test part are given.

    Raises
    ------
    StorageError
        The test part has a class that the training part lacks; further as `class_files`.
    """
    train, y, classes = class_files(parts["train"], SOUNDS, _WHAT, whence)
    test, tested, others = class_files(parts["test"], SOUNDS, _WHAT, whence)
    unknown = sorted(set(others) - set(classes))
    if unknown:
        raise StorageError(
            f"holds class '{unknown[0]}', which {parts['train'].name} does not",
            str(parts["test"]),
            closest(unknown[0], classes),
        )
    labels = np.concatenate([y, np.array([classes.index(n) for n in others])[tested]])
    files = [*train, *test]
    names = tuple(f.relative_to(path).with_suffix("").as_posix() for f in files)
    found = read_sound_files(files, labels, classes, names, rate, whence)
    return replace(found, fold=("train",) * len(train) + ("test",) * len(test))


def read_sound_files(
    files: Sequence[Path],
    y: np.ndarray,
    classes: tuple[str, ...],
    names: tuple[str, ...],
    rate: float | None = None,
    whence: str = "",
) -> Recordings:
    """Recordings of these files; arguments as the attributes of `Recordings`."""
    waves, rates = [], []
    for file in files:
        wave, own = read_sound(file, rate, whence)
        waves.append(wave)
        rates.append(own)
    values, counts = np.unique(rates, return_counts=True)
    common = float(values[len(values) - 1 - counts[::-1].argmax()])
    waves = [
        w if r == common else _to_rate(w, r, common, file)
        for w, r, file in zip(waves, rates, files, strict=True)
    ]
    others = [r for r in rates if r != common]
    notes: tuple[str, ...] = ()
    if others:
        span = f"{min(others):g} to {max(others):g} Hz"
        notes = (f"{len(others):,} of {len(rates):,} recordings, of {span}, are resampled to "
                 f"{common:g} Hz",)  # fmt: skip
        of_class = [{r for r, k in zip(rates, y, strict=True) if k == label} for label in set(y)]
        if all(len(own) == 1 for own in of_class):
            notes = (*notes, "all recordings of a class have one rate, and not all classes the "
                     "same: what lower rates lack tells the class")  # fmt: skip
    silent = sum(not wave.any() for wave in waves)
    if silent:
        notes = (*notes, f"{silent:,} of {len(waves):,} recordings are silent throughout")
    labels = np.asarray(y, np.int64)
    return Recordings(tuple(waves), common, labels, classes, names, notes=notes)


def _to_rate(wave: np.ndarray, own: float, target: float, path: Path) -> np.ndarray:
    if target > _MOST_STRETCHED * own:
        raise StorageError(f"its rate is {own:g} Hz, and {target:g} Hz are needed", str(path))
    return resample(wave, own, target)


def read_packed_sounds(
    path: str | os.PathLike[str], label: str, names: str, whence: str = ""
) -> Recordings:
    """Recordings of an .npz file: ``audio`` int16, ``offsets``, ``fs``, and names of classes.

    Parameters
    ----------
    path : str or Path
        Path of the file.
    label : str
        Array with the class number of each recording; "" if each is a class of its own.
    names : str
        Array with the names of the classes.
    whence : str, default ""
        Where to get it, said if it is missing or damaged.

    Raises
    ------
    StorageError
        Not there, damaged, or the arrays do not belong together.
    """
    path = Path(path)
    needed = ("audio", "offsets", "fs", names, *([label] if label else []))
    arrays = read_npz(path, needed, "an .npz file of sounds", whence)
    audio, offsets = arrays["audio"], arrays["offsets"].astype(np.int64).ravel()
    classes = tuple(str(n) for n in arrays[names].ravel())
    y = arrays[label].astype(np.int64).ravel() if label else np.arange(len(classes))
    rate = float(arrays["fs"].ravel()[0]) if arrays["fs"].size else 0.0
    fits = (
        audio.dtype == np.int16
        and audio.ndim == 1
        and len(offsets) == len(y) + 1
        and len(y) > 0
        and offsets[0] >= 0
        and offsets[-1] <= len(audio)
        and (np.diff(offsets) > 0).all()
        and 0 <= y.min() <= y.max() < len(classes)
        and rate > 0
    )
    if not fits:
        raise StorageError(
            "the arrays do not belong together: audio int16 (n,), offsets rising, one label a "
            "recording, fs in Hz are expected",
            str(path),
            whence,
        )
    scale = np.float32(1 / 32768)
    waves = tuple(audio[a:b] * scale for a, b in itertools.pairwise(offsets))
    marks = tuple(f"{path.stem}/{k:04d}-{classes[c]}" for k, c in enumerate(y))
    return Recordings(waves, rate, y, classes, marks)


def _decode(library: Any, path: Path) -> tuple[np.ndarray, float]:
    """The channels of a file averaged, float32 (samples,), and its rate [Hz], by soundfile.

    ValueError for what libsndfile lets pass: damaged, cut off, empty, too long, samples that are no
    numbers.
    """
    check_whole(path)
    blocks = []
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
        least = frames if exact else _ROUGH * frames if says_its_length(path) else 0
        most = unpacked_limit(path.stat().st_size, 4 * _MOST_VALUES, _TIMES) // 4
        if frames * channels > most and exact:
            raise too_large(str(path), 4 * most)
        done = 0
        energy = left = 0.0
        while True:
            block = file.read(_BLOCK, dtype="float32", always_2d=True)
            if not len(block):
                break
            done += len(block)
            if done * channels > most:
                raise too_large(str(path), 4 * most)
            largest = float(np.abs(block).max())
            if not math.isfinite(largest):
                raise ValueError("it holds NaN or infinity")
            if largest > _LOUDEST:
                raise ValueError(f"it holds samples of {largest:.3g}")
            blocks.append(block.mean(axis=1, dtype=np.float32))
            if channels > 1:
                energy += float(np.square(block, dtype=np.float64).mean(axis=1).sum())
                left += float(np.square(blocks[-1], dtype=np.float64).sum())
    if not done:
        raise ValueError("it holds no sample")
    if done < least:
        raise ValueError(f"it is cut off after {done} of {frames} samples")
    if not rate > 0:
        raise ValueError(f"a rate of {rate} Hz")
    if left < _CANCELLED * energy:
        raise ValueError("its channels cancel each other: their mean is next to nothing")
    return np.concatenate(blocks), rate


def _soundfile() -> Any:
    try:
        return importlib.import_module("soundfile")
    except (ImportError, OSError):
        raise InstallationError(
            "reading sounds needs the package soundfile, which is not installed",
            "sounds",
            "Run pip install 'ddk-toolkit[audio]'",
        ) from None
