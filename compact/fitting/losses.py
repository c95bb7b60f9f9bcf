"""Losses of least squares: squared, and two that forgive outliers."""

from __future__ import annotations

import numpy as np

from ddkbase.errors import InputError, closest, shorten

__all__ = ["LOSSES", "rho"]

LOSSES = ("linear", "soft_l1", "huber")


def rho(square: np.ndarray, loss: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A loss and its first two derivatives by ``square``, the squared scaled residual."""
    if loss == "linear":
        return square, np.ones_like(square), np.zeros_like(square)
    if loss == "soft_l1":
        root = np.sqrt(1 + square)
        return 2 * (root - 1), 1 / root, -0.5 / root**3
    if loss == "huber":
        inside = square <= 1
        root = np.sqrt(np.where(inside, 1, square))
        value = np.where(inside, square, 2 * root - 1)
        return value, 1 / root, np.where(inside, 0.0, -0.5 / root**3)
    raise InputError(f"unknown loss {shorten(loss)}", "loss", closest(str(loss), LOSSES))
