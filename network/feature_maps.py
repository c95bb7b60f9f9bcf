"""Feature maps of samples of each class: by the algorithm, by a table, or by real pulses."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from devicephys.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from network.task import Task

__all__ = ["make_maps", "write_maps"]

#: what finite elements are asked for at most: a pulse takes a tenth of a second
_PULSES = 8000


def make_maps(
    task: Task,
    how: str = "algorithm",
    table: Any = None,
    *,
    amplitude: tuple[str, str] | None = None,
    samples: int = 1,
    seed: int = 0,
    root: str | None = None,
) -> xr.Dataset:
    """Maps of samples of each class; of sounds the article's, 8 utterances of 100 pulses.

    Parameters
    ----------
    task : whose data.
    how : "algorithm" (alpha 0.7, beta 1), "table" (cells of the table, drawn by the seed), "device"
        (finite elements).
    table : an `AlphaBetaTable`, for "table".
    amplitude : of the pulses at x = 0 and x = 1. Default by finite elements:
        `network.features.device_map.AMPLITUDES`, with which the shipped cell goes down step by
        step; the article's ("-2 V", "-3 V") finish it with the first pulse. By a table: the
        table's ends.
    samples : of each class, drawn by the seed.
    seed : of samples and cells.
    root : folder of the data.

    Returns
    -------
    Dataset on (sample, row, step): ``input`` and ``feature``, and the class of each sample.

    Raises
    ------
    InputError : a table is missing or of no use, or too many pulses for finite elements.
    """
    from devicephys.records import label
    from network.folds import Material

    if (how == "table") != (table is not None):
        hint = "Give --table" if table is None else "Use --how table"
        raise InputError(f"features by {how}", "--how, --table", hint)
    if "front" in task.options:
        options = {**task.options, "front": "map", "size": 100, "utterances": 8, "utterance": "6 s"}
        task = dataclasses.replace(task, options=options)
    data = Material(task, root).dataset()
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for k in range(len(data.classes)):
        of_class = np.flatnonzero(data.y == k)
        chosen += rng.permutation(of_class)[:samples].tolist()
    x = np.asarray(data.x[np.array(chosen)], dtype=float)
    x = x.reshape(len(x), -1, x.shape[-1])
    feature, units, words, method = _made(x, how, table, amplitude, seed)
    dims = ("sample", "row", "step")
    import xarray as xr

    return xr.Dataset(
        {
            "input": label(x, dims, "1", "input, 0 to 1"),
            "feature": label(feature, dims, units, words),
            "class_name": label(
                np.array([data.classes[int(k)] for k in data.y[chosen]]), "sample", "1", "class"
            ),
        },
        attrs={"title": data.name, "method": method, "source": data.source},
    )


def _made(
    x: np.ndarray, how: str, table: Any, amplitude: tuple[str, str] | None, seed: int
) -> tuple[np.ndarray, str, str, str]:
    """The features of (samples, rows, steps), their unit, name, and how they were made."""
    from network import ddk, features
    from network.features.device_map import AMPLITUDES

    if how == "algorithm":
        y = ddk.forward(x, 0.7, 1.0, states="after")
        return y, "1", "state y", "Eq. (4), implicit step, alpha 0.7, beta 1"
    rows = x.reshape(-1, x.shape[-1])
    if how == "device":
        if rows.size > _PULSES:
            raise InputError(
                f"{len(rows)} trains of {rows.shape[1]} pulses would take very long",
                "--how",
                f"Up to {_PULSES:,} pulses are simulated; take fewer samples or smaller data",
            )
        ends = AMPLITUDES if amplitude is None else amplitude
        made = features.by_device(rows, fit=False, amplitude=ends)
    else:
        ends = _ends(table) if amplitude is None else amplitude
        drawn = (
            np.random.default_rng(seed)
            if max(table.dataset.sizes["cycle"], table.dataset.sizes["device"]) > 1
            else None
        )
        made = features.by_table(rows, table, amplitude=ends, rng=drawn, **_middle(table))
    found = made["conductance"]
    words = str(found.attrs["units"]), str(found.attrs["long_name"])
    method = f"{made.attrs.get('method', how)}, pulses of {ends[0]} to {ends[1]}"
    return found.values.reshape(x.shape), *words, method


def _ends(table: Any) -> tuple[str, str]:
    """The weakest and the strongest amplitude of a table, as text."""
    values = sorted((float(v) for v in table.dataset["amplitude"].values), key=abs)
    return f"{values[0]!r} V", f"{values[-1]!r} V"


def _middle(table: Any) -> dict[str, str]:
    """The middle width and initial resistance of a table that has several."""
    out = {}
    for name, unit in (("width", "s"), ("initial_resistance", "ohm")):
        values = table.dataset[name].values
        if values.size > 1:
            out[name] = f"{float(values[values.size // 2])!r} {unit}"
    return out


def write_maps(maps: xr.Dataset, path: Path, overwrite: bool = False) -> Path:
    """Write maps as a picture (.png) or as NetCDF (.nc), whole or not at all.

    Raises
    ------
    InputError : another ending.
    StorageError : the file exists or cannot be written.
    """
    from devicephys.records import write_bytes
    from network.plots_network import samples_figure, save

    if path.suffix == ".png":
        return save(samples_figure(maps), path, overwrite)
    if path.suffix == ".nc":
        return write_bytes(path, maps.to_netcdf(engine="h5netcdf"), overwrite)
    raise InputError(f"'{path.suffix}' is no kind of map", "--out", "Use .png or .nc")
