"""Program and verify: bring a cell to a wanted resistance with pulses, as a measurement would.

RESET pulses where the cell conducts too well, SET pulses where too badly, a read after each, until
the read is within 2 %, or what was asked for. How much a pulse moves the cell grows exponentially
with its height, so the height of the next pulse follows from how far the last one of its kind moved
it. Where a pulse overshoots, the following ones aim at a smaller share of the way.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Protocol

from ddkbase.errors import InputError
from ddkbase.units import exact_text, format_si
from devicephys.protocol.pulse_train import PulseTrain

#: relative deviation of the read resistance that counts as reached, if no other is asked for
TOLERANCE = 0.02
#: the same for a cell as it was formed, where a SET pulse would be next: with no gap to close, SET
#: pulses only crowd the filament, and dozens of them are needed for a step of the resistance; what
#: follows is then another cell (docs/validation.md)
FORMED_TOLERANCE = 0.05
#: most pulses, most pulses in a row that hardly do anything at the largest height, height of the
#: first pulses, the lowest and the highest (V)
MOST_PULSES, PATIENCE, FIRST, LOWEST, LIMIT = 400, 5, 1.7, 0.05, 6.0
#: change of the logarithm of what a pulse does, per volt: at first (figure of this toolkit's cell:
#: the share of conductance that a 100 ns pulse takes grows twentyfold from 1.8 to 2.0 V), and the
#: range in which it is learned from pulse to pulse
STEEPNESS, FLATTEST, STEEPEST = 16.0, 2.0, 40.0
#: largest change of the height from pulse to pulse, upwards and downwards (V)
UP, DOWN = 0.1, 0.3
#: share of the way (in the logarithm of the conductance) that a pulse is to go
SHARE, SMALLEST_SHARE = 0.5, 0.2
#: movements below this are as good as none
STILL = 1e-4


class Cell(Protocol):
    """What can be pulsed and read."""

    def pulse(self, train: PulseTrain, index: int) -> object:
        """Apply a pulse; returns figures with ``conductance`` and ``temperature_max``."""


@dataclasses.dataclass
class _Drive:
    """Pulses of one polarity: sign, height of the next one [V], and how what a pulse does depends
    on its height."""

    sign: float
    height: float = FIRST
    steepness: float = STEEPNESS
    before: tuple[float, float] | None = None  # height and logarithm of the movement

    def adapt(self, moved: float, way: float, share: float) -> None:
        """Choose the next height from how far the last pulse moved the cell."""
        done = math.log(max(moved, STILL))
        if self.before is not None and abs(self.height - self.before[0]) > 1e-3:
            seen = (done - self.before[1]) / (self.height - self.before[0])
            seen = min(max(seen, FLATTEST), STEEPEST)
            self.steepness = 0.5 * (self.steepness + seen)
        self.before = self.height, done
        change = (math.log(max(share * way, STILL)) - done) / self.steepness
        self.height = min(max(self.height + min(max(change, -DOWN), UP), LOWEST), LIMIT)


def near_as_formed(conductance: float, target_resistance: float) -> bool:
    """Whether a formed cell stays as it is: it reads at most 5 % above the resistance wanted.

    Parameters
    ----------
    conductance : float, S
        What the cell reads to which nothing was done yet.
    target_resistance : float, ohm
        Resistance to reach.
    """
    return 0.0 <= 1.0 / (conductance * target_resistance) - 1.0 <= FORMED_TOLERANCE


def program_and_verify(
    cell: Cell,
    conductance: float,
    target_resistance: float,
    train: PulseTrain,
    progress: Callable[[int, float, object], None] | None = None,
    tolerance: float = TOLERANCE,
) -> tuple[float, int]:
    """Pulse the cell until its resistance is as near to the one wanted as asked for.

    Parameters
    ----------
    cell : Cell
        Applies pulses and reads them.
    conductance : float, S
        What the last read gave.
    target_resistance : float, ohm
        Resistance to reach.
    train : PulseTrain
        Pulses are as wide, as steep and as far apart as this train's first one, but no wider than
        100 ns, and are read as it is.
    progress : callable or None, optional
        Called after each pulse with its number, its height [V] and its figures.
    tolerance : float, default 0.02
        Relative deviation of the read resistance that counts as reached [1].

    Returns
    -------
    conductance : float, S
        Conductance of the last read.
    pulses : int
        Number of pulses used.

    Raises
    ------
    InputError
        The cell cannot be brought to that resistance; the message says how far it got.
    SolverError
        A pulse cannot be simulated.
    """
    target, share, count, still = 1.0 / target_resistance, SHARE, 0, 0
    reset, set_ = _Drive(-1.0), _Drive(1.0)
    closest, last = conductance, 0.0
    while abs(target / conductance - 1.0) > tolerance:
        way = abs(math.log(conductance / target))
        if way < abs(math.log(closest / target)):
            closest = conductance
        drive = reset if conductance > target else set_
        if count >= MOST_PULSES or still >= PATIENCE:
            raise _refused(target_resistance, closest, conductance, count, drive)
        if last and drive.sign != last:
            # it went too far: come back more carefully, from both sides
            share = max(0.7 * share, SMALLEST_SHARE)
        last = drive.sign
        figures = cell.pulse(_single(train, drive), 0)
        count += 1
        after = float(figures.conductance)  # type: ignore[attr-defined]
        if progress is not None:
            progress(count, drive.sign * drive.height, figures)
        moved = drive.sign * math.log(after / conductance)
        at_limit = drive.height >= LIMIT
        still = still + 1 if at_limit and moved < STILL else 0
        # what is left of the way, but no less than the tolerance: that much may be missed
        left = max(abs(math.log(after / target)), tolerance)
        drive.adapt(moved, left, share)
        conductance = after
    return conductance, count


def _single(train: PulseTrain, drive: _Drive) -> PulseTrain:
    """One pulse of a height, otherwise like those of the train."""
    width = min(float(train.widths[0]), 100e-9)
    times = {name: exact_text(getattr(train, name), "s") for name in _TIMES}
    return PulseTrain(
        amplitude=exact_text(drive.sign * round(drive.height, 4), "V"),
        width=exact_text(width, "s"),
        count=1,
        read_voltage=exact_text(train.read_voltage, "V"),
        **times,
        **train.driving(),
    )


_TIMES = ("rise", "fall", "period", "read_width", "read_edge")


def _refused(
    target_resistance: float, closest: float, conductance: float, count: int, drive: _Drive
) -> InputError:
    kind = "SET" if drive.sign > 0 else "RESET"
    return InputError(
        f"the cell cannot be brought to {format_si(target_resistance, 'ohm')}: after {count} "
        f"pulses, the last a {kind} pulse of {drive.sign * drive.height:.3g} V, it reads "
        f"{format_si(1 / conductance, 'ohm')} and came no closer than "
        f"{format_si(1 / closest, 'ohm')}",
        "initial_resistance",
        "Ask for a resistance between the low and the high state of the cell",
    )
