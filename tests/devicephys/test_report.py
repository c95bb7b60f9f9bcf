"""Reports of loops, trains and switching times: what is in them, and that they stand alone."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from ddkbase.errors import StorageError
from devicephys import load_device
from devicephys.plots import iv as plots
from devicephys.population.variability import Variability
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.protocol.waveform import IVSweep
from devicephys.report import (
    repeat as report_repeat,
)
from devicephys.report import (
    report,
)
from devicephys.report import (
    viewer as report_viewer,
)
from devicephys.simulation.settings import Settings
from devicephys.simulation.switching_time import Point, dataset
from tests.cli_tools import call, names
from tests.synthetic import iv_trace, pulse_trace

HOSTILE = """</script><script>alert(1)</script><img src='https://a.b/c'>"""
DEVICE = load_device("tin-taox-hfox-tin")


def asked(ds: xr.Dataset, protocol: Any, settings: Settings | None = None) -> xr.Dataset:
    """The record as if a command had asked for it."""
    settings = settings or Settings.preset("quick")
    return ds.assign_attrs(
        protocol_json=json.dumps(protocol.to_dict()),
        settings_json=json.dumps(settings.to_dict()),
    )


def switching_times(scan: SwitchingScan | None = None) -> xr.Dataset:
    scan = scan or SwitchingScan("1 V, 1.2 V", "reset")
    points = [
        Point("reset", v, "switched", switching_time=t, temperature_half=500.0 + 100 * v, steps=9)
        for v, t in ((1.0, 1e-3), (1.2, 1e-5))
    ]
    return dataset(DEVICE, scan, Settings.preset("quick"), points, 1, True)


def embedded(text: str) -> dict[str, Any]:
    """What the viewer's scripts get."""
    found = re.search(r'<script type="application/json" id="viewer-data">(.*?)</script>', text)
    assert found is not None
    content: dict[str, Any] = json.loads(found[1])
    return content


def stands_alone(text: str) -> None:
    """Nothing in the page is fetched from elsewhere."""
    for mark, target in re.findall(r'\b(src|href|action|srcset)="([^"]*)"', text):
        assert target.startswith("data:") or (mark == "href" and ":" not in target), target
    assert not re.search(r"@import|url\(", text)
    assert text.count("<script>") in (0, len(report_viewer.SCRIPTS))


def test_a_loop_tells_what_was_asked_and_what_came_out(tmp_path: Path) -> None:
    cell = DEVICE.with_({"filament.radius": "8 nm"})
    ds = asked(iv_trace(fine=4, frames=6), IVSweep.from_device(cell))
    ds = ds.assign_attrs(device_yaml=cell.to_yaml())
    picture = plots.save_figure(plots.iv_figure(ds), tmp_path / "iv.png")
    path = report.write_report(tmp_path, ds, [picture])
    text = path.read_text(encoding="utf-8")
    assert path.name == "report.html"
    for words in (
        "<td>filament.radius</td><td>8 nm</td><td>9 nm</td>",  # changed against the library
        "−1.250 V",
        "5.2 kΩ",
        "420 °C",
        "quick, monolithic",
        "2 rejected steps",
        "Newton did not converge",
        "ddk-device iv --device=device.yaml --preset=quick --out=again",
        f"<td>{np.__version__}</td>",
        '<a href="iv.png">iv.png</a>',
    ):
        assert words in text
    assert text.count("data:image/png;base64,") == 1 and "<noscript>" in text
    assert "1.0e-06" in text and text.count('<b class="yes">kept</b>') == 3
    stands_alone(text)
    assert len(text) < 5_000_000


def test_a_train_tells_what_was_asked_and_what_came_out(tmp_path: Path) -> None:
    ds = asked(pulse_trace(wanted_resistance=5e3), PulseTrain("-2.1 V"))
    text = report.report_text(ds, {})
    for words in ("amplitude −2.1 V", "5 kΩ asked", "200 µS"):
        assert words in text
    shown = re.search(r"(\d+) of the 100 pulses", text)
    assert shown is not None and 20 < int(shown[1]) <= 40
    assert '<td class="number">100</td>' in text  # the last one is among them
    options = r"--amplitude='-2.1 V' \s*\\\s*--initial-resistance='5000 ohm'"
    assert re.search(options.replace("'", "&#x27;"), text)
    stands_alone(text)
    one = report.report_text(asked(pulse_trace(count=1), PulseTrain(count=1)), {})
    assert "1 of the 1 pulses" in one


def test_switching_times_tell_what_was_asked_and_what_came_out() -> None:
    text = report.report_text(switching_times(), {})
    for words in ("RESET: 2 of 2 voltages switched", "1 ms", "10 µs", "−1.2 V", "Criterion: read"):
        assert words in text
    stands_alone(text)


def test_what_was_not_finished_or_is_doubtful_is_said_at_the_top() -> None:
    ds = iv_trace(fine=4, frames=4, complete=False, warning="one-pass is inaccurate")
    text = report.report_text(ds, {})
    assert text.index("not complete") < text.index("What was asked")
    assert text.index("one-pass is inaccurate") < text.index("What was asked")
    broken = iv_trace(fine=4, frames=4)
    broken["energy_imbalance"][3] = 0.2
    assert '<b class="no">not kept</b>' in report.report_text(broken, {})


def test_the_allowed_imbalances_are_those_of_the_verification() -> None:
    source = Path(report.__file__).parents[1] / "verification" / "balances.py"
    found = re.search(r"^BALANCES = (.*)$", source.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    assert json.loads(found[1]) == report.ALLOWED


@pytest.mark.parametrize("kind", ["loop", "train", "kinetics"])
def test_names_and_values_of_others_do_not_become_markup(kind: str) -> None:
    ds: xr.Dataset = {
        "loop": lambda: iv_trace(fine=4, frames=3),
        "train": lambda: pulse_trace(count=3),
        "kinetics": switching_times,
    }[kind]()
    known = "chosen for this toolkit; a wider cell heats more"
    yaml = DEVICE.to_yaml().replace(known, json.dumps(HOSTILE), 1)
    attrs = ("title", "voltage_reference", "method", "warning", "created", "criterion")
    hostile = dict.fromkeys(attrs, HOSTILE)
    ds = ds.assign_attrs(
        hostile,
        device_yaml=yaml,
        protocol_json=json.dumps({"kind": HOSTILE, HOSTILE: HOSTILE}),
        settings_json=json.dumps({"name": HOSTILE, "scheme": HOSTILE}),
        versions_json=json.dumps({HOSTILE: HOSTILE}),
        **({"headline_json": json.dumps({HOSTILE: HOSTILE})} if kind == "loop" else {}),
    )
    if kind == "loop":
        ds["rejected_reason"] = ds["rejected_reason"].copy(data=[HOSTILE, HOSTILE])
    text = report.report_text(ds, {}, [])
    assert "<script>alert" not in text and "<img" not in text
    assert "&lt;/script&gt;" in text
    stands_alone(text)


def test_fields_survive_their_two_bytes() -> None:
    ds = iv_trace(fine=4, frames=5)
    data = embedded(report.report_text(ds, {}))
    points = [one["point"] for one in data["instants"] if one["point"]]
    assert points == list("ABCDEFGH")
    steps = [one["step"] for one in data["instants"]]
    assert steps == sorted(set(steps))
    at = next(k for k, one in enumerate(data["instants"]) if one["point"] == "D")
    names_ = ("vacancy_concentration", "temperature", "potential")
    for field, name, factor, zero in zip(
        data["fields"], names_, (1e-27, 1, 1), (0, -273.15, 0), strict=True
    ):
        true = ds[name].sel(point="D").values * factor + zero
        codes = np.frombuffer(base64.b64decode(field["codes"]), "<u2")
        codes = codes.reshape(len(steps), *true.shape)[at]
        step = (field["high"] - field["low"]) / 65534
        found = np.where(codes == 65535, np.nan, field["low"] + codes * step)
        np.testing.assert_allclose(found, true, atol=0.51 * step, equal_nan=True)
        assert np.isnan(found).any() == (name == "vacancy_concentration")


def test_of_too_many_frames_some_are_left_out_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ds = iv_trace(fine=4, frames=60)
    whole = embedded(report.report_text(ds, {}))
    size = len(base64.b64decode("".join(f["codes"] for f in whole["fields"])))
    monkeypatch.setattr(report_viewer, "ROOM", 20 * size // len(whole["instants"]) + 99)
    text = report.report_text(ds, {})
    few = embedded(text)
    assert len(few["instants"]) == 20
    assert [one["point"] for one in few["instants"] if one["point"]] == list("ABCDEFGH")
    assert f"{len(whole['instants']) - 20} more with fields are left out" in text
    monkeypatch.setattr(report_viewer, "ROOM", 1)
    assert len(embedded(report.report_text(ds, {}))["instants"]) == 1


def test_a_loop_without_fields_has_no_viewer() -> None:
    ds = iv_trace(fine=4, frames=3).isel(frame=slice(0), point=slice(0))
    text = report.report_text(ds, {})
    assert "viewer" not in text and "<script" not in text and "RESET onset" in text


def test_a_report_replaces_no_other_unless_told(tmp_path: Path) -> None:
    ds = pulse_trace(count=3)
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(StorageError, match="exists"):
        report.write_report(tmp_path, ds, [])
    assert (tmp_path / "report.html").read_text() == "mine"
    report.write_report(tmp_path, ds, [], overwrite=True)
    assert names(tmp_path) == {"report.html"}


@pytest.mark.usefixtures("settled")
def test_plot_makes_the_report_again(tmp_path: Path) -> None:
    for command, name in (("iv", "a b"), ("pulses", "<i>")):
        out = tmp_path / name
        result = call(command, "--preset", "quick", "--out", out)
        assert result.exit_code == 0, result.output
        assert str(out / "report.html") in result.stdout
        made = (out / "report.html").read_bytes()
        (out / "report.html").unlink()
        assert call("plot", out).exit_code == 0
        again = (out / "report.html").read_bytes()
        assert again == made


def test_settings_and_sweeps_of_ones_own_are_repeated_in_python() -> None:
    sweep = IVSweep.from_device(DEVICE)
    ds = asked(iv_trace(fine=4, frames=3), sweep)
    assert report_repeat.command(ds, DEVICE) is not None
    own = (
        asked(ds, sweep, Settings.preset("quick", newton_iterations=9)),
        asked(ds, IVSweep("-1 V", "1 V", "10 V/s")),
        ds.assign_attrs(protocol_json="{}"),
        ds.assign_attrs(settings_json='{"name": [], "scheme": 3}'),
    )
    for one in own:
        assert report_repeat.command(one, DEVICE) is None
        assert "stored(&quot;settings_json&quot;)" in report.report_text(one, {})
    staggered = asked(ds, sweep, Settings.preset("fine", scheme="staggered"))
    line = report_repeat.command(staggered.assign_attrs(ranks=2), DEVICE)
    assert line is not None and line.startswith("mpiexec -n 2 ddk-device iv ")
    assert "--preset=fine --scheme=staggered" in line.replace("\\\n    ", "")


@pytest.mark.parametrize(
    ("train", "options"),
    [
        (PulseTrain(), ""),
        (PulseTrain("1.5 V", "3 us", 7), "--amplitude='1.5 V' --width='3 us' --count=7"),
        (PulseTrain(["1 V", "2 V"]), None),
        (PulseTrain(read_width="200 ns"), None),
    ],
)
def test_trains_are_repeated(train: PulseTrain, options: str | None) -> None:
    line = report_repeat.command(asked(pulse_trace(count=7), train), DEVICE)
    if options is None:
        assert line is None
        return
    assert line is not None
    assert " ".join(line.replace("\\\n", "").split()).startswith(
        f"ddk-device pulses --device=device.yaml {options}".strip()
    )


def test_a_drawn_cell_is_repeated_from_its_seed() -> None:
    ds = asked(pulse_trace(count=7), PulseTrain(count=7))
    ds = ds.assign_attrs(seed=3, cycle=2, device_number=1)
    usual = ds.assign_attrs(variability_json=json.dumps(Variability().to_dict()))
    line = report_repeat.command(usual, DEVICE)
    assert line is not None
    assert "--seed=3 --cycle=2 --device-number=1" in line.replace("\\\n    ", "")
    other = ds.assign_attrs(variability_json=json.dumps(Variability.none().to_dict()))
    assert report_repeat.command(other, DEVICE) is None
    text = report_repeat.script(other, "pulses.nc")
    assert "seed=3" in text and 'load_device("device.yaml")' in text
    assert "drawn from a population" in report.report_text(usual, {})


def test_scans_are_repeated() -> None:
    line = report_repeat.command(switching_times(), DEVICE)
    assert line is not None
    assert "--voltages='1 V, 1.2 V' --polarity=reset" in line.replace("\\\n    ", "")
    own = switching_times(SwitchingScan("1 V, 1.2 V", "reset", read_voltage="0.2 V"))
    assert report_repeat.command(own, DEVICE) is None


@pytest.mark.parametrize("make", [iv_trace, lambda: pulse_trace(count=3), switching_times])
def test_the_lines_of_python_are_python(make: Any) -> None:
    compile(report_repeat.script(make(), "it's.nc"), "lines", "exec")


@pytest.mark.parametrize("make", [iv_trace, lambda: pulse_trace(count=3), switching_times])
def test_the_lines_of_python_import_public_names_only(make: Any) -> None:
    drawn = make().assign_attrs(seed=1, cycle=0, device_number=0, variability_json="{}")
    for ds in (make(), drawn):
        lines = report_repeat.script(ds, "record.nc").splitlines()
        imports = [line for line in lines if re.match("(from|import) ", line)]
        assert all(re.match("import json|from devicephys import ", line) for line in imports)
        exec("\n".join(imports), {})
