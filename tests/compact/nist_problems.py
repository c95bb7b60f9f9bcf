"""The 27 non-linear regression problems of NIST's Statistical Reference Datasets.

The files in ``nist/`` are NIST's own (https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml,
works of the United States government, in the public domain in the United States), unchanged; the
copies were taken from the source tree of lmfit. The models are written from the formulas in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "nist"
Formula = Callable[[Any, Any], Any]


def _gauss(b: Any, x: Any) -> Any:
    return (
        b[0] * np.exp(-b[1] * x)
        + b[2] * np.exp(-(((x - b[3]) / b[4]) ** 2))
        + b[5] * np.exp(-(((x - b[6]) / b[7]) ** 2))
    )


def _lanczos(b: Any, x: Any) -> Any:
    return b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-b[3] * x) + b[4] * np.exp(-b[5] * x)


def _cubic(b: Any, x: Any) -> Any:
    top = b[0] + x * (b[1] + x * (b[2] + x * b[3]))
    return top / (1 + x * (b[4] + x * (b[5] + x * b[6])))


def _enso(b: Any, x: Any) -> Any:
    turn = 2 * np.pi * x
    return (
        b[0]
        + b[1] * np.cos(turn / 12)
        + b[2] * np.sin(turn / 12)
        + b[4] * np.cos(turn / b[3])
        + b[5] * np.sin(turn / b[3])
        + b[7] * np.cos(turn / b[6])
        + b[8] * np.sin(turn / b[6])
    )


def _saturating(b: Any, x: Any) -> Any:
    return b[0] * (1 - np.exp(-b[1] * x))


def _chwirut(b: Any, x: Any) -> Any:
    return np.exp(-b[0] * x) / (b[1] + b[2] * x)


MODELS: dict[str, Formula] = {
    "Bennett5": lambda b, x: b[0] * (b[1] + x) ** (-1 / b[2]),
    "BoxBOD": _saturating,
    "Chwirut1": _chwirut,
    "Chwirut2": _chwirut,
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "ENSO": _enso,
    "Eckerle4": lambda b, x: b[0] / b[1] * np.exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Gauss1": _gauss,
    "Gauss2": _gauss,
    "Gauss3": _gauss,
    "Hahn1": _cubic,
    "Kirby2": lambda b, x: (b[0] + x * (b[1] + x * b[2])) / (1 + x * (b[3] + x * b[4])),
    "Lanczos1": _lanczos,
    "Lanczos2": _lanczos,
    "Lanczos3": _lanczos,
    "MGH09": lambda b, x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
    "MGH10": lambda b, x: b[0] * np.exp(b[1] / (x + b[2])),
    "MGH17": lambda b, x: b[0] + b[1] * np.exp(-x * b[3]) + b[2] * np.exp(-x * b[4]),
    "Misra1a": _saturating,
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x / 2) ** -2),
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5),
    "Misra1d": lambda b, x: b[0] * b[1] * x / (1 + b[1] * x),
    "Nelson": lambda b, x: b[0] - b[1] * x[0] * np.exp(-b[2] * x[1]),
    "Rat42": lambda b, x: b[0] / (1 + np.exp(b[1] - b[2] * x)),
    "Rat43": lambda b, x: b[0] / (1 + np.exp(b[1] - b[2] * x)) ** (1 / b[3]),
    "Roszman1": lambda b, x: b[0] - b[1] * x - np.arctan(b[2] / (x - b[3])) / np.pi,
    "Thurber": _cubic,
}


@dataclass(frozen=True)
class Problem:
    """One problem: data, both starts, certified values, their errors and the residual sum."""

    name: str
    x: np.ndarray
    y: np.ndarray
    starts: tuple[np.ndarray, np.ndarray]
    certified: np.ndarray
    errors: np.ndarray
    residual_sum: float

    def model(self, b: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (m, n) and Jacobian (p, m, n), the latter by complex steps."""
        formula = MODELS[self.name]
        residual = np.stack([formula(row, self.x) - self.y for row in b], axis=1)
        columns = []
        for i in range(b.shape[1]):
            shifted = b.astype(complex)
            shifted[:, i] += 1e-200j
            parts = [np.imag(formula(row, self.x)) / 1e-200 for row in shifted]
            columns.append(np.stack(parts, axis=1))
        return residual, np.stack(columns)


def read(name: str) -> Problem:
    """Read one of NIST's files."""
    lines = (FOLDER / f"{name}.dat").read_text(encoding="ascii").splitlines()
    rows = [line.split("=")[1].split() for line in lines[40:60] if line.strip().startswith("b")]
    table = np.array(rows, float)
    total = next(line for line in lines if line.startswith("Residual Sum of Squares"))
    data = np.array([line.split() for line in lines[60:] if line.strip()], float)
    y, x = data[:, 0], data[:, 1:].T
    return Problem(
        name,
        x[0] if name != "Nelson" else x,
        np.log(y) if name == "Nelson" else y,
        (table[:, 0], table[:, 1]),
        table[:, 2],
        table[:, 3],
        float(total.split(":")[1]),
    )


def digits(found: np.ndarray, certified: np.ndarray) -> float:
    """Significant digits of the worst parameter (NIST's LRE), at most 11."""
    error = np.abs(found - certified) / np.abs(certified)
    return float(min(11.0, -np.log10(max(error.max(), 1e-11))))
