"""What alpha and beta may be: maps from unconstrained numbers, or a region they are put back into.

A constraint works on a pair, an array whose first axis is (alpha, beta):

* ``value(raw)`` the pair that acts, ``raw(value)`` numbers that give it (the nearest allowed pair);
* ``slope(raw)`` its derivatives, (2, 2, ...): of value i by raw j;
* ``settle(raw)`` moves the raw numbers in place to where training can go on.

"positive" and "stable" are smooth maps. `Clamp` and `Reachable` project: the gradient passes
straight, and the raw numbers follow the projection, as in the projected gradient method, so that
a pair at the border can leave it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from ddkbase.errors import InputError, closest, shorten

__all__ = ["CONSTRAINTS", "Clamp", "Constraint", "Positive", "Stable", "constraint"]

_TINY = 1e-12


class Constraint(Protocol):
    """What `DDKLayer` asks of a constraint; arrays are (2, ...), alpha before beta."""

    kind: ClassVar[str]

    def value(self, raw: np.ndarray) -> np.ndarray:
        """The pair that acts."""
        ...

    def slope(self, raw: np.ndarray) -> np.ndarray:
        """Derivatives of value i by raw j, (2, 2, ...)."""
        ...

    def raw(self, value: np.ndarray) -> np.ndarray:
        """Raw numbers of a pair, or of the nearest one that is allowed."""
        ...

    def settle(self, raw: np.ndarray) -> None:
        """Move raw numbers, in place, to where training can go on from."""
        ...

    def config(self) -> dict[str, Any]:
        """Arguments, as JSON can hold them, and the kind, that make it anew."""
        ...


def _softplus(raw: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, raw)


def _softplus_inverse(value: np.ndarray) -> np.ndarray:
    value = np.maximum(value, _TINY)
    return np.asarray(value + np.log(-np.expm1(-value)))


def _logistic(raw: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * raw)))


def _diagonal(slopes: np.ndarray) -> np.ndarray:
    full = np.zeros((2, *slopes.shape))
    full[0, 0], full[1, 1] = slopes
    return full


@dataclass(frozen=True)
class Positive:
    """alpha and beta > 0, each softplus(raw) = ln(1 + exp(raw))."""

    kind: ClassVar[str] = "positive"

    def value(self, raw: np.ndarray) -> np.ndarray:
        """softplus of each."""
        return _softplus(np.asarray(raw, float))

    def slope(self, raw: np.ndarray) -> np.ndarray:
        """The logistic function of each."""
        return _diagonal(_logistic(np.asarray(raw, float)))

    def raw(self, value: np.ndarray) -> np.ndarray:
        """Inverse of softplus; what is not positive becomes just so."""
        return _softplus_inverse(np.asarray(value, float))

    def settle(self, raw: np.ndarray) -> None:
        """All raw numbers are allowed."""

    def config(self) -> dict[str, Any]:
        """The kind."""
        return {"kind": self.kind}


@dataclass(frozen=True)
class Clamp:
    """alpha and beta within [low, high], cut off in the forward pass.

    The default is the range that the authors start from.
    """

    low: float = 0.001
    high: float = 1.0
    kind: ClassVar[str] = "clamp"

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high:
            raise InputError(f"[{self.low}, {self.high}] is no range from 0 up", "Clamp")

    def value(self, raw: np.ndarray) -> np.ndarray:
        """Cut off at both ends."""
        return np.clip(np.asarray(raw, float), self.low, self.high)

    def slope(self, raw: np.ndarray) -> np.ndarray:
        """One inside and at the ends, zero outside."""
        raw = np.asarray(raw, float)
        # a raw float32 at an end lies a rounding outside of it
        slack = 1e-6 * self.high
        return _diagonal(((raw >= self.low - slack) & (raw <= self.high + slack)).astype(float))

    def raw(self, value: np.ndarray) -> np.ndarray:
        """The same numbers, cut off."""
        return self.value(value)

    def settle(self, raw: np.ndarray) -> None:
        """Cut off in place."""
        np.clip(raw, self.low, self.high, out=raw)

    def config(self) -> dict[str, Any]:
        """Kind and range."""
        return {"kind": self.kind, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Stable:
    """alpha > 0 and 0 < beta < sqrt(alpha/r): r = alpha/(beta x_max)^2 stays above a bound.

    alpha = softplus(raw), beta = sqrt(alpha/r)/x_max logistic(raw).

    Parameters
    ----------
    r : float, default 0.25
        Bound. 1/4, that is beta < 2 sqrt(alpha), keeps the explicit state positive under every
        input; 0.598 keeps its gradients from growing as well where one pair acts at all steps and
        alpha <= 2 (see `network.ddk.stability`).
    x_max : float, default 1.0
        Largest input, times the root of the time of one sample if that is not one.
    """

    r: float = 0.25
    x_max: float = 1.0
    kind: ClassVar[str] = "stable"

    def __post_init__(self) -> None:
        if not (self.r > 0 and self.x_max > 0):
            raise InputError(f"r {self.r} and x_max {self.x_max} are not both > 0", "Stable")

    def _limit(self, alpha: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(alpha / self.r) / self.x_max)

    def value(self, raw: np.ndarray) -> np.ndarray:
        """alpha, and beta as a share of its limit."""
        raw = np.asarray(raw, float)
        alpha = _softplus(raw[0])
        return np.stack([alpha, self._limit(alpha) * _logistic(raw[1])])

    def slope(self, raw: np.ndarray) -> np.ndarray:
        """beta depends on the raw alpha too, through its limit."""
        raw = np.asarray(raw, float)
        alpha, share = _softplus(raw[0]), _logistic(raw[1])
        limit, by_raw = self._limit(alpha), _logistic(raw[0])
        full = np.zeros((2, *raw.shape))
        full[0, 0] = by_raw
        full[1, 0] = 0.5 * limit / np.maximum(alpha, _TINY) * share * by_raw
        full[1, 1] = limit * share * (1 - share)
        return full

    def raw(self, value: np.ndarray) -> np.ndarray:
        """Raw numbers; a beta beyond 95 % of its limit is brought there, where it still learns."""
        value = np.asarray(value, float)
        alpha = np.maximum(value[0], _TINY)
        share = np.clip(value[1] / self._limit(alpha), _TINY, 0.95)
        return np.stack([_softplus_inverse(alpha), np.log(share) - np.log1p(-share)])

    def settle(self, raw: np.ndarray) -> None:
        """All raw numbers are allowed."""

    def config(self) -> dict[str, Any]:
        """Kind and bounds."""
        return {"kind": self.kind, "r": self.r, "x_max": self.x_max}


CONSTRAINTS: dict[str, type] = {"positive": Positive, "clamp": Clamp, "stable": Stable}


def constraint(given: Any) -> Any:
    """A constraint of a name, of what `config` returned, or the object itself.

    Raises
    ------
    InputError
        An unknown name, or an object that is none.
    """
    if isinstance(given, dict):
        arguments = dict(given)
        kind = arguments.pop("kind", None)
        if kind == "reachable":
            from network.ddk.reachable import Reachable

            return Reachable.from_triangles(arguments["triangles"])
        if kind in CONSTRAINTS:
            return CONSTRAINTS[kind](**arguments)
        given = kind
    if isinstance(given, str) and given in CONSTRAINTS:
        return CONSTRAINTS[given]()
    if all(hasattr(given, name) for name in ("value", "slope", "raw", "settle", "config")):
        return given
    raise InputError(
        f"unknown constraint {shorten(given)}",
        "constraint",
        closest(str(given), CONSTRAINTS) if isinstance(given, str | None) else "",
    )


def __getattr__(name: str) -> Any:
    if name == "Reachable":
        from network.ddk.reachable import Reachable

        return Reachable
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
