"""Actions on video: Weizmann's silhouettes in a MATLAB file, UCF-101's folders of clips."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, InstallationError, StorageError, closest
from network.datasets.dataset import DataSet
from network.datasets.files import broken, folder, read_mat, reading
from network.datasets.folders import class_files

__all__ = ["VIDEOS", "area_resize", "load_actions", "read_silhouettes", "read_video", "read_videos"]

VIDEOS = (".avi", ".mp4", ".mkv", ".mov", ".mpg", ".webm")
_WHENCE = (
    "Weizmann's silhouettes are at https://www.wisdom.weizmann.ac.il/~vision/SpaceTimeActions.html"
    ", UCF-101 at https://www.crcv.ucf.edu/data/UCF101.php"
)
_WEIZMANN = ("bend", "jack", "jump", "pjump", "run", "side", "skip", "walk", "wave1", "wave2")
_MOST_FRAMES = 100_000
_ALIGNED = ("frame", "person")
_LEAST_SHARE = 0.9  # of the frames that a file promises; some promise a few too many
_UCF = re.compile(r"v_(?P<action>.+)_(?P<group>g\d+)_c\d+$")


def load_actions(
    root: str | os.PathLike[str] | None = None,
    *,
    frames: int = 16,
    size: tuple[int, int] = (60, 80),
    view: str = "clip",
    align: str = "frame",
) -> DataSet:
    """Clips of people who do something; the person (or UCF's group) is not to be parted.

    Parameters
    ----------
    root : str, Path or None, optional
        Folder with a .mat file of silhouettes, or with one folder of videos an action.
    frames : int, default 16
        Number of frames taken from each clip, evenly from its first to its last.
    size : pair of int, default (60, 80)
        Rows and columns of a frame; pixels are averaged by area. (60, 80) is the article's.
    view : {"clip", "frame"}, default "clip"
        "clip": x (clips, frames, rows, columns); "frame": x (clips * frames, rows, columns), the
        frames of a clip sharing an item.
    align : {"frame", "person"}, default "frame"
        "frame": the picture as it was taken; "person" (silhouettes only): a window around the
        person, as high as the person is in this clip.

    Raises
    ------
    StorageError
        No such folder, no clips, a single action, or a damaged file, which is named.
    InstallationError
        PyAV is not installed (for videos).
    """
    _check_choice("view", view, ("clip", "frame"))
    _check_choice("align", align, _ALIGNED)
    if frames < 1 or len(size) != 2 or min(size) < 1:
        raise InputError(f"{frames} frames of {size} pixels", "frames, size")
    path = folder(root, "weizmann_actions", _WHENCE)
    files = sorted(path.glob("*.mat"))
    if files:
        clips = read_silhouettes(files[0], frames=frames, size=size, align=align)
    elif align != "frame":
        raise InputError("only silhouettes can be aligned to the person", "align")
    else:
        clips = read_videos(path, frames=frames, size=size)
    return clips if view == "clip" else _by_frame(clips)


def read_silhouettes(
    path: str | os.PathLike[str],
    *,
    frames: int = 16,
    size: tuple[int, int] = (60, 80),
    align: str = "frame",
) -> DataSet:
    """Silhouettes of a MATLAB structure with fields ``person_action[n]``, (rows, columns, time).

    Parameters
    ----------
    path : str or Path
        Path of the .mat file.
    frames : int, default 16
        As in `load_actions`.
    size : pair of int, default (60, 80)
        As in `load_actions`.
    align : str, default "frame"
        As in `load_actions`.

    Returns
    -------
    DataSet
        Data set of clips, float32 (clips, frames, rows, columns) from 0 to 1; a group is a person.

    Raises
    ------
    InputError
        Another ``align``.
    StorageError
        Not there, damaged, or a field that is no such clip.
    """
    _check_choice("align", align, _ALIGNED)
    path = Path(path)
    x, y, people, names = [], [], [], []
    for key, clip in read_mat(path, _WHENCE).items():
        name = key.split(".")[-1]
        person, _, action = name.partition("_")
        if action not in _WEIZMANN:
            action = action.rstrip("0123456789")  # a repeat; the digit of wave1 is no repeat
        if clip.ndim != 3 or action not in _WEIZMANN or not clip.size:
            raise broken(path, "a file of silhouettes", f"'{key}' of shape {clip.shape}", _WHENCE)
        if clip.dtype.kind == "f" and not np.isfinite(clip).all():
            raise broken(path, "a file of silhouettes", f"'{key}' holds NaN or infinity", _WHENCE)
        selected = _evenly(clip.shape[2], frames)
        if align == "person":
            pictures = _windows(clip, selected, size)
        else:
            pictures = (clip[:, :, selected] > 0).transpose(2, 0, 1).astype(np.float32)
        x.append(area_resize(pictures, size))
        y.append(_WEIZMANN.index(action))
        people.append(person)
        names.append(name)
    if not x:
        raise broken(path, "a file of silhouettes", "it holds no clip", _WHENCE)
    return DataSet(
        "actions",
        np.stack(x),
        np.array(y),
        _WEIZMANN,
        ("frame", "row", "column"),
        "L. Gorelick et al.: Actions as Space-Time Shapes (Weizmann Institute), silhouettes",
        "not stated; published for research",
        groups=np.array(people),
    )


def read_videos(
    path: str | os.PathLike[str], *, frames: int = 16, size: tuple[int, int] = (60, 80)
) -> DataSet:
    """Clips of a folder with one folder an action, as grey frames.

    Names as UCF-101's, ``v_Action_g01_c01.avi``, give the group: clips of one group show the same
    person and place. ``ucfTrainTestlist/testlist01.txt`` or ``testlist01.txt`` gives the folds.

    Parameters
    ----------
    path : str or Path
        The folder, or one with a folder ``UCF-101``.
    frames : int, default 16
        As in `load_actions`.
    size : pair of int, default (60, 80)
        As in `load_actions`.

    Returns
    -------
    DataSet
        Data set of clips, float32 (clips, frames, rows, columns) from 0 to 1.

    Raises
    ------
    StorageError
        No clip, a single action, or a damaged file, which is named.
    InstallationError
        PyAV is not installed.
    """
    path = Path(path)
    base = path / "UCF-101" if (path / "UCF-101").is_dir() else path
    files, y, classes = class_files(base, VIDEOS, "clips (" + ", ".join(VIDEOS) + ")", _WHENCE)
    x = np.empty((len(files), frames, *size), dtype=np.float32)
    groups = []
    for k, file in enumerate(files):
        x[k] = read_video(file, frames=frames, size=size)
        match = _UCF.match(file.stem)
        groups.append(f"{classes[y[k]]}/{match['group'] if match else file.stem}")
    fold = _folds(path, files)
    torn = {g for g, f in zip(groups, fold, strict=True) if f == "test"} & {
        g for g, f in zip(groups, fold, strict=True) if f == "train"
    }
    notes = (f"{len(torn)} groups have clips in training and test part",) if torn else ()
    return DataSet(
        "actions",
        x,
        y,
        classes,
        ("frame", "row", "column"),
        path.name,
        "not stated",
        groups=np.array(groups),
        fold=fold,
        notes=notes,
    )


def read_video(
    path: str | os.PathLike[str], *, frames: int = 16, size: tuple[int, int] = (60, 80)
) -> np.ndarray:
    """Grey frames of a clip, float32 (frames, rows, columns) from 0 to 1, evenly over its length.


    Parameters
    ----------
    path : str or Path
        Path of the video.
    frames : int, default 16
        As in `load_actions`.
    size : pair of int, default (60, 80)
        As in `load_actions`.

    Raises
    ------
    StorageError
        Not there, damaged, or without pictures.
    InstallationError
        PyAV is not installed.
    """
    try:
        library: Any = importlib.import_module("av")
    except ImportError:
        raise InstallationError(
            "reading videos needs the package av, which is not installed",
            "videos",
            "Run pip install 'ddk-toolkit[video]'",
        ) from None
    path = Path(path)

    def work() -> np.ndarray:
        if not path.stat().st_size:
            raise ValueError("it is empty")
        pictures = []
        with library.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError("it holds no pictures")
            for frame in container.decode(video=0):
                # the scaler averages by area; all frames are kept, small, as their number is
                # often known at the end only
                small = frame.reformat(
                    width=size[1], height=size[0], format="gray", interpolation="AREA"
                )
                pictures.append(small.to_ndarray())
                if len(pictures) > _MOST_FRAMES:
                    raise ValueError("it is too long")
            promised = container.streams.video[0].frames  # 0 where the file does not say
        if not pictures:
            raise ValueError("no picture can be decoded")
        if len(pictures) < _LEAST_SHARE * promised:
            raise ValueError(f"it is cut off after {len(pictures)} of {promised} frames")
        return np.stack([pictures[i] for i in _evenly(len(pictures), frames)])

    return reading(path, "a video", _WHENCE, work).astype(np.float32) / np.float32(255)


def _folds(path: Path, files: list[Path]) -> np.ndarray:
    for listing in (path / "ucfTrainTestlist" / "testlist01.txt", path / "testlist01.txt"):
        if listing.is_file():
            text = reading(listing, "a list of clips", _WHENCE, _text(listing))
            tested = {Path(line.split()[0]).stem for line in text.splitlines() if line.strip()}
            fold = np.array(["test" if f.stem in tested else "train" for f in files])
            if len(set(fold.tolist())) < 2:
                raise StorageError("names all of the clips or none", str(listing))
            return fold
    return np.full(len(files), "", dtype="U5")


def _text(path: Path) -> Callable[[], str]:
    return lambda: path.read_text(encoding="utf-8")


def _evenly(count: int, number: int) -> np.ndarray:
    """Numbers of ``wanted`` frames of ``count``, the first and the last among them."""
    return np.round(np.linspace(0, count - 1, number)).astype(np.int64)


def _windows(clip: np.ndarray, selected: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Windows around the person, of one size for the clip and the aspect of ``size``."""
    person = clip > 0
    rows, columns = person.any(axis=1), person.any(axis=0)  # (rows, time), (columns, time)
    tall = max((int(np.ptp(np.flatnonzero(r))) + 1 for r in rows.T if r.any()), default=1)
    wide = max((int(np.ptp(np.flatnonzero(c))) + 1 for c in columns.T if c.any()), default=1)
    height = int(np.ceil(max(1.1 * tall, 1.1 * wide * size[0] / size[1], size[0] / 4)))
    width = int(np.ceil(height * size[1] / size[0]))
    out = np.zeros((len(selected), height, width), dtype=np.float32)
    for window, t in zip(out, selected, strict=True):
        if not rows[:, t].any():
            continue
        r, c = np.flatnonzero(rows[:, t]), np.flatnonzero(columns[:, t])
        top = (r[0] + r[-1] + 1 - height) // 2
        left = (c[0] + c[-1] + 1 - width) // 2
        picture = person[max(top, 0) : top + height, max(left, 0) : left + width, t]
        y0, x0 = max(-top, 0), max(-left, 0)
        window[y0 : y0 + picture.shape[0], x0 : x0 + picture.shape[1]] = picture
    return out


def area_resize(pictures: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pictures (..., rows, columns) at another size, every pixel counted by the area it covers."""
    rows = _shares(pictures.shape[-2], size[0]).astype(pictures.dtype)
    columns = _shares(pictures.shape[-1], size[1]).astype(pictures.dtype)
    return np.minimum(rows @ pictures @ columns.T, 1)


def _shares(size: int, target: int) -> np.ndarray:
    """(wanted, given): share of each given pixel in each wanted one; rows add up to 1."""
    edges = np.arange(target + 1) * (size / target)
    left = np.maximum(edges[:-1, None], np.arange(size))
    right = np.minimum(edges[1:, None], np.arange(size) + 1)
    return np.clip(right - left, 0, None) * (target / size)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"unknown {name} '{value}'", name, closest(str(value), choices))


def _by_frame(clips: DataSet) -> DataSet:
    """Each frame a sample of its own; `subset` repeats what the frames of a clip share."""
    count = clips.x.shape[1]
    x = np.asarray(clips.x).reshape(-1, *clips.x.shape[2:])
    many = clips.subset(np.repeat(np.arange(len(clips)), count))
    return many.with_x(x, clips.dims[1:])
