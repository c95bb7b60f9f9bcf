"""Trains whose first pulse does nearly everything, and mirrored fits: marked, never silent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compact.circuit.export import to_spice, to_verilog_a
from compact.fitting.batch import ONE_PULSE, PLATEAU, first_does_all, same_curve
from compact.fitting.fit import AlphaBetaFit, fit, fit_many
from compact.kinetics.equations import integrate
from compact.table.table import AlphaBetaTable
from ddkbase.errors import InputError
from tests.compact.table_data import campaign
from tests.compact.trains import HIGH, LOW, falling

NOISE = 1e-3 * np.random.default_rng(4).standard_normal(51)
STEP = LOW + (HIGH - LOW) * np.where(np.arange(51) == 0, 1.0, 0.002 * np.abs(NOISE))


@pytest.mark.parametrize("window", ["free", "data"])
@pytest.mark.parametrize("integrator", ["implicit", "exact", "explicit"])
def test_beta_is_not_told_of_a_train_that_ends_with_its_first_pulse(
    window: str, integrator: str
) -> None:
    with pytest.raises(InputError, match="beta is known from below only"):
        fit(STEP, window=window, integrator=integrator)
    slow = falling(0.01, 0.05, pulses=50)
    both = fit_many(np.stack([slow, STEP]), window=window, integrator=integrator)
    assert both["valid"].values.tolist() == [True, False]
    assert both["determined"].values.tolist()[1] is False
    assert both["reason"].values.tolist() == ["", ONE_PULSE]
    gone = both.isel(train=1)
    for name in ("alpha", "beta", "alpha_stderr", "beta_stderr", "covariance", "correlation"):
        assert np.isnan(gone[name]).all()
    alone = fit(slow, window=window, integrator=integrator)
    assert both["beta"].values[0] == pytest.approx(alone.beta, rel=1e-6)
    np.testing.assert_allclose(gone["conductance"], STEP)
    assert "not valid: " + ONE_PULSE in repr(AlphaBetaFit.from_dataset(both, 1))


@pytest.mark.parametrize("options", [{}, {"mirror": True}, {"method": "article", "mirror": True}])
def test_up_trains_and_the_article_s_method_know_the_rule(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match="the first pulse does over 99 %"):
        fit(LOW + HIGH - STEP, **options)  # type: ignore[arg-type]


def test_the_rule_counts_the_first_read_there_is() -> None:
    values = np.array([[1, 0.0, 0, 0], [1, 0, 0.005, 0], [1, 0.011, 0, 0], [1, 0, 0.5, 0]]).T
    weights = np.ones((4, 4))
    weights[1, [1, 3]] = 0  # not read after the first pulse
    assert first_does_all(values, weights).tolist() == [True, True, False, False]


# noise of 3 % about its end from the first pulse on, which by chance is below the mean
LEVEL = LOW + (HIGH - LOW) * np.r_[1.0, 0.1, 0.1 + 30 * np.abs(NOISE[2:])]


@pytest.mark.parametrize("window", ["free", "data"])
def test_a_fit_that_knows_beta_from_below_only_is_not_valid(window: str) -> None:
    level = LEVEL.copy()
    level[20] = LOW + 0.05 * (HIGH - LOW)  # not the first pulse has the smallest read
    slow = falling(1e-5, 0.4, pulses=50, integrator="exact")
    options: dict[str, object] = {"window": window, "integrator": "exact"}
    both = fit_many(np.stack([level, slow]), **options)  # type: ignore[arg-type]
    assert both["reason"].values.tolist() == [PLATEAU, ""]
    assert np.isnan(both["alpha"].values[0]) and np.isnan(both["beta_stderr"].values[0])
    assert both["beta"].values[1] == pytest.approx(0.4, rel=1e-3)
    with pytest.raises(InputError, match="that of any larger beta"):
        fit(level, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("integrator", ["exact", "implicit"])
@pytest.mark.parametrize("end", [0.5, 0.8])
def test_a_fit_leaves_the_plateau_for_something_better(integrator: str, end: float) -> None:
    """A train that falls to 12 % at once and creeps on: the best beta is about 0.9, but from most
    starts a search steps over it to where the sum of squares is level."""
    y = np.r_[1.0, 0.12 * np.arange(1, 51) ** -end]
    found = fit(LOW + (HIGH - LOW) * y, window="data", integrator=integrator)
    scaled = (y - y.min()) / np.ptp(y)
    betas, ratios = np.meshgrid(np.linspace(0.5, 3, 126), np.linspace(0, 0.05, 101))
    curves = integrate(integrator, betas * ratios, betas, np.ones(50))
    squares = (1 - scaled[0]) ** 2 + ((curves - scaled[1:]) ** 2).sum(-1)
    assert found.residual_sum <= squares.min()
    assert 0.85 < found.beta < 1.05


@pytest.mark.parametrize(("beta", "told"), [(0.9, True), (0.97, True), (1.3, False), (8.0, False)])
def test_where_the_plateau_of_exact_integration_begins(beta: float, told: bool) -> None:
    y = integrate("exact", 0.03 * beta, beta, np.ones(50))
    train = np.r_[1.0, y, np.zeros(2)]  # the ends of the window are told by two more reads
    options: dict[str, object] = {"integrator": "exact", "window": "data", "normalised": True}
    found = fit_many(train, **options).isel(train=0)  # type: ignore[arg-type]
    assert bool(found["valid"]) is told
    assert str(found["reason"].values) == ("" if told else PLATEAU)
    if told:
        assert float(found["beta"]) == pytest.approx(beta, abs=0.02)


def test_small_inputs_tell_a_large_beta() -> None:
    x = np.linspace(0.02, 0.3, 50)
    train = falling(0.02, 1.5, pulses=50, integrator="exact", x=x)
    found = fit(train, x=x, integrator="exact")
    assert found.beta == pytest.approx(1.5, rel=1e-4)


def test_a_pooled_fit_on_the_plateau() -> None:
    pooled = fit_many(np.stack([LEVEL, 1.1 * LEVEL]), integrator="exact", pooled=True)
    assert pooled["reason"].values.tolist() == [PLATEAU, PLATEAU]


def test_same_curve_looks_at_reads_only_and_not_at_constants() -> None:
    curve = np.array([[1, 0.1, 0.1], [1, 0.1, 0.1], [1, 1, 1.0]]).T
    faster = np.array([[1, 0.1, 0.3], [1, 0.1, 0.3], [1, 1, 1.0]]).T
    weights = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1]]).T
    assert same_curve(curve, faster, weights).tolist() == [False, True, False]


def test_table_and_single_fit_agree() -> None:
    source = campaign(cycles=2)
    source["conductance"].values[0, 0, 0, 0, 0] = LOW + 1e-8 * np.arange(source.sizes["pulse"])
    table = AlphaBetaTable.fit(source).dataset.isel(
        amplitude=-1, width=0, initial_resistance=0, cycle=0, device=0
    )
    train = np.concatenate(
        [
            1 / source["measured_initial_resistance"].values[:1, 0, 0, 0, 0],
            source["conductance"].values[0, 0, 0, 0, 0],
        ]
    )
    one = fit_many(train).isel(train=0)
    assert str(table["reason"].values) == str(one["reason"].values) == ONE_PULSE
    assert float(table["residual"]) == pytest.approx(float(one["residual"]), rel=1e-9)


def test_the_estimator_marks_it() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from compact.fitting.estimator import AlphaBetaRegressor

    pulses = np.arange(51.0)[:, None]
    order = np.random.default_rng(0).permutation(51)
    found = AlphaBetaRegressor().fit(pulses[order], STEP[order])
    assert (found.determined_, found.note_) == (False, ONE_PULSE)
    assert np.isnan([found.alpha_stderr_, found.beta_stderr_]).all()
    np.testing.assert_allclose(found.predict(pulses), STEP, atol=0.01 * (HIGH - LOW))
    level = LEVEL.copy()
    level[20] = LOW + 0.05 * (HIGH - LOW)
    assert AlphaBetaRegressor().fit(pulses, level).note_ == PLATEAU
    good = AlphaBetaRegressor().fit(pulses, falling(0.01, 0.05, 0.01, pulses=50))
    assert (good.determined_, good.note_) == (True, "")


def test_a_mirrored_fit_is_no_cell_of_a_circuit(tmp_path: Path) -> None:
    up = LOW + HIGH - falling(0.01, 0.05)
    found = fit(up, mirror=True, integrator="exact")
    assert found.mirror
    assert "mirror image" in repr(found)
    for write in (to_spice, to_verilog_a):
        with pytest.raises(InputError, match="mirror=False"):
            write(found, tmp_path / "cell", amplitude="1.5 V", width="100 ns")
    assert not list(tmp_path.iterdir())
    down = fit(falling(0.01, 0.05), mirror=True, integrator="exact")
    assert not down.mirror  # down trains are what they are
    to_spice(down, tmp_path / "cell", amplitude="1.5 V", width="100 ns")
