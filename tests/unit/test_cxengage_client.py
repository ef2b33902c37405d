"""What the CxEngage client makes of replies: envelopes of every kind, open and closed rows, no date. No sockets."""

from datetime import UTC, datetime

import msgspec
import pytest

from assets.capture import Fetched
from assets.config import Origin
from assets.cxengage.client import CxEngageClient
from assets.cxengage.config import CxEngageConfig
from assets.cxengage.intervals import IntervalsClient
from assets.http import Reply, Retry
from assets.windows import Window

NOW = datetime(2026, 3, 4, 12, 4, 20, 700_000, tzinfo=UTC)
WINDOW = Window(datetime(2026, 3, 4, 11, tzinfo=UTC), datetime(2026, 3, 4, 11, 10, tzinfo=UTC))
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


class Scripted:
    """Gives one reply, whatever is asked."""

    drift_seconds: float | None = None

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.body, self.status = body, status

    def vendor_now(self) -> datetime:
        """A fixed time."""
        return NOW

    def get(self, path: str, _params: dict[str, str], _retry: Retry | None = None, /) -> Reply:
        """The reply, without a Date."""
        return Reply(f"GET {path}", self.status, None, None, NOW, NOW, self.body)


def scripted(body: bytes, status: int = 200, limit: int = 2_000) -> Fetched:
    """What the client makes of a reply."""
    return CxEngageClient(CONFIG, Scripted(body, status), limit).fetch(WINDOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>maintenance</html>",
        b'"results": [{"eventId": "a"}]',  # as the vendor's own page shows it
        b'{"total": 1, "results": {"eventId": "a"}}',
        b'{"total": 1}',
        b'{"result": {"results": []}}',
        b'{"results": [{"transfers": [] "agentId": "a"}]}',
        b'{"results": ["\xff"]}',
        b'{"results": [' + b"[" * 10_000,
    ],
)
def test_an_envelope_that_cannot_be_read_is_kept(body: bytes) -> None:
    """What the vendor sent, however odd, would be gone in three days."""
    fetched = scripted(body)
    assert (fetched.status, [page.payload for page in fetched.pages]) == ("unreadable", [body])


def test_half_a_character_makes_no_reply_unreadable() -> None:
    """If this fails, a name that was cut by length keeps its window unobserved for as long as it is asked for."""
    body = rb'{"total": 1, "results": [{"eventId": "a", "agentName": "Ann \ud83d"}]}'
    fetched = scripted(body)
    assert (fetched.status, fetched.records, [page.payload for page in fetched.pages]) == ("ok", 1, [body])


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (b'{"total": 1, "results": {"agentId": "a"}}', 1),
        (b'{"total": 2, "results": [{"agentId": "a"}, null]}', 2),
        (b'{"total": 0, "results": []}', 0),
        (b'{"results": {}}', 1),
    ],
)
def test_sums_come_as_a_list_or_as_one_object(body: bytes, records: int) -> None:
    """One of the two shapes that are documented would be unreadable, or be asked for without end."""
    fetched = IntervalsClient(CONFIG, Scripted(body)).fetch(WINDOW)
    assert (fetched.status, fetched.records, fetched.open_ids) == ("ok", records, ())
    assert [page.request for page in fetched.pages] == [f"GET /v1/tenants/{CONFIG.tenant_id}/wfm/intervals/agent"]


def test_a_page_of_sums_that_repeats_the_one_before_is_noticed() -> None:
    """Sums have no ids: two full pages of other agents would pass for one page, or one page for two."""
    page = b'{"total": 4, "results": [{"agentId": "%s", "startTimestamp": "x"}]}'
    assert "offset had no effect" in str(IntervalsClient(CONFIG, Scripted(page % b"a"), 1).fetch(WINDOW).error)
    decode = IntervalsClient(CONFIG).decode
    assert decode(page % b"a").results == decode(page % b"a").results != decode(page % b"b").results


@pytest.mark.parametrize("body", [b"", b"[]", b'{"results": 5}', b'{"results": null}'])
def test_sums_that_cannot_be_read_are_kept(body: bytes) -> None:
    """A reply that nobody understands would count as one without sums."""
    fetched = IntervalsClient(CONFIG, Scripted(body)).fetch(WINDOW)
    assert (fetched.status, [page.payload for page in fetched.pages]) == ("unreadable", [body])


def test_no_content_means_no_records() -> None:
    """204, which the vendor lists, would look like a broken reply."""
    fetched = scripted(b"", 204)
    assert (fetched.status, fetched.records, fetched.vendor_time) == ("ok", 0, None)


def test_an_offset_without_effect_is_noticed() -> None:
    """The first page would be stored again and again in place of the others, or be read for ever."""
    page = b'{"results": [{"eventId": "a", "start": 1}, {"eventId": "b", "start": 2}], "limit": 2%s}'
    for rest in (b"", b', "total": 4'):
        fetched = scripted(page % rest, limit=2)
        assert fetched.status == "failed"
        assert "offset had no effect" in str(fetched.error)


def test_rows_that_began_earlier_and_ended_are_noted() -> None:
    """A later window that shows a row's end would not save the windows where it was open from being fetched."""
    rows = [
        {"eventId": "before", "start": "2026-03-04T10:59:59.999Z", "end": "2026-03-04T11:00:01Z"},
        {"eventId": "zoned", "start": "2026-03-04T11:59:59+01:00", "end": "2026-03-04T11:00:01Z"},
        {"eventId": "naive", "start": "2026-03-04T10:59:59", "end": "2026-03-04T11:00:01"},
        {"eventId": "unknown", "start": "yesterday", "end": "2026-03-04T11:00:01Z"},
        {"eventId": "within", "start": "2026-03-04T11:00:00Z", "end": "2026-03-04T11:00:01Z"},
        {"eventId": "open", "start": "2026-03-04T11:00:00Z", "end": None},
        {"eventId": "both", "start": "2026-03-04T11:00:00Z"},
        {"eventId": "both", "start": "2026-03-04T11:00:00Z", "end": "2026-03-04T11:00:01Z"},
        {"eventId": 5, "start": "2026-03-04T11:00:00Z"},
        {"agentName": "nobody"},
    ]
    fetched = scripted(msgspec.json.encode({"total": len(rows), "results": rows}))
    assert fetched.status == "ok"
    assert fetched.open_ids == ("open",)
    assert fetched.closed_ids == ("before", "naive", "unknown", "zoned")


def test_without_any_date_our_clock_is_used() -> None:
    """A vendor behind a bare proxy could not be captured at all."""
    client = CxEngageClient(CONFIG, Scripted(b"{}"))
    assert client.vendor_now() == NOW
    assert list(client.probe())[-1].message == "the vendor's answers carry no Date; our own clock is used"
