"""A perceptron that learns by bare pulses, beside an independent one written here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import compact
from ddkbase.errors import InputError
from network import datasets
from network.hardware import (
    ConductanceWindow,
    OnChipTraining,
    SynapticCells,
    train_on_chip,
    write_trained,
)

NEUROSIM = SynapticCells.labelled(2, -4, 100, 0.01)
Data = tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def digits() -> Data:
    pytest.importorskip("sklearn")
    data = datasets.load("digits")
    order = np.random.default_rng(0).permutation(len(data.y))
    x, y = np.asarray(data.x).reshape(len(data.y), -1)[order], data.y[order]
    return x[360:], y[360:], (x[:360], y[:360])


def independent(
    data: Data, seed: int, epochs: int, up: float, down: float, levels: int, cycle: float
) -> float:
    """The same benchmark with a loop and laws of its own; order and start are the package's."""
    x, y, (test_x, test_y) = data
    start, order, draws = (np.random.default_rng([seed, k]) for k in range(3))
    sizes = [(64, 100), (100, 10)]
    g = [0.5 + 0.5 * start.uniform(-(n**-0.5), n**-0.5, (n, m)) for n, m in sizes]

    lengths = {label: levels / compact.curvature_of(label) for label in (up, -down) if label}

    def pulse(state: np.ndarray, label: float) -> np.ndarray:
        """One pulse by NeuroSim's formula: invert for the pulse number, add one."""
        if label == 0:
            return state + 1 / levels
        a = lengths[label]
        b = 1 / (1 - np.exp(-levels / a))
        number = -a * np.log(1 - state / b)
        return b * (1 - np.exp(-(number + 1) / a))

    for epoch in range(epochs):
        rate = 0.05 * (1 - epoch / epochs)
        sequence = order.permutation(len(x))
        for first in range(0, len(x), 10):
            batch = sequence[first : first + 10]
            target = (y[batch][:, None] == np.arange(10)).astype(float)
            w = [2 * state - 1 for state in g]
            hidden = 1 / (1 + np.exp(-x[batch] @ w[0]))
            error = target - 1 / (1 + np.exp(-hidden @ w[1]))
            back = (error @ w[1].T) * hidden * (1 - hidden)
            for k, change in enumerate((x[batch].T @ back, hidden.T @ error)):
                wish = rate * change * levels / 2
                number = np.floor(np.abs(wish) + draws.random(wish.shape))
                for turn in range(int(number.max())):
                    for sign, label in ((1, up), (-1, -down)):
                        at = (number > turn) & (np.sign(wish) == sign)
                        state = g[k][at] if sign > 0 else 1 - g[k][at]
                        moved = pulse(state, label) + cycle * draws.standard_normal(state.size)
                        g[k][at] = np.clip(moved if sign > 0 else 1 - moved, 0, 1)
    hidden = 1 / (1 + np.exp(-test_x @ (2 * g[0] - 1)))
    return float(np.mean(np.argmax(hidden @ (2 * g[1] - 1), axis=1) == test_y))


@pytest.mark.slow
@pytest.mark.parametrize(("up", "down", "cycle"), [(2, -4, 0.01), (0, 0, 0.0)])
def test_within_a_point_of_an_independent_loop(
    digits: Data, up: float, down: float, cycle: float
) -> None:
    seeds, how = range(4), OnChipTraining(epochs=12)
    cells = SynapticCells.labelled(up, down, 100, cycle)
    x, y, test = digits
    ours = [
        train_on_chip(cells, x, y, test=test, classes=10, seed=s, training=how).accuracy[-1]
        for s in seeds
    ]
    other = [independent(digits, s, 12, up, down, 100, cycle) for s in seeds]
    assert abs(np.mean(ours) - np.mean(other)) < 0.01
    assert np.mean(other) > 0.9


def plain(data: Data, epochs: int) -> float:
    """Gradient descent on numbers, with seed 0's order and start."""
    x, y, (test_x, test_y) = data
    start, order = (np.random.default_rng([0, k]) for k in range(2))
    w = [start.uniform(-(n**-0.5), n**-0.5, (n, m)) for n, m in ((64, 100), (100, 10))]
    for epoch in range(epochs):
        sequence = order.permutation(len(x))
        for first in range(0, len(x), 10):
            batch = sequence[first : first + 10]
            hidden = 1 / (1 + np.exp(-x[batch] @ w[0]))
            error = np.eye(10)[y[batch]] - 1 / (1 + np.exp(-hidden @ w[1]))
            back = (error @ w[1].T) * hidden * (1 - hidden)
            for k, change in enumerate((x[batch].T @ back, hidden.T @ error)):
                w[k] = np.clip(w[k] + 0.05 * (1 - epoch / epochs) * change, -1, 1)
    hidden = 1 / (1 + np.exp(-test_x @ w[0]))
    return float(np.mean(np.argmax(hidden @ w[1], axis=1) == test_y))


def test_ideal_cells_reach_plain_gradient_descent(digits: Data) -> None:
    x, y, test = digits
    how = OnChipTraining(epochs=12)
    known = {"test": test, "classes": 10, "seed": 0, "training": how}
    numbers = train_on_chip(None, x, y, **known).accuracy[-1]  # type: ignore[arg-type]
    ideal = train_on_chip(NEUROSIM.ideal, x, y, **known).accuracy[-1]  # type: ignore[arg-type]
    by_hand = plain(digits, 12)
    assert numbers == pytest.approx(by_hand, abs=0.003)
    assert ideal > by_hand - 0.015 and by_hand > 0.94


def test_pairs_weights_and_counts(digits: Data) -> None:
    x, y, test = digits
    how = OnChipTraining(epochs=2, scheme="pairs", samples=300, rate=0.2)
    known = SynapticCells.labelled(
        1, -1, 50, 0.01, window=ConductanceWindow(1e-6, 5e-6), up_voltage=1.0, down_voltage=2.0,
        width=1e-7,
    )  # fmt: skip
    result = train_on_chip(known, x, y, test=test, classes=10, seed=1, training=how)
    assert result.cells == 2 * (64 * 100 + 100 * 10)
    for weight, state in zip(result.weights, result.states, strict=True):
        assert state.shape == (2, *weight.shape)
        assert weight == pytest.approx(state[0] - state[1], abs=1e-6)
    assert result.up_pulses == result.down_pulses > 0  # each update moves both cells of a pair
    total = result.up_pulses + result.down_pulses
    assert 1e-6 * 1e-7 * result.up_pulses < result.energy < 4 * 5e-6 * 1e-7 * total
    assert len(result.accuracy) == 2 and result.accuracy[-1] > 0.5


def test_the_same_seed_gives_the_same_and_another_another(digits: Data) -> None:
    x, y, test = digits
    how = OnChipTraining(epochs=1, samples=200)

    def weights(seed: int) -> np.ndarray:
        known = {"test": test, "classes": 10, "seed": seed, "training": how}
        return train_on_chip(NEUROSIM, x, y, **known).weights[0]  # type: ignore[arg-type]

    assert (weights(3) == weights(3)).all()
    assert (weights(3) != weights(4)).any()


def test_updates_below_half_a_pulse_are_lost_where_they_are_rounded(digits: Data) -> None:
    x, y, test = digits
    how = OnChipTraining(epochs=1, samples=50, rate=1e-4, rounding="nearest")
    result = train_on_chip(NEUROSIM, x, y, test=test, classes=10, seed=0, training=how)
    assert result.up_pulses == result.down_pulses == 0


def test_written_weights_are_within_the_tolerance(digits: Data) -> None:
    x, y, test = digits
    how = OnChipTraining(epochs=6, hidden=20)
    numbers = train_on_chip(None, x, y, test=test, classes=10, seed=0, training=how)
    accuracy, layers = write_trained(NEUROSIM, numbers.weights, test=test, seed=0, tolerance=0.02)
    done = np.concatenate([q.written.ravel() for q in layers])
    error = np.concatenate([q.dataset["error"].values.ravel() for q in layers])
    assert done.mean() > 0.99 and np.abs(error[done]).max() <= 0.02
    assert accuracy == pytest.approx(numbers.accuracy[-1], abs=0.03)
    again, _ = write_trained(
        SynapticCells.labelled(0, 0, 1000), numbers.weights, test=test, seed=0, tolerance=0.001,
        max_pulses=2000,
    )  # fmt: skip
    assert again == pytest.approx(numbers.accuracy[-1], abs=0.003)


@given(
    arrays.arrays(float, 12, elements=st.floats(0, 1)),
    arrays.arrays(np.int64, 12, elements=st.integers(-300, 300)),
    st.floats(-9, 9),
    st.floats(-9, 9),
    st.integers(1, 300),
    st.floats(0, 2),
)
def test_cells_stay_in_their_window(
    state: np.ndarray, number: np.ndarray, up: float, down: float, levels: int, cycle: float
) -> None:
    cells = SynapticCells.labelled(up, down, levels, cycle)
    after = cells.moved(state, number, np.random.default_rng(0))
    assert ((after >= 0) & (after <= 1)).all()
    assert (after[number == 0] == state[number == 0]).all()
    if cycle == 0:
        assert (np.sign(after - state) * np.sign(number) >= 0).all()
    volts = SynapticCells.labelled(up, down, levels, cycle, window=ConductanceWindow(1e-6, 9e-6))
    conductance = volts.pulsed(
        1e-6 + 8e-6 * state, np.sign(number), number * 0, None, np.arange(12),
        np.random.default_rng(0),
    )  # fmt: skip
    assert ((conductance >= 1e-6 * (1 - 1e-12)) & (conductance <= 9e-6 * (1 + 1e-12))).all()


def test_cells_of_a_law_meet_its_ends() -> None:
    cells = SynapticCells.labelled(3, -6, 40)
    rng = np.random.default_rng(0)
    ends = cells.moved(np.array([0.0, 1.0]), np.array([40, -40]), rng)
    assert ends == pytest.approx([1.0, 0.0], abs=1e-9)
    assert cells.moved(np.array([0.0]), np.array([1]), rng)[0] > 1 / 40  # the first is the largest


@pytest.mark.parametrize(
    ("field", "value"),
    [("hidden", 0), ("epochs", 1.5), ("batch", True), ("rate", float("nan")), ("samples", 0),
     ("scheme", "three"), ("rounding", "up")],
)  # fmt: skip
def test_training_that_makes_no_sense_is_refused(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field):
        OnChipTraining(**{field: value})  # type: ignore[arg-type]


def test_samples_that_do_not_fit_are_refused() -> None:
    x, y = np.zeros((4, 3)), np.array([0, 1, 2, 1])
    known = {"classes": 3, "seed": 0}
    with pytest.raises(InputError, match="classes from 0 to 2"):
        train_on_chip(None, x, y, test=(x, y), classes=2, seed=0)
    with pytest.raises(InputError, match="test"):
        train_on_chip(None, x, y, test=(x[:, :2], y), **known)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="tolerance"):
        write_trained(NEUROSIM, (x,), test=(x, y), seed=0, tolerance=0)


def test_pulses_cost_volts_squared_at_the_mean_conductance() -> None:
    window = ConductanceWindow(1e-6, 5e-6)
    cells = SynapticCells.labelled(
        2, -4, 100, window=window, up_voltage=2.0, down_voltage=3.0, width=1e-7
    )
    before, after = np.array([0.0, 0.5, 1.0]), np.array([0.5, 0.5, 0.25])
    pulses = np.array([4.0, 0.0, -2.0])
    up, down = 4 * 4 * 2e-6, 9 * 2 * 3.5e-6  # at a quarter and at five eighths of the window
    assert cells.energy(before, after, pulses) == pytest.approx((up + down) * 1e-7)
    signs = np.array([1, -1])
    assert cells.voltage(signs, np.zeros(2, int)).tolist() == [2.0, -3.0]


def test_scatter_of_several_pulses_is_that_of_a_walk() -> None:
    cells = SynapticCells(
        compact.ExponentialSteps(1000),
        compact.ExponentialSteps(500),
        up_cycle=0.001,
        down_cycle=0.003,
    )
    state = np.full(20_000, 0.5)
    rng = np.random.default_rng(5)
    for sign, each, cycle in ((1, 1 / 1000, 0.001), (-1, 1 / 500, 0.003)):
        for number in (1, 16):
            moved = cells.moved(state, np.full(state.shape, sign * number), rng) - 0.5
            deviation = cycle * np.sqrt(number)
            assert moved.mean() == pytest.approx(sign * number * each, abs=4 * deviation / 141)
            assert moved.std() == pytest.approx(deviation, rel=0.03)
    assert (cells.moved(state, np.zeros(state.shape), rng) == state).all()
    # how many pulses a change takes, by its sign, and back to cells whose steps are all alike
    assert cells.pulses_for(np.array([0.01, -0.01])).tolist() == pytest.approx([10.0, -5.0])
    assert (cells.ideal.up.levels, cells.ideal.down.levels) == (1000, 500)


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_a_straight_branch_climbs_its_part_of_the_window(share: float) -> None:
    for curvature in (0.0, 1e-9, 1e-5):  # the straight line and the exponential meet
        law = compact.ExponentialSteps(50, curvature, start=0.1, end=0.1 + share)
        assert law.levels == pytest.approx(50 / share)
        climbed = law.climb(np.array([0.1, 0.15]), np.array([10.0, 25.0]))
        assert climbed == pytest.approx([0.1 + 0.2 * share, 0.15 + 0.5 * share], rel=1e-4)


def test_levels_of_a_part_of_the_window_are_those_of_the_whole() -> None:
    whole = compact.KineticSteps(0.01, 0.1, 40)
    half = compact.KineticSteps(0.01, 0.1, 40, start=0.2, end=0.7)
    assert (whole.levels, half.levels) == pytest.approx((40, 80))
