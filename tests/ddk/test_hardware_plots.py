"""Pictures of hardware say what is drawn, with units, and can be written once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from ddk.article.costs import ddk_loads
from ddkbase.errors import InputError, StorageError
from ddkbase.records import label
from network.hardware.chip.chip import load_chip
from network.hardware.chip.compiler import compile_network
from network.hardware.chip.cost import cost
from network.hardware.chip.layouts import LAYOUTS
from network.model.network import ddk_network
from network.plots.hardware import (
    accuracy_figure,
    bars_figure,
    cost_figure,
    placement_figure,
    save,
    study_figure,
)


def texts(figure: object) -> str:
    found = []
    for axes in figure.axes:  # type: ignore[attr-defined]
        found += [axes.get_xlabel(), axes.get_ylabel(), axes.get_title(), axes.get_title("left")]
        found += [t.get_text() for t in (*axes.texts, *axes.get_xticklabels())]
        found += [t.get_text() for t in axes.get_yticklabels()]
    return " ".join(found)


def test_a_study_is_drawn_with_units_even_where_numbers_are_missing() -> None:
    names = ("software", "chip", "energy", "yielded")
    data = {n: label(np.array([[0.9], [np.nan]]), ("value", "seed"), "1", n) for n in names}
    coords = {"value": label(np.array([8e-9, 9e-9]), "value", "m", "Filament radius")}
    shown = texts(study_figure(xr.Dataset(data, coords)))
    assert "Filament radius (nm)" in shown and "(nJ)" in shown and "(%)" in shown


def test_shares_of_energy_have_the_whole_beside_them() -> None:
    figure = cost_figure({"a": cost(ddk_loads("speakers"), load_chip("180nm"))})
    bars = [p.get_width() for p in figure.axes[0].patches]
    assert sum(bars) == pytest.approx(100)
    assert "nJ" in texts(figure)
    with pytest.raises(InputError, match="nothing to draw"):
        cost_figure({})


def test_bars_start_at_zero_and_show_every_seed(tmp_path: Path) -> None:
    found = {"software": {0: 0.9, 1: 0.8}, "hybrid+statistics": {0: 0.7}}
    figure = bars_figure(found, {"software": 94.8})
    assert figure.axes[0].get_ylim()[0] == 0
    assert "85.0" in texts(figure)
    dots = [len(line.get_xdata()) for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert dots == [2, 1]
    save(figure, tmp_path / "bars.png")
    with pytest.raises(StorageError, match="exists"):
        save(figure, tmp_path / "bars.png")


def test_curves_have_their_own_axis_each() -> None:
    panel = {"hybrid": ([0, 1], [90.0, 80.0], [1.0, 2.0])}
    figure = accuracy_figure({"a": panel, "b": panel}, {"a": "Bits", "b": "Share (%)"})
    assert "Bits" in texts(figure) and "Share (%)" in texts(figure)


def test_bars_of_accuracies_end_at_0_and_100_and_stand_beside_each_other() -> None:
    panel = {name: ([0, 1], [95.0, 5.0], [20.0, 10.0]) for name in ("hybrid", "imprecise")}
    bars = accuracy_figure({"a": panel}, {"a": "Bits"}).axes[0].containers
    ends = [path.vertices for bar in bars for path in bar[2][0].get_paths()]
    assert {tuple(sorted(end[:, 1])) for end in ends} == {(75.0, 100.0), (0.0, 15.0)}
    assert len({end[0, 0] for end in ends}) == 4


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_placement_names_layers_tiles_and_time(layout: str) -> None:
    network = ddk_network((4, 8), [6], 3, seed=0)
    shown = texts(placement_figure(compile_network(network, load_chip("180nm"), layout=layout)))
    for word in ("ddk", "dense1", "dense2", "tile 0", "% in use", "time of one inference"):
        assert word in shown
