"""Pairs that no pulse gives go to arrays: which way each went, and what the file alone says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compact.table.table import AlphaBetaTable
from ddkbase.errors import InputError, StorageError
from network.ddk import kinetics
from network.ddk.array_layer import ArrayDDKLayer
from network.ddk.layer import DDKLayer
from network.hardware.chip.chip import Chip, load_chip
from network.hardware.chip.compiler import compile_network, placement_cost
from network.hardware.chip.cost import cost
from network.hardware.chip.folder import pulses
from network.hardware.chip.layouts import LAYOUTS
from network.hardware.chip.loads import network_loads
from network.hardware.chip.placement import Placement, pair_rows, read_placement
from network.model.network import Network, ddk_network
from network.plots.hardware import placement_figure
from tests.network.hardware.cell_data import table

X = np.random.default_rng(3).random((40, 5, 12)).astype(np.float32)
FAR = (0.9, 1.1)  # alpha and beta beyond all pulses of the table


@pytest.fixture(scope="module")
def pulsed_pairs() -> AlphaBetaTable:
    return table()


def near(table: AlphaBetaTable, index: int = 3) -> tuple[float, float]:
    """A pair that one of the table's pulses gives."""
    alpha, beta = (table.means[key].values.ravel()[index] for key in ("alpha", "beta"))
    return float(alpha), float(beta)


def network(pairs: list[tuple[float, float]], **options: Any) -> Network:
    """A network of two banks, or of a pair a channel where there are five."""
    own = {"banks": len(pairs)} if len(pairs) < 5 else {"per": "channel"}
    net = ddk_network((5, 12), [9], 4, seed=2, ddk={**own, **options})
    values = np.array(pairs).T.reshape(2, *net.layers[0].pair_shape)  # type: ignore[attr-defined]
    net.layers[0].set_pair(*values)  # type: ignore[attr-defined]
    net.reestimate(X)
    return net


def compiled(net: Network, pulsed_pairs: AlphaBetaTable, **options: Any) -> Placement:
    described = options.pop("chip", load_chip("180nm"))
    how = {"table": pulsed_pairs, "unreachable": "arrays", "samples": X, **options}
    return compile_network(net, described, **how)


def ddk_of(placement: Placement) -> ArrayDDKLayer:
    layer = placement.network().layers[0]
    assert isinstance(layer, ArrayDDKLayer)
    return layer


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("options", [{}, {"readout": "last"}, {"states": "before", "readout": 4}])
def test_each_pair_goes_its_way_and_the_file_alone_runs(
    layout: str, options: dict[str, Any], pulsed_pairs: AlphaBetaTable, tmp_path: Path
) -> None:
    net = network([near(pulsed_pairs), FAR], **options)
    placement = compiled(net, pulsed_pairs, layout=layout, hinges=16)
    settings = placement.pulses["ddk"]["settings"]
    assert settings[0]["miss"] < 0.05 and settings[1] is None
    path = placement.write(tmp_path / "p.json")
    assert json.loads(path.read_text())["version"] == 2
    read = read_placement(path)
    layer = ddk_of(read)
    assert sorted(layer.recurrences) == [1] and layer.pulsed == [0, 1, 2, 3, 4]
    y, exact = layer.forward(X), net.layers[0].forward(X)
    assert np.array_equal(y[:, 0], exact[:, 0])
    assert 0 < np.abs(y[:, 1] - exact[:, 1]).max() < 0.01
    assert np.allclose(read.network().logits(X), net.logits(X), atol=0.05)


def test_channels_of_one_layer_go_different_ways(pulsed_pairs: AlphaBetaTable) -> None:
    pairs = [FAR, near(pulsed_pairs, 2), (2.0, 0.4), near(pulsed_pairs, 4), near(pulsed_pairs, 3)]
    net = network(pairs)
    placement = compiled(net, pulsed_pairs, hinges=16)
    layer = ddk_of(placement)
    assert layer.pulsed == [1, 3, 4] and sorted(layer.recurrences) == [0, 2]
    y, exact = layer.forward(X), net.layers[0].forward(X)
    assert np.array_equal(y[:, [1, 3, 4]], exact[:, [1, 3, 4]])
    miss = np.abs(y - exact)[:, [0, 2]].max(axis=(0, 2))
    assert (miss > 0).all() and (miss < 0.01).all()
    # each cell has the amplitude of its own pair
    features = [x for x in pulses(placement) if x[0] == "feature" and x[6] == "RESET"]
    assert len(features) == 3 * 12
    settings = placement.pulses["ddk"]["settings"]
    for line, number in zip(features, [1, 3, 4], strict=False):
        assert f"{abs(settings[number]['amplitude_at_1_V']):g}" in line[7]


def test_every_cell_has_a_place_of_its_own(pulsed_pairs: AlphaBetaTable) -> None:
    whole = load_chip("180nm").to_mapping()
    whole["values"]["rows"]["value"] = whole["values"]["columns"]["value"] = 24
    chip = Chip.from_mapping(whole)
    for layout in LAYOUTS:
        placement = compiled(
            network([near(pulsed_pairs), FAR]), pulsed_pairs, chip=chip, layout=layout, hinges=20
        )
        blocks = placement.blocks
        assert not any(a.overlaps(b) for k, a in enumerate(blocks) for b in blocks[:k])
        assert all(b.row + b.height <= 24 and b.column + b.width <= 24 for b in blocks)
        if layout == "separate":  # recurrences share tiles among each other alone
            own = {b.tile for b in blocks if b.kind == "recurrence"}
            assert not own & {b.tile for b in blocks if b.kind != "recurrence"}


def test_where_no_pair_is_pulsed_there_is_no_cell_of_kinetics(
    pulsed_pairs: AlphaBetaTable,
) -> None:
    placement = compiled(network([FAR, (2.0, 0.4)]), pulsed_pairs)
    assert {b.kind for b in placement.blocks} == {"matrix", "recurrence"}
    assert placement.pulses["ddk"]["cells"] == 0
    assert not [x for x in pulses(placement) if x[0] in ("prepare", "feature")]
    assert {load.kind for load in network_loads(placement.network())} == {"matrix", "digital"}


def test_what_all_pulses_reach_is_placed_as_without_the_option(
    pulsed_pairs: AlphaBetaTable, tmp_path: Path
) -> None:
    net = network([near(pulsed_pairs), near(pulsed_pairs, 4)])
    texts = [
        compile_network(net, load_chip("180nm"), table=pulsed_pairs, unreachable=way)
        .write(tmp_path / way)
        .read_text()
        for way in ("refuse", "arrays")
    ]
    assert texts[0] == texts[1] and json.loads(texts[0])["version"] == 1


def test_rows_say_which_pair_went_which_way(pulsed_pairs: AlphaBetaTable) -> None:
    placement = compiled(network([near(pulsed_pairs), FAR]), pulsed_pairs)
    heads, rows = pair_rows(placement)
    assert {len(row) for row in rows} == {len(heads)}
    assert [row[4] for row in rows] == ["pulses", "arrays"]
    assert rows[0][5] < 0.05 < rows[1][5]
    assert tuple(rows[1][2:4]) == pytest.approx(FAR, rel=1e-6)
    layer, exact = ddk_of(placement), kinetics.forward(X, *FAR)
    miss = (layer.forward(X)[:, 1] - exact)[..., -1]
    assert rows[1][6] == pytest.approx(np.sqrt(np.mean(miss**2)), rel=1e-2)
    assert rows[1][7] > rows[1][6]  # written cells and converters err besides


def test_products_are_priced_one_by_one(pulsed_pairs: AlphaBetaTable) -> None:
    net = network([near(pulsed_pairs), FAR], readout="last")
    placement = compiled(net, pulsed_pairs, hinges=6)
    whole = placement_cost(placement)
    by_name = {x.load.name: x for x in whole.layers}
    uses = 5 * 12  # channels in turn, in each step
    assert by_name["ddk"].conversions == 5  # the pulsed bank is read once
    hinges, update = by_name["ddk pair 1 hinges"], by_name["ddk pair 1 update"]
    assert (hinges.conversions, update.conversions) == (2 * 6 * uses, 2 * uses)
    assert (hinges.devices, update.devices) == (3 * 2 * 6, (6 + 3) * 2)
    assert hinges.load.activations == 6 * uses
    chip = placement.chip
    assert by_name["ddk pair 1 register"].energy["digital"] == pytest.approx(
        uses * chip.value("mac_energy"), rel=1e-12
    )
    assert placement.schedule[-1]["end_s"] == pytest.approx(whole.latency, rel=1e-12)
    linear = placement_cost(compiled(net, pulsed_pairs, hinges=0))
    assert "ddk pair 1 hinges" not in {x.load.name for x in linear.layers}
    assert cost(network_loads(net), chip).energy < linear.energy < whole.energy
    lines = [x for x in pulses(placement) if x[0] == "product" and x[1] == "ddk pair 1 update"]
    assert len(lines) == uses


def test_a_chip_has_its_own_arrays_and_the_picture_is_drawn(
    pulsed_pairs: AlphaBetaTable,
) -> None:
    placement = compiled(network([near(pulsed_pairs), FAR]), pulsed_pairs)
    net = placement.network()

    def states(seed: int, **changes: Any) -> np.ndarray:
        chip = placement.realise(seed, **changes)
        return net.layers[0].forward(X, realise=chip, rng=np.random.default_rng(0))[:, 1]

    exact = net.layers[0].forward(X)[:, 1]
    assert np.allclose(states(1, write=None), exact, atol=1e-6)  # scatter of cells is none of it
    assert not np.allclose(states(1), exact, atol=1e-3)
    assert np.array_equal(states(1), states(1)) and not np.allclose(states(1), states(2), atol=1e-3)
    assert len(placement_figure(placement).axes) == placement.tiles + 1


def test_what_cannot_be_a_recurrence_is_one_line(pulsed_pairs: AlphaBetaTable) -> None:
    far = network([FAR, near(pulsed_pairs)])
    chip = load_chip("180nm")
    with pytest.raises(InputError, match="--unreachable arrays"):
        compile_network(far, chip, table=pulsed_pairs)
    with pytest.raises(InputError, match="without a table"):
        compile_network(far, chip, unreachable="arrays")
    with pytest.raises(InputError, match="arays"):
        compile_network(far, chip, table=pulsed_pairs, unreachable="arays")
    with pytest.raises(InputError, match=r"no function of one number \(ddk\)"):
        compiled(network([FAR, FAR], integrator="exact"), pulsed_pairs)
    steps = ddk_network((5, 12), [9], 4, seed=2, ddk={"per": "step"})
    with pytest.raises(InputError, match="from step to step"):
        compiled(steps, pulsed_pairs)
    layer = ddk_of(compiled(far, pulsed_pairs))
    with pytest.raises(InputError, match="is not trained"):
        layer.forward(X, training=True)
    assert isinstance(layer, DDKLayer)


def test_without_samples_it_is_fitted_to_typical_ones(pulsed_pairs: AlphaBetaTable) -> None:
    net = network([near(pulsed_pairs), FAR])
    layer = ddk_of(compiled(net, pulsed_pairs, samples=None, hinges=16))
    assert np.abs(layer.forward(X) - net.layers[0].forward(X)).max() < 0.02


def _recurrence(**change: Any) -> Any:
    return lambda told: told["layers"][0]["recurrences"][0].update(change)


def _matrix(**change: Any) -> Any:
    return lambda told: told["layers"][0]["recurrences"][0]["matrices"][0].update(change)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda told: told.update(version=1), "version 1"),
        (lambda told: told["layers"][0].pop("recurrences"), "version 2"),
        (_recurrence(pair=7), "pair 7"),
        (_recurrence(pair=True), "pair True"),
        (_recurrence(y_scale=0), "the scales of ddk pair 1"),
        (_recurrence(matrices=[]), "is of kind 'recurrence'"),
        (_matrix(name="dense1"), "two matrices are called 'dense1'"),
        (_matrix(scale=float("nan")), "NaN is not finite"),
        (_matrix(scale=0.0), "the scale of ddk pair 1 hinges"),
        (_matrix(positive=[99]), "not the columns of its outputs"),
        (lambda told: told["pulses"]["ddk"]["sequences"].update(pulsed=[0]), "not its 5 cells"),
        (lambda told: told["pulses"]["ddk"]["sequences"].update(all=10**9), "not its 5 cells"),
        (_recurrence(pair=0), "not its 5 cells"),
        (lambda told: told["pulses"]["ddk"].pop("sequences"), "sequences"),
        (lambda told: told["layers"][0]["recurrences"][0]["matrices"].reverse(), "do not fit"),
    ],
)
def test_edited_files_are_refused(
    edit: Any, words: str, pulsed_pairs: AlphaBetaTable, tmp_path: Path
) -> None:
    net = network([near(pulsed_pairs), FAR])
    path = compiled(net, pulsed_pairs).write(tmp_path / "p.json")
    told = json.loads(path.read_text())
    edit(told)
    path.write_text(json.dumps(told))
    with pytest.raises(StorageError) as caught:
        read_placement(path)
    assert words in str(caught.value) and "\n" not in str(caught.value)
