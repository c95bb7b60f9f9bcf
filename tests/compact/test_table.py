"""The table of alpha and beta: made of trains, kept in a file, summed up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import compact
from compact.table.statistics import half_width, misfit, misfit_text, summary
from compact.table.table import AlphaBetaTable
from ddkbase import records
from ddkbase.errors import InputError, StorageError
from ddkbase.records import label
from tests.compact.table_data import AMPLITUDES, campaign, rule
from tests.compact.trains import HIGH, LOW, falling, pulse_trace, rising


@pytest.fixture(scope="module")
def table() -> AlphaBetaTable:
    return AlphaBetaTable.fit(campaign(widths=(20e-9, 200e-9), cycles=4), window="free")


def exact(amplitude: float) -> AlphaBetaTable:
    return AlphaBetaTable.fit(campaign((amplitude,), cycles=1), window="free")


def test_alpha_and_beta_of_every_place(table: AlphaBetaTable) -> None:
    ds = table.dataset
    assert ds["alpha"].shape == (3, 2, 1, 4, 1)
    cells = 0.05 * np.random.default_rng(5).standard_normal((4, 1))
    for at in np.ndindex(*ds["alpha"].shape):
        a, w, r, c, d = at
        alpha, beta = rule(
            ds["amplitude"].values[a], ds["width"].values[w], ds["initial_resistance"].values[r],
            cells[c, d],
        )  # fmt: skip
        assert ds["alpha"].values[at] == pytest.approx(alpha, rel=1e-4)
        assert ds["beta"].values[at] == pytest.approx(beta, rel=1e-4)
    np.testing.assert_allclose(ds["conductance_min"], LOW, rtol=1e-3)
    np.testing.assert_allclose(ds["conductance_max"], HIGH, rtol=1e-4)


def test_amplitudes_increase_whatever_the_order_of_the_campaign(table: AlphaBetaTable) -> None:
    assert table.dataset["amplitude"].values.tolist() == sorted(AMPLITUDES)


def test_origin_is_told(table: AlphaBetaTable) -> None:
    assert table.provenance()["source_checksum"] == "sha256:of the YAML"
    assert table.provenance()["seed"] == 5
    source = campaign(widths=(20e-9, 200e-9), cycles=4)
    again = AlphaBetaTable.fit(source, window="free").dataset
    assert again.attrs["source_checksum"] == table.dataset.attrs["source_checksum"]
    source["conductance"].values[0, 0, 0, 0, 0, 0] *= 1 + 1e-15
    other = AlphaBetaTable.fit(source, window="free").dataset
    assert other.attrs["source_checksum"] != table.dataset.attrs["source_checksum"]


def test_written_and_read(table: AlphaBetaTable, tmp_path: Path) -> None:
    path = table.write(tmp_path / "t.nc")
    xr.testing.assert_identical(AlphaBetaTable.read(path).dataset, table.dataset)
    with pytest.raises(StorageError, match="exists already"):
        table.write(path)


def test_another_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        AlphaBetaTable.read(tmp_path / "t.nc")
    with pytest.raises(StorageError, match="AlphaBetaTable"):
        AlphaBetaTable(campaign())


def test_a_valid_entry_needs_its_numbers(table: AlphaBetaTable) -> None:
    ds = table.dataset.copy(deep=True)
    ds["beta"].values[0, 0, 0, 0, 0] = np.nan
    with pytest.raises(StorageError, match="'beta' is missing where 'valid'"):
        AlphaBetaTable(ds)
    with pytest.raises(StorageError, match="'amplitude' does not increase"):
        AlphaBetaTable(table.dataset.isel(amplitude=[1, 0]))


def test_store_on_the_disk(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    source = campaign(cycles=2)
    source.to_zarr(tmp_path / "c.zarr", consolidated=False, zarr_format=3)
    found = AlphaBetaTable.fit(tmp_path / "c.zarr").dataset
    np.testing.assert_array_equal(found["alpha"], AlphaBetaTable.fit(source).dataset["alpha"])
    assert found.attrs["source"] == str(tmp_path / "c.zarr")


def test_folder_that_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no zarr store"):
        AlphaBetaTable.fit(tmp_path)
    pytest.importorskip("zarr")
    other = campaign(cycles=1).assign_attrs(schema="Other")
    other.to_zarr(tmp_path / "c.zarr", consolidated=False, zarr_format=3)
    with pytest.raises(StorageError, match="not the store of a campaign"):
        AlphaBetaTable.fit(tmp_path / "c.zarr")


def test_missing_failed_and_wrong_points_are_not_valid() -> None:
    source = campaign(cycles=4)
    source["status"].values[0, 0, 0, 0, 0] = 0
    source["status"].values[0, 0, 0, 1, 0] = 2
    source["reason"].values[0, 0, 0, 1, 0] = "no convergence"
    source["conductance"].values[0, 0, 0, 2, 0] = np.linspace(HIGH, 2 * HIGH, 40)
    table = AlphaBetaTable.fit(source)
    ds = table.dataset.sel(amplitude=-2.0).squeeze()
    assert ds["valid"].values.tolist() == [False, False, False, True]
    reasons = ds["reason"].values.astype(str).tolist()
    assert reasons[0] == "the point was not computed"
    assert reasons[1] == "the simulation failed: no convergence"
    assert "wrong way for RESET" in reasons[2]
    assert np.isnan(ds["alpha"].values[:3]).all()
    assert table.figures()["valid"] == "9 of 11 trains (1 not computed)"
    assert table.means["count"].sel(amplitude=-2.0).item() == 1


def test_a_train_that_ends_with_its_first_pulse_is_not_valid() -> None:
    def law(volts: float, width: float, ohms: float, cell: float) -> tuple[float, float]:
        return 1e-4, {2.0: 0.3, 2.5: 0.98, 3.0: 3.0}[abs(volts)]

    table = AlphaBetaTable.fit(campaign(cycles=2, law=law))
    ds = table.dataset.squeeze()
    assert ds["valid"].values.tolist() == [[False] * 2, [True] * 2, [True] * 2]
    assert np.isnan(ds["beta"].sel(amplitude=-3.0)).all()
    assert table.reasons() == [
        ("the first pulse does over 99 % of the change: beta is known from below only", 2)
    ]
    with pytest.raises(InputError, match="no train is valid next to"):
        table.lookup(amplitude="-2.8 V")
    assert "left out, most cells not being valid: -3 V" in str(table.trends()[0])


def test_nothing_computed_is_an_error() -> None:
    source = campaign(cycles=1)
    source["status"].values[:] = 0
    with pytest.raises(InputError, match="no train to fit: the point was not computed"):
        AlphaBetaTable.fit(source)


def test_pulse_traces_find_their_places() -> None:
    traces = []
    for amplitude, cycle in ((-3.0, 1), (-2.0, 0), (-3.0, 0), (-2.0, 1)):
        train = falling(0.02, 0.1 * abs(amplitude) + 0.01 * cycle)
        ds = pulse_trace(train).assign_attrs(cycle=cycle, device_number=7)
        ds["amplitude"] = label(np.full(100, amplitude), "pulse", "V", "amplitude")
        traces.append(ds)
    table = AlphaBetaTable.fit(traces, window="free", width="100 ns").dataset
    assert table["amplitude"].values.tolist() == [-3.0, -2.0]
    assert table["width"].values.tolist() == [1e-7]
    assert np.isnan(table["initial_resistance"].values).all()
    assert table["device"].values.tolist() == [7]
    np.testing.assert_allclose(
        table["beta"].values.squeeze(), [[0.3, 0.31], [0.2, 0.21]], rtol=1e-4
    )
    with pytest.raises(InputError, match="the data say the amplitude themselves"):
        AlphaBetaTable.fit(traces, amplitude="-2 V")


def trains_of_a_file(directions: tuple[str, ...]) -> xr.Dataset:
    rows = [falling(0.02, 0.2) if d == "down" else rising(0.02, 0.02) for d in directions]
    return xr.Dataset(
        {
            "conductance": label(np.stack(rows), ("train", "pulse"), "S", "conductance"),
            "length": label([101] * len(rows), "train", "1", "number of the last pulse"),
            "direction": label(list(directions), "train", "1", "direction"),
        }
    )


def test_up_and_down_trains_are_kept_apart() -> None:
    data = trains_of_a_file(("down", "up", "down"))
    with pytest.raises(InputError, match="up and down trains at one setting"):
        AlphaBetaTable.fit(data)
    down = AlphaBetaTable.fit(data, direction="down")
    assert down.dataset.sizes["cycle"] == 2 and down.dataset["valid"].values.all()
    up = AlphaBetaTable.fit(data, direction="up", window="free").dataset
    assert up.attrs["direction"] == "up"
    # y = 1 is the largest conductance, wherever the train ends; alpha/beta^2 knows no such scale
    ratio = up["alpha"].item() / up["beta"].item() ** 2
    assert ratio == pytest.approx(0.02 / 0.02**2, rel=1e-3)
    with pytest.raises(InputError, match="unknown direction 'left'"):
        AlphaBetaTable.fit(data, direction="left")
    with pytest.raises(InputError, match="no train goes this way"):
        AlphaBetaTable.fit(trains_of_a_file(("down",)), direction="up")


def test_conductance_without_unit_has_a_record_of_its_own(tmp_path: Path) -> None:
    data = trains_of_a_file(("down", "down"))
    data["conductance"].attrs["units"] = "1"
    data["conductance"].values[:] = data["conductance"].values / HIGH
    table = AlphaBetaTable.fit(data)
    assert table.dataset.attrs["schema"] == "AlphaBetaTableRelative"
    assert table.dataset["conductance_max"].attrs["units"] == "1"
    again = AlphaBetaTable.read(table.write(tmp_path / "t.nc"))
    xr.testing.assert_identical(again.dataset, table.dataset)


@pytest.mark.parametrize("source", [3, [], [1], np.zeros((2, 5)), {"a": 1}])
def test_other_things_are_no_trains(source: object) -> None:
    with pytest.raises(InputError, match="holds no pulse trains"):
        AlphaBetaTable.fit(source)


def test_means_and_bands_are_students() -> None:
    table = AlphaBetaTable.fit(campaign((-2.0,), cycles=5, devices=4), window="free")
    beta = table.dataset["beta"].values[0, 0, 0]  # (cycle, device)
    means = table.means.isel(amplitude=0, width=0, initial_resistance=0)
    devices = beta.mean(0)
    assert means["beta"].item() == pytest.approx(beta.mean(), rel=1e-12)
    interval = stats.t.interval(0.95, 3, devices.mean(), stats.sem(devices))
    assert means["beta_mean_band"].item() == pytest.approx((interval[1] - interval[0]) / 2)
    assert means["beta_device_band"].item() == pytest.approx(
        stats.t.ppf(0.975, 3) * devices.std(ddof=1) * np.sqrt(1 + 1 / 4)
    )
    inner = np.sqrt(((beta - devices) ** 2).sum() / 16)
    assert means["beta_cycle_band"].item() == pytest.approx(
        stats.t.ppf(0.975, 16) * inner * np.sqrt(1 + 1 / 5)
    )
    assert means["beta_spread"].item() == pytest.approx(beta.std(ddof=1))


def test_the_band_of_one_more_cycle_holds_it() -> None:
    rng = np.random.default_rng(0)
    cells = rng.standard_normal((20_000, 4))
    half = half_width(cells[:, :3].std(axis=1, ddof=1), np.full(20_000, 3), False)
    held = np.abs(cells[:, 3] - cells[:, :3].mean(1)) < half
    assert held.mean() == pytest.approx(0.95, abs=0.005)  # binomial spread 0.15 %


def test_one_cycle_has_no_band() -> None:
    means = exact(-2.0).means
    assert np.isfinite(means["beta"]).all()
    for key in ("beta_mean_band", "beta_cycle_band", "beta_device_band", "beta_spread"):
        assert np.isnan(means[key]).all()


def test_invalid_entries_do_not_count_in_the_means(table: AlphaBetaTable) -> None:
    ds = table.dataset.copy(deep=True)
    ds["valid"].values[0, 0, 0, 0, 0] = False
    ds["beta"].values[0, 0, 0, 0, 0] = 1e9
    rest = table.dataset["beta"].values[0, 0, 0, 1:, 0].mean()
    assert summary(ds)["beta"].values[0, 0, 0] == pytest.approx(rest)
    assert summary(ds)["share"].values[0, 0, 0] == 0.75


def test_article_method_and_repr() -> None:
    table = AlphaBetaTable.fit(campaign((-2.0,), cycles=2), method="article")
    assert table.dataset.attrs["integrator"] == "explicit"
    assert "alpha and beta of made up" in repr(table) and "valid: 2 of 2 trains" in repr(table)


def test_tables_follow_as_many_starts_as_single_fits() -> None:
    source = campaign((-2.0,), cycles=2)
    kept = [json.loads(AlphaBetaTable.fit(source, **o).dataset.attrs["fit_json"])["starts"]
            for o in ({}, {"starts": 3})]  # fmt: skip
    assert kept == [8, 3]
    assert compact.fit_many(falling(0.01, 0.1)).attrs["starts"] == 8


def test_misfit_is_the_root_mean_square_in_spans_of_the_train() -> None:
    read = np.array([[4.0, 2.0, 0.0, np.nan], [1.0, 1.0, 1.0, 1.0], [np.nan] * 4])
    curve = np.array([[4.0, 1.0, 1.0, np.nan], [1.0, 1.0, 1.0, 1.0], [np.nan] * 4])
    ds = xr.Dataset(
        {"conductance": (("train", "sample"), read), "fitted": (("train", "sample"), curve)}
    )
    found = misfit(ds)
    assert found[0] == pytest.approx(np.sqrt(2 / 3) / 4)
    assert np.isnan(found[1:]).all()
    assert misfit_text(found[:1]).startswith("median 20.41 %, largest 20.41 %")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda ds: ds["conductance_min"].values.fill(1.0), "not below its 'conductance_max'"),
        (lambda ds: ds.attrs.update(integrator="leapfrog"), "'integrator' is 'leapfrog'"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(
    table: AlphaBetaTable, tmp_path: Path, change: Callable[[xr.Dataset], None], complaint: str
) -> None:
    ds = table.dataset.copy(deep=True)
    change(ds)
    with pytest.raises(StorageError, match=f"not a valid AlphaBetaTable v1: .*{complaint}"):
        records.write(ds, tmp_path / "table.nc")
