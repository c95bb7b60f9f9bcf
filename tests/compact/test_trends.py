"""The article's statements on alpha and beta, held against tables of known trends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from compact.table.table import AlphaBetaTable
from compact.table.trends import spread, statement
from tests.compact.table_data import AMPLITUDES, RESISTANCES, WIDTHS, campaign


def held(table: AlphaBetaTable) -> dict[tuple[str, str], bool | None]:
    return {(t.parameter + " " + t.claim, t.axis): t.holds for t in table.trends()}


def test_the_articles_trends_are_found_where_they_are() -> None:
    source = campaign(resistances=(6e3, 10e3, 15e3, 20e3, 30e3), cycles=8, noise=1e-3)
    assert held(AlphaBetaTable.fit(source, window="free")) == {
        ("alpha flat", "amplitude"): True,
        ("beta rising", "amplitude"): True,
        ("alpha flat", "initial_resistance"): True,
        ("beta rising", "initial_resistance"): True,
        ("beta saturating", "initial_resistance"): True,
    }


def test_the_articles_trends_are_not_found_where_they_are_not() -> None:
    def other(volts: float, width: float, ohms: float, cell: float) -> tuple[float, float]:
        return 0.02 * (1 + ohms / 1e5) + 0.01 * cell, 0.2 + ohms / 1e5 + 0.05 * (volts + cell)

    source = campaign(resistances=(6e3, 10e3, 15e3, 20e3, 30e3), cycles=8, law=other)
    found = held(AlphaBetaTable.fit(source, window="free"))
    assert found["alpha flat", "amplitude"] is True
    assert found["beta rising", "amplitude"] is False  # it falls with |V|
    assert found["alpha flat", "initial_resistance"] is False
    assert found["beta rising", "initial_resistance"] is True
    assert found["beta saturating", "initial_resistance"] is False


def test_slope_and_band_of_a_known_line() -> None:
    source = campaign(cycles=8, law=lambda v, w, r, cell: (0.02, 0.2 + (0.1 + cell) * (-v - 2)))
    table = AlphaBetaTable.fit(source, window="free")
    trend = next(t for t in table.trends() if t.parameter == "beta")
    cells = 0.1 + 0.05 * np.random.default_rng(5).standard_normal((8, 1))
    assert trend.slope == pytest.approx(cells.mean(), rel=1e-3)
    assert trend.cells == 8 and trend.unit == "1/V"
    half = 2.3646 * cells.std(ddof=1) / np.sqrt(8)
    assert trend.high - trend.slope == pytest.approx(half, rel=1e-2)
    # from 2 to 3 V beta goes from 0.2 to 0.3 or so: the change is a share of the larger
    end = 0.2 + cells.mean()
    assert trend.change == pytest.approx((end - 0.2) / end, rel=1e-2)


def test_a_slope_over_widths_is_per_decade() -> None:
    def law(volts: float, width: float, ohms: float, cell: float) -> tuple[float, float]:
        return 0.02, 0.3 + (0.1 + 0.1 * cell) * np.log10(width / 1e-7)

    source = campaign((-2.0,), widths=(2e-8, 5e-8, 1e-7, 2e-7), cycles=6, law=law)
    trend = next(t for t in AlphaBetaTable.fit(source, window="free").trends()
                 if t.parameter == "beta")  # fmt: skip
    assert trend.axis == "width" and trend.unit == "1/decade"
    assert trend.low < 0.1 < trend.high and trend.slope == pytest.approx(0.1, rel=0.05)


def test_slopes_of_settings_that_are_valid_only() -> None:
    """A hole in one corner of a grid leaves the other settings to tell the slope."""
    table = AlphaBetaTable.fit(campaign(widths=WIDTHS, cycles=5), window="free")
    ds = table.dataset.copy(deep=True)
    ds["valid"].values[0, 1] = False  # -3 V, 200 ns
    ds["beta"].values[0, 1] = 1e3
    whole, torn = (
        {(t.parameter, t.axis): t for t in x.trends()} for x in (table, AlphaBetaTable(ds))
    )
    key = ("beta", "amplitude")
    assert torn[key].slope == pytest.approx(whole[key].slope, rel=1e-3)  # beta is linear in it
    assert torn[key].cells == 5
    assert "1 of 6 settings left out" in torn[key].reason
    assert torn["beta", "width"].holds


def test_one_cell_cannot_tell() -> None:
    table = AlphaBetaTable.fit(campaign(cycles=1))
    assert [t.holds for t in table.trends()] == [None, None]
    assert "cannot be told" in str(table.trends()[0])


def test_the_table_with_one_axis_speaks_for_it() -> None:
    source = campaign(AMPLITUDES, WIDTHS, RESISTANCES, cycles=4, devices=5)
    table = AlphaBetaTable.fit(source, window="free")
    line = AlphaBetaTable.fit(campaign(cycles=6), window="free")
    found = {
        (t.parameter, t.axis): t.cells for t in statement([table, line]) if t.claim != "saturating"
    }
    assert found["beta", "amplitude"] == 6  # cycles of the line
    assert found["beta", "initial_resistance"] == 5  # devices of the other


def test_a_hump_is_not_flat() -> None:
    def hump(volts: float, width: float, ohms: float, cell: float) -> tuple[float, float]:
        return (0.02 if abs(abs(volts) - 2.5) < 0.1 else 0.012) * (1 + cell), 0.3

    table = AlphaBetaTable.fit(campaign(cycles=8, law=hump, noise=1e-3), window="free")
    trend = next(t for t in table.trends() if t.parameter == "alpha")
    assert trend.low < 0 < trend.high and trend.change == pytest.approx(0, abs=0.05)
    assert trend.holds is False
    assert "but the means differ, 0.012 at " in trend.reason
    assert "and 0.02 at 2.5 V, F(2, 14) = " in trend.reason


def test_spread_is_the_analysis_of_variance_with_repeated_measures() -> None:
    # two places: the square of the paired t-test
    curves = np.random.default_rng(0).standard_normal((2, 9)) + np.array([[0.0], [0.5]])
    found = spread(curves)
    paired = stats.ttest_rel(curves[0], curves[1])
    assert found is not None and (found.between, found.within) == (1, 8)
    assert found.f == pytest.approx(paired.statistic**2, rel=1e-12)
    assert found.p == pytest.approx(paired.pvalue, rel=1e-9)
    # without differences between the places it finds one in 5 % of samples
    samples = np.random.default_rng(1).standard_normal((2000, 4, 5))
    uneven = samples * np.array([[3.0], [1], [1], [1]])
    share = np.mean([spread(s).p < 0.05 for s in uneven])  # type: ignore[union-attr]
    assert spread(np.ones((4, 5))).p == 1.0  # type: ignore[union-attr]
    assert spread(np.ones((4, 1))) is None
    plain = np.mean([spread(s).p < 0.05 for s in samples])  # type: ignore[union-attr]
    assert 0.035 < plain < 0.065  # binomial spread 0.5 %
    assert plain < share < 0.12  # scatter that is larger at one place: flat is refused more often


def test_beta_beyond_15_kohm_is_a_matter_of_saturation() -> None:
    def falls(volts: float, width: float, ohms: float, cell: float) -> tuple[float, float]:
        return 0.02, (
            0.3 + 0.02 * min(ohms - 6e3, 9e3) / 1e3 - 0.01 * max(ohms - 15e3, 0) / 1e3
        ) * (1 + cell)

    source = campaign((-2.0,), resistances=(6e3, 10e3, 15e3, 20e3, 30e3), cycles=6, law=falls)
    found = {t.claim: t for t in AlphaBetaTable.fit(source, window="free").trends()}
    assert found["rising"].holds and found["rising"].slope == pytest.approx(0.02, rel=0.1)
    assert "from 6 kohm to 15 kohm" in found["rising"].reason
    assert found["saturating"].holds is False
    far = campaign((-2.0,), resistances=(15e3, 30e3), cycles=6)
    told = {t.claim: t for t in AlphaBetaTable.fit(far, window="free").trends()}
    assert told["rising"].holds is None
    assert "two initial resistances up to 15 kohm" in told["rising"].reason


@pytest.mark.parametrize(("cycles", "weak"), [(2, True), (3, False)])
def test_two_cells_give_a_weak_verdict(cycles: int, weak: bool) -> None:
    table = AlphaBetaTable.fit(campaign(cycles=cycles, noise=1e-3), window="free")
    for trend in table.trends():
        assert trend.holds is not None and trend.weak is weak
        assert ("(weak)" in str(trend)) is weak
    one = AlphaBetaTable.fit(campaign(cycles=1)).trends()[0]
    assert not one.weak and one.verdict == "cannot be told"
