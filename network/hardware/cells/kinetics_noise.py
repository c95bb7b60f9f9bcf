"""alpha and beta of real devices: how far they scatter, from one device and cycle to the next.

`KineticsNoise` is the article's Gaussian model, `TableKinetics` what an `AlphaBetaTable` says:
the pair that a pulse setting gives, and the measured covariances of alpha and beta there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ddkbase.errors import InputError, shorten
from network.hardware.cells.noise import generator, not_negative

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable, Inversion

__all__ = ["ARTICLE_KINETICS_NOISE", "KineticsNoise", "Spread", "TableKinetics", "spread_at"]

_SMALLEST = 1e-6  # alpha and beta of a drawn device are not below it: both are positive


@dataclass(frozen=True)
class Spread:
    """Covariances (2, 2) of alpha and beta over devices and over cycles, as factors F with F F' =
    covariance."""

    device: np.ndarray
    cycle: np.ndarray

    def draw(
        self, kind: str, shape: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Deviations of alpha and beta of ``shape``; ``kind`` "device" or "cycle"."""
        factor = self.device if kind == "device" else self.cycle
        if not factor.any():
            return np.zeros(()), np.zeros(())
        first = generator(rng, "the scatter of alpha and beta").standard_normal(shape)
        alpha = factor[0, 0] * first
        beta = factor[1, 0] * first
        # fully correlated pairs draw once: a chip keeps its numbers whatever else is scattered
        if factor[1, 1]:
            beta = beta + factor[1, 1] * rng.standard_normal(shape)
        return np.asarray(alpha), np.asarray(beta)


def _factor(covariance: np.ndarray) -> np.ndarray:
    """Lower triangular factor of a covariance that may be singular."""
    a = np.sqrt(max(covariance[0, 0], 0.0))
    b = covariance[1, 0] / a if a > 0 else 0.0
    return np.array([[a, 0.0], [b, np.sqrt(max(covariance[1, 1] - b * b, 0.0))]])


@dataclass(frozen=True)
class KineticsNoise:
    """Normal scatter of alpha and beta, independent of their values.

    Attributes
    ----------
    alpha, beta : float, default 0.0
        Deviations from one pulse train to the next ("cycle to cycle").
    device_alpha, device_beta : float, default 0.0
        Deviations from one device to the next; fixed for a chip.
    correlation : float, default 0.0
        Correlation of alpha and beta, both over cycles and over devices.
    relative : bool, default False
        Whether deviations are shares of alpha and beta instead of numbers.
    per : {"train", "pulse"}, default "train"
        Whether a cycle is a whole train of pulses or every single pulse.
    """

    alpha: float = 0.0
    beta: float = 0.0
    device_alpha: float = 0.0
    device_beta: float = 0.0
    correlation: float = 0.0
    relative: bool = False
    per: str = "train"

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "device_alpha", "device_beta"):
            not_negative(getattr(self, name), name)
        if not -1 <= self.correlation <= 1:
            raise InputError(f"{shorten(self.correlation)} is not in -1 to 1", "correlation")
        checked_per(self.per)

    @classmethod
    def from_table(
        cls, table: AlphaBetaTable, *, per: str = "train", scale: float = 1.0, **setting: Any
    ) -> Self:
        """The scatter of a table's cells at one setting, for training, where alpha and beta move
        too fast to invert the table in each step.

        The correlation is that over cycles, or over devices where a table has one cycle.

        Parameters
        ----------
        **setting : dict, optional
            The setting: amplitude, width, initial_resistance as text.
        per : str, default "train"
            As in `TableKinetics`.
        scale : float, default 1.0
            As in `TableKinetics`.

        Raises
        ------
        InputError
            A setting outside of the table.
        """
        spread = spread_at(table, **setting)
        factor = spread.cycle if spread.cycle.any() else spread.device
        beta = float(np.hypot(*factor[1]))
        return cls(
            scale * float(spread.cycle[0, 0]),
            scale * float(np.hypot(*spread.cycle[1])),
            scale * float(spread.device[0, 0]),
            scale * float(np.hypot(*spread.device[1])),
            float(np.clip(factor[1, 0] / beta, -1, 1)) if beta > 0 else 0.0,
            per=per,
        )

    def of_devices(self) -> Self:
        """The same deviations, all of them from one device to the next: one pair a chip."""
        return replace(
            self,
            alpha=0.0,
            beta=0.0,
            device_alpha=float(np.hypot(self.alpha, self.device_alpha)),
            device_beta=float(np.hypot(self.beta, self.device_beta)),
        )

    def spread(self) -> Spread:
        """The deviations as factors."""
        # Cholesky factor of [[a^2, r a b], [r a b, b^2]]
        r, rest = self.correlation, np.sqrt(1 - self.correlation**2)
        pairs = ((self.device_alpha, self.device_beta), (self.alpha, self.beta))
        device, cycle = (np.array([[a, 0.0], [r * b, rest * b]]) for a, b in pairs)
        return Spread(device, cycle)

    def nominal(self, alpha: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What devices realise on average: what is asked for."""
        return alpha, beta

    def deviations(
        self,
        alpha: np.ndarray,
        beta: np.ndarray,
        kind: str,
        shape: tuple[int, ...],
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Deviations of alpha and of beta.

        Parameters
        ----------
        alpha, beta : ndarray
            Nominal values, which broadcast against ``shape``.
        kind : {"device", "cycle"}
            Which of the two scatters.
        shape : tuple of int
            Shape of the deviations.
        rng : numpy.random.Generator
            Generator that draws them.

        Returns
        -------
        alpha, beta : ndarray
            Deviations that broadcast against ``shape``; zeros where nothing scatters.

        Raises
        ------
        InputError
            No generator, where something scatters.
        """
        by_alpha, by_beta = self.spread().draw(kind, shape, rng)
        return (by_alpha * alpha, by_beta * beta) if self.relative else (by_alpha, by_beta)


def checked_per(per: Any) -> None:
    """Raise InputError unless "train" or "pulse"."""
    if per not in ("train", "pulse"):
        raise InputError(f"{shorten(per)}", "per", "Use 'train' or 'pulse'")


ARTICLE_KINETICS_NOISE = KineticsNoise(alpha=0.0187 * 5.1, beta=0.0541 * 5.1)
"""Deviations in the authors' code, taken as from train to train."""


def single_cells(table: AlphaBetaTable) -> list[list[AlphaBetaTable]]:
    """Each cycle of each device as a table of its own, [device][cycle]."""
    ds = table.dataset
    return [
        [type(table)(ds.isel(cycle=[c], device=[d])) for c in range(ds.sizes["cycle"])]
        for d in range(ds.sizes["device"])
    ]


def spread_at(
    table: AlphaBetaTable, cells: list[list[AlphaBetaTable]] | None = None, **setting: Any
) -> Spread:
    """Covariances of alpha and beta at a pulse setting, from the single cells of a table.

    Cycles are taken about their device's mean, devices about the mean of all; a cycle or device
    without a valid neighbour of the setting is left out, and a kind with fewer than two has no
    scatter. Between settings, each cell is interpolated as the table is.

    Parameters
    ----------
    cells : list of list of AlphaBetaTable or None, optional
        `single_cells` of the table, to save time where it is asked often.
    **setting : dict, optional
        The setting: amplitude, width, initial_resistance as text, as for `AlphaBetaTable.lookup`.

    Raises
    ------
    InputError
        A setting outside of the table.
    """
    table.lookup(**setting)  # says what is wrong with the setting
    cells = single_cells(table) if cells is None else cells
    values = np.full((len(cells), len(cells[0]), 2), np.nan)
    for d, cycles in enumerate(cells):
        for c, cell in enumerate(cycles):
            try:
                at = cell.lookup(**setting)
            except InputError:
                continue
            values[d, c] = at.alpha, at.beta
    there = np.isfinite(values).all(-1)
    counts = there.sum(1)
    inner, means = np.zeros((2, 2)), []
    for row, valid in zip(values, there, strict=True):
        if not valid.any():
            continue
        own = row[valid]
        means.append(own.mean(0))
        off = own - means[-1]
        inner += off.T @ off
    # pooled over devices: each has lost one degree of freedom to its own mean
    freedom = int((counts[counts > 0] - 1).sum())
    cycle = inner / freedom if freedom else np.zeros((2, 2))
    device = np.zeros((2, 2))
    if len(means) > 1:
        off = np.array(means) - np.mean(means, axis=0)
        device = off.T @ off / (len(means) - 1)
    return Spread(_factor(device), _factor(cycle))


class TableKinetics:
    """alpha and beta as the devices of a table realise them.

    A wanted pair is replaced by the closest one that a pulse setting reaches (`table.invert`),
    which is kept, and scatters as the table's cells do at that setting.

    Parameters
    ----------
    table : AlphaBetaTable
        An `AlphaBetaTable`.
    per : {"train", "pulse"}, default "train"
        Whether a cycle is a whole train or every single pulse.
    scale : float, default 1.0
        Factor on alpha and beta of the table, where a network counts time in other steps than
        pulses: dt = scale pulses.
    digits : int, default 6
        Wanted pairs that agree in so many significant digits share a setting.
    """

    def __init__(
        self, table: AlphaBetaTable, *, per: str = "train", scale: float = 1.0, digits: int = 6
    ) -> None:
        checked_per(per)
        if not (np.isfinite(scale) and scale > 0):
            raise InputError(f"{shorten(scale)} is not positive", "scale")
        self.table, self.per, self.scale, self.digits = table, per, float(scale), digits
        self._settings: dict[tuple[float, float], tuple[Inversion, Spread]] = {}
        self._cells = single_cells(table)

    def setting(self, alpha: float, beta: float) -> tuple[Inversion, Spread]:
        """The pulse setting for a wanted pair, and the scatter of cells there.

        Raises
        ------
        InputError
            Negative numbers, a table without a valid entry.
        """
        key = (float(f"{alpha:.{self.digits}g}"), float(f"{beta:.{self.digits}g}"))
        if key not in self._settings:
            inversion = self.table.invert(alpha=key[0] / self.scale, beta=key[1] / self.scale)
            units = {"amplitude": "V", "width": "s", "initial_resistance": "ohm"}
            values = {name: getattr(inversion.at, name) for name in units}
            texts = {n: f"{values[n]!r} {u}" for n, u in units.items() if np.isfinite(values[n])}
            self._settings[key] = (inversion, spread_at(self.table, self._cells, **texts))
        return self._settings[key]

    def settings(self) -> list[Inversion]:
        """All pulse settings asked for so far."""
        return [inversion for inversion, _ in self._settings.values()]

    def nominal(self, alpha: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The means of the closest settings, in the broadcast shape of both."""
        alpha, beta = np.broadcast_arrays(alpha, beta)
        out = np.empty((2, *alpha.shape))
        for index in np.ndindex(*alpha.shape):
            at = self.setting(float(alpha[index]), float(beta[index]))[0].at
            out[(slice(None), *index)] = at.alpha * self.scale, at.beta * self.scale
        return out[0], out[1]

    def deviations(
        self,
        alpha: np.ndarray,
        beta: np.ndarray,
        kind: str,
        shape: tuple[int, ...],
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Deviations of alpha and of beta; arguments as in `KineticsNoise.deviations`.

        alpha and beta are the wanted ones, not the means that `nominal` gives.
        """
        alpha, beta = np.broadcast_arrays(alpha, beta)
        factors = np.empty((2, 2, *alpha.shape))
        for index in np.ndindex(*alpha.shape):
            spread = self.setting(float(alpha[index]), float(beta[index]))[1]
            factors[(slice(None), slice(None), *index)] = getattr(spread, kind)
        rng = generator(rng, "the scatter of alpha and beta")
        first, second = rng.standard_normal(shape), rng.standard_normal(shape)
        by_alpha = factors[0, 0] * first
        by_beta = factors[1, 0] * first + factors[1, 1] * second
        return self.scale * by_alpha, self.scale * by_beta


def positive(values: np.ndarray) -> np.ndarray:
    """Drawn coefficients, none below 1e-6."""
    return np.maximum(values, _SMALLEST)
