"""The scikit-learn estimators: scikit-learn's own checks, and their place in its tools."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ddkbase.errors import InputError
from network.ddk import kinetics as ddk
from network.estimator import DDKClassifier, DDKTransformer, Range
from network.layers.plain import Flatten

FAST = {"epochs": 30, "batch_size": 64, "random_state": 0}


@parametrize_with_checks(
    [
        DDKClassifier(),
        DDKClassifier(
            scale="feature", banks=2, validation_fraction=0.2, dtype="float64", epochs=30
        ),
        DDKClassifier(front="raw", scale="none", hidden=(), training={"schedule": None}, epochs=30),
        DDKTransformer(),
        DDKTransformer(alpha=(0.3, 0.7), readout="last", scale="sample", integrator="exact"),
    ]
)
def test_check_estimator(estimator, check) -> None:  # type: ignore[no-untyped-def]
    check(estimator)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    return load_digits(return_X_y=True)


def test_it_reads_digits(digits) -> None:  # type: ignore[no-untyped-def]
    X, y = digits
    found = DDKClassifier(sample_shape=(8, 8), **FAST).fit(X[:1200], y[:1200])
    assert found.score(X[1200:], y[1200:]) > 0.9
    assert found.network_.input_shape == (8, 8)
    np.testing.assert_allclose(found.predict_proba(X).sum(1), 1)
    np.testing.assert_allclose(np.exp(found.predict_log_proba(X)), found.predict_proba(X))
    assert found.alpha_.shape == found.beta_.shape == (1,)
    assert found.n_iter_ == 30 and found.loss_ < 0.2


def test_samples_with_channels_need_no_flattening(digits) -> None:  # type: ignore[no-untyped-def]
    X, y = digits[0][:300], digits[1][:300]
    flat = DDKClassifier(sample_shape=(8, 8), **FAST).fit(X, y)
    shaped = DDKClassifier(**FAST).fit(X.reshape(-1, 8, 8), y)
    np.testing.assert_array_equal(flat.predict_proba(X), shaped.predict_proba(X.reshape(-1, 8, 8)))


def test_labels_may_be_anything(digits) -> None:  # type: ignore[no-untyped-def]
    X, y = digits[0][:300], digits[1][:300]
    words = np.array(["zero", "one", "two", "three", "four", "five", "six", "7", "8", "9"])[y]
    found = DDKClassifier(**FAST).fit(X, words)
    assert set(found.predict(X)) <= set(words)
    assert found.score(X, words) > 0.9


def test_pipelines_and_searches(digits) -> None:  # type: ignore[no-untyped-def]
    X, y = digits[0][:600], digits[1][:600]
    search = GridSearchCV(
        DDKClassifier(sample_shape=(8, 8), epochs=15, batch_size=32, random_state=0),
        {"hidden": [(), (16,)], "banks": [1, 2]},
        cv=2,
    ).fit(X, y)
    assert search.best_score_ > 0.8
    line = make_pipeline(StandardScaler(), clone(search.best_estimator_))
    assert cross_val_score(line, X, y, cv=2).min() > 0.75


def test_features_alone_serve_any_classifier(digits) -> None:  # type: ignore[no-untyped-def]
    X, y = digits[0][:600], digits[1][:600]
    line = make_pipeline(
        DDKTransformer(sample_shape=(8, 8), alpha=(0.3, 0.9)),
        StandardScaler(),
        LogisticRegression(max_iter=500),
    )
    assert cross_val_score(line, X, y, cv=2).min() > 0.8


def test_features_are_the_states_of_the_kinetics() -> None:
    X = np.random.default_rng(0).normal(size=(5, 3, 6))
    made = DDKTransformer(alpha=(0.3, 0.7), beta=0.9, readout=2).fit(X)
    scaled = (X - X.min()) / np.ptp(X)
    expected = [
        ddk.forward(scaled, a, 0.9, states="after")[..., 1::2].reshape(5, -1) for a in (0.3, 0.7)
    ]
    np.testing.assert_allclose(made.transform(X), np.concatenate(expected, 1))
    assert len(made.get_feature_names_out()) == 2 * 3 * 3
    assert made.set_output(transform="pandas").transform(X).shape == (5, 18)


def test_early_stopping_and_a_listener(digits) -> None:  # type: ignore[no-untyped-def]
    X, y = digits[0][:300], digits[1][:300]
    heard = []
    found = DDKClassifier(
        epochs=300, batch_size=32, rate=0.05, validation_fraction=0.2, random_state=0,
        training={"patience": 3, "restore": "best", "progress": heard.append},
    ).fit(X, y)  # fmt: skip
    assert found.n_iter_ == len(heard) < 300
    assert found.history_.restored_epoch == found.history_.best_epoch


def test_a_control_takes_the_place_of_the_layer(digits) -> None:  # type: ignore[no-untyped-def]
    X, y = digits[0][:300], digits[1][:300]
    raw = DDKClassifier(front="raw", **FAST).fit(X, y)
    own = DDKClassifier(front=[Flatten()], **FAST).fit(X, y)
    assert raw.alpha_.size == 0
    np.testing.assert_array_equal(raw.predict(X), own.predict(X))


@pytest.mark.parametrize("how", ["all", "feature", "sample"])
def test_scaling_fills_the_unit_interval_and_cuts_off(how: str) -> None:
    x = np.random.default_rng(0).normal(5, 3, (20, 4)).astype(np.float32)
    found = Range.of(x, how)
    scaled = found.apply(x)
    assert scaled.dtype == np.float32 and scaled.min() == 0 and scaled.max() == 1
    assert found.apply(x + 100).max() == 1
    assert not Range.of(np.ones((3, 2)), how).apply(np.ones((3, 2))).any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scale": "al"}, "Did you mean 'all'"),
        ({"front": "row"}, "unknown front"),
        ({"sample_shape": (8, 9)}, "not \\(8, 9\\)"),
        ({"activation": "cosine"}, "unknown activation"),
        ({"training": {"patience": 3}}, "no validation set"),
        ({"training": {"patiense": 3}}, "Did you mean 'patience'"),
        ({"training": {"epochs": 3}}, "unknown option"),
        ({"ddk": {"fom": "set"}}, "Did you mean 'form'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_fit(digits, options, said) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=said):
        DDKClassifier(**options).fit(digits[0][:50], digits[1][:50])


def test_a_number_a_bank_is_where_a_classifier_starts() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 6)), np.arange(20) % 2
    model = DDKClassifier(banks=2, alpha=[0.1, 0.4], epochs=1, rate=1e-12, random_state=0)
    np.testing.assert_allclose(model.fit(x, y).alpha_, [0.1, 0.4], rtol=1e-4)
    alike = DDKClassifier(banks=2, epochs=1, rate=1e-12, random_state=0).fit(x, y)
    assert np.ptp(alike.alpha_) > 0.01
