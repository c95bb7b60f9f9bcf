"""What a fit says of its files before the first solve: taken for what, refused, contradicted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import devicephys
from devicephys import InputError
from devicephys.fitting.data import TrainData, read_data
from devicephys.fitting.description import FitDescription, TrainSource

CELL = devicephys.load_device("tin-taox-hfox-tin")
FALLING = 1.5e-4 * np.exp(-0.08 * np.arange(20))


def train(folder: Path, text: str, amplitude: str = "-2 V", **keys: Any) -> TrainData:
    path = folder / "train.csv"
    path.write_text(text)
    protocol = {"amplitude": amplitude, "width": "100 ns"}
    return TrainData(TrainSource(train=str(path), protocol=protocol, **keys), None)


def column(values: np.ndarray, heading: str = "conductance (S)") -> str:
    return heading + "\n" + "\n".join(f"{value:.9g}" for value in values) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (column(np.full(20, 1.5e-4)), "does not change"),
        (column(1.5e-4 * (1.0 + 0.02 * np.sin(np.arange(40)))), "does not change"),
        (column(np.log10(FALLING), "log10 G (S)"), "holds logarithms"),
        (column(1e6 * 0.1 * FALLING, "current (A)"), "more than a filament carries"),
        (column(1e6 * FALLING), "more than a filament carries"),
        (
            "time (s),conductance (S)\n"
            + "".join(f"{(k % 10) * 1e-3:g},{g:.9g}\n" for k, g in enumerate(FALLING)),
            "the times go back",
        ),
    ],
)
def test_what_is_no_train_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        train(tmp_path, text).require_change()
    assert "train.csv" in str(raised.value) and "\n" not in str(raised.value)


def test_a_stated_unit_is_believed(tmp_path: Path) -> None:
    data = train(tmp_path, column(FALLING * 2e3), unit="S")
    np.testing.assert_allclose(data.measured, FALLING * 2e3, rtol=1e-8)


def test_few_reads_and_small_changes_with_small_errors_are_trains(tmp_path: Path) -> None:
    train(tmp_path, column(np.full(7, 1e-4))).require_change()
    slow = 1e-4 * (1.0 - 1e-4 * np.arange(40))
    with pytest.raises(InputError, match="does not change"):
        train(tmp_path, column(slow)).require_change()
    train(tmp_path, column(slow), error=1e-3).require_change()


@pytest.mark.parametrize(
    ("values", "amplitude", "contradicts"),
    [(FALLING, "-2 V", False), (FALLING, "2 V", True), (1 / FALLING, "-2 V", True),
     (FALLING[::-1], "1.5 V", False), (FALLING[:7], "2 V", False)],
)  # fmt: skip
def test_a_train_against_its_polarity_is_told(
    tmp_path: Path, values: np.ndarray, amplitude: str, contradicts: bool
) -> None:
    text = column(values / values.max() * 1.5e-4)
    told = train(tmp_path, text, amplitude).contradictions(CELL)
    assert len(told) == contradicts
    assert all("sign of the amplitude" in line for line in told)


def test_a_fit_says_what_its_files_were_taken_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").write_text(
        "pulse,G (uS)\n" + "".join(f"{k + 1},{1e6 * g:.6g}\n" for k, g in enumerate(FALLING))
    )
    description = FitDescription(
        name="one",
        device="tin-taox-hfox-tin",
        data=[{"train": "t.csv", "protocol": {"amplitude": "2 V", "width": "100 ns"}}],
        free={"series.transconductance": {"lower": "1e-5 A/V^2", "upper": "1e-2 A/V^2"}},
    )
    (data,) = read_data(description.data, tmp_path)
    assert data.remarks[0] == "t.csv: values from column 2 'G'"
    heard: dict[str, list[str]] = {"remark": [], "warn": []}

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("devicephys.fitting.search.Search.all_starts", stop)
    with pytest.raises(devicephys.fitting.FitInterrupted):
        devicephys.fitting.fit_device(
            description, remark=heard["remark"].append, warn=heard["warn"].append
        )
    assert heard["remark"][0] == data.remarks[0]
    assert "falls under pulses of 2 V" in heard["warn"][0]
