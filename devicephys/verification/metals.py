"""Metals beside oxides against closed forms: what their surfaces let through, and what they block.

n_s is the concentration at rest with the metal, k the rate of its surface, s = (z e/kB T) dV/dz:

- relaxation of a slab between two such surfaces, D n'' = dn/dt, -+D n' = k (n - n_s) at its ends,
  by its series (Crank, The Mathematics of Diffusion, plane sheet with surface evaporation);
- a steady flux through a slab in a field, -D (n' + s n) = k (n_s - n(0)) = k (n(L) - n_s): between
  cells and in half cells the fitted flux is exact;
- zero flux with site exclusion, n/(1 - n/n_max) ~ exp(-s z) with n_s at the surface: exact, too;
- a metal that blocks against the same metal as part of the electrode, on the same grid.

Errors are the largest relative errors over the cells concerned.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.optimize import brentq

from devicephys.device import Device
from devicephys.fem.equations import Terms
from devicephys.verification.cells import THICKNESS, Outcome, cell, run, uniform_grid
from devicephys.verification.table import CLOSED_FORM, Row, at_most

KB = 1.380649e-23 / 1.602176634e-19  # eV/K
AMBIENT = 500.0
_BARRIER = 0.1
#: diffusivity of the oxides of ``cell`` at ``AMBIENT``, m^2/s
_DIFFUSIVITY = 1e-7 * float(np.exp(-0.3 / (KB * AMBIENT)))
_INITIAL, _REST, _LIMIT = 4e26, 8e26, 1.2e27
#: height of the oxides of ``cell`` and of the whole, m
_SLAB, _WHOLE = (THICKNESS[1] + THICKNESS[2]) * 1e-9, sum(THICKNESS) * 1e-9
#: what rounding may leave where the scheme is exact
EXACT = 1e-9


def _surface(biot: float, length: float) -> dict[str, str]:
    """Keys of a metal whose surface has k = biot D/length."""
    prefactor = biot * _DIFFUSIVITY / length / float(np.exp(-_BARRIER / (KB * AMBIENT)))
    return {
        "interface_exchange_prefactor": f"{prefactor!r} m/s",
        "interface_exchange_activation": f"{_BARRIER} eV",
        "interface_exchange_concentration": f"{_REST} 1/m^3",
    }


def _between_surfaces(biot: float) -> Device:
    keys = _surface(biot, _SLAB)
    changes = {f"materials.TiN.{name}": text for name, text in keys.items()}
    return cell({"ambient_temperature": f"{AMBIENT} K", "vacancy.site_exclusion": False} | changes)


def relaxation(biot: float, size: float = 1.0, accuracy: float = 2e-5) -> tuple[float, float]:
    """Error of n after L/(2 k), and the balance of vacancies; cells of ``size`` nm."""
    device = _between_surfaces(biot)
    end = _SLAB**2 / (2.0 * biot * _DIFFUSIVITY)
    out = run(device, uniform_grid(device, size, 8.0), (0.0, end), 0.0, accuracy=accuracy)
    half = 0.5 * _SLAB
    place = (_heights(out) - half) / half
    left = np.zeros_like(place)
    for m in range(40):

        def eigenvalue(beta: float) -> float:
            return float(beta * np.sin(beta) - 0.5 * biot * np.cos(beta))

        b = brentq(eigenvalue, m * np.pi, (m + 0.5) * np.pi, xtol=1e-14)
        weight = 4.0 * np.sin(b) / (2.0 * b + np.sin(2.0 * b))
        left += weight * np.cos(b * place) * np.exp(-(b**2) * _DIFFUSIVITY * end / half**2)
    return _error(out, _REST + (_INITIAL - _REST) * left), out.figures.vacancy_imbalance


def through_flux(biot: float, voltage: float = 0.2, size: float = 2.0) -> float:
    """Error of n in a steady flux with drift through both surfaces."""
    device = _between_surfaces(biot)
    out = _rested(device, voltage, size, 1.0 + 1.0 / biot)
    slope = voltage / _WHOLE / (KB * AMBIENT)
    k, drift = biot * _DIFFUSIVITY / _SLAB, _DIFFUSIVITY * slope
    # n = a + b exp(-s z), of which the flux is -D s a
    falls = np.exp(-slope * _SLAB)
    matrix = np.array([[k - drift, k], [k + drift, k * falls]])
    a, b = np.linalg.solve(matrix, np.full(2, k * _REST))
    return _error(out, a + b * np.exp(-slope * _heights(out)))


def fermi(biot: float = 0.1, voltage: float = 0.4, size: float = 1.0) -> float:
    """Error of n at rest under a metal, with site exclusion; the electrode below blocks."""
    height = THICKNESS[1] * 1e-9
    device = cell({"ambient_temperature": f"{AMBIENT} K"}, metal=_surface(biot, height))
    out = _rested(device, voltage, size, 1.0 + 1.0 / biot)
    slope = voltage / _WHOLE / (KB * AMBIENT)
    odds = _REST / (1.0 - _REST / _LIMIT) * np.exp(slope * (height - _heights(out)))
    return _error(out, odds / (1.0 + odds / _LIMIT))


def merged(size: float = 1.0) -> float:
    """Largest difference in n, T and V between a blocking metal and one merged with the electrode.

    Each in units of the largest value of its field; the vacancies move by tens of per cent.
    """
    changes = {"ambient_temperature": f"{AMBIENT} K"}
    apart = cell(changes, metal={})
    tree = apart.to_tree()
    bottom, oxide, _, top = tree["layers"]
    both = f"{THICKNESS[2] + THICKNESS[3]} nm"
    joined = Device.from_mapping(
        tree
        | {
            "layers": [bottom, oxide, top | {"thickness": both}],
            "materials": {name: tree["materials"][name] for name in ("TiN", "HfOx")},
        }
    )
    grid = uniform_grid(apart, size, 4.0)
    grids = grid, dataclasses.replace(grid, layer=np.minimum(grid.layer, 2))
    end = (THICKNESS[1] * 1e-9) ** 2 / (10.0 * _DIFFUSIVITY)
    one, two = (
        run(device, lines, (0.0, end), 0.5, fixed=end / 10, tolerance=1e-8)
        for device, lines in zip((apart, joined), grids, strict=True)
    )
    inside = one.oxide
    pairs = (
        (one.concentration[inside], two.concentration[inside]),
        (one.temperature, two.temperature),
        (one.potential, two.potential),
    )
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


def _rested(device: Device, voltage: float, size: float, slowness: float) -> Outcome:
    """A cell without Joule heat until its vacancies rest; adaptive steps."""
    end = 1e3 * slowness * _SLAB**2 / _DIFFUSIVITY
    grid = uniform_grid(device, size, 8.0)
    return run(device, grid, (0.0, end), voltage, terms=Terms(joule=0.0), tolerance=1e-8)


def _heights(out: Outcome) -> np.ndarray:
    """Heights of the oxides' cell centres above the bottom electrode [m]."""
    return out.problem.grid.z_centre[out.oxide] - THICKNESS[0] * 1e-9


def _error(out: Outcome, exact: np.ndarray) -> float:
    return float(np.abs(out.concentration[out.oxide] / exact[:, None] - 1.0).max())


def rows() -> list[Row]:
    """Relaxation to within 0.5 %; what the scheme meets exactly, to ``EXACT``."""
    name = "Metal surfaces"
    error, imbalance = relaxation(0.1)
    return [
        at_most(name, "relaxation of a slab, k L/D = 0.1; 1 nm cells", CLOSED_FORM, error),
        at_most(name, "vacancies that crossed, balance", EXACT, imbalance),
        at_most(name, "relaxation of a slab, k L/D = 10", CLOSED_FORM, relaxation(10.0)[0]),
        at_most(name, "steady flux in a field, k L/D = 1", EXACT, through_flux(1.0)),
        at_most(name, "zero flux, n/(1 - n/n_max) ~ exp(-zeV/kT)", EXACT, fermi()),
        at_most(name, "blocking metal against a part of the electrode", EXACT, merged()),
    ]
