"""The request of a run comes back equal, and what is no request is one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddkbase.errors import StorageError
from devicephys.device import load_device
from devicephys.population.variability import Variability
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.waveform import IVSweep
from devicephys.run.request import Request
from devicephys.simulation.settings import Settings

CELL = load_device("tin-taox-hfox-tin").with_({"filament.radius": "8.123456789 nm"})
HEIGHTS = [f"{height!r} V" for height in np.linspace(-2, 1.7, 7).tolist()]
LOOP = Request(CELL, IVSweep.from_device(CELL), Settings.preset("quick"))
TRAIN = Request(
    CELL,
    PulseTrain(HEIGHTS, period="2 us"),
    Settings.preset("fine", voltage_step="33.3333 mV"),
    checkpoint_every=5,
    initial_resistance="5 kohm",
    variability=Variability().to_dict(),
    seed=2**40,
    cycle=3,
    device_number=7,
)


@pytest.mark.parametrize("request_", [LOOP, TRAIN], ids=["iv", "pulses"])
def test_a_request_comes_back_equal(request_: Request, tmp_path: Path) -> None:
    text = request_.to_json()
    (tmp_path / "request.json").write_text(text, encoding="utf-8")
    again = Request.read(tmp_path / "request.json")
    assert again == request_
    assert again.to_json() == text
    assert again.device.to_yaml() == request_.device.to_yaml()


def test_kinds() -> None:
    assert (LOOP.kind, TRAIN.kind) == ("iv", "pulses")


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(TRAIN.to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no request"),
        (TRAIN.to_json()[:-20], "holds no request"),
        ("[" * 100_000, "holds no request"),
        ("[1]", "holds no request"),
        ("{}", "holds no request"),
        (changed(format=2), "of format 2, this version reads 1"),
        (changed(device_yaml="name: x"), "is damaged"),
        (changed(device_yaml=None), "is damaged"),
        (changed(protocol={"kind": "Staircase"}), "unknown protocol"),
        (changed(protocol=[]), "is damaged"),
        (changed(settings={"name": "quick", "speed": 3}), "is damaged"),
        (changed(settings={"cell_size": -1}), "is not a positive number"),
        (changed(seed="one"), "seed is 'one'"),
        (changed(seed=True), "seed is True"),
        (changed(cycle=-1), "cycle is -1"),
        (changed(checkpoint_every=0), "checkpoint_every is 0"),
        (changed(initial_resistance=5), "initial_resistance is 5"),
        (changed(variability="much"), "variability is 'much'"),
        (json.dumps({"format": 1}), "is damaged"),
    ],
)
def test_what_is_no_request_is_told(text: str, complaint: str) -> None:
    with pytest.raises(StorageError) as info:
        Request.from_json(text, "folder/request.json")
    assert complaint in info.value.what
    assert info.value.where == "folder/request.json"
    assert len(str(info.value)) < 400


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        Request.read(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(StorageError, match="it is not text"):
        Request.read(tmp_path / "binary")
