"""The scikit-learn estimator: its own test suite, and agreement with `compact.fit`."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from compact.fitting.estimator import AlphaBetaRegressor, _means
from compact.fitting.fit import fit
from ddkbase.errors import InputError
from tests.compact.trains import falling

PULSE = np.arange(101.0)[:, None]
DATA = falling(0.01, 0.05, 0.01, seed=3, integrator="exact")


@parametrize_with_checks([AlphaBetaRegressor(), AlphaBetaRegressor(loss="huber", direction="up")])
def test_check_estimator(estimator, check) -> None:  # type: ignore[no-untyped-def]
    check(estimator)


def test_it_finds_what_the_fit_finds() -> None:
    found = AlphaBetaRegressor(integrator="exact").fit(PULSE, DATA)
    expected = fit(DATA, integrator="exact", direction="down")
    assert found.alpha_ == pytest.approx(expected.alpha, rel=1e-3)
    assert found.beta_ == pytest.approx(expected.beta, rel=1e-3)
    assert found.alpha_stderr_ == pytest.approx(expected.alpha_stderr, rel=1e-2)
    assert found.conductance_min_ == pytest.approx(expected.conductance_min, rel=1e-3)
    np.testing.assert_allclose(found.predict(PULSE), expected.fitted, atol=2e-8)


def test_order_and_unit_of_the_pulses_do_not_matter() -> None:
    order = np.random.default_rng(0).permutation(101)
    first = AlphaBetaRegressor().fit(PULSE, DATA)
    shuffled = AlphaBetaRegressor().fit(PULSE[order], DATA[order])
    assert shuffled.alpha_ == pytest.approx(first.alpha_, rel=1e-6)
    exact = AlphaBetaRegressor(integrator="exact").fit(PULSE, DATA)
    seconds = AlphaBetaRegressor().fit(1e-7 * PULSE, DATA)
    assert (first.integrator_, seconds.integrator_) == ("implicit", "exact")
    assert seconds.alpha_ == pytest.approx(1e7 * exact.alpha_, rel=1e-5)
    np.testing.assert_allclose(seconds.predict(1e-7 * PULSE), exact.predict(PULSE), rtol=1e-6)
    with pytest.raises(InputError, match="does not count whole pulses"):
        AlphaBetaRegressor(integrator="implicit").fit(1e-7 * PULSE, DATA)


def test_a_rising_train_is_the_mirror_image() -> None:
    down = AlphaBetaRegressor(normalised=True).fit(PULSE, DATA)
    up = AlphaBetaRegressor(mirror=True).fit(PULSE, 3e-4 - DATA)
    assert up.alpha_ == pytest.approx(down.alpha_, rel=1e-6)
    assert up.conductance_max_ == pytest.approx(3e-4 - down.conductance_min_, rel=1e-6)
    np.testing.assert_allclose(up.covariance_[0, 3], -down.covariance_[0, 2], rtol=1e-4)


def test_before_the_first_pulse_nothing_has_changed() -> None:
    found = AlphaBetaRegressor().fit(PULSE + 10, DATA)
    assert found.origin_ == 10
    np.testing.assert_allclose(found.predict([[0.0], [10.0]]), found.conductance_max_)


@pytest.mark.parametrize("integrator", ["implicit", "exact"])
@pytest.mark.parametrize("data", [DATA, 3e-4 - DATA], ids=["down", "up"])
def test_between_two_pulses_the_prediction_goes_on_steadily(
    data: np.ndarray, integrator: str
) -> None:
    model = AlphaBetaRegressor(integrator=integrator).fit(PULSE, data)
    fine = np.linspace(0, 130, 1301)[:, None]
    curve = model.predict(fine)
    np.testing.assert_allclose(curve[::10], model.predict(np.arange(131.0)[:, None]), rtol=1e-9)
    steps = np.diff(curve) * np.sign(data[-1] - data[0])
    assert steps.min() > -1e-12 and steps.max() < 1e-5


def test_reads_at_the_same_number_of_pulses_count_as_their_mean() -> None:
    twice = np.concatenate([DATA + 1e-6, DATA - 1e-6])
    both = AlphaBetaRegressor().fit(np.concatenate([PULSE, PULSE]), twice)
    assert both.alpha_ == pytest.approx(AlphaBetaRegressor().fit(PULSE, DATA).alpha_, rel=1e-6)


def test_a_column_of_several() -> None:
    X = np.column_stack([np.zeros(101), PULSE[:, 0]])
    found = AlphaBetaRegressor(column=1).fit(X, DATA)
    assert found.score(X, DATA) > 0.99
    with pytest.raises(InputError, match="no column 2"):
        AlphaBetaRegressor(column=2).fit(X, DATA)


def test_it_works_in_pipelines_and_searches() -> None:
    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(AlphaBetaRegressor(), {"loss": ["linear", "huber"]}, cv=folds)
    assert search.fit(PULSE, DATA).best_score_ > 0.99
    line = make_pipeline(FunctionTransformer(), clone(search.best_estimator_))
    assert line.fit(PULSE, DATA).score(PULSE, DATA) > 0.99


@pytest.mark.parametrize(("rows", "said"), [(1, "n_samples = 1"), (2, "2 samples")])
def test_too_few_reads(rows: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        AlphaBetaRegressor().fit(PULSE[:rows], DATA[:rows])


def test_an_unknown_direction() -> None:
    with pytest.raises(InputError, match="Did you mean 'down'"):
        AlphaBetaRegressor(direction="dow").fit(PULSE, DATA)


def test_errors_have_the_unit_of_what_they_are_of() -> None:
    fits = {
        unit: AlphaBetaRegressor(integrator="exact").fit(unit * PULSE, DATA)
        for unit in (0.37, 3.7e-8)
    }
    one, other = fits.values()
    factor = 0.37 / 3.7e-8  # alpha and beta are per unit of time
    for name in ("alpha_", "beta_", "alpha_stderr_", "beta_stderr_"):
        assert getattr(other, name) == pytest.approx(factor * getattr(one, name), rel=1e-3)
    assert 0 < one.alpha_stderr_ < one.alpha_ and 0 < one.beta_stderr_ < one.beta_
    per_unit = np.array([factor, factor, 1.0, 1.0])
    expected = one.covariance_ * np.outer(per_unit, per_unit)
    np.testing.assert_allclose(other.covariance_, expected, rtol=2e-3)
    assert np.sqrt(other.covariance_[0, 0]) == pytest.approx(other.alpha_stderr_)


def test_reads_at_one_pulse_count_as_their_mean() -> None:
    numbers, reads = _means(
        np.array([3.0, 0.0, 3.0, 1.0, 3.0]), np.array([1.0, 9.0, 2.0, 5.0, 6.0])
    )
    assert numbers.tolist() == [0.0, 1.0, 3.0] and reads.tolist() == [9.0, 5.0, 3.0]
