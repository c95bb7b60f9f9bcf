"""The mesh and what is laid on it at the start, against lengths, volumes and counts by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from devicephys.fem.equations import initial_concentration
from devicephys.fem.mesh import (
    LENGTH,
    ZONE_SIZE,
    Grid,
    graded_line,
    interface_resistivity,
    make_grid,
    nearest,
)

pytestmark = pytest.mark.fem

CELL = devicephys.load_device("tin-taox-hfox-tin")
EDGES = np.array([0.0, 30e-9, 39e-9, 84e-9, 114e-9])  # of its four layers
#: lines that no edge of a layer or of the filament falls on, but for the layers themselves
COARSE = Grid(
    np.array([0.0, 4e-9, 7e-9, 12e-9, 30e-9]),
    np.array([0.0, 30e-9, 32e-9, 35e-9, 39e-9, 60e-9, 84e-9, 114e-9]),
    np.array([0, 1, 1, 1, 2, 2, 3]),
    2,
)


def test_volumes_are_those_of_rings() -> None:
    volume = COARSE.volume
    assert volume.shape == (7, 4)
    assert volume.sum() == pytest.approx(np.pi * 30e-9**2 * 114e-9)
    assert volume[1, 2] == pytest.approx(np.pi * (12e-9**2 - 7e-9**2) * 2e-9)
    np.testing.assert_allclose(COARSE.r_centre, [2e-9, 5.5e-9, 9.5e-9, 21e-9])
    np.testing.assert_allclose(COARSE.z_centre[:2], [15e-9, 31e-9])


def test_a_ring_that_a_radius_cuts_counts_by_its_area() -> None:
    share = COARSE.share_inside(9e-9)
    np.testing.assert_allclose(share, [1, 1, (81 - 49) / (144 - 49), 0])


@pytest.mark.parametrize(("height", "radius"), [(9.0, 9.0), (4.0, 9.0), (2.0, 4.0), (3.5, 11.0)])
def test_the_filament_stands_on_the_foot_of_its_layer(height: float, radius: float) -> None:
    cell = CELL.with_({"filament.height": f"{height} nm", "filament.radius": f"{radius} nm"})
    n = initial_concentration(cell, COARSE)
    assert not n[COARSE.layer == 0].any() and not n[COARSE.layer == 3].any()
    poor, rich = (cell.materials[k].initial_concentration for k in ("HfOx", "TaOx"))  # type: ignore[union-attr]
    assert (n[COARSE.layer == 2] == rich).all()
    inside = COARSE.layer == 1
    total = (n * COARSE.volume)[inside].sum()
    filament = np.pi * (radius * 1e-9) ** 2 * height * 1e-9
    rest = np.pi * 30e-9**2 * 9e-9 - filament
    assert total == pytest.approx(cell.filament.concentration * filament + poor * rest)
    assert n[1, 0] == pytest.approx(cell.filament.concentration)  # the row above the metal
    top = np.clip(height - 5, 0, 4) / 4  # of the row from 5 to 9 nm
    assert n[3, 0] == pytest.approx(poor + top * (cell.filament.concentration - poor))


def test_a_soft_wall_falls_outwards() -> None:
    cell = CELL.with_({"filament.wall_width": "4 nm"})
    n = initial_concentration(cell, COARSE)[1]
    poor = CELL.materials["HfOx"].initial_concentration  # type: ignore[union-attr]
    share = (n - poor) / (cell.filament.concentration - poor)
    np.testing.assert_allclose(share, 1 / (1 + np.exp(COARSE.r_centre / 1e-9 - 9.0)), rtol=1e-6)


def test_a_place_has_the_number_of_the_line_next_to_it() -> None:
    places = np.array([0.0, 1.9, 2.1, 5.4, 5.6, 29.0, 40.0])
    found = nearest(COARSE.r, places * 1e-9 / LENGTH)
    assert found.tolist() == [0, 0, 1, 1, 2, 4, 4]


def test_an_interface_adds_its_resistance_to_a_row() -> None:
    names = ("top_electrode", "TaOx", "HfOx")
    key = "layers.{}.thermal_boundary_resistance_below"
    warm = CELL.with_(
        {key.format(n): f"{k}e-9 m^2*K/W" for n, k in zip(names, (2, 1, 3), strict=True)}
    )
    rows = interface_resistivity(warm, COARSE)
    # below HfOx in the metal, 30 nm tall; below TaOx above it, 21 nm; below the top in the metal
    expected = [3e-9 / 30e-9, 0, 0, 0, 1e-9 / 21e-9, 0, 2e-9 / 30e-9]
    np.testing.assert_allclose(rows, expected)


def test_a_line_follows_the_size_that_is_asked_for() -> None:
    def size(x: np.ndarray) -> np.ndarray:
        return 0.1 + 0.2 * x

    nodes = graded_line(np.array([0.0, 1.0, 4.0]), size, 1)
    steps, middle = np.diff(nodes), 0.5 * (nodes[1:] + nodes[:-1])
    # the count is the integral of 1/size, 5 ln(size), rounded up between the breaks
    first, second = np.ceil(5 * np.log(3.0)), np.ceil(5 * np.log(3.0))
    assert len(steps) == first + second and 1.0 in nodes and nodes[-1] == 4.0
    assert (steps <= size(middle) * 1.001).all() and (steps > 0.85 * size(middle)).all()
    twice = graded_line(np.array([0.0, 1.0, 4.0]), size, 2)
    assert len(twice) == 2 * len(nodes) - 1
    np.testing.assert_allclose(twice[::2], nodes, atol=1e-12)
    three = graded_line(np.array([0.0, 1.0, 4.0]), size, 2, [3, 7])
    assert len(three) == 11 and three[3] == 1.0


@pytest.mark.parametrize("growth", [0.1, 0.3])
def test_cells_grow_away_from_the_foot_of_the_filament(growth: float) -> None:
    cell = CELL.with_({"vacancy.hop_dispersion": "false"})
    size = 0.1e-9
    grid = make_grid(cell, size, growth)
    assert grid.r[grid.wall_line] == pytest.approx(9e-9)
    for edge in EDGES:
        assert np.abs(grid.z - edge).min() < 1e-20
    np.testing.assert_array_equal(grid.layer, np.searchsorted(EDGES, grid.z_centre) - 1)
    height, middle = np.diff(grid.z), grid.z_centre
    # in the filament's layer the size at the foot and `growth` more a length, up to the zone's
    allowed = np.minimum(size + growth * (middle - 30e-9), ZONE_SIZE)
    for low, high in ((30e-9, 39e-9), (39e-9, 47e-9)):
        inside = (middle > low) & (middle < high)
        assert (height[inside] <= allowed[inside] * 1.02).all()
        assert (height[inside] >= allowed[inside] * 0.8).all()
    # 8 nm above the filament cells grow freely, with `growth`
    above = (middle > 60e-9) & (middle < 84e-9)
    free = np.maximum(ZONE_SIZE, size + growth * (middle[above] - 47e-9))
    np.testing.assert_allclose(height[above], free, rtol=0.12)
    # metals twice as fast, away from both oxides
    below = middle < 30e-9
    np.testing.assert_allclose(
        height[below], size + 2 * growth * (30e-9 - middle[below]), rtol=0.25
    )
    width, ring = np.diff(grid.r), grid.r_centre
    inward, outward = ring < 9e-9, ring > 9e-9
    ratio = [
        [(width[k] - width[k - 1]) / (ring[k] - ring[k - 1]) for k in range(1, len(ring)) if use[k]]
        for use in (inward, outward)
    ]
    assert np.mean(ratio[1][1:]) == pytest.approx(1.5 * growth, rel=0.15)
    assert np.mean(ratio[0]) == pytest.approx(-0.5 * growth, rel=0.3)


def test_a_finer_mesh_keeps_the_lines_of_the_coarser_one() -> None:
    coarse, fine = (make_grid(CELL, 0.1e-9, 0.25, split) for split in (1, 2))
    for one, two in ((coarse.r, fine.r), (coarse.z, fine.z)):
        assert len(two) == 2 * len(one) - 1
        np.testing.assert_allclose(two[::2], one, atol=1e-18)
    assert all(b > a for a, b in itertools.pairwise(fine.z.tolist()))
    assert fine.wall_line == 2 * coarse.wall_line and fine.cell_count == 4 * coarse.cell_count
