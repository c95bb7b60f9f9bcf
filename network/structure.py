"""Names of the layers of a network, and a table of them."""

from __future__ import annotations

from collections.abc import Sequence

from devicephys.errors import InputError
from network.count import Count
from network.layer_base import Layer

__all__ = ["layer_table", "name_layers"]


def name_layers(layers: Sequence[Layer]) -> None:
    """Give each nameless layer its kind as a name, numbered where there are several.

    Raises InputError where two have one name, or one cannot be the name of an array in a file.
    """
    kinds = [str(getattr(layer, "kind", type(layer).__name__.lower())) for layer in layers]
    taken = {layer.name for layer in layers if layer.name}
    seen: dict[str, int] = {}
    for layer, kind in zip(layers, kinds, strict=True):
        seen[kind] = seen.get(kind, 0) + 1
        if layer.name:
            continue
        name = kind if kinds.count(kind) == 1 else f"{kind}{seen[kind]}"
        while name in taken:
            name += "_"
        layer.name = name
        taken.add(name)
    names = [layer.name for layer in layers]
    for name in names:
        if names.count(name) > 1 or "." in name or "/" in name:
            raise InputError(f"the layer name {name!r} is taken or not possible", "Network")


def layer_table(rows: Sequence[tuple[str, tuple[int, ...], Count]]) -> str:
    """Names, shapes after each layer and counts as aligned text, with a row of totals."""
    table = [("layer", "shape", "parameters", "MACs")]
    for name, shape, one in rows:
        table.append((name, " x ".join(map(str, shape)), f"{one.parameters:,}", f"{one.macs:,}"))
    parameters, macs = (
        sum(getattr(one, key) for *_, one in rows) for key in ("parameters", "macs")
    )
    table.append(("total", "", f"{parameters:,}", f"{macs:,}"))
    widths = [max(len(row[k]) for row in table) for k in range(4)]
    return "\n".join(
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}"
        for a, b, c, d in table
    )
