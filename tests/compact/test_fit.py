"""The fit: recovery, intervals, the article's method, windows, directions, pooling, robustness."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import compact
from compact.fitting.fit import authors_curve, fit, fit_many
from compact.kinetics.equations import explicit_euler, integrate
from ddkbase.errors import InputError
from ddkbase.records import label
from tests.compact.trains import HIGH, LOW, falling, pulse_trace, rising

TRUE = {"alpha": 0.01, "beta": 0.05, "conductance_min": LOW, "conductance_max": HIGH}


@pytest.mark.parametrize("integrator", ["explicit", "implicit", "exact"])
@pytest.mark.parametrize(("alpha", "beta"), [(0.01, 0.05), (0.004, 0.03)])
def test_intervals_hold_the_truth_as_often_as_they_say(
    integrator: str, alpha: float, beta: float
) -> None:
    clean = falling(alpha, beta, integrator=integrator)
    noise = [np.random.default_rng(seed).standard_normal(101) for seed in range(1000)]
    found = fit_many(
        clean + 0.01 * (HIGH - LOW) * np.array(noise), direction="down", integrator=integrator
    )
    assert found["valid"].all()
    assert not found["at_bound"].any()
    for name, true in {**TRUE, "alpha": alpha, "beta": beta}.items():
        z = (found[name].values - true) / found[f"{name}_stderr"].values
        # binomial spread of a share of 0.683 over 1,000 seeds is 1.5 %, of a mean 3 %
        assert 0.65 <= (np.abs(z) < 1).mean() <= 0.71, name
        assert abs(z.mean()) < 0.1, name


@pytest.mark.parametrize("integrator", ["explicit", "implicit", "exact"])
def test_noise_free_trains_are_recovered(integrator: str) -> None:
    found = fit(falling(0.01, 0.05, integrator=integrator), integrator=integrator)
    for name, true in TRUE.items():
        assert getattr(found, name) == pytest.approx(true, rel=1e-6)
    assert found.residual_sum < 1e-14
    assert found.determined


def test_inputs_of_their_own_are_used() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(size=(5, 80))
    train = falling(np.full(5, 0.01), np.full(5, 0.08), pulses=80, x=x)
    found = fit_many(train, x=x)
    np.testing.assert_allclose(found["alpha"], 0.01, rtol=1e-5)
    shared = fit_many(falling(0.01, 0.08, pulses=80, x=x[0]), x=x[0])
    np.testing.assert_allclose(shared["beta"], 0.08, rtol=1e-5)


def test_the_article_s_method_is_its_own_words() -> None:
    data = falling(0.0005, 0.012, 0.01, seed=2)
    found = fit(data, method="article", direction="down")
    normalised = (data - data.min()) / np.ptp(data)
    curve = np.array(authors_curve(found.alpha, found.beta, [1.0] * 100))
    assert found.residual_sum == pytest.approx(((curve - normalised) ** 2).sum(), rel=1e-9)
    assert (found.conductance_min, found.conductance_max) == (data.min(), data.max())
    # no pair on a grid of the article's bounds does better
    alpha, beta = (g.ravel() for g in np.meshgrid(*[np.logspace(-5, 0, 300)] * 2))
    with np.errstate(over="ignore", invalid="ignore"):
        grid = explicit_euler(alpha, beta, np.ones(100))
        sums = ((grid - normalised[1:]) ** 2).sum(-1) + (1 - normalised[0]) ** 2
    assert found.residual_sum <= np.nanmin(sums)
    assert found.residual_sum == pytest.approx(np.nanmin(sums), rel=0.2)


def test_normalising_asks_more_of_explicit_euler_than_it_can_give() -> None:
    # a train that has settled ends at 0 once normalised, but where explicit Euler is stable its
    # fixed point is not below beta/2
    found = fit(falling(0.01, 0.05, 0.005, seed=2), method="article", direction="down")
    better = fit(falling(0.01, 0.05, 0.005, seed=2), direction="down")
    assert found.residual_sum > 5 * better.residual_sum
    assert found.residual_autocorrelation > 0.5


def test_authors_curve_is_their_recurrence() -> None:
    x = np.random.default_rng(0).uniform(size=40)
    expected = explicit_euler(0.3, 0.7, x)
    np.testing.assert_array_equal(authors_curve(0.3, 0.7, x.tolist())[1:], expected)
    assert np.isnan(authors_curve(0.0, 1.0, [1.0, 1.0])[2])


def test_the_seed_decides() -> None:
    data = falling(0.0005, 0.012, 0.02, seed=3)
    one, same, other = (
        fit(data, method="article", starts=1, seed=seed, direction="down") for seed in (1, 1, 2)
    )
    assert one.alpha == same.alpha
    assert one.alpha != other.alpha  # same optimum, other last digits
    assert fit(data, seed=1).beta == pytest.approx(fit(data, seed=2).beta, rel=1e-5)


def test_up_trains_by_eq_3_and_as_mirror_images() -> None:
    found = fit(rising(0.001, 0.004), direction="up")
    span = integrate("implicit", 0.001, 0.004, np.ones(100), 0.0, sign=1)[-1]
    # y = 1 is the largest value of the train: alpha scales as y^2, beta as y
    assert found.alpha == pytest.approx(0.001 / span**2, rel=1e-4)
    assert found.beta == pytest.approx(0.004 / span, rel=1e-4)
    mirror = LOW + HIGH - falling(0.01, 0.05)
    assert fit(mirror, mirror=True).direction == "up"
    again = fit(mirror, mirror=True)
    assert again.alpha == pytest.approx(0.01, rel=1e-4)
    assert again.conductance_min == pytest.approx(LOW, rel=1e-4)
    assert again.conductance_max == pytest.approx(HIGH, rel=1e-4)
    article = fit(mirror, method="article", mirror=True, starts=5)
    flipped = fit(falling(0.01, 0.05), method="article", starts=5)
    assert article.beta == pytest.approx(flipped.beta, rel=1e-3)


def test_mirrored_errors_go_with_their_parameters() -> None:
    down = falling(0.01, 0.05, 0.01, seed=4)
    one = fit(down, direction="down", normalised=True)
    other = fit(-down, direction="up", mirror=True, normalised=True)
    assert other.conductance_max == pytest.approx(-one.conductance_min, rel=1e-6)
    assert other.conductance_max_stderr == pytest.approx(one.conductance_min_stderr, rel=1e-5)
    assert other.conductance_min_stderr == pytest.approx(one.conductance_max_stderr, rel=1e-5)
    np.testing.assert_allclose(other.correlation[0, 3], -one.correlation[0, 2], rtol=1e-4)
    np.testing.assert_allclose(other.fitted, -one.fitted, rtol=1e-7)


def test_window_of_the_data_fixes_it() -> None:
    y = falling(0.002, 0.05)
    found = fit(y, window="data")
    assert found.conductance_min == y.min()
    assert found.conductance_max == y.max()
    assert np.isnan(found.conductance_min_stderr)
    assert not any(found.at_bound.values())


def test_pooled_trains_share_alpha_and_beta() -> None:
    rng = np.random.default_rng(8)
    y = integrate("implicit", 0.01, 0.05, np.ones(60))
    y = np.concatenate([[1.0], y])
    low, high = rng.uniform(1e-5, 3e-5, (20, 1)), rng.uniform(1e-4, 3e-4, (20, 1))
    trains = low + (high - low) * (y + 0.02 * rng.standard_normal((20, 61)))
    pooled, single = fit_many(trains, pooled=True), fit_many(trains)
    assert np.ptp(pooled["alpha"].values) == 0
    assert pooled["alpha"][0] == pytest.approx(0.01, abs=4 * float(pooled["alpha_stderr"][0]))
    error = (pooled["conductance_min"].values - low[:, 0]) / (high - low)[:, 0]
    assert np.abs(error).max() < 0.03
    # twenty trains know it 4.5 times better than one
    gain = float(single["alpha_stderr"].median() / pooled["alpha_stderr"][0])
    assert 3 < gain < 6


def test_pooled_intervals_hold_the_truth() -> None:
    y = np.concatenate([[1.0], integrate("implicit", 0.01, 0.05, np.ones(60))])
    z = []
    for seed in range(80):
        noise = np.random.default_rng(seed).standard_normal((4, 61))
        ds = fit_many(LOW + (HIGH - LOW) * (y + 0.02 * noise), pooled=True)
        z.append(
            [
                float((ds[name][0] - TRUE[name]) / ds[f"{name}_stderr"][0])
                for name in ("alpha", "beta")
            ]
        )
    assert 0.54 <= (np.abs(z) < 1).mean() <= 0.83  # 0.683 +- 2.8 binomial spreads of 80
    assert np.abs(np.mean(z, axis=0)).max() < 0.4


@pytest.mark.parametrize("loss", ["soft_l1", "huber"])
def test_robust_losses_forgive_outliers(loss: str) -> None:
    data = falling(0.01, 0.05, 0.01, seed=5)
    data[[20, 45, 46, 80]] += 80e-6
    squared, robust = fit(data, direction="down"), fit(data, direction="down", loss=loss)
    assert abs(robust.beta - 0.05) < 3 * robust.beta_stderr
    assert abs(robust.beta - 0.05) < 0.3 * abs(squared.beta - 0.05)


def test_a_train_does_not_depend_on_its_batch() -> None:
    rng = np.random.default_rng(6)
    alpha = rng.uniform(0.005, 0.03, 30)
    trains = falling(alpha, alpha * rng.uniform(2, 8, 30), 0.01)
    together = fit_many(trains)
    for k in (0, 13, 29):
        alone = fit(trains[k])
        assert alone.alpha == pytest.approx(float(together["alpha"][k]), rel=1e-9)
        assert alone.condition == pytest.approx(float(together["condition"][k]), rel=1e-5)


def test_padding_and_gaps_do_not_count() -> None:
    data = falling(0.01, 0.05, 0.01, seed=7)
    padded = np.full((2, 140), np.nan)
    padded[0, :101], padded[1, :61] = data, data[:61]
    both = fit_many(padded)
    assert both["n_pulses"].values.tolist() == [100, 60]
    for k, length in ((0, 101), (1, 61)):
        alone = fit(data[:length])
        assert alone.alpha == pytest.approx(float(both["alpha"][k]), rel=1e-4)
    holes = data.copy()
    holes[[5, 50]] = np.nan
    found = fit(holes, skip_missing=True)
    assert abs(found.alpha - 0.01) < 4 * found.alpha_stderr
    assert np.isnan(found.fitted[5])


def test_an_exponential_determines_only_a_rate() -> None:
    k = np.arange(101)
    noise = 0.01 * np.random.default_rng(1).standard_normal(101)
    data = 1e-4 + 1e-4 * (np.exp(-k / 15) + noise)
    found = fit(data, direction="down")
    assert not found.determined
    assert "alpha and beta" in found.note
    # with G_min far away the rate is what implicit Euler makes of beta^2/alpha near its end
    free = fit(data, direction="down", normalised=True)
    assert not free.determined
    assert np.log1p(free.beta**2 / free.alpha) == pytest.approx(1 / 15, rel=0.15)


def test_a_train_that_falls_at_once_determines_no_beta() -> None:
    data = np.concatenate([[2e-4], np.full(60, 3e-5)])
    data += 1e-7 * np.random.default_rng(2).standard_normal(61)
    with pytest.raises(InputError, match="the first pulse does over 99 % of the change"):
        fit(data, direction="down")
    data[1:] += np.linspace(5e-6, 0, 60)  # 97 %: the rest looks like noise about a fixed point
    with pytest.raises(InputError, match="that of any larger beta"):
        fit(data, direction="down")
    data[1:] += np.linspace(1.5e-5, 0, 60)  # 88 %: a fit
    assert 0.5 < fit(data, direction="down").beta < 10


def test_what_a_pulse_trace_says_is_used() -> None:
    data = falling(0.01, 0.05)
    trace = pulse_trace(data)
    found = fit(trace)
    assert found.n_pulses == 100
    assert found.units == "S"
    assert found.alpha == pytest.approx(0.01, rel=1e-5)
    array = xr.DataArray(data * 1e6, dims="pulse", attrs={"units": "uS"})
    with pytest.raises(InputError, match="conductance is in 'uS'"):
        fit(array)


def test_trains_as_read_from_files() -> None:
    values = np.full((2, 110), np.nan)
    values[0, :101] = falling(0.01, 0.05)
    values[1, :81] = rising(0.001, 0.004)[:81]
    ds = xr.Dataset(
        {
            "conductance": label(values, ("train", "pulse"), "1", "conductance"),
            "direction": label(np.array(["down", "up"]), "train", "1", "direction"),
            "length": label(np.array([101, 81]), "train", "1", "length"),
        }
    )
    found = fit_many(ds)
    assert found["direction"].values.tolist() == ["down", "up"]
    assert found["valid"].all()
    assert found["conductance_min"].attrs["units"] == "1"


def test_every_variable_is_labelled_and_the_package_offers_it() -> None:
    ds = compact.fit_many(falling(0.01, 0.05, 0.01))
    for name, variable in ds.variables.items():
        assert variable.attrs.get("units"), name
        assert variable.attrs.get("long_name"), name
    assert ds.attrs["seed"] == 0
    assert compact.fit(falling(0.01, 0.05)).valid


def test_the_covariance_is_that_of_repeated_measurements() -> None:
    trains = np.array([falling(0.01, 0.05, 0.01, seed=s) for s in range(400)])
    ds = fit_many(trains, direction="down")
    estimates = np.stack([ds[name].values for name in ds["parameter"].values])
    measured = np.corrcoef(estimates)
    stated = ds["covariance"].mean("train").values
    stated = stated / np.sqrt(np.outer(np.diag(stated), np.diag(stated)))
    np.testing.assert_allclose(stated, measured, atol=0.1)
    np.testing.assert_allclose(ds["correlation"].mean(), measured[0, 1], atol=0.1)


def test_diagnostics_see_correlated_residuals() -> None:
    rng = np.random.default_rng(9)
    white = rng.standard_normal(101)
    slow = np.zeros(101)
    for k in range(1, 101):
        slow[k] = 0.8 * slow[k - 1] + 0.6 * white[k]
    for noise, low, high in ((white, -0.25, 0.25), (slow, 0.45, 1.0)):
        found = fit(falling(0.01, 0.05) + 2e-6 * noise, direction="down")
        assert low < found.residual_autocorrelation < high
        assert found.durbin_watson == pytest.approx(2 - 2 * found.residual_autocorrelation, abs=0.1)


def test_the_repr_says_what_matters() -> None:
    text = repr(fit(falling(0.01, 0.05, 0.01, seed=1), direction="down"))
    for word in ("100 pulses down", "implicit", "alpha", "+-", "correlation", "Durbin-Watson"):
        assert word in text
    bent = 2e-4 - 1e-4 * np.linspace(0, 1, 50) ** 2  # bent the other way than diffusion bends it
    assert "(at a bound)" in repr(fit(bent))
    assert fit(bent).at_bound["alpha"]
