"""A sparse matrix that is collected entry by entry."""

from __future__ import annotations

import numpy as np
from scipy import sparse


class Entries:
    """Rows, columns and values of a sparse matrix; negative rows and columns are left out."""

    def __init__(self, rows: int, columns: int | None = None) -> None:
        self.shape = rows, rows if columns is None else columns
        self.parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        """Entries one by one."""
        self.parts.append((rows, columns, values))

    def pair(self, rows, a, b, columns, values) -> None:
        """Slopes of a flow out of cell a and into cell b."""
        self.parts += [(rows[a], columns, values), (rows[b], columns, -values)]

    def matrix(self) -> sparse.csr_matrix:
        """The sum of all entries."""
        rows, columns, values = (np.concatenate(x) for x in zip(*self.parts, strict=True))
        real = (rows >= 0) & (columns >= 0)
        return sparse.csr_matrix((values[real], (rows[real], columns[real])), self.shape)
