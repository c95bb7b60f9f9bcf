"""Pictures for papers: width, font, panels, style files, data; what cannot be is one line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from ddkbase.errors import InputError, StorageError
from ddkbase.paper import figure_data, paper_style, save_for_paper, save_pictures
from ddkbase.paper.fitting import fit_figure, panel_of
from ddkbase.paper.request import PaperStyle
from ddkbase.pictures import BLUE, SERIES, TITLE_TEXT, new_figure, style_axes


def drawn() -> Figure:
    """Four panels as of a loop: a title, a legend below, a map."""
    figure = new_figure(11, 8)
    axes = figure.subplots(2, 2)
    for k, (ax, tag) in enumerate(zip(axes.flat, "abcd", strict=True)):
        ax.plot([0, 1, 2], [k, k + 1, np.nan], color=SERIES[0], label="up")
        ax.axhline(0.5)
        style_axes(ax, "Voltage (V)", f"Quantity {k} (µA)", tag)
    axes[1, 1].pcolormesh([0, 1, 2], [0, 1], np.ma.masked_invalid([[5.0, np.nan]]))
    axes[1, 1].scatter([0.1], [0.2], label="single")
    figure.text(0.5, 0.99, "a title", gid=TITLE_TEXT)
    handles, _ = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles * 6, ["a name that takes room"] * 6, loc="outside lower center", ncols=6)
    return figure


def style(**asked: object) -> PaperStyle:
    found = paper_style(**asked)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_nothing_asked_is_none() -> None:
    assert paper_style() is None
    assert style(data=True) == PaperStyle(data=True)


def test_the_picture_is_as_wide_as_was_asked(tmp_path: Path) -> None:
    (path,) = save_for_paper(drawn, tmp_path / "a.png", style(width="85 mm"))
    with Image.open(path) as image:
        assert image.size[0] == pytest.approx(85 / 25.4 * 600, abs=1)
    (path,) = save_for_paper(drawn, tmp_path / "a.pdf", style(width="180 mm"))
    assert path.read_bytes().startswith(b"%PDF")


def test_a_column_stacks_the_panels_and_a_title_goes() -> None:
    figure = fit_figure(drawn(), style(width="85 mm"))
    specs = [ax.get_subplotspec() for ax in figure.axes]
    assert [(s.rowspan.start, s.colspan.start) for s in specs if s] == [(k, 0) for k in range(4)]
    assert [text.get_text() for text in figure.texts] == []
    (legend,) = figure.legends
    figure.canvas.draw()
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
    sizes = {round(t.get_fontsize(), 1) for t in figure.findobj(Text) if t.get_text()}
    assert min(sizes) >= 5 and max(sizes) <= 8


def test_names_of_axes_end_within_the_picture() -> None:
    figure = new_figure(11, 8)
    for k, ax in enumerate(figure.subplots(2, 3).flat):
        ax.plot([0, 1], [0, 1])
        style_axes(ax, "Thickness of the top oxide (nm)", "A quantity of three lines", "abcdef"[k])
    narrow = fit_figure(figure, style(width="60 mm"))
    narrow.draw_without_rendering()
    boxes = [ax.xaxis.label.get_window_extent() for ax in narrow.axes if ax.get_xlabel()]
    assert boxes and all(box.x0 >= 0 and box.x1 <= narrow.bbox.x1 for box in boxes)


def test_only_the_panels_that_were_asked_for() -> None:
    figure = fit_figure(drawn(), style(panels="a,c"))
    assert [panel_of(ax) for ax in figure.axes] == ["a", "c"]
    with pytest.raises(InputError, match=r"no panel x .*It has a, b, c, d"):
        fit_figure(drawn(), style(panels="a,x"))
    with pytest.raises(InputError, match="one panel without a letter"):
        fit_figure(new_figure(2, 2), style(panels="a"))


def test_the_data_are_what_is_drawn(tmp_path: Path) -> None:
    picture, table = save_for_paper(drawn, tmp_path / "a.svg", style(panels="b,d", data=True))
    assert (picture.name, table.name) == ("a.svg", "a.csv")
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    curve = [row for row in rows if row["panel"] == "b"]
    assert [(row["x"], row["y"]) for row in curve] == [("0", "1"), ("1", "2"), ("2", "")]
    assert curve[0]["curve"] == "up" and curve[0]["y_label"] == "Quantity 1 (µA)"
    cells = [row for row in rows if row["value"]]
    assert [(row["x"], row["y"], row["value"]) for row in cells] == [("0.5", "0.5", "5")]
    (single,) = (row for row in rows if row["curve"] == "single")
    assert (single["x"], single["y"]) == ("0.1", "0.2")
    with pytest.raises(InputError, match="shows no curve"):
        figure_data(new_figure(2, 2))


def test_bars_and_pictures_of_pixels_have_data() -> None:
    figure = new_figure(4, 2)
    left, right = figure.subplots(1, 2)
    left.bar([0, 1], [3.0, 4.0], label="share")
    right.imshow([[1.0, 2.0], [3.0, 4.0]], extent=(0, 20, 0, 2), aspect="auto")
    rows = list(csv.DictReader(io.StringIO(figure_data(figure))))
    assert [(r["curve"], r["x"], r["y"]) for r in rows[:2]] == [
        ("share", "0", "3"), ("share", "1", "4"),
    ]  # fmt: skip
    # the first row of an image is its uppermost
    assert [(r["x"], r["y"], r["value"]) for r in rows[2:]] == [
        ("5", "1.5", "1"), ("15", "1.5", "2"), ("5", "0.5", "3"), ("15", "0.5", "4"),
    ]  # fmt: skip


def test_pictures_without_the_panels_are_left_out(tmp_path: Path) -> None:
    makes = {"four.png": drawn, "single.png": lambda: new_figure(2, 2)}
    (path,) = save_pictures(makes, tmp_path / "paper", "svg", style(panels="b"))
    assert path == tmp_path / "paper" / "four.svg"
    with pytest.raises(InputError, match=r"no panel x .*one panel without a letter"):
        save_pictures(makes, tmp_path / "other", "png", style(panels="x"))
    assert not (tmp_path / "other").exists()


def test_slanted_names_stand_upright_in_a_column_and_its_title_goes() -> None:
    figure = new_figure(6, 3)
    ax = figure.subplots()
    ax.bar(["a long name", "another name"], [1, 2])
    ax.tick_params("x", labelrotation=30)
    figure.suptitle("a title", gid=TITLE_TEXT)
    fit_figure(figure, style(width="85 mm"))
    assert {text.get_rotation() for text in ax.get_xticklabels()} == {90}
    assert figure.texts == []


def test_a_style_file_decides_sizes_and_colours(tmp_path: Path) -> None:
    path = tmp_path / "group.mplstyle"
    path.write_text(
        "# of our group\nfont.size: 8\naxes.grid: False\nlines.linewidth: 0.7\n"
        "axes.prop_cycle: cycler('color', ['red', 'green'])\n"
    )
    figure = fit_figure(drawn(), style(style=path))
    assert figure.axes[0].xaxis.label.get_fontsize() == pytest.approx(8)
    line = figure.axes[0].lines[0]
    assert line.get_color() == "#ff0000" and line.get_linewidth() == pytest.approx(0.7)
    assert drawn().axes[0].lines[0].get_color() == BLUE


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("font.sizes: 8", "line 2). Did you mean 'font.size'"),
        ("font.size 8", "is no 'key: value'"),
        ("font.size: eight", "a value is not valid"),
        ("backend: agg", "not about how a picture looks"),
        ("text.latex.preamble: x", "not about how a picture looks"),
    ],
)
def test_a_style_file_that_is_wrong_is_one_line(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "group.mplstyle"
    path.write_text(f"axes.grid: True\n{line}\n")
    with pytest.raises(InputError) as caught:
        paper_style(style=path)
    assert words in str(caught.value) and "group.mplstyle" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_or_impossible_is_refused(tmp_path: Path) -> None:
    with pytest.raises((InputError, StorageError), match="no such file"):
        paper_style(style=tmp_path / "none.mplstyle")
    for width in ("85", "2 mm", "8 km", "85 V"):
        with pytest.raises(InputError, match="--figure-width"):
            paper_style(width=width)
    for panels in ("", "a,,b", "a,a", "1"):
        with pytest.raises(InputError, match="--panels"):
            paper_style(panels=panels)


def test_a_font_that_is_not_installed_names_close_ones() -> None:
    assert style(font="dejavu serif").settings["font.family"][0] == "DejaVu Serif"
    with pytest.raises(InputError, match=r"'Dejavu Serf' is not installed .*DejaVu Serif"):
        paper_style(font="Dejavu Serf")
    with pytest.raises(InputError, match="DejaVu Sans"):
        paper_style(font="No Such Font At All")
