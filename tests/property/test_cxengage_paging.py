"""Paging, whatever the vendor counts, cuts or inserts: a window that is called ok holds each record exactly once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assets.config import Origin
from assets.cxengage.client import CxEngageClient
from assets.cxengage.config import CxEngageConfig
from assets.http import Reply, Retry
from assets.windows import Window

START = datetime(2026, 3, 4, 12, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=10))
NOW = START + timedelta(hours=1)
CONFIG = CxEngageConfig.model_validate(
    {
        "name": "cx_us",
        "vendor": "cxengage",
        "base_url": "http://127.0.0.1:1",
        "tenant_id": "00000000-0000-0000-0000-000000000000",
        "username": "${NOBODY}",
        "password": "${NOBODY}",
    },
    context=Origin(),
)
unhurried = settings(deadline=None)  # a busy machine is no failure


@dataclass
class Vendor:
    """Serves rows by limit and offset; rows may be inserted before a request, and types vary."""

    rows: list[Any]
    total: str = "number"
    cap: int | None = None
    tells_cap: bool = True
    arrivals: dict[int, tuple[int, Any]] = field(default_factory=dict)  # before request n: place and row
    drift_seconds: float | None = None
    requests: list[Mapping[str, str]] = field(default_factory=list)

    def vendor_now(self) -> datetime:
        """The vendor's clock."""
        return NOW

    def get(self, path: str, params: dict[str, str], retry: Retry | None = None, /) -> Reply:
        """One page."""
        assert retry is None
        place, row = self.arrivals.get(len(self.requests), (0, None))
        if row is not None:
            self.rows.insert(place % (len(self.rows) + 1), row)
        self.requests.append(params)
        limit, offset = min(int(params["limit"]), self.cap or 10**9), int(params["offset"])
        envelope: dict[str, Any] = {"offset": offset, "results": self.rows[offset : offset + limit]}
        if self.total != "missing":
            envelope["total"] = str(len(self.rows)) if self.total == "text" else len(self.rows)
        if self.tells_cap:
            envelope["limit"] = limit
        seen = NOW + timedelta(seconds=len(self.requests))
        return Reply(f"GET {path}", 200, "application/json", seen, NOW, NOW, json.dumps(envelope).encode())


def row(number: int, *, ended: bool = True) -> dict[str, Any]:
    """A record of its own."""
    start = START + timedelta(seconds=number)
    known = {"eventId": f"e{number}", "start": start.isoformat()}
    return known | ({"end": (start + timedelta(seconds=1)).isoformat()} if ended else {})


def received(pages: Any) -> list[Any]:
    """All entries of all pages, in order."""
    return [entry for page in pages for entry in json.loads(page.payload)["results"]]


odd = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.integers(), max_size=2)


@unhurried
@given(
    count=st.integers(0, 60),
    strange=st.lists(odd, max_size=5),
    limit=st.integers(1, 25),
    total=st.sampled_from(["number", "text", "missing"]),
    cap=st.none() | st.integers(1, 25),
)
def test_all_records_come_once_and_in_order(
    count: int, strange: list[Any], limit: int, total: str, cap: int | None
) -> None:
    """Some count of records, page length or type of total would lose or double the records at a page's edge."""
    rows = [row(number) for number in range(count)]
    # Two equal pages in a row mean that offset has no effect; strange entries must not look like that.
    rows += [{"eventId": entry, "nth": n, "start": n, "end": n} for n, entry in enumerate(strange)]
    vendor = Vendor(list(rows), total, cap)
    fetched = CxEngageClient(CONFIG, vendor, limit).fetch(WINDOW)
    assert (fetched.status, fetched.error) == ("ok", None)
    assert received(fetched.pages) == rows
    assert fetched.records == len(rows)
    assert fetched.vendor_time == NOW + timedelta(seconds=1)


@unhurried
@given(entries=st.lists(odd | st.dictionaries(st.sampled_from(["eventId", "start", "end"]), odd), max_size=20))
def test_entries_of_any_kind_are_counted_and_kept(entries: list[Any]) -> None:
    """One odd record would make a whole window unreadable, and the rest of it be lost."""
    fetched = CxEngageClient(CONFIG, Vendor(list(entries)), 100).fetch(WINDOW)
    assert (fetched.status, fetched.records) == ("ok", len(entries))
    assert received(fetched.pages) == entries


@unhurried
@given(
    count=st.integers(1, 30),
    limit=st.integers(1, 12),
    arrivals=st.dictionaries(st.integers(0, 12), st.integers(0, 40), max_size=6),
)
def test_a_window_that_moves_between_pages_is_never_called_ok(count: int, limit: int, arrivals: dict[int, int]) -> None:
    """A late record would push another over a page's edge, and that one would be missing unnoticed."""
    late = {n: (place, row(1000 + n)) for n, place in arrivals.items()}
    vendor = Vendor([row(number) for number in range(count)], arrivals=late)
    fetched = CxEngageClient(CONFIG, vendor, limit).fetch(WINDOW)
    ids = [entry["eventId"] for entry in received(fetched.pages)]
    if fetched.status == "ok":
        assert ids == [entry["eventId"] for entry in vendor.rows]
    else:
        assert fetched.status == "failed"
        assert fetched.pages
        assert "2026-03-04T12:00:00.000Z to 2026-03-04T12:10:00.000Z" in str(fetched.error)


@unhurried
@given(ended=st.lists(st.booleans(), max_size=30), limit=st.integers(1, 12))
def test_each_open_row_is_noted(ended: list[bool], limit: int) -> None:
    """A row could stay open in the lake for ever, because nobody asks for its end."""
    rows = [row(number, ended=done) for number, done in enumerate(ended)]
    fetched = CxEngageClient(CONFIG, Vendor(rows), limit).fetch(WINDOW)
    assert set(fetched.open_ids) == {f"e{number}" for number, done in enumerate(ended) if not done}
    assert fetched.closed_ids == ()
