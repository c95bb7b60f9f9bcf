"""The map from input sequences to state sequences, and its reverse; see the package's text."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from compact.kinetics import kernels_numpy
from compact.kinetics.equations import STATES
from compact.kinetics.steps import INTEGRATORS
from ddkbase.errors import InputError, InstallationError, closest, shorten
from network.ddk.layout import Layout, numbers, reduce_to

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["BACKENDS", "FORMS", "STATES", "Gradients", "backward", "forward", "kernels"]

#: sign of the drift in b = beta dt
FORMS = {"reset": 1.0, "set": -1.0}
BACKENDS = ("auto", "numpy", "numba")


@dataclass(frozen=True)
class Gradients:
    """Derivatives of sum(gradient * y).

    Attributes
    ----------
    x : ndarray or None
        Derivative by x, of its shape and dtype; None where it was not wanted.
    alpha, beta, initial : ndarray
        Derivatives by these as float64, each of the shape of what was given.
    """

    x: np.ndarray | None
    alpha: np.ndarray
    beta: np.ndarray
    initial: np.ndarray


def forward(
    x: Any,
    alpha: Any,
    beta: Any,
    *,
    integrator: str = "implicit",
    form: str = "reset",
    initial: Any = 1.0,
    dt: float = 1.0,
    axis: int = -1,
    dim: str | None = None,
    states: str = "after",
    backend: str = "auto",
    out: np.ndarray | None = None,
) -> Any:
    """States of the kinetics under the input sequences ``x``.

    Parameters
    ----------
    x : array_like or xarray.DataArray
        Inputs without a unit, normally in [0, 1]; any shape with a time axis.
    alpha, beta : array_like or xarray.DataArray
        Diffusion and drift, >= 0 (alpha may be anything for the explicit step), in the unit of time
        in which ``dt`` counts; they broadcast against x, with one value or one a step on the time
        axis. DataArrays are matched by the names of their dimensions.
    integrator : {"implicit", "explicit", "exact"}, default "implicit"
        How the equation is integrated.
    form : {"reset", "set"}, default "reset"
        Whether the drift lowers the state or raises it.
    initial : array_like, default 1.0
        State before the first sample, > 0; broadcasts against x without its time axis.
    dt : float, default 1.0
        Time of one sample.
    axis : int, default -1
        The time axis of x; ``dim`` is its name where x is a DataArray.
    states : {"after", "before"}, default "after"
        Whether y[k] is the state after sample k, or before it as the authors have it: then y[0] is
        ``initial`` and the last sample is never used.
    backend : {"auto", "numpy", "numba"}, default "auto"
        "auto" takes numba where it is installed. The exact step has NumPy only.
    out : ndarray or None, optional
        Where to write; shape of the result, dtype of x.

    Returns
    -------
    ndarray or xarray.DataArray
        The states y, shape of x broadcast with alpha and beta, dtype of x; time-major in memory
        where x is. A DataArray if x is one. NaN in x is NaN in y from there on.

    Raises
    ------
    InputError
        Shapes that do not match, an unknown word, negative or NaN coefficients.
    InstallationError
        Backend "numba" without numba.
    """
    if hasattr(x, "dims"):
        return _labelled(
            x,
            alpha,
            beta,
            dim,
            {
                "integrator": integrator,
                "form": form,
                "initial": initial,
                "dt": dt,
                "states": states,
                "backend": backend,
            },
        )
    call = _Call.of(x, alpha, beta, initial, axis, integrator, form, dt, states, backend)
    layout = call.layout
    y = layout.empty_like(call.x) if out is None else call.checked_out(out)
    full = layout.full(call.x)
    split = layout.split([full, y])
    target = layout.sequences(y, split)
    source = layout.sequences(full, split)
    a, b, start = call.coefficients(split)
    rest = target
    if states == "before":
        target[:1] = start
        source, rest = source[:-1], target[1:]
        a, b = (v[:-1] if v.shape[0] > 1 else v for v in (a, b))
    if rest.size:
        call.kernels.forward(source, rest, a, b, start, integrator)
    if y.size and not np.may_share_memory(target, y):
        y[...] = layout.time_back(target.reshape(-1, *layout.lead))
    return y


def backward(
    gradient: Any,
    x: Any,
    y: Any,
    alpha: Any,
    beta: Any,
    *,
    integrator: str = "implicit",
    form: str = "reset",
    initial: Any = 1.0,
    dt: float = 1.0,
    axis: int = -1,
    states: str = "after",
    backend: str = "auto",
    by_x: bool = True,
    out: np.ndarray | None = None,
) -> Gradients:
    """Derivatives of sum(gradient * y) by everything that `forward` took: one reverse sweep.

    Parameters
    ----------
    gradient : array_like
        Gradient of the loss by y, shape of y.
    x, alpha, beta : array_like
        What `forward` was given.
    y : ndarray
        What `forward` returned.
    by_x : bool, default True
        Whether the derivative by x is needed.
    out : ndarray or None, optional
        Where to write the derivative by x; shape of the states, dtype of x.

    Raises
    ------
    InputError
        As `forward`, or gradient and y of other shapes.

    Notes
    -----
    The others are as for `forward`; arrays only, no DataArrays.
    """
    call = _Call.of(x, alpha, beta, initial, axis, integrator, form, dt, states, backend)
    layout = call.layout
    gradient, y = (np.require(v, layout.dtype, ["ALIGNED"]) for v in (gradient, y))
    for name, array in (("gradient", gradient), ("y", y)):
        if array.shape != layout.shape:
            raise InputError(f"shape {array.shape}, the states have {layout.shape}", name)
    full = layout.full(call.x)
    target = None
    if by_x:
        target = layout.empty_like(call.x) if out is None else call.checked_out(out)
    seen = [full, y, gradient] if target is None else [full, y, gradient, target]
    split = layout.split(seen)
    g, source, after = (layout.sequences(v, split) for v in (gradient, full, y))
    a, b, start = call.coefficients(split)
    by_a, by_b = np.zeros(a.shape), np.zeros(b.shape)
    by_start = np.zeros_like(start)
    by_input = None if target is None else layout.sequences(target, split)
    # State k is that after sample k - shift: of the states before, the first is the start itself,
    # and the last sample has no state, so that its derivative is zero.
    shift = 1 if states == "before" else 0
    if shift and by_input is not None:
        by_input[-1:] = 0
    source = source[: max(source.shape[0] - shift, 0)]
    steps = source.shape[0]
    if steps and by_start.size:
        call.kernels.backward(
            g[shift:],
            source,
            after[shift:],
            a[:steps],
            b[:steps],
            start,
            integrator,
            None if by_input is None else by_input[:steps],
            by_a[:steps],
            by_b[:steps],
            by_start,
        )
    if shift and by_start.size and len(g):
        by_start += g[0]
    x_gradient = None
    if target is not None and by_input is not None:
        if target.size and not np.may_share_memory(target, by_input):
            target[...] = layout.time_back(by_input.reshape(-1, *layout.lead))
        x_gradient = reduce_to(target, call.x.shape)
    return Gradients(
        x_gradient,
        layout.coefficient_gradient(by_a, call.alpha.shape, split) * dt,
        layout.coefficient_gradient(by_b, call.beta.shape, split) * (dt * FORMS[form]),
        reduce_to(by_start.astype(np.float64).reshape(layout.lead), call.initial.shape),
    )


@dataclass(frozen=True)
class _Call:
    """The checked arguments of one call of `forward` or `backward`.

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
    ) -> _Call:
        """Check everything. Raises InputError, InstallationError."""
        for name, value, allowed in (
            ("integrator", integrator, INTEGRATORS),
            ("form", form, FORMS),
            ("states", states, STATES),
            ("backend", backend, BACKENDS),
        ):
            if value not in allowed:
                raise InputError(
                    f"unknown {name} {shorten(value)}", name, closest(str(value), allowed)
                )
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
        from compact.kinetics import kernels_numba  # optional: needs numba
    except ImportError:
        if backend == "auto":
            return kernels_numpy
        raise InstallationError(
            "numba is not installed",
            "backend",
            "Run pip install 'ddk-toolkit[fast]', or take 'numpy'",
        ) from None
    return kernels_numba


def _labelled(
    x: xr.DataArray, alpha: Any, beta: Any, dim: str | None, options: dict[str, Any]
) -> xr.DataArray:
    """`forward` on a DataArray: dimensions are matched by name, new ones come first."""
    import xarray as xr  # start-up: plain arrays need none of it

    if dim is None or dim not in x.dims:
        raise InputError(
            f"{shorten(dim)} is no dimension of x",
            "dim",
            "Name the time axis, one of " + ", ".join(map(str, x.dims)),
        )
    named = {k: v for k, v in (("alpha", alpha), ("beta", beta)) if isinstance(v, xr.DataArray)}
    try:
        xr.align(x, *named.values(), join="exact")
    except ValueError as error:
        raise InputError(f"coordinates do not match: {error}", "x, alpha, beta") from None
    extra = list(dict.fromkeys(d for v in named.values() for d in v.dims if d not in x.dims))
    dims = [*extra, *x.dims]

    def plain(value: Any) -> Any:
        if not isinstance(value, xr.DataArray):
            return value
        ordered = value.transpose(*(d for d in dims if d in value.dims))
        return ordered.values.reshape([value.sizes.get(d, 1) for d in dims])

    y = forward(x.values, plain(alpha), plain(beta), axis=x.dims.index(dim) - x.ndim, **options)
    coords: dict[Any, Any] = {}
    for array in (x, *named.values()):
        coords.update(array.coords)
    return xr.DataArray(
        y, coords, dims, "y", {"units": "1", "long_name": "state of the drift-diffusion kinetics"}
    )
