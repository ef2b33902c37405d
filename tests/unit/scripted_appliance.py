"""An appliance without sockets: answers are functions of path and parameters, and time stands still."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from assets.beyondtrust.appliance import Appliance
from assets.beyondtrust.config import BeyondTrustConfig
from assets.config import Origin
from assets.http import Clock, Reply, Retry
from assets.pacing import Lane

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
CONFIG = BeyondTrustConfig.model_validate(
    {
        "name": "support_eu",
        "vendor": "beyondtrust",
        "base_url": "http://127.0.0.1:1",
        "client_id": "${NOBODY}",
        "client_secret": "${NOBODY}",
    },
    context=Origin(),
)


class Still(Clock):
    """Stands still but for sleeping."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at, self.seconds = at, 0.0

    def now(self) -> datetime:
        """The faked time."""
        return self.at

    def monotonic(self) -> float:
        """Seconds slept."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.seconds += seconds


class Scripted(Appliance):
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self, respond: Callable[[Mapping[str, str]], bytes], now: datetime = NOW) -> None:
        super().__init__(CONFIG, Still(now))
        self.respond = respond
        self.asked: list[Mapping[str, str]] = []
        self.lanes: list[Lane] = []

    def get(self, path: str, params: Mapping[str, str], _retry: Retry | None = None, *, lane: Lane = "past") -> Reply:
        """The answer to these parameters."""
        self.asked.append(params)
        self.lanes.append(lane)
        at = self.clock.now()
        return Reply(f"GET {path}?{urlencode(params)}", 200, "text/xml", at, at, at, self.respond(params))
