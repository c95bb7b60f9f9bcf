"""Up and down trains as a synapse: NeuroSim's label, both laws, scatter, what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import compact
from compact.laws.branches import _exponential
from compact.laws.pulse_steps import StepLaw, saturation
from ddkbase.errors import InputError


def branch(label: float, pulses: int) -> np.ndarray:
    """A normalised branch by NeuroSim's formula with the A that belongs to a label."""
    if label == 0:
        return np.linspace(0, 1, pulses + 1)
    a = pulses / compact.curvature_of(label)
    p = np.arange(pulses + 1)
    return np.asarray((1 - np.exp(-p / a)) / (1 - np.exp(-pulses / a)))


def cycles(
    up: float = 2.0, down: float = -4.0, pulses: int = 100, count: int = 4, noise: float = 0.0
) -> np.ndarray:
    """Conductances [uS] of LTP and LTD one after the other, (count, 2 pulses + 1)."""
    rise, fall = branch(up, pulses), 1 - branch(-down, pulses)
    rng = np.random.default_rng(3)
    both = np.tile(np.concatenate([rise, fall[1:]]), (count, 1))
    return np.asarray(5 + 45 * (both + noise * rng.standard_normal(both.shape)))


def one_column(path: Path, values: np.ndarray, settings: bool = True) -> Path:
    """A file with all cycles in one column: they turn, and begin anew."""
    heads = ",amplitude (V),width (ns)" if settings else ""
    lines = [f"cycle,pulse,conductance (uS){heads}"]
    for number, cycle in enumerate(values):
        turn = int(cycle.argmax())
        for k, g in enumerate(cycle):
            pulse = f",{1.5 if k <= turn else -1.2},100" if settings else ""
            lines.append(f"{number},{k},{g:.9g}{pulse}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("label", "a"),
    # A over the number of pulses in the table of MLP+NeuroSim V3.0, to its six digits
    [(0.01, 126.268958), (0.3, 4.205668), (2.0, 0.609035), (4.88, 0.200303), (9.0, 0.02281)],
)
def test_the_label_is_neurosim_s(label: float, a: float) -> None:
    assert 1 / compact.curvature_of(label) == pytest.approx(a, abs=6e-7, rel=1e-6)
    assert compact.nonlinearity_label(1 / a) == pytest.approx(label, rel=2e-5)
    assert compact.nonlinearity_label(-1 / a) == pytest.approx(-label, rel=2e-5)


def test_a_label_beyond_the_table_is_refused() -> None:
    with pytest.raises(InputError, match="from -9 to 9"):
        compact.curvature_of(9.5)
    with pytest.raises(InputError, match="from -9 to 9"):
        compact.curvature_of(float("nan"))


def test_one_column_that_turns_is_both_branches(tmp_path: Path) -> None:
    file = one_column(tmp_path / "both.csv", cycles(), settings=False)
    synapse = compact.fit_synapse(compact.read_pulses(file, direction="split"))
    assert synapse.up.nonlinearity == pytest.approx(2.0, rel=1e-4)
    assert synapse.down.nonlinearity == pytest.approx(-4.0, rel=1e-4)
    assert (synapse.up.trains, synapse.down.trains) == (4, 4)
    assert synapse.levels == (100, 100)
    assert synapse.low == pytest.approx(5e-6, rel=1e-4)
    assert synapse.high == pytest.approx(50e-6, rel=1e-4)
    assert synapse.on_off == pytest.approx(10, rel=1e-4)
    assert synapse.states == 101
    assert np.isnan(synapse.width)


def test_the_amplitude_parts_trains_as_well(tmp_path: Path) -> None:
    file = one_column(tmp_path / "both.csv", cycles())
    synapse = compact.fit_synapse(compact.read_pulses(file, direction="split"))
    # the last read of the up train is the one before the first down pulse
    assert synapse.levels == (100, 100)
    assert synapse.up.nonlinearity == pytest.approx(2.0, rel=1e-3)
    assert synapse.down.nonlinearity == pytest.approx(-4.0, rel=1e-3)
    assert synapse.up_amplitude == 1.5 and synapse.down_amplitude == -1.2
    assert synapse.width == pytest.approx(100e-9)
    assert synapse.up.rmse["exponential"] < 1e-6 < synapse.up.rmse["alpha/beta"]


def test_without_pulse_numbers_a_turn_of_the_amplitude_loses_no_step(tmp_path: Path) -> None:
    file = tmp_path / "both.csv"
    rise, fall = cycles(count=1)[0, :101], cycles(count=1)[0, 101:]
    lines = [f"{g},{volts}" for part, volts in ((rise, 1.5), (fall, -1.2)) for g in part]
    file.write_text("conductance (uS),amplitude (V)\n" + "\n".join(lines) + "\n")
    trains = compact.read_pulses(file)
    assert trains["initial_conductance"].values[1] == pytest.approx(rise[-1] * 1e-6)
    assert "follows pulses of the other polarity" in trains.attrs["assumptions"]
    assert compact.fit_synapse(trains).down.nonlinearity == pytest.approx(-4.0, rel=1e-3)
    # of one polarity the cell may have been brought back
    file.write_text(file.read_text().replace(",-1.2", ",1.2"))
    assert np.isnan(compact.read_pulses(file)["initial_conductance"].values).all()


def test_numbers_that_go_on_in_another_cell_are_no_start(tmp_path: Path) -> None:
    file = tmp_path / "two.csv"
    lines = [f"{d},{100 * d + k + 1},{g}" for d in (0, 1) for k, g in enumerate(cycles()[0, :100])]
    file.write_text("device,pulse,conductance (uS)\n" + "\n".join(lines) + "\n")
    trains = compact.read_pulses(file)
    assert "goes on at pulse 101" in trains.attrs["assumptions"]
    assert np.isnan(trains["initial_conductance"].values).all()


def test_both_laws_go_the_way_of_the_train(tmp_path: Path) -> None:
    file = one_column(tmp_path / "both.csv", cycles(3, -1, noise=0.001), settings=False)
    synapse = compact.fit_synapse(compact.read_pulses(file, direction="split"))
    for law, near in (("exponential", 0.004), ("alpha/beta", 0.05)):
        up, down = synapse.steps(law)
        number = np.arange(0, 101, 10.0)
        rise = up.climb(np.full(11, (synapse.up.start - synapse.low) / synapse.span), number)
        fall = down.climb(np.full(11, (synapse.high - synapse.down.start) / synapse.span), number)
        seen = (synapse.up.read[::10] - synapse.low) / synapse.span
        assert np.abs(rise - seen).max() < near
        assert np.abs(fall - (synapse.high - synapse.down.read[::10]) / synapse.span).max() < near
    assert synapse.best_law() == "exponential"


def test_scatter_of_steps_stays_and_noise_of_reads_passes() -> None:
    rng = np.random.default_rng(1)
    line = np.linspace(0.2, 0.8, 201)
    walk = np.cumsum(0.01 * rng.standard_normal((12, 201)), axis=1)
    reads = 0.02 * rng.standard_normal((12, 201))

    def fitted(more: np.ndarray) -> compact.Synapse:
        return compact.fit_synapse(dataset(np.concatenate([line + more, line[::-1] + more])))

    both = fitted(walk + reads)
    assert both.cycle[0] == pytest.approx(0.01 / 0.6, rel=0.15)
    assert both.up.read_noise == pytest.approx(0.02, rel=0.15)
    quiet = fitted(reads)
    assert quiet.cycle[0] < 0.002 / 0.6
    assert quiet.up.read_noise == pytest.approx(0.02, rel=0.1)


def dataset(values: np.ndarray) -> object:
    """Trains (N, n), the first half up, without a unit."""
    import xarray as xr

    half = len(values) // 2
    return xr.Dataset(
        {
            "conductance": (("train", "pulse"), values, {"units": "1"}),
            "direction": ("train", ["up"] * half + ["down"] * half),
        },
        attrs={"source_file": "made"},
    )


def test_what_is_not_determined_is_said(tmp_path: Path) -> None:
    rise = branch(1, 9)
    rows = "\n".join(f"{a:.4f},{1 - a:.4f}" for a in rise)
    file = tmp_path / "few.csv"
    file.write_text(f"LTP,LTD\n{rows}\n")
    synapse = compact.fit_synapse(compact.read_pulses(file, direction="split"))
    notes = "\n".join([*synapse.notes, *synapse.up.notes, *synapse.down.notes])
    assert "on/off ratio: not determined" in notes
    assert "spread of a step, up: not determined, 10 reads are too few" in notes
    assert np.isnan(synapse.on_off) and np.isnan(synapse.cycle[0])
    jump = np.concatenate([[0.0], np.ones(40)])
    at_once = compact.fit_synapse(dataset(np.stack([jump, 1 - jump])))
    assert np.isnan(at_once.up.nonlinearity)
    assert "nonlinearity, up: not determined" in at_once.up.notes[0]


@pytest.mark.parametrize(("way", "missing"), [("up", "down"), ("down", "up")])
def test_one_branch_alone_is_refused(tmp_path: Path, way: str, missing: str) -> None:
    values = branch(2, 30) if way == "up" else 1 - branch(2, 30)
    file = tmp_path / "one.csv"
    file.write_text("conductance (uS)\n" + "\n".join(f"{10 + 5 * v:.5f}" for v in values) + "\n")
    with pytest.raises(InputError) as caught:
        compact.fit_synapse(compact.read_pulses(file, direction="split"))
    line = str(caught.value)
    assert f"only {way} trains: the {missing} branch is missing" in line and "one.csv" in line


def test_branches_without_a_common_window_are_refused() -> None:
    with pytest.raises(InputError, match="no common window"):
        compact.fit_synapse(dataset(np.stack([branch(1, 40), 9 - branch(1, 40)])))


def test_trains_that_go_the_other_way_are_refused() -> None:
    with pytest.raises(InputError, match="said to go up"):
        compact.fit_synapse(dataset(np.stack([1 - branch(1, 40), 1 - branch(1, 40)])))


def test_asymmetry_has_a_name() -> None:
    alike = compact.fit_synapse(dataset(np.stack([branch(0, 50), 1 - branch(0, 50)])))
    assert "balanced" in alike.asymmetry_text("exponential")
    unlike = compact.fit_synapse(dataset(np.stack([branch(4, 50), 1 - branch(4, 50)])))
    mean, balance = unlike.asymmetry("exponential")
    assert mean > 0.3 and balance == pytest.approx(0.5, abs=0.02)
    assert "steps up are larger below 50 % of the window" in unlike.asymmetry_text("exponential")


ways = st.floats(0, 1)


@given(ways, st.integers(1, 300), st.floats(-9, 9), st.integers(2, 500))
def test_steps_add_up(way: float, number: int, label: float, pulses: int) -> None:
    law: StepLaw = compact.ExponentialSteps(pulses, compact.curvature_of(label))
    first = law.climb(np.array([way]), np.array([1.0]))
    assert first[0] > way - 1e-12
    if abs(label) < 5:  # single steps of steep branches lose their digits
        once = law.climb(first, np.array([number - 1.0]))
        at_once = law.climb(np.array([way]), np.array([float(number)]))
        assert once[0] == pytest.approx(at_once[0], rel=1e-6, abs=1e-9)


@given(ways, st.integers(0, 40), st.floats(0, 0.2), st.floats(0, 0.5))
def test_alpha_and_beta_make_single_steps(way: float, number: int, a: float, b: float) -> None:
    law: StepLaw = compact.KineticSteps(a, b, 10)
    reached = law.climb(np.array([way]), np.array([float(number)]))[0]
    y = 1 - way
    for _ in range(number):
        c = y - b
        y = (c + np.sqrt(c * c + 4 * a)) / 2
    # below alpha/beta Eq. (4) would lead y up again: pulses never move a cell back
    assert reached == pytest.approx(max(way, 1 - y), abs=1e-7)
    assert reached >= way


def test_beyond_the_end_of_a_law_a_cell_stays() -> None:
    exponential = compact.ExponentialSteps(50, 5.0, 0.0, 0.8)
    kinetic = compact.KineticSteps(0.01, 0.05, 50)  # leads to y = 0.2
    for law in (exponential, kinetic):
        way = np.array([0.2, 0.95])
        once, often = (law.climb(way, np.array([n, n])) for n in (1.0, 500.0))
        assert way[0] < once[0] < often[0] < 0.82
        assert once[1] == often[1] == way[1]


def test_a_branch_goes_from_end_to_end() -> None:
    share = saturation(np.array([0.0, 1.0]), np.array([[-5.0], [0.0], [1e-7], [30.0]]))
    assert share == pytest.approx(np.tile([0.0, 1.0], (4, 1)), abs=1e-12)


def test_states_stand_two_deviations_apart(tmp_path: Path) -> None:
    exact = compact.fit_synapse(compact.read_pulses(one_column(tmp_path / "t.csv", cycles())))
    assert exact.span == pytest.approx(45e-6, rel=1e-3)
    for up, down, states in ((0.05, 0.01, 11), (0.01, 0.125, 5), (1e-4, 1e-3, 101), (2.0, 0.1, 1)):
        synapse = dataclasses.replace(
            exact,
            up=dataclasses.replace(exact.up, scatter=up * exact.span),
            down=dataclasses.replace(exact.down, scatter=down * exact.span),
        )
        assert synapse.states == states


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_the_error_of_a_label_is_its_scatter_also_where_deviations_stay(memory: float) -> None:
    rng = np.random.default_rng(6)
    labels, errors = [], []
    for _ in range(60):
        noise = rng.standard_normal(101)
        for k in range(1, 101):  # of one variance, with a memory of reads before
            noise[k] = memory * noise[k - 1] + np.sqrt(1 - memory**2) * noise[k]
        read = branch(2.0, 100) + 0.01 * noise
        curvature, *_, error, settled = _exponential(read, np.ones(101, int))
        assert settled
        labels.append(compact.nonlinearity_label(curvature))
        errors.append(error)
    assert np.mean(labels) == pytest.approx(2.0, abs=4 * np.std(labels) / np.sqrt(60))
    # the scatter of sixty is known to a tenth
    assert np.std(labels) == pytest.approx(np.mean(errors), rel=0.2)
