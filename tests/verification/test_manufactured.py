"""Orders of convergence on manufactured solutions, through the real solver."""

from __future__ import annotations

import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from devicephys.verification import manufactured
from devicephys.verification.manufactured import SPACE_TARGETS, TIME_TARGETS, VARIANTS, Variant

pytestmark = [pytest.mark.fem, pytest.mark.slow]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_order_in_space(variant: Variant) -> None:
    orders = manufactured.space_orders(variant, (1, 2, 4))
    assert all(orders[key] >= target for key, target in SPACE_TARGETS.items()), orders
    # An order far above the scheme's means that the coarse mesh resolves nothing.
    assert orders["V"] < 2.3 and orders["T"] < 2.3, orders


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_order_in_time(variant: Variant) -> None:
    orders = manufactured.time_orders(variant)
    assert all(2.3 > orders[key] >= target for key, target in TIME_TARGETS.items()), orders


def test_exponential_fitting_is_of_second_order_in_the_cell_means() -> None:
    orders = manufactured.space_orders(VARIANTS[0], (2, 4, 8))
    assert orders["n (means)"] > 1.9, orders


def test_a_wrong_source_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five per cent less heat capacity in the sources than in the cell: T converges no more."""
    variant = VARIANTS[0]
    device = variant.device.with_({"materials.HfOx.volumetric_heat_capacity": "1.9e8 J/m^3/K"})
    build = manufactured.Fields.sources
    monkeypatch.setattr(
        manufactured.Fields, "sources", lambda self, _, terms: build(self, device, terms)
    )
    assert manufactured.space_orders(variant, (2, 4))["T"] < 1.9
