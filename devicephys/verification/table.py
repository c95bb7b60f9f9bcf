"""A row of the verification table."""

from __future__ import annotations

from typing import NamedTuple

#: closed forms are to be met within this relative error [1]
CLOSED_FORM = 5e-3


class Row(NamedTuple):
    """One comparison: test, quantity, target and measured figure as texts, verdict."""

    name: str
    quantity: str
    target: str
    measured: str
    passed: bool


def at_least(name: str, quantity: str, target: float, measured: float) -> Row:
    """Passed if measured >= target (an observed order, say)."""
    return Row(name, quantity, f">= {target:g}", f"{measured:.3f}", bool(measured >= target))


def at_most(name: str, quantity: str, target: float, measured: float) -> Row:
    """Passed if measured <= target (a relative error, say); NaN fails."""
    return Row(name, quantity, f"<= {target:g}", f"{measured:.2e}", bool(measured <= target))
