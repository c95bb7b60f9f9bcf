"""Samples of others: a folder of pictures a class, arrays X and y, and the authors' vectors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, StorageError
from network.datasets.dataset import DataSet
from network.datasets.files import LARGEST, read_mat, read_npz, reading
from network.datasets.folders import class_files, given_parts

__all__ = ["PICTURES", "load_arrays", "load_pictures", "load_vectors", "vector_files"]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")
"""Endings of pictures that are read."""

_WHAT = "pictures (" + ", ".join(PICTURES) + ")"
_NEEDED = "It needs arrays X (samples, ..., steps) and y (samples,), and may hold groups and fold"
_DIMS = ("frame", "channel", "row", "step")
_MOST_PIXELS = 1 << 26


def load_pictures(
    root: str | os.PathLike[str], *, size: tuple[int, int] = (32, 32), **options: Any
) -> DataSet:
    """Pictures with a folder a class, or folders ``train`` and ``test`` with these in them.

    Parameters
    ----------
    root : str or Path
        The folder.
    size : pair of int, default (32, 32)
        Rows and columns that each is resampled to; colours become grey.
    **options : object
        None is known.

    Returns
    -------
    DataSet
        Data set of pictures, float32 (samples, rows, columns) from 0 to 1.

    Raises
    ------
    InputError
        An unknown option, or a size out of range.
    StorageError
        No pictures, a single class, or a damaged file, which is named.
    """
    if options:
        raise InputError(f"pictures have no option '{next(iter(options))}'", "data", "size")
    rows, columns = (int(n) for n in size)
    if not (0 < rows <= 4096 and 0 < columns <= 4096):
        raise InputError(f"pictures of {rows} x {columns}", "size")
    path = Path(root)
    parts = given_parts(path, PICTURES)
    files, labels, fold = [], [], []
    folders: dict[str, Path] = parts or {"": path}
    for part, folder in folders.items():
        found, y, classes = class_files(folder, PICTURES, _WHAT, "")
        files += found
        labels += [classes[k] for k in y]
        fold += [part] * len(found)
    names = sorted({label for label, part in zip(labels, fold, strict=True) if part != "test"})
    unknown = sorted(set(labels) - set(names))
    if unknown:
        raise StorageError(f"class '{unknown[0]}' is in the test part only", str(path))
    x = np.stack([_picture(file, rows, columns) for file in files])
    return DataSet(
        path.absolute().name,
        x,
        np.array([names.index(label) for label in labels]),
        tuple(names),
        ("row", "column"),
        path.name,
        "not stated",
        fold=np.array(fold),
    )


def _picture(file: Path, rows: int, columns: int) -> np.ndarray:
    from PIL import Image  # start-up: it comes with matplotlib, which nothing else here needs

    def work() -> np.ndarray:
        with Image.open(file) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are too many")
            grey = image.convert("L").resize((columns, rows), Image.Resampling.BOX)
            return np.asarray(grey, dtype=np.float32) / 255

    return reading(file, "a picture", "", work)


def load_arrays(path: str | os.PathLike[str]) -> DataSet:
    """Arrays X, y and, where they are there, groups and fold, of an .npz or .mat file.

    Parameters
    ----------
    path : str or Path
        The file. X is (samples, steps), or has channels between; y are numbers or, in an .npz file,
        texts; groups say what must not be parted, and fold is "train" or "test" for each sample
        (.npz).

    Returns
    -------
    DataSet
        The samples, from 0 to 1 over the range of all training samples (of all without fold).

    Raises
    ------
    StorageError
        The file is missing or damaged, an array is lacking, or they do not belong together.
    """
    path = Path(path)
    arrays = _read(path)
    lower = {name.lower(): array for name, array in arrays.items()}
    if not {"x", "y"} <= lower.keys():
        told = ", ".join(sorted(arrays)) or "none"
        raise StorageError(f"lacks X or y; its arrays are {told}", str(path), _NEEDED)
    x, y = np.asarray(lower["x"]), np.asarray(lower["y"]).squeeze()
    if x.dtype.kind not in "biuf" or not 2 <= x.ndim <= 4 or not x.size:
        raise StorageError(f"X is {x.dtype} of shape {x.shape}", str(path), _NEEDED)
    wanted: list[str] = [name for name in ("groups", "fold") if name in lower]
    extra: dict[str, np.ndarray] = {name: np.asarray(lower[name]).squeeze() for name in wanted}
    columns: dict[str, np.ndarray] = {"y": y, **extra}
    for name, array in columns.items():
        if array.shape != x.shape[:1]:
            raise StorageError(f"{name} is of shape {array.shape}, X of {x.shape}", str(path))
    if not np.isfinite(x).all():
        raise StorageError("X holds NaN or infinity", str(path), "Leave such samples out")
    fold = extra.get("fold", np.full(len(x), "")).astype(str)
    if "fold" in extra and set(fold) != {"train", "test"}:
        raise StorageError(f"fold holds {', '.join(sorted(set(fold)))}", str(path), "train, test")
    names, numbers = np.unique(y, return_inverse=True)
    if len(names) < 2:
        raise StorageError("y names a single class", str(path))
    if names.dtype.kind == "f" and not (names == np.floor(names)).all():
        raise StorageError("y holds numbers that are not whole", str(path), "Classes are expected")
    x, note = _scaled(x, fold != "test")
    return DataSet(
        path.stem,
        x,
        numbers,
        tuple(str(int(v)) if names.dtype.kind == "f" else str(v) for v in names),
        _DIMS[5 - x.ndim :],
        path.name,
        "not stated",
        groups=extra.get("groups", np.arange(len(x))).astype(str),
        fold=fold,
        notes=note,
        scaled_by="all" if note else "",
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    if path.suffix.lower() == ".mat":
        return read_mat(path)

    def names() -> list[str]:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        with np.load(path, allow_pickle=False) as archive:
            return [n for n in archive.files if n.lower() in ("x", "y", "groups", "fold")]

    return read_npz(path, tuple(reading(path, "an .npz file", "", names)), "an .npz file", "")


def _scaled(x: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    low, high = float(x[of].min()), float(x[of].max())
    if low >= 0 and high <= 1:
        return x.astype(np.float32), ()
    scaled = (x - low) / ((high - low) or 1.0)
    return scaled.astype(np.float32), (
        f"X was {low:g} to {high:g} and is scaled to 0 to 1, by the range of what is trained on",
    )


def vector_files(path: Path) -> tuple[Path, Path] | None:
    """The two files of the article's authors in a folder: samples and targets; None without."""
    found = [sorted(path.glob(f"*{word}*.mat")) for word in ("speaker_no_fft", "targets_no_fft")]
    return (found[0][0], found[1][0]) if all(len(files) == 1 for files in found) else None


def load_vectors(root: str | os.PathLike[str], *, split: str = "authors") -> DataSet:
    """Speaker vectors of the article's authors: samples a column, targets one-hot.

    Parameters
    ----------
    root : str or Path
        Folder of the two .mat files.
    split : {"authors", "runs"}, default "authors"
        "authors": their shuffle (Python's, seed 10), 1,000 to train on and the others to test on,
        which puts neighbours, that are alike, on both sides. "runs": no part is given; runs of 25
        neighbouring vectors of a speaker are groups, which a split keeps whole.

    Returns
    -------
    DataSet
        Vectors of values by position, from 0 to 1.

    Raises
    ------
    InputError
        No such split.
    StorageError
        A file is missing or damaged, or they do not belong together.
    """
    import random  # start-up: only the authors' shuffle wants it

    if split not in ("authors", "runs"):
        raise InputError(f"unknown split '{split}'", "split", "authors or runs")
    path = Path(root)
    files = vector_files(path)
    if files is None:
        raise StorageError("holds no speaker_no_fft*.mat and targets_no_fft*.mat", str(path))
    arrays = [read_mat(file) for file in files]
    lacking = [n for n, a in zip(("samples", "targets"), arrays, strict=True) if n not in a]
    if lacking:
        raise StorageError(f"holds no array '{lacking[0]}'", str(path))
    x, targets = arrays[0]["samples"].T, arrays[1]["targets"].T
    fits = targets.ndim == 2 and len(x) == len(targets) and (targets.sum(axis=1) == 1).all()
    if not fits:
        raise StorageError(f"samples {x.shape} and targets {targets.shape} do not fit", str(path))
    y = targets.argmax(axis=1)
    fold, groups = np.full(len(x), ""), np.arange(len(x))
    if split == "authors":
        order = list(range(len(x)))
        random.Random(10).shuffle(order)
        fold = np.full(len(x), "test", dtype="U5")
        fold[order[: len(x) * 4 // 5]] = "train"
    else:
        within = np.zeros(len(x), int)
        for label in np.unique(y):
            within[y == label] = np.arange((y == label).sum())
        groups = y * len(x) + within // 25
    return DataSet(
        "speaker_vectors",
        np.ascontiguousarray(x, dtype=np.float32),
        y,
        tuple(str(k) for k in range(targets.shape[1])),
        ("position",),
        "github.com/gllspeed/DDK",
        "not stated",
        groups=groups.astype(str),
        fold=fold,
        notes=("neighbouring vectors of a speaker are alike",),
    )
