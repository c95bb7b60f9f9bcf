"""From a parameter of the cell to the accuracy of a network, through all packages.

For each value of the parameter a campaign of pulse trains is simulated on Dask (`devicephys`),
alpha and beta are fitted to it (`compact`), and a network is trained where pulses of that cell can
put it and tuned on a chip of such cells. Every store and every finished number is kept in a
folder; a study that was stopped goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import devicephys
from compact.table.table import AlphaBetaTable
from ddk.studies.evaluation import share_of_good_cells
from ddk.studies.experiment import training_options
from ddk.studies.folds import Fold, Material
from ddk.studies.models import build, get_model
from ddk.studies.result_store import ResultStore
from ddk.studies.tasks import Task
from ddkbase.errors import DDKError, InputError, SolverError, shorten
from ddkbase.records import label
from ddkbase.units import to_si
from devicephys import campaign as campaigns
from network.hardware.cells.kinetics_noise import TableKinetics
from network.hardware.settings import Hardware, article
from network.hardware.training import Tuning, harden
from network.model.files import copy_network

DEVICE_PARAMETERS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "thickness": (("layers.HfOx.thickness", "filament.height"), "m", "HfOx thickness"),
    "activation-energy": (
        ("materials.HfOx.diffusion_activation", "materials.TaOx.diffusion_activation"),
        "eV",
        "activation energy of diffusion",
    ),
    "filament-radius": (("filament.radius",), "m", "filament radius"),
    "pulse-width": ((), "s", "pulse width"),
}
"""What can be varied: paths in the device, unit, words. Other dotted paths may be given too."""

_FIGURES = {
    "software": ("1", "Accuracy in software, alpha and beta where the cell can put them"),
    "chip": ("1", "Accuracy on a chip of such cells after tuning in situ"),
    "energy": ("J", "Energy of the pulses of one inference"),
    "yielded": ("1", "Share of cells that keep the accuracy"),
    "alpha": ("1", "alpha of the network"),
    "beta": ("1", "beta of the network"),
}


DEVICE = "tin-taox-hfox-tin"
AMPLITUDES = ("-2 V", "-3 V")
WIDTHS = ("20 ns", "50 ns", "100 ns")


@dataclass(frozen=True)
class DevicePlan:
    """What is simulated for each value.

    Attributes
    ----------
    device : str, default "tin-taox-hfox-tin"
        Name of a device of the library, or a YAML file.
    amplitudes : tuple of str, default ("-2 V", "-2.5 V", "-3 V")
        Amplitudes of the trains.
    widths : tuple of str, default ("20 ns", "100 ns")
        Widths of their pulses, each of which goes with each amplitude.
    initial_resistance : str, default "10 kohm"
        Resistance before a train. Cells with thin filaments cannot be SET to low resistances, hence
        10 kohm.
    pulses : int, default 50
        Number of pulses of a train.
    cycles : int, default 1
        How often each cell is formed.
    devices : int, default 4
        How many cells are drawn.
    preset : str, default "quick"
        How finely mesh and time are resolved.
    margin : float, default 0.05
        A cell is good if its accuracy is at most so much below that in software.
    seed : int, default 1
        Seed of the cells.
    """

    device: str = "tin-taox-hfox-tin"
    amplitudes: tuple[str, ...] = ("-2 V", "-2.5 V", "-3 V")
    widths: tuple[str, ...] = ("20 ns", "100 ns")
    initial_resistance: str = "10 kohm"
    pulses: int = 50
    cycles: int = 1
    devices: int = 4
    preset: str = "quick"
    margin: float = 0.05
    seed: int = 1

    def __post_init__(self) -> None:
        given = (("V", "amplitudes", self.amplitudes), ("s", "widths", self.widths),
                 ("ohm", "initial_resistance", (self.initial_resistance,)))  # fmt: skip
        for unit, name, values in given:
            for value in values:
                to_si(value, unit, name)

    def campaign(self, parameter: str, value: str) -> dict[str, Any]:
        """The campaign of one value, as `devicephys.campaign.Campaign.from_mapping` takes it."""
        paths = _parameter(parameter)[0]
        widths = [value] if parameter == "pulse-width" else list(self.widths)
        campaign: dict[str, Any] = {
            "name": "device-study",
            "device": self.device,
            "preset": self.preset,
            "pulses": {"count": self.pulses},
            "grid": {"amplitude": list(self.amplitudes), "width": widths},
            "initial_resistance": self.initial_resistance,
            "cycles": self.cycles,
            "devices": self.devices,
            "seed": self.seed,
        }
        if paths:
            campaign["set"] = dict.fromkeys(paths, value)
        return campaign


def device_study(
    parameter: str,
    values: Sequence[str],
    task: Task,
    folder: str | os.PathLike[str],
    *,
    seeds: Sequence[int] = (0,),
    plan: DevicePlan | None = None,
    hardware: Hardware | None = None,
    root: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[str], None] | None = None,
    simulate: Any = None,
) -> xr.Dataset:
    """Vary a parameter of the cell and see what becomes of a network.

    Parameters
    ----------
    parameter : str
        One of `DEVICE_PARAMETERS`, or a dotted path of the device.
    values : sequence of str
        Texts with units.
    task : Task
        Data, structure and training.
    folder : str or Path
        Folder for stores, tables and results.
    seeds : sequence of int, default (0,)
        Seeds of split, start and chip.
    plan : DevicePlan or None, optional
        What is simulated.
    hardware : Hardware or None, optional
        Hardware of the classifier; the article's write error if None. The cells' scatter comes from
        the simulated table.
    root : str or None, optional
        Folder of the data.
    workers : int or None, optional
        As for `devicephys.campaign.run`.
    scheduler : str or None, optional
        As for `devicephys.campaign.run`.
    progress : callable or None, optional
        Called with a line now and then.
    simulate : callable, optional
        What takes the place of the finite elements, for tests.

    Returns
    -------
    xarray.Dataset
        Figures on (value, seed): software, chip, energy, yielded, alpha, beta; NaN where the cell
        could not be simulated or fitted, with the reason on (value,).

    Raises
    ------
    InputError
        A parameter, value or plan that makes no sense.
    InstallationError
        No finite-element stack.
    StorageError
        The folder belongs to another study.
    """
    plan = plan or DevicePlan()
    _, unit, title = _parameter(parameter)
    numbers = [to_si(v, unit, parameter) if unit else float(k) for k, v in enumerate(values)]
    if not numbers or len(set(numbers)) != len(numbers):
        raise InputError("the values are not all different", parameter, "Give one or more")
    say = progress or (lambda _: None)
    hardware = article(kinetics=None) if hardware is None else hardware
    folder = Path(folder)
    request = {
        "parameter": parameter,
        "plan": {k: list(v) if isinstance(v, tuple) else v for k, v in vars(plan).items()},
        "task": task.settings(),
        "hardware": hardware,
    }
    outcomes = {name: np.full((len(values), len(seeds)), np.nan) for name in _FIGURES}
    reasons = [""] * len(values)
    material = Material(task, root)
    with ResultStore.open(folder, request) as store:
        for i, value in enumerate(values):
            table: AlphaBetaTable | None = None
            for j, seed in enumerate(seeds):
                key = f"{_key(parameter)}-{_key(value)}-s{seed}"
                figures = store.get(key)
                if figures is None:
                    try:
                        if table is None:
                            path = folder / f"{_key(parameter)}-{_key(value)}.zarr"
                            options = {"workers": workers, "scheduler": scheduler}
                            campaign = plan.campaign(parameter, value)
                            table, energies = _table(campaign, path, options, simulate, say)
                        fold = next(iter(material.folds(seed)))
                        figures = _figures(task, fold, table, energies, hardware, plan.margin, seed)
                    except DDKError as error:
                        if not _about_cell(error):
                            raise
                        figures = {"reason": str(error)}
                    store.keep(key, figures)
                reasons[i] = str(figures.get("reason", reasons[i]))
                for name in _FIGURES:
                    outcomes[name][i, j] = figures.get(name, np.nan)
                say(f"{title} {value}, seed {seed}: {_line(figures)}")
    return _dataset(parameter, unit or "1", title, values, numbers, list(seeds), outcomes, reasons)


def _parameter(name: str) -> tuple[tuple[str, ...], str, str]:
    if name in DEVICE_PARAMETERS:
        return DEVICE_PARAMETERS[name]
    if "." in name:
        return (name,), "", name
    raise InputError(
        f"there is no parameter {shorten(name)}",
        "parameter",
        f"Use {', '.join(DEVICE_PARAMETERS)}, or a dotted path such as "
        "materials.HfOx.diffusion_prefactor",
    )


def _table(
    campaign: Mapping[str, Any],
    path: Path,
    options: Mapping[str, Any],
    simulate: Any,
    say: Callable[[str], None],
) -> tuple[AlphaBetaTable, xr.DataArray]:
    outcome = campaigns.run(
        campaigns.Campaign.from_mapping(campaign), path, simulate=simulate, **options
    )
    say(f"{path.name}: {outcome.done} trains simulated, {outcome.failed} failed")
    table = AlphaBetaTable.fit(path, integrator="implicit", window="data")  # as in the article
    with campaigns.open_store(path) as ds:
        energy = ds["energy"].mean([d for d in ds["energy"].dims if d in _ALONG]).load()
    table.write(path.with_suffix(".table.nc"), overwrite=True)
    return table, energy


_ALONG = ("pulse", "cycle", "device", "initial_resistance")


def _about_cell(error: DDKError) -> bool:
    """Whether an error says something of the cell, and not of the installation or the files."""
    return isinstance(error, InputError | SolverError)


def _line(figures: Mapping[str, Any]) -> str:
    if figures.get("reason"):
        return str(figures["reason"])
    share = ", ".join(f"{n} {100 * figures[n]:.1f} %" for n in ("software", "chip", "yielded"))
    return f"{share}, {figures['energy']:.3g} J"


def _key(text: str) -> str:
    plain = "".join(c if c.isalnum() or c in "+-." else "_" for c in text.lower().strip())
    return plain.strip("_.-+") or "value"


def _dataset(
    parameter: str,
    unit: str,
    title: str,
    values: Sequence[str],
    numbers: list[float],
    seeds: list[int],
    outcomes: dict[str, np.ndarray],
    reasons: list[str],
) -> xr.Dataset:
    data = {n: label(outcomes[n], ("value", "seed"), *_FIGURES[n]) for n in _FIGURES}
    data["text"] = label(np.array(list(values)), "value", "1", "Value as given")
    data["reason"] = label(np.array(reasons), "value", "1", "Why there is no number")
    coords = {
        "value": label(np.array(numbers), "value", unit, title[:1].upper() + title[1:]),
        "seed": label(np.array(seeds), "seed", "1", "Seed of split, start and chip"),
    }
    return xr.Dataset(data, coords, {"parameter": parameter})


def _figures(
    task: Task,
    fold: Fold,
    table: AlphaBetaTable,
    energies: xr.DataArray,
    hardware: Hardware,
    margin: float,
    seed: int,
) -> dict[str, Any]:
    """Figures of one cell on one task: trained where it can be put, tuned on a chip of such cells.

    ``energies`` are those of a pulse [J] on (amplitude, width); a cell is good if its accuracy is
    at most ``margin`` below that in software; the seed draws start and chip.
    """
    network = build(task, get_model("ddk"), fold.shape, len(fold.classes), seed)
    x, y = fold.train.x, fold.train.y
    off_chip = {**training_options(task, seed), "table": table}
    plain = harden(network, x, y, mode="software", **off_chip)
    rng = np.random.default_rng([seed, 5])
    software = plain.accuracy(fold.test.x, fold.test.y, rng)
    chip = harden(
        copy_network(network),
        x,
        y,
        mode="hybrid",
        hardware=hardware,
        chip=seed,
        reestimate=True,
        trained=True,
        tuning=Tuning(samples=4096),
        **off_chip,
    )
    alpha, beta = (float(np.mean(v)) for v in next(iter(network.kinetics().values())))
    kinetics = TableKinetics(table)
    at = kinetics.setting(alpha, beta)[0].at
    nearest = energies.sel(amplitude=at.amplitude, width=at.width, method="nearest")
    steps = int(np.prod(fold.shape))
    return {
        "software": software,
        "chip": chip.accuracy(fold.test.x, fold.test.y, rng),
        "energy": steps * float(nearest.squeeze()),
        "yielded": share_of_good_cells(network, fold, table, at, software - margin, rng),
        "alpha": alpha,
        "beta": beta,
    }


def simulated_table(
    device: str = DEVICE,
    *,
    amplitudes: Sequence[str] = AMPLITUDES,
    widths: Sequence[str] = WIDTHS,
    initial_resistance: str = "6 kohm",
    pulses: int = 50,
    cycles: int = 2,
    preset: str = "quick",
    seed: int = 1,
    progress: Callable[[str], None] | None = None,
) -> AlphaBetaTable:
    """Simulate pulse trains of a cell and fit alpha and beta: the table a network is shaped by.

    Parameters
    ----------
    device : str, optional
        Name of a device of the library, or a YAML file.
    amplitudes, widths : sequence of str, optional
        Pulses of the trains, every amplitude with every width.
    initial_resistance : str, default "6 kohm"
        Resistance before a train.
    pulses : int, default 50
        Number of pulses of a train.
    cycles : int, default 2
        Trains at each setting; each is of a cell drawn anew.
    preset : str, default "quick"
        How finely mesh and time are resolved.
    seed : int, default 1
        Seed of the cells.
    progress : callable or None, optional
        Called with a line of text for each train.

    Returns
    -------
    AlphaBetaTable
        Alpha and beta over amplitude and width of the pulses.

    Raises
    ------
    InputError
        A value makes no sense.
    InstallationError
        No finite-element stack.
    SolverError
        No time step succeeds.
    """
    cell, settings = devicephys.load_device(device), devicephys.Settings.preset(preset)
    if cycles < 1:
        raise InputError(f"{cycles} cycles", "cycles", "Use 1 or more")
    trains = [(a, w, c) for a in amplitudes for w in widths for c in range(cycles)]
    traces = []
    for number, (amplitude, width, cycle) in enumerate(trains):
        train = devicephys.PulseTrain(amplitude, width=width, count=pulses)
        traces.append(
            devicephys.simulate_pulses(
                cell, train, settings, initial_resistance=initial_resistance, seed=seed, cycle=cycle
            )
        )
        if progress is not None:
            which = f"{amplitude}, {width}, cell {cycle}"
            progress(f"[{number + 1}/{len(trains)}] {pulses} pulses of {which} simulated")
    return AlphaBetaTable.fit(traces, integrator="implicit", window="data")  # as in the article
