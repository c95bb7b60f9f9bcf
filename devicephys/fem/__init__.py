"""How the fields are solved: the only folder that imports dolfinx.

Modules: ``mesh`` (graded grid), ``fluxes`` (property laws and the three fluxes), ``equations``
(residual and Jacobian), ``newton`` (monolithic), ``staggered`` (field by field), ``stepper`` (BDF2
in time), ``observables`` (currents, balances, fields on the grid), ``kernel`` (residual, Jacobian
and LU as compiled C), ``linear`` (the same with the forms and a sparse solver).
"""

import os

import h5py  # noqa: F401  (before PETSc: see devicephys/__init__.py)
import petsc4py

from ddkbase.installation import has_launcher

# A process without others has nobody to talk to, but UCX, which carries MPI's messages, would open
# a port on every address of the machine.
if not has_launcher():
    os.environ.setdefault("UCX_TLS", "self,sm")

from mpi4py import MPI  # noqa: F401  (first: it loads the MPI library that PETSc links to)

# Without this PETSc answers SIGTERM and Ctrl-C itself, by aborting the process.
petsc4py.init(["ddk-toolkit", "-no_signal_handler"])
