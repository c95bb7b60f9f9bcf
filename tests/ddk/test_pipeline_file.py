"""Pipeline files: what is refused, and which steps a key touches."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from compact.table.table import AlphaBetaTable
from ddk.cli.commands import app
from ddk.pipeline import example_text, list_pipelines, plan
from ddk.pipeline.execution import jobs_of
from ddk.pipeline.file import STEPS, parse_chain, read_chain
from ddk.pipeline.job import fingerprints
from ddk.studies.result import METRICS, Result
from ddkbase.documents import read_json
from ddkbase.errors import DDKError, InputError, InstallationError, StorageError
from network.hardware.chip.compiler import placement_cost
from network.hardware.chip.placement import read_placement
from tests.compact.table_data import campaign
from tests.ddk.fake_chain import run, writes
from tests.docs_material import lay_out
from tests.docs_pages import DOCS, blocks
from tests.network.data_files import speakers

WHOLE: dict[str, Any] = {
    "device": "tin-taox-hfox-tin",
    "preset": "quick",
    "loop": {},
    "pulses": {"amplitude": "-2 V", "count": 3},
    "campaign": {"grid": {"amplitude": ["-1.8 V", "-2 V"]}, "pulses": {"count": 5}},
    "fit": {},
    "network": {"task": "digits", "quick": True},
    "controls": {"models": ["ddk-table", "raw"], "seeds": 2},
    "hardware": {"seeds": 1},
    "compile": {"chip": "180nm"},
}
SIMULATED = ["loop", "pulses", "campaign"]
AFTER_TABLE = ["network", "controls", "hardware", "compile"]


def jobs(told: dict[str, Any], folder: Path | None = None) -> list:
    return jobs_of(parse_chain(yaml.safe_dump(told), "mine.yaml", folder, "mine"), "mine.yaml")


def marks(told: dict[str, Any], folder: Path | None = None) -> dict[str, str]:
    return fingerprints(jobs(told, folder), "1")


def changed(told: dict[str, Any], step: str | None, key: str, value: Any) -> dict[str, Any]:
    if step is None:
        return {**told, key: value}
    return {**told, step: {**(told.get(step) or {}), key: value}}


def table(path: Path, **options: Any) -> Path:
    return AlphaBetaTable.fit(campaign(**options), integrator="implicit").write(path)


@pytest.mark.parametrize(
    ("step", "key", "value", "touched"),
    [
        (None, "device", "calibration-start", [*SIMULATED, "fit", *AFTER_TABLE]),
        (None, "set", {"filament.radius": "8 nm"}, [*SIMULATED, "fit", *AFTER_TABLE]),
        (None, "preset", "default", [*SIMULATED, "fit", *AFTER_TABLE]),
        (None, "description", "other words", []),
        ("loop", "loops", 2, ["loop"]),
        ("pulses", "count", 4, ["pulses"]),
        ("campaign", "cycles", 3, ["campaign", "fit", *AFTER_TABLE]),
        ("campaign", "seed", 4, ["campaign", "fit", *AFTER_TABLE]),
        ("fit", "loss", "huber", ["fit", *AFTER_TABLE]),
        ("network", "epochs", 5, AFTER_TABLE),
        ("network", "seed", 1, ["network", "compile"]),
        ("network", "draws", 3, ["network", "compile"]),
        ("controls", "seeds", 3, ["controls"]),
        ("hardware", "noise", "article", ["hardware"]),
        ("hardware", "cases", ["software"], ["hardware"]),
        ("compile", "layout", "compact", ["compile"]),
    ],
)
def test_a_key_touches_the_steps_that_depend_on_it(
    tmp_path: Path, step: str | None, key: str, value: Any, touched: list[str]
) -> None:
    other = changed(WHOLE, step, key, value)
    old, new = marks(WHOLE), marks(other)
    assert [name for name in old if old[name] != new[name]] == touched

    def fakes(told: dict[str, Any], done: list[str]) -> list:
        return [dataclasses.replace(job, work=writes(job.name, done)) for job in jobs(told)]

    run(tmp_path / "p", fakes(WHOLE, []))
    done: list[str] = []
    run(tmp_path / "p", fakes(other, done))
    assert done == touched


def test_the_content_of_files_counts_and_not_their_place(tmp_path: Path) -> None:
    told = {"table": "t.nc", "network": {"task": "sounds"}}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        table(tmp_path / name / "t.nc")
        speakers(tmp_path / name / "sounds")
    (tmp_path / "b" / "t.nc").write_bytes((tmp_path / "a" / "t.nc").read_bytes())
    one, other = marks(told, tmp_path / "a"), marks(told, tmp_path / "b")
    assert one == other
    (sound, *_) = sorted(p for p in (tmp_path / "b" / "sounds").rglob("*") if p.is_file())
    content = bytearray(sound.read_bytes())
    content[-1] ^= 1
    sound.write_bytes(content)
    assert marks(told, tmp_path / "b") != one


def test_a_table_starts_the_chain_and_measured_trains_do(tmp_path: Path) -> None:
    table(tmp_path / "t.nc")
    told = {"table": "t.nc", **{k: WHOLE[k] for k in AFTER_TABLE}}
    assert [(j.name, j.uses) for j in jobs(told, tmp_path)] == [
        ("network", ()),
        ("controls", ()),
        ("hardware", ()),
        ("compile", ("network",)),
    ]
    (tmp_path / "lab.csv").write_text("pulse,G (uS)\n0,100\n1,50\n2,40\n3,36\n4,35\n")
    told = {"trains": "lab.csv", "fit": {"amplitude": "-2 V"}, "network": {}}
    assert [(j.name, j.uses) for j in jobs(told, tmp_path)] == [("fit", ()), ("network", ("fit",))]
    assert jobs({"pulses": {}, "fit": {}})[1].uses == ("pulses",)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({**WHOLE, "netwrok": {}}, "unknown key 'netwrok' (mine.yaml). Did you mean 'network'?"),
        (changed(WHOLE, "network", "epocs", 3), "(mine.yaml: network). Did you mean 'epochs'?"),
        (changed(WHOLE, "network", "epochs", 0), "mine.yaml: network.epochs"),
        (changed(WHOLE, "network", "epochs", True), "mine.yaml: network.epochs"),
        (changed(WHOLE, "network", "epochs", "5"), "mine.yaml: network.epochs"),
        (changed(WHOLE, "network", "task", "digit"), "mine.yaml: network.task"),
        (changed(WHOLE, "network", "models", []), "mine.yaml: network.models"),
        (changed(WHOLE, "network", "models", ["ddk", "ddk"]), "is there twice"),
        (changed(WHOLE, "network", "models", ["ddkk"]), "there is no model 'ddkk'"),
        (changed(WHOLE, "network", "readout", "some"), "mine.yaml: network.readout"),
        (changed(WHOLE, "network", "quick", "yes"), "mine.yaml: network.quick"),
        (changed(WHOLE, "pulses", "amplitude", "-2 ns"), "pulses.amplitude"),
        (changed(WHOLE, "pulses", "amplitude", -2), "pulses.amplitude"),
        (changed(WHOLE, "pulses", "width", "-3 ns"), "pulses.width"),
        (changed(WHOLE, "loop", "rate", "100 V"), "loop.rate"),
        (changed(WHOLE, "loop", "preset", "coarse"), "loop.preset"),
        ({"campaign": {"from": "no-such"}}, "mine.yaml: campaign.from"),
        ({"campaign": {"from": "no/such.yaml"}}, "mine.yaml: campaign.from"),
        (changed(WHOLE, "campaign", "from", "demo"), "the campaign says it itself"),
        (changed(WHOLE, "campaign", "grid", {"amplitud": "1 V"}), "Did you mean 'amplitude'?"),
        ({**WHOLE, "device": "no-such-device"}, "mine.yaml: device"),
        ({**WHOLE, "set": {"filament.radiu": "8 nm"}}, "mine.yaml: set"),
        ({**WHOLE, "loop": [1]}, "is not a mapping (mine.yaml: loop)"),
        ({**WHOLE, "loop": True}, "is not a mapping (mine.yaml: loop)"),
        (changed(WHOLE, "hardware", "cases", ["softwre"]), "Did you mean 'software'?"),
        (changed(WHOLE, "hardware", "seeds", [1, 1]), "a seed is there twice"),
        (changed(WHOLE, "hardware", "chip", "181nm"), "mine.yaml: hardware.chip"),
        (changed(WHOLE, "compile", "model", "raw"), "mine.yaml: compile.model"),
        (changed(WHOLE, "compile", "largest_weight", -1), "compile.largest_weight"),
        (changed(WHOLE, "controls", "seeds", 0), "controls.seeds"),
        (changed(WHOLE, "fit", "method", "best"), "fit.method"),
        (changed(WHOLE, "fit", "columns", {"conductance": "G"}), "fit.columns"),
        ({**WHOLE, "trains": "lab.csv"}, "a campaign simulates others"),
        ({"trains": "lab.csv", "network": {}}, "nothing fits these trains"),
        ({"fit": {}, "network": {}}, "there are no trains to fit"),
        ({"device": "tin-taox-hfox-tin", "network": {}}, "nothing is simulated"),
        ({"table": "t.nc", "loop": {}}, "nothing uses this table"),
        ({"hardware": {}}, "'hardware' needs a network"),
        ({"network": {}, "hardware": {"noise": "table"}}, "there is no table"),
        ({"controls": {"models": ["ddk-table"]}}, "'ddk-table' needs a table"),
        ({"network": {"models": ["raw"], "banks": 2}}, "no model has a DDK layer"),
        ({"network": {"models": ["minirocket"]}, "compile": {}}, "leaves no network"),
        ({"name": "x"}, "it has no step"),
        ({"name": 3, "loop": {}}, "mine.yaml: name"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(told: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        jobs(told)
    text = str(caught.value)
    assert words in text and "mine.yaml" in text and "\n" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("- loop\n", "is not a mapping"),
        ("loop: {\n", "not valid YAML"),
        ("loop: {}\nloop: {}\n", "given twice"),
        ("loop: &a {}\npulses: *a\n", "anchors"),
        ("loop: !!python/object:os.system {}\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_chain(str(path))
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize("name", ["no-such", "nowhere/x.yaml", ".", "", "a\0b"])
def test_a_name_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        read_chain(name)


def test_missing_input_files_are_told_before_anything_is_done(tmp_path: Path) -> None:
    for told in (
        {"trains": "no.csv", "fit": {}},
        {"table": "no.nc", "network": {}},
        {"network": {"task": "no/such/folder"}},
        {"network": {"task": "mnist"}, "root": "no-root"},
    ):
        with pytest.raises(StorageError):
            jobs(told, tmp_path)


def test_a_missing_package_is_told_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InstallationError, match=r"pip install 'ddk-toolkit\[sklearn\]'"):
        plan("demo", tmp_path / "demo")


def test_the_files_that_the_page_shows_are_pipelines(tmp_path: Path) -> None:
    page = (DOCS / "pipeline.md").read_text(encoding="utf-8")
    shown = [block.text for block in blocks(page) if block.language == "yaml"]
    lay_out(tmp_path, "campaigns.md")  # lab.csv and my-campaign.yaml
    device = resources.files("devicephys.device") / "library" / "tin-taox-hfox-tin.yaml"
    (tmp_path / "my-cell.yaml").write_text(device.read_text(encoding="utf-8"), encoding="utf-8")
    table(tmp_path / "my-table.nc")
    names = [[j.name for j in jobs_of(parse_chain(t, "page", tmp_path, "page"))] for t in shown]
    assert names == [
        ["fit", "network"],
        ["network", "hardware"],
        ["loop", "campaign", "fit", "network", "controls"],
    ]
    for step, known in STEPS.items():
        assert f"`{step}`" in page
        assert all(f"`{key}`" in page for key in known)


@pytest.mark.parametrize("name", list_pipelines())
def test_shipped_pipelines_are_whole(name: str) -> None:
    assert [job.name for job in jobs_of(read_chain(name), name)] == list(STEPS)


def test_the_example_has_every_step_and_says_each_key() -> None:
    text = example_text()
    chain = parse_chain(text, "example", None, "example")
    assert [job.name for job in jobs_of(chain)] == list(STEPS)
    for key in ("trains", "table", "root", "from", "columns", "epochs", "draws", "noise", "layout"):
        assert f"{key}:" in text


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["pipeline", *map(str, arguments)])


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("network: {epocs: 3}\n")
    (tmp_path / "gone.yaml").write_text("table: gone.nc\nnetwork: {}\n")
    for arguments, code in (
        ((), 2),
        (("no-such", "--out", tmp_path / "o"), 2),
        ((tmp_path / "bad.yaml", "--out", tmp_path / "o"), 2),
        ((tmp_path / "gone.yaml", "--out", tmp_path / "o"), 4),
        (("demo", "--example"), 2),
        (("demo", "--out", tmp_path), 4),
    ):
        result = call(*arguments)
        assert result.exit_code == code, result.output
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: ")
    assert not (tmp_path / "o").exists()


def test_the_command_prints_an_example_and_a_plan(tmp_path: Path) -> None:
    result = call("--example")
    assert result.exit_code == 0 and result.stdout == example_text()
    (tmp_path / "mine.yaml").write_text(result.stdout)
    result = call(tmp_path / "mine.yaml", "--out", tmp_path / "o", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("to do") == len(STEPS)
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
def test_from_a_table_to_the_report(tmp_path: Path) -> None:
    table(tmp_path / "t.nc", cycles=2)
    (tmp_path / "mine.yaml").write_text(
        "table: t.nc\n"
        "network: {quick: true, epochs: 2, draws: 2, models: [ddk, raw]}\n"
        "controls: {models: [ddk-table, ddk, raw], seeds: 1}\n"
        "hardware: {seeds: 1, cases: [software, imprecise, hybrid]}\n"
        "compile: {}\n"
    )
    out = tmp_path / "o"
    result = call(tmp_path / "mine.yaml", "--out", out)
    assert result.exit_code == 0, result.output
    text = (out / "report.html").read_text()
    for file in (
        "network/ddk/report.html",
        "network/raw/model.npz",
        "controls/comparison/report.html",
        "compile/chip/placement.json",
    ):
        assert (out / file).is_file() and f'href="{file}"' in text
    for words in (
        "accuracy on them with statistics taken anew",
        "ddk-table",
        "imprecise",
        "TOPS/W",
    ):
        assert words in text
    inside = AlphaBetaTable.read(tmp_path / "t.nc")
    found = dict(zip(("alpha", "beta"), kinetics(out), strict=True))
    assert inside.invert(**found).distance < 1e-3
    runs = {p: p.stat().st_mtime_ns for p in out.rglob("runs/*.json")}
    assert len(runs) == 6
    result = call(tmp_path / "mine.yaml", "--out", out, "--json")
    assert result.exit_code == 0, result.output
    steps = yaml.safe_load(result.stdout)["steps"]
    assert {step["state"] for step in steps} == {"kept"}
    shown = {name: text for step in steps for name, text in step["figures"].items()}
    for model in ("ddk", "raw"):
        path = out / "network" / model / METRICS
        accuracy = Result.from_json(read_json(path), str(path)).accuracy
        assert shown[f"{model}: test accuracy"] == f"{100 * accuracy:.1f} %"
    cost = placement_cost(read_placement(out / "compile/chip/placement.json"))
    assert shown["area"] == f"{1e6 * cost.area:.3g} mm²"  # square metres inside
    assert shown["efficiency"] == f"{cost.tops_per_watt:.3g} TOPS/W"
    assert {p: p.stat().st_mtime_ns for p in out.rglob("runs/*.json")} == runs
    more = (tmp_path / "mine.yaml").read_text().replace("seeds: 1", "seeds: 2")
    (tmp_path / "mine.yaml").write_text(more)
    result = call(tmp_path / "mine.yaml", "--out", out)
    assert result.exit_code == 0, result.output
    assert "network: kept" in result.stdout and "compile: kept" in result.stdout
    assert result.stdout.count("goes on, changed: seeds") == 2
    now = {p: p.stat().st_mtime_ns for p in out.rglob("runs/*.json")}
    assert len(now) == 12 and all(now[path] == time for path, time in runs.items())


def kinetics(out: Path) -> tuple[float, float]:
    from network.model.files import load_network

    (pair,) = load_network(out / "network" / "ddk" / "model.npz").kinetics().values()
    return float(pair[0].squeeze()), float(pair[1].squeeze())


def test_comparison_and_modes_go_on_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from network.hardware.training import harden

    (tmp_path / "mine.yaml").write_text(
        "network: {quick: true, epochs: 1}\nhardware: {seeds: 1, cases: [software, imprecise]}\n"
    )
    calls: list[str] = []

    def stopped(*args: Any, **told: Any) -> Any:
        calls.append(told["mode"])
        if told["mode"] == "imprecise":
            raise KeyboardInterrupt
        return harden(*args, **told)

    monkeypatch.setattr("ddk.studies.hardware.harden", stopped)
    out = tmp_path / "o"
    result = call(tmp_path / "mine.yaml", "--out", out)
    assert result.exit_code == 130 and "step 'hardware': stopped" in result.stderr
    assert [p.name for p in out.rglob("runs/*.json")] == ["software-s0.json"]
    monkeypatch.setattr("ddk.studies.hardware.harden", harden)
    result = call(tmp_path / "mine.yaml", "--out", out)
    assert result.exit_code == 0, result.output
    assert "network: kept" in result.stdout and "hardware: goes on" in result.stdout
    assert "software" not in result.stdout.split("goes on")[1].split("done in")[0]


def test_measured_trains_become_a_table(tmp_path: Path) -> None:
    from tests.compact.trains import falling

    rows = [f"{k},{1e6 * g:.5f}" for k, g in enumerate(falling(0.002, 0.02, noise=0.01))]
    (tmp_path / "lab.csv").write_text("\n".join(["n,other", *rows]) + "\n")
    (tmp_path / "mine.yaml").write_text(
        "trains: lab.csv\n"
        "fit: {amplitude: -2 V, columns: {conductance: other, pulse: n, units: uS}}\n"
    )
    result = call(tmp_path / "mine.yaml", "--out", tmp_path / "o")
    assert result.exit_code == 0, result.output
    found = AlphaBetaTable.read(tmp_path / "o" / "fit" / "table.nc")
    assert float(found.dataset["beta"].squeeze()) == pytest.approx(0.02, rel=0.2)
    assert (tmp_path / "o" / "fit" / "report.html").is_file()


def test_a_fit_of_nothing_fails_with_the_steps_name(tmp_path: Path) -> None:
    (tmp_path / "lab.csv").write_text("pulse,G (uS)\n" + "".join(f"{k},50\n" for k in range(9)))
    (tmp_path / "mine.yaml").write_text("trains: lab.csv\nfit: {}\n")
    result = call(tmp_path / "mine.yaml", "--out", tmp_path / "o")
    assert result.exit_code == 2, result.output
    assert "step 'fit'" in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "o" / "fit" / "table.nc").exists()
    assert issubclass(InputError, DDKError)


def settings_of(told: dict[str, Any], step: str) -> dict[str, Any]:
    (job,) = (job for job in jobs(told) if job.name == step)
    return dict(job.settings)


def test_controls_take_from_the_network_what_they_do_not_say(tmp_path: Path) -> None:
    network = {"task": "voices", "quick": True, "hidden": [5]}
    for own, epochs in (({}, 40), ({"epochs": 5}, 5), ({"quick": False}, 200)):
        task = settings_of({"network": network, "controls": {**own, "models": ["raw"]}}, "controls")
        assert task["task"]["name"] == "voices" and task["task"]["hidden"] == [5]
        assert task["task"]["training"]["epochs"] == epochs
    told = {"network": {**network, "epochs": 7}, "controls": {"quick": False, "models": ["raw"]}}
    assert settings_of(told, "controls")["task"]["training"]["epochs"] == 7
    other = settings_of({"network": network, "controls": {"task": "digits"}}, "controls")["task"]
    assert other["name"] == "digits" and other["hidden"] == [32]
    assert other["training"]["epochs"] == 60


def test_a_folder_of_an_old_version_is_kept_where_its_states_are_asked_for(tmp_path: Path) -> None:
    """Old folders hold states before the pulse; their controls had the task's own widths."""
    records = Path(__file__).parents[1] / "records"
    text = (
        (records / "pipeline.yaml")
        .read_text()
        .replace("  task: digits\n", "  task: digits\n  states: before\n")
    )
    (tmp_path / "pipeline.yaml").write_text(text)
    shutil.copy(records / "table.nc", tmp_path / "table.nc")
    states = dict(plan(tmp_path / "pipeline.yaml", records / "pipeline"))
    assert [states[name] for name in ("network", "hardware", "compile")] == ["kept"] * 3
    assert states["controls"].partition("; sets aside: ")[0] == "to do again, changed: task.hidden"
