"""Which further measurement would tell most about what a fit leaves open.

At the best fit each candidate is simulated with its derivatives; its Fisher information, with a
relative error of 5 % of each value, is added to that of the data. What counts is how far the
deviation of the open products of parameters falls.

The solves of a fit are kept on disk: the same fit with the same folder takes them from there.
"""

from __future__ import annotations

import copy
import dataclasses
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, SolverError, StorageError
from ddkbase.files import write_bytes
from ddkbase.folders import make_folders
from ddkbase.units import exact_text, format_si
from devicephys.device import Device
from devicephys.fitting.data import BakeData, Data, LoopData, TrainData
from devicephys.fitting.description import BakeSource
from devicephys.protocol.bake import Bake
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.waveform import Waveform
from devicephys.simulation.settings import Settings

__all__ = ["KeptSolves", "Solve", "suggestions"]


#: relative error that is assumed of each value
ERROR = 0.05
#: sweeps this much faster and slower; samples of them that count
RATES, SAMPLES = (100.0, 0.01), 40
#: pulses of the train, and the bake
PULSES, HOT, DAY = 20, 473.15, 86400.0


def suggestions(
    data: Sequence[Data],
    device: Device,
    settings: Settings,
    paths: Sequence[str],
    tie: np.ndarray,
    fisher: np.ndarray,
    directions: np.ndarray,
) -> xr.Dataset:
    """What each candidate would leave of the open directions.

    Parameters
    ----------
    data : sequence of Data
        What was fitted; the first loop says how sweeps look.
    device : Device
        The fitted device.
    settings : Settings
        How it is solved.
    paths : sequence of str
        Dotted paths of the free numbers of the device.
    tie : ndarray of shape (paths, parameters)
        Which parameter each belongs to.
    fisher : ndarray of shape (parameters, parameters)
        Information of the data.
    directions : ndarray of shape (open, parameters)
        The open directions.

    Returns
    -------
    xarray.Dataset
        ``spread`` on (experiment, direction) [1], the standard deviation of the logarithm that
        each open direction would have; the experiment that leaves least comes first.
    """
    names, spreads = [], []
    for name, candidate in _candidates(data, device):
        try:
            _, jacobian, _ = candidate.misfit(device, settings, paths)
        except (SolverError, InputError):
            continue  # this cell does not do it
        more = jacobian @ tie
        names.append(name)
        spreads.append(_spread(fisher + more.T @ more, directions))
    values = np.array(spreads).reshape(len(names), len(directions))
    order = np.argsort(values.sum(axis=1))
    return xr.Dataset(
        {"spread": (("experiment", "direction"), values[order], {"units": "1"})},
        coords={"experiment": [names[k] for k in order]},
    )


def _spread(fisher: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Standard deviation along each direction, large where there is no information."""
    values, vectors = np.linalg.eigh(fisher)
    # a pseudo-inverse would say that what is not known at all has no variance
    values = np.maximum(values, np.finfo(float).eps * len(values) * values[-1])
    return np.sqrt(((directions @ vectors) ** 2 / values).sum(axis=1))


def _candidates(data: Sequence[Data], device: Device) -> Iterator[tuple[str, Data]]:
    loops = [d for d in data if isinstance(d, LoopData)]
    for factor in RATES if loops else ():
        said = f"{factor:g} times faster" if factor > 1 else f"{1 / factor:g} times slower"
        yield f"a loop {said}", _faster(loops[0], factor)
    if not any(isinstance(d, TrainData) for d in data):
        train = PulseTrain(amplitude=exact_text(1.4 * device.sweep.reset_voltage, "V"),
                           width="100 ns", count=PULSES)  # fmt: skip
        name = f"{PULSES} pulses of {format_si(train.amplitudes[0], 'V')} and 100 ns"
        yield name, _even(TrainData, train=train, size=PULSES)
    if not any(isinstance(d, BakeData) for d in data):
        bake = Bake(
            temperatures=exact_text(HOT, "K"),
            duration=exact_text(DAY, "s"),
            first_read="1 s",
        )
        source = BakeSource(bake="", temperature=exact_text(HOT, "K"))
        times = bake.read_times[1:]
        yield (
            f"a day at {HOT - 273.15:.0f} degC from the high state, read",
            _even(BakeData, bake=bake, source=source, times=times, size=len(times)),
        )


def _faster(loop: LoopData, factor: float) -> LoopData:
    """The same loop in less time, fewer of its samples, none more certain than the others."""
    faster = copy.copy(loop)
    waveform = loop.waveform
    faster.waveform = Waveform((waveform.corners / factor, "s"), (waveform.corner_voltages, "V"))
    kept = np.unique(np.linspace(0, len(loop.times) - 1, SAMPLES).round().astype(int))
    faster.times, faster.measured = loop.times[kept] / factor, loop.measured[kept]
    faster.axis, faster.error = loop.axis[kept], np.maximum(loop.error[kept], ERROR)
    faster.weight = 1.0
    return faster


def _even[T: Data](kind: type[T], size: int, **attributes: object) -> T:
    """A measurement that was not made yet: of its values only the error counts."""
    data = kind.__new__(kind)
    for name, value in attributes.items():
        setattr(data, name, value)
    data.measured, data.error, data.weight = np.ones(size), np.full(size, ERROR), 1.0
    return data


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
    name : str, default "solves"
        Of the folder in it.

    Raises
    ------
    StorageError
        The folder cannot be made.
    """

    def __init__(self, folder: Path, mark: str, name: str = "solves") -> None:
        self.folder, self.mark = folder / name, mark
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
