"""Cells that pulses change, by alpha and beta; those by measured steps are in `measured_cells`.

All cells of an array change at once. A kind of cell has RESET (-1) and SET (+1) pulses of one or
more strengths, 0 the weakest; the state is an array of conductances, so that a cell model holds no
state of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from ddkbase.errors import InputError
from network.hardware.cells.conductance import ConductanceWindow
from network.hardware.cells.kinetics_noise import Spread, positive, single_cells, spread_at
from network.hardware.cells.noise import generator

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable

__all__ = ["CellModel", "KineticCells", "Polarity"]


class CellModel(Protocol):
    """What write-and-verify asks of cells."""

    @property
    def window(self) -> ConductanceWindow:
        """Conductances [S] that cells can be brought to."""
        ...

    @property
    def width(self) -> float:
        """Width of a pulse [s]."""
        ...

    def strengths(self, polarity: int) -> int:
        """How many strengths pulses have; ``polarity`` is +1 for SET, -1 for RESET."""
        ...

    def voltage(self, polarity: np.ndarray, strength: np.ndarray) -> np.ndarray:
        """Amplitudes [V], negative for RESET, of pulses.

        ``polarity`` (+1 SET, -1 RESET) and ``strength`` (0 the weakest) have one shape, that of
        the answer.
        """
        ...

    def devices(self, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        """What is fixed for each device of an array of ``shape``, drawn once from ``rng``."""
        ...

    def pulsed(
        self,
        conductance: np.ndarray,
        polarity: np.ndarray,
        strength: np.ndarray,
        devices: Any,
        select: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Conductances [S] (n,) of the selected cells after one pulse each.

        ``select`` are the flat indices, in the array of ``devices``, of these n cells.
        """
        ...


@dataclass(frozen=True)
class Polarity:
    """Pulses of one polarity, the weakest first.

    Attributes
    ----------
    voltages : ndarray, shape (n,), V
        Sizes of the amplitudes.
    alpha, beta : ndarray, shape (n,)
        Alpha and beta of one pulse.
    spreads : tuple of Spread
        Scatter at each strength.
    """

    voltages: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray
    spreads: tuple[Spread, ...]


@dataclass(frozen=True)
class KineticCells:
    """Cells that follow Eqs. (3) and (4): y from 0 to 1 across ``window``, one step a pulse.

    The step is the implicit one, y+ = (c + sqrt(c^2 + 4 alpha))/2 with c = y -+ beta, and SET ends
    at the top of the window.

    Parameters
    ----------
    window : ConductanceWindow
        Conductances [S] at y = 0 and y = 1.
    reset, set : Polarity
        Pulses of the two polarities.
    width : float, s
        Width of a pulse.
    """

    window: ConductanceWindow
    reset: Polarity
    set: Polarity
    width: float

    @classmethod
    def from_tables(
        cls,
        reset: AlphaBetaTable,
        set: AlphaBetaTable | None = None,
        *,
        width: Any = None,
        initial_resistance: Any = None,
        window: ConductanceWindow | None = None,
    ) -> Self:
        """From a table of RESET and one of SET trains; every amplitude is a strength.

        Parameters
        ----------
        reset : AlphaBetaTable
            Table of RESET.
        set : AlphaBetaTable or None, optional
            Table of SET; without one its pulses are as strong as those of RESET.
        width, initial_resistance : str or Quantity, optional
            Which of the tables', where they have several.
        window : ConductanceWindow or None, optional
            Window of the conductance; by default that of the RESET table: the means of its lowest
            and highest conductance over all settings.

        Raises
        ------
        InputError
            A setting not in the table, a table of mirrored trains, none with two conductances.
        """
        setting = {"width": width, "initial_resistance": initial_resistance}
        down, seconds = _polarity(reset, setting, "reset")
        up = down if set is None else _polarity(set, setting, "set")[0]
        if window is None:
            low = float(np.nanmean(reset.means["conductance_min"].values))
            high = float(np.nanmean(reset.means["conductance_max"].values))
            window = ConductanceWindow(low, high)
        return cls(window, down, up, seconds)

    def _of(self, polarity: int) -> Polarity:
        return self.set if polarity > 0 else self.reset

    def strengths(self, polarity: int) -> int:
        """How many strengths a polarity has; see `CellModel.strengths`."""
        return len(self._of(polarity).voltages)

    def voltage(self, polarity: np.ndarray, strength: np.ndarray) -> np.ndarray:
        """Amplitudes [V], negative for RESET; see `CellModel.voltage`."""
        return _by_polarity(polarity, strength, -self.reset.voltages, self.set.voltages)

    def devices(self, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        """Standard normal numbers (2, devices), which `pulsed` turns into deviations.

        ``shape`` is that of the array; ``rng`` draws. Raises InputError if that is no generator.
        """
        return generator(rng, "the scatter of devices").standard_normal((2, int(np.prod(shape))))

    def pulsed(
        self,
        conductance: np.ndarray,
        polarity: np.ndarray,
        strength: np.ndarray,
        devices: Any,
        select: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """See `CellModel.pulsed`."""
        # Cells may stand below the window (write errors); Eq. (3) has alpha/y, so y stays above 0.
        y = np.maximum((conductance - self.window.low) / self.window.span, 1e-6)
        out = np.empty_like(y)
        for sign in (-1, 1):
            at = np.flatnonzero(polarity == sign)
            if not at.size:
                continue
            p, s = self._of(sign), strength[at]
            # Lower triangular factors F of the covariances: F n has them for standard normal n, and
            # alpha takes the first number alone. A device keeps its n, a cycle draws another.
            fixed = np.stack([q.device for q in p.spreads])[s]
            moving = np.stack([q.cycle for q in p.spreads])[s]
            d, c = devices[:, select[at]], rng.standard_normal((2, at.size))
            alpha = p.alpha[s] + fixed[:, 0, 0] * d[0] + moving[:, 0, 0] * c[0]
            beta = p.beta[s] + fixed[:, 1, 0] * d[0] + fixed[:, 1, 1] * d[1]
            beta = beta + moving[:, 1, 0] * c[0] + moving[:, 1, 1] * c[1]
            middle = y[at] + sign * positive(beta)
            out[at] = (middle + np.sqrt(middle**2 + 4 * positive(alpha))) / 2
        return np.asarray(self.window.low + self.window.span * np.minimum(out, 1.0))


def _by_polarity(
    polarity: np.ndarray, strength: np.ndarray, down: np.ndarray, up: np.ndarray
) -> np.ndarray:
    return np.where(
        polarity > 0,
        up[np.minimum(strength, len(up) - 1)],
        down[np.minimum(strength, len(down) - 1)],
    )


def _polarity(table: AlphaBetaTable, common: dict[str, Any], where: str) -> tuple[Polarity, float]:
    if table.dataset.attrs.get("schema") != "AlphaBetaTable":
        raise InputError("its conductances have no unit", where, "A table in siemens is needed")
    if table.dataset.attrs.get("mirror", 0):
        raise InputError("its trains were mirrored for the fit", where)
    volts = np.asarray(table.dataset["amplitude"].values, float)
    sign = -1 if where == "reset" else 1
    own = volts[np.sign(volts) == sign]
    if not own.size:  # a table that gives sizes only
        own = volts[np.isfinite(volts)]
    rows, cells = [], single_cells(table)
    for v in sorted(own, key=abs):
        setting = {"amplitude": f"{float(v)!r} V", **common}
        try:
            at = table.lookup(**setting)
        except InputError as error:
            if "no train is valid" in error.what:
                continue
            raise
        rows.append((abs(float(v)), at, spread_at(table, cells, **setting)))
    if not rows:
        raise InputError("no amplitude has a valid entry", where)
    pulses = Polarity(
        np.array([v for v, _, _ in rows]),
        np.array([at.alpha for _, at, _ in rows]),
        np.array([at.beta for _, at, _ in rows]),
        tuple(s for _, _, s in rows),
    )
    seconds = rows[0][1].width
    if not np.isfinite(seconds):
        raise InputError("the width of its pulses is not known", where)
    return pulses, seconds
