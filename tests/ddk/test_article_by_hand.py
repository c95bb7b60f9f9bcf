"""Costs that the article states, and its noise, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ddk.article import costs, noise
from ddkbase.units import format_si
from network.hardware.chip.chip import load_chip
from network.hardware.chip.cost import cost, ddk_step
from network.hardware.chip.loads import compared_loads


def test_an_operation_is_half_of_a_multiply_and_add() -> None:
    chip = load_chip("130nm")
    figures = {(figure.what, figure.of): figure for figure in costs.article_figures(chip)}
    loads = costs.ddk_loads("speakers")
    whole = cost(loads, chip)
    text = figures["efficiency", "inference"].because
    assert f"it leaves {format_si(2 * whole.macs / 2.77e12, 'J', 3)} for" in text
    step = ddk_step(chip)
    charged = cost([x for x in loads if x.kind != "ddk"], chip).energy
    charged += sum(energy for energy, _ in step.values())
    once = 2 * whole.macs / charged / 1e12
    assert f"With the features charged once it is {once:.3g}," in text


def test_the_time_left_for_a_conversion_is_that_of_all_but_it() -> None:
    chip = load_chip("130nm")
    step = ddk_step(chip)
    left = 35.4e-9 - sum(time for name, (_, time) in step.items() if name != "ADC")
    (text,) = (f.because for f in costs.article_figures(chip) if f.article == "35.4 ns")
    assert f"if a conversion takes {format_si(left, 's', 3)};" in text


def test_areas_are_of_the_other_network_over_ours_and_in_square_millimetres() -> None:
    chip = load_chip("130nm")
    heads, rows = costs.ratio_rows(chip)
    task, other = next(iter(costs.TASKS.items()))
    ours, theirs = cost(costs.ddk_loads(task), chip), cost(compared_loads(other), chip)
    assert rows[0][heads.index("area")] == f"{ours.area / 1e-6:.3g} mm^2"
    assert rows[1][heads.index("area, times")] == f"{theirs.area / ours.area:.3g}"
    (stated,) = (f for f in costs.article_figures(chip) if f.article == "1,128 times or more")
    ratios = [float(row[-1]) for row in rows if row[-1]]
    assert stated.here.startswith(f"{min(ratios):.3g} to {max(ratios):.3g} times")


def test_weights_are_cut_at_one_and_draws_below_zero_are_drawn_anew() -> None:
    rng = np.random.default_rng(0)
    written = noise._rewritten(np.array([5.0, -3.0, 0.5]), rng)
    assert np.abs(written).max() <= 1.0 + 1e-12
    drawn = noise._positive(np.full(200_000, 0.5), 1.0, rng)
    # of a normal of mean 0.5 and deviation 1, cut off at 0: 0.5 + phi(0.5) / Phi(0.5)
    assert (drawn > 0).all() and drawn.mean() == pytest.approx(0.5 + 0.352065 / 0.691462, rel=0.01)
