"""Who of several recorders on one home records a feed: one at a time, and a newcomer takes over without a hole.

Only locks of the system, which lets go of them when their holder dies, however it dies; nothing is ever stale.
"""

import fcntl
import os
from pathlib import Path


class Lease:
    """The right to record one feed. Cheap to look at; never waits.

    Two locks: one is held by whoever records, the other by a newcomer who asks for it. So nobody has to be told, and
    a newcomer that dies takes its wish with it.

    Args:
        folder: Where the two files lie; made when first needed.
        name: The feed's name among those of the home.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._paths = folder / f"{name}.holder", folder / f"{name}.newcomer"
        self._held: int | None = None
        self._asking: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether it is ours."""
        return self._held is not None

    def acquire(self) -> bool:
        """Take it if nobody has it; True when it is ours."""
        if self._held is None:
            self._held = _locked(self._paths[0])
        return self._held is not None

    def ask(self) -> None:
        """Let whoever has it know that we want it; another newcomer goes first if it asked before."""
        if self._asking is None:
            self._asking = _locked(self._paths[1])

    def withdraw(self) -> None:
        """Ask no longer."""
        if self._asking is not None:
            os.close(self._asking)
            self._asking = None

    def is_wanted(self) -> bool:
        """Whether another one asks for it."""
        if self._asking is not None:
            return False
        free = _locked(self._paths[1])
        if free is not None:
            os.close(free)
        return free is None

    def release(self) -> None:
        """Give it up, and ask for nothing."""
        self.withdraw()
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _locked(path: Path) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
