"""From a trained network to a chip: tiles, places, schedule.

>>> placement = compile_network(network, load_chip("180nm"), layout="compact")
>>> placement.write("placement.json")
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from network.ddk.array_layer import ArrayDDKLayer, with_recurrences
from network.ddk.layer import DDKLayer
from network.ddk.piecewise import HINGES, PiecewiseLinearDDK
from network.hardware.chip.chip import Chip
from network.hardware.chip.cost import Cost, cost
from network.hardware.chip.layouts import MATRICES, Block, arrange
from network.hardware.chip.loads import array_layer_loads, network_loads
from network.hardware.chip.placement import Placement
from network.hardware.chip.recurrences import (
    FITTED,
    PlacedMatrix,
    place_matrix,
    place_recurrence,
    recurrence_of,
)
from network.layers.plain import Dense, Dropout
from network.model.files import LAYER_MODULES
from network.model.network import Network

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable

__all__ = ["UNREACHABLE", "compile_network", "placement_cost"]

UNREACHABLE = ("refuse", "arrays")
"""What may become of pairs that no pulse of a table gives."""


def compile_network(
    network: Network,
    chip: Chip,
    *,
    layout: str = "separate",
    largest_weight: float | None = None,
    table: AlphaBetaTable | None = None,
    miss: float = 0.05,
    unreachable: str = "refuse",
    hinges: int = HINGES,
    samples: np.ndarray | None = None,
) -> Placement:
    """Place a network on a chip.

    Weights become conductances, each dense layer with a scale of its own and its bias as one more
    row. The statistics of `Standardise` layers stay digital.

    Parameters
    ----------
    network : Network
        The trained network.
    chip : Chip
        Description of the chip.
    layout : str, default "separate"
        One of `network.hardware.chip.layouts.LAYOUTS`.
    largest_weight : float or None, optional
        Weight at the end of the window; that of each layer if None.
    table : AlphaBetaTable or None, optional
        An `AlphaBetaTable` that says which pulses realise alpha and beta; without one the chip's
        own amplitude and width stand in the list of pulses.
    miss : float, default 0.05
        Largest distance, as a share, at which pulses of the table may miss alpha and beta.
    unreachable : {"refuse", "arrays"}, default "refuse"
        What becomes of pairs that the table does not reach: an error, or a recurrence of products
        on arrays (`network.ddk.PiecewiseLinearDDK`). The others are pulsed in either case.
    hinges : int, default 8
        Hinges of each recurrence.
    samples : ndarray or None, shape (samples, *input_shape), optional
        Inputs of the network that recurrences are fitted to, of which the first 256 are used; None
        takes constant and random ones in [0, 1].

    Raises
    ------
    InputError
        A layer that a chip cannot hold, more tiles than it has, weights beyond the window, alpha
        and beta that the table does not reach where that is refused, or that are no recurrence
        (pairs of single steps, the exact step).
    """
    if unreachable not in UNREACHABLE:
        raise InputError(
            f"{shorten(unreachable)}", "unreachable", closest(str(unreachable), UNREACHABLE)
        )
    if unreachable == "arrays" and table is None:
        raise InputError(
            "without a table no pair is known to be out of reach", "unreachable", "Pass table="
        )
    seen = None if samples is None else np.asarray(samples)[:FITTED]
    loads = network_loads(network)
    rows, columns = chip.count("rows"), chip.count("columns")
    mapping = replace(chip.mapping, limit=largest_weight)
    blocks: list[Block] = []
    matrices: list[PlacedMatrix] = []
    entries: list[dict[str, Any]] = []
    pulses: dict[str, dict[str, Any]] = {}
    for layer in network.layers:
        if isinstance(layer, Dropout):
            continue
        kind = type(layer).__name__
        if kind not in LAYER_MODULES:
            raise InputError("a placement cannot hold this layer", layer.name)
        config = {**layer.config(), "name": layer.name}
        entry: dict[str, Any] = {"name": layer.name, "class": kind, "config": config}
        if isinstance(layer, Dense):
            matrix = layer.parameters["weight"].astype(float)
            if layer.bias:
                matrix = np.concatenate([matrix, layer.parameters["bias"][None].astype(float)])
            placed_matrix = place_matrix(layer.name, matrix, mapping, (rows, columns), "matrix")
            entry |= placed_matrix.entry
            matrices.append(placed_matrix)
            blocks += placed_matrix.blocks
        elif isinstance(layer, DDKLayer):
            config["constraint"] = "positive"
            entry |= {"alpha": layer.alpha.ravel().tolist(), "beta": layer.beta.ravel().tolist()}
            pulses[layer.name], missed = _pulses(layer, chip, table, miss, unreachable)
            cells = layer.banks * int(np.prod(layer.channels, dtype=int))
            if missed:
                array_layer, own = _recurrences(layer, missed, chip, hinges, seen, entry)
                matrices += own
                blocks += [block for matrix in own for block in matrix.blocks]
                pulsed = array_layer.pulsed
                sequences = {"all": cells, "pulsed": pulsed}
                cells = len(pulsed)
                pulses[layer.name] |= {"cells": cells, "sequences": sequences}
                where = [x.name for x in loads].index(layer.name)
                loads[where : where + 1] = array_layer_loads(array_layer)
            blocks += _ddk_blocks(layer, cells, layout, rows, columns)
        elif layer.parameters or layer.buffers:
            arrays = {**layer.parameters, **layer.buffers}
            entry["arrays"] = {k: np.asarray(v, float).tolist() for k, v in arrays.items()}
        entries.append(entry)
        seen = None if seen is None else layer.forward(seen)
    placed = arrange(blocks, layout, rows, columns, chip.count("tiles"))
    held = {matrix.name: matrix.cells for matrix in matrices}
    conductances = tuple(
        held[b.layer][slice(*b.inputs), slice(*b.columns)] if b.kind in MATRICES else None
        for b in placed
    )
    costs = cost(loads, chip, layout=layout)
    return Placement(
        layout,
        chip,
        network.input_shape,
        network.classes,
        dict(network.notes),
        tuple(entries),
        tuple(placed),
        conductances,
        pulses,
        tuple(_schedule(costs, placed)),
    )


def placement_cost(placement: Placement) -> Cost:
    """Cost of one inference of a compiled network, with the tiles that it takes.

    ``placement`` is what `compile_network` or `read_placement` gives.
    """
    loads = network_loads(placement.network())
    return cost(loads, placement.chip, layout=placement.layout, tiles=placement.tiles)


def _recurrences(
    layer: DDKLayer,
    missed: dict[int, float],
    chip: Chip,
    hinges: int,
    samples: np.ndarray | None,
    entry: dict[str, Any],
) -> tuple[ArrayDDKLayer, list[PlacedMatrix]]:
    """The layer with the pairs of ``missed`` on arrays, their matrices, and what ``entry`` says."""
    recurrences: dict[int, PiecewiseLinearDDK] = {}
    matrices: list[PlacedMatrix] = []
    entry["recurrences"] = []
    for pair, distance in missed.items():
        recurrences[pair], x = recurrence_of(layer, pair, hinges, samples)
        described, own = place_recurrence(layer, pair, recurrences[pair], x, chip, distance)
        entry["recurrences"].append(described)
        matrices += own
    return with_recurrences(layer, recurrences), matrices


def _ddk_blocks(layer: Any, number: int, layout: str, rows: int, columns: int) -> list[Block]:
    diagonal = layout in ("separate", "packed")
    most = min(rows, columns) if diagonal else rows
    blocks = []
    for start in range(0, number, most):
        count = min(most, number - start)
        width = count if diagonal else 1
        kind = "ddk-diagonal" if diagonal else "ddk"
        blocks.append(Block(layer.name, kind, count, width, (start, start + count)))
    return blocks


def _pulses(
    layer: Any, chip: Chip, table: AlphaBetaTable | None, miss: float, unreachable: str
) -> tuple[dict[str, Any], dict[int, float]]:
    """What pulses a DDK layer needs: one entry for each pair of alpha and beta; and by number of
    the pair those that pulses miss, with the distance, whose entry is None."""
    pairs = np.stack([layer.alpha.ravel(), layer.beta.ravel()], axis=1)
    common: dict[str, Any] = {
        "steps": layer.steps,
        "cells": layer.banks * int(np.prod(layer.channels, dtype=int)),
        "form": layer.config()["form"],
        "pair_shape": list(layer.pair_shape),
        "amplitude_at_0_V": chip.value("pulse_start"),
    }
    if table is None:
        common["from"] = "the chip's description; a table would say which pulses give the pair"
        common["settings"] = [
            {"amplitude_at_1_V": chip.value("pulse_voltage"), "width_s": chip.value("pulse_time")}
        ]
        return common, {}
    settings: list[dict[str, float] | None] = []
    missed: dict[int, float] = {}
    for number, (alpha, beta) in enumerate(pairs):
        inversion = table.invert(alpha=float(alpha), beta=float(beta))
        if inversion.distance > miss and unreachable == "arrays":
            missed[number] = float(inversion.distance)
            settings.append(None)
            continue
        if inversion.distance > miss:
            raise InputError(
                f"alpha {alpha:.4g} and beta {beta:.4g} are outside of the table: its pulses miss "
                f"them by {100 * inversion.distance:.0f} %",
                layer.name,
                "Train with this table (--table), take a table of more settings, or put such pairs "
                "on arrays (--unreachable arrays)",
            )
        setting = {"amplitude_at_1_V": inversion.at.amplitude, "width_s": inversion.at.width}
        if not np.isfinite(list(setting.values())).all():
            raise InputError(
                "the table does not say with which amplitude and width its cells were pulsed",
                layer.name,
                "Fit it with --amplitude and --width",
            )
        if np.isfinite(inversion.at.initial_resistance):
            setting["initial_resistance_ohm"] = inversion.at.initial_resistance
        settings.append(
            {k: float(v) for k, v in setting.items()} | {"miss": float(inversion.distance)}
        )
    common["from"] = "the closest settings of a table"
    common["settings"] = settings
    return common, missed


def _schedule(costs: Cost, blocks: list[Block]) -> list[dict[str, Any]]:
    now, out = 0.0, []
    for layer in costs.layers:
        name = layer.load.name
        tiles = sorted({b.tile for b in blocks if b.layer == name})
        out.append(
            {
                "layer": name,
                "start_s": now,
                "end_s": now + layer.latency,
                "tiles": tiles,
                "uses": layer.load.uses if layer.load.kind == "matrix" else layer.load.steps or 1,
            }
        )
        now += layer.latency
    return out
