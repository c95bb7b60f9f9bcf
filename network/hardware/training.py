"""Training for hardware: one trainer, one argument ``mode`` for the way.

>>> outcome = harden(network, x, y, mode="hybrid", hardware=article(), chip=1, epochs=200)
>>> outcome.network.predict(x_test, realise=outcome.realise, rng=rng)

The modes are those of Fig. 5a of Shi et al., Nat. Commun. 16, 913 (2025):

- "software": trained and run in floating point.
- "imprecise": trained in software, run on the chip.
- "imprecision-based": every training pass runs on another imprecise chip, drawn anew.
- "hybrid": the DDK layer from imprecision-based training, then fixed; the classifier written and
  tuned in situ on the chip it is to run on.
- "hybrid-arrays": the same through simulated arrays: write-and-verify, lines, converters, noise of
  each read; see `on_arrays`.

With each of them the statistics of the features may be taken anew on the chip, for which samples
without labels are enough (``reestimate``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import to_si
from network.ddk.constraints import Reachable
from network.ddk.layer import DDKLayer
from network.hardware.arrays.lines import LineResistance
from network.hardware.cells.kinetics_noise import TableKinetics
from network.hardware.cells.noise import ReadNoise, WriteError
from network.hardware.in_situ import PinnedChip, Tuning, tune
from network.hardware.realisation import HardwareRealisation
from network.hardware.settings import Hardware
from network.layers.base import Realisation
from network.model.history import History
from network.model.network import Network
from network.model.optimisers import Optimiser, Schedule
from network.model.trainer import EpochEvent, train

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable, Inversion

__all__ = ["MODES", "Outcome", "Tuning", "confine", "harden", "on_arrays"]

MODES = ("software", "imprecise", "imprecision-based", "hybrid", "hybrid-arrays")
"""Ways to train for hardware, as ``mode`` takes them."""

_NOISY = ("imprecision-based", "hybrid", "hybrid-arrays")


@dataclass(frozen=True)
class Outcome:
    """A network and the hardware it was made for.

    Attributes
    ----------
    network : Network
        The trained network, which was passed in.
    mode : str
        One of `MODES`.
    realise : Realisation or None
        The chip to run it on; None for "software".
    reestimated : bool
        Whether the statistics of its features were taken anew on the chip.
    history : History or None
        Course of the training off the chip; None where it was passed over.
    tuning : History or None
        Course of the tuning in situ, or None.
    pulses : tuple of Inversion, default ()
        The pulse settings of the DDK layers, where a table was given.
    seconds : pair of float, s, default (0.0, 0.0)
        Duration of training off the chip and of tuning in situ.
    """

    network: Network
    mode: str
    realise: Realisation | None
    reestimated: bool
    history: History | None
    tuning: History | None
    pulses: tuple[Inversion, ...] = field(default=())
    seconds: tuple[float, float] = (0.0, 0.0)

    def accuracy(self, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
        """Share of right answers on samples, on the chip; ``rng`` draws what changes by the run.

        Parameters
        ----------
        x, y : ndarray
            Samples and their classes.
        rng : numpy.random.Generator
            Draws what changes by the run.
        """
        return float(np.mean(self.network.predict(x, realise=self.realise, rng=rng) == y))


def harden(
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    *,
    mode: str,
    hardware: Hardware | None = None,
    chip: int = 0,
    reestimate: bool = False,
    table: AlphaBetaTable | None = None,
    trained: bool = False,
    epochs: int = 100,
    batch_size: int | None = None,
    optimiser: Optimiser | None = None,
    schedule: Schedule = None,
    tuning: Tuning | None = None,
    seed: int = 0,
    progress: Callable[[str, EpochEvent], Any] | None = None,
) -> Outcome:
    """Train a network in place for hardware.

    Parameters
    ----------
    network : Network
        What learns.
    x, y : ndarray
        Labelled training samples.
    mode : str
        One of `MODES`.
    hardware : Hardware or None, optional
        What chips are like; needed for all modes but "software". For "hybrid-arrays" it is
        completed by `on_arrays` unless it has arrays already.
    chip : int, default 0
        Seed of the chip that the network is to run on.
    reestimate : bool, default False
        Take the statistics of the features anew on the chip, before tuning if there is any. Labels
        are not used.
    table : AlphaBetaTable or None, optional
        An `AlphaBetaTable`: alpha and beta stay where its pulses can put them, and scatter as its
        cells do (unless ``hardware`` says how they scatter).
    trained : bool, default False
        Pass over the training off the chip: the network has had it.
    epochs : int, default 100
        Passes of the training off the chip.
    batch_size : int or None, optional
        Samples per step of the training off the chip.
    optimiser : Optimiser or None, optional
        Optimiser of the training off the chip.
    schedule : str, callable or None, optional
        Schedule of its learning rate.
    tuning : Tuning or None, optional
        Settings of the tuning in situ.
    seed : int, default 0
        Seed of the order of samples and of all that changes from pass to pass.
    progress : callable or None, optional
        Called with "training" or "tuning", and the event, after each epoch.

    Returns
    -------
    Outcome
        The network and the chip that it was made for.

    Raises
    ------
    InputError
        No such mode, no hardware, a network without the layers that the mode needs, samples that do
        not fit.
    SolverError
        Training ended in numbers that are not finite.
    """
    if mode not in MODES:
        raise InputError(f"unknown mode {shorten(mode)}", "mode", closest(str(mode), MODES))
    if mode != "software" and hardware is None:
        raise InputError(f"mode '{mode}' needs hardware", "hardware", "Pass e.g. article()")
    h = hardware or Hardware()
    if table is not None:
        if not trained:
            confine(network, table)
        if h.kinetics is None:
            h = replace(h, kinetics=TableKinetics(table))
    if mode == "hybrid-arrays" and not h.arrays:
        h = on_arrays(h)
    start = time.perf_counter()
    history = None
    if not trained:
        fresh = HardwareRealisation(_for_training(h), fresh=True) if mode in _NOISY else None
        history = train(
            network,
            x,
            y,
            epochs=epochs,
            batch_size=batch_size,
            optimiser=optimiser,
            schedule=schedule,
            realise=fresh,
            seed=seed,
            progress=None if progress is None else lambda event: progress("training", event),
        )
    middle = time.perf_counter()
    realise: Any = None
    tuned = None
    rng = np.random.default_rng([seed, 3])
    how = tuning or Tuning()
    if mode in ("imprecise", "imprecision-based"):
        realise = PinnedChip.of(network, h, seed=chip)
    elif mode in ("hybrid", "hybrid-arrays"):
        realise = PinnedChip.of(network, h, seed=chip, headroom=how.headroom)
    if realise is not None and reestimate:
        network.reestimate(_some(x, rng), realise=realise, rng=rng)
    if mode in ("hybrid", "hybrid-arrays"):
        tuned = tune(
            network,
            x,
            y,
            realise,
            tuning=how,
            seed=seed,
            progress=None if progress is None else lambda event: progress("tuning", event),
        )
    seconds = (middle - start, time.perf_counter() - middle)
    return Outcome(
        network,
        mode,
        realise,
        reestimate and realise is not None,
        history,
        tuned,
        () if table is None else _pulses(network, table),
        seconds,
    )


def on_arrays(hardware: Hardware, **changes: Any) -> Hardware:
    """The same chip with its products computed by arrays, with what arrays do to them.

    Lines of 1 ohm a segment by the fast solver, 8-bit converters, 1 % noise of each read; the
    cells keep the write error of ``hardware``, the residual of write-and-verify, unless a model of
    cells (``cells``) is given. ``changes`` are fields of `Hardware`.
    """
    fields: dict[str, Any] = {
        "arrays": True,
        "lines": LineResistance.of("1 ohm"),
        "solver": "fast",
        "dac_bits": 8,
        "adc_bits": 8,
        "read": hardware.read or ReadNoise(relative=0.01),
        "quantisation": None,
    }
    if "cells" in changes:
        fields["write"] = None
    return replace(hardware, **{**fields, **changes})


def confine(network: Network, table: AlphaBetaTable) -> None:
    """Keep alpha and beta of all DDK layers where pulses of a table can put them.

    Parameters
    ----------
    network : Network
        What learns, changed in place.
    table : AlphaBetaTable
        Says which pairs pulses reach.

    Raises
    ------
    InputError
        No DDK layer, or a table without a valid entry.
    """
    layers = [layer for layer in network.layers if isinstance(layer, DDKLayer)]
    if not layers:
        raise InputError("there is no DDK layer to confine", "table", "Leave the table out")
    region = Reachable(table)
    for layer in layers:
        alpha, beta = layer.alpha.copy(), layer.beta.copy()
        layer.constraint = region
        layer.set_pair(alpha, beta)


def _for_training(hardware: Hardware) -> Hardware:
    """What training passes run on: the imprecision, without solving for lines in every pass."""
    h = hardware
    return replace(
        h,
        arrays=False,
        lines=None,
        access=0.0,
        dac_bits=None,
        adc_bits=None,
        cells=None,
        programming=(),
        read=None,
        write=h.write or _residual(h),
    )


def _residual(hardware: Hardware) -> WriteError | None:
    """What write-and-verify leaves, as a normal error: uniform within the tolerance has a deviation
    of its width over the root of 12."""
    if hardware.cells is None:
        return None
    tolerance = to_si(dict(hardware.programming).get("tolerance", "2 uS"), "S", "tolerance")
    return WriteError(0.0, 2 * tolerance / np.sqrt(12))


def _some(x: np.ndarray, rng: np.random.Generator, most: int = 8192) -> np.ndarray:
    return x if len(x) <= most else x[np.sort(rng.permutation(len(x))[:most])]


def _pulses(network: Network, table: AlphaBetaTable) -> tuple[Inversion, ...]:
    pairs = {
        (float(a), float(b))
        for alpha, beta in network.kinetics().values()
        for a, b in zip(*map(np.ravel, np.broadcast_arrays(alpha, beta)), strict=True)
    }
    return tuple(table.invert(alpha=a, beta=b) for a, b in sorted(pairs))
