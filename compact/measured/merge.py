"""Trains of several files side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError
from ddkbase.records import label

__all__ = ["side_by_side"]


def side_by_side(files: Sequence[xr.Dataset], where: str) -> xr.Dataset:
    """The trains of several files in one dataset.

    Parameters
    ----------
    files : sequence of xarray.Dataset
        Datasets of `compact.read_pulses`, one for each file.
    where : str
        What the files are called together, for errors.

    Returns
    -------
    xarray.Dataset
        As of one file; the name of its file stands before that of a train, and ``device`` (train)
        is the file where the files do not say the device. A setting or number that only some files
        say is NaN, or left out if it is none.

    Raises
    ------
    InputError
        Conductances of some files have a unit and those of others none.
    """
    if len(files) == 1:
        return files[0]
    units = [str(ds["conductance"].attrs["units"]) for ds in files]
    if len(set(units)) > 1:
        odd = files[units.index("1")].attrs["source_file"]
        raise InputError("has no unit where other files have one", str(odd), "Pass units='...'")
    stems = [Path(str(ds.attrs["source_file"]).split(", ")[0]).stem for ds in files]
    names = stems if len(set(stems)) == len(stems) else [f"{s} {k}" for k, s in enumerate(stems, 1)]
    longest = max(ds.sizes["pulse"] for ds in files)
    data: dict[str, Any] = {}
    for name, first in files[0].data_vars.items():
        if not all(name in ds for ds in files):
            continue
        arrays = [ds[name].values for ds in files]
        if first.ndim == 2:
            arrays = [
                np.pad(a, ((0, 0), (0, longest - a.shape[1])), constant_values=np.nan)
                for a in arrays
            ]
        data[str(name)] = (first.dims, np.concatenate(arrays), first.attrs)
    for name in ("amplitude", "width"):
        some = next((ds[name] for ds in files if name in ds), None)
        if some is not None and name not in data:
            arrays = [
                np.pad(
                    ds[name].values if name in ds else np.full(ds["conductance"].shape, np.nan),
                    ((0, 0), (0, longest - ds.sizes["pulse"])),
                    constant_values=np.nan,
                )
                for ds in files
            ]
            data[name] = (some.dims, np.concatenate(arrays), some.attrs)
    if "device" not in data:
        devices = [n for n, ds in zip(names, files, strict=True) for _ in range(ds.sizes["train"])]
        data["device"] = label(devices, "train", "1", "device")
    labels = [
        f"{n}: {train}"
        for n, ds in zip(names, files, strict=True)
        for train in ds["train"].values.astype(str)
    ]
    coords = {
        "train": label(labels, "train", "1", "train"),
        "pulse": label(np.arange(1, longest + 1), "pulse", "1", "pulse number"),
    }
    notes = [
        f"{n}: {line}"
        for n, ds in zip(names, files, strict=True)
        for line in str(ds.attrs["assumptions"]).splitlines()
    ]
    checksums = [str(ds.attrs["source_checksum"]) for ds in files]
    notes += [
        f"{n}: the same file as {names[checksums.index(own)]}, its trains count twice"
        for n, own in zip(names, checksums, strict=True)
        if names[checksums.index(own)] != n
    ]
    digest = hashlib.sha256("".join(str(ds.attrs["source_checksum"]) for ds in files).encode())
    attrs = {
        "title": f"pulse trains of {len(files)} files",
        "assumptions": _shared(notes, names),
        "source_file": where,
        "source_checksum": f"sha256:{digest.hexdigest()}",
    }
    return xr.Dataset(data, coords, attrs)


def _shared(notes: list[str], names: list[str]) -> str:
    """Notes of all files; one that every file has stands once."""
    texts = [note.split(": ", 1)[1] for note in notes]
    lines = []
    for note, text in zip(notes, texts, strict=True):
        line = f"all {len(names)} files: {text}" if texts.count(text) == len(names) else note
        if line not in lines:
            lines.append(line)
    return "\n".join(lines)
