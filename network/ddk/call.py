"""What a call of the DDK kinetics is given, checked, and the kernels that compute it."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from compact.kinetics.equations import INTEGRATORS, STATES
from ddkbase.errors import InputError, InstallationError, closest, shorten
from network.ddk import kernels_numpy
from network.ddk.layout import Layout, numbers

__all__ = ["BACKENDS", "FORMS", "STATES", "Call"]

#: sign of the drift in b = beta dt
FORMS = {"reset": 1.0, "set": -1.0}
BACKENDS = ("auto", "numpy", "numba")


@dataclass(frozen=True)
class Call:
    """The checked arguments of one call of `network.ddk.forward` or `backward`.

    ``factor`` is dt, and dt with the sign of the form.
    """

    x: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray
    initial: np.ndarray
    factor: tuple[float, float]
    layout: Layout
    kernels: ModuleType

    @classmethod
    def of(
        cls,
        x: Any,
        alpha: Any,
        beta: Any,
        initial: Any,
        axis: int,
        integrator: str,
        form: str,
        dt: float,
        states: str,
        backend: str,
    ) -> Call:
        """Check everything. Raises InputError, InstallationError."""
        for name, word, known in (
            ("integrator", integrator, INTEGRATORS),
            ("form", form, FORMS),
            ("states", states, STATES),
            ("backend", backend, BACKENDS),
        ):
            if word not in known:
                raise InputError(f"unknown {name} {shorten(word)}", name, closest(str(word), known))
        if not (np.isfinite(dt) and dt > 0):
            raise InputError(f"dt {shorten(dt)} is not a positive time", "dt")
        arrays = [
            numbers(v, n)
            for n, v in (("x", x), ("alpha", alpha), ("beta", beta), ("initial", initial))
        ]
        layout = Layout.of(arrays[0], arrays[1], arrays[2], axis)
        for name, array in zip(("alpha", "beta", "initial"), arrays[1:], strict=True):
            if not np.isfinite(array).all():
                raise InputError("holds NaN or infinity", name)
        if integrator != "explicit" and (arrays[1] < 0).any():
            raise InputError(
                "holds a negative number",
                "alpha",
                f"The {integrator} step is positive only for alpha >= 0: constrain it",
            )
        if not (arrays[3] > 0).all():
            raise InputError("is not positive", "initial")
        arrays[0] = np.require(arrays[0], layout.dtype, ["ALIGNED"])
        return cls(
            arrays[0],
            arrays[1],
            arrays[2],
            arrays[3],
            (dt, dt * FORMS[form]),
            layout,
            kernels(backend, integrator),
        )

    def checked_out(self, out: np.ndarray) -> np.ndarray:
        """``out``, if it can take the result."""
        shape, dtype = self.layout.shape, self.layout.dtype
        if out.shape != shape or out.dtype != dtype:
            raise InputError(
                f"an array {out.shape} of {out.dtype} cannot take {shape} of {dtype}", "out"
            )
        if not (out.flags.writeable and out.flags.aligned):
            raise InputError("cannot be written to, or is not aligned in memory", "out")
        return out

    def coefficients(self, split: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """a = alpha dt, b = beta dt (negative for SET) and the first state, for the kernels."""
        a = self.layout.coefficient(self.alpha, split)
        b = self.layout.coefficient(self.beta, split)
        kind = self.layout.dtype.type
        a = a if self.factor[0] == 1 else a * kind(self.factor[0])
        b = b if self.factor[1] == 1 else b * kind(self.factor[1])
        return a, b, self.layout.start(self.initial, split)


def kernels(backend: str, integrator: str) -> ModuleType:
    """The module whose `forward` and `backward` compute it. Raises InstallationError."""
    if backend == "numpy" or integrator == "exact":
        return kernels_numpy
    try:
        from network.ddk import kernels_numba
    except ImportError:
        if backend == "auto":
            return kernels_numpy
        raise InstallationError(
            "numba is not installed", "backend", "pip install 'ddk-toolkit[fast]', or take 'numpy'"
        ) from None
    return kernels_numba
