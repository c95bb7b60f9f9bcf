"""Samples of others: a folder of pictures a class, arrays X and y, and the authors' vectors."""

from __future__ import annotations

import os
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, StorageError
from network.datasets.dataset import DataSet
from network.datasets.files import LARGEST, folder, read_mat, read_npz, reading
from network.datasets.folders import check_classes, check_pictures, class_files, given_parts
from network.datasets.index import find_index

__all__ = [
    "PICTURES",
    "load_arrays",
    "load_pictures",
    "load_vectors",
    "text_parts",
    "vector_files",
]

PICTURES = (
    ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pnm",
)  # fmt: skip
"""Endings of pictures that are read."""

_WHAT = "pictures (" + ", ".join(PICTURES) + ")"
_NEEDED = (
    "It needs arrays X (samples, ..., steps) and y (samples,), text in .npz files only, and may "
    "hold groups and fold"
)
_DIMS = ("frame", "channel", "row", "step")
_SIDES = ("train", "test")
_FOUR = ("x_train", "y_train", "x_test", "y_test")
#: other names of X and y
_NAMES = {
    "x": ("x", "data", "features", "inputs", "signals", "images"),
    "y": ("y", "label", "labels", "target", "targets", "class", "classes"),
}
_WHENCE = "The speaker vectors of the article's authors are at https://github.com/gllspeed/DDK"
_MANY_CHANNELS = 4  # times as many channels as steps, from which it is said
_MOST_PIXELS = 1 << 26
_BLOCK = 1 << 20  # values that are scaled at once


def load_pictures(
    root: str | os.PathLike[str], *, size: tuple[int, int] = (32, 32), **options: Any
) -> DataSet:
    """Pictures with a folder a class, or folders ``train`` and ``test`` with these in them.

    Parameters
    ----------
    root : str or Path
        The folder.
    size : pair of int, default (32, 32)
        Rows and columns that each is resampled to. Colours become grey, what is see-through white,
        and shades of 16 bits are parts of 65,535; turned as the camera says.
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
        No pictures, a single class, a damaged file, one of several pictures or of shades whose
        range is not said; the file is named.
    """
    if options:
        raise InputError(f"pictures have no option '{next(iter(options))}'", "data", "size")
    rows, columns = (int(n) for n in size)
    if not (0 < rows <= 4096 and 0 < columns <= 4096):
        raise InputError(f"pictures of {rows} x {columns}", "size")
    path = Path(root)
    check_pictures(path)
    index = find_index(path, PICTURES) if path.is_dir() else None
    files, labels, fold = ([], [], []) if index is None else (index.files, index.labels, index.fold)
    parts = given_parts(path, PICTURES) if index is None else {}
    folders: dict[str, Path] = {} if index else parts or {"": path}
    for part, inner in folders.items():
        found, y, classes = class_files(inner, PICTURES, _WHAT, "")
        files += found
        labels += [classes[k] for k in y]
        fold += [part] * len(found)
        check_classes(path, classes)
    fold = fold or [""] * len(files)
    names = sorted({label for label, part in zip(labels, fold, strict=True) if part != "test"})
    if len(names) < 2:
        raise StorageError("names a single class", str(path))
    unknown = sorted(set(labels) - set(names))
    if unknown:
        raise StorageError(f"class '{unknown[0]}' is in the test part only", str(path))
    read = [_picture(file, rows, columns) for file in files]
    sizes = sorted({size for _, size in read})
    notes = [] if index is None else [*index.notes]
    if len(sizes) > 1:
        (low, high), more = (f"{a} x {b}" for a, b in (sizes[0], sizes[-1])), len(sizes)
        notes.append(
            f"pictures of {more} sizes, {low} to {high} rows and columns, are all resampled to "
            f"{rows} x {columns}"
        )
    return DataSet(
        path.absolute().name,
        np.stack([x for x, _ in read]),
        np.array([names.index(label) for label in labels]),
        tuple(names),
        ("row", "column"),
        path.name,
        "not stated",
        groups=np.array(index.groups if index and index.groups else np.arange(len(files))).astype(
            str
        ),
        fold=np.array(fold),
        notes=tuple(notes),
    )


def _picture(file: Path, rows: int, columns: int) -> tuple[np.ndarray, tuple[int, int]]:
    """A picture, resampled, and how many rows and columns it had."""
    from PIL import Image  # start-up: it comes with matplotlib, which nothing else here needs

    def work() -> tuple[np.ndarray, tuple[int, int]]:
        # a damaged description of a picture that is whole is no harm
        with warnings.catch_warnings(action="ignore"), Image.open(file) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are too many")
            count = int(getattr(image, "n_frames", 1))
            if count > 1:
                raise StorageError(
                    f"holds {count} pictures", str(file), "Save each as a file of its own"
                )
            shades = _shades(image, file)
            grey = shades.resize((columns, rows), Image.Resampling.BOX)
            return np.asarray(grey, dtype=np.float32), (shades.height, shades.width)

    return reading(file, "a picture", "", work)


def _shades(image: Any, file: Path) -> Any:
    """A picture in shades from 0 to 1, as floats.

    StorageError where nothing says what white is.
    """
    from PIL import Image, ImageOps  # start-up, as above

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        white = 65535.0
    elif image.mode in ("I", "F"):
        raise StorageError(
            "holds numbers of 32 bits, of which it is not said what is white",
            str(file),
            "Save it with 8 or 16 bits a pixel",
        )
    else:
        white = 255.0
        ImageOps.exif_transpose(image, in_place=True)  # a copy of a large picture is 250 MB
        if image.has_transparency_data:
            seen = image if image.mode == "RGBA" else image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
        image = image.convert("L")
    return Image.fromarray(np.asarray(image, dtype=np.float32) / np.float32(white))


def load_arrays(path: str | os.PathLike[str]) -> DataSet:
    """Arrays X, y and, where they are there, groups and fold, of an .npz, .mat or HDF5 file.

    Parameters
    ----------
    path : str or Path
        The file. X (or data, features, ...) is (samples, steps), or has channels between; y (or
        labels, target, ...) are numbers, rows of zeros with a one or, in an .npz file, texts;
        groups say what must not be parted, and fold is "train" or "test" for each sample (.npz).
        Or X_train and y_train, with X_test and y_test or without; in HDF5 also "train/X".

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
    arrays, left = _read(path)
    called = _called(list(arrays), path)
    lower = _parts_joined({called[name]: array for name, array in arrays.items()}, path)
    if not {"x", "y"} <= lower.keys():
        told = ", ".join(sorted(lower)) or "none"
        raise StorageError(f"lacks X or y; its arrays are {told}", str(path), _NEEDED)
    x, y, one_hot = np.asarray(lower["x"]), *_numbers_of(np.asarray(lower["y"]))
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
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    names, numbers = np.unique(y, return_inverse=True)
    if len(names) < 2:
        raise StorageError("y names a single class", str(path))
    for what, array in (("y", names), ("groups", extra.get("groups", names))):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise StorageError(f"{what} holds NaN or infinity", str(path), "Leave such samples out")
    if names.dtype.kind == "f" and not (names == np.floor(names)).all():
        raise StorageError("y holds numbers that are not whole", str(path), "Classes are expected")
    untrained = np.setdiff1d(numbers, numbers[fold != "test"])
    if len(untrained):
        raise StorageError(f"class '{names[untrained[0]]}' is in the test part only", str(path))
    x, note = _scaled(x, fold != "test", path)
    note = (*(f"'{name}' is taken as {role}" for name, role in called.items()
              if role[0] in "xy" and role != name.lower()), *one_hot, *note)  # fmt: skip
    if left:
        note = (*note, f"not read: {', '.join(map(repr, left[:4]))}{', ...' * (len(left) > 4)}")
    if x.ndim == 4 and x.shape[3] in (3, 4) and x.shape[3] < min(x.shape[1:3]):
        raise StorageError(
            f"X is of shape {x.shape}: pictures with their colours last, it seems",
            str(path),
            "Make them grey (samples, rows, columns), or put the colours before rows and columns",
        )
    if x.ndim == 3 and x.shape[1] > _MANY_CHANNELS * x.shape[2]:
        note = (
            *note,
            f"X is taken as {x.shape[1]} channels of {x.shape[2]} steps; if its axes stand the "
            "other way round, turn them",
        )
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
        scaled_by="all" if any("scaled" in n for n in note) else "",
    )


def _called(names: list[str], path: Path) -> dict[str, str]:
    """What each array is, in lower case: x, y, x_train, ..., by its own name or another for it."""
    called = {name: name.lower() for name in names}
    for name in names:
        words = [word for word in re.split(r"[_\W]+", name.lower()) if word]
        part = next((word for word in words if word in _SIDES), "")
        rest = [word for word in words if word != part]
        role = next((r for r, others in _NAMES.items() if len(rest) == 1 and rest[0] in others), "")
        role = "_".join(filter(None, (role, part)))
        if role[:1] in ("x", "y") and role not in {n.lower() for n in names}:
            called[name] = role
    for role in ("x", "y", *_FOUR):
        same = [name for name in names if called[name] == role]
        if len(same) > 1:
            raise StorageError(f"{' and '.join(same[:3])} may be its {role}", str(path), _NEEDED)
    return called


def _numbers_of(y: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Classes of samples; of rows of zeros with a one its place, which is said."""
    y = y.squeeze()
    hot = y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "biuf" and np.isin(y, (0, 1)).all()
    if hot and (y.sum(axis=1) == 1).all():
        return y.argmax(axis=1), ("y has rows of zeros with a one, whose place is the class",)
    return y, ()


def _parts_joined(arrays: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """X, y and fold of four arrays X_train, y_train, X_test, y_test; others as they are."""
    if "x" in arrays or not {"x_train", "y_train"} <= arrays.keys():
        return arrays
    if not arrays.keys() & {"x_test", "y_test"}:
        return {**arrays, "x": arrays["x_train"], "y": arrays["y_train"]}
    if not arrays.keys() >= set(_FOUR):
        return arrays
    shapes = [np.shape(arrays[f"x_{part}"]) for part in _SIDES]
    if len(shapes[0]) != len(shapes[1]) or shapes[0][1:] != shapes[1][1:]:
        raise StorageError(f"X_train is of shape {shapes[0]}, X_test of {shapes[1]}", str(path))
    joined = {
        a: np.concatenate([np.asarray(arrays[f"{a}_{part}"]) for part in _SIDES]) for a in "xy"
    }
    if joined["x"].dtype == object or joined["y"].dtype == object:
        raise StorageError("holds objects, which are not read", str(path), _NEEDED)
    fold = np.concatenate(
        [np.full(shape[0], part) for shape, part in zip(shapes, _SIDES, strict=True)]
    )
    return {**joined, "fold": fold}


def _read(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays that are of use, and the names of the others."""
    used = ("x", "y", "groups", "fold", *_FOUR)
    if path.is_dir():
        return _of_texts(path), []
    if path.suffix.lower() != ".npz":
        arrays = read_mat(path)
        called = _called(list(arrays), path)
        return arrays, [name for name in arrays if called[name] not in used]

    def names() -> list[str]:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        with zipfile.ZipFile(path) as archive:
            files = [name.removesuffix(".npy") for name in archive.namelist()]
        called = _called(files, path)
        lower = set(called.values())
        if not (lower >= {"x", "y"} or lower >= {"x_train", "y_train"}):
            told = ", ".join(files[:8]) or "none"
            raise StorageError(f"lacks X or y; its arrays are {told}", str(path), _NEEDED)
        return files

    files = reading(path, "an .npz file", "", names)
    called = _called(files, path)
    chosen = tuple(name for name in files if called[name] in used)
    return read_npz(path, chosen, "an .npz file", ""), [n for n in files if n not in chosen]


def text_parts(path: Path) -> dict[str, Path] | None:
    """Files X_train.txt, y_train.txt, ... of a folder or of its train and test, by their stems.

    As UCI's Human Activity Recognition has them; None where one of the four is not there once.
    """
    found: dict[str, Path] = {}
    for part in _SIDES:
        for name in ("X", "y", "subject"):
            file = f"{name}_{part}.txt"
            same = [f for f in (path / file, path / part / file) if f.is_file()]
            if len(same) == 1:
                found[f"{name.lower()}_{part}"] = same[0]
    return found if found.keys() >= set(_FOUR) else None


def _of_texts(path: Path) -> dict[str, np.ndarray]:
    """Rows of numbers of `text_parts`, the subjects as groups."""
    files = text_parts(path) or {}
    if sum(file.stat().st_size for file in files.values()) > LARGEST:
        raise StorageError("its tables are too large", str(path))

    def numbers(name: str) -> np.ndarray:
        def work() -> np.ndarray:
            return np.loadtxt(files[name], ndmin=2 if name.startswith("x") else 1)

        return reading(files[name], "a table of numbers", "", work)

    arrays: dict[str, np.ndarray] = {}
    for name in ("x", "y", "subject"):
        if all(f"{name}_{part}" in files for part in _SIDES):
            train, test = (numbers(f"{name}_{part}") for part in _SIDES)
            if train.shape[1:] != test.shape[1:]:
                what = f"{name}_train is of shape {train.shape}, {name}_test of {test.shape}"
                raise StorageError(what, str(path))
            arrays["groups" if name == "subject" else name] = np.concatenate([train, test])
            arrays["fold"] = np.array(["train"] * len(train) + ["test"] * len(test))
    return arrays


def _scaled(x: np.ndarray, of: np.ndarray, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """X from 0 to 1 over the samples ``of``, float32, and a note of it; in blocks, to save memory.

    StorageError where its range is not one of numbers.
    """
    trained = x if of.all() else x[of]
    low, high = float(trained.min()), float(trained.max())
    if low >= 0 and high <= 1:
        return x.astype(np.float32), ()
    span = high - low or 1.0
    if not np.isfinite(span):
        raise StorageError(f"values from {low:g} to {high:g} cannot be scaled", str(path))
    scaled = np.empty(x.shape, np.float32)
    step = max(1, _BLOCK // max(1, x[:1].size))
    for k in range(0, len(x), step):
        # not in the type of X, whose range may be narrower than the distance of its ends
        scaled[k : k + step] = (x[k : k + step].astype(float) - low) / span
    return scaled, (
        f"X was {low:g} to {high:g} and is scaled to 0 to 1, by the range of what is trained on",
    )


def vector_files(path: Path) -> tuple[Path, Path] | None:
    """The two files of the article's authors in a folder: samples and targets; None without."""
    found = [sorted(path.glob(f"*{word}*.mat")) for word in ("speaker_no_fft", "targets_no_fft")]
    return (found[0][0], found[1][0]) if all(len(files) == 1 for files in found) else None


def load_vectors(root: str | os.PathLike[str] | None = None, *, split: str = "authors") -> DataSet:
    """Speaker vectors of the article's authors: samples a column, targets one-hot.

    Parameters
    ----------
    root : str, Path or None, optional
        Folder of the two .mat files, or one that holds ``sitw_ddk``; default: what DDK_DATA names.
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
    path = folder(root, "sitw_ddk", _WHENCE)
    files = vector_files(path)
    if files is None:
        raise StorageError(
            "holds no speaker_no_fft*.mat and targets_no_fft*.mat", str(path), _WHENCE
        )
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
