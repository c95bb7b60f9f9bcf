"""Settings and the arguments of ``simulate``: what makes no sense is refused before any solver."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pint
import pytest

from ddkbase.errors import InputError
from devicephys.device import load_device
from devicephys.protocol.waveform import Waveform
from devicephys.reliability.endurance import simulate_endurance
from devicephys.reliability.retention import simulate_bake
from devicephys.simulation.settings import PRESETS, Settings
from devicephys.simulation.simulate import simulate

NUMBERS = [
    field.name
    for field in dataclasses.fields(Settings)
    if field.name not in ("name", "scheme", "every_pulse", "motion", "kernel", "mesh_of")
]
WHOLE = ["mesh_split", "newton_iterations"]
DEVICE = load_device("larentis-stack")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_and_their_halves_survive_being_written_down(name: str) -> None:
    for settings in (Settings.preset(name), Settings.preset(name).halved()):
        assert Settings(**settings.to_dict()) == settings


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", [0, -1, math.nan, math.inf, True, "1", None, [], 1j, np.array([1, 2]), 10**400]
)
def test_no_number(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"settings.{name}"):
        Settings(**{name: value})


def test_numbers_become_those_of_their_field() -> None:
    settings = Settings(coarseness=2, mesh_split=np.int64(3), voltage_step=np.float64(0.1))  # type: ignore[arg-type]
    kinds = (type(settings.coarseness), type(settings.mesh_split), type(settings.voltage_step))
    assert kinds == (float, int, float)
    for name in WHOLE:
        with pytest.raises(InputError, match="whole number"):
            Settings(**{name: 1.5})  # type: ignore[arg-type]


def test_a_record_names_the_kernel_only_where_it_was_chosen() -> None:
    assert "kernel" not in Settings().to_dict()
    assert Settings(**Settings().to_dict()).kernel == "auto"
    forms = Settings(kernel="forms")
    assert forms.to_dict()["kernel"] == "forms" and Settings(**forms.to_dict()) == forms


def test_a_record_holds_the_cell_whose_mesh_was_taken() -> None:
    assert "mesh_of" not in Settings().to_dict()
    settings = Settings(mesh_of=DEVICE)
    written = json.loads(json.dumps(settings.to_dict()))
    assert Settings(**written) == settings


@pytest.mark.parametrize("value", [5, "larentis-stack", [], True])
def test_only_a_device_lends_its_mesh(value: Any) -> None:
    with pytest.raises(InputError, match="mesh_of"):
        Settings(mesh_of=value)


@pytest.mark.parametrize("value", [5, None, [], np.array([1, 2]), "", "quik"])
def test_no_preset_scheme_or_name(value: Any) -> None:
    with pytest.raises(InputError, match="unknown preset"):
        Settings.preset(value)
    with pytest.raises(InputError, match=r"settings\.scheme"):
        Settings(scheme=value)
    with pytest.raises(InputError, match=r"settings\.kernel"):
        Settings(kernel=value)
    if not isinstance(value, str):
        with pytest.raises(InputError, match=r"settings\.name"):
            Settings(name=value)


def test_a_tolerance_of_the_temperature_is_a_difference() -> None:
    assert Settings().with_(temperature_tolerance="5 K").temperature_tolerance == 5.0
    for value in ("5 degC", pint.UnitRegistry().Quantity(5, "degC")):
        with pytest.raises(InputError, match=r"settings\.temperature_tolerance.*'293\.15 K'"):
            Settings.preset(temperature_tolerance=value)


@pytest.mark.parametrize("device", ["larentis-stack", None, 5])
def test_simulate_asks_for_a_device(device: Any) -> None:
    with pytest.raises(InputError, match=r"Give a Device, from load_device\(\.\.\.\)"):
        simulate(device)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("protocol", "IVSweep"),
        ("settings", "quick"),
        ("settings", {}),
        ("progress", 5),
        ("comm", 5),
    ],
)
def test_simulate_refuses_arguments_of_the_wrong_kind(argument: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"is no {argument} \(simulate, {argument}\)\. Give "):
        simulate(DEVICE, **{argument: value})


def test_simulate_starts_at_rest() -> None:
    with pytest.raises(InputError, match=r"starts at 0\.5 V.*Start the waveform at 0 V"):
        simulate(DEVICE, Waveform(["0 s", "1 ms"], ["0.5 V", "1 V"]))


@pytest.mark.parametrize("value", [1, "yes", None, np.True_])
def test_every_pulse_is_true_or_false(value: Any) -> None:
    with pytest.raises(InputError, match=r"settings\.every_pulse"):
        Settings(every_pulse=value)


@pytest.mark.parametrize(
    ("function", "name"), [(simulate_bake, "bake"), (simulate_endurance, "protocol")]
)
def test_an_argument_of_another_kind_is_named(function: Any, name: str) -> None:
    for arguments, wrong in (
        (("larentis-stack",), "device"),
        ((DEVICE, "ten years"), name),
        ((DEVICE, None, "quick"), "settings"),
    ):
        with pytest.raises(InputError, match=f"is no {wrong}") as caught:
            function(*arguments)
        assert caught.value.where == f"simulate, {wrong}" and caught.value.hint
