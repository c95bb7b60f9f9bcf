"""The map from input sequences to state sequences, and its reverse; see the package's text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError
from network.ddk.call import BACKENDS, FORMS, STATES, Call
from network.ddk.layout import reduce_to

__all__ = ["BACKENDS", "FORMS", "STATES", "Gradients", "backward", "forward"]


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
        from network.ddk.labelled import labelled

        return labelled(
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
    call = Call.of(x, alpha, beta, initial, axis, integrator, form, dt, states, backend)
    layout = call.layout
    y = layout.empty_like(call.x) if out is None else call.checked_out(out)
    full = np.broadcast_to(call.x, layout.shape)
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
    call = Call.of(x, alpha, beta, initial, axis, integrator, form, dt, states, backend)
    layout = call.layout
    gradient, y = (np.require(v, layout.dtype, ["ALIGNED"]) for v in (gradient, y))
    for name, array in (("gradient", gradient), ("y", y)):
        if array.shape != layout.shape:
            raise InputError(f"shape {array.shape}, the states have {layout.shape}", name)
    full = np.broadcast_to(call.x, layout.shape)
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
    kept = slice(None)
    if states == "before":
        kept = slice(1, None)
        if by_input is not None:
            by_input[-1:] = 0
    source = source[: max(source.shape[0] - (kept.start or 0), 0)]
    steps = source.shape[0]
    if steps and by_start.size:
        call.kernels.backward(
            g[kept],
            source,
            after[kept],
            a[:steps],
            b[:steps],
            start,
            integrator,
            None if by_input is None else by_input[:steps],
            by_a[:steps],
            by_b[:steps],
            by_start,
        )
    if states == "before" and by_start.size and len(g):
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
