"""The small parts of the Huawei clients: signature, return codes, seats, waiting, and the stretch of coverage."""

import asyncio
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from requests import Request, Session

from assets.huawei import asking
from assets.huawei.asking import Answer, Backoff, Coverage, clock_probe
from assets.huawei.cms import quarters
from assets.huawei.cms_replies import CmsError, agents_of, rows_of
from assets.huawei.config import HuaweiConfig
from assets.huawei.gateway import GatewayClient
from assets.huawei.retcodes import Verdict, explain, judge
from assets.huawei.seats import GuidFile, Seat
from assets.huawei.signing import Signer, signed_headers
from assets.windows import Window

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def test_the_signature_is_that_of_the_vendors_example() -> None:
    """Key, request and signature stand in Huawei Cloud's signing guide; if this fails, every request is refused."""
    headers = signed_headers(
        "QTWAOYTTINDUT2QVKYUC",
        "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
        "GET",
        "https://service.region.example.com/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs"
        "?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        b"",
        datetime(2019, 11, 15, 3, 36, 55, tzinfo=UTC),
        content_type="application/json",
    )
    assert headers["Authorization"] == (
        "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, "
        "Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
    )


def test_body_address_and_moment_are_signed() -> None:
    """If this fails, a request can be changed on its way."""
    base = ("POST", "https://cms.example.com:28443/rest/x", b"{}", NOON)
    signatures = {
        signed_headers("ak", "sk", *changed)["Authorization"]
        for changed in (
            base,
            ("POST", base[1], b"{ }", NOON),
            ("POST", base[1] + "y", b"{}", NOON),
            ("POST", base[1].replace("cms", "cmt"), b"{}", NOON),
            ("POST", base[1], b"{}", NOON + timedelta(seconds=1)),
        )
    }
    assert len(signatures) == 5


def test_a_request_is_signed_when_it_is_sent() -> None:
    """If this fails, a request that is repeated after minutes is refused for its age."""
    request = Request("POST", "https://cms.example.com/rest/x", data=b"{}", auth=Signer("ak", "sk"))
    prepared = Session().prepare_request(request)
    assert prepared.headers["Host"] == "cms.example.com"
    age = datetime.now(UTC) - datetime.strptime(prepared.headers["X-Sdk-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert timedelta(0) <= age < timedelta(seconds=60)
    assert prepared.headers["Authorization"].startswith("SDK-HMAC-SHA256 Access=ak, ")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"retcode":"0"}', (Verdict.FINE, "0", False)),
        (b'{"retcode":0,"event":null}', (Verdict.FINE, "0", False)),
        (b'{"retcode":"0","event":{"eventType":"AgentState_Ready"}}', (Verdict.FINE, "0", True)),
        (b'{"retcode":"000-003"}', (Verdict.REAUTHENTICATE, "000-003", False)),
        (b'{"retcode":"100-006"}', (Verdict.REAUTHENTICATE, "100-006", False)),
        (b'{"retcode":"000-004"}', (Verdict.RETRY, "000-004", False)),
        (b'{"retcode":"000-007"}', (Verdict.SLOWER, "000-007", False)),
        (b'{"retcode":"100-002"}', (Verdict.TAKEN, "100-002", False)),
        (b'{"retcode":"100-004"}', (Verdict.REFUSED, "100-004", False)),
        (b'{"retcode":"000-000"}', (Verdict.RETRY, "000-000", False)),
        (b'{"retcode":"999-999"}', (Verdict.SLOWER, "999-999", False)),
        (b"", (Verdict.UNREADABLE, "", False)),
        (b"<html>", (Verdict.UNREADABLE, "", False)),
        (b"[]", (Verdict.UNREADABLE, "", False)),
        (b'{"retcode":null}', (Verdict.UNREADABLE, "", False)),
        (b'\xff{"retcode":"0"}', (Verdict.UNREADABLE, "", False)),
    ],
)
def test_return_codes_say_what_to_do(body: bytes, expected: tuple[Verdict, str, bool]) -> None:
    """If this fails, an expired GUID is given up, a wrong password hammered, or a fault that passes taken for final."""
    assert judge(body) == expected


def test_codes_are_explained_with_the_way_out() -> None:
    """If this fails, a message leaves its reader alone."""
    assert "base_url" in explain("000-002")
    assert "cec_07_0580" in explain("104-001")


def answer(headers: dict[str, str] | None = None, *cookies: str, at: datetime = NOON) -> Answer:
    """An answer with these headers."""
    return Answer(at, at, 200, "application/json", headers or {}, cookies, b"{}")


def test_a_seat_keeps_cookies_of_several_answers() -> None:
    """If this fails, a second cookie replaces the one that leads to the seat's node."""
    seat = Seat("101", "guid")
    seat.note(answer({}, "NODE=7; Path=/; Secure", "bad cookie;;="))
    seat.note(answer({"Set-GUID": "JSESSIONID=new.AgentGateway1; Path=/"}, "LB=x"))
    assert seat.headers()["Cookie"] == "NODE=7; LB=x"
    assert seat.guid == "new.AgentGateway1"
    seat.note(answer({"Set-GUID": "JSESSIONID="}))
    assert seat.guid == "new.AgentGateway1"
    assert "guid" not in repr(answer({"Set-GUID": "guid"}))


def test_a_seat_is_asked_for_once_at_a_time_and_only_when_admitted() -> None:
    """If this fails, a slow gateway is asked the same again and again, or without a GUID."""
    assert Seat("101", "guid").ready
    assert not Seat("101").ready
    assert not Seat("101", "guid", asking=True).ready
    seat = Seat("101", "guid")
    seat.backoff.failed(time.monotonic())
    assert not seat.ready
    seat = Seat("101", "guid")
    seat.backoff.pause(60)
    seat.backoff.pause(-1)
    assert not seat.ready


@pytest.mark.parametrize("text", ["", "[]", '{"101": 5}', '{"../x": "g"}', '{"101"', "\x00"])
def test_a_file_of_another_form_changes_nothing_and_is_told_once(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """If this fails, a half-written or wrong file stops polling, or fills the log."""
    path = tmp_path / "guids.json"
    path.write_text('{"101": "a", "102": ""}')
    file = GuidFile("aicc", path)
    assert [seat.agent for seat in file.seats()] == ["101"]
    path.write_text(text)
    os.utime(path, (5, 5))
    assert [seat.agent for seat in file.seats()] == ["101"]
    assert [seat.agent for seat in file.seats()] == ["101"]
    assert len(caplog.records) == 1
    assert "guid_file" in str(file.trouble)


def test_a_seat_with_another_guid_begins_anew_and_one_with_the_same_goes_on(tmp_path: Path) -> None:
    """If this fails, a refused seat stays refused after a new sign-in, or each change of the file forgets cookies."""
    path = tmp_path / "guids.json"
    path.write_text('{"101": "a", "102": "b"}')
    file = GuidFile("aicc", path)
    first, second = file.seats()
    first.backoff.pause(300)
    path.write_text('{"101": "c", "102": "b"}')
    os.utime(path, (5, 5))
    again, same = file.seats()
    assert (again.guid, again.ready) == ("c", True)
    assert same is second


def test_a_file_that_is_not_there_yet_means_no_seats(tmp_path: Path) -> None:
    """If this fails, recording cannot be started before the site's desktops are."""
    file = GuidFile("aicc", tmp_path / "none.json")
    assert file.seats() == []
    assert "cannot be read" in str(file.trouble)
    (tmp_path / "none.json").write_text("{}")
    assert file.seats() == []
    assert "names no agent" in str(file.trouble)
    (tmp_path / "none.json").write_text('{"101": "a"}')
    assert file.seats()
    assert file.trouble is None


def test_waits_grow_and_shrink() -> None:
    """If this fails, a throttling vendor is asked as often as before, or a recovered one rarely for hours."""
    backoff = Backoff(first=1.0, longest=8.0)
    waits = []
    for _ in range(6):
        backoff.failed(time.monotonic())
        waits.append(backoff.until - time.monotonic())
    assert all(upper / 2 - 0.1 <= wait <= upper for wait, upper in zip(waits, [1, 2, 4, 8, 8, 8], strict=True))
    assert backoff.is_waiting
    backoff.succeeded()
    backoff.failed(time.monotonic())
    assert backoff.until - time.monotonic() <= 1.0


def test_failures_of_one_moment_count_once_and_the_vendor_may_ask_for_more() -> None:
    """If this fails, 64 requests that fail together make a wait of hours, or Retry-After is not obeyed."""
    backoff = Backoff(first=1.0, longest=8.0)
    began = time.monotonic()
    for _ in range(64):
        backoff.failed(began)
    assert backoff.until - time.monotonic() <= 1.0
    backoff.failed(time.monotonic(), asked=30.0)
    assert backoff.until - time.monotonic() == pytest.approx(30.0, abs=0.5)
    asyncio.run(Backoff().wait())


class Told:
    """A sink that notes coverage."""

    def __init__(self) -> None:
        self.words: list[tuple[str, datetime]] = []

    def watching(self, since: datetime, _vendor_time: datetime | None = None) -> None:
        """Begin."""
        self.words.append(("watching", since))

    def alive(self, until: datetime, _vendor_time: datetime | None = None) -> None:
        """Go on."""
        self.words.append(("alive", until))

    def lost(self, at: datetime, reason: str) -> None:
        """End."""
        self.words.append((reason, at))


def test_coverage_ends_at_the_newest_good_answer() -> None:
    """If this fails, time in which nobody was answered counts as observed."""
    told = Told()
    coverage = Coverage(told, timedelta(seconds=10))  # type: ignore[arg-type]  # take() is not needed here
    now = datetime.now(UTC)
    coverage.tell()
    coverage.good(answer(at=now - timedelta(seconds=1)))
    coverage.good(answer(at=now - timedelta(seconds=2)))
    coverage.tell()
    coverage.wrong("throttled")
    coverage._patience = timedelta(0)
    coverage.tell()
    coverage.tell()
    newest = now - timedelta(seconds=1)
    assert told.words == [("watching", newest), ("alive", newest), ("throttled", newest)]


def test_a_vendor_that_never_gave_a_good_answer_is_told_once() -> None:
    """If this fails, a wrong address looks like one that is being connected to, or fills the log."""
    told = Told()
    coverage = Coverage(told, timedelta(seconds=10))  # type: ignore[arg-type]  # take() is not needed here
    for agent in ("101", "102"):
        coverage.wrong(f"agent {agent}: nonsense")
        coverage.tell()
    assert [word for word, _ in told.words] == ["agent 101: nonsense"]
    coverage._told_at -= asking.RETELL_SECONDS
    coverage.tell()
    coverage.tell()
    assert [word for word, _ in told.words] == ["agent 101: nonsense", "agent 102: nonsense"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((8, 0, 0), (9, 0, 0), ("08:00", "09:00")),
        ((8, 7, 31), (9, 0, 0), ("08:00", "09:00")),
        ((8, 0, 0), (8, 37, 1), ("08:00", "08:45")),
        ((8, 20, 0), (8, 21, 0), ("08:15", "08:30")),
        ((23, 0, 0), (23, 59, 59), ("23:00", "00:00")),
    ],
)
def test_history_is_asked_for_in_whole_quarters(
    start: tuple[int, int, int], end: tuple[int, int, int], expected: tuple[str, str]
) -> None:
    """The vendor refuses other ranges; if this fails, a cut window is never fetched, or a part of it is left out."""
    window = Window(datetime(2026, 11, 3, *start, tzinfo=UTC), datetime(2026, 11, 3, *end, tzinfo=UTC))
    begin, until = quarters(window)
    assert (begin.strftime("%H:%M"), until.strftime("%H:%M")) == expected
    assert begin <= window.start < window.end <= until


def test_replies_of_cms_are_read_or_refused() -> None:
    """If this fails, a failed reply counts as an empty one."""
    row = {"agentId": 5}
    assert agents_of(json.dumps({"resultCode": "0100000", "resultDesc": [row, row, {"agentId": "x"}]}).encode()) == [5]
    assert agents_of(json.dumps({"result": "0", "resultDatas": [{"agentId": "7"}]}).encode()) == [7]
    assert rows_of(b'{"resultCode":"0100000","resultDesc":null}') == []
    for body in (b"", b"[]", b'{"resultCode":"0300001"}', b"{}", b'{"resultCode":"0100000","resultDesc":[5]}'):
        with pytest.raises(CmsError):
            rows_of(body)


def test_the_doctor_hears_of_a_clock_that_is_off() -> None:
    """If this fails, history and polls do not join and nobody knows why."""
    assert [clock_probe(drift).ok for drift in (None, 0.5, -60.0)] == [True, True, False]


def test_the_doctor_hears_that_there_are_no_seats(tmp_path: Path) -> None:
    """If this fails, an empty recording looks like a sound one."""
    values = {"name": "aicc", "vendor": "huawei", "base_url": "http://127.0.0.1:1", "guid_file": str(tmp_path / "none")}
    probes = list(GatewayClient(HuaweiConfig.model_validate({**values, "timeout_seconds": 1})).probe())
    assert [(probe.name, probe.ok) for probe in probes] == [("seats", False), ("reachability", False)]
