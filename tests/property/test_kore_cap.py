"""A vendor that cuts its replies without a word: whatever the client calls whole is whole. No sockets."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from assets.config import Origin
from assets.http import Reply, Retry
from assets.kore.client import KoreClient
from assets.kore.config import KoreConfig
from assets.windows import Window

START = datetime(2026, 3, 4, 11, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
CONFIG = KoreConfig.model_validate(
    {
        "name": "kore_in",
        "vendor": "kore",
        "base_url": "http://127.0.0.1:1",
        "account_id": "acc",
        "app_id": "${NOBODY}",
        "client_secret": "${NOBODY}",
    },
    context=Origin(),
)


class Cutting:
    """Knows updates by the second of the hour, oldest or newest first, and gives no more than so many."""

    drift_seconds: float | None = None

    def __init__(self, seconds: list[int], cap: int, step: int) -> None:
        self.updates = [(START + timedelta(seconds=second), n) for n, second in enumerate(sorted(seconds))][::step]
        self.cap = cap
        self.requests = 0

    def vendor_now(self) -> datetime:
        """A day later."""
        return START + timedelta(days=1)

    def get(self, path: str, params: dict[str, str], _retry: Retry | None = None, /) -> Reply:
        """The updates of a window, its ends left out, cut."""
        self.requests += 1
        begin, end = (datetime.fromisoformat(params[name]) for name in ("fromTimeStamp", "toTimeStamp"))
        found = [{"AgentId": str(n), "at": str(at)} for at, n in self.updates if begin < at < end][: self.cap]
        body = json.dumps({"accountId": "acc", "AgentUpdates": found}).encode()
        return Reply(f"GET {path}", 200, None, None, begin, end, body)


bursts = st.lists(st.tuples(st.integers(0, 3599), st.integers(1, 90), st.integers(1, 40)), max_size=8)


@settings(max_examples=80)
@given(bursts=bursts, cap=st.sampled_from([50, 100, 150]), step=st.sampled_from([1, -1]))
@example(bursts=[(0, 50, 1)], cap=50, step=1)
@example(bursts=[(3599, 60, 1)], cap=50, step=-1)
@example(bursts=[(10, 50, 1), (3000, 1, 1)], cap=50, step=-1)
@example(bursts=[(1800, 90, 1), (1799, 90, 1)], cap=50, step=1)
def test_what_counts_as_whole_is_whole(bursts: list[tuple[int, int, int]], cap: int, step: int) -> None:
    """If this fails, updates beyond the cap are lost, and the hour counts as observed."""
    seconds = [min(start + n // dense, 3599) for start, many, dense in bursts for n in range(many)]
    vendor = Cutting(seconds, cap, step)
    fetched = KoreClient(CONFIG, vendor).fetch(HOUR)
    got = {one["AgentId"] for page in fetched.pages for one in json.loads(page.payload)["AgentUpdates"]}
    assert fetched.status == "failed" or got == {str(n) for n in range(len(seconds))}
    most = max((sum(abs(second - other) <= 1 for other in seconds) for second in seconds), default=0)
    assert fetched.status == "ok" or most >= cap
    assert vendor.requests <= 1 + 2 * 13 * (1 + len(seconds) // (cap // 2))
