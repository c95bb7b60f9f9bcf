"""The coupled equations of the cell on a grid: residual, Jacobian, boundary rows, currents.

Unknowns are the potential V [V] and the temperature T [K] (continuous, bilinear) and the vacancy
concentration n (one value a cell). Equations (5)-(11) of Shi et al., Nat. Commun. 16, 913 (2025),
in weak axisymmetric form::

    int sigma grad V . grad v r                                            = 0
    int k grad T . grad s r - sigma |grad V|^2 s r + rho Cp (T - T_h)/(g) s r = 0
    int (n - n_h) q r + g sum_faces N [q] r                                = 0

``T_h``, ``n_h`` and ``g`` come from the time stepper: every implicit multistep formula has the
form (u - u_h)/g = f(u). Scaled units: nm, 1e27 1/m^3, V, K, s. The heat equation is divided by
1e18 (nm against m) and all rows leave out the factor 2 pi.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import basix.ufl
import numpy as np
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from dolfinx.fem import petsc as fem_petsc
from dolfinx.la import InsertMode
from mpi4py import MPI

from devicephys.device import Conductor, Device
from devicephys.device.series import SeriesElement
from devicephys.fem.fluxes import (
    CONCENTRATION,
    MetalSurfaces,
    OxideLaws,
    VacancyTransport,
    conduction,
    exchange_rates,
    exchanging,
    metal_conductivity,
)
from devicephys.fem.kernel.cell_kernel import CellKernel, compiled_kernel
from devicephys.fem.kernel.source import compiled_form
from devicephys.fem.mesh import (
    BETWEEN_OXIDES,
    LENGTH,
    OXIDE_AGAINST_METAL,
    Grid,
    build_mesh,
    constant,
    initial_concentration,
    interface_resistivity,
    nearest,
    tagged_faces,
)
from devicephys.fem.timing import Stopwatch
from devicephys.installation import compiling
from devicephys.population.variability import OccupationNoise

#: the potential equation is divided by this conductivity, S/m: its rows are then about as large as
#: those of the heat equation (k of a few W/m/K), and the LU needs no scaling of its own
SIGMA_SCALE = 1e4


@dataclass(frozen=True)
class Terms:
    """Which terms of the equations are on; all of them in a simulation, fewer in verification.

    Without ``motion`` vacancies neither move nor are exchanged: their row says n = n_h.
    """

    fick: float = 1.0
    drift: float = 1.0
    joule: float = 1.0
    motion: bool = True


@dataclass
class State:
    """Fields of one instant: owned degrees of freedom of this rank and the contact voltage.

    ``u`` holds (V, T) interleaved per node, shape (2 * nodes,); ``n`` shape (cells,) in units of
    ``CONCENTRATION``; ``contact`` is the potential of the top electrode in V. ``tangents`` are
    the derivatives of the state, one a parameter, where somebody follows them.
    """

    u: np.ndarray
    n: np.ndarray
    contact: float
    tangents: tuple[State, ...] = ()

    def copy(self) -> State:
        """Independent copy."""
        return State(self.u.copy(), self.n.copy(), self.contact, self.tangents)


class CellProblem:
    """Forms, matrices and boundary data of one device on one grid.

    ``sources``, for manufactured solutions, is called with the mesh and the ``Constant`` that
    holds the time at the end of the step in s, and gives one mapping a layer from ``"potential"``,
    ``"temperature"``, ``"vacancy"`` to a UFL expression for the right-hand side of that equation,
    in the scaled units above. Without ``compiled`` the equations are written, not made ready to
    assemble: of such a problem another one takes the numbers (``devicephys.fem.tangents``).
    ``kernel`` says what assembles: see ``devicephys.simulation.settings``.
    """

    @compiling()
    def __init__(
        self,
        device: Device,
        grid: Grid,
        comm: MPI.Intracomm,
        terms: Terms = Terms(),
        sources: Callable[..., Sequence[Mapping[str, Any]]] | None = None,
        compiled: bool = True,
        kernel: str = "auto",
    ):
        self.device, self.grid, self.comm, self.terms = device, grid, comm, terms
        #: what stands in series, driven as what is being done drives it
        self.series: SeriesElement = device.series.swept()
        self.watch = Stopwatch()
        self.mesh = build_mesh(comm, grid)
        cell = self.mesh.basix_cell()
        # V and T share one blocked space, so that the two rows of a node stay together in the
        # factors. n is one value a cell: drift fronts are sharper than any cell, continuous n rings
        # at them, and cell values with fitted face fluxes stay positive and keep the inventory.
        self.U = fem.functionspace(self.mesh, basix.ufl.element("Lagrange", cell, 1, shape=(2,)))
        self.C = fem.functionspace(self.mesh, ("DG", 0))
        self.u, self.u_hist = fem.Function(self.U), fem.Function(self.U)
        self.n, self.n_hist = fem.Function(self.C), fem.Function(self.C)
        self.gamma_dt, self.time = fem.Constant(self.mesh, 1.0), fem.Constant(self.mesh, 0.0)
        self._locate()
        self._write_forms(sources(self.mesh, self.time) if sources else ())
        #: what assembles on one rank, None where the forms do
        self.kernel: CellKernel | None = None
        if compiled:
            # manufactured sources are integrated with more points than the kernel has
            self.kernel = compiled_kernel(self, "forms" if sources else kernel)
            self._allocate()

    # -- geometry ---------------------------------------------------------------------------

    def _locate(self) -> None:
        """Layer of each cell, grid position of each dof, boundary dofs, oxide faces."""
        grid, mesh = self.grid, self.mesh
        self.nu = 2 * self.U.dofmap.index_map.size_local
        self.nc = self.C.dofmap.index_map.size_local
        self.node_r, self.node_z = self.U.tabulate_dof_coordinates().T[:2]
        self.node_index = nearest(grid.z, self.node_z), nearest(grid.r, self.node_r)
        r, z = self.C.tabulate_dof_coordinates().T[:2]
        self.cell_index = nearest(grid.z_centre, z), nearest(grid.r_centre, r)
        self.cell_layer = grid.layer[self.cell_index[0]]
        sizes = np.diff(grid.r)[self.cell_index[1]], np.diff(grid.z)[self.cell_index[0]]
        self.cell_extent = np.column_stack(sizes) / LENGTH
        self.cell_volume = grid.volume[self.cell_index][: self.nc]
        top, side = len(grid.z) - 1, len(grid.r) - 1
        owned = np.arange(self.nu // 2)
        zi, ri = self.node_index[0][owned], self.node_index[1][owned]
        self.bottom_v = (2 * owned[zi == 0]).astype(np.int32)
        self.top_v = (2 * owned[zi == top]).astype(np.int32)
        cold = (zi == 0) | (zi == top)
        if self.device.side_wall == "isothermal":
            cold |= ri == side
        self.cold_t = (2 * owned[cold] + 1).astype(np.int32)
        self.fixed = np.concatenate([self.bottom_v, self.top_v, self.cold_t]).astype(np.int32)

        materials = [self.device.materials[layer.material] for layer in self.device.layers]
        oxide = np.array([not isinstance(material, Conductor) for material in materials])
        open_metal = np.array([exchanging(material) for material in materials])
        self.oxide_cells = oxide[self.cell_layer][: self.nc]
        self.oxide_rows, self.metal_rows = oxide[grid.layer], open_metal[grid.layer]
        self._facet_tags = tagged_faces(mesh, oxide[self.cell_layer], open_metal[self.cell_layer])
        cells = np.arange(len(self.cell_layer), dtype=np.int32)
        self._cell_tags = dmesh.meshtags(mesh, 2, cells, self.cell_layer.astype(np.int32))

    def _cellwise(self, values) -> fem.Function:
        """Cell-wise constant function with one value a layer."""
        function = fem.Function(self.C)
        function.x.array[:] = np.asarray(values, dtype=float)[self.cell_layer]
        return function

    def _outside(self, radius: float, value: float) -> fem.Function:
        """Cell-wise constant function: ``value`` times the share of a cell outside a radius."""
        function = fem.Function(self.C)
        share = 1.0 - self.grid.share_inside(radius)
        function.x.array[:] = value * share[self.cell_index[1]]
        return function

    def _interfaces(self) -> dict[int, fem.Function]:
        """What interfaces resist heat with, m K/W, of the layers that hold any in their cells."""
        rows, function = interface_resistivity(self.device, self.grid), fem.Function(self.C)
        function.x.array[:] = rows[self.cell_index[0]]
        return dict.fromkeys(self.grid.layer[rows > 0.0].tolist(), function)

    def _below_contact(self, value: float) -> fem.Function:
        """Cell-wise constant function: ``value`` but in the row of cells under the top contact."""
        function = fem.Function(self.C)
        function.x.array[:] = value * (self.cell_index[0] < len(self.grid.z) - 2)
        return function

    # -- equations --------------------------------------------------------------------------

    def _write_forms(self, sources) -> None:
        device, mesh, terms = self.device, self.mesh, self.terms
        # Two Gauss points an axis are exact for the flux of bilinear fields, the weight r included;
        # manufactured sources get more, so that their quadrature does not show in the orders.
        degree = 4 if sources else 2
        dx = ufl.Measure(
            "dx", mesh, subdomain_data=self._cell_tags, metadata={"quadrature_degree": degree}
        )
        # One point in the middle of a face: r there times its length is the face's area over 2 pi.
        dS = ufl.Measure(
            "dS", mesh, subdomain_data=self._facet_tags, metadata={"quadrature_degree": 1}
        )
        r = ufl.SpatialCoordinate(mesh)[0]
        w, q = ufl.TestFunction(self.U), ufl.TestFunction(self.C)
        v, s = w[0], w[1]
        V, T, n = self.u[0], self.u[1], self.n

        def number(value):
            return constant(mesh, value)

        ambient = number(device.ambient_temperature)

        joule, interfaces = number(terms.joule), self._interfaces()
        residual_u = 0
        prefactors, activations = [], []
        joule_heat = 0
        heat_capacity = 0
        for i, layer in enumerate(device.layers):
            material = device.materials[layer.material]
            rho_cp = number(material.volumetric_heat_capacity * LENGTH**2)
            field2 = ufl.dot(ufl.grad(V), ufl.grad(V))
            if isinstance(material, Conductor):
                inside = self._below_contact if layer is device.layers[-1] else number
                sigma = metal_conductivity(material, T - ambient, number, inside)
                k = number(material.thermal_conductivity)
                # never read: vacancies cross no face of a conductor's own
                prefactors.append(1.0)
                activations.append(1.0)
            else:
                laws = OxideLaws.of(material, number)
                sigma = laws.conductivity(n, T, field2)
                k = laws.thermal_conductivity(n, T, ambient)
                prefactors.append(material.diffusion_prefactor / LENGTH**2)
                activations.append(material.diffusion_activation)
            residual_u += sigma / SIGMA_SCALE * ufl.dot(ufl.grad(V), ufl.grad(v)) * r * dx(i)
            residual_u += conduction(k, T, s, interfaces.get(i)) * r * dx(i)
            residual_u -= joule * sigma * field2 * s * r * dx(i)
            residual_u += rho_cp * (T - self.u_hist[1]) / self.gamma_dt * s * r * dx(i)
            joule_heat += sigma * field2 * r * dx(i)
            heat_capacity += rho_cp * s * r * dx(i)
        extent = fem.Function(fem.functionspace(mesh, ("DG", 0, (2,))))
        extent.x.array[:] = self.cell_extent.ravel()
        self.transport = VacancyTransport.of(
            device.vacancy,
            number,
            prefactor=self._cellwise(prefactors),
            activation=self._cellwise(activations),
            extent=extent,
            fick=terms.fick,
            drift=terms.drift,
        )
        # n lives in conductors, too, where no face carries a flux and the row says n = n_h.
        residual_n = (n - self.n_hist) * q * r * dx
        exchanged = []
        if terms.motion:
            flux = self.transport.face_flux(n, V, T, ufl.FacetNormal(mesh))
            onward = self.gamma_dt * flux * (q("+") - q("-"))
            residual_n += onward * ufl.avg(r) * dS(BETWEEN_OXIDES)
            for i, rate in exchange_rates(device, n, T, number, self._outside).items():
                residual_n += self.gamma_dt * rate * q * r * dx(i)
                exchanged.append(rate * r * dx(i))
        if terms.motion and (surfaces := MetalSurfaces.of(device, self._cellwise)):
            for side, outflow in surfaces.outflow(self.transport, n, V, T).items():
                crossing = outflow * ufl.avg(r)
                residual_n += self.gamma_dt * crossing * q(side) * dS(OXIDE_AGAINST_METAL)
                exchanged.append(crossing * dS(OXIDE_AGAINST_METAL))
        for i, source in enumerate(sources):
            if "potential" in source:
                residual_u -= source["potential"] * v * r * dx(i)
            if "temperature" in source:
                residual_u -= source["temperature"] * s * r * dx(i)
            if "vacancy" in source:
                residual_n -= self.gamma_dt * source["vacancy"] * q * r * dx(i)

        # Within the row of cells below the contact sigma is constant, so the current through the
        # top is a fixed linear functional of the potential: the flux tested with a function that is
        # one on the contact and falls to zero within that row.
        lifting = fem.Function(self.U)
        lifting.x.array[0::2] = self.node_index[0] == len(self.grid.z) - 1
        electrode = device.materials[device.layers[-1].material]
        assert isinstance(electrode, Conductor)  # the device model sees to it
        current = (
            number(electrode.electrical_conductivity)
            * ufl.dot(ufl.grad(lifting[0]), ufl.grad(v))
            * r
            * dx(len(device.layers) - 1)
        )
        self.written: tuple[Any, ...] = (
            *(residual_u, residual_n, current, joule_heat, heat_capacity),
            sum(exchanged) if exchanged else None,
        )

    @cached_property
    def residual_forms(self) -> list[fem.Form]:
        """Compiled residuals of (V, T) and of n."""
        return [compiled_form(residual) for residual in self.written[:2]]

    @cached_property
    def jacobian_forms(self) -> list[list[fem.Form | None]]:
        """Compiled derivatives of the residuals with respect to (V, T) and n; None where zero."""
        # Differentiated by UFL from the residual itself, so that no coupling is forgotten
        # (d sigma/dn, dD/dT, dN/dV): Newton stays quadratic where a filament snaps.
        fields = ((self.u, ufl.TrialFunction(self.U)), (self.n, ufl.TrialFunction(self.C)))
        return [
            [
                compiled_form(ufl.derivative(residual, *field))
                # vacancies that are held do not ask what V and T are
                if self.terms.motion or (row, column) != (1, 0)
                else None
                for column, field in enumerate(fields)
            ]
            for row, residual in enumerate(self.written[:2])
        ]

    @cached_property
    def matrix(self) -> Any:
        """One plain matrix over all fields; a nested one could not be given to a direct solver."""
        return fem_petsc.create_matrix(self.jacobian_forms, kind="mpi")

    def exchange_rate(self) -> float:
        """Vacancies [1/s] that the loaded state loses to the surroundings. Collective."""
        rate = 2 * np.pi * LENGTH**3 * CONCENTRATION * fem.assemble_scalar(self.exchange_form)
        return self.sum(rate)[0]

    def _allocate(self) -> None:
        current, joule_heat, heat_capacity, exchanged = self.written[2:]
        self.joule_form = compiled_form(joule_heat)
        #: vacancies lost to the surroundings a second, over 2 pi; None where nothing is exchanged
        self.exchange_form = compiled_form(exchanged) if exchanged is not None else None
        self._current_form = compiled_form(current)
        self._bu, self._bn = fem.create_vector(self.U), fem.create_vector(self.C)
        self.current_vector = self.current_functional()
        self.heat_capacity_vector = (
            2 * np.pi * LENGTH * self._owned(compiled_form(heat_capacity), self._bu, self.nu)
        )
        self.top_indicator = np.zeros(self.nu + self.nc)
        self.top_indicator[self.top_v] = 1.0

    def current_functional(self) -> np.ndarray:
        """What gives the current through the top [A] from the owned ``u``. Collective."""
        return 2 * np.pi * LENGTH * self._owned(self._current_form, self._bu, self.nu)

    def _owned(self, form, vector, count: int) -> np.ndarray:
        vector.array[:] = 0.0
        fem.assemble_vector(vector.array, form)
        # A node on the border of two ranks gets a share of its row from cells of both.
        if self.comm.size > 1:
            vector.scatter_reverse(InsertMode.add)
        return vector.array[:count].copy()

    @property
    def unknowns(self) -> int:
        """Number of unknowns over all ranks."""
        return 2 * self.U.dofmap.index_map.size_global + self.C.dofmap.index_map.size_global

    # -- state ------------------------------------------------------------------------------

    def load(self, state: State) -> None:
        """Put a state into the functions the forms read. Collective."""
        self.u.x.array[: self.nu] = state.u
        self.n.x.array[: self.nc] = state.n
        if self.comm.size > 1:
            self.u.x.scatter_forward()
            self.n.x.scatter_forward()

    def load_history(
        self, u_hist: np.ndarray, n_hist: np.ndarray, gamma_dt: float, time: float = 0.0
    ) -> None:
        """Set T_h, n_h, g of the time formula (owned values) and the time. Collective."""
        self.u_hist.x.array[: self.nu] = u_hist
        self.n_hist.x.array[: self.nc] = n_hist
        self.gamma_dt.value, self.time.value = gamma_dt, time
        if self.comm.size > 1:
            self.u_hist.x.scatter_forward()
            self.n_hist.x.scatter_forward()

    def initial_state(self, noise: OccupationNoise | None = None) -> State:
        """Just after forming: the article's initial state (V = 0, T = T0, n in filament, TaOx).

        ``noise`` draws the concentration of each cell of the grid about that.
        """
        device = self.device
        u = np.zeros(self.nu)
        u[1::2] = device.ambient_temperature
        rows, columns = (index[: self.nc] for index in self.cell_index)
        table = initial_concentration(device, self.grid)
        if noise is not None:
            limit = device.vacancy.site_limit if device.vacancy.site_exclusion else None
            heights = np.diff(self.grid.z)
            table = noise.apply(table, self.grid.volume, heights, limit, self.oxide_rows)
        return State(u, table[rows, columns] / CONCENTRATION, 0.0)

    # -- assembly ---------------------------------------------------------------------------

    def raw_residual(self) -> np.ndarray:
        """Residual of the loaded state without boundary rows, shape (nu + nc,). Collective."""
        with self.watch.part("residual"):
            if self.kernel is not None:
                return self.kernel.residual(self.grid)
            out = np.empty(self.nu + self.nc)
            out[: self.nu] = self._owned(self.residual_forms[0], self._bu, self.nu)
            out[self.nu :] = self._owned(self.residual_forms[1], self._bn, self.nc)
            return out

    def constrain(self, raw: np.ndarray, state: State) -> np.ndarray:
        """Residual with the Dirichlet rows replaced by value - target; a new array."""
        out = raw.copy()
        out[self.bottom_v] = state.u[self.bottom_v]
        out[self.top_v] = state.u[self.top_v] - state.contact
        out[self.cold_t] = state.u[self.cold_t] - self.device.ambient_temperature
        return out

    def assemble_jacobian(self, matrix: Any = None) -> None:
        """Jacobian of the loaded state, Dirichlet rows replaced by identity. Collective.

        It goes into ``matrix``, by default into that of the problem.
        """
        matrix = self.matrix if matrix is None else matrix
        with self.watch.part("jacobian"):
            matrix.zeroEntries()
            fem_petsc.assemble_matrix(matrix, self.jacobian_forms)
            matrix.assemble()
            # Rows only: the increments of boundary values are not zero where the load line moves
            # the contact, and their columns carry them to the inside. LU needs no symmetry.
            matrix.zeroRowsLocal(self.fixed, 1.0)

    # -- load line --------------------------------------------------------------------------

    def load_line(self, applied: float, contact: float) -> tuple[float, float]:
        """Current [A] that the series element leaves for the cell at a contact voltage (V), and how
        fast it falls with that [S]; what charges the line is taken from it. Collective."""
        drop, ambient = applied - contact, self.device.ambient_temperature
        laws = self.series.current, self.series.conductance
        current, conductance = (law(drop, applied, ambient) for law in laws)
        if not self.series.capacitance:
            return current, conductance
        charging = self.series.capacitance / float(self.gamma_dt.value)
        before = self.u_hist.x.array[self.top_v]
        total, count = self.sum(float(before.sum()), float(len(before)))
        return current - charging * (contact - total / count), conductance + charging

    # -- global sums ------------------------------------------------------------------------

    def current(self, u: np.ndarray) -> float:
        """Current [A] into the top electrode; it is linear in V. Collective."""
        return self.sum(float(self.current_vector @ u))[0]

    def sum(self, *values: float) -> tuple[float, ...]:
        """Sums over the ranks. Collective."""
        if self.comm.size == 1:
            return tuple(float(v) for v in values)
        return self._reduced(list(values), MPI.SUM)

    def maximum(self, *values: float) -> tuple[float, ...]:
        """Maxima over the ranks (NaN counts as infinity). Collective."""
        # MPI.MAX may lose a NaN, depending on the order in which ranks are compared.
        clean = [v if np.isfinite(v) else np.inf for v in map(float, values)]
        if self.comm.size == 1:
            return tuple(clean)
        return self._reduced(clean, MPI.MAX)

    def _reduced(self, values: list[float], operation: MPI.Op) -> tuple[float, ...]:
        total = np.empty(len(values))
        self.comm.Allreduce(np.array(values, dtype=float), total, op=operation)
        return tuple(float(v) for v in total)

    def place_of_largest(self, change: State, field: str) -> tuple[float, float]:
        """Position (r, z) in m of the largest entry of a change in one field. Collective."""
        if field == "vacancy concentration":
            values, rows, columns = change.n, *(i[: self.nc] for i in self.cell_index)
            r, z = self.grid.r_centre, self.grid.z_centre
        else:
            values = change.u[0 if field == "potential" else 1 :: 2]
            rows, columns = (i[: self.nu // 2] for i in self.node_index)
            r, z = self.grid.r, self.grid.z
        best = (-1.0, 0.0, 0.0)
        if values.size:
            k = int(np.argmax(np.nan_to_num(np.abs(values), nan=np.inf)))
            best = (float(np.abs(values[k])), float(r[columns[k]]), float(z[rows[k]]))
        if self.comm.size > 1:
            best = max(self.comm.allgather(best))
        return best[1], best[2]
