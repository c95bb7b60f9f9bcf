"""The notebooks run from top to bottom, and are committed without outputs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHEAP = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])


def test_the_notebooks_are_there() -> None:
    assert [path.stem[:3] for path in NOTEBOOKS] == ["01_", "02_", "07_"]


@CHEAP
def test_a_notebook_holds_no_outputs_and_no_empty_cells(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for number, cell in enumerate(notebook.cells):
        assert cell.source.strip(), f"cell {number} is empty"
        if cell.cell_type == "code":
            assert cell.outputs == [], f"cell {number} holds outputs"
            assert cell.execution_count is None, f"cell {number} holds a count"


@pytest.mark.fem
@pytest.mark.slow
@CHEAP
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mpi4py.MPI")  # before dolfinx
    pytest.importorskip("dolfinx")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    search = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
    for name, value in {"DDK_FAST": "1", "PYTHONPATH": search, "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    kinds = [
        kind
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        for kind in output.get("data", {})
    ]
    assert kinds.count("image/png") >= 5
    assert list(tmp_path.iterdir()) == []  # a notebook writes no files
