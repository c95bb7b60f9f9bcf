"""The ParaView file: its structure by h5py, and what VTK reads from it where VTK is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ddkbase.errors import InputError, StorageError
from devicephys.plots.film import write_vtkhdf
from tests.synthetic import iv_trace

SMALL: dict[str, Any] = {"fine": 4, "frames": 5, "steps": 80}
ARRAYS = {
    "temperature": ("PointData", "temperature_frame"),
    "potential": ("PointData", "potential_frame"),
    "vacancy_concentration": ("CellData", "vacancy_concentration_frame"),
}


def test_the_structure_is_that_of_the_specification(tmp_path: Path) -> None:
    ds = iv_trace(**SMALL)
    points, cells = ds.sizes["r_node"] * ds.sizes["z_node"], ds.sizes["r"] * ds.sizes["z"]
    with h5py.File(write_vtkhdf(ds, tmp_path / "fields.vtkhdf")) as handle:
        root = handle["VTKHDF"]
        assert root.attrs["Version"].tolist() == [2, 0]
        assert root.attrs["Type"] == b"UnstructuredGrid"
        kind = root.attrs.get_id("Type").get_type()
        assert not kind.is_variable_str()
        assert kind.get_cset() == h5py.h5t.CSET_ASCII
        assert root["NumberOfPoints"][:].tolist() == [points]
        assert root["NumberOfCells"][:].tolist() == [cells]
        assert root["NumberOfConnectivityIds"][:].tolist() == [4 * cells]
        assert root["Points"].shape == (points, 3)
        assert root["Offsets"][:].tolist() == list(range(0, 4 * cells + 1, 4))
        assert set(root["Types"][:]) == {9}
        steps = root["Steps"]
        assert steps.attrs["NSteps"] == 5
        assert np.array_equal(steps["Values"], ds["time_frame"])
        assert steps["NumberOfParts"][:].tolist() == [1] * 5
        for name in ("PartOffsets", "PointOffsets", "CellOffsets", "ConnectivityIdOffsets"):
            assert not steps[name][:].any()
        for name, (group, variable) in ARRAYS.items():
            values = root[group][name]
            assert values.attrs["units"] == ds[variable].attrs["units"]
            offsets = steps[f"{group}Offsets"][name][:]
            for k, start in enumerate(offsets):
                expected = ds[variable].values[k].ravel()
                found = values[start : start + expected.size]
                assert np.array_equal(found, expected, equal_nan=True)


def test_cells_are_numbered_like_the_maps(tmp_path: Path) -> None:
    ds = iv_trace(**SMALL)
    with h5py.File(write_vtkhdf(ds, tmp_path / "fields.vtkhdf")) as handle:
        points, corners = handle["VTKHDF/Points"][:], handle["VTKHDF/Connectivity"][:]
    corners = points[corners.reshape(-1, 4)]
    centres = corners.mean(axis=1).reshape(ds.sizes["z"], ds.sizes["r"], 3) * 1e-9
    assert np.allclose(centres[:, :, 0], ds["r"].values[None, :], rtol=1e-12)
    assert np.allclose(centres[:, :, 1], ds["z"].values[:, None], rtol=1e-12)
    across, up = corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]
    assert (np.cross(across, up)[:, 2] > 0).all()  # counter-clockwise, none folded


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    ds = iv_trace(**SMALL)
    path = write_vtkhdf(ds, tmp_path / "fields.vtkhdf")
    with pytest.raises(StorageError, match="exists already"):
        write_vtkhdf(ds, path)
    write_vtkhdf(ds, path, overwrite=True)
    with pytest.raises(StorageError):
        write_vtkhdf(ds, tmp_path / "missing" / "fields.vtkhdf")
    with pytest.raises(InputError, match="no frame"):
        write_vtkhdf(ds.isel(frame=slice(0, 0)), tmp_path / "none.vtkhdf")
    assert [p.name for p in tmp_path.iterdir()] == ["fields.vtkhdf"]


def test_vtk_reads_grid_times_and_values(tmp_path: Path) -> None:
    vtk = pytest.importorskip("vtk", reason="vtk is no dependency; installed, it is used here")
    from vtk.util.numpy_support import vtk_to_numpy  # type: ignore[import-not-found]

    ds = iv_trace(**SMALL)
    reader = vtk.vtkHDFReader()
    reader.SetFileName(str(write_vtkhdf(ds, tmp_path / "fields.vtkhdf")))
    reader.UpdateInformation()
    key = vtk.vtkStreamingDemandDrivenPipeline.TIME_STEPS()
    assert reader.GetOutputInformation(0).Get(key) == tuple(ds["time_frame"].values)
    for step in (0, 4, 2):
        reader.SetStep(step)
        reader.Update()
        grid = reader.GetOutputDataObject(0)
        assert grid.GetNumberOfPoints() == ds.sizes["r_node"] * ds.sizes["z_node"]
        assert grid.GetNumberOfCells() == ds.sizes["r"] * ds.sizes["z"]
        for name, (group, variable) in ARRAYS.items():
            data = grid.GetPointData() if group == "PointData" else grid.GetCellData()
            found = vtk_to_numpy(data.GetArray(name))
            assert np.array_equal(found, ds[variable].values[step].ravel(), equal_nan=True)
