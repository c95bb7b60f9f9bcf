"""The DDK layer: shapes, gradients by its raw numbers, hardware, what a configuration keeps."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from compact.kinetics.equations import sensitivities
from ddkbase.errors import InputError
from network.ddk.constraints import Clamp, Stable
from network.ddk.layer import DDKLayer
from network.layers.base import Ideal
from network.layers.plain import Layer


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("per", ["network", "channel", "step", "channel-step"])
@pytest.mark.parametrize("banks", [1, 3])
@pytest.mark.parametrize("readout", ["all", 3, "last"])
@pytest.mark.parametrize("convention", ["before", "after"])
@pytest.mark.parametrize("constraint", ["positive", "clamp", "stable"])
def test_gradients(
    per: str,
    banks: int,
    readout: Any,
    convention: str,
    constraint: str,
    rng: np.random.Generator,
) -> None:
    layer = DDKLayer(
        7,
        (2, 2),
        per=per,
        banks=banks,
        readout=readout,
        states=convention,
        constraint=constraint,
        alpha=0.6,
        beta=0.4,
        spread=0.2,
        integrator={"positive": "implicit", "clamp": "exact", "stable": "explicit"}[constraint],
        backend="numpy",
        rng=rng,
    )
    assert isinstance(layer, Layer)
    layer.build((2, 2, 7), rng)
    x = rng.random((3, 2, 2, 7))
    y = layer.forward(x, training=True)
    assert y.shape == (3, *layer.output_shape((2, 2, 7)))
    gradient = rng.standard_normal(y.shape)
    by_x = layer.backward(gradient)
    assert by_x is not None

    def slope(array: np.ndarray, direction: np.ndarray) -> float:
        h, kept, total = 1e-3, array.copy(), 0.0
        for weight, distance in ((8, 1), (-8, -1), (-1, 2), (1, -2)):
            array[...] = kept + distance * h * direction
            total += weight * float((layer.forward(x) * gradient).sum())
        array[...] = kept
        return total / (12 * h)

    for array, found in [
        (x, by_x),
        *((layer.parameters[k], layer.gradients[k]) for k in layer.parameters),
    ]:
        direction = rng.uniform(-1, 1, array.shape)
        wanted = slope(array, direction)
        scale = float(np.abs(found * direction).sum())
        assert abs(float((found * direction).sum()) - wanted) <= 1e-6 * scale + 1e-9


def test_shapes_and_counts_of_the_article() -> None:
    speakers = DDKLayer(128)
    assert speakers.output_shape((128,)) == (128,)
    assert speakers.count((128,)).macs == 256
    video = DDKLayer(60, 80, per="step")
    assert video.pair_shape == (1, 1, 60)
    assert video.count((80, 60)).parameters == 120
    banks = DDKLayer(28, 28, per="channel-step", banks=2, readout=4)
    assert banks.output_shape((28, 28)) == (2, 28, 7)
    assert banks.pair_shape == (2, 28, 28)
    assert DDKLayer(28, 28, readout="last").output_shape((28, 28)) == (28, 1)


def test_readout_takes_the_last_of_every_n(rng: np.random.Generator) -> None:
    x = rng.random((4, 9))
    whole = DDKLayer(9, states="after").forward(x)
    np.testing.assert_array_equal(DDKLayer(9, states="after", readout=4).forward(x), whole[:, 3::4])
    last = DDKLayer(9, states="after", readout="last").forward(x)
    np.testing.assert_array_equal(last, whole[:, -1:])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_dtype_of_the_input_is_kept(kind: type, rng: np.random.Generator) -> None:
    layer = DDKLayer(5, 2)
    y = layer.forward(rng.random((3, 2, 5)).astype(kind), training=True)
    assert y.dtype == kind
    by_x = layer.backward(np.ones_like(y))
    assert by_x is not None
    assert by_x.dtype == kind
    layer.first = True
    layer.forward(rng.random((3, 2, 5)).astype(kind), training=True)
    assert layer.backward(np.ones_like(y)) is None


def test_the_start(rng: np.random.Generator) -> None:
    plain = DDKLayer(5)
    np.testing.assert_allclose([plain.alpha.item(), plain.beta.item()], [0.7, 1.0], rtol=1e-12)
    authors = DDKLayer(5, 40, per="channel", start="authors", rng=rng)
    for values in (authors.alpha, authors.beta):
        assert values.min() >= 0.001
        assert values.max() <= 1
        assert np.ptp(values) > 0.5
    same = [
        DDKLayer(5, 3, per="channel", spread=0.3, rng=np.random.default_rng(1)).alpha
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*same)
    banks = DDKLayer(5, banks=3)
    np.testing.assert_allclose(banks.beta.ravel(), [0.5, 1, 2])
    given = DDKLayer(5, 2, per="channel", alpha=[[0.1], [0.2]])
    np.testing.assert_allclose(given.alpha.ravel(), [0.1, 0.2])
    waiting = DDKLayer(5, spread=0.1)
    with pytest.raises(InputError, match="no alpha and beta yet"):
        waiting.forward(np.ones((1, 5)))
    waiting.build((5,), rng)
    assert waiting.alpha > 0


def test_configuration_makes_the_layer_anew(rng: np.random.Generator) -> None:
    layer = DDKLayer(
        6, 2, per="step", banks=2, readout=2, constraint=Stable(r=0.598), integrator="explicit"
    )
    layer.parameters["beta"] += 0.3
    text = json.dumps(layer.config())
    other = DDKLayer(**json.loads(text))
    for key, value in layer.parameters.items():
        other.parameters[key][...] = value
    x = rng.random((3, 2, 6))
    np.testing.assert_array_equal(other.forward(x), layer.forward(x))
    assert json.dumps(other.config()) == text


def test_spread_moves_alpha_and_beta_apart() -> None:
    layer = DDKLayer(5, 2000, alpha=0.7, beta=0.3, per="channel", spread=0.4,
                     rng=np.random.default_rng(2))  # fmt: skip
    logs = np.log([layer.alpha.ravel() / 0.7, layer.beta.ravel() / 0.3])
    np.testing.assert_allclose(logs.mean(1), 0.0, atol=0.05)
    np.testing.assert_allclose(logs.std(1), 0.4, rtol=0.05)
    assert abs(np.corrcoef(logs)[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("changed", "contractive"),
    [
        ({}, True),
        ({"initial": 0.3}, False),  # 2 y0^2 below alpha: the first step is steep
        ({"dt": 8.0}, False),  # alpha dt = 4 is above 2 y0^2
        ({"dt": 8.0, "initial": 2.0}, True),
        ({"form": "set", "initial": 0.3}, False),
        ({"integrator": "implicit", "initial": 0.3}, True),
    ],
)
def test_stability_is_that_of_its_own_dynamics(changed: dict[str, Any], contractive: bool) -> None:
    options: dict[str, Any] = {"integrator": "explicit", "alpha": 0.5, "beta": 0.01, **changed}
    layer = DDKLayer(20, **options)
    assert layer.stability().contractive.all() == contractive
    # what the report says, the states do: the largest slope of the next state by the one before
    step = {k: options[k] for k in ("integrator", "form", "dt", "initial") if k in options}
    start = step.pop("initial", 1.0)
    sign = 1 if step.pop("form", "reset") == "set" else -1
    integrator, dt = step.pop("integrator"), step.pop("dt", 1.0)
    slopes = sensitivities(
        integrator, 0.5, 0.01, np.ones(20), start, dt=dt, sign=sign
    ).by_y0  # products of the slopes of all steps up to each
    assert (np.abs(slopes[0]) <= 1 + 1e-9) == contractive


def test_set_pair_and_stability(rng: np.random.Generator) -> None:
    layer = DDKLayer(6, 2, per="channel", integrator="explicit")
    held = layer.parameters["alpha"]
    layer.set_pair(0.5, np.array([[1.0], [2.0]]))
    assert layer.parameters["alpha"] is held
    report = layer.stability(x_max=0.5)
    np.testing.assert_allclose(report.r.ravel(), [2.0, 0.5])
    assert report.positive.all()
    assert report.contractive.ravel().tolist() == [True, False]
    assert "1 of 2 pairs" in str(report)


class Spread(Ideal):
    """Every device has an alpha and a beta of its own, every cycle too."""

    def kinetics(self, layer_name: str, alpha: Any, beta: Any, shape: Any, rng: Any) -> Any:
        noise = rng.normal(1, 0.1, (2, *shape))
        return alpha * noise[0], beta * noise[1]

    def outputs(self, layer_name: str, z: np.ndarray, rng: Any) -> np.ndarray:
        z += 1  # layers hand over what may be changed
        return z


def test_hardware_gives_each_sample_its_own_pair(rng: np.random.Generator) -> None:
    layer = DDKLayer(6, 2, banks=2, per="channel")
    x = rng.random((3, 2, 6))
    y = layer.forward(x, training=True, rng=np.random.default_rng(1), realise=Spread())
    noise = np.random.default_rng(1).normal(1, 0.1, (2, 3, 2, 2, 6))
    alpha, beta = layer.alpha * noise[0], layer.beta * noise[1]
    for bank in range(2):
        wanted = np.ones((3, 2))
        for k in range(6):
            c = wanted - beta[:, bank, :, k] * x[..., k]
            wanted = (c + np.sqrt(c * c + 4 * alpha[:, bank, :, k])) / 2
            np.testing.assert_allclose(y[:, bank, :, k] - 1, wanted, rtol=1e-12)
    by_x = layer.backward(np.ones_like(y))
    assert by_x is not None
    assert by_x.shape == x.shape
    assert layer.gradients["alpha"].shape == layer.pair_shape

    # straight through: the gradient at the devices' pairs, summed onto the nominal ones
    h, k = 1e-6, (1, 0, 0)
    moved = []
    for step in (h, -h):
        change = np.zeros(layer.pair_shape)
        change[k] = step

        class Shifted(Spread):
            def kinetics(self, layer_name: str, a: Any, b: Any, shape: Any, rng: Any) -> Any:
                return alpha + change, beta  # noqa: B023

        moved.append(float(layer.forward(x, rng=rng, realise=Shifted()).sum()))
    by_alpha = (moved[0] - moved[1]) / (2 * h)
    raw = layer.parameters["alpha"][k]
    np.testing.assert_allclose(
        layer.gradients["alpha"][k], by_alpha / (1 + np.exp(-raw)), rtol=1e-6
    )


def test_the_clamp_holds_and_lets_go() -> None:
    layer = DDKLayer(6, constraint=Clamp(0.1, 1.0))
    layer.parameters["beta"][...] = 3.0  # where an optimiser may have put it
    x = np.full((1, 6), 0.5)
    layer.forward(x, training=True)
    assert layer.beta == 1
    assert layer.parameters["beta"] == 1
    layer.backward(np.ones((1, 6)))
    assert layer.gradients["beta"] != 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"per": "chanel"}, "Did you mean 'channel'"),
        ({"steps": 0}, "not both positive"),
        ({"readout": 8}, "not 'all', 'last' or 1..6"),
        ({"readout": "first"}, "not 'all', 'last' or 1..6"),
        ({"constraint": "stabel"}, "Did you mean 'stable'"),
        ({"integrator": "euler"}, "unknown integrator"),
        ({"start": "random"}, "neither 'given' nor 'authors'"),
        ({"spread": -1}, "not a number from 0"),
        ({"alpha": -1}, "not a number from 0"),
        ({"beta": [1.0, 2.0]}, "does not fit"),
    ],
)
def test_what_makes_no_sense_is_said(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        DDKLayer(**({"steps": 6} | change))


def test_another_input_and_no_forward_are_refused() -> None:
    layer = DDKLayer(6, 2)
    with pytest.raises(InputError, match="came to a layer"):
        layer.forward(np.ones((3, 6)))
    with pytest.raises(InputError, match="forward pass before"):
        layer.backward(np.ones((3, 2, 6)))


class InPlace(Ideal):
    """Hardware that writes into what it is given."""

    def outputs(self, layer_name: str, z: np.ndarray, rng: Any) -> np.ndarray:
        z += 5.0
        return z


@pytest.mark.parametrize("banks", [1, 2])
def test_hardware_that_writes_into_its_input_leaves_the_gradient_alone(
    banks: int, rng: np.random.Generator
) -> None:
    layer = DDKLayer(6, banks=banks, rng=rng)
    x = rng.random((4, 6))
    found = []
    for hardware in (None, InPlace()):
        y = layer.forward(x, training=True, realise=hardware)
        by_x = layer.backward(np.ones_like(y))
        found.append([by_x, layer.gradients["alpha"].copy(), layer.gradients["beta"].copy()])
    for plain, realised in zip(*found, strict=True):
        np.testing.assert_array_equal(plain, realised)


def test_a_number_a_bank_is_a_start() -> None:
    """`DDKClassifier(banks=2, alpha=[...])` was refused: the numbers met the axis of the steps."""
    layer = DDKLayer(7, 5, banks=2, alpha=[0.1, 0.4], beta=[0.2, 0.8])
    np.testing.assert_allclose(layer.alpha.ravel(), [0.1, 0.4])
    np.testing.assert_allclose(layer.beta.ravel(), [0.2, 0.8])
    each = DDKLayer(7, 5, banks=2, per="channel-step", alpha=[0.1, 0.4])
    assert (each.alpha[0] == each.alpha[0, 0, 0]).all()
    np.testing.assert_allclose(each.alpha[:, 0, 0], [0.1, 0.4])
    # as many steps as banks: an array then means what it means to NumPy, the last axis
    steps = DDKLayer(2, banks=2, per="step", alpha=[0.1, 0.4])
    np.testing.assert_allclose(steps.alpha[0], [0.1, 0.4])
