"""One default for one question: the same numbers by library, layer, network, estimator, command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import network
from compact.kinetics import exact_step, explicit_euler, implicit_euler, integrate, sensitivities
from ddk.cli.commands import app
from network.ddk import backward, forward
from network.ddk.layer import DDKLayer
from network.layers.baselines import RandomDDK
from network.model.files import load_network, save_network

X = np.array([0.64, 0.95, 0.8])
AFTER = [1.035804, 0.880661, 0.877962]  # y (y - c) = alpha, c = y before - beta x, by hand
BEFORE = [1.0, *AFTER[:2]]
ALPHA, BETA = 0.7, 1.0


def library(**options: Any) -> Any:
    return integrate("implicit", ALPHA, BETA, X, **options)


def alias(**options: Any) -> Any:
    return implicit_euler(ALPHA, BETA, X, **options)


def with_derivatives(**options: Any) -> Any:
    return sensitivities("implicit", ALPHA, BETA, X, **options).y


def function(**options: Any) -> Any:
    return forward(X, ALPHA, BETA, **options)


def layer(**options: Any) -> Any:
    return DDKLayer(3, alpha=ALPHA, beta=BETA, **options).forward(X[None])[0]


def model(**options: Any) -> Any:
    ddk = {"alpha": ALPHA, "beta": BETA, **options}
    net = network.ddk_network((3,), [], 2, ddk=ddk, dtype="float64")
    return net.layer("ddk").forward(X[None])[0]


def classifier(**options: Any) -> Any:
    pytest.importorskip("sklearn")
    estimator = network.DDKClassifier(
        alpha=ALPHA, beta=BETA, epochs=1, rate=1e-300, dtype="float64", scale="none", **options
    ).fit(np.stack([X, X]), [0, 1])
    return estimator.network_.layer("ddk").forward(X[None])[0]


def transformer(**options: Any) -> Any:
    pytest.importorskip("sklearn")
    estimator = network.DDKTransformer(alpha=ALPHA, beta=BETA, scale="none", **options)
    return estimator.fit_transform(X[None])[0]


DOORS = [library, alias, with_derivatives, function, layer, model, classifier, transformer]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_door_reads_the_state_after_the_pulse(door: Any) -> None:
    np.testing.assert_allclose(door(), AFTER, atol=1e-6)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_door_takes_the_authors_convention_by_the_same_name(door: Any) -> None:
    np.testing.assert_allclose(door(states="before"), BEFORE, atol=1e-6)


@pytest.mark.parametrize("function", [explicit_euler, implicit_euler, exact_step])
def test_the_earlier_keyword_still_does_what_it_did(function: Any) -> None:
    with pytest.warns(DeprecationWarning, match="states"):
        before = function(ALPHA, BETA, X, authors=True)
    np.testing.assert_array_equal(before, function(ALPHA, BETA, X, states="before"))


def test_the_last_sample_counts_in_the_gradients() -> None:
    y = forward(X, ALPHA, BETA)
    assert backward(np.ones(3), X, y, ALPHA, BETA).x[-1] != 0


def test_the_last_sample_counts_in_the_random_layer() -> None:
    rng = np.random.default_rng(0)
    both = [X[None], X[None] + np.array([0.0, 0.0, 0.3])]
    random = RandomDDK(3)
    random.build((3,), rng)
    one, other = (random.forward(x) for x in both)
    assert one[0, -1] != other[0, -1]


@pytest.mark.parametrize("states", ["before", "after"])
def test_a_saved_network_keeps_its_convention(states: str, tmp_path: Path) -> None:
    layers = [RandomDDK(8, ddk={"states": states}), network.Dense(2)]
    net = network.Network(layers, (8,), 2)
    x = np.random.default_rng(0).random((4, 8), np.float32)
    loaded = load_network(save_network(net, tmp_path / "net.npz"))
    np.testing.assert_array_equal(net.logits(x), loaded.logits(x))


def test_a_random_layer_saved_before_the_default_changed_is_the_same() -> None:
    config = RandomDDK(8).config()
    assert RandomDDK.from_config(config).config() == config
    assert RandomDDK.from_config({**config, "ddk": {}}).config()["ddk"]["states"] == "before"


def trained(tmp_path: Path, *options: str) -> Any:
    out = tmp_path / "net"
    words = ["train", "--data", "digits", "--quick", "--epochs", "1", "--out", str(out), *options]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return load_network(out / "model.npz"), json.loads((out / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("options", "states"),
    [
        ((), "after"),
        (("--states", "before"), "before"),
        (("--model", "random"), "after"),
        (("--model", "random", "--states", "before"), "before"),
        (("--model", "ddk-article"), "before"),
    ],
)
def test_the_command_trains_the_same_network(
    options: tuple[str, ...], states: str, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    net, metrics = trained(tmp_path, *options)
    config = net.layers[0].config()
    assert config.get("ddk", config)["states"] == states
    task = metrics["settings"]["task"]
    assert task["ddk"]["states"] == ("before" if "--states" in options else "after")
