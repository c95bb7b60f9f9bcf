"""Images: MNIST, Fashion-MNIST and other IDX files; the digits that come with scikit-learn."""

from __future__ import annotations

import importlib
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InstallationError, StorageError
from ddkbase.files import too_large, unpacked_limit
from network.datasets.dataset import DataSet
from network.datasets.files import LARGEST, folder, missing, open_bytes, reading

__all__ = ["load_digits", "load_fashion", "load_mnist", "read_idx", "read_images"]

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MNIST = (
    "MNIST is four files, train-images-idx3-ubyte.gz and its sisters, from "
    "https://yann.lecun.com/exdb/mnist or https://ossci-datasets.s3.amazonaws.com/mnist"
)
_FASHION = "Fashion-MNIST is at https://github.com/zalandoresearch/fashion-mnist, data/fashion"
_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def read_idx(path: str | os.PathLike[str], whence: str = "") -> np.ndarray:
    """The array in an IDX file, packed by gzip or not.

    Parameters
    ----------
    path : str or Path
        The file.
    whence : str, default ""
        Where to get it, said if it is missing or damaged.

    Returns
    -------
    ndarray
        Array of the type and shape that the file states, in native byte order.

    Raises
    ------
    StorageError
        Not there, no IDX file, cut off, or longer than its header says.
    """
    path = Path(path)
    return reading(path, "an IDX file", whence, lambda: _read_idx(path))


def _read_idx(path: Path) -> np.ndarray:
    with open_bytes(path) as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES:
            raise ValueError(f"it begins with {head!r}")
        dtype, axes = np.dtype(_TYPES[head[2]]), head[3]
        sizes = file.read(4 * axes)
        if not 1 <= axes <= 8 or len(sizes) < 4 * axes:
            raise ValueError("its header is cut off")
        shape = struct.unpack(f">{axes}I", sizes)
        count = 1
        for n in shape:
            count *= n
        size, limit = count * dtype.itemsize, unpacked_limit(path.stat().st_size, LARGEST)
        if size > limit:
            raise too_large(str(path), limit)
        content = bytearray()
        while len(content) < size:  # grows with what is there, not with what the header promises
            block = file.read(min(size - len(content), 1 << 24))
            if not block:
                raise ValueError(f"it ends after {len(content)} of {size} bytes")
            content += block
        if file.read(1):
            raise ValueError(f"it is longer than its shape {shape} says")
    array = np.frombuffer(content, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def read_images(
    path: str | os.PathLike[str], classes: tuple[str, ...] | None = None, whence: str = ""
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, labels and folds of a folder of four IDX files named as those of MNIST.

    Parameters
    ----------
    path : str or Path
        Folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same with
        ``t10k-``; each with ``.gz`` or without, ``-idx`` also as ``.idx``.
    classes : tuple of str or None, optional
        If given, labels beyond them are an error.

    Returns
    -------
    x : ndarray of uint8, shape (samples, rows, columns)
        The images.
    y : ndarray of int64, shape (samples,)
        Their classes.
    fold : ndarray of str, shape (samples,)
        The part each belongs to.

    Raises
    ------
    StorageError
        A file is missing or damaged, or images and labels do not belong together.
    """
    images, labels, folds = [], [], []
    for prefix, fold in (("train", "train"), ("t10k", "test")):
        where = _named(Path(path), f"{prefix}-images-idx3-ubyte", whence)
        pictures = read_idx(where, whence)
        if pictures.ndim != 3 or pictures.dtype != np.uint8:
            raise StorageError(f"holds {pictures.dtype} of shape {pictures.shape}, images of bytes "
                               "were expected", str(where), whence)  # fmt: skip
        if not pictures.size:
            raise StorageError(f"holds {len(pictures)} images of {pictures.shape[1]} x "
                               f"{pictures.shape[2]} pixels", str(where), whence)  # fmt: skip
        where = _named(Path(path), f"{prefix}-labels-idx1-ubyte", whence)
        numbers = read_idx(where, whence)
        if numbers.ndim != 1 or len(numbers) != len(pictures) or numbers.dtype.kind not in "iu":
            raise StorageError(f"holds {numbers.dtype} of shape {numbers.shape} for "
                               f"{len(pictures)} images", str(where), whence)  # fmt: skip
        if len(numbers) and (numbers.min() < 0 or (classes and numbers.max() >= len(classes))):
            raise StorageError(f"has a label {int(numbers.max())}", str(where), whence)
        images.append(pictures)
        labels.append(numbers.astype(np.int64))
        folds += [fold] * len(numbers)
    if images[0].shape[1:] != images[1].shape[1:]:
        raise StorageError(
            f"images of {images[0].shape[1:]} and of {images[1].shape[1:]} pixels",
            str(path),
            whence,
        )
    return np.concatenate(images), np.concatenate(labels), np.array(folds)


def _named(path: Path, name: str, whence: str) -> Path:
    for spelling in (name, name.replace("-idx", ".idx")):
        for ending in (".gz", ""):
            if (path / (spelling + ending)).exists():
                return path / (spelling + ending)
    raise missing(path / f"{name}.gz", "the IDX file", whence)


def load_digits() -> DataSet:
    """1,797 digits, x (1797, 8, 8) from 0 to 1, rows of 8 pixels as time.

    Raises
    ------
    InstallationError
        scikit-learn is not installed.
    """
    try:
        bundled: Any = importlib.import_module("sklearn.datasets")
    except ImportError:
        raise InstallationError(
            "the digits come with scikit-learn, which is not installed",
            "data set 'digits'",
            "Run pip install 'ddk-toolkit[sklearn]'",
        ) from None
    data = bundled.load_digits()
    return DataSet(
        name="digits",
        x=(data.images / 16.0).astype(np.float32),
        y=data.target,
        classes=tuple(str(n) for n in range(10)),
        dims=("row", "column"),
        source="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine "
        "Learning Repository, 1998 (its test part), as bundled with scikit-learn",
        license="CC BY 4.0",
        notes=("who wrote a digit is not known, so writers are in all parts of a split",),
    )


def load_mnist(root: str | os.PathLike[str] | None = None) -> DataSet:
    """MNIST: x (70000, 28, 28), rows of 28 pixels as time, 60,000 to train, 10,000 to test.

    Raises
    ------
    StorageError
        A file is missing or damaged.
    """
    return _load(
        root,
        "mnist",
        tuple(str(n) for n in range(10)),
        _MNIST,
        "Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits",
        "CC BY-SA 3.0 (as commonly redistributed)",
    )


def load_fashion(root: str | os.PathLike[str] | None = None) -> DataSet:
    """Fashion-MNIST: ten kinds of clothes, laid out as MNIST.

    Raises
    ------
    StorageError
        A file is missing or damaged.
    """
    return _load(
        root, "fashion", _CLOTHES, _FASHION, "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST", "MIT"
    )


def _load(
    root: str | os.PathLike[str] | None,
    name: str,
    classes: tuple[str, ...],
    whence: str,
    source: str,
    terms: str,
) -> DataSet:
    path = folder(root, name, whence)
    images, y, fold = read_images(path, classes, whence)
    x = images.astype(np.float32)
    x /= np.float32(255)
    return DataSet(name, x, y, classes, ("row", "column"), source, terms, fold=fold)
