"""Folders: locked for one process, claimed and given back, filled whole or not at all.

A lock ends with the process that holds it, however that ends; child processes do not inherit it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Self

from ddkbase.errors import DDKError, StorageError, shorten
from ddkbase.files import storage_errors, sweep, temporary_path

_ABANDONED = 600.0  # s after which a folder that a killed process left is swept away
_OLD = ".old"  # ends the name of what is moved aside for another folder
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)
_HELD = (errno.EWOULDBLOCK, errno.EACCES)


class Lock:
    """A file or folder that this process has locked, from `lock`; a context manager.

    Attributes
    ----------
    path : Path
        What is locked.
    real : bool
        False on a file system without locks, where two processes could mix.
    """

    def __init__(self, path: Path, handle: int, real: bool) -> None:
        self.path, self.real = path, real
        self._handle: int | None = handle

    def release(self, *, remove: bool = False) -> None:
        """Give it up; with ``remove`` the file goes as well. A second time nothing happens."""
        if self._handle is None:
            return
        try:
            if remove:
                # Before it is given up: who opened it meanwhile sees that it is gone.
                with contextlib.suppress(OSError):
                    self.path.unlink()
        finally:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock(path: Path, busy: StorageError, *, create: bool = False, wait: bool = False) -> Lock:
    """Lock a file for this process, or a folder, in which a lock leaves no file behind.

    With ``create`` the file is made if it is not there, with ``wait`` the end of another process is
    awaited. Raises StorageError: ``busy``, where another process holds it or has just removed it;
    OSError: it cannot be opened or locked.
    """
    # On NFS an exclusive lock needs a handle for writing, which a folder does not have.
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | (os.O_CREAT if create else 0)
    while True:
        handle = os.open(path, flags, 0o666)
        real = True
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except OSError as exc:
                if exc.errno in _HELD:
                    raise busy from None
                if exc.errno not in _NO_LOCKS:
                    raise
                real = False
            if _is_same(path, handle):
                return Lock(path, handle, real)
            if not create:
                raise busy
        except BaseException:
            os.close(handle)
            raise
        # Between opening and locking, the holder removed the file: another one is made.
        os.close(handle)


def _is_same(path: Path, handle: int) -> bool:
    """Whether what was locked is still what stands under that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


class ClaimedFolder:
    """A folder that this process has for itself until `close`; a context manager.

    Parameters
    ----------
    path : Path
        The folder.
    lock : Lock or None, optional
        The lock on an entry of it by which it is held; None: it is only looked at.
    created : sequence of Path or None, optional
        What `make_folders` made for it; None: the folder holds what an earlier process left.
    """

    def __init__(
        self, path: Path, lock: Lock | None = None, created: list[Path] | None = None
    ) -> None:
        self.path = path
        self._lock = lock
        self._created = created

    @property
    def reopened(self) -> bool:
        """Whether the folder holds what an earlier process left."""
        return self._created is None

    def close(self) -> None:
        """Let other processes have the folder."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def give_back(self, names: Iterable[str]) -> None:
        """Remove the entries of these names, then the folders that were made for them.

        The latter stay where others put something into them meanwhile.

        Raises OSError: one of the entries is a folder and not empty; those after it are not
        touched.
        """
        # Before the lock goes: whoever waits for it must find that nothing is here any more.
        for name in names:
            path = self.path / name
            if path.is_dir():
                path.rmdir()  # before any file that says what the folder is for
            else:
                path.unlink(missing_ok=True)
        for folder in self._created or ():
            _remove_empty(folder)


def make_folders(path: Path) -> list[Path]:
    """Make a folder and those above it; return those that were made, the innermost first."""
    created = [p for p in (path, *path.parents) if not p.exists()]
    path.mkdir(parents=True, exist_ok=True)
    return created


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody put something into it meanwhile
        folder.rmdir()


@contextlib.contextmanager
def at_work(path: Path) -> Iterator[None]:
    """Make a folder if it is not there, and lock it while the block runs; no file says so.

    Raises StorageError: another process has it, or it cannot be made.
    """
    busy = StorageError(
        "another process is still at work in this folder", str(path), "Wait for its end"
    )
    with storage_errors("the folder cannot be made or written", path):
        make_folders(path)
        held = lock(path, busy)
    with held:
        yield


def check_new_folder(path: Path) -> None:
    """Try, before the work is done, whether the folder can be made.

    Raises StorageError: the folder above is missing or may not be written, the name is taken by a
    file, or too long.
    """
    target = _behind_link(path)
    if target.is_symlink():  # followed, it leads to itself
        raise StorageError("is a link that leads nowhere", str(path), "Choose another name")
    if not target.parent.is_dir():
        raise StorageError("there is no such folder", str(target.parent))
    if target.exists() and not target.is_dir():
        raise StorageError("there is a file of that name, not a folder", str(path))
    hint = "Choose a folder you may write to, and a shorter name if it is long"
    with storage_errors("the folder cannot be written", path, hint):
        probe = temporary_path(target)
        probe.mkdir()
        probe.rmdir()


def check_result_folder(
    path: Path,
    overwrite: bool,
    names: Collection[str],
    needed: str,
    hint: str = "Choose another name",
) -> None:
    """Tell before the work is done whether the folder of a result can be written.

    A result is there if the folder holds ``needed`` and nothing but ``names``; ``hint`` is for a
    folder that holds something else. Raises StorageError: as `check_new_folder`, or something is
    there that is not to be replaced.
    """
    check_new_folder(path)
    there = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if there and (needed not in there or not there <= {*names}):
        raise StorageError("the folder holds something else", str(path), hint)
    if there and not overwrite:
        raise StorageError(
            "the folder holds a result already", str(path), "Use --overwrite or another name"
        )


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Keep the name of a folder for this process, from before its work until it is written.

    The lock is the file ``.NAME.lock`` beside it, which goes at the end. A folder that an earlier
    process was replacing when it was killed is put back first.

    Raises StorageError: another process has claimed it; what `check_new_folder` says.
    """
    check_new_folder(path)
    target = _behind_link(path)
    busy = StorageError(
        "another process is at work for this folder",
        str(path),
        "Wait for its end, or choose another name",
    )
    with storage_errors("the folder cannot be written", path):
        held = lock(target.with_name(f".{target.name}.lock"), busy, create=True)
    try:
        with storage_errors("the folder cannot be written", path):
            _put_back(target)
        yield
    finally:
        held.release(remove=True)


@contextlib.contextmanager
def new_folder(
    path: Path,
    overwrite: bool = False,
    *,
    message: str = "the folder cannot be written",
    hint: str = "Choose a folder you may write to, on a disk with room",
) -> Iterator[Path]:
    """A folder to fill, which gets its name when the block ends without an error.

    Parameters
    ----------
    path : Path
        Path of the folder; it may be there if it is empty.
    overwrite : bool, default False
        Replace what is there, which is taken away after that. Killed between the two, the next
        `new_folder` or `claimed` of that name puts it back.
    message, hint : str
        What is said of an error of the system.

    Raises
    ------
    StorageError
        The disk is full, it cannot be written, or another process has filled the folder meanwhile.
        Nothing is left behind.
    """
    target = _behind_link(path)
    scratch = temporary_path(target)
    with storage_errors(message, path, hint):
        sweep(target.parent, target.name, age=_ABANDONED)
        _put_back(target)
        try:
            scratch.mkdir()
            yield scratch
            _sync(scratch)
            _put(scratch, target, overwrite)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def kept_elsewhere(fill: Callable[[Path], None], prefix: str) -> Iterator[None]:
    """If the block cannot write a result, keep it in a temporary folder, and say in which.

    ``fill`` writes the result into a folder, whose name begins with ``prefix``. Raises
    StorageError: that of the block; its hint names the temporary folder, unless that failed as
    well.
    """
    try:
        yield
    except StorageError as error:
        try:
            spare = Path(tempfile.mkdtemp(prefix=prefix))
        except OSError:
            raise error from None
        try:
            fill(spare)
        except OSError:  # which a StorageError is too
            shutil.rmtree(spare, ignore_errors=True)
            raise error from None
        hint = f"The result was kept in {spare} instead"
        raise StorageError(error.what, error.where, hint) from error


@contextlib.contextmanager
def drawn_after(path: Path) -> Iterator[None]:
    """A picture or report beside a result that is written already: it can fail, the result stays.

    Raises StorageError: whatever went wrong, in one line that says that the result is there.
    """
    try:
        yield
    except Exception as error:  # every library of pictures has its own
        what = error.what if isinstance(error, DDKError) else f"{type(error).__name__}: {error}"
        raise StorageError(
            f"{path.name} was not written: {shorten(what, 200)}",
            str(path.parent),
            "All else of the result is in this folder",
        ) from error


def _put_back(target: Path) -> None:
    """Give a folder its name again that was moved aside for another one, which never came."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{12}}\{_OLD}")
    aside = [p for p in target.parent.iterdir() if pattern.fullmatch(p.name)]
    for old in sorted(aside, key=lambda p: p.stat().st_mtime, reverse=True):
        if not os.path.lexists(target):
            old.rename(target)
        else:
            shutil.rmtree(old, ignore_errors=True)


def _behind_link(path: Path) -> Path:
    """Where the folder itself is: a link is followed, so that it stays a link."""
    return Path(os.path.realpath(path))


def _sync(folder: Path) -> None:
    """Bring all files below a folder to the disk, so that none is empty after a power cut."""
    for above, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(above, name), "rb") as file:
                os.fsync(file.fileno())


def _put(scratch: Path, target: Path, overwrite: bool) -> None:
    try:
        scratch.rename(target)  # replaces an empty folder, and in one step no other
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    if not overwrite:
        raise StorageError(
            "another process has filled the folder meanwhile", str(target), "Use another name"
        )
    old = temporary_path(target).with_suffix(_OLD)
    target.rename(old)
    try:
        scratch.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
