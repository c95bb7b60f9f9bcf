"""`AlphaBetaTable`: alpha and beta of a kind of cell, by pulse setting, cycle and device.

>>> table = AlphaBetaTable.fit("runs/s8.zarr")
>>> table.lookup(amplitude="-2.3 V", width="80 ns", initial_resistance="8 kohm").beta
>>> table.invert(alpha=0.01, beta=0.4)
>>> table.sample(numpy.random.default_rng(1), "device").lookup(...)

`load_table` opens a file, or a table that ships with the toolkit, simulated and fitted; each of
these says by which commands.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from compact.fitting.fit import fit_many
from compact.fitting.profiles import profile_intervals
from compact.table import figures
from compact.table.build import build
from compact.table.grid import Grid, Inversion, Lookup, Region
from compact.table.schema import AXES, POINT, RELATIVE, TABLE, VALUES
from compact.table.statistics import drawn, summary
from compact.table.trends import Trend, trends
from ddkbase.errors import InputError, StorageError, closest, one_line, shorten, similar_file
from ddkbase.records import check_hdf5, label, read, validate, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "AlphaBetaTable",
    "Inversion",
    "Lookup",
    "Region",
    "library_file",
    "list_tables",
    "load_table",
]


@dataclass(frozen=True, repr=False)
class AlphaBetaTable:
    """A table; ``dataset`` is a valid record ``AlphaBetaTable`` version 1 (see docs/compact.md)."""

    dataset: xr.Dataset

    def __post_init__(self) -> None:
        if self.dataset.attrs.get("schema") not in (TABLE, RELATIVE):
            raise StorageError(f"a record '{TABLE}' was expected", "table")
        validate(self.dataset, where="table")

    @classmethod
    def fit(
        cls,
        source: Any,
        *,
        window: str = "free",
        direction: str | None = None,
        amplitude: str | None = None,
        width: str | None = None,
        initial_resistance: str | None = None,
        **options: Any,
    ) -> Self:
        """Fit all trains of a campaign or of other data, at once.

        Parameters
        ----------
        source : str, Path, xarray.Dataset or sequence of xarray.Dataset
            Path of a campaign's store, of a ``PulseTrace`` or of a file that `compact.read_pulses`
            understands; or the dataset of any of them; or a list of ``PulseTrace``.
        window : {"free", "data"}, default "free"
            Whether the ends of the conductance window are fitted, too, as by `compact.fit_many`,
            or are the smallest and largest read of each train, as in the article.
        direction : {"down", "up"} or None, optional
            Take only these trains.
        amplitude, width, initial_resistance : str or None, optional
            The setting as text with a unit, where the data do not say it.
        **options : dict, optional
            Options of `compact.fit_many`: method, integrator, loss, starts, seed, ...

        Raises
        ------
        InputError
            No trains in it, up and down trains at one setting, an option out of range.
        StorageError
            The source cannot be read.
        """
        return cls(
            build(
                source,
                window=window,
                direction=direction,
                amplitude=amplitude,
                width=width,
                initial_resistance=initial_resistance,
                **options,
            )
        )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read the table that `write` wrote to ``path``.

        Raises
        ------
        StorageError
            No such file, damaged, or another record.
        """
        _look_into(Path(path))
        ds = read(path)
        if ds.attrs["schema"] not in (TABLE, RELATIVE):
            raise StorageError(
                f"a record '{TABLE}' was expected, it is a '{ds.attrs['schema']}'", str(path)
            )
        return cls(ds)

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the table to the NetCDF-4 file ``path``, whole or not at all; returns its path.

        Raises StorageError, also for an existing file without ``overwrite``.
        """
        return write(self.dataset, path, overwrite=overwrite)

    @functools.cached_property
    def means(self) -> xr.Dataset:
        """Means and 95 % bands by setting: `compact.table.statistics.summary`."""
        return summary(self.dataset)

    @functools.cached_property
    def _grid(self) -> Grid:
        return Grid(self.dataset, self.means)

    @property
    def varied(self) -> tuple[str, ...]:
        """The axes along which the table has several values."""
        return tuple(a for a in AXES if self.dataset.sizes[a] > 1)

    def lookup(
        self,
        *,
        amplitude: Any = None,
        width: Any = None,
        initial_resistance: Any = None,
    ) -> Lookup:
        """Means at a setting, interpolated between the table's.

        Parameters
        ----------
        amplitude, width, initial_resistance : str or Quantity, optional
            The setting, a text with a unit. An axis along which the table has one value may be left
            out.

        Raises
        ------
        InputError
            Outside of the table's range (which is named), between RESET and SET, no unit, left out,
            or next to a setting at which no train is valid.
        """
        return self._grid.lookup(
            {"amplitude": amplitude, "width": width, "initial_resistance": initial_resistance}
        )

    def invert(self, *, alpha: float, beta: float) -> Inversion:
        """The pulse setting whose means come closest to alpha, beta, and the error that remains.

        Raises
        ------
        InputError
            A value is negative or no number, or no train is valid.
        """
        return self._grid.invert(alpha, beta)

    def reachable(self) -> Region:
        """Pairs that the means reach; `compact.plots.table.region_figure` draws them."""
        return self._grid.region()

    def sample(self, rng: np.random.Generator, kind: str | None = None) -> AlphaBetaTable:
        """A table of one drawn cell, with the correlations that were measured.

        Parameters
        ----------
        rng : numpy.random.Generator
            Where the random numbers come from.
        kind : {"cycle", "device", "cell"} or None, optional
            `compact.table.statistics.drawn`. Default: "device" if the table has several devices,
            else "cycle".

        Raises
        ------
        InputError
            Fewer than two cycles or devices are valid at all settings.
        """
        if kind is None:
            kind = "device" if self.dataset.sizes["device"] > 1 else "cycle"
        values = drawn(self.dataset, self.means, rng, kind)
        ds = self.dataset.isel(cycle=[0], device=[0]).drop_vars(["conductance", "fitted"])
        ds = ds.assign_coords(cycle=self.dataset["cycle"][:1], device=self.dataset["device"][:1])
        valid = np.isfinite(values).all(-1)[..., None, None]
        for k, name in enumerate(VALUES):
            ds[name] = (POINT, values[..., k][..., None, None], self.dataset[name].attrs)
        for key, variable in ds.data_vars.items():
            if key not in VALUES and variable.dtype.kind == "f":  # of a fit, not of a draw
                ds[key] = variable.copy(data=np.full(variable.shape, np.nan))
        ds["valid"] = (POINT, valid, self.dataset["valid"].attrs)
        for name in ("reason", "note"):
            text = np.where(valid, "", "nothing was valid here").astype(object)
            ds[name] = (POINT, text, self.dataset[name].attrs)
        empty = np.full((*valid.shape, self.dataset.sizes["sample"]), np.nan)
        for name in ("conductance", "fitted"):
            ds[name] = ((*POINT, "sample"), empty, self.dataset[name].attrs)
        title = f"a {kind} drawn from: {self.dataset.attrs['title']}"
        return AlphaBetaTable(ds.assign_attrs(title=title))

    def trends(self) -> list[Trend]:
        """The article's statements on this table: `compact.table.trends.trends`."""
        return trends(self.dataset)

    def plot(self) -> Figure:
        """Figure of alpha and beta with 95 % bands: `compact.plots.table.trends_figure`."""
        from compact.plots.table import trends_figure  # start-up: matplotlib

        return trends_figure([self])

    def figures(self) -> dict[str, str]:
        """What there is to know at a glance, as texts."""
        return figures.texts(self.dataset)

    def reasons(self) -> list[tuple[str, int]]:
        """Why trains are not valid, and how many each, the most frequent first."""
        return figures.reasons(self.dataset)

    def notes(self) -> list[tuple[str, int]]:
        """Why trains do not determine alpha and beta, and how many each."""
        return figures.notes(self.dataset)

    def intervals(self, level: float = 0.95) -> xr.Dataset:
        """Profile-likelihood intervals of alpha and beta of each train.

        The trains are fitted once more, as they were, for a table does not hold all of a fit.

        Parameters
        ----------
        level : float, default 0.95
            Level of the intervals, above 0 and below 1.

        Returns
        -------
        xarray.Dataset
            Dataset on the axes of the table, cycle, device and ``parameter`` (alpha, beta):
            ``lower`` and ``upper`` (NaN: not valid), ``lower_open`` and ``upper_open``, whether a
            bound of the parameter ends it there.

        Raises
        ------
        InputError
            A table of another method than "better" with squared residuals, or another level.
        """
        return intervals(self.dataset, level)

    def provenance(self) -> dict[str, Any]:
        """What the trains' source said of its own origin."""
        return dict(json.loads(self.dataset.attrs["provenance_json"]))

    def __repr__(self) -> str:
        lines = [f"{name}: {text}" for name, text in self.figures().items() if name != "title"]
        return "\n  ".join([f"AlphaBetaTable: {self.dataset.attrs['title']}", *lines])


def _look_into(path: Path) -> None:
    """Refuse what is no HDF5 file in words; nothing is said of a file that is not there."""
    try:
        if path.exists() and not path.is_file():
            raise StorageError("is not a regular file", str(path))
        if path.is_file():
            path.open("rb").close()
            check_hdf5(path, str(path))
    except StorageError:
        raise
    except PermissionError as error:
        raise StorageError(error.strerror or "may not be read", str(path)) from error
    except Exception as error:  # h5py has no family of its own
        reason = shorten(one_line(str(error)), 120)
        raise StorageError(
            f"it cannot be read: not a NetCDF-4 file, cut off, or damaged [{reason}]",
            str(path),
            "Name a table that 'ddk-compact fit' wrote",
        ) from error


def tables_of(sources: Any) -> list[AlphaBetaTable]:
    """One table or several, as a list.

    Raises InputError: something else among them, or none.
    """
    tables = [sources] if isinstance(sources, AlphaBetaTable) else list(sources)
    if not tables or not all(isinstance(t, AlphaBetaTable) for t in tables):
        raise InputError("one table or several are needed", "tables")
    return tables


_OF_FIT = ("method", "integrator", "loss", "window", "starts", "seed", "limit")


def intervals(ds: xr.Dataset, level: float = 0.95) -> xr.Dataset:
    """Intervals of alpha and beta of each train: see `compact.AlphaBetaTable.intervals`."""
    used = json.loads(str(ds.attrs["fit_json"]))
    reads = ds["conductance"].values
    flat = reads.reshape(-1, reads.shape[-1])
    there = np.flatnonzero(ds["valid"].values.ravel() & np.isfinite(flat).any(-1))
    if not there.size:
        raise InputError("no train was fitted", "table")
    fits = fit_many(
        flat[there],
        direction=ds["direction"].values.ravel()[there].astype(str).tolist(),
        normalised=str(ds["conductance_min"].attrs["units"]) == "1",
        mirror=bool(used.get("mirror", 0)),
        skip_missing=True,
        **{key: used[key] for key in _OF_FIT if key in used},
    )
    found = profile_intervals(fits, level=level)
    shape, every = ds["valid"].shape, int(used.get("thinned", 1))
    data = {}
    for name in ("lower", "upper", "lower_open", "upper_open"):
        values = found[name].values
        fill: float | bool = np.nan if values.dtype.kind == "f" else False
        out = np.full((int(np.prod(shape)), values.shape[1]), fill, dtype=values.dtype)
        out[there] = values / every if values.dtype.kind == "f" else values
        data[name] = label(
            out.reshape(*shape, -1), (*POINT, "parameter"), "1", found[name].attrs["long_name"]
        )
    coords = {name: ds[name] for name in POINT} | {"parameter": found["parameter"]}
    return xr.Dataset(data, coords, {"level": level})


_SUFFIX = ".nc"
_FOLDER = Path(__file__).parent / "library"


def list_tables() -> list[str]:
    """Names of the tables of the library, sorted.

    Each is that of a device of `devicephys`, with the campaign behind it where there are several.
    """
    return sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}"))


def library_file(name: str) -> Path | None:
    """The file of a table of the library; None if none has this name."""
    return _FOLDER / f"{name}{_SUFFIX}" if name in list_tables() else None


def load_table(name_or_path: str | os.PathLike[str]) -> AlphaBetaTable:
    """A table of the library by its name, or from a file by its path.

    Parameters
    ----------
    name_or_path : str or Path
        One of `list_tables`, or a NetCDF file that `AlphaBetaTable.write` wrote.

    Returns
    -------
    AlphaBetaTable
        Its dataset's attribute ``provenance_json`` says from what it was fitted.

    Raises
    ------
    InputError
        No such table or file.
    StorageError
        The file is damaged, or another record.

    Examples
    --------
    >>> table = load_table("tin-taox-hfox-tin")
    >>> table.lookup(amplitude="-2.5 V", width="100 ns", initial_resistance="10 kohm").beta
    """
    given = os.fspath(name_or_path) if isinstance(name_or_path, str | os.PathLike) else ""
    if not isinstance(given, str) or not given.strip():
        what = f"{shorten(name_or_path)} is neither name nor path of a table"
        raise InputError(what, "load_table", closest("", list_tables()))
    shipped = library_file(given)
    if shipped is not None:
        return AlphaBetaTable.read(shipped)
    path = Path(given)
    if not path.exists() and path.suffix != _SUFFIX and path.name == given:
        hint = similar_file(path, closest(given, list_tables()))
        raise InputError(f"unknown table {shorten(given)}", "load_table", hint)
    return AlphaBetaTable.read(path)
