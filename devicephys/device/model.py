"""The description of a cell: layers, filament, material laws, vacancies, series element, sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from ddkbase.descriptions import Parameter
from ddkbase.errors import InputError, closest, one_line, shorten
from devicephys.device.expression import NAME
from devicephys.device.materials import (
    EIGHT,
    FIELD,
    Conductor,
    Constants,
    Material,
    Materials,
    Oxide,
    check_conductivity,
)
from devicephys.device.quantity import (
    BoundaryResistance,
    Concentration,
    Description,
    Length,
    NonNegativeLength,
    Number,
    OptionalSwitch,
    Provenance,
    Rate,
    Switch,
    Temperature,
    Voltage,
)
from devicephys.device.series import NoSeries, Series

__all__ = ["SweepSpec"]


class SweepSpec(Description):
    """The current-voltage sweep that a device is meant for.

    Parameters
    ----------
    reset_voltage : float, V
        Where the negative half of a loop turns back; negative.
    set_voltage : float, V
        Where the positive half of a loop turns back; positive.
    rate : float, V/s
        How fast the voltage changes, as a magnitude.
    loops : int, default 1
        How often the loop is run.
    first : {"reset", "set"}, default "reset"
        Which half of the loop comes first.
    """

    reset_voltage: Voltage
    set_voltage: Voltage
    rate: Rate
    loops: Annotated[int, Parameter(), Field(ge=1)] = 1
    first: Annotated[Literal["reset", "set"], Parameter(optional=True)] = "reset"

    @model_validator(mode="after")
    def _signs(self) -> Self:
        if not self.reset_voltage < 0:
            raise InputError(
                f"{self.reset_voltage:g} V is not negative", "reset_voltage", "RESET is negative"
            )
        if not self.set_voltage > 0:
            raise InputError(
                f"{self.set_voltage:g} V is not positive", "set_voltage", "SET is positive"
            )
        return self


# A dot would make the dotted paths of the command line ambiguous.
Name = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[\w+-]+$")]


class StackLayer(Description):
    """One layer of the stack.

    Parameters
    ----------
    name : str
        What the layer is called; letters, digits, "_", "+" and "-".
    material : str
        Name of its material among those of the device.
    thickness : float, m
        How thick the layer is.
    thermal_boundary_resistance_below : float, m^2*K/W, default 0.0
        Thermal resistance R of the interface with the layer below: a heat flux q drops the
        temperature by q R there.
    """

    name: Name
    material: Name
    thickness: Length
    thermal_boundary_resistance_below: BoundaryResistance = 0.0


class Filament(Description):
    """Cylinder of high vacancy concentration on the axis, at the bottom of one oxide layer.

    `radius`, `height` in m, `concentration` in 1/m^3. `wall_width` [m] is the width over which
    the concentration falls to that of the surrounding oxide; 0 is a sharp wall.
    """

    layer: Name
    radius: Length
    height: Length
    concentration: Concentration
    wall_width: NonNegativeLength = 0.0


class Vacancy(Description):
    """The mobile oxygen vacancies.

    `charge_number` z [1]; `site_limit` n_max [1/m^3], which bounds n where `site_exclusion` is
    on. `soret`: vacancies drift to the "hot" or the "cold" side, or not ("off").
    `field_enhanced_drift` replaces the linear drift by the sinh law of a hop over
    `hop_distance` [m]. `hop_dispersion` gives a drift the spread of such hops, so that no front is
    sharper than one.
    """

    charge_number: Number = 1.0
    site_limit: Concentration
    site_exclusion: Switch = True
    soret: Annotated[Literal["hot", "cold", "off"], Parameter()] = "hot"
    field_enhanced_drift: Switch = False
    hop_dispersion: OptionalSwitch = False
    hop_distance: Length = 0.25e-9


class ParameterRow(NamedTuple):
    """One line of `Device.table`."""

    path: str
    value: str
    unit: str
    mark: str
    source: str


class Device(Description):
    """A filamentary memristor cell, axisymmetric, with its series element and its sweep.

    Made by `devicephys.load_device`, `Device.from_mapping` or `with_`; plain SI inside.

    Attributes
    ----------
    name : str
        What the device is called.
    description : str, default ""
        What the device is.
    voltage_reference : {"bare cell", "1T1R cell"}
        Whether the quoted voltages are those of the "bare cell" or of the "1T1R cell", transistor
        plus memristor.
    ambient_temperature : float, K, default 293.15
        T0 on the outermost boundaries.
    outer_radius : float, m, default 30e-9
        Where the cell ends sideways.
    side_wall : {"isothermal", "adiabatic"}, default "isothermal"
        Whether T0 holds at the side wall as well, "isothermal", or not, "adiabatic".
    layers : tuple of StackLayer
        Layers from bottom to top, each with name, material, thickness [m] and, where there is one,
        the thermal resistance of the interface with the layer below [m^2 K/W]; the outermost are
        electrodes, between them lie oxides and metals. The bottom electrode, or the series element
        below it, is grounded.
    filament : Filament
        Layer, radius, height and width of the wall [m], and concentration [1/m^3] of the filament.
    materials : mapping of str to Conductor or Oxide
        Conductors and oxides by name.
    vacancy : Vacancy
        What moves: charge number, site limit [1/m^3], Soret sign, drift law.
    series : Transistor, Resistor or NoSeries, optional
        What stands in series with the cell: a transistor, a resistor, or nothing.
    sweep : SweepSpec
        The sweep that the device is meant for.
    """

    name: Name
    description: Annotated[str, StringConstraints(max_length=2000), AfterValidator(one_line)] = ""
    voltage_reference: Literal["bare cell", "1T1R cell"]
    ambient_temperature: Temperature = 293.15
    outer_radius: Length = 30e-9
    side_wall: Annotated[Literal["isothermal", "adiabatic"], Parameter()] = "isothermal"
    layers: Annotated[tuple[StackLayer, ...], Field(min_length=3)]
    filament: Filament
    materials: Annotated[Mapping[Name, Material], AfterValidator(Materials)]
    vacancy: Vacancy
    series: Annotated[Series, Field(discriminator="kind")] = NoSeries()
    sweep: SweepSpec

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_stack()
        self._check_filament()
        self._check_materials()
        self._check_concentrations()
        for name, material in self.materials.items():
            if isinstance(material, Oxide) and material.law is not None:
                check_conductivity(material, name, self.vacancy.site_limit)
        return self

    def _check_stack(self) -> None:
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"layer '{name}' occurs twice", "layers", "Give it another name")
        for index, layer in enumerate(self.layers):
            material = self.materials.get(layer.material)
            if material is None:
                raise InputError(
                    f"material '{layer.material}' is not described",
                    f"layers.{layer.name}.material",
                    "Known: " + ", ".join(self.materials),
                )
            outermost = index in (0, len(self.layers) - 1)
            if outermost and not isinstance(material, Conductor):
                raise InputError(
                    f"layer '{layer.name}' must be an electrode, a conductor, but "
                    f"'{layer.material}' is of kind '{material.kind}'",
                    f"layers.{layer.name}.material",
                )
        if self.layers[0].thermal_boundary_resistance_below:
            raise InputError(
                f"below the layer '{names[0]}' there is no other",
                f"layers.{names[0]}.thermal_boundary_resistance_below",
                "Leave it out: the bottom of the stack is at the ambient temperature",
            )
        if not self.oxide_layers:
            raise InputError(
                "no layer is an oxide", "layers", "Put one of kind 'oxide' between the electrodes"
            )

    def _check_filament(self) -> None:
        filament = self.filament
        layer = next((layer for layer in self.layers if layer.name == filament.layer), None)
        if layer is None or isinstance(self.materials[layer.material], Conductor):
            oxides = [x.name for x in self.oxide_layers]
            raise InputError(
                f"'{filament.layer}' is not an oxide layer",
                "filament.layer",
                "Oxide layers: " + ", ".join(oxides),
            )
        if filament.radius >= self.outer_radius:
            raise InputError(
                f"filament of radius {filament.radius * 1e9:g} nm is wider than the cell of "
                f"radius {self.outer_radius * 1e9:g} nm",
                "filament.radius",
                "Lower it, or raise outer_radius",
            )
        # A hair of slack, so that a height computed from the thickness is not refused.
        if filament.height > layer.thickness * (1 + 1e-12):
            raise InputError(
                f"filament of height {filament.height * 1e9:g} nm is taller than its layer of "
                f"{layer.thickness * 1e9:g} nm",
                "filament.height",
                f"Lower it, or raise layers.{layer.name}.thickness",
            )
        if filament.wall_width > filament.radius:
            raise InputError(
                f"wall of width {filament.wall_width * 1e9:g} nm is wider than the filament radius",
                "filament.wall_width",
                "Lower it",
            )

    def _check_materials(self) -> None:
        used = {layer.material for layer in self.layers}
        for name in self.materials:
            if name not in used:
                raise InputError(
                    f"material '{name}' is in no layer", f"materials.{name}", "Remove it"
                )

    def _check_concentrations(self) -> None:
        if not self.vacancy.site_exclusion:
            return
        given = {"filament.concentration": self.filament.concentration}
        for name, material in self.materials.items():
            if isinstance(material, Oxide):
                path = f"materials.{name}.initial_concentration"
                given[path] = material.initial_concentration
            elif material.interface_exchange_concentration is not None:
                path = f"materials.{name}.interface_exchange_concentration"
                given[path] = material.interface_exchange_concentration
        for path, concentration in given.items():
            if concentration > self.vacancy.site_limit:
                raise InputError(
                    f"{concentration:g} 1/m^3 exceeds vacancy.site_limit "
                    f"{self.vacancy.site_limit:g} 1/m^3",
                    path,
                    "Lower it, or set vacancy.site_exclusion=false",
                )

    @property
    def filament_layer(self) -> StackLayer:
        """The oxide layer that holds the filament."""
        return next(layer for layer in self.layers if layer.name == self.filament.layer)

    @property
    def oxide_layers(self) -> tuple[StackLayer, ...]:
        """The layers that hold vacancies, from bottom to top."""
        return tuple(x for x in self.layers if isinstance(self.materials[x.material], Oxide))

    @property
    def height(self) -> float:
        """Height of the whole stack [m]."""
        return sum(layer.thickness for layer in self.layers)

    @property
    def provenance(self) -> dict[str, Provenance]:
        """Dotted path of every parameter, e.g. "filament.radius" -> its Provenance."""
        return {
            prefix + name: origin
            for prefix, description in self.parts()
            for name, origin in description._provenance.items()
        }

    def parts(self) -> Iterator[tuple[str, Description | Constants]]:
        """The device and its parts, each with the prefix of its dotted paths."""
        yield "", self
        for layer in self.layers:
            yield f"layers.{layer.name}.", layer
        yield "filament.", self.filament
        for name, material in self.materials.items():
            yield f"materials.{name}.", material
            if isinstance(material, Oxide) and material.constants:
                yield f"materials.{name}.constants.", material.constants
        yield "vacancy.", self.vacancy
        yield "series.", self.series
        yield "sweep.", self.sweep

    def table(self) -> list[ParameterRow]:
        """Every parameter with value, unit, mark and source, in the order of the description."""
        return [
            ParameterRow(path, origin.value_text, origin.unit, origin.mark, origin.source)
            for path, origin in self.provenance.items()
        ]

    def with_(self, changes: Mapping[str, Any] | None = None, /, **more: Any) -> Device:
        """A copy with other values, by dotted path: `device.with_({"filament.radius": "8 nm"})`.

        Parameters
        ----------
        changes : mapping or None, optional
            Values by dotted path.
        **more : dict, optional
            The same by keyword.

        Raises
        ------
        InputError
            Unknown path (the closest is named), or the result is no valid device.

        Notes
        -----
        A value is text with a unit, a pint quantity, or a mapping with value, mark and source. A
        bare value is marked "assumed", "set by user". A new "series.kind" drops the parameters of
        the old one; "series" itself takes a whole mapping or a series object. A "conductivity" of
        an oxide drops the parameters of Eq. (8); "constants.NAME" of an oxide may be new.
        """
        if changes is not None and not isinstance(changes, Mapping):
            hint = "Write e.g. {'filament.radius': '8 nm'}"
            raise InputError(f"{shorten(changes)} is not a mapping", "with_", hint)
        return Device.from_mapping(self._changed_tree({**(changes or {}), **more}))

    def _changed_tree(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The tree of the device with the entries at the dotted paths of `changes` replaced."""
        for path in changes:
            if not isinstance(path, str):
                hint = "Write e.g. 'filament.radius'"
                raise InputError(f"{shorten(path)} is not a key", self.name, hint)
        tree = self.to_tree()
        # The series element first: it decides which other keys exist.
        tree["series"] = _changed_series(tree["series"], changes)
        paths = {*self.provenance, *_TEXT_PATHS, "series", "series.kind"}
        paths |= {prefix + name for prefix, part in self.parts() for name in part.parameters()}
        paths |= {f"layers.{layer.name}.material" for layer in self.layers}
        for name, material in tree["materials"].items():
            if isinstance(self.materials[name], Oxide):
                paths |= _opened(material, f"materials.{name}.", changes)
        kind = tree["series"].get("kind")
        if isinstance(kind, str) and kind in _SERIES_KINDS:
            paths = {path for path in paths if not path.startswith("series.")}
            paths |= {f"series.{name}" for name in _SERIES_KINDS[kind].model_fields}
        for path, value in changes.items():
            if path not in paths:
                raise InputError(f"unknown key '{path}'", self.name, _closest_path(path, paths))
            if path in ("series", "series.kind"):
                continue
            *parents, key = path.split(".")
            entry: Any = tree
            for name in parents:
                entry = _child(entry, name)
            entry[key] = value if path in _TEXT_PATHS or key == "material" else _origin(value)
        return tree


def _opened(material: dict[str, Any], prefix: str, changes: Mapping[str, Any]) -> set[str]:
    """Paths of an oxide's own law among the changes; a new law drops what it has no use for."""
    law, constants = changes.get(f"{prefix}conductivity"), f"{prefix}constants."
    if law is not None:
        names = NAME.findall(str(law.get("value") if isinstance(law, Mapping) else law))
        for key in (*EIGHT, *FIELD):
            material.pop(key, None)
        given = material.get("constants", {})
        material["constants"] = {name: given[name] for name in given if name in names}
    opened = {path for path in changes if path.startswith(constants)}
    if opened:
        material.setdefault("constants", {})
    return opened


_SERIES_KINDS = {kind.model_fields["kind"].default: kind for kind in get_args(Series)}
_TEXT_PATHS = ("name", "description", "voltage_reference", "filament.layer")


def _changed_series(tree: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of the series element, of another kind where `changes` say so."""
    if "series" in changes:
        series = changes["series"]
        if isinstance(series, str):
            series = {"kind": series}
        if isinstance(series, Description):
            series = series.to_tree()
        if not isinstance(series, Mapping):
            hint = "Write e.g. {'kind': 'none'}"
            raise InputError(f"{shorten(series)} is not a mapping", "series", hint)
        tree = dict(series)
    if "series.kind" in changes:
        kind = changes["series.kind"]
        if not isinstance(kind, str) or kind not in _SERIES_KINDS:
            hint = closest(str(kind), _SERIES_KINDS)
            raise InputError(f"unknown kind {shorten(kind)}", "series.kind", hint)
        if tree.get("kind") != kind:
            tree = {"kind": kind}
    return tree


def _closest_path(path: str, paths: set[str]) -> str:
    # "radius" alone is closest to "filament.radius", whatever the edit distance says.
    ends = sorted(candidate for candidate in paths if candidate.endswith("." + path))
    return f"Did you mean '{ends[0]}'?" if ends else closest(path, paths)


def _child(tree: Any, name: str) -> Any:
    if isinstance(tree, list):
        return next(item for item in tree if item["name"] == name)
    return tree[name]


def _origin(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    return {"value": value, "mark": "assumed", "source": "set by user"}
