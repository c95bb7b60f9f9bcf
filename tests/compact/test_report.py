"""The report of several tables: pictures, statements and columns belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from compact.cli.commands import app
from compact.plots.table import trends_figure
from compact.report import report_text
from compact.table.figures import mean_rows
from compact.table.table import AlphaBetaTable
from compact.table.trends import choice, statement
from tests.compact.table_data import WIDTHS, campaign


def test_picture_and_statement_are_of_the_same_table() -> None:
    few = AlphaBetaTable.fit(campaign(cycles=3))
    many = AlphaBetaTable.fit(campaign(amplitudes=(-2.0, -3.0), cycles=6))
    for tables in ([few, many], [many, few]):
        chosen = choice(tables)
        assert list(chosen) == ["amplitude"] and chosen["amplitude"] is many
    assert {t.cells for t in statement([few, many])} == {6}
    figure = trends_figure([few, many])
    line = next(one for one in figure.axes[0].lines if one.get_label() == "mean")
    assert line.get_xdata().tolist() == [2, 3]
    text = report_text([few, many])
    assert text.count("6 cells (alpha and beta of made up)") == 2
    assert 'name="viewport"' in text


def test_the_legend_names_what_any_panel_shows() -> None:
    cycles = AlphaBetaTable.fit(campaign(cycles=5))
    devices = AlphaBetaTable.fit(campaign(amplitudes=(-2.0,), widths=WIDTHS, cycles=1, devices=5))
    texts = {t.get_text() for t in trends_figure([cycles, devices]).legends[0].get_texts()}
    assert {"95 %: one more cycle", "95 %: one more device", "95 %: of the mean"} <= texts
    only = {t.get_text() for t in trends_figure([devices]).legends[0].get_texts()}
    assert "95 %: single cycle" not in only


def test_few_cycles_are_dots_as_no_band_can_be_told_of_them() -> None:
    table = AlphaBetaTable.fit(campaign(cycles=2))
    figure = trends_figure([table])
    texts = {t.get_text() for t in figure.legends[0].get_texts()}
    assert texts == {"single cycles", "mean"}
    for ax, name in zip(figure.axes, ("alpha", "beta"), strict=True):
        assert not ax.collections
        dots = [line.get_ydata() for line in ax.lines if line.get_marker() == "."]
        single = table.dataset[name].squeeze().transpose("cycle", "amplitude")
        np.testing.assert_allclose(dots, single.sortby("amplitude", ascending=False))
    assert trends_figure([AlphaBetaTable.fit(campaign(cycles=5))]).axes[0].collections


def test_bands_that_there_are_not_take_no_room() -> None:
    heads, rows = mean_rows(AlphaBetaTable.fit(campaign(cycles=3)).means)
    assert "+- cycle" in heads and "+- device" not in heads
    assert all(len(row) == len(heads) for row in rows)


def test_the_pictures_of_a_report_are_files_where_they_are_asked_for(tmp_path: Path) -> None:
    table, report = tmp_path / "table.nc", tmp_path / "all.html"
    AlphaBetaTable.fit(campaign(amplitudes=(-2.0, -3.0), widths=WIDTHS, cycles=2)).write(table)
    command = ["report", str(table), "--out", str(report)]
    assert CliRunner().invoke(app, command).exit_code == 0
    folder = tmp_path / "all-paper"
    assert not folder.exists()
    looks = ["--overwrite", "--figure-width", "85 mm", "--panels", "a"]
    done = CliRunner().invoke(app, command + looks)
    assert done.exit_code == 0, done.output
    assert {p.name for p in folder.iterdir()} == {"trends.png", "by_setting.png", "trains.png"}
    with Image.open(folder / "trends.png") as picture:
        assert abs(picture.width - 85 / 25.4 * 600) <= 1
    done = CliRunner().invoke(app, [*command, "--overwrite", "--pictures", "pdf"])
    assert done.exit_code == 0 and (folder / "region.pdf").read_bytes().startswith(b"%PDF")
