"""Metals beside oxides: closed forms of their surfaces, and what blocks."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from devicephys.verification import metals
from devicephys.verification.cells import cell, run, uniform_grid

pytestmark = pytest.mark.fem


def test_every_closed_form_is_met() -> None:
    assert [row for row in metals.rows() if not row.passed] == []


def test_a_slab_relaxes_as_its_series_says() -> None:
    """Slow surfaces relax it as a whole, fast ones through their half cells."""
    (slow, balance), (fast, _) = metals.relaxation(0.1), metals.relaxation(10.0)
    assert slow < 5e-4
    assert fast < 1e-3
    assert balance < 1e-12
    assert metals.relaxation(10.0, 0.5)[0] < 0.4 * fast


@pytest.mark.parametrize("biot", [1e-3, 1.0, 1e6])
def test_a_steady_flux_crosses_surfaces_of_any_rate(biot: float) -> None:
    assert metals.through_flux(biot) < 1e-12


@pytest.mark.parametrize("voltage", [-0.4, 0.4])
def test_an_oxide_at_rest_meets_its_metal(voltage: float) -> None:
    assert metals.fermi(voltage=voltage) < 1e-12


def test_a_blocking_metal_is_a_part_of_the_electrode() -> None:
    assert metals.merged() < 1e-10


def test_what_a_blocking_metal_keeps_does_move() -> None:
    """So that the comparison with the merged metal compares something."""
    device = cell({"ambient_temperature": f"{metals.AMBIENT} K"}, metal={})
    end = (8e-9) ** 2 / (10.0 * metals._DIFFUSIVITY)
    out = run(device, uniform_grid(device, 1.0, 4.0), (0.0, end), 0.5, fixed=end / 10)
    n = out.concentration[out.oxide]
    assert n.max() / n.min() > 2.0
    assert out.figures.vacancy_imbalance < 1e-12
    # the metal and both electrodes hold none
    assert np.isnan(out.concentration[~out.oxide]).all()
    assert out.oxide.sum() == 8
