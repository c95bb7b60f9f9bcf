"""What a command tells: texts and tables for people, one JSON document for scripts, or nothing.

>>> output = Output("ddk-device verify", as_json=True)
>>> output.add(failed=0, seconds=1.5, units={"seconds": "s"})
>>> output.finish()  # doctest: +ELLIPSIS
{
  "command": "ddk-device verify",
...
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from ddkbase.errors import cut, visible
from ddkbase.installation import parallel_rank

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console  # start-up


def error_line(text: str) -> None:
    """Print a line on the error stream, now."""
    lines = (cut(line, 2000) for line in visible(text).split("\n"))
    sys.stderr.write("\n".join([*lines, ""]))
    sys.stderr.flush()


class Output:
    """Where a command puts what it found; it prints what was asked for.

    Parameters
    ----------
    command : str
        The name in the document, e.g. "ddk-device iv".
    quiet : bool, default False
        Print nothing but the answer of a command that answers.
    as_json : bool, default False
        Print nothing but one document, by `finish`.
    answers : bool, default False
        Whether the texts and tables are what was asked for.
    """

    def __init__(
        self, command: str, *, quiet: bool = False, as_json: bool = False, answers: bool = False
    ) -> None:
        self.quiet, self.as_json, self.answers = quiet, as_json, answers
        self._found: dict[str, Any] = {"command": command}
        self._units: dict[str, str] = {}
        self._files: list[str] = []

    @property
    def shows(self) -> bool:
        """Whether texts and tables are printed."""
        return not self.as_json and (self.answers or not self.quiet)

    def say(self, text: str) -> None:
        """Print a line on how the work goes on, now; with ``--json`` on the error stream."""
        if self.quiet:
            return
        stream = sys.stderr if self.as_json else sys.stdout
        stream.write(f"{visible(text)}\n")
        stream.flush()

    def console(self, *, errors: bool = True) -> Console:
        """The console for a bar or lines of progress: the error stream or the output."""
        from rich.console import Console  # start-up

        if self.quiet:
            return Console(quiet=True, stderr=True)
        return Console(stderr=True) if errors or self.as_json else wide_console()

    def line(self, text: str, *, end: str = "\n") -> None:
        """Print a text that belongs to the result."""
        if self.shows:
            sys.stdout.write(f"{visible(text)}{end}")
            sys.stdout.flush()

    def remark(self, text: str) -> None:
        """Print a line on the error stream, which ``--quiet`` leaves out."""
        if not self.quiet:
            error_line(text)

    def note(self, text: str) -> None:
        """Print a remark that ``--quiet`` leaves out in any case."""
        if self.shows and not self.quiet:
            self.line(text)

    def rows(
        self,
        heads: Sequence[str],
        rows: Sequence[Sequence[str]],
        title: str | None = None,
        *,
        right: Sequence[int] = (),
    ) -> None:
        """Print texts as a table; ``right`` are the columns that are flush right."""
        if self.shows:
            print_rows(heads, rows, title, right=right)

    def pairs(self, pairs: Mapping[str, str]) -> None:
        """Print names and texts as a table."""
        self.rows([], [[name, text] for name, text in pairs.items()])

    def file(self, *paths: object) -> None:
        """Print the paths of files that were made, and list them as ``files``."""
        for path in paths:
            self._files.append(str(path))
            self.note(str(path))

    def add(self, *, units: Mapping[str, str] | None = None, **found: Any) -> None:
        """Put entries into the document.

        Parameters
        ----------
        units : mapping of str to str or None, optional
            Unit symbol of each key, wherever in the document it stands.
        **found : dict, optional
            Numbers, texts, arrays, mappings and sequences of these; see `plain`.
        """
        self._found.update(found)
        self._units.update(units or {})

    def finish(self) -> None:
        """Print the document if one was asked for, once, and of many ranks by one."""
        if not self.as_json or parallel_rank() != 0:
            return
        found = dict(self._found)
        if self._files:
            found["files"] = self._files
        if self._units:
            found["units"] = self._units
        text = json.dumps(plain(found), indent=2, ensure_ascii=False, allow_nan=False)
        sys.stdout.write(f"{_as_ascii_where_unseen(text)}\n")
        sys.stdout.flush()
        self.as_json = False
        self.quiet, self.answers = True, False


def _as_ascii_where_unseen(document: str) -> str:
    """A JSON document in which what steers a terminal is written as JSON's own escapes."""
    if visible(document) == document:
        return document
    return "".join(c if visible(c) == c else json.dumps(c)[1:-1] for c in document)


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: what is not finite is None, an array is a list.

    Parameters
    ----------
    value : object
        None, truth value, number, text, path, enumeration, NumPy scalar or array, xarray variable;
        mappings and sequences of these, and what else has a text.
    """
    if value is None or (isinstance(value, bool | int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if hasattr(value, "values") and hasattr(value, "dims"):
        return plain(value.values)
    if hasattr(value, "tolist"):  # a NumPy array, or a scalar of one
        return plain(value.tolist())
    if isinstance(value, Sequence | set | frozenset):
        return [plain(one) for one in value]
    return str(value)


def wide_console() -> Console:
    """A console that does not fold tables to 80 columns when its output goes to a file."""
    from rich.console import Console  # start-up

    terminal = sys.stdout is not None and sys.stdout.isatty()
    return Console() if terminal else Console(width=160)


def print_rows(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str | None = None,
    *,
    right: Sequence[int] = (),
) -> None:
    """Print texts as a table, which is not folded when the output goes to a file.

    A terminal too narrow for the longest words of all columns gets a list instead: a table would
    lose its numbers.
    """
    from rich.console import Console  # start-up
    from rich.table import Table
    from rich.text import Text

    title = visible(title) if title else None
    heads = [visible(head) for head in heads]
    rows = [[visible(text) for text in row] for row in rows]

    # a column of remarks without a remark is none
    used = [k for k, head in enumerate(heads) if head or any(row[k] for row in rows)]
    if heads:
        heads = [heads[k] for k in used]
        rows = [[row[k] for k in used] for row in rows]
        right = [used.index(k) for k in right if k in used]

    # no markup: what comes from a device file or a column's name may hold square brackets
    table = Table(title=Text(title) if title else None, show_header=bool(heads))
    for k, head in enumerate(heads):
        table.add_column(Text(head), justify="right" if k in right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    console = wide_console()
    if Console(width=10_000).measure(table).minimum <= console.width:
        console.print(table)
        return
    if title:
        sys.stdout.write(f"{title}\n")
    for row in rows:
        texts = [f"{h} {t}" for h, t in zip(heads, row, strict=True) if t != "–"]
        sys.stdout.write(("; ".join(texts) if heads else ": ".join(row)) + "\n")


def entries_of(ds: xr.Dataset) -> list[dict[str, Any]]:
    """Return one mapping for each point of the dimensions that all variables of a dataset have.

    Each holds the coordinates along these dimensions and the variables, by name.
    """
    import numpy as np  # start-up

    dims = next(iter(ds.data_vars.values())).dims
    found = []
    for at in np.ndindex(*(ds.sizes[d] for d in dims)):
        place = dict(zip(dims, at, strict=True))
        one = {str(d): plain(ds[d].values[i]) if d in ds.coords else i for d, i in place.items()}
        one |= {str(n): plain(ds[n].values[at]) for n in ds.data_vars}
        found.append(one)
    return found


def units_of(ds: xr.Dataset) -> dict[str, str]:
    """Return the unit symbols of all variables of a dataset that have one other than 1."""
    units = {str(n): str(v.attrs.get("units", "")) for n, v in ds.variables.items()}
    return {name: unit for name, unit in units.items() if unit not in ("", "1")}
