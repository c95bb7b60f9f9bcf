"""A conductivity of one's own in the whole chain: the shipped law as an expression, tangents."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from ddkbase import records
from devicephys import Device, PulseTrain, Settings, Waveform
from devicephys.device.entries import parameter_value
from devicephys.device.materials import EIGHT, Oxide
from devicephys.fem.assembly import follow_tangents, prepare
from tests.devicephys.test_sensitivities import TIGHT, again, record

pytestmark = pytest.mark.fem
QUICK = Settings.preset("quick")
CELL = devicephys.load_device("tin-taox-hfox-tin")
#: Eq. (8), and in HfOx what the field does to its barrier
PREFACTOR = "(s_low + (s_high - s_low)*minimum(n/n_s, 1))"
BARRIER = "(E_low + (E_high - E_low)*minimum(n/n_E, 1))"
LOWERED = f"({BARRIER} - p*(sqrt(E**2 + e**2) - e))"
FLOORED = (
    f"(0.5*({LOWERED} + sqrt({LOWERED}**2 + d**2)) - 0.5*(sqrt({BARRIER}**2 + d**2) - {BARRIER}))"
)


def in_words(device: Device) -> Device:
    """The device with the conductivity of its oxides as expressions."""
    changes = {}
    for name, material in device.materials.items():
        if not isinstance(material, Oxide):
            continue
        names = ("s_low", "s_high", "n_s", "E_low", "E_high", "n_E")
        units = ("S/m", "S/m", "1/m^3", "eV", "eV", "1/m^3")
        values = [getattr(material, key) for key in EIGHT]
        lowering = material.conduction_field_lowering
        if lowering:
            names, units = (*names, "p", "e", "d"), (*units, "eV*m/V", "V/m", "eV")
            values += [lowering, material.conduction_field_rounding, 1e-4]
        barrier = FLOORED if lowering else BARRIER
        changes[f"materials.{name}.conductivity"] = f"{PREFACTOR}*exp(-{barrier}/(k_B*T))"
        for key, value, unit in zip(names, values, units, strict=True):
            changes[f"materials.{name}.constants.{key}"] = f"{value!r} {unit}"
    return device.with_(changes)


OWN = in_words(CELL)


def test_the_shipped_law_in_words_gives_the_same_loop(tmp_path) -> None:
    plain, own = (devicephys.simulate(device, None, QUICK) for device in (CELL, OWN))
    assert own["time"].values == pytest.approx(plain["time"].values, rel=1e-9)
    flows = np.abs(plain["voltage"].values) > 1e-3
    assert own["current"].values[flows] == pytest.approx(plain["current"].values[flows], rel=1e-9)
    assert own["temperature_max"].values == pytest.approx(plain["temperature_max"].values, rel=1e-9)
    assert own["end_concentration"].values == pytest.approx(
        plain["end_concentration"].values, rel=1e-9, abs=1e12
    )
    records.write(own, tmp_path / "iv.nc")
    again_ = devicephys.device.device_from_yaml(
        records.read(tmp_path / "iv.nc").attrs["device_yaml"], "record"
    )
    assert again_ == OWN


def test_forms_and_pulses_know_it() -> None:
    train = PulseTrain("-2 V", "100 ns", count=2)
    plain, own = (
        devicephys.simulate(device, train, QUICK.with_(kernel=kernel))
        for device, kernel in ((CELL, "auto"), (OWN, "forms"))
    )
    assert own["conductance"].values == pytest.approx(plain["conductance"].values, rel=1e-7)


def test_tangents_of_constants_are_the_differences_of_two_runs() -> None:
    paths = [f"materials.HfOx.constants.{name}" for name in ("E_low", "s_high", "p")]
    wave = Waveform.from_si([0.0, 1e-3], [0.0, -1.4])
    settings, change = TIGHT.with_(motion=False), 1e-5
    # of a cell that RESET has opened, so that the barrier counts
    opened = OWN.with_({"filament.height": "6 nm"})
    _, stepper, start = prepare(opened, settings)
    tangents = follow_tangents(stepper, settings, paths)
    tangents.start(start)
    steps = stepper.run(start, wave.voltage, wave.corners, 1e-5)
    here, _ = record(stepper, tangents, steps)
    for k, path in enumerate(paths):
        sides = []
        for sign in (1, -1):
            value = float(parameter_value(opened, path) * np.exp(sign * change))
            unit = opened.provenance[path].unit
            _, other, begin = prepare(opened.with_({path: f"{value!r} {unit}"}), settings)
            sides.append(again(other, begin, wave, here.ends)[0])
        differences = (sides[0] - sides[1]) / (2 * change)
        error = np.abs(differences - here.slopes[:, k]).max()
        assert error < 1e-4 * np.abs(here.slopes[:, k]).max() > 0


def test_a_record_says_how_the_current_follows_a_constant() -> None:
    wave = Waveform.from_si([0.0, 1e-3], [0.0, -0.5])
    path = "materials.HfOx.constants.s_high"
    eight = "materials.HfOx.conductivity_high"
    own = devicephys.simulate(OWN, wave, QUICK, sensitivities=[path])
    plain = devicephys.simulate(CELL, wave, QUICK, sensitivities=[eight])
    assert own["current_sensitivity"].values == pytest.approx(
        plain["current_sensitivity"].values, rel=1e-6, abs=1e-9
    )


def test_a_constant_varies_in_a_sweep_of_runs() -> None:
    key = "materials.TaOx.constants.s_high"
    value = parameter_value(OWN, key)
    sweep = devicephys.parameter_sweep.plan_sweep({key: [f"{value} S/m", f"{2 * value} S/m"]}, OWN)
    assert [parameter_value(p.request.device, key) / value for p in sweep.points] == [1.0, 2.0]
