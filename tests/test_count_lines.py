"""What a line counts as: code, docstring, comment or blank."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.count_lines import kinds_of_lines

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("x = 1\n", {"code": 1}),
        ("x = 1  # why\n", {"code": 1}),
        ("# why\n\nx = 1\n", {"comment": 1, "blank": 1, "code": 1}),
        ('"""One.\n\nTwo.\n"""\n', {"docstring": 4}),
        ('def f():\n    """One."""\n    return """a\n\n# b\n"""\n', {"docstring": 1, "code": 5}),
        ('class A:\n    """One."""\n\n    x = """no"""\n', {"docstring": 1, "code": 2, "blank": 1}),
        ("f(\n    1,\n\n    # why\n)\n", {"code": 3, "blank": 1, "comment": 1}),
    ],
)  # fmt: skip
def test_the_kind_of_each_line(source: str, kinds: dict[str, int]) -> None:
    assert dict(+kinds_of_lines(source)) == kinds


def test_every_line_of_a_file_counts_once() -> None:
    for path in sorted((ROOT / "ddkbase").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert sum(kinds_of_lines(text).values()) == text.count("\n"), path.name
