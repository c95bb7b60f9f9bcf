"""``ddk-device iv`` as a person runs it: a process, the real solver, a folder of results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from ddkbase import records
from devicephys import InstallationError, installation, load_device
from devicephys.run import folder as runfolder
from devicephys.verification.balances import find_mpiexec

pytestmark = pytest.mark.fem

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "devicephys.cli"]
#: the environment of a person who installed the toolkit; the checkout need not be installed
SEARCH = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
ENVIRONMENT = {**os.environ, "PYTHONPATH": SEARCH, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
#: a sweep of milliseconds that switches nothing
SHORT = ("--preset", "quick", "--reset-voltage", "-0.6 V", "--set-voltage", "0.5 V")


def run(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    options: dict = {"cwd": ROOT, "env": ENVIRONMENT, "timeout": 120, **more}
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def the_error(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line on the error stream of a command that did nothing."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder and output of a whole loop of the shipped device."""
    out = tmp_path_factory.mktemp("iv") / "run"
    done = run("iv", "--preset", "quick", "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_a_run_leaves_all_files(finished: tuple[Path, str]) -> None:
    out, stdout = finished
    assert {path.name for path in out.iterdir()} == set(runfolder.LOOP_FILES)
    for name in (runfolder.CURVES, runfolder.MAPS, runfolder.FILM):
        assert str(out / name) in stdout


def test_the_record_can_be_read(finished: tuple[Path, str]) -> None:
    trace = records.read(finished[0] / runfolder.RECORD, "IVTrace")
    assert trace.attrs["complete"] == 1
    assert json.loads(trace.attrs["headline_json"])["steps"] == trace.sizes["time"] - 1
    assert load_device(finished[0] / runfolder.DEVICE) == load_device("tin-taox-hfox-tin")


def test_the_pictures_can_be_opened_and_show_something(finished: tuple[Path, str]) -> None:
    for name in (runfolder.CURVES, runfolder.MAPS):
        with Image.open(finished[0] / name) as picture:
            assert min(picture.size) > 500
            assert len(np.unique(np.asarray(picture.convert("L")))) > 50
    with Image.open(finished[0] / runfolder.FILM) as film:
        assert getattr(film, "n_frames", 1) > 20


def test_the_paraview_file_holds_steps(finished: tuple[Path, str]) -> None:
    trace = records.read(finished[0] / runfolder.RECORD)
    with h5py.File(finished[0] / runfolder.PARAVIEW) as file:
        group = file["VTKHDF"]
        assert group.attrs["Type"] in (b"UnstructuredGrid", "UnstructuredGrid")
        assert group["Steps"].attrs["NSteps"] == trace.sizes["frame"]
        assert len(group["CellData"]) > 0
        assert len(group["PointData"]) > 0


def test_the_log_tells_the_run(finished: tuple[Path, str]) -> None:
    trace = records.read(finished[0] / runfolder.RECORD)
    log = (finished[0] / runfolder.LOG).read_text()
    assert log.count("\naccepted ") == trace.sizes["time"] - 1
    assert log.count("\nrejected  t =") == trace.sizes["rejected"]
    assert log.rstrip().endswith("done")


# stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_stopped_process_keeps_its_part(number: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [*COMMAND, "iv", "--preset", "default", "--out", str(out)]
    job = subprocess.Popen(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert job.stderr is not None
    first = job.stderr.readline()  # a line of progress: the solver is at work
    job.send_signal(number)
    _, stderr = job.communicate(timeout=300)
    assert "%" in first, first + stderr
    assert job.returncode == 130, stderr
    last = stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert str(out / runfolder.RECORD) in last
    assert "Traceback" not in stderr
    trace = records.read(out / runfolder.RECORD, "IVTrace")
    assert trace.attrs["complete"] == 0
    assert trace.sizes["time"] > 1
    assert {path.name for path in out.iterdir()} == set(runfolder.LOOP_FILES)


# bad input


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--set", "filament.radius=8"], "has no unit"),
        (["--set", "filament.radius=8 V"], "filament.radius"),
        (["--set", "filament.radus=8 nm"], "Did you mean 'filament.radius'?"),
        (["--set", "layers.HfOx.thickness=-9 nm"], "layers.HfOx.thickness"),
        (["--set", "filament.radius=40 nm"], "wider than the cell"),
        (["--reset-voltage", "0 V", "--set-voltage", "0 V"], "voltage"),
        (["--set", "filament.concentration=nan cm^-3"], "not a finite number"),
        (["--rate", "inf V/s"], "not a finite number"),
        (["--device", "tin-taox-hfox"], "Did you mean 'tin-taox-hfox-tin'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_writes_nothing(
    arguments: list[str], complaint: str, tmp_path: Path
) -> None:
    assert complaint in the_error(run("iv", "--out", tmp_path / "run", *arguments), 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [".nan", ".inf", "9", "{value: 9 kg, mark: assumed, source: x}"])
def test_a_bad_value_in_a_file_is_one_line(value: str, tmp_path: Path) -> None:
    text = load_device("tin-taox-hfox-tin").to_yaml()
    (line,) = [line for line in text.splitlines() if line.startswith("outer_radius:")]
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(line, f"outer_radius: {value}"))
    assert "outer_radius" in the_error(run("iv", "--device", file, "--out", tmp_path / "run"), 2)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_a_run_is_left_alone(finished: tuple[Path, str]) -> None:
    before = {path: path.read_bytes() for path in finished[0].iterdir()}
    assert "exists" in the_error(run("iv", *SHORT, "--out", finished[0]), 4)
    assert {path: path.read_bytes() for path in finished[0].iterdir()} == before


def test_a_folder_that_cannot_be_written_is_code_4(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    the_error(run("iv", *SHORT, "--out", tmp_path / "file" / "run"), 4)
    assert (tmp_path / "file").read_text() == ""


def test_without_a_compiler_nothing_begins(tmp_path: Path) -> None:
    bare = {"PATH": str(tmp_path / "empty"), "PYTHONPATH": SEARCH}
    done = run("iv", *SHORT, "--out", tmp_path / "run", env=bare)
    try:
        installation.find_compiler()
    except InstallationError:
        pytest.skip("there is no compiler here")
    assert "compiler" in the_error(done, 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cache", ["/proc", "file"])
def test_without_a_folder_for_compiled_forms_nothing_begins(cache: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {**ENVIRONMENT, "XDG_CACHE_HOME": str(tmp_path / cache)}
    line = the_error(run("iv", *SHORT, "--out", tmp_path / "run", env=environment), 2)
    assert "compiled forms" in line and "XDG_CACHE_HOME" in line
    assert not (tmp_path / "run").exists()


def test_a_compiler_that_fails_gives_the_folder_back(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "XDG_CACHE_HOME": str(tmp_path), "CC": "/bin/false"}
    line = the_error(run("iv", *SHORT, "--out", tmp_path / "run", env=environment), 2)
    assert "C compiler" in line and "CC" in line
    assert not (tmp_path / "run").exists()


# ranks


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["run", "file"])
def test_two_ranks_end_if_the_folder_cannot_be_had(kind: str, tmp_path: Path) -> None:
    mpiexec = find_mpiexec()
    if mpiexec is None:
        pytest.skip("no mpiexec")
    (tmp_path / "file").write_text("")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / runfolder.RECORD).write_text("precious")
    done = subprocess.run(
        [mpiexec, "-n", "2", *COMMAND, "iv", *SHORT, "--out", str(tmp_path / kind)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 4, done.stderr
    assert done.stderr.count("error: ") == 1
    assert (tmp_path / "run" / runfolder.RECORD).read_text() == "precious"


def test_two_ranks_write_what_one_writes(tmp_path: Path) -> None:
    mpiexec = find_mpiexec()
    if mpiexec is None:
        pytest.skip("no mpiexec")
    traces = []
    for ranks in (1, 2):
        out = tmp_path / str(ranks)
        done = subprocess.run(
            [mpiexec, "-n", str(ranks), *COMMAND, "iv", *SHORT, "--out", str(out)],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        traces.append(records.read(out / runfolder.RECORD, "IVTrace"))
    one, two = traces
    assert (one.attrs["ranks"], two.attrs["ranks"]) == (1, 2)
    assert one.sizes == two.sizes
    for name in ("time", "current", "temperature_max", "temperature", "vacancy_concentration"):
        largest = np.nanmax(np.abs(one[name].values))
        assert np.nanmax(np.abs(two[name].values - one[name].values)) <= 1e-8 * largest, name
