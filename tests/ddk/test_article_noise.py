"""The noise of the authors' code: one pair a call, written into the network, and added up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ddk.article.noise import CALLS, CODE_WINDOW, accuracies_of_calls, apply_noise
from ddk.cli.commands import app
from network import ddk_network
from network.hardware import HardwareRealisation, KineticsNoise, article
from network.hardware.cells.noise import ARTICLE_WRITE_ERROR
from network.layers.plain import Dense
from network.model.files import copy_network
from network.model.network import Network


def small() -> Network:
    return ddk_network((40,), [30], 4, seed=1)


def dense(network: Network) -> np.ndarray:
    layer = next(m for m in network.layers if isinstance(m, Dense))
    return layer.parameters["weight"]


def test_a_call_writes_one_positive_pair_and_the_error_of_one_cell_a_weight() -> None:
    network, before = small(), small()
    for layer in network.layers:
        if isinstance(layer, Dense):
            layer.parameters["weight"][0, 0] = 3.0  # cut off at 1
    apply_noise(network, np.random.default_rng(0))
    (alpha, beta), *_ = network.kinetics().values()
    assert alpha.size == beta.size == 1
    assert alpha > 0 and beta > 0 and abs(alpha.item() - 0.7) > 1e-3
    change = dense(network) - dense(before)
    assert dense(network)[0, 0] <= 1
    # the window's half is the largest weight, 1 here
    microsiemens = np.delete(change, 0) * (CODE_WINDOW.span / 2) * 1e6
    error = ARTICLE_WRITE_ERROR
    assert microsiemens.std() == pytest.approx(1e6 * error.deviation, rel=0.1)
    assert microsiemens.mean() == pytest.approx(1e6 * error.mean, abs=0.12)


def test_pairs_stay_positive_where_the_noise_is_larger_than_they_are() -> None:
    network = small()
    for layer in network.layers:
        if hasattr(layer, "set_pair"):
            layer.set_pair(1e-3, 1e-3)
    rng = np.random.default_rng(1)
    for _ in range(200):
        apply_noise(network, rng)
    (alpha, beta), *_ = network.kinetics().values()
    assert alpha > 0 and beta > 0.1  # a walk that is held back at zero goes up


def test_calls_add_up_unless_each_begins_anew() -> None:
    network = small()
    x = np.random.default_rng(2).random((300, 40))
    y = network.predict(x)
    kept = copy_network(network)
    both = [
        accuracies_of_calls(network, x, y, np.random.default_rng(3), restored=restored)
        for restored in (False, True)
    ]
    assert both[0].shape == (CALLS,) and both[0][0] == both[1][0]
    assert both[0][25:].mean() < both[1][25:].mean()
    for name, value in kept.parameters.items():
        np.testing.assert_array_equal(value, network.parameters[name])


def test_a_pair_a_chip_is_the_same_for_all_its_samples() -> None:
    noise = KineticsNoise(alpha=0.3, beta=0.4, device_alpha=0.4, relative=True).of_devices()
    assert (noise.alpha, noise.beta, noise.relative) == (0, 0, True)
    assert (noise.device_alpha, noise.device_beta) == (pytest.approx(0.5), pytest.approx(0.4))
    chip = HardwareRealisation(article(kinetics=noise), seed=1)
    one = np.ones((1, 1, 1))
    alpha, beta = chip.kinetics("ddk", one, one, (9, 1, 40), np.random.default_rng(0))
    assert alpha.size == beta.size == 1 and alpha.item() != 1


def test_harden_adds_up_and_says_where_scatter_has_no_place(tmp_path: Path) -> None:
    told = ["harden", "--task", "digits", "--quick", "--seeds", "1", "--pictures", "none"]
    done = CliRunner().invoke(app, [*told, "--kind", "accumulation", "--out", str(tmp_path / "a")])
    assert done.exit_code == 0, done.output
    assert "restored-mean-of-50" in done.output
    refused = ["--kind", "noise", "--scatter", "device", "--out", str(tmp_path / "b")]
    result = CliRunner().invoke(app, [*told, *refused])
    assert result.exit_code == 2 and "scatter of its own" in result.output
    modes = ["--cases", "imprecise", "--out"]
    for scatter in ("train", "device"):
        out = str(tmp_path / scatter)
        done = CliRunner().invoke(app, [*told, *modes, out, "--scatter", scatter])
        assert done.exit_code == 0, done.output
    texts = [(tmp_path / s / "table.json").read_text() for s in ("train", "device")]
    assert texts[0] != texts[1]
