"""Training: it learns, stops, restores, reports, and never depends on chance outside its seed."""

from __future__ import annotations

import numpy as np
import pytest

from ddkbase.errors import InputError, Interrupted, SolverError, StorageError
from network import datasets
from network.layers.plain import Dense, Dropout, Flatten, Ideal
from network.model.history import read_history
from network.model.metrics import cross_entropy
from network.model.network import Network, ddk_network
from network.model.optimisers import SGD, Adam
from network.model.trainer import EpochEvent, split_off, train
from network.plots.training import curves_figure, save, trajectories_figure
from tests.network.data_files import real


def waves(samples: int = 240, steps: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three kinds of noisy waves in [0, 1], told apart by their frequency."""
    rng = np.random.default_rng(seed)
    y = np.arange(samples) % 3
    phase = rng.uniform(0, 0.8, (samples, 1))
    t = np.arange(steps) / steps
    x = 0.5 + 0.35 * np.sin(2 * np.pi * (1 + y[:, None]) * t + phase)
    return np.clip(x + 0.05 * rng.normal(size=x.shape), 0, 1).astype(np.float32), y


def learned(**options: object) -> tuple[Network, object]:
    network = ddk_network((24,), [8], 3, seed=0)
    x, y = waves()
    settings = {"epochs": 15, "batch_size": 32, "seed": 0, **options}
    return network, train(network, x, y, **settings)  # type: ignore[arg-type]


def test_it_learns_waves_and_says_how() -> None:
    network, history = learned(epochs=30, validation=0.2)
    x, y = waves(seed=9)
    assert np.mean(network.predict(x) == y) > 0.97
    ds = history.dataset
    assert ds.sizes == {"epoch": 30, "pair": 1}
    assert ds["loss"][-1] < 0.3 * ds["loss"][0]
    assert ds["epoch"].values.tolist() == list(range(1, 31))
    assert ds["layer"].values.tolist() == ["ddk"]
    for name, variable in ds.variables.items():
        assert {"units", "long_name"} <= set(variable.attrs), name
    assert float(ds["alpha_start"][0]) == pytest.approx(0.7, rel=1e-4)
    alpha, beta = network.kinetics()["ddk"]
    assert float(ds["alpha"][-1, 0]) == pytest.approx(float(alpha.ravel()[0]))
    assert history.stability["ddk"].r == pytest.approx(
        float(alpha.ravel()[0]) / (float(beta.ravel()[0]) * float(x.max())) ** 2, rel=0.02
    )
    assert history.restored_epoch == 30 and history.epochs == 30
    assert history.at("accuracy") == float(ds["accuracy"][-1])


def test_a_run_is_repeated_by_its_seed() -> None:
    runs = [learned(seed=seed)[0].parameters["dense1.weight"] for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_pairs_learn_at_a_tenth_of_the_rate() -> None:
    network = ddk_network((24,), [8], 3, seed=0)
    x, y = waves()
    raw = {k: v.copy() for k, v in network.layer("ddk").parameters.items()}
    train(network, x, y, epochs=1, optimiser=Adam(rate=0.05), reestimate=False)
    for key, value in network.layer("ddk").parameters.items():
        # Adam's first step is the rate, whatever the gradient
        np.testing.assert_allclose(np.abs(value - raw[key]), 0.005, rtol=1e-3)


def test_batches_hold_every_sample_once() -> None:
    seen: list[int] = []

    class Watching(Flatten):
        def forward(self, x: np.ndarray, **options: object) -> np.ndarray:
            if options.get("training"):
                seen.append(len(x))
            return super().forward(x, **options)  # type: ignore[arg-type]

    network = Network([Watching(), Dense(3)], (24,), 3)
    x, y = waves()
    train(network, x[:100], y[:100], epochs=2, batch_size=30)
    assert seen == [25] * 8


def test_the_best_epoch_comes_back() -> None:
    x, y = waves()
    network = ddk_network((24,), [8], 3, seed=0, standardise=False)
    # a rate that grows until the network is worse again
    history = train(
        network, x, y, validation=waves(seed=5), epochs=25, batch_size=32, restore="best",
        schedule=lambda share: 1 + 200 * share**4, reestimate=False,
    )  # fmt: skip
    assert history.best_epoch is not None and history.best_epoch < 25
    assert history.restored_epoch == history.best_epoch
    held, labels = waves(seed=5)
    now = network.loss_and_gradients(held, labels).loss
    assert now == pytest.approx(float(history["validation_loss"].min()), rel=1e-4)


def test_patience_ends_training() -> None:
    _, history = learned(
        epochs=400, validation=0.25, patience=4, optimiser=Adam(rate=0.2, weight_decay=0)
    )
    assert history.epochs < 400
    assert history.epochs - history.best_epoch == 4


def test_progress_hears_each_epoch_and_may_stop_it() -> None:
    heard: list[EpochEvent] = []

    def listen(event: EpochEvent) -> bool:
        heard.append(event)
        return event.epoch == 3

    _, history = learned(progress=listen, validation=0.2)
    assert [event.epoch for event in heard] == [1, 2, 3] and heard[0].epochs == 15
    assert history.epochs == 3
    assert heard[2].figures["validation_loss"] == history.at("validation_loss")


def test_statistics_at_the_end_are_those_of_the_training_samples() -> None:
    network, _ = learned(epochs=3)
    found = network.layer("standardise").buffers["mean"].copy()
    network.reestimate(waves()[0])
    np.testing.assert_allclose(found, network.layer("standardise").buffers["mean"], rtol=1e-6)


def test_training_goes_through_hardware() -> None:
    calls: set[str] = set()

    class Watching(Ideal):
        def outputs(self, layer_name, z, rng):  # type: ignore[no-untyped-def]
            assert rng is not None
            calls.add(layer_name)
            return z

    learned(epochs=1, realise=Watching(), validation=0.2)
    assert {"dense1", "dense2"} <= calls


def test_dropout_and_sgd_learn_as_well() -> None:
    x, y = waves()
    layers = [Flatten(), Dense(16), Dropout(0.2), Dense(3)]
    network = Network(layers, (24,), 3, seed=0)
    train(network, x, y, epochs=40, batch_size=16, optimiser=SGD(rate=0.1), smoothing=0.1)
    assert np.mean(network.predict(x) == y) > 0.95


def test_a_loss_that_is_no_number_is_an_error_with_the_history_so_far() -> None:
    network = ddk_network((24,), [8], 3, seed=0, front=None, activation="identity")
    x, y = waves()
    with pytest.raises(SolverError, match=r"epoch 4.* rate") as caught:
        train(network, x, y, epochs=5, optimiser=SGD(1e-3), schedule=lambda s: 1e38 ** (s > 0.3))
    assert caught.value.partial is not None and caught.value.partial.sizes["epoch"] == 3


def test_ctrl_c_keeps_the_history_so_far() -> None:
    def interrupt(event: EpochEvent) -> None:
        if event.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="epoch 2") as caught:
        learned(progress=interrupt)
    assert caught.value.partial is not None and caught.value.partial.sizes["epoch"] == 2


def test_a_held_out_share_is_of_every_class() -> None:
    y = np.repeat([0, 1, 2], [50, 20, 2])
    kept, held = split_off(y, 0.2, np.random.default_rng(0))
    assert np.bincount(y[held]).tolist() == [10, 4, 1]
    assert np.union1d(kept, held).size == 72 and np.intersect1d(kept, held).size == 0


X, Y = waves(12)


@pytest.mark.parametrize(
    ("x", "y", "options", "said"),
    [
        (X[:, 1:], Y, {}, "takes \\(24,\\)"),
        (X, Y[1:], {}, "12 integers"),
        (X, Y.astype(float), {}, "12 integers"),
        (X, Y + 1, {}, "labels from 1 to 3"),
        (X * np.nan, Y, {}, "NaN"),
        (X, Y, {"patience": 3}, "no validation set"),
        (X, Y, {"restore": "best"}, "no validation set"),
        (X, Y, {"restore": "first"}, "last or best"),
        (X, Y, {"validation": 1.5}, "a share of 1.5"),
        (X, Y, {"epochs": 0}, "0 epochs"),
        (X, Y, {"batch_size": 0}, "batch size 0"),
        (X, Y, {"schedule": "x"}, "unknown schedule"),
        (X[:0], Y[:0], {}, "0 samples"),
    ],
)
def test_what_cannot_be_trained_is_refused(x, y, options, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=said):
        train(ddk_network((24,), [4], 3), x, y, **options)


def test_a_history_survives_its_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    _, history = learned(epochs=3, validation=0.2)
    path = history.save(tmp_path / "history.nc")
    again = read_history(path)
    assert again.dataset.equals(history.dataset)
    assert (again.best_epoch, again.restored_epoch) == (history.best_epoch, 3)
    (tmp_path / "other.nc").write_bytes(b"no history")
    for name, said in (("other.nc", "holds no training history"), ("none.nc", "no such file")):
        with pytest.raises(StorageError, match=said):
            read_history(tmp_path / name)


def test_pictures_of_a_history(tmp_path) -> None:  # type: ignore[no-untyped-def]
    network, history = learned(epochs=4, validation=0.2)
    loss, accuracy = curves_figure(history).axes
    assert [line.get_label() for line in accuracy.lines] == ["training", "validation"]
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), 100 * history["accuracy"])
    np.testing.assert_allclose(loss.lines[1].get_ydata(), history["validation_loss"])
    both = curves_figure({"DDK": history, "again": history})
    assert len(both.axes[0].lines) == 4
    alpha, beta, r = trajectories_figure(history).axes
    now = [float(value.ravel()[0]) for value in network.kinetics()["ddk"]]
    assert alpha.lines[0].get_xydata()[-1] == pytest.approx([4, now[0]])
    assert beta.lines[0].get_xydata()[0] == pytest.approx([0, 1], rel=1e-4)
    assert r.lines[0].get_ydata()[-1] == pytest.approx(now[0] / now[1] ** 2)
    assert save(both, tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_of_many_pairs_and_of_none() -> None:
    x, y = waves(60)
    network = ddk_network((24,), [4], 3, ddk={"per": "step", "spread": 0.2})
    figure = trajectories_figure(train(network, x, y, epochs=2))
    assert figure.legends[0].get_texts()[1].get_text() == "median of 24"
    with pytest.raises(InputError, match="no layer has alpha"):
        trajectories_figure(train(ddk_network((24,), [4], 3, front=None), x, y, epochs=1))


def test_written_digits_are_learnt_with_the_articles_parameters() -> None:
    """Three passes through a sixth of MNIST; the whole of it reaches more."""
    folder = real("mnist").parent
    read = datasets.load("mnist", root=folder)
    training, test = (np.flatnonzero(read.fold == name) for name in ("train", "test"))
    chosen, held = np.sort(np.random.default_rng(0).permutation(training)[:10000]), test[:2000]
    network = ddk_network((28, 28), [48], 10, activation="relu", seed=0)
    assert network.count().parameters == 38172
    train(
        network, read.x[chosen], read.y[chosen], epochs=3, batch_size=128, schedule="cosine",
        optimiser=Adam(rate=0.01, weight_decay=1e-3),
    )  # fmt: skip
    assert np.mean(network.predict(read.x[held]) == read.y[held]) > 0.93


def test_what_validates_is_never_trained_on() -> None:
    """Every sample has a value of its own: those the optimiser sees are those that are kept."""
    seen: set[float] = set()

    class Watching(Flatten):
        def forward(self, x: np.ndarray, **options: object) -> np.ndarray:
            if options.get("training"):
                seen.update(np.unique(x).tolist())
            return super().forward(x, **options)  # type: ignore[arg-type]

    x = np.repeat(np.arange(60.0)[:, None], 4, axis=1)
    y = np.arange(60) % 3
    kept, held = split_off(y, 0.25, np.random.default_rng(4))
    for batch_size in (None, 7):
        seen.clear()
        network = Network([Watching(), Dense(3)], (4,), 3)
        train(network, x, y, validation=0.25, epochs=2, batch_size=batch_size, seed=4)
        assert seen == set(kept.astype(float).tolist())
        assert not seen & set(held.astype(float).tolist())


def test_the_best_epoch_comes_back_with_the_statistics_of_its_features() -> None:
    x, y = waves()
    held = waves(seed=5)
    network = ddk_network((24,), [8], 3, seed=0, standardise=True)
    assert any(layer.buffers for layer in network.layers)
    history = train(
        network, x, y, validation=held, epochs=12, batch_size=32, restore="best",
        schedule=lambda share: 1 + 400 * share**4, reestimate=False,
    )  # fmt: skip
    assert history.best_epoch is not None and history.best_epoch < 12
    loss = cross_entropy(network.logits(np.asarray(held[0], network.dtype)), held[1])[0]
    assert loss == pytest.approx(float(history["validation_loss"].min()), rel=1e-4)


@pytest.mark.parametrize(
    ("share", "counts"), [(0.1, [2, 1, 1]), (0.25, [5, 3, 1]), (0.9, [17, 10, 1])]
)
def test_what_is_split_off_is_a_rounded_share_of_each_class(
    share: float, counts: list[int]
) -> None:
    y = np.repeat([0, 1, 2], [19, 11, 2])  # at least one of each, and one is left
    rest, held = split_off(y, share, np.random.default_rng(3))
    assert np.bincount(y[held]).tolist() == counts
    assert sorted([*rest, *held]) == list(range(len(y)))
    assert (np.diff(held) > 0).all() and (np.diff(rest) > 0).all()
    other = split_off(y, share, np.random.default_rng(4))[1]
    assert held.tolist() != other.tolist() and len(other) == len(held)
