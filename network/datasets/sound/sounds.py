"""Sets of sounds: speakers, whales, any labelled folder, cut into samples for a network."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, StorageError, closest
from ddkbase.units import to_si
from network.datasets.dataset import DataSet
from network.datasets.files import folder
from network.datasets.folders import SOUNDS, holds
from network.datasets.sound.recordings import (
    Recordings,
    read_packed_sounds,
    read_sounds,
    resample,
)
from network.features.spectral import log_bands, mfcc
from network.features.waveform import normalise, pool_to, split_utterances

__all__ = ["FRONTS", "cut", "load_sounds", "load_speakers"]

_DIMS = {
    "waveform": ("time",),
    "pooled": ("time",),
    "envelope": ("time",),
    "spectral": ("band",),
    "mfcc": ("coefficient",),
    "map": ("utterance", "time"),
    "frames": ("band", "time"),
}
#: what `cut` makes of an utterance
FRONTS = tuple(_DIMS)
_SHORT = ("pad", "drop")
_SPEAKERS = (
    "LibriSpeech is at https://www.openslr.org/12, Speakers in the Wild at "
    "http://www.speech.sri.com/projects/sitw"
)


def cut(
    recordings: Recordings,
    *,
    front: str = "spectral",
    utterance: str | int = "1 s",
    hop: str | int | None = None,
    size: int = 128,
    utterances: int = 8,
    quiet: float = 0.0,
    short: str = "pad",
    window: str | int = "64 ms",
    name: str = "sounds",
    source: str = "",
    license: str = "not stated",
    notes: tuple[str, ...] = (),
    **more: Any,
) -> DataSet:
    """Cut recordings into utterances of one length and make samples of them.

    Parameters
    ----------
    front : str, default "spectral"
        What a sample is. "waveform": the utterance itself; "pooled": its average pooling to
        ``size`` values (the article's); "envelope": the same of its magnitude; "spectral": the
        logarithm of the energy in ``size`` mel bands, averaged over the utterance; "mfcc": ``size``
        mel-frequency cepstral coefficients, averaged; "map": ``utterances`` parts of it, each
        pooled to ``size`` values; "frames": the logarithm of the energy in ``size`` mel bands, a
        step for each half ``window``. Each vector (of "frames" each sample as a whole) is then
        stretched to 0 to 1, but for the cepstral coefficients: the first, which are the largest,
        would become 0 and 1 in all vectors and squeeze the others. They stay as they are, for
        networks that standardise them.
    utterance : str or int, default "1 s"
        Length, "1 s" or a number of samples.
    hop : str, int or None, optional
        Distance from the start of one utterance to the start of the next; default: its length, no
        overlap.
    size : int, default 128
        Values of a vector.
    quiet : float, default 0.0
        Utterances below this share of the recording's root mean square are left out.
    short : {"pad", "drop"}, default "pad"
        What becomes of a recording that is shorter than an utterance: silence fills it, or it is
        left out. A note of the data set says of how many, and `DataSet.span` ends where the sound
        does.
    window : str or int, default "64 ms"
        Length of a window of "spectral" and "frames".
    name : str, default "sounds"
        Name of the `DataSet`.
    source : str, default ""
        Where its data come from.
    license : str, default "not stated"
        Terms on which they may be used.
    notes : tuple of str, default ()
        Notes of the `DataSet`, to which those of this function are added.
    **more : dict, optional
        Further fields of the `DataSet`.

    Returns
    -------
    DataSet
        DataSet whose groups and items are the recordings, with the span of each sample.

    Raises
    ------
    InputError
        An unknown front or way with short recordings, lengths out of range.
    StorageError
        No recording is as long as an utterance, or a class is left without any.
    """
    if front not in FRONTS:
        raise InputError(f"unknown front '{front}'", "front", closest(str(front), FRONTS))
    if short not in _SHORT:
        raise InputError(f"unknown way '{short}'", "short", closest(str(short), _SHORT))
    length = _samples(utterance, recordings.rate, "utterance")
    step = length if hop is None else _samples(hop, recordings.rate, "hop")
    too_short = np.array([len(wave) < length for wave in recordings.waveforms], bool)
    if too_short.all():
        longest = float(recordings.seconds.max(initial=0))
        raise StorageError(
            f"no recording is as long as an utterance of {length / recordings.rate:g} s",
            name,
            f"The longest has {longest:g} s; ask for shorter utterances",
        )
    pieces, owner, start, end = [], [], [], []
    for number, wave in enumerate(recordings.waveforms):
        if too_short[number] and short == "drop":
            continue
        sounding = min(len(wave), length)
        wave = np.pad(wave, (0, length - sounding)) if too_short[number] else wave
        starts = np.arange(0, len(wave) - length + 1, step)
        views = np.lib.stride_tricks.sliding_window_view(wave, length)[starts]
        if quiet > 0:
            loud = np.sqrt(np.einsum("ij,ij->i", views, views) / length)
            keep = loud >= quiet * np.sqrt(np.mean(np.square(wave)))
            views, starts = views[keep], starts[keep]
        pieces.append(_front(views, front, size, utterances, recordings.rate, window))
        owner.append(np.full(len(starts), number))
        start.append(starts)
        end.append(starts + sounding)
    owners, begin = np.concatenate(owner), np.concatenate(start)
    x = np.concatenate(pieces)
    _check_classes(recordings, owners, length, name)
    notes = (*notes, *recordings.notes)
    if too_short.any():
        became = "are filled with silence" if short == "pad" else "are left out"
        notes = (*notes, f"{too_short.sum():,} of {too_short.size:,} recordings are shorter than "
                 f"{length / recordings.rate:g} s and {became}")  # fmt: skip
    timed = _DIMS[front][-1] == "time"
    part_length = length // utterances if front == "map" else length
    return DataSet(
        name,
        x,
        recordings.y[owners],
        recordings.classes,
        _DIMS[front],
        source,
        license,
        groups=np.array(recordings.groups or recordings.names)[owners],
        fold=np.array(recordings.fold)[owners] if recordings.fold else np.empty(0),
        items=owners,
        span=np.stack([begin, np.concatenate(end)], axis=1) / recordings.rate,
        seconds=length / recordings.rate,
        rate=recordings.rate * x.shape[-1] / part_length if timed else None,
        notes=notes,
        **more,
    )


def _check_classes(recordings: Recordings, owners: np.ndarray, length: int, name: str) -> None:
    """StorageError where a class is left without an utterance."""
    found = np.bincount(recordings.y[owners], minlength=len(recordings.classes))
    for number, label in enumerate(recordings.classes):
        if not found[number] and (recordings.y == number).any():
            longest = float(recordings.seconds[recordings.y == number].max())
            raise StorageError(
                f"class '{label}' has no recording as long as an utterance of "
                f"{length / recordings.rate:g} s",
                name,
                f"Its longest has {longest:g} s; ask for shorter utterances",
            )


def _samples(length: str | int, rate: float, name: str) -> int:
    number = round(to_si(length, "s", name) * rate) if isinstance(length, str) else int(length)
    if number < 1:
        raise InputError(f"{length} is shorter than a sample", name)
    return number


def _front(
    views: np.ndarray, front: str, size: int, utterances: int, rate: float, window: str | int
) -> np.ndarray:
    if front == "waveform":
        return normalise(views.astype(np.float32))
    if front == "pooled":
        return normalise(pool_to(views, size))
    if front == "envelope":
        return normalise(pool_to(np.abs(views), size))
    if front == "spectral":
        return normalise(log_bands(views, rate, bands=size, window=window))
    if front == "frames":
        bands = log_bands(views, rate, bands=size, window=window, average=False)
        return normalise(bands, axis=(-2, -1))
    if front == "mfcc":
        return np.asarray(mfcc(views, rate, coefficients=size).mean(axis=-1))
    return normalise(pool_to(split_utterances(views, count=utterances), size))


def load_speakers(
    root: str | os.PathLike[str] | None = None,
    *,
    front: str = "spectral",
    utterance: str | int = "1 s",
    rate: str | float | None = None,
    quiet: float = 0.1,
    **options: Any,
) -> DataSet:
    """Speakers, one folder each; a recording's utterances are not to be parted.

    Parameters
    ----------
    root : str, Path or None, optional
        Folder of the speakers, or one that holds ``librispeech10``.
    rate : str, float or None, optional
        What all are resampled to, "8 kHz"; default: their own.
    front : str, default "spectral"
        As for `cut`.
    utterance : str or int, default "1 s"
        As for `cut`.
    quiet : float, default 0.1
        As for `cut`.
    **options : dict, optional
        As for `cut`.

    Raises
    ------
    StorageError
        No such folder, no sounds, a single speaker, or a damaged file, which is named.
    InstallationError
        soundfile is not installed.
    """
    path = folder(root, "librispeech10", _SPEAKERS)
    path = path / "flac" if (path / "flac").is_dir() else path
    packed = path / "librispeech10_8k.npz"
    if packed.exists() and not holds(path, SOUNDS):
        recordings = read_packed_sounds(packed, "speaker", "speaker_ids", _SPEAKERS)
        if rate is not None:
            target = hertz(rate)
            waves = tuple(resample(w, recordings.rate, target) for w in recordings.waveforms)
            recordings = replace(recordings, waveforms=waves, rate=target)
    else:
        recordings = read_sounds(path, None if rate is None else hertz(rate), _SPEAKERS)
    terms = "CC BY 4.0 (LibriSpeech)" if "librispeech" in str(path).lower() else "not stated"
    source = "V. Panayotov et al.: LibriSpeech" if "Libri" in terms else str(path.name)
    notes = ("the recordings of a speaker are mostly of one session: the voice is not told apart "
             "from room and microphone",)  # fmt: skip
    return cut(
        recordings,
        front=front,
        utterance=utterance,
        quiet=quiet,
        name="speakers",
        notes=notes,
        source=source,
        license=terms,
        **options,
    )


def load_sounds(
    root: str | os.PathLike[str],
    *,
    front: str = "spectral",
    utterance: str | int = "1 s",
    rate: str | float | None = None,
    **options: Any,
) -> DataSet:
    """Any folder of labelled sounds; see `read_sounds` for the layouts and `cut` for the options.


    Raises
    ------
    StorageError
        No sounds, a single class, or a damaged file, which is named.
    """
    path = Path(root)
    recordings = read_sounds(path, None if rate is None else hertz(rate))
    return cut(
        recordings, front=front, utterance=utterance, name=path.name, source=path.name, **options
    )


def hertz(rate: str | float) -> float:
    """A rate [Hz], given as text or as a number."""
    value = to_si(rate, "Hz", "rate") if isinstance(rate, str) else float(rate)
    if not value > 0:
        raise InputError(f"a rate of {value} Hz", "rate")
    return value
