"""Count what the lines of the packages are: code, docstrings, comments, blank lines.

    python tools/count_lines.py

A line counts as code where a token that is neither comment nor docstring stands on it.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ddkbase", "devicephys", "compact", "network", "ddk")
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
KINDS = ("code", "docstring", "comment", "blank")


def kinds_of_lines(source: str) -> Counter[str]:
    """Count the lines of each kind in one file.

    Parameters
    ----------
    source : str
        Text of the file.

    Returns
    -------
    Counter of str
        Number of lines under each of `KINDS`.
    """
    docstring: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            docstring.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    code: set[int] = set()
    comment: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        lines = range(token.start[0], token.end[0] + 1)
        if token.type == tokenize.COMMENT:
            comment.update(lines)
        elif token.type not in LAYOUT:
            code.update(lines)
    code -= docstring
    comment -= code | docstring
    total = source.count("\n")
    return Counter(
        code=len(code),
        docstring=len(docstring),
        comment=len(comment),
        blank=total - len(code | docstring | comment),
    )


def main() -> None:
    """Print a table with a row a package."""
    print(f"| package | files | lines | {' | '.join(KINDS)} |")
    print(f"|---|{'---|' * (2 + len(KINDS))}")
    whole: Counter[str] = Counter()
    for package in PACKAGES:
        files = sorted((ROOT / package).rglob("*.py"))
        count = Counter(files=len(files))
        for path in files:
            count += kinds_of_lines(path.read_text(encoding="utf-8"))
        whole += count
        print(_row(f"`{package}`", count))
    print(_row("all", whole))


def _row(name: str, count: Counter[str]) -> str:
    lines = sum(count[kind] for kind in KINDS)
    shares = " | ".join(f"{count[k]:,} ({count[k] / lines:.0%})" for k in KINDS)
    return f"| {name} | {count['files']} | {lines:,} | {shares} |"


if __name__ == "__main__":
    main()
