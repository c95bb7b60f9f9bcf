"""The steps that simulate: loop, one pulse train, campaign.

The finite-element solver is loaded when a step is done, not when it is planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console

import devicephys
from ddk.pipeline.file import Chain, Simulation, in_file
from ddk.pipeline.job import Job, Picture, StepContext, StepResult
from ddkbase.cli.progress import Display
from ddkbase.documents import looks_like_path
from ddkbase.errors import InputError, SolverError
from ddkbase.installation import keep_petsc_from_signals
from ddkbase.units import format_si
from devicephys import campaign as campaigns
from devicephys import run as runs
from devicephys.cli.campaign_progress import Display as CampaignDisplay
from devicephys.run.folder import DEVICE, LOG, REQUEST

STORE = "trains.zarr"
_USUAL_DEVICE = "tin-taox-hfox-tin"
_CHECKPOINT_EVERY = {"loop": 25, "pulses": 5}  # steps and pulses


def loop_job(chain: Chain) -> Job:
    """The current-voltage loop of the device.

    Raises InputError: no such device, or a value that does not fit.
    """
    step = chain.file.loop
    assert step is not None
    sweep = {f"sweep.{name}": getattr(step, name)
             for name in ("reset_voltage", "set_voltage", "rate", "loops")}  # fmt: skip
    changes = {key: value for key, value in sweep.items() if value is not None}
    device = _device(chain, "loop", step, changes)
    preset = _preset(chain, step) or "default"
    settings = {"device": device.to_tree(), "preset": preset}

    def work(context: StepContext) -> StepResult:
        protocol = devicephys.IVSweep.from_device(device)
        record = _simulated(context, device, protocol, preset, "loop")
        figures = _figures(record)
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
        return _result(context, record, figures, pictures, links, key)

    return Job("loop", "Current-voltage loop", settings, (), work)


def pulses_job(chain: Chain) -> Job:
    """One train of pulses.

    Raises InputError: no such device, or a value that does not fit.
    """
    step = chain.file.pulses
    assert step is not None
    device = _device(chain, "pulses", step)
    preset = _preset(chain, step) or "default"
    own = {*Simulation.model_fields, "initial_resistance"}
    options: dict[str, Any] = step.model_dump(exclude=own, exclude_none=True)
    try:
        train = devicephys.PulseTrain(**options)
    except InputError as error:
        raise InputError(error.what, f"pulses.{error.where}", error.hint) from None
    settings = {
        "device": device.to_tree(),
        "preset": preset,
        "train": train.to_dict(),
        "initial_resistance": step.initial_resistance,
    }

    def work(context: StepContext) -> StepResult:
        record = _simulated(context, device, train, preset, "pulses", step.initial_resistance)
        figures = _figures(record)
        key = f"window {figures.get('Window', '?')}"
        pictures = [Picture("pulses.png", "conductance after each pulse", True)]
        links = {
            "report.html": "the train's own report",
            "pulses.nc": "the record (PulseTrace)",
            "device.yaml": "the device, resolved",
        }
        return _result(context, record, figures, pictures, links, key)

    return Job("pulses", "One train of pulses", settings, (), work)


def campaign_job(chain: Chain) -> Job:
    """Pulse trains on a grid of settings.

    Raises InputError: no such campaign or device, or a value that does not fit.
    """
    plan = _campaign(chain)
    settings = {
        "device": plan.device.to_tree(),
        "settings": plan.settings.to_dict(),
        **{k: v for k, v in plan.to_dict().items() if k not in ("name", "description")},
    }

    def work(context: StepContext) -> StepResult:
        store = context.folder / STORE
        with CampaignDisplay(Console(quiet=context.quiet)) as display:
            outcome = campaigns.run(plan, store, workers=context.workers, progress=display)
        return _campaign_result(plan, outcome, campaigns.open_store(store))

    return Job("campaign", "Pulse trains at many settings", settings, (), work)


def _campaign(chain: Chain) -> campaigns.Campaign:
    """The campaign of a name, a file, or of the keys of the step, on the pipeline's device."""
    step = chain.file.campaign
    assert step is not None
    given = step.model_fields_set
    replaced: dict[str, Any] = {}
    if step.source is None:
        names = ("pulses", "grid", "initial_resistance", "cycles", "devices", "seed", "variability")
        inline = {name: getattr(step, name) for name in names if name in given}
        data = {"name": chain.name, **inline}
        plan = in_file(lambda: campaigns.Campaign.from_mapping(data), "campaign")
        replaced["device"] = _device(chain, "campaign", step)
    else:
        for name in ("pulses", "grid", "initial_resistance", "variability"):
            if name in given:
                hint = "Leave out 'from', or write the key into that campaign's file"
                raise InputError("the campaign says it itself", f"campaign.{name}", hint)
        listed = step.source in campaigns.list_campaigns()
        source = step.source if listed else str(chain.beside(step.source))
        plan = in_file(lambda: campaigns.Campaign.from_file(source), "campaign.from")
        replaced |= {n: getattr(step, n) for n in ("cycles", "devices", "seed") if n in given}
        if {"device", "set"} & (given | chain.file.model_fields_set):
            replaced["device"] = _device(chain, "campaign", step)
    preset = _preset(chain, step)
    if preset is not None:
        replaced["settings"] = devicephys.Settings.preset(preset)
    return plan.model_copy(update=replaced)


def _campaign_result(
    plan: campaigns.Campaign, outcome: campaigns.CampaignResult, store: xr.Dataset
) -> StepResult:
    """What came out of a finished campaign.

    Raises SolverError: no point is done.
    """
    warnings = []
    if outcome.failed:
        reason, count = outcome.reasons[0]
        message = f"{outcome.failed} of {plan.size} trains failed, {count} of them: {reason}"
        if not outcome.done:
            raise SolverError(message, str(outcome.store))
        warnings.append(message)
    with store:
        conductance = store["conductance"].values
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
    return StepResult(figures, links=links, warnings=warnings, key=f"{outcome.done} trains")


def _axis(values: Sequence[float | None], unit: str) -> str:
    texts = [format_si(v, unit) for v in values if v is not None]
    if len(texts) > 6:
        return f"{len(texts)} from {texts[0]} to {texts[-1]}"
    return ", ".join(texts) or "as the cell is"


def _device(
    chain: Chain, name: str, step: Simulation, changes: Mapping[str, Any] | None = None
) -> devicephys.Device:
    """The device of a step: its own or that at the top, with the changes of both."""
    where = f"{name}.device" if "device" in step.model_fields_set else "device"
    text = step.device or chain.file.device or _USUAL_DEVICE
    is_file = looks_like_path(text) and text not in devicephys.list_devices()
    source = chain.beside(text) if is_file else text
    device = in_file(lambda: devicephys.load_device(source), where)
    both = {**chain.file.set, **step.set}
    if both:
        device = in_file(lambda: device.with_(both), "set")
    return in_file(lambda: device.with_(dict(changes)), name) if changes else device


def _preset(chain: Chain, step: Simulation) -> str | None:
    return step.preset or chain.file.preset


def _simulated(
    context: StepContext,
    device: devicephys.Device,
    protocol: devicephys.Waveform | devicephys.PulseTrain,
    preset: str,
    step: str,
    initial_resistance: str | None = None,
) -> xr.Dataset:
    """Simulate into the step's folder, or go on with what is begun there; the record."""
    folder = context.folder
    keep_petsc_from_signals()
    console = Console(stderr=True, quiet=context.quiet)

    def remark(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    with Display(console, step) as display:
        if (folder / REQUEST).exists():
            outcome = runs.resume(folder, progress=display, remark=remark, warn=remark)
        else:
            for name in (LOG, DEVICE):  # killed before the request was written
                (folder / name).unlink(missing_ok=True)
            request = runs.Request(
                device,
                protocol,
                devicephys.Settings.preset(preset),
                _CHECKPOINT_EVERY[step],
                initial_resistance=initial_resistance,
            )
            outcome = runs.start(folder, request, progress=display, warn=remark)
    return outcome.dataset


def _figures(record: xr.Dataset) -> dict[str, str]:
    """Names and texts of what concerns the cell."""
    return {
        figure.name: figure.text
        for figure in runs.figures_of(record)
        if figure.name and not figure.numerical
    }


def _result(
    context: StepContext,
    record: xr.Dataset,
    figures: dict[str, str],
    pictures: list[Picture],
    links: dict[str, str],
    key: str,
) -> StepResult:
    if not context.quiet:
        for name, text in figures.items():
            context.say(f"{name}: {text}")
    warnings = [str(record.attrs["warning"])] if record.attrs.get("warning") else []
    there = {name: what for name, what in links.items() if (context.folder / name).exists()}
    shown = [picture for picture in pictures if (context.folder / picture.file).exists()]
    return StepResult(figures, shown, links=there, warnings=warnings, key=key)
