"""Cost: counts by hand, sums that add up, operations and inferences kept apart."""

from __future__ import annotations

import numpy as np
import pytest

from ddk.article.costs import TASKS, article_figures, ddk_loads, ratio_rows
from ddkbase.errors import InputError
from network.counting.architectures import architecture
from network.hardware.chip.chip import Chip, load_chip
from network.hardware.chip.cost import (
    LayerCost,
    capacitance,
    cost,
    cost_rows,
    ddk_step,
    tile_area,
    writing,
)
from network.hardware.chip.layouts import LAYOUTS
from network.hardware.chip.loads import COMPARED, Load, compared_loads, network_loads
from network.layers.base import Layer
from network.layers.baselines import LeakyIntegrator, Raw, RunningSum
from network.layers.memories import Memory
from network.layers.plain import Dense, Flatten
from network.layers.random_baselines import EchoState
from network.model.network import Network, ddk_network

CHIP = load_chip("180nm")


def changed(**values: object) -> Chip:
    told = CHIP.to_mapping()
    for key, value in values.items():
        told["values"][key]["value"] = value
    return Chip.from_mapping(told)


@pytest.mark.parametrize("name", COMPARED)
def test_loads_of_compared_networks_are_their_architecture_s_macs(name: str) -> None:
    counted = architecture("lstm" if name == "bilstm" else name).count().macs
    assert sum(load.macs for load in compared_loads(name)) == counted


@pytest.mark.parametrize(
    ("task", "macs"),
    [("speakers", 2464), ("images", 39680), ("video", 658_048), ("voxels", 167_168)],
)
def test_loads_of_the_article_s_networks(task: str, macs: int) -> None:
    assert sum(load.macs for load in ddk_loads(task)) == macs


def test_the_speaker_network_by_hand() -> None:
    found = cost(ddk_loads("speakers"), CHIP)
    # 129 x 32 and 17 x 20 cells, two row tiles and one; 128 states and 2 x 32 + 20 sums
    assert found.devices == 129 * 32 + 17 * 20 + 1 == 4469
    assert found.conversions == 128 + 84
    assert found.tiles == 4  # one of them for the DDK cell
    assert cost(ddk_loads("speakers"), CHIP, layout="joined").tiles == 3
    first = found.layers[0]
    assert first.energy["ADC"] == pytest.approx(128 * 12.35e-12)
    assert first.energy["DDK pulses"] == pytest.approx(128 * 0.8e-12)
    assert first.latency == pytest.approx(128 * (2 + 10 + 10 + 25) * 1e-9)


def test_only_what_is_read_is_converted() -> None:
    """One read of 48 steps was charged 48 conversions."""
    networks = {
        readout: ddk_network((32, 48), [], 10, ddk={"banks": 2, "readout": readout})
        for readout in ("all", "last", 6)
    }
    found = {k: cost(network_loads(n), CHIP).layers[0] for k, n in networks.items()}
    assert found["last"].conversions == 64
    assert found[6].conversions == 8 * 64
    assert found["all"].conversions == 48 * 64
    for part in ("DDK pulses", "driver"):
        assert found["last"].energy[part] == found["all"].energy[part]
    for part in ("ADC", "array", "sample-and-hold", "buffer"):
        assert found["all"].energy[part] == pytest.approx(48 * found["last"].energy[part])
    wait = CHIP.value("driver_time") + CHIP.value("pulse_time")
    assert found["last"].latency < found["all"].latency
    assert found["last"].latency - 48 * wait == pytest.approx(
        (found["all"].latency - 48 * wait) / 48
    )


def test_what_the_ddk_layer_is_held_against_is_priced_on_the_same_chip() -> None:
    def layer_of(layer: Layer) -> LayerCost:
        network = Network([layer, Flatten(), Dense(10)], (32, 48), 10)
        loads = network_loads(network)
        assert sum(load.macs for load in loads) == network.count().macs - folded
        return cost(loads, CHIP).layers[0]

    folded = 0
    leaky = layer_of(LeakyIntegrator(48, 32, banks=2, readout="last"))
    assert (leaky.conversions, leaky.devices, leaky.tiles) == (64, 0, 0)
    # noise of the charge against the rounding of the converter, by hand
    noise = 1.380649e-23 * 300 / capacitance(CHIP)
    rounding = (CHIP.value("read_voltage") / 2 ** CHIP.value("adc_bits")) ** 2 / 12
    assert noise == pytest.approx(rounding)
    assert leaky.energy["capacitors"] == pytest.approx(
        64 * 48 * capacitance(CHIP) * CHIP.value("read_voltage") ** 2
    )
    assert leaky.energy["driver"] == 64 * 48 * ddk_step(CHIP)["driver"][0]
    memory = layer_of(Memory(48, 32, banks=2))
    assert memory.energy == leaky.energy
    echo = layer_of(EchoState(48, 32, banks=2, readout="last", units=64))
    one = cost([Load("r", "matrix", 64 + 32 + 1, 64, 48, activations=64 * 48)], CHIP).layers[0]
    assert echo.energy == one.energy
    assert echo.conversions == one.conversions > 48 * 64
    raw = Network([Raw(48, 32), Flatten(), Dense(10)], (32, 48), 10)
    assert [load.kind for load in network_loads(raw)] == ["matrix"]
    with pytest.raises(InputError, match="leaky integrators, echo states"):
        layer_of(RunningSum(48, 32))


def test_sample_cnn_takes_86_tiles_and_1_3_million_cells() -> None:
    found = cost(compared_loads("samplecnn"), CHIP)
    assert found.tiles == 86
    assert found.devices == 1_321_728


def test_sums() -> None:
    found = cost(network_loads(ddk_network((28, 28), [48], 10, seed=0)), CHIP)
    assert found.energy == pytest.approx(sum(found.parts.values()))
    assert found.energy == pytest.approx(found.of("features") + found.of("classifier"))
    assert found.tops_per_watt == pytest.approx(2 * found.macs / found.energy / 1e12)
    assert found.tops == pytest.approx(2 * found.macs / found.latency / 1e12)
    assert found.area == pytest.approx(found.tiles * tile_area(CHIP)["tile"])
    area = tile_area(CHIP)
    assert sum(v for k, v in area.items() if k != "tile") == pytest.approx(area["tile"])
    heads, rows = cost_rows(found)
    assert {len(row) for row in rows} == {len(heads)}
    assert rows[-1][1] == f"{found.macs:,}"


def test_a_matrix_scales_with_uses_and_slices() -> None:
    one = Load("m", "matrix", 100, 40, 1, macs=4000)
    many = Load("m", "matrix", 100, 40, 7, macs=28000)
    a, b = cost([one], CHIP), cost([many], CHIP)
    assert b.energy == pytest.approx(7 * a.energy) and b.latency == pytest.approx(7 * a.latency)
    assert a.tiles == b.tiles == 1
    bits = cost([one], changed(dac_bits=1))
    assert bits.conversions == 8 * a.conversions
    assert bits.latency == pytest.approx(8 * a.latency)


def test_reference_columns_halve_the_cells() -> None:
    told = CHIP.to_mapping() | {"scheme": "reference"}
    load = Load("m", "matrix", 128, 64, 1, macs=128 * 64)
    assert cost([load], Chip.from_mapping(told)).devices == 128 * 65
    assert cost([load], CHIP).devices == 128 * 128


def test_cells_in_one_column_are_read_in_turn() -> None:
    loads = ddk_loads("images")
    apart, together = (cost(loads, CHIP, layout=x) for x in ("separate", "compact"))
    assert together.latency > apart.latency
    assert together.energy == pytest.approx(apart.energy)


def test_a_step_is_what_the_article_calls_one_operation() -> None:
    step = ddk_step(CHIP)
    assert step["pulse"] == (pytest.approx(0.8e-12), pytest.approx(10e-9))
    assert sum(seconds for _, seconds in step.values()) == pytest.approx(47e-9)


def test_writing_grows_with_the_cells() -> None:
    small, large = (writing(ddk_loads(t), CHIP) for t in ("speakers", "images"))
    assert large[0] / small[0] == pytest.approx((785 * 96 + 49 * 20) / 4468, rel=1e-9)
    assert large[1] > small[1]


@pytest.mark.parametrize("name", ["180nm", "130nm", "32nm"])
def test_every_figure_of_the_article_is_judged(name: str) -> None:
    found = article_figures(load_chip(name))
    told = {f.article for f in found}
    for figure in ("10 ns", "0.8 pJ", "35.4 ns", "236.68 pJ", "2.77 TOPS/W", "27.6 times"):
        assert figure in told
    assert {f.of for f in found} == {"operation", "inference"}
    assert all(f.because and f.follows in ("yes", "no", "with") for f in found)
    heads, rows = ratio_rows(load_chip(name))
    assert len(rows) == 2 * len(TASKS) and {len(r) for r in rows} == {len(heads)}


def test_what_a_chip_cannot_do_is_one_line() -> None:
    with pytest.raises(InputError, match="no layout"):
        cost(ddk_loads("speakers"), CHIP, layout="dense")
    with pytest.raises(InputError, match="no layer"):
        cost([], CHIP)
    with pytest.raises(InputError, match="no network"):
        compared_loads("resnet")
    control = ddk_network((8,), [4], 2, front=[RunningSum(8)], seed=0)
    with pytest.raises(InputError, match="cannot hold"):
        network_loads(control)


def test_layout_names_are_those_of_the_compiler() -> None:
    from network.hardware.chip.layouts import LAYOUTS as PLACED

    assert PLACED == LAYOUTS and len(LAYOUTS) == 4


def test_shares_of_conductance_come_from_the_weights() -> None:
    network = ddk_network((8,), [4], 2, seed=0)
    weight = network.layers[-1].parameters["weight"]
    weight[...] = 1.0
    assert network_loads(network)[-1].share == pytest.approx(0.5)
    weight[...] = np.zeros_like(weight)
    assert network_loads(network)[-1].share == 0.0
