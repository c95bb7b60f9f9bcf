"""Runs side by side: the figures of each, and the parameters in which their cells differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ddkbase.records import of_record
from devicephys.plots.style import device_of
from devicephys.run.figures import entries, figures_of
from devicephys.run.pictures import read_records

__all__ = ["compare_runs"]

_NONE = "–"


@of_record()
def compare_runs(
    folders: Sequence[str | Path],
) -> tuple[list[list[str]], list[list[str]], list[Any]]:
    """Lay the figures of several runs side by side.

    Parameters
    ----------
    folders : sequence of str or Path
        Folders of loops, trains or scans; the first is the one that the others are held against.

    Returns
    -------
    differences : list of list of str
        Rows of what differs in the request: parameter, then its value in each run.
    figures : list of list of str
        Rows of figures: name, then its text of each run.
    entries : list
        For each run its entries as in its ``--json`` document.

    Raises
    ------
    StorageError
        No such folder, no record of a run in it, or a damaged one.
    """
    requests, figures, documents = [], [], []
    for folder in folders:
        ds = read_records(Path(folder))[0]
        figures.append({f.name: f.text for f in figures_of(ds) if f.name and not f.numerical})
        documents.append(entries(ds))
        requests.append(_request(ds))
    differences = [row for row in _side_by_side(requests) if len(set(row[1:])) > 1]
    return differences, _side_by_side(figures), documents


def _request(ds: xr.Dataset) -> dict[str, str]:
    """Preset, protocol and parameters of a run, as texts."""
    settings = json.loads(ds.attrs.get("settings_json", "{}"))
    protocol = json.loads(ds.attrs.get("protocol_json", "{}"))
    device = device_of(ds)
    request = {"device": device.name, "preset": str(settings.get("name", "?"))}
    request["vacancies"] = "move" if settings.get("motion", True) else "held"
    request |= {f"protocol.{name}": str(value) for name, value in protocol.items()}
    return request | {row.path: str(row.value) for row in device.table()}


def _side_by_side(runs: Sequence[dict[str, str]]) -> list[list[str]]:
    """A row for each name that any run has."""
    names = dict.fromkeys(name for run in runs for name in run)
    return [[name, *(run.get(name, _NONE) for run in runs)] for name in names]
