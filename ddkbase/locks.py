"""One process at a time works on a store: a lock file beside it, held with flock.

The lock ends with the process that holds it, however that ends; workers do not inherit it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ddkbase.errors import StorageError

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the lock of ``store``, the file ``.NAME.lock`` beside it, while the context is open.

    Raises
    ------
    StorageError
        Another process holds it, it cannot be made, or the file system has no locks.
    """
    path = store.with_name(f".{store.name}.lock")
    handle = _lock(path, store)
    try:
        yield
    finally:
        # Removed before it is given up: who opened it meanwhile sees that it is gone.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)


def _lock(path: Path, store: Path) -> int:
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StorageError(
                f"the store cannot be written: {error.strerror}",
                str(store),
                "Choose a folder you may write to after --out",
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _still_there(path, handle):
                return handle
        except OSError as error:
            os.close(handle)
            raise _refusal(error, store) from None
        os.close(handle)


def _refusal(error: OSError, store: Path) -> StorageError:
    if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
        return StorageError(
            "another campaign is working on this store",
            str(store),
            "Wait until it has ended, or choose another --out",
        )
    if error.errno in _NO_LOCKS:
        return StorageError(
            "this file system has no locks, two campaigns could mix there",
            str(store),
            "Choose a --out on another disk",
        )
    return StorageError(f"the store cannot be locked: {error.strerror}", str(store))


def _still_there(path: Path, handle: int) -> bool:
    """Whether the file that was locked is still the one of that name."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
