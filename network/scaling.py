"""Bringing samples into [0, 1], the range of the inputs of a DDK layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddkbase.errors import InputError, closest, shorten

__all__ = ["SCALES", "Range"]

SCALES = ("all", "feature", "sample", "none")


@dataclass(frozen=True)
class Range:
    """The range of training samples that becomes [0, 1].

    Parameters
    ----------
    how : {"all", "feature", "sample", "none"}
        "all": one range for everything, so that a series keeps its form; "feature": one for each
        place in a sample; "sample": that of each sample itself, so that loudness does not matter;
        "none": samples are taken as they are.
    low, span : ndarray
        Lowest value of the training samples and width of their range; arrays of one sample's shape
        for "feature". A range of no width maps to 0.
    """

    how: str
    low: np.ndarray
    span: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, how: str) -> Range:
        """The range of samples (samples, ...); raises InputError on an unknown ``how``."""
        if how not in SCALES:
            raise InputError(f"unknown scale {shorten(how)}", "scale", closest(str(how), SCALES))
        if how == "all":
            low, high = x.min(), x.max()
        elif how == "feature":
            low, high = x.min(0), x.max(0)
        else:
            low, high = np.zeros((), x.dtype), np.ones((), x.dtype)
        return cls(how, np.asarray(low), np.asarray(high) - np.asarray(low))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Samples in [0, 1]; what lies outside the range is cut off, except for "none"."""
        if self.how == "none":
            return x
        low, span = self.low, self.span
        if self.how == "sample":
            axes = tuple(range(1, x.ndim))
            low = x.min(axes, keepdims=True)
            span = x.max(axes, keepdims=True) - low
        safe = np.where(span > 0, span, 1)
        return np.clip((x - low) / safe, 0, 1).astype(x.dtype, copy=False)
