"""The ranges themselves: bounds of every number of a device, and why; `ranges` works with them."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Range(NamedTuple):
    """Bounds of one parameter, or of its share of the parameter `of`.

    `path` is the dotted path in a device file, with a role in braces where the name of a layer or
    material stands; `unit` is that of the bounds: with `of` it is the unit of the ratio, mostly
    "1". `scale` says whether values, or their logarithms, are drawn with equal probability;
    `usual` is a bound that `USUAL_SHARE` of the random devices have instead; `below` is a
    parameter that is an upper bound too.
    """

    path: str
    unit: str
    lower: float
    upper: float
    scale: Literal["linear", "log"]
    why: str
    of: str = ""
    usual: float | None = None
    below: str = ""


#: share of the random devices that have the usual value of a parameter, where there is one
USUAL_SHARE = 0.75


_HIGH = "materials.{oxide}.conductivity_high"
_LIMIT = "vacancy.site_limit"

RANGES: tuple[Range, ...] = (
    Range("ambient_temperature", "K", 250.0, 400.0, "linear", "cold start to hot chip"),
    Range(
        "layers.{electrode}.thickness",
        "1",
        0.5,
        2.0,
        "log",
        "an electrode is a column as wide as the cell here; a longer one would heat like a wire",
        "outer_radius",
    ),
    Range(
        "layers.{filament}.thickness",
        "m",
        3e-9,
        20e-9,
        "log",
        "thinner leaks by tunnelling, which the model lacks; thicker takes high voltages to form",
    ),
    Range("layers.{reservoir}.thickness", "m", 5e-9, 100e-9, "log", "sub-stoichiometric oxides"),
    Range(
        "filament.radius",
        "m",
        2e-9,
        15e-9,
        "log",
        "below, hardly a hundred vacancies: no continuum; above, wider than imaged filaments",
    ),
    Range(
        "filament.height",
        "1",
        0.9,
        1.0,
        "linear",
        "formed right through, or with a thin gap above",
        "layers.{filament}.thickness",
        1.0,
    ),
    Range(
        "filament.wall_width",
        "1",
        0.0,
        0.5,
        "linear",
        "from a sharp wall to one as wide as half the radius",
        "filament.radius",
        0.0,
    ),
    Range(
        "filament.concentration",
        "1",
        0.5,
        0.98,
        "linear",
        "conducting, and short of the limit so that there is room to move",
        _LIMIT,
    ),
    Range(
        "outer_radius",
        "1",
        2.5,
        8.0,
        "log",
        "nearer, the wall cools the filament; further, nothing changes but the temperature",
        "filament.radius",
    ),
    Range(
        "materials.{conductor}.electrical_conductivity",
        "S/m",
        3e5,
        1e7,
        "log",
        "thin TiN to a metal",
    ),
    Range(
        "materials.{conductor}.thermal_conductivity",
        "W/m/K",
        5.0,
        50.0,
        "log",
        "thin TiN to a metal",
    ),
    Range(
        "materials.{conductor}.volumetric_heat_capacity",
        "J/m^3/K",
        1.5e6,
        4e6,
        "linear",
        "solids near room temperature (Dulong and Petit)",
    ),
    Range(_HIGH, "S/m", 5e3, 1e5, "log", "filaments of 1 to 100 kohm at these sizes"),
    Range(
        "materials.{oxide}.conductivity_low",
        "S K/W",
        10.0,
        9000.0,
        "log",
        "nearly insulating to leaky; sigma/k sets how hot a gap gets",
        "materials.{oxide}.thermal_conductivity_low",
        below=_HIGH,
    ),
    Range(
        "materials.{oxide}.conductivity_saturation",
        "1",
        0.7,
        1.3,
        "linear",
        "the full conductivity is reached near the limit",
        _LIMIT,
    ),
    Range(
        "materials.{oxide}.conduction_activation_low",
        "eV",
        0.0,
        0.25,
        "linear",
        "hopping between vacancies",
    ),
    Range(
        "materials.{oxide}.conduction_activation_high",
        "eV",
        -0.01,
        0.02,
        "linear",
        "metallic (below zero: falls with temperature) or nearly so",
    ),
    Range(
        "materials.{oxide}.conduction_activation_saturation",
        "1",
        0.4,
        1.0,
        "linear",
        "where conduction becomes metallic",
        _LIMIT,
    ),
    Range(
        "materials.{oxide}.thermal_conductivity_high",
        "W ohm/K",
        1 / 3500,
        1 / 1400,
        "log",
        "sigma/k alone sets the temperature of a filament, up by about 400 K at 1.2 V for 1/3000",
        _HIGH,
    ),
    Range(
        "materials.{oxide}.thermal_conductivity_low",
        "1",
        0.002,
        0.3,
        "log",
        "amorphous oxide against metal-like filament",
        "materials.{oxide}.thermal_conductivity_high",
    ),
    Range(
        "materials.{oxide}.thermal_conductivity_saturation",
        "1",
        0.7,
        1.3,
        "linear",
        "as for the electrical conductivity",
        _LIMIT,
    ),
    Range(
        "materials.{oxide}.thermal_coefficient",
        "1/K",
        0.0,
        2e-3,
        "linear",
        "Eq. 9 puts it on the filament too, where a large one would be unphysical",
        usual=0.0,
    ),
    Range(
        "materials.{oxide}.thermal_coefficient_low",
        "1/K",
        0.0,
        0.1,
        "linear",
        "that of the oxide without vacancies; 0.1 1/K is Kim, Choi & Lu 2014",
        usual=0.0,
    ),
    Range(
        "materials.{oxide}.volumetric_heat_capacity",
        "J/m^3/K",
        1.5e6,
        4e6,
        "linear",
        "solids near room temperature (Dulong and Petit)",
    ),
    Range(
        "materials.{oxide}.diffusion_prefactor",
        "m^2/s",
        1e-9,
        1e-5,
        "log",
        "hop length squared times attempt frequency, 0.1 to 0.5 nm and 1e11 to 1e13 Hz, with an "
        "entropy of migration up to a factor of ten",
    ),
    Range(
        "materials.{oxide}.diffusion_activation",
        "eV",
        0.7,
        1.6,
        "linear",
        "vacancies in HfO2 and TaO2; lower is not retained, higher does not switch",
    ),
    Range(
        "materials.{filament}.initial_concentration",
        "1",
        1e-4,
        0.05,
        "log",
        "outside the filament: nearly insulating",
        _LIMIT,
    ),
    Range(
        "materials.{reservoir}.initial_concentration",
        "1",
        0.5,
        0.98,
        "linear",
        "the reservoir conducts",
        _LIMIT,
    ),
    Range("vacancy.charge_number", "1", 1.0, 2.0, "linear", "effective to formal charge"),
    Range(
        _LIMIT,
        "1/m^3",
        5e26,
        5e27,
        "log",
        "one to ten per cent of the oxygen places of HfO2 (5.5e28 1/m^3)",
    ),
    Range("vacancy.hop_distance", "m", 0.1e-9, 0.5e-9, "linear", "up to a lattice constant"),
    Range("series.gate_voltage", "V", 1.0, 3.3, "linear", "180 nm transistors"),
    Range(
        "series.threshold_voltage",
        "1",
        0.2,
        0.88,
        "linear",
        "conducts; up to the effective threshold of the shipped cell",
        "series.gate_voltage",
    ),
    Range("series.transconductance", "A/V^2", 1e-3, 3e-2, "log", "square law, W/L from 3 to 100"),
    Range(
        "series.resistance", "ohm", 100.0, 3e3, "log", "from wires to a load that suppresses RESET"
    ),
    Range("sweep.reset_voltage", "V", -2.2, -1.0, "linear", "from short of RESET to far beyond"),
    Range("sweep.set_voltage", "V", 1.0, 2.2, "linear", "from short of SET to far beyond"),
    Range("sweep.rate", "V/s", 1.0, 1e6, "log", "parameter analyser to pulse generator"),
    Range("series.slope_factor", "1", 1.0, 1.6, "linear", "silicon transistors"),
    Range("series.dibl", "1", 0.0, 0.2, "linear", "long to short channels", usual=0.0),
    Range(
        "series.channel_modulation", "1/V", 0.0, 0.2, "linear", "long to short channels", usual=0.0
    ),
    Range(
        "series.reset_gate_voltage",
        "1",
        1.0,
        2.5,
        "linear",
        "as in SET, up to a boosted word line",
        "series.gate_voltage",
    ),
    Range("series.line_resistance", "ohm", 0.0, 500.0, "linear", "lines of an array", usual=0.0),
    Range(
        "materials.{oxide}.conduction_field_lowering",
        "eV*m/V",
        0.0,
        1e-10,
        "linear",
        "up to 0.1 eV at 1 V/nm",
        usual=0.0,
    ),
    Range(
        "materials.{oxide}.conduction_field_rounding", "V/m", 1e7, 1e8, "log", "far below 1 V/nm"
    ),
    Range(
        "materials.{oxide}.exchange_prefactor",
        "1/s",
        1e8,
        1e12,
        "log",
        "off, or a thousandth to ten times what moves at the hot spot of a sweep",
        usual=0.0,
    ),
    Range("materials.{oxide}.exchange_activation", "eV", 1.0, 1.6, "linear", "as of the motion"),
    Range(
        "materials.{oxide}.exchange_inner_radius",
        "1",
        0.0,
        1.0,
        "linear",
        "everywhere, or outside the filament",
        "filament.radius",
    ),
    Range(
        "materials.{oxide}.exchange_inner_share",
        "1",
        0.0,
        1.0,
        "linear",
        "the same, where the radius is drawn",
        usual=0.0,
    ),
    Range(
        "layers.{metal}.thickness",
        "m",
        1e-9,
        50e-9,
        "log",
        "a scavenging layer of a few nm to a second electrode",
    ),
    Range(
        "materials.{conductor}.electrical_temperature_coefficient",
        "1/K",
        0.0,
        4e-3,
        "linear",
        "none, as of nitrides, to pure metals",
        usual=0.0,
    ),
    Range(
        "materials.{conductor}.interface_exchange_prefactor",
        "m/s",
        1e-3,
        1e5,
        "log",
        "off, or up to a vacancy place of 0.3 nm tried 3e13 times a second, with a tenfold entropy",
        usual=0.0,
    ),
    Range(
        "materials.{conductor}.interface_exchange_activation",
        "eV",
        0.5,
        2.0,
        "linear",
        "as of the motion, or slower",
    ),
    Range(
        "materials.{conductor}.interface_exchange_concentration",
        "1",
        1e-4,
        0.98,
        "log",
        "a metal that gives oxygen back, to one that holds the oxide reduced",
        _LIMIT,
    ),
    Range(
        "layers.{upper}.thermal_boundary_resistance_below",
        "m^2*K/W",
        0.0,
        3e-8,
        "linear",
        "metals on dielectrics: some 1e-9 to some 1e-8 m^2 K/W",
        usual=0.0,
    ),
    Range("series.compliance", "A", 1e-6, 1e-2, "log", "of a parameter analyser"),
    Range("series.reset_compliance", "A", 1e-5, 1e-1, "log", "above that of SET, or none"),
    Range("series.line_capacitance", "F", 0.0, 1e-12, "linear", "cell to probe pad", usual=0.0),
)

#: choices, each with its probability in a random device
CHOICES: dict[str, dict[str, float]] = {
    "side_wall": {"isothermal": 0.7, "adiabatic": 0.3},
    "vacancy.soret": {"hot": 0.35, "cold": 0.45, "off": 0.2},
    "vacancy.site_exclusion": {"true": 0.9, "false": 0.1},
    "vacancy.field_enhanced_drift": {"true": 0.2, "false": 0.8},
    "vacancy.hop_dispersion": {"true": 0.5, "false": 0.5},
    "series.kind": {"transistor": 0.5, "compliance": 0.2, "resistor": 0.15, "none": 0.15},
    "series.law": {"square": 0.75, "ekv": 0.25},
    "series.reset_drive": {"bit-line": 0.75, "source-line": 0.25},
}
