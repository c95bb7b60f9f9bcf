"""The steps that simulate: loop, one pulse train, campaign.

The finite-element solver is reached by name, only here and only when a step is planned or done:
`network` itself needs none.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddk.pipeline.file import Chain
from ddk.pipeline.job import Found, Job, Picture, Place
from ddkbase.errors import InputError, SolverError
from ddkbase.units import format_si

__all__ = ["campaign_job", "loop_job", "pulses_job"]

DEVICE = "tin-taox-hfox-tin"
PRESETS = ("quick", "default", "fine")
STORE = "trains.zarr"
_UNTOLD = (
    "Accepted", "Rejected", "Newton", "Factorisations", "Cells of the mesh", "Unknowns", "Time",
)  # fmt: skip
_EVERY = {"loop": 25, "pulses": 5}  # steps and pulses between two checkpoints


def loop_job(chain: Chain) -> Job:
    """The current-voltage loop of the device.

    Raises
    ------
    InputError
        No such device, or a value that does not fit.
    """
    keys = chain.steps["loop"]
    sweep: dict[str, Any] = {
        "sweep.reset_voltage": keys.quantity("reset_voltage", "V"),
        "sweep.set_voltage": keys.quantity("set_voltage", "V"),
        "sweep.rate": keys.quantity("rate", "V/s"),
        "sweep.loops": keys.whole("loops", least=1),
    }
    sweep = {key: value for key, value in sweep.items() if value is not None}
    device = _device(chain, "loop", sweep)
    preset = _preset(chain, "loop") or "default"
    settings = {"device": device.to_tree(), "preset": preset}

    def work(place: Place) -> Found:
        protocol = _module("protocol").IVSweep.from_device(device)
        record = _simulated(place, device, protocol, preset, "loop", None)
        rows = _module("progress").headline_rows(json.loads(record.attrs["headline_json"]))
        figures = _told(rows)
        key = ", ".join(f"{n} {figures[n]}" for n in ("RESET onset", "SET") if n in figures)
        pictures = [
            Picture("iv.png", "current and resistance over the loop", True),
            Picture("fields.png", "concentration, temperature and potential at points A-H", True),
        ]
        links = {
            "report.html": "the loop's own report",
            "iv.nc": "the record (IVTrace)",
            "loop.gif": "the loop as a film",
            "fields.vtkhdf": "for ParaView",
            "device.yaml": "the device, resolved",
        }
        return _found(place.folder, record, figures, pictures, links, key)

    return Job("loop", "Current-voltage loop", settings, (), work)


def pulses_job(chain: Chain) -> Job:
    """One train of pulses.

    Raises
    ------
    InputError
        No such device, or a value that does not fit.
    """
    keys = chain.steps["pulses"]
    device = _device(chain, "pulses", {})
    preset = _preset(chain, "pulses") or "default"
    start = keys.quantity("initial_resistance", "ohm")
    units = {"amplitude": "V", **dict.fromkeys(("width", "rise", "fall", "period"), "s")}
    units |= {"read_voltage": "V", "read_width": "s", "read_edge": "s"}
    told: dict[str, Any] = {k: keys.quantity(k, unit) for k, unit in units.items()}
    told["count"] = keys.whole("count", least=1)
    try:
        train = _module("pulse_train").PulseTrain(**{k: v for k, v in told.items() if v})
    except InputError as error:
        raise InputError(error.what, f"pulses.{error.where}", error.hint) from None
    settings = {
        "device": device.to_tree(),
        "preset": preset,
        "train": train.to_dict(),
        "initial_resistance": start,
    }

    def work(place: Place) -> Found:
        record = _simulated(place, device, train, preset, "pulses", start)
        figures = _told(_module("pulse_run").pulse_rows(record))
        key = f"window {figures.get('Window', '?')}"
        pictures = [Picture("pulses.png", "conductance after each pulse", True)]
        links = {
            "report.html": "the train's own report",
            "pulses.nc": "the record (PulseTrace)",
            "device.yaml": "the device, resolved",
        }
        return _found(place.folder, record, figures, pictures, links, key)

    return Job("pulses", "One train of pulses", settings, (), work)


def campaign_job(chain: Chain) -> Job:
    """Pulse trains on a grid of settings.

    Raises
    ------
    InputError
        No such campaign or device, or a value that does not fit.
    """
    plan = _campaign(chain)
    settings = {
        "device": plan.device.to_tree(),
        "settings": plan.settings.to_dict(),
        **{k: v for k, v in plan.to_dict().items() if k not in ("name", "description")},
    }

    def work(place: Place) -> Found:
        campaigns: Any = _module("campaign")
        display = _module("campaign.progress").Display
        from rich.console import Console

        store = place.folder / STORE
        with display(Console(quiet=place.quiet)) as shown:
            outcome = campaigns.run(plan, store, workers=place.workers, progress=shown)
        return _campaign_found(plan, outcome, campaigns.open_store(store))

    return Job("campaign", "Pulse trains at many settings", settings, (), work)


def _campaign(chain: Chain) -> Any:
    """The campaign of a name, a file, or of the keys of the step, on the pipeline's device."""
    keys = chain.steps["campaign"]
    kind: Any = _module("campaign").Campaign
    source = keys.text("from")
    if source is None:
        inline = {
            name: keys.raw(name)
            for name in ("pulses", "grid", "initial_resistance", "cycles", "devices", "seed")
            if name in keys
        }
        if "variability" in keys:
            inline["variability"] = keys.raw("variability")
        plan = _placed(lambda: kind.from_mapping({"name": chain.name, **inline}), "campaign")
        replaced: dict[str, Any] = {"device": _device(chain, "campaign", {})}
    else:
        for name in ("pulses", "grid", "initial_resistance", "variability"):
            if name in keys:
                hint = "Leave out 'from', or write the key into that campaign's file"
                raise InputError("the campaign says it itself", keys.place(name), hint)
        listed = source in _module("campaign").list_campaigns()
        named = source if listed else str(keys.beside(source))
        plan = _placed(lambda: kind.from_file(named), "campaign.from")
        replaced = {
            name: keys.whole(name, least=least)
            for name, least in (("cycles", 1), ("devices", 1), ("seed", 0))
            if name in keys
        }
        if any(key in at for key in ("device", "set") for at in (keys, chain.top)):
            replaced["device"] = _device(chain, "campaign", {})
    preset = _preset(chain, "campaign")
    if preset is not None:
        replaced["settings"] = _module("settings").Settings.preset(preset)
    return dataclasses.replace(plan, **replaced)


def _campaign_found(plan: Any, outcome: Any, table: Any) -> Found:
    """What a finished campaign has to tell.

    Raises
    ------
    SolverError
        No point is done.
    """
    warnings = []
    if outcome.failed:
        reason, count = outcome.reasons[0]
        words = f"{outcome.failed} of {plan.size} trains failed, {count} of them: {reason}"
        if not outcome.done:
            raise SolverError(words, str(outcome.store))
        warnings.append(words)
    with table:
        conductance = table["conductance"].values
    import numpy as np

    figures = {
        "trains": f"{outcome.done} of {plan.size}, {plan.pulse_count} pulses each",
        "amplitude": _axis(plan.amplitudes, "V"),
        "width": _axis(plan.widths, "s"),
        "initial resistance": _axis(plan.initial_resistances, "ohm"),
        "cycles, devices": f"{plan.cycles}, {plan.devices}",
        "conductance": f"{format_si(float(np.nanmin(conductance)), 'S', 3)} to "
        f"{format_si(float(np.nanmax(conductance)), 'S', 3)}",
        "preset": plan.settings.name,
    }
    links = {f"{STORE}/zarr.json": "the store (PulseCampaign), a zarr folder"}
    return Found(figures, links=links, warnings=warnings, key=f"{outcome.done} trains")


def _axis(values: tuple[float | None, ...], unit: str) -> str:
    told = [format_si(v, unit) for v in values if v is not None]
    if len(told) > 6:
        return f"{len(told)} from {told[0]} to {told[-1]}"
    return ", ".join(told) or "as the cell is"


def _device(chain: Chain, step: str, more: Mapping[str, Any]) -> Any:
    """The device of a step: its own or that at the top, with the changes of both."""
    keys, _ = chain.above(step, "device")
    text = keys.text("device", DEVICE) or DEVICE
    load: Any = _module("device")
    if text not in load.list_devices() and (os.sep in text or text.endswith((".yaml", ".yml"))):
        found = _placed(lambda: load.load_device(keys.beside(text)), keys.place("device"))
    else:
        found = _placed(lambda: load.load_device(text), keys.place("device"))
    own = chain.steps[step]
    changes = {**chain.top.mapping("set"), **own.mapping("set")}
    found = _placed(lambda: found.with_(changes) if changes else found, "set")
    return _placed(lambda: found.with_(dict(more)) if more else found, step)


def _preset(chain: Chain, step: str) -> str | None:
    keys, key = chain.above(step, "preset")
    return keys.choice(key, PRESETS)


def _placed(make: Any, where: str) -> Any:
    """What ``make`` gives; its errors say where in the file."""
    try:
        return make()
    except InputError as error:
        place = f"{where}: {error.where}" if error.where else where
        raise InputError(error.what, place, error.hint) from None


def _simulated(
    place: Place, device: Any, protocol: Any, preset: str, step: str, start: str | None
) -> Any:
    """Simulate into the step's folder, or go on with what is begun there; the record."""
    folder = place.folder
    output = _module("command_output").Output("ddk-network pipeline", quiet=place.quiet)
    options = os.environ.get("PETSC_OPTIONS", "")
    if "-no_signal_handler" not in options:  # SIGTERM is to end like Ctrl-C
        os.environ["PETSC_OPTIONS"] = f"{options} -no_signal_handler".strip()
    launch, runfolder = _module("launch"), _module("runfolder")
    if (folder / runfolder.REQUEST).exists():
        launch.resume(folder, output)
    else:
        for name in (runfolder.LOG, runfolder.DEVICE):  # killed before the request was written
            (folder / name).unlink(missing_ok=True)
        settings = _module("settings").Settings.preset(preset)
        request = _module("request").Request(
            device, protocol, settings, _EVERY[step], initial_resistance=start
        )
        launch.start(folder, request, output)
    from ddkbase import records

    name = runfolder.RECORD if step == "loop" else runfolder.PULSE_RECORD
    return records.read(folder / name)


def _told(rows: list[tuple[str, str]]) -> dict[str, str]:
    return {name: text for name, text in rows if not name.startswith(_UNTOLD)}


def _found(
    folder: Path,
    record: Any,
    figures: dict[str, str],
    pictures: list[Picture],
    links: dict[str, str],
    key: str,
) -> Found:
    warnings = [str(record.attrs["warning"])] if record.attrs.get("warning") else []
    there = {name: words for name, words in links.items() if (folder / name).exists()}
    shown = [picture for picture in pictures if (folder / picture.file).exists()]
    return Found(figures, shown, links=there, warnings=warnings, key=key)


def _module(name: str) -> Any:
    return importlib.import_module(f"devicephys.{name}")
