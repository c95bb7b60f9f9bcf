"""Balances, invariance and parallel equality on the I-V loop of the shipped device.

- Inventory, current and energy at every accepted step of a loop: 1e-10, 1e-8, 1e-4 (relative);
  the inventory is that of the cell without exchange. With it, what came and went is counted at
  fields that are solved to Newton's tolerance: 1e-6.
- sigma and k of every layer times two, no series element: Eqs. (5)-(11) keep T and n, and the
  current doubles, as long as stored heat does not matter (2 ns against milliseconds).
- One rank against two (``mpiexec -n 2``): 1e-8 relative in current, temperature, concentration.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
import xarray as xr

from devicephys.device import Conductor, Device, load_device
from devicephys.protocol.waveform import IVSweep, Waveform
from devicephys.simulation.settings import Settings
from devicephys.simulation.simulate import simulate
from devicephys.verification.table import Row, at_most

SHIPPED = "tin-taox-hfox-tin"
BALANCES = {"vacancy_imbalance": 1e-10, "current_imbalance": 1e-8, "energy_imbalance": 1e-4}
#: imbalance of the inventory where vacancies are exchanged with the surroundings
EXCHANGED = 1e-6
#: allowed relative difference under scaling; stored heat makes about 1e-8
SCALING = 1e-6
RANKS = 1e-8
#: seconds after which a run on two ranks counts as hung
PATIENCE = 300.0


@functools.cache
def _loop(
    preset: str, name: str = SHIPPED, exchange: bool = False, kernel: str = "auto"
) -> xr.Dataset:
    from mpi4py import MPI  # optional: the finite-element stack

    device = load_device(name)
    if not exchange:
        oxides = [k for k, m in device.materials.items() if not isinstance(m, Conductor)]
        device = device.with_({f"materials.{k}.exchange_prefactor": "0 1/s" for k in oxides})
    settings = Settings.preset(preset, kernel=kernel)
    return simulate(device, settings=settings, comm=MPI.COMM_SELF)


def balances(preset: str) -> dict[str, float]:
    """Largest imbalance of each kind over the accepted steps of one loop without exchange."""
    return {name: float(_loop(preset)[name].max()) for name in BALANCES}


def exchanged(preset: str) -> float:
    """Largest imbalance of the inventory over a loop, what was exchanged being counted."""
    return float(_loop(preset, exchange=True)["vacancy_imbalance"].max())


def scaled(device: Device, factor: float) -> Device:
    """The device with sigma and k of every layer times ``factor``."""
    changes = {}
    for name, material in device.materials.items():
        kinds = (
            {"electrical_conductivity": "S/m", "thermal_conductivity": "W/m/K"}
            if isinstance(material, Conductor)
            else {
                "conductivity_low": "S/m",
                "conductivity_high": "S/m",
                "thermal_conductivity_low": "W/m/K",
                "thermal_conductivity_high": "W/m/K",
            }
        )
        for key, unit in kinds.items():
            changes[f"materials.{name}.{key}"] = f"{factor * getattr(material, key)!r} {unit}"
    return device.with_(changes)


def scaling() -> dict[str, float]:
    """Largest relative differences of two RESET sweeps of the bare cell, one scaled by two.

    At 0.8 of the device's RESET voltage, enough to empty a part of the filament.

    ``temperature`` of the peak temperature history, ``concentration`` of n at the end (in units
    of its maximum), ``current`` of half the scaled current (in units of its maximum). The two
    runs are compared at the times of the first, by interpolation where steps differ.
    """
    from mpi4py import MPI  # optional: the finite-element stack

    device = load_device(SHIPPED).with_({"series": {"kind": "none"}})
    sweep = IVSweep.from_device(device)
    # Without a load line: the element does not scale, and would give the cell another voltage.
    corner = sweep.corners[:3]
    protocol = Waveform.from_si(list(corner), [0.8 * sweep.voltage(t) for t in corner])
    single, double = (
        simulate(d, protocol, Settings.preset("quick"), comm=MPI.COMM_SELF)
        for d in (device, scaled(device, 2.0))
    )
    # rounding moves the steps a little, so the two runs share no times but corners
    other = {
        name: np.interp(single.time, double.time, double[name])
        for name in ("temperature_max", "current")
    }
    n = [d.vacancy_concentration.values[-1] for d in (single, double)]
    current = single.current.values
    return {
        "temperature": _largest(other["temperature_max"] / single.temperature_max.values - 1.0),
        "concentration": _largest(n[1] - n[0]) / float(np.nanmax(n[0])),
        "current": _largest(0.5 * other["current"] - current) / _largest(current),
    }


def _largest(values: np.ndarray) -> float:
    return float(np.nanmax(np.abs(values)))


# -- one rank against two -------------------------------------------------------------------

_COMPARED = ("time", "current", "temperature_max", "vacancy_concentration", "temperature")


def write_loop(path: str, device: str = SHIPPED) -> None:
    """Loop of a device of the library on all ranks of this process; rank 0 writes ``path``."""
    from mpi4py import MPI  # optional: the finite-element stack

    try:
        trace = simulate(load_device(device), settings=Settings.preset("quick"))
    except Exception:
        # An error on one rank alone would leave the other waiting for it.
        traceback.print_exc()
        MPI.COMM_WORLD.Abort(1)
        raise
    if MPI.COMM_WORLD.rank == 0:
        np.savez(path, allow_pickle=False, **{name: trace[name].values for name in _COMPARED})


def find_mpiexec() -> str | None:
    """The ``mpiexec`` beside the running Python (which matches its MPI), or else on the path."""
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def ranks(device: str = SHIPPED) -> dict[str, float]:
    """Largest relative differences between runs on one and on two ranks, a device of the library.

    Each in units of the largest value of its quantity. Raises FileNotFoundError where there is
    no mpiexec, RuntimeError where the run on two ranks fails.
    """
    mpiexec = find_mpiexec()
    if mpiexec is None:
        raise FileNotFoundError("no mpiexec beside Python or on the path")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "two.npz")
        code = f"from devicephys.verification.balances import write_loop; write_loop{path, device}"
        root = str(Path(__file__).resolve().parents[2])
        search = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
        done = subprocess.run(
            [mpiexec, "-n", "2", sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=os.environ | {"PYTHONPATH": search},
        )
        if done.returncode != 0 or not Path(path).exists():
            raise RuntimeError(f"the run on two ranks failed: {done.stderr.strip()[-300:]}")
        with np.load(path) as file:
            two = {name: file[name] for name in _COMPARED}
    # several ranks assemble the forms: with the compiled kernel on one, the rounding of its factors
    # would be compared, too, which a cell that snaps enlarges to 1e-8
    loop = _loop("quick", device, exchange=True, kernel="forms")
    one = {name: loop[name].values for name in _COMPARED}
    return {
        name: _largest(two[name] - one[name]) / _largest(one[name])
        if two[name].shape == one[name].shape
        else float("inf")
        for name in _COMPARED
    }


def rows(quick: bool) -> list[Row]:
    """Balances, scaling invariance, one rank against two."""
    preset = "quick" if quick else "default"
    found = balances(preset)
    table = [
        at_most("Balances", f"{name.replace('_', ' ')}, loop, {preset}", limit, found[name])
        for name, limit in BALANCES.items()
    ]
    what = f"vacancy imbalance with exchange, loop, {preset}"
    table.append(at_most("Balances", what, EXCHANGED, exchanged(preset)))
    table += [
        at_most("sigma and k times 2", f"{name}, relative", SCALING, value)
        for name, value in scaling().items()
    ]
    name, quantity = "One rank against two", "largest relative difference"
    try:
        table.append(at_most(name, quantity, RANKS, max(ranks().values())))
    except FileNotFoundError as error:
        table.append(Row(name, quantity, f"<= {RANKS:g}", f"skipped: {error}", True))
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        table.append(Row(name, quantity, f"<= {RANKS:g}", str(error), False))
    return table
