"""AG News: the official CSV files and tokenised parts of them, and vectors of words."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddkbase.errors import InputError, StorageError, closest
from ddkbase.files import too_large, unpacked_limit
from network.datasets.dataset import DataSet, WordVectors
from network.datasets.files import TIMES_TEXT, folder, missing, open_bytes, reading

__all__ = ["Vocabulary", "embed", "is_news", "load_ag_news", "read_news", "tokenise"]

_CLASSES = ("World", "Sports", "Business", "Sci/Tech")
_WHENCE = (
    "AG News (train.csv, test.csv) is at "
    "https://github.com/mhjabreel/CharCnn_Keras, data/ag_news_csv"
)
_TRAINING = {
    "balanced": "train_subset_4000_tokenised.csv",
    "unbalanced": "train_subset_unbalanced_5000_tokenised.csv",
    "official": "train.csv",
}
_LARGEST = 512 << 20
_WAYS = ("svd", "hash")
#: first line of AG News' files: a class from 1 to 4, then a title, in quotes and without headings
_FIRST = re.compile(rb"\"?[1-4]\"?\s*,\s*\"")
_ENTITY = re.compile(r"&?(#\d{1,6}|quot|amp|lt|gt|nbsp|apos);")
_TAG = re.compile(r"<[^<>]{0,300}>")
_WORD = re.compile(r"[a-z]+|[0-9]+")


def tokenise(text: str) -> list[str]:
    """Words of a text in lower case, whether or not it was tokenised before.

    Entities (also those that lost their ``&``, as in AG News), tags, backslashes and punctuation
    go; "don't", "do n't" and "do n t" give the same words.
    """
    text = _ENTITY.sub(lambda match: html.unescape(f"&{match[1]};"), text)
    text = _TAG.sub(" ", text.replace("\\", " ")).lower().replace("\u2019", "'")
    text = re.sub(r"n't\b", " n t", text)
    return _WORD.findall(text)


def read_news(
    path: str | os.PathLike[str], *, title: bool = False
) -> tuple[list[list[str]], np.ndarray]:
    """Words and classes of a CSV file in one of AG News' two layouts, packed by gzip or not.

    Three columns are class 1 to 4, title, description (official); two are class 0 to 3 and
    description.

    Parameters
    ----------
    path : str or Path
        The file.
    title : bool, default False
        Whether the words of the title come first, where there is one.

    Returns
    -------
    words : list of list of str
        Words of each text.
    classes : ndarray of int64
        Class of each text, 0 to 3.

    Raises
    ------
    StorageError
        Not there, damaged, or a line with another number of columns or another class.
    """
    path = Path(path)
    rows = reading(path, "a CSV file of texts", _WHENCE, lambda: _rows(path))
    texts, y = [], np.empty(len(rows), dtype=np.int64)
    columns = len(rows[0][1]) if rows else 0
    if columns not in (2, 3):
        raise StorageError(
            f"line 1 has {columns} columns" if rows else "holds no line",
            str(path),
            "Lines are class,title,description or class,description",
        )
    for k, (line, row) in enumerate(rows):
        if len(row) != columns:
            raise StorageError(f"line {line} has {len(row)} columns, line 1 has {columns}",
                               str(path), _WHENCE)  # fmt: skip
        label = row[0].strip()
        number = int(label) - (columns == 3) if label.isascii() and label.isdigit() else -1
        if not 0 <= number < len(_CLASSES):
            raise StorageError(f"line {line} is of class '{label[:20]}'", str(path), _WHENCE)
        y[k] = number
        texts.append(tokenise(" . ".join(row[1:]) if title else row[-1]))
    return texts, y


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    limit = unpacked_limit(path.stat().st_size, _LARGEST, TIMES_TEXT)
    with open_bytes(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise too_large(str(path), limit)
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    try:
        return [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error


def is_news(path: Path) -> bool:
    """Whether a folder holds AG News: its training files, or a ``test.csv`` of its form."""
    if any(path.glob("train_subset_*.csv*")):
        return True
    for file in path.glob("test.csv*"):
        try:
            with open_bytes(file) as stream:
                if _FIRST.match(stream.read(64)):
                    return True
        except (OSError, EOFError, zlib.error):
            return True  # what is damaged is named by its own reader
    return False


def load_ag_news(
    root: str | os.PathLike[str] | None = None,
    *,
    training: str = "balanced",
    words: int = 64,
    dimension: int = 300,
    embedding: str = "svd",
    title: bool = False,
    seed: int = 0,
    vocabulary: int = 20_000,
    drop_repeats: bool = False,
) -> DataSet:
    """AG News as a `WordVectors` (texts, words, dimension), test part the official one.

    Parameters
    ----------
    root : str, Path or None, optional
        Folder with ``test.csv`` and the training file, packed by gzip or not.
    training : {"balanced", "unbalanced", "official"}, default "balanced"
        "balanced" (1,000 texts a class), "unbalanced" (5,000 in all) or "official" (``train.csv``,
        120,000).
    words : int, default 64
        Length of a text; longer ones are cut, shorter ones end with vectors of zeros.
    dimension : int, default 300
        Length of a word's vector.
    embedding : {"svd", "hash"}, default "svd"
        "svd" learns the vectors from the training texts alone, "hash" draws them from the word
        itself; see `embed`.
    title : bool, default False
        Whether titles are read, where a file has them; the tokenised files have none.
    seed : int, default 0
        Seed of the embedding.
    vocabulary : int, default 20_000
        Words that are told apart, the most frequent of the training texts.
    drop_repeats : bool, default False
        Leave out training texts whose words are those of a text of the test part.

    Raises
    ------
    StorageError
        A file is missing or damaged; a wrong line is named.
    """
    if training not in _TRAINING:
        raise InputError(f"unknown training part '{training}'", "training",
                         closest(str(training), _TRAINING))  # fmt: skip
    if words < 1:
        raise InputError(f"texts of {words} words", "words")
    path = folder(root, "ag_news", _WHENCE)
    texts, y = read_news(_file(path, _TRAINING[training]), title=title)
    tests, y_test = read_news(_file(path, "test.csv"), title=title)
    if drop_repeats:
        tested = {" ".join(t) for t in tests}
        keep = [" ".join(t) not in tested for t in texts]
        texts, y = [t for t, stays in zip(texts, keep, strict=True) if stays], y[keep]
    try:
        lexicon = Vocabulary.of(texts, vocabulary)
    except InputError as error:  # nothing can be learnt from these texts
        raise StorageError(error.what, str(_file(path, _TRAINING[training])), _WHENCE) from error
    table = embed(lexicon, texts, dimension, embedding, seed)
    numbers = np.concatenate([lexicon.numbers(texts, words), lexicon.numbers(tests, words)])
    fold = np.repeat(["train", "test"], [len(texts), len(tests)])
    trained = {" ".join(t) for t in texts}
    repeated = sum(" ".join(t) in trained for t in tests)
    notes = [f"{repeated} texts of the test part are also in the training part"] if repeated else []
    if training != "official":
        notes.append("training texts are descriptions without titles, tokenised by NLTK")
    return DataSet(
        "ag_news",
        WordVectors(numbers, table),
        np.concatenate([y, y_test]),
        _CLASSES,
        ("word", "dimension"),
        "AG's corpus of news articles; X. Zhang, J. Zhao, Y. LeCun 2015",
        "research and other non-commercial use",
        fold=fold,
        notes=tuple(notes),
    )


def _file(path: Path, name: str) -> Path:
    for spelling in (f"{name}.gz", name):
        if (path / spelling).exists():
            return path / spelling
    raise missing(path / name, "the CSV file", _WHENCE)


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
