"""Imports run one way, and a test reads and runs them.

    ddkbase  <-  devicephys        compact  <-  network  <-  ddk

`devicephys` and `compact` stand side by side on the ground, `network` on `compact`; `ddk` may
import all of them. Only `devicephys/fem` imports dolfinx, so that `import compact` and
`import network` work where no finite-element stack is.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FINITE_ELEMENTS = {"basix", "dolfinx", "ffcx", "mpi4py", "petsc4py", "slepc4py", "ufl"}
ALLOWED = {
    "ddkbase": {"ddkbase"},
    "devicephys": {"ddkbase", "devicephys"},
    "compact": {"ddkbase", "compact"},
    "network": {"ddkbase", "compact", "network"},
    "ddk": {"ddkbase", "devicephys", "compact", "network", "ddk"},
}
PACKAGES = tuple(ALLOWED)


def modules(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package).rglob("*.py"))


def imports(source: str, name: str, is_package: bool) -> set[str]:
    """Full names of what a module imports; `from a.b import c` counts as a.b.c."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = name.split(".")
                above = parents[: len(parents) - node.level + is_package]
                base = ".".join([*above, *([base] if base else [])])
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def imports_by_string(source: str) -> set[str]:
    """Literal names that a module hands to import_module or __import__."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            function = getattr(node.func, "attr", getattr(node.func, "id", ""))
            text = ast.unparse(node.args[0])
            if function in ("import_module", "__import__") and re.search(r"['\"]", text):
                names.add(text)
    return names


def imports_of(path: Path) -> set[str]:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    return imports(path.read_text(encoding="utf-8"), name, is_package)


def within(full_name: str, allowed: set[str]) -> bool:
    return any(full_name == one or full_name.startswith(one + ".") for one in allowed)


def test_the_reader_of_imports_sees_relative_ones() -> None:
    source = "from ..units import to_si\nfrom . import tree\nimport a.b\ndef f():\n    import ufl\n"
    seen = {"devicephys.units.to_si", "devicephys.device.tree", "a.b", "ufl"}
    assert imports(source, "devicephys.device.model", False) == seen
    assert imports("from .x import y", "devicephys.device", True) == {"devicephys.device.x.y"}


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_they_may(package: str) -> None:
    offences = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imports_of(path)
        if name.split(".")[0] in (*PACKAGES, "tests", "tools")
        and not within(name, ALLOWED[package])
    ]
    assert offences == []


def test_no_module_of_ours_is_imported_by_string() -> None:
    # ddkbase.schemas names the modules of the records' schemas in one table, which a test resolves.
    assert imports_by_string("importlib.import_module(f'devicephys.{name}')") != set()
    offences = [
        f"{path.relative_to(ROOT)} imports {text} by string"
        for package in PACKAGES
        for path in modules(package)
        for text in imports_by_string(path.read_text(encoding="utf-8"))
        if any(re.search(rf"\b{name}\b", text) for name in PACKAGES)
    ]
    assert offences == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_loads_only_what_it_may(package: str) -> None:
    code = (
        f"import sys, {package}\n"
        f"packages = {PACKAGES!r}\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules} & set(packages)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert set(done.stdout.split()) <= ALLOWED[package], done.stderr
    assert package in done.stdout.split(), done.stderr


def test_only_fem_imports_the_finite_element_stack() -> None:
    # The verification is a numerical part of its own and may reach for the stack.
    may = {ROOT / "devicephys" / "fem", ROOT / "devicephys" / "verification"}
    offences = [
        f"{path.relative_to(ROOT)} imports {name}"
        for package in PACKAGES
        for path in modules(package)
        if not may.intersection(path.parents) and path.stem != "verification"
        for name in imports_of(path)
        if name.split(".")[0] in FINITE_ELEMENTS
    ]
    assert offences == []


def test_pint_is_touched_by_units_alone() -> None:
    users = [
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in modules(package)
        if any(name.split(".")[0] == "pint" for name in imports_of(path))
    ]
    assert users == ["ddkbase/units.py"]


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach each other."""
    reach = {name: {name} for name in edges}
    changed = True
    while changed:
        changed = False
        for name, targets in edges.items():
            more = set().union(*(reach[target] for target in targets)) - reach[name]
            if more:
                reach[name] |= more
                changed = True
    groups = {(*sorted(b for b in reach[a] if a in reach[b]),) for a in edges}
    return [list(group) for group in groups if len(group) > 1]


def test_no_files_import_each_other_in_a_circle() -> None:
    # Imports for types alone and those inside functions count; what a package's __init__ names
    # lazily does not.
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for package in PACKAGES
        for path in modules(package)
        if path.stem != "__init__"
    }
    edges: dict[str, set[str]] = {}
    for name, path in names.items():
        targets = imports_of(path)
        targets |= {target.rpartition(".")[0] for target in targets}
        edges[name] = {target for target in targets if target in names and target != name}
    assert circles({"a": {"b"}, "b": {"a"}, "c": {"a"}}) != []
    assert circles(edges) == []


def run_without_stack(code: str) -> subprocess.CompletedProcess[str]:
    blocker = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {FINITE_ELEMENTS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
"""
    return subprocess.run(
        [sys.executable, "-c", blocker + code], capture_output=True, text=True, cwd=ROOT
    )


def test_packages_work_where_no_finite_element_stack_is() -> None:
    done = run_without_stack(
        "import devicephys, compact, network\n"
        "device = devicephys.load_device('tin-taox-hfox-tin')\n"
        "print(devicephys.IVSweep.from_device(device).duration)\n"
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0


@pytest.mark.parametrize("name", ["petsc4py", "dolfinx"])
def test_h5py_is_loaded_before_another_hdf5_library(name: str) -> None:
    # The stack may be absent: what counts is the order in which modules are looked for.
    code = (
        "import sys, devicephys\n"
        "print('h5py' in sys.modules)\n"
        f"try:\n    import {name}\nexcept ImportError:\n    pass\n"
        "print('h5py' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["False", "True"], done.stderr


def test_import_of_the_packages_loads_nothing_heavy() -> None:
    code = (
        "import sys, devicephys, compact, network\n"
        "heavy = {'numpy', 'h5py', 'xarray', 'pydantic', 'pint', 'typer', 'scipy', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n", done.stderr


def test_unknown_name_in_the_package_is_an_attribute_error() -> None:
    import devicephys

    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        _ = devicephys.simulat


def test_commands_of_networks_are_known_before_numpy_reads_its_threads() -> None:
    code = (
        "import contextlib, io, sys\n"
        "from ddk.cli import main\n"
        "sys.argv = ['ddk-network', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "print('typer' in sys.modules, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "True False\n", done.stderr
