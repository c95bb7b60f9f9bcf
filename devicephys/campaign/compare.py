"""Does a store belong to a campaign? Where not: which key differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ddkbase.documents import parse_yaml
from ddkbase.errors import InputError, StorageError, shorten
from devicephys.campaign.description import Campaign

_FREE = ("description", "mark", "source")  # may be reworded
_NOWHERE = object()


def difference(attrs: Mapping[str, Any], campaign: Campaign, where: str) -> None:
    """Compare the attributes of a store with a campaign.

    Raises
    ------
    InputError
        They differ; the first key that does is named with both values.
    StorageError
        The attributes are damaged.
    """
    try:
        stored = json.loads(attrs["campaign_json"])
        device = parse_yaml(attrs["device_yaml"])
        settings = json.loads(attrs["settings_json"])
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"the store is damaged: {shorten(str(error))}", where) from error
    for prefix, old, new in (
        ("", stored, campaign.to_dict()),
        ("device.", device, parse_yaml(campaign.device.to_yaml())),
        ("settings.", settings, campaign.settings.to_dict()),
    ):
        found = _first(old, new, "")
        if found is None:
            continue
        key, one, other = found
        raise InputError(
            f"'{prefix}{key}' is {_text(other)} here, but {_text(one)} in the store",
            where,
            "Choose another --out, or give the campaign that began this store",
        )


def _first(old: Any, new: Any, path: str) -> tuple[str, Any, Any] | None:
    """Key and both values of the first difference between two trees, or None."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(k for k in old if k not in new)]:
            if key in _FREE:
                continue
            place = f"{path}.{key}" if path else str(key)
            found = _first(old.get(key, _NOWHERE), new.get(key, _NOWHERE), place)
            if found is not None:
                return found
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (one, other) in enumerate(zip(old, new, strict=True)):
            found = _first(one, other, f"{path}[{i}]")
            if found is not None:
                return found
        return None
    return None if old == new else (path, old, new)


def _text(value: Any) -> str:
    return "absent" if value is _NOWHERE else shorten(value)
