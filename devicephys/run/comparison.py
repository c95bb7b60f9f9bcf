"""Runs side by side: the figures of each, and the parameters in which their cells differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddkbase import records
from ddkbase.errors import StorageError, similar_file
from devicephys.run.folder import PULSE_RECORD, RECORD

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["compare_runs"]

#: figures of the calculation, not of the cell
_OF_CALCULATION = {
    "Accepted steps", "Rejected steps", "Newton iterations", "Factorisations", "Cells of the mesh",
    "Unknowns", "Time",
}  # fmt: skip
_NONE = "–"


def compare_runs(folders: Sequence[Path]) -> tuple[list[list[str]], list[list[str]], list[Any]]:
    """Lay the figures of several runs side by side.

    Parameters
    ----------
    folders : sequence of Path
        Folders of loops, or of trains; the first is the one that the others are held against.

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
        No such folder, no record of a loop or a train in it, or a damaged one.
    """
    from devicephys.run.progress import headline_rows
    from devicephys.run.pulses import pulse_rows
    from devicephys.run.summary import loop_entries, pulse_entries

    asked, shown, entries = [], [], []
    for folder in folders:
        schema, ds = _record(folder)
        loop = schema == "IVTrace"
        rows = headline_rows(json.loads(ds.attrs["headline_json"])) if loop else pulse_rows(ds)
        shown.append({name: text for name, text in rows if name not in _OF_CALCULATION})
        entries.append(loop_entries(ds) if loop else pulse_entries(ds))
        asked.append(_asked(ds))
    changed = [row for row in _side_by_side(asked) if len(set(row[1:])) > 1]
    return changed, _side_by_side(shown), entries


def _record(folder: Path) -> tuple[str, xr.Dataset]:
    if not folder.is_dir():
        hint = similar_file(folder, "Name the folder that followed --out")
        raise StorageError("there is no such folder", str(folder), hint)
    for name, schema in ((RECORD, "IVTrace"), (PULSE_RECORD, "PulseTrace")):
        if (folder / name).exists():
            return schema, records.read(folder / name, schema)
    raise StorageError(
        f"there is no such file: {RECORD} or {PULSE_RECORD}",
        str(folder),
        "Name the folder that followed --out",
    )


def _asked(ds: xr.Dataset) -> dict[str, str]:
    """Preset, protocol and parameters of a run, as texts."""
    from devicephys.plots.style import device_of

    settings = json.loads(ds.attrs.get("settings_json", "{}"))
    protocol = json.loads(ds.attrs.get("protocol_json", "{}"))
    device = device_of(ds)
    found = {"device": device.name, "preset": str(settings.get("name", "?"))}
    found |= {f"protocol.{name}": str(value) for name, value in protocol.items()}
    return found | {row.path: str(row.value) for row in device.table()}


def _side_by_side(found: Sequence[dict[str, str]]) -> list[list[str]]:
    names = dict.fromkeys(name for one in found for name in one)
    return [[name, *(one.get(name, _NONE) for one in found)] for name in names]
