"""What a pulse train amounts to: the compact kinetics of a cell and their two coefficients.

>>> import compact
>>> found = compact.fit.fit(trace)            # one train: an AlphaBetaFit
>>> found.alpha, found.beta_stderr
>>> many = compact.fit_many(conductance)      # many at once: a dataset

Everything here is loaded on first use: the package needs no finite-element stack, and its import
takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compact import fit as fit
    from compact import kinetics as kinetics
    from compact import patterns as patterns
    from compact import simplified as simplified
    from compact.estimator import AlphaBetaRegressor as AlphaBetaRegressor
    from compact.fit import fit_many as fit_many
    from compact.foreign import read_pulses as read_pulses
    from compact.intervals import intervals as profile_intervals
    from compact.result import AlphaBetaFit as AlphaBetaFit
    from compact.simplified import SimplifiedMemristor as SimplifiedMemristor
    from compact.table import AlphaBetaTable as AlphaBetaTable
    from compact.update_laws import compare_laws as compare_laws
    from compact.update_laws import laws_table as laws_table

_CALLED = {"profile_intervals": "intervals"}  # in its module
_MODULES = ("fit", "kinetics", "patterns", "simplified")
_NAMES = {
    "AlphaBetaFit": "compact.result",
    "AlphaBetaRegressor": "compact.estimator",
    "AlphaBetaTable": "compact.table",
    "SimplifiedMemristor": "compact.simplified",
    "compare_laws": "compact.update_laws",
    "fit_many": "compact.fit",
    "laws_table": "compact.update_laws",
    "profile_intervals": "compact.intervals",
    "read_pulses": "compact.foreign",
}

__all__ = [
    "AlphaBetaFit",
    "AlphaBetaRegressor",
    "AlphaBetaTable",
    "SimplifiedMemristor",
    "compare_laws",
    "fit",
    "fit_many",
    "kinetics",
    "laws_table",
    "patterns",
    "profile_intervals",
    "read_pulses",
    "simplified",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"compact.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), _CALLED.get(name, name))
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
