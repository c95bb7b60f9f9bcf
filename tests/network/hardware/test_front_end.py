"""Operations of mel bands and cepstra against independent counts, and their price."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.counting.front_end import FrontEnd, fourier_macs
from network.features.spectral import mel_filters
from network.hardware import cost, front_end_loads, load_chip


def butterflies(x: list[complex]) -> Iterator[list[complex]]:
    """A radix-2 transform that yields once a butterfly, and returns the lines."""
    if len(x) == 1:
        return x
    even, odd = (yield from butterflies(x[::2])), (yield from butterflies(x[1::2]))
    low, high = [], []
    for k, (a, b) in enumerate(zip(even, odd, strict=True)):
        turned = b * np.exp(-2j * np.pi * k / len(x))
        low.append(a + turned)
        high.append(a - turned)
        yield low[-1:]
    return low + high


@pytest.mark.parametrize("window", [4, 8, 64, 256])
def test_the_transform_is_counted_as_one_that_runs(window: int) -> None:
    x = np.random.default_rng(window).normal(size=window)
    half = [complex(a, b) for a, b in zip(x[::2], x[1::2], strict=True)]
    count, running = 0, butterflies(half)
    while True:
        try:
            next(running)
        except StopIteration as end:
            z = np.array(end.value)
            break
        count += 1
    # the halves are parted pair by pair: k and n/2 - k, four sums and a butterfly for each
    back = np.conj(np.roll(z[::-1], 1))
    even, odd = (z + back) / 2, (z - back) / 2j
    turn = np.exp(-2j * np.pi * np.arange(window // 2) / window)
    assert np.allclose(even + turn * odd, np.fft.rfft(x)[:-1])
    assert fourier_macs(window) == 6 * count + 10 * (window // 4)


def test_a_front_end_by_hand() -> None:
    front = FrontEnd(frames=3, window=8, rate=8000, bands=2, coefficients=1)
    weights = np.count_nonzero(mel_filters(8000, 8, 2))
    assert front.macs == {
        "window": 3 * 8,
        "transform": 3 * (6 * 4 + 10 * 2),
        "power": 3 * 2 * 5,
        "bands": 3 * weights,
        "cepstrum": 3 * 2 * 1,
    }
    assert front.logarithms == 6
    assert "cepstrum" not in FrontEnd(coefficients=0).macs


def test_it_is_priced_by_the_chip() -> None:
    chip = load_chip("180nm")
    front = FrontEnd(frames=3, window=8, rate=8000, bands=2, coefficients=1)
    priced = cost(front_end_loads(front), chip)
    digital = sum(front.macs.values()) * chip.value("mac_energy")
    logarithms = 6 * chip.value("activation_energy")
    assert priced.energy == pytest.approx(digital + logarithms, rel=1e-12, abs=0)
    assert priced.macs == sum(front.macs.values()) and priced.conversions == 0
    with_readout = cost(front_end_loads(front, classes=10), chip)
    last = with_readout.layers[-1].load
    assert (last.inputs, last.outputs, last.macs) == (3 * 1 + 1, 10, 30)
    assert with_readout.energy > priced.energy and with_readout.devices > 0


@pytest.mark.parametrize(
    "wrong", [{"window": 100}, {"window": 2}, {"frames": 0}, {"bands": 4, "coefficients": 5}]
)
def test_what_does_not_fit_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError):
        FrontEnd(**wrong)
