"""Wear: the window, what it does to alpha and beta, and its price."""

from __future__ import annotations

import numpy as np
import pytest

from compact.kinetics.equations import integrate
from ddkbase.errors import InputError
from network.hardware import ConductanceWindow, Endurance
from network.hardware.cells.reliability import against_cycles
from network.plots.hardware import endurance_figure

WINDOW = ConductanceWindow(10e-6, 110e-6)


def wear(**options: object) -> Endurance:
    return Endurance(window=WINDOW, onset=1e5, loss=0.2, **options)  # type: ignore[arg-type]


def test_the_window_closes_by_decades_and_never_wholly() -> None:
    law = wear()
    assert law.worn(0) == law.worn(1e5) == WINDOW
    assert law.left(1e7) == pytest.approx(0.6)
    worn = law.worn(1e7)
    assert (worn.low, worn.high) == pytest.approx((30e-6, 90e-6))
    assert law.left(1e30) == 0.02
    top = wear(at_high=1.0).worn(1e7)
    assert (top.low, top.high) == pytest.approx((10e-6, 70e-6))


def test_longer_pulses_may_wear_sooner() -> None:
    law = wear(exponent=1.0)
    assert law.left(1e6, "100 ns") == pytest.approx(0.8)
    assert law.left(1e6, "1 us") == pytest.approx(0.6)
    assert wear().left(1e6, "1 us") == wear().left(1e6)


def test_absolute_steps_move_the_conductance_as_before() -> None:
    # Eq. (4) in G: the worn cell follows the fresh one as long as both are inside
    law = wear(at_high=1.0)
    alpha, beta = np.array(0.004), np.array(0.05)
    worn = law.worn(1e7)
    a, b = law.kinetics(alpha, beta, 1e7)
    start = 65e-6
    pulses = np.ones(12)
    fresh = integrate("exact", alpha, beta, pulses, (start - WINDOW.low) / WINDOW.span)
    old = integrate("exact", a, b, pulses, (start - worn.low) / worn.span)
    g = [w.low + w.span * y for w, y in ((WINDOW, fresh), (worn, old))]
    assert g[1] == pytest.approx(g[0], rel=1e-9)
    same = wear(steps="relative").kinetics(alpha, beta, 1e7)
    assert same[0] is alpha and same[1] is beta


def test_readings_of_the_worn_cell_shrink_into_the_window() -> None:
    law = wear()
    y = np.array([0.0, 0.5, 1.0], np.float32)
    seen = law.features(y, 1e7)
    assert seen == pytest.approx([0.2, 0.5, 0.8])
    assert seen.dtype == np.float32


def test_lifetimes_are_weibull() -> None:
    assert wear().failed(1e12).total == 0
    law = wear(lifetime=1e8, shape=2.0)
    assert law.failed(1e8).total == pytest.approx(1 - np.exp(-1))
    assert law.failed(1e7).total == pytest.approx(1 - np.exp(-0.01))
    assert law.failed(1e8).stuck_low == law.failed(1e8).stuck_high


def test_course_and_picture() -> None:
    law = wear()
    ds = against_cycles(lambda n: 0.9 * law.left(n), law, [1e4, 1e6, 1e8])
    assert ds["accuracy"].values == pytest.approx([0.9, 0.72, 0.36])
    assert ds["conductance_max"].attrs["units"] == "S"
    for variable in ds.variables.values():
        assert variable.attrs["units"] and variable.attrs["long_name"]
    figure = endurance_figure({"short pulses": ds, "long pulses": ds})
    assert [ax.get_xscale() for ax in figure.axes] == ["log", "log"]
    assert len(figure.axes[1].lines) == 2 and len(figure.axes[0].lines) == 2  # one window


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wear(at_high=2.0), "above 1"),
        (lambda: wear(steps="some"), "'absolute' or 'relative'"),
        (lambda: wear(lifetime=0.0), "zero"),
        (lambda: Endurance(onset=0.0), "zero"),
        (lambda: wear().left(-1.0), "no number from 0"),
        (lambda: wear().left(1.0, "1 V"), "wrong dimension"),
        (lambda: against_cycles(lambda n: 1.0, wear(), [1e5, 1e4]), "rising"),
    ],
)
def test_bad_input_is_one_line(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
