"""The folder of a compiled network: its placement, the pulses that this asks for, a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddkbase.errors import StorageError
from ddkbase.files import write_bytes
from ddkbase.folders import check_new_folder, drawn_after, kept_elsewhere, new_folder
from ddkbase.picture_names import PAPER, Pictures, as_format, in_formats
from ddkbase.pictures import save_figure
from network.hardware.chip.layouts import MATRICES, Block
from network.hardware.chip.placement import Placement
from network.plots.hardware import placement_figure

__all__ = [
    "HEADS",
    "PICTURE",
    "PLACEMENT",
    "PULSES",
    "check_free",
    "pulses",
    "write_folder",
    "write_pulses",
]

HEADS = (
    "phase",
    "layer",
    "tile",
    "rows",
    "columns",
    "step",
    "kind",
    "amplitude [V]",
    "width [s]",
    "target [S]",
    "tolerance [S]",
)


def pulses(placement: Placement) -> Iterator[tuple[Any, ...]]:
    """Lines of the list, in order, as `HEADS`."""
    v = placement.chip.value
    for block, cells in zip(placement.blocks, placement.cells, strict=True):
        if cells is None:
            continue
        for i in range(block.height):
            for j in range(block.width):
                cell = (block.tile, block.row + i, block.column + j)
                write = ("write-and-verify", v("write_voltage"), v("write_time"))
                target = (f"{cells[i, j]:.6g}", v("write_tolerance"))
                yield ("write", block.layer, *cell, "", *write, *target)
    for name, entry in placement.pulses.items():
        yield from _features(placement, name, entry)
    for entry in placement.schedule:
        for block in placement.blocks:
            if block.layer != entry["layer"] or block.kind not in MATRICES:
                continue
            rows, columns = _span(block.row, block.height), _span(block.column, block.width)
            for use in range(int(entry["uses"])):
                for bit in range(placement.chip.slices):
                    step = use * placement.chip.slices + bit
                    read = (f"{v('read_voltage'):g}*x", v("read_time"), "", "")
                    yield ("product", block.layer, block.tile, rows, columns, step, "read", *read)


def _features(placement: Placement, name: str, train: Any) -> Iterator[tuple[Any, ...]]:
    v = placement.chip.value
    top, start = v("conductance_high"), float(train["amplitude_at_0_V"])
    where = [p for b in placement.blocks if b.layer == name for p in _cells(b)]
    numbers = train.get("sequences", {"pulsed": range(len(where))})["pulsed"]
    settings = train["settings"]
    reset = train["form"] == "reset"
    state = f"{top if reset else v('conductance_low'):.6g}"
    for tile, row, column in where:
        write = ("write-and-verify", v("write_voltage"), v("write_time"), state)
        yield ("prepare", name, tile, row, column, "", *write, v("write_tolerance"))
    sign = "-" if reset else ""
    for step in range(int(train["steps"])):
        for number, (tile, row, column) in zip(numbers, where, strict=True):
            setting = settings[_setting(train, number, step, len(settings))]
            high = abs(float(setting["amplitude_at_1_V"]))
            volts = f"{sign}({start:g}+{high - start:g}*x)"
            kind = "RESET" if reset else "SET"
            prefix = ("feature", name, tile, row, column, step)
            yield (*prefix, kind, volts, setting["width_s"], "", "")
            yield (*prefix, "read", v("read_voltage"), v("read_time"), "", "")


def _setting(train: Any, cell: int, step: int, number: int) -> int:
    """Which pair a cell has at a step; pairs are `(banks, *channels or 1, steps or 1)`."""
    if number == 1:
        return 0
    banks, *inner, last = train["pair_shape"]
    own = 1
    for n in inner:
        own *= n
    # some may be recurrences on arrays and have no cell
    cells = int(train["sequences"]["all"] if "sequences" in train else train["cells"]) // banks
    bank, channel = divmod(cell, cells)
    pair = bank * own + (channel if own > 1 else 0)
    return pair * last + (step if last > 1 else 0)


def _cells(block: Block) -> Iterator[tuple[int, int, int]]:
    for k in range(block.height):
        diagonal = k if block.kind == "ddk-diagonal" else 0
        yield block.tile, block.row + k, block.column + diagonal


def _span(start: int, length: int) -> str:
    return f"{start}-{start + length - 1}" if length > 1 else str(start)


def write_pulses(placement: Placement, path: Path, overwrite: bool = False) -> Path:
    """Write the list as CSV, whole or not at all. Raises StorageError."""
    lines = [",".join(HEADS)]
    lines += [",".join(str(value) for value in line) for line in pulses(placement)]
    return write_bytes(path, ("\n".join(lines) + "\n").encode("utf-8"), overwrite)


PLACEMENT, PICTURE, PULSES = "placement.json", "placement.png", "pulses.csv"


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse, before the work is done, a folder that cannot be made.

    Raises
    ------
    StorageError
        Something is there that is not to be replaced, or the folder above is missing.
    """
    check_new_folder(path)
    if path.is_dir() and any(path.iterdir()):
        ours = {PLACEMENT, PULSES, *(as_format(PICTURE, p) for p in Pictures if p != Pictures.none)}
        if {p.name for p in path.iterdir()} - ours - {PAPER}:
            raise StorageError("the folder holds something else", str(path), "Choose another name")
        if not overwrite:
            raise StorageError(
                "the folder holds a placement already", str(path), "Use --overwrite or another name"
            )


def write_folder(
    placement: Placement, path: Path, overwrite: bool = False, pictures: str = "png"
) -> Path:
    """Write placement, picture (as PNG and as ``pictures``) and list of pulses to a new folder.

    Raises
    ------
    StorageError
        See `check_free`; the disk is full. Placement and pulses are then in a temporary folder,
        which is named. If the picture alone cannot be drawn or written, all else is in the folder.
    """

    def fill(folder: Path) -> None:
        placement.write(folder / PLACEMENT)
        write_pulses(placement, folder / PULSES)

    with kept_elsewhere(fill, "ddk-network-"):
        check_free(path, overwrite)
        with new_folder(path, overwrite) as scratch:
            fill(scratch)
    for name in in_formats(PICTURE, pictures):
        with drawn_after(path / name):
            save_figure(placement_figure(placement), path / name)
    return path
