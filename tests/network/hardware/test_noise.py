"""Noise of synapses, telegraph noise, retention, and the scatter of alpha and beta."""

from __future__ import annotations

import numpy as np
import pytest

from compact.table.table import AlphaBetaTable
from ddkbase.errors import InputError
from network.hardware import (
    Faults,
    KineticsNoise,
    ReadNoise,
    Retention,
    TableKinetics,
    TelegraphNoise,
    WriteError,
)
from network.hardware.cells.kinetics_noise import ARTICLE_KINETICS_NOISE, spread_at
from network.hardware.cells.reliability import SIMULATED_DEVICE
from tests.compact.table_data import campaign

K_B = 8.617333262e-5


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- cells


def test_write_error_is_the_articles_gaussian() -> None:
    target = np.full(40_000, 100e-6)
    off = WriteError.of("1.147 uS", "0.203 uS").written(target, rng()) - target
    assert off.mean() == pytest.approx(0.203e-6, abs=4 * 1.147e-6 / 200)
    assert off.std() == pytest.approx(1.147e-6, rel=0.02)


def test_read_noise_adds_variances_and_nothing_if_zero() -> None:
    g = np.full(40_000, 50e-6)
    seen = ReadNoise(0.02, 2e-6).read(g, rng())
    assert seen.std() == pytest.approx(np.hypot(1e-6, 2e-6), rel=0.02)
    assert ReadNoise().read(g, None) is g  # type: ignore[arg-type]


def test_telegraph_noise_has_its_occupation_and_its_memory() -> None:
    model = TelegraphNoise(0.1, share=0.5, capture=3e-3, emission=1e-3)
    traps = model.traps((60_000,), rng())
    assert traps.full.mean() == pytest.approx(0.25, abs=0.01)
    assert (traps.amplitude > 0).mean() == pytest.approx(0.5, abs=0.01)
    later = traps.after("1 ms", rng(1))
    assert later.full.mean() == pytest.approx(0.25, abs=0.01)
    a, b = traps.full.astype(float), later.full.astype(float)
    correlation = np.corrcoef(a, b)[0, 1]
    assert correlation == pytest.approx(np.exp(-1e-3 * (1 / 3e-3 + 1 / 1e-3)), abs=0.015)
    g = np.full(60_000, 100e-6)
    seen = traps.seen(g)
    assert set(np.unique(seen.round(12))) == {90e-6, 100e-6}
    assert (seen < g).mean() == pytest.approx(0.125, abs=0.01)


def test_telegraph_noise_stays_put_for_no_time_and_grows_in_narrow_filaments() -> None:
    traps = TelegraphNoise(0.1, exponent=0.5, conductance=100e-6).traps((5_000,), rng())
    assert np.array_equal(traps.after("0 s", rng(1)).full, traps.full)
    full = traps.full
    at = {g: 1 - traps.seen(np.full(5_000, g))[full][0] / g for g in (100e-6, 25e-6, 1e-9)}
    assert at[100e-6] == pytest.approx(0.1)
    assert at[25e-6] == pytest.approx(0.2)
    assert at[1e-9] == 1.0  # never below nothing


def test_faults_of_a_share_of_zero() -> None:
    assert not Faults().draw((100,), rng()).any()
    assert (Faults(open=1.0).draw((100,), rng()) == 3).all()


# -- retention


def test_retention_is_arrhenius_and_relaxes_to_its_end() -> None:
    law = Retention.of("1.2 eV", "10 year", "20 uS", reference="20 degC")
    year = 365.25 * 86400
    assert law.time_constant("20 degC") == pytest.approx(10 * year, rel=1e-3)
    ratio = law.time_constant("20 degC") / law.time_constant("150 degC")
    assert ratio == pytest.approx(np.exp(1.2 / K_B * (1 / 293.15 - 1 / 423.15)), rel=1e-9)
    g = np.array([10e-6, 200e-6])
    assert law.after(g, "0 s") == pytest.approx(g)
    assert law.after(g, "10 year", "20 degC") == pytest.approx(
        20e-6 + (g - 20e-6) * np.exp(-1), rel=1e-3
    )
    assert law.after(g, "1 year", "300 degC") == pytest.approx([20e-6, 20e-6])


def test_the_simulated_device_forgets_in_an_hour() -> None:
    after = SIMULATED_DEVICE.after(np.array([10e-6]), "4300 s")
    assert after == pytest.approx(198e-6 - 188e-6 * np.exp(-1))


def test_spread_of_activation_energies_spreads_the_course() -> None:
    law = Retention.of("1 eV", "1 hour", "0 S", spread="50 meV")
    energies = law.cells((20_000,), rng())
    assert energies.std() == pytest.approx(0.05, rel=0.03)
    g = law.after(np.full(20_000, 100e-6), "1 hour", activation=energies)
    assert g.min() < 1e-6 and g.max() > 99e-6
    stretched = Retention.of("1 eV", "1 hour", "0 S", stretch=0.5)
    assert stretched.after(np.array([1e-6]), "4 hour") == pytest.approx(1e-6 * np.exp(-2))


# -- alpha and beta


def draws(model: KineticsNoise | TableKinetics, kind: str, n: int = 40_000) -> np.ndarray:
    one = np.full((1,), 0.02), np.full((1,), 0.3)
    return np.stack(model.deviations(*one, kind, (n,), rng()))


def test_gaussian_scatter_of_alpha_and_beta() -> None:
    model = KineticsNoise(0.1, 0.3, device_alpha=0.2, device_beta=0.05, correlation=0.6)
    cycle, device = draws(model, "cycle"), draws(model, "device")
    assert cycle.std(1) == pytest.approx([0.1, 0.3], rel=0.02)
    assert device.std(1) == pytest.approx([0.2, 0.05], rel=0.02)
    assert np.corrcoef(cycle)[0, 1] == pytest.approx(0.6, abs=0.02)
    relative = draws(KineticsNoise(0.1, 0.3, relative=True), "cycle")
    assert relative.std(1) == pytest.approx([0.002, 0.09], rel=0.02)
    assert ARTICLE_KINETICS_NOISE.alpha == pytest.approx(0.09537)
    assert ARTICLE_KINETICS_NOISE.beta == pytest.approx(0.27591)


@pytest.fixture(scope="module")
def table() -> AlphaBetaTable:
    return AlphaBetaTable.fit(campaign(cycles=5, devices=4))


def test_scatter_of_a_table_is_that_of_its_cells(table: AlphaBetaTable) -> None:
    spread = spread_at(table, amplitude="-2.5 V")
    ds = table.dataset.sel(amplitude=-2.5).squeeze(["width", "initial_resistance"])
    assert ds["valid"].values.all()
    pairs = np.stack([ds["alpha"].values, ds["beta"].values])  # (2, cycle, device)
    means = pairs.mean(1)
    inner = (pairs - means[:, None]).reshape(2, -1)
    cycle = inner @ inner.T / (20 - 4)
    assert spread.cycle @ spread.cycle.T == pytest.approx(cycle, rel=1e-6)
    assert spread.device @ spread.device.T == pytest.approx(np.cov(means), rel=1e-6)


def test_scatter_of_a_table_as_the_gaussian_model(table: AlphaBetaTable) -> None:
    spread = spread_at(table, amplitude="-2.5 V")
    model = KineticsNoise.from_table(table, amplitude="-2.5 V", scale=3.0, per="pulse")
    assert model.per == "pulse"
    assert model.spread().cycle == pytest.approx(3 * spread.cycle, rel=1e-9)
    device = model.spread().device
    assert (device @ device.T).diagonal() == pytest.approx(
        9 * (spread.device @ spread.device.T).diagonal()
    )
    single = AlphaBetaTable.fit(campaign(cycles=1, devices=1))
    assert KineticsNoise.from_table(single, amplitude="-2 V") == KineticsNoise()


def test_table_kinetics_realise_what_the_table_reaches(table: AlphaBetaTable) -> None:
    model = TableKinetics(table)
    at = table.lookup(amplitude="-2.5 V")
    alpha, beta = model.nominal(np.array([at.alpha, 5.0]), np.array([[at.beta], [9.0]]))
    assert alpha.shape == (2, 2)
    assert (alpha[0, 0], beta[0, 0]) == pytest.approx((at.alpha, at.beta), rel=2e-3)
    largest = float(table.means["beta"].max())
    assert beta[1, 1] <= largest * 1.001  # out of reach: the closest
    assert len(model.settings()) == 4
    cycle = np.stack(
        model.deviations(np.full(1, at.alpha), np.full(1, at.beta), "cycle", (40_000,), rng())
    )
    spread = spread_at(table, amplitude="-2.5 V")
    assert np.cov(cycle) == pytest.approx(spread.cycle @ spread.cycle.T, rel=0.05)
    doubled = TableKinetics(table, scale=2.0).nominal(
        np.full(1, 2 * at.alpha), np.full(1, 2 * at.beta)
    )
    assert doubled[1] == pytest.approx([2 * at.beta], rel=2e-3)


def test_one_cell_has_no_scatter() -> None:
    single = AlphaBetaTable.fit(campaign(cycles=1, devices=1))
    spread = spread_at(single, amplitude="-2 V")
    assert not spread.cycle.any() and not spread.device.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: spread_at(t, amplitude="-9 V"), "outside of the table"),
        (lambda t: TableKinetics(t, per="day"), "'train' or 'pulse'"),
        (lambda t: TableKinetics(t).nominal(np.array([-1.0]), np.array([1.0])), "no number from 0"),
        (lambda t: KineticsNoise(-1.0), "no number from 0"),
        (lambda t: KineticsNoise(correlation=2.0), "not in -1 to 1"),
        (lambda t: ReadNoise(float("nan")), "no number from 0"),
        (lambda t: TelegraphNoise(1.5), "at most 1"),
        (lambda t: TelegraphNoise(0.1, capture=0.0), "zero"),
        (lambda t: TelegraphNoise(0.1).traps((2,), rng()).after("-1 s", rng()), "no number from 0"),
        (lambda t: Retention.of("1 eV", "0 s", "1 uS"), "zero"),
        (lambda t: Retention.of("1 V", "1 s", "1 uS"), "wrong dimension"),
        (lambda t: SIMULATED_DEVICE.after(np.ones(1), "1 s", "-300 degC"), "not above 0"),
        (
            lambda t: WriteError(0, 1e-6).written(np.ones(2), None),  # type: ignore[arg-type]
            "needs random numbers",
        ),
    ],
)
def test_bad_input_is_one_line(table: AlphaBetaTable, call: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call(table)  # type: ignore[operator]
    assert "\n" not in str(caught.value)
