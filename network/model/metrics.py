"""How good predictions are: softmax, cross-entropy, accuracy, confusion, votes, differences.

Only NumPy and xarray; labels are integers 0...classes-1, probabilities ``(samples, classes)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ddkbase.errors import InputError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Difference",
    "SampleDifference",
    "accuracy",
    "confusion",
    "cross_entropy",
    "difference",
    "holm",
    "over_samples",
    "scores",
    "softmax",
    "vote",
]


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
    across = np.ascontiguousarray(logits.T)  # NumPy is slow along an axis as short as the last
    with np.errstate(over="ignore"):  # a difference of -infinity is a probability of 0
        shifted = across - across.max(0)
    p = np.exp(shifted)
    total = p.sum(0)
    columns = np.arange(samples)
    loss = np.log(total) - (1 - smoothing) * shifted[labels, columns]
    if smoothing:
        loss -= smoothing * shifted.mean(0)
    p /= total
    p[labels, columns] -= 1 - smoothing
    if smoothing:
        p -= smoothing / classes
    p /= samples
    return float(loss.mean(dtype=np.float64)), np.ascontiguousarray(p.T)


def accuracy(labels: ArrayLike, predicted: ArrayLike) -> float:
    """Share of labels that were predicted, 0...1.

    Parameters
    ----------
    labels, predicted : array_like
        Integers, of equal length.

    Raises
    ------
    InputError
        There are none, or their numbers differ.
    """
    y, p = _pair(labels, predicted)
    return float(np.mean(y == p))


def confusion(labels: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> xr.DataArray:
    """Counts of every pair of true and predicted class, dims (true, predicted).

    Raises
    ------
    InputError
        No labels, different lengths, or a label outside the classes.
    """
    import xarray as xr  # start-up: a network that only answers needs none of it

    y, p = _pair(labels, predicted)
    n = len(classes)
    if min(y.min(), p.min()) < 0 or max(y.max(), p.max()) >= n:
        raise InputError("a label is outside the classes", f"{n} classes")
    counts = np.bincount(y * n + p, minlength=n * n).reshape(n, n)
    names = np.array([str(c) for c in classes])
    attributes = {"units": "1", "long_name": "decisions"}
    axes = {
        "true": ("true", names, {"units": "1", "long_name": "true class"}),
        "predicted": ("predicted", names, {"units": "1", "long_name": "predicted class"}),
    }
    return xr.DataArray(counts, dims=("true", "predicted"), coords=axes, attrs=attributes)


def scores(labels: ArrayLike, probabilities: ArrayLike) -> dict[str, float]:
    """Accuracy, mean recall of the classes that occur, macro F1, and cross-entropy in nats.

    Parameters
    ----------
    labels : array_like, shape (samples,)
        Integers.
    probabilities : array_like, shape (samples, classes)
        Probabilities of the classes; each row sums to 1.

    Raises
    ------
    InputError
        The shapes do not fit, or a probability is not finite.
    """
    y = np.asarray(labels, dtype=np.int64)
    q = np.asarray(probabilities, dtype=float)
    if q.ndim != 2 or y.shape != q.shape[:1] or not y.size:
        raise InputError(f"labels {y.shape} and probabilities {q.shape} do not fit", "scores")
    if not np.isfinite(q).all():
        raise InputError("a probability is not finite", "scores", "The training diverged")
    p = q.argmax(axis=1)
    n = q.shape[1]
    table = np.bincount(y * n + p, minlength=n * n).reshape(n, n)
    hit, true, said = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    there = true > 0
    f1 = 2 * hit / np.maximum(true + said, 1)
    of_labels = np.maximum(q[np.arange(y.size), y], np.finfo(float).tiny)
    return {
        "accuracy": float(hit.sum() / y.size),
        "balanced_accuracy": float(np.mean(hit[there] / true[there])),
        "macro_f1": float(np.mean(f1[there])),
        "cross_entropy": float(-np.mean(np.log(of_labels))),
    }


def vote(
    probabilities: ArrayLike, labels: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """One decision a group (recording, clip, object): the mean of its members' probabilities.

    Returns
    -------
    probabilities : ndarray, shape (groups, classes)
        Mean probabilities.
    labels : ndarray, shape (groups,)
        Labels of the groups.
    groups : ndarray, shape (groups,)
        The groups' ids, ascending.

    Raises
    ------
    InputError
        Members of one group have different labels.
    """
    q = np.asarray(probabilities, dtype=float)
    y = np.asarray(labels, dtype=np.int64)
    ids, first, member = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    if not np.array_equal(y, y[first][member]):
        raise InputError("members of one group have different labels", "vote")
    total = np.zeros((ids.size, q.shape[1]))
    np.add.at(total, member, q)
    return total / np.bincount(member)[:, None], y[first], ids


_SAME = 1e-9  # of a mean difference: scatter below that is rounding
_BY_SIGN = 6  # seeds of one sign that chance gives in less than 5 %: 2 * 0.5^6 = 3 %


@dataclass(frozen=True)
class Difference:
    """Of two models on the same seeds, first minus second.

    Attributes
    ----------
    mean : float
        Mean of the differences.
    error : float
        Standard error of that mean, see `difference`; NaN with one seed.
    better, equal, worse : int
        Number of seeds in which the first is better, equal, worse.
    """

    mean: float
    error: float
    better: int
    equal: int
    worse: int

    @property
    def clear(self) -> bool:
        """Whether zero is outside the 95 % interval (Student's t, seeds - 1 degrees of freedom).

        Differences that are all the same have no scatter to judge by, as those of a few test
        samples often are: their signs alone count then, which takes six seeds.
        """
        seeds = self.better + self.equal + self.worse
        if seeds < 2 or not np.isfinite(self.error):
            return False
        if self.error <= _SAME * abs(self.mean):
            return self.mean != 0 and seeds >= _BY_SIGN
        from scipy.special import stdtrit  # start-up: a network that only answers needs none of it

        return bool(abs(self.mean) > float(stdtrit(seeds - 1, 0.975)) * self.error)


def difference(first: ArrayLike, second: ArrayLike, *, overlap: float = 0.0) -> Difference:
    """Compare two models seed by seed; NaN in either leaves the seed out.

    Parameters
    ----------
    first, second : array_like
        What is compared, a number a seed, of equal length.
    overlap : float, default 0.0
        Test samples over training samples where every seed draws its parts anew from one set. The
        parts of two seeds then overlap, and the scatter over n seeds understates the error of the
        mean: its variance is that of the differences times (1/n + overlap), not 1/n (C. Nadeau, Y.
        Bengio, Machine Learning 52, 239 (2003)). 0 where the test part is given.

    Returns
    -------
    Difference
        First minus second.

    Raises
    ------
    InputError
        The lengths differ, or no seed has both.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape:
        raise InputError(f"{a.size} and {b.size} seeds do not pair", "difference")
    d = (a - b)[np.isfinite(a) & np.isfinite(b)]
    if not d.size:
        raise InputError("no seed has both models", "difference")
    error = float(d.std(ddof=1) * np.sqrt(1 / d.size + overlap)) if d.size > 1 else float("nan")
    return Difference(
        float(d.mean()), error, int((d > 0).sum()), int((d == 0).sum()), int((d < 0).sum())
    )


@dataclass(frozen=True)
class SampleDifference:
    """Of two models on the same test samples, first minus second.

    Attributes
    ----------
    mean : float
        Difference of the accuracies, of the means over the seeds.
    error : float
        Its standard error from the choice of the test samples.
    p : float
        How likely so large a difference is where the models are alike, see `over_samples`.
    """

    mean: float
    error: float
    p: float


def over_samples(first: ArrayLike, second: ArrayLike, *, draws: int = 20_000) -> SampleDifference:
    """Compare two models over the samples of one test part, which `difference` does not.

    The seeds say what start, batches and validation part are worth; which samples happen to be in
    the test part is the same for all of them. Here each sample has the difference of its mean over
    the seeds. Were the models alike, each difference were as likely of the other sign; p is the
    share of random signs that give at least the difference found (two-sided). With one seed this
    is McNemar's test (Psychometrika 12, 153 (1947)), by drawing.

    Parameters
    ----------
    first, second : array_like, shape (samples,) or (seeds, samples)
        1 where a model is right and 0 where not; the same samples in the same order.
    draws : int, default 20000
        How many random signs; p is not smaller than 1/(draws + 1).

    Returns
    -------
    SampleDifference
        First minus second.

    Raises
    ------
    InputError
        The samples differ in number, or there are none.
    """
    a, b = (np.atleast_2d(np.asarray(v, float)) for v in (first, second))
    if a.shape[-1] != b.shape[-1] or not a.size or not b.size:
        raise InputError(f"{a.shape[-1]} and {b.shape[-1]} samples do not pair", "over_samples")
    d = a.mean(axis=0) - b.mean(axis=0)
    error = float(d.std(ddof=1) / np.sqrt(d.size)) if d.size > 1 else float("nan")
    apart, rng = d[d != 0], np.random.default_rng(0)
    found, reached = abs(float(d.sum())), 0
    for begin in range(0, draws, 1000):
        number = min(1000, draws - begin)
        signs = rng.integers(0, 2, (number, apart.size), dtype=np.int8)
        sums = 2.0 * (signs @ apart) - apart.sum()
        reached += int(np.sum(np.abs(sums) >= found * (1 - 1e-9) - 1e-12))
    return SampleDifference(float(d.mean()), error, (1 + reached) / (1 + draws))


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """p of several comparisons, each corrected for their number (S. Holm, Scand. J. Stat. 6, 65
    (1979)): below a level, all of them together are wrong at most as often as that level says.

    Parameters
    ----------
    p : array_like, shape (comparisons,)
        p of each alone; NaN stays NaN and does not count.

    Raises
    ------
    InputError
        One is outside of 0 to 1.
    """
    values = np.asarray(p, dtype=float)
    out = np.full(values.shape, np.nan)
    index = np.flatnonzero(np.isfinite(values))
    if ((values[index] < 0) | (values[index] > 1)).any():
        raise InputError("a probability is outside of 0 to 1", "holm")
    order = index[np.argsort(values[index], kind="stable")]
    factors = len(order) - np.arange(len(order))
    out[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1.0)
    return out


def _pair(labels: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    y, p = np.asarray(labels, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if y.shape != p.shape or y.ndim != 1:
        raise InputError(f"labels {y.shape} and predictions {p.shape} do not fit", "labels")
    if not y.size:
        raise InputError("there are no labels", "labels")
    return y, p
