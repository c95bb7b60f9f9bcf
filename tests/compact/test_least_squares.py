"""The batched least squares: NIST's problems, bounds, robust losses, independence of problems."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares, lsq_linear

from compact.fitting.diagnostics import diagnose
from compact.fitting.least_squares import rho, solve
from compact.fitting.model import ReducedModel, TrainModel
from compact.fitting.trains import prepare
from ddkbase.errors import InputError
from tests.compact.nist_problems import MODELS, Problem, digits, read


def run(problem: Problem, start: int, algebra: str) -> tuple[float, np.ndarray]:
    free = np.full((1, len(problem.certified)), np.inf)
    found = solve(
        problem.model,
        problem.starts[start][None],
        -free,
        free,
        steps=1000,
        tolerance=1e-14,
        algebra=algebra,
    )
    samples = np.array([len(problem.y)])
    errors = diagnose(found.x, found.hessian, 2 * found.cost, samples, -free, free).errors[0]
    return digits(found.x[0], problem.certified), errors


@pytest.mark.parametrize("algebra", ["normal", "qr"])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_nist_from_the_nearer_start(name: str, algebra: str) -> None:
    problem = read(name)
    correct, errors = run(problem, 1, algebra)
    assert correct >= 6
    # Lanczos1 leaves residuals of 1e-13, Bennett5 and the like lose digits in J^T J
    if name not in ("Lanczos1",):
        np.testing.assert_allclose(errors, problem.errors, rtol=1e-3)


def test_nist_from_the_far_start() -> None:
    reached = [name for name in MODELS if run(read(name), 0, "normal")[0] >= 6]
    assert set(MODELS) - set(reached) <= {"BoxBOD", "MGH10"}


def exponential(data: np.ndarray, t: np.ndarray):  # type: ignore[no-untyped-def]
    def model(theta: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        decay = np.exp(-theta[:, 1] * t[:, None])
        jacobian = np.stack([decay, -theta[:, 0] * t[:, None] * decay])
        return theta[:, 0] * decay - data[:, index], jacobian

    return model


T = np.linspace(0, 4, 30)


def noisy(number: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.5, 2, (2, number))
    return true[0] * np.exp(-true[1] * T[:, None]) + 0.02 * rng.standard_normal((30, number))


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber"])
def test_a_batch_equals_scipy_one_by_one(loss: str) -> None:
    data = noisy(12, 1)
    data[7] += 0.5  # an outlier in each
    found = solve(exponential(data, T), np.ones((12, 2)), [0, 0], [10, 1.2], loss=loss, scale=0.03)
    assert found.converged.all()
    for k in range(12):
        alone = least_squares(
            lambda p, k=k: p[0] * np.exp(-p[1] * T) - data[:, k],
            [1, 1],
            bounds=([0, 0], [10, 1.2]),
            loss=loss,
            f_scale=0.03,
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
        )
        assert found.cost[k] <= alone.cost * (1 + 1e-7)
        np.testing.assert_allclose(found.x[k], alone.x, rtol=2e-4, atol=1e-6)


def test_a_problem_does_not_depend_on_its_neighbours() -> None:
    data = noisy(40, 2)
    together = solve(exponential(data, T), np.ones((40, 2)), [0, 0], [10, 10])
    for k in (0, 17, 39):
        alone = solve(exponential(data[:, k : k + 1], T), np.ones((1, 2)), [0, 0], [10, 10])
        np.testing.assert_allclose(alone.x[0], together.x[k], rtol=1e-12)
        assert alone.steps[0] == together.steps[k]


@pytest.mark.parametrize("algebra", ["normal", "qr"])
def test_linear_problems_end_at_the_bounded_optimum(algebra: str) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        matrix, target = rng.standard_normal((10, 4)), rng.standard_normal(10)
        low, high = -rng.uniform(0, 0.5, 4), rng.uniform(0, 0.5, 4)

        def model(
            theta: np.ndarray, _: np.ndarray, matrix: np.ndarray = matrix, t: np.ndarray = target
        ) -> tuple[np.ndarray, np.ndarray]:
            jacobian = np.repeat(matrix.T[:, :, None], len(theta), axis=2)
            return matrix @ theta.T - t[:, None], jacobian

        found = solve(model, np.zeros((1, 4)), low, high, algebra=algebra, tolerance=1e-12)
        expected = lsq_linear(matrix, target, bounds=(low, high), tol=1e-14)
        assert found.cost[0] == pytest.approx(expected.cost, rel=1e-9)
        assert ((found.x >= low) & (found.x <= high)).all()


def test_equal_bounds_fix_a_parameter() -> None:
    found = solve(exponential(noisy(3, 5), T), np.ones((3, 2)), [0, 0.7], [10, 0.7])
    assert (found.x[:, 1] == 0.7).all()
    assert found.converged.all()


def test_numbers_that_are_not_finite_count_as_a_bad_step() -> None:
    def model(theta: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log(theta.T) - 0.0, (1 / theta.T)[None]

    found = solve(model, np.array([[30.0]]), [-100], [100], steps=100)  # Newton's step is below 0
    assert found.x[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber"])
def test_derivatives_of_the_losses(loss: str) -> None:
    z = np.array([0.01, 0.5, 0.9, 1.1, 3.0, 100.0])
    h = 1e-6 * z
    _, first, second = rho(z, loss)
    np.testing.assert_allclose(
        first, (rho(z + h, loss)[0] - rho(z - h, loss)[0]) / (2 * h), rtol=1e-7
    )
    np.testing.assert_allclose(
        second, (rho(z + h, loss)[1] - rho(z - h, loss)[1]) / (2 * h), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"loss": "hubr"}, "Did you mean 'huber'?"),
        ({"algebra": "svd"}, "unknown algebra 'svd'"),
        ({"lower": [2, 2], "upper": [1, 1]}, "lower bound exceeds"),
        ({"start": np.full((3, 2), np.nan)}, "NaN or infinity"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], said: str) -> None:
    arguments = {"start": np.ones((3, 2)), "lower": [0, 0], "upper": [9, 9], **change}
    with pytest.raises(InputError) as caught:
        solve(exponential(noisy(3, 6), T), **arguments)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_certified_errors_are_read_from_the_files() -> None:
    assert sum(len(read(name).certified) for name in MODELS) == 120
    problem = read("Nelson")
    assert problem.x.shape == (2, 128)


def test_a_step_that_the_bounds_bend_uphill_is_not_the_end() -> None:
    """From here the whole step ends in the corner where both parameters are 0, which is uphill."""
    y = 1 - np.linspace(0, 1, 101) ** 2
    model = TrainModel(prepare(y[None], True), "implicit", -1)
    reduced = ReducedModel(model, *model.bounds("data", 10.0))
    found = solve(reduced, np.array([[0.01016155, 0.16180031]]), *reduced.bounds(), steps=60)
    best = solve(reduced, np.array([[0.007, 0.05]]), *reduced.bounds(), steps=60)
    assert found.converged.all() and best.converged.all()
    assert 2 * found.cost[0] == pytest.approx(1.2812997, abs=1e-6)
    np.testing.assert_allclose(found.x, best.x, atol=1e-7)
