"""Tables and figures as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Sequence[Sequence[str]], wide_first: int = 1) -> str:
    """A Markdown table; the first ``wide_first`` columns to the left, the others to the right."""
    rules = ["---" if i < wide_first else "---:" for i in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rules, *rows))


def report(jobs: Iterable[Callable[[], str]], out: Path | None) -> None:
    """Print what each job makes as soon as it is there, and add it to a file if one is named."""
    for job in jobs:
        text = job()
        print(text + "\n", flush=True)
        if out is not None:
            with out.open("a", encoding="utf-8") as stream:
                stream.write(text + "\n\n")


def number(value: float | None, form: str = ".3f", scale: float = 1.0) -> str:
    """A figure times ``scale``; a dash where the run did not reach it."""
    if value is None or value != value:
        return "–"
    return format(value * scale, form).replace("-", "−")
