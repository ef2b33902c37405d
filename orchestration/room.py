"""Room on disk: what a full one is told as, everywhere in the same words, and how much there is.

Nothing half-written is ever in sight (``lake.py``), so that what could not be written is simply done again.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}
# DuckDB and SQLite tell it in words alone; SQLite calls it so where a journal cannot grow, too.
_WORDS = ("no space left on device", "disk quota exceeded", "disk is full")
_GIB = 1024**3


class DiskFullError(OSError):
    """A file system has no more room; the message names it, says how much is free, and what to do."""


def is_full(error: BaseException) -> bool:
    """Whether an error, or what it was caused by, is that a disk is full."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    if any(word in str(error).lower() for word in _WORDS):
        return True
    return error.__cause__ is not None and is_full(error.__cause__)


def full(path: Path) -> DiskFullError:
    """What to tell of the file system that a path is on, or would be."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    free, inodes = room(there)
    left = f"{free / _GIB:.2f} GiB free" if inodes else "no files can be added, whatever their size"
    return DiskFullError(
        errno.ENOSPC,
        f"the disk is full: file system {_mount(there)} ({left}); make room, 'shiftbook housekeeping' helps. Nothing "
        "is left half-written, and what could not be done is done again by the next run",
        str(path),
    )


def room(path: Path) -> tuple[int, int]:
    """Bytes and files that may still be added where a path lies; 1 file where the file system does not count them."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize, status.f_favail if status.f_files else 1


@contextmanager
def telling_of_full(path: Path) -> Iterator[None]:
    """Let a full disk be told in our words, whoever noticed.

    Raises:
        DiskFullError: Instead of what was raised within.
    """
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        if is_full(error):
            raise full(path) from error
        raise


def _mount(path: Path) -> Path:
    found = path.absolute()
    while not found.is_mount():
        found = found.parent
    return found
