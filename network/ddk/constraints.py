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
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from ddkbase.errors import InputError, closest, shorten

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable

__all__ = [
    "CONSTRAINTS",
    "Clamp",
    "Constraint",
    "Positive",
    "Reachable",
    "Stable",
    "by_raw",
    "constraint",
]

_TINY = 1e-12
_NEAR = 48  # triangles looked at for each pair


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
        """Inverse of softplus of ``value``; what is not positive becomes just so."""
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
        """The pair of ``raw``, cut off at both ends."""
        return np.clip(np.asarray(raw, float), self.low, self.high)

    def slope(self, raw: np.ndarray) -> np.ndarray:
        """Derivatives at ``raw``: one inside and at the ends, zero outside."""
        raw = np.asarray(raw, float)
        # a raw float32 at an end lies a rounding outside of it
        slack = 1e-6 * self.high
        return _diagonal(((raw >= self.low - slack) & (raw <= self.high + slack)).astype(float))

    def raw(self, value: np.ndarray) -> np.ndarray:
        """The numbers of ``value``, cut off."""
        return self.value(value)

    def settle(self, raw: np.ndarray) -> None:
        """Cut off ``raw`` in place."""
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
        alpha <= 2 (see `compact.kinetics.stability_report`).
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
        """Raw numbers of ``value``; beyond 95 % of its limit beta is put there, where it learns."""
        value = np.asarray(value, float)
        alpha = np.maximum(value[0], _TINY)
        share = np.clip(value[1] / self._limit(alpha), _TINY, 0.95)
        return np.stack([_softplus_inverse(alpha), np.log(share) - np.log1p(-share)])

    def settle(self, raw: np.ndarray) -> None:
        """All raw numbers are allowed."""

    def config(self) -> dict[str, Any]:
        """Kind and bounds."""
        return {"kind": self.kind, "r": self.r, "x_max": self.x_max}


class Reachable:
    """alpha and beta that some pulse setting of a table gives: others move to the nearest that is.

    The region is covered by triangles of neighbouring settings; near means near in units of its
    mean alpha and beta.

    Parameters
    ----------
    table : AlphaBetaTable
        An `AlphaBetaTable`.

    Raises
    ------
    InputError
        The table has no valid entry, or none that a pulse changes.
    """

    kind: ClassVar[str] = "reachable"

    def __init__(self, table: AlphaBetaTable) -> None:
        region = table.reachable()
        corners = [_triangles(sheet) for sheet in region.sheets]
        self._prepare(np.concatenate(corners) if corners else np.empty((0, 3, 2)))

    @classmethod
    def from_triangles(cls, triangles: Any) -> Reachable:
        """Of corners (n, 3, 2), alpha before beta; a line or a point has corners that coincide."""
        region = cls.__new__(cls)
        region._prepare(np.asarray(triangles, float).reshape(-1, 3, 2))
        return region

    def _prepare(self, triangles: np.ndarray) -> None:
        if not len(triangles):
            raise InputError("no pair of alpha and beta is known to be reached", "table")
        if not np.isfinite(triangles).all():
            raise InputError("a pair of alpha and beta is not finite", "table")
        if not (triangles[..., 1] > 0).any():
            raise InputError("beta is 0 everywhere: no pulse changes the cell", "table")
        self.triangles = np.unique(triangles, axis=0)
        scale = np.abs(self.triangles).mean((0, 1))
        self._scale = np.where(scale > 0, scale, 1.0)
        self._corners = self.triangles / self._scale
        self._centres = self._corners.mean(1)
        self._radii = np.linalg.norm(self._corners - self._centres[:, None], axis=2).max(1)

    def value(self, raw: np.ndarray) -> np.ndarray:
        """The pair ``raw`` itself where it is reached, else the nearest that is."""
        raw = np.asarray(raw, float)
        points = raw.reshape(2, -1).T / self._scale
        out = np.array([self._nearest(point) for point in points])
        return (out * self._scale).T.reshape(raw.shape)

    def slope(self, raw: np.ndarray) -> np.ndarray:
        """One at every ``raw``: the gradient passes straight, and `settle` projects."""
        raw = np.asarray(raw)
        full = np.zeros((2, *raw.shape))
        full[0, 0] = full[1, 1] = 1
        return full

    def raw(self, value: np.ndarray) -> np.ndarray:
        """The pair nearest to ``value`` that is reached."""
        return self.value(value)

    def settle(self, raw: np.ndarray) -> None:
        """Project ``raw`` in place."""
        raw[...] = self.value(raw)

    def config(self) -> dict[str, Any]:
        """Kind and corners, which make the region anew without the table."""
        return {"kind": self.kind, "triangles": self.triangles.round(12).tolist()}

    def _nearest(self, point: np.ndarray) -> np.ndarray:
        # no triangle is nearer than its centre less its radius
        bound = np.linalg.norm(self._centres - point, axis=1) - self._radii
        best, distance = point, np.inf
        order = np.argsort(bound)
        for first in range(0, len(order), _NEAR):
            some = order[first : first + _NEAR]
            if bound[some[0]] >= distance:
                break
            places = _on_triangles(self._corners[some], point)
            far = np.linalg.norm(places - point, axis=1)
            k = int(np.argmin(far))
            if far[k] < distance:
                best, distance = places[k], float(far[k])
            if distance == 0:
                break
        return best


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


def by_raw(given: Constraint, raw: np.ndarray, by_value: np.ndarray) -> np.ndarray:
    """Derivatives of a loss by the raw numbers from those by the pair: the chain rule.

    Parameters
    ----------
    given : Constraint
        Maps ``raw`` to the pair.
    raw : ndarray, shape (2, ...)
        Raw numbers of alpha and beta.
    by_value : ndarray, shape (2, ...)
        Derivatives by alpha and by beta.
    """
    return np.asarray(np.einsum("i...,ij...->j...", by_value, given.slope(raw)))


def _triangles(sheet: np.ndarray) -> np.ndarray:
    """Two triangles a cell of a sheet (m, n, 2); a line or a point gives triangles of no area."""
    m, n = sheet.shape[:2]
    if m == 1:
        sheet = np.concatenate([sheet, sheet])
    if n == 1:
        sheet = np.concatenate([sheet, sheet], axis=1)
    a, b, c, d = sheet[:-1, :-1], sheet[1:, :-1], sheet[:-1, 1:], sheet[1:, 1:]
    both = [np.stack(corners, axis=-2).reshape(-1, 3, 2) for corners in ((a, b, c), (d, c, b))]
    triangles = np.concatenate(both)
    return np.asarray(triangles[np.isfinite(triangles).all((1, 2))])


def _on_triangles(corners: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The point of each triangle (k, 3, 2) that is nearest to ``point``, (k, 2)."""
    sides = np.roll(corners, -1, axis=1) - corners
    to = point - corners
    with np.errstate(invalid="ignore", divide="ignore"):
        along = (to * sides).sum(2) / (sides * sides).sum(2)
    places = corners + np.clip(np.nan_to_num(along), 0, 1)[..., None] * sides
    k = np.argmin(np.linalg.norm(places - point, axis=2), axis=1)
    nearest = places[np.arange(len(k)), k]
    turn = sides[..., 0] * to[..., 1] - sides[..., 1] * to[..., 0]
    area = sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0]
    inside = ((turn >= 0).all(1) | (turn <= 0).all(1)) & (area != 0)
    return np.where(inside[:, None], point, nearest)
