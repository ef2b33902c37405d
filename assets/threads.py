"""Blocking work beside an event loop, as the live clients and the recorder need it. Knows no vendor and no HTTP."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar
from functools import partial
from typing import TypeVar

T = TypeVar("T")

held_back: ContextVar[Callable[[], AbstractContextManager[None]]] = ContextVar("held_back", default=nullcontext)
"""Around a wait for our own limit, for who sets it in the thread that waits: it is no silence of the vendor's."""


async def aside(work: Callable[[], T]) -> T:
    """Do work that may block for minutes in a thread of its own, which nobody waits for once the caller is cancelled.

    A pool of threads would be shared with other sources, which one that hangs would hold up, and is waited for when
    the process ends.

    Raises:
        Exception: Whatever the work raises, where it is awaited.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(act: Callable[[], None]) -> None:
        if not future.done():
            act()

    def run() -> None:
        try:
            done = partial(future.set_result, work())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it is awaited
            done = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, done)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await future
