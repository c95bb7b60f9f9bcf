"""From a trained network to a chip: tiles, places, schedule.

>>> placement = compile_network(network, load_chip("180nm"), layout="compact")
>>> placement.write("placement.json")
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError
from network.ddk.layer import DDKLayer
from network.hardware.arrays.columns import layout_of
from network.hardware.chip.chip import Chip
from network.hardware.chip.cost import Cost, cost
from network.hardware.chip.layouts import Block, arrange
from network.hardware.chip.loads import network_loads
from network.hardware.chip.placement import Placement
from network.layers.plain import Dense, Dropout
from network.model.files import LAYER_MODULES
from network.model.network import Network

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable

__all__ = ["compile_network", "placement_cost"]


def compile_network(
    network: Network,
    chip: Chip,
    *,
    layout: str = "separate",
    largest_weight: float | None = None,
    table: AlphaBetaTable | None = None,
    miss: float = 0.05,
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

    Raises
    ------
    InputError
        A layer that a chip cannot hold, more tiles than it has, weights beyond the window, alpha
        and beta that the table does not reach.
    """
    loads = network_loads(network)
    rows, columns = chip.count("rows"), chip.count("columns")
    mapping = replace(chip.mapping, limit=largest_weight)
    blocks: list[Block] = []
    matrices: dict[str, np.ndarray] = {}
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
            try:
                # cells go by output, the network's matrices are (inputs, outputs)
                positive, negative = mapping.cells(matrix.T)
            except InputError as error:
                hint = "Raise the limit (--largest-weight), or leave it out"
                raise InputError(error.what, layer.name, hint) from None
            plan = layout_of(matrix.T.shape, (rows, columns), mapping)
            matrices[layer.name] = plan.columns_of(positive, negative).T
            entry |= {
                "inputs": len(matrix),
                "columns": plan.columns,
                "scale": mapping.scale(matrix),
                "positive": plan.positive.tolist(),
                "negative": plan.negative.tolist(),
            }
            blocks += [
                Block(
                    layer.name,
                    "matrix",
                    r.stop - r.start,
                    c.stop - c.start,
                    (r.start, r.stop),
                    (c.start, c.stop),
                )
                for r in plan.row_tiles
                for c in plan.column_tiles
            ]
        elif isinstance(layer, DDKLayer):
            config["constraint"] = "positive"
            entry |= {"alpha": layer.alpha.ravel().tolist(), "beta": layer.beta.ravel().tolist()}
            blocks += _ddk_blocks(layer, layout, rows, columns)
            pulses[layer.name] = _pulses(layer, chip, table, miss)
        elif layer.parameters or layer.buffers:
            arrays = {**layer.parameters, **layer.buffers}
            entry["arrays"] = {k: np.asarray(v, float).tolist() for k, v in arrays.items()}
        entries.append(entry)
    placed = arrange(blocks, layout, rows, columns, chip.count("tiles"))
    cells = tuple(
        matrices[b.layer][slice(*b.inputs), slice(*b.columns)] if b.kind == "matrix" else None
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
        cells,
        pulses,
        tuple(_schedule(costs, placed)),
    )


def placement_cost(placement: Placement) -> Cost:
    """Cost of one inference of a compiled network, with the tiles that it takes.

    ``placement`` is what `compile_network` or `read_placement` gives.
    """
    loads = network_loads(placement.network())
    return cost(loads, placement.chip, layout=placement.layout, tiles=placement.tiles)


def _ddk_blocks(layer: Any, layout: str, rows: int, columns: int) -> list[Block]:
    number = layer.banks * int(np.prod(layer.channels, dtype=int))
    diagonal = layout in ("separate", "packed")
    most = min(rows, columns) if diagonal else rows
    blocks = []
    for start in range(0, number, most):
        count = min(most, number - start)
        width = count if diagonal else 1
        kind = "ddk-diagonal" if diagonal else "ddk"
        blocks.append(Block(layer.name, kind, count, width, (start, start + count)))
    return blocks


def _pulses(layer: Any, chip: Chip, table: AlphaBetaTable | None, miss: float) -> dict[str, Any]:
    """What pulses a DDK layer needs: one entry for each pair of alpha and beta."""
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
        return common
    settings = []
    for alpha, beta in pairs:
        inversion = table.invert(alpha=float(alpha), beta=float(beta))
        if inversion.distance > miss:
            raise InputError(
                f"alpha {alpha:.4g} and beta {beta:.4g} are outside of the table: its pulses miss "
                f"them by {100 * inversion.distance:.0f} %",
                layer.name,
                "Train with this table (--table), or take a table of more settings",
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
    return common


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
