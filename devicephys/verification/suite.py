"""All rows of the verification."""

from __future__ import annotations

from devicephys.installation import require_solver
from devicephys.verification.table import Row

__all__ = ["run"]


def run(quick: bool = False) -> list[Row]:
    """The rows (test, quantity, target, measured, passed) of the verification table.

    ``quick`` takes coarser meshes for the manufactured solutions, tests the order in time for all
    terms together only, and the balances on the preset "quick".

    Raises
    ------
    InstallationError
        No finite-element stack or no C compiler.
    SolverError
        The solver gave up on one of the problems.
    """
    require_solver()
    from devicephys.verification import (  # optional: the finite-element stack
        balances,
        burgers,
        closed_forms,
        manufactured,
        metals,
    )

    return [
        *manufactured.rows(quick),
        *closed_forms.rows(),
        *metals.rows(),
        *burgers.rows(),
        *balances.rows(quick),
    ]
