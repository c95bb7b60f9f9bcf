"""The controls: shapes and counts of the DDK layer, and gradients by central differences."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.layers import baselines as controls
from network.layers.feature_layer import read_steps
from network.layers.plain import Layer

RNG = np.random.default_rng(7)
ALL = sorted(controls.CONTROLS)
#: The step that a random DDK takes here is the one whose gradient is checked elsewhere.
PER = ["network", "channel", "step", "channel-step"]


def built(name, steps, channels=None, **options):
    layer = controls.make_control(name, steps, channels, **options)
    shape = (*layer.channels, steps)
    layer.build(shape, np.random.default_rng(3))
    return layer, RNG.random((4, *shape))


def by_differences(function, array, step=1e-6):
    found = np.empty_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + step
        above = function()
        array[index] = kept - step
        below = function()
        array[index] = kept
        found[index] = (above - below) / (2 * step)
    return found


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("banks", [1, 3])
@pytest.mark.parametrize("readout", ["all", 3, "last"])
@pytest.mark.parametrize("channels", [None, 2, (2, 3)])
def test_gradients_are_those_of_differences(name, banks, readout, channels):
    layer, x = built(name, 7, channels, banks=banks, readout=readout)
    for array in layer.parameters.values():
        array += 0.1 * RNG.standard_normal(array.shape)
    weights = RNG.standard_normal(layer.forward(x).shape)

    def loss():
        return float((layer.forward(x) * weights).sum())

    y = layer.forward(x, training=True)
    by_x = layer.backward(weights)
    assert y.shape == (4, *layer.output_shape(x.shape[1:]))
    np.testing.assert_allclose(by_x, by_differences(loss, x), rtol=1e-6, atol=1e-8)
    for key, array in layer.parameters.items():
        found = by_differences(loss, array)
        np.testing.assert_allclose(layer.gradients[key], found, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in ALL if name != "echo"])
@pytest.mark.parametrize("per", PER)
def test_gradients_for_each_way_to_share_the_parameters(name, per):
    layer, x = built(name, 6, (3,), banks=2, readout=2, per=per)
    for array in layer.parameters.values():
        array += 0.1 * RNG.standard_normal(array.shape)
    weights = RNG.standard_normal((4, 2, 3, 3))
    layer.first = True
    layer.forward(x, training=True)
    assert layer.backward(weights) is None
    for key, array in layer.parameters.items():
        found = by_differences(lambda: float((layer.forward(x) * weights).sum()), array)
        assert layer.gradients[key].shape == array.shape
        np.testing.assert_allclose(layer.gradients[key], found, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ALL)
def test_shape_and_parameters_are_those_of_the_ddk_layer(name):
    from network.ddk.layer import DDKLayer

    options = {"banks": 2, "readout": 4}
    ddk = DDKLayer(12, 3, **options)
    layer, x = built(name, 12, 3, **options)
    assert layer.output_shape((3, 12)) == ddk.output_shape((3, 12))
    assert layer.count((3, 12)).parameters == ddk.count((3, 12)).parameters
    assert sum(array.size for array in layer.parameters.values()) == 4
    assert layer.forward(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("name", ALL)
def test_configuration_and_arrays_make_the_layer_anew(name):
    layer, x = built(name, 9, 2, readout=2)
    again = controls.make_control(name, **json.loads(json.dumps(layer.config())))
    again.build((2, 9), np.random.default_rng(99))
    again.parameters = {key: array.copy() for key, array in layer.parameters.items()}
    again.buffers = {key: array.copy() for key, array in layer.buffers.items()}
    assert isinstance(layer, Layer)
    np.testing.assert_array_equal(again.forward(x), layer.forward(x))


@pytest.mark.parametrize("name", ALL)
def test_a_network_trains_behind_it_and_is_saved(name, tmp_path):
    from network.layers.plain import Dense, Flatten
    from network.layers.standardise import Standardise
    from network.model.files import load_network
    from network.model.network import Network
    from network.model.trainer import train

    y = np.arange(60) % 2
    x = 0.6 * np.random.default_rng(1).random((60, 2, 12)) + 0.4 * y[:, None, None]
    x = x.astype(np.float32)
    layers = [controls.make_control(name, 12, 2, readout=3), Flatten(), Standardise(), Dense(2)]
    model = Network(layers, (2, 12), 2, seed=0)
    start = {key: array.copy() for key, array in model.layers[0].buffers.items()}
    train(model, x[:40], y[:40], epochs=40, seed=0)
    assert np.mean(model.predict(x[40:]) == y[40:]) > 0.9
    for key, array in start.items():  # what is random stays as it was drawn
        np.testing.assert_array_equal(model.layers[0].buffers[key], array)
    model.save(tmp_path / "model.npz")
    again = load_network(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))


def test_raw_is_the_samples():
    layer, x = built("raw", 5, 2)
    np.testing.assert_array_equal(layer.forward(x), x)


def test_running_sum():
    layer, x = built("sum", 5)
    np.testing.assert_allclose(layer.forward(x)[:, -1], x.mean(axis=1))
    np.testing.assert_allclose(layer.forward(x)[:, 0], x[:, 0] / 5)


def test_leaky_integrator_is_the_recursion():
    layer, x = built("leaky", 6, leak=0.25, drive=2.0)
    y = np.zeros(4)
    for k in range(6):
        y = 0.75 * y + 2.0 * x[:, k]
    np.testing.assert_allclose(layer.forward(x)[:, -1], y)
    np.testing.assert_allclose(layer.leak, 0.25)


def test_banks_of_leaky_integrators_and_windows_differ():
    layer, _ = built("leaky", 6, leak=0.4, banks=3)
    np.testing.assert_allclose(layer.leak.ravel(), [0.4, 0.2, 0.1])
    assert controls.make_control("pooling", 10, banks=3, size=2).sizes == [2, 4, 8]


def test_pooling_by_n_is_average_pooling():
    layer, x = built("pooling", 12, readout=3)
    np.testing.assert_allclose(layer.forward(x), x.reshape(4, 4, 3).mean(axis=2))
    moving, x = built("pooling", 4, size=2)
    expected = np.stack([x[:, 0], *((x[:, k] + x[:, k - 1]) / 2 for k in (1, 2, 3))], axis=1)
    np.testing.assert_allclose(moving.forward(x), expected)


def test_random_ddk_learns_nothing_of_its_kinetics():
    layer, x = built("random", 8, 2)
    alpha, beta = layer.alpha.copy(), layer.beta.copy()
    assert set(layer.parameters) == {"gain", "offset"}
    layer.forward(x, training=True)
    layer.backward(np.ones((4, 2, 8)))
    np.testing.assert_array_equal(layer.alpha, alpha)
    np.testing.assert_array_equal(layer.beta, beta)
    other = controls.make_control("random", 8, 2)
    other.build((2, 8), np.random.default_rng(4))
    assert not np.allclose(other.alpha, alpha)


def test_released_random_ddk_keeps_nothing():
    layer = controls.RandomDDK(6, rng=np.random.default_rng(1))
    layer.build((6,), np.random.default_rng(2))
    layer.forward(np.random.default_rng(3).random((4, 6)))
    layer.release()
    with pytest.raises(InputError, match="forward pass before"):
        layer.inner.backward(np.ones((4, 6)))


def test_echo_state_has_the_spectral_radius_and_forgets():
    layer, x = built("echo", 40, 2, units=20, radius=0.8)
    assert abs(np.abs(np.linalg.eigvals(layer.buffers["reservoir"])).max() - 0.8) < 1e-12
    changed = x.copy()
    changed[..., 0] += 1.0
    gap = np.abs(layer.forward(changed) - layer.forward(x)).reshape(4, -1)
    assert gap[:, :20].max() > 10 * gap[:, -20:].max()
    # Every sample before the last read is heard.
    changed = x.copy()
    changed[..., -1] += 1.0
    assert np.abs(layer.forward(changed) - layer.forward(x)).max() > 1e-3


def test_readout_takes_the_last_of_each_n():
    assert list(range(10))[read_steps(10, 3)] == [2, 5, 8]
    assert list(range(10))[read_steps(10, "last")] == [9]
    with pytest.raises(InputError, match="readout"):
        read_steps(10, 11)


@pytest.mark.parametrize(
    ("name", "steps", "options", "words"),
    [
        ("nothing", 4, {}, "no such control"),
        ("raw", 0, {}, "positive"),
        ("raw", 4, {"per": "chanel"}, "channel"),
        ("leaky", 4, {"leak": 1.0}, "leak"),
        ("pooling", 4, {"size": 5}, "window"),
        ("echo", 4, {"units": 0}, "units"),
        ("echo", 4, {"units": 1, "banks": 3}, "at least 3 units"),
    ],
)
def test_wrong_input_is_named(name, steps, options, words):
    with pytest.raises(InputError, match=words):
        controls.make_control(name, steps, **options)


def test_samples_of_another_shape_are_refused():
    layer, _ = built("raw", 5, 2)
    with pytest.raises(InputError, match="samples of shape"):
        layer.forward(np.zeros((1, 2, 4)))
    with pytest.raises(InputError, match="forward pass"):
        layer.backward(np.zeros((1, 2, 5)))
