"""A run that is stopped and continued equals one that was left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from devicephys import IVSweep, PulseTrain, Settings, StorageError, simulate, simulate_pulses
from devicephys.simulation.checkpoint import Checkpoint
from devicephys.verification.balances import find_mpiexec

pytestmark = pytest.mark.fem

QUICK = Settings.preset("quick")
TRAIN = PulseTrain("-2.1 V", count=6)
SWEEP = IVSweep("-1.4 V", "0.3 V")
DEVICE = devicephys.load_device("tin-taox-hfox-tin")


class Stopped(Exception):
    """Stands for the end of a process."""


def stop_after(number: int, what: str):
    def watch(event) -> None:
        if getattr(event, what) == number and not getattr(event, "preparing", False):
            raise Stopped

    return watch


def pulses(folder: Path, every: int = 2, **more) -> xr.Dataset:
    checkpoint = Checkpoint(folder, every)
    return simulate_pulses(DEVICE, TRAIN, QUICK, seed=3, checkpoint=checkpoint, **more)


def sweep(folder: Path, every: int = 15, **more) -> xr.Dataset:
    return simulate(DEVICE, SWEEP, QUICK, checkpoint=Checkpoint(folder, every), **more)


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    xr.testing.assert_identical(one.drop_attrs(), other.drop_attrs())


@pytest.mark.parametrize("last", [3, 4, 5])
def test_pulses_continue_bit_by_bit(tmp_path: Path, last: int) -> None:
    straight = simulate_pulses(DEVICE, TRAIN, QUICK, seed=3)
    with pytest.raises(Stopped):
        pulses(tmp_path, progress=stop_after(last, "pulse"))
    again: list[int] = []
    resumed = pulses(tmp_path, progress=lambda event: again.append(event.pulse))
    assert again == list(range((last if last % 2 == 0 else last - 1) + 1, 7)) or last == 4
    same(straight, resumed)


def test_sweep_continues_bit_by_bit(tmp_path: Path) -> None:
    straight = simulate(DEVICE, SWEEP, QUICK)
    with pytest.raises(Stopped):
        sweep(tmp_path, progress=stop_after(35, "steps"))
    again: list[int] = []
    resumed = sweep(tmp_path, progress=lambda event: again.append(event.steps))
    assert again[0] == 31
    same(straight, resumed)


def test_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        pulses(tmp_path, progress=stop_after(3, "pulse"))
    with pytest.raises(StorageError, match="belongs to another run"):
        simulate_pulses(DEVICE, TRAIN, QUICK, seed=4, checkpoint=Checkpoint(tmp_path, 2))
    with pytest.raises(StorageError, match="belongs to another run"):
        sweep(tmp_path)


PARALLEL = """
import sys
from pathlib import Path
from mpi4py import MPI
from tests.devicephys import test_resumed_simulation as part
kind, folder, out = sys.argv[1:]
here = MPI.COMM_WORLD.rank == 0
checkpoint = part.Checkpoint(Path(folder), 2 if kind == "pulses" else 15) if here else None
if kind == "pulses":
    ds = part.simulate_pulses(part.DEVICE, part.TRAIN, part.QUICK, seed=3, checkpoint=checkpoint)
else:
    ds = part.simulate(part.DEVICE, part.SWEEP, part.QUICK, checkpoint=checkpoint)
if here:
    ds.to_netcdf(out, engine="h5netcdf")
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pulses", "sweep"])
def test_two_ranks_continue_what_one_began(tmp_path: Path, kind: str) -> None:
    mpiexec = find_mpiexec()
    if mpiexec is None:
        pytest.skip("no mpiexec")
    if kind == "pulses":
        straight = simulate_pulses(DEVICE, TRAIN, QUICK, seed=3)
        with pytest.raises(Stopped):
            pulses(tmp_path, progress=stop_after(3, "pulse"))
    else:
        straight = simulate(DEVICE, SWEEP, QUICK)
        with pytest.raises(Stopped):
            sweep(tmp_path, progress=stop_after(35, "steps"))
    out = tmp_path / "out.nc"
    subprocess.run(
        [mpiexec, "-n", "2", sys.executable, "-c", PARALLEL, kind, str(tmp_path), str(out)],
        check=True,
        timeout=300,
        cwd=Path(__file__).parents[2],
    )
    with xr.open_dataset(out, engine="h5netcdf") as resumed:
        for name in (
            ("conductance", "temperature_max")
            if kind == "pulses"
            else (
                "current",
                "temperature_max",
                "vacancy_concentration",
            )
        ):
            wanted = straight[name].values
            scale = np.nanmax(np.abs(wanted))
            np.testing.assert_allclose(resumed[name].values, wanted, rtol=0, atol=1e-10 * scale)
