"""Cross-entropy, softmax, accuracy."""

from __future__ import annotations

import numpy as np

__all__ = ["accuracy", "cross_entropy", "softmax"]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities from logits, along the last axis, in the dtype of the logits."""
    with np.errstate(over="ignore"):  # a difference of -infinity is a probability of 0
        p = logits - logits.max(-1, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(-1, keepdims=True)
    return p


def cross_entropy(
    logits: np.ndarray, labels: np.ndarray, smoothing: float = 0.0
) -> tuple[float, np.ndarray]:
    """Mean cross-entropy [nat] and its gradient by the logits.

    Parameters
    ----------
    logits : ndarray, shape (samples, classes)
        Logits of the samples.
    labels : ndarray, shape (samples,)
        Integers from 0.
    smoothing : float, default 0.0
        Share of the wanted probability that is spread evenly over all classes.

    Returns
    -------
    loss : float
        Mean cross-entropy.
    gradient : ndarray
        Its derivative by ``logits``, of their shape.
    """
    samples, classes = logits.shape
    with np.errstate(over="ignore"):  # a difference of -infinity is a probability of 0
        shifted = logits - logits.max(1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(1, keepdims=True)
    rows = np.arange(samples)
    log_total = np.log(total[:, 0])
    loss = log_total - (1 - smoothing) * shifted[rows, labels]
    if smoothing:
        loss -= smoothing * shifted.mean(1)
    p /= total
    p[rows, labels] -= 1 - smoothing
    if smoothing:
        p -= smoothing / classes
    p /= samples
    return float(loss.mean(dtype=np.float64)), p


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of samples whose largest logit is that of their class."""
    return float(np.mean(logits.argmax(1) == labels))
