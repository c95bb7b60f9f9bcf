"""Whether a sound file holds all the sound that it promises: libsndfile reads what is there.

Looked at are the lengths in the headings of WAV (RIFF, RIFX, RF64, BW64), W64, AIFF, AU and NIST
SPHERE, and whether the last page of an OGG stream says that it is the last.
"""

from __future__ import annotations

import re
import stat
import struct
from pathlib import Path
from typing import BinaryIO

__all__ = ["check_whole", "says_its_length"]

_HEAD = 1024  # bytes that are looked at; the heading of NIST SPHERE takes as many
_TAGGED = 1 << 20  # of an MP3 file: tags, with pictures, may stand before the sound
_OPEN = (0, 0xFFFFFFFF)  # a recorder that streams leaves the length open
_LARGEST_PAGE = 27 + 255 + 255 * 255  # bytes of a page of OGG
_LAST = 4  # flag of the last page of a stream
_CHUNKS = {b"RIFF": "<4sI", b"RIFX": ">4sI", b"RF64": "<4sI", b"BW64": "<4sI", b"FORM": ">4sI"}
_W64_START, _W64_DATA = b"riff\x2e\x91\xcf\x11", b"data\xf3\xac\xd3\x11"


def check_whole(path: Path) -> None:
    """Say nothing of a file that is whole, or of another kind than those above.

    Raises
    ------
    ValueError
        It is empty, no regular file, or cut off.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file")
    if not status.st_size:
        raise ValueError("it is empty")
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        if head[:4] in _CHUNKS and (head[8:12] in (b"WAVE", b"AIFF", b"AIFC") or len(head) < 12):
            _check(_of_chunks(file, status.st_size, head), status.st_size)
        elif head[:8] == _W64_START:
            _check(_of_w64(file, status.st_size), status.st_size)
        elif head[:4] in (b".snd", b"dns.") and len(head) >= 12:
            start, length = struct.unpack(">II" if head[:1] == b"." else "<II", head[4:12])
            _check((start, 0 if length in _OPEN else length), status.st_size)
        elif head[:7] == b"NIST_1A":
            _check(_of_sphere(head), status.st_size)
        elif head[:4] == b"OggS":
            file.seek(max(0, status.st_size - _LARGEST_PAGE))
            _check_last_page(file.read())


def says_its_length(path: Path) -> bool:
    """Whether an MP3 file has a heading with its number of frames, which is guessed otherwise."""
    with open(path, "rb") as file:
        head = file.read(_TAGGED)
    return re.search(rb"(?:Xing|Info)\0\0\0[\x01\x03\x05\x07\x09\x0b\x0d\x0f]", head) is not None


def _check(sound: tuple[int, int] | None, size: int) -> None:
    """ValueError where the sound, its start and length in bytes, ends after the file."""
    if sound is None:
        raise ValueError("it is cut off before the sound begins")
    start, length = sound
    if start + length > size:
        raise ValueError(f"it is cut off: {max(size - start, 0)} of {length} bytes of sound")


def _of_chunks(file: BinaryIO, size: int, head: bytes) -> tuple[int, int] | None:
    """Start and length of the sound in a file of chunks; a length of 0 is one that is not said."""
    form, at, long = _CHUNKS[head[:4]], 12, 0
    while at + 8 <= size:
        file.seek(at)
        kind, length = struct.unpack(form, file.read(8))
        if kind == b"ds64":  # lengths of 64 bits, beside which those of 32 are left open
            long = int.from_bytes(file.read(16)[8:], "little")
        if kind in (b"data", b"SSND"):
            return at + 8, long if long and length == _OPEN[1] else length * (length not in _OPEN)
        at += 8 + length + length % 2
    return None


def _of_w64(file: BinaryIO, size: int) -> tuple[int, int] | None:
    """Start and length of the sound in Sony's W64, whose chunks have names of 16 bytes."""
    at = 40
    while at + 24 <= size:
        file.seek(at)
        kind, length = struct.unpack("<16sQ", file.read(24))
        if kind[:8] == _W64_DATA:
            return at + 24, max(length - 24, 0)
        at += max(length, 24) + -length % 8
    return None


def _of_sphere(head: bytes) -> tuple[int, int]:
    """Start and length of the sound in NIST SPHERE, where its heading says them."""
    fields = re.findall(rb"^(\w+) -i (\d{1,12})$", head, re.MULTILINE)
    said = {name: int(value) for name, value in fields}
    coding = re.search(rb"^sample_coding -s\d+ (\S+)$", head, re.MULTILINE)
    if coding and coding[1] not in (b"pcm", b"ulaw", b"alaw"):
        return _HEAD, 0  # packed: its length is not that of its samples
    each = said.get(b"sample_n_bytes", 2) if not coding or coding[1] == b"pcm" else 1
    return _HEAD, said.get(b"sample_count", 0) * said.get(b"channel_count", 1) * each


def _check_last_page(end: bytes) -> None:
    """ValueError where the last page of OGG is not whole, or not the last of its stream."""
    at = end.rfind(b"OggS")
    page = end[at:]
    segments = page[26] if len(page) > 26 else 0
    whole = at >= 0 and len(page) >= 27 + segments
    if not whole or len(page) < 27 + segments + sum(page[27 : 27 + segments]):
        raise ValueError("it is cut off in the middle of a page")
    if not page[5] & _LAST:
        raise ValueError("it is cut off: the last page of its sound is missing")
