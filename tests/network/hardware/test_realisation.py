"""A network on a chip: exact where ideal, one chip stays one chip, and each part has its effect."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import network.hardware
from ddkbase.errors import InputError
from network.hardware import (
    ConductanceWindow,
    Endurance,
    Faults,
    Hardware,
    HardwareRealisation,
    KineticsNoise,
    LineResistance,
    Mapping,
    Quantisation,
    ReadNoise,
    Retention,
    TableKinetics,
    TelegraphNoise,
    WriteError,
    article,
)
from network.layers.base import Realisation
from network.model.network import Network, ddk_network
from tests.network.hardware.cell_data import WINDOW, kinetic_cells, table


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return np.random.default_rng(0).random((6, 3, 10)).astype(np.float32)


@pytest.fixture(scope="module")
def net(samples: np.ndarray) -> Network:
    found = ddk_network((3, 10), [8], 4, seed=0)
    for layer in found.layers:  # biases that matter
        if "bias" in layer.parameters:
            layer.parameters["bias"] += np.linspace(
                -0.3, 0.4, len(layer.parameters["bias"])
            ).astype(np.float32)
    found.reestimate(np.repeat(samples, 5, axis=0))
    return found


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def change(net: Network, x: np.ndarray, hardware: Hardware, seed: int = 1, **options: Any) -> float:
    """Largest change of a logit, relative to the largest."""
    exact = net.logits(x)
    found = net.logits(x, realise=HardwareRealisation(hardware, seed=seed, **options), rng=rng(3))
    return float(np.abs(found - exact).max() / np.abs(exact).max())


def test_it_is_a_realisation_and_ideal_hardware_changes_nothing(
    net: Network, samples: np.ndarray
) -> None:
    chip = HardwareRealisation(Hardware(), seed=0)
    assert isinstance(chip, Realisation)
    assert np.array_equal(net.logits(samples, realise=chip), net.logits(samples))
    fresh = HardwareRealisation(Hardware(), fresh=True)
    assert np.array_equal(net.logits(samples, realise=fresh), net.logits(samples))
    on_arrays = net.logits(samples, realise=HardwareRealisation(Hardware(arrays=True), seed=0))
    assert on_arrays == pytest.approx(net.logits(samples), rel=1e-5, abs=1e-5)
    assert on_arrays.dtype == np.float32


@pytest.mark.parametrize(
    "hardware",
    [
        Hardware(write=WriteError(0, 1e-6)),
        Hardware(faults=Faults(0.05, 0.05)),
        Hardware(read=ReadNoise(0.05)),
        Hardware(telegraph=TelegraphNoise(0.3)),
        Hardware(retention=Retention.of("1 eV", "1 day", "20 uS"), age="1 day"),
        Hardware(temperature="85 degC"),
        Hardware(kinetics=KineticsNoise(0.05, 0.05)),
        Hardware(kinetics=KineticsNoise(device_beta=0.05)),
        Hardware(kinetics=KineticsNoise(0.05, 0.05, per="pulse")),
        Hardware(quantisation=Quantisation(4)),
        Hardware(endurance=Endurance(), cycles=1e9),
        Hardware(endurance=Endurance(lifetime=1e9), cycles=1e9),
        Hardware(arrays=True, lines=LineResistance(20.0, 20.0)),
        Hardware(arrays=True, lines=LineResistance(20.0, 20.0), solver="fast"),
        Hardware(arrays=True, access=2e3),
        Hardware(arrays=True, dac_bits=4),
        Hardware(arrays=True, adc_bits=4),
        Hardware(mapping=Mapping(limit=0.3, beyond="clip")),
    ],
    ids=lambda h: ",".join(
        k for k, v in vars(h).items() if v != getattr(Hardware(), k) and k != "conduction"
    ),
)
def test_each_part_has_an_effect_and_a_chip_is_repeatable(
    net: Network, samples: np.ndarray, hardware: Hardware
) -> None:
    first = change(net, samples, hardware)
    assert 1e-4 < first < 3
    assert change(net, samples, hardware) == first


@pytest.mark.parametrize("kind", ["write", "faults", "kinetics"])
def test_one_chip_stays_itself_and_another_seed_is_another(
    net: Network, samples: np.ndarray, kind: str
) -> None:
    parts: dict[str, Any] = {
        "write": WriteError(0, 3e-6),
        "faults": Faults(0.1, 0.1),
        "kinetics": KineticsNoise(device_alpha=0.05, device_beta=0.1),
    }
    hardware = Hardware(**{kind: parts[kind]})
    chip = HardwareRealisation(hardware, seed=1)
    first = net.logits(samples, realise=chip, rng=rng(0))
    assert np.array_equal(net.logits(samples, realise=chip, rng=rng(9)), first)
    # Fewer samples make BLAS add in another order: to the last bit the chip, not the answer, is
    # the same as one that has seen no other samples.
    fewer = net.logits(samples[3:], realise=chip)
    unused = HardwareRealisation(hardware, seed=1)
    assert np.array_equal(fewer, net.logits(samples[3:], realise=unused))
    assert np.allclose(fewer, first[3:], rtol=1e-5, atol=1e-6)
    other = net.logits(samples, realise=HardwareRealisation(hardware, seed=2))
    assert not np.array_equal(other, first)


def test_layers_may_be_called_in_any_order() -> None:
    w = rng().standard_normal((12, 7))
    hardware = Hardware(write=WriteError(0, 1e-6), faults=Faults(0.1))
    one, two = (HardwareRealisation(hardware, seed=4) for _ in range(2))
    first = one.weights("a", w, None), one.weights("b", w, None)
    second = two.weights("b", w, None), two.weights("a", w, None)
    assert np.array_equal(first[0], second[1]) and np.array_equal(first[1], second[0])
    assert not np.array_equal(first[0], first[1])


def test_rewriting_gives_new_errors_to_the_same_failed_cells() -> None:
    hardware = Hardware(write=WriteError(0, 1e-6), faults=Faults(stuck_high=0.2))
    chip = HardwareRealisation(hardware, seed=0)
    w = rng().standard_normal((30, 20))
    first = chip.weights("a", w, None)
    assert np.array_equal(chip.weights("a", w, None), first)
    again = chip.weights("a", w * np.float64(1 + 1e-12), None)
    stuck_both = np.isclose(first, again, atol=1e-9)
    assert not np.array_equal(first, again)
    assert stuck_both.mean() == pytest.approx(0.04, abs=0.03)  # both cells of a pair stuck
    assert np.corrcoef((first - w).ravel(), (again - w).ravel())[0, 1] > 0.9


def test_a_chip_keeps_its_traps_but_not_their_electrons() -> None:
    w = rng().standard_normal((60, 40))
    chip = HardwareRealisation(Hardware(telegraph=TelegraphNoise(0.2, share=0.3)), seed=0)
    moved = [chip.weights("a", w, rng(k)) != w for k in range(30)]
    assert not np.array_equal(moved[0], moved[1])
    ever = np.any(moved, axis=0)
    # a weight has two cells, and neither has a trap in 0.7 x 0.7 of them
    assert ever.mean() == pytest.approx(1 - 0.49, abs=0.03)


def test_fresh_chips_differ_from_call_to_call_as_the_error_says() -> None:
    w = rng().standard_normal((200, 100)).astype(np.float32)
    fresh = HardwareRealisation(article(), fresh=True)
    draw = rng(1)
    first, second = fresh.weights("a", w, draw), fresh.weights("a", w, draw)
    assert first.dtype == np.float32 and not np.array_equal(first, second)
    scale = 196e-6 / np.abs(w).max()
    expected = np.sqrt(2) * 1.147e-6 / scale
    assert (first - w).std() == pytest.approx(expected, rel=0.02)
    slow = HardwareRealisation(article(temperature="293.15 K"), fresh=True).weights("a", w, draw)
    assert (slow - w).std() == pytest.approx(expected, rel=0.02)  # cell by cell
    single = HardwareRealisation(article(mapping=Mapping("reference")), fresh=True)
    assert (single.weights("a", w, draw) - w).std() == pytest.approx(2 * expected, rel=0.1)


def test_scatter_of_kinetics_by_train_pulse_and_device() -> None:
    alpha, beta = np.full((1, 1, 1), 0.7, np.float32), np.full((1, 1, 1), 1.0, np.float32)
    shape = (500, 2, 5, 20)

    def drawn(**options: Any) -> tuple[np.ndarray, np.ndarray]:
        chip = HardwareRealisation(Hardware(kinetics=KineticsNoise(**options)), seed=0)
        return chip.kinetics("ddk", alpha, beta, shape, rng(1))

    a, b = drawn(alpha=0.05, beta=0.1)
    assert a.shape == b.shape == (500, 2, 5, 1) and a.dtype == np.float32
    assert (a.std(), b.std()) == pytest.approx((0.05, 0.1), rel=0.05)
    a, b = drawn(alpha=0.05, beta=0.1, per="pulse")
    assert a.shape == shape
    a, b = drawn(device_alpha=0.05, device_beta=0.1)
    assert b.shape == (1, 2, 5, 1) and np.unique(b).size == 10
    a, _ = drawn(alpha=9.0)
    assert a.min() > 0
    exact = HardwareRealisation(Hardware(), seed=0).kinetics("ddk", alpha, beta, shape, None)
    assert np.array_equal(exact[0], alpha)


def test_kinetics_by_table_stay_within_its_reach(net: Network, samples: np.ndarray) -> None:
    model = TableKinetics(table(), scale=4.0)
    chip = HardwareRealisation(Hardware(kinetics=model), seed=0)
    a, b = chip.kinetics(
        "ddk", np.full((1, 1, 1), 0.7), np.full((1, 1, 1), 1.0), (9, 1, 3, 10), rng()
    )
    largest = 4.0 * float(model.table.means["beta"].max())
    assert b.max() < 1.3 * largest
    assert a.shape == (9, 1, 3, 1) and np.unique(b).size == 27
    assert np.isfinite(net.logits(samples, realise=chip, rng=rng())).all()


def test_cells_written_by_pulses(net: Network, samples: np.ndarray) -> None:
    hardware = Hardware(
        mapping=Mapping(window=WINDOW),
        cells=kinetic_cells(),
        programming=(("tolerance", "1 uS"), ("max_pulses", 300)),
        faults=Faults(0.02),
    )
    chip = HardwareRealisation(hardware, seed=0)
    net.logits(samples, realise=chip)
    assert len(chip.programmed) == 2
    for done in chip.programmed.values():
        assert done.written.mean() > 0.9
        assert np.abs(done.dataset["error"].values[done.written]).max() <= 1e-6
    name = next(iter(chip.programmed))
    weight = net.layer(name).parameters["weight"]
    first = chip.programmed[name]
    chip.weights(name, weight * np.float32(0.999), None)
    second = chip.programmed[name]
    assert second is not first
    # from where the cells stood: almost nothing is to do
    assert second.dataset["pulses"].values.mean() < 0.2 * first.dataset["pulses"].values.mean()
    chip.rewrite()
    assert not chip.programmed


def test_read_noise_is_drawn_for_each_sample() -> None:
    w, x = rng().standard_normal((30, 5)), np.repeat(rng(1).standard_normal((1, 30)), 4000, axis=0)
    bias = np.arange(5.0)
    for arrays in (False, True):
        hardware = Hardware(read=ReadNoise(0.05), arrays=arrays)
        chip = HardwareRealisation(hardware, seed=0)
        z = chip.product("a", x, w, bias, rng(2))
        assert z is not None
        assert z.mean(0) == pytest.approx(x[0] @ w + bias, abs=0.05)
        assert (z.std(0) > 0.02).all()


def test_ranges_of_converters_come_from_calibration(net: Network, samples: np.ndarray) -> None:
    hardware = Hardware(arrays=True, dac_bits=10, adc_bits=10, tile=(16, 16))
    chip = HardwareRealisation(hardware, seed=0)
    chip.calibrate(net, samples)
    exact = net.logits(samples)
    near = np.abs(net.logits(samples, realise=chip) - exact).max()
    assert 0 < near < 0.02 * np.abs(exact).max()
    narrow = HardwareRealisation(hardware, seed=0)
    net.logits(0.1 * samples[:1], realise=narrow)  # the first call sets the ranges
    clipped = np.abs(net.logits(samples, realise=narrow) - exact).max()
    assert clipped > near


def test_quantised_activations_on_a_chip(net: Network, samples: np.ndarray) -> None:
    chip = HardwareRealisation(Hardware(quantisation=Quantisation(6, 6)), seed=0)
    with pytest.raises(InputError, match="not known"):
        net.logits(samples, realise=chip)
    chip.calibrate(net, samples)
    exact = net.logits(samples)
    off = np.abs(net.logits(samples, realise=chip) - exact).max() / np.abs(exact).max()
    assert 1e-3 < off < 0.3


def test_only_the_layers_that_are_named(net: Network, samples: np.ndarray) -> None:
    names = [layer.name for layer in net.layers if "weight" in layer.parameters]
    chip = HardwareRealisation(article(write=WriteError(0, 5e-6)), seed=0, layers={names[0]})
    w = net.layer(names[1]).parameters["weight"]
    assert chip.weights(names[1], w, None) is w
    alpha = np.ones(1)
    assert chip.kinetics("ddk", alpha, alpha, (1, 1, 1, 1), None) == (alpha, alpha)
    assert not np.array_equal(net.logits(samples, realise=chip), net.logits(samples))


def test_gradients_go_to_the_nominal_parameters(net: Network, samples: np.ndarray) -> None:
    before = {k: v.copy() for k, v in net.parameters.items()}
    y = np.arange(6) % 4
    for hardware in (article(), Hardware(arrays=True, read=ReadNoise(0.02))):
        chip = HardwareRealisation(hardware, fresh=True)
        found = net.loss_and_gradients(samples, y, rng(), realise=chip)
        assert found.gradients.keys() == before.keys()
        assert all(np.isfinite(g).all() and g.any() for g in found.gradients.values())
    for key, value in net.parameters.items():
        assert np.array_equal(value, before[key])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n, x: HardwareRealisation(Hardware()), "needs a seed"),
        (lambda n, x: Hardware(lines=LineResistance(1.0)), "need arrays"),
        (lambda n, x: Hardware(arrays=True, adc_bits=0), "0 bits"),
        (lambda n, x: Hardware(age="1 day"), "belong together"),
        (lambda n, x: Hardware(cycles=5.0), "need an endurance"),
        (lambda n, x: Hardware(temperature="5 V"), "wrong dimension"),
        (lambda n, x: Hardware(write=WriteError(), cells=kinetic_cells(1, 1)), "both"),
        (lambda n, x: Hardware(programming=(("speed", 3),)), "unknown option"),
        (
            lambda n, x: n.logits(x, realise=HardwareRealisation(article(), fresh=True)),
            "needs random numbers",
        ),
        (
            lambda n, x: n.logits(
                x, realise=HardwareRealisation(Hardware(mapping=Mapping(limit=0.01)), seed=0)
            ),
            "end of the window",
        ),
        (lambda n, x: Hardware(mapping=Mapping(window=ConductanceWindow(1.0, 0.0))), "no window"),
    ],
)
def test_bad_input_is_one_line(net: Network, samples: np.ndarray, call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call(net, samples)
    assert "\n" not in str(caught.value)


def test_everything_offered_is_there_and_nothing_heavy_comes_along() -> None:
    for name in network.hardware.__all__:
        assert getattr(network.hardware, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Crosbar'"):
        _ = network.hardware.Crosbar
    code = (
        "import sys, network.hardware.realisation; "
        "print([m for m in ('scipy', 'xarray', 'matplotlib', 'dolfinx', 'torch') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
