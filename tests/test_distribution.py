"""Wheel and source archive hold the five packages and their data files, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.test_imports import FINITE_ELEMENTS, imports_by_string, imports_of, modules

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("compact", "ddk", "ddkbase", "devicephys", "network")
DATA = {".pyi", ".yaml", ".typed", ".js", ".css", ".c", ".va", ".nc", ".csv", ".md"}
TEXTS = {"LICENSE", "NOTICE"}
BUILD = "import sys, setuptools.build_meta as b; print(getattr(b, sys.argv[1])('dist'))"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree to build from, with what must stay out of the archives."""
    copy = tmp_path_factory.mktemp("source")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in (*PACKAGES, "tests", "notebooks", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "MANIFEST.in", *TEXTS):
        shutil.copy(ROOT / name, copy)
    return copy


def build(source: Path, what: str) -> Path:
    command = [sys.executable, "-c", BUILD, what]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True)
    return source / "dist" / done.stdout.split()[-1]


def expected() -> set[str]:
    """Every module and data file that lies in the packages."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.suffix in DATA | {".py"}, f"{path} is of no kind that is shipped"
                found.add(str(path.relative_to(ROOT)))
    return found


def test_wheel(source: Path) -> None:
    names = set(zipfile.ZipFile(build(source, "build_wheel")).namelist())
    inside = {n for n in names if ".dist-info/" not in n}
    assert inside == expected()
    assert all(any(n.endswith(f"licenses/{text}") for n in names) for text in TEXTS)


def test_source_archive(source: Path) -> None:
    with tarfile.open(build(source, "build_sdist")) as archive:
        names = {m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()}
    around = {"pyproject.toml", "README.md", "MANIFEST.in", "PKG-INFO", "setup.cfg", *TEXTS}
    assert {n for n in names if ".egg-info/" not in n} - around == expected()


def test_the_version_is_stated_once(source: Path) -> None:
    pattern = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
    stated = {
        path.relative_to(ROOT).as_posix(): found.group(1)
        for name in PACKAGES
        for path in (ROOT / name).rglob("*.py")
        if (found := pattern.search(path.read_text(encoding="utf-8")))
    }
    assert list(stated) == ["ddkbase/__init__.py"]
    version = stated["ddkbase/__init__.py"]
    assert build(source, "build_wheel").name.startswith(f"ddk_toolkit-{version}-")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_conda_environment_holds_every_dependency() -> None:
    """Names differ between the indexes for two of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(d for e in ("sklearn", "fast", "audio") for d in extras[e]),
    ]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    listed = {_name(d) for d in environment["dependencies"] if isinstance(d, str)}
    elsewhere = {"dolfinx-solver-real": "fenics-dolfinx", "soundfile": "pysoundfile"}
    assert {elsewhere.get(_name(d), _name(d)) for d in wanted} <= listed


#: packages whose modules have other names, or that others bring
MODULES = {
    "PIL": "pillow", "av": "av", "cffi": "dolfinx-solver-real", "distributed": "dask",
    "llvmlite": "numba", "openvaf_py": "openvaf-py", "pydantic_core": "pydantic",
    "sklearn": "scikit-learn", "yaml": "pyyaml", **dict.fromkeys(FINITE_ELEMENTS,
    "dolfinx-solver-real"),
}  # fmt: skip


def test_every_package_that_is_imported_is_named() -> None:
    """As a dependency, or where it is optional, in an extra of its own users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    development = ("docs", "notebooks", "test")
    listed = [*project["dependencies"]]
    listed += [d for extra, needs in extras.items() if extra not in development for d in needs]
    imported = {"h5netcdf", "cryptography"}  # by xarray and by distributed, where asked for
    for path in (path for package in PACKAGES for path in modules(package)):
        imported |= {name.split(".")[0] for name in imports_of(path)}
        by_string = imports_by_string(path.read_text(encoding="utf-8"))
        imported |= {match[1] for text in by_string if (match := re.match(r"'(\w+)", text))}
    imported -= {*sys.stdlib_module_names, *PACKAGES}
    assert {"numpy", "torch", "sklearn"} <= imported
    assert {MODULES.get(name, name).lower() for name in imported} <= {_name(d) for d in listed}


def test_every_extra_that_a_message_or_page_names_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    files += [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    texts = (path.read_text(encoding="utf-8") for path in files)
    named = {
        extra.strip()
        for text in texts
        for group in re.findall(r"(?:ddk-toolkit|\.whl)\[([\w, -]+)\]", text)
        for extra in group.split(",")
    }
    assert {"sklearn", "torch"} <= named
    assert named <= set(project["optional-dependencies"])


def _name(dependency: str) -> str:
    return re.split(r"[\[<>=;]", dependency.lower())[0].strip()
