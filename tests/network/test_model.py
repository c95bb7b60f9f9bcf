"""The network as a whole: structure, counts, statistics, folding, hardware."""

from __future__ import annotations

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.counting.count import Count
from network.layers.plain import Activation, Dense, Dropout, Flatten, Ideal
from network.layers.standardise import Standardise
from network.model.metrics import accuracy, cross_entropy, softmax
from network.model.network import Network, ddk_network
from network.model.optimisers import SGD, Adam, schedule_factor


def series(samples: int = 60, shape: tuple[int, ...] = (3, 8), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((samples, *shape), dtype=np.float32)


@pytest.mark.parametrize(
    ("shape", "hidden", "classes", "more", "count"),
    [
        ((128,), [16], 10, {}, Count(2236, 2464)),
        ((28, 28), [48], 10, {}, Count(38172, 39680)),
        ((64, 300), [128], 4, {"flatten": 2, "mean": 1}, Count(39046, 64 * 39512)),
        ((8, 6), [5], 2, {"ddk": {"per": "step"}}, Count(245 + 12 + 12, 250 + 96)),
    ],
)
def test_counts_of_the_articles_structures(shape, hidden, classes, more, count) -> None:  # type: ignore[no-untyped-def]
    assert ddk_network(shape, hidden, classes, **more).count() == count


def test_layers_get_names_and_a_summary() -> None:
    network = ddk_network((3, 8), [5, 4], 2)
    names = [layer.name for layer in network.layers]
    assert names == [
        "ddk", "flatten", "standardise", "dense1", "activation1", "dense2", "activation2", "dense3",
    ]  # fmt: skip
    assert network.summary().splitlines()[-1].split() == ["total", "161", "196"]
    assert network.layer("dense2").parameters["weight"].shape == (5, 4)
    assert set(network.parameters) >= {"dense1.weight", "dense3.bias"}
    with pytest.raises(InputError, match="no layer 'dense9'"):
        network.layer("dense9")


def test_a_seed_decides_everything() -> None:
    first, second, other = (ddk_network((3, 8), [5], 2, seed=s) for s in (1, 1, 2))
    x = series()
    np.testing.assert_array_equal(first.logits(x), second.logits(x))
    assert not np.array_equal(first.logits(x), other.logits(x))


def test_dtype_is_kept_from_end_to_end() -> None:
    x, y = series(), np.zeros(60, int)
    for dtype in ("float32", "float64"):
        network = ddk_network((3, 8), [5], 2, dtype=dtype)
        found = network.loss_and_gradients(x, y)
        assert {g.dtype.name for k, g in found.gradients.items() if "dense" in k} == {dtype}
        assert network.logits(x).dtype == np.dtype(dtype)


def test_pieces_make_the_whole() -> None:
    network, x = ddk_network((3, 8), [5], 2), series(1300)
    np.testing.assert_allclose(network.logits(x), network.forward(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(network.predict_proba(x).sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(network.predict(x), network.predict_proba(x).argmax(1))
    assert network.logits(x[:0]).shape == (0, 2)


def test_statistics_are_those_of_the_whole_set_through_all_layers() -> None:
    layers = [Flatten(), Standardise(), Dense(6), Activation("tanh"), Standardise(), Dense(2)]
    network, x = Network(layers, (3, 8), 2, dtype="float64"), series(1300).astype(float)
    network.reestimate(x)
    first, second = layers[1], layers[4]
    np.testing.assert_allclose(first.buffers["mean"], x.reshape(1300, -1).mean(0), rtol=1e-10)
    h = x
    for layer in layers[:4]:
        h = layer.forward(h)
    np.testing.assert_allclose(second.buffers["mean"], h.mean(0), rtol=1e-10)
    np.testing.assert_allclose(second.buffers["variance"], h.var(0), rtol=1e-10)


class _Brighter(Ideal):
    """A device whose alpha is twice the wanted one."""

    def kinetics(self, layer_name, alpha, beta, shape, rng):  # type: ignore[no-untyped-def]
        return 2 * np.asarray(alpha), beta


def test_statistics_taken_anew_on_a_device_undo_a_common_shift() -> None:
    network, x = ddk_network((3, 8), [5], 2, dtype="float64"), series(500).astype(float)
    network.reestimate(x)
    exact, device = network.logits(x), _Brighter()
    before = np.abs(network.logits(x, realise=device) - exact).mean()
    network.reestimate(x, realise=device)
    after = np.abs(network.logits(x, realise=device) - exact).mean()
    assert after < 0.2 * before


@pytest.mark.parametrize("affine", [False, True])
def test_folding_changes_the_structure_and_not_the_answer(affine: bool) -> None:
    network = ddk_network((3, 8), [5], 2, dtype="float64", standardise={"affine": affine})
    x = series().astype(float)
    network.reestimate(x)
    expected = network.logits(x)
    folded = network.folded()
    assert "standardise" not in [layer.name for layer in folded.layers]
    np.testing.assert_allclose(folded.logits(x), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(network.logits(x), expected)
    found = folded.loss_and_gradients(x, np.zeros(60, int))  # and it can be trained on
    assert set(found.gradients) == set(folded.parameters)


def test_folding_keeps_what_no_dense_layer_follows() -> None:
    layers = [Flatten(), Standardise(), Activation("tanh"), Standardise(), Dense(2)]
    network, x = Network(layers, (3, 8), 2, dtype="float64"), series().astype(float)
    network.reestimate(x)
    folded = network.folded()
    assert [layer.kind for layer in folded.layers].count("standardise") == 1
    np.testing.assert_allclose(folded.logits(x), network.logits(x), rtol=1e-9)
    bare = Network([Flatten(), Standardise(), Dense(2, bias=False)], (3, 8), 2)
    with pytest.raises(InputError, match="needs a bias"):
        bare.folded()


def test_stability_is_reported_at_the_largest_input() -> None:
    network = ddk_network((3, 8), [5], 2, ddk={"alpha": 0.5, "beta": 1.0})
    assert network.stability()["ddk"].r == pytest.approx(0.5, rel=1e-4)
    x = 2 * series()
    assert network.stability(x)["ddk"].r == pytest.approx(0.5 / x.max() ** 2, rel=1e-4)
    assert Network([Flatten(), Dense(2)], (3,), 2).stability(x) == {}


def test_nothing_trained_before_a_layer_needs_no_gradient_by_x() -> None:
    network = Network([Flatten(), Standardise(), Dense(4), Dense(2)], (3, 8), 2)
    assert [layer.first for layer in network.layers] == [False, False, True, False]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Network([Flatten(), Dense(3)], (4,), 2), "gives \\(3,\\)"),
        (lambda: Network([Dense(2, name="a"), Dense(2, name="a")], (4,), 2), "'a' is taken"),
        (lambda: Network([Dense(2)], (4,), 2, dtype="int32"), "dtype"),
        (lambda: ddk_network((3, 8), [5], 2).logits(np.zeros((2, 8))), "takes \\(3, 8\\)"),
        (lambda: ddk_network((3, 8), [5], 2, activation="x"), "unknown activation"),
    ],
)
def test_what_does_not_fit_is_refused(make, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=said):
        make()


def test_dropout_draws_from_the_generator_that_is_passed() -> None:
    network = Network([Flatten(), Dense(20), Dropout(0.5), Dense(2)], (3, 8), 2)
    x, y = series(), np.zeros(60, int)
    losses = [network.loss_and_gradients(x, y, np.random.default_rng(s)).loss for s in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


# -- loss and optimisers ------------------------------------------------------------------------


def test_cross_entropy_of_known_probabilities() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    value, gradient = cross_entropy(np.log(p) + 100, np.array([0, 1]))
    assert value == pytest.approx(-(np.log(0.7) + np.log(0.1)) / 2)
    np.testing.assert_allclose(gradient, (p - [[1, 0, 0], [0, 1, 0]]) / 2)
    np.testing.assert_allclose(softmax(np.log(p) - 50), p)
    assert accuracy(np.array([0, 1]), p.argmax(1)) == 0.5


def test_huge_logits_stay_finite() -> None:
    logits = np.array([[3e38, -3e38], [0.0, 0.0]], np.float32)
    value, gradient = cross_entropy(logits, np.array([0, 1]))
    assert value == pytest.approx(np.log(2) / 2, rel=1e-6)
    assert np.isfinite(gradient).all() and np.isfinite(softmax(logits)).all()


def one_weight(rates: dict[str, float], decays: dict[str, bool]) -> Dense:
    layer = Dense(1, bias=False)
    layer.parameters["weight"] = np.array([[2.0]])
    layer.rates, layer.decays = rates, decays
    return layer


def test_adam_follows_its_recurrence() -> None:
    layer = one_weight({"weight": 0.5}, {"weight": True})
    stepper = Adam(rate=0.1, weight_decay=0.01).start([layer])
    w, m, v = 2.0, 0.0, 0.0
    for step, given in enumerate((0.3, -1.0, 2.0), start=1):
        layer.gradients["weight"] = np.array([[given]])
        stepper.step(0.8)
        g = given + 0.01 * w
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        root = np.sqrt(v / (1 - 0.999**step)) + 1e-8
        w -= 0.1 * 0.8 * 0.5 * m / (1 - 0.9**step) / root
        assert layer.parameters["weight"][0, 0] == pytest.approx(w, rel=1e-12)
        assert layer.gradients["weight"][0, 0] == given


def test_decoupled_decay_is_outside_the_moments() -> None:
    layer = one_weight({}, {"weight": True})
    layer.gradients["weight"] = np.array([[0.0]])
    Adam(rate=0.1, weight_decay=0.5, decoupled=True).start([layer]).step(1.0)
    assert layer.parameters["weight"][0, 0] == pytest.approx(2 * 0.95)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_follows_its_recurrence(nesterov: bool) -> None:
    layer = one_weight({}, {"weight": True})
    stepper = SGD(0.1, 0.01, 0.9, nesterov).start([layer])
    w, speed = 2.0, 0.0
    for given in (0.3, -1.0, 2.0):
        layer.gradients["weight"] = np.array([[given]])
        stepper.step(1.0)
        g = given + 0.01 * w
        speed = 0.9 * speed + g
        w -= 0.1 * (g + 0.9 * speed if nesterov else speed)
        assert layer.parameters["weight"][0, 0] == pytest.approx(w, rel=1e-12)


def test_schedules() -> None:
    assert [schedule_factor("cosine", s) for s in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0])
    assert schedule_factor("linear", 0.25) == 0.75
    assert schedule_factor(None, 0.9) == 1
    assert schedule_factor(lambda share: 2 * share, 0.25) == 0.5
    with pytest.raises(InputError, match="Did you mean 'cosine'"):
        schedule_factor("cosin", 0)


@pytest.mark.parametrize("make", [lambda: Adam(rate=0), lambda: SGD(rate=np.nan)])
def test_a_rate_must_be_positive(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="learning rate"):
        make()
