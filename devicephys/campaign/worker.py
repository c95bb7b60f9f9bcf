"""What a worker of a campaign does: one point, from plain texts to plain arrays.

Nothing is written here: the process that runs the campaign keeps the results, so a worker on
another machine needs no shared disk, and one that lost its master cannot touch the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from ddkbase import __version__
from ddkbase.errors import InstallationError, one_line
from devicephys.campaign.description import Campaign, Point
from devicephys.campaign.layout import VARIABLES
from devicephys.device.library import device_from_yaml
from devicephys.population.variability import Variability
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.simulation.settings import Settings

#: reason of a point whose worker process ended each time
KILLED = "its worker process was killed every time, e.g. for lack of memory"

Simulate = Callable[..., xr.Dataset]


def task(campaign: Campaign, point: Point) -> dict[str, Any]:
    """Everything that a worker needs to compute a point, as texts and numbers."""
    device = campaign.device
    if campaign.population is not None:
        device = campaign.population.device(device, point.device)
    return {
        "version": __version__,
        "device_yaml": device.to_yaml(),
        "settings": campaign.settings.to_dict(),
        "train": campaign.train(point.amplitude, point.width).to_dict(),
        "initial_resistance": campaign.target_resistance(point.initial_resistance),
        "variability": None if campaign.variability is None else campaign.variability.to_dict(),
        "seed": campaign.seed,
        "cycle": point.cycle,
        "device_number": point.device,
    }


def compute(task: Mapping[str, Any], simulate: Simulate | None = None) -> dict[str, Any]:
    """Simulate one point, by ``simulate`` in place of `simulate_pulses` if it is given.

    Returns ``{"arrays": ...}`` with shape (pulse,) or () each; ``{"failed": reason}`` if the point
    failed, whatever happened; ``{"refused": reason}`` if no point can be computed on this worker.
    """
    if task["version"] != __version__:
        return {"refused": f"a worker runs version {__version__}, not {task['version']}"}
    try:
        return {"arrays": arrays_of(_simulate(task, simulate))}
    except InstallationError as error:
        return {"refused": str(error)}
    except Exception as error:  # one point that fails in any way must not stop the others
        return {"failed": one_line(f"{type(error).__name__}: {error}")}


def _simulate(task: Mapping[str, Any], simulate: Simulate | None) -> xr.Dataset:
    if simulate is None:
        from devicephys.simulation.simulate import (
            simulate_pulses,  # start-up: the solver, only on a worker that computes
        )

        simulate = simulate_pulses
    arguments = {key: value for key, value in task["train"].items() if key != "kind"}
    random: dict[str, Any] = {}
    if task["variability"] is not None:
        random = {
            "variability": Variability.from_mapping(task["variability"]),
            "seed": task["seed"],
        }
    return simulate(
        device_from_yaml(task["device_yaml"]),
        PulseTrain(**arguments),
        Settings(**task["settings"]),
        initial_resistance=task["initial_resistance"],
        cycle=task["cycle"],
        device_number=task["device_number"],
        **random,
    )


def arrays_of(trace: xr.Dataset) -> dict[str, np.ndarray]:
    """The variables of a ``PulseTrace`` that a campaign keeps, as floats."""
    return {
        name: np.asarray(trace[variable.source or name].values, dtype=np.float64)
        for name, variable in VARIABLES.items()
    }


def warm_up(task: Mapping[str, Any]) -> dict[str, Any]:
    """Compute a single pulse, so that the forms are compiled once and not by all workers at once.

    Returns ``versions`` of what computes on this worker, or ``refused``. What fails here for a
    reason of its own fails again at its point.
    """
    from devicephys.installation import versions  # start-up

    train = {**task["train"], "count": 1}
    for name in ("amplitude", "width"):
        if isinstance(train[name], list):
            train[name] = train[name][0]
    done = compute({**task, "train": train, "initial_resistance": None})
    return {"refused": done["refused"]} if "refused" in done else {"versions": versions()}
