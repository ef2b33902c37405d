"""Records a vendor that never stops talking, in a process that can be killed."""

import asyncio
import itertools
import os
import time
from pathlib import Path

from assets.live import LiveError, Sink
from orchestration.lake import Lake
from orchestration.pace import Pace
from orchestration.recorder import Keeper
from tests.recording import Toy, live_feed, now, page

PACE = Pace(seal=0.5, calm=0.1, base=0.02, longest=0.1, look=0.05)


def main(home: Path, told: Path) -> None:
    """Record until killed; each word is written to the file ``told``, with the time, before it is said."""
    log = os.open(told, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    async def talk(sink: Sink) -> None:
        sink.watching(now())
        for number in itertools.count():
            word = f"{os.getpid()}-{connections[0]}-{number:06}"
            os.write(log, f"{time.time()} {word}\n".encode())
            await sink.take(page(word.encode()))
            await asyncio.sleep(0.002)
            if number == 150:
                connections[0] += 1
                raise LiveError("the vendor hung up")

    connections = [0]
    feed = live_feed(home, Toy(talk), PACE)
    keeper = Keeper(feed, Lake(home / "lake"), home / "spool", feed.disk, PACE)
    asyncio.run(keeper.run())
