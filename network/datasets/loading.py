"""Data sets by name or by folder."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, StorageError, closest, similar_file
from ddkbase.files import files_below, refuse_pointer
from network.datasets.actions import VIDEOS, load_actions
from network.datasets.archives import is_archive, samples_in, unpacked
from network.datasets.arrays import (
    PICTURES,
    load_arrays,
    load_pictures,
    load_vectors,
    text_parts,
    vector_files,
)
from network.datasets.dataset import DataSet
from network.datasets.doubts import not_listed, passed_over, remarked
from network.datasets.folders import OTHER_PICTURES, OTHER_SOUNDS, SOUNDS, check_name, holds
from network.datasets.images import load_digits, load_fashion, load_mnist
from network.datasets.series.files import ENDINGS, is_series, load_series, series_in
from network.datasets.sound.sounds import load_sounds, load_speakers
from network.datasets.sound.spoken import load_spoken_digits
from network.datasets.sound.voices import load_voices
from network.datasets.sound.whales import load_whales
from network.datasets.text import is_news, load_ag_news
from network.datasets.voxels import load_voxels

__all__ = ["NAMES", "load"]

_LOADERS: dict[str, Callable[..., DataSet]] = {
    "actions": load_actions,
    "ag_news": load_ag_news,
    "digits": load_digits,
    "fashion": load_fashion,
    "mnist": load_mnist,
    "speaker_vectors": load_vectors,
    "speakers": load_speakers,
    "spoken_digits": load_spoken_digits,
    "voices": load_voices,
    "voxels": load_voxels,
    "whales": load_whales,
}
_NO_FILES = ("digits", "voices")
#: options of series, which sets of other kinds do not have
_OF_SERIES = ("label", "group", "missing", "lengths", "decimal", "encoding")

#: what `load` knows by name
NAMES = tuple(_LOADERS)


def load(
    name: str | os.PathLike[str], root: str | os.PathLike[str] | None = None, **options: Any
) -> DataSet:
    """Load a data set.

    Parameters
    ----------
    name : str or Path
        One of `NAMES`, or a folder: of labelled sounds, pictures, clips, bodies (OFF, binvox), four
        IDX files, AG News' CSV files, silhouettes in a .mat file, the authors' speaker vectors, or
        a pair NAME_TRAIN, NAME_TEST; or a file: .npz, .mat or .h5 with arrays X and y
        (`network.datasets.arrays.load_arrays`), series in .ts, .arff, .csv, .tsv, .xlsx, .parquet
        or .feather (`network.datasets.series.files.load_series`), or a .zip, .tar, .tar.gz,
        .tar.bz2 or .tar.xz of one of these folders.
    root : str, Path or None, optional
        Folder of the set, or of several sets; default: what the environment variable DDK_DATA
        names. "digits" and "voices" need none.
    **options : dict, optional
        Options of the set: see `network.datasets.sound.sounds.load_speakers`,
        `network.datasets.sound.whales.load_whales`,
        `network.datasets.sound.spoken.load_spoken_digits`, `network.datasets.arrays.load_vectors`,
        `network.datasets.actions.load_actions`,
        `network.datasets.text.load_ag_news`, `network.datasets.voxels.load_voxels`,
        `network.datasets.sound.voices.load_voices`,
        `network.datasets.series.files.load_series`.

    Returns
    -------
    DataSet
        The data set, x from 0 to 1.

    Raises
    ------
    InputError
        An unknown name or option; what is not understood in a file of series.
    StorageError
        Files that are missing or damaged: which, and where to get them.
    InstallationError
        An optional package is missing; its extra is named.
    """
    text = os.fspath(name)
    if text in _LOADERS:
        return _call(_LOADERS[text], text, () if text in _NO_FILES else (root,), options)
    path = Path(text).expanduser()
    if not path.exists():
        looks_like_path = any(sep in text for sep in ("/", os.sep)) or text.startswith(".")
        if looks_like_path or path.suffix:
            what = "file" if path.suffix else "folder"
            raise StorageError(f"there is no such {what}", text, similar_file(path))
        hint = closest(text, NAMES)
        hint += f"{'' if hint.endswith('?') else '.'} A folder may be given as well"
        raise InputError(f"unknown data set '{text}'", "data", hint)
    _refuse_pointers(path)
    loaded = _of_path(path, options) if path.is_dir() else _of_file(path, options)
    return remarked(loaded, text)


def _refuse_pointers(path: Path) -> None:
    """Refuse a clone whose files Git LFS has not fetched; the first fifty of a folder tell."""
    for file in [path] if path.is_file() else islice(files_below(path), 50):
        content = b""
        with contextlib.suppress(OSError):  # its own reader says so
            if file.is_file() and file.stat().st_size < 400:
                content = file.read_bytes()
        refuse_pointer(content, file)


def _of_file(path: Path, options: dict[str, Any]) -> DataSet:
    if not path.is_file():
        raise StorageError("is not a regular file", str(path))
    if is_archive(path):
        with unpacked(path) as folder:
            inside = samples_in(folder)
            alone = inside[0] if len(inside) == 1 and inside[0].is_file() else None
            loaded = _of_path(folder, options) if alone is None else _of_file(alone, options)
            notes = (f"read from the archive {path.name}", *loaded.notes)
            return replace(loaded, notes=notes)
    if path.suffix.lower() in (".npz", ".mat", ".h5", ".hdf5"):
        return _call(load_arrays, str(path), (path,), options)
    if is_series(path):
        return _call(load_series, str(path), (path,), options)
    raise StorageError(
        "is a file of a kind that is not known",
        str(path),
        f"Of files .npz, .mat and .h5 with X and y, series ({', '.join(ENDINGS)}), .zip, .tar.gz, "
        ".tar.bz2 and .tar.xz are read",
    )


def _of_path(path: Path, options: dict[str, Any]) -> DataSet:
    """The data set of a folder."""
    check_name(path.absolute(), "folder")
    loader, arguments = _of_folder(path)
    loaded = _call(loader, str(path), arguments, options)
    endings = {load_sounds: SOUNDS, load_pictures: PICTURES}.get(loader)
    if endings is None:
        return loaded
    notes = list(loaded.notes)
    listing = (path / "labels.csv").is_file() or (path / "keys" / "meta.lst").is_file()
    if loader is load_sounds and listing:
        notes += not_listed(path, np.unique(loaded.groups).tolist(), endings)
    else:
        notes += passed_over(path, endings)
    if loader is load_sounds and holds(path, PICTURES):
        notes.append("pictures beside the sounds are not read")
    return replace(loaded, notes=tuple(notes))


def _of_folder(path: Path) -> tuple[Callable[..., DataSet], tuple[Any, ...]]:
    """Which loader reads a folder: by the files that it holds."""
    if any(path.glob("train-images*")):
        # the files have the same names: the folder's own tells which of the two it is
        return load_fashion if "fashion" in path.absolute().name.lower() else load_mnist, (path,)
    if is_news(path):
        return load_ag_news, (path,)
    if vector_files(path) is not None:
        return load_vectors, (path,)
    if text_parts(path) is not None:
        return load_arrays, (path,)
    if holds(path, VIDEOS) and holds(path, SOUNDS):
        raise StorageError(
            "holds clips and sounds", str(path), "Take one of the two away, or convert the clips"
        )
    if any(path.glob("*.mat")) or holds(path, VIDEOS):
        return load_actions, (path,)
    if any(path.glob("modelnet*.npz")) or holds(path, (".off", ".binvox")):
        return load_voxels, (path,)
    if (path / "whales4_mars_8k.npz").exists():
        return load_whales, (path,)
    if (path / "librispeech10_8k.npz").exists() or (path / "flac").is_dir():
        return load_speakers, (path,)
    if holds(path, (*SOUNDS, *OTHER_SOUNDS)):
        return load_sounds, (path,)
    if holds(path, (*PICTURES, *OTHER_PICTURES)):
        return load_pictures, (path,)
    series = series_in(path)
    if series is not None:
        return load_series, (series,)
    raise StorageError(
        "holds no data that is known",
        str(path),
        "Known are folders by class of sounds, pictures, clips, OFF or binvox files, a pair "
        "NAME_TRAIN, NAME_TEST of series, IDX files as MNIST's, AG News' CSV files, silhouettes in "
        "a .mat file, voxels in modelnet10_32_packed.npz",
    )


def _call(
    loader: Callable[..., DataSet], name: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> DataSet:
    for option in options:
        if option in _OF_SERIES and loader not in (load_series, load_spoken_digits):
            raise InputError(
                f"data set '{name}' has no option '{option}'", "data", "It is of files of series"
            )
    parameters = inspect.signature(loader).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for option in options:
            if option not in parameters:
                raise InputError(
                    f"data set '{name}' has no option '{option}'",
                    "data",
                    closest(option, [k for k in parameters if k != "root"]),
                )
    return loader(*arguments, **options)
