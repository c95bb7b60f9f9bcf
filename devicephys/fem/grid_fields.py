"""Fields of all ranks as arrays over the grid, and back: independent of how the mesh is divided.

The values are those of the solver, bit for bit, so a state put away and taken out again is the
same state, also on another number of ranks.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ddkbase.errors import InputError
from devicephys.fem.equations import CellProblem, State
from devicephys.fem.fluxes import CONCENTRATION


def collect_nodes(problem: CellProblem, u: np.ndarray) -> np.ndarray:
    """Potential and temperature on every node, shape (2, nz + 1, nr + 1), on every rank."""
    grid = problem.grid
    whole = np.zeros((2, len(grid.z), len(grid.r)))
    zi, ri = (index[: problem.nu // 2] for index in problem.node_index)
    whole[0, zi, ri], whole[1, zi, ri] = u[0::2], u[1::2]
    return _summed(problem, whole)


def spread_nodes(problem: CellProblem, whole: np.ndarray) -> np.ndarray:
    """The part of this rank, interleaved as in ``State.u``."""
    zi, ri = (index[: problem.nu // 2] for index in problem.node_index)
    u = np.empty(problem.nu)
    u[0::2], u[1::2] = whole[0, zi, ri], whole[1, zi, ri]
    return u


def collect_cells(problem: CellProblem, n: np.ndarray) -> np.ndarray:
    """Concentration (units of the solver) in every cell, shape (nz, nr), on every rank."""
    grid = problem.grid
    whole = np.zeros((len(grid.z) - 1, len(grid.r) - 1))
    zi, ri = (index[: problem.nc] for index in problem.cell_index)
    whole[zi, ri] = n
    return _summed(problem, whole)


def spread_cells(problem: CellProblem, whole: np.ndarray) -> np.ndarray:
    """The part of this rank, as in ``State.n``."""
    zi, ri = (index[: problem.nc] for index in problem.cell_index)
    return whole[zi, ri].copy()


def collect_state(problem: CellProblem, state: State, prefix: str) -> dict[str, np.ndarray]:
    """A state as arrays with names that begin with ``prefix``. Collective."""
    return {
        prefix + "u": collect_nodes(problem, state.u),
        prefix + "n": collect_cells(problem, state.n),
        prefix + "contact": np.array(state.contact),
    }


def spread_state(problem: CellProblem, arrays: dict[str, np.ndarray], prefix: str) -> State:
    """The state that ``collect_state`` put away.

    Raises
    ------
    KeyError
        The arrays are of another grid.
    IndexError
        The arrays are of another grid.
    """
    u, n = arrays[prefix + "u"], arrays[prefix + "n"]
    grid = problem.grid
    if u.shape != (2, len(grid.z), len(grid.r)):
        raise IndexError(f"fields of shape {u.shape[1:]}")
    return State(
        spread_nodes(problem, u), spread_cells(problem, n), float(arrays[prefix + "contact"])
    )


def end_fields(problem: CellProblem, state: State) -> dict[str, np.ndarray]:
    """What a record keeps of its last state, by name of its variables and coordinates. Collective.

    ``end_concentration`` [1/m^3] has shape (nz, nr) and is 0 in conductors.
    """
    grid = problem.grid
    return {
        "end_concentration": collect_cells(problem, state.n) * CONCENTRATION,
        "r": grid.r_centre,
        "z": grid.z_centre,
        "r_node": grid.r,
        "z_node": grid.z,
    }


def started_state(problem: CellProblem, start: xr.Dataset) -> State:
    """The cell at rest, with the vacancies that the record ``start`` ended with.

    Raises
    ------
    InputError
        The record holds no such state, or one on another mesh.
    """
    if "end_concentration" not in start:
        raise InputError(
            f"a record '{start.attrs.get('schema')}' of this version holds no state to start from",
            "start",
            "Give a loop, a waveform, a train or a bake of this version at one temperature",
        )
    for axis in ("r_node", "z_node"):
        line, own = start[axis].values, getattr(problem.grid, axis[0])
        if line.shape != own.shape or not np.allclose(line, own, rtol=1e-9, atol=0.0):
            raise InputError(
                "the record to start from is of another mesh",
                "start",
                "Take the preset and the layers of that run",
            )
    state = problem.initial_state()
    state.n[:] = spread_cells(problem, start["end_concentration"].values / CONCENTRATION)
    return state


def _summed(problem: CellProblem, whole: np.ndarray) -> np.ndarray:
    # every entry is owned by one rank and zero on the others
    return problem.comm.allreduce(whole) if problem.comm.size > 1 else whole
