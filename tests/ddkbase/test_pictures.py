"""The one style of pictures: the suffix chooses the format, text in vectors stays text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ddkbase.errors import InputError, StorageError
from ddkbase.picture_names import as_format, in_formats, picture_path
from ddkbase.pictures import SERIES, new_figure, open_axes, save_figure, style_axes

ROOT = Path(__file__).resolve().parents[2]


def drawn() -> object:
    figure = new_figure(3, 2)
    ax = figure.subplots()
    ax.plot([0, 1], [1, 2], color=SERIES[0])
    style_axes(ax, "Voltage (V)", "Current (µA)", "a")
    open_axes(ax)
    return figure


def test_the_suffix_chooses_the_format(tmp_path: Path) -> None:
    starts = {"a.png": b"\x89PNG", "b.svg": b"<?xml", "c.pdf": b"%PDF", "D.SVG": b"<?xml"}
    for name, start in starts.items():
        path = save_figure(drawn(), tmp_path / name)  # type: ignore[arg-type]
        assert path.read_bytes().startswith(start)
    for name in ("e.jpg", "e"):
        with pytest.raises(InputError, match=r"\.png, \.svg or \.pdf"):
            save_figure(drawn(), tmp_path / name)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="exists"):
        save_figure(drawn(), tmp_path / "a.png")  # type: ignore[arg-type]
    assert {p.name for p in tmp_path.iterdir()} == set(starts)


def test_text_in_vectors_stays_text_and_pictures_repeat(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "a.pdf", "b.pdf"):
        save_figure(drawn(), tmp_path / name)  # type: ignore[arg-type]
    assert "Current (µA)</text>" in (tmp_path / "a.svg").read_text("utf-8")
    content = (tmp_path / "a.pdf").read_bytes()
    assert b"/CIDFontType2" in content and b"/Type3" not in content
    for suffix in ("svg", "pdf"):
        one, other = ((tmp_path / f"{n}.{suffix}").read_bytes() for n in "ab")
        assert one == other


def test_names_of_pictures(tmp_path: Path) -> None:
    assert as_format("iv.png", "svg") == "iv.svg"
    assert in_formats("iv.png", "svg") == ("iv.png", "iv.svg")
    assert in_formats("iv.png", "png") == ("iv.png",) and in_formats("iv.png", "none") == ()
    assert picture_path(str(tmp_path / "x.pdf"), False) == tmp_path / "x.pdf"
    with pytest.raises(InputError, match=r"'\.gif' is no format \(--picture x\.gif\)"):
        picture_path("x.gif", False, option="--picture")
    with pytest.raises(InputError, match="the name has no suffix"):
        picture_path("x", False)


def test_figures_and_their_canvas_are_made_in_one_place() -> None:
    # The film draws on a canvas of its own, which it reads pixels from.
    may = {ROOT / "ddkbase" / "pictures.py", ROOT / "devicephys" / "plots" / "film.py"}
    users = [
        path.relative_to(ROOT).as_posix()
        for package in ("ddkbase", "devicephys", "compact", "network", "ddk")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path not in may
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Name | ast.alias)
        and "FigureCanvasAgg" in (getattr(node, "id", ""), getattr(node, "name", ""))
    ]
    assert users == []
