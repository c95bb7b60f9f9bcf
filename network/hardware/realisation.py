"""`HardwareRealisation`: a network on a chip, for any place that takes ``realise``.

>>> chip = HardwareRealisation(article(), seed=1)
>>> network.predict(x, realise=chip)                      # one chip: its devices stay as they are
>>> anew = HardwareRealisation(article(), fresh=True)     # another chip with every call: training
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError
from network.hardware.arrays.converters import Converter
from network.hardware.arrays.crossbar import Crossbar, CrossbarSettings, layout_of
from network.hardware.cells.kinetics_noise import positive
from network.hardware.cells.noise import generator, with_faults
from network.hardware.cells.programming import Programming, write_and_verify
from network.hardware.settings import Hardware
from network.layers.base import RNG, Ideal

__all__ = ["HardwareRealisation", "WrittenLayer", "write_layer"]


class HardwareRealisation(Ideal):
    """A network's layers as a chip realises them; a `network.layers.base.Realisation`.

    Parameters
    ----------
    hardware : Hardware
        What the chip is like.
    seed : int or None, optional
        Seed of the chip: failed cells, write errors and the scatter of devices follow from it and
        the layer's name alone, in whatever order layers are called. Unused with ``fresh``.
    fresh : bool, default False
        Draw all of these anew in every call, from the generator of the call.
    layers : set of str or None, optional
        Names of the layers that run on the chip; all if None.

    Attributes
    ----------
    programmed : dict of str to Programming
        By layer, the `Programming` of its last write, if ``hardware.cells`` is given.

    Notes
    -----
    What changes from read to read or from train to train comes from the generator that is passed
    with each call; where none is, from one that follows from the seed.
    """

    def __init__(
        self,
        hardware: Hardware,
        *,
        seed: int | None = None,
        fresh: bool = False,
        layers: set[str] | None = None,
    ) -> None:
        if seed is None and not fresh:
            raise InputError("a chip needs a seed", "seed", "Pass seed=1, or fresh=True to train")
        self.hardware, self.seed, self.fresh, self.layers = hardware, seed, bool(fresh), layers
        self.programmed: dict[str, Programming] = {}
        self._written: dict[str, tuple[np.ndarray, WrittenLayer, int]] = {}
        self._converters: dict[str, Converter] = {}
        self._states: set[str] = set()
        self._reads = None if seed is None else np.random.default_rng([seed, 1])

    # -- what layers call

    def weights(
        self, layer_name: str, weight: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """The weights (inputs, outputs) that the cells hold, in the dtype of ``weight``."""
        if not self._on_chip(layer_name):
            return weight
        h = self.hardware
        quantised = self._quantised(layer_name, weight, rng)
        if self.fresh and h.only_write_error:
            return self._with_write_error(quantised, rng)
        held = self._crossbar(layer_name, quantised.T, rng).weights.T
        return held.astype(weight.dtype, copy=False)

    def kinetics(
        self, layer_name: str, alpha: np.ndarray, beta: np.ndarray, shape: tuple[int, ...], rng: RNG
    ) -> tuple[np.ndarray, np.ndarray]:
        """alpha and beta of the devices; one device for each bank and channel."""
        if not self._on_chip(layer_name):
            return alpha, beta
        h = self.hardware
        self._states.add(layer_name)
        dtype = np.asarray(alpha).dtype
        a, b = alpha, beta
        if h.kinetics is not None:
            draw = self._generator(rng)
            inner = shape[1:-1]
            a, b = h.kinetics.nominal(alpha, beta)
            a, b = np.asarray(a), np.asarray(b)
            chip = draw if self.fresh else self._own(layer_name, 2)
            cycle = shape if h.kinetics.per == "pulse" else (shape[0], *inner, 1)
            # a device is drawn whatever the number of cycles, so that a chip keeps its devices
            for kind, source, of in (("device", chip, (1, *inner, 1)), ("cycle", draw, cycle)):
                by_alpha, by_beta = h.kinetics.deviations(alpha, beta, kind, of, source)
                a, b = a + by_alpha, b + by_beta
            a, b = positive(a), positive(b)
        if h.endurance is not None:
            a, b = h.endurance.kinetics(np.asarray(a), np.asarray(b), h.cycles, h.pulse_width)
        return np.asarray(a, dtype), np.asarray(b, dtype)

    def product(
        self, layer_name: str, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, rng: RNG
    ) -> np.ndarray | None:
        """``x @ weight + bias`` by the arrays; None where replaced weights say it all.

        On arrays the bias is one more row of cells, driven with 1. Converters take their ranges
        from the first call, or from `calibrate`, as `Converter.fitted` finds them.
        """
        h = self.hardware
        if not h.needs_product or not self._on_chip(layer_name):
            return None
        quantised = self._quantised(layer_name, weight, rng)
        inputs = x.reshape(-1, x.shape[-1]).astype(float)
        if h.dac_bits is not None:
            inputs = self._converter(f"{layer_name} in", h.dac_bits, inputs).convert(inputs)
        matrix = quantised.astype(float)
        if h.arrays and bias is not None:
            matrix = np.concatenate([matrix, bias[None].astype(float)])
            inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
        crossbar = self._crossbar(layer_name, matrix.T, rng)
        if h.adc_bits is not None:
            key = f"{layer_name} out"
            if key not in self._converters:
                calibrated = crossbar.with_converters(inputs.T, dac=None, adc=h.adc_bits)
                assert calibrated.settings.adc is not None
                self._converters[key] = calibrated.settings.adc
            crossbar = crossbar.with_adc(self._converters[key])
        z = crossbar.apply(inputs, self._generator(rng) if h.read is not None else None)
        if bias is not None and not h.arrays:
            z = z + bias
        return z.reshape(*x.shape[:-1], weight.shape[1]).astype(x.dtype, copy=False)

    def outputs(
        self, layer_name: str, z: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """What is read: states of DDK cells with read noise and wear, then the converter."""
        if not self._on_chip(layer_name):
            return z
        h = self.hardware
        if layer_name in self._states:
            if h.endurance is not None:
                z = h.endurance.features(z, h.cycles, h.pulse_width)
            if h.read is not None:
                window = h.mapping.window
                # noise is of the conductance, states are shares of the window
                deviation = np.sqrt(h.read.variance(window.low + window.span * z)) / window.span
                noise = self._generator(rng).standard_normal(z.shape)
                z = (z + deviation * noise).astype(z.dtype, copy=False)
        if h.quantisation is not None:
            z = h.quantisation.outputs(layer_name, z, rng)
        return z

    # -- for who holds the chip

    def calibrate(self, network: Any, x: np.ndarray) -> None:
        """Set the ranges of all converters on samples (no labels): one pass, layer by layer.

        ``network`` has ``logits(x, realise=..., rng=...)``.
        """
        self._converters.clear()
        if self.hardware.quantisation is not None and self.hardware.quantisation.activation_bits:
            self.hardware.quantisation.calibrate(network, x)
        network.logits(x, realise=self)

    def rewrite(self) -> None:
        """Forget what was written; each layer is written anew when it is next used."""
        self._written.clear()
        self.programmed.clear()

    # -- inside

    def _on_chip(self, layer_name: str) -> bool:
        return self.layers is None or layer_name in self.layers

    def _own(self, layer_name: str, purpose: int, turn: int = 0) -> np.random.Generator:
        # One stream for each layer and purpose (2 devices of a DDK layer, 3 writing, 4 cells that
        # never worked, 5 worn-out cells, 6 traps): what one effect draws does not move another's.
        name = zlib.crc32(layer_name.encode())
        return np.random.default_rng([int(self.seed or 0), purpose, name, turn])

    def _generator(self, rng: np.random.Generator | None) -> np.random.Generator:
        return generator(rng if rng is not None else self._reads, "a fresh chip")

    def _quantised(
        self, layer_name: str, weight: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        q = self.hardware.quantisation
        return weight if q is None else q.weights(layer_name, weight, rng)

    def _converter(self, key: str, bits: int, values: np.ndarray) -> Converter:
        if key not in self._converters:
            self._converters[key] = Converter.fitted(bits, values)
        return self._converters[key]

    def _with_write_error(self, weight: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """The normal error without the cells themselves: that of two cells is one normal number."""
        h = self.hardware
        held = h.mapping.held(weight)
        if h.write is None:
            return held
        dtype = np.float32 if weight.dtype == np.float32 else np.float64
        noise = self._generator(rng).standard_normal(weight.shape, dtype=dtype)
        # the two cells' mean errors cancel in their difference, their variances add
        noise *= dtype(np.sqrt(2) * h.write.deviation / h.mapping.scale(held))
        noise += held
        return noise

    def _crossbar(
        self, layer_name: str, matrix: np.ndarray, rng: np.random.Generator | None
    ) -> Crossbar:
        """The written array of a layer; a chip keeps it until the weights change."""
        h = self.hardware
        if self.fresh:
            draw = self._generator(rng)
            written = write_layer(h, matrix, draw, h.failed(self._shape(matrix), draw, draw))
            if h.telegraph is None:
                return written.crossbar
            return written.crossbar.changed(h.telegraph.traps(written.cells.shape, draw).seen)
        last = self._written.get(layer_name)
        if last is None or not np.array_equal(last[0], matrix):
            # written again it has new write errors, but the same failed cells
            turn = 0 if last is None else last[2] + 1
            start = None if last is None else last[1].cells
            failed = h.failed(
                self._shape(matrix), self._own(layer_name, 4), self._own(layer_name, 5)
            )
            written = write_layer(h, matrix, self._own(layer_name, 3, turn), failed, start)
            last = self._written[layer_name] = (matrix.copy(), written, turn)
            if written.programming is not None:
                self.programmed[layer_name] = written.programming
        crossbar = last[1].crossbar
        if h.telegraph is not None:
            traps = h.telegraph.traps(crossbar.conductance.shape, self._own(layer_name, 6))
            crossbar = crossbar.changed(traps.anew(self._generator(rng)).seen)
        return crossbar

    def _shape(self, matrix: np.ndarray) -> tuple[int, int]:
        layout = layout_of(matrix.shape, self.hardware.tile, self.hardware.mapping)
        return (layout.columns, matrix.shape[1])


@dataclass(frozen=True)
class WrittenLayer:
    """An array in use; ``cells`` [S] (columns, inputs) as left by writing, before any drift."""

    crossbar: Crossbar
    cells: np.ndarray
    programming: Programming | None


def write_layer(
    hardware: Hardware,
    matrix: np.ndarray,
    rng: np.random.Generator,
    failed: np.ndarray | None,
    start: np.ndarray | None = None,
) -> WrittenLayer:
    """Write a matrix (outputs, inputs): errors or pulses, failed and worn cells, then drift.

    Parameters
    ----------
    failed : ndarray or None
        Map of failed cells as of `Faults.draw`, (columns, inputs).
    start : ndarray or None, S, optional
        Conductances of the cells before, where they are written by pulses.

    Raises
    ------
    InputError
        Weights beyond the window, targets that make no sense.
    """
    h = hardware
    ideal = Crossbar(matrix, CrossbarSettings(mapping=h.mapping, tile=h.tile))
    window = h.mapping.window
    worn = None if h.endurance is None else h.endurance.worn(h.cycles, h.pulse_width)
    cells = ideal.conductance
    if worn is not None:
        cells = np.clip(cells, worn.low, worn.high)
    programming = None
    if h.cells is not None:
        options: dict[str, Any] = dict(h.programming)
        programming = write_and_verify(
            h.cells, cells, rng=rng, start=start, failed=failed, read=h.read, **options
        )
        cells = programming.conductance
    elif h.write is not None:
        cells = h.write.written(cells, rng)
        if worn is not None:
            cells = np.clip(cells, worn.low, worn.high)
    cells = with_faults(cells, failed, window)
    used = cells
    if h.retention is not None:
        energies = h.retention.cells(cells.shape, rng) if h.retention.spread else None
        used = h.retention.after(cells, h.age, h.temperature or "20 degC", energies)
    settings = CrossbarSettings(
        mapping=h.mapping,
        tile=h.tile,
        lines=h.lines,
        solver=h.solver,
        access=h.access,
        read=h.read,
        subtract=h.subtract,
        temperature=h.temperature,
        conduction=h.conduction,
    )
    return WrittenLayer(ideal.rebuilt(used, failed, settings), cells, programming)
