"""The session against a scripted server on loopback: retries, waits, pacing, the vendor's clock, and no secrets."""

import base64
import gzip
import json
import logging
import random
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import requests
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError

from assets.http import (
    Clock,
    HttpError,
    Options,
    PermanentError,
    Retry,
    Session,
    TransientError,
    http_date,
    retry_after,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
USER, PASSWORD = "wfm@example.com", 'p&ss w/rd+ü"\\'


class FakeClock(Clock):
    """Stands still but for sleeping, which it remembers."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.at = NOON

    def now(self) -> datetime:
        """The faked time."""
        return self.at

    def monotonic(self) -> float:
        """Seconds since the beginning of the test."""
        return (self.at - NOON).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Answer:
    """One scripted answer; ``short`` bytes of the body are promised and never sent, ``mute`` answers nothing."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    short: int = 0
    mute: bool = False


class Vendor(ThreadingHTTPServer):
    """Gives the scripted answers in turn, the last one for ever, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.quiet = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Writes one scripted answer."""

    protocol_version = "HTTP/1.1"
    server: Vendor

    def answer(self) -> None:
        """Answer as the script says."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        answer = self.server.answers[min(len(self.server.asked), len(self.server.answers)) - 1]
        if answer.mute:
            self.server.quiet.wait(5)
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) + answer.short))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = answer.short > 0

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@contextmanager
def vendor(*answers: Answer) -> Iterator[Vendor]:
    """A vendor with a script, for as long as the block lasts."""
    server = Vendor(list(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.quiet.set()
        server.shutdown()
        thread.join()
        server.server_close()


for method in ("GET", "POST"):
    setattr(Handler, f"do_{method}", Handler.answer)


def session(base_url: str, clock: Clock | None = None, options: Options | None = None) -> Session:
    """A session with credentials and a clock that does not wait."""
    return Session("cx_us", base_url, basic=(USER, PASSWORD), options=options, clock=clock or FakeClock())


def patient(retry: Retry) -> Options:
    """Options with a way to try again."""
    return Options(retry=retry)


def test_a_reply_holds_the_body_and_how_it_was_got() -> None:
    """Raw segments would lack the evidence of what was asked, when, and what came."""
    headers = {"Content-Type": "application/json", "Date": format_datetime(NOON, usegmt=True)}
    with vendor(Answer(body=b'{"a": 1}', headers=headers)) as server, session(server.base_url) as asking:
        reply = asking.get("/v1/rta", {"start": "2026-03-04T12:00:00.000Z", "limit": "5"})
    assert (reply.status, reply.body, reply.content_type) == (200, b'{"a": 1}', "application/json")
    assert reply.request == "GET /v1/rta?start=2026-03-04T12:00:00.000Z&limit=5"
    assert reply.vendor_time == reply.requested_at == reply.received_at == NOON
    method, path, sent, _ = server.asked[0]
    assert (method, path) == ("GET", "/v1/rta?start=2026-03-04T12:00:00.000Z&limit=5")
    assert sent["Authorization"] == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def test_a_compressed_body_arrives_unpacked() -> None:
    """Payloads would be stored gzipped, and no SQL could read them."""
    packed = Answer(body=gzip.compress(b"text" * 500), headers={"Content-Encoding": "gzip"})
    with vendor(packed) as server:
        assert session(server.base_url).get("/").body == b"text" * 500


def test_a_post_sends_its_body() -> None:
    """Vendors that are asked with POST could not be captured."""
    with vendor(Answer()) as server:
        session(server.base_url, options=Options(headers={"X-Kind": "probe"})).request("POST", "/token", body=b"{}")
    method, _, sent, body = server.asked[0]
    assert (method, sent["X-Kind"], body) == ("POST", "probe", b"{}")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_transient_status_is_tried_again(status: int) -> None:
    """A hiccup of the vendor would become a gap in the history."""
    clock = FakeClock()
    with vendor(Answer(status), Answer(status), Answer(body=b"at last")) as server:
        assert session(server.base_url, clock).get("/").body == b"at last"
    assert len(clock.slept) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 410, 422, 501, 505])
def test_a_permanent_status_is_asked_once(status: int) -> None:
    """We would hammer a vendor that has already said no, or follow a redirect with our credentials."""
    with vendor(Answer(status, headers={"Location": "/elsewhere"})) as server:
        with pytest.raises(PermanentError, match=f"answered {status} after 1 try; ") as caught:
            session(server.base_url).get("/here")
        assert [path for _, path, *_ in server.asked] == ["/here"]
    assert (caught.value.status, caught.value.transient) == (status, False)


def test_a_refusal_that_concerns_all_requests_says_so() -> None:
    """Capture would ask for hundreds of windows with a wrong password, or give up a source over one bad window."""
    assert all(PermanentError("", status).source_wide for status in (None, 302, 401, 403, 404))
    assert not any(PermanentError("", status).source_wide for status in (400, 410, 422))


def test_it_gives_up_after_the_last_try() -> None:
    """A dead vendor would hold a run for ever."""
    clock = FakeClock()
    with vendor(Answer(503, b"over capacity", {"Date": format_datetime(NOON, usegmt=True)})) as server:
        with pytest.raises(TransientError) as caught:
            session(server.base_url, clock, patient(Retry(tries=4))).get("/v1", {"limit": "1"})
        assert len(server.asked) == 4
    assert str(caught.value) == (
        "cx_us: GET /v1?limit=1 answered 503 (over capacity) after 4 tries; the vendor fails; ask again later"
    )
    assert (caught.value.status, caught.value.vendor_time, caught.value.transient) == (503, NOON, True)


def test_it_gives_up_when_time_is_over() -> None:
    """One window could take longer than the whole run may."""
    clock = FakeClock()
    limits = patient(Retry(tries=100, base=8.0, longest_wait=8.0, max_elapsed=20.0))
    failing = vendor(Answer(500, headers={"Retry-After": "8"}))
    with failing as server, pytest.raises(TransientError, match="after 3 tries"):
        session(server.base_url, clock, limits).get("/")
    assert clock.slept == [8.0, 8.0]


def test_a_truncated_body_is_tried_again() -> None:
    """Half a reply would be stored as if it were whole."""
    with vendor(Answer(body=b"half", short=4), Answer(body=b"halfhalf")) as server:
        assert session(server.base_url).get("/").body == b"halfhalf"


def test_a_silent_vendor_runs_into_the_time_limit() -> None:
    """A vendor that accepts connections and says nothing would hang a worker for ever."""
    limits = Options(timeout_seconds=0.05, retry=Retry(tries=2))
    told = r"timed out.*after 2 tries; check base_url"
    with vendor(Answer(mute=True)) as server, pytest.raises(TransientError, match=told) as caught:
        session(server.base_url, options=limits).get("/")
    assert caught.value.status is None


def test_no_connection_is_tried_again() -> None:
    """A vendor's restart would become a gap in the history."""
    with vendor() as server:
        closed = server.base_url
    with pytest.raises(TransientError, match=r"NewConnectionError.*after 3 tries"):
        session(closed, options=patient(Retry(tries=3))).get("/")


@pytest.mark.parametrize("address", ["http://[::1", "gopher://example.com", "http://127.0.0.1:99999"])
def test_an_impossible_address_is_permanent(address: str) -> None:
    """A typing error would be retried for minutes before anyone is told."""
    with pytest.raises(PermanentError, match="after 1 try") as caught:
        session(address).get("/")
    assert caught.value.source_wide


def test_the_vendors_own_way_out_goes_first() -> None:
    """The reader of a 403 would not learn which permission is missing."""
    with vendor(Answer(403)) as server, pytest.raises(PermanentError, match=r"grant WFM RTA$"):
        session(server.base_url, options=Options(ways_out={403: "grant WFM RTA"})).get("/")


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("7", 7, 7), (format_datetime(NOON + timedelta(seconds=9), usegmt=True), 9, 9), ("3600", 20, 20), ("soon", 0, 1)],
)
def test_retry_after_is_obeyed_up_to_a_cap(header: str, least: float, most: float) -> None:
    """We would come back too early, or sleep for as long as a confused vendor likes."""
    clock = FakeClock()
    limits = patient(Retry(base=1.0, longest_wait=20.0))
    with vendor(Answer(429, headers={"Retry-After": header}), Answer()) as server:
        session(server.base_url, clock, limits).get("/")
    assert least <= clock.slept[0] <= most


def test_a_retry_after_date_is_on_the_vendors_clock() -> None:
    """A vendor whose clock differs from ours would be asked at once, or only hours later."""
    clock = FakeClock()
    ahead = NOON + timedelta(hours=3)
    dates = {"Date": format_datetime(ahead, usegmt=True), "Retry-After": format_datetime(ahead + timedelta(seconds=9))}
    with vendor(Answer(503, headers=dates), Answer()) as server:
        session(server.base_url, clock).get("/")
    assert clock.slept == [9.0]


@settings(deadline=None)
@given(tried=st.integers(1, 60), seed=st.integers())
def test_waits_are_random_and_bounded(tried: int, seed: int) -> None:
    """Workers that failed together would return together, or after years."""
    policy = Retry(base=1.0, longest_wait=30.0)
    assert 0 <= policy.wait(tried, None, random.Random(seed)) <= min(30.0, 2.0 ** (tried - 1))


@pytest.mark.parametrize("text", ["", "-5", "1.5", "٣", "Wed, 99 Foo 2026", "never"])
def test_an_unreadable_retry_after_is_none(text: str) -> None:
    """A sloppy header would crash the capture."""
    assert retry_after(text, NOON) is None
    assert http_date(text) is None


def test_a_date_in_the_past_means_now() -> None:
    """A negative wait would crash the sleep."""
    assert retry_after(format_datetime(NOON - timedelta(hours=1), usegmt=True), NOON) == 0


def test_requests_are_spaced_evenly() -> None:
    """A limit of the vendor's would be exceeded by eight workers at once."""
    clock = FakeClock()
    with vendor(Answer()) as server:
        limited = session(server.base_url, clock, Options(max_requests_per_minute=30))
        for _ in range(4):
            limited.get("/")
    assert clock.slept == [2.0, 2.0, 2.0]


def test_the_vendors_clock_is_measured_never_ahead() -> None:
    """Windows would be cut by our clock, and data too young or too old asked for."""
    ahead = NOON + timedelta(hours=3, milliseconds=900)
    clock = FakeClock()
    with vendor(Answer(400, headers={"Date": format_datetime(ahead, usegmt=True)})) as server:
        asking = session(server.base_url, clock)
        assert asking.drift_seconds is None
        assert asking.vendor_now() == NOON
        with pytest.raises(PermanentError) as caught:
            asking.get("/")
    assert caught.value.vendor_time == NOON + timedelta(hours=3)
    assert asking.drift_seconds == 3 * 3600
    clock.sleep(60)
    assert asking.vendor_now() == NOON + timedelta(hours=3, minutes=1)


def test_a_reply_without_a_date_has_no_vendor_time() -> None:
    """Our own clock would be recorded as the vendor's."""
    with vendor(Answer()) as server:
        assert session(server.base_url).get("/").vendor_time is None


def test_a_netrc_of_the_machine_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vendor would be sent somebody else's password."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with vendor(Answer()) as server:
        Session("cx_us", server.base_url).get("/")
    assert "Authorization" not in server.asked[0][2]


def test_eight_threads_share_a_session() -> None:
    """Workers would lose replies or wait for each other's connections."""
    with vendor(Answer(body=b"x" * 10_000)) as server:
        asking = session(server.base_url)
        sizes: list[int] = []
        threads = [threading.Thread(target=lambda: sizes.append(len(asking.get("/").body))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sizes == [10_000] * 8


def leaks(text: str) -> bool:
    """Whether a text holds the credentials in any form that a vendor or library may echo."""
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    forms = {PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""), quote_plus(PASSWORD), json.dumps(PASSWORD)[1:-1]}
    return any(form in text for form in {*forms, basic, basic.rstrip("="), USER, quote(USER)})


def test_no_secret_is_ever_told(caplog: pytest.LogCaptureFixture) -> None:
    """A password would stand in a log, an error, a segment or a traceback."""
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    echo = f"bad login {USER} {PASSWORD} {quote_plus(PASSWORD)} {json.dumps(PASSWORD)} Basic {basic}".encode()
    with vendor(Answer(500, echo), Answer(401, echo), Answer(body=b"fine")) as server:
        asking = session(server.base_url)
        with caplog.at_level(logging.DEBUG, "assets"), pytest.raises(HttpError) as caught:
            asking.get("/login", {"user": USER, "password": PASSWORD})
        reply = asking.get("/login", {"password": PASSWORD})
    assert not leaks(str(caught.value))
    assert not leaks(repr(caught.value))
    assert not leaks(caplog.text)
    assert "asking again" in caplog.text
    assert not leaks(repr(asking) + repr(reply) + reply.request)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_secret_at_the_cut_of_a_long_body_is_not_told() -> None:
    """The first half of a password would stand at the end of the excerpt."""
    with vendor(Answer(400, b"x" * 190 + b" " + PASSWORD.encode())) as server, pytest.raises(HttpError) as caught:
        session(server.base_url).get("/")
    assert PASSWORD[:4] not in str(caught.value)


def test_an_untrusted_certificate_is_permanent_and_says_what_to_do() -> None:
    """A company's own authority would look like a network fault and be retried until somebody guesses."""
    wrong = ssl.SSLCertVerificationError(1, "self-signed certificate in certificate chain")
    wrapped = requests.exceptions.SSLError(
        MaxRetryError(HTTPConnectionPool("h"), "/", urllib3.exceptions.SSLError(wrong))
    )
    failure = session("https://127.0.0.1:1")._unanswered(wrapped)
    assert not failure.transient
    assert "ca_bundle" in failure.what
