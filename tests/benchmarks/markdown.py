"""Tables and figures as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], wide_first: int = 1) -> str:
    """A Markdown table; the first ``wide_first`` columns to the left, the others to the right."""
    rules = ["---" if i < wide_first else "---:" for i in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rules, *rows))


def number(value: float | None, form: str = ".3f", scale: float = 1.0) -> str:
    """A figure times ``scale``; a dash where the run did not reach it."""
    if value is None or value != value:
        return "–"
    return format(value * scale, form).replace("-", "−")
