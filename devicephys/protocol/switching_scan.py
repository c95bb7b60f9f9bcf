"""What is measured to get switching times: which voltages, when the cell counts as switched."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import exact_text, to_si

POLARITIES = ("reset", "set")
CRITERIA = ("read", "applied")
DEFAULT_VOLTAGES = "0.8 V:2 V:13"
MOST_VOLTAGES = 1000


@dataclass(frozen=True, init=False)
class SwitchingScan:
    """What is measured; compared by value.

    Parameters
    ----------
    voltages : str or sequence of str, optional
        Sizes of the held voltages, without sign: "from:to:count" such as "0.8 V:2 V:13" (both ends
        included), a text of several with commas between, or a sequence of texts.
    polarity : {"reset", "set", "both"}, default "both"
        RESET holds the voltages negative.
    criterion : {"read", "applied"}, default "read"
        "read" or "applied", see ``devicephys.simulation.switching_time``.
    limit : str or Quantity, default "10 s"
        Longest hold.
    rise : str or Quantity, default "0.1 ns"
        Length of the voltage's rise.
    read_voltage : str or Quantity, default "0.1 V"
        Voltage of the reads.
    loops_before : int, default 0
        How many of the device's own loops the cell runs before.

    Raises
    ------
    InputError
        No unit, wrong dimension, a value that is not positive, an unknown word, or a rise that is
        not short against the limit.

    Notes
    -----
    Attributes hold plain numbers in V and s; ``voltages`` is increasing, without repetitions.
    """

    voltages: tuple[float, ...]
    polarities: tuple[str, ...]
    criterion: str
    limit: float
    rise: float
    read_voltage: float
    loops_before: int

    def __init__(
        self,
        voltages: object = DEFAULT_VOLTAGES,
        polarity: str = "both",
        criterion: str = "read",
        limit: object = "10 s",
        rise: object = "0.1 ns",
        read_voltage: object = "0.1 V",
        loops_before: int = 0,
    ) -> None:
        _choice(polarity, (*POLARITIES, "both"), "polarity")
        _choice(criterion, CRITERIA, "criterion")
        whole = isinstance(loops_before, numbers.Integral) and not isinstance(loops_before, bool)
        if not whole or not 0 <= loops_before <= MOST_VOLTAGES:
            raise InputError(
                f"{shorten(loops_before)} is no number of loops", "loops_before", "Give 0, 1, 2 ..."
            )
        times = {"limit": limit, "rise": rise}
        values: dict[str, Any] = {k: _positive(v, "s", k) for k, v in times.items()}
        if not 100 * values["rise"] <= values["limit"]:
            raise InputError(
                f"a rise of {values['rise']:g} s is not short against a limit of "
                f"{values['limit']:g} s",
                "rise",
                "Give at most a hundredth",
            )
        values |= {
            "voltages": parse_voltages(voltages),
            "polarities": POLARITIES if polarity == "both" else (polarity,),
            "criterion": criterion,
            "read_voltage": _positive(read_voltage, "V", "read_voltage"),
            "loops_before": int(loops_before),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping with texts, keyword arguments that make an equal scan, and its kind."""
        return {
            "kind": "SwitchingScan",
            "voltages": [exact_text(v, "V") for v in self.voltages],
            "polarity": self.polarities[0] if len(self.polarities) == 1 else "both",
            "criterion": self.criterion,
            "limit": exact_text(self.limit, "s"),
            "rise": exact_text(self.rise, "s"),
            "read_voltage": exact_text(self.read_voltage, "V"),
            "loops_before": self.loops_before,
        }


def parse_voltages(given: object) -> tuple[float, ...]:
    """Voltages [V] from "from:to:count", a list in one text, or a sequence; increasing.

    Raises InputError: see ``SwitchingScan``.
    """
    where = "voltages"
    if isinstance(given, str):
        fields = [text.strip() for text in given.split(":")]
        if len(fields) == 3:
            ends = [_positive(text, "V", where) for text in fields[:2]]
            if not fields[2].isascii() or not fields[2].isdigit():
                raise InputError(
                    f"{shorten(fields[2])} is no number of voltages", where, "Write '0.8 V:2 V:13'"
                )
            count = int(fields[2]) if len(fields[2]) < 9 else MOST_VOLTAGES + 1
            if not 2 <= count <= MOST_VOLTAGES:
                raise InputError(
                    f"a range of {fields[2][:9]} voltages", where, f"Give 2 to {MOST_VOLTAGES}"
                )
            if ends[0] == ends[1]:
                raise InputError("both ends of the range are the same", where, "Give two voltages")
            return tuple(sorted(float(f"{v:.12g}") for v in np.linspace(ends[0], ends[1], count)))
        if len(fields) != 1:
            raise InputError(
                f"{shorten(given)} is neither a range nor a list",
                where,
                "Write '0.8 V:2 V:13' or '0.8 V, 1 V, 1.2 V'",
            )
        given = given.split(",")
    if not isinstance(given, list | tuple):
        raise InputError(f"{shorten(given)} is no list of voltages", where, "Write '0.8 V, 1 V'")
    voltages = sorted({_positive(value, "V", where) for value in given})
    if not voltages or len(voltages) > MOST_VOLTAGES:
        raise InputError(f"{len(voltages)} voltages", where, f"Give 1 to {MOST_VOLTAGES}")
    return tuple(voltages)


def _choice(given: object, choices: tuple[str, ...], where: str) -> None:
    """InputError if ``given`` is not one of the ``choices``."""
    if not isinstance(given, str) or given not in choices:
        raise InputError(f"unknown {where} {shorten(given)}", where, closest(str(given), choices))


def _positive(value: object, unit: str, where: str) -> float:
    number = to_si(value, unit, where)
    if not number > 0:
        hint = "Give its size; the polarity says the sign" if unit == "V" else "Give more than 0"
        raise InputError(f"{number:g} {unit} is not positive", where, hint)
    return number
