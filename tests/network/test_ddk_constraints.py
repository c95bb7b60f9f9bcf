"""Constraints on alpha and beta, and what r says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compact.kinetics.stability_report import CONTRACTIVE, stability
from ddkbase.errors import InputError
from network.ddk import constraints
from network.ddk.constraints import Clamp, Positive, Reachable, Stable
from network.ddk.layer import DDKLayer

raws = st.lists(st.floats(-20, 20), min_size=2, max_size=2)


@given(raws, st.sampled_from([Positive(), Stable(), Stable(0.598, 2.0)]))
def test_slopes_of_the_smooth_maps(raw: list[float], constraint: Any) -> None:
    at = np.array(raw)[:, None]
    found = constraint.slope(at)[..., 0]
    for j in range(2):
        h = np.zeros((2, 1))
        h[j] = 1e-5
        wanted = (constraint.value(at + h) - constraint.value(at - h))[:, 0] / 2e-5
        np.testing.assert_allclose(found[:, j], wanted, rtol=1e-5, atol=1e-9)


@given(st.floats(1e-3, 5), st.floats(1e-3, 0.9))
def test_raw_gives_the_value_back(alpha: float, share: float) -> None:
    pair = np.array([alpha, share * np.sqrt(alpha / 0.25)])
    for constraint in (Positive(), Stable(0.25)):
        np.testing.assert_allclose(constraint.value(constraint.raw(pair)), pair, rtol=1e-9)


@given(raws, st.floats(0.1, 1), st.floats(0.5, 2))
def test_stable_keeps_r_above_its_bound(raw: list[float], bound: float, x_max: float) -> None:
    alpha, beta = Stable(bound, x_max).value(np.array(raw))
    assert alpha > 0
    assert stability(alpha, beta, x_max).r >= bound * (1 - 1e-12)


def test_projected_start_of_stable_still_learns() -> None:
    layer = DDKLayer(4, alpha=0.1, beta=3.0, constraint="stable", integrator="explicit")
    assert layer.stability().positive.all()
    assert (
        constraints.constraint("stable").slope(
            np.stack([layer.parameters["alpha"], layer.parameters["beta"]])
        )[1, 1]
        > 1e-3
    )


def test_clamp() -> None:
    clamp = Clamp()
    at = np.array([[0.5, -1.0, 0.001], [2.0, 1.0, 0.2]])
    np.testing.assert_array_equal(clamp.value(at), [[0.5, 0.001, 0.001], [1.0, 1.0, 0.2]])
    slope = clamp.slope(at)
    np.testing.assert_array_equal(slope[0, 0], [1, 0, 1])
    np.testing.assert_array_equal(slope[1, 1], [0, 1, 1])
    assert not slope[0, 1].any()
    clamp.settle(at)
    np.testing.assert_array_equal(clamp.slope(at)[1, 1], [1, 1, 1])
    single = clamp.value(at).astype(np.float32)  # 0.001 is a little more in float32
    np.testing.assert_array_equal(clamp.slope(single)[[0, 1], [0, 1]], np.ones((2, 3)))


SQUARE = [[[0, 0], [1, 0], [1, 1]], [[0, 0], [0, 1], [1, 1]], [[3, 3], [3, 3], [4, 3]]]


def test_reachable_keeps_what_is_inside_and_moves_the_rest_to_the_border() -> None:
    region = Reachable.from_triangles(np.array(SQUARE, float))
    inside = np.array([[0.2, 0.5, 1.0, 3.5], [0.7, 0.5, 0.0, 3.0]])
    np.testing.assert_allclose(region.value(inside), inside, atol=1e-12)
    outside = np.array([[2.0, -1.0, 0.5, 5.0], [0.5, -1.0, -3.0, 3.0]])
    wanted = [[1.0, 0.0, 0.5, 4.0], [0.5, 0.0, 0.0, 3.0]]
    np.testing.assert_allclose(region.value(outside), wanted, atol=1e-12)
    region.settle(outside)
    np.testing.assert_allclose(outside, wanted, atol=1e-12)


@given(st.floats(-2, 6), st.floats(-2, 6))
def test_reachable_finds_the_nearest(alpha: float, beta: float) -> None:
    region = Reachable.from_triangles(np.array(SQUARE, float))
    found = region.value(np.array([alpha, beta]))
    np.testing.assert_allclose(region.value(found), found, atol=1e-9)
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 21)] * 2), -1).reshape(-1, 2)
    line = np.stack([np.linspace(3, 4, 21), np.full(21, 3.0)], -1)
    scale = np.abs(region.triangles).mean((0, 1))
    far = np.linalg.norm((np.concatenate([grid, line]) - [alpha, beta]) / scale, axis=1)
    distance = np.linalg.norm((found - [alpha, beta]) / scale)
    assert distance <= far.min() + 1e-12
    assert distance >= far.min() - 0.05


def test_reachable_of_a_table(table: Any) -> None:
    region = Reachable(table)
    points = table.reachable().points
    np.testing.assert_allclose(region.value(points.T), points.T, atol=1e-9)
    layer = DDKLayer(5, 3, per="channel", constraint=region)
    pair = np.stack([layer.alpha.ravel(), layer.beta.ravel()])
    wanted = table.invert(alpha=0.7, beta=1.0).at
    assert np.allclose(pair[:, :1], pair)
    assert pair[0, 0] <= points[:, 0].max() + 1e-9
    assert wanted.alpha > 0
    other = constraints.constraint(region.config())
    np.testing.assert_allclose(other.value(pair), pair, atol=1e-9)
    x = np.random.default_rng(1).random((2, 3, 5))
    layer.forward(x, training=True)
    layer.backward(np.ones((2, 3, 5)))
    layer.parameters["alpha"] -= 100 * layer.gradients["alpha"]
    after = np.stack([layer.alpha.ravel(), layer.beta.ravel()])
    np.testing.assert_allclose(region.value(after), after, atol=1e-9)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from compact.table.table import AlphaBetaTable
    from tests.compact.table_data import campaign

    return AlphaBetaTable.fit(campaign())


@pytest.mark.parametrize(
    ("alpha", "beta", "options", "words"),
    [
        (0.2, 1.0, {"integrator": "explicit"}, "turn negative"),
        (0.4, 1.0, {"integrator": "explicit"}, "gradients can grow"),
        (0.7, 1.0, {"integrator": "explicit"}, "gradients never grow"),
        (0.2, 1.0, {"integrator": "explicit", "form": "set"}, "gradients never grow"),
        (0.2, 1.0, {}, "keeps 0.17 of a difference"),
        (0.2, 1.0, {"integrator": "exact"}, "keeps 0.0067 of a difference"),
        (3.0, 1.0, {"integrator": "explicit"}, "gradients can grow"),
        (3.0, 1.0, {"integrator": "explicit", "form": "set"}, "gradients can grow"),
        (3.0, 1.0, {"integrator": "explicit", "initial": 2.0}, "gradients never grow"),
        (0.2, 0.0, {}, "does not act"),
        (0.0, 1.0, {}, "not positive"),
        ([0.2, 0.7], 1.0, {"integrator": "explicit"}, "1 of 2 pairs"),
    ],
)
def test_words(alpha: Any, beta: float, options: dict[str, Any], words: str) -> None:
    assert words in str(stability(alpha, beta, **{"integrator": "implicit", **options}))


def _steepest(
    alpha: np.ndarray, beta: np.ndarray, form: str, rng: np.random.Generator
) -> tuple[float, float]:
    """Largest |dy+/dy| and smallest state, explicit, under inputs that seek the steepest place."""
    sign = 1.0 if form == "reset" else -1.0
    steepest, lowest = 0.0, np.inf
    for _ in range(60):
        y = 1.0
        for k, (a, b) in enumerate(zip(alpha, beta, strict=True)):
            steepest = max(steepest, abs(1 - a / y**2))
            following = alpha[min(k + 1, len(alpha) - 1)]
            x = rng.choice([0.0, 1.0, np.clip((y + a / y - np.sqrt(following)) / b, 0, 1)])
            y = y + a / y - sign * b * x
            lowest = min(lowest, y)
            if y <= 0:
                return np.inf, y
    return steepest, lowest


@pytest.mark.parametrize("form", ["reset", "set"])
@pytest.mark.parametrize("per", ["network", "step"])
def test_what_the_report_says_holds_under_the_worst_inputs(form: str, per: str) -> None:
    rng = np.random.default_rng(5)
    said = []
    for _ in range(120):
        alpha, beta = rng.uniform(0.01, 3, 12), rng.uniform(0.01, 1, 12)
        if per == "network":
            alpha, beta = np.full(12, alpha[0]), np.full(12, beta[0])
        elif rng.random() < 0.5:
            alpha = alpha[0] * rng.uniform(0.8, 1, 12)  # near enough to each other to be held
        report = stability(alpha, beta, integrator="explicit", form=form, axis=0)
        steepest, lowest = _steepest(alpha, beta, form, rng)
        assert not report.positive.all() or lowest > 0
        assert not report.contractive.all() or steepest <= 1 + 1e-9
        said.append(bool(report.contractive.all()))
    assert 5 < sum(said) < 115


def test_a_small_pair_before_a_large_one_lets_gradients_grow() -> None:
    layer = DDKLayer(2, per="step", alpha=[[0.01, 1.0]], beta=[[0.129, 0.5]], integrator="explicit")
    report = layer.stability()
    assert (report.r >= CONTRACTIVE).all()  # each by itself would do
    assert report.positive.all() and not report.contractive.any()


def test_exact_states_approach_each_other_as_the_words_say() -> None:
    from network.ddk import kinetics as ddk

    near = [
        ddk.forward([1.0], 0.2, 1.0, initial=y, integrator="exact", states="after")[0]
        for y in (0.2, 0.2 + 1e-6)  # 0.2 is the fixed point alpha/(beta x)
    ]
    np.testing.assert_allclose((near[1] - near[0]) / 1e-6, np.exp(-1 / 0.2), rtol=1e-3)


def test_r_counts_time_and_input() -> None:
    report = stability(0.5, 1.0, 2.0, dt=0.25, integrator="implicit")
    np.testing.assert_allclose(report.r, 0.5)
    assert pytest.approx(0.598, abs=5e-4) == CONTRACTIVE


@pytest.mark.parametrize("given_", ["nothing", {"kind": "nothing"}, 3, None])
def test_unknown_constraints(given_: Any) -> None:
    with pytest.raises(InputError, match="unknown constraint"):
        constraints.constraint(given_)


def test_impossible_bounds() -> None:
    for make in (
        lambda: Clamp(1.0, 0.5),
        lambda: Stable(r=0),
        lambda: Reachable.from_triangles([]),
    ):
        with pytest.raises(InputError):
            make()
