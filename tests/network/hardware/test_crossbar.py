"""`Crossbar`: exact where ideal, wrong by as much as its parts say where not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ddkbase.errors import InputError
from network.hardware import (
    ConductanceWindow,
    ConductionActivation,
    Converter,
    Crossbar,
    Faults,
    LineResistance,
    Mapping,
    ReadNoise,
    WriteError,
    transfer_matrix,
)
from network.hardware.arrays.converters import PERCENTILES
from network.hardware.arrays.crossbar import layout_of

SCHEMES = ("differential", "reference")


def matrix(outputs: int = 20, inputs: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((outputs, inputs))


def inputs(n: int = 30, samples: int = 40, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, samples))


@given(
    weights=hnp.arrays(
        float,
        st.tuples(st.integers(1, 12), st.integers(1, 12)),
        elements=st.floats(-1e3, 1e3),
    ),
    scheme=st.sampled_from(SCHEMES),
    tile=st.tuples(st.integers(1, 9), st.integers(2, 9)),
)
@settings(max_examples=60, deadline=None)
def test_ideal_array_is_numpy_to_the_last_bit(
    weights: np.ndarray, scheme: str, tile: tuple[int, int]
) -> None:
    x = np.random.default_rng(0).standard_normal((weights.shape[1], 3))
    crossbar = Crossbar(weights, mapping=Mapping(scheme), tile=tile)
    assert np.array_equal(crossbar @ x, weights @ x)
    assert np.array_equal(crossbar @ x[:, 0], weights @ x[:, 0])
    window = crossbar.settings.mapping.window
    slack = 1e-12 * window.high
    assert (crossbar.conductance >= window.low - slack).all()
    assert (crossbar.conductance <= window.high + slack).all()


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    scheme=st.sampled_from(SCHEMES),
    tile=st.tuples(st.integers(1, 17), st.integers(2, 17)),
)
@settings(max_examples=80, deadline=None)
def test_layout_keeps_each_weight_in_one_tile(
    shape: tuple[int, int], scheme: str, tile: tuple[int, int]
) -> None:
    layout = layout_of(shape, tile, Mapping(scheme))
    number = np.full(layout.columns, -1)
    for k, columns in enumerate(layout.column_tiles):
        assert columns.stop - columns.start <= tile[1]
        assert (number[columns] == -1).all()
        number[columns] = k
    assert (number >= 0).all()
    assert np.array_equal(number[layout.positive], number[layout.negative])
    used = np.concatenate([layout.positive, layout.negative])
    assert np.array_equal(np.unique(used), np.arange(layout.columns))
    rows = np.concatenate([np.arange(s.start, s.stop) for s in layout.row_tiles])
    assert np.array_equal(rows, np.arange(shape[1]))


def test_counts_of_the_speaker_network() -> None:
    # 128-16-10 with biases as rows: 3 tiles of 128 x 128, 84 conversions, 4,468 devices
    first, second = Crossbar(matrix(16, 129)), Crossbar(matrix(10, 17))
    assert first.tiles + second.tiles == 3
    assert first.devices + second.devices == 4468
    assert first.conversions + second.conversions == 84


def test_apply_is_the_product_with_batches_first() -> None:
    w, x = matrix(), inputs().T.reshape(5, 8, 30)
    assert np.allclose(Crossbar(w).apply(x), x @ w.T, rtol=1e-13)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_write_error_has_the_size_that_follows(scheme: str) -> None:
    w = matrix(200, 100)
    error = WriteError(0.2e-6, 1.147e-6)
    crossbar = Crossbar(
        w, mapping=Mapping(scheme), write=error, rng=np.random.default_rng(2), tile=(128, 64)
    )
    off = crossbar.weights - w
    expected = np.sqrt(2) * 1.147e-6 / crossbar.scale
    assert off.std() == pytest.approx(expected, rel=0.03 if scheme == "differential" else 0.1)
    assert abs(off.mean()) < 4 * expected / np.sqrt(100)  # the mean error cancels in a pair
    again = Crossbar(
        w, mapping=Mapping(scheme), write=error, rng=np.random.default_rng(2), tile=(128, 64)
    )
    assert np.array_equal(again.weights, crossbar.weights)


def test_a_pair_uses_twice_the_span_of_a_reference() -> None:
    w = matrix()
    pair, single = (Crossbar(w, mapping=Mapping(s)) for s in SCHEMES)
    assert pair.scale == pytest.approx(2 * single.scale)
    assert single.devices == 20 * 30 + 30  # one reference column


@pytest.mark.parametrize("converters", [False, True])
def test_read_noise_is_that_of_single_cells(converters: bool) -> None:
    w, x = matrix(8, 30), inputs(samples=1)
    noise = ReadNoise(relative=0.03, absolute=0.5e-6)
    adc = Converter(24, -200.0, 200.0) if converters else None
    crossbar = Crossbar(w, read=noise, rng=np.random.default_rng(3), adc=adc)
    many = crossbar @ np.repeat(x, 4000, axis=1)
    g = crossbar.conductance
    variance = (0.03 * g) ** 2 + (0.5e-6) ** 2
    expected = np.sqrt((variance[::2] + variance[1::2]) @ x[:, 0] ** 2) / crossbar.scale
    assert many.std(1) == pytest.approx(expected, rel=0.06)
    assert np.abs(many.mean(1) - w @ x[:, 0]).max() < 5 * expected.max() / np.sqrt(4000)


def test_failed_cells_sit_where_they_are_stuck() -> None:
    w = matrix(60, 80)
    crossbar = Crossbar(w, faults=Faults(0.05, 0.03, 0.02), rng=np.random.default_rng(4))
    window = crossbar.settings.mapping.window
    assert crossbar.failed is not None
    shares = [np.mean(crossbar.failed == k) for k in (1, 2, 3)]
    assert shares == pytest.approx([0.05, 0.03, 0.02], abs=0.008)
    for kind, value in ((1, window.low), (2, window.high), (3, 0.0)):
        assert (crossbar.conductance[crossbar.failed == kind] == value).all()
    moved = crossbar.changed(lambda g: g * 1.1)
    assert (moved.conductance[crossbar.failed == 2] == window.high).all()
    healthy = (crossbar.failed[::2] == 0) & (crossbar.failed[1::2] == 0)
    assert np.array_equal(crossbar.weights[healthy], w[healthy])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_line_resistance_tile_by_tile(scheme: str) -> None:
    w, lines = matrix(12, 20), LineResistance(5.0, 5.0)
    exact = Crossbar(w, mapping=Mapping(scheme), lines=lines, tile=(16, 10))
    fast = Crossbar(w, mapping=Mapping(scheme), lines=lines, tile=(16, 10), solver="fast")
    ideal = Crossbar(w, mapping=Mapping(scheme), tile=(16, 10))
    assert exact.line_error == 0 < fast.line_error < 1e-3
    assert np.abs(fast.weights - exact.weights).max() < 2e-3 * np.abs(exact.weights).max()
    assert np.abs(exact.weights - w).max() > 1e-3
    part = ideal.conductance[ideal.layout.column_tiles[0], :16]
    assert np.array_equal(
        exact.seen[exact.layout.column_tiles[0], :16], transfer_matrix(part.T, lines)
    )


def test_transistor_in_series() -> None:
    crossbar = Crossbar(matrix(), access=1e3)
    g = crossbar.conductance
    assert crossbar.seen == pytest.approx(g / (1 + 1e3 * g))


def test_temperature_follows_the_conduction_law() -> None:
    law = ConductionActivation(0.16, 0.0)
    low, high = law.window.low, law.window.high
    warm = law.at(np.array([low, high]), "85 degC")
    k = 8.617333262e-5
    factor = np.exp(0.16 / k * (1 / 293.15 - 1 / 358.15))
    assert warm == pytest.approx([low * factor, high], rel=1e-9)
    assert law.at(np.array([50e-6]), "293.15 K") == pytest.approx([50e-6])
    w = matrix()
    crossbar = Crossbar(w, temperature="85 degC")
    assert np.abs(crossbar.weights - w).max() > 0.01
    assert np.array_equal(Crossbar(w, temperature="20 degC").weights, w)


def test_converters_get_finer_with_bits() -> None:
    w, x = matrix(), inputs()
    for subtract in ("digital", "analog"):
        errors = []
        for bits in (4, 6, 8, 10, 12):
            crossbar = Crossbar(w, subtract=subtract, tile=(16, 16)).with_converters(
                x, dac=bits, adc=bits
            )
            errors.append(np.std(crossbar @ x - w @ x) / np.std(w @ x))
        ratios = np.array(errors[:-1]) / errors[1:]
        # four for two bits on the whole; where the range narrows with the bits it is less at first
        assert (ratios > 2).all()
        assert 4**4 / 1.5 < errors[0] / errors[-1] < 4**4 * 1.5
    assert Crossbar(w, subtract="analog", tile=(16, 16)).conversions == 40
    assert Crossbar(w, tile=(16, 16)).conversions == 80


def test_a_converter_rounds_clips_and_keeps_zero() -> None:
    signed = Converter(3, -1.0, 1.0)
    values = np.array([-2.0, -1.0, -0.1, 0.0, 0.2, 0.9, 3.0], np.float32)
    out = signed.convert(values)
    assert out.dtype == np.float32
    assert out == pytest.approx([-1, -1, 0, 0, 1 / 3, 1, 1])
    assert len(np.unique(signed.convert(np.linspace(-1, 1, 999)))) == 7
    unsigned = Converter(2, 0.0, 3.0)
    assert unsigned.convert(np.array([-1.0, 0.4, 1.6, 9.0])) == pytest.approx([0, 0, 2, 3])
    offset = Converter(2, 1.0, 4.0)
    assert offset.convert(np.array([0.0, 2.2, 9.0])) == pytest.approx([1, 2, 4])
    assert list(unsigned.inside(np.array([-1.0, 0.0, 3.0, 4.0]))) == [False, True, True, False]


def test_converters_calibrate_on_values() -> None:
    assert Converter.calibrated(4, [0.0, 2.0]) == Converter(4, 0.0, 2.0)
    assert Converter.calibrated(4, [-1.0, 2.0]) == Converter(4, -2.0, 2.0)
    assert Converter.calibrated(4, [0.0, 0.0]) == Converter(4, 0.0, 1.0)
    values = np.arange(101.0)
    assert Converter.calibrated(4, values, 50).high == 50


def test_a_few_values_far_out_do_not_set_the_range() -> None:
    """An explicit DDK layer has such: on the largest of them, a converter of 8 bits has one step
    for all other values."""
    values = np.concatenate([np.random.default_rng(0).standard_normal(10_000), [900.0, -1000.0]])
    widest, fitted = Converter.calibrated(8, values), Converter.fitted(8, values)
    assert widest.high == 1000
    assert 2 < fitted.high < 8
    inner = values[:-2]
    assert np.abs(fitted.convert(inner) - inner).mean() < 0.02
    assert np.abs(widest.convert(inner) - inner).mean() > 0.5
    weights = np.eye(3)
    inputs = np.tile(values[None], (3, 1))
    array = Crossbar(weights).with_converters(inputs, dac=8, adc=8)
    assert array.settings.dac is not None
    assert array.settings.dac.high == pytest.approx(fitted.high, rel=1e-3)
    assert array.settings.adc is not None
    assert array.settings.adc.high < 8


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60),
    st.integers(2, 8),
    st.sampled_from(PERCENTILES),
)
def test_a_fitted_range_errs_least(values: list[float], bits: int, percentile: float) -> None:
    numbers = np.array(values)

    def error(converter: Converter) -> float:
        return float(np.abs(converter.convert(numbers) - numbers).mean())

    other = Converter.calibrated(bits, numbers, percentile)
    assert error(Converter.fitted(bits, numbers)) <= error(other) * (1 + 1e-12) + 1e-300


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Crossbar(matrix(), mapping=Mapping(limit=1.0)), "beyond 1.*end of the window"),
        (lambda: Crossbar([[np.nan]]), "NaN"),
        (lambda: Crossbar([1.0, 2.0]), r"not \(outputs, inputs\)"),
        (lambda: Crossbar([["x"]]), "no matrix of numbers"),
        (lambda: Crossbar(matrix(), tile=(128, 1)), "hold no weight"),
        (lambda: Crossbar(matrix(), tile=(0, 8)), "hold no weight"),
        (lambda: Crossbar(matrix(), tile=8), r"not \(rows, columns\)"),
        (lambda: Crossbar(matrix(), wires=3), "unexpected keyword argument 'wires'"),
        (lambda: Crossbar(matrix(), write=WriteError(0, 1e-6)), "needs random numbers"),
        (lambda: Crossbar(matrix()) @ np.ones(3), "for 30 inputs"),
        (lambda: Crossbar(matrix(), solver="slow"), "unknown solver"),
        (lambda: Crossbar(matrix(), temperature="hot"), "does not start with a number"),
        (lambda: Converter(0, 0.0, 1.0), "0 bits"),
        (lambda: Converter(True, 0.0, 1.0), "no number of bits"),
        (lambda: Converter(1, -1.0, 1.0), "cannot hold a sign"),
        (lambda: Converter(8, 1.0, 1.0), "no range"),
        (lambda: Crossbar(matrix()).with_converters(inputs(), dac=8, adc=0), "0 bits"),
        (lambda: ConductanceWindow(5e-6, 1e-6), "no window"),
        (lambda: ConductanceWindow.of("1 uS", "5 kohm"), "wrong dimension"),
        (lambda: Mapping("triple"), "unknown scheme"),
        (lambda: Faults(0.6, 0.6), "failed"),
        (lambda: WriteError.of("1 V"), "wrong dimension"),
    ],
)
def test_bad_input_is_one_line(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_weights_beyond_the_window_are_clipped_where_asked() -> None:
    w = matrix()
    crossbar = Crossbar(w, mapping=Mapping(limit=1.0, beyond="clip"))
    assert np.array_equal(crossbar.weights, np.clip(w, -1, 1))
    assert crossbar.scale == pytest.approx(196e-6)
