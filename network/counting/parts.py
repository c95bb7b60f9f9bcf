"""A network as a list of counted layers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from network.counting import count
from network.counting.count import Count

__all__ = ["BATCH_NORM_OPERATIONS", "Architecture", "Part", "dense_parts"]

#: Operations an element of a batch norm, as common counting tools take it: two to normalise, two
#: for gain and offset. Three of the article's ratios contain them.
BATCH_NORM_OPERATIONS = 4


@dataclass(frozen=True)
class Part:
    """One layer of an architecture.

    Parameters
    ----------
    name : str
        What it is.
    stage : {"features", "classifier"}
        Which part it belongs to.
    size : Count
        Parameters and MACs, for one sample.
    normalised : int, default 0
        Elements that a batch norm of this layer touches; it forms no product that could not be
        folded into the layer, so they are kept apart.
    """

    name: str
    stage: str
    size: Count
    normalised: int = 0


@dataclass(frozen=True)
class Architecture:
    """A network as a list of counted layers.

    Parameters
    ----------
    name : str
        Name of the network.
    parts : tuple of Part
        Its layers, in order.
    """

    name: str
    parts: tuple[Part, ...]

    def count(self, *, batch_norm: int = 0, stage: str | None = None) -> Count:
        """Parameters and MACs of one sample.

        Parameters
        ----------
        batch_norm : int, default 0
            Operations for an element of a batch norm; 0 folds it into the layer before it.
        stage : {"features", "classifier"} or None, optional
            The part that is counted; by default both.
        """
        parts = [part for part in self.parts if stage in (None, part.stage)]
        normalised = batch_norm * sum(part.normalised for part in parts)
        return count.total(part.size for part in parts) + Count(0, normalised)

    def feature_share(self, *, batch_norm: int = 0) -> float:
        """Share of the MACs that is spent on features, 0 to 1.

        Parameters
        ----------
        batch_norm : int, default 0
            As for `count`.
        """
        features = self.count(batch_norm=batch_norm, stage="features").macs
        return features / self.count(batch_norm=batch_norm).macs


def dense_parts(
    sizes: Sequence[int], *, bias: bool, last_bias: bool, norm: bool, positions: int = 1
) -> list[Part]:
    """Dense layers, one after the other.

    Parameters
    ----------
    sizes : sequence of int
        Widths, from the inputs to the classes.
    bias, last_bias : bool
        Whether the hidden layers and the last one have a bias.
    norm : bool
        Whether each hidden layer has a batch norm with gain and offset.
    positions : int, default 1
        How often the hidden layers are used on one sample; the last one is used once, on the mean
        over positions.
    """
    parts = []
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        last = layer == len(sizes) - 2
        size = count.dense(inputs, outputs, bias=last_bias if last else bias)
        if norm and not last:
            size += Count(2 * outputs, 0)
        times = 1 if last else positions
        normalised = outputs * times if norm and not last else 0
        parts.append(Part(f"dense {inputs}-{outputs}", "classifier", size.times(times), normalised))
    return parts
