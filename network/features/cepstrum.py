"""Mel-frequency cepstral coefficients by librosa: what the article compares with."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ddkbase.errors import InputError, InstallationError

__all__ = ["mfcc"]


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
