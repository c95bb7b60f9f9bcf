"""The size of rooms: how many files lie in a folder, how long a file is, what is imported late."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ddkbase", "devicephys", "compact", "network", "ddk")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)


def late_imports(source: str) -> Iterator[tuple[int, bool]]:
    """Line of each import inside a function, and whether a comment says why it is there.

    The comment stands on a line of the block of imports, blank lines included, or directly above.
    """
    lines = source.splitlines()
    inside = {
        node.lineno: node.end_lineno or node.lineno
        for function in ast.walk(ast.parse(source))
        if isinstance(function, FUNCTIONS)
        for node in ast.walk(function)
        if isinstance(node, IMPORTS)
    }
    imported = {n for first, last in inside.items() for n in range(first, last + 1)}
    imported |= {n for n in range(1, len(lines)) if n - 1 in imported and not lines[n - 1].strip()}
    for first in inside:
        top, bottom = first, first
        while top - 1 in imported:
            top -= 1
        while bottom + 1 in imported:
            bottom += 1
        above = lines[top - 2].lstrip().startswith("#")
        yield first, above or any("#" in lines[n - 1] for n in range(top, bottom + 1))


def test_a_folder_holds_no_more_than_one_sees_at_a_glance() -> None:
    count = Counter(path.parent.relative_to(ROOT).as_posix() for path in FILES)
    assert {folder: n for folder, n in count.items() if n > 15} == {}


def test_a_file_is_read_in_one_go() -> None:
    others = [path for folder in ("tests", "tools") for path in (ROOT / folder).rglob("*.py")]
    files = [*FILES, *others]
    length = {p.relative_to(ROOT).as_posix(): p.read_text("utf-8").count("\n") for p in files}
    assert {name: n for name, n in length.items() if n > 500} == {}


def test_an_import_inside_a_function_says_why() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in FILES
        for line, reason in late_imports(path.read_text("utf-8"))
        if not reason
    ]
    assert silent == []


def test_few_imports_are_late() -> None:
    assert sum(1 for p in FILES for _ in late_imports(p.read_text("utf-8"))) < 100


def test_the_reader_of_late_imports_sees_reasons() -> None:
    source = (
        "import a\ndef f():\n    import b  # optional\n    import c\n"
        "    x = 1\n    import d\n    # start-up\n    import e\n"
    )
    assert list(late_imports(source)) == [(3, True), (4, True), (6, False), (8, True)]


def test_every_fault_of_the_mutation_run_has_one_place() -> None:
    faults = yaml.safe_load((ROOT / "tools" / "mutants.yaml").read_text(encoding="utf-8"))
    for fault in faults:
        text = (ROOT / fault["file"]).read_text(encoding="utf-8")
        assert text.count(fault["old"]) == 1, f"{fault['file']}: {fault['note']}"
        assert fault["new"] != fault["old"]
