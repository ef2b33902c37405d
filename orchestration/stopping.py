"""Lets a long command be stopped: Ctrl-C, or SIGTERM, is heard at once, whatever is being waited for.

Files appear whole, and locks end with who holds them, so that a process may end at any moment; what its runs leave in
Dagster's records is put right in ``leftovers.py``.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Never, TypeVar

STOPPED = 130
"""The exit code: 128 and the number of SIGINT, as shells have it."""

_LOOK_SECONDS = 0.1
_T = TypeVar("_T")


class StoppedError(Exception):
    """Somebody asked for the end of it, which goes on in another thread: the process is to end now."""


def stoppable(work: Callable[[], _T]) -> _T:
    """Do something in a thread of its own, and return what it returns.

    Not in this one: Dagster would take the signal for itself, wait for requests and builds under way, and go on with
    the next run.

    Raises:
        StoppedError: A signal came first.
    """
    outcome: Future[_T] = Future()

    def do() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 -- raised again by who waits
            outcome.set_exception(error)

    heard: list[int] = []
    before = {number: signal.signal(number, lambda n, _: heard.append(n)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        thread = threading.Thread(target=do, name="work", daemon=True)
        thread.start()
        while not heard:
            if wait([outcome], _LOOK_SECONDS).done:
                # Python, when it ends, kills a daemon thread that is still closing DuckDB, and the process with it.
                thread.join()
                return outcome.result()
        raise StoppedError
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int) -> Never:
    """End the process now, without waiting for its threads."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
