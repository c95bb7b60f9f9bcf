"""Temporal patterns: one beginning for the unambiguous one, three for the ambiguous one."""

from __future__ import annotations

import numpy as np
import pytest

from compact.kinetics.patterns import AMBIGUOUS, UNAMBIGUOUS, beginnings, response
from ddkbase.errors import InputError


@pytest.mark.parametrize("integrator", ["explicit", "implicit", "exact"])
def test_where_the_patterns_begin(integrator: str) -> None:
    assert beginnings(UNAMBIGUOUS, integrator=integrator) == [1]
    assert beginnings(AMBIGUOUS, integrator=integrator) == [1, 4, 6]


@pytest.mark.parametrize("integrator", ["explicit", "implicit", "exact"])
def test_how_clear_the_beginnings_are(integrator: str) -> None:
    one = np.sort(response(UNAMBIGUOUS, 8, integrator=integrator)[-1][np.array(UNAMBIGUOUS) == 1])
    assert 0.16 < 1 - one[-2] / one[-1] < 0.21
    three = response(AMBIGUOUS, 8, integrator=integrator)[-1][[0, 3, 5]]
    assert 0.05 < 1 - three.min() / three.max() < 0.08


def test_turning_a_pattern_turns_its_beginning() -> None:
    for shift in range(8):
        turned = np.roll(UNAMBIGUOUS, shift)
        assert beginnings(turned.tolist()) == [shift + 1]


def test_sound_lowers_and_silence_raises_what_the_next_beat_meets() -> None:
    y = response(AMBIGUOUS, 6)
    assert y.shape == (6, 8)
    assert y[0, 0] == 1.0
    beats, flat = np.tile(AMBIGUOUS, 6)[:-1], np.diff(y.ravel())
    assert (flat[beats == 1] < 0).all()
    assert (flat[beats == 0] > 0).all()


@pytest.mark.parametrize(("pattern", "repeats"), [([0, 0], 2), ([1, 2], 2), ([], 2), ([1, 0], 0)])
def test_what_is_no_pattern_is_an_error(pattern: list[int], repeats: int) -> None:
    with pytest.raises(InputError):
        response(pattern, repeats)
