"""Write-and-verify: it gets there, it says where it does not, and it always ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from ddkbase.errors import InputError
from network.hardware import Faults, KineticCells, MeasuredCells, ReadNoise, write_and_verify
from network.hardware.cells.cells import Polarity
from network.plots.programming import programming_figure
from tests.network.hardware.cell_data import WINDOW, kinetic_cells, table


@pytest.fixture(scope="module")
def cells() -> KineticCells:
    return kinetic_cells()


def targets(shape: tuple[int, ...] = (20, 30), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(25e-6, 195e-6, shape)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def trains(n: int = 400, noise: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Up and down trains that step by 1 % of what is left of 0 to 1."""
    draw = np.random.default_rng(seed)
    up = 1 - 0.99 ** np.arange(n)
    down = 0.99 ** np.arange(n)
    return up + noise * draw.standard_normal(n), down + noise * draw.standard_normal(n)


def measured(noise: float = 0.0, **options: Any) -> MeasuredCells:
    return MeasuredCells.from_trains(
        *trains(noise=noise),
        window=WINDOW,
        up_amplitude="1.2 V",
        down_amplitude="-1.4 V",
        width="100 ns",
        **options,
    )


def test_every_cell_is_written_within_the_tolerance(cells: KineticCells) -> None:
    goal = targets()
    done = write_and_verify(cells, goal, rng=rng(), tolerance="2 uS")
    assert done.written.all()
    assert np.abs(done.conductance - goal).max() <= 2e-6
    ds = done.dataset
    assert ds["conductance"].dims == ("row", "column")
    assert 1 < ds["pulses"].values.mean() < 40
    assert (ds["set_pulses"].values <= ds["pulses"].values).all()
    for variable in ds.variables.values():
        assert variable.attrs["units"] and variable.attrs["long_name"]


def test_tighter_costs_more_pulses(cells: KineticCells) -> None:
    counts = [
        write_and_verify(cells, targets(), rng=rng(), tolerance=t).dataset["pulses"].values.mean()
        for t in ("8 uS", "2 uS", "0.5 uS")
    ]
    assert counts[0] < counts[1] < counts[2]


def test_the_same_seed_writes_the_same(cells: KineticCells) -> None:
    first, second = (write_and_verify(cells, targets(), rng=rng(5)) for _ in range(2))
    assert first.dataset.identical(second.dataset)
    other = write_and_verify(cells, targets(), rng=rng(6))
    assert not np.array_equal(first.conductance, other.conductance)


def test_failed_cells_and_far_targets_end_with_a_reason(cells: KineticCells) -> None:
    goal = targets((40, 40))
    goal[0, 0] = 500e-6
    failed = Faults(0.05, 0.05).draw(goal.shape, rng(2))
    failed[0, 0] = 0
    done = write_and_verify(cells, goal, rng=rng(), failed=failed, max_pulses=60)
    outcome = done.dataset["outcome"].values
    assert outcome[0, 0] == 3 and done.dataset["pulses"].values[0, 0] == 0
    stuck = (failed > 0) & (np.abs(done.conductance - goal) > 2e-6)
    assert set(np.unique(outcome[stuck])) <= {1, 2}
    assert (outcome[stuck] == 2).mean() > 0.9  # noticed well before the pulses run out
    assert done.dataset["pulses"].values[outcome == 2].max() < 60
    assert done.written[failed == 0].mean() > 0.99
    assert "does not move" in done.figures()
    clipped = write_and_verify(cells, goal[:1], rng=rng(), outside="clip")
    assert clipped.written[0, 0]
    assert clipped.conductance[0, 0] == pytest.approx(WINDOW.high, abs=2e-6)


class Deaf:
    """Cells that answer every pulse by jumping to the other end: they can never be written."""

    window = WINDOW
    width = 1e-7

    def __init__(self) -> None:
        self.pulses = 0

    def strengths(self, polarity: int) -> int:
        return 3

    def voltage(self, polarity: np.ndarray, strength: np.ndarray) -> np.ndarray:
        return np.ones(polarity.shape)

    def devices(self, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        return None

    def pulsed(
        self,
        conductance: np.ndarray,
        polarity: np.ndarray,
        strength: np.ndarray,
        devices: Any,
        select: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        self.pulses += 1
        return np.where(polarity > 0, WINDOW.high, WINDOW.low)


def test_it_never_loops_for_ever() -> None:
    deaf = Deaf()
    done = write_and_verify(deaf, np.full((3, 3), 100e-6), rng=rng(), max_pulses=50)
    assert deaf.pulses == 50
    assert (done.dataset["outcome"].values == 1).all()
    assert (done.dataset["pulses"].values == 50).all()


def test_energy_and_time_of_one_pulse() -> None:
    deaf = Deaf()
    done = write_and_verify(
        deaf, [WINDOW.high], rng=rng(), read_voltage="0.2 V", read_time="50 ns", tolerance="1 uS"
    )
    ds = done.dataset
    assert ds["pulses"].values[0] == 1 and ds["set_pulses"].values[0] == 1
    energy = 1.0 * WINDOW.low * 1e-7 + 0.2**2 * 50e-9 * (WINDOW.low + WINDOW.high)
    assert ds["energy"].values[0] == pytest.approx(energy, rel=1e-12)
    assert ds["time"].values[0] == pytest.approx(1e-7 + 2 * 50e-9, rel=1e-12)
    twice = write_and_verify(deaf, [WINDOW.high], rng=rng(), reads=2, tolerance="1 uS")
    assert twice.dataset["time"].values[0] == pytest.approx(1e-7 + 4 * 1e-7, rel=1e-12)


def test_noisy_reads_pass_wrong_cells_and_averaging_mends_it(cells: KineticCells) -> None:
    noise = ReadNoise(absolute=4e-6)
    one, many = (
        write_and_verify(cells, targets(), rng=rng(), read=noise, reads=n, tolerance="1 uS")
        for n in (1, 64)
    )
    errors = [p.dataset["error"].values[p.written].std() for p in (one, many)]
    assert errors[0] > 2e-6 > 1e-6 > errors[1]


def test_strength_grows_only_where_the_cell_hardly_moves(cells: KineticCells) -> None:
    # a target far away needs strong pulses; the weakest alone would need many more
    far = write_and_verify(cells, [195e-6], rng=rng(), tolerance="4 uS")
    assert far.written[0] and far.dataset["pulses"].values[0] < 20
    down, up = (
        Polarity(p.voltages[:1], p.alpha[:1], p.beta[:1], p.spreads[:1])
        for p in (cells.reset, cells.set)
    )
    weakest = KineticCells(cells.window, down, up, cells.width)
    slow = write_and_verify(weakest, [195e-6], rng=rng(), tolerance="4 uS")
    assert slow.written[0]
    assert slow.dataset["pulses"].values[0] > far.dataset["pulses"].values[0]


def test_kinetic_cells_follow_the_equations() -> None:
    quiet = kinetic_cells(cycles=1, devices=1)
    top = len(quiet.reset.voltages) - 1
    g = np.array([110e-6])
    index, none = np.array([0]), np.zeros((2, 1))
    for sign, polarity in ((-1, quiet.reset), (1, quiet.set)):
        after = quiet.pulsed(g, np.array([sign]), np.array([top]), none, index, rng())
        y = (g - WINDOW.low) / WINDOW.span
        c = y + sign * polarity.beta[top]
        expected = np.minimum((c + np.sqrt(c * c + 4 * polarity.alpha[top])) / 2, 1)
        assert after == pytest.approx(WINDOW.low + WINDOW.span * expected, rel=1e-9)
    assert quiet.voltage(np.array([-1, 1]), np.array([0, 0])) == pytest.approx([-0.9, 0.9])


def test_cells_of_a_table_take_its_window_and_scatter() -> None:
    own = KineticCells.from_tables(table())
    assert own.width == pytest.approx(100e-9)
    assert 19e-6 < own.window.low < own.window.high < 201e-6
    assert own.reset.spreads[0].device.any() and own.reset.spreads[0].cycle.any()
    with pytest.raises(InputError, match="outside of the table"):
        KineticCells.from_tables(table(), width="1 us")


def test_steps_of_measured_cells_are_found_again() -> None:
    found = measured()
    # 1 % of what is left, at each place
    assert found.up == pytest.approx(0.01 * (1 - found.edges), abs=1.5e-3)
    assert found.down == pytest.approx(-0.01 * found.edges, abs=1.5e-3)
    assert found.reading == 0
    noisy = measured(noise=0.02)
    span = WINDOW.span
    assert noisy.reading == pytest.approx(0.02 * span, rel=0.15)
    assert noisy.up_deviation[0] < 0.5 * 0.02 * np.sqrt(2)  # most of it was reading
    done = write_and_verify(found, targets(), rng=rng(), max_pulses=800)
    assert done.written.mean() > 0.99
    wild = measured(device=0.5)
    factors = wild.devices((1000,), rng())
    assert factors.std() == pytest.approx(0.5, rel=0.1)


def test_the_picture_has_what_it_promises(cells: KineticCells) -> None:
    goal = targets((16, 16))
    failed = Faults(0.1).draw(goal.shape, rng())
    done = write_and_verify(cells, goal, rng=rng(), failed=failed)
    axes = programming_figure(done, (goal, done.conductance)).axes
    assert len(axes) == 6
    assert axes[2].get_xlabel() == "conductance less target (µS)"
    counts = sum(
        patch.get_bbox().height for patch in axes[2].patches if isinstance(patch, Rectangle)
    )
    assert counts == np.count_nonzero(done.written & (done.dataset["pulses"].values > 0))
    assert axes[5].get_xlabel() == "output wanted"
    nothing = write_and_verify(cells, [WINDOW.low], rng=rng())
    programming_figure(nothing).canvas.draw()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": [np.nan]}, "NaN"),
        ({"target": []}, "nothing"),
        ({"target": ["x"]}, "no array of conductances"),
        ({"target": [-1e-6]}, "negative"),
        ({"tolerance": "0 S"}, "not positive"),
        ({"tolerance": 2.0}, "no unit"),
        ({"max_pulses": 0}, "no number of pulses"),
        ({"reads": 0}, "no number of reads"),
        ({"outside": "pray"}, "'fail' or 'clip'"),
        ({"rng": None}, "needs random numbers"),
        ({"failed": np.zeros((2, 2))}, "for"),
    ],
)
def test_bad_input_is_one_line(cells: KineticCells, options: dict[str, Any], message: str) -> None:
    options = {"target": [100e-6], "rng": rng(), **options}
    with pytest.raises(InputError, match=message) as caught:
        write_and_verify(cells, options.pop("target"), **options)
    assert "\n" not in str(caught.value)
