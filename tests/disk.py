"""A disk that tests fill: a real small file system where one may be mounted, else one whose writes are made to fail.

No expectations here.
"""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from orchestration import builds, lake


class RealDisk:
    """A file system of so many bytes in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (64 << 10, 1 << 10, 1):
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def empty(self) -> None:
        """Make room again."""
        self._ballast.unlink()


class MadeUpDisk:
    """A folder; while it is full, whatever asks the system to write or to keep something fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._patch = pytest.MonkeyPatch()

    def fill(self) -> None:
        """Leave no room."""

        def no_room(*_: object) -> NoReturn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        for owner, name in ((os, "write"), (lake, "sync"), (builds, "sync")):
            self._patch.setattr(owner, name, no_room)

    def empty(self) -> None:
        """Make room again."""
        self._patch.undo()


@contextmanager
def small_disk(folder: Path, size: str = "4m") -> Iterator[RealDisk | MadeUpDisk]:
    """A disk for one test, mounted on a folder."""
    folder.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        made_up = MadeUpDisk(folder)
        yield made_up
        made_up.empty()
        return
    try:
        yield RealDisk(folder)
    finally:
        subprocess.run([shutil.which("umount") or "umount", "-l", str(folder)], check=True)
