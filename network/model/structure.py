"""Layers in a row: their names, shapes, counts, and a table of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ddkbase.errors import InputError
from network.counting.count import Count
from network.layers.base import Layer

__all__ = ["LayerRow", "layer_table", "name_layers"]


class LayerRow:
    """What is known of layers in a row from their names and shapes alone.

    Attributes
    ----------
    layers : list of Layer
        The layers in order.
    input_shape : tuple of int
        Shape of one sample, before the first layer.
    """

    layers: list[Layer]
    input_shape: tuple[int, ...]

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The trained arrays themselves, as "layer.parameter"."""
        return {f"{m.name}.{k}": v for m in self.layers for k, v in m.parameters.items()}

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """Of the last backward pass, named as `parameters`."""
        return {f"{m.name}.{k}": v for m in self.layers for k, v in m.gradients.items()}

    def layer(self, name: str) -> Layer:
        """The layer of that name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in self.layers)
        raise InputError(f"there is no layer {name!r}", "Network", f"Known: {known}")

    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of a sample before each layer, and after the last."""
        shapes = [self.input_shape]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return shapes

    def count(self) -> Count:
        """Parameters and multiply-accumulate operations for one sample."""
        total = Count(0, 0)
        for layer, shape in self._with_shapes():
            total = total + layer.count(shape)
        return total

    def summary(self) -> str:
        """A table of the layers as text: name, shape after it, parameters, operations."""
        return layer_table(
            [(m.name, m.output_shape(n), m.count(n)) for m, n in self._with_shapes()]
        )

    def kinetics(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """alpha and beta of each layer that has them, as they act."""
        return {
            layer.name: (np.asarray(layer.alpha), np.asarray(layer.beta))
            for layer in self.layers
            if hasattr(layer, "alpha") and hasattr(layer, "beta")
        }

    def _with_shapes(self) -> Iterator[tuple[Layer, tuple[int, ...]]]:
        shape = self.input_shape
        for layer in self.layers:
            yield layer, shape
            shape = layer.output_shape(shape)


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
