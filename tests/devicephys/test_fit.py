"""A fit with a formula in place of the solver: intervals, what stays open, stops, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from typer.testing import CliRunner

import devicephys
from devicephys import Device, InputError, Interrupted, SolverError
from devicephys.cli.commands import app
from devicephys.device.entries import parameter_value
from devicephys.fitting import FitInterrupted, fit_device
from devicephys.fitting import data as fit_data
from devicephys.fitting.information import direction_text, information

HIGH, D0, EA, SERIES = (
    "materials.HfOx.conductivity_high",
    "materials.HfOx.diffusion_prefactor",
    "materials.HfOx.diffusion_activation",
    "series.transconductance",
)
CELL = devicephys.load_device("tin-taox-hfox-tin")
#: logarithm of D0 and of Ea count for the formula by this product of powers alone
STIFF = {D0: 0.3, EA: -6.0}
WAVEFORM = devicephys.Waveform.from_si([0.0, 0.015, 0.045, 0.06], [0.0, -1.5, 1.5, 0.0])


def formula(device: Device, v: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """ln of a conductance over its value in the shipped cell, and its derivatives by ln p."""
    slopes = {
        HIGH: 0.8 + 0.0 * v,
        SERIES: 0.3 * v**2,
        **{path: power * np.where(v > 0, v, 0.5 * v) for path, power in STIFF.items()},
    }
    total = np.zeros(len(v))
    for path, slope in slopes.items():
        total = total + slope * np.log(parameter_value(device, path) / parameter_value(CELL, path))
    return total, slopes


def baked(device: Device, bake: devicephys.Bake) -> xr.Dataset:
    """A high state that leaks with D0 exp(-Ea/kB T), after an hour at 473 K as the cell ships."""
    hot = np.array(bake.temperatures)[:, None]
    per_ea = parameter_value(CELL, EA) / (8.617e-5 * hot)
    ratios = (parameter_value(device, path) / parameter_value(CELL, path) for path in (D0, EA))
    log_d0, ea = np.log(next(ratios)), next(ratios)
    rate = np.exp(log_d0 - per_ea * (ea - 1.0)) / 3600.0
    logs = np.log(1e-5) + 2.0 * (1.0 - np.exp(-rate * bake.read_times))
    return xr.Dataset(
        {"conductance": (("temperature", "time"), np.exp(logs))},
        coords={"time": bake.read_times},
    )


class Fake:
    """In place of ``simulate``; remembers how often it was called."""

    def __init__(self, before: Callable[[int, Device], None] = lambda call, device: None) -> None:
        self.calls, self.before = 0, before
        self.protocols: list[Any] = []

    def __call__(
        self,
        device: Device,
        protocol: Any,
        settings: Any,
        *,
        sensitivities: Sequence[str] = (),
        **prepared: Any,
    ) -> xr.Dataset:
        self.calls += 1
        self.prepared = prepared
        self.protocols.append(protocol)
        self.before(self.calls, device)
        paths = list(sensitivities)
        if isinstance(protocol, devicephys.Bake):
            return baked(device, protocol)
        if isinstance(protocol, devicephys.PulseTrain):
            at = np.linspace(0.2, 1.4, protocol.count)
            logs, slopes = formula(device, at)
            values = {"conductance": ("pulse", 1e-4 * np.exp(logs - at))}
            name, dim = "conductance_sensitivity", "pulse"
        else:
            time = np.unique(np.concatenate([protocol.corners, np.linspace(0, 0.06, 241)]))
            v = np.array([protocol.voltage(t) for t in time])
            logs, slopes = formula(device, v)
            values = {
                "time": ("time", time),
                "voltage": ("time", v),
                "current": ("time", 2e-4 * v * np.exp(logs)),
            }
            name, dim = "current_sensitivity", "time"
        if prepared:
            return xr.Dataset(values)
        shares = np.column_stack([slopes[path] for path in paths])
        return xr.Dataset({**values, name: ((dim, "parameter"), shares)})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    simulator = Fake()
    monkeypatch.setattr(fit_data, "simulate", simulator)
    return simulator


def write_loop(path: Path, noise: float, seed: int) -> Path:
    time = np.linspace(0.0, 0.06, 241)
    v = np.array([WAVEFORM.voltage(t) for t in time])
    i = 2e-4 * v * np.exp(noise * np.random.default_rng(seed).normal(size=len(v)))
    rows = "\n".join(f"{a:.9g},{b:.9g},{c:.12g}" for a, b, c in zip(time, v, i, strict=True))
    path.write_text(f"time (s),voltage (V),current (A)\n{rows}\n")
    return path


def described(file: Path, *names: str, **more: Any) -> dict[str, Any]:
    """A fit of some parameters that begins with another cell than the shipped one."""
    off = {HIGH: 1.2, SERIES: 0.7, D0: 2.0, EA: 1.02}
    changes, free = {}, {}
    for path in names:
        unit, value = CELL.provenance[path].unit, parameter_value(CELL, path)
        changes[path] = f"{value * off[path]:.9g} {unit}"
        free[path] = {"lower": f"{value / 10:.9g} {unit}", "upper": f"{value * 10:.9g} {unit}"}
    start = file.parent / "start.yaml"
    start.write_text(CELL.with_(changes).to_yaml())
    loop = {"loop": str(file), "error": 0.02, "voltage_error": "0 V"}
    given = {"name": "mine", "device": str(start), "data": [loop], "free": free}
    return given | {"loss": "linear"} | more


def test_intervals_cover_what_was_put_in_as_often_as_they_say(tmp_path: Path, fake: Fake) -> None:
    names, inside68, inside95 = (HIGH, SERIES, D0), 0, 0
    for seed in range(30):
        result = fit_device(described(write_loop(tmp_path / "l.csv", 0.02, seed), *names))
        assert result.reason == "converged" and not result.undetermined
        for name in names:
            one, truth = result.parameters.sel(parameter=name), parameter_value(CELL, name)
            inside68 += bool(one["low68"] <= truth <= one["high68"])
            inside95 += bool(one["low95"] <= truth <= one["high95"])
    assert 0.58 <= inside68 / 90 <= 0.80
    assert inside95 / 90 >= 0.90
    assert fake.calls / 30 <= 8
    assert {result.device.provenance[name].mark for name in names} == {"calibrated"}


def test_what_one_loop_leaves_open_is_one_combination(tmp_path: Path, fake: Fake) -> None:
    result = fit_device(described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH, D0, EA))
    assert len(result.undetermined) == 1
    # along this product D0^0.3 Ea^-6 stays the same
    assert result.undetermined[0].startswith(f"{D0} * {EA}^0.05 ")
    wide = result.parameters.sel(parameter=D0)
    assert wide["high68"] / wide["low68"] > 1e3
    sharp = result.parameters.sel(parameter=HIGH)
    assert sharp["high95"] / sharp["low95"] < 1.1


def test_a_prior_closes_what_data_leave_open_and_is_not_taken_for_data(
    tmp_path: Path, fake: Fake
) -> None:
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), D0, EA)
    given["free"][EA]["prior"] = 0.01
    result = fit_device(given)
    assert len(result.undetermined) == 1
    one = result.parameters.sel(parameter=EA)
    assert one["high68"] / one["low68"] == pytest.approx(1.01**2, rel=1e-2)
    decades = np.log10(np.abs(result.data[0]["simulated"] / result.data[0]["measured"]).values)
    assert result.log_misfit == pytest.approx(np.sqrt(np.mean(decades**2)))


def test_loop_and_train_and_tied_parameters_are_fitted_together(tmp_path: Path, fake: Fake) -> None:
    count = 20
    train = fake(CELL, devicephys.PulseTrain(count=count), None, sensitivities=[HIGH])
    rows = "\n".join(f"{1e6 * g:.9g}" for g in train["conductance"].values)
    (tmp_path / "train.csv").write_text(f"G (uS)\n{rows}\n")
    given = described(write_loop(tmp_path / "l.csv", 0.0, 1), HIGH, SERIES)
    pulses = {"amplitude": "-2 V", "width": "100 ns"}
    given["data"].append({"train": str(tmp_path / "train.csv"), "protocol": pulses, "error": 0.01})
    tied = given["free"].pop(HIGH) | {"paths": [HIGH, D0]}
    given["free"]["both"] = tied
    result = fit_device(given)
    assert [d.sizes["sample"] for d in result.data] == [160, count]
    ratios = [parameter_value(result.device, p) / parameter_value(CELL, p) for p in (HIGH, D0)]
    assert ratios[1] == pytest.approx(ratios[0] / 1.2, rel=1e-6)  # HIGH began 1.2 times too large


def test_a_train_from_a_resistance_has_differences_for_tangents(tmp_path: Path, fake: Fake) -> None:
    train = fake(CELL, devicephys.PulseTrain(count=20), None, initial_resistance="8 kohm")
    rows = "\n".join(f"{1e6 * g:.9g}" for g in train["conductance"].values)
    (tmp_path / "train.csv").write_text(f"G (uS)\n{rows}\n")
    given = described(write_loop(tmp_path / "l.csv", 0.0, 1), HIGH, SERIES)
    pulses = {"amplitude": "-2 V", "width": "100 ns"}
    one = {"train": str(tmp_path / "train.csv"), "protocol": pulses, "error": 0.01}
    given["data"] = [{**one, "initial_resistance": "8 kohm"}]
    result = fit_device(given)
    assert fake.prepared["initial_resistance"] == "8 kohm"
    assert 0 < fake.prepared["initial_tolerance"] < 0.01
    for path in (HIGH, SERIES):
        assert parameter_value(result.device, path) == pytest.approx(
            parameter_value(CELL, path), rel=1e-3
        )
    given["data"][0]["initial_resistance"] = "8 volt"
    with pytest.raises(InputError, match="initial_resistance"):
        fit_device(given)


def bake_source(path: Path) -> dict[str, Any]:
    bake = devicephys.Bake(temperatures="473.15 K", duration="1 day", first_read="1 min")
    values = baked(CELL, bake)["conductance"].values[0]
    rows = "\n".join(f"{t:.9g},{1 / g:.9g}" for t, g in zip(bake.read_times, values, strict=True))
    path.write_text(f"t (s),R (ohm)\n{rows}\n")
    return {"bake": str(path), "temperature": "200 degC"}


def test_a_bake_closes_what_one_loop_leaves_open(tmp_path: Path, fake: Fake) -> None:
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH, D0, EA, suggest=True)
    alone = fit_device(given)
    assert len(alone.undetermined) == 1 and alone.suggestions is not None
    # loops and trains of the formula know the same product, however fast; the bake another one
    assert str(alone.suggestions["experiment"].values[0]).startswith("a day at 200 degC")
    assert (
        float(alone.suggestions["spread"][0, 0]) < 0.25 < float(alone.suggestions["spread"][1, 0])
    )
    given["data"].append(bake_source(tmp_path / "bake.csv"))
    result = fit_device(given)
    assert result.undetermined == [] and result.suggestions is None
    for name in (HIGH, D0, EA):
        one = result.parameters.sel(parameter=name)
        off = np.log(one["value"] / parameter_value(CELL, name))
        assert abs(off) < 3.0 * np.log(one["high68"] / one["value"]) < 0.2
    assert result.data[1]["axis"].attrs["units"] == "s"


def test_only_the_change_counts_of_a_bake_that_is_relative(tmp_path: Path, fake: Fake) -> None:
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), D0, EA)
    source = bake_source(tmp_path / "bake.csv") | {"relative": True}
    table = (tmp_path / "bake.csv").read_text().splitlines()
    larger = [f"{t},{3 * float(r):.9g}" for t, r in (line.split(",") for line in table[1:])]
    (tmp_path / "bake.csv").write_text("\n".join([table[0], *larger]) + "\n")
    given["data"].append(source)
    result = fit_device(given)
    one = result.parameters.sel(parameter=EA)
    assert one["value"] == pytest.approx(parameter_value(CELL, EA), rel=5e-3)


def test_what_is_held_out_has_no_part_in_the_fit(tmp_path: Path, fake: Fake) -> None:
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH, SERIES)
    alone = fit_device(given)
    (tmp_path / "train.csv").write_text("G (uS)\n" + "50\n" * 20)
    pulses = {"amplitude": "-2 V", "width": "100 ns"}
    held = {"train": str(tmp_path / "train.csv"), "protocol": pulses}
    result = fit_device(given | {"predict": [held]})
    assert result.device == alone.device and result.solves == alone.solves
    (prediction,) = result.predicted
    slopes = np.column_stack([np.full(20, 0.8), 0.3 * np.linspace(0.2, 1.4, 20) ** 2])
    deviation = np.log(result.parameters["high68"] / result.parameters["value"]).values
    matrix = np.outer(deviation, deviation) * result.parameters["correlation"].values
    expected = np.sqrt(np.einsum("ij,jk,ik->i", slopes, matrix, slopes))
    np.testing.assert_allclose(prediction["spread"].values, expected, rtol=1e-6)


def test_profiles_of_a_parabola_are_the_intervals_of_laplace(tmp_path: Path, fake: Fake) -> None:
    # the residuals of the formula are linear in the logarithms
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH, SERIES)
    plain = fit_device(given, folder=tmp_path / "fit")
    result = fit_device(given | {"profile": [SERIES]}, folder=tmp_path / "fit")
    assert list(result.profiles) == [SERIES] and result.solves > plain.solves
    one = result.parameters.sel(parameter=SERIES)
    for end in ("low68", "high68", "low95", "high95"):
        assert np.log(one[f"profile_{end}"] / one["value"]) == pytest.approx(
            np.log(one[end] / one["value"]).item(), rel=0.05
        )
    assert np.isnan(result.parameters["profile_low68"].sel(parameter=HIGH))


def test_a_profile_that_meets_a_bound_is_open(tmp_path: Path, fake: Fake) -> None:
    result = fit_device(
        described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH, D0, EA, profile=[D0])
    )
    one = result.parameters.sel(parameter=D0)
    assert np.isnan(one["profile_low95"]) and np.isnan(one["profile_high95"])


def test_samples_of_a_gaussian_posterior(tmp_path: Path, fake: Fake) -> None:
    pytest.importorskip("emcee")
    names = (HIGH, SERIES)
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), *names, profile=True)
    result = fit_device(given | {"posterior": 2000})
    assert result.posterior is not None and result.posterior.sizes["sample"] == 2000
    assert result.posterior.attrs["emulator_error"] < 0.05
    for name in names:
        one = result.parameters.sel(parameter=name)
        logs = np.log(result.posterior["value"].sel(parameter=name) / one["value"])
        deviation = np.log(one["high68"] / one["value"]).item()
        assert abs(logs.mean()) < 0.2 * deviation
        assert logs.std() == pytest.approx(deviation, rel=0.15)
    listed = result.population()
    assert listed.paths == names and len(listed) == 2000
    assert parameter_value(listed.device(CELL, 7), HIGH) == pytest.approx(
        result.posterior["value"].sel(parameter=HIGH).values[7], rel=1e-9
    )


def test_a_prediction_that_fails_takes_nothing_of_the_fit_away(tmp_path: Path, fake: Fake) -> None:
    file = write_loop(tmp_path / "l.csv", 0.02, 1)
    train = tmp_path / "train.csv"
    train.write_text("pulse,conductance (S)\n1,1e-4\n2,9e-5\n3,8e-5\n")

    def fail(call: int, device: Device) -> None:
        if any(isinstance(p, devicephys.PulseTrain) for p in fake.protocols[-1:]):
            raise SolverError("Newton does not converge", "t = 1 ns")

    fake.before = fail
    held = {"train": str(train), "protocol": {"amplitude": "-2 V", "width": "100 ns"}}
    given = described(file, HIGH, SERIES) | {"predict": [held], "suggest": True}
    written = tmp_path / "fit.yaml"
    written.write_text(yaml.safe_dump(given))
    out = tmp_path / "out"
    answer = CliRunner().invoke(app, ["fit", str(written), "--out", str(out), "--json"])
    assert answer.exit_code == 0, answer.output
    (text,) = json.loads(answer.stdout)["failures"]
    assert text.startswith("train.csv, held out, is not predicted: Newton does not converge")
    assert text in (out / "report.html").read_text()
    assert (out / "device.yaml").is_file() and (out / "parameters.csv").is_file()


def test_too_few_solves_for_samples_are_said(tmp_path: Path, fake: Fake) -> None:
    pytest.importorskip("emcee")
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH) | {"solves": 2}
    result = fit_device(given | {"posterior": 100, "refine": "none"})
    assert result.posterior is None
    assert len(result.failures) == 1 and result.failures[0].startswith("no samples")


def test_where_the_solver_gives_up_the_fit_goes_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(call: int, device: Device) -> None:
        if call == 2:
            raise SolverError("no time step succeeds")

    simulator = Fake(refuse)
    monkeypatch.setattr(fit_data, "simulate", simulator)
    events = []
    given = described(write_loop(tmp_path / "l.csv", 0.0, 1), HIGH, SERIES)
    result = fit_device(given, progress=events.append)
    assert [event.failed for event in events][:2] == [False, True]
    best = [event.best for event in events]
    assert best == sorted(best, reverse=True) and best[-1] < best[0]
    assert min(event.misfit for event in events) == best[-1]
    assert result.log_misfit < 1e-3
    simulator.before = lambda call, device: (_ for _ in ()).throw(SolverError("no step"))
    with pytest.raises(SolverError):  # of the device that it begins with
        fit_device(given)


def test_no_more_solves_than_allowed(tmp_path: Path, fake: Fake) -> None:
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH, SERIES, D0, solves=2)
    result = fit_device(given | {"refine": "none"})
    assert fake.calls == result.solves == 2 and result.reason == "stopped after 2 solves"


# a solve says so in its own way: `devicephys.simulate` makes an error of Ctrl-C
@pytest.mark.parametrize("stops", [KeyboardInterrupt, Interrupted("interrupted", "t = 1 s")])
def test_ctrl_c_keeps_the_best_and_the_fit_goes_on_where_it_was(
    stops: type[BaseException] | BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH, SERIES, D0)
    monkeypatch.setattr(fit_data, "simulate", Fake())
    whole = fit_device(given)

    def stop(call: int, device: Device) -> None:
        if call == 3:
            raise stops

    monkeypatch.setattr(fit_data, "simulate", Fake(stop))
    with pytest.raises(FitInterrupted) as stopped:
        fit_device(given, folder=tmp_path / "fit")
    assert stopped.value.result is not None and stopped.value.result.solves == 2
    again = Fake()
    monkeypatch.setattr(fit_data, "simulate", again)
    result = fit_device(given, folder=tmp_path / "fit")
    assert again.calls == whole.solves - 2
    assert result.device == whole.device
    other = given | {"data": [given["data"][0] | {"error": 0.03}]}
    with pytest.raises(InputError, match="belongs to another fit"):
        fit_device(other, folder=tmp_path / "fit")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"free": {"filament.radios": {"lower": "1 nm", "upper": "2 nm"}}}, "radius"),
        ({"free": {"filament.radius": {"lower": "1 nm", "upper": "2 nm"}}}, "do not hold"),
        ({"free": {"filament.radius": {"lower": "1", "upper": "20 nm"}}}, "free.filament.radius"),
        ({"free": {"filament.radius": {"lower": 1, "upper": "20 nm"}}}, "'1' has no unit"),
        ({"data": [{"train": "none.csv", "protocol": {"amplitude": -2}}]}, "'-2' has no unit"),
        ({"free": {}}, "free"),
        ({"data": []}, "data"),
        ({"data": [{"bake": "x"}]}, "temperature.*data.1"),
        ({"data": [{"sweep": "x"}]}, "names no loop, train or bake"),
        ({"predict": [{"train": "none.csv"}]}, "protocol.*predict.1"),
        ({"profile": ["radius"]}, "'radius' is not free"),
        ({"data": [{"loop": "none.csv", "errors": 1}]}, "errors"),
        ({"data": [{"loop": "none.csv"}]}, "no such file"),
        ({"preset": "slow"}, "preset"),
        ({"solve": 3}, "solve"),
    ],
)
def test_a_description_that_is_not_clear_is_one_line(
    tmp_path: Path, fake: Fake, change: dict, message: str
) -> None:
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH) | change
    with pytest.raises(InputError, match=message) as caught:
        fit_device(given)
    assert "\n" not in str(caught.value) and fake.calls == 0


def test_command_prints_what_is_open_first_and_writes_device_and_report(
    tmp_path: Path, fake: Fake, settled: None
) -> None:
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH, D0, EA)
    given["data"][0]["loop"] = "l.csv"  # relative to the file
    given |= {"profile": [HIGH], "suggest": True, "predict": [dict(given["data"][0])]}
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(given))
    line = ["fit", str(tmp_path / "fit.yaml"), "--out", str(tmp_path / "out")]
    runner = CliRunner()
    answer = runner.invoke(app, line)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.index("Not determined by these data") < answer.stdout.index("68 %")
    fitted = devicephys.load_device(tmp_path / "out" / "device.yaml")
    assert fitted.name == "mine" and fitted.provenance[HIGH].mark == "calibrated"
    page = (tmp_path / "out" / "report.html").read_text()
    for heading in ("What would tell more", "held out", "Profile likelihood"):
        assert heading in page
    columns = (tmp_path / "out" / "parameters.csv").read_text().splitlines()
    assert columns[0].startswith("parameter,value,start") and len(columns) == 4
    assert page.index("do not determine") < page.index("Parameters") < page.index("Correlation")
    assert runner.invoke(app, line).exit_code == 2  # it exists
    kept = len(list((tmp_path / "out" / "solves").iterdir()))
    found = runner.invoke(app, [*line, "--resume", "--json"])
    assert found.exit_code == 0 and HIGH in json.loads(found.stdout)["parameters"]
    assert len(list((tmp_path / "out" / "solves").iterdir())) == kept


def test_directions_are_products_of_powers() -> None:
    assert direction_text(["a", "b", "c"], np.array([0.001, -0.5, 0.25])) == "b * c^-0.50"
    rng = np.random.default_rng(3)
    jacobian = rng.normal(size=(50, 2)) @ np.array([[1.0, 2.0], [0.0, 1e-9]])
    known = information(rng.normal(size=50), jacobian, [None, None])
    assert list(known.open_directions) == [0] and known.inflation >= 1.0
    np.testing.assert_allclose(np.abs(known.directions[0]), [2 / 5**0.5, 1 / 5**0.5], rtol=1e-6)


def read_one(source: Any) -> Any:
    return fit_data.read_data([source], None)[0]


def train_file(folder: Path, text: str) -> dict[str, Any]:
    file = folder / "train.csv"
    file.write_text(text)
    protocol = {"amplitude": "-2.3 V", "width": "50 ns"}
    return {"train": str(file), "protocol": protocol, "error": 0.02}


def test_pulses_that_were_not_read_keep_their_numbers(tmp_path: Path, fake: Fake) -> None:
    values = 1e-4 * np.exp(-np.linspace(0.2, 1.4, 10))  # as the formula has them
    for text in (
        "G (S)\n" + "".join(f"{'nan' if k in (3, 4) else g}\n" for k, g in enumerate(values)),
        "pulse,G (S)\n0,1e-4\n"
        + "".join(f"{k + 1},{g}\n" for k, g in enumerate(values) if k not in (3, 4)),
    ):
        data = read_one(fit_data.TrainSource(**train_file(tmp_path, text)))
        assert data.axis.tolist() == [1, 2, 3, 6, 7, 8, 9, 10]
        assert data.train.count == 10
        simulated, _ = data.simulate(CELL, devicephys.Settings(), [HIGH])
        np.testing.assert_allclose(simulated, data.measured, rtol=1e-9)


def test_trains_below_each_other_are_refused(tmp_path: Path, fake: Fake) -> None:
    text = "pulse,G (S)\n" + "".join(f"{k},{1e-4 / k}\n" for k in (1, 2, 3, 1, 2, 3))
    with pytest.raises(InputError, match=r"do not go up.*a file of its own"):
        read_one(fit_data.TrainSource(**train_file(tmp_path, text)))


def test_a_loop_of_sizes_or_of_the_other_sign_is_fitted_on_both_sides(tmp_path: Path) -> None:
    file = write_loop(tmp_path / "loop.csv", 0.0, 0)
    plain = read_one(fit_data.LoopSource(loop=str(file)))
    rows = [line.split(",") for line in file.read_text().splitlines()]
    for change in (abs, lambda i: -i):
        changed = [rows[0], *([t, v, f"{change(float(i))!r}"] for t, v, i in rows[1:])]
        file.write_text("\n".join(",".join(row) for row in changed) + "\n")
        data = read_one(fit_data.LoopSource(loop=str(file)))
        np.testing.assert_allclose(data.measured, plain.measured, rtol=1e-9)
