"""Which lattice places of the oxides hold a vacancy at the start: a matter of chance."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import special

#: lattice places a piece of oxide has at least: in fewer, more than half of all places' variance
#: would sit in one
FEWEST_PLACES = 2.0
#: occupations, and expected numbers of vacancies in a piece, below this are taken as none: numbers
#: that small only slow arithmetic down
EMPTY = 1e-9
#: where there are more places the noise is below 1e-6, and its quantiles lose their digits
MOST_PLACES = 1e12
#: a factor below this is no noise, whatever it multiplies
FAINTEST = 1e-9
_STREAM = 3  # of random numbers, among those of one seed


@dataclasses.dataclass(frozen=True)
class OccupationNoise:
    """Random occupation of the lattice places at the start; holds only what its draws come from.

    A piece of oxide of volume v has M = n_max v places, each occupied with the probability
    p = n/n_max, so that the share of occupied ones has the mean p and the variance p (1 - p)/M,
    times ``factor`` squared. M is no whole number here, so the share is drawn from the beta
    distribution with that mean and variance instead of the binomial one; where there is no n_max,
    the number of vacancies from the gamma distribution with mean and variance n v instead of
    Poisson's. Cells of one column are joined from below to pieces of at least ``FEWEST_PLACES``
    places that are at least as tall as a place is wide, n_max^(-1/3), and all cells of a piece
    share one random number: the noise then does not depend on how finely the mesh divides the
    height. The variance is at most half of p (1 - p).
    """

    seed: int
    device_number: int
    cycle: int
    factor: float = 1.0

    def apply(
        self,
        concentration: np.ndarray,
        volume: np.ndarray,
        height: np.ndarray,
        site_limit: float | None,
        oxide: np.ndarray,
    ) -> np.ndarray:
        """The drawn concentration [1/m^3], shape (nz, nr); the argument is left as it was.

        Parameters
        ----------
        concentration : ndarray, shape (nz, nr), 1/m^3
            Mean concentration on the whole grid.
        volume : ndarray, shape (nz, nr), m^3
            Volume of each cell.
        height : ndarray, shape (nz,), m
            Height of each row of cells.
        site_limit : float or None, 1/m^3
            n_max of the material, or None where the concentration has no limit.
        oxide : ndarray, shape (nz, nr) or (nz,)
            Which cells, or which rows of cells, hold vacancies.

        Notes
        -----
        Every value lies between 0 and n_max; cells outside the oxides keep theirs.
        """
        mean, volume = np.asarray(concentration, float), np.asarray(volume, float)
        where = np.asarray(oxide, bool)
        where = np.broadcast_to(where[:, None] if where.ndim == 1 else where, mean.shape)
        out = mean.copy()
        if self.factor < FAINTEST:
            return out
        densest = site_limit if site_limit is not None else float(mean[where].max(initial=0.0))
        if densest <= 0.0:
            return out
        tall = volume[0] / height[0] * densest ** (-1 / 3)
        first, size = pieces(volume, where, np.maximum(FEWEST_PLACES / densest, tall))
        rng = generator(self.seed, _STREAM, self.device_number, self.cycle)
        shared = np.take_along_axis(rng.random(mean.shape), first, axis=0)[where]
        n, v = mean[where], size[where]
        if site_limit is None:
            out[where] = _poisson(n, v, shared, self.factor)
        else:
            out[where] = site_limit * _binomial(n / site_limit, site_limit * v, shared, self.factor)
        return out


def pieces(
    volume: np.ndarray, oxide: np.ndarray, smallest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Join the cells of each column of the grid, from below, to pieces of at least ``smallest``.

    ``smallest`` [m^3] has shape (nr,). Returns the row in which the piece of each cell begins and
    the volume of that piece [m^3], both of shape (nz, nr); cells outside the oxides are pieces of
    their own. What is left at the top of an oxide belongs to the piece below it.
    """
    rows, columns = volume.shape
    above = np.zeros((rows + 1, columns))  # oxide from here to the top of the oxide
    for i in reversed(range(rows)):
        above[i] = np.where(oxide[i], volume[i] + above[i + 1], 0.0)
    first = np.repeat(np.arange(rows)[:, None], columns, axis=1)
    held = volume[0].copy()  # volume of the piece that is being filled
    for i in range(1, rows):
        joins = oxide[i] & oxide[i - 1] & ((held < smallest) | (above[i] < smallest))
        first[i] = np.where(joins, first[i - 1], i)
        held = np.where(joins, held, 0.0) + volume[i]
    size = np.zeros_like(volume)
    np.add.at(size, (first, np.broadcast_to(np.arange(columns), first.shape)), volume)
    return first, np.take_along_axis(size, first, axis=0)


def _binomial(p: np.ndarray, places: np.ndarray, u: np.ndarray, factor: float) -> np.ndarray:
    """Quantiles ``u`` of the share of occupied places: beta with a binomial's mean and variance."""
    share = np.clip(p, 0.0, 1.0)
    # variance p (1 - p)/(k + 1); k at least 1 caps it
    k = np.clip(places / factor**2 - 1.0, 1.0, MOST_PLACES)
    filled, empty = share * k, (1.0 - share) * k  # the two parameters of the beta distribution
    share[filled < EMPTY], share[empty < EMPTY] = 0.0, 1.0
    rest = (filled >= EMPTY) & (empty >= EMPTY)
    drawn = special.betaincinv(filled[rest], empty[rest], u[rest])
    share[rest] = np.where(drawn < EMPTY, 0.0, drawn)
    return share


def _poisson(n: np.ndarray, volume: np.ndarray, u: np.ndarray, factor: float) -> np.ndarray:
    """Quantiles ``u`` of the concentration: gamma with the mean and variance of Poisson's law."""
    out = np.zeros_like(n)
    shape = np.minimum(n * volume / factor**2, MOST_PLACES)
    rest = shape >= EMPTY
    drawn = special.gammaincinv(shape[rest], u[rest]) / shape[rest]
    out[rest] = np.where(drawn < EMPTY, 0.0, drawn) * n[rest]
    return out


def generator(seed: int, *key: int) -> np.random.Generator:
    """Random numbers that belong to the seed and the key alone."""
    sequence = np.random.SeedSequence(seed, spawn_key=key)
    return np.random.Generator(np.random.Philox(sequence))
