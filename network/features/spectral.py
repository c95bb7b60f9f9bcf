"""Energy in mel bands, the common front end of speech, in NumPy; cepstral coefficients by librosa.

The latter are what the article compares with.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ddkbase.errors import InputError, InstallationError
from ddkbase.units import to_si

__all__ = ["log_bands", "mel_filters", "mfcc"]


def mel_filters(rate: float, window: int, bands: int, lowest: float = 50.0) -> np.ndarray:
    """Triangular filters, equally wide on the mel scale 2595 log10(1 + f/700 Hz).

    A filter narrower than the lines of the spectrum takes the two nearest lines by their distance,
    so that none is empty.

    Parameters
    ----------
    rate : float, Hz
        Samples a second.
    window : int
        Length of the Fourier transform [samples].
    bands : int
        Number of filters, from ``lowest`` [Hz] to half the rate.

    Returns
    -------
    ndarray of float32, shape (bands, window // 2 + 1)
        The filters, each with sum 1.

    Raises
    ------
    InputError
        No band, or the lowest frequency is above the highest.
    """
    if not (bands >= 1 and 0 <= lowest < rate / 2):
        raise InputError(
            f"no {bands} bands from {lowest:g} Hz up: sounds of {rate:g} samples a second end at "
            f"{rate / 2:g} Hz",
            "bands, lowest",
            "Take recordings of a higher rate",
        )
    mel = np.linspace(
        2595 * np.log10(1 + lowest / 700), 2595 * np.log10(1 + rate / 1400), bands + 2
    )
    corner = 700 * (10 ** (mel / 2595) - 1)
    line = np.arange(window // 2 + 1) * (rate / window)
    spacing = rate / window
    rise = np.maximum(corner[1:-1] - corner[:-2], spacing)[:, None]
    fall = np.maximum(corner[2:] - corner[1:-1], spacing)[:, None]
    distance = line[None, :] - corner[1:-1, None]
    weight = np.clip(1 - np.where(distance < 0, -distance / rise, distance / fall), 0, None)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float32)


def log_bands(
    waveform: ArrayLike,
    rate: float,
    *,
    bands: int = 128,
    window: str | int = "64 ms",
    floor: float = 1e-6,
    average: bool = True,
) -> np.ndarray:
    """Logarithm of the energy in mel bands, Hann windows overlapping by half.

    Parameters
    ----------
    waveform : array_like, shape (..., samples)
        One or several waveforms.
    rate : float, Hz
        Samples a second.
    bands : int, default 128
        Number of mel bands.
    window : str or int, default "64 ms"
        Length of a window; shortened to the waveform if that is shorter.
    floor : float, default 1e-6
        Share of the largest energy of a waveform below which nothing is resolved (-60 dB).
    average : bool, default True
        Whether the mean over the windows is taken (of the logarithms); otherwise time is the last
        axis.

    Returns
    -------
    ndarray of float32, shape (..., bands) or (..., bands, windows)
        Natural logarithm of the energies.

    Raises
    ------
    InputError
        An empty waveform, or numbers out of range.
    """
    wave = np.asarray(waveform, dtype=np.float32)
    if not wave.ndim or not wave.shape[-1] or not rate > 0:
        raise InputError(f"a waveform of shape {wave.shape} at {rate} Hz", "waveform, rate")
    length = round(to_si(window, "s", "window") * rate) if isinstance(window, str) else window
    length = min(max(int(length), 2), wave.shape[-1])
    step = max(1, length // 2)
    shape = np.hanning(length + 2)[1:-1].astype(np.float32)
    filters = mel_filters(rate, length, bands)
    flat = wave.reshape(-1, wave.shape[-1])
    count = (flat.shape[1] - length) // step + 1
    out = np.empty((len(flat), bands, count), dtype=np.float32)
    for k in range(count):  # one window at a time: the spectra of all would not fit
        frame = flat[:, k * step : k * step + length]
        spectrum = np.fft.rfft((frame - frame.mean(axis=1, keepdims=True)) * shape, axis=1)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        out[..., k] = power.astype(np.float32, copy=False) @ filters.T
    # the floor keeps silence from deciding the range of a vector that is stretched to 0 to 1
    smallest = floor * out.max(axis=(1, 2), keepdims=True)
    np.log(np.maximum(out, np.maximum(smallest, np.finfo(np.float32).tiny)), out=out)
    result = out.mean(axis=-1) if average else out
    return result.reshape(*wave.shape[:-1], *result.shape[1:])


def mfcc(
    waveform: ArrayLike,
    rate: float,
    *,
    coefficients: int = 20,
    window: int | None = None,
    bands: int = 128,
) -> np.ndarray:
    """Mel-frequency cepstral coefficients over time.

    Parameters
    ----------
    waveform : array_like, shape (..., samples)
        One or several waveforms.
    rate : float, Hz
        Samples a second.
    coefficients : int, default 20
        Number of coefficients.
    window : int or None, optional
        Samples of a window, by default the power of two nearest to 64 ms, and at most the waveform;
        windows overlap by half.
    bands : int, default 128
        Mel bands, not fewer than the coefficients.

    Returns
    -------
    ndarray of float32, shape (..., coefficients, windows)
        The cepstral coefficients.

    Raises
    ------
    InstallationError
        librosa is not installed.
    InputError
        An empty waveform, or numbers out of range.
    """
    library = _librosa()
    wave = np.asarray(waveform, dtype=np.float32)
    if not wave.ndim or not wave.shape[-1] or not rate > 0:
        raise InputError(f"a waveform of shape {wave.shape} at {rate} Hz", "waveform, rate")
    if not 1 <= coefficients <= bands:
        raise InputError(f"{coefficients} coefficients of {bands} bands", "coefficients")
    if window is None:
        window = 1 << max(4, round(np.log2(0.064 * rate)))
    window = min(window, wave.shape[-1])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters detected")
        cepstrum = library.feature.mfcc(
            y=wave,
            sr=rate,
            n_mfcc=coefficients,
            n_fft=window,
            hop_length=max(1, window // 2),
            n_mels=bands,
            center=False,
        )
    return np.asarray(cepstrum, dtype=np.float32)


def _librosa() -> Any:
    try:
        return importlib.import_module("librosa")
    except ImportError:
        raise InstallationError(
            "MFCC need the package librosa, which is not installed",
            "mfcc",
            "Run pip install 'ddk-toolkit[audio]'",
        ) from None
