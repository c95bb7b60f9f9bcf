"""What a run was asked for, in one small file: from ``request.json`` the run can be done again.

It holds everything that decides the result and nothing of the result: device, protocol, settings,
start, random seed, and how often a checkpoint is written.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from ddkbase.errors import DDKError, StorageError, shorten
from devicephys.device import Device
from devicephys.device.library import device_from_yaml
from devicephys.protocol.bake import Bake, EnduranceTest
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.stored import Protocol, protocol_from_dict
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.simulation.settings import Settings

FORMAT = 1
_LARGEST = 1_000_000_000  # bytes; ten million pulses with a height and a width each take less
_HINT = "Start the run again in another folder."


@dataclasses.dataclass(frozen=True)
class Request:
    """A run as it was asked for.

    Parameters
    ----------
    device : Device
        The cell, from ``load_device``.
    protocol : Waveform or PulseTrain or SwitchingScan or Bake or EnduranceTest
        What is done to it; it decides which kind of run this is.
    settings : Settings
        How it is solved.
    checkpoint_every : int or None, optional
        Pulses, or accepted steps of a sweep, between two checkpoints; None: none. A scan of
        switching times has none.
    initial_resistance : str or None, optional
        Text with unit to which the cell is brought before a train; None: as it is.
    variability : mapping or None, optional
        Mapping from which ``Variability`` is made; None: none.
    seed : int or None, optional
        Seed of the random cell; without one nothing is drawn.
    cycle, device_number : int, default 0
        Which random cell of that seed.
    start : str or None, optional
        Folder of a run with whose last state the cell begins; None: as the device describes it.
    """

    device: Device
    protocol: Protocol
    settings: Settings
    checkpoint_every: int | None = None
    initial_resistance: str | None = None
    variability: Mapping[str, Any] | None = None
    seed: int | None = None
    cycle: int = 0
    device_number: int = 0
    start: str | None = None

    @property
    def kind(self) -> str:
        """What is done: "pulses", "switching-time", "retention", "endurance", or "iv" for a sweep
        or another waveform."""
        if isinstance(self.protocol, SwitchingScan):
            return "switching-time"
        if isinstance(self.protocol, Bake):
            return "retention"
        if isinstance(self.protocol, EnduranceTest):
            return "endurance"
        return "pulses" if isinstance(self.protocol, PulseTrain) else "iv"

    def to_json(self) -> str:
        """JSON text from which `from_json` makes an equal request."""
        plain: dict[str, Any] = {
            "format": FORMAT,
            "kind": self.kind,
            "device_yaml": self.device.to_yaml(),
            "protocol": self.protocol.to_dict(),
            "settings": self.settings.to_dict(),
            "variability": None if self.variability is None else dict(self.variability),
            **{name: getattr(self, name) for name in PLAIN},
            **({"start": self.start} if self.start is not None else {}),
        }
        return json.dumps(plain, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """The request in ``text``; ``where`` (the file) is named in errors.

        Raises
        ------
        StorageError
            No request, one of another version, or one that makes no sense.
        """
        try:
            plain = json.loads(text)
        except (ValueError, RecursionError):
            plain = None
        if not isinstance(plain, dict) or "format" not in plain:
            raise StorageError("it holds no request of a run", where, _HINT)
        if plain["format"] != FORMAT:
            raise StorageError(
                f"the request is of format {shorten(plain['format'])}, this version reads {FORMAT}",
                where,
                "Use the version of the toolkit that wrote it.",
            )
        try:
            request = cls(
                device=device_from_yaml(plain["device_yaml"], "device_yaml"),
                protocol=protocol_from_dict(plain["protocol"]),
                settings=Settings(**plain["settings"]),
                variability=plain["variability"],
                **{name: plain[name] for name in PLAIN},
                start=plain.get("start"),  # not in requests of earlier versions
            )
            request._check()
        except (DDKError, KeyError, TypeError, ValueError, AttributeError) as exc:
            reason = exc.what if isinstance(exc, DDKError) else f"{type(exc).__name__} {exc}"
            raise StorageError(f"the request is damaged: {reason}", where, _HINT) from exc
        return request

    def _check(self) -> None:
        """TypeError or ValueError for a plain value of the wrong kind."""
        for name in ("checkpoint_every", "seed", "cycle", "device_number"):
            value = getattr(self, name)
            optional = value is None and name in ("checkpoint_every", "seed")
            if not optional and (type(value) is not int or value < 0):
                raise ValueError(f"{name} is {shorten(value)}")
        if self.checkpoint_every == 0:
            raise ValueError("checkpoint_every is 0")
        if not isinstance(self.initial_resistance, str | None):
            raise TypeError(f"initial_resistance is {shorten(self.initial_resistance)}")
        if not isinstance(self.start, str | None):
            raise TypeError(f"start is {shorten(self.start)}")
        if not isinstance(self.variability, dict | None):
            raise TypeError(f"variability is {shorten(self.variability)}")

    @classmethod
    def read(cls, path: Path) -> Self:
        """The request in a file.

        Raises
        ------
        StorageError
            No such file, or as `from_json`.
        """
        try:
            if not path.is_file():
                raise StorageError("there is no such file", str(path), _HINT)
            if path.stat().st_size > _LARGEST:
                raise StorageError("it is too large for the request of a run", str(path), _HINT)
            text = path.read_text(encoding="utf-8")
        except StorageError:
            raise
        except (OSError, UnicodeDecodeError) as exc:
            reason = (exc.strerror if isinstance(exc, OSError) else None) or "it is not text"
            raise StorageError(f"it cannot be read: {reason}", str(path), _HINT) from exc
        return cls.from_json(text, str(path))


PLAIN = ("checkpoint_every", "initial_resistance", "seed", "cycle", "device_number")
