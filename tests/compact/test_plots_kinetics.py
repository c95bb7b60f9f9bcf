"""Pictures: drawn without a display, with the curves that they are to show."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from compact.fitting.fit import fit
from compact.plots.kinetics import alpha_beta_figure, loops_figure, patterns_figure
from tests.compact.trains import falling


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    return buffer.getvalue()


def test_a_fit_is_drawn_in_microsiemens_with_its_residuals() -> None:
    data = falling(0.01, 0.05, 0.01)
    found = fit(data, direction="down")
    figure = found.plot()
    upper, lower = figure.axes
    points, curve = upper.get_lines()
    np.testing.assert_allclose(points.get_ydata(), data * 1e6)
    np.testing.assert_allclose(curve.get_ydata(), found.fitted * 1e6)
    assert "µS" in upper.get_ylabel()
    assert f"{found.alpha:.3g}" in curve.get_label()
    assert np.abs(lower.get_lines()[1].get_ydata()).max() < 5
    assert png(figure).startswith(b"\x89PNG")


def test_normalised_trains_are_drawn_as_they_are() -> None:
    data = falling(0.01, 0.05, 0.01) * 1e4 - 1
    figure = fit(data, direction="down", normalised=True).plot()
    assert "normalised" in figure.axes[0].get_ylabel()
    np.testing.assert_allclose(figure.axes[0].get_lines()[0].get_ydata(), data)


def test_what_is_not_determined_is_said_in_the_picture() -> None:
    data = 2e-4 * np.exp(-np.arange(60) / 9) + 1e-6 * np.random.default_rng(0).uniform(size=60)
    found = fit(data)
    assert found.note
    assert found.plot().get_supxlabel() == found.note


@pytest.mark.parametrize(
    ("draw", "panels", "lines"),
    [(alpha_beta_figure, 2, 8), (loops_figure, 6, 9), (patterns_figure, 4, 2)],
)
def test_the_demonstrations_are_drawn(draw, panels: int, lines: int) -> None:  # type: ignore[no-untyped-def]
    figure = draw()
    assert len(figure.axes) == panels
    assert sum(len(ax.get_lines()) for ax in figure.axes) == lines
    assert png(figure).startswith(b"\x89PNG")


def test_arrows_stand_at_the_beginnings() -> None:
    axes = patterns_figure(repeats=3).axes
    arrows = [ax.texts for ax in axes]
    assert sorted(len(found) for found in arrows) == [0, 0, 2, 6]
