"""The command line apart from runs: usage, installation, devices, verification, start-up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import devicephys.verification
from ddkbase.errors import InstallationError
from devicephys import installation
from devicephys.device import load_device
from tests.cli_tools import ROOT, call, error_line, names

pytestmark = pytest.mark.usefixtures("settled")


def test_forms_whose_compilation_was_killed_are_removed(tmp_path: Path) -> None:
    for name in ("libffcx_forms_a.c", "libffcx_forms_a.o", "libffcx_forms_b.c"):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (1e9, 1e9))
    (tmp_path / "libffcx_forms_b.c.cached").write_text("")
    for name in ("libddk_kernel_old", "libddk_kernel_new"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "libddk_kernel_old", (1e9, 1e9))
    (tmp_path / "libddk_kernel_library.so").write_text("")
    os.utime(tmp_path / "libddk_kernel_library.so", (1e9, 1e9))
    installation.remove_forsaken(tmp_path)
    assert names(tmp_path) == {
        "libddk_kernel_library.so",
        "libddk_kernel_new",
        "libffcx_forms_b.c",
        "libffcx_forms_b.c.cached",
        "ddk-device.lock",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["iv"],
        ["iv", "--out", "x", "--loops", "0"],
        ["iv", "--out", "x", "--preset", "fast"],
        ["no"],
    ],
)
def test_wrong_usage_is_code_2(arguments: list[str]) -> None:
    assert call(*arguments).exit_code == 2


@pytest.mark.fem
def test_a_missing_compiler_is_said_before_anything_is_written(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path / "empty"), "HOME": os.environ.get("HOME", "/")}
    for extra, complaint in (
        ({}, "error: no C compiler was found"),
        ({"CC": "nicc -O2"}, "error: the C compiler 'nicc', which the variable CC names"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "devicephys.cli", "iv", "--out", str(tmp_path / "run")],
            cwd=ROOT,
            env={**environment, **extra},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        stderr = done.stderr
        assert stderr.startswith(complaint)
        assert len(stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_missing_finite_element_stack_names_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(installation, "_is_installed", lambda package: False)
    result = call("iv", "--out", tmp_path / "run")
    line = error_line(result, 2)
    assert "dolfinx" in line and "environment.yml" in line
    assert list(tmp_path.iterdir()) == []


def test_a_compiler_that_is_there_replaces_one_that_built_python_and_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("CC", "")
    monkeypatch.setattr(installation, "_is_installed", lambda package: True)
    monkeypatch.setattr(installation, "_compiler_of_python", lambda: ["/gone/clang"])
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/gcc" if name == "gcc" else None)
    monkeypatch.setattr(installation, "_prepare_cache", lambda: None)
    installation.require_solver()
    assert os.environ["CC"] == "/usr/bin/gcc"


def test_info_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise InstallationError("no C compiler was found", hint="Install one.")

    monkeypatch.setattr(installation, "find_compiler", fail)
    result = call("info")
    assert result.exit_code == 2
    assert "error: C compiler: no C compiler was found. Install one." in result.stderr
    for text in ("numpy", "h5netcdf", "dolfinx", "PETSc", "MPI", "python"):
        assert text in result.stdout


@pytest.mark.fem
def test_info_finds_this_installation_well() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "devicephys.cli", "info"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "written and read back" in done.stdout


def test_outside_a_run_the_traceback_goes_to_a_temporary_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("devicephys.load_device", fail)
    line = error_line(call("show-device"), 1)
    kept = Path(line.split("The traceback is in ")[1])
    assert "RuntimeError: broken" in kept.read_text()
    kept.unlink()


def test_show_device_prints_every_parameter(tmp_path: Path) -> None:
    result = call("show-device")
    assert result.exit_code == 0
    for text in ("filament.radius", "9 nm", "article", "Voltages are those of the 1T1R cell"):
        assert text in result.stdout
    changed = call("show-device", "larentis-stack", "--yaml", "--set", "filament.radius=8 nm")
    (tmp_path / "mine.yaml").write_text(changed.stdout)
    again = call("show-device", tmp_path / "mine.yaml", "--yaml")
    assert again.stdout == changed.stdout
    assert "8 nm" in again.stdout
    assert "unknown device" in error_line(call("show-device", "nothing"), 2)


def test_square_brackets_of_a_device_are_printed_as_they_are(tmp_path: Path) -> None:
    text = load_device("tin-taox-hfox-tin").to_yaml()
    line = next(line for line in text.splitlines() if line.startswith("outer_radius:"))
    changed = "outer_radius: {value: 40 nm, mark: assumed, source: '[/nope] [bold]x'}"
    (tmp_path / "mine.yaml").write_text(text.replace(line, changed))
    result = call("show-device", tmp_path / "mine.yaml")
    assert result.exit_code == 0, result.output
    assert "[/nope] [bold]x" in result.stdout


def test_list_devices() -> None:
    listed = call("list-devices").stdout.split()
    assert {"tin-taox-hfox-tin", "larentis-stack", "kim-stack"} <= set(listed)


@pytest.mark.parametrize("passed", [True, False])
def test_verify_prints_its_rows_and_fails_with_code_3(
    passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("slab", "heat", "0.5 %", 0.123456, True), ("coax", "heat", "0.5 %", "2 %", passed)]
    asked: list[bool] = []

    def run(quick: bool) -> list[tuple[Any, ...]]:
        asked.append(quick)
        return rows

    verification: Any = types.ModuleType("devicephys.verification")
    verification.run = run
    monkeypatch.setitem(sys.modules, "devicephys.verification", verification)
    monkeypatch.setattr(devicephys, "verification", verification)
    result = call("verify", "--quick")
    assert asked == [True]
    assert "0.1235" in result.stdout and "2 %" in result.stdout
    if passed:
        assert result.exit_code == 0
    else:
        assert "1 verification(s) failed: coax, heat" in error_line(result, 3)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from devicephys.cli.commands import app\n"
        "heavy = {'matplotlib', 'xarray', 'pandas', 'dolfinx', 'petsc4py', 'mpi4py'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
