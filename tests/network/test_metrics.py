"""Accuracy, votes, confusion, and differences of models."""

from __future__ import annotations

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.model import metrics


def test_scores_by_hand() -> None:
    q = np.array([[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.2, 0.8, 0.0], [0.5, 0.3, 0.2]])
    found = metrics.scores([0, 0, 1, 2], q)
    assert found["accuracy"] == 0.5
    assert found["balanced_accuracy"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found["macro_f1"] == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert found["cross_entropy"] == pytest.approx(-np.mean(np.log([0.9, 0.4, 0.8, 0.2])))


def test_classes_without_a_sample_have_no_score() -> None:
    q = np.eye(4)[[0, 0, 1, 3]]  # the third class is never there, the last one is only said
    found = metrics.scores([0, 0, 0, 1], q)
    assert found["accuracy"] == 0.5
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 0) / 2)
    assert found["macro_f1"] == pytest.approx((2 * 2 / (3 + 2) + 0) / 2)


def test_a_certain_mistake_costs_much_but_not_infinity() -> None:
    found = metrics.scores([1], np.array([[1.0, 0.0]]))
    assert 500 < found["cross_entropy"] < np.inf


def test_a_vote_is_the_mean_of_its_members() -> None:
    q = np.array([[0.6, 0.4], [0.2, 0.8], [0.9, 0.1]])
    voted, y, ids = metrics.vote(q, [1, 1, 0], [7, 7, 3])
    np.testing.assert_array_equal(ids, [3, 7])
    np.testing.assert_array_equal(y, [0, 1])
    np.testing.assert_allclose(voted, [[0.9, 0.1], [0.4, 0.6]])
    with pytest.raises(InputError, match="different labels"):
        metrics.vote(q, [0, 1, 0], [7, 7, 3])


def test_confusion_counts_every_pair() -> None:
    table = metrics.confusion([0, 0, 1, 2], [0, 1, 1, 0], ("a", "b", "c"))
    np.testing.assert_array_equal(table, [[1, 1, 0], [0, 1, 0], [1, 0, 0]])
    assert table.attrs["units"] == "1"
    with pytest.raises(InputError, match="outside"):
        metrics.confusion([0, 3], [0, 1], ("a", "b", "c"))


def test_a_difference_is_taken_within_the_seeds() -> None:
    found = metrics.difference([0.9, 0.5, 0.7], [0.8, 0.4, np.nan])
    assert found.mean == pytest.approx(0.1)
    assert found.error == pytest.approx(0, abs=1e-12)
    assert (found.better, found.equal, found.worse) == (2, 0, 0)
    assert not found.clear  # two equal differences have no scatter, and chance makes their sign
    assert not metrics.difference([0.9] * 5, [0.8] * 5).clear
    assert metrics.difference([0.9] * 6, [0.8] * 6).clear
    assert not metrics.difference([0.9] * 6, [0.9] * 6).clear
    noisy = metrics.difference([0.9, 0.5, 0.7, 0.6], [0.8, 0.7, 0.6, 0.7])
    d = np.array([0.1, -0.2, 0.1, -0.1])
    assert noisy.error == pytest.approx(d.std(ddof=1) / 2)
    assert not noisy.clear
    assert not metrics.difference([0.9], [0.1]).clear  # one seed says nothing of the scatter


def test_a_difference_is_clear_by_the_paired_t_test() -> None:
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(0)
    seen = set()
    for size in (2, 3, 5, 10):
        for gap in (0.0, 0.5, 1.0, 2.0, 4.0):
            a = gap + rng.normal(size=size)
            b = 0.1 * rng.normal(size=size)
            clear = metrics.difference(a, b).clear
            assert clear == (ttest_rel(a, b).pvalue < 0.05)
            seen.add(clear)
    assert seen == {True, False}
    # 2.5 errors from zero: within Student's interval of four degrees of freedom, 2.78
    d = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    d += 2.5 * d.std(ddof=1) / np.sqrt(5)
    assert not metrics.difference(d, np.zeros(5)).clear


def test_parts_that_overlap_widen_the_error() -> None:
    a = np.array([0.9, 0.8, 0.95, 0.85])
    plain = metrics.difference(a, np.zeros(4))
    wide = metrics.difference(a, np.zeros(4), overlap=2 / 7)
    assert wide.mean == plain.mean
    assert wide.error == pytest.approx(plain.error * np.sqrt(1 + 4 * 2 / 7))


@pytest.mark.slow
def test_two_equal_models_are_rarely_told_apart() -> None:
    # two classifiers whose errors are independent of each other, tested on redrawn fifths of one
    # set: the differences of the seeds share the set's chance, which the scatter does not show
    rng = np.random.default_rng(1)
    wrong = {0.0: 0, 0.2 / 0.7: 0}
    for _ in range(400):
        gap = rng.normal(size=1000)
        tests = [rng.permutation(1000)[:200] for _ in range(10)]
        a = np.array([gap[t].mean() for t in tests])
        for overlap in wrong:
            wrong[overlap] += metrics.difference(a, np.zeros(10), overlap=overlap).clear
    assert wrong[0.2 / 0.7] / 400 < 0.06
    assert wrong[0.0] / 400 > 0.15


@pytest.mark.parametrize(
    ("y", "q"),
    [([], np.zeros((0, 2))), ([0], np.array([[np.nan, 1.0]])), ([0, 1], np.ones((1, 2)))],
)
def test_scores_of_nothing_are_an_error(y: list, q: np.ndarray) -> None:
    with pytest.raises(InputError):
        metrics.scores(y, q)


def test_one_seed_over_the_samples_is_the_test_of_mcnemar() -> None:
    """Exact: with 3 samples for the first and 12 for the second, twice the binomial tail."""
    from scipy.stats import binomtest

    first = np.array([1] * 3 + [0] * 12 + [1] * 85)
    second = np.array([0] * 3 + [1] * 12 + [1] * 85)
    found = metrics.over_samples(first, second, draws=40_000)
    assert found.mean == pytest.approx(-0.09)
    exact = binomtest(3, 15, 0.5).pvalue
    assert found.p == pytest.approx(exact, abs=4 * np.sqrt(exact / 40_000))
    assert found.error == pytest.approx(np.std(first - second, ddof=1) / 10)
    assert metrics.over_samples(first, first).p == 1.0


def test_models_that_are_alike_are_rarely_told_apart_over_the_samples() -> None:
    rng = np.random.default_rng(1)
    told = 0
    for _ in range(100):
        hard = rng.random(400)
        first, second = ((rng.random((3, 400)) < hard).astype(int) for _ in range(2))
        told += metrics.over_samples(first, second, draws=1000).p < 0.1
    assert 2 <= told <= 20


def test_holm_corrects_for_the_number_of_comparisons() -> None:
    np.testing.assert_allclose(
        metrics.holm([0.01, np.nan, 0.04, 0.03, 0.5]), [0.04, np.nan, 0.09, 0.09, 0.5]
    )
    assert metrics.holm([0.4, 0.9]).max() <= 1
    with pytest.raises(InputError, match="outside of 0 to 1"):
        metrics.holm([1.2])
    with pytest.raises(InputError, match="do not pair"):
        metrics.over_samples([1, 0], [1, 0, 1])
