"""`DataSet`: samples, their classes, and what must not be parted when they are split."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError
from network.datasets.rows import Rows

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["DataSet"]


@dataclass(frozen=True, repr=False)
class DataSet:
    """Labelled samples.

    Attributes
    ----------
    name : str
        Name of the set.
    x : ndarray of float32 or Rows, shape `(samples, *sample_shape)`
        Samples, 0 to 1 (but cepstral coefficients, which keep their own scale); the last axis is
        the one that the DDK layer takes as time. A `Rows` where the set is large: index it with
        samples (``x[train]``, ``x[0:128]``) and it gives float32 arrays.
    y : ndarray of int64, shape (samples,)
        Class of each sample, an index into ``classes``.
    classes : tuple of str
        Names of the classes.
    dims : tuple of str
        Names of the axes of a sample.
    groups : ndarray, shape (samples,), optional
        What must not be parted: recording, utterance, person.
    fold : ndarray, shape (samples,), optional
        "train" or "test" where the source prescribes it, else "".
    items : ndarray of int64, shape (samples,), optional
        Number of the object on which samples decide together (a clip of several frames, a recording
        of several utterances).
    span : ndarray of float64, shape (samples, 2), s, optional
        Start and end within the recording; NaN where there is none.
    source, license : str
        Where the data come from and on which terms.
    synthetic : bool, default False
        Whether the data are computed, not measured.
    seconds : float or None, s, optional
        Length of a sample, where it has one.
    rate : float or None, Hz, optional
        Samples in a second along the last axis, where it has one.
    notes : tuple of str, default ()
        Flaws that a reader of results must know.
    """

    name: str
    x: np.ndarray | Rows
    y: np.ndarray
    classes: tuple[str, ...]
    dims: tuple[str, ...]
    source: str
    license: str
    groups: np.ndarray = field(default_factory=lambda: np.empty(0, dtype="U1"))
    fold: np.ndarray = field(default_factory=lambda: np.empty(0, dtype="U5"))
    items: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    span: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    synthetic: bool = False
    seconds: float | None = None
    rate: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.x)
        defaults: dict[str, Any] = {
            "groups": lambda: np.arange(count).astype(str),
            "fold": lambda: np.full(count, "", dtype="U5"),
            "items": lambda: np.arange(count, dtype=np.int64),
            "span": lambda: np.full((count, 2), np.nan),
        }
        for name, default in defaults.items():
            if count and not len(getattr(self, name)):
                object.__setattr__(self, name, default())
        object.__setattr__(self, "y", np.asarray(self.y, dtype=np.int64))
        for name in ("y", *defaults):
            if len(getattr(self, name)) != count:
                raise InputError(
                    f"{len(getattr(self, name))} values for {count} samples",
                    f"data set '{self.name}', {name}",
                )
        if len(self.dims) != len(self.x.shape) - 1:
            raise InputError(
                f"names {self.dims} for samples of shape {self.sample_shape}",
                f"data set '{self.name}', dims",
            )
        if count and not 0 <= self.y.min() <= self.y.max() < len(self.classes):
            raise InputError("a label names no class", f"data set '{self.name}', y")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a sample."""
        return tuple(int(n) for n in self.x.shape[1:])

    def subset(self, index: Any) -> DataSet:
        """The samples of these numbers (or of this mask); large sets stay packed."""
        index = np.asarray(index)
        x = self.x.take(index) if isinstance(self.x, Rows) else self.x[index]
        parts = {n: getattr(self, n)[index] for n in ("y", "groups", "fold", "items", "span")}
        return replace(self, x=x, **parts)

    def with_x(self, x: np.ndarray | Rows, dims: tuple[str, ...] | None = None) -> DataSet:
        """The same samples with other features; their shape may differ."""
        return replace(self, x=x, dims=self.dims if dims is None else dims)

    def to_xarray(self) -> xr.Dataset:
        """x, y and what else belongs to a sample, labelled with dims, units and long names."""
        import xarray as xr

        def label(dims: Any, data: Any, unit: str, text: str) -> Any:
            return xr.Variable(dims, data, {"units": unit, "long_name": text})

        return xr.Dataset(
            {
                "x": label(("sample", *self.dims), np.asarray(self.x), "1", "input"),
                "y": label("sample", self.y, "1", "class number"),
                "group": label("sample", self.groups, "1", "what must not be parted"),
                "fold": label("sample", self.fold, "1", "part prescribed by the source"),
                "item": label("sample", self.items, "1", "object decided on together"),
                "start": label("sample", self.span[:, 0], "s", "start within the recording"),
                "end": label("sample", self.span[:, 1], "s", "end within the recording"),
            },
            {"class": label("class", list(self.classes), "1", "name of the class")},
            {"title": self.name, "source": self.source, "license": self.license},
        )

    def figures(self) -> dict[str, str]:
        """What there is to know at a glance, as texts."""
        counts = np.bincount(self.y, minlength=len(self.classes))
        out = {
            "samples": str(len(self)),
            "sample": f"{' x '.join(map(str, self.sample_shape))} ({', '.join(self.dims)})",
            "classes": ", ".join(
                f"{c} {n}" for c, n in zip(self.classes, counts.tolist(), strict=True)
            ),
            "groups": str(len(np.unique(self.groups))),
        }
        folds, numbers = np.unique(self.fold, return_counts=True)
        if any(folds):
            pairs = zip(folds.tolist(), numbers.tolist(), strict=True)
            out["folds"] = ", ".join(f"{f or 'none'} {n}" for f, n in pairs)
        if self.seconds is not None:
            out["length of a sample"] = f"{self.seconds:g} s"
        out["source"], out["license"] = self.source, self.license
        if self.synthetic:
            out["synthetic"] = "computed, not measured"
        if self.notes:
            out["notes"] = "; ".join(self.notes)
        return out

    def __repr__(self) -> str:
        lines = [f"{name}: {text}" for name, text in self.figures().items()]
        return "\n  ".join([f"DataSet '{self.name}'", *lines])
