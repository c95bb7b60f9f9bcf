"""The picture of a pulse train: what it shows, for one pulse and for ten thousand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from PIL import Image

from devicephys.plots.pulses import pulses_figure
from devicephys.plots.style import save_figure
from tests.synthetic import pulse_trace


def constant(count: int) -> xr.Dataset:
    ds = pulse_trace(count=count)
    for name in ("conductance", "temperature_max", "current"):
        ds[name].values[:] = ds[name].values[0]
    ds["initial_conductance"].values[...] = ds["conductance"].values[0]
    return ds


def widening(count: int) -> xr.Dataset:
    ds = pulse_trace(count=count)
    ds["width"].values[:] *= np.arange(1, count + 1)
    return ds


CASES = {
    "train": pulse_trace(wanted_resistance=5e3),
    "one": pulse_trace(count=1),
    "mixed": pulse_trace(np.tile([-2.0, 0.0, 1.8], 40).tolist()),
    "many": pulse_trace(np.repeat(np.tile([-1.1, 1.2], 10), 500).tolist()),
    "constant": constant(20),
    "widths": widening(30),
    "part": pulse_trace(complete=False, warning="the oxides melt"),
    "dead": pulse_trace(count=5, start=1e-15),
}


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.texts]
    for ax in figure.axes:
        found += [ax.get_ylabel(), ax.get_xlabel(), ax.get_title("right"), ax.get_title("left")]
    for legend in figure.legends:
        found += [text.get_text() for text in legend.get_texts()]
    return " | ".join(found)


@pytest.mark.parametrize("name", CASES)
def test_a_picture_can_be_made_of_any_train(name: str, tmp_path: Path) -> None:
    path = save_figure(pulses_figure(CASES[name]), tmp_path / "pulses.png", dpi=60)
    with Image.open(path) as picture:
        assert min(picture.size) > 300
        assert len(np.unique(np.asarray(picture.convert("L")))) > 30


def test_the_start_stands_at_pulse_0_and_the_rest_at_its_number() -> None:
    ax = pulses_figure(CASES["train"]).axes[0]
    line = ax.get_lines()[0]
    conductance = CASES["train"]["conductance"].values * 1e6
    np.testing.assert_allclose(line.get_xdata(), np.arange(101))
    np.testing.assert_allclose(line.get_ydata(), [200.0, *conductance])
    (start,) = [
        line for line in ax.get_lines() if line.get_marker() == "o" and len(line.get_xdata()) == 1
    ]
    assert (float(start.get_xdata()[0]), float(start.get_ydata()[0])) == (0.0, 200.0)


@pytest.mark.parametrize(
    ("name", "scale"),
    [("train", "log"), ("one", "linear"), ("mixed", "linear"), ("many", "linear")],
)
def test_the_axis_is_logarithmic_where_it_spans_much(name: str, scale: str) -> None:
    assert pulses_figure(CASES[name]).axes[0].get_yscale() == scale


def test_panels_are_there_for_what_varies() -> None:
    names = {name: texts(pulses_figure(ds)) for name, ds in CASES.items()}
    for text in names.values():
        for part in ("Conductance at 0.1 V (µS)", "Peak temperature\n(°C)", "(µA)", "Pulse number"):
            assert part in text
    assert "Amplitude (V)" in names["mixed"] and "Amplitude (V)" not in names["train"]
    assert "Width (µs)" in names["widths"] and "Width" not in names["mixed"]


def test_words_tell_the_train() -> None:
    found = texts(pulses_figure(CASES["train"]))
    for part in (
        "tin-taox-hfox-tin: 100 pulses of \N{MINUS SIGN}2 V, 100 ns across the 1T1R cell",
        "start 200 µS (5.0 kΩ)",
        "largest / smallest 15",
        "before the first pulse | RESET pulse | wanted at the start",
    ):
        assert part in found
    assert "SET pulse | pause (0 V)" in texts(pulses_figure(CASES["mixed"]))
    assert "one pulse" in texts(pulses_figure(CASES["one"]))
    assert "Run not complete" in texts(pulses_figure(CASES["part"]))


def test_a_constant_conductance_is_shown_as_constant() -> None:
    figure = pulses_figure(CASES["constant"])
    low, high = figure.axes[0].get_ylim()
    value = float(CASES["constant"]["conductance"].values[0]) * 1e6
    assert low < 0.99 * value < 1.01 * value < high
    assert all("e" not in label.get_text() for label in figure.axes[0].get_yticklabels())
