"""Feature maps of samples of each class: by the algorithm, by a table, or by real pulses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

import devicephys
from compact.table.table import AlphaBetaTable
from ddk.studies.folds import Material
from ddk.studies.plots import samples_figure
from ddk.studies.tasks import Task
from ddkbase.errors import InputError
from ddkbase.files import write_bytes
from ddkbase.paper import PaperStyle, save_picture
from ddkbase.picture_names import PICTURES, check_suffix
from ddkbase.records import label
from ddkbase.units import exact_text
from network import features
from network.ddk import kinetics as ddk
from network.features.table_map import AMPLITUDES, fitted, labelled, voltages
from network.plots.features import map_fits_figure

#: what finite elements are asked for at most: a pulse takes a tenth of a second
_PULSES = 8000
_FITS = ("fitted", "alpha", "beta", "residual")


def make_maps(
    task: Task,
    how: str = "algorithm",
    table: AlphaBetaTable | None = None,
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
        `network.features.AMPLITUDES`, with which the shipped cell goes down step by step; the
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
    drawn: list[int] = []
    for k in range(len(data.classes)):
        of_class = np.flatnonzero(data.y == k)
        drawn += rng.permutation(of_class)[:samples].tolist()
    x = np.asarray(data.x[np.array(drawn)], dtype=float)
    x = x.reshape(len(x), -1, x.shape[-1])
    ways = {"all": ("algorithm", *(("table",) if table else ()), "device")}.get(how, (how,))
    if "device" in ways and x[..., 0].size * x.shape[-1] > _PULSES:
        raise InputError(
            f"{x[..., 0].size} trains of {x.shape[-1]} pulses would take very long",
            "--how",
            f"Up to {_PULSES:,} pulses are simulated; take fewer samples or smaller data",
        )
    dims = ("sample", "row", "step")
    variables: dict[str, Any] = {"input": label(x, dims, "1", "input, 0 to 1")}
    methods = []
    for way in ways:
        name = way if how == "all" else "feature"
        features_of = _features(x, way, table, amplitude, seed, fit, progress)
        for key, (values, units, long_name) in features_of.values.items():
            variables[key or name] = label(values, dims[: values.ndim], units, long_name)
        variables[name].attrs["method"] = features_of.method
        methods.append(features_of.method)
    names = np.array([data.classes[int(k)] for k in data.y[drawn]])
    variables["class_name"] = label(names, "sample", "1", "class")
    return xr.Dataset(
        variables,
        attrs={"title": data.name, "method": "; ".join(methods), "source": data.source},
    )


@dataclasses.dataclass(frozen=True)
class _Features:
    """Values, unit and name by variable, "" for the features themselves, and how they were made."""

    values: dict[str, tuple[np.ndarray, str, str]]
    method: str


def _features(
    x: np.ndarray,
    how: str,
    table: AlphaBetaTable | None,
    amplitude: tuple[str, str] | None,
    seed: int,
    fit: bool,
    progress: Callable[[str], None] | None,
) -> _Features:
    """The features of (samples, rows, steps) in one way."""
    if how == "algorithm":
        y = ddk.forward(x, 0.7, 1.0, states="after")
        return _Features({"": (y, "1", "state y")}, "Eq. (4), implicit step, alpha 0.7, beta 1")
    rows = x.reshape(-1, x.shape[-1])
    if how == "device":
        ends = features.AMPLITUDES if amplitude is None else amplitude
        report = None if progress is None else lambda k, n: progress(f"train {k} of {n}")
        maps = by_device(rows, fit=fit, amplitude=ends, progress=report)
    else:
        assert table is not None  # checked by `make_maps`
        ends = _ends(table) if amplitude is None else amplitude
        drawn = (
            np.random.default_rng(seed)
            if max(table.dataset.sizes["cycle"], table.dataset.sizes["device"]) > 1
            else None
        )
        maps = features.by_table(rows, table, amplitude=ends, rng=drawn, **_middle(table))
    values = {}
    for key in ("conductance", *_FITS):
        if key in maps and (key == "conductance" or how == "device"):
            array = maps[key].values.reshape(x.shape[: 1 + maps[key].ndim])
            unit_and_name = (str(maps[key].attrs["units"]), str(maps[key].attrs["long_name"]))
            values["" if key == "conductance" else key] = (array, *unit_and_name)
    return _Features(values, f"{maps.attrs.get('method', how)}, pulses of {ends[0]} to {ends[1]}")


def _ends(table: AlphaBetaTable) -> tuple[str, str]:
    """The weakest and the strongest amplitude of a table, as text."""
    values = sorted((float(v) for v in table.dataset["amplitude"].values), key=abs)
    return f"{values[0]!r} V", f"{values[-1]!r} V"


def _middle(table: AlphaBetaTable) -> dict[str, str]:
    """The middle width and initial resistance of a table that has several."""
    out = {}
    for name, unit in (("width", "s"), ("initial_resistance", "ohm")):
        values = table.dataset[name].values
        if values.size > 1:
            out[name] = f"{float(values[values.size // 2])!r} {unit}"
    return out


def write_maps(
    maps: xr.Dataset, path: Path, overwrite: bool = False, paper: PaperStyle | None = None
) -> list[Path]:
    """Write maps as a picture (.png, .svg, .pdf) or as NetCDF (.nc), whole or not at all.

    Parameters
    ----------
    maps : xarray.Dataset
        Maps, from `ddk.studies.feature_maps.make_maps`.
    path : Path
        File to write; its ending says the format.
    overwrite : bool, default False
        Replace an existing file.
    paper : PaperStyle or None, optional
        How a picture is drawn for a paper; its panels are the samples, the first is "a".

    Returns
    -------
    list of Path
        The file, and the CSV file with the data of a picture where ``paper`` asks for it.

    Raises
    ------
    InputError
        Another ending, a panel without a sample.
    StorageError
        The file exists or cannot be written.
    """
    check_suffix(path, (*PICTURES, ".nc"))
    if path.suffix.lower() == ".nc":
        return [write_bytes(path, maps.to_netcdf(engine="h5netcdf"), overwrite)]
    return _draw(samples_figure, maps, path, overwrite, paper)


def write_fits(
    maps: xr.Dataset, path: Path, overwrite: bool = False, paper: PaperStyle | None = None
) -> list[Path]:
    """Draw the fits of `make_maps` to the first sample of each class, as Fig. 3c.

    Parameters
    ----------
    maps : xarray.Dataset
        Maps, from `ddk.studies.feature_maps.make_maps`.
    path : Path
        Picture to write; its ending says the format.
    overwrite : bool, default False
        Replace an existing file.
    paper : PaperStyle or None, optional
        How it is drawn for a paper; its panels are the classes, the first is "a".

    Returns
    -------
    list of Path
        The picture, and the CSV file with its data where ``paper`` asks for it.

    Raises
    ------
    InputError
        Nothing was fitted, a panel without a class.
    StorageError
        The file exists or cannot be written.
    """
    return _draw(map_fits_figure, maps, path, overwrite, paper)


def _draw(
    figure: Callable[..., Figure],
    maps: xr.Dataset,
    path: Path,
    overwrite: bool,
    paper: PaperStyle | None,
) -> list[Path]:
    if paper is None:
        return save_picture(partial(figure, maps), path, None, overwrite)
    make = partial(figure, maps, paper.width, paper.panels)
    # the figure has the samples that are asked for: what is left is its texts and lines
    return save_picture(make, path, dataclasses.replace(paper, panels=()), overwrite)


def by_device(
    x: ArrayLike,
    device: Any = "tin-taox-hfox-tin",
    *,
    amplitude: tuple[str, str] = AMPLITUDES,
    width: str = "100 ns",
    initial_resistance: str | None = "5 kohm",
    preset: str = "quick",
    seed: int | None = None,
    fit: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Apply utterances as pulse trains to a cell of finite elements, each to a fresh one.

    Parameters
    ----------
    x : array_like, shape (utterances, pulses)
        Inputs from 0 to 1; see `network.features.inputs`.
    device : str or Device, default "tin-taox-hfox-tin"
        Name of a device of the library, or a ``devicephys.Device``.
    amplitude : pair of str, optional
        Amplitude of the pulses at x = 0 and x = 1; negative for RESET. The article's are 2 to 3 V,
        see `AMPLITUDES`.
    width : str, default "100 ns"
        Flat top of a pulse.
    initial_resistance : str or None, default "5 kohm"
        What the cell is brought to before each utterance; None: as it is.
    preset : {"quick", "default", "fine"}, default "quick"
        How finely mesh and time are resolved.
    seed : int or None, optional
        If given each utterance has its own cell, cycle by cycle drawn from the population.
    fit : bool, default True
        Whether alpha and beta of each utterance are fitted; see `fitted`.
    progress : callable or None, optional
        Called after each utterance with its number and how many there are.

    Returns
    -------
    xarray.Dataset
        Dataset on (utterance, pulse): ``input``, ``voltage`` [V], ``conductance`` [S] after each
        pulse, ``initial_conductance`` [S], ``energy`` [J], and what `fitted` adds.

    Raises
    ------
    InputError
        An argument out of range, or the cell cannot be brought to the resistance.
    SolverError
        No time step succeeds.
    InstallationError
        No finite-element stack.
    """
    heights = voltages(x, amplitude)
    cell = devicephys.load_device(device) if isinstance(device, str) else device
    settings = devicephys.Settings.preset(preset)
    traces = []
    for k, row in enumerate(heights):
        train = devicephys.PulseTrain(amplitude=[exact_text(v, "V") for v in row], width=width)
        traces.append(
            devicephys.simulate_pulses(
                cell,
                train,
                settings,
                initial_resistance=initial_resistance,
                seed=seed,
                cycle=0 if seed is None else k,
            )
        )
        if progress is not None:
            progress(k + 1, len(heights))

    def stacked(name: str) -> np.ndarray:
        return np.stack([trace[name].values for trace in traces])

    ds = labelled(
        np.asarray(x, dtype=float),
        {
            "voltage": (heights, "V", "amplitude of the pulse"),
            "conductance": (stacked("conductance"), "S", "conductance after the pulse"),
            "initial_conductance": (stacked("initial_conductance"), "S", "conductance before"),
            "energy": (stacked("energy"), "J", "energy of the pulse"),
        },
        {
            "method": f"finite elements, preset {preset}",
            "device": cell.name if hasattr(cell, "name") else str(device),
            "width": width,
            "initial_resistance": initial_resistance or "as the device is",
            "seed": -1 if seed is None else seed,
        },
    )
    return fitted(ds) if fit else ds
