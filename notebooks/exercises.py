"""Checks the answers to the exercises of the notebooks beside it.

With the environment variable DDK_SOLUTIONS=1 the hidden cells tagged "solution" fill in answers
that were left empty, which is how the tests run the notebooks.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

__all__ = ["SOLVED", "NotYet", "check"]

SOLVED = os.environ.get("DDK_SOLUTIONS") == "1"
"""Whether empty answers are to be filled in by the solutions."""


class NotYet(Exception):
    """An answer is missing or wrong; shown as one line, without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython calls this
        return [str(self)]


def check(
    number: int,
    answer: Any,
    expected: float | str | Callable[[Any], bool],
    *,
    within: float = 0.0,
    unit: str = "",
    hint: str = "",
) -> None:
    """Compare an answer, and say so if it is right.

    Parameters
    ----------
    number : of the exercise.
    answer : what was found; None where nothing was entered.
    expected : a number, a word (its case does not matter), or a function of the answer that is
        true for a right one.
    within : how far a number may be off.
    unit : of a number.
    hint : what helps if the answer is wrong.

    Raises
    ------
    NotYet : the answer is missing or wrong.
    """
    name = f"Exercise {number}"
    if answer is None:
        raise NotYet(f"{name}: no answer yet. Enter it above as answer_{number} and run both cells")
    help_text = f" {hint}" if hint else ""
    try:
        if callable(expected):
            right = bool(expected(answer))
        elif isinstance(expected, str):
            right = str(answer).strip().casefold() == expected.casefold()
        else:
            value = float(answer)
            right = math.isfinite(value) and abs(value - expected) <= within
    except (TypeError, ValueError):
        kind = "word" if isinstance(expected, str) else "number"
        in_unit = f" in {unit}" if unit else ""
        raise NotYet(f"{name}: {answer!r} is of no use here, enter a {kind}{in_unit}") from None
    if not right:
        text = f"{answer:.4g}" if isinstance(answer, float) else str(answer)
        raise NotYet(f"{name}: {text}{' ' + unit if unit else ''} is not it.{help_text}")
    print(f"Exercise {number}: right.")  # noqa: T201 - a notebook's cell is to show it
