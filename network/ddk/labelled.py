"""The DDK kinetics on labelled arrays."""

from __future__ import annotations

from typing import Any

import xarray as xr

from ddkbase.errors import InputError, shorten
from network.ddk import kinetics as ddk

__all__ = ["labelled"]


def labelled(
    x: xr.DataArray, alpha: Any, beta: Any, dim: str | None, options: dict[str, Any]
) -> xr.DataArray:
    """`forward` on a DataArray: dimensions are matched by name, new ones come first."""
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

    y = ddk.forward(x.values, plain(alpha), plain(beta), axis=x.dims.index(dim) - x.ndim, **options)
    coords: dict[Any, Any] = {}
    for array in (x, *named.values()):
        coords.update(array.coords)
    return xr.DataArray(
        y, coords, dims, "y", {"units": "1", "long_name": "state of the drift-diffusion kinetics"}
    )
