"""``python -m orchestration.tied PARENT PROGRAM …``: becomes a program that gets SIGINT when its parent dies.

So nothing that ``shiftbook up`` started outlives it, be it killed by SIGKILL. Imports nothing of Shiftbook.
"""

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h; kept when another program is executed


def main(words: list[str]) -> None:
    """Take the parent's process id, the program and its arguments; does not return unless the parent is gone."""
    parent, program = int(words[0]), words[1]
    # Started in the background by a script it would be ignored, and by all that is executed here, too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(ctypes.CDLL(None), "prctl"):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGINT)
    if os.getppid() == parent:  # else it died before the system knew that we want to be told
        os.execv(program, words[1:])  # noqa: S606 -- what our own parent names, and no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
