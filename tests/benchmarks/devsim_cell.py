"""A cell in DEVSIM: its equations as edge and node models. For ``devsim_march.py``.

DEVSIM's finite volumes have their unknowns in the nodes, which are where the lines cross; each
layer is a region, joined to the next by continuous interfaces. Lengths are in nm, n in 1e27/m^3,
currents in uA; potentials are in ``VOLT`` and temperatures in ``KELVIN``, so that one bound of an
update serves all three. The series element is a second device of one edge, joined to the cell by a
circuit node. The equations are those of ``docs/theory_device.md``, the flux of the vacancies to the
letter; halves of edges, which belong to one node each, take the place of cells in current and heat,
and the field that helps conduction is that along the edge. Nothing of ``devicephys`` is imported:
the worker runs wherever NumPy and DEVSIM are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import devsim
import numpy as np

#: Boltzmann's constant, eV/K (CODATA 2018, exact)
KB = 8.617333262145179e-5
#: units of the potential (V) and of the temperature (K)
VOLT, KELVIN = 0.1, 1000.0
CELL, SWITCH, CONTACT = "cell", "transistor", "contact"
#: conductance that holds the temperature of outer faces, far above all others
HOLD = 1e7
_SORET = {"hot": -1.0, "cold": 1.0, "off": 0.0}
#: a derivative by an unknown of one node of an edge
_SLOPE = re.compile(r"\w+(@n[01])?:\w+@n[01]")


class Region:
    """Models of one region and their derivatives by the unknowns of it."""

    def __init__(self, device: str, name: str, unknowns: tuple[str, ...]) -> None:
        self.at = {"device": device, "region": name}
        self.unknowns = unknowns
        for unknown in unknowns:
            devsim.node_solution(**self.at, name=unknown)
            devsim.edge_from_node_model(**self.at, node_model=unknown)

    def given(self, name: str, values: np.ndarray) -> None:
        """Numbers of the nodes, also on edges."""
        devsim.node_solution(**self.at, name=name)
        devsim.set_node_values(**self.at, name=name, values=[float(x) for x in values])
        devsim.edge_from_node_model(**self.at, node_model=name)

    def node(self, name: str, equation: str, by: str = "") -> None:
        """A node model and its derivatives by some unknowns, which edges see, too."""
        devsim.node_model(**self.at, name=name, equation=equation)
        devsim.edge_from_node_model(**self.at, node_model=name)
        for unknown in by:
            slope = f"{name}:{unknown}"
            devsim.node_model(
                **self.at, name=slope, equation=f"simplify(diff({equation},{unknown}))"
            )
            devsim.edge_from_node_model(**self.at, node_model=slope)
            # a slope under the name that DEVSIM's differentiation of edge models asks for
            for side in ("n0", "n1"):
                twin = f"{name}@{side}:{unknown}@{side}"
                devsim.edge_model(**self.at, name=twin, equation=f"{slope}@{side}")

    def edge(self, name: str, equation: str, by: str = "") -> None:
        """An edge model and its derivatives by some unknowns of both nodes."""
        devsim.edge_model(**self.at, name=name, equation=equation)
        for unknown in by:
            for side in ("n0", "n1"):
                slope = {**self.at, "name": f"{name}:{unknown}@{side}"}
                derivative = f"simplify(diff({equation},{unknown}@{side}))"
                text = devsim.edge_model(**slope, equation=derivative)
                # derivatives that are not there count as zero; without them it is evaluated faster
                known = set(devsim.get_edge_model_list(**self.at))
                text = _SLOPE.sub(lambda m, known=known: m[0] if m[0] in known else "0", text)
                devsim.edge_model(**slope, equation=f"simplify({text})")

    def values(self, name: str) -> np.ndarray:
        """Of all nodes."""
        return np.array(devsim.get_node_model_values(**self.at, name=name))


def ramp(low: float, high: float, saturation: float) -> str:
    """Linear in n from ``low`` at 0 to ``high`` at the saturation (1e27 1/m^3), level outside."""
    if low == high:
        return f"({low!r})"
    share = f"ifelse(n < 0, 0, ifelse(n > {saturation!r}, 1, n/{saturation!r}))"
    return f"({low!r} + ({high - low!r})*{share})"


def conduction(region: Region, material: dict[str, Any], ambient: float) -> None:
    """Conductivities: ``k`` of the nodes, ``sa`` and ``sb`` of an edge's two halves."""
    if material["kind"] == "conductor":
        coefficient = material["electrical_temperature_coefficient"]
        law = f"{material['electrical_conductivity']!r}"
        law += f"/(1 + {coefficient!r}*({KELVIN}*T - {ambient!r}))"
        region.node("s", law, "T")
        region.node("k", f"{material['thermal_conductivity']!r}", "T")
        return
    if material["thermal_coefficient_low"]:
        raise NotImplementedError("a thermal conductivity that rises where vacancies are few")
    unit = 1e27
    prefactor, barrier, heat = (
        ramp(
            material[f"{name}_low"],
            material[f"{name}_high"],
            material[f"{name}_saturation"] / unit,
        )
        for name in ("conductivity", "conduction_activation", "thermal_conductivity")
    )
    warm = f"(1 + {material['thermal_coefficient']!r}*({KELVIN}*T - {ambient!r}))"
    region.node("k", f"{heat}*{warm}", "Tn")
    region.node("kt", f"{KB * KELVIN!r}*T", "T")
    region.node("p", prefactor, "n")
    region.node("b", barrier, "n")
    region.node("s", "p*exp(-b/kt)", "Tn")


def current(region: Region, material: dict[str, Any]) -> None:
    """Current (uA/nm^2) and heat of edges, each through two halves in series."""
    oxide = material["kind"] != "conductor"
    by = "VTn" if oxide else "VT"
    region.edge("drop", f"{VOLT}*(V@n0 - V@n1)", "V")
    lowering = material.get("conduction_field_lowering", 0.0)
    sa, sb = "s@n0", "s@n1"
    if lowering:
        # eV nm/V; the drops are shared out as without the field
        slope, least = lowering * 1e9, material["conduction_field_rounding"] * 1e-9
        region.edge("share", "s@n1/(s@n0 + s@n1)", "Tn")
        region.edge("fa", "2*share*drop*EdgeInverseLength", "VTn")
        region.edge("fb", "2*(1 - share)*drop*EdgeInverseLength", "VTn")
        for side, node in (("a", "n0"), ("b", "n1")):
            rest = f"(b@{node} - {slope!r}*(pow(f{side}*f{side} + {least**2!r}, 0.5) - {least!r}))"
            region.edge(f"e{side}", f"ifelse({rest} > 0, {rest}, 0)", "VTn")
            region.edge(f"s{side}", f"p@{node}*exp(-e{side}/kt@{node})", "VTn")
        sa, sb = "sa", "sb"
    region.edge("j", f"2e-3*{sa}*{sb}/({sa} + {sb})*drop*EdgeInverseLength", by)
    # half of the heat to each node, and what the halves differ by from one to the other
    region.edge("joule", "-j*drop*EdgeInverseLength", by)
    mean = "2*k@n0*k@n1/(k@n0 + k@n1)"
    difference = f"0.5*j*drop*({sb} - {sa})/({sa} + {sb})"
    region.edge("q", f"{1e-3 * KELVIN!r}*{mean}*(T@n0 - T@n1)*EdgeInverseLength - {difference}", by)


def vacancies(region: Region, material: dict[str, Any], vacancy: dict[str, Any]) -> None:
    """Flux of vacancies (1/(nm^2 s)), the fitted one of ``docs/theory_device.md``, and exchange."""
    charge, soret = vacancy["charge_number"], _SORET[vacancy["soret"]]
    energy, prefactor = material["diffusion_activation"], material["diffusion_prefactor"] * 1e18
    region.edge("tf", f"{0.5 * KB * KELVIN!r}*(T@n0 + T@n1)", "T")
    region.edge("d", f"{prefactor!r}*exp(-{energy!r}/tf)", "T")
    thermal = f"{soret * energy * KB * KELVIN!r}*(T@n1 - T@n0)/(tf*tf)"
    region.edge("w", f"-({charge!r})*drop/tf + {thermal}", "VT")
    # on edges longer than a hop, Scharfetter's and Gummel's own spread
    share = "1"
    if vacancy["hop_dispersion"]:
        hop = vacancy["hop_distance"] * 1e9
        share = f"ifelse(EdgeLength < {hop!r}, EdgeLength/{hop!r}, 1)"
    region.edge("hops", f"0.5*w/({share})", "VT")
    region.edge("spread", "B(2*hops) + hops", "VT")
    free = f"n@n0*n@n1/{vacancy['site_limit'] / 1e27!r}" if vacancy["site_exclusion"] else "0"
    region.edge(
        "flux",
        f"d*EdgeInverseLength*(spread*(n@n0 - n@n1) - w*(0.5*(n@n0 + n@n1) - {free}))",
        "VTn",
    )
    rate = f"{material['exchange_prefactor']!r}*exp(-{material['exchange_activation']!r}/kt)"
    rest = material["initial_concentration"] / 1e27
    region.node("exchange", f"outside*{rate}*(n - {rest!r})", "Tn")


@dataclass
class Cell:
    """A cell on the lines ``r`` and ``z`` (nm), as ``devsim_loop.py`` describes it."""

    about: dict[str, Any]
    regions: dict[str, Region] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.r, self.z = (np.array(self.about[name]) * 1e9 for name in "rz")
        self.ambient = self.about["ambient_temperature"]
        self.layers = self.about["layers"]
        thick = [layer["thickness"] * 1e9 for layer in self.layers]
        edges = np.cumsum([0.0, *thick])
        self.edges = [int(np.abs(self.z - edge).argmin()) for edge in edges]
        assert np.abs(self.z[self.edges] - edges).max() < 1e-5, "an edge of a layer is on no line"
        self._mesh()
        devsim.set_parameter(device=CELL, name="raxis_variable", value="x")
        devsim.set_parameter(device=CELL, name="raxis_zero", value=0)
        for name, value in (
            ("node_volume_model", "CylindricalNodeVolume"),
            ("edge_couple_model", "CylindricalEdgeCouple"),
            ("edge_node0_volume_model", "HalfVolume"),
            ("edge_node1_volume_model", "HalfVolume"),
        ):
            devsim.set_parameter(device=CELL, name=name, value=value)
        for layer in self.layers:
            self._region(layer)
        self._interfaces()
        self._circuit()

    def _mesh(self) -> None:
        """Nodes where the lines cross, each rectangle two triangles."""
        rings, rows = len(self.r), len(self.z)
        number = np.arange(rings * rows).reshape(rows, rings)
        r, z = np.meshgrid(self.r, self.z)
        coordinates = np.stack([r, z, np.zeros_like(r)], axis=-1).ravel()
        names, elements = [], []
        for index, layer in enumerate(self.layers):
            block = number[self.edges[index] : self.edges[index + 1] + 1]
            a, b, c, d = (
                x.ravel() for x in (block[:-1, :-1], block[:-1, 1:], block[1:, :-1], block[1:, 1:])
            )
            for corners in ((a, b, d), (a, d, c)):
                kind, physical = np.full_like(a, 2), np.full_like(a, len(names))
                elements.append(np.stack([kind, physical, *corners], axis=-1).ravel())
            names.append(layer["name"])
        for index, row in enumerate(self.edges):
            line = number[row]
            physical = np.full(rings - 1, len(names))
            columns = [np.ones(rings - 1, int), physical, line[:-1], line[1:]]
            elements.append(np.stack(columns, axis=-1).ravel())
            names.append(f"level{index}")
        devsim.create_gmsh_mesh(
            mesh=CELL,
            coordinates=coordinates.tolist(),
            physical_names=names,
            elements=np.concatenate(elements).tolist(),
        )
        for layer in self.layers:
            where = {"gmsh_name": layer["name"], "region": layer["name"]}
            devsim.add_gmsh_region(mesh=CELL, material=layer["kind"], **where)
        last = len(self.layers)
        for level, layer in ((0, self.layers[0]), (last, self.layers[-1])):
            devsim.add_gmsh_contact(
                mesh=CELL,
                gmsh_name=f"level{level}",
                region=layer["name"],
                name=f"level{level}",
                material="metal",
            )
        for level in range(1, last):
            below, above = (self.layers[i]["name"] for i in (level - 1, level))
            devsim.add_gmsh_interface(
                mesh=CELL,
                gmsh_name=f"level{level}",
                region0=below,
                region1=above,
                name=f"level{level}",
            )
        devsim.finalize_mesh(mesh=CELL)
        devsim.create_device(mesh=CELL, device=CELL)

    def _region(self, layer: dict[str, Any]) -> None:
        """Models and equations of a layer."""
        oxide = layer["kind"] != "conductor"
        at = {"device": CELL, "region": layer["name"]}
        devsim.cylindrical_node_volume(**at)
        devsim.cylindrical_edge_couple(**at)
        devsim.edge_model(**at, name="HalfVolume", equation="0.5*CylindricalEdgeCouple*EdgeLength")
        region = Region(CELL, layer["name"], ("V", "T", "n") if oxide else ("V", "T"))
        self.regions[layer["name"]] = region
        self._given(region, layer)
        conduction(region, layer, self.ambient)
        current(region, layer)
        by = "T"
        region.node("hold", f"held*{HOLD}*(T - {self.ambient / KELVIN!r})", by)
        # J/m^3 is 1e-21 uJ/nm^3
        capacity = layer["volumetric_heat_capacity"] * 1e-21 * KELVIN
        region.node("stored", f"{capacity!r}*T", by)
        devsim.equation(**at, name="current", variable_name="V", edge_model="j")
        devsim.equation(
            **at,
            name="heat",
            variable_name="T",
            edge_model="q",
            edge_volume_model="joule",
            node_model="hold",
            time_node_model="stored",
        )
        if not oxide:
            return
        vacancies(region, layer, self.about["vacancy"])
        region.node("places", "n", "n")
        devsim.equation(
            **at,
            name="vacancies",
            variable_name="n",
            edge_model="flux",
            node_model="exchange",
            time_node_model="places",
        )

    def _given(self, region: Region, layer: dict[str, Any]) -> None:
        """State after forming, where the temperature is held, and the share that exchanges."""
        r, z = region.values("x"), region.values("y")
        region_volume = region.values("CylindricalNodeVolume")
        outer = (z <= self.z[0]) | (z >= self.z[-1])
        if self.about["side_wall"] == "isothermal":
            outer |= r >= self.r[-1]
        region.given("held", outer / region_volume)
        cold = np.full_like(r, self.ambient / KELVIN)
        devsim.set_node_values(**region.at, name="T", values=cold.tolist())
        if layer["kind"] == "conductor":
            return
        filament = self.about["filament"]
        inside = self._share_inside(r, filament["radius"] * 1e9)
        radius = max(
            layer["exchange_inner_radius"], layer["exchange_inner_share"] * filament["radius"]
        )
        region.given("outside", 1.0 - self._share_inside(r, radius * 1e9))
        n = np.full_like(r, layer["initial_concentration"] / 1e27)
        if layer["name"] == filament["layer"]:
            bottom = self.z[self.edges[self.layers.index(layer)]]
            high = z <= bottom + filament["height"] * 1e9 + 1e-6
            n += high * inside * (filament["concentration"] / 1e27 - n)
        devsim.set_node_values(**region.at, name="n", values=n.tolist())

    def _share_inside(self, r: np.ndarray, radius: float) -> np.ndarray:
        """Share of the volume of nodes at ``r`` that lies within a radius."""
        middle = 0.5 * (self.r[1:] + self.r[:-1])
        square = np.concatenate([[0.0], middle, self.r[-1:]]) ** 2
        low, high = square[:-1], square[1:]
        share = (np.clip(radius**2, low, high) - low) / (high - low)
        return share[np.abs(self.r[:, None] - r).argmin(axis=0)]

    def _interfaces(self) -> None:
        """Potential, temperature and, between oxides, concentration are continuous."""
        equations = {"V": "current", "T": "heat", "n": "vacancies"}
        for level in range(1, len(self.layers)):
            below, above = self.layers[level - 1], self.layers[level]
            at = {"device": CELL, "interface": f"level{level}"}
            oxides = "conductor" not in (below["kind"], above["kind"])
            if oxides:
                self._join(self.regions[below["name"]], self.regions[above["name"]])
            for unknown in "VTn" if oxides else "VT":
                name = f"same{unknown}"
                devsim.interface_model(**at, name=name, equation=f"{unknown}@r0 - {unknown}@r1")
                devsim.interface_model(**at, name=f"{name}:{unknown}@r0", equation="1")
                devsim.interface_model(**at, name=f"{name}:{unknown}@r1", equation="-1")
                devsim.interface_equation(
                    **at, name=equations[unknown], interface_model=name, type="continuous"
                )

    @staticmethod
    def _join(below: Region, above: Region) -> None:
        """One concentration where two oxides meet, that of both volumes together."""
        level = above.values("y").min()
        low, high = (np.flatnonzero(np.abs(x.values("y") - level) < 1e-9) for x in (below, above))
        low = low[np.argsort(below.values("x")[low])]
        high = high[np.argsort(above.values("x")[high])]
        volumes = (x.values("CylindricalNodeVolume")[at] for x, at in ((below, low), (above, high)))
        v0, v1 = volumes
        n0, n1 = below.values("n"), above.values("n")
        n0[low] = n1[high] = (v0 * n0[low] + v1 * n1[high]) / (v0 + v1)
        for region, n in ((below, n0), (above, n1)):
            devsim.set_node_values(**region.at, name="n", values=n.tolist())

    def _circuit(self) -> None:
        """Bottom grounded; the top at a circuit node that the series element feeds."""
        first, last = self.layers[0]["name"], self.layers[-1]["name"]
        bottom, top = "level0", f"level{len(self.layers)}"
        devsim.node_model(device=CELL, region=first, name="grounded", equation="V")
        devsim.node_model(device=CELL, region=first, name="grounded:V", equation="1")
        devsim.contact_equation(
            device=CELL,
            contact=bottom,
            name="current",
            node_model="grounded",
            edge_current_model="j",
        )
        devsim.add_circuit_node(name=CONTACT, value=0.0)
        tie(CELL, last, top, "current", "j")
        transistor(self.about["series"], self.ambient)

    @property
    def unknowns(self) -> int:
        """Without those that interfaces double."""
        return sum(len(r.unknowns) * len(r.values("x")) for r in self.regions.values()) + 1


def tie(device: str, region: str, contact: str, equation: str, current_model: str) -> None:
    """Hold a contact at the circuit node and take its current from there."""
    at = {"device": device, "region": region}
    devsim.node_model(**at, name="tied", equation=f"V - {CONTACT}")
    devsim.node_model(**at, name="tied:V", equation="1")
    devsim.node_model(**at, name=f"tied:{CONTACT}", equation="-1")
    devsim.contact_equation(
        device=device,
        contact=contact,
        name=equation,
        node_model="tied",
        edge_current_model=current_model,
        circuit_node=CONTACT,
    )


def transistor(series: dict[str, Any], ambient: float) -> None:
    """The series element as a device of one edge, from the cell's node to the driven line."""
    devsim.create_1d_mesh(mesh=SWITCH)
    for position, tag in ((0.0, "near"), (1.0, "far")):
        devsim.add_1d_mesh_line(mesh=SWITCH, pos=position, ps=1.0, tag=tag)
    for tag in ("near", "far"):
        devsim.add_1d_contact(mesh=SWITCH, name=tag, tag=tag, material="metal")
    devsim.add_1d_region(mesh=SWITCH, material="channel", region="channel", tag1="near", tag2="far")
    devsim.finalize_mesh(mesh=SWITCH)
    devsim.create_device(mesh=SWITCH, device=SWITCH)
    devsim.set_parameter(device=SWITCH, name="applied", value=0.0)
    region = Region(SWITCH, "channel", ("V",))
    # the voltage across the element drives the current into the cell
    region.edge("across", f"{VOLT}*(V@n1 - V@n0)", "V")
    if series["kind"] == "transistor":
        phi, rounding = KB * ambient, 1e-3
        region.edge("size", f"pow(across*across + {rounding**2!r}, 0.5) - {rounding!r}", "V")
        pinch = (
            f"({series['gate_voltage'] - series['threshold_voltage']!r} + {series['dibl']!r}*size)"
        )
        region.edge("pinch", f"{pinch}/{series['slope_factor']!r}", "V")
        region.edge("ua", f"0.5*pinch/{phi!r}", "V")
        region.edge("ub", f"0.5*(pinch - across)/{phi!r}", "V")
        for side in "ab":
            if series["law"] == "square":
                region.edge(f"f{side}", f"ifelse(u{side} > 0, u{side}, 0)", "V")
                continue
            # ln(1 + e^u), of a large u without overflow
            u = f"u{side}"
            law = f"ifelse({u} > 0, {u}, 0) + log(1 + exp(ifelse({u} > 0, -{u}, {u})))"
            region.edge(f"f{side}", law, "V")
        scale = 1e6 * 2.0 * series["slope_factor"] * series["transconductance"] * phi**2
        charge = f"{scale!r}*(fa*fa - fb*fb)*(1 + {series['channel_modulation']!r}*size)"
    else:
        charge = f"{1e6 / series['resistance']!r}*across"
    # out of the cell's node counts as positive
    region.edge("i", f"-({charge})", "V")
    devsim.equation(**region.at, name="current", variable_name="V", edge_model="i")
    devsim.node_model(**region.at, name="driven", equation=f"V - applied/{VOLT}")
    devsim.node_model(**region.at, name="driven:V", equation="1")
    devsim.contact_equation(
        device=SWITCH, contact="far", name="current", node_model="driven", edge_current_model="i"
    )
    tie(SWITCH, "channel", "near", "current", "i")
