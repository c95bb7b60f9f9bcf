"""The part of a device's description that says which sweep it is meant for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ddkbase.descriptions import Parameter
from ddkbase.errors import InputError
from devicephys.device.quantity import Description, Rate, Voltage

__all__ = ["SweepSpec"]


class SweepSpec(Description):
    """The current-voltage sweep that a device is meant for.

    Parameters
    ----------
    reset_voltage : float, V
        Where the negative half of a loop turns back; negative.
    set_voltage : float, V
        Where the positive half of a loop turns back; positive.
    rate : float, V/s
        How fast the voltage changes, as a magnitude.
    loops : int, default 1
        How often the loop is run.
    first : {"reset", "set"}, default "reset"
        Which half of the loop comes first.
    """

    reset_voltage: Voltage
    set_voltage: Voltage
    rate: Rate
    loops: Annotated[int, Parameter(), Field(ge=1)] = 1
    first: Annotated[Literal["reset", "set"], Parameter(optional=True)] = "reset"

    @model_validator(mode="after")
    def _signs(self) -> Self:
        if not self.reset_voltage < 0:
            raise InputError(
                f"{self.reset_voltage:g} V is not negative", "reset_voltage", "RESET is negative"
            )
        if not self.set_voltage > 0:
            raise InputError(
                f"{self.set_voltage:g} V is not positive", "set_voltage", "SET is positive"
            )
        return self
