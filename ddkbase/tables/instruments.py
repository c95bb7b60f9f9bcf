"""Texts with a layout of their own, of instruments and of simulators; no texts.

What LabVIEW, EasyEXPERT, Igor and oscilloscopes write before a table looks like a table, too; here
it is told apart by the words that each of them writes. SPICE and its relatives write volts, amperes
and seconds without saying so; what stands in brackets behind ``v`` or ``i`` is a node or a device
there, and no unit.
"""

from __future__ import annotations

import re
from itertools import batched

from ddkbase.errors import InputError
from ddkbase.tables.raw_file import raw_lines
from ddkbase.tables.table import Cell, Table, looks_numeric
from ddkbase.tables.units import is_relative, is_unit

Row = tuple[int, list[Cell]]
_END = "***End_of_Header***"
#: first words of the header of a segment of LabVIEW
_SEGMENT = {"Channels", _END}
_LONGEST = 1000  # lines that a preamble may have
_SETTINGS = 60  # lines that settings of an oscilloscope may have
_SCOPE = {"sample interval", "horizontal units", "vertical units"}
#: first bytes, what such a file is, what to do
_FOREIGN = (
    (b"\x1f\x8b", "is compressed (gzip)", "Unpack it first"),
    (b"BZh", "is compressed (bzip2)", "Unpack it first"),
    (b"\xfd7zXZ", "is compressed (xz)", "Unpack it first"),
    (b"7z\xbc\xaf", "is an archive (7z)", "Unpack it, and name the files in it"),
    (b"Rar!", "is an archive (RAR)", "Unpack it, and name the files in it"),
    (b"PK", "is an archive (ZIP)", "Unpack it, and name the files in it"),
    (b"TDSm", "is a TDMS file of LabVIEW", "Export it as text, CSV or XLSX"),
    (b"%PDF", "is a PDF", "Save the table as CSV or XLSX"),
    (b"\x89PNG", "is a picture", "A table of numbers is expected"),
    (b"\xff\xd8\xff", "is a picture", "A table of numbers is expected"),
    (b"SQLite format 3", "is a data base (SQLite)", "Export the table as CSV"),
    (b"CPYA", "is an Origin project", "Export the worksheet as CSV or XLSX"),
    (b"CPYUA", "is an Origin project", "Export the worksheet as CSV or XLSX"),
    *(
        (bytes([0x80, protocol]), "is a pickle, which is not opened", "Save it as CSV or NPZ")
        for protocol in (2, 3, 4, 5)
    ),
    (b"(dp0\n", "is a pickle, which is not opened", "Save it as CSV or NPZ"),
    (b"(lp0\n", "is a pickle, which is not opened", "Save it as CSV or NPZ"),
    (b"ccopy_reg\n", "is a pickle, which is not opened", "Save it as CSV or NPZ"),
)
_MARKUP = re.compile(
    rb"<(?:!doctype|html|table|\?xml|\?mso|workbook|div|body|head)\b", re.IGNORECASE
)
_NUMBERS = rb"[-+]?[\d.][\d.eE+-]*"
#: "[1.2, 3.4", "G = [1.2 3.4", "{{1, 2}", "pulse: [1,2", "[1] 1.2 3.4" of R
_PRINTED = re.compile(
    rb"(?:[\w.]+\s*[:=]\s*)?(?:(?:\w*\.)?array\()?[\[({]+\s*"
    + _NUMBERS
    + rb"(?:\s*,\s*|\s+|\]\s+)"
    + _NUMBERS
    + rb"[\s,;\])}]"
)
_JSON = re.compile(rb"(?:\{\s*\"|\[\s*(?:\{\s*\"|\[))")


def refuse_foreign(content: bytes, path: str) -> None:
    """Refuse what is no text with a table, by what it begins with.

    Raises InputError: an archive, a picture, markup, JSON, ...; it says which, and what to do.
    """
    if content.startswith(b"PK") and b"opendocument.spreadsheet" in content[:200]:
        raise InputError("is an OpenDocument table (ODS)", path, "Save it as XLSX or CSV")
    for begins, what, hint in _FOREIGN:
        if content.startswith(begins):
            raise InputError(what, path, hint)
    start = content[:400].removeprefix(b"\xef\xbb\xbf").lstrip()
    if _MARKUP.match(start):
        raise InputError(
            "is HTML or XML, no table", path, "Open it in a spreadsheet and save it as XLSX or CSV"
        )
    if _JSON.match(start):
        raise InputError("is JSON, no table", path, "Save it as CSV, XLSX or NPZ")
    if _PRINTED.match(start):
        raise InputError(
            "is a list as a program prints it, no table", path, "Save it as CSV, XLSX or NPZ"
        )


def without_preamble(rows: list[Row], assumptions: list[str]) -> list[Row]:
    """The rows of a table of LabVIEW, EasyEXPERT or an oscilloscope, without what these add to it.

    Returns
    -------
    list of Row
        Headings, units if there are any, numbers; of other files the rows as they are.
    """
    first = [_first(cells) for _, cells in rows[:_LONGEST]]
    if _SCOPE & {word.lower() for word in first[:_SETTINGS]}:
        return _of_oscilloscope(rows, first, assumptions)
    if _END not in first and "DataName" not in first:
        return rows
    first += [_first(cells) for _, cells in rows[_LONGEST:]]
    if _END in first:
        return _of_labview(rows, first, assumptions)
    if "DataName" in first and "DataValue" in first:
        kept = [row for row, word in zip(rows, first, strict=True) if word[:4] == "Data"]
        if len(kept) < len(rows):
            assumptions.append(f"{len(rows) - len(kept)} lines of settings (EasyEXPERT) not read")
        return kept
    return rows


def _first(cells: list[Cell]) -> str:
    return str(cells[0] or "").strip() if cells else ""


def _of_oscilloscope(rows: list[Row], first: list[str], assumptions: list[str]) -> list[Row]:
    """Time and channels with units, of rows with settings above or, as of old, beside them."""
    settings = {
        word.lower(): [c for c in cells[1:3] if str(c or "").strip()]
        for (_, cells), word in zip(rows[:_SETTINGS], first, strict=False)
        if word
    }
    across = settings.get("horizontal units") or [None]
    if all(len(cells) > 4 and looks_numeric(cells[3] or "") for _, cells in rows[:3]):
        table = [(number, cells[3:5]) for number, cells in rows]
        heads: list[Cell] = ["TIME", *(settings.get("source") or ["CH"])[:1]]
    else:
        at = next((k for k, word in enumerate(first) if word.lower() == "time"), None)
        if at is None:
            return rows
        heads, table = rows[at][1], rows[at + 1 :]
    up = next((c[1:] for _, c in rows[:_SETTINGS] if _first(c).lower() == "vertical units"), [])
    up = [cell for cell in up if str(cell or "").strip()][: len(heads) - 1]
    up = up * (len(heads) - 1) if len(up) == 1 else up
    assumptions.append("settings of the oscilloscope not read, but for its units")
    number = rows[0][0]
    return [(number, heads), *([(number, [across[0], *up])] if across[0] and up else []), *table]


def _of_labview(rows: list[Row], first: list[str], assumptions: list[str]) -> list[Row]:
    ends = [k for k, word in enumerate(first) if word == _END]
    end = ends[-1]
    table = rows[end + 1 :]
    if len(table) < 2:
        return table
    number, heads = table[0]
    written, segments = heads, list[Row]()
    for k in ends[:-1]:  # behind each header of a segment up to the next one
        stop = next((n for n in range(k + 1, len(rows)) if first[n] in _SEGMENT), len(rows))
        if stop > k + 2 and rows[k + 1][1] == heads:
            segments += rows[k + 1 : stop]
        elif stop > k + 2:
            assumptions.append(f"a segment with other columns not read ({stop - k - 2} lines)")
    table = segments + table
    width = max(len(cells) for _, cells in table if cells != heads)
    if len(heads) > width and str(heads[-1]).strip() == "Comment":
        heads = heads[:width]
    units = [
        cells[1:] for (_, cells), word in zip(rows[:end], first, strict=False)
        if word == "Y_Unit_Label"
    ]  # fmt: skip
    timed = any(
        word == "X_Dimension" and "Time" in cells
        for (_, cells), word in zip(rows[:end], first, strict=False)
    )
    if timed and str(heads[0]).strip() == "X_Value":
        heads = ["time (s)", *heads[1:]]
        units = [[None, *unit[1:]] if len(unit) == len(heads) else unit for unit in units]
    if heads.count("X_Value") and units:  # each channel has a time of its own
        channels = iter(units[-1])
        units = [[None if h == "X_Value" else next(channels, None) for h in heads[1:]]]
    assumptions.append(f"{len(rows) - len(table)} lines of settings (LabVIEW) not read")
    below: list[Row] = []
    if units and any(str(unit or "").strip() for unit in units[-1]):
        below = [(number, [None, *units[-1]][: len(heads)])]
    again = [(n, heads if cells == written else cells) for n, cells in table[1:]]
    return [(number, heads), *below, *again]


def igor_lines(lines: list[tuple[int, str]], path: str) -> list[tuple[int, str]]:
    """The waves of an Igor text as lines of one table, their names and units first.

    Raises InputError: waves of different lengths, or a block that does not end.
    """
    names: list[str] = []
    blocks: list[list[tuple[int, str]]] = []
    units: dict[str, str] = {}
    inside = False
    for number, line in lines[1:]:
        text = line.strip()
        if text.upper() == "BEGIN":
            inside = True
            blocks.append([])
        elif text.upper() == "END":
            inside = False
        elif inside:
            blocks[-1].append((number, "\t".join(text.split())))
        elif text.upper().startswith("WAVES"):
            names += re.split(r"[\s,]+", re.sub(r"(?i)^WAVES\s*(/\w+(=\(.*?\))?\s*)*", "", text))
        else:
            for unit, name in re.findall(r'SetScale[^;"]*\bd\b[^;"]*"([^"]*)"\s*,\s*(\w+)', text):
                units[name] = unit
    lengths = {len(block) for block in blocks}
    if inside or len(lengths) != 1:
        what = "a wave does not end" if inside else "its waves differ in length, or there are none"
        raise InputError(what, path, "Write the waves of one table into one file")
    heads = "\t".join(f"{name} ({units[name]})" if units.get(name) else name for name in names)
    rows = [
        (block[0][0], "\t".join(text for _, text in block)) for block in zip(*blocks, strict=True)
    ]
    return [(lines[0][0], heads), *rows]


Line = tuple[int, str]
_PROBE = re.compile(r"(?P<letter>[vi])[a-z]?\((?P<of>[^()]+)\)", re.IGNORECASE)
_STEPPED = 5  # lines within which the first run of a .step is named
_TEXT = "Write a table with a row a time"
#: the line with which Xyce ends its tables
_SIGNED = re.compile(r"End of Xyce\(TM\) (?P<what>\w+)")


def simulated_lines(lines: list[Line], path: str) -> list[Line]:
    """The lines of one table, headings first, of a raw file of SPICE, a DF-ISE text or of Xyce.

    Others are as they were.

    Raises InputError: numbers that are binary or complex, several plots, runs of a .step, values
    that do not fill their rows.
    """
    texts = [text.strip() for _, text in lines]
    if texts[0].startswith("Title:") and "Variables:" in texts:
        return raw_lines(lines, texts, path)
    if texts[0].startswith("DF-ISE"):
        return _of_ise(lines, texts, path)
    for number, text in lines[:_STEPPED]:
        if text.startswith("Step Information:"):
            raise InputError(
                "holds the runs of a .step of LTspice below each other",
                f"{path}, line {number}",
                "Export one run at a time, or take its lines into a file of its own",
            )
    end = _SIGNED.match(texts[-1])
    if end and end["what"] == "Parameter":
        raise InputError(
            "holds the runs of a .STEP of Xyce below each other",
            f"{path}, line {lines[-1][0]}",
            "Run one value at a time, or take its lines into a file of its own",
        )
    return lines[:-1] if end and len(lines) > 1 else lines


_VARIABLES = {"V": "V", "I": "A", "R": "ohm", "Time": "s"}
#: "Smu1.V[1][1]": the variable of a channel, its group and its repetition
_QUICK = re.compile(r"(?i:smu)(?P<channel>\d+)\.(?P<quantity>V|I|R|Time)(?:\[\d+\]){1,2}")
#: names of EasyEXPERT begin or end with what they are: "V1", "Idd", "DrainI", "Time"
_VARIABLE = re.compile(
    r"(?P<first>V|I|Time)(?![A-Z]*[a-z]{3})\w*|(?!(?i:abs|log))[A-Za-z]*[a-z](?P<last>[VI])(?:[A-Z]?[a-z]{0,2}\d*)"
)
#: columns of the Keithley 4200: a terminal and what was measured there, "DrainI(2)" in sweep 2
_TERMINAL = re.compile(r"(?:Time|(?!ABS|LOG)[A-Z][A-Za-z]*?_?(?P<measured>[VI]))(?:\(\d+\))?")
#: a function of the user that most set-ups of EasyEXPERT have; no other program has the name
_FUNCTION = re.compile(r"abs[IV]\w{0,4}")


def spice_units(table: Table) -> None:
    """Give columns such as "V(out)" and "I(R1)", and the time beside them, the units of SPICE."""
    probes = {c.number: _PROBE.fullmatch(c.heading.strip()) for c in table.columns}
    nodes = [m["of"].strip() for m in probes.values() if m is not None]
    if not any(not (looks_numeric(n) or is_relative(n) or is_unit(n)) for n in nodes):
        return
    for column in table.columns:
        probe = probes[column.number]
        if probe is not None:
            column.name, column.unit = column.heading, "VA"[probe["letter"] in "iI"]
        elif column.heading.strip().lower() == "time":
            column.unit = "s"
    table.assume("headings as of SPICE: V(...) taken as volts, I(...) as amperes, time as seconds")


def keysight_units(table: Table) -> None:
    """Give the columns of EasyEXPERT ("DataName, V1, I1") and of Quick IV the units they have.

    Neither program writes them: its variables V..., I... and Time are volts, amperes and seconds.
    """
    quick = {c.number: _QUICK.fullmatch(c.heading.strip()) for c in table.columns}
    if any(quick.values()):
        for column in table.columns:
            match = quick[column.number]
            if match is None:
                continue
            quantity, channel = match["quantity"], match["channel"]
            first = quantity == "Time" and channel == "1"
            column.name = quantity if first else f"{quantity}{channel}"
            column.unit = _VARIABLES[quantity]
        program = "Quick IV"
    elif _of_easy_expert([c.heading.strip() for c in table.columns]):
        for column in table.columns:
            match = _VARIABLE.fullmatch(column.name)
            if match and not column.unit:
                column.unit = _VARIABLES[match["first"] or match["last"]]
        program = "EasyEXPERT"
    else:
        return
    table.assume(f"headings as of {program}: V... taken as volts, I... as amperes, Time as seconds")


def keithley_units(table: Table) -> None:
    """Give the columns of a sheet of the Keithley 4200 ("DrainV", "AI", "Time(2)") their units."""
    found = False
    for column in table.columns:
        match = _TERMINAL.fullmatch(column.heading.strip())
        if match and column.unit in ("", "1"):  # the number of a sweep is no unit
            column.name, column.unit = match[0], _VARIABLES[match["measured"] or "Time"]
            found = True
    if found:
        table.assume(
            "headings as of the Keithley 4200: ...V taken as volts, ...I as amperes, Time as "
            "seconds"
        )


def _of_easy_expert(headings: list[str]) -> bool:
    """Whether headings are of EasyEXPERT, with its first column or, as saved without settings,
    all of them variables beside such a function as "absI"."""
    if headings and headings[0] == "DataName":
        return True
    rest = [h for h in headings if not _FUNCTION.fullmatch(h)]
    return 1 < len(rest) < len(headings) and all(map(_VARIABLE.fullmatch, rest))


def _of_ise(lines: list[Line], texts: list[str], path: str) -> list[Line]:
    heads = re.findall(r'"([^"]*)"', " ".join(texts).partition("datasets")[2].partition("]")[0])
    start = next((k for k, text in enumerate(texts) if re.fullmatch(r"Data\s*\{", text)), None)
    if not heads or start is None:
        raise InputError("is a DF-ISE text, but no plot with its values", path, _TEXT)
    cells = [
        (number, word)
        for (number, _), text in zip(lines[start + 1 :], texts[start + 1 :], strict=True)
        for word in text.strip("}").split()
    ]
    rows = list(batched(cells, len(heads)))
    if not rows or len(rows[-1]) < len(heads):
        raise InputError("its values do not fill rows of its datasets", path, _TEXT)
    return [
        (lines[0][0], "\t".join(heads)),
        *((row[0][0], "\t".join(word for _, word in row)) for row in rows),
    ]
