"""A protocol from its plain mapping, as records and requests keep it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddkbase.errors import InputError, shorten
from devicephys.protocol.bake import Bake, EnduranceTest
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.protocol.waveform import IVSweep, Waveform

__all__ = ["Protocol", "protocol_from_dict"]

#: what can be done to a cell
Protocol = Waveform | PulseTrain | SwitchingScan | Bake | EnduranceTest

_KINDS: dict[object, type[Protocol]] = {
    "Bake": Bake,
    "EnduranceTest": EnduranceTest,
    "Waveform": Waveform,
    "IVSweep": IVSweep,
    "PulseTrain": PulseTrain,
    "SwitchingScan": SwitchingScan,
}


def protocol_from_dict(data: Mapping[str, Any]) -> Protocol:
    """Protocol from what its ``to_dict`` gave, e.g. as stored in a result file.

    Parameters
    ----------
    data : mapping
        Texts by argument of the protocol, and its ``kind``.

    Returns
    -------
    Waveform, IVSweep, PulseTrain, SwitchingScan, Bake or EnduranceTest
        A protocol equal to the one that was stored.

    Raises
    ------
    InputError
        An unknown kind or key, or values that are no protocol.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{shorten(data)} is no stored protocol", hint="Give what to_dict() gave")
    arguments = dict(data)
    kind = arguments.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        names = ", ".join(map(str, _KINDS))
        raise InputError(f"unknown protocol {shorten(kind)}", "kind", f"Known: {names}")
    try:
        return _KINDS[kind](**arguments)
    except TypeError as error:
        raise InputError(f"keys do not fit: {error}", kind) from error
