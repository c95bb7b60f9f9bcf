"""Program-and-verify cycles: what is asked for, a cell drawn by formula, and the solver."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import devicephys
from ddkbase import records
from ddkbase.errors import InputError
from devicephys import EnduranceTest, Settings, protocol_from_dict
from devicephys.plots import endurance_figure
from devicephys.reliability.endurance import COLUMNS, _Run, endurance_dataset
from devicephys.run import entries, table
from tests.cli_tools import call, error_line

CELL = devicephys.load_device("tin-taox-hfox-tin")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"high_resistance": "8 kohm"}, "not above"),
        ({"low_resistance": "-5 kohm"}, "not positive"),
        ({"low_resistance": 5000}, "no unit"),
        ({"cycles": 0}, "no number of cycles"),
        ({"cycles": True}, "no number of cycles"),
        ({"width": "1 us"}, "too wide"),
        ({"read_voltage": "1 A"}, "wrong dimension"),
    ],
)
def test_what_is_no_endurance_is_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        EnduranceTest(**arguments)


def test_a_protocol_survives_being_written_down() -> None:
    protocol = EnduranceTest("20 kohm", "4 kohm", 3, "50 ns")
    assert protocol_from_dict(protocol.to_dict()) == protocol
    assert protocol.train.widths.tolist() == [50e-9]


@dataclasses.dataclass
class Formula:
    """A cell whose logarithm of the conductance moves exponentially with the height."""

    conductance: float = 2e-4
    least: float = 0.0
    pulses: int = 0

    def pulse(self, train: devicephys.PulseTrain, index: int) -> Any:
        height = float(train.amplitudes[index])
        moved = np.sign(height) * 1e-3 * np.exp(6.0 * (abs(height) - 1.0))
        self.conductance = float(np.clip(self.conductance * np.exp(moved), self.least, 1e-2))
        self.pulses += 1
        return dataclasses.make_dataclass("F", ["conductance", "temperature_max", "amplitude"])(
            self.conductance, 300.0 + 100.0 * abs(height), height
        )

    def read(self, _: Any) -> float:
        return self.conductance

    def forget(self) -> None:
        pass


def cycles_of(cell: Formula, protocol: EnduranceTest) -> _Run:
    run = _Run(cell, protocol, None)  # type: ignore[arg-type]
    run.conductance = cell.read(None)
    run.initial_resistance = 1.0 / run.conductance
    while len(run.rows) < protocol.cycles and not run.outcome:
        run.next(None)
    return run


def dataset(run: _Run) -> Any:
    end = {"r": np.ones(1), "z": np.ones(1), "r_node": np.arange(2.0), "z_node": np.arange(2.0)}
    end["end_concentration"] = np.zeros((1, 1))
    return endurance_dataset(
        CELL,
        run.protocol,
        Settings(),
        np.array(run.rows),
        run.initial_resistance,
        run.outcome or "all cycles done",
        end,
        ranks=1,
        seconds={},
        complete=True,
    )


def test_each_state_is_reached_and_its_pulses_are_counted() -> None:
    cell = Formula()
    run = cycles_of(cell, EnduranceTest("50 kohm", "5 kohm", 4))
    ds = dataset(run)
    records.validate(ds, "Endurance")
    np.testing.assert_allclose(ds.resistance, [[5e4, 5e3]] * 4, rtol=0.021)
    assert int(ds.pulses.sum()) == cell.pulses > 0
    assert (ds.amplitude_largest.values[:, 0] < 0).all()
    assert (ds.amplitude_largest.values[:, 1] > 0).all()
    assert float(ds.temperature_max.max()) == pytest.approx(
        300.0 + 100.0 * float(abs(ds.amplitude_largest).max())
    )
    rows = dict(table(ds).rows)
    assert rows["Cycles"] == "4" and rows["Outcome"] == "all cycles done"
    assert entries(ds)["figures"]["cycles"] == 4
    endurance_figure(ds)


def test_a_state_that_is_not_reached_ends_the_cycles() -> None:
    run = cycles_of(Formula(least=1e-4), EnduranceTest("50 kohm", "5 kohm", 4))
    ds = dataset(run)
    records.validate(ds, "Endurance")
    assert ds.sizes["cycle"] == 1 and np.isnan(ds.resistance.values[0]).all()
    assert COLUMNS[0] == "resistance"
    rows = dict(table(ds).rows)
    assert rows["Cycles"] == "0"
    assert "ended in cycle 1: the cell cannot be brought to 50 kohm" in rows["Outcome"]
    endurance_figure(ds)


@pytest.mark.usefixtures("settled")
def test_the_command_names_the_option(tmp_path: Path) -> None:
    result = call("endurance", "--width", "1 us", "--out", tmp_path / "run")
    assert "too wide (--width)" in error_line(result, 2)


@pytest.mark.fem
def test_cycles_that_were_stopped_go_on(tmp_path: Path) -> None:
    pytest.importorskip("mpi4py.MPI")  # before dolfinx
    pytest.importorskip("dolfinx")
    protocol, quick = EnduranceTest("25 kohm", "14 kohm", 2), Settings.preset("quick")
    whole = devicephys.simulate(CELL, protocol, quick)
    np.testing.assert_allclose(whole.resistance, [[25e3, 14e3]] * 2, rtol=0.021)
    seen = []

    def stop(event: Any) -> None:
        seen.append(event)
        if len(seen) == 3:
            raise KeyboardInterrupt

    checkpoint = devicephys.Checkpoint(tmp_path, 1)
    with pytest.raises(devicephys.Interrupted):
        devicephys.simulate(CELL, protocol, quick, progress=stop, checkpoint=checkpoint)
    again = devicephys.simulate(CELL, protocol, quick, checkpoint=checkpoint)
    for name in COLUMNS:
        np.testing.assert_array_equal(again[name], whole[name])
