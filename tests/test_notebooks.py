"""The notebooks run from top to bottom, their exercises can be solved and are not passed unsolved,
and they are committed without outputs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ALL = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
FAST = os.environ.get("DDK_FAST", "1")  # `make notebooks` sets 0: full length
LONGEST = 300 if FAST == "1" else 3600  # s a cell


def tagged(notebook: Any, tag: str) -> list[Any]:
    """Cells that carry a tag."""
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def test_the_notebooks_are_there() -> None:
    assert [path.stem[:3] for path in NOTEBOOKS] == [f"{number:02d}_" for number in range(1, 14)]


@ALL
def test_a_notebook_holds_no_outputs_and_no_empty_cells(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for number, cell in enumerate(notebook.cells):
        assert cell.source.strip(), f"cell {number} is empty"
        if cell.cell_type == "code":
            assert cell.outputs == [], f"cell {number} holds outputs"
            assert cell.execution_count is None, f"cell {number} holds a count"


@ALL
def test_a_notebook_says_its_goal_its_time_and_asks_something(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    head = notebook.cells[0].source
    assert head.startswith(f"# {int(path.stem[:2])}. ")
    assert "**Goal.**" in head
    assert "**Time.**" in head
    numbers = [len(tagged(notebook, tag)) for tag in ("exercise", "solution", "check")]
    assert numbers[0] >= 3
    assert numbers[0] == numbers[1] == numbers[2]
    for number, cell in enumerate(tagged(notebook, "exercise"), 1):
        assert f"answer_{number} = None" in cell.source
    for number, cell in enumerate(tagged(notebook, "check"), 1):
        assert f"answer_{number}" in cell.source
        assert cell.metadata["jupyter"]["source_hidden"]


@pytest.mark.fem
@pytest.mark.slow
@ALL
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mpi4py.MPI")  # before dolfinx
    pytest.importorskip("dolfinx")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    folders = (str(ROOT), str(FOLDER), os.environ.get("PYTHONPATH", ""))
    settings = {
        "DDK_FAST": FAST,
        "DDK_SOLUTIONS": "1",
        "PYTHONPATH": os.pathsep.join(p for p in folders if p),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    length = len(notebook.cells)
    checks = tagged(notebook, "check")
    for number, cell in enumerate(checks, 1):  # the same checks, of no answer and of a wrong one
        for answer in ("None", "-12345.678"):
            source = f"answer_{number} = {answer}\n{cell.source}"
            wrong = nbformat.v4.new_code_cell(source, metadata={"tags": ["raises-exception"]})
            notebook.cells.append(wrong)
    client = nbclient.NotebookClient(
        notebook,
        timeout=LONGEST,
        kernel_name="python3",
        resources={"metadata": {"path": tmp_path}},
    )
    client.execute()
    made = [
        kind
        for cell in notebook.cells[:length]
        if cell.cell_type == "code"
        for output in cell.outputs
        for kind in output.get("data", {})
    ]
    assert made.count("image/png") >= 3
    assert list(tmp_path.iterdir()) == []  # a notebook writes no files
    for number, cell in enumerate(checks, 1):
        printed = "".join(o.get("text", "") for o in cell.outputs)
        assert f"Exercise {number}: right." in printed
    for number, cell in enumerate(notebook.cells[length:]):
        errors = [output for output in cell.outputs if output.output_type == "error"]
        assert [error.ename for error in errors] == ["NotYet"], cell.source
        assert f"Exercise {number // 2 + 1}" in errors[0].evalue


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("check(1, None, 2.0)", "no answer yet"),
        ("check(1, 2.2, 2.0, within=0.1, unit='V', hint='Look again.')", "2.2 V is not it. Look"),
        ("check(1, 'x', 2.0, within=0.1, unit='V')", "enter a number in V"),
        ("check(1, float('nan'), 2.0, within=9.0)", "is not it"),
        ("check(1, 'no', 'yes')", "is not it"),
        ("check(1, 3, lambda a: a > 4)", "is not it"),
    ],
)
def test_a_wrong_answer_is_told_in_one_line(call: str, words: str) -> None:
    code = (
        f"from exercises import NotYet, check\ntry:\n    {call}\nexcept NotYet as e:\n    print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True, check=True
    )
    assert words in done.stdout
    assert done.stdout.count("\n") == 1
