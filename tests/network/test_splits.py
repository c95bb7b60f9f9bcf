"""Nothing leaks between the parts of a split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddkbase.errors import InputError
from network import datasets
from network.datasets.dataset import DataSet
from network.datasets.sound.recordings import Recordings
from network.datasets.sound.sounds import cut
from network.datasets.splits import Split, leave_one_out, shared_groups, split
from tests.network import data_files as files


def blocks(classes: int, each: int, seconds: float, hop: float, rate: float = 100.0) -> DataSet:
    """Utterances of 1 s, cut out of recordings whose every sample has a value of its own."""
    count = classes * each
    size = round(seconds * rate)
    waves = tuple(np.arange(k * size, (k + 1) * size, dtype=np.float32) for k in range(count))
    y = np.repeat(np.arange(classes), each)
    names = tuple(f"r{k}" for k in range(count))
    found = Recordings(waves, rate, y, tuple(f"c{k}" for k in range(classes)), names)
    return cut(found, front="waveform", utterance=round(rate), hop=round(hop * rate))


def where(data: DataSet, part: np.ndarray) -> set[tuple[str, int]]:
    """Every sample of every recording that a part has seen: (recording, hundredth of a second)."""
    seen = set()
    for group, (start, end) in zip(data.groups[part], data.span[part], strict=True):
        seen |= {(str(group), k) for k in range(round(100 * start), round(100 * end))}
    return seen


def whole(data: DataSet, parts: Split) -> None:
    """The parts share no sample, and with what is left out they are everything."""
    numbers = np.concatenate([parts.train, parts.validation, parts.test, parts.left_out])
    assert sorted(numbers.tolist()) == list(range(len(data)))


@given(st.integers(0, 10_000), st.integers(3, 9), st.sampled_from([0.5, 1.0]))
def test_recordings_stay_whole(seed: int, each: int, hop: float) -> None:
    data = blocks(3, each, 4.0, hop)
    parts = split(data, seed=seed)
    whole(data, parts)
    assert not len(parts.left_out)
    for one, other in ((parts.train, parts.test), (parts.train, parts.validation),
                       (parts.validation, parts.test)):  # fmt: skip
        assert shared_groups(data, one, other) == []
        assert not where(data, one) & where(data, other)
    for part in (parts.train, parts.validation, parts.test):
        assert set(data.y[part].tolist()) == {0, 1, 2}


@given(
    st.integers(0, 10_000),
    st.integers(9, 40),
    st.sampled_from([0.25, 0.5, 1.0]),
    st.sampled_from([None, 0.0, 1.7]),
)
def test_neighbouring_blocks_of_one_recording_do_not_leak(
    seed: int, seconds: int, hop: float, gap: float | None
) -> None:
    data = blocks(2, 1, float(seconds), hop)
    parts = split(data, 0.2, 0.1, seed=seed, by="block", gap=gap)
    whole(data, parts)
    trained, tested = where(data, parts.train), where(data, parts.test)
    assert not trained & tested
    assert not trained & where(data, parts.validation)
    assert not where(data, parts.validation) & tested
    distance = 1.0 if gap is None else gap
    for group in np.unique(data.groups):
        far = data.span[parts.test][data.groups[parts.test] == group]
        for start, end in data.span[parts.train][data.groups[parts.train] == group]:
            assert end + distance <= far.min() + 1e-6 or start >= far.max() + distance - 1e-6
        # one stretch: without a hole
        assert np.allclose(np.diff(np.sort(far[:, 0])), hop)


def test_random_split_does_leak_and_the_check_sees_it() -> None:
    data = blocks(3, 4, 4.0, 0.5)
    parts = split(data, by="random")
    whole(data, parts)
    assert shared_groups(data, parts.train, parts.test)
    assert where(data, parts.train) & where(data, parts.test)


def people(count: int, classes: int = 4) -> DataSet:
    """Everybody does everything once."""
    x = np.zeros((count * classes, 2), np.float32)
    y = np.tile(np.arange(classes), count)
    names = np.repeat([f"p{k}" for k in range(count)], classes)
    return DataSet("people", x, y, tuple("abcd"[:classes]), ("time",), "s", "l", groups=names)


def test_people_stay_whole_and_all_classes_are_in_all_parts() -> None:
    data = people(9)
    parts = split(data, 0.2, 0.1, seed=3)
    whole(data, parts)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (24, 4, 8)
    assert shared_groups(data, parts.train, np.r_[parts.validation, parts.test]) == []


def test_one_person_after_the_other_is_left_out() -> None:
    data = people(5)
    tested = []
    for name, parts in leave_one_out(data, validation=0.25):
        whole(data, parts)
        assert set(data.groups[parts.test].tolist()) == {name}
        assert shared_groups(data, parts.train, np.r_[parts.validation, parts.test]) == []
        tested += parts.test.tolist()
    assert sorted(tested) == list(range(20))


def test_the_source_decides_where_it_prescribes() -> None:
    data = blocks(3, 40, 2.0, 1.0)
    fold = np.array(["train", "test", ""])[np.arange(len(data)) // 2 % 3]
    object.__setattr__(data, "fold", fold)
    parts = split(data, seed=1)  # "auto"
    assert set(fold[parts.test].tolist()) == {"test"}
    assert len(parts.test) == (fold == "test").sum()
    assert set(fold[np.r_[parts.train, parts.validation]].tolist()) == {"train"}
    assert set(fold[parts.left_out].tolist()) == {""}
    assert len(parts.validation) == 3 * 2  # a recording of each class, of 13 or 14
    assert shared_groups(data, parts.train, parts.validation) == []


def test_split_comes_again_from_its_seed() -> None:
    data = people(9)
    one, again, other = split(data, seed=1), split(data, seed=1), split(data, seed=2)
    assert np.array_equal(one.test, again.test)
    assert not np.array_equal(one.test, other.test)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda d: split(d, by="groups"), "Did you mean 'group'"),
        (lambda d: split(d, test=1.0), "not in"),
        (lambda d: split(d, 0.6, 0.4), "nothing is left"),
        (lambda d: split(d, by="fold"), "prescribes no"),
        (lambda d: split(d, by="block"), "not cut out of recordings"),
        (lambda d: split(d.subset(np.arange(4))), "too few for 3 parts"),
        (lambda d: split(d.subset(np.arange(0))), "is empty"),
        (lambda d: list(leave_one_out(d.subset(np.arange(4)))), "one group only"),
        (lambda d: list(leave_one_out(d, by="person")), "unknown way"),
    ],
)
def test_what_cannot_be_split_is_told(work: Callable[[DataSet], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        work(people(9))


def test_gap_below_zero_is_refused() -> None:
    with pytest.raises(InputError, match="negative"):
        split(blocks(2, 1, 9.0, 1.0), by="block", gap=-1)


def test_real_speakers_and_people_and_sources_do_not_leak() -> None:
    pytest.importorskip("soundfile")
    speakers = datasets.load("speakers", root=files.real("librispeech10"))
    people_ = datasets.load("actions", root=files.real("weizmann_actions"), frames=1)
    for data in (speakers, people_):
        for seed in range(3):
            parts = split(data, seed=seed)
            assert shared_groups(data, parts.train, np.r_[parts.validation, parts.test]) == []
            assert set(data.y[parts.test].tolist()) == set(range(10))
    whales = datasets.load("whales", root=files.real("whales"))
    parts = split(whales)
    origin = np.array([Path(g).parts[0] for g in whales.groups])
    assert set(origin[parts.train].tolist()) == {"mars"}
    assert "mars" not in origin[parts.test]
