"""Arrays and chips against figures worked out by hand, none of them square or of one tile."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.hardware import (
    Converter,
    Crossbar,
    Faults,
    Mapping,
    Quantisation,
    ReadNoise,
    compile_network,
    fake_quantise,
    load_chip,
    write_and_verify,
)
from network.hardware.chip.chip import Chip
from network.hardware.chip.cost import cost, ddk_step
from network.hardware.chip.loads import Load
from network.model.network import ddk_network
from tests.network.hardware.cell_data import WINDOW, kinetic_cells, table

CHIP = load_chip("180nm")


def chip(**values: object) -> Chip:
    told = CHIP.to_mapping()
    for key, value in values.items():
        told["values"][key]["value"] = value
    return Chip.from_mapping(told)


# -- arrays -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2.2e-313, 5e-324, 1e-200])
@pytest.mark.parametrize("scheme", ["differential", "reference"])
def test_weights_that_are_hardly_numbers_are_multiplied_as_numpy_does(
    size: float, scheme: str
) -> None:
    for matrix in ([[size]], [[size, -size], [0.0, size]]):
        x = np.ones(len(matrix[0]))
        noise = ReadNoise(absolute=1e-6)
        crossbar = Crossbar(matrix, mapping=Mapping(scheme), read=noise, rng=rng())
        assert np.isfinite(crossbar.conductance).all()
        assert np.array_equal(Crossbar(matrix, mapping=Mapping(scheme)) @ x, np.array(matrix) @ x)
        assert np.isfinite(crossbar @ x).all()


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("subtract", ["digital", "analog"])
@pytest.mark.parametrize("bits", [None, 24])
def test_read_noise_is_that_of_both_columns(subtract: str, bits: int | None) -> None:
    """A weight of two cells, each with 1 uS of noise: sqrt(2) uS times the size of the input."""
    matrix = np.array([[0.5, -0.2, 0.9], [0.1, 0.3, -1.0]])
    adc = None if bits is None else Converter(bits, -50.0, 50.0)
    crossbar = Crossbar(
        matrix, read=ReadNoise(absolute=1e-6), subtract=subtract, adc=adc, rng=rng(), tile=(2, 4)
    )
    x = np.tile(np.array([[1.0], [2.0], [-2.0]]), 20_000)
    noise = crossbar @ x - matrix @ x
    wanted = np.sqrt(2) * 1e-6 * 3.0 / crossbar.scale
    np.testing.assert_allclose(noise.std(1), wanted, rtol=0.03)
    assert np.abs(noise.mean(1)).max() < 5 * wanted / np.sqrt(20_000)


@pytest.mark.parametrize("reads", [4, 25])
def test_the_mean_of_n_reads_has_a_deviation_less_by_the_root(reads: int) -> None:
    """Cells that stand still pass as often as the noise of the mean stays in the tolerance."""

    class Still:
        window, width = WINDOW, 1e-7

        def strengths(self, polarity: int) -> int:
            return 1

        def voltage(self, polarity: np.ndarray, strength: np.ndarray) -> np.ndarray:
            return np.ones(polarity.shape)

        def devices(self, shape: tuple[int, ...], rng: np.random.Generator) -> None:
            return None

        def pulsed(self, conductance: np.ndarray, *_: object) -> np.ndarray:
            return conductance

    goal = np.full(4000, 100e-6)
    done = write_and_verify(
        Still(), goal, rng=rng(), start=100e-6, read=ReadNoise(absolute=2e-6), reads=reads,
        tolerance=f"{2 / np.sqrt(reads):.12g} uS", max_pulses=1, read_voltage="0.2 V",
        read_time="50 ns",
    )  # fmt: skip
    at_once = done.dataset["pulses"].values == 0
    assert at_once.mean() == pytest.approx(0.6827, abs=0.03)  # one standard deviation
    energy = done.dataset["energy"].values[at_once]
    assert energy == pytest.approx(0.2**2 * 50e-9 * reads * 100e-6)


def test_a_matrix_that_is_not_square_keeps_its_rows_and_columns() -> None:
    goal = np.random.default_rng(0).uniform(25e-6, 195e-6, (3, 5))
    failed = np.zeros((3, 5), np.int8)
    failed[2, 4] = Faults(1.0).draw((1, 1), rng())[0, 0]
    done = write_and_verify(kinetic_cells(), goal, rng=rng(), failed=failed, max_pulses=100)
    ds = done.dataset
    assert ds["conductance"].dims == ("row", "column") and ds.sizes["row"] == 3
    miss = np.abs(ds["conductance"].values - goal) > 2e-6
    assert miss[2, 4] and miss.sum() == 1
    seconds = ds["time"].values
    assert done.figures()["time, row by row"].split()[0] == f"{1e6 * seconds.max(1).sum():.3g}"


# -- quantisation -------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
def test_each_row_or_column_has_a_range_of_its_own(axis: int) -> None:
    values = np.outer([1.0, 100.0], [1.0, 1e-2, 7.0])
    out = fake_quantise(values, 3, axis=axis)
    for k in range(values.shape[axis]):
        one, found = values.take(k, axis), out.take(k, axis)
        step = np.abs(one).max() / 3
        np.testing.assert_allclose(found, np.rint(one / step) * step, rtol=1e-12)


def test_ranges_of_activations_are_those_behind_quantised_weights() -> None:
    network = ddk_network((3, 12), [6], 4, seed=0)
    x = np.random.default_rng(0).random((50, 3, 12)).astype(np.float32)
    chip_ = Quantisation(2, 8)
    chip_.calibrate(network, x)
    seen = Converter.fitted(8, network.logits(x, realise=Quantisation(2))).high
    exact = Converter.fitted(8, network.logits(x)).high
    last = chip_.ranges[network.layers[-1].name]
    assert last.high == pytest.approx(seen, rel=1e-3)
    assert abs(seen / exact - 1) > 0.01  # they can be told apart


# -- cost ---------------------------------------------------------------------------------------


def test_a_layer_of_two_by_two_tiles_by_hand() -> None:
    """200 inputs on 128 rows, 100 outputs on 64 pairs of columns, 3 ADCs a tile, 9 bits."""
    described = chip(adcs_per_tile=3, input_bits=9, dac_bits=9)
    v = described.value
    found = cost([Load("m", "matrix", 200, 100, 5, macs=5 * 20_000, share=0.25)], described)
    (layer,) = found.layers
    assert found.tiles == 4 and found.devices == 200 * 200
    conversions = 200 * 2 * 5
    assert found.conversions == conversions
    energy = layer.energy
    assert energy["DAC"] == pytest.approx(200 * 2 * 5 * v("dac_energy"))
    assert energy["ADC"] == pytest.approx(conversions * v("adc_energy"))
    assert energy["sample-and-hold"] == pytest.approx(conversions * v("hold_energy"))
    assert energy["buffer"] == pytest.approx(300 * 5 * 2 * v("buffer_energy"))
    mean = v("conductance_low") + 0.25 * (v("conductance_high") - v("conductance_low"))
    cells = 40_000 * mean * v("read_voltage") ** 2 / 3 * v("read_time") * 5
    assert energy["array"] == pytest.approx(cells)
    # 128 columns of a full tile share 3 converters: 43 turns, the last of 2
    assert layer.latency == pytest.approx(5 * (v("read_time") + 43 * v("adc_time")))


def test_reading_a_ddk_cell_costs_what_it_should() -> None:
    described = chip(read_voltage="0.2 V", adc_bits=9)
    v = described.value
    found = cost([Load("d", "ddk", cells=3, steps=10)], described).layers[0].energy
    each = 0.2**2 / v("pulse_resistance") * v("read_time")
    assert each > 0 and ddk_step(described)["read"][0] == pytest.approx(each)
    assert found["array"] == pytest.approx(30 * each)
    assert found["buffer"] == pytest.approx(30 * 2 * v("buffer_energy"))


# -- compiler -----------------------------------------------------------------------------------


def test_a_pair_missed_by_twice_the_tolerance_is_refused() -> None:
    of = table()
    network = ddk_network((8,), [4], 2, seed=0)
    layer = network.layer("ddk")
    alpha, beta = float(np.ravel(layer.alpha)[0]), float(np.ravel(layer.beta)[0])
    distance = of.invert(alpha=alpha, beta=beta).distance
    assert distance > 0
    with pytest.raises(InputError, match="outside of the table"):
        compile_network(network, CHIP, table=of, miss=distance / 2)
    placed = compile_network(network, CHIP, table=of, miss=distance * 2)
    (settings,) = placed.pulses.values()
    assert settings["settings"][0]["miss"] == pytest.approx(distance)


def test_the_tolerance_of_the_compiler_is_what_it_says() -> None:
    default = inspect.signature(compile_network).parameters["miss"].default
    assert default == pytest.approx(0.05)
