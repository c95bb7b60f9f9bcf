"""The records of a simulated cell: ``IVTrace``, ``PulseTrace`` and ``SwitchingTime``, version 1.

``IVTrace`` is one or several current-voltage loops of one cell, ``PulseTrace`` one train of pulses
with a read after each, ``SwitchingTime`` the switching time on (polarity, voltage).

Where NaN may stand, everything else being finite:

* the vacancy fields in electrodes and other metals (the same whole rows ``z`` in every map),
  because a metal holds no oxygen vacancies;
* ``resistance`` where ``|voltage| < 1 mV``, because 0 V / 0 A says nothing;
* ``wanted_resistance`` of a pulse train that starts from the cell as it is;
* ``switching_time`` and ``temperature_half`` where the status is not "switched", ``local_slope``
  where no neighbour of a voltage switched either, and the conductances of a voltage that was not
  computed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ddkbase.schemas import ANYWHERE, FLOAT, INT, NEVER, TEXT, Schema, VariableSpec, label

__all__ = [
    "GRID",
    "IV_TRACE",
    "OUTCOMES",
    "POINTS",
    "PULSE_TRACE",
    "RESISTANCE_VOLTAGE_FLOOR",
    "SWITCHING_TIME",
]

POINTS = ("A", "B", "C", "D", "E", "F", "G", "H")
"""Marked points of one loop: before, at the edge of, during, after RESET (A-D) and SET (E-H)."""

RESISTANCE_VOLTAGE_FLOOR = 1e-3
"""Voltage [V] below which ``resistance`` may be NaN."""

ELECTRODES, NEAR_ZERO_VOLT = "electrodes", "near 0 V"

SWITCHED, NOT_SWITCHED, TOO_FAST = "switched", "not within the limit", "within the rise"
FAILED, NOT_COMPUTED = "solver failure", "not computed"
OUTCOMES = (SWITCHED, NOT_SWITCHED, TOO_FAST, FAILED, NOT_COMPUTED)
GRID = ("polarity", "voltage")

_JSON = ("settings_json", "protocol_json", "versions_json", "headline_json")


def _on(
    dims: tuple[str, ...], kind: str = FLOAT, nan: str = NEVER, **names: tuple[str, str]
) -> dict[str, VariableSpec]:
    """Variables on the same dimensions: unit and long name by name."""
    return {
        name: VariableSpec(dims, units, kind, nan, long_name)
        for name, (units, long_name) in names.items()
    }


def _nan_near_zero_volt(ds: xr.Dataset, nan: np.ndarray) -> str | None:
    if np.any(np.abs(ds["voltage"].values[nan]) >= RESISTANCE_VOLTAGE_FLOOR):
        return f"holds NaN where |voltage| >= {RESISTANCE_VOLTAGE_FLOOR:g} V"
    return None


def _nan_in_electrodes(ds: xr.Dataset, nan: np.ndarray) -> str | None:
    rows = nan.all(axis=(0, 2))
    if not np.array_equal(nan, np.broadcast_to(rows[None, :, None], nan.shape)) or rows.all():
        return "holds NaN outside the electrodes"
    return None


def end_variable(concentration: np.ndarray) -> xr.Variable:
    """The variable ``end_concentration`` that newer records of a cell hold besides their schema's.

    Vacancies at the end of the run [1/m^3], shape (z, r), 0 in conductors.
    """
    return label(concentration, ("z", "r"), "1/m^3", "Vacancy concentration at the end")


def end_variables(end: Mapping[str, np.ndarray]) -> dict[str, xr.Variable]:
    """The last state of a run that holds no other fields, with the lines of its mesh.

    ``end`` has the names of `devicephys.fem.grid_fields.end_fields`.
    """
    lines = {
        name: label(end[name], name, "m", "Radius" if name[0] == "r" else "Height")
        for name in ("r", "z", "r_node", "z_node")
    }
    return {**lines, "end_concentration": end_variable(end["end_concentration"])}


def _check_iv_trace(ds: xr.Dataset) -> str | None:
    """Return what is wrong with the axes of an IVTrace, or ``None``."""
    if ds.sizes["time"] == 0:
        return "there is no time step in it"
    for name in ("time", "r", "z", "r_node", "z_node"):
        if np.any(np.diff(ds[name].values) <= 0):
            return f"'{name}' does not increase strictly"
    loops = ds["loop"].values
    if loops[0] < 0 or np.any(np.diff(loops) < 0):
        return "'loop' goes down, or is negative"
    for axis in ("r", "z"):
        nodes, centres = ds[f"{axis}_node"].values, ds[axis].values
        if nodes.size != centres.size + 1:
            return f"{centres.size} cells along '{axis}' need {centres.size + 1} nodes"
        if np.any(centres <= nodes[:-1]) or np.any(centres >= nodes[1:]):
            return f"a cell centre '{axis}' lies outside its two nodes"
    labels = [str(p) for p in ds["point"].values]
    if labels != [p for p in POINTS if p in labels]:
        return f"the marked points must be among {POINTS[0]} to {POINTS[-1]}, in order"
    return None


IV_TRACE = Schema(
    name="IVTrace",
    version=1,
    variables={
        **_on(
            ("time",),
            voltage=("V", "Applied voltage"),
            device_voltage=("V", "Voltage across the memristor"),
            series_voltage=("V", "Voltage across the series element"),
            current=("A", "Current"),
            temperature_max=("K", "Peak temperature"),
            filament_gap=("m", "Filament gap"),
            vacancy_total=("1", "Vacancies in the cell"),
            vacancy_imbalance=("1", "Relative change of the vacancy inventory"),
            current_imbalance=("1", "Relative difference of current in and out"),
            energy_imbalance=(
                "1",
                "Relative imbalance of electric power, heat out and stored heat",
            ),
            step_size=("s", "Step size"),
            joule_power=("W", "Joule power"),
            time=("s", "Time"),
        ),
        **_on(("r",), r=("m", "Radius")),
        **_on(("z",), z=("m", "Height")),
        **_on(("r_node",), r_node=("m", "Radius")),
        **_on(("z_node",), z_node=("m", "Height")),
        **_on(("point",), TEXT, point=("1", "Marked point")),
        **_on(("point",), time_point=("s", "Time of a marked point")),
        **_on(("frame",), time_frame=("s", "Time of a frame")),
        **_on(("time",), nan=NEAR_ZERO_VOLT, resistance=("ohm", "Resistance of cell and series")),
        **_on(("time",), INT, newton_iterations=("1", "Newton iterations"), loop=("1", "Loop")),
        **_on(
            ("rejected",),
            rejected_time=("s", "Start of a rejected step"),
            rejected_step_size=("s", "Its length"),
        ),
        **_on(("rejected",), TEXT, rejected_reason=("1", "Reason")),
        **_on(
            ("point", "z", "r"),
            nan=ELECTRODES,
            vacancy_concentration=("1/m^3", "Vacancy concentration"),
        ),
        **_on(
            ("point", "z_node", "r_node"),
            temperature=("K", "Temperature"),
            potential=("V", "Potential"),
        ),
        **_on(
            ("frame", "z", "r"),
            nan=ELECTRODES,
            vacancy_concentration_frame=("1/m^3", "Vacancy concentration"),
        ),
        **_on(
            ("frame", "z_node", "r_node"),
            temperature_frame=("K", "Temperature"),
            potential_frame=("V", "Potential"),
        ),
    },
    attrs=("device_yaml", "created", "voltage_reference", "method", "loops"),
    json_attrs=_JSON,
    check=_check_iv_trace,
    nan_rules={ELECTRODES: _nan_in_electrodes, NEAR_ZERO_VOLT: _nan_near_zero_volt},
)


def _check_pulse_trace(ds: xr.Dataset) -> str | None:
    """Return what is wrong with the axis or the widths of a PulseTrace, or ``None``."""
    count = ds.sizes["pulse"]
    if count == 0:
        return "there is no pulse in it"
    if not np.array_equal(ds["pulse"].values, np.arange(1, count + 1)):
        return f"'pulse' does not count from 1 to {count}"
    if np.any(ds["width"].values <= 0):
        return "a 'width' is not positive"
    return None


PULSE_TRACE = Schema(
    name="PulseTrace",
    version=1,
    variables={
        **_on(
            ("pulse",),
            conductance=("S", "Conductance"),
            read_current=("A", "Current of the read"),
            voltage=("V", "Voltage at the end of the flat top"),
            device_voltage=("V", "Voltage across the memristor"),
            current=("A", "Current at the end of the flat top"),
            temperature_max=("K", "Peak temperature"),
            filament_gap=("m", "Filament gap"),
            energy=("J", "Electric energy of the write pulse"),
            amplitude=("V", "Pulse amplitude"),
            width=("s", "Pulse width"),
            vacancy_imbalance=("1", "Largest relative change of the vacancy inventory"),
            current_imbalance=("1", "Largest relative difference of current in and out"),
            energy_imbalance=("1", "Largest relative imbalance of electric power and heat"),
        ),
        **_on(
            ("pulse",),
            INT,
            pulse=("1", "Pulse"),
            accepted_steps=("1", "Accepted steps"),
            rejected_steps=("1", "Rejected steps"),
            newton_iterations=("1", "Newton iterations"),
            factorisations=("1", "Factorisations"),
        ),
        **_on(
            (),
            initial_resistance=("ohm", "Resistance before the train"),
            initial_conductance=("S", "Conductance before the train"),
        ),
        **_on((), nan=ANYWHERE, wanted_resistance=("ohm", "Resistance asked for")),
        **_on((), INT, preparation_pulses=("1", "Pulses to bring it there")),
    },
    attrs=(
        "title",
        "device_yaml",
        "created",
        "voltage_reference",
        "method",
        "ranks",
        "seed",
        "cycle",
        "device_number",
        "complete",
        "source_checksum",
    ),
    json_attrs=_JSON,
    check=_check_pulse_trace,
)


def _check_switching_time(ds: xr.Dataset) -> str | None:
    """Complaint about a SwitchingTime whose times and outcomes do not belong together."""
    voltage = ds["voltage"].values
    if not len(voltage) or np.any(voltage <= 0) or np.any(np.diff(voltage) <= 0):
        return "'voltage' must be positive and increase strictly"
    status = ds["status"].values.astype(str)
    if not np.isin(status, OUTCOMES).all():
        return f"'status' must be one of {', '.join(OUTCOMES)}"
    for name in ("switching_time", "temperature_half"):
        if not np.array_equal(np.isfinite(ds[name].values), status == SWITCHED):
            return f"'{name}' must be there exactly where the cell switched"
    if np.any(ds["switching_time"].values[status == SWITCHED] <= 0):
        return "a 'switching_time' is not positive"
    return None


SWITCHING_TIME = Schema(
    name="SwitchingTime",
    version=1,
    variables={
        **_on(
            GRID,
            nan=ANYWHERE,
            switching_time=("s", "Switching time"),
            temperature_half=("K", "Peak temperature at half of the switching time"),
            start_conductance=("S", "Conductance at the start"),
            target_conductance=("S", "Conductance at which the cell counts as switched"),
            end_conductance=("S", "Conductance at the end of the hold"),
            local_slope=("1/V", "Decades of time won per volt"),
        ),
        **_on(
            GRID,
            INT,
            steps=("1", "Accepted steps"),
            newton_iterations=("1", "Newton iterations"),
        ),
        **_on(GRID, TEXT, status=("1", "Outcome"), reason=("1", "Why it did not switch")),
        **_on(GRID, applied_voltage=("V", "Applied voltage")),
        **_on(("polarity",), TEXT, polarity=("1", "Polarity")),
        **_on(("voltage",), voltage=("V", "Size of the applied voltage")),
    },
    attrs=(
        "title",
        "device_yaml",
        "created",
        "voltage_reference",
        "method",
        "criterion",
        "ranks",
        "seed",
        "complete",
        "source_checksum",
    ),
    json_attrs=_JSON,
    check=_check_switching_time,
)
