"""A chip of tiles that are not square, and what it is made into: blocks, schedule, hardware."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import network.hardware.on_chip as on_chip
from ddkbase.errors import StorageError
from network.ddk.layer import DDKLayer
from network.hardware import ConductanceWindow, SynapticCells, compile_network, load_chip
from network.hardware.chip.chip import Chip
from network.hardware.chip.compiler import _ddk_blocks, placement_cost
from network.hardware.chip.placement import Placement, read_placement
from network.hardware.chip.recurrences import place_recurrence, recurrence_of
from network.model.network import ddk_network


def chip(**values: object) -> Chip:
    described = load_chip("180nm").to_mapping()
    for key, value in values.items():
        described["values"][key]["value"] = value
    return Chip.from_mapping(described)


@pytest.fixture(scope="module")
def placed() -> Placement:
    network = ddk_network((3, 20), [30], 4, seed=0, ddk={"per": "channel"})
    return compile_network(network, chip(rows=24, columns=40))


@pytest.mark.parametrize(
    ("layout", "rows", "columns", "sizes"),
    [
        ("separate", 7, 10, [(7, 7), (7, 7), (7, 7), (4, 4)]),
        ("packed", 10, 7, [(7, 7), (7, 7), (7, 7), (4, 4)]),
        ("compact", 7, 10, [(7, 1), (7, 1), (7, 1), (4, 1)]),
        ("joined", 10, 7, [(10, 1), (10, 1), (5, 1)]),
    ],
)
def test_cells_of_a_ddk_layer_fill_diagonals_or_columns(
    layout: str, rows: int, columns: int, sizes: list[tuple[int, int]]
) -> None:
    layer = DDKLayer(4, 25, name="d")
    blocks = _ddk_blocks(layer, 25, layout, rows, columns)
    assert [(b.height, b.width) for b in blocks] == sizes
    ends = np.cumsum([0, *(height for height, _ in sizes)]).tolist()
    assert [b.inputs for b in blocks] == list(itertools.pairwise(ends))


def test_layers_follow_each_other_in_the_schedule(placed: Placement) -> None:
    costs = placement_cost(placed)
    assert [entry["layer"] for entry in placed.schedule] == [x.load.name for x in costs.layers]
    now = 0.0
    for entry, layer in zip(placed.schedule, costs.layers, strict=True):
        assert entry["start_s"] == pytest.approx(now)
        now += layer.latency
        assert entry["end_s"] == pytest.approx(now)
        tiles = {b.tile for b in placed.blocks if b.layer == entry["layer"]}
        assert set(entry["tiles"]) == tiles
    assert now == pytest.approx(costs.latency) and now > 0
    assert costs.area == pytest.approx(placed.tiles * costs.area / costs.tiles)
    assert costs.tiles == placed.tiles


@pytest.mark.parametrize(("side", "most"), [("row", 24), ("column", 40)])
def test_a_block_may_end_with_its_tile_and_not_beyond(
    side: str, most: int, placed: Placement, tmp_path: Path
) -> None:
    path = placed.write(tmp_path / "p.json")
    content = json.loads(path.read_text())
    size = {"row": "height", "column": "width"}[side]
    lone = max(b["tile"] for b in content["blocks"]) + 1
    block = content["blocks"][-1]
    block["tile"], block["row"], block["column"] = lone, 0, 0
    for beyond in (0, 1):
        block[side] = most - block[size] + beyond
        path.write_text(json.dumps(content))
        if not beyond:
            assert read_placement(path).tiles == lone + 1
            continue
        with pytest.raises(StorageError, match="lies beyond its tile of 24 x 40"):
            read_placement(path)


def test_a_chip_s_hardware_has_its_numbers() -> None:
    hardware = chip(
        rows=24, columns=40, write_error="1.5 uS", write_bias="0.2 uS", read_noise=0.03,
        alpha_noise=0.04, beta_noise=0.07, conductance_low="5 uS", conductance_high="105 uS",
    ).hardware()  # fmt: skip
    assert hardware.write is not None and hardware.read is not None
    assert (hardware.write.mean, hardware.write.deviation) == pytest.approx((0.2e-6, 1.5e-6))
    kinetics = hardware.kinetics
    assert (kinetics.alpha, kinetics.beta) == (0.04, 0.07)  # type: ignore[union-attr]
    assert (hardware.read.relative, hardware.read.absolute) == (0.03, 0.0)
    assert hardware.tile == (24, 40)
    window = hardware.mapping.window
    assert (window.low, window.high) == pytest.approx((5e-6, 105e-6))
    assert chip(read_noise=0).hardware().read is None


@pytest.mark.parametrize(("inputs", "dac", "slices"), [(8, 8, 1), (8, 3, 3), (9, 4, 3), (2, 4, 1)])
def test_inputs_come_in_as_many_pieces_as_the_converter_needs(
    inputs: int, dac: int, slices: int
) -> None:
    assert chip(input_bits=inputs, dac_bits=dac).slices == slices


def test_pieces_of_an_input_cost_time_and_no_precision() -> None:
    layer = DDKLayer(30, alpha=0.4, beta=0.6, name="d")
    recurrence, x = recurrence_of(layer, 0, 8, None)

    def error(bits: int, converter: int) -> float:
        described = chip(input_bits=bits, dac_bits=converter, adc_bits=14)
        entry, _ = place_recurrence(layer, 0, recurrence, x, described, 0.5)
        return float(entry["error_on_chip_0"]["rms"])

    assert error(8, 2) == error(8, 8)
    assert error(3, 3) > 1.5 * error(8, 8)


def test_the_tolerance_of_writing_is_a_share_of_the_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = ConductanceWindow(90e-6, 100e-6)
    cells = SynapticCells.labelled(
        0, 0, 100, window=window, up_voltage=1.0, down_voltage=1.0, width=1e-7
    )
    weights = (np.array([[0.5, -0.5, 1.0]]), np.array([[1.0], [0.0], [-1.0]]))
    plain, given = on_chip.write_and_verify, []

    def write(*arguments: object, **options: object) -> object:
        given.append((arguments[1], options))
        return plain(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(on_chip, "write_and_verify", write)
    test = np.ones((2, 1), np.float32), np.zeros(2, int)
    _, written = on_chip.write_trained(cells, weights, test=test, seed=0, tolerance=0.02)
    assert [options["tolerance"] for _, options in given] == [f"{0.02 * window.span!r} S"] * 2
    np.testing.assert_allclose(given[0][0], [[97.5e-6, 92.5e-6, 100e-6]])  # type: ignore[arg-type]
    for done in written:
        assert np.abs(done.dataset["error"].values).max() <= 0.2e-6 * (1 + 1e-9)
