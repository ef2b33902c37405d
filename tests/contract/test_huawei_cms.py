"""The clients of CC-CMS against a small fake over real sockets: signatures, who is asked for, and what fails how."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from assets.capture import CaptureError, capture
from assets.http import HttpError
from assets.huawei import CMS_HISTORY
from assets.huawei.cms import CmsHistoryClient
from assets.huawei.cms_live import CmsStatusClient
from assets.huawei.signing import signed_headers
from assets.live import LiveError
from assets.pacing import BURST
from assets.windows import Window
from orchestration.lake import Lake
from tests.contract.huawei_fake import CMS, ENVIRON, Notes, Reply, Vendor, cms, config, play

AGENTS = f"POST {CMS}/vdn/totalagentstate"
STATUS = f"POST {CMS}/agentgroup/agentstatusinfobyagentids"
STAMP = re.compile(r"\d{8}T\d{6}Z")


def rows(*given: dict[str, Any], code: str = "0100000") -> Reply:
    """A reply as CC-CMS gives it: the rows twice."""
    return {"result": "0", "resultCode": code, "resultDesc": list(given), "resultDatas": list(given)}


def listed(*agents: int) -> Reply:
    """Who the agents are."""
    return rows(*({"agentId": agent, "state": 1} for agent in agents))


def told(agent: int) -> dict[str, Any]:
    """An agent's present."""
    return {"agentId": agent, "currentState": 1, "currentStateTime": 5}


def listen(vendor: Vendor, count: int, most_agents: int = 6000) -> Notes:
    """Poll until so many replies were given on."""
    return play(
        vendor,
        lambda url: CmsStatusClient(config(url, cms=cms()), most_agents),
        lambda notes: len(notes.pages) >= count,
    )


def test_states_of_all_agents_come_in_one_signed_request() -> None:
    """If this fails, CC-CMS refuses us, or agents are left out."""
    vendor = Vendor({AGENTS: [listed(7, 5)], STATUS: [rows(told(5), told(7))]})
    notes = listen(vendor, 3)
    asked = next(one for one in vendor.asked if one.path.endswith("byagentids"))
    assert json.loads(asked.body) == {"ccId": 1, "vdn": 170, "agentIds": [5, 7]}
    moment = datetime.strptime(asked.headers["X-Sdk-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    url = f"http://{asked.headers['Host']}{asked.path}"
    expected = signed_headers(ENVIRON["AK"], ENVIRON["SK"], "POST", url, asked.body, moment)
    assert asked.headers["Authorization"] == expected["Authorization"]
    assert len(vendor.paths("totalagentstate")) == 1
    assert {page.request for page in notes.pages} == {STATUS}
    assert next(iter(notes.words())) == "watching"


def test_more_agents_than_a_request_may_name_are_asked_for_in_several() -> None:
    """If this fails, the 6,001st agent is never seen."""
    vendor = Vendor({AGENTS: [listed(1, 2, 3, 4, 5)], STATUS: [rows()]})
    listen(vendor, 3, most_agents=2)
    bodies = [json.loads(one.body)["agentIds"] for one in vendor.asked if one.path.endswith("byagentids")]
    assert bodies[:3] == [[1, 2], [3, 4], [5]]


def test_a_reply_that_failed_is_kept_and_asked_for_more_rarely() -> None:
    """If this fails, an error of CC-CMS counts as observation, or is hammered at."""
    vendor = Vendor({AGENTS: [listed(5)], STATUS: [rows(told(5)), rows(code="0300001")]})
    notes = play(vendor, lambda url: CmsStatusClient(config(url, cms=cms())), lambda notes: "lost" in notes.words())
    assert "0300001" in notes.reasons[0]
    assert len(vendor.paths("byagentids")) <= 4
    assert b"0300001" in notes.pages[-1].payload


def test_a_limit_of_requests_is_kept() -> None:
    """If this fails, CC-CMS is asked more often than somebody allowed for its sake."""
    vendor, began = Vendor({AGENTS: [listed(*range(1, 9))], STATUS: [rows()]}), time.monotonic()
    play(
        vendor,
        lambda url: CmsStatusClient(config(url, cms=cms(), max_requests_per_minute=1200), 1),
        lambda notes: len(notes.pages) >= 30,
    )
    assert len(vendor.asked) <= BURST + 1 + (time.monotonic() - began) / 0.05


def test_wrong_keys_end_listening_and_stay_secret() -> None:
    """If this fails, a wrong signature is sent for ever, or the key stands in a log."""
    vendor = Vendor({AGENTS: [web.Response(status=401)]})
    with pytest.raises(LiveError, match=r"cms\.secret_key") as caught:
        listen(vendor, 1)
    assert caught.value.lasting
    assert "the-secret-key" not in str(caught.value)


def test_a_missing_key_ends_listening_without_a_request() -> None:
    """If this fails, unsigned requests go out."""
    client = CmsStatusClient(config("http://127.0.0.1:1", cms=cms(secret_key="${NOBODY}")))
    with pytest.raises(LiveError, match="NOBODY"):
        asyncio.run(client.run(Notes()))


class Operations:
    """What a small CC-CMS answers to history, and what it was asked."""

    def __init__(self) -> None:
        self.agents = [101, 102]
        self.asked: list[dict[str, Any]] = []
        self.signed: list[bool] = []
        self.refused: dict[int, bytes] = {}
        self.status = 200

    def answer(self, path: str, body: dict[str, Any]) -> bytes:
        """The body of a reply."""
        if path.endswith("totalagentstate"):
            return json.dumps(listed(*self.agents)).encode()
        self.asked.append(body)
        agent = body["currentAgentId"]
        row = {"id": f"{agent}-{body['beginTime']}", "agentId": agent, "opType": 3, "beginTime": body["beginTime"]}
        return self.refused.get(agent) or json.dumps(rows(row)).encode()


@contextmanager
def serving(operations: Operations) -> Iterator[str]:
    """Serve it on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            moment = datetime.strptime(self.headers["X-Sdk-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            url = f"http://{self.headers['Host']}{self.path}"
            expected = signed_headers(ENVIRON["AK"], ENVIRON["SK"], "POST", url, body, moment)["Authorization"]
            operations.signed.append(self.headers["Authorization"] == expected)
            payload = operations.answer(self.path, json.loads(body))
            self.send_response(operations.status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


HOUR = Window(datetime(2026, 11, 3, 8, tzinfo=UTC), datetime(2026, 11, 3, 9, tzinfo=UTC))


def test_a_window_holds_a_page_for_each_agent_that_names_the_agent() -> None:
    """If this fails, rows of history belong to nobody, or an agent is left out."""
    operations = Operations()
    with serving(operations) as url:
        fetched = CmsHistoryClient(config(url, cms=cms())).fetch(HOUR)
    assert (fetched.status, fetched.records, fetched.error) == ("ok", 2, None)
    assert operations.asked == [
        {"currentAgentId": agent, "beginTime": "2026-11-03 08:00:00", "endTime": "2026-11-03 09:00:00", "ccId": 1}
        for agent in (101, 102)
    ]
    assert json.loads(fetched.pages[1].request.split(" ", 2)[2])["currentAgentId"] == 102
    assert fetched.vendor_time is not None
    assert operations.signed == [True, True, True]


def test_an_agent_who_left_the_list_is_still_asked_for() -> None:
    """If this fails, the last hours of somebody who signed out are lost."""
    operations = Operations()
    with serving(operations) as url:
        client = CmsHistoryClient(config(url, cms=cms()))
        client.fetch(HOUR)
        operations.agents = [102]
        client.vendor_now()
        assert len(client.fetch(HOUR).pages) == 2


def test_where_nobody_is_asked_for_nothing_is_observed(tmp_path: Path) -> None:
    """If this fails, an empty list of agents makes a day look fetched, and it is not asked for again."""
    operations, lake, day = Operations(), Lake(tmp_path), datetime.now(UTC).date()
    operations.agents = []
    with serving(operations) as url:
        client = CmsHistoryClient(config(url, cms=cms()))
        with pytest.raises(CaptureError, match=r"aicc: CC-CMS names no agents of VDN 170.* check cms\.cc_id"):
            capture(client, lake, vendor="huawei", source="aicc", feed=CMS_HISTORY, days=[day - timedelta(days=1), day])
        with pytest.raises(HttpError, match="no agents"):
            client.fetch(HOUR)
    assert operations.asked == []
    assert lake.clock("huawei", "aicc", "cms_history").observed_until is None
    assert list(tmp_path.rglob("raw/**/*.parquet")) == []


def test_who_polls_is_told_that_there_is_nobody() -> None:
    """If this fails, a wrong VDN is told as a vendor that does not answer."""
    vendor = Vendor({AGENTS: [listed()]})
    notes = play(vendor, lambda url: CmsStatusClient(config(url, cms=cms())), lambda notes: "lost" in notes.words())
    assert "names no agents of VDN 170" in notes.reasons[0]


def test_one_agent_that_fails_marks_the_window_and_keeps_the_others() -> None:
    """If this fails, a hole passes for a quiet hour, or one agent's error loses all."""
    operations = Operations()
    operations.refused[102] = json.dumps(rows(code="0300001")).encode()
    with serving(operations) as url:
        fetched = CmsHistoryClient(config(url, cms=cms())).fetch(HOUR)
    assert (fetched.status, len(fetched.pages)) == ("failed", 2)
    assert "agent 102" in str(fetched.error)
    assert "0300001" in str(fetched.error)


def test_a_refusal_is_an_error_without_the_keys() -> None:
    """If this fails, wrong keys look like an empty day, or stand in the log."""
    operations = Operations()
    operations.status = 401
    with serving(operations) as url, pytest.raises(HttpError, match=r"cms\.access_key") as caught:
        CmsHistoryClient(config(url, cms=cms())).vendor_now()
    assert "the-" not in str(caught.value)


def test_a_day_is_captured_and_a_second_time_only_what_is_unsettled(tmp_path: Path) -> None:
    """If this fails, history is not planned as other feeds are."""
    operations = Operations()
    lake = Lake(tmp_path)
    now = datetime.now(UTC)
    day = (now - timedelta(hours=4)).date()
    with serving(operations) as url:
        client = CmsHistoryClient(config(url, cms=cms()))
        first, second = (
            capture(client, lake, vendor="huawei", source="aicc", feed=CMS_HISTORY, days=[day]) for _ in range(2)
        )
    assert first.failed == 0
    assert first.landed == first.planned > 0
    assert second.planned < first.planned


def test_the_doctor_is_told_what_is_right_and_wrong() -> None:
    """If this fails, nobody learns why nothing is captured."""
    operations = Operations()
    with serving(operations) as url:
        client = CmsStatusClient(config(url, cms=cms()))
        assert [(probe.name, probe.ok) for probe in client.probe()] == [
            ("reachability", True),
            ("permission", True),
            ("clock", True),
        ]
        operations.status = 401
        assert [(probe.name, probe.ok) for probe in client.probe()] == [("credentials", False)]
        missing = CmsHistoryClient(config(url, cms=cms(access_key="${NOBODY}")))
        assert ["NOBODY" in probe.message for probe in missing.probe()] == [True]
