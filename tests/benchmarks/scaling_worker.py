"""One mesh on the ranks it is started with: seconds of a Newton iteration by part and solver.

``mpiexec -n 2 python tests/benchmarks/scaling_worker.py default 2`` measures the preset "default"
with every cell halved along both axes; rank 0 prints a line of JSON after ``RESULT`` for each
linear solver that is done, the last of them with all. Used by ``scaling.py``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import devicephys
from devicephys.fem.assembly import prepare
from devicephys.fem.equations import State
from devicephys.fem.stepper import StepLimits, Stepper
from devicephys.protocol.waveform import Waveform
from devicephys.simulation.settings import Settings

from mpi4py import MPI  # isort: skip  (after devicephys.fem, which sets both up)
from petsc4py import PETSc  # isort: skip

#: the sweep the time steps are taken from: to -1 V at 100 V/s in three steps
VOLTAGE, RATE, STEPS = -1.0, 100.0, 3
#: seconds spent on the repetitions of one measurement, and the most of them
BUDGET, REPEATS = 1.5, 15
#: change of voltage of the Newton step that is solved, as a share
KICK = 0.05

Options = dict[str, Any]


def direct(package: str, **more: Any) -> Options:
    """Options of a factorisation by ``package``."""
    names = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": package}
    return names | more


def mumps(ordering: int, **more: Any) -> Options:
    """MUMPS with an ordering (ICNTL(7)) and without permutation and scaling."""
    plain = {"mat_mumps_icntl_7": ordering, "mat_mumps_icntl_6": 0, "mat_mumps_icntl_8": 0}
    return direct("mumps", **(plain | more))


ITERATIVE = {
    "ksp_type": "fgmres",
    "ksp_gmres_restart": 200,
    "ksp_rtol": 1e-8,
    "ksp_max_it": 400,
}
SPLIT = {
    **ITERATIVE,
    "pc_type": "fieldsplit",
    "pc_fieldsplit_type": "multiplicative",
}
#: these know one rank only
SERIAL = ("PETSc LU, nested dissection", "FGMRES, ILU(0)", "FGMRES, ILU(2)")

SOLVERS: dict[str, Options] = {
    "MUMPS as it comes": direct("mumps"),
    "MUMPS, AMD": mumps(0),
    "MUMPS, AMF": mumps(2),
    "MUMPS, SCOTCH": mumps(3),
    "MUMPS, PORD": mumps(4),
    "MUMPS, METIS": mumps(5),
    "MUMPS, METIS, no pivoting": mumps(5, mat_mumps_cntl_1=0.0),
    "MUMPS, QAMD": mumps(6),
    "SuperLU_DIST": direct("superlu_dist"),
    "SuperLU_DIST, MMD, no permutation": direct(
        "superlu_dist",
        mat_superlu_dist_colperm="MMD_AT_PLUS_A",
        mat_superlu_dist_rowperm="NOROWPERM",
        mat_superlu_dist_equil=False,
    ),
    "PETSc LU, nested dissection": direct("petsc", pc_factor_mat_ordering_type="nd"),
    "FGMRES, ILU(0)": {**ITERATIVE, "pc_type": "ilu", "pc_factor_mat_ordering_type": "rcm"},
    "FGMRES, ILU(2)": {
        **ITERATIVE,
        "pc_type": "ilu",
        "pc_factor_levels": 2,
        "pc_factor_mat_ordering_type": "rcm",
    },
    "FGMRES, block Jacobi, ILU(2)": {
        **ITERATIVE,
        "pc_type": "bjacobi",
        "sub_pc_type": "ilu",
        "sub_pc_factor_levels": 2,
        "sub_pc_factor_mat_ordering_type": "rcm",
    },
    "FGMRES, additive Schwarz, LU": {
        **ITERATIVE,
        "pc_type": "asm",
        "pc_asm_overlap": 4,
        "sub_pc_type": "lu",
        "sub_pc_factor_mat_ordering_type": "nd",
    },
    "FGMRES, fields (V, T), n by MUMPS": {
        **SPLIT,
        "fieldsplit_u_pc_type": "lu",
        "fieldsplit_u_pc_factor_mat_solver_type": "mumps",
        "fieldsplit_u_ksp_type": "preonly",
        "fieldsplit_n_pc_type": "lu",
        "fieldsplit_n_pc_factor_mat_solver_type": "mumps",
        "fieldsplit_n_ksp_type": "preonly",
    },
    "FGMRES, fields V, T by multigrid, n": {
        **SPLIT,
        "fieldsplit_V_pc_type": "gamg",
        "fieldsplit_V_ksp_type": "preonly",
        "fieldsplit_T_pc_type": "gamg",
        "fieldsplit_T_ksp_type": "preonly",
        "fieldsplit_n_pc_type": "bjacobi",
        "fieldsplit_n_sub_pc_type": "ilu",
        "fieldsplit_n_ksp_type": "preonly",
    },
}


def seconds_of(job: Callable[[], object], comm: MPI.Intracomm) -> float:
    """Seconds of the fastest repetition of a job, the slowest rank counting."""
    spent: list[float] = []
    while len(spent) < REPEATS and (len(spent) < 2 or sum(spent) < BUDGET):
        comm.Barrier()
        start = time.perf_counter()
        job()
        spent.append(comm.allreduce(time.perf_counter() - start, op=MPI.MAX))
    return min(spent)


def split_fields(problem: Any, pc: PETSc.PC, names: str) -> None:
    """Tell a field-split preconditioner which rows are whose."""
    start = problem.matrix.getOwnershipRange()[0]
    nu, nc = problem.nu, problem.nc
    rows = {
        "u": np.arange(nu),
        "V": np.arange(0, nu, 2),
        "T": np.arange(1, nu, 2),
        "n": np.arange(nu, nu + nc),
    }
    sets = [
        (name, PETSc.IS().createGeneral((rows[name] + start).astype(np.int32), comm=problem.comm))
        for name in names
    ]
    pc.setFieldSplitIS(*sets)


def run_solver(
    problem: Any, name: str, options: Options, right: np.ndarray, exact: np.ndarray | None
) -> dict[str, Any]:
    """Seconds of set-up and solution, iterations and error of one linear solver."""
    matrix, comm = problem.matrix, problem.comm
    prefix = f"bench{list(SOLVERS).index(name)}_"
    database = PETSc.Options()
    for key, value in options.items():
        database[prefix + key] = value
    ksp = PETSc.KSP().create(comm)
    try:
        ksp.setOptionsPrefix(prefix)
        ksp.setOperators(matrix)
        ksp.setFromOptions()
        if options["pc_type"] == "fieldsplit":
            split_fields(problem, ksp.getPC(), "VTn" if "fieldsplit_V_pc_type" in options else "un")
        b, x = matrix.createVecRight(), matrix.createVecRight()
        b.setArray(right)
        start = time.perf_counter()
        ksp.setUp()
        ksp.setUpOnBlocks()
        ksp.solve(b, x)
        first = time.perf_counter() - start

        def renew() -> None:
            matrix.assemble()  # counts as changed: the factors are renewed, the ordering kept
            ksp.setOperators(matrix)
            ksp.setUp()
            ksp.setUpOnBlocks()

        def touch() -> None:
            problem.assemble_jacobian()

        touch()
        both = seconds_of(lambda: (touch(), renew()), comm)
        setup = max(both - seconds_of(touch, comm), 0.0)
        renew()
        ksp.setInitialGuessNonzero(False)
        solve = seconds_of(lambda: ksp.solve(b, x), comm)
        found = x.getArray().copy()
        error = 0.0
        if exact is not None:
            sizes = []
            for part in (slice(0, problem.nu, 2), slice(1, problem.nu, 2), slice(problem.nu, None)):
                far = np.abs(found[part] - exact[part]).max(initial=0.0)
                sizes.append(problem.maximum(far, np.abs(exact[part]).max(initial=0.0)))
            error = max(far / size for far, size in sizes if size)
        reason = ksp.getConvergedReason()
        return {
            "first": first,
            "setup": setup,
            "solve": solve,
            "iterations": ksp.getIterationNumber(),
            "error": error if np.isfinite(error) else None,
            "failure": "" if reason > 0 else f"does not converge (reason {reason})",
            "found": found if reason > 0 else None,
        }
    except PETSc.Error as error:
        return {"failure": f"PETSc error {error.ierr}", "found": None}
    finally:
        ksp.destroy()


def tell(result: dict[str, Any]) -> None:
    """Print what there is so far: a solver that hangs or aborts does not take the others along."""
    if MPI.COMM_WORLD.rank == 0:
        print("RESULT " + json.dumps(result), flush=True)


def measure(preset: str, split: int, wanted: list[str]) -> None:
    """Measure one mesh and print its figures."""
    comm = MPI.COMM_WORLD
    device = devicephys.load_device("tin-taox-hfox-tin")
    # one rank and two are to solve alike
    settings = Settings.preset(preset, mesh_split=split, kernel="forms")
    problem, adaptive, initial = prepare(device, settings, comm)
    end = abs(VOLTAGE) / RATE
    stepper = Stepper(problem, adaptive.solver, StepLimits(fixed=end / STEPS, shortest=1e-12))
    ramp = Waveform.from_si([0.0, end], [0.0, VOLTAGE])
    problem.watch.seconds.clear()
    start = time.perf_counter()
    for step in stepper.run(initial, ramp.voltage, ramp.corners, end / STEPS):
        last = step.state
    spent = time.perf_counter() - start
    iterations = stepper.statistics.newton_iterations
    parts = {name: total / iterations for name, total in problem.watch.seconds.items()}
    result: dict[str, Any] = {
        "preset": preset,
        "split": split,
        "ranks": comm.size,
        "unknowns": problem.unknowns,
        "newton_iterations": iterations,
        "factorisations": stepper.statistics.factorisations,
        "parts": parts | {"all": spent / iterations},
    }
    kicked = State(last.u.copy(), last.n.copy(), last.contact * (1 + KICK))
    kicked.u[0::2] *= 1 + KICK
    problem.load(kicked)
    problem.assemble_jacobian()
    right = -problem.constrain(problem.raw_residual(), kicked)
    result["entries"] = int(problem.matrix.getInfo(PETSc.Mat.InfoType.GLOBAL_SUM)["nz_used"])
    exact = None
    result["solvers"] = {}
    reference = "MUMPS as it comes"
    for name in (reference, *(name for name in SOLVERS if name != reference)):
        if name != reference and wanted and name not in wanted:
            continue
        if comm.size > 1 and name in SERIAL:
            continue
        if comm.rank == 0:
            sys.stderr.write(f"  {preset} x{split}, {comm.size} rank(s): {name}\n")
        found = run_solver(problem, name, SOLVERS[name], right, exact)
        solution = found.pop("found")
        exact = solution if exact is None else exact
        result["solvers"][name] = found
        tell(result)


if __name__ == "__main__":
    measure(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
