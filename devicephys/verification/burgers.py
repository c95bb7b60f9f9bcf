r"""Bounded one-dimensional vacancy drift with site exclusion: the exact solution of Burgers.

At uniform temperature and field, with the share u = n/n_max of filled sites, Eq. (7) is

::

    u_t = D u_zz - v (u (1 - u))_z,       N = 0 at z = 0 and z = L,       v = -z D e V'/(kB T).

The speed of small waves c = v (1 - 2u) then obeys the viscous Burgers equation c_t + c c_z = D c_zz
(insert u = (1 - c/v)/2 and multiply by -2v), and Cole's and Hopf's c = -2 D theta_z/theta makes it
theta_t = D theta_zz. At a wall N = 0 is v u (1 - u) = D u_z, that is v^2 - c^2 + 2 D c_z = 0, and
in theta: theta_zz = kappa^2 theta with kappa = v/(2D). As theta also obeys the heat equation, a
wall's theta grows as exp(lambda t), lambda = D kappa^2. Starting from a uniform u0, with
alpha = v (1 - 2 u0)/(2D), theta(z, 0) = exp(-alpha z), b = exp(-alpha L) and q = k pi/L::

    theta = exp(lambda t) [sinh(kappa (L - z)) + b sinh(kappa z)]/sinh(kappa L)
            + sum_k 2 q/L [1 - (-1)^k b] [1/(alpha^2 + q^2) - 1/(kappa^2 + q^2)]
              sin(q z) exp(-D q^2 t)

Two fronts leave the walls, a full and an empty one, and meet in the steady state
u = 1/(1 + exp(-(v/D)(z - z0))) = (1 + tanh(kappa (z - z0)))/2. The mean of c over a cell is
-2 D ln(theta_right/theta_left)/(cell size), exactly. Bounded vacancy drift as a Burgers problem:
I. A. Boylo and K. L. Metlov; the transformation: J. D. Cole (1951), E. Hopf (1950).
"""

from __future__ import annotations

import numpy as np

from devicephys.fem.equations import Terms
from devicephys.verification.cells import cell, run, uniform_grid
from devicephys.verification.table import CLOSED_FORM, Row, at_most

KB = 1.380649e-23 / 1.602176634e-19  # eV/K
#: temperature [K], Ea [eV], D0 [m^2/s], n_max [1/m^3], initial share of filled sites [1]
TEMPERATURE, ACTIVATION, PREFACTOR, SITE_LIMIT, FILLED = 500.0, 0.3, 1e-7, 1.2e27, 1.0 / 3.0
#: heights of the layers, and the sum of the oxides', nm
STACK, OXIDES = (8.0, 9.0, 45.0, 8.0), 54.0


def exact_means(edges: np.ndarray, time: float, length: float, D: float, v: float) -> np.ndarray:
    """Means of u over the cells between ``edges``, shape (cells,).

    Edges and ``length`` in m, time in s, D in m^2/s, v in m/s. Valid from about D t = 1e-4 L^2
    on, where the 2000 terms of the series used are more than enough.
    """
    kappa, alpha = v / (2.0 * D), v * (1.0 - 2.0 * FILLED) / (2.0 * D)
    b = np.exp(-alpha * length)
    # exp(-D q^2 t) at the last k is below 1e-1000 where D t = 1e-4 L^2
    k = np.arange(1, 2001)
    q = k * np.pi / length
    weight = (2.0 * q / length) * (1.0 - (-1.0) ** k * b)
    weight *= 1.0 / (alpha**2 + q**2) - 1.0 / (kappa**2 + q**2)
    growing = (np.sinh(kappa * (length - edges)) + b * np.sinh(kappa * edges)) / np.sinh(
        kappa * length
    )
    # divided by exp(lambda t), which does not matter to c
    decay = np.exp(-D * (q**2 + kappa**2) * time)
    theta = growing + np.sin(np.outer(edges, q)) @ (weight * decay)
    # The solver's n is a cell mean; comparing with point values would add an error of the mesh.
    c = -2.0 * D * np.diff(np.log(theta)) / np.diff(edges)
    return np.asarray(0.5 * (1.0 - c / v))


def error(share: float, size: float = 0.5, peclet: float = 20.0, direction: int = 1) -> float:
    """Largest error of n over the cells, in units of n_max, at D t = ``share`` L^2.

    ``size`` of the cells in nm, ``peclet`` = `|v| L/D`, ``direction`` of v along z.
    """
    device = cell(
        {"ambient_temperature": f"{TEMPERATURE} K"},
        {
            "diffusion_activation": f"{ACTIVATION} eV",
            "diffusion_prefactor": f"{PREFACTOR} m^2/s",
            "initial_concentration": f"{SITE_LIMIT * FILLED!r} 1/m^3",
        },
        STACK,
        4.0,
    )
    length = OXIDES * 1e-9
    D = PREFACTOR * np.exp(-ACTIVATION / (KB * TEMPERATURE))
    v = direction * peclet * D / length
    # drift v = -z D V'/(kB T/e) with V' uniform through the whole stack
    voltage = -v * KB * TEMPERATURE / D * sum(STACK) * 1e-9
    end = share * length**2 / D
    out = run(
        device,
        uniform_grid(device, size, 2.0),
        (0.0, end),
        voltage,
        terms=Terms(joule=0.0),
        accuracy=1e-4,
    )
    bottom = STACK[0] * 1e-9
    inside = (out.z > bottom - 1e-15) & (out.z < bottom + length + 1e-15)
    exact = exact_means(out.z[inside] - bottom, end, length, D, v)
    return float(np.abs(out.concentration[out.oxide] / SITE_LIMIT - exact[:, None]).max())


#: D t/L^2 of the comparison: fronts near the walls, fronts about to meet, at rest
SHARES = {"fronts leave the walls": 5e-3, "fronts meet": 4e-2, "at rest": 2.0}


def rows() -> list[Row]:
    """Three instants, drift up; one with drift down."""
    table = [
        at_most("Burgers", f"n/n_max, {name}; 0.5 nm cells", CLOSED_FORM, error(share))
        for name, share in SHARES.items()
    ]
    down = error(SHARES["fronts meet"], direction=-1)
    table.append(at_most("Burgers", "n/n_max, drift down; 0.5 nm cells", CLOSED_FORM, down))
    return table
