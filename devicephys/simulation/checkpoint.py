"""The state of a run in one file, from which a killed run goes on.

``checkpoint.npz`` holds plain arrays and one JSON text, nothing that is executed when it is read.
It is written under a temporary name, synced and moved, so that whoever looks finds the checkpoint
before or the checkpoint after, never half of one.
"""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, StorageError, shorten
from ddkbase.files import write_bytes

CHECKPOINT = "checkpoint.npz"
VERSION = 1
_HEAD = "head"  # entry that holds version, names of the arrays and meta, as JSON
_ARRAY = "array."  # before the name of every array, so that all names are free to use


class Checkpoint:
    """The checkpoint of the run in ``folder``.

    Parameters
    ----------
    folder : Path
        Folder of the run; it need not exist before the first `save`.
    every : int
        Pulses, or accepted steps of a sweep, from one checkpoint to the next.

    Raises
    ------
    InputError
        ``every`` is no whole number from 1 up.
    """

    def __init__(self, folder: Path, every: int) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise InputError(
                f"{shorten(every)} is no number of pulses or steps",
                "checkpoint, every",
                "Give a whole number from 1 up",
            )
        self.every = every
        self.path = Path(folder) / CHECKPOINT

    def save(self, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Replace the checkpoint by this one, whole or not at all.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            Arrays of numbers or text by name, of any shape.
        meta : mapping
            What JSON can hold.

        Raises
        ------
        StorageError
            The disk is full, or the folder may not be written; the previous checkpoint is
            untouched.
        TypeError
            ``meta`` is no JSON.
        ValueError
            An array of objects, or ``meta`` is no JSON.
        """
        plain = {name: np.asarray(array) for name, array in arrays.items()}
        for name, array in plain.items():
            if array.dtype.hasobject:
                raise ValueError(f"the array '{name}' cannot be kept in a checkpoint")
        head = {"version": VERSION, "arrays": sorted(plain), "meta": dict(meta)}
        text = json.dumps(head).encode()
        buffer = io.BytesIO()
        # not compressed: it is written often, and read once if at all
        content: dict[str, Any] = {_ARRAY + name: array for name, array in plain.items()}
        content[_HEAD] = np.frombuffer(text, dtype=np.uint8)
        np.savez(buffer, **content)
        write_bytes(self.path, buffer.getbuffer(), overwrite=True)

    def load(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Return arrays and meta of the checkpoint, or None if there is none.

        Raises
        ------
        StorageError
            It cannot be read, is cut off or damaged, or is of another version.
        """
        try:
            # of anything but a file, e.g. a pipe, reading might never end
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise self._unusable("it is no file")
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except StorageError:
            raise
        except OSError as exc:
            raise self._unusable(exc.strerror or str(exc)) from exc
        try:
            # each array carries a checksum, which is compared when the array is read
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            head = json.loads(arrays.pop(_HEAD).tobytes())
            arrays = {name.removeprefix(_ARRAY): array for name, array in arrays.items()}
            version, names, meta = head["version"], head["arrays"], head["meta"]
        except Exception as exc:  # zip, zlib, NumPy and JSON each have their own family of errors
            raise self._unusable("cut off, damaged, or no checkpoint") from exc
        if version != VERSION:
            raise self._unusable(f"format {shorten(version)}, this version reads {VERSION}")
        if sorted(arrays) != names or not isinstance(meta, dict):
            raise self._unusable("damaged: arrays are missing")
        return arrays, meta

    def remove(self) -> None:
        """Delete the checkpoint, if there is one.

        Raises
        ------
        StorageError
            The folder may not be written.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as exc:
            raise StorageError(
                f"the checkpoint cannot be removed: {exc.strerror or exc}", str(self.path)
            ) from exc

    def _unusable(self, reason: str) -> StorageError:
        return StorageError(
            f"the checkpoint cannot be used: {reason}",
            where=str(self.path),
            hint="Remove this file to compute from the start.",
        )
