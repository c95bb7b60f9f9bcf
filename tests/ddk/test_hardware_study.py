"""From a parameter of the cell to accuracy, with a formula in the place of the finite elements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ddk.studies.device import DEVICE_PARAMETERS, DevicePlan, device_study
from ddk.studies.tasks import SplitPlan, Task, Training
from ddkbase.errors import InputError, StorageError
from tests import fake_pulses

PLAN = DevicePlan(amplitudes=("-1 V", "-3 V"), widths=("50 ns", "200 ns"), devices=2, pulses=20)


def task() -> Task:
    return Task(
        name="digits",
        title="digits",
        dataset="digits",
        split=SplitPlan("random"),
        hidden=(8,),
        training=Training(epochs=2, batch_size=256),
        protocol="",
    )


def test_every_parameter_makes_a_campaign() -> None:
    from devicephys.campaign import Campaign

    values = {
        "thickness": "8 nm",
        "activation-energy": "1 eV",
        "filament-radius": "7 nm",
        "pulse-width": "80 ns",
    }
    assert set(values) == set(DEVICE_PARAMETERS)
    for name, value in values.items():
        found = Campaign.from_mapping(PLAN.campaign(name, value))
        assert found.size == 2 * (1 if name == "pulse-width" else 2) * 2
    thick = Campaign.from_mapping(PLAN.campaign("thickness", "8 nm")).device
    assert thick.filament.height == pytest.approx(8e-9)
    assert Campaign.from_mapping(PLAN.campaign("pulse-width", "80 ns")).widths == (80e-9,)


@pytest.mark.slow
def test_a_study_goes_through_all_three_packages_and_goes_on(tmp_path: Path) -> None:
    told: list[str] = []
    arguments = {"plan": PLAN, "workers": 1, "simulate": fake_pulses.simulate}
    found = device_study(
        "filament-radius",
        ["8 nm", "9 nm"],
        task(),
        tmp_path / "s",
        progress=told.append,
        **arguments,
    )
    assert found["software"].shape == (2, 1)
    for name in ("software", "chip", "energy", "yielded", "alpha", "beta"):
        assert np.isfinite(found[name].values).all(), name
        assert found[name].attrs["units"] and found[name].attrs["long_name"]
    assert np.allclose(found["value"], [8e-9, 9e-9])
    assert (tmp_path / "s" / "filament-radius-8_nm.zarr").is_dir()
    told.clear()
    again = device_study(
        "filament-radius",
        ["8 nm", "9 nm"],
        task(),
        tmp_path / "s",
        progress=told.append,
        **arguments,
    )
    assert again.identical(found) and len(told) == 2  # nothing is simulated again
    with pytest.raises(StorageError):
        device_study("thickness", ["8 nm"], task(), tmp_path / "s", **arguments)


@pytest.mark.parametrize(
    ("parameter", "values", "words"),
    [
        ("thicknes", ["9 nm"], "no parameter"),
        ("thickness", ["9"], "thickness"),
        ("thickness", ["9 V"], "thickness"),
        ("thickness", ["9 nm", "9e-9 m"], "not all different"),
        ("thickness", [], "not all different"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    parameter: str, values: list[str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        device_study(parameter, values, task(), tmp_path / "s")
    assert "\n" not in str(caught.value) and not (tmp_path / "s").exists()
