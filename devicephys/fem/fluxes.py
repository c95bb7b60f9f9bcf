"""The three fluxes of the model and the property laws they use, written once.

The same UFL expressions serve the residual, its derivative and the post-processing. All of them
work in the scaled units of ``equations``: lengths in nm, concentrations in 1e27 1/m^3, potentials
in V, temperatures in K. Sources: Shi et al., Nat. Commun. 16, 913 (2025), Eqs. (5)-(11).

Vacancies also come from elsewhere, from what surrounds the cell and through surfaces of metals,
where a material says so. These rates are counted by what measures a step, too
(``devicephys.fem.observables``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeGuard

import ufl

from devicephys.device import Conductor, Device, Oxide
from devicephys.device.expression import CONSTANTS
from devicephys.device.materials import EIGHT
from devicephys.device.model import Vacancy
from devicephys.fem.mesh import LENGTH

#: Boltzmann constant in eV/K (CODATA 2018, exact)
KB_EV = 8.617333262145179e-5

#: unit of concentration inside the solver, 1/m^3 (1e21 cm^-3)
CONCENTRATION = 1e27

#: temperatures inside exponentials are clipped to this range (K): a Newton iterate may be wild
T_RANGE = (150.0, 6000.0)


#: width over which a barrier that the field has lowered ends at zero, eV
FLOOR_ROUNDING = 1e-4


#: what a user's expression gets at least: concentration (1e27 1/m^3) and field (V/nm)
LEAST_CONCENTRATION, LEAST_FIELD = 1e-12, 1e-9

#: functions of such an expression
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": ufl.exp,
    "log": ufl.ln,
    "sqrt": ufl.sqrt,
    "sinh": ufl.sinh,
    "cosh": ufl.cosh,
    "tanh": ufl.tanh,
    "abs": abs,
    "minimum": ufl.min_value,
    "maximum": ufl.max_value,
}


def clip(temperature):
    """Temperature limited to ``T_RANGE`` for use inside exponentials."""
    return ufl.max_value(ufl.min_value(temperature, T_RANGE[1]), T_RANGE[0])


def ramp(n, low, high, saturation):
    """Property that goes linearly from ``low`` at n = 0 to ``high`` at ``saturation``."""
    # cut below, too: an iterate of Newton's method may be negative, a conductivity must not
    share = ufl.max_value(ufl.min_value(n / saturation, 1.0), 0.0)
    return low + (high - low) * share


def metal_conductivity(
    material: Conductor,
    rise: Any,
    number: Callable[[float], Any],
    inside: Callable[[float], Any],
) -> Any:
    """sigma0/(1 + c (T - T0)) at a ``rise`` T - T0; ``inside`` puts c into the forms."""
    sigma = number(material.electrical_conductivity)
    if not material.electrical_temperature_coefficient:
        return sigma
    # an iterate of Newton's method may be cold, a resistivity must not vanish
    resistivity = 1.0 + inside(material.electrical_temperature_coefficient) * rise
    return sigma / ufl.max_value(resistivity, 0.1)


def conduction(k: Any, temperature: Any, test: Any, interfaces: Any = None) -> Any:
    """k grad T . grad s, in the row of cells at an interface with its resistance in series.

    ``interfaces`` is that of `devicephys.fem.mesh.interface_resistivity`, m K/W; it stands in the
    way of the heat along the axis alone.
    """
    along, across = ufl.grad(temperature), ufl.grad(test)
    if interfaces is None:
        return k * ufl.dot(along, across)
    return k * along[0] * across[0] + k / (1.0 + interfaces * k) * along[1] * across[1]


def user_law(material: Oxide, number: Callable[[float], Any]) -> Callable[..., Any] | None:
    """Conductivity [S/m] by a user's expression, of n, T and the squared field; None without one.

    ``number`` puts the constants into the forms, so that whoever varies them needs no other ones.
    """
    law = material.law
    if law is None:
        return None
    values: dict[str, Any] = {name: value for name, (value, _) in CONSTANTS.items()}
    values |= {name: number(value) for name, value in material.constants.in_base().items()}

    def conductivity(n: Any, temperature: Any, field_squared: Any) -> Any:
        where = {
            # an iterate of Newton's method may be negative; the slope of a root of 0 is infinite
            "n": ufl.max_value(n, LEAST_CONCENTRATION) * CONCENTRATION,
            "T": clip(temperature),
            "E": ufl.sqrt(field_squared + LEAST_FIELD**2) / LENGTH,
        }
        return law.evaluate(values | where, _FUNCTIONS)

    return conductivity


@dataclass(frozen=True)
class OxideLaws:
    """Property laws of one oxide, as UFL-ready numbers or Constants in scaled units."""

    conductivity_low: Any
    conductivity_high: Any
    conductivity_saturation: Any
    conduction_activation_low: Any
    conduction_activation_high: Any
    conduction_activation_saturation: Any
    thermal_conductivity_low: Any
    thermal_conductivity_high: Any
    thermal_conductivity_saturation: Any
    thermal_coefficient: Any
    thermal_coefficient_low: Any = None
    field_lowering: Any = None
    field_rounding: Any = None
    law: Callable[..., Any] | None = None

    @classmethod
    def of(cls, material: Oxide, number: Callable[[float], Any]) -> OxideLaws:
        """The laws of an oxide; ``number`` puts a value into the forms."""
        lowering = material.conduction_field_lowering
        law = user_law(material, number)

        def of_eight(name: str) -> Any:
            scale = CONCENTRATION if name.endswith("saturation") else 1.0
            return None if law is not None else number(getattr(material, name) / scale)

        eight = {name: of_eight(name) for name in EIGHT}
        return cls(
            **eight,
            thermal_conductivity_low=number(material.thermal_conductivity_low),
            thermal_conductivity_high=number(material.thermal_conductivity_high),
            thermal_conductivity_saturation=number(
                material.thermal_conductivity_saturation / CONCENTRATION
            ),
            thermal_coefficient=number(material.thermal_coefficient),
            thermal_coefficient_low=number(material.thermal_coefficient_low)
            if material.thermal_coefficient_low
            else None,
            field_lowering=number(lowering / LENGTH) if lowering else None,
            field_rounding=number(material.conduction_field_rounding * LENGTH)
            if lowering
            else None,
            law=law,
        )

    def conductivity(self, n, temperature, field_squared=None):
        """Eq. (8): sigma = sigma0(n) exp(-E_AC / kB T), E_AC lowered by the field where that is on.

        ``field_squared`` in (V/nm)^2, ``field_lowering`` in eV per V/nm. A user's law stands in its
        place.
        """
        if self.law is not None:
            return self.law(n, temperature, field_squared)
        sigma0 = ramp(
            n, self.conductivity_low, self.conductivity_high, self.conductivity_saturation
        )
        activation = ramp(
            n,
            self.conduction_activation_low,
            self.conduction_activation_high,
            self.conduction_activation_saturation,
        )
        if self.field_lowering is not None:
            rounding = self.field_rounding
            lowered = activation - self.field_lowering * (
                ufl.sqrt(field_squared + rounding**2) - rounding
            )
            # a barrier that is gone stays gone; where none was lowered nothing changes
            floored = 0.5 * (lowered + ufl.sqrt(lowered**2 + FLOOR_ROUNDING**2))
            activation = floored - 0.5 * (ufl.sqrt(activation**2 + FLOOR_ROUNDING**2) - activation)
        return sigma0 * ufl.exp(-activation / (KB_EV * clip(temperature)))

    def thermal_conductivity(self, n, temperature, ambient):
        """Eq. (9): k = k0(n) [1 + lambda (T - T0)], k0(0) with a coefficient of its own."""
        low = self.thermal_conductivity_low
        if self.thermal_coefficient_low is not None:
            # not below T0, where a coefficient of 0.1 /K would make it negative
            rise = ufl.max_value(temperature - ambient, 0.0)
            low = low * (1.0 + self.thermal_coefficient_low * rise)
        k0 = ramp(
            n,
            low,
            self.thermal_conductivity_high,
            self.thermal_conductivity_saturation,
        )
        return k0 * (1.0 + self.thermal_coefficient * (temperature - ambient))


def bernoulli(x):
    """B(x) = x / (exp(x) - 1), by its series near zero, the argument limited to +-300."""
    # exp(300) squared, as it stands in the derivative, is still a finite double
    x = ufl.max_value(ufl.min_value(x, 300.0), -300.0)
    # the quotient loses digits as 1/x; at 0.01 the first term left out, x^6/30240, is below 1e-16
    series = 1.0 - x / 2.0 + x**2 / 12.0 - x**4 / 720.0
    return ufl.conditional(ufl.lt(abs(x), 1e-2), series, x / (ufl.exp(x) - 1.0))


def sinh_ratio(x):
    """sinh(x)/x, by its series near zero, the argument limited to +-30."""
    # beyond, a hop would gain 60 kB T: only an iterate gets there, and its exp would overflow
    x = ufl.max_value(ufl.min_value(x, 30.0), -30.0)
    series = 1.0 + x**2 / 6.0 + x**4 / 120.0
    plain = (ufl.exp(x) - ufl.exp(-x)) / (2.0 * x)
    return ufl.conditional(ufl.lt(abs(x), 1e-2), series, plain)


def lattice_quotient(velocity, size, enhanced):
    """What multiplies a reduced difference w and divides D, so that a drift spreads as hops do.

    Hops over a distance a drift at v = s 2 D/a, ``velocity`` s = x of a linear law and sinh(x) of
    an ``enhanced`` one, x = z e E a/(2 kB T), and spread with v (a/2) coth(x): the variance of a
    biased random walk on a lattice. An exponentially fitted flux over q a, q = ``size`` below 1,
    has just this drift and spread for tanh(w*/2) = q tanh(x) and D* w* = D w, w = 2 q s. At q = 1
    and with a linear law w* = w: the mesh is the lattice, and what is coarser is left alone.
    """
    q, backward = ufl.min_value(size, 1.0), ufl.lt(velocity, 0.0)
    s = ufl.conditional(backward, -velocity, velocity)
    small = ufl.lt(s, 3e-3)
    # near zero the quotient loses digits; the first term left out, s^6/5, is below 1e-16
    plain = ufl.conditional(small, 1.0, s)
    if enhanced:
        root = ufl.sqrt(1.0 + plain**2)
        missing = 1.0 / (root * (root + plain))
        series = 1.0 - (0.5 - q**2 / 3.0) * s**2 + (0.375 - q**2 / 2.0 + q**4 / 5.0) * s**4
    else:
        # a hop gains 300 kB T at most, which only an iterate does
        missing = 2.0 / (1.0 + ufl.exp(2.0 * ufl.min_value(plain, 150.0)))
        series = 1.0 - (1.0 - q**2) / 3.0 * s**2 + (2.0 / 15.0 - q**2 / 3.0 + q**4 / 5.0) * s**4
    # 1 - q tanh(x) without cancellation
    less = 1.0 - q + q * missing
    return ufl.conditional(small, series, ufl.ln((2.0 - less) / less) / (2.0 * q * plain))


@dataclass(frozen=True)
class VacancyTransport:
    """Vacancy flux through the faces between cells, Eqs. (7), (10), (11).

    Concentrations are cell values, potential and temperature are continuous. With the difference
    w of the reduced potential phi (phi' = z e/(kB T) V' + S T') between the two cell centres, the
    flux from the + to the - cell is that of an exponentially fitted (Scharfetter-Gummel) scheme
    for hopping on a lattice with ``site_limit`` places::

        N = D/d [B(w) n+ (1 - n-/n_max) - B(-w) n- (1 - n+/n_max)]

    It is Fick + drift + Soret with the factor (1 - n/n_max) on drift and Soret; an implicit step
    keeps 0 <= n <= n_max whatever the size of w. Without site exclusion the two brackets are 1.
    The diffusion coefficient across a face is the harmonic mean over the two half cells. With
    ``dispersion`` cells smaller than a hop get the spread of hops, see `lattice_quotient`;
    larger ones have a spread of their own that is at least as wide.
    """

    charge_number: Any
    site_limit: Any
    prefactor: Any
    activation: Any
    extent: Any
    soret_sign: Any
    fick: float
    drift: Any
    hop_distance: Any = None
    dispersion: Any = None

    @classmethod
    def of(
        cls, vacancy: Vacancy, number: Callable[[float], Any], drift: float, **fields: Any
    ) -> Self:
        """Transport of the vacancies of a device; ``number`` puts a value into the forms.

        ``drift`` is 1, or 0 where that is off; ``fields`` are the others.
        """
        hops, sites = vacancy.field_enhanced_drift, vacancy.site_exclusion
        return cls(
            charge_number=number(vacancy.charge_number),
            site_limit=number(vacancy.site_limit / CONCENTRATION) if sites else None,
            soret_sign=number({"hot": 1.0, "cold": -1.0, "off": 0.0}[vacancy.soret]),
            drift=number(drift),
            hop_distance=number(vacancy.hop_distance / LENGTH) if hops else None,
            dispersion=number(vacancy.hop_distance / LENGTH) if vacancy.hop_dispersion else None,
            **fields,
        )

    def diffusivity(self, temperature, side):
        """Eq. (10) in nm^2/s on one side of a face."""
        return self.prefactor(side) * ufl.exp(-self.activation(side) / (KB_EV * clip(temperature)))

    def face_flux(self, n, potential, temperature, normal):
        """Flux in (1e27 1/m^3) nm/s from the + to the - cell through their common face."""
        d_plus = abs(ufl.dot(self.extent("+"), normal("+")))
        d_minus = abs(ufl.dot(self.extent("-"), normal("+")))
        distance = 0.5 * (d_plus + d_minus)
        t_face = clip(temperature("+"))  # continuous, so either side's value is the face's

        # The difference between the two cell centres, half a cell with the gradient of each side:
        # V and T have a kink in the face where the materials differ, and are known on nodes only.
        def centre_difference(u):
            gradient_plus = ufl.dot(ufl.grad(u)("+"), normal("+"))
            gradient_minus = ufl.dot(ufl.grad(u)("-"), normal("+"))
            return 0.5 * (d_plus * gradient_plus + d_minus * gradient_minus)

        # Soret and drift share the exponent: at rest the profile follows from both together, and
        # neither needs a choice of the upwind side.
        activation = 0.5 * (self.activation("+") + self.activation("-"))
        reduced, spread = self.reduced_difference(
            centre_difference(potential),
            centre_difference(temperature),
            distance,
            t_face,
            activation,
        )

        # Two half cells in series: where D jumps by orders of magnitude between two oxides, the
        # slower one decides. An arithmetic mean would let vacancies through a barrier.
        conductance = 1.0 / (
            0.5 * d_plus / self.diffusivity(t_face, "+")
            + 0.5 * d_minus / self.diffusivity(t_face, "-")
        )
        # A hop needs an occupied place on this side and a free one on the other.
        forward, backward = n("+"), n("-")
        if self.site_limit is not None:
            forward = n("+") * (1.0 - n("-") / self.site_limit)
            backward = n("-") * (1.0 - n("+") / self.site_limit)
        onward, back = self.weights(reduced)
        return spread * conductance * (onward * forward - back * backward)

    def reduced_difference(self, d_potential, d_temperature, distance, t_face, activation):
        """Difference w of the reduced potential over a distance [nm], and the factor of D.

        w holds drift and Soret.
        """
        reduced = self.drift * self.charge_number * d_potential / (KB_EV * t_face)
        if self.hop_distance is not None:
            per_hop = (
                self.charge_number
                * self.hop_distance
                * d_potential
                / (2.0 * distance * KB_EV * t_face)
            )
            reduced = reduced * sinh_ratio(per_hop)
        soret = -self.soret_sign * activation / (KB_EV * t_face**2) * d_temperature
        if self.dispersion is None:
            return reduced + soret, 1.0
        size, drifting = distance / self.dispersion, reduced + soret
        quotient = lattice_quotient(drifting / (2.0 * size), size, self.hop_distance is not None)
        return drifting * quotient, 1.0 / quotient

    def weights(self, reduced):
        """What an exponentially fitted flux weighs the concentrations of its two ends with."""
        if not self.fick:
            # Verification only: upwinded drift without diffusion, the limit of B for large |w|.
            return ufl.max_value(-reduced, 0.0), ufl.max_value(reduced, 0.0)
        return bernoulli(reduced), bernoulli(-reduced)

    def surface_flux(self, n, potential, temperature, normal, side, rate, rest):
        """Flux in (1e27 1/m^3) nm/s out of the cell on one side of a face, into a metal.

        The metal takes k (n_s - n_0) of the concentration n_s at the face, ``rate`` k in nm/s and
        ``rest`` n_0. n_s follows from the flux through the half cell before it, which is fitted as
        between two cells, and is eliminated: k = 0 blocks, a large k holds n_s at n_0. An implicit
        step keeps 0 <= n <= n_max here, too.
        """
        half = 0.5 * abs(ufl.dot(self.extent(side), normal(side)))
        t_face = clip(temperature("+"))

        def to_face(u):
            return half * ufl.dot(ufl.grad(u)(side), normal(side))

        reduced, spread = self.reduced_difference(
            to_face(potential), to_face(temperature), half, t_face, self.activation(side)
        )
        onward, back = self.weights(reduced)
        inside = n(side)
        if self.site_limit is not None:
            filled = inside / self.site_limit
            back = onward * filled + back * (1.0 - filled)
        conductance = spread * self.diffusivity(t_face, side) / half
        return rate * conductance * (onward * inside - back * rest) / (rate + conductance * back)


def exchange_rates(
    device: Device,
    n: Any,
    temperature: Any,
    number: Callable[[float], Any],
    outside: Callable[[float, float], Any],
) -> dict[int, Any]:
    """Vacancies that a volume loses to what surrounds the cell, 1e27 1/m^3/s, by layer.

    k0 exp(-Ea/kB T) (n - n_0) with the initial concentration n_0. ``number`` puts a value into
    the forms, ``outside`` a value that is zero inside a radius [m].
    """
    rates: dict[int, Any] = {}
    for i, layer in enumerate(device.layers):
        material = device.materials[layer.material]
        if not isinstance(material, Oxide) or not material.exchange_prefactor:
            continue
        share = material.exchange_inner_share * device.filament.radius
        radius = max(material.exchange_inner_radius, share)
        prefactor = outside(radius, material.exchange_prefactor)
        barrier = number(material.exchange_activation) / (KB_EV * clip(temperature))
        rest = number(material.initial_concentration / CONCENTRATION)
        rates[i] = prefactor * ufl.exp(-barrier) * (n - rest)
    return rates


def exchanging(material: Conductor | Oxide) -> TypeGuard[Conductor]:
    """Whether vacancies go through the surfaces of a material: those of some conductors."""
    return isinstance(material, Conductor) and material.interface_exchange_prefactor > 0.0


@dataclass(frozen=True)
class MetalSurfaces:
    """What the metals beside the oxides do to vacancies: k0 exp(-Ea/kB T) (n - n_0) goes in.

    All are cell-wise constant: ``metal`` is 1 in metals that exchange vacancies and 0 elsewhere;
    ``prefactor`` in nm/s, ``activation`` in eV, ``rest`` n_0 are those of these metals.
    """

    metal: Any
    prefactor: Any
    activation: Any
    rest: Any

    @classmethod
    def of(cls, device: Device, cellwise: Callable[[Sequence[float]], Any]) -> MetalSurfaces | None:
        """Those of a device, None where all block; ``cellwise`` takes one value a layer."""
        rows = []
        for layer in device.layers:
            material = device.materials[layer.material]
            # elsewhere any numbers will do: ``metal`` takes out what they give
            row = (0.0, 1.0, 1.0, 0.0)
            if exchanging(material):
                row = (
                    1.0,
                    material.interface_exchange_prefactor / LENGTH,
                    material.interface_exchange_activation or 0.0,
                    (material.interface_exchange_concentration or 0.0) / CONCENTRATION,
                )
            rows.append(row)
        if not any(row[0] for row in rows):
            return None
        return cls(*(cellwise(column) for column in zip(*rows, strict=True)))

    def outflow(
        self, transport: VacancyTransport, n: Any, potential: Any, temperature: Any
    ) -> dict[str, Any]:
        """Flux out of the cell on each side of a face, zero on that of the metal."""
        result, normal = {}, ufl.FacetNormal(ufl.domain.extract_unique_domain(n))
        for side, other in (("+", "-"), ("-", "+")):
            barrier = self.activation(other) / (KB_EV * clip(temperature(other)))
            result[side] = self.metal(other) * transport.surface_flux(
                n,
                potential,
                temperature,
                normal,
                side,
                rate=self.prefactor(other) * ufl.exp(-barrier),
                rest=self.rest(other),
            )
        return result
