"""Files that appear whole or not at all, and signals kept from them while they are written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import signal
import stat
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from ddkbase.errors import InputError, StorageError, shorten

_READ_LIMIT = 500_000_000  # bytes
_SMALL = 1_000_000  # bytes of a file that is taken for no smaller
_PIECE = 1 << 20  # bytes of a file that are read at once


@contextlib.contextmanager
def storage_errors(message: str, path: str | os.PathLike[str], hint: str = "") -> Iterator[None]:
    """Turn an error of the system within the block into a `StorageError`.

    ``message`` says what could not be done; the system's reason follows it.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as exc:
        raise StorageError(f"{message}: {exc.strerror or exc}", str(path), hint) from exc


def temporary_path(path: Path) -> Path:
    """Path beside ``path`` under which it is made, before it is moved there in one step."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")


def is_scratch(path: Path, name: str = "") -> bool:
    """Whether a path is a `temporary_path` of ``name``; empty: of anything."""
    pattern = rf"\.{re.escape(name) or '.+'}\.[0-9a-f]{{12}}\.part"
    return re.fullmatch(pattern, path.name) is not None


def sweep(folder: Path, name: str = "", *, age: float = 0.0) -> None:
    """Remove the files and folders that killed writers left under a `temporary_path`.

    Parameters
    ----------
    folder : Path
        Where to look.
    name : str, default ""
        What was to be made; empty: anything.
    age : float, s, default 0.0
        Leave what was changed later than that: a writer may still be at work on it.
    """
    for path in folder.iterdir():
        if not is_scratch(path, name):
            continue
        if age and time.time() - path.stat().st_mtime <= age:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_bytes(
    path: str | os.PathLike[str], content: bytes | bytearray | memoryview, overwrite: bool = False
) -> Path:
    """Write a file, whole or not at all.

    It is written beside its destination under a temporary name, synced to the disk and then moved,
    so a reader never sees half a file.

    Parameters
    ----------
    path : str or Path
        The file to make.
    content : bytes, bytearray or memoryview
        What it is to hold.
    overwrite : bool, default False
        Replace an existing file.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    StorageError
        The file exists and ``overwrite`` is false; the disk is full, the folder is missing or may
        not be written. No file is left behind.
    """
    path = Path(path)
    scratch = temporary_path(path)
    created = False
    try:
        # os.open instead of tempfile: the file gets the permissions that the umask asks for
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        created = True
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            scratch.replace(path)
        else:
            _move_to_free_name(scratch, path)
    except StorageError:
        raise
    except OSError as exc:
        raise StorageError(
            f"the file cannot be written: {exc.strerror or exc}",
            str(path),
            "Choose a folder you may write to, on a disk with room.",
        ) from exc
    finally:
        if created:
            scratch.unlink(missing_ok=True)
    return path


def _move_to_free_name(scratch: Path, path: Path) -> None:
    """Move ``scratch`` to ``path`` unless something is there, without a moment between the two."""
    try:
        os.link(scratch, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without hard links: ask first, then move
        if path.exists():
            raise _exists(path) from None
        scratch.replace(path)


def _exists(path: Path) -> StorageError:
    return StorageError(
        "the file exists already", where=str(path), hint="Choose another name, or remove it first."
    )


def checksum(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files below a folder.

    Raises StorageError: there is no such file or folder, or a file cannot be read.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        for file in files_below(path):
            digest.update(f"{file.relative_to(path).as_posix()}\0{checksum(file)}\0".encode())
        return digest.hexdigest()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
    except FileNotFoundError:
        raise StorageError("there is no such file or folder", str(path)) from None
    except OSError as exc:
        raise StorageError(exc.strerror or "cannot be read", str(path)) from exc
    return digest.hexdigest()


def read_limit() -> int:
    """Bytes of memory that the content of one file may take, 500 MB.

    The environment variable ``DDK_READ_LIMIT`` (bytes, e.g. "4e9") sets another number. Records,
    models and tables of this toolkit are far smaller; a file of a stranger may unpack to anything.

    Raises InputError: the variable holds no number from 1 on.
    """
    text = os.environ.get("DDK_READ_LIMIT", "")
    if not text:
        return _READ_LIMIT
    try:
        limit = int(float(text))
    except (ValueError, OverflowError):
        limit = 0
    if limit < 1:
        raise InputError(f"'{shorten(text)}' is no number of bytes", "DDK_READ_LIMIT", "e.g. 4e9")
    return limit


def read_bytes(path: str | os.PathLike[str], hint: str = "") -> bytes:
    """Read a file that a stranger may have made: a regular one, of at most `read_limit` bytes.

    ``hint`` says what to do where it cannot be read. Raises FileNotFoundError: there is no such
    file; StorageError: it is a folder, a pipe or a device, too large, or cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would block, /dev/zero never ends
            raise StorageError("is not a regular file", str(path), hint)
        with open(path, "rb") as stream:
            content = stream.read(read_limit() + 1)
    except (FileNotFoundError, StorageError):
        raise
    except OSError as error:
        raise StorageError(
            f"the file cannot be read: {error.strerror or error}", str(path), hint
        ) from error
    if len(content) > read_limit():
        raise too_large(str(path))
    return content


def unpacked_limit(packed: int, most: int, times: int | None = None) -> int:
    """Bytes of memory that the content of a packed file may take, far fewer for a small one.

    What a few bytes unpack to is rarely data. Where DDK_READ_LIMIT is set, it is what counts.

    Parameters
    ----------
    packed : int
        Bytes of the file.
    most : int
        Bytes that a large file may take.
    times : int, optional
        How many times its bytes it may take; one below 1 MB as one of 1 MB. By default a hundred
        times up to 1 MB, and a thousand times beyond: masks and counts pack well.

    Raises
    ------
    InputError
        As `read_limit`.
    """
    if os.environ.get("DDK_READ_LIMIT"):
        return read_limit()
    if times is None:
        times = 100 if packed <= _SMALL else 1000
    return min(most, times * max(packed, _SMALL))


def too_large(where: str, limit: int | None = None) -> StorageError:
    """What is said of a file whose content is larger than a limit, by default `read_limit`."""
    return StorageError(
        f"its content is larger than {read_limit() if limit is None else limit:,} bytes",
        where,
        "If you trust it, set the environment variable DDK_READ_LIMIT to more bytes",
    )


def refuse_pointer(content: bytes, path: str | os.PathLike[str]) -> None:
    """Refuse what Git LFS leaves in the place of a file that was not fetched, by its first bytes.

    Raises StorageError.
    """
    if content.startswith(b"version https://git-lfs."):
        raise StorageError(
            "is a pointer of Git LFS, not the file itself", str(path), "Fetch it: git lfs pull"
        )


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder, sorted; lock files and what a killed writer left are left out."""
    for above, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not (name.startswith(".") and name.endswith((".part", ".lock"))):
                yield Path(above) / name


def keep_traceback(exc: BaseException, program: str) -> Path:
    """Write the traceback of ``exc`` to a temporary file named after ``program``; its path."""
    handle, name = tempfile.mkstemp(prefix=f"{program}-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        traceback.print_exception(exc, file=stream)
    return Path(name)


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, Any], Any] | signal.Handlers) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM go to ``handler``; only the main thread gets them.

    To put a signal off, a handler of Python's must be there; what is left to the system, or is
    ignored, stays so then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {
        number: before
        for number in (signal.SIGINT, signal.SIGTERM)
        if callable(before := signal.getsignal(number))
        or (handler is signal.SIG_IGN and before is not None)
    }
    for number in previous:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM while a result is written, which takes a moment."""
    with _handled_by(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let the first Ctrl-C wait until the context is closed; a second does not wait.

    So does SIGTERM where a handler is set, as commands do; without one it ends the process.

    Raises KeyboardInterrupt: when the context is closed, if a signal came.
    """
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt

    with _handled_by(note):
        yield
    if received:
        raise KeyboardInterrupt


@contextlib.contextmanager
def children_without_ctrl_c() -> Iterator[None]:
    """Processes and threads started in the context never see Ctrl-C, nor do theirs.

    A terminal sends it to all of them at once, but it is for the main process to end the others.
    """
    # Started later, it would be in one of these threads, and take the mask off that thread again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
