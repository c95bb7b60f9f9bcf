"""Graded tensor-product mesh of the r-z half plane of the cell.

The mesh is made of rectangles, so that the exponentially fitted vacancy flux lives on faces that
are orthogonal to the line between cell centres, and so that results are arrays over ``(z, r)``.
Lines are placed by a size function: fine where the filament meets the bottom electrode, at the
filament wall and in the first nanometres of the reservoir, coarse in the electrodes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import basix.ufl
import numpy as np
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from mpi4py import MPI

from ddkbase.errors import InputError
from devicephys.device import Conductor, Device

#: one length unit of the finite-element problem, in metres
LENGTH = 1e-9
#: largest axial cell between the bottom electrode and 8 nm above the filament, m
ZONE_SIZE = 0.6e-9
#: most cells of a grid
MOST_CELLS = 500_000
#: tags of faces that vacancies cross
BETWEEN_OXIDES, OXIDE_AGAINST_METAL = 1, 2
#: radial cell size at the filament's wall, m, and where hops limit what is sharp along the axis
RADIAL_SIZE, RADIAL_SIZE_HOPS = 1.0e-9, 0.8e-9
#: axial cells where hops limit what is sharp, in hops: smallest one, and largest in the filament
HOP_SHARES = 0.25, 0.5


@dataclass(frozen=True)
class Grid:
    """Lines of the tensor-product grid and the layer of each row of cells.

    ``r`` has shape (nr + 1,), ``z`` shape (nz + 1,), both in metres and increasing; ``layer`` has
    shape (nz,) and holds the index of the layer of each row of cells, counted from the bottom.
    ``wall_line`` is the index in ``r`` of the filament's wall.
    """

    r: np.ndarray
    z: np.ndarray
    layer: np.ndarray
    wall_line: int

    @property
    def cell_count(self) -> int:
        """Number of cells, nr * nz."""
        return (len(self.r) - 1) * (len(self.z) - 1)

    @property
    def r_centre(self) -> np.ndarray:
        """Radial cell centres in metres, shape (nr,)."""
        return 0.5 * (self.r[1:] + self.r[:-1])

    @property
    def z_centre(self) -> np.ndarray:
        """Axial cell centres in metres, shape (nz,)."""
        return 0.5 * (self.z[1:] + self.z[:-1])

    @property
    def volume(self) -> np.ndarray:
        """Cell volumes including the factor 2 pi r, in m^3, shape (nz, nr)."""
        ring = np.pi * (self.r[1:] ** 2 - self.r[:-1] ** 2)
        return np.diff(self.z)[:, None] * ring[None, :]

    def share_inside(self, radius: float) -> np.ndarray:
        """Share of each ring of cells that lies inside a radius in metres, shape (nr,)."""
        ring = np.diff(self.r**2)
        return np.clip(radius**2 - self.r[:-1] ** 2, 0.0, ring) / ring


def graded_line(
    breaks: np.ndarray, size, split: int, cells: Sequence[int] | None = None
) -> np.ndarray:
    """Divide a line so that the cell size follows ``size(x)`` and every break is a node.

    ``breaks`` are increasing positions, ``size`` a vectorised function giving the wanted size at a
    position in the same unit. Between two breaks the number of cells is the integral of 1/size
    rounded up, times ``split``, or what ``cells`` says for each; the nodes sit at equal steps of
    that integral, so that halving the cells (``split=2``) keeps every line of the coarser mesh.
    """
    nodes = [breaks[0]]
    for k, (a, b) in enumerate(itertools.pairwise(breaks)):
        x = np.linspace(a, b, 2001)
        finest = float(np.min(size(np.array([a, b]))))
        if x[1] - x[0] > finest:
            # a layer much thicker than its cells at the ends: look closely there
            inward = np.geomspace(finest / 4, (b - a) / 2, 1001)
            x = np.concatenate([[a], a + inward, (b - inward)[-2::-1], [b]])
        # Cells a unit length is 1/size; equal steps of its integral are nodes of a line whose cells
        # follow the size, and halving the steps keeps all nodes: meshes of a series are nested.
        density = 1.0 / size(x)
        count = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(x))])
        # an integral of 12.0000000001 is 12 cells whose rounding went up
        many = max(1, int(np.ceil(count[-1] - 1e-9))) * split if cells is None else cells[k]
        targets = np.linspace(0.0, count[-1], many + 1)[1:]
        inner = np.interp(targets, count, x)
        inner[-1] = b  # to the last bit: layers are told apart by their edges
        nodes.extend(inner)
    return np.array(nodes)


def make_grid(
    device: Device,
    size: float,
    growth: float,
    split: int = 1,
    coarseness: float = 1.0,
    like: Grid | None = None,
) -> Grid:
    """Grid for a device.

    Parameters: ``size`` is the smallest cell size in metres (at the filament's foot, its wall and
    in the reservoir above it), ``growth`` the growth of the size per unit distance (0.15 means
    that a cell 10 nm away from the refined region is 1.5 nm larger), ``split`` divides every cell
    once more (2 halves the mesh). Where hops give every front a width, the smallest cell is a
    quarter of a hop at least, and those of the filament's layer half a hop at most, both times
    ``coarseness``. ``like`` is the grid of a cell with the same layers that differs
    in lengths at most: this one then has as many cells between its edges, so that it follows a
    length without jumps. Raises InputError where the size does not fit the cell, or the layers are
    not those of ``like``.
    """
    heights = np.array([layer.thickness for layer in device.layers])
    edges = np.concatenate([[0.0], np.cumsum(heights)])
    if not 0.0 < size <= heights.min() / 2:
        raise InputError(
            f"cell size {size:.3g} m does not fit a layer of {heights.min():.3g} m",
            where="settings.cell_size",
            hint="choose at most half of the thinnest layer",
        )
    index = [layer.name for layer in device.layers].index(device.filament.layer)
    bottom, top = edges[index], edges[index + 1]
    # Above the filament the reservoir is depleted over some nanometres while the device sets;
    # cells there stay below a multiple of the smallest size before they may grow freely. Metals
    # above the last oxide are meshed as the electrode they lead to.
    ceiling = edges[device.layers.index(device.oxide_layers[-1]) + 1]
    zone_top = min(top + 8e-9, ceiling)
    zone = below = ZONE_SIZE * coarseness
    wall = RADIAL_SIZE * coarseness
    # a mesh that does not grow is uniform, of the size that is asked for
    if device.vacancy.hop_dispersion and growth > 0.0:
        foot, most = (share * device.vacancy.hop_distance * coarseness for share in HOP_SHARES)
        size, below = max(size, min(foot, heights.min() / 2)), min(zone, most)
        wall = RADIAL_SIZE_HOPS * coarseness

    def z_size(z):
        distance = np.abs(z - bottom)
        largest = np.maximum(np.where(z > top, zone, below), size)
        in_oxide = np.minimum(size + growth * distance, largest)
        in_oxide = np.maximum(in_oxide, size + growth * (z - zone_top))
        in_electrode = size + 2.0 * growth * np.where(z < bottom, distance, z - zone_top)
        return np.where((z < bottom) | (z > ceiling), in_electrode, in_oxide)

    # Outwards of the wall hardly more than heat flows, and cells may grow fast; inwards lies the
    # conducting core, in which all fields vary.
    radius = device.filament.radius

    def r_size(r):
        return wall + growth * np.where(r < radius, 0.5 * (radius - r), 1.5 * (r - radius))

    rings, rows = (None, None) if like is None else _cells_between(like, device)
    r = graded_line(np.array([0.0, radius, device.outer_radius]), r_size, split, rings)
    z = graded_line(edges, z_size, split, rows)
    if (count := (len(r) - 1) * (len(z) - 1)) > MOST_CELLS:
        raise InputError(
            f"the mesh would have {count} cells, more than {MOST_CELLS}",
            where="settings.cell_size",
            hint="Choose a coarser mesh or a smaller cell",
        )
    centre = 0.5 * (z[1:] + z[:-1])
    wall_line = 1 + int(np.argmin(np.abs(r[1:] - radius)))
    return Grid(r=r, z=z, layer=np.searchsorted(edges, centre) - 1, wall_line=wall_line)


def _cells_between(grid: Grid, device: Device) -> tuple[list[int], list[int]]:
    """Cells of a grid inside and outside of the filament, and in each layer of a device."""
    rows = np.bincount(grid.layer)
    if len(rows) != len(device.layers):
        raise InputError(
            f"has {len(device.layers)} layers, the cell whose mesh it takes {len(rows)}",
            "settings.mesh_of",
        )
    return [grid.wall_line, len(grid.r) - 1 - grid.wall_line], [int(row) for row in rows]


def initial_concentration(device: Device, grid: Grid) -> np.ndarray:
    """Vacancy concentration just after forming in 1/m^3, shape (nz, nr); zero in conductors.

    Source: the article's initial state; ``filament.wall_width`` > 0 replaces the step at the
    filament wall by a logistic profile whose 12-88 % width is that value.
    """
    table = np.zeros((len(grid.z) - 1, len(grid.r) - 1))
    for i, layer in enumerate(device.layers):
        material = device.materials[layer.material]
        if not isinstance(material, Conductor):
            table[grid.layer == i] = material.initial_concentration
    filament = device.filament
    index = [layer.name for layer in device.layers].index(filament.layer)
    in_layer = grid.layer == index
    floor = sum(layer.thickness for layer in device.layers[:index])
    # A cell that the filament's end or wall cuts gets the share of its volume that lies inside, so
    # the inventory does not depend on where the lines of the mesh fall.
    reach = np.clip(floor + filament.height - grid.z[:-1], 0.0, np.diff(grid.z)) / np.diff(grid.z)
    if filament.wall_width > 0.0:
        x = (grid.r_centre - filament.radius) / (filament.wall_width / 4.0)
        profile = 1.0 / (1.0 + np.exp(np.clip(x, -60.0, 60.0)))
    else:
        profile = grid.share_inside(filament.radius)
    share = reach[in_layer, None] * profile[None, :]
    table[in_layer] += share * (filament.concentration - table[in_layer])
    return table


def interface_resistivity(device: Device, grid: Grid) -> np.ndarray:
    """Thermal resistance of the interfaces, over the height of the rows of cells that hold them.

    An interface lies in the row of cells that touches it from the side of a metal, or from above
    where both sides are alike: there the temperature decides least about the current. In series
    with its own resistance h/k the row then has that of the interface, R, so that its nodes are
    those of a slab with a drop q R. Shape (nz,), m K/W.
    """
    resistivity = np.zeros(len(grid.layer))
    metal = [isinstance(device.materials[x.material], Conductor) for x in device.layers]
    for i, layer in enumerate(device.layers):
        if layer.thermal_boundary_resistance_below:
            above = int(np.flatnonzero(grid.layer == i)[0])
            row = above - 1 if metal[i - 1] and not metal[i] else above
            height = grid.z[row + 1] - grid.z[row]
            resistivity[row] += layer.thermal_boundary_resistance_below / height
    return resistivity


def build_mesh(comm: MPI.Intracomm, grid: Grid) -> dmesh.Mesh:
    """Quadrilateral dolfinx mesh of a grid, coordinates in units of ``LENGTH``.

    Facet-neighbour cells are ghosted, as the face fluxes need both sides. Collective.
    """
    element = basix.ufl.element("Lagrange", "quadrilateral", 1, shape=(2,))
    if comm.rank == 0:
        nr, nz = len(grid.r), len(grid.z)
        r, z = np.meshgrid(grid.r / LENGTH, grid.z / LENGTH)
        points = np.column_stack([r.ravel(), z.ravel()])
        j, i = np.meshgrid(np.arange(nz - 1), np.arange(nr - 1), indexing="ij")
        corner = (j * nr + i).ravel()
        cells = np.column_stack([corner, corner + 1, corner + nr, corner + nr + 1]).astype(np.int64)
    else:
        points, cells = np.zeros((0, 2)), np.zeros((0, 4), dtype=np.int64)
    partitioner = dmesh.create_cell_partitioner(dmesh.GhostMode.shared_facet, 2)
    return dmesh.create_mesh(comm, cells, ufl.Mesh(element), points, partitioner)


def constant(mesh: dmesh.Mesh, value: float) -> fem.Constant:
    """A number of the device. One Constant a parameter, equal values or not: the compiled forms
    then serve every device with the same kinds of layers."""
    return fem.Constant(mesh, float(value))


def tagged_faces(mesh: dmesh.Mesh, oxide: np.ndarray, metal: np.ndarray) -> dmesh.MeshTags:
    """The faces that vacancies cross: between oxides, and between an oxide and such a metal.

    ``oxide`` and ``metal`` say of each cell, ghosts included, whether it is one that vacancies
    fill, or one that gives and takes them.
    """
    mesh.topology.create_connectivity(1, 2)
    links = mesh.topology.connectivity(1, 2)
    tags = {}
    for face in range(mesh.topology.index_map(1).size_local):
        # numbers of cells are those of the degrees of freedom of a cell-wise constant space
        beside = links.links(face)
        if len(beside) == 2 and oxide[beside].all():
            tags[face] = BETWEEN_OXIDES
        elif len(beside) == 2 and oxide[beside].any() and metal[beside].any():
            tags[face] = OXIDE_AGAINST_METAL
    faces, values = np.array([*tags], dtype=np.int32), np.array([*tags.values()], dtype=np.int32)
    return dmesh.meshtags(mesh, 1, faces, values)


def nearest(line: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Index of the entry of ``line`` (metres) next to each position (in ``LENGTH``)."""
    where = np.searchsorted(line, position * LENGTH)
    where = np.clip(where, 1, len(line) - 1)
    left, right = line[where - 1], line[where]
    return where - (position * LENGTH - left < right - position * LENGTH)
