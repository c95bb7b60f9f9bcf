"""Linear ion drift with diffusion, Eqs. (1) and (2): a doped region of length w in a film L.

The simplified model of the article, and the model of Strukov et al. (2008) but for D/w.

::

    (1)  v = [R_on w/L + R_off (1 - w/L)] i
    (2)  dw/dt = mu v/L + D/w,      v signed

In units of L, y = w/L obeys Eq. (3) or (4) with alpha = D/L^2 and beta x = mu `|v|/L^2`, so the
step is that of `compact.kinetics.exact_step`, exact for a voltage that is constant within it. The
region ends at the electrode: w <= L. What holds it open is diffusion, which grows as 1/w.

What the article states is the default: mu = 3.2e-14 m^2/V/s, L = 60 nm, R_off/R_on = 20, a sine
v0 sin(w0 t) of 1 V and w0 = 10. Its axes are dimensionless and w0 has no unit: it is taken as
10 rad/s, which beside L^2/(mu v0) = 0.11 s, the time in which 1 V moves the border through the
film, gives loops like Fig. 1c. It does not state D, R_on nor the start. Here R_on is 100 ohm, which
only scales the current, the start half of the film, and D 3.2e-15 m^2/s, with which RESET at 1 V
ends at a tenth of the film: D L/(mu v) = 6 nm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from compact.kinetics.equations import integrate
from compact.kinetics.exact import exact_step
from ddkbase.errors import InputError, shorten
from ddkbase.records import label
from ddkbase.units import to_si

__all__ = [
    "SimplifiedMemristor",
    "abrupt_switching",
    "alpha_beta_curves",
    "hysteresis",
    "negative_differential_resistance",
    "steepest_step",
    "voltage_falls_while_current_rises",
]


@dataclass(frozen=True)
class SimplifiedMemristor:
    """A cell of Eqs. (1) and (2); quantities are text with a unit.

    Parameters
    ----------
    mobility : str, default "3.2e-14 m^2/V/s"
        Mobility mu of the dopants.
    diffusion : str, default "3.2e-15 m^2/s"
        Diffusion coefficient D of the dopants, above zero.
    length : str, default "60 nm"
        Length L of the film.
    on_resistance : str, default "100 ohm"
        Resistance R_on of the film doped through.
    off_ratio : float, default 20.0
        Ratio R_off/R_on, above 1.
    """

    mobility: str = "3.2e-14 m^2/V/s"
    diffusion: str = "3.2e-15 m^2/s"
    length: str = "60 nm"
    on_resistance: str = "100 ohm"
    off_ratio: float = 20.0

    def __post_init__(self) -> None:
        for name, unit in _UNITS.items():
            if not to_si(getattr(self, name), unit, name) > 0:
                raise InputError(f"{name} {shorten(getattr(self, name))} is not positive", name)
        if not self.off_ratio > 1:
            raise InputError(f"R_off/R_on {shorten(self.off_ratio)} is not above 1", "off_ratio")

    def resistance(self, state: np.ndarray) -> np.ndarray:
        """Resistance [ohm] at w/L = ``state``, Eq. (1)."""
        return to_si(self.on_resistance, "ohm") * (state + self.off_ratio * (1 - state))

    def respond(self, time: np.ndarray, voltage: np.ndarray, start: float = 0.5) -> xr.Dataset:
        """State and current under a voltage.

        Parameters
        ----------
        time : ndarray, shape (n,), s
            Instants, rising.
        voltage : ndarray, shape (n,), V
            Applied voltage at them; linear between them, a step sees its mean.
        start : float, default 0.5
            w/L at the first instant, above 0 and at most 1.

        Returns
        -------
        xarray.Dataset
            Dataset on ``time``: voltage [V], current [A], state [1], resistance [ohm].

        Raises
        ------
        InputError
            Instants that do not rise, lengths that differ, a start outside (0, 1].
        """
        time, voltage = np.asarray(time, float), np.asarray(voltage, float)
        if time.ndim != 1 or time.shape != voltage.shape or time.size < 2:
            raise InputError("time and voltage must be equally long lists", "time, voltage")
        if not (np.diff(time) > 0).all() or not np.isfinite(voltage).all():
            raise InputError("time must rise and voltage be finite", "time, voltage")
        if not 0 < start <= 1:
            raise InputError(f"w/L = {shorten(start)} is not in (0, 1]", "start")
        square = to_si(self.length, "m") ** 2
        a = to_si(self.diffusion, "m^2/s") / square * np.diff(time)
        drift = to_si(self.mobility, _UNITS["mobility"]) / square
        b = -drift * np.diff(time) * 0.5 * (voltage[1:] + voltage[:-1])
        state = np.empty_like(time)
        state[0] = start
        for k in range(time.size - 1):
            grown = exact_step(state[k : k + 1], a[k : k + 1], b[k : k + 1])[0]
            state[k + 1] = min(grown, 1.0)
        resistance = self.resistance(state)
        return xr.Dataset(
            {
                "voltage": label(voltage, "time", "V", "voltage"),
                "current": label(voltage / resistance, "time", "A", "current"),
                "state": label(state, "time", "1", "length of the doped region, w/L"),
                "resistance": label(resistance, "time", "ohm", "resistance"),
            },
            {"time": label(time, "time", "s", "time")},
        )


_UNITS = {
    "mobility": "m^2/V/s",
    "diffusion": "m^2/s",
    "length": "m",
    "on_resistance": "ohm",
}


def _sine(
    cell: SimplifiedMemristor, amplitude: float, frequency: float, periods: int, start: float
) -> xr.Dataset:
    time = np.linspace(0, periods * 2 * np.pi / frequency, 1000 * periods + 1)
    return cell.respond(time, amplitude * np.sin(frequency * time), start)


def hysteresis(cell: SimplifiedMemristor | None = None, periods: int = 2) -> xr.Dataset:
    """Figs. 1b, 1c: the pinched loop of a sine of 1 V and 10 rad/s.

    Parameters
    ----------
    cell : SimplifiedMemristor or None, optional
        The cell; by default one with the numbers of the article.
    periods : int, default 2
        Periods of the sine, 1000 instants each.

    Returns
    -------
    xarray.Dataset
        Dataset on ``time``, as of `SimplifiedMemristor.respond`; the start is w/L = 0.5.
    """
    return _sine(cell or SimplifiedMemristor(), 1.0, 10.0, periods, 0.5)


def abrupt_switching(cell: SimplifiedMemristor | None = None, periods: int = 2) -> xr.Dataset:
    """Fig. S1: a slow sine (1 V, 1 rad/s) and a large ratio of resistances (200).

    The last stretch of the undoped region closes within a few millivolts, and the current jumps.
    Arguments and what comes back as in `hysteresis`; the ratio is that of the default ``cell``.
    """
    default = SimplifiedMemristor(off_ratio=200.0)
    return _sine(cell or default, 1.0, 1.0, periods, 0.5)


def negative_differential_resistance(
    cell: SimplifiedMemristor | None = None, periods: int = 2
) -> xr.Dataset:
    """Fig. S1: a sine of 1 V, 3 rad/s; in RESET the current falls while the voltage rises.

    With i = v/R, di/dv < 0 takes a resistance that grows faster than the voltage, relatively. So it
    does on the way out in RESET, and nowhere else in these sweeps; at the frequency of
    `hysteresis`, too. Arguments and what comes back as in `hysteresis`.
    """
    return _sine(cell or SimplifiedMemristor(), 1.0, 3.0, periods, 0.5)


def voltage_falls_while_current_rises(loop: xr.Dataset) -> np.ndarray:
    """Where the differential resistance is negative: di/dv < 0 between instants, (n - 1,).

    ``loop`` is a dataset of `SimplifiedMemristor.respond` with n instants.
    """
    return np.diff(loop["voltage"].values) * np.diff(loop["current"].values) < 0


def steepest_step(loop: xr.Dataset) -> float:
    """Largest change of conductance in a volt of the sweep, as a share of the largest one [1/V].

    ``loop`` is a dataset of `SimplifiedMemristor.respond`; instants between which the voltage
    moves less than a thousandth of its largest step are left out.
    """
    conductance = 1 / loop["resistance"].values
    step = np.abs(np.diff(loop["voltage"].values))
    moving = step > 1e-3 * step.max()
    slope = np.abs(np.diff(conductance))[moving] / step[moving]
    return float(slope.max() / conductance.max())


def alpha_beta_curves(
    alphas: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1),
    betas: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4),
    pulses: int = 100,
    integrator: str = "implicit",
) -> xr.Dataset:
    """Fig. S2: RESET at x = 1 from y = 1; alpha sets where it ends, beta how fast it gets there.

    Parameters
    ----------
    alphas : tuple of float, default (0.01, 0.02, 0.05, 0.1)
        Values of alpha in Eq. (4), per pulse.
    betas : tuple of float, default (0.05, 0.1, 0.2, 0.4)
        Values of beta, per pulse; each goes with each alpha.
    pulses : int, default 100
        Number of pulses.
    integrator : {"explicit", "implicit", "exact"}, default "implicit"
        How the equation is integrated.

    Returns
    -------
    xarray.Dataset
        Dataset on (alpha, beta, pulse): state y, pulse 0 being the start.
    """
    alpha, beta = np.array(alphas)[:, None], np.array(betas)[None, :]
    y = integrate(integrator, alpha, beta, np.ones(pulses))
    y = np.concatenate([np.ones((*y.shape[:2], 1)), y], axis=-1)
    coords = {
        "alpha": label(np.array(alphas), "alpha", "1", "alpha"),
        "beta": label(np.array(betas), "beta", "1", "beta"),
        "pulse": label(np.arange(pulses + 1), "pulse", "1", "pulses applied"),
    }
    return xr.Dataset({"state": label(y, ("alpha", "beta", "pulse"), "1", "state y")}, coords)
