"""Trains whose first pulse does nearly everything, and mirrored fits: marked, never silent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compact.export import to_spice, to_verilog_a
from compact.fit import AlphaBetaFit, fit, fit_many
from compact.fit_input import ONE_PULSE, first_does_all
from compact.table import AlphaBetaTable
from devicephys.errors import InputError
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
    one = fit_many(train, window="data").isel(train=0)
    assert str(table["reason"].values) == str(one["reason"].values) == ONE_PULSE
    assert float(table["residual"]) == pytest.approx(float(one["residual"]), rel=1e-9)


def test_the_estimator_marks_it() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from compact.estimator import AlphaBetaRegressor

    pulses = np.arange(51.0)[:, None]
    order = np.random.default_rng(0).permutation(51)
    found = AlphaBetaRegressor().fit(pulses[order], STEP[order])
    assert (found.determined_, found.note_) == (False, ONE_PULSE)
    assert np.isnan([found.alpha_stderr_, found.beta_stderr_]).all()
    np.testing.assert_allclose(found.predict(pulses), STEP, atol=0.01 * (HIGH - LOW))
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
