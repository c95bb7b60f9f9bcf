"""Screening by elementary effects: functions with known effects, ranges, folders, the command.

Formulas stand in for the solver (`tests.fake_screening`); one screening is simulated.
"""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import devicephys
from ddkbase import records
from ddkbase.errors import InputError, Interrupted, StorageError
from ddkbase.paper.fitting import fit_figure
from ddkbase.paper.request import paper_style
from devicephys import installation
from devicephys.device.entries import parameter_value
from devicephys.device.ranges import bounds
from devicephys.parameter_sweep.record import DONE, FAILED
from devicephys.plots.sweep import screening_figure
from devicephys.screening import (
    Screening,
    ScreeningOutcome,
    draw_trajectories,
    effect_statistics,
    effects_of,
    plan_screening,
    run_screening,
    screening_tables,
)
from tests import fake_screening
from tests.cli_tools import call, error_line

THICKNESS, HEIGHT, RADIUS = "layers.HfOx.thickness", "filament.height", "filament.radius"
AMBIENT = "ambient_temperature"


@pytest.fixture
def formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of the finite-element stack."""
    monkeypatch.setattr(installation, "require_solver", lambda: None)
    monkeypatch.setattr(installation, "versions", lambda: {"numpy": "of these tests"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ScreeningOutcome:
    """Twelve trajectories of the formulas, which meet at four points, with pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installation, "require_solver", lambda: None)
        return run(plan(), tmp_path_factory.mktemp("screening") / "whole", pictures="svg")


def plan(trajectories: int = 12, **more: Any) -> Screening:
    """By default between the four corners of the two ranges."""
    more = {"seed": 1, "levels": 2, "preset": "quick", **more}
    return plan_screening(fake_screening.RANGES, trajectories=trajectories, **more)


def run(screening: Screening, folder: Path, **more: Any) -> ScreeningOutcome:
    more = {"workers": 1, "pictures": "none", "solve": fake_screening.solve, **more}
    return run_screening(folder, screening, **more)


# trajectories and effects


def test_each_step_moves_one_parameter_by_half_the_levels() -> None:
    walks = draw_trajectories(5, 20, levels=6, seed=3)
    assert walks.coordinates.shape == (20, 6, 5)
    assert set(np.round(walks.coordinates.ravel() * 5, 9)) == {0, 1, 2, 3, 4, 5}
    steps = np.diff(walks.coordinates, axis=1)
    assert ((steps != 0).sum(axis=2) == 1).all()
    assert np.abs(steps[steps != 0]) == pytest.approx(6 / (2 * 5))
    assert (np.abs(steps).argmax(axis=2) == walks.moved).all()
    assert (np.sort(walks.moved, axis=1) == np.arange(5)).all()


def test_more_trajectories_begin_with_the_same_ones() -> None:
    few, many = draw_trajectories(4, 3, seed=7), draw_trajectories(4, 9, seed=7)
    assert (many.coordinates[:3] == few.coordinates).all()
    assert not (draw_trajectories(4, 3, seed=8).coordinates == few.coordinates).all()


def test_a_straight_line_has_its_slopes_as_effects() -> None:
    slopes = np.array([3.0, -1.5, 0.0, 0.25])
    walks = draw_trajectories(4, 6, seed=1)
    statistics = effect_statistics(effects_of(walks.coordinates @ slopes + 7, walks))
    assert statistics["mu"] == pytest.approx(slopes, abs=1e-12)
    assert statistics["mu_star"] == pytest.approx(np.abs(slopes), abs=1e-12)
    assert statistics["sigma"] == pytest.approx(np.zeros(4), abs=1e-12)
    assert statistics["mu_star_error"] == pytest.approx(np.zeros(4), abs=1e-12)
    assert (statistics["count"] == 6).all()


def test_the_g_function_has_the_effects_of_its_closed_form() -> None:
    a = np.array([0.0, 1.0, 4.5, 9.0, 99.0])
    walks = draw_trajectories(5, 400, seed=2)
    factors = (np.abs(4 * walks.coordinates - 2) + a) / (1 + a)
    statistics = effect_statistics(effects_of(factors.prod(axis=2), walks))
    # on levels 0, 1/3, 2/3, 1 a step changes |4 x - 2| by 4/3, and its mean is 4/3
    means = (4 / 3 + a) / (1 + a)
    expected = 2 / (1 + a) * np.array([np.delete(means, k).prod() for k in range(5)])
    assert (np.diff(statistics["mu_star"]) < 0).all()
    assert (np.abs(statistics["mu_star"] - expected) < 5 * statistics["mu_star_error"]).all()
    # up on one half, down on the other: mu* sees what cancels in mu
    assert (np.abs(statistics["mu"]) < 5 * statistics["mu_error"]).all()
    assert (statistics["mu_star_error"] < 0.1 * expected).all()


def test_an_interaction_shows_in_sigma() -> None:
    walks = draw_trajectories(3, 400, seed=2)
    x = walks.coordinates
    statistics = effect_statistics(effects_of(x[:, :, 0] * x[:, :, 1] + x[:, :, 2], walks))
    # the effect of x is y, at one of the four levels
    assert statistics["mu"][:2] == pytest.approx([0.5, 0.5], rel=0.1)
    assert statistics["sigma"][:2] == pytest.approx([np.std([0, 1 / 3, 2 / 3, 1])] * 2, rel=0.1)
    assert statistics["sigma"][2] == pytest.approx(0, abs=1e-12)


def test_a_missing_value_takes_the_steps_beside_it_and_no_more() -> None:
    walks = draw_trajectories(3, 4, seed=5)
    values = walks.coordinates.sum(axis=2)
    values[2, 1] = math.nan
    effects = effects_of(values, walks)
    assert np.isnan(effects[2, walks.moved[2, :2]]).all()
    assert np.isnan(effects).sum() == 2
    statistics = effect_statistics(effects)
    assert statistics["count"].tolist() == [4 - int(k in walks.moved[2, :2]) for k in range(3)]
    assert statistics["mu_star"] == pytest.approx([1, 1, 1])


def test_one_effect_has_no_error_and_none_is_nothing() -> None:
    statistics = effect_statistics(np.array([[2.0, math.nan], [math.nan, math.nan]]))
    assert statistics["count"].tolist() == [1, 0]
    assert statistics["mu_star"][0] == pytest.approx(2)
    for name in ("mu_star_error", "mu_error", "sigma"):
        assert np.isnan(statistics[name]).all()
    assert np.isnan(statistics["mu_star"][1])


# ranges


def ends(screening: Screening, key: str) -> tuple[float, float]:
    values = [parameter_value(p.request.device, key) for p in screening.sweep.points]
    return min(values), max(values)


def test_ends_shares_and_documented_ranges_are_reached() -> None:
    vary = {RADIUS: "8 nm, 10 nm", "sweep.reset_voltage": "10 %", AMBIENT: None}
    screening = plan_screening(vary, trajectories=8, preset="quick")
    device = devicephys.load_device("tin-taox-hfox-tin")
    assert ends(screening, RADIUS) == pytest.approx((8e-9, 10e-9))
    turn = device.sweep.reset_voltage
    assert ends(screening, "sweep.reset_voltage") == pytest.approx((1.1 * turn, 0.9 * turn))
    assert ends(screening, AMBIENT) == pytest.approx(bounds(device)[AMBIENT])
    within = plan_screening([AMBIENT], within="20 %", trajectories=4, preset="quick")
    ambient = device.ambient_temperature
    assert ends(within, AMBIENT) == pytest.approx((0.8 * ambient, 1.2 * ambient))
    assert plan_screening([AMBIENT], within=0.2).intervals == within.intervals


def test_the_scale_is_that_of_the_documented_range() -> None:
    vary = {RADIUS: "4 nm, 9 nm", AMBIENT: "280 K, 310 K"}
    screening = plan_screening(vary, trajectories=8, preset="quick")
    values = {p.values for p in screening.sweep.points}
    radii = sorted({round(float(radius) * 1e9, 6) for radius, _ in values})
    assert radii == pytest.approx([4 * (9 / 4) ** (k / 3) for k in range(4)])
    assert sorted({round(float(t), 6) for _, t in values}) == pytest.approx([280, 290, 300, 310])


def test_a_documented_share_goes_with_what_it_is_a_share_of() -> None:
    screening = plan_screening([THICKNESS, HEIGHT], trajectories=6, preset="quick")
    shares = []
    for point in screening.sweep.points:
        cell = point.request.device
        shares.append(cell.filament.height / cell.filament_layer.thickness)
    assert min(shares) == pytest.approx(0.9) and max(shares) == pytest.approx(1)
    alone = plan_screening([HEIGHT], trajectories=6, preset="quick")
    assert ends(alone, HEIGHT) == pytest.approx((0.9 * 9e-9, 9e-9))


def test_all_numbers_with_a_range_vary_by_default() -> None:
    device = devicephys.load_device("tin-taox-hfox-tin")
    screening = plan_screening(
        trajectories=2, preset="quick", changes={AMBIENT: "300 K"}, follow={HEIGHT: THICKNESS}
    )
    assert set(screening.intervals) == set(bounds(device)) - {AMBIENT, HEIGHT}
    assert len(screening.sweep.points) == 2 * (len(screening.intervals) + 1)


def test_what_is_zero_is_left_out_of_a_share_and_remarked() -> None:
    screening = plan_screening(
        within="0.1 %", trajectories=2, preset="quick", follow={HEIGHT: THICKNESS}
    )
    assert "filament.wall_width" not in screening.intervals
    assert any("filament.wall_width" in text for text in screening.remarks)


def test_what_is_tied_follows() -> None:
    screening = plan_screening({THICKNESS: "10 %"}, follow={HEIGHT: THICKNESS}, trajectories=2)
    for point in screening.sweep.points:
        cell = point.request.device
        assert cell.filament.height == pytest.approx(cell.filament_layer.thickness)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"vary": []}, "nothing varies"),
        ({"vary": [RADIUS, RADIUS]}, "named twice"),
        ({"vary": RADIUS}, "no list of parameters"),
        ({"vary": ["filament.radus"]}, "Did you mean 'filament.radius'"),
        ({"vary": ["series.law"]}, "takes no number"),
        ({"vary": ["sweep.loops"]}, "takes no number"),
        ({"vary": {RADIUS: "8 nm"}}, "is no share"),
        ({"vary": {RADIUS: "150 %"}}, "no share between 0 and 1"),
        ({"vary": {RADIUS: "8 nm, 9 nm, 10 nm"}}, "not two ends"),
        ({"vary": {RADIUS: "10 nm, 8 nm"}}, "the lower first"),
        ({"vary": {RADIUS: "8 nm, 10"}}, "no unit"),
        ({"vary": {"filament.wall_width": "5 %"}}, "a share is nothing"),
        ({"vary": ["protocol.width"], "run": "pulses"}, "no range in docs/ranges.md"),
        ({"vary": ["protocol.width"], "run": "pulses", "within": 0.1}, "Give both ends"),
        ({"within": "nothing"}, "does not start with a number"),
        ({"levels": 5}, "is odd"),
        ({"trajectories": 1}, "out of bounds"),
        ({"trajectories": 2.5}, "no whole number"),
        ({"seed": -1}, "out of bounds"),
        ({"run": "loop"}, "Did you mean 'loops'"),
        ({"changes": {RADIUS: "7 nm"}}, "varies and is set"),
        ({"vary": {THICKNESS: "8 nm, 9 nm"}}, f"--follow {HEIGHT}={THICKNESS}"),
        ({"vary": [RADIUS, "outer_radius"], "within": 0.7}, f"--vary {RADIUS}='2 %'"),
        ({"vary": {RADIUS: "5 %", THICKNESS: "5 %"}}, f"--follow {HEIGHT}={THICKNESS}"),
    ],
)
def test_what_makes_no_sense_is_one_line(more: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_screening(**{"vary": [RADIUS], **more})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


# what comes out


def test_the_effects_of_formulas_come_out_in_their_units(whole: ScreeningOutcome) -> None:
    ds = records.read(whole.folder / "screening.nc", "Screening")
    assert ds.identical(whole.dataset.drop_encoding())
    by_name = ds["set_voltage"].sel(parameter=RADIUS)
    assert by_name.attrs["units"] == "V"
    # on the documented scale of the radius, a logarithmic one, it is a straight line
    assert float(by_name.sel(statistic="mu")) == pytest.approx(0.5)
    assert float(by_name.sel(statistic="mu_star")) == pytest.approx(0.5)
    assert float(by_name.sel(statistic="sigma")) == pytest.approx(0, abs=1e-9)
    ambient = ds["set_voltage"].sel(parameter=AMBIENT)
    assert float(ambient.sel(statistic="mu")) == pytest.approx(-0.2)
    assert float(ambient.sel(statistic="mu_star")) == pytest.approx(0.2)
    assert float(ambient.sel(statistic="sigma")) == pytest.approx(0, abs=1e-9)
    # of 10^(4 + x) the decades are x
    high = ds["high_resistance"]
    assert (high.attrs["units"], high.attrs["scale"]) == ("1", "log10")
    assert float(high.sel(parameter=RADIUS, statistic="mu")) == pytest.approx(1)
    assert float(high.sel(parameter=AMBIENT, statistic="mu_star")) == pytest.approx(0, abs=1e-9)
    with (whole.folder / "screening.csv").open(encoding="utf-8") as file:
        rows = {(row["figure"], row["parameter"]): row for row in csv.DictReader(file)}
    assert float(rows["set_voltage", AMBIENT]["mu"]) == pytest.approx(-0.2)
    assert rows["set_voltage", AMBIENT]["unit"] == "V"
    assert rows["set_voltage", RADIUS]["range"] == "8 nm to 10 nm"
    drawing = (whole.folder / "screening.svg").read_text("utf-8")
    assert RADIUS in drawing and "mu* of SET (mV)" in drawing
    assert not (whole.folder / "sweep.png").exists()


def test_failed_points_and_missing_figures_are_counted(whole: ScreeningOutcome) -> None:
    screening, ds, sweep = plan(), whole.dataset, whole.sweep
    # the corner x = 0, y = 1 does not converge, the corner x = y = 1 shows no RESET
    corners = np.round(screening.trajectories.coordinates)
    failed = (corners == (0, 1)).all(axis=2)
    silent = failed | (corners == (1, 1)).all(axis=2)
    assert failed.any() and silent.sum() > failed.sum()
    assert list(sweep["status"].values).count(FAILED) == ds.attrs["points_failed"] == 1
    assert "did not converge" in str(sweep["reason"].values[sweep["status"].values == FAILED][0])
    for name, missing in (("set_voltage", failed), ("reset_onset_voltage", silent)):
        lost = missing[:, 1:] | missing[:, :-1]
        for k, key in enumerate((RADIUS, AMBIENT)):
            count = int((~lost)[screening.trajectories.moved == k].sum())
            assert int(ds["effects"].sel(figure=name, parameter=key)) == count < 12
    assert ds.attrs["complete"] == 1
    ranges, first, *_ = screening_tables(ds)
    assert [RADIUS, "8 nm to 10 nm"] in ranges.rows
    at = first.heads.index("SET (mV)")
    cells = {row[0]: row[at] for row in first.rows}
    count = int(ds["effects"].sel(figure="set_voltage", parameter=AMBIENT))
    assert cells[AMBIENT] == f"-200 ± 0 (of {count})"


@pytest.mark.usefixtures("formula")
def test_where_walks_meet_is_one_run_and_more_of_them_go_on(
    tmp_path: Path, whole: ScreeningOutcome
) -> None:
    assert len(whole.sweep["point"]) == 4 < 12 * 3
    few, many = plan(2, seed=2), plan(3, seed=2)
    new = len(many.sweep.points) - len(few.sweep.points)
    assert 0 < new < len(many.sweep.points)
    assert run(few, tmp_path).computed == len(few.sweep.points)
    assert run(few, tmp_path).computed == 0
    more = run(many, tmp_path)
    assert (more.computed, more.dataset.sizes["trajectory"]) == (new, 3)
    effects = more.dataset["set_voltage"].sel(parameter=AMBIENT, statistic="mu")
    assert float(effects) == pytest.approx(-0.2)
    with pytest.raises(StorageError, match="another sweep"):
        run(plan(2, seed=1), tmp_path)


@pytest.mark.usefixtures("formula")
def test_ctrl_c_keeps_what_is_finished(tmp_path: Path, whole: ScreeningOutcome) -> None:
    calls: list[Path] = []

    def stopped(folder: Path, request: Any, progress: Any = None) -> None:
        calls.append(folder)
        if len(calls) == 3:
            raise KeyboardInterrupt
        fake_screening.solve(folder, request, progress)

    with pytest.raises(Interrupted, match="2 of"):
        run(plan(), tmp_path, solve=stopped, pictures="png")
    ds = records.read(tmp_path / "screening.nc", "Screening")
    assert ds.attrs["complete"] == 0
    assert ds.attrs["points_missing"] == ds.attrs["points"] - 2
    assert run(plan(), tmp_path).computed == ds.attrs["points"] - 2
    again = records.read(tmp_path / "screening.nc", "Screening")
    assert again["set_voltage"].identical(whole.dataset["set_voltage"].drop_encoding())


@pytest.mark.usefixtures("formula")
def test_nothing_but_failures_is_a_record_as_well(tmp_path: Path) -> None:
    def gives_up(folder: Path, request: Any, progress: Any = None) -> None:
        raise devicephys.SolverError("no convergence", "t = 0 s")

    outcome = run(plan(2), tmp_path, solve=gives_up, pictures="png")
    assert set(outcome.sweep["status"].values) == {FAILED}
    ds = records.read(tmp_path / "screening.nc", "Screening")
    assert ds.sizes["figure"] == 0
    assert ds.attrs["points_failed"] == ds.attrs["points"]
    assert not (tmp_path / "screening.png").exists()
    assert len(screening_tables(ds)) == 1  # the ranges


def test_the_picture_has_a_bar_for_each_parameter(whole: ScreeningOutcome) -> None:
    ds = whole.dataset
    axes = screening_figure(ds).axes
    panel = next(ax for ax in axes if "SET (mV)" in ax.get_xlabel())
    assert [text.get_text() for text in axes[0].get_yticklabels()] == [RADIUS, AMBIENT]
    lengths = [bar.get_width() for bar in panel.patches]
    expected = 1e3 * ds["set_voltage"].sel(statistic="mu_star").values
    assert lengths == pytest.approx(expected)
    # the radius raises SET, the temperature lowers it
    assert panel.patches[0].get_facecolor() != panel.patches[1].get_facecolor()


def test_of_other_runs_what_nothing_moves_is_not_shown(whole: ScreeningOutcome) -> None:
    trains = whole.dataset.assign_attrs(run="pulses")
    panels = " ".join(ax.get_xlabel() for ax in screening_figure(trains).axes)
    panels = " ".join(panels.split())
    assert "SET (mV)" in panels and "High resistance" in panels
    # the same in all the drawn loops
    assert float(trains["low_resistance_before"].max()) == 0
    assert "Low resistance, before" not in panels
    heads = [head for table in screening_tables(trains)[1:] for head in table.heads[1:]]
    assert len(heads) == panels.count("mu*") < trains.sizes["figure"]


def test_a_panel_alone_still_names_the_parameters(whole: ScreeningOutcome) -> None:
    figure = screening_figure(whole.dataset)
    assert not figure.axes[1].yaxis.get_tick_params()["labelleft"]
    fitted = fit_figure(figure, paper_style(panels="b"))
    (panel,) = fitted.axes
    assert panel.yaxis.get_tick_params()["labelleft"]
    assert [text.get_text() for text in panel.get_yticklabels()] == [RADIUS, AMBIENT]


# the command


@pytest.mark.usefixtures("settled")
def test_the_command_prints_tables_and_files(tmp_path: Path) -> None:
    out = tmp_path / "screening"
    vary = ("--vary", RADIUS, "--vary", f"{AMBIENT}=280 K, 300 K", "--within", "20 %")
    more = ("--trajectories", 2, "--levels", 2, "--workers", 1, "--out", out)
    result = call("screen", *vary, *more)
    assert result.exit_code == 0, result.output
    for text in (RADIUS, "7.2 nm to 10.8 nm", "RESET onset", str(out / "screening.png")):
        assert text in result.stdout
    document = json.loads(call("screen", *vary, *more, "--json").stdout)
    assert (document["computed"], document["failed"]) == (0, 0)
    assert {entry["parameter"] for entry in document["effects"]} == {RADIUS, AMBIENT}
    assert all(entry["trajectories"] == 2 for entry in document["effects"])
    result = call("plot", out, "--panels", "a", "--picture-data")
    assert result.exit_code == 0, result.output
    assert (out / "paper" / "screening.png").is_file()


@pytest.mark.usefixtures("settled")
def test_the_command_ends_with_one_line(tmp_path: Path) -> None:
    out = ("--trajectories", 2, "--workers", 1, "--out", tmp_path / "screening")
    out = ("--levels", 2, *out)
    assert "KEY=VALUE" in error_line(call("screen", "--vary", f"{RADIUS}=", *out), 2)
    twice = ("--vary", RADIUS, "--vary", f"{RADIUS}=5 %")
    assert "twice" in error_line(call("screen", *twice, *out), 2)
    assert "odd" in error_line(call("screen", "--vary", RADIUS, *out, "--levels", 3), 2)
    assert not (tmp_path / "screening").exists()
    result = call("screen", "--vary", RADIUS, *out, behaviour="gives-up")
    assert result.exit_code == 3
    assert "points failed" in result.stderr.splitlines()[-1]


@pytest.mark.fem
def test_a_real_screening(tmp_path: Path) -> None:
    ds = devicephys.screen(
        tmp_path,
        {RADIUS: "8 nm, 10 nm", "series.transconductance": "20 %"},
        preset="quick",
        trajectories=2,
        workers=1,
        pictures="none",
    )
    assert ds.attrs["points_failed"] == 0 == ds.attrs["points_missing"]
    low = ds["low_resistance_before"].sel(statistic="mu")
    # a cylinder's conductance goes with its section; what is around it and in series takes a part
    assert -2 * math.log10(10 / 8) < float(low.sel(parameter=RADIUS)) < -math.log10(1.05)
    # a mean of secants over 20 % is close to the tangent in the middle
    key = "series.transconductance"
    cell, quick = devicephys.load_device("tin-taox-hfox-tin"), devicephys.Settings.preset("quick")
    sweep = devicephys.IVSweep("-0.2 V", "0.2 V", rate="1 V/s")
    loop = devicephys.simulate(cell, sweep, quick, sensitivities=[key])
    at = int(np.abs(loop["voltage"].values[:10] + 0.1).argmin())
    tangent = -float(loop["current_sensitivity"].sel(parameter=key)[at])
    slope = float(low.sel(parameter=key)) / math.log10(1.2 / 0.8)
    assert slope == pytest.approx(tangent, rel=0.1)
    points = records.read(tmp_path / "sweep.nc", "ParameterSweep")
    assert set(points["status"].values) == {DONE}
