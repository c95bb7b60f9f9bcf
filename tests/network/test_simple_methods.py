"""Logistic regression and the nearest sample: against what defines them."""

from __future__ import annotations

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.baselines.simple import LogisticRegression, NearestSample
from network.model.metrics import softmax


def samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(3), 20)
    return rng.random((60, 2, 3)) + 0.3 * y[:, None, None], y


def test_logistic_regression_is_at_its_optimum() -> None:
    x, y = samples()
    method = LogisticRegression(penalty=0.5).fit(x, y)
    weight = method._weight
    assert weight is not None
    rows = np.concatenate([x.reshape(60, -1), np.ones((60, 1))], axis=1)
    slope = rows.T @ (softmax(rows @ weight) - np.eye(3)[y])
    slope[:-1] += 0.5 * weight[:-1]
    np.testing.assert_allclose(slope, 0, atol=1e-2)
    assert np.abs(weight).max() > 0.5
    np.testing.assert_allclose(method.predict_proba(x), softmax(rows @ weight))
    assert (method.count.parameters, method.count.macs) == (21, 18)


def test_logistic_regression_is_scikit_learn_s() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = samples()
    theirs = linear.LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000).fit(x.reshape(60, -1), y)
    ours = LogisticRegression().fit(x, y).predict_proba(x)
    np.testing.assert_allclose(ours, theirs.predict_proba(x.reshape(60, -1)), atol=1e-3)


def test_the_nearest_sample_by_hand() -> None:
    x, y = samples()
    asked = np.random.default_rng(4).random((11, 2, 3)) * 2
    far = ((asked[:, None] - x[None]) ** 2).sum(axis=(2, 3))
    method = NearestSample().fit(x, y, classes=4)
    told = method.predict_proba(asked)
    np.testing.assert_array_equal(told.argmax(axis=1), y[far.argmin(axis=1)])
    assert told.shape == (11, 4) and (told.sum(axis=1) == 1).all()
    assert method.count.parameters == 60 * 6


@pytest.mark.parametrize("make", [LogisticRegression, NearestSample])
def test_what_does_not_fit_is_refused(
    make: type[LogisticRegression] | type[NearestSample],
) -> None:
    x, y = samples()
    with pytest.raises(InputError, match="fit first"):
        make().predict_proba(x)
    with pytest.raises(InputError, match="do not fit"):
        make().fit(x, y[:-1])
    with pytest.raises(InputError, match="labels from 0 to 2"):
        make().fit(x, y, classes=2)
    with pytest.raises(InputError, match="4 features"):
        make().fit(x, y).predict_proba(np.ones((2, 4)))


def test_a_penalty_is_above_zero() -> None:
    with pytest.raises(InputError, match="penalty"):
        LogisticRegression(penalty=0.0)
