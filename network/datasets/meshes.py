"""Surfaces in OFF files, and the voxels that they run through and enclose."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ddkbase.errors import InputError, StorageError
from network.datasets.files import LARGEST, reading

__all__ = ["read_binvox", "read_off", "voxelise"]

_MOST = 20_000_000  # corners or faces


def read_off(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    """Corners and triangles of the OFF file at ``path``; polygons are cut into triangles.

    The first line may run on without a break (``OFF490 518 0``), as in parts of ModelNet.

    Returns
    -------
    corners : ndarray of float64, shape (corners, 3)
        Coordinates of the corners.
    triangles : ndarray of int64, shape (triangles, 3)
        Numbers of the corners of each triangle.

    Raises
    ------
    StorageError
        Not there, no OFF file, cut off, or a face that names a corner that is not there.
    """
    path = Path(path)
    return reading(path, "an OFF file", "", lambda: _read_off(path))


def _read_off(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if path.stat().st_size > LARGEST // 4:
        raise ValueError("it is too large")
    text = path.read_text(encoding="ascii", errors="replace")
    lines = [cut for line in text.splitlines() if (cut := line.split("#")[0].strip())]
    if not lines or lines[0][:3].upper() != "OFF":
        raise ValueError("it does not begin with OFF")
    rest = lines[0][3:].strip()
    lines = ([rest] if rest else []) + lines[1:]
    if not lines or len(lines[0].split()) < 2:
        raise ValueError("the numbers of corners and faces are missing")
    corner_count, face_count = (int(n) for n in lines[0].split()[:2])
    if not (0 < corner_count <= _MOST and 0 < face_count <= _MOST):
        raise ValueError(f"{corner_count} corners and {face_count} faces")
    if len(lines) < 1 + corner_count + face_count:
        raise ValueError(f"it ends after {len(lines) - 1} of {corner_count + face_count} lines")
    corners = np.array(
        [[float(v) for v in line.split()[:3]] for line in lines[1 : 1 + corner_count]]
    )
    if corners.shape != (corner_count, 3) or not np.isfinite(corners).all():
        raise ValueError("a corner is not three numbers")
    triangles = []
    for line in lines[1 + corner_count : 1 + corner_count + face_count]:
        numbers = line.split()
        size = int(numbers[0])
        face = [int(w) for w in numbers[1 : 1 + size]]
        if size < 3 or len(face) != size:
            raise ValueError(f"a face of {size} corners names {len(face)}")
        triangles += [(face[0], face[k], face[k + 1]) for k in range(1, size - 1)]
    faces = np.array(triangles, dtype=np.int64)
    if faces.min() < 0 or faces.max() >= corner_count:
        raise ValueError("a face names a corner that is not there")
    return corners, faces


def voxelise(
    corners: np.ndarray, triangles: np.ndarray, size: int = 32, *, fill: bool = True, pad: int = 0
) -> np.ndarray:
    """Voxels that a surface touches, and those it encloses.

    The body is moved to the middle and scaled until its longest side fills the grid, without
    turning it. A voxel counts as touched if a point of the surface, sampled at half a voxel's
    distance or less, lies in it; enclosed is what cannot be reached from outside through faces.

    Parameters
    ----------
    corners, triangles : ndarray
        A body as `read_off` gives it.
    size : int, default 32
        Number of voxels a side.
    fill : bool, default True
        Whether the enclosed voxels count.
    pad : int, default 0
        Empty layers on each side, within ``size``.

    Returns
    -------
    ndarray of bool, shape (size, size, size)
        Which voxels are filled; axes x, y, z.

    Raises
    ------
    InputError
        A grid that is too small or too large, or a body without extent.
    """
    inner = size - 2 * pad
    if not (2 <= size <= 512 and pad >= 0 and inner >= 2):
        raise InputError(f"a grid of {size} voxels with {pad} empty layers", "size, pad")
    used = corners[np.unique(triangles)]
    low, high = used.min(axis=0), used.max(axis=0)
    with np.errstate(over="ignore"):
        extent = float((high - low).max())
    if not extent > 0:
        raise InputError("the body has no extent", "corners")
    if not 1e-150 < extent < 1e150 or np.abs(used).max() > 1e150:  # squares must be numbers
        raise InputError(f"a body of extent {extent:.3g} cannot be scaled", "corners")
    # a hair smaller, so that what lies on the border of two voxels belongs to the inner one
    scaled = (corners - 0.5 * (low + high)) * (inner / extent * (1 - 1e-9)) + 0.5 * size
    grid = np.zeros((size,) * 3, dtype=bool)
    a, b, c = (scaled[triangles[:, k]] for k in range(3))
    longest = np.sqrt(
        np.maximum.reduce([((b - a) ** 2).sum(1), ((c - a) ** 2).sum(1), ((c - b) ** 2).sum(1)])
    )
    steps = np.maximum(1, np.ceil(2 * longest)).astype(np.int64)
    # points at most half a voxel apart cover each triangle; those of equal steps go together
    for count in np.unique(steps):
        group = np.flatnonzero(steps == count)
        u, v = _barycentric(int(count))
        for start in range(0, len(group), max(1, 2_000_000 // len(u))):
            batch = group[start : start + max(1, 2_000_000 // len(u))]
            points = (
                a[batch, None]
                + u[:, None] * (b - a)[batch, None]
                + v[:, None] * (c - a)[batch, None]
            )
            cells = np.clip(np.floor(points), pad, size - pad - 1).astype(np.int64)
            grid[tuple(cells.reshape(-1, 3).T)] = True
    if fill:
        # start-up: surfaces that are not filled, and grids, need no SciPy
        from scipy.ndimage import binary_fill_holes

        grid = np.asarray(binary_fill_holes(grid))
    return grid


def _barycentric(count: int) -> tuple[np.ndarray, np.ndarray]:
    i, j = np.meshgrid(np.arange(count + 1), np.arange(count + 1), indexing="ij")
    inside = i + j <= count
    return i[inside] / count, j[inside] / count


def read_binvox(path: str | os.PathLike[str]) -> np.ndarray:
    """Voxels of the .binvox file (Min, Nooruddin) at ``path``, run-length coded.

    Returns
    -------
    ndarray of bool, shape (n, n, n)
        Which voxels are filled; axes x, y, z.

    Raises
    ------
    StorageError
        Not there, no such file, cut off or too long.
    """
    path = Path(path)
    return reading(path, "a binvox file", "", lambda: _read_binvox(path))


def _read_binvox(path: Path) -> np.ndarray:
    with open(path, "rb") as file:
        if not file.readline(64).startswith(b"#binvox"):
            raise ValueError("it does not begin with #binvox")
        size = 0
        for _ in range(16):
            fields = file.readline(256).split()
            if fields[:1] == [b"dim"]:
                sizes = {int(n) for n in fields[1:]}
                if len(fields) != 4 or len(sizes) != 1 or not 1 <= min(sizes) <= 1024:
                    raise ValueError(f"odd dimensions {fields[1:]}")
                size = sizes.pop()
            if fields[:1] == [b"data"]:
                break
        else:
            raise ValueError("it has no data")
        pairs = np.frombuffer(file.read(2 * size**3 + 2), dtype=np.uint8)
    if not size or len(pairs) % 2:
        raise ValueError("it is cut off")
    runs = pairs[1::2].astype(np.int64)
    if runs.sum() != size**3:
        raise StorageError(
            f"is damaged: {int(runs.sum())} voxels for a grid of {size} a side", str(path)
        )
    values = np.repeat(pairs[::2] > 0, runs)
    return values.reshape(size, size, size).transpose(0, 2, 1)  # stored as x, z, y
