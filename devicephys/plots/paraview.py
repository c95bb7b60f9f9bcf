"""The fields over the loop as a VTKHDF file, which ParaView (5.12 or newer) plays as a film.

The format is that of the VTKHDF specification, version 2.0, "UnstructuredGrid" with steps
(https://docs.vtk.org/en/latest/vtk_file_formats/vtkhdf_file_format/).  It is written with h5py
alone: neither VTK nor the finite-element stack is needed.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from ddkbase.errors import InputError
from ddkbase.files import write_bytes

NM = 1e9
_QUADRILATERAL = 9  # VTK_QUAD
_POINT_FIELDS = {"temperature": "temperature_frame", "potential": "potential_frame"}
_CELL_FIELDS = {"vacancy_concentration": "vacancy_concentration_frame"}


def write_vtkhdf(ds: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write the frames of a loop as a temporal VTKHDF file, whole or not at all.

    The grid is the r-z half plane: r along x, z along y, both in nm (ParaView's picking and
    clipping lose their footing on coordinates of 1e-8).  Cell data: ``vacancy_concentration``
    [1/m^3], NaN in conductors.  Point data: ``temperature`` [K], ``potential`` [V].  The time
    of a step is in s.  The units also stand in the file, as attributes ``units`` of the arrays.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace v1 with at least one frame; maps of shape (frame, z, r) and (frame, z_node,
        r_node).
    path : str or Path
        The file to make; ParaView recognises the ending ``.vtkhdf``.
    overwrite : bool, default False
        Replace an existing file.

    Raises
    ------
    InputError
        There is no frame.
    StorageError
        As `ddkbase.records.write`.
    """
    steps = ds.sizes["frame"]
    if steps == 0:
        raise InputError("the record has no frame to write for ParaView")
    points, cells = _grid(ds)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as handle:
        root = handle.create_group("VTKHDF")
        root.attrs["Version"] = np.array([2, 0])
        kind = b"UnstructuredGrid"
        root.attrs.create("Type", kind, dtype=h5py.string_dtype("ascii", len(kind)))
        _write_grid(root, points, cells)
        _write_steps(root, ds["time_frame"].values)
        _write_fields(root, "PointData", ds, _POINT_FIELDS, points.shape[0])
        _write_fields(root, "CellData", ds, _CELL_FIELDS, cells.shape[0])
    return write_bytes(path, buffer.getbuffer(), overwrite)


def _grid(ds: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return points [nm], shape (nodes, 3), and the four nodes of each cell, shape (cells, 4).

    Nodes and cells are numbered as the maps are stored: r runs fastest.
    """
    r, z = ds["r_node"].values * NM, ds["z_node"].values * NM
    x, y = np.meshgrid(r, z)
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    node = np.arange(x.size).reshape(x.shape)
    corners = (node[:-1, :-1], node[:-1, 1:], node[1:, 1:], node[1:, :-1])  # counter-clockwise
    return points, np.stack([corner.ravel() for corner in corners], axis=1)


def _write_grid(root: h5py.Group, points: np.ndarray, cells: np.ndarray) -> None:
    """Write the geometry once; every step refers to it."""
    root["NumberOfPoints"] = np.array([points.shape[0]])
    root["NumberOfCells"] = np.array([cells.shape[0]])
    root["NumberOfConnectivityIds"] = np.array([cells.size])
    root["Points"] = points
    root["Points"].attrs["units"] = "nm"
    root["Connectivity"] = cells.ravel()
    root["Offsets"] = np.arange(cells.shape[0] + 1) * 4
    root["Types"] = np.full(cells.shape[0], _QUADRILATERAL, dtype=np.uint8)


def _write_steps(root: h5py.Group, times: np.ndarray) -> None:
    """Write the times, and for each that its geometry is part 0 from the start of the arrays."""
    steps = root.create_group("Steps")
    steps.attrs["NSteps"] = times.size
    steps["Values"] = times
    steps["Values"].attrs["units"] = "s"
    none = np.zeros(times.size, dtype=np.int64)
    steps["PartOffsets"] = none
    steps["NumberOfParts"] = none + 1
    steps["PointOffsets"] = none
    steps["CellOffsets"] = none[:, None]
    steps["ConnectivityIdOffsets"] = none[:, None]


def _write_fields(
    root: h5py.Group, kind: str, ds: xr.Dataset, fields: dict[str, str], size: int
) -> None:
    """Write maps one step after the other, and where each step begins."""
    group = root.create_group(kind)
    offsets = root["Steps"].create_group(f"{kind}Offsets")
    for name, variable in fields.items():
        values = ds[variable].values
        data = group.create_dataset(
            name,
            data=values.reshape(-1),
            chunks=(size,),
            compression="gzip",
            compression_opts=4,
            shuffle=True,
        )
        data.attrs["units"] = ds[variable].attrs["units"]
        offsets[name] = np.arange(values.shape[0], dtype=np.int64) * size
