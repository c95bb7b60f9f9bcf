"""Solves of a fit on disk: the same fit with the same folder takes them from there."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from pathlib import Path

import numpy as np

from ddkbase.errors import InputError, StorageError
from ddkbase.files import write_bytes
from ddkbase.folders import make_folders

__all__ = ["KeptSolves", "Solve"]

_SOLVES = "solves"


@dataclasses.dataclass
class Solve:
    """Residuals of all data at a point, their derivatives and the curves, one each data set."""

    residual: np.ndarray
    jacobian: np.ndarray
    simulated: list[np.ndarray]

    @property
    def failed(self) -> bool:
        """Whether the solver gave up."""
        return bool(np.isnan(self.simulated[0]).any())


class KeptSolves:
    """The solves of one fit, in order.

    Parameters
    ----------
    folder : Path
        The folder of the fit.
    mark : str
        Fingerprint of the fit; solves of another are refused.

    Raises
    ------
    StorageError
        The folder cannot be made.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self.folder, self.mark = folder / _SOLVES, mark
        make_folders(self.folder)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:04d}.npz"

    def write(self, number: int, logs: np.ndarray, solve: Solve) -> None:
        """Keep a solve at a point."""
        buffer = io.BytesIO()
        curves = {f"simulated_{k:04d}": curve for k, curve in enumerate(solve.simulated)}
        np.savez(
            buffer,
            fingerprint=np.array(self.mark),
            logs=np.asarray(logs, dtype=float),
            residual=solve.residual,
            jacobian=solve.jacobian,
            **curves,  # type: ignore[arg-type]
        )
        write_bytes(self._file(number), buffer.getvalue(), overwrite=True)

    def read(self, number: int, logs: np.ndarray) -> Solve | None:
        """The solve of an earlier, stopped run of the same fit; None if there is none here.

        Raises
        ------
        InputError
            The folder is another fit's.
        StorageError
            A file is damaged.
        """
        file = self._file(number)
        if not file.is_file():
            return None
        try:
            with np.load(file, allow_pickle=False) as kept:
                mark, same = str(kept["fingerprint"]), np.array_equal(kept["logs"], logs)
                curves = [kept[name] for name in sorted(kept) if name.startswith("simulated_")]
                solve = Solve(kept["residual"], kept["jacobian"], curves)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StorageError(f"is damaged [{error}]", str(file), "Delete it") from error
        if mark != self.mark:
            raise InputError(
                "belongs to another fit", str(file), "Choose another folder with --out"
            )
        return solve if same else None
