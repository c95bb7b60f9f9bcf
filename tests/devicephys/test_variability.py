"""Spreads from device to device and from cycle to cycle, and the noise of the occupation."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import truncnorm

from ddkbase.errors import InputError
from ddkbase.units import to_si
from devicephys.device import Device, Oxide, Transistor, list_devices, load_device
from devicephys.device.library import device_from_yaml
from devicephys.device.ranges import random_device
from devicephys.population.variability import (
    FAINTEST,
    FEWEST_PLACES,
    SPREADS,
    OccupationNoise,
    Variability,
    _binomial,
    _cut_normal,
    _poisson,
    draw_cell,
    pieces,
)

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = load_device("tin-taox-hfox-tin")
BARE = load_device("larentis-stack")
USUAL, NONE = Variability(), Variability.none()
LIMIT = 1e27
numbers = st.integers(0, 2**32 - 1)
few = st.integers(0, 50)


def barrier(device: Device, name: str) -> float:
    material = device.materials[name]
    assert isinstance(material, Oxide)
    return material.diffusion_activation


def only(**spreads: object) -> Variability:
    return Variability(**{**NONE.to_dict(), **spreads})


# -- the description ----------------------------------------------------------------------------


def test_defaults_are_those_of_the_table() -> None:
    for name, spread in SPREADS.items():
        assert getattr(USUAL, name) == spread.default
        assert spread.source.split(":")[0] in ("literature", "assumed", "derived")


def test_description_survives_yaml() -> None:
    some = Variability(filament_radius=0.1, activation_energy="0.02 eV", occupation=0)
    assert Variability.from_mapping(yaml.safe_load(yaml.safe_dump(some.to_dict()))) == some
    assert Variability.from_mapping({}) == USUAL
    assert hash(Variability.from_mapping(NONE.to_dict())) == hash(NONE)
    assert pickle.loads(pickle.dumps(some)) == some


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"filament_radios": 0.1}, "Did you mean 'filament_radius'"),
        ({"filament_radius": -0.1}, "is negative"),
        ({"activation_energy": 0.01}, "no unit"),
        ({"activation_energy": "1 V"}, "wrong dimension"),
        ({"threshold_voltage": "nan V"}, "not a finite number"),
        ("5 %", "not a mapping"),
        (None, "not a mapping"),
    ],
)
def test_bad_descriptions_are_refused(data: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Variability.from_mapping(data)
    assert "variability" in str(caught.value)


# -- drawn devices ------------------------------------------------------------------------------


@given(seed=numbers, cycle=numbers, number=numbers, name=st.sampled_from(list_devices()))
def test_no_spread_gives_the_device_itself(seed: int, cycle: int, number: int, name: str) -> None:
    device = load_device(name)
    drawn = draw_cell(device, NONE, seed, cycle, number)
    assert drawn.device is device
    assert drawn.noise is None


@given(seed=numbers, cycle=numbers, number=numbers)
def test_one_seed_gives_one_cell(seed: int, cycle: int, number: int) -> None:
    one, two = (draw_cell(SHIPPED, USUAL, seed, cycle, number) for _ in range(2))
    assert one == two
    assert one.device.to_yaml() == two.device.to_yaml()
    assert device_from_yaml(one.device.to_yaml()) == one.device


@given(
    seed=numbers,
    cycle=few,
    number=few,
    device_seed=st.integers(0, 200),
    factor=st.sampled_from([1.0, 10.0, 1e3]),
)
def test_whatever_is_drawn_is_a_valid_device(
    seed: int, cycle: int, number: int, device_seed: int, factor: float
) -> None:
    wild = Variability(
        **{
            name: f"{factor * spread.default} {spread.unit}"
            for name, spread in SPREADS.items()
            if name != "occupation"
        }
    )
    device = random_device(np.random.default_rng(device_seed))
    cell = draw_cell(device, wild, seed, cycle, number).device
    assert device.filament.wall_width <= cell.filament.radius < device.outer_radius
    if isinstance(cell.series, Transistor):
        assert isinstance(device.series, Transistor)
        assert cell.series.overdrive >= 0.099 * device.series.overdrive
    for name, material in cell.materials.items():
        if isinstance(material, Oxide):
            assert material.diffusion_activation >= 0.0, name


@given(seed=numbers, cycle=numbers, number=numbers)
def test_draws_stay_within_their_cut(seed: int, cycle: int, number: int) -> None:
    cell = draw_cell(SHIPPED, USUAL, seed, cycle, number).device
    slack = 1 + 1e-12
    radius = cell.filament.radius / SHIPPED.filament.radius
    assert 0.9 * 0.94 / slack <= radius <= 1.1 * 1.06 * slack
    for name in ("HfOx", "TaOx"):
        assert abs(barrier(cell, name) - barrier(SHIPPED, name)) <= 0.039 * slack
    assert isinstance(cell.series, Transistor)
    assert isinstance(SHIPPED.series, Transistor)
    shift = cell.series.threshold_voltage - SHIPPED.series.threshold_voltage
    assert abs(shift) <= 0.036 * slack


def test_only_what_is_spread_changes_and_says_so() -> None:
    cell = draw_cell(SHIPPED, USUAL, seed=3, cycle=2, device_number=7).device
    changed = {
        path for path, origin in cell.provenance.items() if origin != SHIPPED.provenance[path]
    }
    assert changed == {
        "filament.radius",
        "materials.HfOx.diffusion_activation",
        "materials.TaOx.diffusion_activation",
        "series.threshold_voltage",
    }
    for path in changed:
        source = cell.provenance[path].source
        assert source.startswith("drawn: seed 3, device 7, cycle 2; around")
    assert cell.provenance["filament.radius"].source.endswith("around 9 nm (article)")


def test_without_a_transistor_its_spread_does_nothing() -> None:
    assert draw_cell(BARE, only(threshold_voltage="50 mV"), 1).device is BARE


def test_spreads_between_devices_do_not_know_the_cycle() -> None:
    spread = only(filament_radius=0.05, activation_energy="10 meV", threshold_voltage="12 mV")
    cells = {draw_cell(SHIPPED, spread, 1, cycle, 4).device for cycle in range(5)}
    assert len(cells) == 1


def test_spreads_between_cycles_differ_from_cycle_to_cycle_and_device_to_device() -> None:
    spread = only(filament_radius_cycle=0.02, activation_energy_cycle="3 meV")
    radii = {
        draw_cell(SHIPPED, spread, seed, cycle, number).device.filament.radius
        for seed, cycle, number in itertools.product(range(4), repeat=3)
    }
    assert len(radii) == 64


def test_a_cycle_scatters_about_its_own_device() -> None:
    """Both spreads at once: the middle of a device's cycles is the device, not the nominal cell."""
    between = only(filament_radius=0.05)
    both = only(filament_radius=0.05, filament_radius_cycle=0.02)
    for number in range(6):
        own = draw_cell(SHIPPED, between, 7, 0, number).device.filament.radius
        cycles = [
            draw_cell(SHIPPED, both, 7, cycle, number).device.filament.radius
            for cycle in range(200)
        ]
        assert np.mean(cycles) == pytest.approx(own, rel=4 * 0.02 / np.sqrt(200))
        assert np.std(cycles) == pytest.approx(0.02 * own, rel=0.2)
    own, barriers = [], []
    for number in range(8):
        spread = only(activation_energy="10 meV")
        own.append(barrier(draw_cell(SHIPPED, spread, 7, 0, number).device, "HfOx"))
        spread = only(activation_energy="10 meV", activation_energy_cycle="3 meV")
        cells = [draw_cell(SHIPPED, spread, 7, cycle, number).device for cycle in range(100)]
        barriers.append(np.mean([barrier(cell, "HfOx") for cell in cells]))
    np.testing.assert_allclose(barriers, own, rtol=0, atol=4 * 3e-3 / 10)


def test_changing_one_spread_leaves_the_other_draws_alone() -> None:
    usual = draw_cell(SHIPPED, USUAL, 5, 1, 2).device
    wide = draw_cell(SHIPPED, Variability(filament_radius=0.1), 5, 1, 2).device
    assert wide.filament.radius != usual.filament.radius
    assert wide.with_({"filament.radius": "9 nm"}) == usual.with_({"filament.radius": "9 nm"})


def test_draws_are_independent_with_the_given_mean_and_spread() -> None:
    count = 400
    cells = [draw_cell(SHIPPED, USUAL, 11, 0, number).device for number in range(count)]
    columns = {
        "radius": [cell.filament.radius / SHIPPED.filament.radius - 1 for cell in cells],
        "HfOx": [barrier(cell, "HfOx") - barrier(SHIPPED, "HfOx") for cell in cells],
        "TaOx": [barrier(cell, "TaOx") - barrier(SHIPPED, "TaOx") for cell in cells],
        "threshold": [cell.series.threshold_voltage - 1.3 for cell in cells],  # type: ignore[union-attr]
    }
    # cut off at two and at three standard deviations, a normal law keeps 0.88 and 0.987 of them
    expected = {
        "radius": np.hypot(0.88 * 0.05, 0.02),
        "HfOx": 0.987 * np.hypot(0.010, 0.003),
        "TaOx": 0.987 * np.hypot(0.010, 0.003),
        "threshold": 0.987 * 0.012,
    }
    for name, values in columns.items():
        sd = expected[name]
        assert abs(np.mean(values)) < 4 * sd / np.sqrt(count), name
        assert np.std(values) == pytest.approx(sd, rel=4 / np.sqrt(2 * count)), name
    correlation = np.corrcoef(list(columns.values()))
    assert np.abs(correlation - np.eye(4)).max() < 4 / np.sqrt(count)


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "1", None, 2**32])
@pytest.mark.parametrize("name", ["seed", "cycle", "device_number"])
def test_numbers_of_cells_are_whole(wrong: object, name: str) -> None:
    given_numbers = {"seed": 1, "cycle": 0, "device_number": 0, name: wrong}
    with pytest.raises(InputError) as caught:
        draw_cell(SHIPPED, USUAL, **given_numbers)  # type: ignore[arg-type]
    assert name in str(caught.value)


# -- occupation ---------------------------------------------------------------------------------


def noise(cycle: int = 0, seed: int = 1, factor: float = 1.0) -> OccupationNoise:
    return OccupationNoise(seed, 0, cycle, factor)


def grid(p: float, places: float, rows: int = 40, columns: int = 50) -> tuple[np.ndarray, ...]:
    """Mean concentration, volumes, heights, oxide cells; all cells hold `places`, all columns two
    or more to the height of one."""
    shape = rows, columns
    height = np.full(rows, min(places / 2, 1.0) * LIMIT ** (-1 / 3))
    volume = np.full(shape, places / LIMIT)
    return np.full(shape, p * LIMIT), volume, height, np.ones(shape, dtype=bool)


@given(
    p=st.floats(0, 1),
    places=st.floats(1e-3, 1e4),
    seed=numbers,
    factor=st.floats(0, 20),
    limited=st.booleans(),
)
def test_occupation_lies_between_nothing_and_all_places(
    p: float, places: float, seed: int, factor: float, limited: bool
) -> None:
    mean, volume, height, oxide = grid(p, places, 12, 5)
    out = noise(seed=seed, factor=factor).apply(
        mean, volume, height, LIMIT if limited else None, oxide
    )
    assert out.shape == mean.shape
    assert np.isfinite(out).all()
    assert out.min() >= 0.0
    assert out.max() <= LIMIT or not limited
    if factor < FAINTEST or p == 0 or (p == 1 and limited):
        np.testing.assert_array_equal(out, mean)


@pytest.mark.parametrize("factor", [1.0, 0.5])
@pytest.mark.parametrize("places", [3.0, 40.0, 1e4])
@pytest.mark.parametrize("p", [0.05, 0.5, 0.93])
def test_occupation_has_mean_and_variance_of_the_binomial_law(
    p: float, places: float, factor: float
) -> None:
    mean, volume, height, oxide = grid(p, places)
    share = noise(factor=factor).apply(mean, volume, height, LIMIT, oxide) / LIMIT
    variance = factor**2 * p * (1 - p) / places
    assert share.mean() == pytest.approx(p, abs=4 * np.sqrt(variance / share.size))
    # the variance of a variance is larger the more skewed the law is
    fourth = np.mean((share - p) ** 4)
    error = np.sqrt((fourth - variance**2) / share.size)
    assert share.var() == pytest.approx(variance, abs=5 * error)


@pytest.mark.parametrize("density", [0.3, 20.0])
def test_without_a_limit_the_number_of_vacancies_is_spread_like_poisson(density: float) -> None:
    # cells are joined where they hold less than two at the densest place: here all or none are
    joined = int(np.ceil(FEWEST_PLACES / density))
    mean, volume, height, oxide = grid(1.0, density, rows=20 * joined)
    found = noise().apply(mean, volume, height, None, oxide)[::joined] * volume[0, 0] * joined
    expected = density * joined
    assert found.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / found.size))
    assert found.var() == pytest.approx(expected, rel=0.25)


def test_the_variance_is_capped_where_there_are_hardly_any_places() -> None:
    mean, volume, height, oxide = grid(0.5, 0.01, rows=1, columns=20_000)
    share = noise().apply(mean, volume, height, LIMIT, oxide) / LIMIT
    assert share.mean() == pytest.approx(0.5, abs=0.01)
    assert share.var() == pytest.approx(0.125, rel=0.05)


@pytest.mark.parametrize("split", [4, 30])
def test_noise_of_a_volume_does_not_depend_on_how_finely_it_is_divided(split: int) -> None:
    p, places, rows = 0.7, 6.0, 12
    variance = p * (1 - p) / (places * rows)  # of the whole column
    mean, volume, height, oxide = grid(p, places / split, rows * split, 4000)
    share = noise().apply(mean, volume, height, LIMIT, oxide).mean(axis=0) / LIMIT
    assert share.mean() == pytest.approx(p, abs=4 * np.sqrt(variance / share.size))
    assert share.var() == pytest.approx(variance, rel=0.12)


def test_a_piece_is_as_tall_as_a_place_is_wide() -> None:
    edge = LIMIT ** (-1 / 3)
    mean, volume, _, oxide = grid(0.7, 8.0, rows=12)  # rows of eight places, a third as tall as one
    share = noise().apply(mean, volume, np.full(12, 0.35 * edge), LIMIT, oxide)
    np.testing.assert_array_equal(share[::3], share[1::3])
    np.testing.assert_array_equal(share[::3], share[2::3])
    assert (share[::3][1:] != share[::3][:-1]).all()


def test_cycles_devices_and_seeds_have_noise_of_their_own() -> None:
    arguments = (*grid(0.5, 10)[:3], LIMIT, grid(0.5, 10)[3])
    usual = draw_cell(SHIPPED, USUAL, 1, 0, 0).noise
    assert usual is not None
    first = usual.apply(*arguments)
    for other in ((2, 0, 0), (1, 1, 0), (1, 0, 1)):
        another = draw_cell(SHIPPED, USUAL, *other).noise
        assert another is not None
        correlation = np.corrcoef(first.ravel(), another.apply(*arguments).ravel())[0, 1]
        assert abs(correlation) < 4 / np.sqrt(first.size), other
    np.testing.assert_array_equal(first, usual.apply(*arguments))


def test_only_oxides_are_touched_and_arguments_are_kept() -> None:
    mean, volume, height, _ = grid(0.5, 10)
    kept = mean.copy()
    rows = np.arange(mean.shape[0]) % 4 < 2
    out = noise().apply(mean, volume, height, LIMIT, rows)
    np.testing.assert_array_equal(mean, kept)
    np.testing.assert_array_equal(out[~rows], mean[~rows])
    assert (out[rows] != mean[rows]).all()
    whole = np.broadcast_to(rows[:, None], mean.shape)
    np.testing.assert_array_equal(out, noise().apply(mean, volume, height, LIMIT, whole))


@given(
    volumes=st.lists(st.lists(st.floats(0.01, 3), min_size=3, max_size=3), min_size=1, max_size=25),
    metal=st.lists(st.booleans(), min_size=25, max_size=25),
)
def test_pieces_fill_the_oxide_and_hold_enough(
    volumes: list[list[float]], metal: list[bool]
) -> None:
    volume = np.array(volumes)
    oxide = np.broadcast_to(~np.array(metal[: len(volumes)])[:, None], volume.shape)
    first, size = pieces(volume, oxide, np.full(3, 2.0))
    for j in range(volume.shape[1]):
        for i, start in enumerate(first[:, j]):
            members = np.flatnonzero(first[:, j] == start)
            assert members[0] == start
            assert np.array_equal(members, np.arange(start, members[-1] + 1))
            assert size[i, j] == pytest.approx(volume[members, j].sum())
            if not oxide[i, j]:
                assert members.size == 1
                continue
            assert oxide[members, j].all()
            low = start == 0 or not oxide[start - 1, j]
            top = members[-1] == len(volume) - 1 or not oxide[members[-1] + 1, j]
            # only an oxide that has not enough in all may be one piece with less
            assert size[i, j] >= 2.0 * (1 - 1e-12) or (low and top)


# -- the document -------------------------------------------------------------------------------


def test_the_document_holds_the_table_of_spreads() -> None:
    text = (ROOT / "docs" / "variability.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    found = {row[0].strip("| `"): row[1:] for row in rows}
    assert set(found) == set(SPREADS)
    for name, spread in SPREADS.items():
        shown, level, cut, source = found[name]
        if "%" in shown:
            assert float(shown.rstrip(" %")) / 100 == pytest.approx(spread.default)
        else:
            assert to_si(shown, spread.unit) == pytest.approx(spread.default)
        assert level == spread.level
        assert cut == ("–" if np.isinf(spread.cut) else f"{spread.cut:g} sd")
        assert source.removesuffix(" |") == spread.source


@pytest.mark.parametrize("name", ["filament_radius", "activation_energy"])
def test_draws_are_of_a_normal_law_that_is_cut_not_of_one_that_is_clipped(name: str) -> None:
    cut = SPREADS[name].cut
    for u in (0.0, 1e-4, 0.02, 0.3, 0.5, 0.8, 0.99, 1.0):
        free = _cut_normal(5.0, 0.2, u, name, (-np.inf, np.inf))
        assert free == pytest.approx(5.0 + 0.2 * truncnorm.ppf(u, -cut, cut))
        # what the device does not allow is cut as well, 4.9 to 5.1
        near = _cut_normal(5.0, 0.2, u, name, (4.9, 5.1))
        assert near == pytest.approx(5.0 + 0.2 * truncnorm.ppf(u, -0.5, 0.5))


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_factor_of_the_occupation_is_one_of_standard_deviations(factor: float) -> None:
    u = (np.arange(20_000) + 0.5) / 20_000
    mean, places = 40.0, 100.0  # vacancies, and places for them
    number = _poisson(np.full(u.shape, mean), np.ones(u.shape), u, factor)
    share = _binomial(np.full(u.shape, mean / places), np.full(u.shape, places), u, factor)
    for drawn, middle, variance in (
        (number, mean, mean),
        (share, 0.4, 0.4 * 0.6 / places),
    ):
        assert drawn.mean() == pytest.approx(middle, rel=1e-3)
        assert drawn.std() == pytest.approx(factor * variance**0.5, rel=0.01)
