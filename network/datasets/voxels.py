"""Bodies as voxels: ModelNet in packed arrays, or folders of OFF, binvox or .npy files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from ddkbase.errors import InputError, StorageError
from network.datasets.dataset import DataSet, PackedBits
from network.datasets.files import LARGEST, broken, folder, read_npz, reading
from network.datasets.folders import class_files
from network.datasets.meshes import read_binvox, read_off, voxelise

__all__ = ["load_voxels", "read_voxel_folder", "read_voxel_npz"]

_WHENCE = "ModelNet10 is at https://modelnet.cs.princeton.edu (OFF files, one folder a class)"
_DIMS = ("x", "y", "z")
_ENDINGS = (".off", ".binvox", ".npy")


def load_voxels(
    root: str | os.PathLike[str] | None = None, size: int = 32, drop_repeats: bool = False
) -> DataSet:
    """ModelNet10 as voxels, x a `PackedBits` (4899, size, size, size), with its official test part.


    Parameters
    ----------
    root : str, Path or None, optional
        Folder with ``modelnet10_<size>_packed.npz``, or with ``<class>/train/*.off`` and
        ``<class>/test/*.off`` (ModelNet's own layout).
    size : int, default 32
        Number of voxels a side.
    drop_repeats : bool, default False
        Leave out training bodies whose grid is empty or equals one of the test part.

    Raises
    ------
    StorageError
        No such file, damaged, or no body in the folder.
    """
    path = folder(root, "modelnet10", _WHENCE)
    packed = path / f"modelnet10_{size}_packed.npz"
    if packed.exists():
        voxels = read_voxel_npz(packed)
    elif stored := sorted(path.glob("*.npz")):
        names = ", ".join(p.name for p in stored[:4])
        raise StorageError(
            f"there is no grid of {size} voxels a side", str(packed), f"There are: {names}"
        )
    else:
        voxels = read_voxel_folder(path, size)
    if not drop_repeats:
        return voxels
    assert isinstance(voxels.x, PackedBits)
    tested = {row.tobytes() for row in voxels.x.packed[voxels.fold == "test"]}
    keep = [
        fold == "test" or bool(row.any() and row.tobytes() not in tested)
        for row, fold in zip(voxels.x.packed, voxels.fold, strict=True)
    ]
    distinct = voxels.subset(np.array(keep, dtype=bool))
    if not (distinct.fold != "test").any():
        raise StorageError(
            "every training body is empty or equals one of the test part", str(path), _WHENCE
        )
    assert isinstance(distinct.x, PackedBits)
    return replace(distinct, notes=_flaws(distinct.x.packed, distinct.fold))


def read_voxel_npz(path: str | os.PathLike[str]) -> DataSet:
    """Voxels of the .npz file at ``path`` with X_train, y_train, X_test, y_test and classes.

    ``X_*`` are grids (samples, n, n, n), or bits packed along the last axis (samples, n^3/8).

    Raises
    ------
    StorageError
        Not there, damaged, or the arrays do not belong together.
    """
    path = Path(path)
    names = ("X_train", "y_train", "X_test", "y_test", "classes")
    arrays = read_npz(path, names, "an .npz file of voxels", _WHENCE)
    classes = tuple(str(c) for c in arrays["classes"].ravel())
    if len(set(classes)) != len(classes):
        raise broken(path, "an .npz file of voxels", "two classes have the same name")
    halves, sizes = [], set()
    for fold_name in ("train", "test"):
        x, y = arrays[f"X_{fold_name}"], arrays[f"y_{fold_name}"].ravel()
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            raise broken(path, "an .npz file of voxels", f"X_{fold_name} holds NaN or infinity")
        if not x.size:
            raise broken(path, "an .npz file of voxels", f"X_{fold_name} holds no body")
        bits = _bits(x)
        if bits is None or len(x) != len(y) or y.dtype.kind not in "iu":
            raise broken(
                path, "an .npz file of voxels", f"X_{fold_name} {x.shape}, y_{fold_name} {y.shape}"
            )
        if len(y) and not 0 <= int(y.min()) <= int(y.max()) < len(classes):
            raise broken(
                path, "an .npz file of voxels", f"y_{fold_name} names a class that is not there"
            )
        sizes.add(bits[1])
        halves.append((bits[0], y.astype(np.int64)))
    if len(sizes) != 1:
        raise broken(path, "an .npz file of voxels", f"grids of {sorted(sizes)} voxels a side")
    size = sizes.pop()
    fold = np.repeat(["train", "test"], [len(halves[0][1]), len(halves[1][1])])
    packed = np.concatenate([p[0] for p in halves])
    return _data_set(packed, size, np.concatenate([p[1] for p in halves]), classes, fold)


def _bits(x: np.ndarray) -> tuple[np.ndarray, int] | None:
    """Packed bits and voxels a side, or None if it is neither of the two layouts."""
    if x.ndim == 2 and x.dtype == np.uint8:
        size = round((8 * x.shape[1]) ** (1 / 3))
        return (np.ascontiguousarray(x), size) if size**3 == 8 * x.shape[1] else None
    if x.ndim == 5 and 1 in (x.shape[1], x.shape[4]):
        x = x.squeeze(1 if x.shape[1] == 1 else 4)
    if x.ndim == 4 and len(set(x.shape[1:])) == 1:
        return np.packbits(x.reshape(len(x), -1) > 0, axis=1), x.shape[1]
    return None


def read_voxel_folder(path: str | os.PathLike[str], size: int = 32, fill: bool = True) -> DataSet:
    """Bodies of a folder with one folder a class: OFF meshes, binvox or .npy grids.

    Where a class has folders ``train`` and ``test`` they are the folds.

    Parameters
    ----------
    path : str or Path
        The folder.
    size : int, default 32
        Voxels a side; grids must have it, meshes are sampled to it.
    fill : bool, default True
        Whether voxels that a mesh encloses count; grids are taken as they are.

    Raises
    ------
    StorageError
        No body, a single class, or a damaged file, which is named.
    """
    path = Path(path)
    files, y, classes = class_files(path, _ENDINGS, "bodies (.off, .binvox, .npy)", _WHENCE)
    rows, fold = [], []
    for file in files:
        grid = _grid(file, size, fill)
        if grid.shape != (size,) * 3:
            raise StorageError(
                f"holds a grid of {grid.shape}", str(file), f"{size} voxels a side were asked for"
            )
        rows.append(np.packbits(grid.reshape(-1)))
        inner = {p.lower() for p in file.relative_to(path).parts[:-1]}
        fold.append("train" if "train" in inner else "test" if "test" in inner else "")
    whole = np.array(fold) if set(fold) == {"train", "test"} else np.full(len(fold), "")
    return _data_set(np.stack(rows), size, y, classes, whole)


def _grid(file: Path, size: int, fill: bool) -> np.ndarray:
    ending = file.suffix.lower()
    if ending == ".off":
        try:
            return voxelise(*read_off(file), size, fill=fill)
        except InputError as error:
            raise StorageError(error.what, str(file)) from error
    if ending == ".binvox":
        return read_binvox(file)

    def load() -> np.ndarray:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
        if array.nbytes > LARGEST or array.dtype.kind not in "biuf":
            raise ValueError(f"{array.dtype} of shape {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError("it holds NaN or infinity")
        return np.asarray(array).squeeze() > 0

    return reading(file, "a .npy grid", "", load)


def _data_set(
    packed: np.ndarray, size: int, y: np.ndarray, classes: tuple[str, ...], fold: np.ndarray
) -> DataSet:
    return DataSet(
        "voxels",
        PackedBits(packed, (size,) * 3),
        y,
        classes,
        _DIMS,
        "Z. Wu et al.: 3D ShapeNets / ModelNet (Princeton)",
        "for academic research only",
        fold=fold,
        notes=_flaws(packed, fold),
    )


def _flaws(packed: np.ndarray, fold: np.ndarray) -> tuple[str, ...]:
    empty = int((~packed.any(axis=1)).sum())
    notes = [f"{empty} grids are empty"] if empty else []
    training = {row.tobytes() for row in packed[fold == "train"]}
    equal = sum(row.tobytes() in training for row in packed[fold == "test"])
    if equal:
        notes.append(f"{equal} test grids equal a training grid")
    return tuple(notes)
