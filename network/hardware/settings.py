"""`Hardware`: what a chip is like, in one frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.units import to_si
from network.hardware.arrays.converters import checked_bits
from network.hardware.arrays.lines import LineResistance
from network.hardware.cells.cells import CellModel
from network.hardware.cells.conductance import ConductionActivation, Mapping
from network.hardware.cells.kinetics_noise import (
    ARTICLE_KINETICS_NOISE,
    KineticsNoise,
    TableKinetics,
)
from network.hardware.cells.noise import (
    ARTICLE_WRITE_ERROR,
    Faults,
    ReadNoise,
    TelegraphNoise,
    WriteError,
)
from network.hardware.cells.quantisation import Quantisation
from network.hardware.cells.reliability import Endurance, Retention

__all__ = ["Hardware", "article"]


@dataclass(frozen=True)
class Hardware:
    """What a chip is like; every part may be left out, which leaves it exact.

    Attributes
    ----------
    mapping : Mapping, optional
        Mapping of weights to cells.
    write : WriteError or None, optional
        Normal error of written cells; ``cells`` may take its place.
    cells : CellModel or None, optional
        A model of cells, written by `write_and_verify`.
    programming : tuple of tuple of (str, object), default ()
        Options of `write_and_verify`.
    faults : Faults or None, optional
        Shares of failed cells.
    read : ReadNoise or None, optional
        Noise of each cell in each read, synapses and DDK cells.
    telegraph : TelegraphNoise or None, optional
        Random telegraph noise of the synapses; a chip keeps its traps, while which are full is
        drawn anew for each call.
    retention : Retention or None, optional
        Drift of the synapses for ``age`` at ``temperature``.
    age : str or None, optional
        How long they drift, as text, e.g. "1 day".
    temperature : str or None, optional
        Temperature as text; alone it changes conductances by ``conduction``.
    kinetics : KineticsNoise, TableKinetics or None, optional
        Scatter of alpha and beta.
    quantisation : Quantisation or None, optional
        Quantisation of weights and activations, before the other errors and after them.
    endurance : Endurance or None, optional
        Wear of DDK cells and synapses after ``cycles``.
    cycles : float, default 0.0
        Number of cycles that they have had.
    pulse_width : str or None, optional
        Width of the DDK layer's pulses as text, where the onset of wear depends on it.
    arrays : bool, default False
        Whether products are computed on tiles with ``lines``, ``solver``, ``access``, ``dac_bits``,
        ``adc_bits``; otherwise only the weights are replaced, which is faster.
    tile : pair of int, default (128, 128)
        As in `CrossbarSettings`.
    subtract : str, default "digital"
        As in `CrossbarSettings`.
    """

    mapping: Mapping = Mapping()  # noqa: RUF009 - frozen
    write: WriteError | None = None
    cells: CellModel | None = None
    programming: tuple[tuple[str, Any], ...] = ()
    faults: Faults | None = None
    read: ReadNoise | None = None
    telegraph: TelegraphNoise | None = None
    retention: Retention | None = None
    age: str | None = None
    temperature: str | None = None
    conduction: ConductionActivation = ConductionActivation()  # noqa: RUF009 - frozen
    kinetics: KineticsNoise | TableKinetics | None = None
    quantisation: Quantisation | None = None
    endurance: Endurance | None = None
    cycles: float = 0.0
    pulse_width: str | None = None
    arrays: bool = False
    tile: tuple[int, int] = (128, 128)
    lines: LineResistance | None = None
    solver: str = "exact"
    access: float = 0.0
    dac_bits: int | None = None
    adc_bits: int | None = None
    subtract: str = "digital"

    def __post_init__(self) -> None:
        if self.write is not None and self.cells is not None:
            raise InputError("both a write error and cells to be written", "write, cells")
        if (self.age is None) != (self.retention is None):
            raise InputError("retention and age belong together", "retention, age")
        if self.age is not None:
            to_si(self.age, "s", "age")
        if self.temperature is not None:
            to_si(self.temperature, "K", "temperature")
        for name in ("dac_bits", "adc_bits"):
            if getattr(self, name) is not None:
                checked_bits(getattr(self, name), name)
        if self.cycles and self.endurance is None:
            raise InputError("cycles need an endurance", "cycles")
        on_arrays = self.lines is not None or self.access or self.dac_bits or self.adc_bits
        if on_arrays and not self.arrays:
            raise InputError(
                "line and access resistance and converters need arrays", "arrays", "arrays=True"
            )
        options = {"tolerance", "max_pulses", "reads", "read_voltage", "read_time", "outside"}
        for name, _ in self.programming:
            if name not in options:
                raise InputError(
                    f"unknown option {shorten(name)}", "programming", ", ".join(sorted(options))
                )

    @property
    def needs_product(self) -> bool:
        """Whether weights alone do not say what a product gives."""
        return self.arrays or self.read is not None

    @property
    def only_write_error(self) -> bool:
        """Whether a write error of pairs is all that befalls the weights."""
        effects = (self.cells, self.faults, self.telegraph, self.retention, self.temperature)
        plain = all(effect is None for effect in effects) and self.endurance is None
        # a reference column's own error is shared by a tile
        return plain and (self.write is None or self.mapping.scheme == "differential")

    def failed(
        self, shape: tuple[int, int], built: np.random.Generator, worn: np.random.Generator
    ) -> np.ndarray | None:
        """A map of failed cells as `Faults.draw` gives it; None if there are none.

        Parameters
        ----------
        shape : pair of int
            Columns and inputs of the array.
        built, worn : numpy.random.Generator
            Generators that draw the cells that never worked, and those that wore out.
        """
        failed: np.ndarray | None = None
        wear_out = None if self.endurance is None else self.endurance.failed(self.cycles)
        for faults, rng in ((self.faults, built), (wear_out, worn)):
            if faults is not None and faults.total > 0:
                drawn = faults.draw(shape, rng)
                failed = drawn if failed is None else np.where(failed > 0, failed, drawn)
        return failed


def article(**changes: Any) -> Hardware:
    """The imprecision of the authors' code: window 6.1-202.1 uS, write error 0.203 +- 1.147 uS,
    deviations of alpha 0.0187 x 5.1 and beta 0.0541 x 5.1; ``changes`` are fields of `Hardware`."""
    fields: dict[str, Any] = {"write": ARTICLE_WRITE_ERROR, "kinetics": ARTICLE_KINETICS_NOISE}
    return Hardware(**{**fields, **changes})
