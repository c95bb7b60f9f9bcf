"""What front ends, splits and data sets give, against numbers worked out another way."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from network import datasets
from network.datasets.dataset import DataSet
from network.datasets.sound.recordings import (
    Recordings,
    read_packed_sounds,
    read_sounds,
    resample,
)
from network.datasets.sound.sounds import cut, hertz
from network.datasets.splits import leave_one_out, shared_groups, split
from network.features import log_bands, mel_filters, mfcc, normalise, pool_to
from tests.network import data_files as files

# -- front ends of sounds -----------------------------------------------------------------------


def recordings(*lengths: int, rate: float = 100.0) -> Recordings:
    """Recordings whose samples count on from one to the next, each of a class of its own pair."""
    ends = np.cumsum([0, *lengths])
    waves = tuple(np.arange(a, b, dtype=np.float32) for a, b in pairwise(ends))
    y = np.arange(len(lengths)) % 2
    names = tuple(f"r{k}" for k in range(len(lengths)))
    return Recordings(waves, rate, y, ("a", "b"), names)


def test_utterances_follow_each_other_to_the_end_of_a_recording() -> None:
    data = cut(recordings(400, 350, 60), front="waveform", utterance="1 s")
    assert data.items.tolist() == [0, 0, 0, 0, 1, 1, 1, 2]  # the rest of the second is no utterance
    assert data.groups.tolist() == ["r0"] * 4 + ["r1"] * 3 + ["r2"]
    assert data.y.tolist() == [0] * 4 + [1] * 3 + [0]
    expected = [[0, 1], [1, 2], [2, 3], [3, 4], [0, 1], [1, 2], [2, 3], [0, 0.6]]  # s
    np.testing.assert_allclose(data.span, expected)
    assert data.seconds == 1.0 and data.rate == 100.0
    half = cut(recordings(400, 350), front="waveform", utterance=100, hop="0.5 s")
    np.testing.assert_allclose(half.span[:, 0], [*np.arange(7) / 2, *np.arange(6) / 2])


def test_a_rate_is_that_of_the_values_of_a_sample() -> None:
    voices = datasets.synthetic_voices(2, 1, 1.0, 8000, 0)
    for front, expected in (("waveform", 8000), ("pooled", 80), ("envelope", 80), ("map", 640)):
        data = cut(voices, front=front, utterance="0.5 s", size=40)
        assert data.rate == pytest.approx(expected), front  # of a map 8 x 40 values in 0.5 s
    assert cut(voices, utterance="0.5 s", size=40).rate is None


def test_fronts_are_what_they_are_called() -> None:
    pytest.importorskip("scipy")
    voices = datasets.synthetic_voices(2, 1, 1.0, 8000, 0)
    whole = [wave[a : a + 4000] for wave in voices.waveforms for a in (0, 4000)]

    def stretched(x: np.ndarray) -> np.ndarray:
        return (x - x.min()) / np.ptp(x)

    groups = [wave.reshape(40, 100) for wave in whole]
    for front, of in (("pooled", lambda g: g), ("envelope", np.abs)):
        data = cut(voices, front=front, utterance="0.5 s", size=40)
        expected = [stretched(of(g).mean(axis=1)) for g in groups]
        np.testing.assert_allclose(data.x, expected, atol=1e-5)
    rows = cut(voices, front="map", utterance="0.5 s", size=20, utterances=5).x
    parts = [wave.reshape(5, 20, 40).mean(axis=2) for wave in whole]
    expected = [[stretched(row) for row in part] for part in parts]
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    frames = cut(voices, front="frames", utterance="0.5 s", size=20).x
    loud = [log_bands(wave, 8000, bands=20, average=False) for wave in whole]
    np.testing.assert_allclose(frames, [stretched(x) for x in loud], atol=1e-5)  # as a whole
    mean = cut(voices, utterance="0.5 s", size=20).x
    np.testing.assert_allclose(mean, [stretched(x.mean(axis=1)) for x in loud], atol=1e-5)


def test_quiet_is_a_share_of_the_root_mean_square() -> None:
    loud = np.tile([1.0, -1.0], 500)
    wave = np.concatenate([loud, 0.3 * loud, 0.2 * loud]).astype(np.float32)
    sound = Recordings(
        (wave, loud.astype(np.float32)), 1000.0, np.arange(2), ("a", "b"), ("x", "y")
    )
    # root mean square of the first: sqrt((1 + 0.09 + 0.04) / 3) = 0.614
    for quiet, expected in ((0.3, 4), (0.4, 3), (0.5, 2)):
        assert len(cut(sound, front="waveform", utterance="1 s", quiet=quiet)) == expected
    kept = cut(sound, front="waveform", utterance="1 s", quiet=0.5)
    assert kept.span[:, 0].tolist() == [0.0, 0.0] and kept.items.tolist() == [0, 1]


def test_a_rate_is_read_with_its_unit() -> None:
    assert hertz("8 kHz") == 8000.0 and hertz("400 Hz") == 400.0 and hertz(16000) == 16000.0


def test_mel_filters_are_triangles_between_equal_steps_of_mel() -> None:
    rate, window, bands = 16000, 1024, 12
    filters = mel_filters(rate, window, bands, lowest=100.0)

    def mel(hertz: float) -> float:
        return 2595 * np.log10(1 + hertz / 700)

    frequency = np.arange(window // 2 + 1) * rate / window
    step = (mel(8000.0) - mel(100.0)) / (bands + 1)
    for k in range(bands):
        # corners in hertz by bisection of the scale, not by its inverse
        corners = []
        for wanted in (mel(100.0) + step * (k + j) for j in range(3)):
            low, high = 0.0, 9000.0
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (middle, high) if mel(middle) < wanted else (low, middle)
            corners.append(low)
        triangle = np.interp(frequency, corners, [0.0, 1.0, 0.0], left=0.0, right=0.0)
        np.testing.assert_allclose(filters[k], triangle / triangle.sum(), atol=1e-6)
    np.testing.assert_allclose(filters.sum(axis=1), 1.0, rtol=1e-6)


def test_bands_are_logarithms_of_energies_of_half_overlapping_windows() -> None:
    rate, length, bands = 4000, 256, 8
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 1, 1000) * np.linspace(0.1, 2, 1000) + 3.0  # a constant is no energy
    filters = mel_filters(rate, length, bands).astype(float)
    n = np.arange(1, length + 1)
    hann = np.sin(np.pi * n / (length + 1)) ** 2
    rows = []
    for start in range(0, 1000 - length + 1, length // 2):
        frame = wave[start : start + length]
        spectrum = np.exp(-2j * np.pi * np.outer(np.arange(length // 2 + 1), np.arange(length))
                          / length) @ ((frame - frame.mean()) * hann)  # fmt: skip
        rows.append(filters @ np.abs(spectrum) ** 2)
    energy = np.array(rows).T
    found = log_bands(wave, rate, bands=bands, window="64 ms", average=False)
    assert found.shape == (8, 6)
    np.testing.assert_allclose(found, np.log(energy), atol=2e-3)
    np.testing.assert_allclose(
        log_bands(wave, rate, bands=bands), np.log(energy).mean(axis=1), atol=2e-3
    )
    # each waveform has a floor of its own, -60 dB below its loudest band
    tone = np.sin(2 * np.pi * 500 * np.arange(1000) / rate)
    both = log_bands(np.stack([tone, 1e-4 * tone]), rate, bands=bands, average=False)
    np.testing.assert_allclose(both[1], both[0] - 8 * np.log(10), atol=2e-3)
    deep = log_bands(np.stack([tone, tone]), rate, bands=bands, average=False, floor=0.5)
    assert deep.max() - deep.min() == pytest.approx(np.log(2), rel=1e-3)


def test_a_constant_is_no_energy_in_short_windows() -> None:
    wave = np.random.default_rng(1).normal(0, 1, 400)
    plain, raised = (log_bands(wave + c, 4000, bands=4, window=16) for c in (0.0, 7.0))
    np.testing.assert_allclose(raised, plain, atol=1e-3)


@pytest.mark.parametrize(("rate", "window"), [(8000, 512), (16000, 1024), (44100, 2048)])
def test_cepstral_coefficients_are_of_windows_of_about_64_ms(rate: int, window: int) -> None:
    pytest.importorskip("librosa")
    wave = np.random.default_rng(0).normal(0, 0.1, rate)
    found = mfcc(wave, rate, coefficients=5)
    assert found.shape == (5, (rate - window) // (window // 2) + 1)
    np.testing.assert_allclose(found, mfcc(wave, rate, coefficients=5, window=window))


def test_averages_and_stretches_by_hand() -> None:
    np.testing.assert_allclose(pool_to([2.0, 4.0, 9.0], 2), [(2 + 0.5 * 4) / 1.5, (2 + 9) / 1.5])
    np.testing.assert_allclose(normalise([[-3.0, 1.0, 0.0], [5.0, 7.0, 6.0]]),
                               [[0, 1, 0.75], [0, 1, 0.5]])  # fmt: skip


def test_channels_are_averaged_and_the_commonest_rate_is_that_of_all(tmp_path: Path) -> None:
    for k, rate in enumerate((8000, 8000, 16000)):
        wave = files.tone(0.1, rate)
        both = np.stack([wave, 0.5 * wave], axis=1)
        files.sound(tmp_path / ("a" if k else "b") / f"{k}.wav", both, rate, "FLOAT")
    found = read_sounds(tmp_path)
    assert found.rate == 8000 and [len(w) for w in found.waveforms] == [800] * 3
    for wave in found.waveforms[1:]:
        middle = slice(100, 700)  # the filter rings at the ends
        np.testing.assert_allclose(wave[middle], 0.75 * files.tone(0.1)[middle], atol=5e-3)
    assert resample(np.zeros(300), 16000, 8000).size == 150


def test_packed_sounds_are_sixteen_bits_of_one(tmp_path: Path) -> None:
    audio = np.array([-32768, 0, 16384, 32767, 8192], np.int16)
    np.savez(tmp_path / "s.npz", audio=audio, offsets=[0, 3, 5], fs=8000, who=["x", "y"])
    found = read_packed_sounds(tmp_path / "s.npz", "", "who")
    np.testing.assert_allclose(found.waveforms[0], [-1, 0, 0.5])
    np.testing.assert_allclose(found.waveforms[1], [32767 / 32768, 0.25])
    assert found.classes == ("x", "y") and found.y.tolist() == [0, 1]


def test_parts_of_recordings_have_the_numbers_of_the_training_part(tmp_path: Path) -> None:
    for part, labels in (("train", "abc"), ("test", "cb")):
        for label in labels:
            pitch = 200.0 * (1 + "abc".index(label))
            files.sound(tmp_path / part / label / "0.wav", files.tone(0.1, pitch=pitch))
    found = read_sounds(tmp_path)
    assert found.fold == ("train",) * 3 + ("test",) * 2
    assert found.y.tolist() == [0, 1, 2, 1, 2]  # files in the order of their folders
    assert [name.split("/")[1] for name in found.names] == ["a", "b", "c", "b", "c"]
    for wave, number in zip(found.waveforms, found.y, strict=True):
        np.testing.assert_allclose(wave, files.tone(0.1, pitch=200.0 * (1 + number)), atol=1e-4)


# -- data sets and their parts ------------------------------------------------------------------


def labelled(count: int = 24) -> DataSet:
    """Samples of two classes, two channels of three steps, in groups of two."""
    x = np.arange(count * 6, dtype=np.float32).reshape(count, 2, 3)
    x[:, 1] *= 10
    start = np.arange(count, dtype=float)
    return DataSet(
        "mine", x, np.arange(count) // 2 % 2, ("a", "b"), ("channel", "step"), "", "",
        groups=np.array([f"g{k // 2}" for k in range(count)]),
        fold=np.array(["train", "train", "test", ""] * (count // 4)),
        items=np.arange(count) // 3,
        span=np.stack([start, start + 0.5], axis=1),
        seconds=0.5,
        scaled_by="channel",
    )  # fmt: skip


def test_a_part_of_a_set_takes_all_that_belongs_to_its_samples() -> None:
    data, index = labelled(), np.array([5, 2, 7])
    part = data.subset(index)
    assert part.groups.tolist() == ["g2", "g1", "g3"] and part.fold.tolist() == [
        "train",
        "test",
        "",
    ]
    assert part.items.tolist() == [1, 0, 2] and part.y.tolist() == [0, 1, 1]
    assert part.span.tolist() == [[5, 5.5], [2, 2.5], [7, 7.5]]
    np.testing.assert_array_equal(part.x, data.x[index])
    table = part.to_xarray()
    assert table["start"].values.tolist() == [5, 2, 7]
    assert table["end"].values.tolist() == [5.5, 2.5, 7.5]


def test_each_channel_is_stretched_by_its_own_range_in_the_training_part() -> None:
    data = labelled()
    found = data.in_range_of(np.arange(4))  # channels go from 0 to 20 and from 30 to 230
    low, high = np.array([0.0, 30.0]), np.array([20.0, 230.0])
    np.testing.assert_allclose(found.x, (data.x - low[:, None]) / (high - low)[:, None], rtol=1e-6)
    assert found.x[:4].min() == 0 and found.x[:4].max() == 1 and found.x.max() > 1


def test_shares_of_groups_are_those_that_were_asked_for() -> None:
    data = labelled(80)  # 20 groups a class
    for test, validation in ((0.2, 0.1), (0.1, 0.3), (0.5, 0.2)):
        parts = split(data, test=test, validation=validation, by="group", seed=1)
        assert len(parts.test) == round(80 * test) and len(parts.validation) == 80 * validation
        assert not shared_groups(data, parts.train, parts.test)
        assert not shared_groups(data, parts.train, parts.validation)
    # single samples of the rest, but a share of the whole
    parts = split(data, test=0.5, validation=0.2, by="test-group", seed=1)
    assert (len(parts.test), len(parts.validation), len(parts.train)) == (40, 16, 24)
    assert shared_groups(data, parts.train, parts.validation)
    assert not shared_groups(data, np.concatenate([parts.train, parts.validation]), parts.test)
    assert shared_groups(data, np.array([0, 2]), np.array([1])) == ["g0"]
    assert shared_groups(data, np.array([0, 1]), np.array([2])) == []


def test_what_is_left_out_is_tested_and_is_not_learnt() -> None:
    data = labelled()
    for name, parts in leave_one_out(data, validation=0.2):
        assert set(data.groups[parts.test]) == {name}
        rest = np.concatenate([parts.train, parts.validation])
        assert name not in set(data.groups[rest]) and len(rest) + len(parts.test) == len(data)


def test_the_test_part_of_the_source_is_the_test_part_alone() -> None:
    data = labelled()  # every fourth sample is of no part
    parts = split(data, validation=0.0, by="fold")
    assert parts.test.tolist() == list(range(2, 24, 4))
    assert parts.train.tolist() == np.flatnonzero(data.fold == "train").tolist()
    assert parts.left_out.tolist() == list(range(3, 24, 4))


@pytest.mark.parametrize(("gap", "apart"), [(None, 0.5), (0.0, 0.0), (2.0, 2.0)])
def test_held_out_stretches_stand_a_gap_apart(gap: float | None, apart: float) -> None:
    count = 60
    start = np.arange(count) * 0.5  # samples touch
    base = labelled(count)
    data = DataSet(
        "one", base.x, base.y * 0 + np.arange(count) // 30, ("a", "b"), base.dims, "", "",
        groups=np.repeat(["r0", "r1"], 30), span=np.stack([start, start + 0.5], axis=1),
        seconds=0.5,
    )  # fmt: skip
    firsts = set()
    for seed in range(12):
        parts = split(data, test=0.2, validation=0.2, by="block", gap=gap, seed=seed)
        for group in ("r0", "r1"):
            own = [
                data.span[part[data.groups[part] == group]]
                for part in (parts.train, parts.validation, parts.test)
            ]
            assert len(own[2]) == 6
            for one, least in ((own[0], apart), (own[1], apart)):
                between = np.maximum(one[:, None, 0] - own[2][:, 1], own[2][:, 0] - one[:, None, 1])
                assert between.min() >= least - 1e-6
            assert (own[1][:, 0] < own[2][0, 0]).all() or (own[1][:, 0] > own[2][-1, 0]).all()
            firsts.add(bool((own[1][:, 0] < own[2][0, 0]).all()))
        dropped = 2 * 2 * round(apart / 0.5)  # on both sides of both stretches
        assert len(parts.left_out) <= dropped
    assert firsts == {True, False}  # validation before the test stretch, and the mirror image
