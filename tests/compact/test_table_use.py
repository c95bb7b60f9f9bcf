"""A table in use: lookup, inversion, the reachable region, draws, trends, pictures, the report."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from compact.plots.table import by_setting_figure, region_figure, trains_figure, trends_figure
from compact.report import report_text, write_report
from compact.table.grid import Grid
from compact.table.statistics import deviations, drawn, summary
from compact.table.table import AlphaBetaTable
from ddkbase.errors import InputError, StorageError
from tests.compact.table_data import AMPLITUDES, RESISTANCES, WIDTHS, campaign


@pytest.fixture(scope="module")
def table() -> AlphaBetaTable:
    source = campaign(AMPLITUDES, WIDTHS, RESISTANCES, cycles=4, devices=5)
    return AlphaBetaTable.fit(source, window="free")


@pytest.fixture(scope="module")
def line() -> AlphaBetaTable:
    return AlphaBetaTable.fit(campaign(cycles=6), window="free")


def test_lookup_at_a_setting_is_the_mean(table: AlphaBetaTable) -> None:
    found = table.lookup(amplitude="-2.5 V", width="200 ns", initial_resistance="15 kohm")
    at = {"amplitude": -2.5, "width": 200e-9, "initial_resistance": 15e3}
    mean = table.means.sel(at, method="nearest")
    assert found.alpha == pytest.approx(mean["alpha"].item(), rel=1e-12)
    assert found.beta_spread == pytest.approx(mean["beta_spread"].item(), rel=1e-12)
    assert found.conductance_max == pytest.approx(mean["conductance_max"].item(), rel=1e-12)


def test_lookup_between_settings(table: AlphaBetaTable) -> None:
    def beta(amplitude: str, width: str, resistance: str) -> float:
        return table.lookup(amplitude=amplitude, width=width, initial_resistance=resistance).beta

    middle = beta("-2.25 V", "20 ns", "6 kohm")
    assert middle == pytest.approx(
        (beta("-2 V", "20 ns", "6 kohm") + beta("-2.5 V", "20 ns", "6 kohm")) / 2
    )
    third = beta("-2 V", "20 ns", "9 kohm")
    ends = beta("-2 V", "20 ns", "6 kohm"), beta("-2 V", "20 ns", "15 kohm")
    assert third == pytest.approx(ends[0] + (ends[1] - ends[0]) / 3)
    # by the logarithm of the width: 63.2 ns is halfway between 20 and 200 ns
    half = beta("-2 V", "63.245553203 ns", "6 kohm")
    assert half == pytest.approx(
        (beta("-2 V", "20 ns", "6 kohm") + beta("-2 V", "200 ns", "6 kohm")) / 2
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"amplitude": "-3.1 V"},
            "-3.1 V is outside of the table .amplitude.. It has -3 V to -2 V",
        ),
        ({"amplitude": "2 V"}, "It has -3 V to -2 V"),
        ({"amplitude": "-2 V", "width": "1 us"}, "1 us is outside .*It has 100 ns only"),
        ({}, "several values of amplitude"),
        ({"amplitude": -2.0}, "has no unit"),
        ({"amplitude": "2 ohm"}, "wrong dimension"),
    ],
)
def test_lookup_refuses(line: AlphaBetaTable, setting: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        line.lookup(**setting)


def test_between_reset_and_set_is_nothing() -> None:
    source = campaign((-3.0, -2.0), cycles=2)
    ds = AlphaBetaTable.fit(source, window="free").dataset
    both = AlphaBetaTable(ds.assign_coords(amplitude=ds["amplitude"] + [0.0, 3.0]))
    with pytest.raises(InputError, match="It has -3 V to -3 V and 1 V to 1 V"):
        both.lookup(amplitude="-1 V")
    at = {
        round(both.invert(alpha=0.02, beta=b).at.amplitude, 9) for b in (0.1, 0.17, 0.2, 0.25, 0.4)
    }
    assert at == {-3.0, 1.0}


def test_the_gap_lies_between_the_innermost_amplitudes() -> None:
    volts = [-3.0, -2.0, 1.0, 2.0]
    source = campaign((-3.5, -3.0, -2.5, -2.0), cycles=2)
    ds = AlphaBetaTable.fit(source, window="free").dataset
    both = AlphaBetaTable(ds.assign_coords(amplitude=ds["amplitude"].copy(data=volts)))
    betas = both.means["beta"].values.ravel()
    for at, ends in (("-2.5 V", betas[:2]), ("1.5 V", betas[2:])):
        assert both.lookup(amplitude=at).beta == pytest.approx(ends.mean())
    for at in ("-1.9 V", "0 V", "0.9 V", "-3.1 V", "2.1 V"):
        with pytest.raises(InputError, match="It has -3 V to -2 V and 1 V to 2 V"):
            both.lookup(amplitude=at)


def test_lookup_beside_a_hole(table: AlphaBetaTable) -> None:
    ds = table.dataset.copy(deep=True)
    ds["valid"].values[0, 0, 0] = False
    torn = AlphaBetaTable(ds)
    place = {"width": "20 ns", "initial_resistance": "6 kohm"}
    with pytest.raises(InputError, match=r"no train is valid next to amplitude -2\.6 V"):
        torn.lookup(amplitude="-2.6 V", **place)
    assert torn.lookup(amplitude="-2.5 V", **place).beta > 0  # the hole has no weight here
    assert np.isfinite(torn.invert(alpha=0.02, beta=0.2).distance)


@pytest.mark.parametrize(
    "setting",
    [
        ("-2.2 V", "50 ns", "8 kohm"),
        ("-3 V", "200 ns", "6 kohm"),
        ("-2.7 V", "20 ns", "29 kohm"),
    ],
)
def test_inversion_finds_what_lookup_gives(
    table: AlphaBetaTable, setting: tuple[str, str, str]
) -> None:
    axes = ("amplitude", "width", "initial_resistance")
    wanted = table.lookup(**dict(zip(axes, setting, strict=True)))
    found = table.invert(alpha=wanted.alpha, beta=wanted.beta)
    assert found.reached and found.distance < 1e-3
    assert found.at.beta == pytest.approx(wanted.beta, rel=1e-3)
    assert found.beta_error == pytest.approx(found.at.beta - wanted.beta, abs=1e-15)


def test_inversion_out_of_reach_is_the_nearest_and_says_so(line: AlphaBetaTable) -> None:
    found = line.invert(alpha=0.02, beta=5.0)
    assert not found.reached and found.at.amplitude == pytest.approx(-3.0)
    assert found.beta_error < -4 and "not within reach" in str(found)
    brute = [line.lookup(amplitude=f"{v} V") for v in np.linspace(-3, -2, 2001)]
    wanted = np.array([0.021, 0.21])
    misses = [np.hypot(*((np.array([f.alpha, f.beta]) - wanted) / wanted)) for f in brute]
    assert line.invert(alpha=0.021, beta=0.21).distance <= min(misses) + 1e-6


@pytest.mark.parametrize("pair", [(-1.0, 0.1), (float("nan"), 0.1), (0.1, float("inf"))])
def test_inversion_refuses(line: AlphaBetaTable, pair: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="is no number from 0"):
        line.invert(alpha=pair[0], beta=pair[1])


def test_region_holds_the_means_and_no_more(table: AlphaBetaTable) -> None:
    region = table.reachable()
    means = np.stack([table.means["alpha"].values.ravel(), table.means["beta"].values.ravel()], 1)
    for mean in means:
        assert np.abs(region.points - mean).min(0).max() < 1e-9
    assert region.points.min(0) == pytest.approx(means.min(0))
    assert region.points.max(0) == pytest.approx(means.max(0))
    assert len(region.hull) == 2  # alpha is the same everywhere


def test_region_of_a_table_that_moves_both() -> None:
    source = campaign(
        (-3.0, -2.0), WIDTHS, cycles=1, law=lambda v, w, r, cell: (0.01 - 0.01 * v, 0.2 + w * 1e6)
    )
    table = AlphaBetaTable.fit(source, window="free")
    region = table.reachable()
    corners = {(round(a, 5), round(b, 5)) for a, b in region.hull}
    assert corners == {(0.03, 0.22), (0.04, 0.22), (0.03, 0.4), (0.04, 0.4)}
    assert [s.shape[-1] for s in region.sheets] == [2] and len(table.reachable().points) > 100


def test_draws_have_the_measured_mean_and_covariance(table: AlphaBetaTable) -> None:
    rng = np.random.default_rng(0)
    grid = []
    for _ in range(400):
        values = drawn(table.dataset, table.means, rng, "device")
        grid.append(np.concatenate([values[..., 0].ravel(), values[..., 1].ravel()]))
    found = np.array(grid)
    devices = np.concatenate(
        [table.dataset[n].mean("cycle").values.reshape(-1, 5) for n in ("alpha", "beta")]
    )
    error = devices.std(axis=1, ddof=1) / 20
    assert (np.abs(found.mean(0) - devices.mean(1)) < 5 * error).all()
    ratio = found.std(0, ddof=1) / devices.std(axis=1, ddof=1)
    assert (np.abs(ratio - 1) < 0.2).all()
    # a cell is fast, or slow, at all settings alike
    np.testing.assert_allclose(np.corrcoef(found.T), np.corrcoef(devices), atol=0.02)


def test_a_draw_is_a_table_of_one_cell(table: AlphaBetaTable, tmp_path: Path) -> None:
    one = table.sample(np.random.default_rng(3))
    assert one.dataset.sizes["cycle"] == one.dataset.sizes["device"] == 1
    again = table.sample(np.random.default_rng(3))
    assert again.dataset.equals(one.dataset)
    setting = {"amplitude": "-2.2 V", "width": "50 ns", "initial_resistance": "8 kohm"}
    assert one.lookup(**setting).beta != table.lookup(**setting).beta
    assert AlphaBetaTable.read(one.write(tmp_path / "one.nc")).dataset.equals(one.dataset)
    with pytest.raises(InputError, match="holds no fitted train"):
        trains_figure(one)


def test_scatter_of_cells_is_that_of_devices_and_cycles(table: AlphaBetaTable) -> None:
    cycles, devices = deviations(table.dataset, "cycle"), deviations(table.dataset, "device")
    assert cycles.shape == (20, 18, 4) and devices.shape == (5, 18, 4)
    beta = table.dataset["beta"].values.reshape(18, 4, 5)
    within = ((beta - beta.mean(1, keepdims=True)) ** 2).sum((1, 2)) / 15
    np.testing.assert_allclose((cycles[..., 1] ** 2).sum(0), within)
    np.testing.assert_allclose((devices[..., 1] ** 2).sum(0), beta.mean(1).var(1, ddof=1))
    rng = np.random.default_rng(0)
    cells = [drawn(table.dataset, table.means, rng, "cell")[0, 0, 0, 1] for _ in range(300)]
    both = np.sqrt(within[0] + beta.mean(1).var(1, ddof=1)[0])
    assert np.std(cells) == pytest.approx(both, rel=0.15)


def test_only_where_all_trains_stand_at_a_bound_no_scatter_is_told(table: AlphaBetaTable) -> None:
    ds = table.dataset.copy(deep=True)
    ds["at_bound"].loc[{"parameter": "alpha"}] = False
    ds["at_bound"].loc[{"parameter": "alpha", "cycle": ds["cycle"][0]}] = True
    assert np.isfinite(summary(ds)["alpha_spread"]).all()
    ds["at_bound"].loc[{"parameter": "alpha"}] = True
    told = summary(ds)
    assert np.isnan(told["alpha_spread"]).all() and np.isfinite(told["alpha"]).all()
    assert np.isfinite(told["beta_spread"]).all()


def test_a_drawn_window_does_not_turn_over() -> None:
    axes = ("amplitude", "width", "initial_resistance", "cycle", "device")
    low, high = np.array([1.0, 5.0]), np.array([6.0, 6.0])  # S; the mean window is 3 to 6
    values = {"alpha": np.ones(2), "beta": np.ones(2)}
    values |= {"conductance_min": low, "conductance_max": high, "valid": np.ones(2, bool)}
    ds = xr.Dataset({n: (axes, v.reshape(1, 1, 1, 2, 1)) for n, v in values.items()})
    means = ds.mean(("cycle", "device"))
    rng = np.random.default_rng(1)
    draws = np.array([drawn(ds, means, rng, "cycle")[0, 0, 0] for _ in range(200)])
    assert draws[:, 2].max() > 6 and (draws[:, 3] >= draws[:, 2]).all()
    assert draws[:, 2].min() == 0 and draws[:, 3].min() == 6


def test_draws_need_several_cells_and_a_generator(line: AlphaBetaTable) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="fewer than two devices"):
        line.sample(rng, "device")
    with pytest.raises(InputError, match="unknown kind 'cat'"):
        line.sample(rng, "cat")
    with pytest.raises(InputError, match="no generator"):
        line.sample(1)  # type: ignore[arg-type]


def test_errors_of_an_inversion_are_what_is_reached_less_what_was_wanted(
    line: AlphaBetaTable,
) -> None:
    found = line.invert(alpha=10.0, beta=0.0)  # far from every setting, above and below
    assert found.alpha_error == pytest.approx(found.at.alpha - 10.0) and found.alpha_error < -9
    assert found.beta_error == pytest.approx(found.at.beta) and found.beta_error > 0.1


def test_pictures(table: AlphaBetaTable, line: AlphaBetaTable) -> None:
    figure = trends_figure([table, line])
    texts = [ax.get_title(loc="right") for ax in figure.axes]
    assert len(figure.axes) == 6
    assert texts[0] == "flat: yes" and texts[3] == "rising: yes"
    single = line.plot()
    curve = next(c for c in single.axes[1].lines if len(c.get_xdata()) == 3)
    assert curve.get_xdata().tolist() == [2.0, 2.5, 3.0]
    np.testing.assert_allclose(curve.get_ydata(), line.means["beta"].values.ravel()[::-1])
    assert len(by_setting_figure(table).axes) == 2
    many = by_setting_figure(line).axes[0]
    assert many.containers[0].has_yerr and "95 %" in many.get_title(loc="right")
    few = by_setting_figure(AlphaBetaTable.fit(campaign(cycles=2), window="free")).axes[0]
    assert not few.containers[0].has_yerr and "2 single cycles" in few.get_title(loc="right")
    assert sum(len(np.ravel(c.get_ydata())) for c in few.lines if c.get_marker() == ".") == 6
    assert len(trains_figure(line, 4).axes) == 4
    wanted = line.invert(alpha=0.03, beta=0.3)
    labels = [t.get_text() for t in region_figure(line, wanted).legends[0].get_texts()]
    assert "wanted" in labels and "reached by the means" in labels
    with pytest.raises(InputError, match="nothing varies"):
        trends_figure([AlphaBetaTable.fit(campaign((-2.0,), cycles=2))])


def test_report_stands_alone(table: AlphaBetaTable, line: AlphaBetaTable, tmp_path: Path) -> None:
    text = write_report([line, table], tmp_path / "r.html").read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 6
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert re.search(r"\d of 7 statements hold", text)
    assert line.dataset.attrs["source_checksum"] in text
    with pytest.raises(StorageError, match="exists already"):
        write_report(line, tmp_path / "r.html")
    with pytest.raises(InputError, match="one table or several"):
        report_text([])


def test_report_shows_names_as_text_not_as_html() -> None:
    source = campaign(cycles=2).assign_attrs(title="<script>alert(1)</script>")
    assert "<script>" not in report_text(AlphaBetaTable.fit(source))


def test_the_ends_of_a_gap_between_polarities_belong_to_the_table() -> None:
    table = AlphaBetaTable.fit(campaign((-2.5, -2.0, 2.0, 2.5), cycles=2))
    grid = Grid(table.dataset, table.means)
    assert [grid.setting({"amplitude": v})[0] for v in ("-2 V", "2 V")] == [-2.0, 2.0]
    for between in ("-1.9 V", "1.9 V"):
        with pytest.raises(InputError, match="outside of the table"):
            grid.setting({"amplitude": between})


def test_of_settings_of_one_pair_that_of_the_least_scatter_of_cells_is_chosen() -> None:
    table = AlphaBetaTable.fit(campaign(cycles=2))
    means = table.means.copy(deep=True)
    means["alpha"].values[:], means["beta"].values[:] = 0.02, 0.2
    scatter = np.array([0.2, 0.01, 0.1]).reshape(3, 1, 1)  # by amplitude
    for name, values in (
        ("alpha_spread", scatter),
        ("beta_spread", scatter),
        ("conductance_min", 1e-6 / scatter),
        ("conductance_max", 1e-5 / scatter),
    ):
        means[name].values[:] = values
    at = Grid(table.dataset, means).invert(0.02, 0.2).at
    assert at.amplitude == pytest.approx(float(table.dataset["amplitude"][1]))
