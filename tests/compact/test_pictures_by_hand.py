"""Numbers of pictures of fits and tables, by hand: each curve is of its own column and unit."""

from __future__ import annotations

import numpy as np
import pytest

from compact.circuit.export import as_dataset
from compact.fitting.fit import fit
from compact.laws import linear_ion_drift
from compact.plots.kinetics import fit_figure, loops_figure
from compact.plots.table import region_figure, trains_figure
from compact.table.table import AlphaBetaTable
from tests.compact.table_data import campaign
from tests.compact.trains import falling


def test_residuals_are_what_was_read_less_the_curve() -> None:
    data = falling(0.01, 0.05, 0.01)
    data[7] += 0.2 * np.ptp(data)  # one read far above
    found = fit(data, direction="down")
    upper, lower = fit_figure(found).axes
    number, residual = lower.get_lines()[1].get_data()
    assert int(np.argmax(residual)) == 7 and residual[7] > 10
    assert number[0] == 0 and number[-1] == len(data) - 1  # the first read is before any pulse
    assert upper.get_lines()[1].get_xdata()[7] == 7


def test_the_fitted_curve_has_the_unit_of_the_reads() -> None:
    ds = as_dataset(fit(falling(0.01, 0.05, 0.01), direction="down"))
    assert ds["fitted"].attrs["units"] == ds["conductance"].attrs["units"] == "S"
    assert ds["alpha"].attrs["units"] == "1"


def test_loops_are_drawn_in_milliamperes() -> None:
    loop = linear_ion_drift.hysteresis()
    curve = loops_figure().axes[3].get_lines()[0]
    np.testing.assert_allclose(curve.get_ydata(), 1e3 * loop["current"].values)
    np.testing.assert_allclose(curve.get_xdata(), loop["voltage"].values)


def test_trains_are_drawn_with_their_own_fits() -> None:
    table = AlphaBetaTable.fit(campaign((-2.0,), cycles=3, noise=0.01))
    ds = table.dataset
    order = np.argsort(ds["residual"].values.ravel())
    reads = ds["conductance"].values.reshape(3, -1)
    curves = ds["fitted"].values.reshape(3, -1)
    for k, ax in zip(order, trains_figure(table).axes, strict=True):
        points, line = ax.get_lines()
        np.testing.assert_allclose(points.get_ydata(), 1e6 * reads[k])
        np.testing.assert_allclose(line.get_ydata(), 1e6 * curves[k])
        assert f"R {ds['residual'].values.ravel()[k]:.2g}" in ax.get_title(loc="left")


def test_trains_that_do_not_count_are_not_drawn() -> None:
    table = AlphaBetaTable.fit(campaign((-2.0,), cycles=3, noise=0.01))
    table.dataset["valid"].values[0, 0, 0, 1] = False
    assert len(trains_figure(table).axes) == 2


def test_an_inversion_is_marked_where_it_is() -> None:
    table = AlphaBetaTable.fit(campaign(cycles=3))
    found = table.invert(alpha=0.03, beta=0.3)
    marks = {line.get_label(): line for line in region_figure(table, found).axes[0].get_lines()}
    pairs = {
        "wanted": (found.alpha_wanted, found.beta_wanted),
        "closest": (found.at.alpha, found.at.beta),
        "means": tuple(table.means[n].values.ravel() for n in ("alpha", "beta")),
    }
    for name, (alpha, beta) in pairs.items():
        np.testing.assert_allclose(marks[name].get_xdata(), alpha)
        np.testing.assert_allclose(marks[name].get_ydata(), beta)
    assert found.at.alpha != pytest.approx(found.at.beta)
