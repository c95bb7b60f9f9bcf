"""Training for hardware: every mode does what it says, and only that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.ddk.layer import DDKLayer
from network.hardware import Faults, Hardware, KineticsNoise, ReadNoise, WriteError, article
from network.hardware.in_situ import Frozen, PinnedChip, Tuning, before_classifier, tune
from network.hardware.training import MODES, confine, harden, on_arrays
from network.layers.plain import Dense
from network.model.files import copy_network
from network.model.network import Network, ddk_network
from tests.network.hardware.cell_data import kinetic_cells, table

QUICK = {"epochs": 40, "seed": 0}
HOW = Tuning(epochs=40, rate=0.02)


def data(samples: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three kinds of sequences of 16 steps that a small network tells apart."""
    rng = np.random.default_rng(seed)
    y = np.arange(samples) % 3
    steps = np.linspace(0, 1, 16)
    shapes = np.stack([steps, 1 - steps, 4 * steps * (1 - steps)])
    x = shapes[y] + 0.12 * rng.standard_normal((samples, 16))
    return np.clip(x, 0, 1).astype(np.float32), y


def net(seed: int = 1) -> Network:
    return ddk_network((16,), [8], 3, seed=seed)


@pytest.fixture(scope="module")
def trained() -> Network:
    found = net()
    harden(found, *data(), mode="software", **QUICK)
    return found


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_software_is_plain_training_and_needs_no_hardware(trained: Network) -> None:
    outcome = harden(copy_network(trained), *data(), mode="software", trained=True)
    assert outcome.realise is None and outcome.tuning is None and not outcome.reestimated
    assert outcome.accuracy(*data(seed=1), rng()) > 0.95


@pytest.mark.parametrize("mode", MODES)
def test_on_exact_hardware_every_mode_is_as_good_as_software(mode: str, trained: Network) -> None:
    outcome = harden(
        copy_network(trained), *data(), mode=mode, hardware=Hardware(), trained=True, tuning=HOW
    )
    assert outcome.accuracy(*data(seed=1), rng()) > 0.95


def test_imprecise_inference_changes_no_parameter(trained: Network) -> None:
    mine = copy_network(trained)
    harden(mine, *data(), mode="imprecise", hardware=article(), trained=True)
    for name, value in mine.parameters.items():
        assert np.array_equal(value, trained.parameters[name])


def test_hybrid_moves_the_classifier_and_nothing_before_it(trained: Network) -> None:
    mine = copy_network(trained)
    harden(mine, *data(), mode="hybrid", hardware=article(), trained=True, tuning=HOW)
    moved = {
        name
        for name, v in mine.parameters.items()
        if not np.array_equal(v, trained.parameters[name])
    }
    assert moved == {n for n in mine.parameters if n.startswith("dense")}
    assert not any(isinstance(layer, Frozen) for layer in mine.layers)
    statistics = [layer.buffers for layer in mine.layers if layer.buffers]
    before = [layer.buffers for layer in trained.layers if layer.buffers]
    assert np.array_equal(statistics[0]["mean"], before[0]["mean"])


def test_hybrid_mends_failed_cells_of_its_own_chip(trained: Network) -> None:
    hardware = Hardware(faults=Faults(stuck_low=0.1, stuck_high=0.1))
    x, y = data(seed=1)
    scores = {}
    for mode in ("imprecise", "hybrid"):
        scores[mode] = [
            harden(
                copy_network(trained),
                *data(),
                mode=mode,
                hardware=hardware,
                chip=chip,
                trained=True,
                tuning=HOW,
            ).accuracy(x, y, rng())
            for chip in range(4)
        ]
    assert np.mean(scores["hybrid"]) > np.mean(scores["imprecise"]) + 0.05


def test_statistics_alone_mend_a_shift_without_labels(trained: Network) -> None:
    hardware = Hardware(kinetics=KineticsNoise(0, 0, 0.6, 0.6))
    x, y = data(seed=1)
    plain, anew = [], []
    for chip in range(6):
        for found, again in ((plain, False), (anew, True)):
            labels = y if not again else np.zeros_like(y)  # they are not looked at
            outcome = harden(
                copy_network(trained),
                data()[0],
                labels,
                mode="imprecise",
                hardware=hardware,
                chip=chip,
                trained=True,
                reestimate=again,
            )
            assert outcome.reestimated == again
            found.append(outcome.accuracy(x, y, rng()))
    assert np.mean(anew) > np.mean(plain) + 0.1


def test_imprecision_based_training_withstands_more_than_software() -> None:
    hardware = Hardware(kinetics=KineticsNoise(0.3, 0.3))
    x, y = data(seed=1)
    scores = {}
    for mode in ("imprecise", "imprecision-based"):
        made = net()
        outcome = harden(made, *data(), mode=mode, hardware=hardware, **QUICK)
        scores[mode] = outcome.accuracy(x, y, rng())
    assert scores["imprecision-based"] > scores["imprecise"]


def test_a_table_confines_alpha_and_beta_and_says_the_pulses() -> None:
    outcome = harden(net(), *data(), mode="imprecise", hardware=Hardware(), table=table(), **QUICK)
    assert len(outcome.pulses) == 1
    assert outcome.pulses[0].distance < 1e-6
    layer = outcome.network.layers[0]
    assert isinstance(layer, DDKLayer) and layer.constraint.kind == "reachable"
    hardware = outcome.realise.hardware  # type: ignore[union-attr]
    assert hardware.kinetics is not None


def test_hybrid_on_arrays_writes_by_pulses_and_reads_through_converters(trained: Network) -> None:
    hardware = on_arrays(Hardware(), cells=kinetic_cells(), mapping=article().mapping)
    hardware = replace(hardware, mapping=replace(hardware.mapping, window=hardware.cells.window))
    outcome = harden(
        copy_network(trained),
        *data(),
        mode="hybrid-arrays",
        hardware=hardware,
        trained=True,
        tuning=replace(HOW, epochs=5),
    )
    chip = outcome.realise
    assert isinstance(chip, PinnedChip)
    assert set(chip.programmed) == {"dense1", "dense2"}
    assert chip.programmed["dense1"].dataset["pulses"].values.sum() > 0
    assert outcome.accuracy(*data(seed=1), rng()) > 0.9


def test_on_arrays_keeps_the_write_error_and_adds_what_arrays_do() -> None:
    found = on_arrays(article())
    assert found.write == article().write and found.arrays
    assert found.adc_bits == found.dac_bits == 8 and isinstance(found.read, ReadNoise)


def test_a_pinned_chip_keeps_its_scale_while_the_largest_weight_changes(trained: Network) -> None:
    exact = PinnedChip.of(trained, Hardware(write=WriteError()), seed=0, headroom=2)
    weight = trained.layers[before_classifier(trained)].parameters["weight"]
    for factor in (1.0, 1.5):
        seen = exact.weights("dense1", factor * weight, None)
        assert np.allclose(seen, factor * weight, rtol=1e-6)
    clipped = exact.weights("dense1", 10 * weight, None)
    assert np.abs(clipped).max() == pytest.approx(exact.limits["dense1"])


def test_the_layers_are_as_before_after_a_tuning_that_fails(trained: Network) -> None:
    mine = copy_network(trained)
    layers = list(mine.layers)
    with pytest.raises(InputError):
        tune(mine, data()[0][:, :4], data()[1], PinnedChip.of(mine, Hardware(), seed=0))
    assert mine.layers == layers


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mode": "hybrd", "hardware": Hardware()}, "unknown mode"),
        ({"mode": "hybrid"}, "needs hardware"),
    ],
)
def test_bad_input_is_one_line(arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        harden(net(), *data(), **arguments)
    assert "\n" not in str(caught.value)


def test_without_classifier_or_ddk_layer_it_says_so() -> None:
    control = ddk_network((16,), [8], 3, front=None, seed=0)
    with pytest.raises(InputError, match="no DDK layer"):
        confine(control, table())
    control.layers = [x for x in control.layers if not isinstance(x, Dense)]
    with pytest.raises(InputError, match="no classifier"):
        before_classifier(control)


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"rate": 0.0}, {"headroom": 0.5}])
def test_a_tuning_that_makes_no_sense(bad: dict) -> None:
    with pytest.raises(InputError, match="tuning"):
        Tuning(**bad)
