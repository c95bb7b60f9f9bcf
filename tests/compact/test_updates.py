"""Alpha and beta of single pulses: pairs of reads, each with its own amplitude and width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import compact
from ddkbase.errors import InputError
from tests.compact.test_compact_cli import call, error_line

LOW, HIGH = 20e-6, 120e-6
TRUE = {-1.0: (0.004, 0.05), -1.5: (0.01, 0.12), 1.2: (0.006, 0.02)}


def pairs(count: int = 400, noise: float = 2e-7, seed: int = 1) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    span = HIGH - LOW
    before, after, volts = [], [], []
    for amplitude, (alpha, beta) in TRUE.items():
        y = rng.uniform(0.1, 1.0, count)
        y[0] = 1.0  # the largest read is the end of the window
        step = alpha / y + np.sign(amplitude) * beta
        before.append(LOW + span * y)
        after.append(LOW + span * (y + step) + noise * rng.standard_normal(count))
        volts.append(np.full(count, amplitude))
    data = {
        "before": ("update", np.concatenate(before)),
        "after": ("update", np.concatenate(after)),
        "amplitude": ("update", np.concatenate(volts)),
        "width": ("update", np.full(3 * count, 1e-7)),
    }
    return xr.Dataset(data)


def test_alpha_and_beta_come_back_in_a_given_window() -> None:
    found = compact.fit_updates(pairs(), conductance_min="20 uS", conductance_max="120 uS")
    assert found.sizes == {"amplitude": 3, "width": 1}
    assert found["determined"].values.all() and found.attrs["window"] == "given"
    for volts, truth in TRUE.items():
        one = found.sel(amplitude=volts).isel(width=0)
        for name, value in zip(("alpha", "beta"), truth, strict=True):
            assert abs(float(one[name]) - value) < 4 * float(one[f"{name}_stderr"])
            assert float(one[f"{name}_stderr"]) < 0.1 * value
        assert one["direction"].item() == ("up" if volts > 0 else "down")


def test_the_window_is_found_where_it_is_not_given() -> None:
    ds = pairs(noise=1e-8).isel(update=slice(0, 800))  # the two settings that go down
    found = compact.fit_updates(ds, conductance_max="120 uS")
    assert found.attrs["window"] == "free"
    assert found.attrs["conductance_min"] == pytest.approx(LOW, rel=0.02)
    np.testing.assert_allclose(found["beta"].sel(amplitude=-1.5), 0.12, rtol=0.02)


def test_equal_steps_and_few_pulses_determine_nothing() -> None:
    rng = np.random.default_rng(2)
    before = rng.uniform(30e-6, 120e-6, 60)
    after = before - 2e-6 + 2e-7 * rng.standard_normal(60)
    ds = xr.Dataset({"before": ("update", before), "after": ("update", after)})
    found = compact.fit_updates(ds, conductance_min="20 uS")
    assert not found["determined"].item()
    assert "not determined" in found["note"].item() or "no better" in found["note"].item()
    with pytest.raises(InputError, match=r"none of 3 settings.*amplitude_step"):
        compact.fit_updates(ds.isel(update=slice(0, 3)).assign(amplitude=("update", [1.0, 2, 3])))
    with pytest.raises(InputError, match="does not hold the reads"):
        compact.fit_updates(ds, conductance_min="60 uS")
    with pytest.raises(InputError, match="no 'before'"):
        compact.fit_updates(ds.drop_vars("before"))


def test_columns_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pulses.csv"
    path.write_text(
        "address,V pulse (V),width (ns),R before (kohm),R after (kohm)\n"
        + "\n".join(f"7,-{1 + k % 2},100,{10 + k},{10.5 + k}" for k in range(12))
    )
    ds = compact.read_updates(path)
    np.testing.assert_allclose(ds["before"], 1e-3 / np.arange(10, 22))
    np.testing.assert_allclose(ds["after"], 1e-3 / np.arange(10.5, 22))
    assert set(ds["amplitude"].values) == {-1.0, -2.0}
    np.testing.assert_allclose(ds["width"], 1e-7)


def test_columns_without_headings_and_a_command(tmp_path: Path) -> None:
    path = tmp_path / "pulses.txt"
    ds = pairs()
    table = np.stack([1e9 * ds["width"], ds["amplitude"], 1 / ds["before"], 1 / ds["after"]], 1)
    np.savetxt(path, table, fmt="%.9g")
    out = tmp_path / "u.csv"
    columns = ("--before", "3", "--after", "4", "--amplitude", "2", "--width", "1")
    units = ("--units", "ohm", "--amplitude-units", "V", "--width-units", "ns")
    window = ("--conductance-min", "20 uS", "--conductance-max", "120 uS")
    result = call("updates", path, *columns, *units, *window, "--out", out)
    assert result.exit_code == 0 and "-1.5 V" in result.output
    lines = out.read_text().splitlines()
    assert lines[0].startswith("amplitude,width,count,direction,alpha") and len(lines) == 4
    assert float(lines[1].split(",")[4]) == pytest.approx(0.01, rel=0.1)
    assert "has no unit" in error_line(call("updates", path, *columns, "--units", "ohm"), 2)
    assert "name both" in error_line(call("updates", path, "--before", "3"), 2)


def test_each_pulse_of_a_staircase_is_a_pair(tmp_path: Path) -> None:
    path = tmp_path / "staircase.csv"
    rows = [f"{n},{-0.5 - 0.1 * n:.1f},{100 - 3 * n}" for n in range(1, 11)]
    path.write_text("pulse,amplitude (V),G (uS)\n" + "\n".join(rows))
    ds = compact.read_updates(path)
    assert ds.sizes["update"] == 9  # the first read has none before
    np.testing.assert_allclose(ds["before"][0], 97e-6)
    np.testing.assert_allclose(ds["after"][0], 94e-6)
    np.testing.assert_allclose(ds["amplitude"][0], -0.7)
    pooled = compact.fit_updates(ds, amplitude_step="1 V")
    assert pooled["amplitude"].values.tolist() == [-2.0, -1.0]


@pytest.mark.parametrize("amplitude", [-1.0, 1.2])
def test_of_few_pulses_it_is_the_regression_of_the_text_books(amplitude: float) -> None:
    ds = pairs(count=6, noise=2e-6)
    ds = ds.isel(update=ds["amplitude"].values == amplitude)
    found = compact.fit_updates(ds, conductance_min="20 uS").squeeze()
    before, after = ds["before"].values, ds["after"].values
    span = max(before.max(), after.max()) - LOW  # the largest read, before a pulse or after one
    assert found.attrs["conductance_max"] == pytest.approx(LOW + span)
    sign = np.sign(amplitude)
    matrix = np.stack([span / (before - LOW), np.full(6, sign)], axis=1)
    step = (after - before) / span
    solved = np.linalg.lstsq(matrix, step, rcond=None)[0]
    assert [float(found[n]) for n in ("alpha", "beta")] == pytest.approx(solved)
    squares = ((matrix @ solved - step) ** 2).sum()
    errors = np.sqrt(np.diag(squares / (6 - 2) * np.linalg.inv(matrix.T @ matrix)))
    stated = [float(found[f"{n}_stderr"]) for n in ("alpha", "beta")]
    assert stated == pytest.approx(errors)
    scatter = ((step - step.mean()) ** 2).sum()
    assert float(found["explained"]) == pytest.approx(1 - squares / scatter)
    assert float(found["change"]) == pytest.approx((after - before).mean())
    assert str(found["direction"].item()) == ("up" if sign > 0 else "down")


BEFORE, AFTER = np.array([20.0, 40, 30, 25, 60, 50]), np.array([22.0, 36, 33, 24, 66, 45])
SIZES = np.array([1.0, 1.5, 1.0, 1.5, 1.0, 1.5])


def table(folder: Path, heads: str, *columns: np.ndarray | list[str]) -> Path:
    rows = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    path = folder / "pairs.csv"
    path.write_text("\n".join([heads, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    "heads",
    [
        "G before (uS),G after (uS)",
        "GBefore_uS,GAfter_uS",
        "G_i (uS),G_f (uS)",
        "Gn (uS),Gn+1 (uS)",
        "G0 (uS),G1 (uS)",
        "prior G (uS),posterior G (uS)",
        "G vorher (uS),G nachher (uS)",
        "before [uS],after [uS]",
    ],
)
def test_reads_before_and_after_by_their_headings(tmp_path: Path, heads: str) -> None:
    file = table(tmp_path, f"{heads},Amplitude (V)", BEFORE, AFTER, SIZES)
    ds = compact.read_updates(file)
    np.testing.assert_allclose(ds["before"], 1e-6 * BEFORE)
    np.testing.assert_allclose(ds["after"], 1e-6 * AFTER)
    np.testing.assert_allclose(ds["amplitude"], SIZES)


def test_sizes_with_a_polarity_get_its_sign(tmp_path: Path) -> None:
    ways = ["SET" if after > before else "RESET"
            for before, after in zip(BEFORE, AFTER, strict=True)]  # fmt: skip
    heads = "G before (uS),G after (uS),Amplitude (V),Polarity,operator"
    file = table(tmp_path, heads, BEFORE, AFTER, SIZES, ways, ["A"] * 6)
    ds = compact.read_updates(file)
    np.testing.assert_allclose(ds["amplitude"], np.where(AFTER > BEFORE, SIZES, -SIZES))
    assert "get a negative amplitude" in ds.attrs["assumptions"]
    assert "not used: column 5 'operator'" in ds.attrs["assumptions"]


@pytest.mark.parametrize(
    ("heads", "columns", "message"),
    [
        ("G before (uS),dG (uS),Amplitude (V)", (BEFORE, AFTER - BEFORE, SIZES), "which holds"),
        ("G left (uS),G right (uS),Amplitude (V)", (BEFORE, AFTER, SIZES), "two columns of reads"),
        ("G before (uS),G after (uS),Amplitude (V)", (-BEFORE, AFTER, SIZES), "no conductance"),
        ("R before (kohm),R after (kohm)", (BEFORE, 0 * AFTER), "no resistance"),
        ("G before (uS),G after (uS),Width (us)", (BEFORE, AFTER, -SIZES), "no width of a pulse"),
        ("G before (uS),G after (uS),log10 Width (s)", (BEFORE, AFTER, -SIZES), "logarithms"),
    ],
)
def test_what_is_no_pair_is_refused(tmp_path: Path, heads: str, columns, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compact.read_updates(table(tmp_path, heads, *columns))
