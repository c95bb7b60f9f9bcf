"""The networks in PyTorch: counted by hooks as by arithmetic, trained within a limit of time."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from ddkbase.errors import InputError, InstallationError, SolverError
from network import baselines

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed (pip install 'ddk-toolkit[torch]')",
)

SHAPES = {
    "samplecnn": (1600,),
    "lenet5": (28, 28),
    "lstm": (64, 300),
    "transformer": (64, 300),
    "c3d": (3, 16, 112, 112),
    "voxnet": (32, 32, 32),
}
#: Other sizes than the article's: (sample, sizes).
OTHERS = {
    "samplecnn": ((1000,), {"samples": 1000, "channels": (8, 16, 16), "hidden": 12}),
    "lenet5": ((1, 32, 32), {"size": 32, "kernel": 5, "classes": 7}),
    "lstm": ((9, 12), {"words": 9, "dimension": 12, "hidden": 5, "dense": 6, "classes": 3}),
    "transformer": (
        (9, 12),
        {"words": 9, "dimension": 12, "heads": 3, "hidden": 8, "layers": 3, "shared": True},
    ),
    "c3d": (
        (1, 16, 24, 24),
        {"frames": 16, "size": 24, "width": 2, "dense": 8, "channels": 1, "classes": 4},
    ),
    "voxnet": ((24, 24, 24), {"size": 24, "channels": 4, "dense": 8, "classes": 5}),
}


def problem(name, classes=2, samples=40):
    """Samples of a small size whose class is their mean."""
    rng = np.random.default_rng(5)
    shape, sizes = OTHERS[name]
    y = np.arange(samples) % classes
    x = 0.3 * rng.random((samples, *shape)) + 0.7 * y.reshape(-1, *[1] * len(shape))
    kept = {
        key: value
        for key, value in sizes.items()
        if key in ("channels", "hidden", "dense", "width", "heads", "layers", "kernel")
    }
    return x.astype(np.float32), y, kept


@needs_torch
@pytest.mark.parametrize("name", baselines.NAMES)
@pytest.mark.parametrize("batch_norm", [0, 4])
def test_hooks_count_what_arithmetic_counts(name, batch_norm):
    import torch

    with torch.device("meta"):  # shapes only: nothing is computed or stored
        model = baselines.build(name)
    found = baselines.count_model(model, SHAPES[name], batch_norm=batch_norm)
    assert found == baselines.count(name, batch_norm=batch_norm)


@needs_torch
@pytest.mark.parametrize("name", baselines.NAMES)
def test_hooks_and_arithmetic_at_other_sizes(name):
    shape, sizes = OTHERS[name]
    model = baselines.build(name, **sizes)
    assert baselines.count_model(model, shape) == baselines.count(name, **sizes)
    assert model.training


@needs_torch
@pytest.mark.parametrize("name", baselines.NAMES)
def test_every_network_learns(name):
    x, y, sizes = problem(name)
    if name == "c3d":
        sizes |= {"dropout": 0.0}  # of its 8 features half would be gone
    trained = baselines.train(
        name, x, y, validation=(x[:8], y[:8]), epochs=10, batch_size=8, rate=3e-3, **sizes
    )
    assert trained.history["loss"][-1] < 0.7 * trained.history["loss"][0]
    assert trained.accuracy(x, y) > 0.9
    assert trained.stopped == "epochs"
    assert trained.epochs == trained.history.sizes["epoch"] == 10
    assert trained.predict_proba(x).shape == (40, 2)
    np.testing.assert_allclose(trained.predict_proba(x).sum(axis=1), 1.0, rtol=1e-5)
    for variable in trained.history.variables.values():
        assert variable.attrs["units"]
        assert variable.attrs["long_name"]


@needs_torch
def test_the_seed_decides_and_nothing_else_changes():
    import torch

    x, y, sizes = problem("lenet5")
    torch.manual_seed(1)
    before = torch.get_rng_state().clone()
    threads = torch.get_num_threads()
    first, second, other = (
        baselines.train("lenet5", x, y, epochs=2, seed=seed, **sizes) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.predict_proba(x), second.predict_proba(x))
    assert not np.array_equal(first.predict_proba(x), other.predict_proba(x))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


@needs_torch
def test_a_limit_of_time_ends_the_training_and_says_what_was_done():
    x, y, sizes = problem("lenet5")
    trained = baselines.train(
        "lenet5", x, y, epochs=1000, batch_size=4, time_limit=1e-9, validation=0.2, **sizes
    )
    # The first batch is always trained: 4 of 32 samples.
    assert trained.stopped == "time limit"
    assert trained.epochs == pytest.approx(4 / 32)
    assert float(trained.history["share"][-1]) == pytest.approx(4 / 32)
    assert np.isfinite(trained.history["validation_accuracy"][-1])


@needs_torch
def test_a_progress_function_can_end_the_training():
    x, y, sizes = problem("lenet5")
    seen = []
    trained = baselines.train(
        "lenet5", x, y, epochs=9, progress=lambda e: seen.append(e) or e.epoch == 2, **sizes
    )
    assert trained.epochs == 2
    assert [event.epoch for event in seen] == [1, 2]


@needs_torch
def test_samples_are_scaled_by_the_training_samples():
    x, y, sizes = problem("lstm")
    shifted = 5.0 + 0.01 * x
    one = baselines.train("lstm", x, y, epochs=2, **sizes)
    other = baselines.train("lstm", shifted, y, epochs=2, **sizes)
    np.testing.assert_allclose(other.predict_proba(shifted), one.predict_proba(x), atol=2e-3)
    np.testing.assert_allclose(one.scale.mean, x.mean(axis=(0, 1)), rtol=1e-5)
    images, y, sizes = problem("lenet5")
    kept = baselines.train("lenet5", images, y, epochs=1, standardise=False, **sizes)
    assert (kept.scale.mean, kept.scale.deviation) == (0.0, 1.0)
    assert baselines.train("lenet5", images, y, epochs=1, **sizes).scale.mean.shape == ()


@needs_torch
def test_words_on_another_axis():
    x, y, sizes = problem("lstm")
    one = baselines.train("lstm", x, y, epochs=1, **sizes)
    other = baselines.train("lstm", np.moveaxis(x, 1, 2), y, epochs=1, word_axis=2, **sizes)
    np.testing.assert_array_equal(one.predict_proba(x), other.predict_proba(x))


@needs_torch
def test_a_loss_that_diverges_is_an_error_with_the_history():
    x, y, sizes = problem("samplecnn")
    with pytest.raises(SolverError, match="loss") as caught:
        baselines.train("samplecnn", x, y, epochs=50, rate=1e30, schedule=None, **sizes)
    assert "loss" in caught.value.partial


@needs_torch
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "0 epochs"),
        ({"time_limit": -1.0}, "time limit"),
        ({"schedule": "step"}, "schedule"),
        ({"classes": 1}, "labels"),
        ({"y": np.zeros(3, int)}, "do not fit"),
        ({"y": np.zeros(40)}, "whole numbers"),
        ({"x": np.full((40, 1, 32, 32), np.nan)}, "finite"),
        ({"sizee": 3}, "sizee"),
    ],
)
def test_wrong_input_is_one_clear_line(changes, words):
    x, y, _ = problem("lenet5")
    arguments = {"x": x, "y": y, "epochs": 1, **changes}
    with pytest.raises(InputError, match=words) as caught:
        baselines.train("lenet5", **arguments)
    assert "\n" not in str(caught.value)


@needs_torch
def test_a_layer_that_is_not_known_is_not_counted_as_nothing():
    import torch

    with pytest.raises(InputError, match="Bilinear"):
        baselines.count_model(torch.nn.Sequential(torch.nn.Bilinear(2, 2, 2)), (2,))


def test_sizes_follow_from_the_shape():
    assert baselines.sizes_for("c3d", (16, 40, 40), 9)["channels"] == 1
    assert baselines.sizes_for("c3d", (3, 16, 40, 40), 9)["channels"] == 3
    assert baselines.sizes_for("lenet5", (1, 28, 28), 9) == {"size": 28, "classes": 9}
    for name, shape in [("lenet5", (28, 27)), ("voxnet", (8, 8)), ("lstm", (3, 4, 5))]:
        with pytest.raises(InputError, match="do not fit"):
            baselines.sizes_for(name, shape, 2)
    with pytest.raises(InputError, match="voxnet"):
        baselines.sizes_for("voxnett", (3, 3, 3), 2)


def test_without_pytorch_the_extra_is_named(monkeypatch):
    for module in [m for m in sys.modules if m.startswith("network.baselines.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InstallationError, match=r"ddk-toolkit\[torch\]"):
        baselines.build("lenet5")
    assert baselines.count("lenet5").parameters == 60_074
