"""The step that fits alpha and beta, and the table that the steps behind it use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from compact.plots import table as plots
from compact.report import write_report
from compact.table.source import open_source
from compact.table.table import AlphaBetaTable, library_file
from ddk.pipeline.file import Chain
from ddk.pipeline.job import Job, Picture, StepContext, StepResult
from ddk.pipeline.steps_device import STORE
from ddkbase.errors import InputError
from ddkbase.files import checksum
from ddkbase.pictures import save_figure

TABLE = "table.nc"


class TableSource:
    """Where the table comes from that a step uses: a step before it, a file, or nowhere.

    Parameters
    ----------
    chain : Chain
        The pipeline.

    Raises
    ------
    InputError
        Both a table and a step that fits one.
    StorageError
        The file is no table.
    """

    def __init__(self, chain: Chain) -> None:
        text = chain.file.table
        self.path: Path | None = None
        if text is not None:
            self.path = library_file(text) or chain.beside(text)
        self.fitted = "fit" in chain.steps
        if self.path is not None and self.fitted:
            raise InputError("a table is given, and one is to be fitted", "table, fit", "Leave one")
        self._checksum = ""
        if self.path is not None:
            self.read(None)
            self._checksum = checksum(self.path)

    def __bool__(self) -> bool:
        return self.fitted or self.path is not None

    def settings(self) -> dict[str, Any]:
        """What a step's result depends on, if the table is a file."""
        return {"table": self._checksum} if self.path is not None else {}

    def uses(self) -> tuple[str, ...]:
        """The step that makes the table, if one does."""
        return ("fit",) if self.fitted else ()

    def read(self, context: StepContext | None) -> AlphaBetaTable | None:
        """The table, None if there is none. Raises StorageError if it cannot be read."""
        if self.path is not None:
            return AlphaBetaTable.read(self.path)
        if self.fitted and context is not None:
            return AlphaBetaTable.read(context.inputs["fit"] / TABLE)
        return None


def fit_job(chain: Chain) -> Job:
    """alpha and beta of the trains of the campaign, of the one train, or of a file.

    Raises InputError: no trains, or several sources of them; an option that does not fit.
    StorageError: the file of trains is missing.
    """
    step = chain.file.fit
    assert step is not None
    trains = None if chain.file.trains is None else chain.beside(chain.file.trains)
    simulated = [name for name in ("campaign", "pulses") if name in chain.steps]
    if trains is not None and "campaign" in simulated:
        hint = "Leave one out"
        raise InputError("trains are given, and a campaign simulates others", "trains", hint)
    if trains is None and not simulated:
        hint = "Add the step 'campaign', or 'trains: measured.csv'"
        raise InputError("there are no trains to fit", "fit", hint)
    given = step.model_dump(exclude={"columns"}, exclude_none=True)
    options = {name: value for name, value in given.items() if value is not False}
    columns = step.columns.model_dump(exclude_unset=True)
    if columns and trains is None:
        raise InputError("simulated trains have no columns to choose", "fit.columns")
    settings: dict[str, Any] = {"options": options, "columns": columns}
    if trains is not None:
        settings["trains"] = checksum(trains)

    def work(context: StepContext) -> StepResult:
        if trains is not None:
            source: Any = open_source(trains, **columns)
        elif simulated[0] == "campaign":
            source = context.inputs["campaign"] / STORE
        else:
            source = context.inputs["pulses"] / "pulses.nc"
        table = AlphaBetaTable.fit(source, **options)
        if not table.dataset["valid"].values.any():
            raise InputError(f"no train could be fitted: {table.reasons()[0][0]}", "fit")
        table.write(context.folder / TABLE, overwrite=True)
        write_report(table, context.folder / "report.html", overwrite=True)
        return _result(table, context.folder)

    uses = (simulated[0],) if trains is None else ()
    return Job("fit", "Table of alpha and beta", settings, uses, work)


def _result(table: AlphaBetaTable, folder: Path) -> StepResult:
    """Figures of a table, and pictures of it in the folder."""
    ds = table.dataset
    valid = ds["valid"].values
    shares = explained(ds["conductance"].values[valid], ds["fitted"].values[valid])
    figures = {
        name: f"{ds[name].values[valid].min():.3g} to {ds[name].values[valid].max():.3g}"
        for name in ("alpha", "beta")
    }
    figures["R²"] = f"median {np.median(shares):.3f}, smallest {shares.min():.3f}"
    figures |= {k: v for k, v in table.figures().items() if k != "title"}
    warnings = [f"{count} trains not fitted: {reason}" for reason, count in table.reasons()]
    drawn: dict[str, tuple[str, Callable[[], Figure]]] = {
        "trains.png": ("trains and their fits", lambda: plots.trains_figure(table))
    }
    if len(table.varied) > 1:
        drawn["settings.png"] = (
            "alpha and beta by setting",
            lambda: plots.by_setting_figure(table),
        )
    drawn["region.png"] = ("pairs that pulses reach", lambda: plots.region_figure(table))
    pictures = []
    for file, (what, draw) in drawn.items():
        try:
            save_figure(draw(), folder / file, True)
        except InputError as error:  # nothing to draw
            warnings.append(f"no picture '{what}': {error}")
            continue
        pictures.append(Picture(file, what, file != "region.png"))
    links = {"report.html": "report of the table", TABLE: "the table (AlphaBetaTable)"}
    key = f"alpha {figures['alpha']}, beta {figures['beta']}, R² {np.median(shares):.2f}"
    return StepResult(figures, pictures, links=links, warnings=warnings, key=key)


def explained(measured: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """R² = 1 - sum (G - fit)² / sum (G - mean)² of each train.

    Parameters
    ----------
    measured, fitted : ndarray, shape (trains, n)
        Measured and fitted conductances, NaN behind the end of a train.
    """
    there = np.isfinite(measured) & np.isfinite(fitted)
    left = np.where(there, measured - fitted, 0.0)
    mean = np.where(there, measured, 0.0).sum(-1) / there.sum(-1)
    off = np.where(there, measured - mean[..., None], 0.0)
    return np.asarray(1 - (left**2).sum(-1) / (off**2).sum(-1))
