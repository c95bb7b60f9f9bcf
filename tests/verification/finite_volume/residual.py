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

from tests.verification.finite_volume.cell import KB, Cell
from tests.verification.finite_volume.series import series_current

_SORET = {"hot": -1.0, "cold": 1.0, "off": 0.0}


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


def bernoulli(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """B(x) = x/(e^x - 1) and its derivative."""
    x = np.clip(x, -500.0, 500.0)
    near = np.abs(x) < 1e-3
    away = np.where(near, 1.0, x)
    less = np.expm1(away)
    value = np.where(near, 1.0 - x / 2.0 + x * x / 12.0, away / less)
    # (e^x - 1 - x e^x)/(e^x - 1)^2, without the square of what may be large
    slope = np.where(near, -0.5 + x / 6.0, (1.0 - value) / less - value)
    return value, slope


def hybrid(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """max(1 - x/2, 0, -x) and its derivative."""
    slope = np.where(x > 2.0, 0.0, np.where(x < -2.0, -1.0, -0.5))
    return np.maximum(np.maximum(1.0 - x / 2.0, 0.0), -x), slope


#: what weighs the concentrations of a face's two sides, by the name of the flux
FLUXES = {"fitted": bernoulli, "hybrid": hybrid}


def hop_spread(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The factor x coth x by which hops spread a drift, and its derivative."""
    near = np.abs(x) < 1e-3
    away = np.where(near, 1.0, np.clip(x, -300.0, 300.0))
    cotangent = 1.0 / np.tanh(away)
    slope = cotangent - away * (cotangent * cotangent - 1.0)
    return np.where(near, 1.0 + x * x / 3.0, away * cotangent), np.where(near, 2 * x / 3, slope)


def ramp(n: np.ndarray, low: np.ndarray, high: np.ndarray, saturation: np.ndarray):
    """Linear from ``low`` at 0 to ``high`` at the saturation, level outside; and its slope."""
    share = n / saturation
    inside = (share > 0.0) & (share < 1.0)
    return low + (high - low) * np.clip(share, 0.0, 1.0), inside * (high - low) / saturation


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
        self.limit = vacancy.site_limit / 1e27
        self.hop = vacancy.hop_distance if vacancy.hop_dispersion else None

    def start(self) -> State:
        """The cell just after forming, cold and without voltage."""
        cell = self.cell
        ambient = np.full(cell.count, cell.device.ambient_temperature)
        return State(np.zeros(cell.count), ambient, cell.start.copy(), 0.0)

    # -- laws -------------------------------------------------------------------------------

    def conductivity(self, t: np.ndarray, n: np.ndarray, square: np.ndarray):
        """Electrical conductivity, and its slopes with t, n and the squared field."""
        cell, law = self.cell, self.cell.law
        prefactor, prefactor_n = ramp(
            n, law["conductivity_low"], law["conductivity_high"], law["conductivity_saturation"]
        )
        barrier, barrier_n = ramp(
            n,
            law["conduction_activation_low"],
            law["conduction_activation_high"],
            law["conduction_activation_saturation"],
        )
        lowering, rounding = law["conduction_field_lowering"], law["conduction_field_rounding"]
        root = np.sqrt(square + rounding**2)
        lowered = barrier - lowering * (root - rounding)
        barrier_n = np.where(lowered > 0.0, barrier_n, np.where(lowering > 0.0, 0.0, barrier_n))
        with np.errstate(divide="ignore", invalid="ignore"):
            barrier_e = np.where((lowered > 0.0) & (lowering > 0), -lowering / (2.0 * root), 0.0)
        barrier = np.where(lowering > 0.0, np.maximum(lowered, 0.0), barrier)
        hot = np.clip(t, 150.0, 6000.0)
        factor = np.exp(-barrier / (KB * hot))
        sigma = prefactor * factor
        slope_t = sigma * barrier / (KB * hot**2) * (hot == t)
        slope_n = prefactor_n * factor - sigma * barrier_n / (KB * hot)
        slope_e = -sigma * barrier_e / (KB * hot)
        resistivity = 1.0 + law["metal_coefficient"] * (t - cell.device.ambient_temperature)
        resistivity = np.maximum(resistivity, 0.1)
        metal = law["metal_conductivity"] / np.where(cell.oxide, 1.0, resistivity)
        metal_t = -metal * law["metal_coefficient"] / resistivity
        oxide = cell.oxide
        return (
            np.where(oxide, sigma, metal),
            np.where(oxide, slope_t, metal_t),
            np.where(oxide, slope_n, 0.0),
            np.where(oxide, slope_e, 0.0),
        )

    def thermal_conductivity(self, t: np.ndarray, n: np.ndarray):
        """Thermal conductivity and its slopes with t and n."""
        cell, law = self.cell, self.cell.law
        plain, plain_n = ramp(
            n,
            law["thermal_conductivity_low"],
            law["thermal_conductivity_high"],
            law["thermal_conductivity_saturation"],
        )
        coefficient = law["thermal_coefficient"]
        warm = 1.0 + coefficient * (t - cell.device.ambient_temperature)
        oxide = cell.oxide
        return (
            np.where(oxide, plain * warm, law["metal_thermal_conductivity"]),
            np.where(oxide, plain * coefficient, 0.0),
            np.where(oxide, plain_n * warm, 0.0),
        )

    # -- residual ---------------------------------------------------------------------------

    def evaluate(
        self, state: State, past: State, gamma: float, applied: float, slopes: bool = True
    ):
        """Residual of (u - past)/gamma = f(u), its derivative (None without ``slopes``).

        Rows: A, W and 1e27/s a cell; the last is A.
        """
        cell, count = self.cell, self.cell.count
        device = cell.device
        v = np.concatenate([state.v, [0.0, state.contact, 0.0]])
        t = np.concatenate([state.t, np.full(3, device.ambient_temperature)])
        n = np.concatenate([state.n, np.zeros(3)])
        at_v, at_t, at_n = (np.arange(count) + k * count for k in range(3))
        # outer places have no rows; of their columns only that of the contact counts
        v_at = np.concatenate([at_v, [-1, 3 * count, -1]])
        t_at, n_at = np.concatenate([at_t, [-1] * 3]), np.concatenate([at_n, [-1] * 3])
        entries = _Entries(self.size)
        residual = np.zeros(self.size)

        # field of the half cells, by the resistances at no field
        f = self.current_faces
        a, b = f.left, f.right
        sigma, s_t, s_n, _ = self.conductivity(state.t, state.n, np.zeros(count))
        extra = np.ones(3)
        sigma, s_t, s_n = (
            np.concatenate([x, extra * (k == 0)]) for k, x in enumerate((sigma, s_t, s_n))
        )
        left, right = f.left_part / sigma[a], f.right_part / sigma[b]
        total = left + right
        drop = v[a] - v[b]
        share = left / total
        square = np.zeros(count + 3)
        pieces = []  # of the squared field: cell, column, slope
        for side, part, way in ((a, share, f.left_way), (b, 1.0 - share, f.right_way)):
            with np.errstate(divide="ignore", invalid="ignore"):
                local = np.where(way > 0.0, part * drop / np.where(way > 0.0, way, 1.0), 0.0)
            # half a cell counts half
            np.add.at(square, side, 0.5 * local**2)
            if slopes:
                sign = 1.0 if side is a else -1.0
                unit = np.where(way > 0.0, part / np.where(way > 0.0, way, 1.0), 0.0)
                pieces += [(side, v_at[a], local * unit), (side, v_at[b], -local * unit)]
                with np.errstate(divide="ignore", invalid="ignore"):
                    bend = np.where(way > 0.0, drop / np.where(way > 0.0, way, 1.0), 0.0)
                bend = sign * local * bend * share * (1.0 - share)
                for other, tone in ((a, -1.0), (b, 1.0)):
                    log = tone * bend / sigma[other]
                    pieces += [(side, t_at[other], log * s_t[other])]
                    pieces += [(side, n_at[other], log * s_n[other])]
        sigma, s_t, s_n, s_e = self.conductivity(state.t, state.n, square[:count])
        sigma = np.append(sigma, extra)
        k, k_t, k_n = self.thermal_conductivity(state.t, state.n)
        k, k_t, k_n = np.append(k, extra), np.append(k_t, 0 * extra), np.append(k_n, 0 * extra)

        # current and its heat
        left, right = f.left_part / sigma[a], f.right_part / sigma[b]
        conductance = 1.0 / (left + right)
        drop = v[a] - v[b]
        current = conductance * drop
        self._add(residual, at_v, a, b, current)
        heat_left, heat_right = current**2 * left, current**2 * right
        np.add.at(residual, t_at[a[a < count]], -heat_left[a < count])
        np.add.at(residual, t_at[b[b < count]], -heat_right[b < count])
        inward = -float(current[self.top].sum())
        if slopes:
            self._current_slopes(
                entries, f, conductance, current, (left, right), sigma, (v_at, t_at)
            )

        # heat that is conducted and stored
        h = self.heat_faces
        c, d = h.left, h.right
        left_k, right_k = h.left_part / k[c], h.right_part / k[d]
        flow_k = 1.0 / (left_k + right_k + h.barrier)
        flow = flow_k * (t[c] - t[d])
        self._add(residual, at_t, c, d, flow)
        storage = cell.law["heat_capacity"] * cell.volume / gamma
        residual[at_t] += storage * (state.t - past.t)
        if slopes:
            entries.add(at_t, at_t, storage)
            for side, part, sign in ((c, left_k, 1.0), (d, right_k, -1.0)):
                bend = flow * flow_k * part / k[side]
                entries.pair(t_at, c, d, t_at[side], sign * flow_k + bend * k_t[side])
                entries.pair(t_at, c, d, n_at[side], bend * k_n[side])

        # vacancies
        residual[at_n] += cell.volume * (state.n - past.n) / gamma
        if slopes:
            entries.add(at_n, at_n, cell.volume / gamma)
        if self.motion:
            at = v_at, t_at, n_at
            self._vacancies(residual, entries if slopes else None, v, t, n, at)
            self._exchange(residual, entries if slopes else None, state, (at_t, at_n))
            if len(self.surface_faces.left):
                self._surfaces(
                    residual, entries if slopes else None, (v, t, n), sigma, (k, k_t, k_n), at
                )

        # load line
        last = 3 * count
        if device.series.kind == "none":
            residual[last] = state.contact - applied
            if slopes:
                entries.add(np.array([last]), np.array([last]), np.ones(1))
        else:
            through, slope = series_current(device, applied - state.contact, applied, self.pulses)
            residual[last] = inward - through
            if slopes:
                entries.add(np.array([last]), np.array([last]), np.array([slope]))
        self.inward = inward
        if not slopes:
            return residual, None
        jacobian = entries.matrix()
        # what the conductivity does, by its own dependence on t, n and the field
        field = _Entries(count + 3, self.size)
        for where, column, slope in pieces:
            field.add(where, column, slope)
        on_field = field.matrix()[:count]
        chain = sparse.diags(s_e) @ on_field
        chain = chain + sparse.csr_matrix((s_t, (np.arange(count), at_t)), (count, self.size))
        chain = chain + sparse.csr_matrix((s_n, (np.arange(count), at_n)), (count, self.size))
        return residual, jacobian + self._by_sigma.matrix() @ chain

    @staticmethod
    def _add(residual, rows, a, b, flow) -> None:
        """A flow from the left to the right cell, counted outwards."""
        count = len(rows)
        for side, sign in ((a, 1.0), (b, -1.0)):
            real = side < count
            np.add.at(residual, rows[side[real]], sign * flow[real])

    def _current_slopes(self, entries, f, conductance, current, halves, sigma, at) -> None:
        """Slopes of current and heat with v, and with the conductivities (``_by_sigma``)."""
        count, (v_at, t_at), (left, right) = self.cell.count, at, halves
        a, b = f.left, f.right
        no_series = self.cell.device.series.kind == "none"
        last = np.full(len(self.top), 3 * count)
        by_sigma = _Entries(self.size, count)
        for side, sign in ((a, 1.0), (b, -1.0)):
            entries.pair(v_at, a, b, v_at[side], sign * conductance, count)
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
        self._by_sigma = by_sigma

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

    def _vacancies(self, residual, entries, v, t, n, at) -> None:
        """Drift, spread and Soret flux between the cells of oxides."""
        cell, law, f = self.cell, self.cell.law, self.vacancy_faces
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
        at_v, at_t, at_n = at
        self._add(residual, at_n[: cell.count], a, b, flux)
        if entries is None:
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

    def _exchange(self, residual, entries, state, at) -> None:
        """Vacancies that a volume exchanges with what surrounds the cell."""
        law, (at_t, at_n) = self.cell.law, at
        hot = np.clip(state.t, 150.0, 6000.0)
        barrier = law["exchange_activation"] / (KB * hot)
        rate = law["exchange_rate"] * self.cell.volume * np.exp(-barrier)
        excess = rate * (state.n - law["exchange_rest"])
        residual[at_n] += excess
        if entries is not None:
            entries.add(at_n, at_n, rate)
            entries.add(at_n, at_t, excess * barrier / hot)

    def _surfaces(self, residual, entries, fields, sigma, heat, at) -> None:
        """Vacancies that leave through the surfaces of metals; derivatives along the imaginary."""
        law, f, (v, t, n) = self.cell.law, self.surface_faces, fields
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
        _, _, at_n = at
        np.add.at(residual, at_n[inner], outflow(*variables))
        if entries is None:
            return
        columns = [at[0][inner], at[0][outer], at[1][inner], at[1][outer], at_n[inner]]

        def slope(i: int) -> np.ndarray:
            size = np.where(variables[i] == 0.0, 1.0, np.abs(variables[i]))
            bent = [x + (1e-30j * size if i == j else 0.0) for j, x in enumerate(variables)]
            return outflow(*bent).imag / (1e-30 * size)

        for i, column in enumerate(columns):
            entries.add(at_n[inner], column, slope(i))
        for i, side in enumerate((inner, outer)):
            self._by_sigma.add(at_n[inner], side, slope(5 + i))
            entries.add(at_n[inner], at[1][side], slope(7 + i) * k_t[side])
            entries.add(at_n[inner], at_n[side], slope(7 + i) * k_n[side])


class _Entries:
    """Rows, columns and values of a sparse matrix; negative rows and columns are left out."""

    def __init__(self, rows: int, columns: int | None = None) -> None:
        self.shape = rows, rows if columns is None else columns
        self.parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        """Entries one by one."""
        self.parts.append((rows, columns, values))

    def pair(self, rows, a, b, columns, values, end: int | None = None) -> None:
        """Slopes of a flow out of cell a and into cell b; rows from ``end`` on are left out."""
        out, into = rows[a], rows[b]
        if end is not None:
            out, into = (np.where(side < end, at, -1) for side, at in ((a, out), (b, into)))
        self.parts += [(out, columns, values), (into, columns, -values)]

    def matrix(self) -> sparse.csr_matrix:
        """The sum of all entries."""
        rows, columns, values = (np.concatenate(x) for x in zip(*self.parts, strict=True))
        real = (rows >= 0) & (columns >= 0)
        return sparse.csr_matrix((values[real], (rows[real], columns[real])), self.shape)
