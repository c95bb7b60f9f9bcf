"""What a training run was like, epoch by epoch."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ddkbase.errors import StorageError, similar_file
from ddkbase.files import write_bytes
from ddkbase.records import check_hdf5, label

if TYPE_CHECKING:
    from network.model.network import Network

_NAMES = {
    "loss": ("nat", "cross-entropy of the training batches"),
    "accuracy": ("1", "accuracy on the training batches"),
    "validation_loss": ("nat", "cross-entropy of the validation set"),
    "validation_accuracy": ("1", "accuracy on the validation set"),
    "rate": ("1", "learning rate"),
    "share": ("1", "share of the samples that the epoch saw"),
    "seconds": ("s", "time since the start of training"),
}


@dataclass(frozen=True)
class History:
    """A training run.

    Parameters
    ----------
    dataset : xarray.Dataset
        Figures over ``epoch`` (1 to the last): loss, accuracy, validation_loss and
        validation_accuracy where there was a validation set, rate, seconds; over ``epoch`` and
        ``pair``: alpha, beta after each epoch, and alpha_start, beta_start over ``pair``, whose
        coordinate ``layer`` says where a pair belongs. Loss and accuracy are means over the batches
        of an epoch, while the network learns. Never a figure of a test set.
    best_epoch : int or None, optional
        Epoch of the smallest validation loss, from 1; None without a validation set.
    restored_epoch : int, default 0
        Epoch whose parameters the network was left with.
    stability : dict, optional
        For each DDK layer, its report on r = alpha / (beta x_max)^2.
    """

    dataset: xr.Dataset
    best_epoch: int | None = None
    restored_epoch: int = 0
    stability: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> xr.DataArray:
        """A variable of the dataset."""
        return self.dataset[name]

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return int(self.dataset.sizes["epoch"])

    def at(self, name: str, epoch: int | None = None) -> float:
        """Value of the variable ``name`` after an epoch, by default the one that was kept."""
        epoch = self.restored_epoch if epoch is None else epoch
        return float(self.dataset[name].sel(epoch=epoch))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the dataset as NetCDF-4, whole or not at all.

        Parameters
        ----------
        path : str or Path
            The file to make.
        overwrite : bool, default False
            Replace an existing file.

        Returns
        -------
        Path
            The path written.

        Raises
        ------
        StorageError
            The file exists and ``overwrite`` is false, or it cannot be written.
        """
        attributes = {"best_epoch": self.best_epoch or 0, "restored_epoch": self.restored_epoch}
        ds = self.dataset.assign_attrs(attributes)
        return write_bytes(path, ds.to_netcdf(engine="h5netcdf"), overwrite)


def read_history(path: str | os.PathLike[str]) -> History:
    """Read what `History.save` wrote; the stability reports are not in the file.

    Raises StorageError where there is no such file, or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise StorageError("there is no such file", str(path), similar_file(path))
    try:
        check_hdf5(path, str(path))
        with (
            warnings.catch_warnings(action="ignore"),  # what is odd is refused, in one line
            xr.open_dataset(
                path, engine="h5netcdf", decode_times=False, phony_dims="access"
            ) as handle,
        ):
            ds = handle.load()
        best = int(ds.attrs.pop("best_epoch")) or None
        restored = int(ds.attrs.pop("restored_epoch"))
        ds["loss"].sel(epoch=restored)
    except StorageError:
        raise
    except Exception as exc:  # each of the libraries below has errors of its own
        raise StorageError(f"it holds no training history [{exc}]", str(path)) from exc
    return History(ds, best, restored)


def by_epoch(rows: Sequence[Mapping[str, float]]) -> xr.Dataset:
    """Figures of epochs, each by the names of the variables, as a dataset over ``epoch``."""
    variables = {
        name: label([row[name] for row in rows], "epoch", *unit_and_name)
        for name, unit_and_name in _NAMES.items()
        if rows and name in rows[0]
    }
    return xr.Dataset(
        variables, {"epoch": label(np.arange(1, len(rows) + 1), "epoch", "1", "epoch")}
    )


class Recorder:
    """Gathers a `History` while a network trains."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._rows: list[dict[str, float]] = []
        self._kinetics = [self._pairs()]
        pairs = network.kinetics().items()
        self._names = [n for n, (a, b) in pairs for _ in range(np.broadcast(a, b).size)]

    def add(self, row: dict[str, float]) -> None:
        """One epoch: its figures, by the names of the dataset's variables."""
        self._rows.append(row)
        self._kinetics.append(self._pairs())

    def dataset(self, attributes: dict[str, Any]) -> xr.Dataset:
        """What was gathered so far."""
        variables: dict[str, Any] = {}
        for key, symbol in enumerate(("alpha", "beta")):
            name = f"{symbol} of the DDK layer"
            values = np.array([pairs[key] for pairs in self._kinetics])
            variables[symbol] = label(values[1:], ("epoch", "pair"), "1", name)
            variables[f"{symbol}_start"] = label(values[0], "pair", "1", f"{name} at the start")
        names = np.array(self._names, dtype=str)
        coordinates = {
            "pair": label(np.arange(names.size), "pair", "1", "pair of alpha and beta"),
            "layer": label(names, "pair", "1", "layer of the pair"),
        }
        ds = by_epoch(self._rows).assign(variables).assign_coords(coordinates)
        return ds.assign_attrs(attributes)

    def _pairs(self) -> np.ndarray:
        """All alpha and all beta, layer after layer, (2, pairs)."""
        pairs = [
            np.stack(np.broadcast_arrays(alpha, beta)).astype(float).reshape(2, -1)
            for alpha, beta in self._network.kinetics().values()
        ]
        return np.concatenate(pairs, axis=1) if pairs else np.empty((2, 0))
