"""Records a vendor that never stops talking, and a gateway whose agents are polled, in a process that can be killed."""

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from assets.capture import Probe
from assets.huawei import AGENT_STATUS
from assets.huawei.gateway import GatewayClient
from assets.live import LiveError, Sink
from orchestration.lake import Lake, Page
from orchestration.live_feed import LiveFeed
from orchestration.pace import Pace
from orchestration.recorder import Keeper
from orchestration.settings import load_settings
from tests.recording import Toy, live_feed, now, page

PACE = Pace(seal=0.5, calm=0.1, base=0.02, longest=0.1, look=0.05)
Tell = Callable[[str], object]


def word_of(received_at: datetime, request: str) -> str:
    """What tells one answer of the gateway from all others."""
    return f"{received_at.timestamp():.6f}/{request}".replace(" ", "_")


class Overheard:
    """A sink that tells of each page before it hands it on."""

    def __init__(self, sink: Sink, tell: Tell) -> None:
        self._sink, self._tell = sink, tell
        self.watching, self.alive, self.lost = sink.watching, sink.alive, sink.lost

    async def take(self, page: Page) -> None:
        """Hand a page on."""
        self._tell(word_of(page.received_at, page.request))
        await self._sink.take(page)


class Gateway:
    """The real client of the gateway, overheard."""

    def __init__(self, client: GatewayClient, tell: Tell) -> None:
        self._client, self._tell = client, tell

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled."""
        await self._client.run(Overheard(sink, self._tell))

    def probe(self) -> Iterator[Probe]:
        """Nothing to look at."""
        return iter(())


def main(home: Path, told: Path, sources: Path) -> None:
    """Record until killed; each word is written to the file ``told``, with the time, before it is said."""
    log = os.open(told, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def tell(word: str) -> None:
        os.write(log, f"{time.time()} {word}\n".encode())

    async def talk(sink: Sink) -> None:
        sink.watching(now())
        for number in itertools.count():
            word = f"{os.getpid()}-{connections[0]}-{number:06}"
            tell(word)
            await sink.take(page(word.encode()))
            await asyncio.sleep(0.002)
            if number == 150:
                connections[0] += 1
                raise LiveError("the vendor hung up")

    async def record() -> None:
        await asyncio.gather(*(Keeper(one, lake, home / "spool", one.disk, PACE).run() for one in feeds))

    connections, lake = [0], Lake(home / "lake")
    [config] = load_settings(home, sources).sources
    client = Gateway(GatewayClient(config), tell)  # type: ignore[arg-type]  # there is no source but Huawei's
    talking = live_feed(home, Toy(talk), PACE)
    folder = home / "spool" / "huawei" / AGENT_STATUS.name / config.name
    polled = LiveFeed("huawei", config.name, AGENT_STATUS, lambda: client, lake, folder, talking.disk, PACE)
    feeds = (talking, polled)
    asyncio.run(record())
