"""The pairs of alpha and beta that pulses of a measured or simulated cell reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ddkbase.errors import InputError

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable

__all__ = ["Reachable"]

_NEAR = 48  # triangles looked at for each pair


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
        made = cls.__new__(cls)
        made._prepare(np.asarray(triangles, float).reshape(-1, 3, 2))
        return made

    def _prepare(self, triangles: np.ndarray) -> None:
        if not len(triangles):
            raise InputError("no pair of alpha and beta is known to be reached", "table")
        if not (triangles[..., 1] > 0).any():
            raise InputError("beta is 0 everywhere: no pulse changes the cell", "table")
        self.triangles = np.unique(triangles, axis=0)
        scale = np.abs(self.triangles).mean((0, 1))
        self._scale = np.where(scale > 0, scale, 1.0)
        self._corners = self.triangles / self._scale
        self._centres = self._corners.mean(1)
        self._radii = np.linalg.norm(self._corners - self._centres[:, None], axis=2).max(1)

    def value(self, raw: np.ndarray) -> np.ndarray:
        """The pair itself where it is reached, else the nearest that is."""
        raw = np.asarray(raw, float)
        points = raw.reshape(2, -1).T / self._scale
        out = np.array([self._nearest(point) for point in points])
        return (out * self._scale).T.reshape(raw.shape)

    def slope(self, raw: np.ndarray) -> np.ndarray:
        """One: the gradient passes straight, and `settle` projects."""
        raw = np.asarray(raw)
        full = np.zeros((2, *raw.shape))
        full[0, 0] = full[1, 1] = 1
        return full

    def raw(self, value: np.ndarray) -> np.ndarray:
        """The nearest pair that is reached."""
        return self.value(value)

    def settle(self, raw: np.ndarray) -> None:
        """Project in place."""
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


def _triangles(sheet: np.ndarray) -> np.ndarray:
    """Two triangles a cell of a sheet (m, n, 2); a line or a point gives triangles of no area."""
    m, n = sheet.shape[:2]
    if m == 1:
        sheet = np.concatenate([sheet, sheet])
    if n == 1:
        sheet = np.concatenate([sheet, sheet], axis=1)
    a, b, c, d = sheet[:-1, :-1], sheet[1:, :-1], sheet[:-1, 1:], sheet[1:, 1:]
    both = [np.stack(corners, axis=-2).reshape(-1, 3, 2) for corners in ((a, b, c), (d, c, b))]
    found = np.concatenate(both)
    return np.asarray(found[np.isfinite(found).all((1, 2))])


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
