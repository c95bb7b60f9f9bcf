"""How large a network is: the numbers it has to learn, and the products it has to form.

A parameter is a number that training changes. A MAC is one multiplication and one addition. The
article counts a step of the DDK layer as two MACs, one for alpha/y and one for beta x
(Shi et al., Nat. Commun. 16, 913 (2025), Table S6). Additions
of a bias, activations, pooling and a softmax are not counted, as usual.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddk.article.count_figure import Figure

#: MACs of one step of one DDK element: alpha / y and beta x.
MACS_PER_DDK_STEP = 2


@dataclass(frozen=True)
class Count:
    """Parameters and MACs of a layer or of a network, for one sample.

    Parameters
    ----------
    parameters : int, default 0
        Numbers that training changes.
    macs : int, default 0
        Multiply-accumulate operations of one forward pass of one sample.

    Notes
    -----
    Counts add: ``Count(1, 2) + Count(3, 4) == Count(4, 6)``, and ``sum`` takes them.
    """

    parameters: int = 0
    macs: int = 0

    def __add__(self, other: Count) -> Count:
        if not isinstance(other, Count):
            return NotImplemented
        return Count(self.parameters + other.parameters, self.macs + other.macs)

    def __radd__(self, other: int | Count) -> Count:
        # sum() starts from the integer 0.
        return self if other == 0 else NotImplemented

    def times(self, repeats: int) -> Count:
        """The same layer used `repeats` times on one sample: parameters stay, MACs multiply.

        Parameters
        ----------
        repeats : int
            How often the layer is used on one sample.
        """
        return Count(self.parameters, self.macs * repeats)

    def copies(self, number: int) -> Count:
        """`number` layers like this one, each with parameters of its own.

        Parameters
        ----------
        number : int
            Number of layers.
        """
        return Count(self.parameters * number, self.macs * number)


def total(counts: Iterable[Count]) -> Count:
    """The sum of many counts; ``Count(0, 0)`` of none.

    Parameters
    ----------
    counts : iterable of Count
        The counts of the layers, in any order.
    """
    return sum(counts, Count())


def ddk(steps: int, *, elements: int = 1, pairs: int = 1) -> Count:
    """A DDK layer: two parameters a pair, two MACs a step of every element.

    Parameters
    ----------
    steps : int
        Time steps of one element.
    elements : int, default 1
        Elements run at once (channels times banks).
    pairs : int, default 1
        Pairs of alpha and beta that are learnt.
    """
    return Count(2 * pairs, MACS_PER_DDK_STEP * steps * elements)


def dense(inputs: int, outputs: int, *, bias: bool = True, positions: int = 1) -> Count:
    """A dense layer, applied at each of `positions`.

    Parameters
    ----------
    inputs, outputs : int
        Its width before and after.
    bias : bool, default True
        Whether it adds one number to each output.
    positions : int, default 1
        How many places share it on one sample (words of a text, say).
    """
    return Count(inputs * outputs + (outputs if bias else 0), inputs * outputs * positions)


def convolution(
    channels_in: int,
    channels_out: int,
    kernel: tuple[int, ...],
    positions: tuple[int, ...],
    *,
    bias: bool = True,
) -> Count:
    """A convolution in any number of dimensions.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels before and after.
    kernel : tuple of int
        Size of the kernel along each dimension.
    positions : tuple of int
        Size of the output along each dimension.
    bias : bool, default True
        Whether it adds one number to each output channel.
    """
    weights = channels_in * channels_out * prod(kernel)
    return Count(weights + (channels_out if bias else 0), weights * prod(positions))


def article_table(*, vocabulary: int = 20_000) -> list[Figure]:
    """Every parameter and MAC figure and ratio of the article; see `count_article.article_table`.


    Parameters
    ----------
    vocabulary : int, default 20_000
        Words of the embedding that the article leaves out of its counts for texts.

    Returns
    -------
    list of Figure
        The given figures, each with the one computed from the structure, whether it is reproduced,
        and the like-for-like figure.
    """
    from ddk.article.count_article import article_table as table

    return table(vocabulary=vocabulary)
