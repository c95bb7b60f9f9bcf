"""Data sets of the field, by name or by folder.

>>> from network import datasets
>>> digits = datasets.load("digits")                       # needs no file
>>> news = datasets.load("ag_news", root="data")           # or set DDK_DATA
>>> mine = datasets.load("recordings/by_species")          # any folder with one folder a class
>>> part = datasets.split(mine, seed=1)                    # recordings stay whole

==========  ======================================================================  ==============
name        samples                                                                 fold
==========  ======================================================================  ==============
digits      8 x 8 pixels; comes with scikit-learn                                   none
voices      synthetic speakers, computed                                            none
speakers    LibriSpeech or Speakers in the Wild, utterances                         none
mnist       28 x 28 pixels (also "fashion")                                         official
ag_news     64 words x 300                                                          official
actions     16 frames of 60 x 80 pixels, Weizmann or UCF-101                        UCF's official
voxels      ModelNet10, 32 x 32 x 32                                                official
whales      8 utterances x 100                                                      the two sources
==========  ======================================================================  ==============

Nothing is fetched from anywhere. A file that is missing or damaged is a `StorageError` of one line
that names it and says where to get the data.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicephys.errors import InputError, StorageError, closest

if TYPE_CHECKING:
    from network.datasets.actions import read_silhouettes as read_silhouettes
    from network.datasets.actions import read_video as read_video
    from network.datasets.actions import read_videos as read_videos
    from network.datasets.audio import Recordings as Recordings
    from network.datasets.audio import read_packed_sounds as read_packed_sounds
    from network.datasets.audio import read_sound as read_sound
    from network.datasets.audio import read_sounds as read_sounds
    from network.datasets.dataset import DataSet as DataSet
    from network.datasets.images import read_idx as read_idx
    from network.datasets.images import read_images as read_images
    from network.datasets.matlab import read_mat as read_mat
    from network.datasets.meshes import read_binvox as read_binvox
    from network.datasets.meshes import read_off as read_off
    from network.datasets.meshes import voxelise as voxelise
    from network.datasets.rows import Rows as Rows
    from network.datasets.sounds import cut as cut
    from network.datasets.splits import Split as Split
    from network.datasets.splits import leave_one_out as leave_one_out
    from network.datasets.splits import shared_groups as shared_groups
    from network.datasets.splits import split as split
    from network.datasets.text import read_news as read_news
    from network.datasets.text import tokenise as tokenise
    from network.datasets.voices import synthetic_voices as synthetic_voices
    from network.datasets.voxels import read_voxel_folder as read_voxel_folder
    from network.datasets.voxels import read_voxel_npz as read_voxel_npz

_LOADERS = {
    "actions": "actions",
    "ag_news": "text",
    "digits": "digits",
    "fashion": "images",
    "mnist": "images",
    "speakers": "sounds",
    "voices": "voices",
    "voxels": "voxels",
    "whales": "whales",
}
_NO_FILES = ("digits", "voices")

#: what `load` knows by name
NAMES = tuple(_LOADERS)

_NAMES = {
    "DataSet": "dataset",
    "Recordings": "audio",
    "Rows": "rows",
    "Split": "splits",
    "cut": "sounds",
    "leave_one_out": "splits",
    "read_binvox": "meshes",
    "read_idx": "images",
    "read_images": "images",
    "read_mat": "matlab",
    "read_news": "text",
    "read_off": "meshes",
    "read_packed_sounds": "audio",
    "read_silhouettes": "actions",
    "read_sound": "audio",
    "read_sounds": "audio",
    "read_video": "actions",
    "read_videos": "actions",
    "read_voxel_folder": "voxels",
    "read_voxel_npz": "voxels",
    "shared_groups": "splits",
    "split": "splits",
    "synthetic_voices": "voices",
    "tokenise": "text",
    "voxelise": "meshes",
}

__all__ = ["NAMES", "load", *_NAMES]


def load(
    name: str | os.PathLike[str], root: str | os.PathLike[str] | None = None, **options: Any
) -> DataSet:
    """Load a data set.

    Parameters
    ----------
    name : one of `NAMES`, or a folder: of labelled sounds, clips, bodies (OFF, binvox), four IDX
        files, AG News' CSV files, or silhouettes in a .mat file.
    root : folder of the set, or of several sets; default: what the environment variable DDK_DATA
        names. "digits" and "voices" need none.
    options : of the set: `network.datasets.sounds.load_speakers`,
        `network.datasets.whales.load_whales`, `network.datasets.actions.load_actions`,
        `network.datasets.text.load_ag_news`, `network.datasets.voxels.load_voxels`,
        `network.datasets.voices.load_voices`.

    Returns
    -------
    `DataSet`, x from 0 to 1.

    Raises
    ------
    InputError : an unknown name or option.
    StorageError : files that are missing or damaged: which, and where to get them.
    InstallationError : an optional package is missing; its extra is named.
    """
    from network.datasets.folders import check_name

    text = os.fspath(name)
    if text in _LOADERS:
        loader: Callable[..., DataSet] = getattr(
            importlib.import_module(f"network.datasets.{_LOADERS[text]}"), f"load_{text}"
        )
        return _called(loader, text, () if text in _NO_FILES else (root,), options)
    path = Path(text).expanduser()
    if not path.exists():
        looks_like_path = any(sep in text for sep in ("/", os.sep)) or text.startswith(".")
        if looks_like_path:
            raise StorageError("there is no such folder", text)
        hint = closest(text, NAMES)
        hint += f"{'' if hint.endswith('?') else '.'} A folder may be given as well"
        raise InputError(f"unknown data set '{text}'", "data", hint)
    if not path.is_dir():
        raise StorageError("is a file, a folder was expected", text)
    check_name(path.absolute(), "folder")
    loader, arguments = _of_folder(path)
    return _called(loader, text, arguments, options)


def _of_folder(path: Path) -> tuple[Callable[..., DataSet], tuple[Any, ...]]:
    """Which loader reads a folder: by the files that it holds."""
    from network.datasets.actions import VIDEOS, load_actions
    from network.datasets.folders import SOUNDS, holds
    from network.datasets.images import load_fashion, load_mnist
    from network.datasets.sounds import load_sounds, load_speakers
    from network.datasets.text import load_ag_news
    from network.datasets.voxels import load_voxels
    from network.datasets.whales import load_whales

    if any(path.glob("train-images*")):
        # the files have the same names: the folder's own tells which of the two it is
        return load_fashion if "fashion" in path.absolute().name.lower() else load_mnist, (path,)
    if any(path.glob("test.csv*")):
        return load_ag_news, (path,)
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
    raise StorageError(
        "holds no data that is known",
        str(path),
        "Known are folders by class of sounds, clips, OFF or binvox files, IDX files as MNIST's, "
        "AG News' CSV files, silhouettes in a .mat file, voxels in modelnet10_32_packed.npz",
    )


def _called(
    loader: Callable[..., DataSet], name: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> DataSet:
    import inspect

    known = inspect.signature(loader).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for option in options:
            if option not in known:
                raise InputError(
                    f"data set '{name}' has no option '{option}'",
                    "data",
                    closest(option, [k for k in known if k != "root"]),
                )
    return loader(*arguments, **options)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(f"network.datasets.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
