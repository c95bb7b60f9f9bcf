"""Parts of a fit by themselves: what they give where the answer is known in closed form."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import devicephys
from ddkbase.errors import InputError
from devicephys.device.entries import parameter_value
from devicephys.fitting.data import Data, LoopData, as_dataset, differences
from devicephys.fitting.description import read_description
from devicephys.fitting.experiments import Solve, _faster, _spread
from devicephys.fitting.information import (
    Information,
    Residuals,
    alternatives,
    correlation,
    direction_text,
    information,
    losses,
    profile,
)
from devicephys.fitting.posterior import Emulator, LogPosterior, farthest
from devicephys.fitting.result import FitResult, parameter_table
from devicephys.fitting.search import Search

CELL = devicephys.load_device("tin-taox-hfox-tin")
HFOX, TAOX = "materials.HfOx.diffusion_activation", "materials.TaOx.diffusion_activation"


class Known(Data):
    """Two values of which the simulated ones and their slopes are given."""

    name, axis_label, unit = "known", "Voltage (V)", "A"
    axis = np.array([-1.0, 1.0])

    def __init__(self, weight: float, error: float) -> None:
        self.measured, self.weight = np.array([-2e-4, 1e-4]), weight
        self.error = np.array([error, 2 * error])

    def simulate(self, device: Any, settings: Any, paths: Any) -> tuple[np.ndarray, np.ndarray]:
        return self.measured * np.exp([0.3, -0.1]), np.array([[1.0, 0.0], [0.5, 2.0]])


@pytest.mark.parametrize("weight", [1.0, 4.0, 0.25])
def test_a_residual_counts_its_weight_once_when_squared(weight: float) -> None:
    residual, jacobian, simulated = Known(weight, 0.1).misfit(CELL, None, ())  # type: ignore[arg-type]
    np.testing.assert_allclose(residual**2, weight * np.array([3.0, -0.5]) ** 2)
    np.testing.assert_allclose(jacobian**2, weight * np.array([[10.0, 0.0], [2.5, 10.0]]) ** 2)
    assert (np.sign(residual) == [1, -1]).all() and simulated[0] < -2e-4
    # what it spreads by is of the logarithm, whatever the errors and weights
    shown = as_dataset(Known(weight, 0.1), simulated, jacobian, np.diag([0.04, 0.01]))
    expected = [0.2, np.sqrt(0.25 * 0.04 + 4 * 0.01)]
    np.testing.assert_allclose(shown["spread"], expected)
    assert shown["axis"].attrs["units"] == "V" and shown["simulated"].attrs["units"] == "A"


def test_differences_are_slopes_by_the_logarithms_of_the_parameters() -> None:
    def logs(device: devicephys.Device) -> np.ndarray:
        a, b = (np.log(parameter_value(device, path)) for path in (HFOX, TAOX))
        return np.array([3 * a - b, 2 * b, 7.0])

    found = differences(logs, CELL, (HFOX, TAOX))
    np.testing.assert_allclose(found, [[3, -1], [0, 2], [0, 0]], atol=1e-9)


@pytest.mark.parametrize("dispersion", [1.0, 4.0])
def test_a_profile_of_a_parabola_counts_standard_deviations(dispersion: float) -> None:
    factor = np.array([[2.0, 1.0], [0.0, 3.0]])  # residual = factor (x - best)
    best = np.array([0.1, -0.2])
    problem = Residuals(
        lambda x: factor @ (x - best),
        lambda x: factor,
        lambda x: float(((factor @ (x - best)) ** 2).sum() / 2),
        (np.full(2, -50.0), np.full(2, 50.0)),
        "linear",
    )
    covariance = np.linalg.inv(factor.T @ factor)
    for number in (0, 1):
        found = profile(problem, best, covariance, dispersion, number)
        deviation = np.sqrt(dispersion * covariance[number, number])
        np.testing.assert_allclose(found.root, (found.logs - best[number]) / deviation, atol=1e-6)
        for level in (1.0, -1.96):
            assert found.end(level) == pytest.approx(best[number] + level * deviation, rel=1e-6)


def test_a_profile_that_meets_its_bound_ends_there() -> None:
    factor = np.array([[2.0, 1.0], [0.0, 3.0]])
    covariance = np.linalg.inv(factor.T @ factor)
    for number in (0, 1):
        bounds = np.full(2, -50.0), np.full(2, 50.0)
        near = 1.3 * np.sqrt(covariance[number, number])  # between the two levels
        bounds[1][number] = near
        problem = Residuals(
            lambda x: factor @ x,
            lambda x: factor,
            lambda x: float(((factor @ x) ** 2).sum() / 2),
            bounds,
            "linear",
        )
        found = profile(problem, np.zeros(2), covariance, 1.0, number)
        assert found.logs[-1] == near and found.root[-1] == pytest.approx(1.3)
        assert np.isnan(found.end(1.96)) and np.isfinite(found.end(-1.96))


def test_a_profile_follows_a_bent_valley() -> None:
    def residual(x: np.ndarray) -> np.ndarray:  # along y = x^2 nothing but x costs
        return np.array([x[0], 8.0 * (x[1] - x[0] ** 2)])

    problem = Residuals(
        residual,
        lambda x: np.array([[1.0, 0.0], [-16.0 * x[0], 8.0]]),
        lambda x: float((residual(x) ** 2).sum() / 2),
        (np.full(2, -50.0), np.full(2, 50.0)),
        "linear",
    )
    found = profile(problem, np.zeros(2), np.diag([1.0, 1 / 64]), 1.0, 0)
    # the others are fitted in a few solves: a straight way would cost eight times x^2 more
    np.testing.assert_allclose(found.root, found.logs, rtol=0.01, atol=1e-9)
    assert found.end(1.96) == pytest.approx(1.96, rel=0.01)


def test_an_emulator_has_value_and_slope_of_each_solve() -> None:
    x = np.array([[-1.0], [0.0], [0.4], [1.5]])
    emulator = Emulator(x, x**2, 2 * x[:, :, None], np.eye(1))
    np.testing.assert_allclose(emulator(x), x**2, atol=1e-9)
    for step in (1e-3, -1e-3):
        slope = (emulator(x + step) - x**2) / step
        np.testing.assert_allclose(slope, 2 * x, atol=2e-3)


def test_an_emulator_is_tested_without_the_solve_that_it_foretells() -> None:
    def left_out(power: int) -> np.ndarray:
        x = np.array([[-1.0], [0.0], [0.4], [1.5]])
        residual, slope = x**power, power * x[:, :, None] ** (power - 1)
        emulator = Emulator(x, residual, slope, np.eye(1))
        bounds = np.array([-9.0]), np.array([9.0])
        cost = (residual**2).sum(1) / 2
        return LogPosterior(emulator, cost, 1.0, bounds, [None], "linear").left_out()

    np.testing.assert_allclose(left_out(1), 0.0, atol=1e-9)  # planes foretell a line
    assert (np.abs(left_out(2)) > 0.01).all()  # and miss a parabola, though they touch it


def test_the_density_is_half_the_squares_with_the_prior_inside_the_bounds() -> None:
    x = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    matrix = np.array([[2.0, 0.0], [1.0, 1.0]])
    emulator = Emulator(x, x @ matrix.T, np.tile(matrix, (3, 1, 1)), np.eye(2))
    bounds = np.array([-2.0, -2.0]), np.array([2.0, 2.0])
    density = LogPosterior(emulator, np.zeros(3), 4.0, bounds, [None, 0.5], "linear")
    point = np.array([[0.5, -1.0]])
    squares = (2 * 0.5) ** 2 + (0.5 - 1.0) ** 2 + (1.0 / np.log(1.5)) ** 2
    assert density(point)[0] == pytest.approx(-0.5 * squares / 4.0)
    assert density(np.array([[2.1, 0.0]]))[0] == -np.inf


@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
def test_errors_are_those_of_an_estimator_of_this_loss(loss: str) -> None:
    # of a mean: variance of psi over the square of its mean slope, over the number of samples
    residual = np.random.default_rng(0).standard_t(3, size=400) * 2.0

    def psi(r: np.ndarray) -> np.ndarray:  # half the loss, differentiated
        return (losses(r + 1e-6, loss) - losses(r - 1e-6, loss)) / 4e-6

    slope = np.mean((psi(residual + 1e-4) - psi(residual - 1e-4)) / 2e-4)
    variance = np.mean(psi(residual) ** 2) / slope**2 / (len(residual) - 1)
    found = information(residual, np.ones((len(residual), 1)), [None], loss)
    assert found.covariance[0, 0] == pytest.approx(variance, rel=1e-4)
    assert found.spread[0] == pytest.approx(np.sqrt(variance), rel=1e-4)
    assert found.dispersion == pytest.approx(found.inflation**2 * slope, rel=1e-4)


def test_what_was_known_before_adds_to_what_the_data_say() -> None:
    jacobian = np.array([[3.0, 1.0], [0.0, 2.0], [1.0, -1.0]])
    residual = np.array([0.1, -0.2, 0.1])  # better than stated: errors are not made smaller
    prior = np.diag([0.0, 1 / np.log(1.2) ** 2])  # 20 % of the second
    found = information(residual, jacobian, [None, 0.2])
    np.testing.assert_allclose(found.covariance, np.linalg.inv(jacobian.T @ jacobian + prior))
    assert found.inflation == 1.0
    spread = np.sqrt(np.diag(found.covariance))
    expected = found.covariance / spread / spread[:, None]
    shown = correlation(found, ["a", "b"])
    np.testing.assert_allclose(shown, expected)
    assert float(shown.sel(parameter="a", other="b")) == pytest.approx(expected[0, 1])
    assert abs(expected[0, 1]) < 1 and expected[0, 0] == pytest.approx(1.0)


def test_directions_are_products_of_powers_that_the_data_know_apart() -> None:
    turn = np.array([[0.6, -0.8, 0.0], [0.64, 0.48, -0.6], [0.48, 0.36, 0.8]])  # orthonormal rows
    known = np.array([0.5, 2.0, 40.0])  # slopes along them, per unit error
    found = information(np.zeros(3), known[:, None] * turn, [None] * 3)
    np.testing.assert_allclose(found.spread, 1 / known)
    for k in range(3):
        assert abs(found.directions[k] @ turn[k]) == pytest.approx(1.0)
    # a quarter is where a direction is open
    np.testing.assert_array_equal(found.open_directions, [0, 1])


def test_a_direction_reads_with_its_largest_power_as_one() -> None:
    names = ["D0", "Ea", "k", "none"]
    text = direction_text(names, np.array([0.1, -0.8, 0.4, 0.001]))
    assert text == "Ea * k^-0.50 * D0^-0.12"


def test_the_next_solve_is_the_likely_sample_farthest_from_all_others() -> None:
    x = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    emulator = Emulator(x, x, np.tile(np.eye(2), (3, 1, 1)), np.diag([1.0, 100.0]))
    bounds = np.full(2, -9.0), np.full(2, 9.0)
    density = LogPosterior(emulator, np.zeros(3), 1.0, bounds, [None, None], "linear")
    # ten samples: the outermost, the farthest of all, is the unlikeliest tenth
    samples = np.array([[8.0, 8.0], *([0.1 * k, 0.0] for k in range(7)), [0.0, 0.3], [2.0, 0.0]])
    solved = np.array([[0.0, 0.0], [0.3, 0.0]])
    # in the metric 0.3 of the second parameter is 3, and the first goes no farther than 1.7
    np.testing.assert_array_equal(farthest(density, samples, solved), [0.0, 0.3])


def test_ends_that_are_near_each_other_or_the_best_count_once() -> None:
    known = Information(np.diag([0.01, 0.04]), np.zeros(2), np.eye(2), 1.0, 2.0)
    best = np.zeros(2)
    ends = [
        (1.0, np.array([1.0, 0.0])),  # ten deviations away
        (0.5, np.array([1.1, 0.3])),  # better, and within three of the one before
        (0.1, np.array([0.0, 0.5])),  # 2.5 deviations from the best
        (9.1, np.array([0.0, 3.0])),  # lower by 4.55: too much
        (8.0, np.array([0.0, -3.0])),
    ]
    found = alternatives(best, known, ends, np.array([2.0, 5.0]), ["a", "b"])
    assert found is not None
    np.testing.assert_allclose(found["loss"], [0.25, 4.0])
    np.testing.assert_allclose(found["value"], np.array([2.0, 5.0]) * np.exp([[1.1, 0.3], [0, -3]]))


def _table(posterior: xr.Dataset | None = None, profiles: Any = None) -> xr.Dataset:
    known = Information(np.diag([0.04, 0.01]), np.ones(2), np.eye(2), 1.0, 1.0)
    columns = {"parameter": np.array(["a", "b"], dtype=object), "start": np.array([2.0, -3.0])}
    logs = np.array([0.1, 0.2])
    bounds = np.array([-1.0, -1.0]), np.array([1.0, 0.2 + 1e-4])
    return parameter_table(columns, logs, bounds, known, profiles or {}, posterior)


def test_intervals_of_laplace_and_of_samples_leave_as_much_on_either_side() -> None:
    share = (np.arange(4000) + 0.5) / 4000
    samples = np.stack([norm.ppf(share), 10 + 2 * norm.ppf(share)], axis=1)
    posterior = xr.Dataset({"value": (("sample", "parameter"), samples)})
    table = _table(posterior)
    for name, width in (("68", 1.0), ("95", norm.ppf(0.975))):
        np.testing.assert_allclose(
            table[f"posterior_low{name}"], [-width, 10 - 2 * width], rtol=3e-3
        )
        np.testing.assert_allclose(
            table[f"posterior_high{name}"], [width, 10 + 2 * width], rtol=3e-3
        )
        value = np.array([2.0 * np.exp(0.1), -3.0 * np.exp(0.2)])
        width = round(width, 2)
        low, high = table[f"low{name}"].values, table[f"high{name}"].values
        np.testing.assert_allclose(low, value * np.exp([-0.2 * width, 0.1 * width]))
        np.testing.assert_allclose(high, value * np.exp([0.2 * width, -0.1 * width]))
    assert table["at_bound"].values.tolist() == [False, True]


def test_devices_of_a_posterior_keep_the_ratios_of_tied_parameters() -> None:
    first = parameter_value(CELL, HFOX)
    values = np.array([[first], [1.5 * first]])
    posterior = xr.Dataset(
        {"value": (("sample", "parameter"), values)}, coords={"parameter": ["barrier"]}
    )
    result: Any = SimpleNamespace(posterior=posterior, paths={"barrier": (HFOX, TAOX)}, device=CELL)
    devices = FitResult.population(result)
    assert devices.paths == (HFOX, TAOX)
    for number, factor in enumerate((1.0, 1.5)):
        drawn = devices.device(CELL, number)
        for path in (HFOX, TAOX):
            expected = factor * parameter_value(CELL, path)
            assert parameter_value(drawn, path) == pytest.approx(expected, rel=1e-9)


def _search(**has: Any) -> Any:
    search: Any = Search.__new__(Search)
    vars(search).update(names=["a", "b", "c"], priors=[0.5, None, 3.0], **has)
    return search


def test_derivatives_are_those_of_the_residuals_with_the_prior() -> None:
    slopes = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
    search = _search(solve=lambda logs: Solve(slopes @ logs, slopes, []))
    columns = [search.residuals(at) - search.residuals(np.zeros(3)) for at in np.eye(3)]
    np.testing.assert_allclose(search.jacobian(np.zeros(3)), np.transpose(columns))
    # a share of 50 % is one standard deviation of the prior, up as a factor
    prior = search.residuals(np.log([1.5, 9.0, 1 / 4]))[2:]
    np.testing.assert_allclose(prior, [1.0, -1.0])


def test_the_search_that_found_the_best_says_why_it_ended() -> None:
    costs = {0.0: 3.0, 1.0: 1.0, 2.0: np.nan, 3.0: 2.0}
    search = _search(ends=[], low=np.array([0.5]), value=np.ones(1), high=np.array([2.0]))
    search.description = SimpleNamespace(starts=4, solves=9)
    search._cost_at = lambda end: costs[end.item()]

    def minimise(begin: np.ndarray, solves: int) -> str:
        assert solves == 9
        search.ends.append(np.array([float(len(search.ends))]))
        return f"search {len(search.ends)}"

    search.minimise = minimise
    assert search.all_starts() == "search 2" and len(search.ends) == 4


def test_a_faster_loop_passes_the_same_voltages_sooner() -> None:
    loop = LoopData.__new__(LoopData)
    loop.waveform = devicephys.Waveform.from_si([0.0, 1.0, 3.0, 4.0], [0.0, -1.0, 1.0, 0.0])
    loop.times = np.linspace(0.1, 3.9, 100)
    loop.axis = np.array([loop.waveform.voltage(t) for t in loop.times])
    loop.measured, loop.error, loop.weight = 1e-4 * loop.axis, np.full(100, 0.02), 3.0
    fast = _faster(loop, 100.0)
    assert fast.waveform.duration == pytest.approx(0.04)
    volts = [fast.waveform.voltage(t) for t in fast.times]
    np.testing.assert_allclose(volts, fast.axis, atol=1e-12)
    np.testing.assert_allclose(fast.measured, 1e-4 * fast.axis)
    assert len(fast.times) == 40 and fast.weight == 1.0 and (fast.error == 0.05).all()
    assert loop.waveform.duration == 4.0 and loop.weight == 3.0  # the loop itself stays


def test_what_an_experiment_leaves_open_is_the_deviation_along_a_direction() -> None:
    covariance = np.array([[0.09, 0.02], [0.02, 0.04]])
    directions = np.array([[1.0, 0.0], [0.6, 0.8]])
    expected = np.sqrt(np.einsum("ki,ij,kj->k", directions, covariance, directions))
    np.testing.assert_allclose(_spread(np.linalg.inv(covariance), directions), expected)


def test_a_file_of_a_fit_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file \(.*what\.yaml"):
        read_description(tmp_path / "what.yaml")
