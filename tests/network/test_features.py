"""From waveforms to features: pooling, normalising, bands, maps by equation, table and cell."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import devicephys
from compact.kinetics.equations import integrate
from compact.table.table import AlphaBetaTable
from ddk.studies.feature_maps import by_device
from ddkbase.errors import InputError, InstallationError
from network import features
from tests.network import data_files as files


def test_the_articles_map_has_8_by_100() -> None:
    rng = np.random.default_rng(0)
    wave = rng.standard_normal(48_000)
    x = features.inputs(wave)
    assert x.shape == (8, 100)
    assert np.array_equal(x.min(axis=1), np.zeros(8)) and np.array_equal(x.max(axis=1), np.ones(8))
    raw = wave.reshape(8, 100, 60).mean(axis=2)
    expected = (raw - raw.min(1, keepdims=True)) / np.ptp(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(x, expected, atol=1e-12)


def test_utterances_drop_what_is_left_over() -> None:
    wave = np.arange(11)
    assert features.utterances(wave, count=2).tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert features.utterances(wave, length=4).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert features.utterances(np.zeros((3, 11)), count=2).shape == (3, 2, 5)
    for wrong in ({}, {"count": 2, "length": 2}, {"count": 12}, {"length": 12}, {"count": 0}):
        with pytest.raises(InputError):
            features.utterances(wave, **wrong)


@given(st.integers(1, 40), st.integers(0, 60))
def test_pooling_to_a_length_keeps_the_mean(length: int, more: int) -> None:
    x = np.random.default_rng(length).standard_normal((2, length + more))
    found = features.pool_to(x, length)
    assert found.shape == (2, length)
    np.testing.assert_allclose(found.mean(axis=1), x.mean(axis=1), atol=1e-12)
    if more == 0:
        np.testing.assert_allclose(found, x, atol=1e-12)


def test_pooling_to_a_length_shares_the_sample_on_the_border() -> None:
    np.testing.assert_allclose(features.pool_to([1.0, 2.0, 4.0], 2), [4 / 3, 10 / 3])
    assert features.pool_to(np.ones((1, 7), np.float32), 3).dtype == np.float32
    np.testing.assert_allclose(features.pool([1.0, 3.0, 5.0, 9.0, 100.0], 2), [2, 7])
    with pytest.raises(InputError, match="cannot be pooled"):
        features.pool_to(np.zeros(3), 4)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_normalising_forgets_offset_and_gain(offset: float, gain: float) -> None:
    x = np.random.default_rng(0).standard_normal((3, 5))
    one, other = features.normalise(x), features.normalise(offset + gain * x)
    assert one.min() == 0 and one.max() == 1
    np.testing.assert_allclose(other, one, atol=1e-9 * (1 + abs(offset) / gain))


def test_normalising_constant_and_broken_vectors() -> None:
    assert features.normalise(np.full((2, 3), 7)).tolist() == [[0] * 3] * 2
    for bad in (np.nan, np.inf):
        with pytest.raises(InputError, match="NaN or infinity"):
            features.normalise([0.0, bad])


def test_tone_is_loudest_in_its_band() -> None:
    rate, bands = 8000, 40
    filters = features.mel_filters(rate, 512, bands)
    np.testing.assert_allclose(filters.sum(axis=1), 1, rtol=1e-6)
    assert (filters >= 0).all()
    line = np.arange(257) * rate / 512
    for pitch in (300.0, 1000.0, 3000.0):
        found = features.log_bands(files.tone(0.5, rate, pitch), rate, bands=bands)
        centre = (filters * line).sum(axis=1)
        assert found.shape == (bands,)
        assert abs(centre[found.argmax()] - pitch) < np.gradient(centre)[found.argmax()]


def test_bands_do_not_depend_on_loudness_once_normalised() -> None:
    wave = np.random.default_rng(0).standard_normal((2, 4000))
    one = features.normalise(features.log_bands(wave, 8000))
    other = features.normalise(features.log_bands(30 * wave, 8000))
    np.testing.assert_allclose(one, other, atol=1e-5)
    over_time = features.log_bands(wave, 8000, average=False, window=512)
    assert over_time.shape == (2, 128, (4000 - 512) // 256 + 1)
    assert np.isfinite(features.log_bands(np.zeros(4000), 8000)).all()  # silence


def test_cepstral_coefficients_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    wave = np.random.default_rng(0).standard_normal((2, 4000)).astype(np.float32)
    found = features.mfcc(wave, 8000, coefficients=13, window=512, bands=40)
    expected = librosa.feature.mfcc(
        y=wave[1], sr=8000, n_mfcc=13, n_fft=512, hop_length=256, n_mels=40, center=False
    )
    # float32 sums of another order: some 1e-7 of the largest coefficient
    np.testing.assert_allclose(found[1], expected, atol=1e-6 * np.abs(expected).max())


def test_missing_librosa_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(InstallationError, match=r"ddk-toolkit\[audio\]"):
        features.mfcc(np.zeros(100), 8000)


def test_missing_readers_name_their_extras(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from network import datasets

    for module, extra, work in (
        ("soundfile", "audio", lambda: datasets.read_sound(tmp_path / "a.wav")),
        ("av", "video", lambda: datasets.read_video(tmp_path / "a.avi")),
        ("sklearn.datasets", "sklearn", lambda: datasets.load("digits")),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(InstallationError, match=rf"ddk-toolkit\[{extra}\]") as caught:
            work()
        assert caught.value.exit_code == 2


def test_vectors_of_higher_dimensional_data() -> None:
    x = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    assert np.array_equal(features.decompose(x), x)
    assert np.array_equal(features.decompose(x, -2), x.transpose(0, 2, 1))
    assert np.array_equal(features.decompose(x, (-2, -1)), x.reshape(2, 1, 12))
    assert np.array_equal(features.decompose(x, ("column", "row"), dims=("row", "column")),
                          x.transpose(0, 2, 1).reshape(2, 1, 12))  # fmt: skip
    body = np.random.default_rng(0).random((2, 3, 4, 5))
    assert features.decompose(body, 1).shape == (2, 20, 3)
    assert features.decompose(body, 1, flatten=False).shape == (2, 4, 5, 3)
    assert np.array_equal(features.decompose(body, (-2, -1))[1, 2], body[1, 2].ravel())
    for axis in (1, 2, 3, (1, 2), (3, 1), (1, 2, 3)):
        back = features.compose(features.decompose(body, axis), (3, 4, 5), axis)
        assert np.array_equal(back, body)
    for wrong in (0, 4, -5, (1, 1), ()):
        with pytest.raises(InputError):
            features.decompose(body, wrong)
    with pytest.raises(InputError, match="Did you mean 'row'"):
        features.decompose(x, "rows", dims=("row", "column"))


def check_labels(ds: xr.Dataset) -> None:
    for variable in (*ds.data_vars.values(), *ds.coords.values()):
        assert variable.attrs["units"] and variable.attrs["long_name"]


def test_map_by_the_equation_is_the_kinetics() -> None:
    wave = np.random.default_rng(1).standard_normal(4800)
    ds = features.feature_map(wave, alpha=0.02, beta=0.3, integrator="exact")
    check_labels(ds)
    assert ds["feature"].dims == ("utterance", "pulse")
    assert ds["feature"].shape == (8, 10)
    expected = integrate("exact", 0.02, 0.3, ds["input"].values)
    assert np.array_equal(ds["feature"], expected)
    with pytest.raises(InputError):
        features.feature_map(np.zeros((2, 4800)))


def steps(alpha: float, beta: float, low: float, high: float, count: int = 40) -> np.ndarray:
    """Conductances [S] of a train of equal pulses, implicit steps."""
    y = integrate("implicit", alpha, beta, np.ones(count))
    y = np.r_[1.0, y]
    return low + (high - low) * y


def table(spread: float = 0.0) -> AlphaBetaTable:
    """Three amplitudes, two cells each, of known alpha and beta."""
    traces = []
    for height, alpha, beta in ((-1.0, 0.004, 0.05), (-1.5, 0.004, 0.1), (-2.0, 0.004, 0.2)):
        for sign in (-1, 1):
            factor = 1 + sign * spread
            curve = steps(alpha * factor, beta * factor, 2e-6, 2e-4)
            pulse = np.arange(len(curve) - 1)
            traces.append(
                xr.Dataset(
                    {
                        "conductance": ("pulse", curve[1:], {"units": "S"}),
                        "amplitude": ("pulse", np.full(len(pulse), height), {"units": "V"}),
                        "width": ("pulse", np.full(len(pulse), 1e-7), {"units": "s"}),
                        "initial_conductance": ((), curve[0], {"units": "S"}),
                        "wanted_resistance": ((), 5e3, {"units": "ohm"}),
                    },
                    {"pulse": pulse},
                )
            )
    return AlphaBetaTable.fit(traces)


def test_table_gives_back_its_own_trains() -> None:
    """At one amplitude the map by table is the curve that the table was fitted with."""
    cells = table()
    found = features.by_table(np.ones((1, 40)), cells, amplitude=("-1.5 V", "-2 V"))
    check_labels(found)
    strongest = cells.dataset["fitted"].isel(amplitude=0, cycle=0).squeeze()
    assert float(cells.dataset["amplitude"][0]) == -2
    np.testing.assert_allclose(found["conductance"][0], strongest[1:], rtol=1e-9)
    assert np.allclose(found["voltage"], -2)


def test_map_by_table_goes_faster_with_larger_inputs() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((4, 30))
    ds = features.by_table(x, table(), amplitude=("-1 V", "-2 V"))
    down = -np.diff(np.c_[ds["initial_conductance"].values, ds["conductance"].values])
    assert (down >= 0).all()
    assert (np.diff(ds["beta"].values[0][np.argsort(x[0])]) >= 0).all()
    strong = features.by_table(np.clip(2 * x, 0, 1), table(), amplitude=("-1 V", "-2 V"))
    assert (strong["conductance"][:, :5] <= ds["conductance"][:, :5]).all()
    assert ds["feature"].min() >= 0 and ds["feature"].max() <= 1


def test_cells_are_drawn_by_the_generator_alone() -> None:
    cells, x = table(0.1), np.tile(np.linspace(0, 1, 20), (3, 1))
    told = {"amplitude": ("-1 V", "-2 V")}
    one, again, other = (
        features.by_table(x, cells, rng=np.random.default_rng(k), kind="cycle", **told)
        for k in (1, 1, 2)
    )
    assert np.array_equal(one["conductance"], again["conductance"])
    assert not np.array_equal(one["conductance"], other["conductance"])
    assert not np.array_equal(one["alpha"][0], one["alpha"][1])  # a cell for each utterance
    same = features.by_table(x, cells, **told)
    assert np.array_equal(same["conductance"][0], same["conductance"][1])


@pytest.mark.parametrize(
    ("x", "more", "words"),
    [
        (np.full((1, 3), 1.1), {}, "not between 0 and 1"),
        (np.full((1, 3), np.nan), {}, "not between 0 and 1"),
        (np.zeros(3), {}, "inputs of shape"),
        (np.zeros((1, 3)), {"amplitude": ("-1 V", "1 V")}, "not of one sign"),
        (np.zeros((1, 3)), {"amplitude": "-1 V"}, "two amplitudes"),
        (np.zeros((1, 3)), {"amplitude": (-1, -2)}, "unit"),
        (np.zeros((1, 3)), {"amplitude": ("-0.5 V", "-2 V")}, "-2 V to -1 V"),
    ],
)
def test_what_a_table_cannot_do_is_told(x: np.ndarray, more: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        features.by_table(x, table(), **{"amplitude": ("-1 V", "-2 V"), **more})


def fake_physics(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A formula in place of the finite elements; what was asked is written down."""
    asked = []

    def simulate(device: Any, train: Any, settings: Any, **more: Any) -> xr.Dataset:
        asked.append({"device": device, "settings": settings, **more})
        share = np.abs(train.amplitudes) / 3.0
        states = integrate("implicit", 0.004, 0.2, share)
        values = {
            "conductance": 2e-6 + 1.98e-4 * states,
            "energy": np.full(train.count, 1e-12),
        }
        data = {k: ("pulse", v) for k, v in values.items()}
        return xr.Dataset({**data, "initial_conductance": ((), 2e-4)})

    module = types.SimpleNamespace(
        load_device=lambda name: types.SimpleNamespace(name=name),
        Settings=types.SimpleNamespace(preset=lambda name: name),
        PulseTrain=devicephys.PulseTrain,
        simulate_pulses=simulate,
    )
    monkeypatch.setattr("ddk.studies.feature_maps.devicephys", module)
    return asked


def test_map_by_device_asks_for_the_pulses_and_fits_each_utterance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = fake_physics(monkeypatch)
    x = np.random.default_rng(0).random((3, 40))
    x[:, 0] = 1  # the largest amplitude is there, so that the drive is the formula's
    told = []
    ds = by_device(x, seed=5, progress=lambda k, n: told.append((k, n)))
    check_labels(ds)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [a["cycle"] for a in asked] == [0, 1, 2] and asked[0]["seed"] == 5
    assert asked[0]["initial_resistance"] == "5 kohm"
    np.testing.assert_allclose(ds["voltage"], -2.0 - 1.0 * x)
    np.testing.assert_allclose(ds["alpha"], 0.004, rtol=0.02)
    np.testing.assert_allclose(ds["beta"], 0.2, rtol=0.02)
    assert (ds["residual"] < 1e-6).all()
    np.testing.assert_allclose(ds["fitted"], ds["conductance"], rtol=1e-3)


def test_utterance_that_cannot_be_fitted_has_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_physics(monkeypatch)
    ds = by_device(np.ones((2, 30)), fit=False)
    ds["conductance"][1] = 2e-6  # ends with its first pulse
    fit = features.fitted(ds)
    assert np.isfinite(fit["alpha"][0]) and np.isnan(fit["alpha"][1])
    with pytest.raises(InputError, match="unknown drive"):
        features.fitted(ds, drive="power")


@pytest.mark.fem
def test_real_pulses_move_a_real_cell() -> None:
    pytest.importorskip("mpi4py.MPI")  # before dolfinx
    pytest.importorskip("dolfinx")
    x = features.inputs(np.random.default_rng(0).standard_normal(8 * 6), utterances=2, pool=4)
    ds = by_device(x, amplitude=("-2.2 V", "-3 V"), fit=False)
    assert ds["conductance"].shape == (2, 6)
    start = ds["initial_conductance"].values[:, None]
    assert 1 / start == pytest.approx(5e3, rel=0.03)
    curve = np.c_[start, ds["conductance"].values]
    assert (np.diff(curve) < 0).all()  # every RESET pulse takes it down
    again = by_device(x[:1], amplitude=("-2.2 V", "-3 V"), fit=False)
    assert np.array_equal(again["conductance"][0], ds["conductance"][0])  # a fresh cell each


def test_pictures_of_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    from network.plots.features import comparison_figure, fits_figure

    fake_physics(monkeypatch)
    wave = np.random.default_rng(0).standard_normal(4800)
    x = features.inputs(wave)
    maps = {
        "Equation": features.feature_map(wave),
        "Table": features.by_table(x, table(), amplitude=("-1 V", "-2 V")),
        "Cell": by_device(x),
    }
    figure = comparison_figure(maps, "a title")
    images = [ax for ax in figure.axes if ax.images]
    assert len(images) == 4
    np.testing.assert_allclose(images[0].images[0].get_array(), x)
    assert [ax.get_title(loc="left") for ax in images][1:] == list(maps)
    fits = fits_figure(maps["Cell"])
    assert len([ax for ax in fits.axes if ax.get_visible()]) == 8
    assert any("R =" in text.get_text() for ax in fits.axes for text in ax.texts)
    with pytest.raises(InputError, match="another input"):
        comparison_figure({**maps, "Other": features.feature_map(-wave)})
    with pytest.raises(InputError, match="has no fit"):
        fits_figure(maps["Equation"])
