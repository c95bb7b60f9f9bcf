"""Where a record of a simulated cell comes from: the attributes that all of them have."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

from ddkbase.schemas import Schema
from ddkbase.units import CELSIUS_ZERO
from devicephys.device import Device
from devicephys.installation import versions
from devicephys.simulation.settings import Settings

__all__ = ["HELD", "provenance", "warning_of"]

#: HfO2 melts at about 3030 K, Ta2O5 at about 2140 K (handbook values): above this no law holds, K
HOTTEST = 2140.0

#: what records and figures say of runs with ``Settings.motion`` off
HELD = "vacancies held"


def provenance(
    schema: Schema,
    title: str,
    device: Device,
    settings: Settings,
    protocol: Mapping[str, Any],
    headline: Mapping[str, Any],
    *,
    ranks: int,
    complete: bool,
    seed: int | str = "none: the simulation draws no random numbers",
) -> dict[str, Any]:
    """Attributes of a record: its schema, what was asked for, what computed it and when."""
    return {
        "schema": schema.name,
        "schema_version": schema.version,
        "title": title,
        "device_yaml": device.to_yaml(),
        "settings_json": json.dumps(settings.to_dict()),
        "protocol_json": json.dumps(protocol),
        "versions_json": json.dumps(versions()),
        # said where it is not so: records of earlier versions are of moving vacancies, too
        "headline_json": json.dumps({**headline, **({} if settings.motion else {"motion": False})}),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "voltage_reference": device.voltage_reference,
        "method": settings.scheme if settings.motion else f"{settings.scheme}, {HELD}",
        "ranks": ranks,
        "seed": seed,
        "source_checksum": "none: computed from the device in device_yaml",
        "complete": int(complete),
    }


def warning_of(kelvin: float, *sentences: str) -> dict[str, str]:
    """The attribute ``warning`` of a record with this peak temperature and of what else is to be
    said; empty if there is nothing."""
    hot = (
        f"the peak temperature reached {kelvin - CELSIUS_ZERO:.0f} °C: "
        "there the oxides melt and the material laws do not hold"
        if kelvin > HOTTEST
        else ""
    )
    said = [sentence for sentence in (hot, *sentences) if sentence]
    return {"warning": "; ".join(said)} if said else {}
