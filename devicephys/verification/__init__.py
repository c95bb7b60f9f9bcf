"""Is the solver right? Manufactured and closed-form solutions, balances, on the user's machine.

``run`` gives the table that ``ddk-device verify`` prints. All tests go through the equations,
Newton's method and the time stepper that ``simulate`` uses. Modules: ``manufactured`` (orders of
convergence), ``closed_forms`` (heat, resistance, load lines, vacancies at rest), ``burgers``
(bounded drift with site exclusion), ``balances`` (balances, scaling, ranks), ``cells`` (devices
and runs for these), ``table`` (rows).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devicephys.verification.table import Row


def run(quick: bool = False) -> list[Row]:
    """The rows (test, quantity, target, measured, passed) of the verification table.

    ``quick`` takes coarser meshes for the manufactured solutions, tests the order in time for all
    terms together only, and the balances on the preset "quick".

    Raises
    ------
    InstallationError : no finite-element stack or no C compiler.
    SolverError : the solver gave up on one of the problems.
    """
    from devicephys.installation import require_solver

    require_solver()
    from devicephys.verification import balances, burgers, closed_forms, manufactured

    return [
        *manufactured.rows(quick),
        *closed_forms.rows(),
        *burgers.rows(),
        *balances.rows(quick),
    ]


__all__ = ["run"]
