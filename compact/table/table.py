"""`AlphaBetaTable`: alpha and beta of a kind of cell, by pulse setting, cycle and device.

>>> table = AlphaBetaTable.fit("runs/s8.zarr")
>>> table.lookup(amplitude="-2.3 V", width="80 ns", initial_resistance="8 kohm").beta
>>> table.invert(alpha=0.01, beta=0.4)
>>> table.sample(numpy.random.default_rng(1), "device").lookup(...)
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from compact.table.answers import Inversion, Lookup, Region
from compact.table.grid import Grid
from compact.table.schema import AXES, POINT, RELATIVE, TABLE, UNITS, VALUES, words
from compact.table.statistics import misfit, misfit_words, summary
from ddkbase.errors import InputError, StorageError, one_line, shorten
from ddkbase.units import format_si

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from compact.table.trends import Trend

__all__ = ["AlphaBetaTable", "Inversion", "Lookup", "Region"]


@dataclass(frozen=True, repr=False)
class AlphaBetaTable:
    """A table; ``dataset`` is a valid record ``AlphaBetaTable`` version 1 (see docs/compact.md)."""

    dataset: xr.Dataset

    def __post_init__(self) -> None:
        from ddkbase.records import validate

        if self.dataset.attrs.get("schema") not in (TABLE, RELATIVE):
            raise StorageError(f"a record '{TABLE}' was expected", "table")
        validate(self.dataset, where="table")

    @classmethod
    def fit(
        cls,
        source: Any,
        *,
        window: str | None = None,
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
        window : {"data", "free"} or None, optional
            "data" (as the article: every train spans 0 to 1, so that alpha and beta of different
            settings compare) or "free". By default "data"; the article's method has no other.
        direction : {"down", "up"} or None, optional
            Take only these trains.
        amplitude, width, initial_resistance : str or None, optional
            The setting as text with a unit, where the data do not say it.
        **options : dict, optional
            Options of `compact.fit_many`: method, integrator, loss, seed, ...; eight starts by
            default.

        Raises
        ------
        InputError
            No trains in it, up and down trains at one setting, an option out of range.
        StorageError
            The source cannot be read.
        """
        from compact.table.build import build

        return cls(
            build(
                source,
                window=window if window is not None else "data",
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
        from ddkbase.records import read

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
        from ddkbase.records import write

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
        told = {"amplitude": amplitude, "width": width, "initial_resistance": initial_resistance}
        return self._grid.lookup(told)

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
            `compact.table.sampling.drawn`. Default: "device" if the table has several devices, else
            "cycle".

        Raises
        ------
        InputError
            Fewer than two cycles or devices are valid at all settings.
        """
        from compact.table.sampling import drawn

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
        from compact.table.trends import trends

        return trends(self.dataset)

    def plot(self) -> Figure:
        """Figure of alpha and beta with 95 % bands: `compact.plots.table.trends_figure`."""
        from compact.plots.table import trends_figure

        return trends_figure([self])

    def figures(self) -> dict[str, str]:
        """What there is to know at a glance, as texts."""
        ds = self.dataset
        valid = ds["valid"].values
        there = ds["reason"].values.astype(str) != "the point was not computed"
        out = {"title": str(ds.attrs["title"])}
        for axis in AXES:
            values = ds[axis].values
            texts = [format_si(v, UNITS[axis]) for v in values if np.isfinite(v)]
            if len(texts) > 6:
                texts = [f"{len(texts)} from {texts[0]} to {texts[-1]}"]
            out[words(axis)] = ", ".join(texts) or "not known"
        out["cycles"] = str(ds.sizes["cycle"])
        out["devices"] = str(ds.sizes["device"])
        computed = int(there.sum())
        out["valid"] = f"{int(valid.sum())} of {computed} trains"
        if computed < valid.size:
            out["valid"] += f" ({valid.size - computed} not computed)"
        determined = int(ds["determined"].values[valid].sum())
        out["alpha and beta both determined"] = f"{determined} of {int(valid.sum())}"
        out["fit"] = (
            f"method {ds.attrs['method']}, {ds.attrs['integrator']} integrator, "
            f"window {ds.attrs.get('window', '?')}, direction {ds.attrs['direction']}"
        )
        residual = ds["residual"].values[valid]
        if residual.size and np.isfinite(residual).all():  # not of a draw
            out["residual R"] = f"median {np.median(residual):.3g}, largest {residual.max():.3g}"
            out["misfit"] = misfit_words(misfit(ds)[valid])
        return out

    def reasons(self) -> list[tuple[str, int]]:
        """Why trains are not valid, and how many each, the most frequent first."""
        texts, counts = np.unique(
            self.dataset["reason"].values[~self.dataset["valid"].values].astype(str),
            return_counts=True,
        )
        return sorted(zip(texts.tolist(), counts.tolist(), strict=True), key=lambda p: -p[1])

    def provenance(self) -> dict[str, Any]:
        """What the trains' source said of its own origin."""
        return dict(json.loads(self.dataset.attrs["provenance_json"]))

    def __repr__(self) -> str:
        lines = [f"{name}: {text}" for name, text in self.figures().items() if name != "title"]
        return "\n  ".join([f"AlphaBetaTable: {self.dataset.attrs['title']}", *lines])


def _look_into(path: Path) -> None:
    """Refuse what is no HDF5 file in words; nothing is said of a file that is not there."""
    from compact.measured.netcdf import probe_hdf5

    try:
        if path.exists() and not path.is_file():
            raise StorageError("is not a regular file", str(path))
        if path.is_file():
            path.open("rb").close()
            probe_hdf5(path)
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

    Raises
    ------
    InputError
        Something else among them, or none.
    """
    found = [sources] if isinstance(sources, AlphaBetaTable) else list(sources)
    if not found or not all(isinstance(t, AlphaBetaTable) for t in found):
        raise InputError("one table or several are needed", "tables")
    return found
