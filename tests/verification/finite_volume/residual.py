"""Residual of the coupled equations in finite volumes, and its exact derivative.

Potential, temperature and concentration have one value a cell, in its centre. Current and heat
cross a face through two half cells in series, and what a half cell turns into heat stays in its
cell. With the reduced difference w of drift and Soret between two centres, the hop x = w a/(2 d)
and the spread D_E = D x coth x, vacancies cross it by the fitted flux of drift v = D w/d and
diffusion D_E, that is with p = v d/D_E = 2 (d/a) tanh x::

    N = D_E/d [B(-p) n_left (1 - n_right/n_max) - B(p) n_right (1 - n_left/n_max)]

with Bernoulli's function B (flux "fitted"), which adds a spread of p^2/12 on its own, or with
B(p) = max(1 - p/2, 0, -p), central for small p and upwind beyond 2 (flux "hybrid", Spalding 1972),
which adds none on cells smaller than a hop. Both have the same limit of a fine mesh.

The field that helps conduction is that of the half cells, their drops shared out as their
resistances without its help are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tests.verification.finite_volume.cell import KB, UNIT, Cell
from tests.verification.finite_volume.entries import Entries
from tests.verification.finite_volume.laws import (
    FLUXES,
    conductivity,
    hop_spread,
    thermal_conductivity,
)
from tests.verification.finite_volume.series import series_current

_SORET = {"hot": -1.0, "cold": 1.0, "off": 0.0}
#: conductivity and the like of the three outer places, whose half cells have no length
OUTER = np.ones(3)


@dataclass
class State:
    """``v``, ``t``, ``n`` in the cells, and the potential of the top electrode."""

    v: np.ndarray
    t: np.ndarray
    n: np.ndarray
    contact: float

    def copy(self) -> State:
        """Independent copy."""
        return State(self.v.copy(), self.t.copy(), self.n.copy(), self.contact)


@dataclass
class Iterate:
    """Fields with those of the outer places, columns of the unknowns, and what is collected.

    An outer place has no rows, and of its columns only that of the contact counts: -1 elsewhere.
    """

    v: np.ndarray
    t: np.ndarray
    n: np.ndarray
    v_at: np.ndarray
    t_at: np.ndarray
    n_at: np.ndarray
    residual: np.ndarray
    entries: Entries
    by_sigma: Entries
    slopes: bool

    @classmethod
    def of(cls, cell: Cell, state: State, slopes: bool) -> Iterate:
        """That of a state."""
        count = cell.count
        own, size = np.arange(count), 3 * count + 1
        return cls(
            v=np.concatenate([state.v, [0.0, state.contact, 0.0]]),
            t=np.concatenate([state.t, np.full(3, cell.device.ambient_temperature)]),
            n=np.concatenate([state.n, np.zeros(3)]),
            v_at=np.concatenate([own, [-1, 3 * count, -1]]),
            t_at=np.concatenate([own + count, [-1] * 3]),
            n_at=np.concatenate([own + 2 * count, [-1] * 3]),
            residual=np.zeros(size),
            entries=Entries(size),
            by_sigma=Entries(size, count),
            slopes=slopes,
        )

    def flow(self, rows: np.ndarray, a: np.ndarray, b: np.ndarray, flow: np.ndarray) -> None:
        """A flow out of the left and into the right cell."""
        count = len(rows) - 3
        for side, sign in ((a, 1.0), (b, -1.0)):
            inner = side < count
            np.add.at(self.residual, rows[side[inner]], sign * flow[inner])


class Equations:
    """Residual and Jacobian of one cell; unknowns are v, t, n of all cells, then the contact.

    ``pulses`` drives the series element as RESET pulses do, without ``motion`` vacancies stay.
    """

    def __init__(
        self, cell: Cell, flux: str = "fitted", pulses: bool = False, motion: bool = True
    ) -> None:
        self.cell, self.pulses, self.motion = cell, pulses, motion
        self.weights = FLUXES[flux]
        self.size = 3 * cell.count + 1
        self.current_faces = cell.faces.take(cell.electric)
        self.heat_faces = cell.faces.take(cell.heat)
        self.vacancy_faces = cell.faces.take(cell.between_oxides)
        self.surface_faces = cell.faces.take(cell.surfaces)
        self.top = np.flatnonzero(self.current_faces.right == cell.count + 1)
        vacancy = cell.device.vacancy
        self.soret, self.charge = _SORET[vacancy.soret], vacancy.charge_number
        self.limit = vacancy.site_limit / UNIT
        self.hop = vacancy.hop_distance if vacancy.hop_dispersion else None

    def start(self) -> State:
        """The cell just after forming, cold and without voltage."""
        cell = self.cell
        ambient = np.full(cell.count, cell.device.ambient_temperature)
        return State(np.zeros(cell.count), ambient, cell.start.copy(), 0.0)

    def evaluate(
        self, state: State, past: State, gamma: float, applied: float, slopes: bool = True
    ):
        """Residual of (u - past)/gamma = f(u), its derivative (None without ``slopes``).

        Rows: A, W and 1e27/s a cell; the last is A.
        """
        cell, count = self.cell, self.cell.count
        here = Iterate.of(cell, state, slopes)
        square, field = self._squared_field(here)
        sigma, s_t, s_n, s_e = conductivity(cell, state.t, state.n, square)
        sigma = np.append(sigma, OUTER)
        heat = [
            np.append(x, outer)
            for x, outer in zip(
                thermal_conductivity(cell, state.t, state.n), (OUTER, 0 * OUTER, 0 * OUTER),
                strict=True,
            )
        ]  # fmt: skip
        self._current(here, sigma)
        self._heat(here, heat)
        at_t, at_n = here.t_at[:count], here.n_at[:count]
        storage = cell.law["heat_capacity"] * cell.volume / gamma
        here.residual[at_t] += storage * (state.t - past.t)
        here.residual[at_n] += cell.volume * (state.n - past.n) / gamma
        if self.motion:
            self._vacancies(here)
            self._exchange(here)
            if len(self.surface_faces.left):
                self._surfaces(here, sigma, heat)
        self._load_line(here, state.contact, applied)
        if not slopes:
            return here.residual, None
        here.entries.add(at_t, at_t, storage)
        here.entries.add(at_n, at_n, cell.volume / gamma)
        # what the conductivity does, by its own dependence on t, n and the field
        chain = sparse.diags(s_e) @ field.matrix()[:count]
        own = np.arange(count)
        for slope, at in ((s_t, at_t), (s_n, at_n)):
            chain = chain + sparse.csr_matrix((slope, (own, at)), (count, self.size))
        return here.residual, here.entries.matrix() + here.by_sigma.matrix() @ chain

    def _squared_field(self, here: Iterate) -> tuple[np.ndarray, Entries]:
        """Squared field of each cell, and its slopes; drops are shared as without the field."""
        f, count = self.current_faces, self.cell.count
        a, b = f.left, f.right
        sigma, s_t, s_n, _ = conductivity(
            self.cell, here.t[:count], here.n[:count], np.zeros(count)
        )
        sigma, s_t, s_n = (
            np.append(x, outer) for x, outer in ((sigma, OUTER), (s_t, 0 * OUTER), (s_n, 0 * OUTER))
        )
        left, right = f.left_part / sigma[a], f.right_part / sigma[b]
        share, drop = left / (left + right), here.v[a] - here.v[b]
        square = np.zeros(count + 3)
        slopes = Entries(count + 3, self.size)
        for side, part, way, sign in (
            (a, share, f.left_way, 1.0),
            (b, 1.0 - share, f.right_way, -1.0),
        ):
            # an outer place has no half cell
            per_way = np.divide(1.0, way, out=np.zeros_like(way), where=way > 0.0)
            local = part * drop * per_way
            # the two faces across an axis count half each
            np.add.at(square, side, 0.5 * local**2)
            if not here.slopes:
                continue
            slopes.add(side, here.v_at[a], local * part * per_way)
            slopes.add(side, here.v_at[b], -local * part * per_way)
            bend = sign * local * drop * per_way * share * (1.0 - share)
            for other, turn in ((a, -1.0), (b, 1.0)):
                slopes.add(side, here.t_at[other], turn * bend * s_t[other] / sigma[other])
                slopes.add(side, here.n_at[other], turn * bend * s_n[other] / sigma[other])
        return square[:count], slopes

    def _current(self, here: Iterate, sigma: np.ndarray) -> None:
        """Current between cells, and the heat it makes in the half cells on its way."""
        f, count = self.current_faces, self.cell.count
        a, b = f.left, f.right
        left, right = f.left_part / sigma[a], f.right_part / sigma[b]
        conductance = 1.0 / (left + right)
        current = conductance * (here.v[a] - here.v[b])
        here.flow(here.v_at, a, b, current)
        for side, part in ((a, left), (b, right)):
            inner = side < count
            np.add.at(here.residual, here.t_at[side[inner]], -(current**2 * part)[inner])
        self.inward = -float(current[self.top].sum())
        if here.slopes:
            self._current_slopes(here, f, conductance, current, (left, right), sigma)

    def _heat(self, here: Iterate, heat: list[np.ndarray]) -> None:
        """Heat that is conducted between cells."""
        f, (k, k_t, k_n) = self.heat_faces, heat
        a, b = f.left, f.right
        left, right = f.left_part / k[a], f.right_part / k[b]
        conductance = 1.0 / (left + right + f.barrier)
        flow = conductance * (here.t[a] - here.t[b])
        here.flow(here.t_at, a, b, flow)
        if not here.slopes:
            return
        for side, part, sign in ((a, left, 1.0), (b, right, -1.0)):
            bend = flow * conductance * part / k[side]
            at = here.t_at
            here.entries.pair(at, a, b, at[side], sign * conductance + bend * k_t[side])
            here.entries.pair(at, a, b, here.n_at[side], bend * k_n[side])

    def _load_line(self, here: Iterate, contact: float, applied: float) -> None:
        """The current into the top electrode is that of the series element."""
        device, last = self.cell.device, np.array([3 * self.cell.count])
        if device.series.kind == "none":
            here.residual[last] = contact - applied
            here.entries.add(last, last, np.ones(1))
            return
        through, slope = series_current(device, applied - contact, applied, self.pulses)
        here.residual[last] = self.inward - through
        here.entries.add(last, last, np.array([slope]))

    def _current_slopes(self, here: Iterate, f, conductance, current, halves, sigma) -> None:
        """Slopes of current and heat with v, and with the conductivities."""
        count, (left, right) = self.cell.count, halves
        entries, by_sigma, v_at, t_at = here.entries, here.by_sigma, here.v_at, here.t_at
        a, b = f.left, f.right
        no_series = self.cell.device.series.kind == "none"
        last = np.full(len(self.top), 3 * count)
        for side, sign in ((a, 1.0), (b, -1.0)):
            rows = np.where(np.arange(count + 3) < count, v_at, -1)
            entries.pair(rows, a, b, v_at[side], sign * conductance)
            for cell_side, part in ((a, left), (b, right)):
                real = cell_side < count
                slope = -2.0 * current * part * sign * conductance
                entries.add(t_at[cell_side[real]], v_at[side[real]], slope[real])
            if not no_series:
                entries.add(last, v_at[side[self.top]], -sign * conductance[self.top])
        for side, part in ((a, left), (b, right)):
            slope = current * conductance * part / sigma[side]
            column = np.where(side < count, side, -1)
            for cell_side, sign in ((a, 1.0), (b, -1.0)):
                real = cell_side < count
                by_sigma.add(cell_side[real], column[real], sign * slope[real])
            for cell_side, own in ((a, left), (b, right)):
                real = cell_side < count
                heat = -2.0 * current * own * slope
                if cell_side is side:
                    heat = heat + current**2 * own / sigma[side]
                by_sigma.add(t_at[cell_side[real]], column[real], heat[real])
            if not no_series:
                by_sigma.add(last, column[self.top], -slope[self.top])

    def _drift(self, drop_v, drop_t, t_face, activation, way):
        """Slopes of w with V, T and T of the face; p and the spread, each with its slope."""
        z = self.charge / (KB * t_face)
        soret = self.soret * activation / (KB * t_face**2)
        w = z * drop_v + soret * drop_t
        w_t = -(z * drop_v + 2.0 * soret * drop_t) / t_face
        if self.hop is None:
            return z, soret, w_t, w, np.ones_like(w), np.ones_like(w), np.zeros_like(w)
        per_w = self.hop / (2.0 * way)
        x = w * per_w
        tangent = np.tanh(x)
        spread, spread_x = hop_spread(x)
        return z, soret, w_t, tangent / per_w, 1.0 - tangent**2, spread, spread_x * per_w

    def _vacancies(self, here: Iterate) -> None:
        """Drift, spread and Soret flux between the cells of oxides."""
        law, f = self.cell.law, self.vacancy_faces
        v, t, n = here.v, here.t, here.n
        a, b = f.left, f.right
        way = f.left_way + f.right_way
        near, far = f.right_way / way, f.left_way / way
        t_face = np.clip(near * t[a] + far * t[b], 150.0, 6000.0)
        d0, ea = law["diffusion_prefactor"], law["diffusion_activation"]
        late_a = f.left_way / d0[a] * np.exp(ea[a] / (KB * t_face))
        late_b = f.right_way / d0[b] * np.exp(ea[b] / (KB * t_face))
        speed = f.area / (late_a + late_b)
        speed_t = speed / (late_a + late_b) * (late_a * ea[a] + late_b * ea[b]) / (KB * t_face**2)
        z, soret, w_t, p, p_w, spread, spread_w = self._drift(
            v[a] - v[b], t[a] - t[b], t_face, 0.5 * (ea[a] + ea[b]), way
        )
        onward, onward_p = self.weights(-p)
        back, back_p = self.weights(p)
        free_a, free_b = 1.0 - n[a] / self.limit, 1.0 - n[b] / self.limit
        bracket = onward * n[a] * free_b - back * n[b] * free_a
        flux = speed * spread * bracket
        entries, at_v, at_t, at_n = here.entries, here.v_at, here.t_at, here.n_at
        here.flow(at_n, a, b, flux)
        if not here.slopes:
            return
        bracket_p = -onward_p * n[a] * free_b - back_p * n[b] * free_a
        flux_w = speed * (spread_w * bracket + spread * bracket_p * p_w)
        flux_t = speed_t * spread * bracket + flux_w * w_t
        scale = speed * spread
        entries.pair(at_n, a, b, at_v[a], flux_w * z)
        entries.pair(at_n, a, b, at_v[b], -flux_w * z)
        entries.pair(at_n, a, b, at_t[a], flux_t * near + flux_w * soret)
        entries.pair(at_n, a, b, at_t[b], flux_t * far - flux_w * soret)
        entries.pair(at_n, a, b, at_n[a], scale * (onward * free_b + back * n[b] / self.limit))
        entries.pair(at_n, a, b, at_n[b], -scale * (back * free_a + onward * n[a] / self.limit))

    def _exchange(self, here: Iterate) -> None:
        """Vacancies that a volume exchanges with what surrounds the cell."""
        law, count = self.cell.law, self.cell.count
        at_t, at_n = here.t_at[:count], here.n_at[:count]
        hot = np.clip(here.t[:count], 150.0, 6000.0)
        barrier = law["exchange_activation"] / (KB * hot)
        rate = law["exchange_rate"] * self.cell.volume * np.exp(-barrier)
        excess = rate * (here.n[:count] - law["exchange_rest"])
        here.residual[at_n] += excess
        here.entries.add(at_n, at_n, rate)
        here.entries.add(at_n, at_t, excess * barrier / hot)

    def _surfaces(self, here: Iterate, sigma: np.ndarray, heat: list[np.ndarray]) -> None:
        """Vacancies that leave through the surfaces of metals; derivatives along the imaginary."""
        law, f, v, t, n = self.cell.law, self.surface_faces, here.v, here.t, here.n
        oxide_left = self.cell.oxide[np.minimum(f.left, self.cell.count - 1)]
        inner = np.where(oxide_left, f.left, f.right)
        outer = np.where(oxide_left, f.right, f.left)
        way = np.where(oxide_left, f.left_way, f.right_way)
        part = np.where(oxide_left, f.left_part, f.right_part)
        rest_part = np.where(oxide_left, f.right_part, f.left_part)
        k, k_t, k_n = heat
        d0, ea = law["diffusion_prefactor"][inner], law["diffusion_activation"][inner]
        prefactor, barrier = law["surface_prefactor"][outer], law["surface_activation"][outer]
        rest = law["surface_rest"][outer]

        def outflow(vi, vo, ti, to, ni, si, so, ki, ko):
            drop_v = (vi - vo) * (part / si) / (part / si + rest_part / so)
            drop_t = (ti - to) * (part / ki) / (part / ki + rest_part / ko + f.barrier)
            surface_t = ti - drop_t
            w = (
                self.charge / (KB * surface_t) * drop_v
                + self.soret * ea / (KB * surface_t**2) * drop_t
            )
            p, spread = w, 1.0
            if self.hop is not None:
                per_w = self.hop / (2.0 * way)
                x = w * per_w
                x = np.where(np.abs(x) < 1e-6, x + 1e-6, x)
                p, spread = np.tanh(x) / per_w, x / np.tanh(x)
            p = np.where(np.abs(p) < 1e-6, p + 1e-6, p)
            onward, back = -p / np.expm1(-p), p / np.expm1(p)
            g = spread * d0 * np.exp(-ea / (KB * surface_t)) / way
            rate = prefactor * np.exp(-barrier / (KB * surface_t))
            filled = ni / self.limit
            lost = onward * filled + back * (1.0 - filled)
            return f.area * rate * g * (onward * ni - lost * rest) / (rate + g * lost)

        variables = [v[inner], v[outer], t[inner], t[outer], n[inner]]
        variables += [x[side] for x in (sigma, k) for side in (inner, outer)]
        entries, at_v, at_t, at_n = here.entries, here.v_at, here.t_at, here.n_at
        np.add.at(here.residual, at_n[inner], outflow(*variables))
        if not here.slopes:
            return
        columns = [at_v[inner], at_v[outer], at_t[inner], at_t[outer], at_n[inner]]

        def slope(i: int) -> np.ndarray:
            size = np.where(variables[i] == 0.0, 1.0, np.abs(variables[i]))
            bent = [x + (1e-30j * size if i == j else 0.0) for j, x in enumerate(variables)]
            return outflow(*bent).imag / (1e-30 * size)

        for i, column in enumerate(columns):
            entries.add(at_n[inner], column, slope(i))
        for i, side in enumerate((inner, outer)):
            here.by_sigma.add(at_n[inner], side, slope(5 + i))
            entries.add(at_n[inner], at_t[side], slope(7 + i) * k_t[side])
            entries.add(at_n[inner], at_n[side], slope(7 + i) * k_n[side])
