"""A device as nested plain mappings: write it, change one entry by its dotted path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import yaml

from ddkbase.errors import InputError, closest, shorten
from devicephys.device.quantity import Description
from devicephys.device.series import Series

if TYPE_CHECKING:
    from devicephys.device.model import Device

_SERIES_KINDS = {kind.model_fields["kind"].default: kind for kind in get_args(Series)}
_TEXT_PATHS = ("name", "description", "voltage_reference", "filament.layer")


class _FlowMapping(dict[str, Any]):
    """A mapping that YAML writes on one line."""


class _Dumper(yaml.SafeDumper):
    pass


def _represent_flow(dumper: yaml.SafeDumper, data: _FlowMapping) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)


_Dumper.add_representer(_FlowMapping, _represent_flow)


def to_yaml(tree: Mapping[str, Any]) -> str:
    """YAML text of a tree; one line per parameter."""
    return yaml.dump(dict(tree), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def to_tree(part: Description) -> dict[str, Any]:
    """Nested mappings of a description, every parameter with value, mark and source."""
    return {name: _entry(part, name) for name in type(part).model_fields}


def _entry(part: Description, name: str) -> Any:
    value = getattr(part, name)
    if name in part._provenance:
        origin = part._provenance[name]
        plain = origin.value_text if origin.unit else value
        return _FlowMapping(value=plain, mark=origin.mark, source=origin.source)
    if isinstance(value, Description):
        return to_tree(value)
    if isinstance(value, tuple):
        return [to_tree(one) for one in value]
    if isinstance(value, Mapping):
        return {key: to_tree(one) for key, one in value.items()}
    return value


def changed_tree(device: Device, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of `device` with the entries at the dotted paths of `changes` replaced.

    Raises
    ------
    InputError
        A path that the device does not have; the closest one is named.
    """
    tree = device.to_tree()
    known = {*device.provenance, *_TEXT_PATHS, "series", "series.kind"}
    known |= {f"layers.{layer.name}.material" for layer in device.layers}
    left = dict(changes)
    for path in left:
        if not isinstance(path, str):
            raise InputError(
                f"{shorten(path)} is not a key", device.name, "Write e.g. 'filament.radius'"
            )

    # The series element first: it decides which other keys exist.
    if "series" in left:
        series = left.pop("series")
        if isinstance(series, str):
            series = {"kind": series}
        if isinstance(series, Description):
            series = to_tree(series)
        if not isinstance(series, Mapping):
            hint = "Write e.g. {'kind': 'none'}"
            raise InputError(f"{shorten(series)} is not a mapping", "series", hint)
        tree["series"] = dict(series)
    if "series.kind" in left:
        kind = left.pop("series.kind")
        if not isinstance(kind, str) or kind not in _SERIES_KINDS:
            hint = closest(str(kind), _SERIES_KINDS)
            raise InputError(f"unknown kind {shorten(kind)}", "series.kind", hint)
        if tree["series"].get("kind") != kind:
            tree["series"] = {"kind": kind}
    kind = tree["series"].get("kind")
    if isinstance(kind, str) and kind in _SERIES_KINDS:
        known = {path for path in known if not path.startswith("series.")}
        fields = _SERIES_KINDS[kind].model_fields
        known |= {f"series.{name}" for name in fields}

    for path, value in left.items():
        if path not in known:
            raise InputError(f"unknown key '{path}'", device.name, _closest_path(path, known))
        *parents, key = path.split(".")
        here: Any = tree
        for name in parents:
            here = _child(here, name)
        here[key] = value if path in _TEXT_PATHS or key == "material" else _origin(value)
    return tree


def _closest_path(path: str, known: set[str]) -> str:
    # "radius" alone is closest to "filament.radius", whatever the edit distance says.
    ends = sorted(one for one in known if one.endswith("." + path))
    return f"Did you mean '{ends[0]}'?" if ends else closest(path, known)


def _child(here: Any, name: str) -> Any:
    if isinstance(here, list):
        return next(one for one in here if one["name"] == name)
    return here[name]


def _origin(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    return {"value": value, "mark": "assumed", "source": "set by user"}
