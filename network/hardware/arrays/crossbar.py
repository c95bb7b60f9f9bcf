"""`Crossbar`: an array of cells that multiplies, and which cells of which tile hold which weight.

>>> y = Crossbar(weights, tile=(128, 128), lines=LineResistance.of("1 ohm")) @ x
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.units import format_si, to_si
from network.hardware.arrays.converters import Converter
from network.hardware.arrays.lines import LineResistance
from network.hardware.arrays.nodal import approximate_transfer, transfer_matrix
from network.hardware.cells.conductance import ConductionActivation, Mapping
from network.hardware.cells.noise import Faults, ReadNoise, WriteError, generator, with_faults

__all__ = ["Crossbar", "CrossbarSettings", "Layout", "layout_of"]


@dataclass(frozen=True)
class Layout:
    """Physical columns of a matrix (outputs, inputs), all of its column tiles side by side.

    Attributes
    ----------
    positive, negative : ndarray
        For each output, the column that carries it and the one subtracted.
    column_tiles, row_tiles : tuple of slice
        Slices of columns and of inputs that belong to one tile.
    columns : int
        Number of columns.
    """

    positive: np.ndarray
    negative: np.ndarray
    column_tiles: tuple[slice, ...]
    row_tiles: tuple[slice, ...]
    columns: int

    def columns_of(self, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
        """Cells by column (columns, inputs), of those by weight (outputs, inputs)."""
        out = np.empty((self.columns, positive.shape[1]))
        out[self.negative] = negative
        out[self.positive] = positive
        return out

    def differences(self, columns: np.ndarray) -> np.ndarray:
        """What each output is read as, (outputs, ...), of values by column (columns, ...)."""
        return np.asarray(columns[self.positive] - columns[self.negative])

    def sums(self, columns: np.ndarray) -> np.ndarray:
        """Sums of the two columns of each output."""
        return np.asarray(columns[self.positive] + columns[self.negative])


def layout_of(shape: tuple[int, ...], tile: Any, mapping: Mapping) -> Layout:
    """Place a matrix on tiles of ``tile`` = (rows, columns): inputs along the rows.

    Differential pairs are neighbours in one tile. With a reference column it is the last of each
    tile.

    Raises
    ------
    InputError
        A tile that holds no weight.
    """
    outputs, inputs = shape
    try:
        rows, columns = (int(n) for n in tile)
        whole = all(float(n).is_integer() for n in tile)
    except (TypeError, ValueError):
        raise InputError(f"{shorten(tile)} is not (rows, columns)", "tile") from None
    if not whole or rows < 1 or columns < 2:
        raise InputError(
            f"{rows} x {columns} cells hold no weight", "tile", "At least 1 row and 2 columns"
        )
    row_tiles = tuple(slice(k, min(k + rows, inputs)) for k in range(0, inputs, rows))
    index = np.arange(outputs)
    if mapping.scheme == "differential":
        each = columns // 2
        edges = [2 * k for k in range(0, outputs, each)] + [2 * outputs]
        positive, negative = 2 * index, 2 * index + 1
    else:
        each = columns - 1
        number = index // each
        positive = index + number
        last = np.minimum((number + 1) * each, outputs) + number
        negative = last
        edges = [k + k // each for k in range(0, outputs, each)]
        edges.append(outputs + (outputs + each - 1) // each)
    tiles = tuple(slice(a, b) for a, b in itertools.pairwise(edges))
    return Layout(positive, negative, tiles, row_tiles, edges[-1])


SOLVERS = ("exact", "fast")


@dataclass(frozen=True)
class CrossbarSettings:
    """What an array is like; all but the mapping and the tile may be left ideal.

    Attributes
    ----------
    mapping : Mapping, optional
        Scheme, conductance window, largest weight.
    tile : pair of int, default (128, 128)
        Rows and columns of one physical array.
    lines : LineResistance or None, optional
        Line resistances; None for ideal lines.
    solver : {"exact", "fast"}, default "exact"
        Exact nodal analysis of each tile, or a fast one (error in `Crossbar.line_error`).
    access : float, ohm, default 0.0
        Resistance of the open transistor in series with each cell.
    write : WriteError or None, optional
        Error of the written conductances.
    faults : Faults or None, optional
        Shares of failed cells.
    read : ReadNoise or None, optional
        Noise of each cell in each read.
    dac, adc : Converter or None, optional
        Converters of the inputs and of the columns of each tile (in units of the outputs).
    subtract : {"digital", "analog"}, default "digital"
        Where the two cells of a weight are subtracted: "digital", after the ADC, or "analog",
        before it.
    temperature : str or None, optional
        Temperature as text, with ``conduction`` the law; None leaves conductances as written.
    """

    mapping: Mapping = Mapping()  # noqa: RUF009 - frozen, nothing is shared that can change
    tile: tuple[int, int] = (128, 128)
    lines: LineResistance | None = None
    solver: str = "exact"
    access: float = 0.0
    write: WriteError | None = None
    faults: Faults | None = None
    read: ReadNoise | None = None
    dac: Converter | None = None
    adc: Converter | None = None
    subtract: str = "digital"
    temperature: str | None = None
    conduction: ConductionActivation = ConductionActivation()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            raise InputError(f"unknown solver {shorten(self.solver)}", "solver", "exact or fast")
        if self.subtract not in ("digital", "analog"):
            raise InputError(f"{shorten(self.subtract)}", "subtract", "Use 'digital' or 'analog'")
        if not (np.isfinite(self.access) and self.access >= 0):
            raise InputError(f"{shorten(self.access)} is no resistance", "access")
        if self.temperature is not None:
            to_si(self.temperature, "K", "temperature")


class Crossbar:
    """Cells that hold a matrix.

    Parameters
    ----------
    matrix : array_like, shape (outputs, inputs)
        The weights, any real numbers; ``crossbar @ x`` is what it makes of ``matrix @ x``.
    settings : CrossbarSettings or None, optional
        What the array is like; or give its fields as keywords.
    rng : numpy.random.Generator or None, optional
        Draws write errors and failed cells once, and read noise in each product.

    Attributes
    ----------
    conductance : ndarray, shape (columns, inputs), S
        Conductances of the cells by physical column.
    failed : ndarray or None
        Map of failed cells as of `Faults.draw`, same shape, or None.
    weights : ndarray, shape (outputs, inputs)
        The matrix as the array holds it, lines included.
    line_error : float
        Largest error of the fast solver over the tiles; 0 for the exact one.

    Raises
    ------
    InputError
        A matrix, a setting or a tile that makes no sense, weights beyond the window.

    Notes
    -----
    Without line resistance, noise, failed cells and converters ``crossbar @ x`` equals
    ``matrix @ x`` to the last bit: errors are kept as deviations from the wanted weights.
    """

    def __init__(
        self,
        matrix: Any,
        settings: CrossbarSettings | None = None,
        *,
        rng: np.random.Generator | None = None,
        failed: np.ndarray | None = None,
        **fields: Any,
    ) -> None:
        try:
            weights = np.asarray(matrix, float)
        except (TypeError, ValueError):
            raise InputError(f"{shorten(matrix)} is no matrix of numbers", "matrix") from None
        if weights.ndim != 2 or not weights.size:
            raise InputError(f"shape {weights.shape}, not (outputs, inputs)", "matrix")
        try:
            self.settings = replace(settings or CrossbarSettings(), **fields)
        except TypeError as error:
            raise InputError(str(error).split(") ")[-1], "crossbar") from None
        s = self.settings
        self.rng = rng
        self.ideal = s.mapping.held(weights)
        self.scale = s.mapping.scale(self.ideal)
        self.layout: Layout = layout_of(weights.shape, s.tile, s.mapping)
        self._target = self.layout.columns_of(*s.mapping.cells(self.ideal))
        cells = self._target
        if s.write is not None:
            cells = s.write.written(cells, generator(rng, "a write error"))
        if failed is None and s.faults is not None and s.faults.total > 0:
            failed = s.faults.draw(cells.shape, generator(rng, "failed cells"))
        if failed is not None and failed.shape != cells.shape:
            raise InputError(f"shape {failed.shape} for {cells.shape} cells", "failed")
        self.failed = failed
        self._set(with_faults(cells, failed, s.mapping.window))

    def _set(self, cells: np.ndarray) -> None:
        s = self.settings
        self.conductance = cells
        if s.temperature is not None:
            cells = s.conduction.at(cells, s.temperature)
        if s.access:  # cell and open transistor in series
            cells = cells / (1 + np.maximum(cells, 0.0) * s.access)
        self.line_error = 0.0
        if s.lines is not None and not s.lines.ideal:
            cells = self._through_lines(np.maximum(cells, 0.0), s.lines)
        self.seen = cells
        # Weights are the ideal ones plus what cells miss their targets by: where they miss nothing
        # the product is that of the matrix to the last bit, without rounding through siemens.
        deviation = self.layout.differences(cells - self._target) / self.scale
        self.weights = self.ideal + deviation if deviation.any() else self.ideal
        self._variance = None
        if s.read is not None:
            variance = self.layout.sums(s.read.variance(cells)) / self.scale**2
            self._variance = variance if variance.any() else None

    def _through_lines(self, cells: np.ndarray, lines: LineResistance) -> np.ndarray:
        """Transfer matrices of all tiles in the place of the cells."""
        out = np.empty_like(cells)
        for columns in self.layout.column_tiles:
            for rows in self.layout.row_tiles:
                tile = cells[columns, rows].T
                if self.settings.solver == "exact":
                    out[columns, rows] = transfer_matrix(tile, lines)
                else:
                    # the generator only measures the error, so it may be a fixed one
                    approximation = approximate_transfer(tile, lines, rng=np.random.default_rng(0))
                    out[columns, rows] = approximation.matrix
                    self.line_error = max(self.line_error, approximation.error)
        return out

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs."""
        return (self.ideal.shape[0], self.ideal.shape[1])

    @property
    def tiles(self) -> int:
        """Number of physical arrays."""
        return len(self.layout.row_tiles) * len(self.layout.column_tiles)

    @property
    def devices(self) -> int:
        """Number of cells in use."""
        return int(self.conductance.size)

    @property
    def conversions(self) -> int:
        """Analog-to-digital conversions of one product."""
        columns = self.shape[0] if self.settings.subtract == "analog" else len(self.conductance)
        return columns * len(self.layout.row_tiles)

    def __matmul__(self, x: Any) -> np.ndarray:
        """``matrix @ x`` as the array computes it, for x (inputs,) or (inputs, k)."""
        x = np.asarray(x)
        if x.ndim not in (1, 2) or x.shape[0] != self.shape[1]:
            raise InputError(f"shape {x.shape} for {self.shape[1]} inputs", "x")
        return self._product(x, self.rng)

    def apply(self, x: Any, rng: np.random.Generator | None = None) -> np.ndarray:
        """``x @ matrix.T`` as the array computes it, for x (..., inputs); (..., outputs).

        ``rng`` draws the read noise; the crossbar's own if None.
        """
        x = np.asarray(x)
        if x.ndim < 1 or x.shape[-1] != self.shape[1]:
            raise InputError(f"shape {x.shape} for {self.shape[1]} inputs", "x")
        flat = x.reshape(-1, x.shape[-1]).T
        y = self._product(flat, self.rng if rng is None else rng)
        return np.asarray(y.T.reshape(*x.shape[:-1], self.shape[0]))

    def _product(self, x: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        s = self.settings
        if s.dac is not None:
            x = s.dac.convert(x)
        if s.adc is None:
            y = self.weights @ x
            if self._variance is not None:
                y = y + self._noise(self._variance, x, rng)
            return np.asarray(y)
        # Converters act on each column of each tile, so the products are formed tile by tile.
        columns = self.seen / self.scale
        if s.subtract == "analog":
            columns = self.layout.differences(columns)
        read = None
        if self._variance is not None and s.read is not None:
            read = s.read.variance(self.seen) / self.scale**2
            read = self.layout.sums(read) if s.subtract == "analog" else read
        total = np.zeros((len(columns), *x.shape[1:]))
        for rows in self.layout.row_tiles:
            current = columns[:, rows] @ x[rows]
            if read is not None:
                current = current + self._noise(read[:, rows], x[rows], rng)
            total += s.adc.convert(current)
        return total if s.subtract == "analog" else self.layout.differences(total)

    def _noise(
        self, variance: np.ndarray, x: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """Sums over independent normal cells: one normal number for each output."""
        deviation = np.sqrt(variance @ (x * x))
        return deviation * generator(rng, "read noise").standard_normal(deviation.shape)

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Self:
        """The same array after its cells changed: drift, telegraph noise, another write.

        ``change`` takes and returns conductances [S] (columns, inputs); failed cells stay failed.
        """
        cells = np.asarray(change(self.conductance), float)
        if cells.shape != self.conductance.shape or not np.isfinite(cells).all():
            raise InputError("is no change of these cells", "change", "Keep shape and numbers")
        return self.rebuilt(cells, self.failed, self.settings)

    def rebuilt(
        self, cells: np.ndarray, failed: np.ndarray | None, settings: CrossbarSettings
    ) -> Self:
        """The same matrix with other cells [S] (columns, inputs), failed cells and settings; the
        mapping and the tile stay."""
        other = self._copy()
        other.settings = replace(settings, mapping=self.settings.mapping, tile=self.settings.tile)
        other.failed = failed
        other._set(with_faults(cells, failed, self.settings.mapping.window))
        return other

    def with_adc(self, adc: Converter | None) -> Self:
        """The same array with this ``adc`` (in units of the outputs), or with none."""
        other = self._copy()
        other.settings = replace(self.settings, adc=adc)
        return other

    def _copy(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def with_converters(self, x: Any, *, dac: int | None, adc: int | None) -> Self:
        """The same array with ``dac`` and ``adc`` bits (None: ideal), calibrated on x (inputs, k).


        Raises
        ------
        InputError
            Zero bits, inputs that do not fit.
        """
        x = np.asarray(x, float)
        if x.ndim != 2 or x.shape[0] != self.shape[1]:
            raise InputError(f"shape {x.shape} for {self.shape[1]} inputs", "x")
        to_array = None if dac is None else Converter.fitted(dac, x)
        if to_array is not None:
            x = to_array.convert(x)
        columns = self.seen / self.scale
        if self.settings.subtract == "analog":
            columns = self.layout.differences(columns)
        from_array = None
        if adc is not None:
            ends = [columns[:, rows] @ x[rows] for rows in self.layout.row_tiles]
            from_array = Converter.fitted(adc, np.stack(ends))
        other = self._copy()
        other.settings = replace(self.settings, dac=to_array, adc=from_array)
        return other

    def __repr__(self) -> str:
        s, window = self.settings, self.settings.mapping.window
        ends = f"{format_si(window.low, 'S')} to {format_si(window.high, 'S')}"
        return (
            f"Crossbar: {self.shape[0]} outputs x {self.shape[1]} inputs, {s.mapping.scheme}, "
            f"{self.tiles} tiles of {s.tile[0]} x {s.tile[1]}, {self.devices} cells of {ends}"
        )
