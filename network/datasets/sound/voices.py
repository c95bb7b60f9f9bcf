"""Synthetic voices: a source and vowels, drawn by a seed; no recording of anybody.

A speaker is a pitch, a length of the vocal tract, a tilt of the voice's spectrum, a breathiness and
a vibrato, all drawn once. An utterance is a row of vowels with a melody of its own. Harmonics of
the pitch are weighted by three resonances (the formants) and added up, breath is noise through the
same resonances.

Formants of the vowels: means of men in G. E. Peterson, H. L. Barney, J. Acoust. Soc. Am. 24, 175
(1952), Table II.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ddkbase.errors import InputError
from network.datasets.dataset import DataSet
from network.datasets.sound.recordings import Recordings
from network.datasets.sound.sounds import cut

__all__ = ["load_voices", "synthetic_voices"]

_VOWELS = np.array(
    [[270, 2290, 3010], [390, 1990, 2550], [530, 1840, 2480], [660, 1720, 2410], [730, 1090, 2440],
     [570, 840, 2410], [440, 1020, 2240], [300, 870, 2240], [640, 1190, 2390], [490, 1350, 1690]]
)  # fmt: skip
_BANDWIDTHS = np.array([60.0, 90.0, 130.0])  # Hz


def synthetic_voices(
    speakers: int = 10,
    recordings: int = 10,
    seconds: float = 3.0,
    rate: float = 8000.0,
    seed: int | np.random.Generator = 0,
) -> Recordings:
    """Draw speakers and let each say something.

    Parameters
    ----------
    speakers : int, default 10
        Number of speakers, each a class, 2 or more.
    recordings : int, default 10
        Number of recordings of each speaker.
    seconds : float, s, default 3.0
        Length of a recording.
    rate : float, Hz, default 8000.0
        Samples a second, 4,000 or more.
    seed : int or numpy.random.Generator, default 0
        What decides the voices and what they say.

    Returns
    -------
    Recordings
        Recordings of all, a class a speaker, in the order of the speakers.

    Raises
    ------
    InputError
        A number out of range.
    """
    if speakers < 2 or recordings < 1 or not 0.1 <= seconds <= 600 or not 4000 <= rate <= 96_000:
        raise InputError(
            f"{speakers} speakers, {recordings} recordings of {seconds} s at {rate} Hz",
            "synthetic voices",
            "Two or more speakers, 0.1 to 600 s, 4 to 96 kHz",
        )
    rng = np.random.default_rng(seed)
    waves, y = [], []
    for speaker in range(speakers):
        voice = {
            "pitch": float(np.exp(rng.uniform(np.log(85), np.log(240)))),
            "tract": float(rng.uniform(0.85, 1.2)),
            "tilt": float(rng.uniform(0.8, 1.6)),
            "breath": float(rng.uniform(0.01, 0.08)),
            "vibrato": float(rng.uniform(0, 0.02)),
        }
        for _ in range(recordings):
            waves.append(_say(voice, seconds, rate, rng))
            y.append(speaker)
    names = tuple(f"voice{s:02d}/{k:04d}" for k, s in enumerate(y))
    classes = tuple(f"voice{s:02d}" for s in range(speakers))
    return Recordings(tuple(waves), rate, np.array(y), classes, names)


def _say(
    voice: dict[str, float], seconds: float, rate: float, rng: np.random.Generator
) -> np.ndarray:
    size = round(seconds * rate)
    time = np.arange(size) / rate
    # a vowel every 0.15 to 0.3 s, gliding from one to the next
    count = max(2, int(seconds / 0.22) + 1)
    corners = np.cumsum(rng.uniform(0.15, 0.3, count))
    corners *= seconds / corners[-1]
    vowels = _VOWELS[rng.integers(0, len(_VOWELS), count)] / voice["tract"]
    formants = np.stack([np.interp(time, corners, vowels[:, k]) for k in range(3)])
    melody = np.interp(time, corners, rng.normal(0, 0.08, count))
    shake = voice["vibrato"] * np.sin(2 * np.pi * 5.5 * time + rng.uniform(0, 2 * np.pi))
    pitch = voice["pitch"] * np.exp(melody + shake)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    loud = 0.4 + 0.6 * np.abs(np.sin(np.pi * np.interp(time, corners, np.arange(count))))
    wave = np.zeros(size)
    coarse = np.append(np.arange(0, size - 1, 40), size - 1)  # gains change slowly
    slow_pitch, slow_formants = pitch[coarse], formants[:, coarse]
    # sin((k + 1) p) = 2 cos(p) sin(k p) - sin((k - 1) p)
    double, before, harmonic = 2 * np.cos(phase), np.zeros(size), np.sin(phase)
    for k in range(1, int(0.48 * rate / pitch.min()) + 1):
        gain = _resonance(k * slow_pitch, slow_formants) / k ** voice["tilt"]
        gain *= np.clip((0.48 * rate - k * slow_pitch) / (0.02 * rate), 0, 1)  # fades to the limit
        wave += np.interp(np.arange(size), coarse, gain) * harmonic
        before, harmonic = harmonic, double * harmonic - before
    # a resonance does not shape noise sample by sample; a slow one is near enough for breath
    noise = rng.standard_normal(size) * _resonance(np.full(size, 1500.0), formants)
    wave = loud * (wave / np.abs(wave).max() + voice["breath"] * noise)
    return (0.8 * wave / np.abs(wave).max()).astype(np.float32)


def _resonance(frequency: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """Gain of three resonances in a row at a frequency, 1 at 0 Hz; (samples,)."""
    gain = np.ones_like(frequency)
    for centre, width in zip(formants, _BANDWIDTHS, strict=True):
        square = centre * centre
        gain *= square / np.sqrt((frequency**2 - square) ** 2 + (width * frequency) ** 2)
    return gain


def load_voices(
    *,
    speakers: int = 10,
    recordings: int = 10,
    recording: float = 3.0,
    rate: float = 8000.0,
    seed: int = 0,
    front: str = "spectral",
    utterance: str | int = "1 s",
    **options: Any,
) -> DataSet:
    """Synthetic speakers; a recording's utterances are not to be parted.

    Parameters
    ----------
    speakers, recordings : int, default 10
        As for `synthetic_voices`.
    recording : float, s, default 3.0
        Length of a recording, the ``seconds`` of `synthetic_voices`.
    rate : float, default 8000.0
        As for `synthetic_voices`.
    seed : int, default 0
        As for `synthetic_voices`.
    front : str, default "spectral"
        As for `cut`.
    utterance : str or int, default "1 s"
        As for `cut`.
    **options : dict, optional
        As for `cut`.
    """
    drawn = synthetic_voices(speakers, recordings, recording, rate, seed)
    return cut(
        drawn,
        front=front,
        utterance=utterance,
        name="voices",
        source="computed from pitch and formants; formants of G. E. Peterson, H. L. Barney 1952",
        license="MIT (of this toolkit)",
        synthetic=True,
        notes=("synthetic: says nothing about real speech",),
        **options,
    )
