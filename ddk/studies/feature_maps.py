"""Feature maps of samples of each class: by the algorithm, by a table, or by real pulses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from ddk.studies.task import Task

__all__ = ["make_maps", "write_fits", "write_maps"]

#: what finite elements are asked for at most: a pulse takes a tenth of a second
_PULSES = 8000
_FITS = ("fitted", "alpha", "beta", "residual")


def make_maps(
    task: Task,
    how: str = "algorithm",
    table: Any = None,
    *,
    amplitude: tuple[str, str] | None = None,
    samples: int = 1,
    seed: int = 0,
    root: str | None = None,
    fit: bool = False,
    progress: Callable[[str], None] | None = None,
) -> xr.Dataset:
    """Maps of samples of each class; of sounds the article's, 8 utterances of 100 pulses.

    Parameters
    ----------
    task : Task
        The task whose data are taken.
    how : {"algorithm", "table", "device", "all"}, default "algorithm"
        "algorithm" (alpha 0.7, beta 1), "table" (cells of the table, drawn by the seed), "device"
        (finite elements), or "all": these side by side, by a table if there is one.
    table : AlphaBetaTable or None, optional
        An `AlphaBetaTable`, for "table" and "all".
    amplitude : pair of str or None, optional
        Amplitude of the pulses at x = 0 and x = 1. Default by finite elements:
        `ddk.studies.device_map.AMPLITUDES`, with which the shipped cell goes down step by step; the
        article's ("-2 V", "-3 V") finish it with the first pulse. By a table: the table's ends.
    samples : int, default 1
        Number of samples of each class, drawn by the seed.
    seed : int, default 0
        Seed of samples and cells.
    root : str or None, optional
        Folder of the data.
    fit : bool, default False
        Whether Eq. (4) is fitted to each row by finite elements, as in Fig. 3c.
    progress : callable or None, optional
        Called with a line of text for each train of pulses.

    Returns
    -------
    xarray.Dataset
        Dataset on (sample, row, step): ``input``, and ``feature`` (or, of "all", ``algorithm``,
        ``table`` and ``device``), and the class of each sample. With ``fit`` also ``fitted`` [S],
        ``alpha``, ``beta`` and ``residual`` (sum of squares, each row scaled to 0..1) of each row.

    Raises
    ------
    InputError
        A table is missing or of no use, a fit without finite elements, or too many pulses for them.
    """
    from ddk.studies.folds import Material
    from ddkbase.records import label

    if how != "all" and (how == "table") != (table is not None):
        hint = "Give --table" if table is None else "Use --how table"
        raise InputError(f"features by {how}", "--how, --table", hint)
    if fit and how not in ("device", "all"):
        raise InputError(f"features by {how} have no fits", "--fits", "Use --how device or all")
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
    ways = {"all": ("algorithm", *(("table",) if table else ()), "device")}.get(how, (how,))
    if "device" in ways and x[..., 0].size * x.shape[-1] > _PULSES:
        raise InputError(
            f"{x[..., 0].size} trains of {x.shape[-1]} pulses would take very long",
            "--how",
            f"Up to {_PULSES:,} pulses are simulated; take fewer samples or smaller data",
        )
    dims = ("sample", "row", "step")
    found: dict[str, Any] = {"input": label(x, dims, "1", "input, 0 to 1")}
    methods = []
    for way in ways:
        name = way if how == "all" else "feature"
        made = _made(x, way, table, amplitude, seed, fit, progress)
        for key, (values, units, words) in made.values.items():
            found[key or name] = label(values, dims[: values.ndim], units, words)
        found[name].attrs["method"] = made.method
        methods.append(made.method)
    names = np.array([data.classes[int(k)] for k in data.y[chosen]])
    found["class_name"] = label(names, "sample", "1", "class")
    import xarray as xr

    return xr.Dataset(
        found,
        attrs={"title": data.name, "method": "; ".join(methods), "source": data.source},
    )


@dataclasses.dataclass(frozen=True)
class _Made:
    """Values, unit and name by variable, "" for the features themselves, and how they were made."""

    values: dict[str, tuple[np.ndarray, str, str]]
    method: str


def _made(
    x: np.ndarray,
    how: str,
    table: Any,
    amplitude: tuple[str, str] | None,
    seed: int,
    fit: bool,
    progress: Callable[[str], None] | None,
) -> _Made:
    """The features of (samples, rows, steps) in one way."""
    from ddk.studies.device_map import by_device
    from network import features
    from network.ddk import kinetics as ddk

    if how == "algorithm":
        y = ddk.forward(x, 0.7, 1.0, states="after")
        return _Made({"": (y, "1", "state y")}, "Eq. (4), implicit step, alpha 0.7, beta 1")
    rows = x.reshape(-1, x.shape[-1])
    if how == "device":
        ends = features.AMPLITUDES if amplitude is None else amplitude
        tell = None if progress is None else lambda k, n: progress(f"train {k} of {n}")
        made = by_device(rows, fit=fit, amplitude=ends, progress=tell)
    else:
        ends = _ends(table) if amplitude is None else amplitude
        drawn = (
            np.random.default_rng(seed)
            if max(table.dataset.sizes["cycle"], table.dataset.sizes["device"]) > 1
            else None
        )
        made = features.by_table(rows, table, amplitude=ends, rng=drawn, **_middle(table))
    values = {}
    for key in ("conductance", *_FITS):
        if key in made and (key == "conductance" or how == "device"):
            one = made[key]
            shape = x.shape[: 1 + one.ndim]
            told = (str(one.attrs["units"]), str(one.attrs["long_name"]))
            values["" if key == "conductance" else key] = (one.values.reshape(shape), *told)
    return _Made(values, f"{made.attrs.get('method', how)}, pulses of {ends[0]} to {ends[1]}")


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
    """Write maps as a picture (.png, .svg, .pdf) or as NetCDF (.nc), whole or not at all.

    Raises
    ------
    InputError
        Another ending.
    StorageError
        The file exists or cannot be written.
    """
    from ddk.studies.plots import samples_figure, save
    from ddkbase.files import write_bytes
    from ddkbase.picture_names import PICTURES, check_suffix

    check_suffix(path, (*PICTURES, ".nc"))
    if path.suffix.lower() == ".nc":
        return write_bytes(path, maps.to_netcdf(engine="h5netcdf"), overwrite)
    return save(samples_figure(maps), path, overwrite)


def write_fits(maps: xr.Dataset, path: Path, overwrite: bool = False) -> Path:
    """Draw the fits of `make_maps` to the first sample of each class, as Fig. 3c.

    Raises
    ------
    InputError
        Nothing was fitted.
    StorageError
        The file exists or cannot be written.
    """
    from ddk.studies.plots import save
    from network.plots.features import map_fits_figure

    return save(map_fits_figure(maps), path, overwrite)
