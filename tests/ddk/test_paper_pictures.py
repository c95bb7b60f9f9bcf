"""The pictures of tables, runs, comparisons and hardware in a column of a paper."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from PIL import Image
from typer.testing import CliRunner, Result

import compact
from ddk import studies
from ddk.cli.commands import app
from ddk.studies.plots import counted_epoch, samples_figure
from ddkbase.errors import InputError
from ddkbase.paper import paper_style
from ddkbase.paper.fitting import covers_curves, fit_figure, panel_of
from ddkbase.records import label
from network.plots.features import map_fits_figure
from network.plots.hardware import bars_figure, few_reads_figure, study_figure
from tests.paper_texts import misplaced

QUICK = ("--task", "digits", "--quick", "--models", "raw", "--seeds", "1")
CASES = (
    "software", "imprecise", "imprecise+statistics", "imprecision-based",
    "imprecision-based+statistics", "hybrid", "hybrid+statistics",
)  # fmt: skip
READS = ("exact", "train-0.05", "train-0.2", "pulse-0.05", "read-0.01", "bits-4", "bits-8")


def accuracies(names: list[str]) -> Mapping[str, Mapping[int, float]]:
    draw = np.random.default_rng(0)
    return {name: dict(enumerate(draw.uniform(0.6, 0.99, 4))) for name in names}


def study() -> xr.Dataset:
    draw = np.random.default_rng(1)
    names = ("software", "chip", "energy", "yielded")
    data = {n: label(draw.uniform(0.3, 1, (3, 2)), ("value", "seed"), "1", n) for n in names}
    thickness = label(np.array([7e-9, 9e-9, 11e-9]), "value", "m", "Thickness of the HfOx layer")
    return xr.Dataset(data, {"value": thickness})


@pytest.fixture(scope="module")
def makes() -> dict[str, Callable[[], Figure]]:
    """What draws the pictures of all commands."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    table = compact.load_table("tin-taox-hfox-tin")
    result = studies.run(studies.get_task("digits", quick=True).with_epochs(3), "ddk", 0)
    reads = [f"{model}.{case}" for model in ("ddk-memory", "leaky-memory") for case in READS]
    return {
        **compact.report_pictures(table),
        **studies.run_pictures(result),
        "bars.png": partial(bars_figure, accuracies(list(CASES))),
        "few_reads.png": partial(few_reads_figure, accuracies(reads)),
        "study.png": partial(study_figure, study()),
    }


def feature_maps() -> xr.Dataset:
    """Ten samples of ten classes in all ways, with fits; the numbers tell nothing."""
    draw = np.random.default_rng(2)
    dims, shape = ("sample", "row", "step"), (10, 8, 20)
    falling = 1e-5 + 1e-4 * np.exp(-np.arange(20) / 5) * draw.uniform(0.5, 1, (10, 8, 1))
    data = {
        "input": label(draw.random(shape), dims, "1", "input, 0 to 1"),
        "algorithm": label(draw.random(shape), dims, "1", "state y"),
        "table": label(falling, dims, "S", "conductance"),
        "device": label(falling, dims, "S", "conductance"),
        "fitted": label(1.02 * falling, dims, "S", "fit of Eq. (4)"),
        "residual": label(draw.random((10, 8)), dims[:2], "1", "residual R"),
    }
    names = ("sample", [f"class {k}" for k in range(10)])
    return xr.Dataset(data, {"class_name": names}, {"title": "maps", "method": "all"})


@pytest.mark.parametrize("make", [samples_figure, map_fits_figure])
def test_maps_go_on_below_where_a_column_is_full(
    make: Callable[..., Figure], tmp_path: Path
) -> None:
    style = paper_style(width="85 mm")
    assert style is not None
    figure = fit_figure(make(feature_maps(), style.width), style)
    assert misplaced(figure) == []
    assert figure.get_figwidth() == pytest.approx(85 / 25.4)
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    each = 10 if make is samples_figure else 80  # none is lost
    assert len(titles) == each


def test_letters_choose_samples_and_classes(tmp_path: Path) -> None:
    maps = feature_maps()
    titles = [ax.get_title() for ax in samples_figure(maps, 0.085, ("c", "a")).axes]
    assert [t for t in titles if t] == ["class 2", "class 0"]
    fits = map_fits_figure(maps, 0.085, ("b",))
    assert [ax.get_ylabel() for ax in fits.axes if ax.get_ylabel()] == ["class 1\nConductance (µS)"]
    with pytest.raises(InputError, match="has no panel k"):
        samples_figure(maps, panels=("k",))
    style = paper_style(width="85 mm", panels="b", data=True)
    picture, table = studies.write_maps(maps, tmp_path / "maps.png", paper=style)
    with Image.open(picture) as image:
        assert image.width == pytest.approx(85 / 25.4 * 600, abs=1)
    values = [float(r["value"]) for r in csv.DictReader(table.open(encoding="utf-8"))]
    assert values[:160] == pytest.approx(maps["input"].values[1].ravel(), rel=1e-8, abs=0)


def test_features_are_drawn_for_a_paper(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    looks = ("--figure-width", "85 mm", "--panels", "a,c")
    done = call("features", "--data", "digits", *looks, "--out", tmp_path / "maps.svg")
    assert done.exit_code == 0, done.output
    assert 'width="240.9' in (tmp_path / "maps.svg").read_text(encoding="utf-8")  # 85 mm in points
    refused = call("features", "--data", "digits", *looks, "--out", tmp_path / "maps.nc")
    assert refused.exit_code == 2 and "nothing would be drawn" in refused.output
    assert not (tmp_path / "maps.nc").exists()


def test_a_legend_and_a_note_leave_the_curves() -> None:
    def make() -> Figure:
        figure = Figure(figsize=(6, 4), layout="constrained")
        ax = figure.subplots()
        ax.set_title("a", loc="left")
        for k in range(40):  # no place is free for a legend
            ax.plot([0, 1], [k, k], color="black", label=f"curve {k}" if k < 2 else None)
        ax.plot([0, 1], [100, 100], color="black")
        ax.legend()
        box = {"facecolor": "white"}
        ax.text(0.5, 0.2, "note", transform=ax.transAxes, ha="center", va="center", bbox=box)
        return figure

    figure = column(make)
    figure.draw_without_rendering()
    (ax,) = figure.axes
    legend = ax.get_legend()
    assert legend is not None and legend.get_window_extent().y0 >= ax.bbox.y1
    (note,) = ax.texts
    assert not covers_curves(ax, note.get_window_extent())
    assert ax.bbox.y0 < note.get_window_extent().y0 < note.get_window_extent().y1 < ax.bbox.y1
    assert misplaced(figure) == []
    wide = column(make, width="180 mm")
    wide.draw_without_rendering()
    (note,) = wide.axes[0].texts
    assert covers_curves(wide.axes[0], note.get_window_extent())  # and it is seen where it does


def column(make: Callable[[], Figure], panels: str | None = None, width: str = "85 mm") -> Figure:
    style = paper_style(width=width, panels=panels)
    assert style is not None
    return fit_figure(make(), style)


def test_in_a_column_no_text_lies_over_another(makes: dict[str, Callable[[], Figure]]) -> None:
    assert len(makes) == 11
    found = {name: misplaced(column(make)) for name, make in makes.items()}
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_nor_over_the_width_of_a_page(makes: dict[str, Callable[[], Figure]]) -> None:
    names = ("bars.png", "curves.png", "few_reads.png", "study.png", "trajectories.png")
    found = {name: misplaced(column(makes[name], width="180 mm")) for name in names}
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_overlapping_and_cut_texts_are_seen() -> None:
    figure = Figure(figsize=(2, 2))
    figure.text(0.5, 0.5, "one"), figure.text(0.52, 0.5, "two"), figure.text(0.95, 0.1, "outside")
    assert len(misplaced(figure)) == 2


def test_every_panel_can_be_had_alone(makes: dict[str, Callable[[], Figure]]) -> None:
    letters = {n: [panel_of(ax) for ax in make().axes if panel_of(ax)] for n, make in makes.items()}
    several = {name: tags for name, tags in letters.items() if tags}
    assert set(several) == {
        "trends.png", "by_setting.png", "trains.png", "curves.png", "trajectories.png",
        "few_reads.png", "study.png",
    }  # fmt: skip
    for name, tags in several.items():
        assert len(set(tags)) == len(tags) > 1
        figure = column(makes[name], tags[-1])
        assert [panel_of(ax) for ax in figure.axes] == [tags[-1]]
        # what it shared with the panels that are gone is named
        shared = getattr(figure, "_supylabel", None)
        assert figure.axes[0].get_ylabel() or shared is not None


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_comparison_is_drawn_for_a_paper_when_it_is_there_already(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    folder = tmp_path / "c"
    assert call("compare", *QUICK, "--out", folder, "--epochs", 1).exit_code == 0
    assert not (folder / "paper").exists()
    looks = ("--figure-width", "85 mm", "--picture-data")
    again = call("compare", *QUICK, "--out", folder, "--epochs", 1, *looks)
    assert again.exit_code == 0, again.output
    with Image.open(folder / "paper" / "comparison.png") as picture:
        assert picture.width == pytest.approx(85 / 25.4 * 600, abs=1)
    rows = list(csv.DictReader((folder / "paper" / "comparison.csv").open(encoding="utf-8")))
    accuracy = studies.read_comparison(folder / "comparison.nc")["accuracy"].item()
    assert float(rows[0]["x"]) == pytest.approx(100 * accuracy, rel=1e-8, abs=0)


def test_the_pictures_of_a_training_are_files_where_they_are_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    wanted = ("train", "--data", "digits", "--quick", "--epochs", 1, "--out", tmp_path / "net")
    done = call(*wanted, "--pictures", "svg", "--panels", "a")
    assert done.exit_code == 0, done.output
    assert {p.name for p in (tmp_path / "net" / "paper").iterdir()} == {
        "curves.svg", "trajectories.svg",
    }  # fmt: skip
    again = call(*wanted, "--overwrite")  # the folder of pictures is part of a result
    assert again.exit_code == 0, again.output
    assert not (tmp_path / "net" / "paper").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compare", *QUICK, "--figure-width", "85"), "--figure-width"),
        (("compare", *QUICK, "--font", "Arial", "--pictures", "none"), "nothing would be drawn"),
        (("train", "--data", "digits", "--font", "No Such Font"), "is not installed"),
        (
            ("harden", "--task", "digits", "--kind", "noise", "--picture-data"),
            "no picture is drawn",
        ),
        (("study", "thickness", "7 nm", "--task", "digits", "--panels", "1"), "--panels"),
    ],
)
def test_what_cannot_be_drawn_is_told_before_the_work(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    refused = call(*arguments, "--out", tmp_path / "o")
    assert refused.exit_code == 2 and words in refused.output
    assert not (tmp_path / "o").exists() or not any((tmp_path / "o").iterdir())


def test_what_is_read_once_has_no_epoch() -> None:
    def of(**ddk: str) -> str:
        return counted_epoch(xr.Dataset(attrs={"task_json": json.dumps({"ddk": ddk})}))

    assert (of(), of(readout="last")) == ("last epoch", "read once")
