"""Layers: gradients against differences of the loss, shapes, counts, and the hardware hook."""

from __future__ import annotations

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.counting.count import Count
from network.layers.plain import Activation, BaseLayer, Dense, Dropout, Flatten, Ideal, Layer, Mean
from network.layers.standardise import Moments, Standardise
from network.model.network import Network

SHAPE = (3, 4)
EVERY = {
    "dense": lambda: [Dense(5), Flatten()],
    "dense without bias": lambda: [Dense(5, bias=False), Flatten()],
    "relu": lambda: [Dense(5), Activation("relu"), Flatten()],
    "sigmoid": lambda: [Dense(5), Activation("sigmoid"), Flatten()],
    "tanh": lambda: [Dense(5), Activation("tanh"), Flatten()],
    "identity": lambda: [Dense(5), Activation("identity"), Flatten()],
    "flatten in the middle": lambda: [Dense(5), Flatten(2), Mean(1)],
    "mean": lambda: [Dense(5), Mean(1)],
    "mean over the last": lambda: [Dense(5), Mean(-1)],
    "standardise": lambda: [Dense(5), Standardise(), Flatten()],
    "standardise, affine": lambda: [Dense(5), Standardise(affine=True), Dense(2), Flatten()],
    "standardise first": lambda: [Standardise(affine=True), Dense(2), Flatten()],
    "dropout": lambda: [Dense(5), Dropout(0.3), Flatten()],
}


def small(layers: list[Layer], seed: int = 0) -> tuple[Network, np.ndarray, np.ndarray]:
    network = Network([*layers, Dense(3)], SHAPE, 3, seed, dtype="float64")
    rng = np.random.default_rng(seed + 1)
    for value in network.parameters.values():
        value += 0.3 * rng.normal(size=value.shape)
    return network, rng.normal(size=(7, *SHAPE)), rng.integers(0, 3, 7)


def loss(network: Network, x: np.ndarray, y: np.ndarray, smoothing: float = 0.0) -> float:
    return network.loss_and_gradients(x, y, np.random.default_rng(5), smoothing=smoothing).loss


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_differences_of_the_loss(name: str, smoothing: float) -> None:
    network, x, y = small(EVERY[name]())
    found = network.loss_and_gradients(x, y, np.random.default_rng(5), smoothing=smoothing)
    gradients = {key: value.copy() for key, value in found.gradients.items()}
    assert set(gradients) == set(network.parameters)
    for key, value in network.parameters.items():
        numeric = np.empty_like(value)
        for place in np.ndindex(value.shape):
            kept = value[place]
            ends = []
            for step in (1e-5, -1e-5):
                value[place] = kept + step
                ends.append(loss(network, x, y, smoothing))
            value[place] = kept
            numeric[place] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(gradients[key], numeric, rtol=1e-6, atol=1e-9, err_msg=key)


def test_the_gradient_by_x_passes_through_each_layer() -> None:
    rng = np.random.default_rng(0)
    x, weighting = rng.normal(size=(6, 3, 4)), None
    for layer in (Dense(2), Activation("tanh"), Flatten(), Mean(2), Standardise()):
        layer.build(SHAPE, rng)
        y = layer.forward(x, training=True)
        weighting = rng.normal(size=y.shape)
        by_x = layer.backward(weighting)
        assert by_x is not None
        direction = rng.normal(size=x.shape)
        ends = [layer.forward(x + s * direction, training=True) for s in (1e-6, -1e-6)]
        slope = float(np.sum((ends[0] - ends[1]) * weighting)) / 2e-6
        assert np.sum(by_x * direction) == pytest.approx(slope, rel=1e-6), layer.kind


def test_plain_layers_follow_the_protocol() -> None:
    layers = (Dense(2), Activation("relu"), Flatten(), Mean(), Dropout(0.1), Standardise())
    assert all(isinstance(layer, Layer) for layer in layers)
    for layer in layers:
        again = type(layer)(**layer.config())
        assert again.config() == layer.config()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_take_any_size_of_number(dtype: str) -> None:
    x = np.array([[-1e4, -1.0, 0.0, 1.0, 1e4]], dtype)
    y = Activation("sigmoid").forward(x)
    assert y.dtype == np.dtype(dtype)
    np.testing.assert_allclose(y, [[0, 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1]], rtol=1e-6)
    assert Activation("relu").forward(x).tolist() == [[0, 0, 0, 1, 1e4]]


def test_counts_of_a_dense_layer() -> None:
    assert Dense(5).count((4,)) == Count(25, 20)
    assert Dense(5, bias=False).count((4,)) == Count(20, 20)
    assert Dense(5).count((7, 4)) == Count(25, 140)  # once per word, the weights are shared
    assert Standardise().count((4,)) == Count(0, 0)
    assert Standardise(affine=True).count((4,)) == Count(8, 0)


def test_standardised_features_have_no_mean_and_unit_variance() -> None:
    layer = Standardise(eps=1e-12)
    layer.build((5,), np.random.default_rng(0))
    x = np.random.default_rng(1).normal(3, [1, 2, 3, 4, 5], (500, 5))
    y = layer.forward(x, training=True)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-9)
    layer.reestimate(x)
    np.testing.assert_allclose(layer.forward(x), y, atol=1e-9)


def test_running_statistics_follow_the_batches() -> None:
    layer = Standardise(momentum=0.5)
    layer.build((1,), np.random.default_rng(0))
    layer.forward(np.array([[1.0], [3.0]]), training=True)
    assert layer.buffers["mean"].tolist() == [1.0]  # half way from 0 to 2
    assert layer.buffers["variance"].tolist() == [1.0]


def test_moments_in_pieces_are_the_moments_of_the_whole() -> None:
    x = np.random.default_rng(0).normal(1000, 0.1, (1000, 3)).astype(np.float32)
    moments = Moments(3)
    for piece in np.array_split(x, [1, 100, 101, 900]):
        moments.add(piece)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(moments.mean, wide.mean(0), rtol=1e-9)
    np.testing.assert_allclose(moments.variance, wide.var(0), rtol=1e-4)


def test_dropout_keeps_the_mean_and_rests_outside_training() -> None:
    x = np.ones((200, 500))
    layer = Dropout(0.25)
    y = layer.forward(x, training=True, rng=np.random.default_rng(0))
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert y.mean() == pytest.approx(1, abs=0.01)
    assert layer.forward(x) is x
    with pytest.raises(InputError, match="random generator"):
        layer.forward(x, training=True)


class _Doubled(Ideal):
    """Weights twice as large; outputs one higher."""

    def weights(self, layer_name, weight, rng):  # type: ignore[no-untyped-def]
        return 2 * weight

    def outputs(self, layer_name, z, rng):  # type: ignore[no-untyped-def]
        return z + 1


class _Product(Ideal):
    def product(self, layer_name, x, weight, bias, rng):  # type: ignore[no-untyped-def]
        return np.zeros((len(x), weight.shape[1]))


def test_hardware_takes_the_place_of_weights_products_and_outputs() -> None:
    layer = Dense(2, name="dense")
    layer.build((3,), np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(4, 3))
    exact = layer.forward(x)
    np.testing.assert_allclose(layer.forward(x, realise=Ideal()), exact)
    np.testing.assert_allclose(layer.forward(x, realise=_Doubled()), 2 * exact + 1)
    assert not layer.forward(x, realise=_Product()).any()


def test_gradients_go_straight_through_hardware_to_the_nominal_weights() -> None:
    layer = Dense(2, name="dense")
    layer.build((3,), np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(4, 3))
    layer.forward(x, training=True, realise=_Doubled())
    by_x = layer.backward(np.ones((4, 2)))
    np.testing.assert_allclose(layer.gradients["weight"], x.T @ np.ones((4, 2)))
    np.testing.assert_allclose(by_x, np.ones((4, 2)) @ (2 * layer.parameters["weight"]).T)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Dense(0), "0 outputs"),
        (lambda: Activation("rely"), "Did you mean 'relu'"),
        (lambda: Flatten(0), "start 0"),
        (lambda: Mean(0), "the batch"),
        (lambda: Dropout(1.0), "a share of 1.0"),
        (lambda: Standardise(eps=0), "eps 0"),
        (lambda: Flatten(4).output_shape((2, 3)), "no axis 4"),
        (lambda: Mean(3).output_shape((2, 3)), "no axis 3"),
        (lambda: Activation("relu").backward(np.ones(1)), "forward pass before"),
    ],
)
def test_what_makes_no_sense_is_refused(make, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=said):
        make()


def test_a_layer_without_anything_passes_shapes_on() -> None:
    assert BaseLayer("x").output_shape((2, 3)) == (2, 3)
    assert BaseLayer("x").count((2, 3)) == Count(0, 0)


@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_weights_start_within_glorot_s_limit(gain: float) -> None:
    layer = Dense(200, gain=gain)
    layer.build((3, 100), np.random.default_rng(0))
    weight, limit = layer.parameters["weight"], gain * np.sqrt(6 / 300)
    assert weight.shape == (100, 200) and (layer.parameters["bias"] == 0).all()
    assert 0.99 * limit < np.abs(weight).max() <= limit
    # as many inputs as outputs keep the variance both ways: gain^2 2/(inputs + outputs)
    assert weight.var() == pytest.approx(gain**2 * 2 / 300, rel=0.03)
    assert layer.count((3, 100)) == Count(100 * 200 + 200, 3 * 100 * 200)
