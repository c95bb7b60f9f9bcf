"""Recordings of pulse trains, every sample with writes and reads in it: the reads are fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from compact.measured.read_pulses import read_pulses
from ddkbase.errors import InputError

N = np.arange(1, 21)
DOWN = 10 + 90 * np.exp(-N / 6)  # uS
UP = 10 + 90 * (1 - np.exp(-N / 6))


class Recorder:
    """Samples of a microsecond of a cell whose conductance the writes change."""

    def __init__(self, conductance: float, base: float = 0.0) -> None:
        self.conductance, self.base = conductance, base
        self.voltage = [base]
        self.current = [base * conductance]

    def apply(self, voltage: float, samples: int) -> None:
        self.voltage += [voltage] * samples
        self.current += [voltage * self.conductance] * samples

    def train(
        self,
        amplitude: float | np.ndarray,
        conductances: np.ndarray,
        read: float = 0.1,
        edge: int = 1,
        per_read: int = 1,
    ) -> Recorder:
        heights = np.broadcast_to(amplitude, conductances.shape)
        for height, conductance in zip(heights, conductances, strict=True):
            for _ in range(per_read):
                shares = (np.arange(edge) + 0.5) / edge
                for share in shares:
                    self.apply(height * share, 1)
                self.apply(height, 8)
                self.conductance = conductance
                for share in shares[::-1]:
                    self.apply(height * share, 1)
                self.apply(self.base, 5)
            self.apply(read, 10)
            self.apply(self.base, 5)
        return self

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        v = np.array(self.voltage)
        return np.arange(v.size) * 1e-6, v, np.array(self.current) * 1e-6


def written(folder: Path, heads: str, *columns: np.ndarray) -> Path:
    lines = [",".join(f"{x:.7g}" for x in row) for row in zip(*columns, strict=True)]
    path = folder / "scope.csv"
    path.write_text("\n".join([heads, *lines]) + "\n")
    return path


def read(folder: Path, recorder: Recorder) -> xr.Dataset:
    return read_pulses(written(folder, "Time (s),Voltage (V),Current (A)", *recorder.arrays()))


@pytest.mark.parametrize("volts", [0.1, -0.1, 0.5])
@pytest.mark.parametrize("edge", [1, 4])
def test_the_reads_of_a_recording_are_its_train(tmp_path: Path, volts: float, edge: int) -> None:
    ds = read(tmp_path, Recorder(100).train(-1.5, DOWN, volts, edge))
    assert ds.sizes["train"] == 1 and ds.direction.item() == "down"
    np.testing.assert_allclose(ds.conductance[0], DOWN * 1e-6, rtol=1e-5)
    np.testing.assert_allclose(ds.amplitude[0], -1.5)
    np.testing.assert_allclose(ds.width[0], (8 + edge) * 1e-6, rtol=0.02)  # at half height
    said = ds.attrs["assumptions"]
    assert "20 pulses" in said and "retention" not in said


def test_up_and_down_are_two_trains_and_the_second_goes_on(tmp_path: Path) -> None:
    recorder = Recorder(10)
    recorder.apply(0.1, 10)  # a read before the first pulse
    recorder.apply(0.0, 5)
    ds = read(tmp_path, recorder.train(1.2, UP).train(-1.5, DOWN))
    assert ds.direction.values.tolist() == ["up", "down"]
    np.testing.assert_allclose(ds.conductance, np.stack([UP, DOWN]) * 1e-6, rtol=1e-5)
    np.testing.assert_allclose(ds.initial_conductance, [1e-5, UP[-1] * 1e-6], rtol=1e-5)
    np.testing.assert_allclose(ds.amplitude[:, 0], [1.2, -1.5])


def test_a_bias_that_reads_between_the_pulses(tmp_path: Path) -> None:
    ds = read(tmp_path, Recorder(100, base=0.1).train(-1.5, DOWN))
    np.testing.assert_allclose(ds.conductance[0], DOWN * 1e-6, rtol=1e-5)


def test_rising_pulses_and_several_before_a_read(tmp_path: Path) -> None:
    rising = read(tmp_path, Recorder(100).train(-0.6 - N / 20, DOWN))
    assert rising.varied.item() == "amplitude from -650 mV to -1.6 V"
    slowly = read(tmp_path, Recorder(100).train(-1.5 - N / 200, DOWN))
    assert slowly.varied.item() == "amplitude from -1.5 V to -1.6 V"
    twice = read(tmp_path, Recorder(100).train(-1.5, DOWN, per_read=2))
    assert twice.length.item() == 40
    np.testing.assert_allclose(twice.conductance[0, 1::2], DOWN * 1e-6, rtol=1e-5)


def test_noise_and_steps_of_a_converter(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    time, v, i = Recorder(100).train(-1.5, DOWN).arrays()
    noisy = written(
        tmp_path,
        "t (us),CH1 voltage (mV),CH2 current (uA)",
        time * 1e6,
        (v + 2e-3 * rng.standard_normal(v.size)) * 1e3,
        (i + 2e-8 * rng.standard_normal(v.size)) * 1e6,
    )
    ds = read_pulses(noisy)
    np.testing.assert_allclose(ds.conductance[0], DOWN * 1e-6, atol=1e-6)
    np.testing.assert_allclose(ds.amplitude[0], -1.5, rtol=0.01)
    assert np.ptp(ds.amplitude.values) == 0 and np.ptp(ds.width.values) == 0  # equal pulses
    step = 4 / 256
    coarse = written(tmp_path, "time (s),V (V),I (A)", time, np.round(v / step) * step, i)
    assert read_pulses(coarse).length.item() == 20


def test_currents_out_of_range_in_the_pulses_and_missing_in_a_read(tmp_path: Path) -> None:
    time, v, i = Recorder(100).train(-1.5, DOWN).arrays()
    path = written(tmp_path, "time (s),V (V),I (A)", time, v, np.where(v < -1, np.nan, i))
    np.testing.assert_allclose(read_pulses(path).conductance[0], DOWN * 1e-6, rtol=1e-5)
    path.write_text(path.read_text().replace("nan", "OVERFLOW"))
    np.testing.assert_allclose(read_pulses(path).conductance[0], DOWN * 1e-6, rtol=1e-5)
    reads = np.flatnonzero(v == 0.1)
    lost = i.copy()
    lost[reads[:10]] = np.nan
    ds = read_pulses(written(tmp_path, "time (s),V (V),I (A)", time, v, lost))
    assert np.isnan(ds.conductance[0, 0]) and ds.length.item() == 20


def test_resistances_over_time_and_no_time(tmp_path: Path) -> None:
    time, v, i = Recorder(100).train(-1.5, DOWN).arrays()
    ohm = np.where(i != 0, v / np.where(i != 0, i, 1), 0.0)
    for ds in (
        read_pulses(written(tmp_path, "time (s),voltage (V),resistance (ohm)", time, v, ohm)),
        read_pulses(written(tmp_path, "voltage (V),current (A)", v, i)),
    ):
        np.testing.assert_allclose(ds.conductance[0], DOWN * 1e-6, rtol=1e-5)


@pytest.mark.parametrize("counted", [True, False])
def test_a_list_of_writes_and_reads_with_a_row_each(tmp_path: Path, counted: bool) -> None:
    v = np.tile([1.5, 0.1], 20)
    i = v * np.repeat(UP, 2) * 1e-6
    columns = (np.arange(1, 41), v, i) if counted else (v, i)
    heads = "n,V (V),I (A)" if counted else "V (V),I (A)"
    ds = read_pulses(written(tmp_path, heads, *columns))
    assert ds.length.item() == 20 and ds.direction.item() == "up"
    np.testing.assert_allclose(ds.conductance[0], UP * 1e-6, rtol=1e-5)


RAMP = np.concatenate([np.arange(0, 30), np.arange(30, -30, -1), np.arange(-30, 0)]) / 20
HELD = np.concatenate([RAMP, np.full(40, 0.1)])


@pytest.mark.parametrize("v", [RAMP, np.repeat(RAMP, 5), HELD], ids=["ramp", "stairs", "held"])
def test_loops_are_no_recordings_of_pulses(tmp_path: Path, v: np.ndarray) -> None:
    v = np.tile(v, 4)
    path = written(tmp_path, "t (s),V (V),I (A)", np.arange(v.size), v, v * 1e-5)
    with pytest.raises(InputError, match="goes through zero"):
        read_pulses(path)


def test_what_the_user_says_of_the_pulses_counts_more(tmp_path: Path) -> None:
    v, i = np.tile([1.5, 0.1], 20), np.repeat(UP, 2) * 1e-7
    path = written(tmp_path, "n,V (V),I (A)", np.arange(1, 41), v, i)
    with pytest.raises(InputError, match="writes and reads in one column"):
        read_pulses(path, pulse="n")


def test_a_list_of_pulses_with_a_read_in_each_row_is_no_recording(tmp_path: Path) -> None:
    volts = np.tile(np.repeat([0.8, -1.2], 20), 3)
    reads = np.tile(np.concatenate([UP, DOWN]), 3)
    for heads, values in (
        ("voltage (V),R (ohm)", 1e6 / reads),
        ("pulse voltage (V),I (uA) @ 0.1 V", reads / 10),
    ):
        ds = read_pulses(written(tmp_path, heads, volts, values))
        assert ds.direction.values.tolist() == ["up", "down"] * 3
        np.testing.assert_allclose(ds.conductance[1], DOWN * 1e-6, rtol=1e-5)
    path = written(tmp_path, "voltage (V),I (uA)", volts, reads / 10)
    with pytest.raises(InputError, match="goes through zero"):
        read_pulses(path)
