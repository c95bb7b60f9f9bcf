"""Vectors of words, learnt from texts or drawn from the words themselves."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ddkbase.errors import InputError, closest

__all__ = ["Vocabulary", "embed"]

_WAYS = ("svd", "hash")


@dataclass(frozen=True)
class Vocabulary:
    """Words and their numbers from 1 up; 0 stands for "no word here"."""

    words: tuple[str, ...]
    number: dict[str, int]

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]], most: int, rarest: int = 2) -> Vocabulary:
        """The ``most`` frequent words that occur ``rarest`` times or more; ties by the alphabet."""
        counts = Counter(word for text in texts for word in text)
        ranked = sorted(
            (w for w, n in counts.items() if n >= rarest), key=lambda w: (-counts[w], w)
        )
        if not ranked:
            raise InputError(f"no word occurs {rarest} times", "texts")
        words = tuple(ranked[:most])
        return cls(words, {word: k for k, word in enumerate(words, 1)})

    def numbers(self, texts: Sequence[Sequence[str]], length: int) -> np.ndarray:
        """int32 (texts, length): the first known words of each text, then zeros."""
        out = np.zeros((len(texts), length), dtype=np.int32)
        for row, text in zip(out, texts, strict=True):
            indices = [k for word in text if (k := self.number.get(word))][:length]
            row[: len(indices)] = indices
        return out


def embed(
    vocabulary: Vocabulary,
    texts: Sequence[Sequence[str]],
    dimension: int,
    way: str = "svd",
    seed: int = 0,
    reach: int = 20,
) -> np.ndarray:
    """A vector from 0 to 1 for every word.

    "svd": positive pointwise mutual information of words that occur within ``reach`` of each other
    in the texts, its leading singular vectors times the root of the singular values (O. Levy,
    Y. Goldberg, I. Dagan, Trans. ACL 3, 211 (2015)). "hash": numbers drawn from a checksum of the
    word, which know nothing of its meaning and need no text.

    Each dimension is stretched so that three standard deviations to both sides span 0 to 1, and cut
    off beyond.

    Parameters
    ----------
    texts : sequence of sequence of str
        Words of the training texts; no others may be given if the test is to be fair.
    dimension : int
        Length of a vector; if the texts give fewer, the rest is hashed.
    seed : int, default 0
        Seed of the random start of the decomposition, and of the hash.

    Returns
    -------
    ndarray of float32, shape (1 + words, dimension)
        A vector in each row; row 0, "no word here", is 0.

    Raises
    ------
    InputError
        An unknown way, or no dimension.
    """
    if way not in _WAYS:
        raise InputError(f"unknown embedding '{way}'", "embedding", closest(str(way), _WAYS))
    if dimension < 1:
        raise InputError(f"vectors of {dimension} numbers", "dimension")
    size = len(vocabulary.words)
    learnt = min(dimension, size) if way == "svd" else 0
    blocks = []
    if learnt:
        blocks.append(_leading(_association(vocabulary, texts, reach), learnt, seed))
    if learnt < dimension:
        blocks.append(_hashed(vocabulary.words, dimension - learnt, seed))
    vectors = np.concatenate(blocks, axis=1)
    spread = vectors.std(axis=0)
    spread[spread == 0] = 1
    table = np.zeros((size + 1, dimension), dtype=np.float32)
    table[1:] = np.clip((vectors - vectors.mean(axis=0)) / (6 * spread) + 0.5, 0, 1)
    return table


def _association(vocabulary: Vocabulary, texts: Sequence[Sequence[str]], reach: int) -> object:
    """Positive pointwise mutual information, sparse and symmetric (words, words)."""
    # start-up: hashed vectors need no SciPy
    from scipy.sparse import coo_array

    size = len(vocabulary.words)
    rows, columns = [], []
    for text in texts:
        indices = np.array([k - 1 for word in text if (k := vocabulary.number.get(word))], np.int32)
        for distance in range(1, min(reach, len(indices) - 1) + 1):
            rows.append(indices[:-distance])
            columns.append(indices[distance:])
    first = np.concatenate(rows) if rows else np.empty(0, np.int32)
    second = np.concatenate(columns) if columns else np.empty(0, np.int32)
    pairs = np.concatenate([first, second]), np.concatenate([second, first])
    counts = coo_array((np.ones(len(pairs[0])), pairs), shape=(size, size)).tocsr().tocoo()
    total = counts.sum(axis=0)
    smooth = total**0.75  # Levy et al.: rare contexts weigh less
    smooth /= smooth.sum()
    row, column = counts.coords
    value = np.log(counts.data / (total[row] * smooth[column]))
    keep = value > 0
    weights = value[keep].astype(np.float32)
    return coo_array((weights, (row[keep], column[keep])), shape=(size, size)).tocsr()


def _leading(matrix: object, count: int, seed: int) -> np.ndarray:
    """Leading left singular vectors times the root of their values, by a random subspace."""
    size: int = matrix.shape[0]  # type: ignore[attr-defined]
    width = min(size, count + 20)
    basis = np.random.default_rng(seed).standard_normal((size, width), dtype=np.float32)
    # Subspace iteration with 20 spare vectors: each round sharpens the leading ones by the ratio of
    # singular values to the fourth power, so two rounds are enough for word vectors.
    for _ in range(2):
        # the matrix is symmetric: two products, one orthogonalisation
        basis, _ = np.linalg.qr(matrix @ (matrix @ basis))  # type: ignore[operator]
    left, value, _ = np.linalg.svd(matrix @ basis, full_matrices=False)  # type: ignore[operator]
    left, value = left[:, :count], value[:count]
    left *= np.where(left.sum(axis=0) < 0, -1, 1)  # a sign is arbitrary: make it the same again
    return np.asarray(left * np.sqrt(value))


def _hashed(words: Sequence[str], dimension: int, seed: int) -> np.ndarray:
    out = np.empty((len(words), dimension))
    for row, word in zip(out, words, strict=True):
        digest = hashlib.blake2b(f"{seed} {word}".encode(), digest_size=16).digest()
        row[:] = np.random.default_rng(int.from_bytes(digest, "little")).random(dimension)
    return out
