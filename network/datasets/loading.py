"""Data sets by name or by folder."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ddkbase.errors import InputError, StorageError, closest
from network.datasets.actions import VIDEOS, load_actions
from network.datasets.arrays import (
    PICTURES,
    load_arrays,
    load_pictures,
    load_vectors,
    vector_files,
)
from network.datasets.dataset import DataSet
from network.datasets.folders import SOUNDS, check_name, holds
from network.datasets.images import load_digits, load_fashion, load_mnist
from network.datasets.sound.sounds import load_sounds, load_speakers
from network.datasets.sound.spoken import load_spoken_digits
from network.datasets.sound.voices import load_voices
from network.datasets.sound.whales import load_whales
from network.datasets.text import load_ag_news
from network.datasets.voxels import load_voxels

__all__ = ["NAMES", "load"]

_LOADERS: dict[str, Callable[..., DataSet]] = {
    "actions": load_actions,
    "ag_news": load_ag_news,
    "digits": load_digits,
    "fashion": load_fashion,
    "mnist": load_mnist,
    "speakers": load_speakers,
    "spoken_digits": load_spoken_digits,
    "voices": load_voices,
    "voxels": load_voxels,
    "whales": load_whales,
}
_NO_FILES = ("digits", "voices")

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
        IDX files, AG News' CSV files, silhouettes in a .mat file, or the authors' speaker vectors;
        or an .npz or .mat file with arrays X and y (`network.datasets.arrays.load_arrays`).
    root : str, Path or None, optional
        Folder of the set, or of several sets; default: what the environment variable DDK_DATA
        names. "digits" and "voices" need none.
    **options : dict, optional
        Options of the set: see `network.datasets.sound.sounds.load_speakers`,
        `network.datasets.sound.whales.load_whales`,
        `network.datasets.sound.spoken.load_spoken_digits`, `network.datasets.actions.load_actions`,
        `network.datasets.text.load_ag_news`, `network.datasets.voxels.load_voxels`,
        `network.datasets.sound.voices.load_voices`.

    Returns
    -------
    DataSet
        The data set, x from 0 to 1.

    Raises
    ------
    InputError
        An unknown name or option.
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
        if looks_like_path:
            raise StorageError("there is no such folder", text)
        hint = closest(text, NAMES)
        hint += f"{'' if hint.endswith('?') else '.'} A folder may be given as well"
        raise InputError(f"unknown data set '{text}'", "data", hint)
    if not path.is_dir():
        if path.suffix.lower() in (".npz", ".mat"):
            return _call(load_arrays, text, (path,), options)
        raise StorageError(
            "is a file, a folder was expected", text, "Of files .npz and .mat with X and y are read"
        )
    check_name(path.absolute(), "folder")
    loader, arguments = _of_folder(path)
    return _call(loader, text, arguments, options)


def _of_folder(path: Path) -> tuple[Callable[..., DataSet], tuple[Any, ...]]:
    """Which loader reads a folder: by the files that it holds."""
    if any(path.glob("train-images*")):
        # the files have the same names: the folder's own tells which of the two it is
        return load_fashion if "fashion" in path.absolute().name.lower() else load_mnist, (path,)
    if any(path.glob("test.csv*")):
        return load_ag_news, (path,)
    if vector_files(path) is not None:
        return load_vectors, (path,)
    if any(path.glob("*.mat")) or holds(path, VIDEOS):
        return load_actions, (path,)
    if any(path.glob("modelnet*.npz")) or holds(path, (".off", ".binvox")):
        return load_voxels, (path,)
    if (path / "whales4_mars_8k.npz").exists():
        return load_whales, (path,)
    if (path / "librispeech10_8k.npz").exists() or (path / "flac").is_dir():
        return load_speakers, (path,)
    if holds(path, SOUNDS):
        return load_sounds, (path,)
    if holds(path, PICTURES):
        return load_pictures, (path,)
    raise StorageError(
        "holds no data that is known",
        str(path),
        "Known are folders by class of sounds, pictures, clips, OFF or binvox files, IDX files as "
        "MNIST's, AG News' CSV files, silhouettes in a .mat file, voxels in "
        "modelnet10_32_packed.npz",
    )


def _call(
    loader: Callable[..., DataSet], name: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> DataSet:
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
