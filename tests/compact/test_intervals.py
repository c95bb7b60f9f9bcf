"""Profile-likelihood intervals: their definition, their coverage at a bound, bias, curvature."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import least_squares
from scipy.stats import t as student

from compact.fitting.diagnostics import curvature
from compact.fitting.fit import fit_many
from compact.fitting.model import PARAMETERS
from compact.fitting.profiles import profile_intervals
from compact.kinetics.equations import integrate
from ddkbase.errors import InputError
from tests.compact.trains import HIGH, LOW, falling, rising

NOISE = np.array([np.random.default_rng(seed).standard_normal(101) for seed in range(1000)])


def ends(found: xr.Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    one = found.sel(parameter=name)
    return one["lower"].values, one["upper"].values


@pytest.mark.parametrize("integrator", ["explicit", "implicit", "exact"])
def test_with_little_noise_they_are_standard_errors(integrator: str) -> None:
    data = falling(0.01, 0.05, integrator=integrator) + 1e-5 * (HIGH - LOW) * NOISE[:5]
    fits = fit_many(data, direction="down", integrator=integrator)
    found = profile_intervals(fits, level=0.9, parameters=PARAMETERS)
    for name in PARAMETERS:
        reach = student.ppf(0.95, 97) * fits[f"{name}_stderr"].values
        low, high = ends(found, name)
        np.testing.assert_allclose(fits[name].values - low, reach, rtol=5e-3)
        np.testing.assert_allclose(high - fits[name].values, reach, rtol=5e-3)


@pytest.mark.parametrize("name", PARAMETERS)
def test_at_their_ends_the_sum_of_squares_is_what_it_should(name: str) -> None:
    data = falling(0.05, 0.1) + 0.01 * (HIGH - LOW) * NOISE[3]
    fits = fit_many(data, direction="down", normalised=True)
    scaled = (data - data.min()) / np.ptp(data)
    place = PARAMETERS.index(name)
    best = float(fits["residual"][0])
    wanted = best * (1 + student.ppf(0.975, 97) ** 2 / 97)
    for end in ends(profile_intervals(fits, parameters=[name]), name):
        held = float(end[0]) if place < 2 else float((end[0] - data.min()) / np.ptp(data))

        def residual(rest: np.ndarray, held: float = held) -> np.ndarray:
            alpha, beta, low, high = np.insert(rest, place, held)
            y = np.append(1.0, integrate("implicit", abs(alpha), abs(beta), np.ones(100)))
            return low + (high - low) * y - scaled

        start = np.delete([0.05, 0.1, -0.1, 1.0], place)
        found = least_squares(residual, start, x_scale=[0.01, 0.1, 0.1], xtol=1e-12, ftol=1e-14)
        assert 2 * found.cost == pytest.approx(wanted, rel=2e-4)


def test_they_hold_the_truth_where_a_bound_spoils_standard_errors() -> None:
    # G_min, which alpha makes up for, is 0.8 standard errors above its bound at zero conductance
    fits = fit_many(falling(0.05, 0.1) + 0.01 * (HIGH - LOW) * NOISE, direction="down")
    away = ~fits["at_bound"].values.any(axis=1)
    assert 0.7 < away.mean() < 0.85
    found = profile_intervals(fits, level=0.6827)
    for name, true in (("alpha", 0.05), ("beta", 0.1)):
        z = (fits[name].values - true) / fits[f"{name}_stderr"].values
        assert (np.abs(z[away]) < 1).mean() > 0.75  # those at the bound are missing
        low, high = ends(found, name)
        # binomial spread 1.5 %; a bound so near may cost two more
        assert 0.65 < ((low <= true) & (true <= high)).mean() < 0.73, name
    distance = found["bound_distance"].sel(fitted_parameter="conductance_min").median()
    assert 0.4 < float(distance) < 1.2


def test_without_that_bound_both_hold_it() -> None:
    fits = fit_many(
        falling(0.05, 0.1) + 0.01 * (HIGH - LOW) * NOISE, direction="down", normalised=True
    )
    found = profile_intervals(fits, level=0.6827, parameters=PARAMETERS)
    for name, true in zip(PARAMETERS, (0.05, 0.1, LOW, HIGH), strict=True):
        low, high = ends(found, name)
        assert 0.65 < ((low <= true) & (true <= high)).mean() < 0.71, name
        # Box: the mean error of the estimates is what curvature says
        error = (fits[name].values - true) / fits[f"{name}_stderr"].median().item()
        said = float(found["bias"].sel(fitted_parameter=name).median())
        assert error.mean() == pytest.approx(said, abs=0.1), name


def test_an_estimate_at_its_bound_has_an_interval() -> None:
    k = np.arange(61)
    data = 2e-4 - 1e-4 * (k / 60) + 1e-6 * NOISE[0][:61]
    fits = fit_many(data, direction="down")
    assert bool(fits["at_bound"].sel(parameter="alpha")[0])
    found = profile_intervals(fits)
    low, high = ends(found, "alpha")
    assert low[0] == 0.0
    assert bool(found["lower_open"][0, 0])
    assert 0 < high[0] < 1e-2
    assert not bool(found["upper_open"][0, 0])
    assert found["bound_distance"][0, 0] == 0.0


def test_mirror_images_and_up_trains() -> None:
    down = falling(0.01, 0.05, 0.01, seed=4)
    one = profile_intervals(
        fit_many(down, direction="down", normalised=True), parameters=PARAMETERS
    )
    other = profile_intervals(
        fit_many(-down, direction="up", mirror=True, normalised=True), parameters=PARAMETERS
    )
    for name in ("alpha", "beta"):
        np.testing.assert_allclose(ends(other, name), ends(one, name), rtol=1e-4)
    low, high = ends(one, "conductance_min")
    np.testing.assert_allclose(ends(other, "conductance_max"), (-high, -low), rtol=1e-4)
    np.testing.assert_allclose(other["bias"][0, 3], -one["bias"][0, 2], rtol=1e-2)
    fits = fit_many(rising(0.001, 0.004, 0.005), direction="up")
    found = profile_intervals(fits, parameters=PARAMETERS)
    low, high = ends(found, "beta")
    assert low[0] < float(fits["beta"][0]) < high[0]
    assert np.isnan(ends(found, "conductance_max")).all()  # fixed: y = 1 at the largest read


def test_inputs_gaps_and_bad_trains() -> None:
    x = np.random.default_rng(2).uniform(size=(3, 80))
    data = falling(np.full(3, 0.01), np.full(3, 0.08), 0.005, pulses=80, x=x)
    data[0, 40] = np.nan
    data[2] = 1e-4
    fits = fit_many(data, x=x, skip_missing=True)
    low, high = ends(profile_intervals(fits, level=0.999), "beta")
    assert (low[:2] < 0.08).all()
    assert (high[:2] > 0.08).all()
    assert np.isnan(low[2])


def test_what_was_fitted_is_known_to_the_fits() -> None:
    own = np.random.default_rng(2).uniform(size=(2, 60))
    data = falling(np.full(2, 0.01), np.full(2, 0.3), 0.002, pulses=60, x=own)
    fits = fit_many(data, x=own, limit=0.25)
    np.testing.assert_array_equal(fits["x"], own)
    assert fits["x"].dims == ("train", "pulse") and fits.attrs["limit"] == 0.25
    found = profile_intervals(fits)
    assert found["upper"].sel(parameter="beta").values == pytest.approx(0.25)
    assert found["upper_open"].sel(parameter="beta").values.all()
    assert fit_many(data, x=own[0])["x"].dims == ("pulse",)
    np.testing.assert_array_equal(fit_many(data)["x"], np.ones(60))


def test_curvature_is_that_of_a_published_example() -> None:
    # Puromycin, treated cells (Bates and Watts 1988); c x sqrt(F) as R's MASS::rms.curv gives it
    conc = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)[:, None]
    rate = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])[:, None]

    def model(theta: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        v, k = theta.T
        jacobian = np.stack([conc / (k + conc) + 0 * v, -v * conc / (k + conc) ** 2])
        return v * conc / (k + conc) - rate, jacobian

    model.trains = SimpleNamespace(weights=np.ones((12, 1)))  # type: ignore[attr-defined]
    best = np.array([[212.68358, 0.064121027]])
    found = curvature(model, best, np.ones((1, 2), bool))  # type: ignore[arg-type]
    assert found.parameter_effects[0] == pytest.approx(0.2121, abs=1e-4)
    assert found.intrinsic[0] == pytest.approx(0.092, abs=1e-4)


def test_everything_is_labelled() -> None:
    found = profile_intervals(fit_many(falling(0.01, 0.05, 0.01), direction="down"))
    for name, variable in found.variables.items():
        assert variable.attrs.get("units"), name
        assert variable.attrs.get("long_name"), name


@pytest.mark.parametrize(
    ("options", "change", "said"),
    [
        ({"method": "article", "starts": 1}, {}, "by method 'better'"),
        ({"loss": "huber"}, {}, "squared residuals"),
        ({"pooled": True}, {}, "train by train"),
        ({}, {"level": 1.0}, "is no level"),
        ({}, {"parameters": ["alfa"]}, "Did you mean 'alpha'?"),
    ],
)
def test_bad_arguments_are_named(
    options: dict[str, object], change: dict[str, object], said: str
) -> None:
    fits = fit_many(falling(0.01, 0.05, 0.01), direction="down", **options)  # type: ignore[arg-type]
    with pytest.raises(InputError) as caught:
        profile_intervals(fits, **change)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_what_is_no_fit_is_an_error() -> None:
    with pytest.raises(InputError):
        profile_intervals(xr.Dataset())


def test_the_distance_is_that_to_the_nearer_bound() -> None:
    data = falling(0.05, 0.1) + 0.001 * (HIGH - LOW) * NOISE[:3]
    for limit in (0.3, 0.105):  # of alpha and beta alike; beta is nearer to 0, then to the limit
        fits = fit_many(data, direction="down", limit=limit)
        found = profile_intervals(fits)["bound_distance"].sel(fitted_parameter="beta")
        beta, error = fits["beta"].values, fits["beta_stderr"].values
        room = beta if limit == 0.3 else limit - beta
        assert (room == np.minimum(beta, limit - beta)).all()
        np.testing.assert_allclose(found, room / error, rtol=1e-9)
