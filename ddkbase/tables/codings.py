"""Texts in their codings: UTF-8, its relatives, Windows-1252 where it is plain, others by name."""

from __future__ import annotations

import codecs
import re

from ddkbase.errors import InputError, shorten

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: signs of Windows-1252 that stand in tables outside of words
_SIGNS = set("µ°±²³¹·×\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u00a0\u2030")
_OTHERS = ("gb18030", "shift_jis", "big5", "euc_kr", "mac_roman", "cp437")
_UNIT = re.compile(
    r"(?:[kKMGmunp]?[\u03a9\u2126]|[\u00b5\u03bc][SAVs])(?![^\W\d_])"
    r"|电|電|脉冲|脈衝|抵抗|パルス|저항|전류|펄스"
)


def decoded(content: bytes, path: str, encoding: str | None, assumptions: list[str]) -> str:
    """The text of a file; without an encoding it is found out, and noted in ``assumptions``.

    Raises InputError: not text, not of this coding, or of one that cannot be told; the hint names
    candidates.
    """
    if encoding is not None:
        try:
            return content.decode(encoding)
        except LookupError:
            raise InputError(
                f"unknown coding {shorten(encoding)}", "encoding", "Use e.g. gb18030 or shift_jis"
            ) from None
        except (UnicodeError, TypeError):
            raise InputError(f"is not text in {encoding}", path) from None
    for mark, coding in _BOMS:
        if content.startswith(mark):
            try:
                return content.decode(coding)
            except UnicodeError:
                raise InputError(f"is not text in {coding}", path) from None
    half = content[:200]
    for wide, odd in (("utf-16-le", half[1::2]), ("utf-16-be", half[::2])):
        text = half.replace(b"\0", b"")
        plain = sum(byte in b"\t\n\r" or 32 <= byte < 127 for byte in text)
        if len(odd) > 4 and odd.count(0) > 0.9 * len(odd) and plain > 0.9 * len(half) / 2:
            raise InputError(
                "is not UTF-8, and has no byte-order mark", path, f"Pass encoding='{wide}'"
            )
    if b"\0" in content:
        raise InputError("is not text", path, "CSV, TSV, XLSX, MAT, NPZ or NetCDF is expected")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    western = content.decode("cp1252", errors="replace")
    if _is_western(western):
        assumptions.append("text taken as Windows-1252, it is not UTF-8")
        return western
    likely = _candidates(content)
    raise InputError(
        "is not UTF-8, and its coding cannot be told"
        + (f": it may be {', '.join(likely[:3])}" if likely else ""),
        path,
        f"Pass encoding='{likely[0] if likely else 'gb18030'}', or save it as UTF-8",
    )


def _is_western(text: str) -> bool:
    """Whether a text reads as Windows-1252: its signs alone, its letters within words."""
    for word in re.findall(r"[^\s,;|()\[\]{}/\"'=:_-]*[^\x00-\x7f][^\s,;|()\[\]{}/\"'=:_-]*", text):
        letters = [c for c in word if ord(c) > 127 and c not in _SIGNS]
        if any(not c.isalpha() for c in letters):
            return False
        plain = sum(c.isascii() and c.isalpha() for c in word)
        if letters and (plain < 2 or plain < 2 * len(letters)):
            return False
    return True


def _candidates(content: bytes) -> list[str]:
    """Codings in which the bytes are a text, those that show a unit or a word known first."""
    found = []
    for coding in _OTHERS:
        try:
            text = content.decode(coding)
        except UnicodeError:
            continue
        signs = {c for c in text if ord(c) > 127}
        odd = sum(not (c.isalpha() or _UNIT.search(c) or c in _SIGNS) for c in signs)
        found.append((not _UNIT.search(text), odd, len(signs), coding))
    return [coding for *_, coding in sorted(found, key=lambda f: f[:2])]
