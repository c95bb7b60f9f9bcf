"""Pictures: what stands in them, and that drawing them disturbs nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from ddkbase.errors import InputError, StorageError
from devicephys.plots import film as plots_film
from devicephys.plots import iv as plots
from devicephys.plots import style as plots_style
from devicephys.plots.fields import paper_fields_figure, spread
from devicephys.plots.iv import apart
from tests.synthetic import iv_trace

ROOT = Path(__file__).resolve().parents[2]
SMALL: dict[str, Any] = {"fine": 4, "frames": 5, "steps": 80}


def texts(figure: Figure) -> str:
    found = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())
    return "\n".join(artist.get_text() for artist in found if isinstance(artist, Text))


def meshes(ax: Axes) -> Any:
    return ax.collections[0]


def test_the_curves_name_their_axes_with_units_and_say_whose_voltage_it_is() -> None:
    figure = plots.iv_figure(iv_trace(**SMALL))
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "Magnitude of current (µA)",
        "Current (µA)",
        "Resistance (kΩ)",
        "Peak temperature (°C)",
    ]
    assert {ax.get_xlabel() for ax in figure.axes} == {"Voltage across the 1T1R cell (V)"}
    bare = plots.iv_figure(iv_trace(**SMALL).assign_attrs(voltage_reference="bare cell"))
    assert {ax.get_xlabel() for ax in bare.axes} == {"Voltage across the bare cell (V)"}


def test_the_curves_show_points_and_headline_figures() -> None:
    shown = texts(plots.iv_figure(iv_trace(**SMALL)))
    for text in (*"ABCDEFGH", "RESET onset\n−1.25 V", "SET\n+1.40 V", "edge of RESET\n420 °C"):
        assert text in shown
    assert "low, before: 5.2 kΩ" in shown
    assert "ratio: 16.6" in shown
    assert "later loops" not in shown


def test_a_point_at_zero_volt_is_marked_in_every_panel() -> None:
    ds = iv_trace(**SMALL)
    last = ds["time_point"].values.copy()
    last[-1] = ds["time"].values[-1]
    ds = ds.assign_coords(time_point=("point", last, ds["time_point"].attrs))
    assert ds["voltage"].values[-1] == 0.0
    figure = plots.iv_figure(ds)
    for ax in (figure.axes[0], figure.axes[2], figure.axes[3]):
        assert [text.get_text() for text in ax.texts].count("H") == 1


def test_the_drawn_numbers_are_those_of_the_record() -> None:
    ds = iv_trace(**SMALL)
    figure = plots.iv_figure(ds)
    line = max((line for line in figure.axes[1].lines), key=lambda line: len(line.get_xdata()))
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    for voltage, microampere in zip(x, y, strict=True):
        same = np.isclose(ds["voltage"].values, voltage)
        assert np.isclose(ds["current"].values[same] * 1e6, microampere).any()


def test_later_loops_are_thinner_and_lighter() -> None:
    figure = plots.iv_figure(iv_trace(loops=3, **SMALL))
    widths = {line.get_linewidth() for line in figure.axes[0].lines if len(line.get_xdata()) > 2}
    assert widths == {1.0, 2.0}
    assert "later loops" in texts(figure)


@pytest.mark.parametrize("make", [plots.iv_figure, plots.fields_figure])
def test_a_warning_and_a_stopped_run_are_written_into_the_picture(make: Any) -> None:
    ds = iv_trace(complete=False, warning="one-pass staggering is inaccurate", **SMALL)
    shown = " ".join(texts(make(ds)).split())
    assert "Warning: one-pass staggering is inaccurate" in shown
    assert "Run not complete" in shown
    assert "Warning" not in texts(make(iv_trace(**SMALL)))


def test_what_was_not_reached_is_left_out() -> None:
    ds = iv_trace(complete=False, **SMALL)
    ds.attrs["headline_json"] = json.dumps({"reset_onset_voltage": -1.2, "set_voltage": np.nan})
    shown = texts(plots.iv_figure(ds))
    assert "RESET onset\n−1.20 V" in shown
    assert "+nan" not in shown
    columns = plots.fields_figure(ds).axes
    assert "D  after RESET" in "".join(ax.get_title() for ax in columns)
    assert "E  before SET" not in "".join(ax.get_title() for ax in columns)


def test_a_single_step_can_be_drawn() -> None:
    ds = iv_trace(**SMALL).isel(time=slice(0, 1))
    assert len(plots.iv_figure(ds).axes) == 4


def test_the_maps_are_mirrored_in_nm_and_share_their_scale() -> None:
    ds = iv_trace(**SMALL)
    figure = plots.fields_figure(ds)
    temperatures = [ax for ax in figure.axes if "peak" in ax.get_title()]
    vacancies = [ax for ax in figure.axes if " V" in ax.get_title()]
    whole = [ax for ax in figure.axes if "whole cell" in ax.get_title()]
    assert [len(vacancies), len(temperatures), len(whole)] == [8, 8, 2]
    for ax in (*vacancies, *temperatures, *whole):
        assert ax.get_aspect() == 1.0
        left, right = ax.get_xlim()
        assert left == -right
    values = meshes(vacancies[3]).get_array()
    assert np.array_equal(values.filled(-1), values.filled(-1)[:, ::-1])
    top = float(np.nanmax(ds["vacancy_concentration"])) * 1e-27
    assert {meshes(ax).get_clim() for ax in vacancies} == {meshes(vacancies[0]).get_clim()}
    assert meshes(vacancies[0]).get_clim() == pytest.approx((0.0, top))
    assert len({meshes(ax).get_clim() for ax in temperatures}) == 1


def test_the_profiles_show_the_cells_above_the_bottom_electrode() -> None:
    ds = iv_trace(**SMALL)
    figure = plots.fields_figure(ds)
    panels = [ax for ax in figure.axes if ax.get_title(loc="left")]
    rim = int(np.abs(ds["r"].values - 8.1e-9).argmin())
    near = f"n at r = {ds['r'].values[rim] * 1e9:.1f} nm"
    titles = ["n on the axis", near]
    assert [ax.get_title(loc="left") for ax in panels] == titles * 2
    for ax, ring, names in zip(panels, (0, rim) * 2, ("ABCD",) * 2 + ("EFGH",) * 2, strict=True):
        assert ax.get_xscale() == "log"
        lines = {
            str(line.get_label()): line for line in ax.lines if len(str(line.get_label())) == 1
        }
        assert "".join(lines) == names
        looks = {(str(line.get_color()), line.get_marker()) for line in lines.values()}
        assert len(looks) == 4
        for name, line in lines.items():
            height, n = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
            assert height.min() > 0
            # the record again, found by its place
            column = ds["vacancy_concentration"].sel(point=name).isel(r=ring)
            for h, value in zip(height, n, strict=True):
                cell = int(np.abs(ds["z"].values - (30 + h) * 1e-9).argmin())
                assert value == pytest.approx(float(column[cell]) * 1e-27)


def test_the_layers_are_named_and_the_filament_outlined() -> None:
    figure = plots.fields_figure(iv_trace(**SMALL))
    shown = texts(figure)
    for name in ("TaOx", "HfOx", "bottom electrode", "top\nelectrode"):
        assert name in shown
    panel = next(ax for ax in figure.axes if ax.get_title().startswith("B  "))
    assert "edge of RESET" in panel.get_title()
    box = panel.patches[-1]
    assert box.get_bbox().bounds == pytest.approx((-9.0, 30.0, 18.0, 9.0))
    heights = {round(float(line.get_ydata()[0]), 6) for line in panel.lines}
    assert heights == {30.0, 39.0}


def test_a_device_that_cannot_be_read_is_an_input_error() -> None:
    with pytest.raises(InputError, match="device_yaml"):
        plots.fields_figure(iv_trace(**SMALL).assign_attrs(device_yaml="name: x"))


def test_nothing_to_draw_is_an_input_error(tmp_path: Path) -> None:
    ds = iv_trace(**SMALL)
    with pytest.raises(InputError, match="no marked point"):
        plots.fields_figure(ds.isel(point=slice(0, 0)))
    with pytest.raises(InputError, match="no frame"):
        plots.loop_animation(ds.isel(frame=slice(0, 0)), tmp_path / "loop.gif")
    assert list(tmp_path.iterdir()) == []


def test_saving_is_whole_or_not_at_all(tmp_path: Path) -> None:
    figure = plots.iv_figure(iv_trace(**SMALL))
    path = plots.save_figure(figure, tmp_path / "iv.png", dpi=50)
    assert Image.open(path).size == (550, 400)
    with pytest.raises(StorageError, match="exists already"):
        plots.save_figure(figure, path)
    with pytest.raises(StorageError):
        plots.save_figure(figure, tmp_path / "missing" / "iv.png")
    assert [p.name for p in tmp_path.iterdir()] == ["iv.png"]


def test_the_film_has_its_frames_and_a_bounded_size(tmp_path: Path) -> None:
    path = plots.loop_animation(iv_trace(frames=80), tmp_path / "loop.gif")
    with Image.open(path) as film:
        assert film.n_frames == 60
        assert film.size == (960, 420)
    assert path.stat().st_size < 4_000_000
    with pytest.raises(StorageError, match="exists already"):
        plots.loop_animation(iv_trace(**SMALL), path)


def test_the_film_moves_its_dot_and_its_maps() -> None:
    ds = iv_trace(**SMALL)
    film = plots_film._Film(ds)
    first, middle, again = film.frame(0), film.frame(2), film.frame(0)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, middle)
    # nothing but maps, dot and text differs: the axes' labels below the panels stay
    assert np.array_equal(first[-20:], middle[-20:])


def test_a_film_of_one_frame_can_be_made(tmp_path: Path) -> None:
    ds = iv_trace(**SMALL).isel(frame=slice(1, 2))
    with Image.open(plots.loop_animation(ds, tmp_path / "loop.gif")) as film:
        assert getattr(film, "n_frames", 1) == 1


def test_pictures_can_be_drawn_in_threads() -> None:
    traces = [iv_trace(**SMALL), iv_trace(loops=2, **SMALL)]

    def picture(ds: xr.Dataset) -> bytes:
        canvas: Any = plots.iv_figure(ds).canvas
        canvas.draw()
        return bytes(canvas.buffer_rgba())

    alone = [picture(ds) for ds in traces]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(picture, traces * 2)) == alone * 2


def test_drawing_leaves_the_state_of_matplotlib_alone() -> None:
    code = (
        "import matplotlib, sys\n"
        "from tests.synthetic import iv_trace\n"
        "from devicephys.plots import iv as plots\n"
        "before = dict(matplotlib.rcParams)\n"
        "ds = iv_trace(fine=4, frames=3)\n"
        "plots.iv_figure(ds), plots.fields_figure(ds)\n"
        "assert dict(matplotlib.rcParams) == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "MPLBACKEND": "TkAgg"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_branches_of_a_sweep_cover_it_once() -> None:
    ds = iv_trace(loops=2, **SMALL)
    pieces = list(plots_style.branches(ds))
    assert [piece[:3] for piece in pieces] == [
        (loop, negative, outward)
        for loop in (0, 1)
        for negative, outward in ((True, True), (True, False), (False, True), (False, False))
    ]
    assert pieces[0][3].start == 0
    assert pieces[-1][3].stop == ds.sizes["time"]
    for before, after in pairwise(pieces):
        assert after[3].start == before[3].stop - 1  # neighbours share the corner


@given(
    gaps=st.lists(st.floats(1e-3, 10.0), min_size=1, max_size=8),
    share=st.floats(0, 1),
    slope=st.floats(-5, 5),
)
def test_node_weights_reproduce_straight_lines(
    gaps: list[float], share: float, slope: float
) -> None:
    nodes = np.concatenate([[0.0], np.cumsum(gaps)])
    at = np.array([share * nodes[-1]])
    weights = plots_film._hat_weights(nodes, at)
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ (1.0 + slope * nodes) == pytest.approx(1.0 + slope * at, abs=1e-9)


def test_discs_that_would_overlap_move_apart() -> None:
    places = np.array([[0.0, 0.0], [4.0, 0.0], [100.0, 0.0], [100.0, 0.0]])
    moved = places + apart(places, 15.0)
    gaps = np.hypot(*(moved[:, None] - moved[None, :]).transpose(2, 0, 1))
    assert gaps[~np.eye(4, dtype=bool)].min() > 14.5
    assert not apart(places[[0, 2]], 15.0).any()


def test_names_of_thin_layers_do_not_overlap() -> None:
    middles, rooms = [15.0, 31.0, 33.0, 60.0], [8.0, 4.0, 4.0, 8.0]
    at = spread(middles, rooms)
    assert at[0] == 15.0 and at[3] == 60.0
    assert at[2] - at[1] >= 4.0 - 1e-9
    assert (at[1] + at[2]) / 2 == pytest.approx(32.0)


def test_maps_for_a_column_show_the_points_that_were_asked_for() -> None:
    ds = iv_trace(**SMALL)
    figure = paper_fields_figure(ds, 0.085, ("D", "A"))
    assert figure.get_figwidth() == pytest.approx(85 / 25.4)
    titles = [title for ax in figure.axes if (title := ax.get_title())]
    assert [title[0] for title in titles] == ["D", "A"]
    figure.canvas.draw()
    boxes = [ax.get_window_extent() for ax in figure.axes]
    assert min(box.x0 for box in boxes) >= 0
    assert max(box.x1 for box in boxes) <= figure.bbox.width
    with pytest.raises(InputError, match="no panel Z"):
        paper_fields_figure(ds, 0.085, ("Z",))


def test_resistances_within_a_decade_are_labelled_once() -> None:
    ax = Figure().subplots()
    plots._log_axis(ax, np.array([2.4, 45.0]))
    low, high = ax.get_ylim()
    marks = [v for v in ax.yaxis.get_majorticklocs() if low <= v <= high]
    assert marks == pytest.approx([2, 5, 10, 20, 50])
    between = ax.yaxis.get_minor_formatter()
    assert [between(v) for v in ax.yaxis.get_minorticklocs()] == [""] * len(
        ax.yaxis.get_minorticklocs()
    )


def test_a_bare_cell_has_one_curve_of_the_voltage() -> None:
    ds = iv_trace()
    behind = ds.assign(device_voltage=0.5 * ds["voltage"])
    bare = ds.assign(device_voltage=ds["voltage"])
    both, alone = (plots.time_figure(trace).axes[0] for trace in (behind, bare))
    assert len(both.lines) == 2 and both.get_legend() is not None
    assert len(alone.lines) == 1 and alone.get_legend() is None


def test_a_point_of_a_waveform_is_not_called_before_reset() -> None:
    ds = iv_trace()
    assert plots_style.point_meaning(ds, "A") == "before RESET"
    hottest = float(ds["time"].values[np.argmax(ds["temperature_max"].values)])
    times = ds["time_point"].copy(data=np.full(ds.sizes["point"], hottest))
    wave = ds.assign_coords(time_point=times).assign_attrs(protocol_json='{"kind": "Waveform"}')
    assert plots_style.point_meaning(wave, "A") == "hottest"
    assert plots_style.title_text(wave).endswith(f": a waveform, {wave.attrs['method']} solution")
    cold = wave.assign_coords(time_point=times * 0.0)  # as records of earlier versions have it
    assert plots_style.point_meaning(cold, "A") == ""
