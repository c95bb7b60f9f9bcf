"""What the layers of a cell are made of: conductors and switching oxides, a user's own laws."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, PlainValidator, model_validator

from ddkbase.descriptions import Parameter
from ddkbase.errors import InputError, shorten
from ddkbase.units import base_factor, exact_text, to_si, unit_of
from devicephys.device import expression
from devicephys.device.expression import CONSTANTS, FUNCTIONS, VARIABLES, Expression, parsed
from devicephys.device.quantity import (
    Concentration,
    Conductivity,
    Description,
    Diffusivity,
    FlowMapping,
    HeatCapacity,
    NonNegativeEnergy,
    Provenance,
    TemperatureCoefficient,
    ThermalConductivity,
    split_entry,
)

#: as many as one can look through
_MOST = 40


class Constants(Mapping[str, float]):
    """Constants by name, each in the unit that it was given in; compared by value in SI.

    Parameters
    ----------
    given : mapping of str to object
        Texts with units, pint quantities, or mappings with value, mark and source.

    Raises
    ------
    InputError
        A name that no expression could use, or what is no quantity.
    """

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, float] = {}
        self._provenance: dict[str, Provenance] = {}
        if given is not None and len(given) > _MOST:
            raise InputError(f"{len(given)} constants, more than {_MOST}", hint="Leave some out")
        for name, entry in (given or {}).items():
            self._add(name, entry)

    @classmethod
    def of(cls, given: object) -> Self:
        """Those of what stands in a file; InputError for what is no mapping."""
        if not isinstance(given, Mapping):
            raise InputError(f"{shorten(given)} is not a mapping", hint="Write 'E_A: 0.1 eV'")
        return cls(given)

    def _add(self, name: object, entry: Any) -> None:
        if not isinstance(name, str) or not expression.NAME.fullmatch(name):
            raise InputError(f"{shorten(name)} is no name", hint="Use letters, digits and '_'")
        taken = {**expression.VARIABLES, **expression.CONSTANTS, **expression.FUNCTIONS}
        if name in taken or keyword.iskeyword(name):
            raise InputError(f"'{name}' is taken", name, "Give the constant another name")
        value, mark, source = entry, "assumed", "user"
        if isinstance(entry, Mapping):
            value, mark, source = split_entry(entry, name)
        unit = unit_of(value, name)
        number = to_si(value, unit, name)
        base_factor(unit, name)  # refuses what has an offset
        text = " ".join(value.split()) if isinstance(value, str) else exact_text(number, unit)
        self._values[name] = number
        self._provenance[name] = Provenance(text, unit, mark, source)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return self.in_base() == other.in_base() if isinstance(other, Constants) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self.in_base().items()))

    def __repr__(self) -> str:
        return f"Constants({self._values!r})"

    @property
    def units(self) -> dict[str, str]:
        """Unit of each constant, as it was given."""
        return {name: origin.unit for name, origin in self._provenance.items()}

    def in_base(self) -> dict[str, float]:
        """The constants in SI base units."""
        return {k: value * base_factor(self.units[k]) for k, value in self._values.items()}

    def parameters(self) -> dict[str, Parameter]:
        """The constants as parameters of a description, with their units."""
        return {name: Parameter(unit) for name, unit in self.units.items()}

    def to_tree(self) -> dict[str, Any]:
        """Plain mappings with value, mark and source."""
        return {
            name: FlowMapping(value=origin.value_text, mark=origin.mark, source=origin.source)
            for name, origin in self._provenance.items()
        }


_Conductivity = Annotated[float | None, Parameter("S/m", above=0, optional=True)]
_Saturation = Annotated[float | None, Parameter("1/m^3", above=0, optional=True)]
_Activation = Annotated[float | None, Parameter("eV", optional=True)]

#: temperatures [K] and fields [V/m] at which an expression has to be positive and finite: what the
#: solver lets into exponentials, and what a layer of a nanometre stands at a few volts
_TEMPERATURES, _FIELDS = (150.0, 293.15, 600.0, 1500.0, 6000.0), (0.0, 1e6, 1e8, 1e9)

#: of Eq. (8), which an expression takes the place of
EIGHT = (
    "conductivity_low",
    "conductivity_high",
    "conductivity_saturation",
    "conduction_activation_low",
    "conduction_activation_high",
    "conduction_activation_saturation",
)
#: of its field, likewise
FIELD = ("conduction_field_lowering", "conduction_field_rounding")


class Conductor(Description):
    """A metal or nitride, as an electrode or between other layers: it holds no vacancies.

    Through its surface against an oxide vacancies go into the oxide at the rate
    k (n_s - n) a second and area, n being the concentration at the surface in the oxide, n_s
    `interface_exchange_concentration` and k = `interface_exchange_prefactor`
    exp(-`interface_exchange_activation`/(kB T)); without these keys the surface blocks
    (assumption of this toolkit: a scavenging metal that takes oxygen or gives it back).

    Parameters
    ----------
    kind : {"conductor"}, default "conductor"
        Tells a conductor from an oxide.
    electrical_conductivity : float, S/m
        Electrical conductivity at T0.
    thermal_conductivity : float, W/m/K
        Thermal conductivity.
    volumetric_heat_capacity : float, J/m^3/K
        Heat capacity of a volume.
    electrical_temperature_coefficient : float, 1/K, default 0.0
        Relative rise c of the resistivity with the temperature: sigma = sigma0/(1 + c (T - T0)).
    interface_exchange_prefactor : float, m/s, default 0.0
        Rate k at its surfaces against oxides in the limit of high temperature; 0 blocks.
    interface_exchange_activation : float or None, eV, optional
        Activation energy of that exchange; needed where there is one.
    interface_exchange_concentration : float or None, 1/m^3, optional
        Concentration n_s in the oxide that is at rest with the metal; needed where vacancies are
        exchanged.
    """

    kind: Literal["conductor"] = "conductor"
    electrical_conductivity: Conductivity
    thermal_conductivity: ThermalConductivity
    volumetric_heat_capacity: HeatCapacity
    electrical_temperature_coefficient: Annotated[
        float, Parameter("1/K", at_least=0, optional=True)
    ] = 0.0
    interface_exchange_prefactor: Annotated[float, Parameter("m/s", at_least=0, optional=True)] = (
        0.0
    )
    interface_exchange_activation: Annotated[
        float | None, Parameter("eV", at_least=0, optional=True)
    ] = None
    interface_exchange_concentration: Annotated[
        float | None, Parameter("1/m^3", above=0, optional=True)
    ] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("interface_exchange_activation", "interface_exchange_concentration"):
            if self.interface_exchange_prefactor and getattr(self, name) is None:
                raise InputError(
                    f"'{name}' is missing, which interface_exchange_prefactor needs",
                    name,
                    "Give it, or leave interface_exchange_prefactor out",
                )
        return self


class Oxide(Description):
    """A switching oxide, whose properties follow the vacancy concentration n.

    Electrical conductivity (Eq. 8): sigma0(n) exp(-E_AC(n) / (kB T)), sigma0 linear from
    `conductivity_low` at n = 0 to `conductivity_high` at `conductivity_saturation`, constant
    above; E_AC likewise (`conduction_activation_*`).
    Thermal conductivity (Eq. 9): k0(n) [1 + thermal_coefficient (T - T0)], k0 likewise; its value
    at n = 0 may have a coefficient of its own.
    Diffusivity (Eq. 10): diffusion_prefactor exp(-diffusion_activation / (kB T)).

    Parameters
    ----------
    kind : {"oxide"}, default "oxide"
        Tells an oxide from a conductor.
    conductivity_low : float or None, S/m, optional
        Prefactor sigma0 of the electrical conductivity without vacancies.
    conductivity_high : float or None, S/m, optional
        Prefactor sigma0 at `conductivity_saturation` and above.
    conductivity_saturation : float or None, 1/m^3, optional
        Concentration at which sigma0 becomes constant.
    conduction_activation_low : float or None, eV, optional
        Activation energy E_AC of conduction without vacancies.
    conduction_activation_high : float or None, eV, optional
        Activation energy E_AC at `conduction_activation_saturation` and above.
    conduction_activation_saturation : float or None, 1/m^3, optional
        Concentration at which E_AC becomes constant. These six are needed without `conductivity`.
    thermal_conductivity_low : float, W/m/K
        Thermal conductivity k0 at T0 without vacancies.
    thermal_conductivity_high : float, W/m/K
        Thermal conductivity k0 at T0 at `thermal_conductivity_saturation` and above.
    thermal_conductivity_saturation : float, 1/m^3
        Concentration at which k0 becomes constant.
    thermal_coefficient : float, 1/K, default 0.0
        Relative rise of the thermal conductivity with the temperature.
    thermal_coefficient_low : float, 1/K, default 0.0
        Relative rise with the temperature of `thermal_conductivity_low` alone, above T0 (Kim, Choi
        & Lu, ACS Nano 8, 2369 (2014)).
    volumetric_heat_capacity : float, J/m^3/K
        Heat capacity of a volume.
    diffusion_prefactor : float, m^2/s
        Diffusivity of the vacancies in the limit of high temperature.
    diffusion_activation : float, eV
        Activation energy of the motion of vacancies.
    initial_concentration : float, 1/m^3
        Concentration n outside the filament before the first sweep.
    conduction_field_lowering : float, eV per V/m, default 0.0
        Lowering p of E_AC by the electric field E (assumption of this toolkit): E_AC becomes
        E_AC(n) - p (sqrt(E^2 + e^2) - e), rounded off at 0 within 0.1 meV.
    conduction_field_rounding : float, V/m, default 2e7
        Field e below which the lowering is quadratic in the field.
    exchange_prefactor : float, 1/s, default 0.0
        Rate k0 at which vacancies are exchanged with what surrounds the cell (assumption of this
        toolkit): dn/dt gains -k0 exp(-exchange_activation/(kB T)) (n - initial_concentration).
    exchange_activation : float, eV, default 1.2
        Activation energy of that exchange.
    exchange_inner_radius : float, m, default 0.0
        The exchange acts outside this radius.
    exchange_inner_share : float, default 0.0
        And outside this share of the filament's radius [1], which follows where that is drawn or
        fitted: with 1 the filament itself exchanges nothing.
    conductivity : str or None, optional
        Electrical conductivity as an expression in place of Eq. (8): of n [1/m^3], T [K], the field
        E [V/m], `k_B`, `q_e`, `pi` and the names of `constants`, e.g. "s0*exp(-E_A/(k_B*T))", with
        exp, log, sqrt, sinh, cosh, tanh, abs, minimum and maximum.
    constants : mapping of str to float, optional
        Numbers of that expression, with units.
    """

    kind: Literal["oxide"] = "oxide"
    conductivity_low: _Conductivity = None
    conductivity_high: _Conductivity = None
    conductivity_saturation: _Saturation = None
    conduction_activation_low: _Activation = None
    conduction_activation_high: _Activation = None
    conduction_activation_saturation: _Saturation = None
    thermal_conductivity_low: ThermalConductivity
    thermal_conductivity_high: ThermalConductivity
    thermal_conductivity_saturation: Concentration
    thermal_coefficient: TemperatureCoefficient = 0.0
    thermal_coefficient_low: Annotated[float, Parameter("1/K", at_least=0, optional=True)] = 0.0
    volumetric_heat_capacity: HeatCapacity
    diffusion_prefactor: Diffusivity
    diffusion_activation: NonNegativeEnergy
    initial_concentration: Concentration
    conduction_field_lowering: Annotated[float, Parameter("eV*m/V", at_least=0, optional=True)] = (
        0.0
    )
    conduction_field_rounding: Annotated[float, Parameter("V/m", above=0, optional=True)] = 2e7
    exchange_prefactor: Annotated[float, Parameter("1/s", at_least=0, optional=True)] = 0.0
    exchange_activation: Annotated[float, Parameter("eV", at_least=0, optional=True)] = 1.2
    exchange_inner_radius: Annotated[float, Parameter("m", at_least=0, optional=True)] = 0.0
    exchange_inner_share: Annotated[float, Parameter("1", at_least=0, optional=True)] = 0.0
    conductivity: Annotated[str | None, Parameter(optional=True)] = None
    constants: Annotated[Constants, PlainValidator(Constants.of)] = Constants()

    @model_validator(mode="after")
    def _conducts(self) -> Self:
        if self.conductivity is None:
            for name in EIGHT:
                if getattr(self, name) is None:
                    raise InputError(f"key '{name}' is missing", "", "Add it, or 'conductivity'")
            if self.constants:
                raise InputError("nothing uses them", "constants", "Give 'conductivity', too")
            return self
        for name in (*EIGHT, *FIELD):
            if name in self.model_fields_set:
                hint = "Leave it out, or write it into the expression"
                raise InputError("has no effect beside 'conductivity'", name, hint)
        try:
            law = parsed(self.conductivity)
            units = {name: unit for name, (_, unit) in CONSTANTS.items()} | VARIABLES
            law.check_units(units | self.constants.units, "S/m")
        except InputError as error:
            raise InputError(error.what, "conductivity", error.hint) from None
        for name in self.constants:
            if name not in law.names:
                raise InputError("is not in the expression", f"constants.{name}", "Leave it out")
        return self

    @property
    def law(self) -> Expression | None:
        """The expression of the conductivity; None where Eq. (8) holds."""
        return None if self.conductivity is None else parsed(self.conductivity)

    def to_tree(self) -> dict[str, Any]:
        """As that of every part; without constants where there are none."""
        tree = super().to_tree()
        if not self.constants:
            del tree["constants"]
        return tree


def conductivity_values(
    material: Oxide, n: np.ndarray, temperature: np.ndarray, field: np.ndarray
) -> np.ndarray:
    """Conductivity that the expression of an oxide gives.

    Parameters
    ----------
    material : Oxide
        One with a `conductivity`.
    n, temperature, field : ndarray, 1/m^3, K and V/m
        Where, of shapes that go together.

    Returns
    -------
    ndarray
        The conductivity [S/m]; NaN or infinite where the expression is.
    """
    assert material.law is not None
    functions = {name: getattr(np, name) for name in FUNCTIONS}
    nature: dict[str, Any] = {name: value for name, (value, _) in CONSTANTS.items()}
    shape = np.broadcast_shapes(n.shape, temperature.shape, field.shape)
    where = {"n": n, "T": temperature, "E": field}
    where = {name: np.broadcast_to(np.asarray(v, dtype=float), shape) for name, v in where.items()}
    numbers = {name: np.float64(value) for name, value in material.constants.in_base().items()}
    with np.errstate(all="ignore"):
        result = material.law.evaluate(nature | numbers | where, functions)
    if np.iscomplexobj(result):
        raise ArithmeticError("a root of a negative number")
    return np.broadcast_to(np.asarray(result, dtype=float), shape)


def check_conductivity(material: Oxide, name: str, site_limit: float) -> None:
    """Whether an expression is positive and finite wherever a cell may be.

    Parameters
    ----------
    material : Oxide
        One with a `conductivity`.
    name : str
        Its name among those of the device.
    site_limit : float, 1/m^3
        Up to which concentration.

    Raises
    ------
    InputError
        It is not; the place is named.
    """
    n = np.array([0.0, 1e-6, 1e-3, 0.1, 0.5, 0.9, 1.0]) * site_limit
    temperature, field = np.array(_TEMPERATURES), np.array(_FIELDS)
    grid = np.meshgrid(n, temperature, field, indexing="ij")
    try:
        sigma = conductivity_values(material, *grid)
    except (ArithmeticError, TypeError) as error:  # what its plain numbers do to each other
        where, hint = f"materials.{name}.conductivity", "Look at its numbers"
        raise InputError("cannot be computed", where, hint) from error
    bad = np.flatnonzero(~(np.isfinite(sigma) & (sigma > 0.0)))
    if bad.size:
        at = [values.flat[bad[0]] for values in grid]
        raise InputError(
            f"is {sigma.flat[bad[0]]:.3g} S/m at n = {at[0]:.3g} 1/m^3, T = {at[1]:g} K, "
            f"E = {at[2]:.3g} V/m",
            f"materials.{name}.conductivity",
            "Bound it with minimum(...) and maximum(...), so that it is positive and finite",
        )


Material = Annotated[Conductor | Oxide, Field(discriminator="kind")]


class Materials(Mapping[str, Conductor | Oxide]):
    """Materials by name; cannot be changed, and is compared by value."""

    def __init__(self, materials: Mapping[str, Conductor | Oxide]) -> None:
        self._materials = dict(materials)

    def __getitem__(self, name: str) -> Conductor | Oxide:
        return self._materials[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._materials)

    def __len__(self) -> int:
        return len(self._materials)

    def __hash__(self) -> int:
        return hash(frozenset(self._materials.items()))

    def __repr__(self) -> str:
        return f"Materials({self._materials!r})"
